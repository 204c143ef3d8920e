"""Consent, openings and franks."""

from delivery_service.migrations.steps import apply_parts

revision = "4"
down_revision = "3"


def upgrade() -> None:
    """Runs the schema's parts of this version; no replica of an older version may use what they make."""
    apply_parts(4, oldest=4)
