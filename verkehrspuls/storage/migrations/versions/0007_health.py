"""health: see ../sql/0007_health.sql."""

from verkehrspuls.storage.migrate import run_sql

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Run the revision's statements."""
    run_sql("0007_health.sql")
