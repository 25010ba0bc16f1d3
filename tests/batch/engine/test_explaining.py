"""Explanations as a worker answers them: what cuts them short, what can't be asked, and what is kept ready."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from batch.engine import Failure, Outcome, kept
from batch.engine.idle import idle
from batch.engine.solving import outcome_of
from models.plan_files import plan_to_bytes
from optimizer import plan
from tests.batch.engine.bench import job
from tests.factories import small_dataset


@pytest.fixture(scope="module")
def baseline() -> bytes:
    return plan_to_bytes(plan(small_dataset(), gap=0.0, threads=1))


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    kept.forget()
    yield
    kept.forget()


def explained(baseline: bytes | None, ask: dict[str, Any], *, stopped: bool = False, **more: Any) -> Outcome:
    stop = threading.Event()
    if stopped:
        stop.set()
    return outcome_of(job("run", mode="explain", baseline=baseline, ask=ask, **more), stop, lambda progress: None, lambda plan: None)


def test_what_runs_out_of_time_or_is_stopped_says_so(baseline: bytes) -> None:
    late = explained(baseline, {"kind": "prices"}, time_limit=1e-9)
    assert (late["explanation"], late["stop_reason"]) == (None, "time_limit")
    stopped = explained(baseline, {"kind": "prices"}, stopped=True)
    assert (stopped["explanation"], stopped["stop_reason"]) == (None, "user_stop")
    partly = explained(baseline, {"kind": "why_not", "gpus": 40.0, "site_id": "b"}, time_limit=1e-9)
    assert (partly["explanation"]["possible"], partly["stop_reason"]) == ("not found in time", "time_limit")


@pytest.mark.parametrize("ask", [{"kind": "why", "placement": "c@nowhere"}, {"kind": "why", "placement": "nobody"}])
def test_what_the_plan_does_not_have_is_no_crash(baseline: bytes, ask: dict[str, Any]) -> None:
    failure = explained(baseline, ask)["failure"]
    assert failure["kind"] == Failure.QUESTION_ERROR
    assert ask["placement"].partition("@")[2] in failure["detail"]


def test_a_question_about_no_plan_is_refused() -> None:
    assert explained(None, {"kind": "prices"})["failure"]["kind"] == Failure.PLAN_ERROR


def test_warming_for_which_an_explanation_had_no_time_goes_on_after_it(baseline: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batch.engine.explaining.WARMING", 0.0)
    begun: list[bool] = []
    monkeypatch.setattr(idle, "warm", lambda planner: begun.append(planner.ready))
    explained(baseline, {"kind": "why_not", "gpus": 40.0, "site_id": "b"})
    assert begun == [False]


def test_the_next_question_finds_the_models_ready(baseline: bytes) -> None:
    prices: dict[str, Any] = {"kind": "prices", "confirm": 1}
    first, again = explained(baseline, prices), explained(baseline, prices)
    assert (first["warm"], again["warm"]) == (False, True)
    assert again["explanation"] == first["explanation"]
    other = explained(baseline, prices, seed=1)
    assert other["warm"] is False
    asked = [explained(baseline, {"kind": "why_not", "gpus": 40.0, "site_id": "b"}) for _ in range(2)]
    assert [one["warm"] for one in asked] == [False, True]
    assert asked[0]["explanation"]["npv_usd"] == asked[1]["explanation"]["npv_usd"]
