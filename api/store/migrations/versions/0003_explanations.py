"""Runs that explain a plan: what they are asked, and their answers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_BEFORE = ("plan", "evaluate", "repair", "reoptimize")
_NAME = "ck_runs_mode"


def upgrade() -> None:
    """Allow the mode, and add columns."""
    op.add_column("runs", sa.Column("ask", sa.JSON(), nullable=True))
    op.add_column("runs", sa.Column("answer_blob", sa.String(), nullable=True))
    _allow(*_BEFORE, "explain")


def downgrade() -> None:
    """Delete explanations, which have no place any more, and take all back."""
    op.execute("DELETE FROM run_events WHERE run_id IN (SELECT id FROM runs WHERE mode = 'explain')")
    op.execute("DELETE FROM runs WHERE mode = 'explain'")
    _allow(*_BEFORE)
    for name in ("answer_blob", "ask"):
        op.drop_column("runs", name)


def _allow(*modes: str) -> None:
    """Let the column have these values."""
    text = f"mode IN ({', '.join(repr(mode) for mode in modes)})"
    with op.batch_alter_table("runs") as runs:  # SQLite makes the table anew
        runs.drop_constraint(op.f(_NAME), type_="check")
        runs.create_check_constraint(op.f(_NAME), text)
