"""Private and thresholded releases: plans, what was counted, noisy slices, who reads them."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TEXT, NUMBER = sa.String(), sa.BigInteger()


def column(name: str, kind: Any, key: str = "") -> sa.Column[Any]:
    """A column that is never empty; `key` is what it refers to."""
    parts = [sa.ForeignKey(key)] if key else []
    return sa.Column(name, kind, *parts, nullable=False)


def upgrade() -> None:
    """Seven tables."""
    op.create_table(
        "release_plan",
        column("id", TEXT),
        column("community", TEXT, "community.id"),
        column("window", NUMBER),
        column("plan", sa.LargeBinary()),
        column("places", sa.JSON()),
        column("contributors", NUMBER),
        column("opened", NUMBER),
        column("closed", NUMBER),
        column("arrival", NUMBER),
        column("weekly", NUMBER),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_release_plan_community", "release_plan", ["community"])
    op.create_table(
        "release_counted",
        column("plan", TEXT, "release_plan.id"),
        column("owner", TEXT),
        column("family", NUMBER),
        column("day", NUMBER),
        sa.PrimaryKeyConstraint("plan", "owner", "family"),
    )
    op.create_index("ix_release_counted_owner", "release_counted", ["owner"])
    op.create_table(
        "release_begun",
        column("plan", TEXT, "release_plan.id"),
        column("day", NUMBER),
        column("lost", NUMBER),
        sa.PrimaryKeyConstraint("plan", "day"),
    )
    op.create_table(
        "release_owners",
        column("digest", TEXT),
        column("owners", sa.JSON()),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_table(
        "release_slice",
        column("plan", TEXT, "release_plan.id"),
        column("owners", TEXT, "release_owners.digest"),
        column("levels", TEXT),
        column("number", NUMBER),
        column("tier", TEXT),
        column("scale", TEXT),
        column("body", sa.LargeBinary()),
        column("drawn", NUMBER),
        sa.PrimaryKeyConstraint("plan", "owners", "levels", "number", "tier"),
    )
    op.create_table(
        "release_seat",
        column("plan", TEXT, "release_plan.id"),
        column("reader", TEXT),
        column("day", NUMBER),
        column("owners", TEXT, "release_owners.digest"),
        column("tier", TEXT),
        sa.PrimaryKeyConstraint("plan", "reader", "day"),
    )
    op.create_index("ix_release_seat_reader", "release_seat", ["reader"])
    op.create_table(
        "release_week",
        column("plan", TEXT, "release_plan.id"),
        column("week", NUMBER),
        column("reader", TEXT),
        column("owners", TEXT, "release_owners.digest"),
        column("body", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("plan", "week", "reader"),
    )
    op.create_index("ix_release_week_reader", "release_week", ["reader"])
