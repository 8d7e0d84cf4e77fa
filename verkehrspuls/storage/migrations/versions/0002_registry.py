"""registry: see ../sql/0002_registry.sql."""

from verkehrspuls.storage.migrate import run_sql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Run the revision's statements."""
    run_sql("0002_registry.sql")
