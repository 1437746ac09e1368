"""Alembic's environment: runs in the caller's connection and transaction."""

from alembic import context

from jupyter_oauthconn.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    # SQLite changes a column only by copying its table
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
