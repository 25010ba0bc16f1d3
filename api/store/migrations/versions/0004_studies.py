"""Studies, and which of them a run belongs to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table, and two columns of runs."""
    op.create_table(
        "studies",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.Column("planned", sa.Integer(), nullable=False),
        sa.Column("made", sa.Integer(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("base_dataset_id", sa.String(), nullable=False),
        sa.Column("baseline_run_id", sa.String(), nullable=True),
        sa.Column("line_id", sa.String(), nullable=True),
        sa.Column("code_version", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stop_asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("idempotency_key", sa.String(), nullable=True),
        sa.Column("request_sha", sa.String(), nullable=True),
        sa.CheckConstraint("planned >= 0 AND made >= 0 AND made <= planned", name=op.f("ck_studies_counts")),
        sa.ForeignKeyConstraint(["base_dataset_id"], ["datasets.id"], name=op.f("fk_studies_base_dataset_id")),
        sa.ForeignKeyConstraint(["baseline_run_id"], ["runs.id"], name=op.f("fk_studies_baseline_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_studies")),
    )
    op.create_index(op.f("ix_studies_created_at_id"), "studies", ["created_at", "id"])
    op.create_index(op.f("ix_studies_line_id_created_at"), "studies", ["line_id", "created_at"])
    op.create_index(op.f("ix_studies_baseline_run_id"), "studies", ["baseline_run_id"])
    op.create_index(op.f("ix_studies_created_by_idempotency_key"), "studies", ["created_by", "idempotency_key"], unique=True)
    op.add_column("runs", sa.Column("study_id", sa.String(), nullable=True))
    op.add_column("runs", sa.Column("study_number", sa.Integer(), nullable=True))
    op.create_index(op.f("ix_runs_study_id_study_number"), "runs", ["study_id", "study_number"], unique=True)


def downgrade() -> None:
    """Delete studies with their runs, which have no place any more, and take all back."""
    op.execute("DELETE FROM run_events WHERE run_id IN (SELECT id FROM runs WHERE study_id IS NOT NULL)")
    op.execute("DELETE FROM runs WHERE study_id IS NOT NULL")
    op.drop_index(op.f("ix_runs_study_id_study_number"), "runs")
    op.drop_column("runs", "study_number")
    op.drop_column("runs", "study_id")
    op.drop_table("studies")
