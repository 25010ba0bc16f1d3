"""The schema that migrations make is the one that the tables declare, whoever starts first and however often."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, inspect, text

from api.keys import Role
from api.store import ConflictError, IdempotencyState, RunMode, RunState, Store
from api.store.database import make_engine, required
from api.store.migrate import downgrade, upgrade
from api.store.tables import ApiKey, Base, Dataset, UtcTime
from tests.api.store.support import Clock, Place, at_once
from tests.factories import small_dataset

ROOT = Path(__file__).parents[3]
WHEN = "2026-01-31 12:00:00+00:00"


@pytest.fixture
def engine(place: Place) -> Any:
    """An engine on an empty database."""
    (place.folder / "db").mkdir()
    engine = make_engine(place.url)
    yield engine
    engine.dispose()


def tables(engine: Engine) -> set[str]:
    """Names of all tables but Alembic's own."""
    return set(inspect(engine).get_table_names()) - {"alembic_version"}


def checks(engine: Engine) -> dict[str, set[str]]:
    """Names of the CHECK constraints of each table."""
    found = inspect(engine)
    return {name: {str(check["name"]) for check in found.get_check_constraints(name)} for name in tables(engine)}


def test_migrated_schema_is_the_declared_one(engine: Engine) -> None:
    upgrade(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    migrated = checks(engine)
    assert migrated["runs"] >= {"ck_runs_state", "ck_runs_mode", "ck_runs_solution_status", "ck_runs_stop_reason", "ck_runs_finished"}
    assert migrated["scenarios"] == {"ck_scenarios_one_parent"}
    downgrade(engine)
    Base.metadata.create_all(engine)
    assert checks(engine) == migrated, "Alembic's own comparison leaves CHECK constraints out"


def test_values_that_the_migration_allows_are_the_declared_ones(engine: Engine) -> None:
    def allowed() -> dict[tuple[str, str], str]:
        found = inspect(engine)
        return {(name, str(check["name"])): str(check["sqltext"]) for name in tables(engine) for check in found.get_check_constraints(name)}

    upgrade(engine)
    migrated = allowed()
    downgrade(engine)
    Base.metadata.create_all(engine)
    assert allowed() == migrated


def test_down_and_up_again(engine: Engine) -> None:
    upgrade(engine)
    made = tables(engine)
    assert made == set(Base.metadata.tables)
    upgrade(engine)
    downgrade(engine)
    assert tables(engine) == set()
    upgrade(engine)
    assert tables(engine) == made


def test_what_is_stored_outlives_the_next_start(place: Place) -> None:
    first = Store.open(place.url, place.folder)
    id = first.datasets.put(small_dataset(), "anna").id
    first.close()
    second = Store.open(place.url, place.folder)
    second.check()
    assert second.datasets.load(id).sha256 == id
    second.close()


def test_many_threads_start_at_once(place: Place) -> None:
    stores = at_once(4, lambda _: Store.open(place.url, place.folder))
    assert tables(stores[0].engine) == set(Base.metadata.tables)
    for store in stores:
        store.close()


def test_several_processes_start_at_once(place: Place) -> None:
    program = "import sys; from api.store import Store; store = Store.open(*sys.argv[1:]); store.check(); store.close()"
    command = [sys.executable, "-c", program, place.url, str(place.folder)]
    started = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    assert [(process.communicate(timeout=120)[1], process.returncode) for process in started] == [("", 0)] * 2


def test_step_that_fails_leaves_the_schema_as_it_was(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE scenarios (id VARCHAR)"))  # stands in the way of a later table of the first step
    with pytest.raises(Exception, match="scenarios"):
        upgrade(engine)
    assert tables(engine) == {"scenarios"}


def test_sqlite_is_safe_and_reads_go_on_while_somebody_writes(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/w.sqlite", tmp_path)
    with store.engine.connect() as connection:
        found = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000}
    with store.database.writing() as session:
        session.add(ApiKey(id="0a", name="a", role=Role.VIEWER, hash="", created_at=store.database.now()))
        session.flush()
        assert store.keys.get("0a") is None
        session.rollback()
    store.close()


def test_other_databases_are_refused() -> None:
    with pytest.raises(ValueError, match=r"must be sqlite:///... or postgresql.*found 'mysql://u:\*\*\*@h/d'"):
        make_engine("mysql://u:secret@h/d")


def test_time_without_a_zone_is_refused(store: Store, dataset: Dataset) -> None:
    with pytest.raises(ValueError, match="needs its zone"):
        UtcTime().process_bind_param(dataset.created_at.replace(tzinfo=None), store.engine.dialect)
    with store.database.reading() as session:
        assert required(session, Dataset, dataset.id).created_at == dataset.created_at


def test_what_an_earlier_version_stored_is_there_after_an_upgrade(place: Place, engine: Engine) -> None:
    upgrade(engine, "0001")
    kept = {"id": "run_1", "state": "queued", "mode": "plan", "base_dataset_id": "d", "changes": "[]", "options": "{}", "question": "q"}
    kept |= {"code_version": "1", "attempt": 0, "last_event": 0, "created_at": WHEN, "updated_at": WHEN, "created_by": "anna"}
    dataset = {"id": "d", "name": "d", "created_at": WHEN, "created_by": "anna", "size_bytes": 1, "periods": 1, "sites": 1, "blob": "b"}
    claim = {"key_id": "0a", "key": "key", "method": "POST", "path": "/", "body_sha": "s", "created_at": WHEN}
    with engine.begin() as connection:
        for table, row in (("datasets", {**dataset, "derived": False}), ("runs", kept), ("idempotency", claim)):
            names = ", ".join(row)
            connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({', '.join(f':{name}' for name in row)})"), row)
    store = Store.open(place.url, place.folder, Clock())
    run = store.runs.get("run_1")
    assert (run.state, run.crashes, run.idempotency_key, run.ask, run.answer_blob) == (RunState.QUEUED, 0, None, None, None)
    explain = {
        "mode": RunMode.EXPLAIN,
        "ask": {"kind": "prices"},
        "options": {},
        "question": "q",
        "code_version": "2",
        "created_by": "anna",
    }
    asked = store.runs.create(base_dataset_id="d", changes=[], baseline_run_id="run_1", **explain)
    store.runs.take(asked.id)
    store.runs.note_event(asked.id, 1, "state", {})
    assert [one.id for one in store.runs.list(kind="prices").items] == [asked.id]
    assert store.runs.list(kind="why").items == []
    assert store.idempotency.begin("0a", "key", "POST", "/", "s").state is IdempotencyState.CLAIMED
    store.close()
    downgrade(engine, "0001")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT id, state FROM runs")).all() == [("run_1", "queued")]


def test_lines_of_an_earlier_version_know_what_their_baselines_contain(place: Place, engine: Engine) -> None:
    upgrade(engine, "0004")
    run = {"state": "succeeded", "mode": "repair", "base_dataset_id": "d", "options": "{}", "question": "q", "code_version": "1"}
    run |= {"attempt": 1, "last_event": 0, "created_at": WHEN, "updated_at": WHEN, "finished_at": WHEN, "created_by": "anna"}
    dataset = {"id": "d", "name": "d", "created_at": WHEN, "created_by": "anna", "size_bytes": 1, "periods": 1, "sites": 1, "blob": "b"}
    line = {"dataset_id": "d", "version": 1, "created_at": WHEN, "updated_at": WHEN}
    rows = [
        ("datasets", {**dataset, "derived": False}),
        ("runs", {**run, "id": "run_1", "changes": "[]", "baseline_run_id": None}),
        ("runs", {**run, "id": "run_2", "changes": '[{"type": "a"}, {"type": "b"}]', "baseline_run_id": "run_1"}),
        ("runs", {**run, "id": "run_3", "changes": '[{"type": "c"}]', "baseline_run_id": "run_2"}),
        *(("lines", {**line, "id": f"line_{n}", "name": f"{n}", "run_id": f"run_{n}" if n else None}) for n in (0, 1, 3)),
    ]
    with engine.begin() as connection:
        for table, row in rows:
            names = ", ".join(row)
            connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({', '.join(f':{name}' for name in row)})"), row)
    store = Store.open(place.url, place.folder)
    found = {row.name: [change["type"] for change in row.changes] for row in store.lines.list().items}
    assert found == {"0": [], "1": [], "3": ["a", "b", "c"]}
    assert store.datasets.get("d").tables is None, "its content can't be read"
    store.close()
    downgrade(engine, "0004")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT id, run_id FROM lines ORDER BY id")).all() == [
            ("line_0", None), ("line_1", "run_1"), ("line_3", "run_3"),
        ]  # fmt: skip


def test_schema_of_a_later_version_is_refused(place: Place, engine: Engine) -> None:
    Store.open(place.url, place.folder).close()
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ValueError, match=r"another version of Wattplan has made its schema: .*9999"):
        Store.open(place.url, place.folder)


def test_only_one_service_has_a_database_on_a_server(place: Place, engine: Engine) -> None:
    first, second = (Store.open(place.url, place.folder) for _ in range(2))
    first.claim()
    first.claim()
    if engine.dialect.name == "postgresql":
        with pytest.raises(ConflictError, match="the database is in use by another service"):
            second.claim(0.1)
    first.close()
    second.claim()
    second.close()
