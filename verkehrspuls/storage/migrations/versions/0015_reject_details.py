"""reject details: see ../sql/0015_reject_details.sql."""

from verkehrspuls.storage.migrate import run_sql

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Run the revision's statements."""
    run_sql("0015_reject_details.sql")
