"""readings: see ../sql/0003_readings.sql."""

from verkehrspuls.storage.migrate import run_sql

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Run the revision's statements."""
    run_sql("0003_readings.sql")
