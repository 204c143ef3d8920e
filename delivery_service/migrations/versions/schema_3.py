"""Blobs."""

from delivery_service.migrations.steps import apply_parts

revision = "3"
down_revision = "2"


def upgrade() -> None:
    """Runs the schema's parts of this version; no replica of an older version may use what they make."""
    apply_parts(3, oldest=3)
