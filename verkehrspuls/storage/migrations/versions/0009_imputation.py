"""imputation: see ../sql/0009_imputation.sql."""

from verkehrspuls.storage.migrate import run_sql

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Run the revision's statements."""
    run_sql("0009_imputation.sql")
