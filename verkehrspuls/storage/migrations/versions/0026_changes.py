"""changes: see ../sql/0026_changes.sql."""

from verkehrspuls.storage.migrate import run_sql

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Run the revision's statements."""
    run_sql("0026_changes.sql")
