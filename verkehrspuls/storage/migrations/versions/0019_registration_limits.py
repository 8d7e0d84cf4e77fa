"""registration limits: see ../sql/0019_registration_limits.sql."""

from verkehrspuls.storage.migrate import run_sql

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Run the revision's statements."""
    run_sql("0019_registration_limits.sql")
