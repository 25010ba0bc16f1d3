"""Questions about plans as they are accepted, and their answers as they were stored."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from api.asking import Asking, sha_of
from api.problems import FaultItem, ProblemError
from api.schemas.explanations import ConflictRequest, ExplanationRequest, question_part
from api.service import Base, Service
from api.store import RunMode
from models.targets import limits_in_words, read_most
from optimizer.explain.placement import PlacementError
from optimizer.explain.question import check_question, read_question


def accept(service: Service, asked: ExplanationRequest, key_id: str, idempotency_key: str | None = None) -> tuple[Any, bool]:
    """Take a question about a plan: a new run of mode explain, or one that has answered it.

    Args:
        key_id: API key of the caller.
        idempotency_key: of the request.

    Returns:
        The run's row, and whether it is an answer from the store.

    Raises:
        ProblemError: it can't be asked, or too many runs wait.
    """
    by = Asking(key_id, idempotency_key, sha_of(asked))
    made = service.made_by(by)
    if made is not None:
        return made, False
    ask = question_part(asked)
    base, given = _base_of(service, asked), asked.changes if isinstance(asked, ConflictRequest) else []
    options: dict[str, Any] = {"gap": None, "time_limit": asked.time_limit, "seed": asked.seed, "threads": service.settings.threads}
    most = {} if base.baseline is None else base.baseline.options.get("most", {})
    if isinstance(asked, ConflictRequest):
        options |= {"most": most} if most and asked.run is not None else {}
    else:
        _check(service, base, ask)
        base = replace(base, told=_left_out(most))
    return service.enter(by, RunMode.EXPLAIN, base, service.read(base, given), options, fresh=asked.fresh, ask=ask)


def _left_out(most: dict[str, float]) -> tuple[dict[str, str], ...]:
    """What has to be said of a plan that is held to totals: explanations know the rules of its dataset only."""
    if not most:
        return ()
    words = "; ".join(limits_in_words(read_most(most)))
    message = f"the plan is held to totals ({words}), which this answer leaves out: what it compares the plan with may exceed them"
    return ({"pointer": "", "message": message, "code": "totals_left_out"},)


def _base_of(service: Service, asked: ExplanationRequest) -> Base:
    """What a question is about.

    Raises:
        ProblemError: 404, there is no such thing; 409, it has no plan to speak of.
    """
    if isinstance(asked, ConflictRequest):
        if asked.dataset is not None:
            service.dataset(asked.dataset, "/dataset")
            return Base(asked.dataset)
        if asked.scenario is not None:
            return service.of_scenario(asked.scenario, "/scenario")
    if asked.line is not None:
        base = service.of_line(asked.line, "/line")
    else:
        run = service.run(asked.run or "", "/run")
        if run.mode is RunMode.EXPLAIN:
            raise ProblemError(409, "no_plan", f"run {run.id} is an explanation itself")
        base = Base(run.dataset_id, run, (), run.line_id, run.scenario_id, run.revision)
    if not isinstance(asked, ConflictRequest) and (base.baseline is None or base.baseline.plan_blob is None):
        what = f"run {asked.run}" if asked.run is not None else f"the plan line {asked.line}"
        raise ProblemError(409, "no_plan", f"{what} has no plan to explain; conflict says why a dataset has none")
    if base.baseline is not None:
        service.ended(base.baseline)
    return base


def _check(service: Service, base: Base, ask: dict[str, Any]) -> None:
    """See that a question can be answered, before a worker is asked.

    Raises:
        ProblemError: 422, it names what there is not.
    """
    try:
        check_question(read_question(ask), service.dataset(base.dataset), service.plan_of(base.baseline))
    except PlacementError as error:
        field = error.field or ("placement" if "placement" in ask else "")
        item = FaultItem(
            pointer=f"/{field}" if field else "", message=str(error), code="unknown_id" if error.suggestion else "bad_placement",
            value=str(ask[field]) if field in ask else None, suggestion=error.suggestion or None,
        )  # fmt: skip
        raise ProblemError(422, "bad_question", str(error), [item]) from None


def answer_of(service: Service, run: Any) -> dict[str, Any] | None:
    """The answer of an explanation, if there is one (yet)."""
    if run.answer_blob is None:
        return None
    found: dict[str, Any] = json.loads(service.store.blobs.get(run.answer_blob))
    return found


def explanation(service: Service, id: str) -> Any:
    """The run of an explanation.

    Raises:
        ProblemError: 404, there is none.
    """
    run = service.run(id)
    if run.mode is not RunMode.EXPLAIN:
        raise ProblemError(404, "unknown_explanation", f"run {id} is no explanation")
    return run
