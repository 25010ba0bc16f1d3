"""Plan lines: names with a current baseline."""

from __future__ import annotations

from contextlib import AbstractContextManager

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

    def create(self, name: str, dataset_id: str, run_id: str | None = None) -> Line:
        """A new plan line.

        Args:
            run_id: its baseline.

        Raises:
            NotFoundError: no such dataset or run.
            ConflictError: the name is taken.
        """
        now = self._database.now()
        row = Line(id=new_id("line"), name=name, dataset_id=dataset_id, run_id=run_id, version=1, created_at=now, updated_at=now)
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

    def update(self, id: str, version: int, *, name: str | None = None, dataset_id: str | None = None, run_id: str | None = None) -> Line:
        """Change what is given of a plan line.

        Args:
            version: that the caller knows.

        Raises:
            NotFoundError: no such plan line, dataset or run.
            StaleError: it was changed meanwhile.
            ConflictError: the name is taken.
        """
        given = {key: value for key, value in {"name": name, "dataset_id": dataset_id, "run_id": run_id}.items() if value is not None}
        change = update(Line).where(Line.id == id, Line.version == version)
        change = change.values(version=Line.version + 1, updated_at=self._database.now(), **given)
        with _name_free(name or ""), self._database.writing() as session:
            _require(session, dataset_id, run_id)
            row: Line | None = session.scalar(change.returning(Line))
            if row is None:
                raise StaleError("plan line", id, version, required(session, Line, id, kind="plan line").version)
            return row


def _name_free(name: str) -> AbstractContextManager[None]:
    return refused_as(f"there is a plan line named {name!r} already")


def _require(session: Session, dataset_id: str | None, run_id: str | None) -> None:
    if dataset_id is not None:
        required(session, Dataset, dataset_id)
    if run_id is not None:
        required(session, Run, run_id)
