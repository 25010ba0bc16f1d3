"""Carrying out a study with a made-up engine: what is tried again, what is a failure, how many are in flight, stopping."""

from __future__ import annotations

import asyncio
import io
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from rich.console import Console

from batch.engine import Ended, EngineError, Failure, Fate, Job
from batch.study import carrying
from batch.study.asked import Asked
from batch.study.carrying import AHEAD, Means, StoppedError, carry_out
from batch.study.folder import Folder
from batch.study.progress import StudyProgress
from models.study import Scenario
from tests.batch.study.made_up import made_up

INFEASIBLE = Ended(Fate.DONE, {"plan": None, "conflicts": ["too much"], "failure": {"kind": "infeasible", "detail": "x", "faults": []}})
SOLVER = Ended(Fate.DONE, {"plan": None, "failure": {"kind": Failure.SOLVER_ERROR.value, "detail": "a wrong basis", "faults": []}})
CRASHED, OVERDUE, LOST = Ended(Fate.CRASHED, detail="it died"), Ended(Fate.OVERDUE, detail="no answer"), Ended(Fate.LOST, detail="gone")


@dataclass
class MadeUpEngine:
    """Ends each job as the script says, infeasible where it says nothing, a little later."""

    script: dict[str, list[Ended]] = field(default_factory=dict)
    workers: int = 2
    ready: bool = True
    submitted: list[tuple[str, int]] = field(default_factory=list)
    under: int = 0
    most: int = 0
    closed: bool = False
    on_end: Callable[[str, int, Ended], None] = field(init=False)
    after: Callable[[], None] = field(default=lambda: None)

    async def submit(self, job: Job) -> None:
        self.submitted.append((job.run_id, job.attempt))
        self.under += 1
        self.most = max(self.most, self.under)
        ends = self.script.get(job.run_id)
        ended = ends.pop(0) if ends else INFEASIBLE
        asyncio.get_running_loop().call_later(0.002, self._end, job, ended)

    def _end(self, job: Job, ended: Ended) -> None:
        self.under -= 1
        self.on_end(job.run_id, job.attempt, ended)
        self.after()

    async def close(self) -> None:
        self.closed = True


@pytest.fixture(scope="module")
def asked() -> Asked:
    return replace(made_up()[0], scenarios=[Scenario(f"s{n}", ()) for n in range(9)])


@pytest.fixture
def folder(tmp_path: Path, asked: Asked) -> Iterator[Folder]:
    with Folder.claimed(tmp_path / "out", asked) as folder:
        yield folder


@pytest.fixture
def carried(asked: Asked, folder: Folder, monkeypatch: pytest.MonkeyPatch) -> Callable[[MadeUpEngine, threading.Event], str]:
    """Carry the study out with an engine; what was said."""

    def carry(engine: MadeUpEngine, stop: threading.Event) -> str:
        async def start(scheduler: str | None, **options: object) -> MadeUpEngine:
            on_end = options["on_end"]
            assert callable(on_end)
            engine.on_end = on_end
            return engine

        monkeypatch.setattr("batch.engine.engine.Engine.start", start)
        said = io.StringIO()
        with StudyProgress(Console(file=said, width=200)) as progress:
            carry_out(asked, folder, Means(), progress, stop)
        return said.getvalue()

    return carry


Carry = Callable[[MadeUpEngine, threading.Event], str]


def test_what_dies_is_tried_again_once_and_what_is_lost_as_the_same_attempt(carried: Carry, folder: Folder) -> None:
    engine = MadeUpEngine(
        {"run-1": [CRASHED], "run-2": [LOST, LOST], "run-3": [CRASHED, CRASHED], "run-4": [SOLVER], "run-5": [OVERDUE, SOLVER]}
    )
    said = carried(engine, threading.Event())
    tried = {
        run: [attempt for run_id, attempt in engine.submitted if run_id == run]
        for run in ("run-0", "run-1", "run-2", "run-3", "run-4", "run-5")
    }
    assert tried == {"run-0": [1], "run-1": [1, 2], "run-2": [1, 1, 1], "run-3": [1, 2], "run-4": [1, 2], "run-5": [1, 2]}
    rows = {run: entry["row"] for run, entry in folder.finished().items()}
    assert {run: row["status"] for run, row in rows.items()} == {n: "failed" if n in (3, 5) else "infeasible" for n in range(9)}
    assert (rows[3]["detail"], rows[5]["detail"], rows[1]["detail"]) == ("it died", "a wrong basis", "too much")
    assert rows[1]["attempts"] == 2
    assert engine.most == engine.workers + AHEAD, "no more in flight"
    assert engine.closed
    assert "warning: s3: failed: it died" in said
    assert "9 of 9 runs" in said


def test_only_what_failed_is_done_again(carried: Carry, folder: Folder) -> None:
    carried(MadeUpEngine({"run-3": [CRASHED, CRASHED]}), threading.Event())
    engine = MadeUpEngine()
    said = carried(engine, threading.Event())
    assert engine.submitted == [("run-3", 1)]
    assert "8 of 9 runs were done before" in said
    assert {entry["row"]["status"] for entry in folder.finished().values()} == {"infeasible"}
    none = MadeUpEngine()
    carried(none, threading.Event())
    assert none.submitted == []
    assert not none.closed, "no engine was started"


def test_a_stop_keeps_what_has_ended_and_the_next_call_does_the_rest(carried: Carry, folder: Folder) -> None:
    stop = threading.Event()
    engine = MadeUpEngine()
    engine.after = lambda: stop.set() if len(folder.runs.entries) >= 3 else None
    with pytest.raises(StoppedError, match=r"stopped after \d of 9 runs"):
        carried(engine, stop)
    before = list(folder.runs.entries)
    assert 3 <= len(before) < 9
    assert engine.closed
    carried(MadeUpEngine(), threading.Event())
    assert folder.runs.entries[: len(before)] == before
    assert Counter(entry["run"] for entry in folder.runs.entries) == Counter(range(9))


def test_without_any_worker_it_gives_up_and_keeps_what_has_ended(carried: Carry, folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrying, "PATIENCE", 0.3)
    engine = MadeUpEngine()

    def gone() -> None:
        engine.ready = len(folder.runs.entries) < 2

    engine.after = gone
    with pytest.raises(EngineError, match=r"no worker for 0\.3 s"):
        carried(engine, threading.Event())
    assert folder.finished()
    assert engine.closed


def test_a_terminal_shows_runs_rate_and_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    file = io.StringIO()
    with StudyProgress(Console(file=file, force_terminal=True, width=120, color_system=None)) as progress:
        progress.begin(8, ["optimal", "infeasible"])
        now[0] += 30.0
        for status in ("optimal", "failed", "within_gap"):
            progress.ended("s", status, "why")
        assert progress.per_minute() == 6.0
        progress.phase("regrets: plans under other scenarios", 20)
        progress.step()
    text = file.getvalue()
    for words in (
        "2 of 8 runs were done before",
        "5 of 8 runs, 6.0 a minute, 1 without a plan, 1 failed",
        "1 of 20",
        "warning: s: failed: why",
        "the same command goes on",
    ):
        assert words in text, words
