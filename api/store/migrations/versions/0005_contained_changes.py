"""Lines know the changes that their baselines contain, and datasets what lists tell of them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_LINES = sa.table("lines", sa.column("id"), sa.column("run_id"), sa.column("changes", sa.JSON()))
_RUNS = sa.table("runs", sa.column("id"), sa.column("baseline_run_id"), sa.column("changes", sa.JSON()))


def upgrade() -> None:
    """Add columns; those of lines follow from their runs, those of datasets are filled when the store is opened, as blobs are needed."""
    op.add_column("datasets", sa.Column("tables", sa.JSON(), nullable=True))
    op.add_column("datasets", sa.Column("warnings", sa.JSON(), nullable=True))
    op.add_column("lines", sa.Column("changes", sa.JSON(), server_default="[]", nullable=False))
    connection = op.get_bind()
    baselines = sa.select(_LINES.c.id, _LINES.c.run_id).where(_LINES.c.run_id.is_not(None))
    for line, run in connection.execute(baselines).all():
        connection.execute(sa.update(_LINES).where(_LINES.c.id == line).values(changes=_contained(connection, run)))


def downgrade() -> None:
    """Drop them."""
    op.drop_column("lines", "changes")
    for name in ("warnings", "tables"):
        op.drop_column("datasets", name)


def _contained(connection: sa.Connection, run: str | None) -> list[Any]:
    """Changes of a run after those of all that it builds on."""
    found: list[Any] = []
    while run is not None:
        row = connection.execute(sa.select(_RUNS.c.changes, _RUNS.c.baseline_run_id).where(_RUNS.c.id == run)).one()
        found[:0] = row.changes
        run = row.baseline_run_id
    return found
