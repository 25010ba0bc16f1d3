"""Keys, datasets, plan lines, scenarios and the audit log."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from api.keys import Role
from api.store import BlobError, ConflictError, NotFoundError, StaleError, Store
from api.store.tables import AuditEntry, Dataset, Line, Scenario
from models.dataset import COLUMNS
from tests.api.store.support import Clock, NewRun, at_once
from tests.factories import small_dataset


def test_key_is_found_until_and_after_it_is_revoked(store: Store, clock: Clock) -> None:
    ends = clock()
    made = store.keys.create("0a", "anna", Role.PLANNER, "hash", ends)
    found = store.keys.get("0a")
    assert found is not None
    assert (found.name, found.role, found.hash, found.expires_at, found.created_at) == ("anna", Role.PLANNER, "hash", ends, made.created_at)
    assert found.revoked_at is None
    revoked = store.keys.revoke("0a").revoked_at
    assert revoked is not None
    assert store.keys.revoke("0a").revoked_at == revoked, "the first time counts"
    assert [key.id for key in store.keys.list().items] == ["0a"]


def test_keys_that_are_none(store: Store) -> None:
    assert store.keys.get("0a") is None
    with pytest.raises(NotFoundError, match="no key '0a'"):
        store.keys.revoke("0a")
    store.keys.create("0a", "anna", Role.VIEWER, "hash")
    with pytest.raises(ConflictError, match="a key '0a' already"):
        store.keys.create("0a", "bert", Role.ADMIN, "hash")


def test_dataset_reads_back_equal(store: Store) -> None:
    given = small_dataset(name="Zürich", periods=2)
    row = store.datasets.put(given, "anna")
    assert (row.id, row.name, row.periods, row.sites, row.created_by) == (given.sha256, "Zürich", 2, 2, "anna")
    assert row.size_bytes == len(store.blobs.get(row.blob))
    assert store.datasets.load(row.id).to_plain() == given.to_plain()
    assert store.datasets.get(row.id).blob == row.blob


def test_dataset_put_by_many_is_one(store: Store) -> None:
    given = small_dataset()
    first = store.datasets.put(given, "anna")
    rows = at_once(4, lambda n: store.datasets.put(given, f"other {n}"))
    assert {(row.id, row.created_by, row.created_at) for row in rows} == {(given.sha256, "anna", first.created_at)}


def test_new_dataset_put_by_many_at_once_is_one(store: Store) -> None:
    rows = at_once(4, lambda n: store.datasets.put(small_dataset(), f"{n}"))
    assert len({(row.id, row.created_by) for row in rows}) == 1


def test_dataset_that_changes_made_is_listed_once_somebody_gives_it(store: Store, dataset: Dataset) -> None:
    derived = store.datasets.put(small_dataset(name="derived"), "anna", derived=True)
    assert [row.id for row in store.datasets.list().items] == [dataset.id]
    assert store.datasets.put(small_dataset(), "anna", derived=True).derived is False, "one that was given stays given"
    assert store.datasets.put(small_dataset(name="derived"), "anna").derived is False
    assert [row.id for row in store.datasets.list().items] == [derived.id, dataset.id]


def test_dataset_without_content_is_named(store: Store, dataset: Dataset) -> None:
    store.blobs.delete(dataset.blob)
    with pytest.raises(BlobError, match=f"{dataset.blob}: is missing"):
        store.datasets.load(dataset.id)
    with pytest.raises(NotFoundError, match="no dataset 'nope'"):
        store.datasets.load("nope")


def test_what_lists_tell_of_a_dataset_is_stored(store: Store, dataset: Dataset) -> None:
    given = small_dataset()
    (row,) = store.datasets.list().items
    assert row.tables == {name: len(given.table_rows(name)) for name in COLUMNS if given.table_rows(name)}
    assert row.tables["sites"] == 2
    assert row.warnings == [{"pointer": w.pointer, "message": str(w), "code": w.code or "warning"} for w in given.warnings]


def test_what_an_earlier_version_did_not_note_is_filled_in_where_it_can_be_read(store: Store, dataset: Dataset) -> None:
    damaged = store.datasets.put(small_dataset(name="damaged"), "anna")
    wanted = store.datasets.get(dataset.id).tables
    with store.database.writing() as session:
        session.execute(update(Dataset).values(tables=None, warnings=None))
    store.blobs.delete(damaged.blob)
    store.datasets.fill()
    assert {row.id: row.tables for row in store.datasets.list().items} == {damaged.id: None, dataset.id: wanted}
    assert store.datasets.put(small_dataset(name="damaged"), "anna").tables == wanted, "sent again, it is known"


def test_a_line_gets_its_first_baseline_once(store: Store, dataset: Dataset, new_run: NewRun) -> None:
    line, first, second = store.lines.create("A", dataset.id), new_run(), new_run()
    other = store.datasets.put(small_dataset(name="other"), "anna")
    assert not store.lines.begin(line.id, first.id, other.id), "a plan of another dataset"
    assert store.lines.begin(line.id, first.id, dataset.id)
    assert not store.lines.begin(line.id, second.id, dataset.id)
    found = store.lines.get("A")
    assert (found.run_id, found.version, found.changes) == (first.id, 2, [])


def test_a_line_knows_what_its_baseline_contains(store: Store, dataset: Dataset, new_run: NewRun) -> None:
    line = store.lines.create("A", dataset.id, new_run().id, [{"type": "a"}])
    assert store.lines.get("A").changes == [{"type": "a"}]
    assert store.lines.update(line.id, 1, name="B").changes == [{"type": "a"}]
    assert store.lines.update(line.id, 2, changes=[]).changes == []


def test_whoever_takes_any_version_changes_it(store: Store, dataset: Dataset) -> None:
    line = store.lines.create("A", dataset.id)
    assert store.lines.update(line.id, None, name="B").version == 2
    with pytest.raises(NotFoundError, match="no plan line 'x'"):
        store.lines.update("x", None, name="C")
    id = store.scenarios.create("s", line_id=line.id, changes=[], created_by="anna").scenario.id
    assert store.scenarios.revise(id, None, changes=[{"type": "a"}], created_by="anna").scenario.version == 2
    store.scenarios.delete(id, None)
    with pytest.raises(NotFoundError):
        store.scenarios.delete(id, None)


def test_revisions_come_in_pages(store: Store, dataset: Dataset) -> None:
    line = store.lines.create("A", dataset.id)
    id, other = (store.scenarios.create(name, line_id=line.id, changes=[], created_by="anna").scenario.id for name in "st")
    for version in range(1, 5):
        store.scenarios.revise(id, version, changes=[], created_by="anna")
        store.scenarios.revise(other, version, changes=[], created_by="anna")
    seen, cursor = [], None
    while True:
        page = store.scenarios.revision_page(id, cursor, 2)
        seen += [(row.scenario_id, row.revision) for row in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [(id, number) for number in (5, 4, 3, 2, 1)]
    with pytest.raises(NotFoundError):
        store.scenarios.revision_page("x")


def test_line_is_found_by_id_and_name(store: Store, dataset: Dataset, new_run: NewRun) -> None:
    run = new_run()
    line = store.lines.create("Plan A", dataset.id, run.id)
    for found in (store.lines.get(line.id), store.lines.get("Plan A"), store.lines.list().items[0]):
        assert (found.id, found.name, found.dataset_id, found.run_id, found.version) == (line.id, "Plan A", dataset.id, run.id, 1)
    with pytest.raises(NotFoundError, match="no plan line 'Plan B'"):
        store.lines.get("Plan B")


def test_line_of_nothing_known_is_refused(store: Store, dataset: Dataset) -> None:
    with pytest.raises(NotFoundError, match="no dataset 'x'"):
        store.lines.create("A", "x")
    with pytest.raises(NotFoundError, match="no run 'x'"):
        store.lines.create("A", dataset.id, "x")
    assert store.lines.list().items == []


def test_line_changes_only_for_who_knows_its_version(store: Store, dataset: Dataset, new_run: NewRun) -> None:
    line, run = store.lines.create("A", dataset.id), new_run()
    second = store.lines.update(line.id, 1, run_id=run.id)
    assert (second.version, second.name, second.run_id, second.dataset_id) == (2, "A", run.id, dataset.id)
    assert second.updated_at > second.created_at
    with pytest.raises(StaleError, match="version 2, not 1") as caught:
        store.lines.update(line.id, 1, name="B")
    assert caught.value.current == 2
    assert store.lines.update(line.id, 2, name="B").run_id == run.id
    assert store.lines.get("B").version == 3
    with pytest.raises(NotFoundError, match="no plan line 'x'"):
        store.lines.update("x", 1, name="C")
    with pytest.raises(NotFoundError, match="no run 'x'"):
        store.lines.update(line.id, 3, run_id="x")


def test_only_one_of_many_changes_a_version(store: Store, dataset: Dataset) -> None:
    line = store.lines.create("A", dataset.id)

    def rename(number: int) -> Line | None:
        try:
            return store.lines.update(line.id, 1, name=f"A{number}")
        except StaleError:
            return None

    changed = [found for found in at_once(5, rename) if found is not None]
    assert len(changed) == 1
    found = store.lines.get(line.id)
    assert (found.version, found.name) == (2, changed[0].name)


def test_name_of_a_line_is_taken(store: Store, dataset: Dataset) -> None:
    store.lines.create("A", dataset.id)
    other = store.lines.create("B", dataset.id)
    for attempt in (lambda: store.lines.create("A", dataset.id), lambda: store.lines.update(other.id, 1, name="A")):
        with pytest.raises(ConflictError, match="a plan line named 'A' already"):
            attempt()
    assert store.lines.get(other.id).version == 1


def test_scenario_keeps_every_revision(store: Store, dataset: Dataset) -> None:
    line = store.lines.create("A", dataset.id)
    made = store.scenarios.create("hot summer", line_id=line.id, changes=[{"type": "a"}], note="first", created_by="anna")
    assert (made.scenario.version, made.scenario.revision, made.revision.revision) == (1, 1, 1)
    saved = store.scenarios.revise(made.scenario.id, 1, changes=[{"type": "b"}], created_by="bert")
    assert (saved.scenario.version, saved.scenario.revision, saved.revision.changes) == (2, 2, [{"type": "b"}])
    renamed = store.scenarios.rename(made.scenario.id, 2, "hotter summer")
    assert (renamed.scenario.version, renamed.scenario.revision, renamed.revision.changes) == (3, 2, [{"type": "b"}])
    found = store.scenarios.revisions(made.scenario.id)
    assert [(row.revision, row.changes, row.note, row.created_by) for row in found] == [
        (2, [{"type": "b"}], "", "bert"), (1, [{"type": "a"}], "first", "anna"),
    ]  # fmt: skip
    assert store.scenarios.revision(made.scenario.id, 1).changes == [{"type": "a"}]
    with pytest.raises(NotFoundError, match="no scenario revision"):
        store.scenarios.revision(made.scenario.id, 3)


def test_scenario_with_a_stale_version_is_not_changed(store: Store, dataset: Dataset) -> None:
    line = store.lines.create("A", dataset.id)
    id = store.scenarios.create("s", line_id=line.id, changes=[], created_by="anna").scenario.id
    store.scenarios.rename(id, 1, "t")
    for attempt in (
        lambda: store.scenarios.revise(id, 1, changes=[], created_by="anna"),
        lambda: store.scenarios.rename(id, 1, "u"),
        lambda: store.scenarios.delete(id, 1),
    ):
        with pytest.raises(StaleError, match="version 2, not 1"):
            attempt()
    assert (store.scenarios.get(id).scenario.name, len(store.scenarios.revisions(id))) == ("t", 1)


def test_only_one_of_many_saves_a_revision(store: Store, dataset: Dataset) -> None:
    line = store.lines.create("A", dataset.id)
    id = store.scenarios.create("s", line_id=line.id, changes=[], created_by="anna").scenario.id

    def revise(number: int) -> bool:
        try:
            return bool(store.scenarios.revise(id, 1, changes=[{"number": number}], created_by="anna").scenario)
        except StaleError:
            return False

    assert sorted(at_once(5, revise)) == [False, False, False, False, True]
    assert [row.revision for row in store.scenarios.revisions(id)] == [2, 1]


def test_scenario_has_one_parent(store: Store, dataset: Dataset) -> None:
    line = store.lines.create("A", dataset.id)
    for parents in ({}, {"line_id": line.id, "scenario_id": "x"}):
        with pytest.raises(ValueError, match="exactly one parent"):
            store.scenarios.create("s", **parents, changes=[], created_by="anna")
    with pytest.raises(NotFoundError, match="no plan line 'x'"):
        store.scenarios.create("s", line_id="x", changes=[], created_by="anna")
    with pytest.raises(NotFoundError, match="no scenario 'x'"):
        store.scenarios.create("s", scenario_id="x", changes=[], created_by="anna")
    now = store.database.now()
    with pytest.raises(IntegrityError), store.database.writing() as session:
        session.add(Scenario(id="s", name="s", revision=1, version=1, created_at=now, updated_at=now))


def test_lineage_leads_from_the_line_to_the_scenario(store: Store, dataset: Dataset) -> None:
    line = store.lines.create("A", dataset.id)
    first = store.scenarios.create("1", line_id=line.id, changes=[], created_by="anna").scenario.id
    second = store.scenarios.create("2", scenario_id=first, changes=[], created_by="anna").scenario.id
    third = store.scenarios.create("3", scenario_id=second, changes=[], created_by="anna").scenario.id
    assert [saved.scenario.id for saved in store.scenarios.lineage(third)] == [first, second, third]
    assert [saved.scenario.id for saved in store.scenarios.list().items] == [third, second, first]
    assert [saved.scenario.id for saved in store.scenarios.list(line_id=line.id).items] == [first]
    assert [saved.scenario.id for saved in store.scenarios.list(scenario_id=first).items] == [second]


def test_scenario_that_others_build_on_is_not_deleted(store: Store, dataset: Dataset) -> None:
    line = store.lines.create("A", dataset.id)
    parent = store.scenarios.create("parent", line_id=line.id, changes=[], created_by="anna").scenario
    child = store.scenarios.create("child", scenario_id=parent.id, changes=[], created_by="anna").scenario
    with pytest.raises(ConflictError, match="'parent' has scenarios that build on it: child"):
        store.scenarios.delete(parent.id, 1)
    store.scenarios.delete(child.id, 1)
    store.scenarios.delete(parent.id, 1)
    assert store.scenarios.list().items == []
    assert store.scenarios.revision(child.id, 1).changes == [], "runs refer to it"
    for ask in (store.scenarios.get, store.scenarios.lineage, store.scenarios.revisions):
        with pytest.raises(NotFoundError, match="no scenario"):
            ask(parent.id)
    with pytest.raises(NotFoundError, match="no scenario"):
        store.scenarios.create("new", scenario_id=parent.id, changes=[], created_by="anna")
    with pytest.raises(NotFoundError, match="no scenario"):
        store.scenarios.delete(parent.id, 2)


def test_name_of_a_scenario_is_taken_within_its_parent_while_it_lives(store: Store, dataset: Dataset) -> None:
    lines = [store.lines.create(name, dataset.id).id for name in ("A", "B")]
    first = store.scenarios.create("s", line_id=lines[0], changes=[], created_by="anna").scenario
    other = store.scenarios.create("t", line_id=lines[0], changes=[], created_by="anna").scenario
    store.scenarios.create("s", line_id=lines[1], changes=[], created_by="anna")
    store.scenarios.create("s", scenario_id=first.id, changes=[], created_by="anna")
    for attempt in (
        lambda: store.scenarios.create("s", line_id=lines[0], changes=[], created_by="anna"),
        lambda: store.scenarios.create("s", scenario_id=first.id, changes=[], created_by="anna"),
        lambda: store.scenarios.rename(other.id, 1, "s"),
    ):
        with pytest.raises(ConflictError, match="a scenario named 's' already"):
            attempt()
    store.scenarios.delete(other.id, 1)
    store.scenarios.create("t", line_id=lines[0], changes=[], created_by="anna")


def note(store: Store, key: str, status: int = 201) -> int:
    """Add an entry to the audit log; its id."""
    entry = {"action": "run.create", "method": "POST", "path": "/api/v1/runs", "request_id": "r", "client": "::1"}
    return store.audit.add(key_id=key, status=status, **entry).id


def test_audit_log_lists_newest_first_in_pages(store: Store) -> None:
    ids = [note(store, key) for key in "abab"]
    assert ids == sorted(ids)
    page = store.audit.list(limit=3)
    note(store, "a")
    rest = store.audit.list(page.next_cursor, 3)
    assert [entry.id for entry in (*page.items, *rest.items)] == ids[::-1]
    assert [entry.id for entry in store.audit.list(key_id="b").items] == [ids[3], ids[1]]
    first = rest.items[0]
    assert (first.key_id, first.action, first.method, first.path, first.status) == ("a", "run.create", "POST", "/api/v1/runs", 201)


def test_database_refuses_to_alter_the_audit_log(store: Store) -> None:
    note(store, "a")
    for attempt in (update(AuditEntry).values(key_id="b"), delete(AuditEntry)):
        with pytest.raises(DBAPIError, match="append-only"), store.database.writing() as session:
            session.execute(attempt)
    assert [entry.key_id for entry in store.audit.list().items] == ["a"]
