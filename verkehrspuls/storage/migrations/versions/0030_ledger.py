"""ledger: see ../sql/0030_ledger.sql."""

from verkehrspuls.storage.migrate import run_sql

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    """Run the revision's statements."""
    run_sql("0030_ledger.sql")
