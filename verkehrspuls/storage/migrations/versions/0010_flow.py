"""flow: see ../sql/0010_flow.sql."""

from verkehrspuls.storage.migrate import run_sql

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Run the revision's statements."""
    run_sql("0010_flow.sql")
