"""retained: see ../sql/0022_retained.sql."""

from verkehrspuls.storage.migrate import run_sql

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Run the revision's statements."""
    run_sql("0022_retained.sql")
