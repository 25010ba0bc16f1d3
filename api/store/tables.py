"""Tables of the database. Times are UTC; money is USD; a blob is named by the SHA-256 of its bytes."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import Enum
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    CheckConstraint,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy import Enum as EnumType
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from api.keys import Role
from api.store.states import SOLUTION_STATUSES, RunMode, RunState
from models.plan import StopReason


class UtcTime(TypeDecorator[datetime]):
    """A time with its zone: stored in UTC, given back in UTC, also by databases that know no zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the database.

        Raises:
            ValueError: a time without a zone.
        """
        if value is not None and value.tzinfo is None:
            raise ValueError(f"a time needs its zone (found {value.isoformat()})")
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From the database."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """What all tables share."""

    # Plain JSON, not JSONB: it keeps the order of keys, in which NPV terms and changes are shown.
    type_annotation_map: ClassVar[Any] = {
        datetime: UtcTime(),
        dict[str, Any]: JSON(none_as_null=True),
        list[Any]: JSON(none_as_null=True),
    }
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def _one_of(kind: type[Enum], name: str) -> EnumType:
    """A text column with a CHECK: a new value needs a migration, but no type of the database's own."""
    values = [str(member.value) for member in kind]
    return EnumType(kind, native_enum=False, create_constraint=True, length=24, name=name, values_callable=lambda _: values)


class ApiKey(Base):
    """An API key; of its secret only the hash is kept. A key that was revoked stays, for the audit log."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    role: Mapped[Role] = mapped_column(_one_of(Role, "role"))
    hash: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    __table_args__ = (Index(None, "created_at", "id"),)


class Dataset(Base):
    """A dataset: immutable, its id is the hash of its content.

    ``derived`` marks one that changes made: it is not listed, and goes once nothing needs it. ``tables`` (rows by table) and
    ``warnings`` (pointer, message, code) are what lists tell of its content; empty where that could not be read yet.
    """

    __tablename__ = "datasets"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    created_at: Mapped[datetime]
    created_by: Mapped[str]
    size_bytes: Mapped[int]
    periods: Mapped[int]
    sites: Mapped[int]
    blob: Mapped[str]
    derived: Mapped[bool]
    tables: Mapped[dict[str, Any] | None]
    warnings: Mapped[list[Any] | None]

    __table_args__ = (Index(None, "created_at", "id"),)


class Run(Base):
    """A question and its answer.

    ``plan_blob``, ``npv_usd``, ``bound_usd`` and ``gap`` are the last incumbent while a run is open, and its answer once
    it has succeeded. ``attempt`` counts how often it was taken up, ``crashes`` how often its process ended unexpectedly,
    ``last_event`` how many events it has. Line and scenario have no foreign key: neither is ever deleted, and a line
    itself names a run. ``idempotency_key`` and ``request_sha`` are those of the request that asked: of one caller no two
    runs have the same key, so that a request which comes again after a crash finds its run. ``ask`` is the question of
    mode explain, which is about the plan of ``baseline_run_id``, and ``answer_blob`` its answer. A run of a study has its
    number there, from 0, and ``answer_blob`` is what the study keeps of it; no foreign key, as runs outlive a study.
    """

    __tablename__ = "runs"

    id: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[RunState] = mapped_column(_one_of(RunState, "state"))
    mode: Mapped[RunMode] = mapped_column(_one_of(RunMode, "mode"))
    base_dataset_id: Mapped[str] = mapped_column(ForeignKey("datasets.id"))
    dataset_id: Mapped[str | None]
    changes: Mapped[list[Any]]
    options: Mapped[dict[str, Any]]
    ask: Mapped[dict[str, Any] | None]
    baseline_run_id: Mapped[str | None] = mapped_column(ForeignKey("runs.id"))
    line_id: Mapped[str | None]
    scenario_id: Mapped[str | None]
    revision: Mapped[int | None]
    question: Mapped[str]
    code_version: Mapped[str]
    attempt: Mapped[int]
    crashes: Mapped[int] = mapped_column(server_default="0")
    last_event: Mapped[int]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    stop_asked_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    updated_at: Mapped[datetime]
    solution_status: Mapped[str | None]
    stop_reason: Mapped[StopReason | None] = mapped_column(_one_of(StopReason, "stop_reason"))
    npv_usd: Mapped[float | None]
    bound_usd: Mapped[float | None]
    gap: Mapped[float | None]
    answer: Mapped[dict[str, Any] | None]
    problem: Mapped[dict[str, Any] | None]
    plan_blob: Mapped[str | None]
    answer_blob: Mapped[str | None]
    created_by: Mapped[str]
    idempotency_key: Mapped[str | None]
    request_sha: Mapped[str | None]
    study_id: Mapped[str | None]
    study_number: Mapped[int | None]

    __table_args__ = (
        CheckConstraint(f"solution_status IN ({', '.join(repr(status) for status in SOLUTION_STATUSES)})", "solution_status"),
        CheckConstraint("attempt >= 0 AND last_event >= 0", "counts"),
        CheckConstraint("(finished_at IS NOT NULL) = (state IN ('succeeded', 'failed', 'cancelled'))", "finished"),
        Index(None, "created_at", "id"),
        Index(None, "state", "created_at"),
        Index(None, "base_dataset_id", "created_at"),
        Index(None, "dataset_id", "created_at"),
        Index(None, "line_id", "created_at"),
        Index(None, "scenario_id", "created_at"),
        Index(None, "question", "state"),
        Index(None, "baseline_run_id"),
        Index(None, "created_by", "idempotency_key", unique=True),
        Index(None, "study_id", "study_number", unique=True),
    )


class Study(Base):
    """Many what-ifs of the plan of a run: ``planned`` runs, of which ``made`` have been made.

    ``document`` is what was asked, ``options`` those of each run. Without ``baseline_run_id`` its plan was deleted.
    """

    __tablename__ = "studies"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    document: Mapped[dict[str, Any]]
    planned: Mapped[int]
    made: Mapped[int]
    options: Mapped[dict[str, Any]]
    base_dataset_id: Mapped[str] = mapped_column(ForeignKey("datasets.id"))
    baseline_run_id: Mapped[str | None] = mapped_column(ForeignKey("runs.id"))
    line_id: Mapped[str | None]
    code_version: Mapped[str]
    created_at: Mapped[datetime]
    stop_asked_at: Mapped[datetime | None]
    created_by: Mapped[str]
    idempotency_key: Mapped[str | None]
    request_sha: Mapped[str | None]

    __table_args__ = (
        CheckConstraint("planned >= 0 AND made >= 0 AND made <= planned", "counts"),
        Index(None, "created_at", "id"),
        Index(None, "line_id", "created_at"),
        Index(None, "baseline_run_id"),
        Index(None, "created_by", "idempotency_key", unique=True),
    )


class RunEvent(Base):
    """Something that happened in a run; numbers count from 1 without gaps."""

    __tablename__ = "run_events"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id", ondelete="CASCADE"))
    number: Mapped[int]
    at: Mapped[datetime]
    kind: Mapped[str]
    payload: Mapped[dict[str, Any]]

    __table_args__ = (PrimaryKeyConstraint("run_id", "number"), CheckConstraint("number >= 1", "number"))


class Line(Base):
    """A plan line: a name with its current baseline. ``version`` counts its changes from 1.

    ``changes`` are those that the baseline contains, from the first plan that it goes back to.
    """

    __tablename__ = "lines"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    dataset_id: Mapped[str] = mapped_column(ForeignKey("datasets.id"))
    run_id: Mapped[str | None] = mapped_column(ForeignKey("runs.id"))
    changes: Mapped[list[Any]] = mapped_column(server_default="[]")
    version: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    __table_args__ = (Index(None, "created_at", "id"), Index(None, "run_id"), Index(None, "dataset_id"))


_LIVING = text("deleted_at IS NULL")


class Scenario(Base):
    """Changes of a line or of another scenario; ``revision`` is the current one, ``version`` counts all changes to it."""

    __tablename__ = "scenarios"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    parent_line_id: Mapped[str | None] = mapped_column(ForeignKey("lines.id"))
    parent_scenario_id: Mapped[str | None] = mapped_column(ForeignKey("scenarios.id"))
    revision: Mapped[int]
    version: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]

    # A name is free again once its scenario was deleted.
    __table_args__ = (
        CheckConstraint("(parent_line_id IS NULL) <> (parent_scenario_id IS NULL)", "one_parent"),
        Index("uq_scenarios_line_name", "parent_line_id", "name", unique=True, sqlite_where=_LIVING, postgresql_where=_LIVING),
        Index("uq_scenarios_scenario_name", "parent_scenario_id", "name", unique=True, sqlite_where=_LIVING, postgresql_where=_LIVING),
        Index(None, "created_at", "id"),
    )


class ScenarioRevision(Base):
    """One state of a scenario's changes; never altered."""

    __tablename__ = "scenario_revisions"

    scenario_id: Mapped[str] = mapped_column(ForeignKey("scenarios.id"))
    revision: Mapped[int]
    changes: Mapped[list[Any]]
    note: Mapped[str]
    created_at: Mapped[datetime]
    created_by: Mapped[str]

    __table_args__ = (PrimaryKeyConstraint("scenario_id", "revision"),)


class Idempotency(Base):
    """A request with an idempotency key; without a status it is being answered, or was by a process that ended.

    ``claimed_at``: since when it is being answered; empty when nobody does.
    """

    __tablename__ = "idempotency"

    id: Mapped[int] = mapped_column(primary_key=True)
    key_id: Mapped[str]
    key: Mapped[str]
    method: Mapped[str]
    path: Mapped[str]
    body_sha: Mapped[str]
    status: Mapped[int | None]
    headers: Mapped[dict[str, Any] | None]
    response: Mapped[Any] = mapped_column(JSON(none_as_null=True), nullable=True)
    created_at: Mapped[datetime]
    claimed_at: Mapped[datetime | None]

    __table_args__ = (UniqueConstraint("key_id", "key"), Index(None, "created_at"))


class AuditEntry(Base):
    """Something that was done; the database refuses to alter or delete it."""

    __tablename__ = "audit_log"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[datetime]
    key_id: Mapped[str]
    action: Mapped[str]
    method: Mapped[str]
    path: Mapped[str]
    status: Mapped[int]
    request_id: Mapped[str]
    client: Mapped[str]

    __table_args__ = (Index(None, "at", "id"), {"sqlite_autoincrement": True})
