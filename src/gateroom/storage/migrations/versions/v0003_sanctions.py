"""Bans and mutes."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0003"
down_revision: str | None = "0002"


def upgrade(op: Operations) -> None:
    """Create the table of what moderators took against users."""
    key = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "sanctions",
        sa.Column("room_id", key, nullable=False),
        sa.Column("user_id", key, nullable=False),
        sa.Column("measure", sa.String(16), nullable=False),
        sa.Column("since", sa.Double, nullable=False),
        sa.Column("until", sa.Double, nullable=True),
        sa.PrimaryKeyConstraint("room_id", "user_id", "measure", name="pk_sanctions"),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name="fk_sanctions_room_id", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_sanctions_user_id", ondelete="CASCADE"),
    )
    op.create_index("ix_sanctions_user_id", "sanctions", ["user_id"])
