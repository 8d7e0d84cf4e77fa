"""dropped fields: see ../sql/0023_dropped_fields.sql."""

from verkehrspuls.storage.migrate import run_sql

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Run the revision's statements."""
    run_sql("0023_dropped_fields.sql")
