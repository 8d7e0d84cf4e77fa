"""uneven_channels: see ../sql/0031_uneven_channels.sql."""

from verkehrspuls.storage.migrate import run_sql

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    """Run the revision's statements."""
    run_sql("0031_uneven_channels.sql")
