"""Alembic's entry: runs the migrations on the connection it was given, inside that connection's transaction."""

from alembic import context

from commonwatch.hub.meta.models import Table

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Table.metadata, render_as_batch=True)
context.run_migrations()
