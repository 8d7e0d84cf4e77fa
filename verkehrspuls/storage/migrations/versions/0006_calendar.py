"""calendar: see ../sql/0006_calendar.sql."""

from verkehrspuls.storage.migrate import run_sql

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Run the revision's statements."""
    run_sql("0006_calendar.sql")
