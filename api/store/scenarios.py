"""Scenarios: changes of a plan line or of another scenario, kept in every revision."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from api.store.database import Database, new_id, refused_as, required
from api.store.errors import ConflictError, NotFoundError, StaleError
from api.store.paging import LIMIT, Page, page_of
from api.store.tables import Line, Scenario, ScenarioRevision


@dataclass(frozen=True)
class Saved:
    """A scenario and its current revision."""

    scenario: Scenario
    revision: ScenarioRevision


class Scenarios:
    """Scenarios; one that was deleted is not found any more."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        name: str,
        *,
        line_id: str | None = None,
        scenario_id: str | None = None,
        changes: Sequence[Any],
        note: str = "",
        created_by: str,
    ) -> Saved:
        """A new scenario with revision 1.

        Args:
            line_id, scenario_id: its parent; exactly one.
            changes: plain JSON values, in order.

        Raises:
            ValueError: not exactly one parent.
            NotFoundError: no such parent.
            ConflictError: the parent has a scenario of this name.
        """
        if (line_id is None) == (scenario_id is None):
            raise ValueError("a scenario needs exactly one parent: a plan line or a scenario")
        now = self._database.now()
        row = Scenario(
            id=new_id("scenario"), name=name, parent_line_id=line_id, parent_scenario_id=scenario_id, revision=1, version=1,
            created_at=now, updated_at=now,
        )  # fmt: skip
        first = ScenarioRevision(scenario_id=row.id, revision=1, changes=list(changes), note=note, created_at=now, created_by=created_by)
        with _name_free(name), self._database.writing() as session:
            if line_id is not None:
                required(session, Line, line_id, kind="plan line")
            if scenario_id is not None and required(session, Scenario, scenario_id).deleted_at is not None:
                raise NotFoundError("scenario", scenario_id)
            session.add(row)
            session.flush()
            session.add(first)
        return Saved(row, first)

    def get(self, id: str) -> Saved:
        """A scenario.

        Raises:
            NotFoundError: there is none.
        """
        with self._database.reading() as session:
            return _saved(session, _living(session, id))

    def list(
        self, cursor: str | None = None, limit: int = LIMIT, *, line_id: str | None = None, scenario_id: str | None = None
    ) -> Page[Saved]:
        """Scenarios, newest first.

        Args:
            line_id, scenario_id: only those of this parent.

        Raises:
            ValueError: cursor or limit can't be.
        """
        rows = select(Scenario).where(Scenario.deleted_at.is_(None))
        if line_id is not None:
            rows = rows.where(Scenario.parent_line_id == line_id)
        if scenario_id is not None:
            rows = rows.where(Scenario.parent_scenario_id == scenario_id)
        with self._database.reading() as session:
            page = page_of(session, rows, Scenario.created_at, Scenario.id, cursor, limit)
            return Page([_saved(session, row) for row in page.items], page.next_cursor)

    def lineage(self, id: str) -> Sequence[Saved]:
        """A scenario after all its parents: the one whose parent is a plan line comes first.

        Raises:
            NotFoundError: there is none.
        """
        with self._database.reading() as session:
            found = [_saved(session, _living(session, id))]
            while (parent := found[0].scenario.parent_scenario_id) is not None:
                found.insert(0, _saved(session, _living(session, parent)))
        return found

    def revision(self, id: str, number: int) -> ScenarioRevision:
        """One revision, also of a scenario that was deleted: runs refer to it.

        Raises:
            NotFoundError: there is none.
        """
        with self._database.reading() as session:
            row = session.get(ScenarioRevision, (id, number))
        if row is None:
            raise NotFoundError("scenario revision", f"{id}/{number}")
        return row

    def revisions(self, id: str) -> Sequence[ScenarioRevision]:
        """Every revision, newest first.

        Raises:
            NotFoundError: there is no such scenario.
        """
        rows = select(ScenarioRevision).where(ScenarioRevision.scenario_id == id).order_by(ScenarioRevision.revision.desc())
        with self._database.reading() as session:
            _living(session, id)
            return session.scalars(rows).all()

    def revision_page(self, id: str, cursor: str | None = None, limit: int = LIMIT) -> Page[ScenarioRevision]:
        """Some of its revisions, newest first.

        Raises:
            NotFoundError: there is no such scenario.
            ValueError: cursor or limit can't be.
        """
        rows = select(ScenarioRevision).where(ScenarioRevision.scenario_id == id)
        with self._database.reading() as session:
            _living(session, id)
            return page_of(session, rows, ScenarioRevision.created_at, ScenarioRevision.revision, cursor, limit)

    def revise(self, id: str, version: int | None, *, changes: Sequence[Any], note: str = "", created_by: str) -> Saved:
        """Save other changes, as a new revision.

        Args:
            version: that the caller knows; None for whichever it has.

        Raises:
            NotFoundError: there is no such scenario.
            StaleError: it was changed meanwhile.
        """
        with self._database.writing() as session:
            row = self._change(session, id, version, revision=Scenario.revision + 1)
            saved = ScenarioRevision(
                scenario_id=id, revision=row.revision, changes=list(changes), note=note, created_at=row.updated_at, created_by=created_by
            )
            session.add(saved)
            return Saved(row, saved)

    def rename(self, id: str, version: int, name: str) -> Saved:
        """Give a scenario another name.

        Raises:
            NotFoundError: there is no such scenario.
            StaleError: it was changed meanwhile.
            ConflictError: its parent has a scenario of this name.
        """
        with _name_free(name), self._database.writing() as session:
            return _saved(session, self._change(session, id, version, name=name))

    def delete(self, id: str, version: int | None) -> None:
        """Delete a scenario; its revisions stay for the runs that refer to them.

        Args:
            version: that the caller knows; None for whichever it has.

        Raises:
            NotFoundError: there is no such scenario.
            StaleError: it was changed meanwhile.
            ConflictError: other scenarios build on it.
        """
        with self._database.writing() as session:
            row = self._change(session, id, version, deleted_at=self._database.now())
            children = select(Scenario.name).where(Scenario.parent_scenario_id == id, Scenario.deleted_at.is_(None)).order_by(Scenario.name)
            names = session.scalars(children).all()
            if names:
                raise ConflictError(
                    f"scenario {row.name!r} has scenarios that build on it: {', '.join(names[:5])}{', ...' * (len(names) > 5)}"
                )

    def _change(self, session: Session, id: str, version: int | None, **values: Any) -> Scenario:
        known = [] if version is None else [Scenario.version == version]
        change = update(Scenario).where(Scenario.id == id, Scenario.deleted_at.is_(None), *known)
        change = change.values(version=Scenario.version + 1, updated_at=self._database.now(), **values)
        row: Scenario | None = session.scalar(change.returning(Scenario))
        if row is None:
            raise StaleError("scenario", id, version or 0, _living(session, id).version)
        return row


def _name_free(name: str) -> AbstractContextManager[None]:
    return refused_as(f"there is a scenario named {name!r} already")


def _living(session: Session, id: str) -> Scenario:
    row = session.get(Scenario, id)
    if row is None or row.deleted_at is not None:
        raise NotFoundError("scenario", id)
    return row


def _saved(session: Session, row: Scenario) -> Saved:
    revision = session.get(ScenarioRevision, (row.id, row.revision))
    assert revision is not None, "a scenario is stored together with its revision"
    return Saved(row, revision)
