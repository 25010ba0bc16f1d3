"""Runs: questions, what happens while they are answered, and their answers.

A run goes queued → running (→ stopping) → succeeded, failed or cancelled. Whoever answers it takes it up with
:meth:`Runs.take` and from then on names the attempt with all that it reports: reports of an attempt that is not the
current one, or of a run that has ended, change nothing. A run ends once, together with its last event.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, or_, select, update
from sqlalchemy.orm import Session

from api.store.database import Database, added, new_id, required
from api.store.errors import ConflictError, NotFoundError
from api.store.paging import LIMIT, Page, page_of
from api.store.repeated import entered, with_key
from api.store.states import ACTIVE_STATES, END_EVENT, FINAL_STATES, OPEN_STATES, RunMode, RunState
from api.store.tables import Dataset, Run, RunEvent, Study
from models.plan import SMALLEST_GAP, SolutionStatus, StopReason


def question_of(
    *, mode: RunMode, base_dataset_id: str, changes: Sequence[Any], baseline_run_id: str | None, seed: int, code_version: str,
    ask: Mapping[str, Any] | None = None, most: Mapping[str, float] | None = None, told: Sequence[Any] = (),
) -> str:  # fmt: skip
    """Hash of a question: equal for questions whose answers are interchangeable, apart from their gaps.

    Args:
        changes: plain JSON values with all defaults filled in; the order of keys does not matter, that of changes does.
        ask: of mode explain, likewise.
        most: what measures are held to, if any.
        told: plain JSON values: what an answer has to say besides, if anything.

    Raises:
        ValueError: a value that JSON does not know.
    """
    parts = [mode, base_dataset_id, list(changes), baseline_run_id, seed, code_version, *([] if ask is None else [dict(ask)])]
    parts += [{"most": dict(most)}] if most else []
    parts += [{"told": list(told)}] if told else []
    return hashlib.sha256(json.dumps(parts, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()).hexdigest()


class Runs:
    """Runs and their events."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        *,
        mode: RunMode,
        base_dataset_id: str,
        changes: Sequence[Any],
        options: Mapping[str, Any],
        question: str,
        code_version: str,
        created_by: str,
        ask: Mapping[str, Any] | None = None,
        dataset_id: str | None = None,
        baseline_run_id: str | None = None,
        line_id: str | None = None,
        scenario_id: str | None = None,
        revision: int | None = None,
        answer: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        request_sha: str | None = None,
        study_id: str | None = None,
        study_number: int | None = None,
    ) -> Run:
        """Accept a question: once this returns, it outlives any end of the process.

        With an idempotency key that a run of the same caller has, or with the number that a run of the study has, that run is returned
        and none is made.

        Args:
            changes: plain JSON values, in order.
            options: plain JSON values: gap, time_limit (seconds), seed, threads.
            question: from :func:`question_of`.
            ask: of mode explain, what is asked; plain JSON values.
            dataset_id: hash of the dataset after the changes, if known.
            answer: what can be said already, such as sentences and warnings.
            idempotency_key: of the request; free for another run after 24 hours.
            study_id, study_number: of a study, its id and which of its runs this is, from 0.
            request_sha: SHA-256 of the request, by which whoever gets a run that was there knows it from another request's.

        Raises:
            NotFoundError: no such base dataset or baseline run.
            ConflictError: its study was asked to stop.
        """
        now = self._database.now()
        row = Run(
            id=new_id("run"), state=RunState.QUEUED, mode=mode, base_dataset_id=base_dataset_id, dataset_id=dataset_id, changes=list(changes),
            options=dict(options), ask=None if ask is None else dict(ask), baseline_run_id=baseline_run_id, line_id=line_id, scenario_id=scenario_id, revision=revision,
            question=question, code_version=code_version, attempt=0, last_event=0, created_at=now, updated_at=now,
            answer=None if answer is None else dict(answer), created_by=created_by, crashes=0, idempotency_key=idempotency_key,
            request_sha=request_sha, study_id=study_id, study_number=study_number,
        )  # fmt: skip
        with self._database.writing() as session:
            required(session, Dataset, base_dataset_id)
            if baseline_run_id is not None:
                required(session, Run, baseline_run_id)
            if study_id is not None:
                # In the same transaction, so that whoever has asked a study to stop finds every run that it has.
                study = session.get(Study, study_id, with_for_update={"read": True})
                if study is not None and study.stop_asked_at is not None:
                    raise ConflictError(f"study {study_id} was asked to stop")
                there = and_(Run.study_id == study_id, Run.study_number == study_number)
                return row if added(session, row) else session.scalars(select(Run).where(there)).one()
            return entered(session, row, now)

    def get(self, id: str) -> Run:
        """A run.

        Raises:
            NotFoundError: there is none.
        """
        with self._database.reading() as session:
            return _found(session, id)

    def with_key(self, created_by: str, idempotency_key: str) -> Run | None:
        """The run that a caller's request with an idempotency key made within the last 24 hours."""
        with self._database.reading() as session:
            return with_key(session, Run, created_by, idempotency_key, self._database.now())

    def list(
        self,
        cursor: str | None = None,
        limit: int = LIMIT,
        *,
        states: Collection[RunState] = (),
        modes: Collection[RunMode] = (),
        dataset_id: str | None = None,
        line_id: str | None = None,
        scenario_id: str | None = None,
        baseline_run_id: str | None = None,
        kind: str | None = None,
        study_id: str | None = None,
        of_studies: bool = True,
    ) -> Page[Run]:
        """Runs, newest first.

        Args:
            states, modes: only in one of these; in any, if empty.
            dataset_id: only those of this dataset, before or after the changes.
            line_id, scenario_id, baseline_run_id: only those of this plan line, scenario or baseline.
            kind: of mode explain, only what asks for this.
            study_id: only those of this study.
            of_studies: whether runs of studies are among them.

        Raises:
            ValueError: cursor or limit can't be.
        """
        rows = select(Run)
        if states:
            rows = rows.where(Run.state.in_(states))
        if modes:
            rows = rows.where(Run.mode.in_(modes))
        if baseline_run_id is not None:
            rows = rows.where(Run.baseline_run_id == baseline_run_id)
        if kind is not None:
            rows = rows.where(Run.ask["kind"].as_string() == kind)
        if dataset_id is not None:
            rows = rows.where(or_(Run.base_dataset_id == dataset_id, Run.dataset_id == dataset_id))
        if study_id is not None:
            rows = rows.where(Run.study_id == study_id)
        elif not of_studies:
            rows = rows.where(Run.study_id.is_(None))
        if line_id is not None:
            rows = rows.where(Run.line_id == line_id)
        if scenario_id is not None:
            rows = rows.where(Run.scenario_id == scenario_id)
        with self._database.reading() as session:
            return page_of(session, rows, Run.created_at, Run.id, cursor, limit)

    def changes_in(self, id: str) -> Sequence[Any]:
        """Changes that the plan of a run contains: those of the runs that it builds on, the first one's first, and its own.

        Raises:
            NotFoundError: there is none.
        """
        found: tuple[Any, ...] = ()
        with self._database.reading() as session:
            run: Run | None = _found(session, id)
            while run is not None:
                found = (*run.changes, *found)
                run = None if run.baseline_run_id is None else session.get(Run, run.baseline_run_id)
        return found

    def counts(self, *, of_studies: bool = True) -> dict[RunState, int]:
        """How many runs are in each state.

        Args:
            of_studies: whether runs of studies count.
        """
        rows = select(Run.state, func.count().label("number")).group_by(Run.state)
        if not of_studies:
            rows = rows.where(Run.study_id.is_(None))
        with self._database.reading() as session:
            found = {row.state: row.number for row in session.execute(rows)}
        return {state: found.get(state, 0) for state in RunState}

    def unfinished(self) -> Sequence[Run]:
        """Runs that have not ended, oldest first, those of studies last: after a start they are to be taken up again."""
        order = (Run.study_id.is_not(None), Run.created_at, Run.id)
        with self._database.reading() as session:
            return session.scalars(select(Run).where(Run.state.in_(OPEN_STATES)).order_by(*order)).all()

    def answered(self, question: str, gap: float) -> Run | None:
        """A run that has answered a question at least as well; the one with the smallest gap.

        Args:
            question: from :func:`question_of`.
            gap: relative gap asked; a proof that there is no plan, an evaluation, and an explanation that nothing has cut short
                answer for any.
        """
        proven = Run.solution_status == SolutionStatus.INFEASIBLE.value
        planned = and_(Run.plan_blob.is_not(None), Run.gap <= max(gap, SMALLEST_GAP))
        rows = select(Run).where(Run.question == question, Run.state == RunState.SUCCEEDED)
        explained = and_(Run.mode == RunMode.EXPLAIN, Run.answer_blob.is_not(None), Run.stop_reason.is_(None))
        evaluated = and_(Run.mode == RunMode.EVALUATE, Run.solution_status.is_(None))  # one that was cut short has a status
        rows = rows.where(or_(proven, planned, explained, evaluated))
        with self._database.reading() as session:
            return session.scalars(rows.order_by(Run.gap, Run.created_at.desc()).limit(1)).first()

    def take(self, id: str) -> Run | None:
        """Take up a queued run as its next attempt; None if it is not queued: somebody else has it, or it has ended."""
        return self._change(id, Run.state == RunState.QUEUED, ["started_at"], state=RunState.RUNNING, attempt=Run.attempt + 1)

    def requeue(self, id: str, attempt: int | None = None, *, crashed: bool = False) -> Run | None:
        """Give back a run that is running or stopping, with its checkpoint and ``stop_asked_at``; None if it is neither.

        Until the next attempt begins, the last one may still end the run: a plan that comes late is a plan.

        Args:
            attempt: only if this is the current one.
            crashed: whether its process ended unexpectedly, which is counted.
        """
        current = Run.attempt == attempt if attempt is not None else Run.attempt >= 0
        where = and_(current, Run.state.in_(ACTIVE_STATES))
        return self._change(id, where, state=RunState.QUEUED, crashes=Run.crashes + int(crashed))

    def note_event(self, id: str, attempt: int, kind: str, payload: Mapping[str, Any], at: datetime | None = None) -> int | None:
        """Store an event; its number, or None if it does not count: another attempt, or the run has ended.

        Args:
            attempt: 0 before the first.
            payload: plain JSON values.
            at: when it happened; now, if not given.
        """
        with self._database.writing() as session:
            row = self._changed(session, id, _current(attempt), last_event=Run.last_event + 1)
            return None if row is None else _noted(session, row, kind, payload, at)

    def events(self, id: str, after: int = 0, limit: int = 1000) -> Sequence[RunEvent]:
        """Events of a run after a number, in order; none if there is no such run."""
        rows = select(RunEvent).where(RunEvent.run_id == id, RunEvent.number > after).order_by(RunEvent.number).limit(limit)
        with self._database.reading() as session:
            return session.scalars(rows).all()

    def checkpoint(self, id: str, attempt: int, plan_blob: str, npv_usd: float, bound_usd: float | None, gap: float | None) -> bool:
        """Store an incumbent, from which the run is taken up again; whether it was stored.

        It is not if the attempt is not the current one, if the run has ended, or if a better plan is stored.

        Args:
            plan_blob: its plan, which must be stored already.
            gap: relative.
        """
        best = or_(Run.npv_usd.is_(None), Run.npv_usd <= npv_usd)
        values: dict[str, Any] = {"plan_blob": plan_blob, "npv_usd": npv_usd, "bound_usd": bound_usd, "gap": gap}
        return self._change(id, and_(_current(attempt), best), **values) is not None

    def ask_stop(self, id: str) -> Run:
        """Ask a run to stop with its best plan; one that is queued and has none is cancelled. The run as it is then.

        One that is queued again, with a plan of an earlier attempt, stays queued: whoever takes it up sees ``stop_asked_at``
        and ends it with that plan. A run that stops already or has ended stays as it is.

        Raises:
            NotFoundError: there is none.
        """
        with self._database.writing() as session:
            row = self._changed(session, id, Run.state == RunState.RUNNING, ["stop_asked_at"], state=RunState.STOPPING)
            again = and_(Run.state == RunState.QUEUED, Run.plan_blob.is_not(None), Run.stop_asked_at.is_(None))
            row = row or self._changed(session, id, again, ["stop_asked_at"])
            waits = and_(Run.state == RunState.QUEUED, Run.plan_blob.is_(None))
            return row or self._cancelled(session, id, waits, ["stop_asked_at"]) or _found(session, id)

    def cancel(self, id: str) -> Run:
        """End a run at once; what it has stored stays. The run as it is then: one that had ended stays as it was.

        Raises:
            NotFoundError: there is none.
        """
        with self._database.writing() as session:
            return self._cancelled(session, id, Run.state.in_(OPEN_STATES)) or _found(session, id)

    def finish(
        self,
        id: str,
        attempt: int,
        state: RunState,
        *,
        solution_status: str | None = None,
        stop_reason: StopReason | None = None,
        npv_usd: float | None = None,
        bound_usd: float | None = None,
        gap: float | None = None,
        dataset_id: str | None = None,
        answer: Mapping[str, Any] | None = None,
        problem: Mapping[str, Any] | None = None,
        plan_blob: str | None = None,
        answer_blob: str | None = None,
        event: Mapping[str, Any] | None = None,
    ) -> int | None:
        """End a run; the number of its last event, or None if it did not count: another attempt, or it had ended.

        A run that succeeded has the plan, NPV, bound and gap given here, or none, unless it has stored a better plan; one that did not
        keeps its last incumbent.

        Args:
            state: a final one.
            solution_status: of ``SOLUTION_STATUSES``.
            gap: relative.
            dataset_id: hash of the dataset after the changes; stays as it is, if not given.
            answer: plain JSON values: sentences, warnings, evaluation, summary; stays as it is, if not given.
            problem: why it failed.
            plan_blob: its plan, which must be stored already.
            answer_blob: its explanation, or what its study keeps of it, which must be stored already.
            event: payload of the last event, of the kind ``end``; its ``state`` is added.

        Raises:
            ValueError: the state is not final.
        """
        if not state.final:
            raise ValueError(f"a run can't end as {state}; allowed: {', '.join(sorted(FINAL_STATES))}")
        values: dict[str, Any] = {"solution_status": solution_status, "stop_reason": stop_reason}
        if state is RunState.SUCCEEDED:
            found: dict[str, Any] = {"npv_usd": npv_usd, "bound_usd": bound_usd, "gap": gap, "plan_blob": plan_blob}
            if plan_blob is not None and npv_usd is not None:  # a later attempt may have found less than an earlier one
                better = and_(Run.plan_blob.is_not(None), Run.npv_usd > npv_usd + margin(npv_usd))
                found = {name: case((better, getattr(Run, name)), else_=value) for name, value in found.items()}
            values |= found
        given = {"answer_blob": answer_blob, "dataset_id": dataset_id, "answer": _plain(answer), "problem": _plain(problem)}
        values |= {name: value for name, value in given.items() if value is not None}
        with self._database.writing() as session:
            row = self._ended(session, id, _current(attempt), state, event=event, **values)
            return None if row is None else row.last_event

    def _cancelled(self, session: Session, id: str, where: ColumnElement[bool], times: Sequence[str] = ()) -> Run | None:
        return self._ended(session, id, where, RunState.CANCELLED, times)

    def _ended(
        self,
        session: Session,
        id: str,
        where: ColumnElement[bool],
        state: RunState,
        times: Sequence[str] = (),
        event: Mapping[str, Any] | None = None,
        **values: Any,
    ) -> Run | None:
        row = self._changed(session, id, where, [*times, "finished_at"], state=state, last_event=Run.last_event + 1, **values)
        if row is not None:
            _noted(session, row, END_EVENT, {**(event or {}), "state": state.value})
        return row

    def _change(self, id: str, where: ColumnElement[bool], times: Sequence[str] = (), **values: Any) -> Run | None:
        with self._database.writing() as session:
            return self._changed(session, id, where, times, **values)

    def _changed(self, session: Session, id: str, where: ColumnElement[bool], times: Sequence[str] = (), **values: Any) -> Run | None:
        """Compare and set in one statement, so that of several that race exactly one succeeds.

        Args:
            times: columns that become the time of the change.
        """
        now = dict.fromkeys([*times, "updated_at"], self._database.now())
        change = update(Run).where(Run.id == id, where).values(**now, **values)
        return session.scalar(change.returning(Run), execution_options={"synchronize_session": False})


def margin(npv_usd: float) -> float:
    """By how much another plan must be worth more to be a better one, USD."""
    return SMALLEST_GAP * max(1.0, abs(npv_usd))


def _current(attempt: int) -> ColumnElement[bool]:
    return and_(Run.attempt == attempt, Run.state.in_(OPEN_STATES))


def _noted(session: Session, row: Run, kind: str, payload: Mapping[str, Any], at: datetime | None = None) -> int:
    session.add(RunEvent(run_id=row.id, number=row.last_event, at=at or row.updated_at, kind=kind, payload=dict(payload)))
    return row.last_event


def _found(session: Session, id: str) -> Run:
    row = session.get(Run, id)
    if row is None:
        raise NotFoundError("run", id)
    return row


def _plain(value: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if value is None else dict(value)
