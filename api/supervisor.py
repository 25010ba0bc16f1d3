"""From a run that was accepted to one that ended: gives runs to the engine, writes down what happens, and never loses one.

The store is the only truth. What the engine says is written before it is told, in order, by one task; a run ends
exactly once. After any crash the runs that had not ended are taken up again from their last plan; those that were to
stop end with it. A store that can't be written for a while delays ends, and loses none.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import structlog
from sqlalchemy import exc

from api.events import FINAL, Broadcast, Event
from api.metrics import CRASHES, RUN_SECONDS, RUNS, SOLVING, WAITING
from api.outcomes import answer_of, figures_of, is_first_plan, with_kept
from api.settings import Settings
from api.store import FINAL_STATES, BlobError, RunMode, RunState, Store, StoreError
from api.store.runs import margin
from batch.engine import Ended, Engine, Fate, Job
from batch.engine.job import Failure
from models.faults import InputError
from models.plan import StopReason
from models.plan_files import plan_from_bytes

RETRIES = 1
"""Times that a run whose process died is tried again, with other draws and a more careful solver."""
LOST_MOST = 20
"""Times that a run is taken up again after its cluster was lost, for as long as the service lives."""
RETRY_SEED = 7919
"""Added to the seed of a retry."""
PROGRESS_EVERY = 0.25
"""Seconds between two progress events of a run that are kept."""
IDLE = 2.0
"""Seconds after which the queue is looked at even if nothing rang."""
AGAIN = 1.0
"""Seconds after which a store that could not be used is tried again."""
READ_AGAIN = 5.0
"""Seconds after which a run whose data could not be read is tried again; others go first meanwhile."""
AWAY = (exc.OperationalError, exc.InterfaceError, exc.TimeoutError)
"""What says that the database can't be used now."""
TELL = "tell"
"""Kind of what the supervisor tells itself: an end that is written, or may be, and of which nobody has heard yet."""
WORKERS = ("api.worker_logs",)
"""What the service's own workers load."""
log = structlog.get_logger("runs")


def is_away(error: BaseException) -> bool:
    """Whether an error says that the store can't be used now: a database that does not answer, a full disk, no more open files."""
    return error.away if isinstance(error, BlobError) else isinstance(error, AWAY)


class StudyRuns(Protocol):
    """What a supervisor needs of studies."""

    def feed(self, workers: int) -> bool:
        """Make the next runs of every study that has room for them; whether more could be made at once."""

    def entry(self, run: Any, outcome: Mapping[str, Any], plan: bytes | None, problem: Mapping[str, Any] | None) -> bytes:
        """What a study keeps of a run that has ended."""


@dataclass(frozen=True)
class _Told:
    """Something that the engine said of an attempt."""

    run_id: str
    attempt: int
    kind: str
    payload: dict[str, Any]


class Supervisor:
    """Looks after all runs of a service.

    Args:
        store: where runs are kept.
        broadcast: told of every event.
        settings: of the service.
        job_of: the engine's job for a run that was taken.
        studies: make runs of their own, and keep something of each that ends.
    """

    def __init__(self, store: Store, broadcast: Broadcast, settings: Settings, job_of: Callable[[Any], Job], studies: StudyRuns) -> None:
        self.store, self.broadcast, self.settings, self.job_of, self.studies = store, broadcast, settings, job_of, studies
        self.engine: Engine | None = None
        self.active: dict[str, int] = {}
        self._told: asyncio.Queue[_Told | None] = asyncio.Queue()
        self._bell = asyncio.Event()
        self._progress: dict[str, float] = {}
        self._lost: dict[str, int] = {}
        self._kills: set[str] = set()
        self._untold: set[str] = set()
        self._not_before: dict[str, float] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._closing = False

    async def start(self) -> None:
        """Take up what had not ended, and start the engine."""
        s = self.settings
        await asyncio.to_thread(self.store.idempotency.release)
        for run in await asyncio.to_thread(self.store.runs.unfinished):
            await self._recover(run)
        await asyncio.to_thread(self._recover_baselines)
        self.engine = await Engine.start(
            s.scheduler or None, slots=s.slots, threads=s.threads, memory_limit=s.memory_limit, grace=s.grace,
            on_event=self._on_event, on_end=self._on_end, preload=WORKERS,
        )  # fmt: skip
        self._tasks = [asyncio.create_task(self._write()), asyncio.create_task(self._dispatch())]
        self.ring()

    async def close(self) -> None:
        """End the engine; runs go on when the service starts again."""
        self._closing = True
        for task in self._tasks[1:]:
            task.cancel()
        if self.engine is not None:
            await self.engine.close(5.0)
        await self._told.put(None)
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def ring(self) -> None:
        """There may be something to do."""
        self._bell.set()

    @property
    def ready(self) -> bool:
        """Whether runs can be solved."""
        return self.engine is not None and self.engine.ready and not any(task.done() for task in self._tasks)

    async def stop(self, run_id: str) -> None:
        """Ask a run to end with its best plan."""
        run = await asyncio.to_thread(self.store.runs.ask_stop, run_id)
        if run.state is RunState.CANCELLED:
            await self._ended_elsewhere(run)
        elif run.state is RunState.QUEUED:  # with a plan of an earlier attempt; if it is being taken up, _handed_over ends it
            await self._finish_with_best(run_id, run.attempt, "user_stop")
        elif run.state is RunState.STOPPING and self.engine is not None:
            await self.engine.stop(run_id)

    async def kill(self, run_id: str) -> None:
        """End a run at once, without a plan."""
        await asyncio.to_thread(self.store.runs.ask_stop, run_id)  # so that it ends even if the service does first
        if run_id in self.active and self.engine is not None:
            self._kills.add(run_id)
            await self.engine.kill(run_id)
        else:
            await self._ended_elsewhere(await asyncio.to_thread(self.store.runs.cancel, run_id))

    # runs to the engine ------------------------------------------------------------------------

    async def _recover(self, run: Any) -> None:
        """Take up a run that had not ended when the service did."""
        if run.state == RunState.STOPPING:
            try:
                await self._finish_with_best(run.id, run.attempt, "user_stop")
            except BlobError:  # whoever takes it up sees that it was to stop
                await asyncio.to_thread(self.store.runs.requeue, run.id)
        elif run.state == RunState.RUNNING:
            await asyncio.to_thread(self.store.runs.requeue, run.id)
            log.info("run taken up again", run_id=run.id, attempt=run.attempt)

    def _recover_baselines(self) -> None:
        """Make first plans baselines where the service ended between a run's end and that."""
        cursor: str | None = None
        while True:
            page = self.store.lines.list(cursor)
            for line in page.items:
                if line.run_id is None:
                    for run in reversed(self.store.runs.list(states=(RunState.SUCCEEDED,), modes=(RunMode.PLAN,), line_id=line.id).items):
                        self._first_plan(run)
            cursor = page.next_cursor
            if cursor is None:
                return

    async def _dispatch(self) -> None:
        while True:
            with suppress(TimeoutError):
                # Not wait_for: before Python 3.12 it may swallow the cancellation that comes just when the bell rings.
                async with asyncio.timeout(IDLE):
                    await self._bell.wait()
            self._bell.clear()
            try:
                await self._give_all()
            except Exception:
                log.exception("no run could be started")
                await asyncio.sleep(AGAIN)

    async def _give_all(self) -> None:
        """Give runs to the engine until it has no more room, or none waits."""
        if self.engine is not None:
            try:
                if await asyncio.to_thread(self.studies.feed, self.engine.workers):
                    self.ring()
            except Exception:  # what is asked one by one does not wait for it
                log.exception("no run of a study could be made")
        while self.engine is not None and (self.engine.free > 0 or self.engine.desk_free):
            run = await asyncio.to_thread(self._take_next, self.engine.free > 0, self.engine.desk_free)
            if run is None:
                break
            await self._give(run)
        WAITING.set((await asyncio.to_thread(self.store.runs.counts))[RunState.QUEUED])
        SOLVING.set(len(self.active))

    def _take_next(self, slot: bool, desk: bool) -> Any:
        """Take up the run that waits longest, of those that a slot or the desk can take; None when none waits."""
        now = time.monotonic()
        self._not_before = {id: then for id, then in self._not_before.items() if then > now}
        for run in self.store.runs.unfinished():
            if run.state is not RunState.QUEUED or run.id in self._not_before:
                continue
            if slot or (desk and run.mode is RunMode.EVALUATE):
                taken = self.store.runs.take(run.id)
                if taken is not None:
                    return taken
        return None

    async def _give(self, run: Any) -> None:
        """Hand a run that was taken over to the engine; one that can't be is given back, or fails if it never can be."""
        try:
            if not await self._handed_over(run):
                return
        except StoreError as error:
            log.exception("a run's data can't be read", run_id=run.id)
            if is_away(error):
                self._not_before[run.id] = time.monotonic() + READ_AGAIN
                self._on_end(run.id, run.attempt, Ended(Fate.LOST, detail=str(error)))
                return
            failure = {"kind": Failure.INTERNAL_ERROR.value, "detail": str(error)}
            self._on_end(run.id, run.attempt, Ended(Fate.DONE, {"plan": None, "failure": failure}))
            return
        except Exception as error:
            self._on_end(run.id, run.attempt, Ended(Fate.LOST, detail=f"it could not be started: {error}"))
            raise
        assert self.engine is not None
        now = await asyncio.to_thread(self.store.runs.get, run.id)  # what was asked before the engine knew the run
        if run.id in self._kills or now.state in FINAL_STATES:
            await self.engine.kill(run.id)
        elif now.state is RunState.STOPPING:
            await self.engine.stop(run.id)

    async def _handed_over(self, run: Any) -> bool:
        assert self.engine is not None
        if run.stop_asked_at is not None:  # while it waited to be taken up again
            await self._finish_with_best(run.id, run.attempt, "user_stop")
            return False
        self.active[run.id] = run.attempt
        job = await asyncio.to_thread(self.job_of, run)
        await self._event(run.id, run.attempt, "state", {"state": RunState.RUNNING.value, "attempt": run.attempt})
        await self.engine.submit(job)
        log.info("run started", run_id=run.id, attempt=run.attempt, mode=run.mode)
        return True

    # what the engine says ----------------------------------------------------------------------

    def _on_event(self, run_id: str, attempt: int, kind: str, payload: dict[str, Any]) -> None:
        now = asyncio.get_running_loop().time()
        if kind == "progress":
            if now - self._progress.get(run_id, 0.0) < PROGRESS_EVERY:
                return
            self._progress[run_id] = now
        self._told.put_nowait(_Told(run_id, attempt, kind, payload))

    def _on_end(self, run_id: str, attempt: int, ended: Ended) -> None:
        self._told.put_nowait(_Told(run_id, attempt, FINAL, {"ended": ended}))

    async def _write(self) -> None:
        """Write down what the engine says, one after the other."""
        while (told := await self._told.get()) is not None:
            while not await self._written(told):
                await asyncio.sleep(AGAIN)

    async def _written(self, told: _Told) -> bool:
        """Write something down; False if it has to be tried again: a run's end, which nothing would tell once more."""
        try:
            if told.kind == FINAL:
                await self._end(told.run_id, told.attempt, told.payload["ended"])
            elif told.kind == TELL:
                await self._tell_end(told.run_id)
            elif told.kind == "incumbent":
                await self._incumbent(told)
            else:
                await self._event(told.run_id, told.attempt, told.kind, told.payload)
        except Exception as error:
            if not is_away(error):
                log.exception("an event could not be written", run_id=told.run_id, kind=told.kind)
                return True
            log.exception("the store can't be written", run_id=told.run_id, kind=told.kind)
            return told.kind not in (FINAL, TELL) or self._closing  # the next start takes it up
        return True

    async def _event(self, run_id: str, attempt: int, kind: str, payload: dict[str, Any]) -> None:
        at = datetime.now(UTC)
        number = await asyncio.to_thread(self.store.runs.note_event, run_id, attempt, kind, payload, at)
        if number is not None:
            self.broadcast.publish(run_id, Event(number, kind, at.isoformat(), payload))

    async def _incumbent(self, told: _Told) -> None:
        payload = dict(told.payload)
        plan = payload.pop("plan")
        sha = await asyncio.to_thread(self.store.blobs.put, plan)
        await asyncio.to_thread(
            self.store.runs.checkpoint, told.run_id, told.attempt, sha, payload["npv_usd"], payload["bound_usd"], payload["gap"]
        )  # fmt: skip
        await self._event(told.run_id, told.attempt, "incumbent", payload)

    # ends --------------------------------------------------------------------------------------

    async def _end(self, run_id: str, attempt: int, ended: Ended) -> None:
        if self.active.get(run_id) == attempt:
            del self.active[run_id]
            self._progress.pop(run_id, None)
        run = await asyncio.to_thread(self.store.runs.get, run_id)
        try:
            await self._ended(run, attempt, ended)
        except Exception as error:
            if is_away(error):
                raise
            log.exception("a run's end can't be stored as it is", run_id=run_id)
            problem = {"code": Failure.INTERNAL_ERROR.value, "detail": f"its end can't be stored: {type(error).__name__}: {error}"}
            await self._finish(run, attempt, RunState.FAILED, {}, None, problem)
        self.ring()

    async def _ended(self, run: Any, attempt: int, ended: Ended) -> None:
        """Write an attempt's end, or give the run back for another one."""
        if ended.fate is Fate.CRASHED:
            CRASHES.inc()
        if ended.fate is Fate.DONE and ended.outcome is not None:
            await self._done(run, attempt, dict(ended.outcome))
        elif ended.fate is Fate.KILLED or run.id in self._kills:
            await self._finish(run, attempt, RunState.CANCELLED, {}, None, None)
        elif ended.fate is Fate.OVERDUE:
            await self._finish_with_best(run.id, attempt, "time_limit")
        elif self._closing:
            return  # the next start takes it up
        elif run.state is RunState.STOPPING:
            await self._finish_with_best(run.id, attempt, "user_stop")
        elif ended.fate is Fate.LOST and (run.id in self._not_before or self._lost.get(run.id, 0) < LOST_MOST):
            self._lost[run.id] = self._lost.get(run.id, 0) + int(run.id not in self._not_before)
            await asyncio.to_thread(self.store.runs.requeue, run.id, attempt)
        elif ended.fate is Fate.CRASHED and run.crashes < RETRIES:
            await asyncio.to_thread(self.store.runs.requeue, run.id, attempt, crashed=True)
            log.warning("the solve's process ended; it is tried once more", run_id=run.id, attempt=attempt)
        elif ended.fate is Fate.CRASHED:
            problem = {"code": "worker_crashed", "detail": "the process that solved it ended unexpectedly, twice"}
            await self._finish(run, attempt, RunState.FAILED, {}, None, problem)
        else:
            problem = {"code": "cluster_lost", "detail": ended.detail or "the cluster was lost"}
            await self._finish(run, attempt, RunState.FAILED, {}, None, problem)

    async def _done(self, run: Any, attempt: int, outcome: dict[str, Any]) -> None:
        plan = outcome.pop("plan", None)
        failure = outcome.get("failure")
        explains = run.mode is RunMode.EXPLAIN
        if failure is not None and (explains or failure["kind"] not in ("infeasible", "no_plan")):
            problem = {"code": failure["kind"], "detail": failure["detail"], "errors": failure.get("faults", [])}
            await self._finish(run, attempt, RunState.FAILED, outcome, None, problem)
            return
        if explains:
            await self._explained(run, attempt, outcome)
            return
        if run.mode is RunMode.EVALUATE and failure is not None and failure["kind"] == Failure.NO_PLAN:
            await self._not_scored(run, attempt, str(outcome.get("stop_reason")))
            return
        kept = await asyncio.to_thread(self._better_kept, run, plan, outcome)
        if kept is not None:
            await self._finish(run, attempt, RunState.SUCCEEDED, kept, run.plan_blob, None)
            return
        sha = await asyncio.to_thread(self.store.blobs.put, plan) if plan is not None else None
        await self._finish(run, attempt, RunState.SUCCEEDED, outcome, sha, None)

    async def _not_scored(self, run: Any, attempt: int, reason: str) -> None:
        """Write the end of an evaluation that has none: cancelled, if it was stopped; it has no plan to end with."""
        if reason == StopReason.USER_STOP:
            await self._finish(run, attempt, RunState.CANCELLED, {}, None, None)
            return
        problem = {"code": StopReason.TIME_LIMIT.value, "detail": "the plan was not scored in the time given"}
        await self._finish(run, attempt, RunState.FAILED, {}, None, problem)

    def _better_kept(self, run: Any, plan: bytes | None, outcome: dict[str, Any]) -> dict[str, Any] | None:
        """The outcome with the plan that is stored, where that of an earlier attempt is better than what this one has found.

        Args:
            plan: that it has found; None without one.
            outcome: of the engine, without the plan.
        """
        failure, summary = outcome.get("failure"), outcome.get("summary") or {}
        npv = summary.get("npv_usd") if plan is not None else None
        worse = npv is None and failure is not None and failure["kind"] == Failure.NO_PLAN
        if run.plan_blob is None or run.npv_usd is None or not (worse or (npv is not None and run.npv_usd > npv + margin(npv))):
            return None
        try:
            found = plan_from_bytes(self.store.blobs.get(run.plan_blob)).summary
        except (StoreError, InputError) as error:
            if is_away(error):
                raise
            log.exception("a stored plan can't be read", run_id=run.id)
            return None
        return with_kept(run, found, outcome)

    async def _explained(self, run: Any, attempt: int, outcome: dict[str, Any]) -> None:
        """Write the end of an explanation; one that was stopped without an answer is cancelled."""
        found = outcome.pop("explanation")
        if found is None and outcome["stop_reason"] == StopReason.USER_STOP:
            await self._finish(run, attempt, RunState.CANCELLED, {}, None, None)
            return
        text = json.dumps(found, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        sha = None if found is None else await asyncio.to_thread(self.store.blobs.put, text.encode())
        await self._finish(run, attempt, RunState.SUCCEEDED, outcome, None, None, explanation=sha)

    async def _finish_with_best(self, run_id: str, attempt: int, reason: str) -> None:
        """End a run with the best plan that it had told, or cancelled or without a solution if it has none."""
        run = await asyncio.to_thread(self.store.runs.get, run_id)
        outcome: dict[str, Any] = {"stop_reason": reason, "from_checkpoint": True}
        if run.mode is RunMode.EVALUATE:
            await self._not_scored(run, attempt, reason)
            return
        if run.plan_blob is None and reason == "user_stop":
            await self._finish(run, attempt, RunState.CANCELLED, {}, None, None)
            return
        if run.plan_blob is not None:
            try:
                outcome["summary"] = await asyncio.to_thread(self._summary, run.plan_blob, reason)
            except (StoreError, InputError) as error:
                if is_away(error):
                    raise
                log.exception("a stored plan can't be read", run_id=run_id)
                problem = {"code": Failure.INTERNAL_ERROR.value, "detail": str(error)}
                await self._finish(run, attempt, RunState.FAILED, {}, None, problem)
                return
        await self._finish(run, attempt, RunState.SUCCEEDED, outcome, run.plan_blob, None)

    def _summary(self, plan: str, reason: str) -> dict[str, Any]:
        """Summary of a plan that was stored on the way, for a run that ended for another reason."""
        return {**plan_from_bytes(self.store.blobs.get(plan)).summary.model_dump(mode="json"), "stop_reason": reason}

    async def _finish(
        self, run: Any, attempt: int, state: RunState, outcome: dict[str, Any], plan: str | None, problem: dict[str, Any] | None,
        *, explanation: str | None = None,
    ) -> None:  # fmt: skip
        """Write a run's end, once, and tell it."""
        run_id = run.id
        if run.study_id is not None and state is not RunState.CANCELLED:
            explanation = await asyncio.to_thread(self._entry, run, outcome, plan, problem)
        found = figures_of(state, outcome)
        event = {"status": found["solution_status"], **{name: found[name] for name in ("stop_reason", "npv_usd", "bound_usd", "gap")}}
        try:
            number = await asyncio.to_thread(
                self.store.runs.finish, run_id, attempt, state, **found, answer=answer_of(run, outcome), problem=problem, plan_blob=plan,
                answer_blob=explanation, event=event,
            )  # fmt: skip
        except AWAY:  # it may be written all the same, where only the database's answer was lost
            self._tell_later(run_id, attempt)
            raise
        if number is None and run_id not in self._untold:
            return
        self._kills.discard(run_id)
        self._lost.pop(run_id, None)
        self._untold.add(run_id)
        try:
            await self._tell_end(run_id)
        except AWAY:
            log.exception("the store can't be read", run_id=run_id)
            self._tell_later(run_id, attempt)

    def _tell_later(self, run_id: str, attempt: int) -> None:
        """Have an end that is written, or may be, told once the store is back."""
        self._untold.add(run_id)
        self._told.put_nowait(_Told(run_id, attempt, TELL, {}))

    async def _tell_end(self, run_id: str) -> None:
        """Tell a run's end that is written, with all that follows from it, unless somebody has."""
        if run_id not in self._untold:
            return
        run = await asyncio.to_thread(self.store.runs.get, run_id)
        if run.state not in FINAL_STATES:
            self._untold.discard(run_id)
            return
        try:
            await asyncio.to_thread(self._first_plan, run)
        except AWAY:
            raise
        except Exception:
            log.exception("a first plan can't become a baseline", run_id=run_id, line_id=run.line_id)
        events = await asyncio.to_thread(self.store.runs.events, run_id, run.last_event - 1)
        if run_id not in self._untold:
            return
        self._untold.discard(run_id)  # nothing else has its turn from here on, so that it is told once
        self._publish_end(run_id, events)
        RUNS.labels(run.mode, run.state.value, run.stop_reason or "").inc()
        if run.started_at is not None and run.finished_at is not None:
            RUN_SECONDS.labels(run.mode).observe((run.finished_at - run.started_at).total_seconds())
        log.info("run ended", run_id=run_id, attempt=run.attempt, state=run.state.value, status=run.solution_status, gap=run.gap)

    def _entry(self, run: Any, outcome: dict[str, Any], plan: str | None, problem: dict[str, Any] | None) -> str | None:
        """The blob of what a study keeps of a run; None where nothing can be made of it."""
        try:
            made = self.studies.entry(run, outcome, None if plan is None else self.store.blobs.get(plan), problem)
            return self.store.blobs.put(made)
        except Exception as error:
            if is_away(error):
                raise
            log.exception("a study can't keep a run", run_id=run.id, study_id=run.study_id)
            return None

    def _first_plan(self, run: Any) -> None:
        """A plan line's first plan becomes its baseline; not one that is held to something that its dataset does not ask."""
        if run.line_id is not None and is_first_plan(run):
            self.store.lines.begin(run.line_id, run.id, run.dataset_id)

    async def _ended_elsewhere(self, run: Any) -> None:
        """Tell the end of a run that the store has written."""
        self._publish_end(run.id, await asyncio.to_thread(self.store.runs.events, run.id, run.last_event - 1))

    def _publish_end(self, run_id: str, events: Iterable[Any]) -> None:
        for row in events:
            if row.kind == FINAL:
                self.broadcast.publish(run_id, Event(row.number, row.kind, row.at.isoformat(), row.payload))
