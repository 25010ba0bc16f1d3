"""Studies: many what-ifs of one plan. Their runs are runs like others, made a few at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select, update

from api.store.database import Database, new_id, required
from api.store.errors import NotFoundError
from api.store.paging import LIMIT, Page, page_of
from api.store.repeated import entered, with_key
from api.store.states import OPEN_STATES, RunState
from api.store.tables import Dataset, Run, Study


class Studies:
    """Studies; how far one is follows from its runs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        name: str,
        *,
        document: Mapping[str, Any],
        planned: int,
        options: Mapping[str, Any],
        base_dataset_id: str,
        baseline_run_id: str,
        line_id: str | None,
        code_version: str,
        created_by: str,
        idempotency_key: str | None = None,
        request_sha: str | None = None,
    ) -> Study:
        """Accept a study: once this returns, it outlives any end of the process.

        With an idempotency key that a study of the same caller has, that one is returned and none is made.

        Args:
            document: the study as plain JSON values.
            planned: runs that it has in all.
            options: of each run: gap, time_limit (seconds), seed, threads.

        Raises:
            NotFoundError: no such dataset or run.
        """
        now = self._database.now()
        row = Study(
            id=new_id("study"), name=name, document=dict(document), planned=planned, made=0, options=dict(options), base_dataset_id=base_dataset_id,
            baseline_run_id=baseline_run_id, line_id=line_id, code_version=code_version, created_at=now, stop_asked_at=None,
            created_by=created_by, idempotency_key=idempotency_key, request_sha=request_sha,
        )  # fmt: skip
        with self._database.writing() as session:
            required(session, Dataset, base_dataset_id)
            required(session, Run, baseline_run_id)
            return entered(session, row, now)

    def get(self, id: str) -> Study:
        """A study.

        Raises:
            NotFoundError: there is none.
        """
        with self._database.reading() as session:
            row = session.get(Study, id)
            if row is None:
                raise NotFoundError("study", id)
            return row

    def with_key(self, created_by: str, idempotency_key: str) -> Study | None:
        """The study that a caller's request with an idempotency key made within the last 24 hours."""
        with self._database.reading() as session:
            return with_key(session, Study, created_by, idempotency_key, self._database.now())

    def list(self, cursor: str | None = None, limit: int = LIMIT, *, line_id: str | None = None) -> Page[Study]:
        """Studies, newest first.

        Raises:
            ValueError: cursor or limit can't be.
        """
        rows = select(Study)
        if line_id is not None:
            rows = rows.where(Study.line_id == line_id)
        with self._database.reading() as session:
            return page_of(session, rows, Study.created_at, Study.id, cursor, limit)

    def growing(self) -> Sequence[Study]:
        """Studies that still make runs, oldest first."""
        rows = select(Study).where(Study.stop_asked_at.is_(None), Study.made < Study.planned).order_by(Study.created_at, Study.id)
        with self._database.reading() as session:
            return session.scalars(rows).all()

    def made(self, id: str, number: int) -> None:
        """Note that runs up to a number, from 0, are made."""
        with self._database.writing() as session:
            change = update(Study).where(Study.id == id, Study.made <= number).values(made=number + 1)
            session.execute(change, execution_options={"synchronize_session": False})

    def ask_stop(self, id: str) -> Study:
        """Make no more runs; the study as it is then.

        Raises:
            NotFoundError: there is none.
        """
        with self._database.writing() as session:
            change = update(Study).where(Study.id == id, Study.stop_asked_at.is_(None)).values(stop_asked_at=self._database.now())
            session.execute(change, execution_options={"synchronize_session": False})
            row = session.get(Study, id)
            if row is None:
                raise NotFoundError("study", id)
            return row

    def counts(self, id: str) -> dict[RunState, int]:
        """How many of its runs are in each state."""
        rows = select(Run.state, func.count().label("number")).where(Run.study_id == id).group_by(Run.state)
        with self._database.reading() as session:
            found = {row.state: row.number for row in session.execute(rows)}
        return {state: found.get(state, 0) for state in RunState}

    def open_runs(self, id: str) -> Sequence[str]:
        """Its runs that have not ended."""
        with self._database.reading() as session:
            return session.scalars(select(Run.id).where(Run.study_id == id, Run.state.in_(OPEN_STATES))).all()

    def entries(self, id: str) -> dict[int, str]:
        """Blobs of what is kept of each run that has ended, by its number."""
        rows = select(Run.study_number, Run.answer_blob).where(Run.study_id == id, Run.answer_blob.is_not(None))
        with self._database.reading() as session:
            return {row.study_number: row.answer_blob for row in session.execute(rows.order_by(Run.study_number))}
