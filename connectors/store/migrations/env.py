"""Runs migrations on the connection that the store hands over, inside its transaction."""

from alembic import context

from connectors.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    compare_server_default=False,
)
with context.begin_transaction():
    context.run_migrations()
