"""Datasets: a row to find them by, their content in a blob."""

from __future__ import annotations

import logging
from typing import Any

from sqlalchemy import select, update

from api.store.blobs import Blobs
from api.store.database import Database, added
from api.store.errors import BlobError, NotFoundError
from api.store.paging import LIMIT, Page, page_of
from api.store.tables import Dataset
from models import dataset as content
from models.faults import DatasetError
from models.files import dataset_from_bytes, dataset_to_bytes
from models.tables import Site

log = logging.getLogger(__name__)


def contents_of(dataset: content.Dataset) -> dict[str, Any]:
    """What lists tell of a dataset's content: rows by table, and warnings."""
    return {
        "tables": {name: len(dataset.table_rows(name)) for name in content.COLUMNS if dataset.table_rows(name)},
        "warnings": [{"pointer": w.pointer, "message": str(w), "code": w.code or "warning"} for w in dataset.warnings],
    }


class Datasets:
    """Datasets, by the hash of their content."""

    def __init__(self, database: Database, blobs: Blobs) -> None:
        self._database, self._blobs = database, blobs

    def put(self, dataset: content.Dataset, created_by: str, *, derived: bool = False) -> Dataset:
        """Store a dataset; one that is there stays as it is.

        Args:
            derived: changes made it: it is not listed, and goes once nothing needs it. Put without, it is listed from then on.

        Raises:
            BlobError: its content can't be written.
        """
        data = dataset_to_bytes(dataset)
        row = Dataset(
            id=dataset.sha256, name=dataset.name, created_at=self._database.now(), created_by=created_by, size_bytes=len(data),
            periods=dataset.settings.periods, sites=len(dataset.rows(Site)), blob=self._blobs.put(data), derived=derived,
            **contents_of(dataset),
        )  # fmt: skip
        with self._database.writing() as session:
            if added(session, row):
                return row
            found = session.get_one(Dataset, row.id, with_for_update=True)
            if found.derived:
                # Fresh again, so that it does not go before the run that it is put for is stored.
                found.derived, found.created_at = derived, row.created_at
            if found.tables is None:  # an earlier version stored it
                found.tables, found.warnings = row.tables, row.warnings
            return found

    def fill(self) -> None:
        """Note what lists tell of datasets that an earlier version stored; what can't be read is left for the next time."""
        rows = select(Dataset.id).where(~Dataset.derived, Dataset.tables.is_(None))
        with self._database.reading() as session:
            missing = session.scalars(rows).all()
        for id in missing:
            try:
                told = contents_of(self.load(id))
            except (NotFoundError, BlobError, DatasetError):
                log.exception("dataset %s can't be read", id)
                continue
            with self._database.writing() as session:
                session.execute(update(Dataset).where(Dataset.id == id).values(**told), execution_options={"synchronize_session": False})

    def get(self, id: str) -> Dataset:
        """The row of a dataset.

        Raises:
            NotFoundError: there is none.
        """
        with self._database.reading() as session:
            row = session.get(Dataset, id)
        if row is None:
            raise NotFoundError("dataset", id)
        return row

    def load(self, id: str) -> content.Dataset:
        """A dataset with its tables.

        Raises:
            NotFoundError: there is none.
            BlobError: its content is missing or damaged.
        """
        return dataset_from_bytes(self._blobs.get(self.get(id).blob))

    def list(self, cursor: str | None = None, limit: int = LIMIT) -> Page[Dataset]:
        """Datasets that somebody gave, newest first; none that changes made.

        Raises:
            ValueError: cursor or limit can't be.
        """
        with self._database.reading() as session:
            return page_of(session, select(Dataset).where(~Dataset.derived), Dataset.created_at, Dataset.id, cursor, limit)
