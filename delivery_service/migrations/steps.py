"""What each revision does: the parts of one schema version, and which replicas may go on with it."""

from importlib.resources import files

from alembic import op
from sqlalchemy import text

from delivery_service.storage.translation import postgresql_form

_SUPPORT = "CREATE TABLE IF NOT EXISTS schema_support (version BIGINT PRIMARY KEY, oldest BIGINT NOT NULL)"


def apply_parts(version: int, *, oldest: int) -> None:
    """Runs the files of `storage/schema` that begin with the version, in order of name; see `support`."""
    parts = files("delivery_service.storage").joinpath("schema").iterdir()
    for part in sorted((part for part in parts if part.name.startswith(f"{version}_")), key=lambda part: part.name):
        op.get_bind().exec_driver_sql(postgresql_form(part.read_text()))
    support(version, oldest=oldest)


def support(version: int, *, oldest: int) -> None:
    """Says that replicas made for the schema `oldest`, and for those after it, work with `version` too."""
    op.execute(_SUPPORT)
    op.execute(text("INSERT INTO schema_support VALUES (:version, :oldest)").bindparams(version=version, oldest=oldest))
