"""figures: see ../sql/0005_figures.sql."""

from verkehrspuls.storage.migrate import run_sql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Run the revision's statements."""
    run_sql("0005_figures.sql")
