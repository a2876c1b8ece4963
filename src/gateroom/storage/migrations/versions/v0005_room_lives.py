"""How many may be in a room, and until when it lives."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0005"
down_revision: str | None = "0004"


def upgrade(op: Operations) -> None:
    """Add what rooms may have of their own."""
    op.add_column("rooms", sa.Column("capacity", sa.BigInteger, nullable=True))
    op.add_column("rooms", sa.Column("ttl", sa.Double, nullable=True))
    op.add_column("rooms", sa.Column("expires_at", sa.Double, nullable=True))
    op.create_index("ix_rooms_expires_at", "rooms", ["expires_at"])
