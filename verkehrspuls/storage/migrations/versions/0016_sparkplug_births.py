"""sparkplug births: see ../sql/0016_sparkplug_births.sql."""

from verkehrspuls.storage.migrate import run_sql

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Run the revision's statements."""
    run_sql("0016_sparkplug_births.sql")
