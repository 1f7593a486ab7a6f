"""Notifications, and who has seen them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Notifications, and who has seen them."""
    op.create_table(
        "notification",
        sa.Column("uid", sa.String(), nullable=False),
        sa.Column("org", sa.String(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("told", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("uid"),
    )
    op.create_index("notification_of", "notification", ["org", "at"], unique=False)
    op.create_index("notification_untold", "notification", ["told", "at"], unique=False)
    op.create_table(
        "notification_seen",
        sa.Column("notification", sa.String(), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["notification"], ["notification.uid"]),
        sa.PrimaryKeyConstraint("notification", "person"),
    )
