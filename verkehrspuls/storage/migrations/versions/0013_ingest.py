"""ingest: see ../sql/0013_ingest.sql."""

from verkehrspuls.storage.migrate import run_sql

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Run the revision's statements."""
    run_sql("0013_ingest.sql")
