"""Run by Alembic: applies revisions through the connection that __init__.py gives it, all in one transaction."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], version_table="schema_version")
with context.begin_transaction():
    context.run_migrations()
