"""All parts of schema 5."""

from delivery_service.migrations.steps import apply_parts

revision = "5"
down_revision = "4"


def upgrade() -> None:
    """Runs the schema's parts of this version; no replica of an older version may use what they make."""
    apply_parts(5, oldest=5)
