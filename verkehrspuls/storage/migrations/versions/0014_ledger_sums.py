"""ledger sums: see ../sql/0014_ledger_sums.sql."""

from verkehrspuls.storage.migrate import run_sql

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Run the revision's statements."""
    run_sql("0014_ledger_sums.sql")
