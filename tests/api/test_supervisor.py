"""The supervisor with an engine that does what a test says: crashes, losses, stops and a store that is away, each at its moment."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from api import supervisor as supervising
from api.metrics import RUNS
from api.schemas.runs import RunRequest
from api.service import Service
from api.settings import Settings
from api.store import RunMode, RunState, Store
from batch.engine import Ended, Fate, Job
from models.plan_files import plan_to_bytes
from models.targets import Measure
from optimizer import plan
from tests.batch.engine.bench import until
from tests.factories import small_dataset

CRASHED, LOST = Ended(Fate.CRASHED), Ended(Fate.LOST)


class FakeEngine:
    """Takes jobs and does nothing with them.

    Attributes:
        jobs: all that came.
        asked: stops and kills.
        gate: awaited before a job is taken.
    """

    ready, desk_free, workers = True, False, 1

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.asked: list[tuple[str, str]] = []
        self.active: set[str] = set()
        self.gate: Callable[[], Awaitable[None]] | None = None
        self.on_event: Any = None
        self._on_end: Any = None

    async def start(self, *_: object, on_event: Any, on_end: Any, **__: object) -> FakeEngine:
        self.on_event, self._on_end = on_event, on_end
        return self

    @property
    def free(self) -> int:
        return 1 - len(self.active)

    async def submit(self, job: Job) -> None:
        if self.gate is not None:
            await self.gate()
        assert job.run_id not in self.active
        self.active.add(job.run_id)
        self.jobs.append(job)

    async def stop(self, run_id: str) -> None:
        if run_id in self.active:
            self.asked.append(("stop", run_id))

    async def kill(self, run_id: str) -> None:
        if run_id in self.active:
            self.asked.append(("kill", run_id))
            self.end(run_id, Ended(Fate.KILLED))

    def end(self, run_id: str, ended: Ended) -> None:
        """An attempt ends."""
        self.active.remove(run_id)
        self._on_end(run_id, self.jobs[-1].attempt, ended)

    async def close(self, grace: float) -> None:
        """Nothing is left."""


@pytest.fixture
def store(tmp_path: Any) -> Iterator[Store]:
    """A store with a plan line."""
    opened = Store.open(Settings(folder=tmp_path).database_url, tmp_path)
    opened.lines.create("small", opened.datasets.put(small_dataset(), "anna").id)
    yield opened
    opened.close()


@pytest.fixture
def served(store: Store, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Awaitable[tuple[Service, FakeEngine]]]:
    """Starts a service on the store."""
    monkeypatch.setattr(supervising, "AGAIN", 0.01)

    async def start() -> tuple[Service, FakeEngine]:
        engine = FakeEngine()
        monkeypatch.setattr(supervising.Engine, "start", engine.start)
        service = Service(Settings(folder=tmp_path, threads=1), store)
        await service.supervisor.start()
        return service, engine

    return start


Served = Callable[[], Awaitable[tuple[Service, FakeEngine]]]
MADE = plan(small_dataset(), gap=0.0, threads=1)


def ask(service: Service) -> str:
    """A first plan of the line; the run's id."""
    run, _ = service.accept(RunRequest(mode=RunMode.PLAN, line="small", gap=0.0, fresh=True), "anna")
    service.supervisor.ring()
    return str(run.id)


async def killed(service: Service) -> None:
    """What is left of a service that was killed: nothing."""
    for task in service.supervisor._tasks:
        task.cancel()
    await asyncio.gather(*service.supervisor._tasks, return_exceptions=True)


def incumbent(engine: FakeEngine, run: str) -> None:
    """A plan is found on the way."""
    summary = MADE.summary
    figures = {"npv_usd": summary.npv_usd, "bound_usd": summary.bound_usd, "gap": summary.gap}
    engine.on_event(run, engine.jobs[-1].attempt, "incumbent", {"plan": plan_to_bytes(MADE), **figures})


def done() -> Ended:
    """A plan is found."""
    return Ended(Fate.DONE, {"plan": plan_to_bytes(MADE), "summary": MADE.summary.model_dump(mode="json")})


async def jobs(engine: FakeEngine, number: int) -> Job:
    """The last job, once there are so many."""
    await until(lambda: len(engine.jobs) == number)
    return engine.jobs[-1]


async def in_state(store: Store, run: str, state: RunState) -> Any:
    """A run, once it is in a state."""
    await until(lambda: store.runs.get(run).state is state)
    return store.runs.get(run)


def test_restarts_and_lost_clusters_are_no_crashes(store: Store, served: Served) -> None:
    async def check() -> None:
        service, engine = await served()
        run = ask(service)
        first = await jobs(engine, 1)
        await killed(service)
        service, engine = await served()
        second = await jobs(engine, 1)
        engine.end(run, LOST)
        third = await jobs(engine, 2)
        engine.end(run, CRASHED)
        fourth = await jobs(engine, 3)
        assert [job.attempt for job in (first, second, third, fourth)] == [1, 2, 3, 4]
        assert first.seed == second.seed == third.seed != fourth.seed, "only a crash is tried in another way"
        engine.end(run, CRASHED)
        failed = await in_state(store, run, RunState.FAILED)
        assert failed.problem == {"code": "worker_crashed", "detail": "the process that solved it ended unexpectedly, twice"}
        await service.supervisor.close()

    asyncio.run(check())


@pytest.mark.parametrize("end", [CRASHED, LOST])
def test_run_that_was_to_stop_ends_with_its_plan_whatever_happens_to_its_process(store: Store, served: Served, end: Ended) -> None:
    async def check() -> None:
        service, engine = await served()
        run = ask(service)
        await jobs(engine, 1)
        incumbent(engine, run)
        await service.supervisor.stop(run)
        assert engine.asked == [("stop", run)]
        engine.end(run, end)
        found = await in_state(store, run, RunState.SUCCEEDED)
        assert (found.stop_reason, found.npv_usd, found.attempt) == ("user_stop", MADE.summary.npv_usd, 1)
        assert found.answer["summary"]["audit"]["passed"] is True
        await service.supervisor.close()

    asyncio.run(check())


@pytest.mark.parametrize(("planned", "state"), [(True, RunState.SUCCEEDED), (False, RunState.CANCELLED)])
@pytest.mark.parametrize("how", ["stop", "kill"])
def test_stop_and_kill_outlive_the_service(store: Store, served: Served, how: str, planned: bool, state: RunState) -> None:
    async def check() -> None:
        service, engine = await served()
        run = ask(service)
        await jobs(engine, 1)
        if planned:
            incumbent(engine, run)
            await until(lambda: store.runs.get(run).plan_blob is not None)
        engine.active.clear()  # it hears nothing any more
        await getattr(service.supervisor, how)(run)
        assert store.runs.get(run).state is RunState.STOPPING
        await killed(service)
        service, engine = await served()
        assert store.runs.get(run).state is state
        await service.supervisor.close()
        assert engine.jobs == []

    asyncio.run(check())


def test_stop_of_a_run_that_waits_again_gives_its_plan_at_once(store: Store, served: Served) -> None:
    async def check() -> None:
        service, engine = await served()
        run = ask(service)
        await jobs(engine, 1)
        incumbent(engine, run)
        await until(lambda: store.runs.get(run).plan_blob is not None)
        store.runs.requeue(run)
        await service.supervisor.stop(run)
        assert store.runs.get(run).state is RunState.SUCCEEDED
        await service.supervisor.close()

    asyncio.run(check())


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_what_is_asked_while_a_run_is_handed_over_reaches_the_engine(store: Store, served: Served, how: str) -> None:
    async def check() -> None:
        service, engine = await served()

        async def gate() -> None:
            await getattr(service.supervisor, how)(run)

        engine.gate = gate
        run = ask(service)
        await until(lambda: engine.asked == [(how, run)])
        if how == "kill":
            await in_state(store, run, RunState.CANCELLED)
        await service.supervisor.close()

    asyncio.run(check())


def test_end_is_written_once_the_store_is_back(store: Store, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    real, away = store.runs.finish, [OperationalError("UPDATE", {}, ConnectionError("gone"))] * 3

    def finish(*arguments: Any, **more: Any) -> int | None:
        if away:
            raise away.pop()
        return real(*arguments, **more)

    async def check() -> None:
        service, engine = await served()
        run = ask(service)
        await jobs(engine, 1)
        monkeypatch.setattr(store.runs, "finish", finish)
        engine.end(run, done())
        found = await in_state(store, run, RunState.SUCCEEDED)
        assert found.plan_blob is not None
        assert away == []
        assert service.supervisor.ready
        await service.supervisor.close()

    asyncio.run(check())


def test_run_is_started_once_the_store_is_back(store: Store, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    real, away = store.runs.note_event, [OperationalError("UPDATE", {}, ConnectionError("gone"))]

    def note_event(*arguments: Any, **more: Any) -> int | None:
        if away:
            raise away.pop()
        return real(*arguments, **more)

    async def check() -> None:
        service, engine = await served()
        monkeypatch.setattr(store.runs, "note_event", note_event)
        run = ask(service)
        job = await jobs(engine, 1)
        assert (job.run_id, job.attempt) == (run, 2)
        assert service.supervisor.ready
        await service.supervisor.close()

    asyncio.run(check())


def test_end_that_cannot_be_stored_as_it_is_fails_the_run(store: Store, served: Served) -> None:
    async def check() -> None:
        service, engine = await served()
        run = ask(service)
        await jobs(engine, 1)
        engine.end(run, Ended(Fate.DONE, {"plan": None, "summary": {"status": "no such status"}}))
        found = await in_state(store, run, RunState.FAILED)
        assert found.problem["code"] == "internal_error"
        await service.supervisor.close()

    asyncio.run(check())


def test_run_whose_dataset_is_gone_fails_and_the_next_one_goes_on(store: Store, served: Served) -> None:
    async def check() -> None:
        service, engine = await served()
        data = store.datasets.get(store.lines.get("small").dataset_id).blob
        kept = store.blobs.get(data)
        run = ask(service)
        store.blobs.delete(data)
        found = await in_state(store, run, RunState.FAILED)
        assert "is missing" in found.problem["detail"]
        store.blobs.put(kept)
        other = ask(service)
        assert (await jobs(engine, 1)).run_id == other
        await service.supervisor.close()

    asyncio.run(check())


def test_first_plan_becomes_the_baseline_though_the_service_ends_in_between(
    store: Store, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def check() -> None:
        service, engine = await served()
        run = ask(service)
        await jobs(engine, 1)
        with monkeypatch.context() as patch:
            patch.setattr(service.supervisor, "_first_plan", lambda _: None)
            engine.end(run, done())
            await in_state(store, run, RunState.SUCCEEDED)
            await killed(service)
        assert store.lines.get("small").run_id is None
        service, engine = await served()
        assert store.lines.get("small").run_id == run
        await service.supervisor.close()

    asyncio.run(check())


def test_first_plan_that_is_held_to_a_total_is_no_baseline(store: Store, served: Served) -> None:
    async def check() -> None:
        service, engine = await served()
        run, _ = service.accept(RunRequest(mode=RunMode.PLAN, line="small", most={Measure.CAPITAL: 35_000.0}, fresh=True), "anna")
        service.supervisor.ring()
        assert (await jobs(engine, 1)).most == {"capital": 35_000.0}
        engine.end(str(run.id), done())
        await in_state(store, str(run.id), RunState.SUCCEEDED)
        assert store.lines.get("small").run_id is None
        await service.supervisor.close()

    asyncio.run(check())


def test_studies_that_fail_hold_up_nothing_else(store: Store, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    async def check() -> None:
        service, engine = await served()

        def feed(workers: int) -> None:
            raise RuntimeError("a study can't make its runs")

        monkeypatch.setattr(service.studies, "feed", feed)
        run = ask(service)
        await jobs(engine, 1)
        engine.end(run, done())
        await in_state(store, run, RunState.SUCCEEDED)
        await service.supervisor.close()

    asyncio.run(check())


def baselined(store: Store) -> str:
    """A baseline of the line."""
    line = store.lines.get("small")
    summary, sha = MADE.summary, store.blobs.put(plan_to_bytes(MADE))
    asked = {"mode": RunMode.PLAN, "changes": [], "options": {"gap": 0.0}, "question": "q", "code_version": "1", "created_by": "anna"}
    run = store.runs.create(base_dataset_id=line.dataset_id, dataset_id=line.dataset_id, line_id=line.id, **asked)
    figures = {"npv_usd": summary.npv_usd, "bound_usd": summary.bound_usd, "gap": summary.gap}
    assert store.runs.finish(run.id, 0, RunState.SUCCEEDED, plan_blob=sha, **figures)
    assert store.lines.begin(line.id, run.id, line.dataset_id)
    return run.id


NOT_SCORED = Ended(
    Fate.DONE, {"plan": None, "stop_reason": "user_stop", "failure": {"kind": "no_plan", "detail": "stopped", "faults": []}}
)  # fmt: skip


@pytest.mark.parametrize(("end", "state"), [(NOT_SCORED, RunState.CANCELLED), (Ended(Fate.OVERDUE), RunState.FAILED)])
def test_an_evaluation_that_was_cut_short_has_no_answer_and_is_none(store: Store, served: Served, end: Ended, state: RunState) -> None:
    async def check() -> None:
        baselined(store)
        service, engine = await served()
        asked = RunRequest(mode=RunMode.EVALUATE, line="small")
        run, _ = service.accept(asked, "anna")
        service.supervisor.ring()
        await jobs(engine, 1)
        engine.end(run.id, end)
        found = await in_state(store, run.id, state)
        assert found.solution_status is None
        assert state is RunState.CANCELLED or found.problem["code"] == "time_limit"
        again, stored = service.accept(asked, "anna")
        assert (again.id != run.id, stored) == (True, False)
        await service.supervisor.close()

    asyncio.run(check())


@pytest.mark.parametrize("where", ["finish", "get", "begin", "events"])
def test_an_end_is_told_once_though_the_store_goes_away_behind_it(
    store: Store, served: Served, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """The database takes the end, and does not answer what follows."""
    broken: list[str] = []

    def failing(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **more: Any) -> Any:
            found = None if name in broken else real(*arguments, **more)
            if name == "finish" and found is not None:
                broken.append(where)
            if name in broken:
                broken.remove(name)
                raise OperationalError("SELECT", {}, ConnectionError("gone"))
            return found

        return call

    async def check() -> None:
        service, engine = await served()
        run = ask(service)
        await jobs(engine, 1)
        counted = RUNS.labels("plan", "succeeded", "gap_reached")._value
        before, told = counted.get(), list[tuple[str, str]]()
        real = service.broadcast.publish
        monkeypatch.setattr(service.broadcast, "publish", lambda id, event: (told.append((id, event.kind)), real(id, event)))
        for owner, name in ((store.runs, "finish"), (store.runs, "get"), (store.runs, "events"), (store.lines, "begin")):
            monkeypatch.setattr(owner, name, failing(name, getattr(owner, name)))
        engine.end(run, done())
        await until(lambda: (run, "end") in told)
        await asyncio.sleep(0.1)
        assert broken == [], "it was away"
        assert told.count((run, "end")) == 1
        assert store.lines.get("small").run_id == run
        assert counted.get() == before + 1
        assert service.supervisor._untold == set()
        await service.supervisor.close()

    asyncio.run(check())


def unreadable(store: Store, errors: list[OSError]) -> tuple[Callable[[str], bytes | None], list[OSError]]:
    """A way to read blobs that meets errors first, and those that are still to come."""
    real = store.blobs._read

    def read(sha: str) -> bytes | None:
        if errors:
            raise errors.pop()
        return real(sha)

    return read, errors


def test_data_that_cannot_be_read_for_a_moment_fails_no_run_and_holds_up_no_other(
    store: Store, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervising, "READ_AGAIN", 0.5)
    monkeypatch.setattr(supervising, "IDLE", 0.05)
    read, away = unreadable(store, [OSError(errno.EMFILE, "Too many open files")])

    async def check() -> None:
        service, engine = await served()
        run, other = ask(service), ask(service)
        monkeypatch.setattr(store.blobs, "_read", read)
        assert (await jobs(engine, 1)).run_id == other
        engine.end(other, done())
        assert (await jobs(engine, 2)).run_id == run
        assert away == []
        assert store.runs.get(run).state is RunState.RUNNING
        engine.end(run, done())
        await in_state(store, run, RunState.SUCCEEDED)
        await service.supervisor.close()

    asyncio.run(check())


def test_plan_that_cannot_be_read_for_a_moment_at_the_start_is_the_answer_later(
    store: Store, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervising, "READ_AGAIN", 0.05)
    monkeypatch.setattr(supervising, "IDLE", 0.05)
    read, away = unreadable(store, [OSError(errno.EIO, "Input/output error")] * 2)

    async def check() -> None:
        service, engine = await served()
        run = ask(service)
        await jobs(engine, 1)
        incumbent(engine, run)
        await until(lambda: store.runs.get(run).plan_blob is not None)
        engine.active.clear()
        await service.supervisor.stop(run)
        await killed(service)
        monkeypatch.setattr(store.blobs, "_read", read)
        service, engine = await served()
        found = await in_state(store, run, RunState.SUCCEEDED)
        assert (found.stop_reason, found.npv_usd, away, engine.jobs) == ("user_stop", MADE.summary.npv_usd, [], [])
        await service.supervisor.close()

    asyncio.run(check())


@pytest.mark.parametrize("failure", [None, {"kind": "no_plan", "detail": "", "faults": []}])
def test_less_than_an_earlier_attempt_had_found_does_not_replace_it(store: Store, served: Served, failure: Any) -> None:
    async def check() -> None:
        service, engine = await served()
        run = ask(service)
        await jobs(engine, 1)
        incumbent(engine, run)
        await until(lambda: store.runs.get(run).plan_blob is not None)
        kept = store.runs.get(run).plan_blob
        engine.end(run, LOST)
        job = await jobs(engine, 2)
        assert job.start == store.blobs.get(kept)
        npv, bound = MADE.summary.npv_usd or 0.0, MADE.summary.bound_usd or 0.0
        worse = {**MADE.summary.model_dump(mode="json"), "npv_usd": npv - 1e5, "bound_usd": bound + 1e6, "gap": 0.5}
        worse |= {"status": "feasible", "stop_reason": "time_limit"}
        outcome = {"plan": None if failure else b"a worse plan", "summary": worse, "baseline_npv_usd": npv - 7, "difference_usd": 0.0}
        engine.end(run, Ended(Fate.DONE, {**outcome, **({"failure": failure} if failure else {})}))
        found = await in_state(store, run, RunState.SUCCEEDED)
        assert (found.plan_blob, found.npv_usd, found.bound_usd, found.solution_status) == (kept, npv, bound, "optimal")
        assert (found.stop_reason, found.answer["summary"]["npv_usd"]) == ("time_limit", npv)
        assert found.answer["difference_usd"] == pytest.approx(7)
        assert store.runs.events(run)[-1].payload["npv_usd"] == npv
        await service.supervisor.close()

    asyncio.run(check())


@pytest.mark.parametrize("steps", range(6))
def test_service_ends_although_the_bell_rings_at_that_moment(store: Store, served: Served, steps: int) -> None:
    """A request that rings just before the end must not keep the dispatcher from ending, whatever it had come to."""

    async def check() -> None:
        service, _ = await served()
        await asyncio.sleep(0.05)  # it waits for the bell
        service.supervisor.ring()
        for _ in range(steps):
            await asyncio.sleep(0)
        ends = asyncio.create_task(service.supervisor.close())
        done, _ = await asyncio.wait([ends], timeout=5)
        assert done, "the dispatcher goes on"

    asyncio.run(check())
