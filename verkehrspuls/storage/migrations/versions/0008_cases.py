"""cases: see ../sql/0008_cases.sql."""

from verkehrspuls.storage.migrate import run_sql

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Run the revision's statements."""
    run_sql("0008_cases.sql")
