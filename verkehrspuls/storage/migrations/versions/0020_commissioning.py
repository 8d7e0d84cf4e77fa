"""commissioning: see ../sql/0020_commissioning.sql."""

from verkehrspuls.storage.migrate import run_sql

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Run the revision's statements."""
    run_sql("0020_commissioning.sql")
