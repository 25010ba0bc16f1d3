"""A run knows the request that asked it, and how often its process crashed; a claim is told from its request."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add columns; in all that there is, no run has a key and no request is being answered."""
    op.add_column("runs", sa.Column("crashes", sa.Integer(), server_default="0", nullable=False))
    op.add_column("runs", sa.Column("idempotency_key", sa.String(), nullable=True))
    op.add_column("runs", sa.Column("request_sha", sa.String(), nullable=True))
    op.create_index(op.f("ix_runs_created_by_idempotency_key"), "runs", ["created_by", "idempotency_key"], unique=True)
    op.add_column("idempotency", sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """Drop them."""
    op.drop_column("idempotency", "claimed_at")
    op.drop_index(op.f("ix_runs_created_by_idempotency_key"), table_name="runs")
    for name in ("request_sha", "idempotency_key", "crashes"):
        op.drop_column("runs", name)
