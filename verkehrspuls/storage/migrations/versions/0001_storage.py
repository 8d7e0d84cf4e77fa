"""storage: see ../sql/0001_storage.sql."""

from verkehrspuls.storage.migrate import run_sql

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Run the revision's statements."""
    run_sql("0001_storage.sql")
