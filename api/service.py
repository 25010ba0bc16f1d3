"""What the routes call: datasets and plans by their hashes, and questions as they are accepted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from api import keys
from api.asking import Asking, of_request, sha_of
from api.contained import parted
from api.events import Broadcast
from api.exports import Exports
from api.keys import NewKey, Role
from api.metrics import STORED
from api.outcomes import is_first_plan
from api.problems import FaultItem, ProblemError, check_time_limit, faults_problem
from api.recent import Recent
from api.schemas.runs import RunRequest
from api.sessions import Sessions
from api.settings import Settings
from api.store import FINAL_STATES, NotFoundError, RunMode, RunState, Saved, Store, question_of
from api.studies import Studies
from api.supervisor import RETRY_SEED, Supervisor
from api.version import VERSION
from batch.engine import Job
from models.changes import Applied, Change, ChangeError, Where, apply, read_changes
from models.dataset import Dataset
from models.faults import closest
from models.plan import Plan
from models.plan_files import plan_from_bytes
from models.targets import limits_in_words, read_most

DATASETS, PLANS = 8, 8
"""How many are kept ready in memory."""
CHANGES_AT, SCENARIO_AT = "/changes", "/scenario"
"""JSON pointers of the changes of a request, and of the scenario that it is about."""
LOOKED_AT = 200
"""How many there are at most among which a close spelling is looked for."""
ALIKE = 0.9
"""How alike two ids must be for one to be meant by the other: they have nothing to be recognised by."""


@dataclass(frozen=True)
class Base:
    """What changes are made to.

    Attributes:
        dataset: hash of the dataset.
        baseline: the run whose plan is the baseline, if there is one.
        changes: those of the scenario and its parents, as plain values, in order, without those that the baseline contains.
        line, scenario, revision: where they come from.
        accepted: changes of the scenario and its parents that the baseline contains since it was accepted.
        contained: other changes that it contains.
        told: warnings of the service itself: pointer, message, code.
    """

    dataset: str
    baseline: Any | None = None
    changes: tuple[dict[str, Any], ...] = ()
    line: str | None = None
    scenario: str | None = None
    revision: int | None = None
    accepted: tuple[dict[str, Any], ...] = ()
    contained: tuple[dict[str, Any], ...] = ()
    told: tuple[dict[str, str], ...] = ()


@dataclass
class Service:
    """A running service.

    Args:
        settings: of it.
        store: where everything is kept.
    """

    settings: Settings
    store: Store
    broadcast: Broadcast = field(default_factory=Broadcast)
    sessions: Sessions = field(default_factory=Sessions)

    def __post_init__(self) -> None:
        """Set up what is kept in memory."""
        self.datasets: Recent[Dataset] = Recent(DATASETS, self.store.datasets.load)
        self.plans: Recent[Plan] = Recent(PLANS, lambda sha: plan_from_bytes(self.store.blobs.get(sha)))
        self.exports = Exports(self.settings.folder / "exports")
        self.studies = Studies(self)
        self.supervisor = Supervisor(self.store, self.broadcast, self.settings, self.job_of, self.studies)

    # datasets ----------------------------------------------------------------------------------

    def dataset(self, sha: str, pointer: str = "") -> Dataset:
        """A dataset by its hash.

        Args:
            pointer: JSON pointer of what names it in the request's body, if that does.

        Raises:
            ProblemError: 404, there is none.
        """
        try:
            return self.datasets.get(sha)
        except NotFoundError:
            known = [row.id for row in self.store.datasets.list(limit=LOOKED_AT).items] if pointer else []
            raise _unknown("unknown_dataset", "dataset", sha, pointer, ids=known) from None

    def known(self, sha: str) -> bool:
        """Whether a dataset is stored."""
        try:
            self.store.datasets.get(sha)
        except NotFoundError:
            return False
        return True

    def keep(self, dataset: Dataset, key_id: str, *, derived: bool = False) -> Any:
        """Store a dataset, once; its row."""
        self.datasets.put(dataset.sha256, dataset)
        return self.store.datasets.put(dataset, key_id, derived=derived)

    # runs --------------------------------------------------------------------------------------

    def run(self, id: str, pointer: str = "") -> Any:
        """A run's row.

        Args:
            pointer: JSON pointer of what names it in the request's body, if that does.

        Raises:
            ProblemError: 404, there is none.
        """
        try:
            return self.store.runs.get(id)
        except NotFoundError:
            known = [row.id for row in self.store.runs.list(limit=LOOKED_AT, of_studies=False).items] if pointer else []
            raise _unknown("unknown_run", "run", id, pointer, ids=known) from None

    def ended(self, run: Any) -> Any:
        """A run whose plan stays as it is.

        Raises:
            ProblemError: 409, it goes on, and may find a better one.
        """
        if run.state not in FINAL_STATES:
            detail = f"run {run.id} has not ended, so that its plan may still change; wait for its end, or stop it"
            raise ProblemError(409, "not_ended", detail)
        return run

    def plan_of(self, run: Any) -> Plan:
        """The plan of a run.

        Raises:
            ProblemError: 409, it has none (yet).
        """
        if run.plan_blob is None:
            raise ProblemError(409, "no_plan", f"run {run.id} has no plan" + ("" if run.state in FINAL_STATES else " yet"))
        return self.plans.get(run.plan_blob)

    def line(self, name: str, pointer: str = "") -> Any:
        """A plan line by its id or name.

        Args:
            pointer: JSON pointer of what names it in the request's body, if that does.

        Raises:
            ProblemError: 404, there is none.
        """
        try:
            return self.store.lines.get(name)
        except NotFoundError:
            known = self.store.lines.list(limit=LOOKED_AT).items if pointer else []
            names = {row.name: row.name for row in known}
            raise _unknown("unknown_line", "plan line", name, pointer, [row.id for row in known], names) from None

    def scenario(self, id: str, pointer: str = "") -> Saved:
        """A scenario.

        Args:
            pointer: JSON pointer of what names it in the request's body, if that does.

        Raises:
            ProblemError: 404, there is none.
        """
        try:
            return self.store.scenarios.get(id)
        except NotFoundError:
            known = [saved.scenario for saved in self.store.scenarios.list(limit=LOOKED_AT).items] if pointer else []
            names = {row.name: row.id for row in known}
            raise _unknown("unknown_scenario", "scenario", id, pointer, [row.id for row in known], names) from None

    def of_line(self, name: str, pointer: str = "") -> Base:
        """A plan line's dataset and baseline.

        Args:
            pointer: JSON pointer of what names it in the request's body, if that does.
        """
        line = self.line(name, pointer)
        baseline = None if line.run_id is None else self.run(line.run_id)
        return Base(line.dataset_id, baseline, (), line.id, contained=tuple(line.changes))

    def of_scenario(self, id: str, pointer: str = "") -> Base:
        """A scenario's line, and all changes from there; those that the line's baseline contains by now are not made again.

        Args:
            pointer: JSON pointer of what names it in the request's body, if that does.
        """
        self.scenario(id, pointer)
        chain = self.store.scenarios.lineage(id)
        base = self.of_line(chain[0].scenario.parent_line_id or "")
        found = parted([change for saved in chain for change in saved.revision.changes], base.contained)
        return replace(
            base, changes=found.left, scenario=id, revision=chain[-1].revision.revision, accepted=found.contained, contained=found.over
        )

    def warnings_of(self, base: Base, pointer: str = SCENARIO_AT) -> list[dict[str, str]]:
        """What the service itself warns of: changes that are not made again, and what the base says besides.

        Args:
            pointer: JSON pointer of what names the scenario.
        """
        said = "the baseline contains this change already, so that it is not made again"
        told = []
        if base.accepted:
            dataset = self.dataset(base.dataset)
            sentences = [change.sentence(dataset) for change in self.read(replace(base, changes=base.accepted), [])]
            told = [{"pointer": pointer, "message": f"{sentence}: {said}", "code": "accepted_already"} for sentence in sentences]
        return [*told, *base.told]

    def base_of(self, asked: RunRequest) -> Base:
        """What a question is about.

        Raises:
            ProblemError: there is no such thing, or it has no plan to start from.
        """
        if asked.dataset is not None:
            self.dataset(asked.dataset, "/dataset")
            return Base(asked.dataset)
        if asked.baseline is not None:
            run = self.run(asked.baseline, "/baseline")
            base = Base(run.dataset_id, run, (), run.line_id)
        elif asked.line is not None:
            base = self.of_line(asked.line, "/line")
        else:
            base = self.of_scenario(asked.scenario or "", SCENARIO_AT)
        if asked.mode is not RunMode.PLAN and (base.baseline is None or base.baseline.plan_blob is None):
            what = f"run {asked.baseline}" if asked.baseline else "the plan line"
            raise ProblemError(409, "no_baseline", f"{what} has no plan to start from; plan first, with mode plan")
        if base.baseline is not None:
            self.ended(base.baseline)
        return base

    def changed(self, base: Base, asked: Sequence[dict[str, Any]], source: str = "") -> Applied:
        """Changes on a base, carried out; faults and warnings say where they stand in the request.

        Args:
            source: JSON pointer of what names the base, which is at fault where its own changes are.

        Raises:
            ProblemError: 413, too many; 422, they have faults.
        """
        return self.applied(base, self.read(base, asked), Where(CHANGES_AT, len(base.changes), source))

    def check_scenario(self, base: Base, asked: Sequence[dict[str, Any]], source: str = "") -> None:
        """See that the changes of a scenario can be carried out, apart from those that the baseline contains.

        Args:
            base: what the scenario builds on.
            source: JSON pointer of what names it.

        Raises:
            ProblemError: as of :meth:`changed`.
        """
        found = parted(asked, base.contained)
        try:
            self.changed(base, found.left, source)
        except ProblemError as error:
            items = [item.model_copy(update={"pointer": _placed(item.pointer, found.places)}) for item in error.errors]
            raise ProblemError(error.status, error.code, error.detail, items, error.headers) from None

    def read(self, base: Base, asked: Sequence[dict[str, Any]]) -> list[Change]:
        """The changes of a question, not yet carried out.

        Raises:
            ProblemError: 413, too many; 422, they can't be read.
        """
        most = self.settings.changes_most
        if len(asked) + len(base.changes) > most:
            raise ProblemError(413, "too_many_changes", f"{len(asked) + len(base.changes)} changes; at most {most} are allowed")
        try:
            return read_changes(list(base.changes), CHANGES_AT) + read_changes(list(asked), CHANGES_AT)
        except ChangeError as error:
            raise faults_problem(422, "bad_changes", str(error.faults[0]), error.faults) from None

    def applied(self, base: Base, changes: Sequence[Change], where: Where) -> Applied:
        """Changes carried out.

        Args:
            changes: those of the base among them.
            where: they stand in the request.

        Raises:
            ProblemError: 422, they have faults.
        """
        try:
            plan = None if base.baseline is None or base.baseline.plan_blob is None else self.plan_of(base.baseline)
            return apply(self.dataset(base.dataset), changes, plan, where)
        except ChangeError as error:
            raise faults_problem(422, "bad_changes", str(error.faults[0]), error.faults) from None

    def _of_run(self, base: Base, changes: Sequence[Change]) -> Applied:
        """Changes of a new run, carried out. Warnings tell their place among all changes of the run, faults theirs in the request.

        Raises:
            ProblemError: 422, they have faults.
        """
        try:
            return self.applied(base, changes, Where(CHANGES_AT))
        except ProblemError:
            if base.changes:
                self.applied(base, changes, Where(CHANGES_AT, len(base.changes), SCENARIO_AT))
            raise

    def accept(self, asked: RunRequest, key_id: str, idempotency_key: str | None = None) -> tuple[Any, bool]:
        """Take a question: a new run, or one that has answered it.

        Args:
            key_id: API key of the caller.
            idempotency_key: of the request; one that comes again finds the run that it made, whatever happened to its answer.

        Returns:
            The run's row, and whether it is an answer from the store.

        Raises:
            ProblemError: it can't be asked, or too many runs wait.
        """
        by = Asking(key_id, idempotency_key, sha_of(asked))
        made = self.made_by(by)
        if made is not None:
            return made, False
        base = self.base_of(asked)
        options: dict[str, Any] = {
            "gap": asked.gap, "time_limit": asked.time_limit, "seed": asked.seed, "threads": self.settings.threads,
        }  # fmt: skip
        options |= {"most": {measure.value: amount for measure, amount in asked.most.items()}} if asked.most else {}
        return self.enter(by, asked.mode, base, self.read(base, asked.changes), options, fresh=asked.fresh)

    def made_by(self, by: Asking) -> Any | None:
        """The run that a request has made before, if it has an idempotency key.

        Raises:
            ProblemError: 422, the key was used for another request.
        """
        made = None if by.idempotency_key is None else self.store.runs.with_key(by.key_id, by.idempotency_key)
        return None if made is None else of_request(made, by.request)

    def enter(
        self, by: Asking, mode: RunMode, base: Base, changes: Sequence[Change], options: dict[str, Any], *, fresh: bool,
        ask: dict[str, Any] | None = None,
    ) -> tuple[Any, bool]:  # fmt: skip
        """Store a question as a run that waits, unless the store has its answer.

        Args:
            by: who asks.
            options: of the run: gap, time_limit, seed, threads, and what measures are held to, if any (most).
            fresh: whether answers in the store do not count.
            ask: what is asked, of mode explain.

        Returns:
            The run's row, and whether it is an answer from the store.

        Raises:
            ProblemError: the changes have faults, or too many runs wait.
        """
        s, baseline = self.settings, None if base.baseline is None else base.baseline.id
        check_time_limit(options["time_limit"], s.time_limit_most)
        plain = [change.model_dump(mode="json") for change in changes]
        told = self.warnings_of(base)
        question = question_of(
            mode=mode,
            base_dataset_id=base.dataset,
            changes=plain,
            baseline_run_id=baseline,
            seed=options["seed"],
            code_version=VERSION,
            ask=ask,
            most=options.get("most"),
            told=told,
        )
        if not fresh:
            known = self.store.runs.answered(question, options["gap"] or 0.0)
            if known is not None:
                STORED.inc()
                if base.line is not None and base.baseline is None and is_first_plan(known):  # no run of the line will end with it
                    self.store.lines.begin(base.line, known.id, base.dataset)
                return known, True
        if self.store.runs.counts(of_studies=False)[RunState.QUEUED] >= s.queue_most:  # studies have a bound of their own
            raise ProblemError(429, "queue_full", f"{s.queue_most} runs wait already", headers={"Retry-After": "10"})
        applied = self._of_run(base, changes)  # not before the store was asked: it takes longest
        self.keep(applied.dataset, by.key_id, derived=True)
        run = self.store.runs.create(
            mode=mode, base_dataset_id=base.dataset, dataset_id=applied.dataset.sha256, changes=plain, options=options, ask=ask,
            baseline_run_id=baseline, line_id=base.line, scenario_id=base.scenario, revision=base.revision,
            question=question, code_version=VERSION, created_by=by.key_id,
            answer={
                "sentences": [*applied.sentences, *limits_in_words(read_most(options.get("most", {})))],
                "warnings": [*told, *({"pointer": w.pointer, "message": w.problem, "code": w.code} for w in applied.warnings)],
                **({"own_warnings": told} if told else {}),
            },
            idempotency_key=by.idempotency_key, request_sha=None if by.idempotency_key is None else by.request,
        )  # fmt: skip
        return run if by.idempotency_key is None else of_request(run, by.request), False

    def job_of(self, run: Any) -> Job:
        """The engine's job of a run."""
        options, blobs = run.options, self.store.blobs
        dataset = blobs.get(self.store.datasets.get(run.base_dataset_id).blob)
        baseline = None if run.baseline_run_id is None else self.run(run.baseline_run_id).plan_blob
        seed = options["seed"] + RETRY_SEED * run.crashes
        return Job(
            run_id=run.id, attempt=run.attempt, dataset=dataset, changes=run.changes, baseline=None if baseline is None else blobs.get(baseline),
            start=None if run.plan_blob is None else blobs.get(run.plan_blob), mode=run.mode, ask=run.ask, gap=options["gap"] or 0.0,
            time_limit=options["time_limit"], warming=options.get("warming", 0.0), seed=seed % 2**31, threads=options["threads"],
            most=options.get("most", {}),
        )  # fmt: skip

    # keys --------------------------------------------------------------------------------------

    def new_key(self, name: str, role: Role, days: int | None = None) -> tuple[NewKey, Any]:
        """Make a key; its text is known only now."""
        key = keys.make()
        expires = None if days is None else datetime.now(UTC) + timedelta(days=days)
        return key, self.store.keys.create(key.id, name, role, key.hash, expires)


def _unknown(code: str, what: str, given: str, pointer: str, ids: Iterable[str] = (), names: dict[str, str] | None = None) -> ProblemError:
    """What a request names and there is not.

    Args:
        code: stable name of the problem.
        what: kind of thing.
        given: as it was named.
        pointer: JSON pointer of what names it in the request's body; empty if that does not.
        ids: of things of this kind.
        names: of such things, and how each is to be given.
    """
    said = f"there is no {what} {given}"
    if not pointer:
        return ProblemError(404, code, said)
    near = closest(given, ids, ALIKE) or (names or {}).get(closest(given, names or {}), "")
    item = FaultItem(pointer=pointer, message=said, code="unknown_id", value=given[:80], suggestion=near or None)
    return ProblemError(404, code, f"{said}; did you mean {near}?" if near else said, [item])


def _placed(pointer: str, places: Sequence[int]) -> str:
    """A pointer into some of the changes of a request as one into all of them.

    Args:
        places: of each of these, its index among all.
    """
    start, _, rest = pointer.removeprefix(f"{CHANGES_AT}/").partition("/")
    if not pointer.startswith(f"{CHANGES_AT}/") or not start.isdecimal() or int(start) >= len(places):
        return pointer
    return "/".join(part for part in (CHANGES_AT, str(places[int(start)]), rest) if part)
