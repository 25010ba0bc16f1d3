"""What the service keeps: a database (SQLite or PostgreSQL) and content-addressed files."""

from __future__ import annotations

from api.store.blobs import Blob, Blobs
from api.store.errors import BlobError, ConflictError, NotFoundError, StaleError, StoreError
from api.store.gc import Collected, collect
from api.store.paging import Page
from api.store.runs import question_of
from api.store.scenarios import Saved
from api.store.states import END_EVENT, FINAL_STATES, NO_SOLUTION, OPEN_STATES, SOLUTION_STATUSES, IdempotencyState, RunMode, RunState
from api.store.store import Store

__all__ = [
    "END_EVENT",
    "FINAL_STATES",
    "NO_SOLUTION",
    "OPEN_STATES",
    "SOLUTION_STATUSES",
    "Blob",
    "BlobError",
    "Blobs",
    "Collected",
    "ConflictError",
    "IdempotencyState",
    "NotFoundError",
    "Page",
    "RunMode",
    "RunState",
    "Saved",
    "StaleError",
    "Store",
    "StoreError",
    "collect",
    "question_of",
]
