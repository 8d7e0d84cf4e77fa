"""ledger: see ../sql/0004_ledger.sql."""

from verkehrspuls.storage.migrate import run_sql

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Run the revision's statements."""
    run_sql("0004_ledger.sql")
