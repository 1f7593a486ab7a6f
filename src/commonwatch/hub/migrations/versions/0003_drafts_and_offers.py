"""Drafts, and offers with the signatures they collect."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Drafts, and offers with the signatures they collect."""
    op.create_table(
        "draft",
        sa.Column("org", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("edition", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["org"], ["organisation.id"]),
        sa.PrimaryKeyConstraint("org", "id"),
    )
    op.create_table(
        "draft_reader",
        sa.Column("org", sa.String(), nullable=False),
        sa.Column("draft", sa.String(), nullable=False),
        sa.Column("reader", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["org", "draft"], ["draft.org", "draft.id"]),
        sa.PrimaryKeyConstraint("org", "draft", "reader"),
    )
    op.create_index("ix_draft_reader_reader", "draft_reader", ["reader"], unique=False)
    op.create_table(
        "offer",
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("impact", sa.JSON(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("org", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("ended", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("hash"),
    )
    op.create_index("ix_offer_name", "offer", ["name"], unique=False)
    op.create_index("ix_offer_state", "offer", ["state"], unique=False)
    op.create_table(
        "offer_party",
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("org", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("protected", sa.String(), nullable=True),
        sa.Column("signature", sa.String(), nullable=True),
        sa.Column("held", sa.Boolean(), nullable=False),
        sa.Column("by", sa.String(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["hash"], ["offer.hash"]),
        sa.PrimaryKeyConstraint("hash", "org"),
    )
    op.create_index("ix_offer_party_org", "offer_party", ["org"], unique=False)
