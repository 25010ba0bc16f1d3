"""Datasets: a row to find them by, their content in a blob."""

from __future__ import annotations

from sqlalchemy import select

from api.store.blobs import Blobs
from api.store.database import Database, added
from api.store.errors import NotFoundError
from api.store.paging import LIMIT, Page, page_of
from api.store.tables import Dataset
from models import dataset as content
from models.files import dataset_from_bytes, dataset_to_bytes
from models.tables import Site


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
        )  # fmt: skip
        with self._database.writing() as session:
            if added(session, row):
                return row
            found = session.get_one(Dataset, row.id, with_for_update=True)
            if found.derived:
                # Fresh again, so that it does not go before the run that it is put for is stored.
                found.derived, found.created_at = derived, row.created_at
            return found

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
