"""origin: see ../sql/0027_origin.sql."""

from verkehrspuls.storage.migrate import run_sql

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    """Run the revision's statements."""
    run_sql("0027_origin.sql")
