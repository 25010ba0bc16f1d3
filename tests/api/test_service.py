"""What the service accepts, without an engine: baselines, totals, studies, and what is said of names that do not exist."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from api import explaining
from api.outcomes import answer_of
from api.problems import ProblemError
from api.routes import demo, lines
from api.schemas.explanations import ConflictRequest, PricesRequest
from api.schemas.lines import LineRequest, LineUpdate
from api.schemas.runs import RunRequest
from api.schemas.studies import StudyRequest
from api.service import Service
from api.settings import Settings
from api.store import RunMode, RunState, Store
from models.plan_files import plan_to_bytes
from models.targets import Measure
from optimizer import plan
from tests.factories import small_dataset

MADE = plan(small_dataset(), gap=0.0, threads=1)
HALF: dict[str, Any] = {"type": "supply.cut", "gen_id": "h100", "cut_share": 0.5}
DEAR: dict[str, Any] = {"type": "supply.price", "gen_id": "h100", "factor": 2}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service with a plan line that has no plan."""
    settings = Settings(folder=tmp_path, threads=1, queue_most=5)
    store = Store.open(settings.database_url, tmp_path)
    store.lines.create("small", store.datasets.put(small_dataset(), "anna").id)
    yield Service(settings, store)
    store.close()


def ended(service: Service, run: Any, **found: Any) -> Any:
    """A run, ended with a plan."""
    store, summary = service.store, MADE.summary
    assert store.runs.take(run.id) is not None
    figures = {"npv_usd": summary.npv_usd, "bound_usd": summary.bound_usd, "gap": summary.gap, "solution_status": "optimal"}
    answer = {**(run.answer or {}), "summary": summary.model_dump(mode="json")}
    given = {**figures, "plan_blob": store.blobs.put(plan_to_bytes(MADE)), "answer": answer, **found}
    assert store.runs.finish(run.id, 1, RunState.SUCCEEDED, **given) is not None
    return store.runs.get(run.id)


def ask(service: Service, **asked: Any) -> Any:
    """A new run."""
    run, stored = service.accept(RunRequest(**{"gap": 0.0, **asked}), "anna")
    assert not stored
    return run


def planned(service: Service, line: str = "small") -> Any:
    """A plan line's first plan, its baseline by now."""
    run = ended(service, ask(service, mode=RunMode.PLAN, line=line))
    assert service.store.lines.begin(run.line_id, run.id, run.dataset_id)
    return run


def accepted(service: Service, run: Any, line: str = "small") -> Any:
    """The line, with the plan of a run as its baseline."""
    row = service.store.lines.get(line)
    contained = service.store.runs.changes_in(run.id)
    return service.store.lines.update(row.id, row.version, run_id=run.id, dataset_id=run.dataset_id, changes=contained)


def refused(call: Callable[[], Any]) -> ProblemError:
    """The problem that a call ends with."""
    with pytest.raises(ProblemError) as caught:
        call()
    return caught.value


# baselines -----------------------------------------------------------------------------------------


def test_an_answer_from_the_store_is_the_baseline_of_a_line_that_has_none(service: Service) -> None:
    first = planned(service)
    other = service.store.lines.create("other", first.dataset_id)
    run, stored = service.accept(RunRequest(mode=RunMode.PLAN, line="other", gap=0.0), "anna")
    assert (run.id, stored) == (first.id, True)
    assert service.store.lines.get(other.id).run_id == first.id
    assert ask(service, line="other", changes=[HALF]).baseline_run_id == first.id, "a repair has a plan to start from"


def test_an_answer_from_the_store_replaces_no_baseline(service: Service) -> None:
    planned(service)
    second = ended(service, ask(service, mode=RunMode.PLAN, line="small", seed=3))
    before = accepted(service, second)
    run, stored = service.accept(RunRequest(mode=RunMode.PLAN, line="small", seed=3, gap=0.0), "anna")
    assert stored == (run.id == second.id)
    assert service.store.lines.get("small").run_id == before.run_id


@pytest.mark.parametrize(
    "ask_about",
    [
        lambda service, run: service.accept(RunRequest(baseline=run), "anna"),
        lambda service, run: lines.planned(service, run),
        lambda service, run: explaining.accept(service, PricesRequest(kind="prices", run=run), "anna"),
        lambda service, run: explaining.accept(service, ConflictRequest(kind="conflict", run=run), "anna"),
        lambda service, run: service.studies.accept(
            StudyRequest.model_validate({"name": "s", "baseline": run, "scenarios": {"list": [{"name": "half", "changes": [HALF]}]}}),
            "anna",
        ),
    ],
)
def test_a_run_that_goes_on_is_no_baseline(service: Service, ask_about: Callable[[Service, str], Any]) -> None:
    run, runs = ask(service, mode=RunMode.PLAN, line="small"), service.store.runs
    runs.take(run.id)
    sha = service.store.blobs.put(plan_to_bytes(MADE))
    assert runs.checkpoint(run.id, 1, sha, MADE.summary.npv_usd or 0.0, None, None)
    problem = refused(lambda: ask_about(service, run.id))
    assert (problem.status, problem.code) == (409, "not_ended")
    assert "may still change" in problem.detail
    assert runs.finish(run.id, 1, RunState.SUCCEEDED, npv_usd=MADE.summary.npv_usd, plan_blob=sha, gap=0.0) is not None
    assert ask_about(service, run.id)


# what a baseline contains --------------------------------------------------------------------------


def test_a_line_keeps_the_changes_of_its_baselines_and_a_scenario_does_not_make_them_twice(service: Service) -> None:
    planned(service)
    scenarios = service.store.scenarios
    id = scenarios.create("half", line_id=service.store.lines.get("small").id, changes=[HALF], created_by="anna").scenario.id
    first = ended(service, ask(service, scenario=id))
    assert [change["type"] for change in first.changes] == ["supply.cut"]
    view = lines.view_of(accepted(service, first))
    assert [change["cut_share"] for change in view.changes] == [0.5]
    again = ask(service, scenario=id)
    assert again.changes == []
    assert again.dataset_id == first.dataset_id, "half of the racks, and not a quarter"
    (warning,) = again.answer["warnings"]
    assert (warning["pointer"], warning["code"]) == ("/scenario", "accepted_already")
    assert warning["message"].startswith("h100")
    assert "not made again" in warning["message"]
    scenarios.revise(id, 1, changes=[HALF, DEAR, HALF], created_by="anna")
    more = ask(service, scenario=id)
    assert [change["type"] for change in more.changes] == ["supply.price", "supply.cut"], "contained once, made once more"
    view = lines.view_of(accepted(service, ended(service, more)))
    assert [change["type"] for change in view.changes] == ["supply.cut", "supply.price", "supply.cut"]
    assert lines.view_of(accepted(service, first)).changes == first.changes, "back to an earlier baseline"


def test_a_warning_of_the_service_is_there_when_the_run_has_ended(service: Service) -> None:
    """The worker tells the warnings of the changes that it makes, and knows no others."""
    run = planned(service)
    service.store.scenarios.create("half", line_id=run.line_id, changes=[HALF], created_by="anna")
    accepted(service, ended(service, ask(service, line="small", changes=[HALF])))
    again = ask(service, scenario=service.store.scenarios.list().items[0].scenario.id)
    found = answer_of(again, {"warnings": [{"pointer": "/changes/0", "message": "m", "code": "overlap"}], "failure": {}})
    assert [warning["code"] for warning in found["warnings"]] == ["accepted_already", "overlap"]


def test_a_scenario_that_was_accepted_can_be_revised(service: Service) -> None:
    planned(service)
    block = {"type": "site.add_block", "site_id": "a", "block_id": "a-x", "it_mw": 1, "air_mw": 1, "liquid_mw": 0, "energized": "2026-Q2"}
    accepted(service, ended(service, ask(service, line="small", changes=[block])))
    base = service.of_line("small")
    assert refused(lambda: service.changed(base, [block])).code == "bad_changes", "it is there"
    service.check_scenario(base, [block])
    problem = refused(lambda: service.check_scenario(base, [block, HALF, {**HALF, "gen_id": "h10"}]))
    assert [item.pointer for item in problem.errors] == ["/changes/2/gen_id"]


def test_lines_over_http_tell_what_their_baselines_contain(service: Service) -> None:
    from fastapi import Response

    planned(service)
    run = ended(service, ask(service, line="small", changes=[HALF]))
    caller: Any = None
    made = lines.create(caller, service, LineRequest(name="other", dataset=run.dataset_id, baseline=run.id), Response())
    assert made.changes == run.changes
    moved = lines.update(caller, service, "small", LineUpdate(baseline=run.id), Response(), "*")
    assert (moved.changes, moved.baseline) == (run.changes, run.id)


# totals --------------------------------------------------------------------------------------------


def test_explanations_of_a_plan_that_is_held_to_totals_say_what_they_leave_out(service: Service) -> None:
    planned(service)
    run = ended(service, ask(service, line="small", most={Measure.CAPITAL: 35_000.0}))
    prices, _ = explaining.accept(service, PricesRequest(kind="prices", run=run.id), "anna")
    (warning,) = prices.answer["warnings"]
    assert warning["code"] == "totals_left_out"
    assert "capital at most 35,000 USD" in warning["message"]
    conflict, _ = explaining.accept(service, ConflictRequest(kind="conflict", run=run.id), "anna")
    assert service.job_of(conflict).most == {"capital": 35_000.0}
    assert conflict.answer["sentences"] == ["capital at most 35,000 USD"]
    plain, _ = explaining.accept(service, ConflictRequest(kind="conflict", line="small"), "anna")
    assert service.job_of(plain).most == {}
    assert conflict.question != plain.question


# studies -------------------------------------------------------------------------------------------


def study(service: Service, **more: Any) -> Any:
    """A study of many runs."""
    many = [{"name": f"s{n}", "changes": [{**HALF, "cut_share": n / 100}]} for n in range(40)]
    asked = {"name": "many", "line": "small", "gap": 0, "with_base": False, "scenarios": {"list": many}, **more}
    return service.studies.accept(StudyRequest.model_validate(asked), "anna")


def test_runs_of_studies_do_not_fill_the_queue(service: Service) -> None:
    planned(service)
    row = study(service)
    service.studies.feed(3)
    assert service.store.studies.counts(row.id)[RunState.QUEUED] == 4
    for seed in range(5):  # as many as may wait
        ask(service, line="small", changes=[HALF], seed=seed)
    assert refused(lambda: ask(service, line="small", changes=[HALF], seed=5)).code == "queue_full"


@pytest.mark.parametrize("made", [0, 1])
def test_a_study_that_is_stopped_while_it_grows_makes_no_more_runs(service: Service, monkeypatch: pytest.MonkeyPatch, made: int) -> None:
    planned(service)
    row, real = study(service), service.store.runs.create

    def create(**given: Any) -> Any:
        if given["study_number"] == made:
            service.store.studies.ask_stop(row.id)  # after feed has looked
        return real(**given)

    monkeypatch.setattr(service.store.runs, "create", create)
    service.studies.feed(3)
    assert len(service.store.studies.open_runs(row.id)) == made
    assert service.store.studies.get(row.id).made == made
    service.studies.feed(3)
    assert len(service.store.studies.open_runs(row.id)) == made


def test_a_run_of_a_study_has_a_copy_of_an_answer_that_is_there(service: Service) -> None:
    planned(service)
    known = ended(service, ask(service, line="small", changes=[{**HALF, "cut_share": 0.02}]))
    row = study(service)
    assert not service.studies.feed(1), "no room for more"
    runs = {run.study_number: run for run in service.store.runs.list(study_id=row.id).items}
    assert {number: run.state for number, run in runs.items()} == {
        0: RunState.QUEUED, 1: RunState.QUEUED,
    }  # fmt: skip
    service.studies.feed(3)
    runs = {run.study_number: run for run in service.store.runs.list(study_id=row.id).items}
    assert {number for number, run in runs.items() if run.state is RunState.SUCCEEDED} == {2}
    own = runs[2]
    assert own.id != known.id
    assert (own.plan_blob, own.npv_usd, own.gap, own.solution_status) == (known.plan_blob, known.npv_usd, known.gap, "optimal")
    assert own.answer["summary"] == known.answer["summary"]
    assert [event.kind for event in service.store.runs.events(own.id)] == ["end"]
    entries = service.store.studies.entries(row.id)
    assert list(entries) == [2]
    assert service.studies.findings(row).ended == 1


def test_a_study_of_which_all_is_known_is_done_at_once(service: Service) -> None:
    planned(service)
    first = study(service)
    while service.store.studies.growing():
        service.studies.feed(50)
    for id in service.store.studies.open_runs(first.id):
        ended(service, service.store.runs.get(id))
    second = study(service, name="again")
    assert service.studies.feed(1), "twenty at a time, so that others have their turn"
    assert service.store.studies.counts(second.id)[RunState.SUCCEEDED] == 20
    assert not service.studies.feed(1)
    assert service.store.studies.counts(second.id) == {state: 40 * (state is RunState.SUCCEEDED) for state in RunState}


# names ---------------------------------------------------------------------------------------------


def test_a_misspelt_name_is_told_with_its_place_and_a_suggestion(service: Service) -> None:
    run = planned(service)
    scenario = service.store.scenarios.create("half the racks", line_id=run.line_id, changes=[], created_by="anna").scenario
    cut = run.id[:-1] + ("0" if run.id[-1] != "0" else "1")
    for given, pointer, suggestion in (
        ({"line": "smal"}, "/line", "small"),
        ({"line": "nothing like it"}, "/line", None),
        ({"baseline": cut}, "/baseline", run.id),
        ({"baseline": "run_0123456789abcdef"}, "/baseline", None),
        ({"scenario": "half the rack"}, "/scenario", scenario.id),
        ({"dataset": "0" * 64, "mode": "plan"}, "/dataset", None),
    ):
        problem = refused(lambda given=given: service.accept(RunRequest.model_validate(given), "anna"))
        assert problem.status == 404
        (item,) = problem.errors
        assert (item.pointer, item.suggestion, item.code) == (pointer, suggestion, "unknown_id"), given
        assert suggestion is None or suggestion in problem.detail
    assert refused(lambda: service.line("smal")).errors == (), "a name in the address has no place in a body"


def test_a_time_limit_that_is_too_long_has_its_place(service: Service) -> None:
    planned(service)
    asked = StudyRequest.model_validate(
        {"name": "s", "line": "small", "time_limit": 1e6, "scenarios": {"list": [{"name": "a", "changes": []}]}}
    )
    for call in (lambda: ask(service, line="small", time_limit=1e6), lambda: service.studies.accept(asked, "anna")):
        problem = refused(call)
        assert (problem.code, [item.pointer for item in problem.errors]) == ("time_limit_too_long", ["/time_limit"])


def test_demo_requests_are_of_a_mode_that_the_line_can_answer(service: Service) -> None:
    caller: Any = None
    for wanted in ("plan", "repair"):
        found = demo.demo_data(caller, service)
        assert found
        assert {one.body["mode"] for one in found} == {wanted}
        assert service.accept(RunRequest.model_validate({**found[0].body, "fresh": True}), "anna")
        if wanted == "plan":
            service.store.runs.cancel(service.store.runs.list().items[0].id)
            planned(service)
