"""case standing: see ../sql/0025_case_standing.sql."""

from verkehrspuls.storage.migrate import run_sql

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    """Run the revision's statements."""
    run_sql("0025_case_standing.sql")
