"""long intervals: see ../sql/0024_long_intervals.sql."""

from verkehrspuls.storage.migrate import run_sql

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Run the revision's statements."""
    run_sql("0024_long_intervals.sql")
