"""Alembic's entry: migrations run on the connection that the project opened, inside its transaction."""

from alembic import context

from textseg.project.schema import Base

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
context.run_migrations()
