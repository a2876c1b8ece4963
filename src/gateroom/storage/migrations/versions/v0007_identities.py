"""Whom of an outside issuer which account belongs to."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0007"
down_revision: str | None = "0006"


def upgrade(op: Operations) -> None:
    """Create the table of outside identities."""
    key = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "identities",
        sa.Column("issuer", key, nullable=False),
        sa.Column("subject", key, nullable=False),
        sa.Column("user_id", key, nullable=False),
        sa.Column("as_of", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("issuer", "subject", name="pk_identities"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_identities_user_id", ondelete="CASCADE"),
    )
    op.create_index("ix_identities_user_id", "identities", ["user_id"])
