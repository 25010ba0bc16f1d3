"""Studies over HTTP: accepted, carried out as runs a few at a time, and what they say together.

Runs of a study are made when there is room for them, so that a long study fills neither queue nor disk ahead of time, and what is asked
one by one goes first. What a study keeps of a run is stored with the run's end.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import structlog

from api.asking import Asking, of_request, sha_of
from api.metrics import STORED
from api.problems import FaultItem, ProblemError, check_time_limit, faults_problem
from api.recent import Recent
from api.schemas.studies import StudyRequest
from api.store import OPEN_STATES, BlobError, ConflictError, NotFoundError, RunMode, RunState, StoreError, question_of
from api.supervisor import is_away
from api.version import VERSION
from batch.study.asked import WARMING, Asked
from batch.study.findings import Findings, findings_of
from batch.study.results import entry_of
from models.changes import ChangeError, apply, read_changes
from models.faults import InputError
from models.study import StudyError, check_scenarios, study_of
from models.targets import limits_in_words, read_most
from models.uncertainty import UncertaintyError

if TYPE_CHECKING:
    from api.service import Service

AHEAD = 1
"""Runs of a study that wait or run beyond one per worker."""
TRIED = 10
"""Scenarios that are tried on the dataset before a study is accepted."""
AT_ONCE = 20
"""Most runs of a study that are made before others have their turn."""
GROWING = 20
"""Most studies that may make runs at a time."""
KEPT = 4
"""Studies, and what they say, that are kept in memory."""
log = structlog.get_logger("studies")


class Studies:
    """Studies of a service.

    Args:
        service: with its store.
    """

    def __init__(self, service: Service) -> None:
        self.service = service
        self._asked: Recent[Asked] = Recent(KEPT, self._read)
        self._found: Recent[Findings] = Recent(KEPT, lambda key: self._together(key.split("\n")[0]))

    # what is asked -----------------------------------------------------------------------------

    def study(self, id: str) -> Any:
        """A study's row.

        Raises:
            ProblemError: 404, there is none.
        """
        try:
            return self.service.store.studies.get(id)
        except NotFoundError:
            raise ProblemError(404, "unknown_study", f"there is no study {id}") from None

    def accept(self, asked: StudyRequest, key_id: str, idempotency_key: str | None = None) -> Any:
        """Take a study; its row.

        Args:
            key_id: API key of the caller.
            idempotency_key: of the request; one that comes again finds the study that it made.

        Raises:
            ProblemError: it can't be asked, or too many are under way.
        """
        service, by = self.service, Asking(key_id, idempotency_key, sha_of(asked))
        made = None if idempotency_key is None else service.store.studies.with_key(key_id, idempotency_key)
        if made is not None:
            return of_request(made, by.request)
        if len(service.store.studies.growing()) >= GROWING:
            raise ProblemError(429, "too_many_studies", f"{GROWING} studies are under way already", headers={"Retry-After": "60"})
        dataset_id, run, line_id = self._base(asked)
        document = asked.document()
        planned = self._checked(document, dataset_id, run)
        options = {
            "gap": asked.gap,
            "time_limit": asked.time_limit,
            "seed": asked.seed,
            "threads": service.settings.threads,
            "warming": WARMING,
        }
        row = service.store.studies.create(
            asked.name, document=document, planned=planned, options=options, base_dataset_id=dataset_id, baseline_run_id=run.id, line_id=line_id,
            code_version=VERSION, created_by=key_id, idempotency_key=idempotency_key, request_sha=None if idempotency_key is None else by.request,
        )  # fmt: skip
        return row if idempotency_key is None else of_request(row, by.request)

    def _base(self, asked: StudyRequest) -> tuple[str, Any, str | None]:
        """Dataset, run with the base plan, and line.

        Raises:
            ProblemError: there is no such thing, or it has no plan.
        """
        if asked.baseline is not None:
            run = self.service.run(asked.baseline, "/baseline")
            dataset, line_id = run.dataset_id, run.line_id
        else:
            base = self.service.of_line(asked.line or "", "/line")
            dataset, run, line_id = base.dataset, base.baseline, base.line
        if run is None or run.plan_blob is None or run.mode is RunMode.EXPLAIN:
            what = f"run {asked.baseline}" if asked.baseline else "the plan line"
            raise ProblemError(409, "no_baseline", f"{what} has no plan to start from; plan first, with mode plan")
        return dataset, self.service.ended(run), line_id

    def _checked(self, document: Mapping[str, Any], dataset_id: str, run: Any) -> int:
        """Runs of a study whose file has no faults, and whose first scenarios can be carried out.

        Raises:
            ProblemError: 413, too many runs; 422, faults.
        """
        s, where = self.service.settings, "study"
        check_time_limit(document["time_limit"], s.time_limit_most)
        if (document["scenarios"].get("uncertainty") or {}).get("file") is not None:
            message = "names a file, which the service does not read; give what it has as sources"
            item = FaultItem(pointer="/scenarios/uncertainty/file", message=message, code="not_over_http")
            raise ProblemError(422, "bad_study", f"scenarios.uncertainty.file {message}", [item])
        try:
            study = study_of(document, where)
            if study.count() > s.study_most:
                raise ProblemError(413, "too_many_runs", f"{study.count():,} runs; at most {s.study_most:,} are allowed")
            dataset, plan = self.service.dataset(dataset_id), self.service.plan_of(run)
            asked = Asked.of(study, dataset, plan)
            check_scenarios(dataset, asked.scenarios, plan, where, TRIED)
        except (StudyError, UncertaintyError) as error:
            raise faults_problem(422, "bad_study", str(error.faults[0]), error.faults) from None
        return len(asked.scenarios)

    def _read(self, id: str) -> Asked:
        """A study as its runs and findings need it.

        Raises:
            ProblemError: 409, its base plan was deleted.
        """
        row = self.study(id)
        if row.baseline_run_id is None:
            raise ProblemError(409, "no_baseline", f"the base plan of study {id} was deleted")
        plan = self.service.plan_of(self.service.run(row.baseline_run_id))
        return Asked.of(study_of(row.document), self.service.dataset(row.base_dataset_id), plan)

    # runs --------------------------------------------------------------------------------------

    def feed(self, workers: int) -> bool:
        """Make the next runs of every study that has room for them; whether more could be made at once.

        Args:
            workers: that can solve at a time.
        """
        store, more = self.service.store, False
        for row in store.studies.growing():
            counts = store.studies.counts(row.id)
            room = workers + AHEAD - sum(counts[state] for state in OPEN_STATES)
            try:
                for number in range(row.made, min(row.planned, row.made + AT_ONCE)):
                    if room <= 0 or store.studies.get(row.id).stop_asked_at is not None:
                        break
                    room -= int(self._make(row, number))
                else:
                    more = more or row.made + AT_ONCE < row.planned
            except ConflictError:  # it was asked to stop while the run was made ready
                continue
            except (ProblemError, InputError, NotFoundError, BlobError) as error:  # what it began with can't be read any more
                log.exception("a study can't go on", study_id=row.id)
                if not is_away(error):
                    store.studies.ask_stop(row.id)
        return more

    def _make(self, row: Any, number: int) -> bool:
        """Make a run of a study, once; whether it waits. One whose question was answered before has its answer at once."""
        service, asked = self.service, self._asked.get(row.id)
        scenario = asked.scenarios[number]
        changes = read_changes([dict(change) for change in scenario.changes])
        dataset_id: str | None = None
        answer: dict[str, Any] = {"sentences": [], "warnings": []}
        try:
            applied = apply(asked.dataset, changes, asked.plan)
        except ChangeError:
            pass  # the run says so itself: it fails, and the study counts it as one without a result
        else:
            service.keep(applied.dataset, row.created_by, derived=True)
            dataset_id = applied.dataset.sha256
            warnings = [{"pointer": w.pointer, "message": w.problem, "code": w.code} for w in applied.warnings]
            answer = {"sentences": [*applied.sentences, *limits_in_words(read_most(scenario.most))], "warnings": warnings}
        runs, mode, plain = service.store.runs, RunMode(asked.mode), [change.model_dump(mode="json") for change in changes]
        question = question_of(
            mode=mode, base_dataset_id=row.base_dataset_id, changes=plain, baseline_run_id=row.baseline_run_id, seed=row.options["seed"],
            code_version=VERSION, most=scenario.most,
        )  # fmt: skip
        known = runs.answered(question, row.options["gap"] or 0.0)
        run = runs.create(
            mode=mode, base_dataset_id=row.base_dataset_id, dataset_id=dataset_id, changes=plain,
            options={**row.options, "most": dict(scenario.most)}, baseline_run_id=row.baseline_run_id, line_id=row.line_id,
            question=question, code_version=VERSION, created_by=row.created_by, answer=answer, study_id=row.id, study_number=number,
        )  # fmt: skip
        answered = known is not None and self._answered(run, known)
        service.store.studies.made(row.id, number)
        return not answered

    def _answered(self, run: Any, known: Any) -> bool:
        """End a run of a study with a copy of the answer that another run has to the same question; whether that could be done."""
        store, found = self.service.store, dict(known.answer or {})
        if run.state is not RunState.QUEUED:  # it was there already
            return False
        if known.plan_blob is None and known.solution_status is not None:
            found["failure"] = {"kind": "infeasible", "detail": "no plan holds all directives, hard duties and limits"}
        try:
            plan = None if known.plan_blob is None else store.blobs.get(known.plan_blob)
            entry = store.blobs.put(self.entry(run, found, plan, None))
            sha = None if plan is None else store.blobs.put(plan)  # fresh again, so that it stays though the other run goes
        except (StoreError, InputError):
            log.exception("a stored answer can't be read", run_id=known.id)
            return False
        figures = {name: getattr(known, name) for name in ("solution_status", "stop_reason", "npv_usd", "bound_usd", "gap")}
        event = {"status": figures["solution_status"], **{name: figures[name] for name in ("stop_reason", "npv_usd", "bound_usd", "gap")}}
        answer = {name: value for name, value in found.items() if name != "failure"}
        ended = store.runs.finish(
            run.id, run.attempt, RunState.SUCCEEDED, **figures, answer=answer, plan_blob=sha, answer_blob=entry, event=event
        )  # fmt: skip
        STORED.inc(int(ended is not None))
        return ended is not None

    def entry(self, run: Any, outcome: Mapping[str, Any], plan: bytes | None, problem: Mapping[str, Any] | None) -> bytes:
        """What a study keeps of a run that has ended.

        Args:
            outcome: of the engine, without the plan.
            plan: the run's plan; None without one.
            problem: why it failed or was cancelled; None where it did not.
        """
        failure = outcome.get("failure")
        if failure is None and problem is not None:
            failure = {"kind": problem["code"], "detail": problem["detail"]}
        if failure is None and plan is None and outcome.get("evaluation") is None:
            failure = {"kind": "no_plan", "detail": "no plan was found in the time given"}
        if plan is not None:
            failure = None
        asked = self._asked.get(run.study_id)
        found, _ = entry_of(asked, run.study_number, {**outcome, "plan": plan, "failure": failure}, max(1, run.attempt))
        return json.dumps(found, allow_nan=False, separators=(",", ":")).encode()

    async def stop(self, id: str) -> None:
        """Make no more runs of a study, and end those under way with the best plans that they have."""
        store, supervisor = self.service.store, self.service.supervisor
        await asyncio.to_thread(store.studies.ask_stop, id)
        for run in await asyncio.to_thread(store.studies.open_runs, id):  # from here on no more are made
            await supervisor.stop(run)

    # what they say -----------------------------------------------------------------------------

    def findings(self, row: Any) -> Findings:
        """What the runs that have ended say together.

        Raises:
            ProblemError: 409, its base plan was deleted.
        """
        return self._found.get(f"{row.id}\n{len(self.service.store.studies.entries(row.id))}")

    def _together(self, id: str) -> Findings:
        blobs = self.service.store.blobs
        entries = {number: json.loads(blobs.get(sha)) for number, sha in self.service.store.studies.entries(id).items()}
        return findings_of(self._asked.get(id), entries, None)
