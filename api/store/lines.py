"""Plan lines: names with a current baseline."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from api.store.database import Database, new_id, refused_as, required
from api.store.errors import NotFoundError, StaleError
from api.store.paging import LIMIT, Page, page_of
from api.store.tables import Dataset, Line, Run


class Lines:
    """Plan lines."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, name: str, dataset_id: str, run_id: str | None = None, changes: Sequence[Any] = ()) -> Line:
        """A new plan line.

        Args:
            run_id: its baseline.
            changes: plain JSON values: those that the baseline contains, in order.

        Raises:
            NotFoundError: no such dataset or run.
            ConflictError: the name is taken.
        """
        now = self._database.now()
        row = Line(
            id=new_id("line"), name=name, dataset_id=dataset_id, run_id=run_id, changes=list(changes), version=1, created_at=now, updated_at=now
        )  # fmt: skip
        with _name_free(name), self._database.writing() as session:
            _require(session, dataset_id, run_id)
            session.add(row)
        return row

    def get(self, id_or_name: str) -> Line:
        """A plan line by its id, or else by its name.

        Raises:
            NotFoundError: there is none.
        """
        with self._database.reading() as session:
            row = session.get(Line, id_or_name) or session.scalar(select(Line).where(Line.name == id_or_name))
        if row is None:
            raise NotFoundError("plan line", id_or_name)
        return row

    def list(self, cursor: str | None = None, limit: int = LIMIT) -> Page[Line]:
        """Plan lines, newest first.

        Raises:
            ValueError: cursor or limit can't be.
        """
        with self._database.reading() as session:
            return page_of(session, select(Line), Line.created_at, Line.id, cursor, limit)

    def begin(self, id: str, run_id: str, dataset_id: str) -> bool:
        """Give a plan line its first baseline; whether it got it: one that has a baseline, or is of another dataset, stays as it is.

        Args:
            run_id: a run whose plan is of the dataset, without changes.
        """
        mine = update(Line).where(Line.id == id, Line.run_id.is_(None), Line.dataset_id == dataset_id)
        change = mine.values(run_id=run_id, version=Line.version + 1, updated_at=self._database.now())
        with self._database.writing() as session:
            return session.scalar(change.returning(Line.id)) is not None

    def update(
        self, id: str, version: int | None, *, name: str | None = None, dataset_id: str | None = None, run_id: str | None = None,
        changes: Sequence[Any] | None = None,
    ) -> Line:  # fmt: skip
        """Change what is given of a plan line.

        Args:
            version: that the caller knows; None for whichever it has.
            changes: plain JSON values: those that the baseline contains, in order.

        Raises:
            NotFoundError: no such plan line, dataset or run.
            StaleError: it was changed meanwhile.
            ConflictError: the name is taken.
        """
        wanted: dict[str, Any] = {
            "name": name,
            "dataset_id": dataset_id,
            "run_id": run_id,
            "changes": None if changes is None else list(changes),
        }
        given = {key: value for key, value in wanted.items() if value is not None}
        change = update(Line).where(Line.id == id, *([] if version is None else [Line.version == version]))
        change = change.values(version=Line.version + 1, updated_at=self._database.now(), **given)
        with _name_free(name or ""), self._database.writing() as session:
            _require(session, dataset_id, run_id)
            row: Line | None = session.scalar(change.returning(Line))
            if row is None:
                raise StaleError("plan line", id, version or 0, required(session, Line, id, kind="plan line").version)
            return row


def _name_free(name: str) -> AbstractContextManager[None]:
    return refused_as(f"there is a plan line named {name!r} already")


def _require(session: Session, dataset_id: str | None, run_id: str | None) -> None:
    if dataset_id is not None:
        required(session, Dataset, dataset_id)
    if run_id is not None:
        required(session, Run, run_id)
