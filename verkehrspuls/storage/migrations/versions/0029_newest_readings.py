"""newest_readings: see ../sql/0029_newest_readings.sql."""

from verkehrspuls.storage.migrate import run_sql

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    """Run the revision's statements."""
    run_sql("0029_newest_readings.sql")
