"""A store for each database: SQLite always, PostgreSQL where ``WATTPLAN_TEST_POSTGRES`` holds the URL of one to try."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from api.store import RunMode, Store, question_of
from api.store.database import make_engine
from api.store.tables import Dataset, Run
from tests.api.store.support import Clock, NewRun, Place
from tests.factories import small_dataset

POSTGRES = os.environ.get("WATTPLAN_TEST_POSTGRES", "")
WITHOUT = pytest.mark.skipif(not POSTGRES, reason="WATTPLAN_TEST_POSTGRES holds no URL")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=WITHOUT)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """An empty database: a file, or a schema of its own."""
    if request.param == "sqlite":
        yield Place(f"sqlite:///{tmp_path.as_posix()}/db/wattplan.sqlite", tmp_path)
        return
    name = f"test_{secrets.token_hex(6)}"
    engine = make_engine(POSTGRES)
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {name}"))
    url = make_url(POSTGRES).update_query_dict({"options": f"-csearch_path={name}"})
    yield Place(url.render_as_string(hide_password=False), tmp_path)
    with engine.begin() as connection:
        connection.execute(text(f"DROP SCHEMA {name} CASCADE"))
    engine.dispose()


@pytest.fixture
def clock() -> Clock:
    """The time that the store sees."""
    return Clock()


@pytest.fixture
def store(place: Place, clock: Clock) -> Iterator[Store]:
    """An empty store."""
    opened = Store.open(place.url, place.folder, clock)
    yield opened
    opened.close()


@pytest.fixture
def dataset(store: Store) -> Dataset:
    """A stored dataset."""
    return store.datasets.put(small_dataset(), "anna")


@pytest.fixture
def new_run(store: Store, dataset: Dataset) -> NewRun:
    """Makes a queued run; keywords replace what is given."""

    def make(**given: Any) -> Run:
        asked = {"mode": RunMode.REPAIR, "base_dataset_id": dataset.id, "changes": [{"type": "site.close"}], "code_version": "1.0"}
        asked = {**asked, "baseline_run_id": None, **given}
        question = question_of(**{key: asked[key] for key in (*_ASKED, "code_version")}, seed=0)
        return store.runs.create(**{"options": {"gap": 0.01}, "question": question, "created_by": "anna", **asked})

    return make


_ASKED = ("mode", "base_dataset_id", "changes", "baseline_run_id")
