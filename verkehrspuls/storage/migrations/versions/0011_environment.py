"""environment: see ../sql/0011_environment.sql."""

from verkehrspuls.storage.migrate import run_sql

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Run the revision's statements."""
    run_sql("0011_environment.sql")
