"""Streams of rooms and inboxes, their messages, and the keys these were published with."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0002"
down_revision: str | None = "0001"


def upgrade(op: Operations) -> None:
    """Create the tables of durable streams."""
    key = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "streams",
        sa.Column("topic", key, nullable=False),
        sa.Column("epoch", key, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("floor", sa.BigInteger, nullable=False),
        sa.Column("keep", sa.BigInteger, nullable=False),
        sa.Column("ttl", sa.Double, nullable=False),
        sa.Column("due", sa.Double, nullable=True),
        sa.Column("room_id", key, nullable=True),
        sa.Column("user_id", key, nullable=True),
        sa.PrimaryKeyConstraint("topic", name="pk_streams"),
        sa.UniqueConstraint("epoch", name="uq_streams_epoch"),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name="fk_streams_room_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_streams_user_id", ondelete="CASCADE"),
    )
    op.create_index("ix_streams_due", "streams", ["due"])
    op.create_index("ix_streams_room_id", "streams", ["room_id"])
    op.create_index("ix_streams_user_id", "streams", ["user_id"])
    op.create_table(
        "stream_messages",
        sa.Column("epoch", key, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("epoch", "seq", name="pk_stream_messages"),
        sa.ForeignKeyConstraint(["epoch"], ["streams.epoch"], name="fk_stream_messages_epoch", ondelete="CASCADE"),
    )
    op.create_table(
        "publish_keys",
        sa.Column("id", sa.LargeBinary, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_publish_keys"),
    )
    op.create_index("ix_publish_keys_at", "publish_keys", ["at"])
