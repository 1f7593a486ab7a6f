"""Certificates of withdrawal also for versions that narrow: what took something back need not be a statement."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

COLUMNS = "statement, agreement, owner, issued, complete, body, signed, needs"


def upgrade() -> None:
    """The same table without the reference to a statement."""
    op.drop_index("ix_withdrawal_agreement", "withdrawal")
    op.rename_table("withdrawal", "withdrawal_before")
    op.create_table(
        "withdrawal",
        sa.Column("statement", sa.String(), nullable=False),
        sa.Column("agreement", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("issued", sa.BigInteger(), nullable=False),
        sa.Column("complete", sa.Boolean(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("signed", sa.LargeBinary(), nullable=False),
        sa.Column("needs", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("statement"),
    )
    op.execute(f"INSERT INTO withdrawal ({COLUMNS}) SELECT {COLUMNS} FROM withdrawal_before")  # noqa: S608
    op.drop_table("withdrawal_before")
    op.create_index("ix_withdrawal_agreement", "withdrawal", ["agreement"])
