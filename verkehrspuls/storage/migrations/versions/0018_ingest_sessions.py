"""ingest sessions: see ../sql/0018_ingest_sessions.sql."""

from verkehrspuls.storage.migrate import run_sql

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Run the revision's statements."""
    run_sql("0018_ingest_sessions.sql")
