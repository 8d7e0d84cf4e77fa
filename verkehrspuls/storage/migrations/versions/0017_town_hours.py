"""town hours: see ../sql/0017_town_hours.sql."""

from verkehrspuls.storage.migrate import run_sql

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Run the revision's statements."""
    run_sql("0017_town_hours.sql")
