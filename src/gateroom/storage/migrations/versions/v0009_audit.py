"""The audit log."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0009"
down_revision: str | None = "0008"


def upgrade(op: Operations) -> None:
    """Create the table of audit entries; it refers to no other, since entries outlive what they are about."""
    key = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("action", key, nullable=False),
        sa.Column("outcome", key, nullable=False),
        sa.Column("actor", key, nullable=True),
        sa.Column("actor_name", sa.Text, nullable=False),
        sa.Column("session", key, nullable=True),
        sa.Column("target", key, nullable=True),
        sa.Column("room", key, nullable=True),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("repeats", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_index("ix_audit_at", "audit", ["at"])
    op.create_index("ix_audit_actor_id", "audit", ["actor", "id"])
    op.create_index("ix_audit_action_id", "audit", ["action", "id"])
    op.create_index("ix_audit_target_id", "audit", ["target", "id"])
    op.create_index("ix_audit_room_id", "audit", ["room", "id"])
