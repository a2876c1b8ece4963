"""The shared state of rooms, beside their streams."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0008"
down_revision: str | None = "0007"


def upgrade(op: Operations) -> None:
    """Create the table of states."""
    key = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "stream_states",
        sa.Column("epoch", key, nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("document", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("epoch", name="pk_stream_states"),
        sa.ForeignKeyConstraint(["epoch"], ["streams.epoch"], name="fk_stream_states_epoch", ondelete="CASCADE"),
    )
