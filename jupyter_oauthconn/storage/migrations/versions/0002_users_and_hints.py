"""OAuth clients of users and their descriptions; the account that a connection means."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    # with defaults of the database: an older package goes on writing rows without them
    op.add_column("clients", sa.Column("description", sa.Text(), nullable=False, server_default=""))
    # no foreign key: SQLite would have to copy the table that connections point to
    op.add_column("clients", sa.Column("owner_id", sa.Uuid(), nullable=True))
    op.add_column(
        "connections", sa.Column("login_hint", sa.Text(), nullable=False, server_default="")
    )
