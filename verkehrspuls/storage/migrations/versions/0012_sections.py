"""sections: see ../sql/0012_sections.sql."""

from verkehrspuls.storage.migrate import run_sql

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Run the revision's statements."""
    run_sql("0012_sections.sql")
