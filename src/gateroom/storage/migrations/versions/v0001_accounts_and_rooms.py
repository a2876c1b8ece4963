"""Accounts, their password hashes, rooms and their members."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0001"
down_revision: str | None = None


def upgrade(op: Operations) -> None:
    """Create the first tables."""
    key = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "users",
        sa.Column("id", key, nullable=False),
        sa.Column("username", key, nullable=False),
        sa.Column("roles", sa.JSON, nullable=False),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("disabled", sa.Boolean, nullable=False),
        sa.Column("valid_from", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("username", name="uq_users_username"),
    )
    op.create_table(
        "passwords",
        sa.Column("user_id", key, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_passwords"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_passwords_user_id", ondelete="CASCADE"),
    )
    op.create_table(
        "rooms",
        sa.Column("id", key, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("visibility", sa.String(16), nullable=False),
        sa.Column("created_by", key, nullable=True),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_rooms"),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name="fk_rooms_created_by", ondelete="SET NULL"),
    )
    op.create_index("ix_rooms_visibility_id", "rooms", ["visibility", "id"])
    op.create_index("ix_rooms_created_by", "rooms", ["created_by"])
    op.create_table(
        "members",
        sa.Column("room_id", key, nullable=False),
        sa.Column("user_id", key, nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("since", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("room_id", "user_id", name="pk_members"),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name="fk_members_room_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_members_user_id", ondelete="CASCADE"),
    )
    op.create_index("ix_members_room_id_role", "members", ["room_id", "role"])
    op.create_index("ix_members_user_id_room_id_role", "members", ["user_id", "room_id", "role"])
