"""ambiguous: see ../sql/0028_ambiguous.sql."""

from verkehrspuls.storage.migrate import run_sql

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    """Run the revision's statements."""
    run_sql("0028_ambiguous.sql")
