"""What left of each owner: sheets bound by the audit log, their entries, and those not spread yet."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Three tables."""
    op.create_table(
        "access_waiting",
        sa.Column("leaf", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("leaf"),
    )
    op.create_table(
        "access_sheet",
        sa.Column("leaf", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("grain", sa.String(), nullable=False),
        sa.Column("seed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("leaf"),
    )
    op.create_table(
        "access_entry",
        sa.Column("leaf", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("number", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("reader", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("surface", sa.String(), nullable=False),
        sa.Column("clauses", sa.String(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("uses", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["leaf"], ["access_sheet.leaf"]),
        sa.PrimaryKeyConstraint("leaf", "number"),
    )
    op.create_index("access_entry_owner", "access_entry", ["owner", "at", "leaf", "place"], unique=False)
    op.create_index("access_entry_at", "access_entry", ["at"], unique=False)
