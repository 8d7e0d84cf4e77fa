"""repeats: see ../sql/0021_repeats.sql."""

from verkehrspuls.storage.migrate import run_sql

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Run the revision's statements."""
    run_sql("0021_repeats.sql")
