"""Groups, key packages and inboxes."""

from delivery_service.migrations.steps import apply_parts

revision = "2"
down_revision = None


def upgrade() -> None:
    """Runs the schema's parts of this version; no replica of an older version may use what they make."""
    apply_parts(2, oldest=2)
