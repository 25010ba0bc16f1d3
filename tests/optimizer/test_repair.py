"""The repair of large models, on small ones that count as large: what stays of an old plan, what is found near it, and how it ends."""

from __future__ import annotations

from functools import cache
from random import Random

import numpy as np
import pytest

from models.changes import Change, ChangeError, apply, draw, read_changes
from models.dataset import Dataset
from models.plan import Plan
from models.targets import Measure, Targets, measured
from optimizer import InfeasibleError, plan, repair, search
from optimizer.audit import audit
from optimizer.decisions import decisions_from_plan, start_vector
from optimizer.exact import DECIDED, held
from optimizer.formulation import formulate
from optimizer.highs import Control, Outcome
from optimizer.instance import Floats, Instance
from optimizer.matrix import Matrix, compile_matrix
from optimizer.nearby import FOUND, Keep, Nearby, kept
from optimizer.record import Record
from optimizer.rounds import Rounds
from optimizer.warm import Warm
from optimizer.whatif import Planner
from tests.generator import random_dataset

SEEDS = (1, 2)
TYPES = ("site.outage", "contract.add", "contract.resize")
"""Changes under which old decisions don't hold, leave a new contract unserved, or serve one worse."""


@cache
def baseline(seed: int) -> tuple[Dataset, Plan]:
    dataset = random_dataset(seed)
    return dataset, plan(dataset, gap=0, threads=1)


def changed(seed: int, name: str) -> tuple[Change, Dataset] | None:
    """A change of a type drawn for a dataset, and the dataset after it; None where it has nothing of the kind."""
    dataset, before = baseline(seed)
    try:
        change = draw(dataset, Random(seed), name)
        return change, apply(dataset, [change], before).dataset
    except ChangeError:
        return None


def moved(seed: int, after: Dataset) -> tuple[Instance, Matrix, Floats]:
    """A changed model, and the old plan's whole numbers in it."""
    instance = Instance(after)
    matrix = compile_matrix(formulate(instance))
    return instance, matrix, start_vector(instance, matrix, decisions_from_plan(instance, baseline(seed)[1].tables))


def warmed(seed: int) -> Warm:
    """The old model with the old decisions fixed, solved."""
    _, matrix, x = moved(seed, baseline(seed)[0])
    fixed = Warm(matrix)
    fixed.solve(Control(), matrix, *held(matrix, x, DECIDED))
    fixed.keep()
    return fixed


# what stays ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("keep", Keep)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_plan_keeps_itself(seed: int, keep: Keep) -> None:
    """The old plan is within the bounds; contracts placed anew and columns let go have all of theirs again."""
    instance, matrix, x = moved(seed, baseline(seed)[0])
    anew = list(instance.contract_rows)[:1]
    first, index = matrix.columns["built"]
    freed = np.arange(first, first + len(index), dtype=np.intp)
    lower, upper = kept(matrix, x, anew, keep, freed)
    whole = np.clip(np.round(x), matrix.lower, matrix.upper)
    decided = np.concatenate([np.arange(matrix.shape[1])[matrix.of(name)] for name in DECIDED])
    assert (lower[decided] <= whole[decided]).all()
    assert (whole[decided] <= upper[decided]).all()
    np.testing.assert_array_equal(lower[freed], matrix.lower[freed])
    np.testing.assert_array_equal(upper[freed], matrix.upper[freed])
    for family in ("sign", "serve"):
        begin, keys = matrix.columns[family]
        for i, key in enumerate(keys):
            free = (lower[begin + i], upper[begin + i]) == (matrix.lower[begin + i], matrix.upper[begin + i])
            assert free if key[0] in anew else lower[begin + i] == upper[begin + i]
    racks = matrix.of("in_service")
    least = whole[racks] if keep is Keep.RACKS else matrix.lower[racks]
    np.testing.assert_array_equal(lower[racks], least)
    np.testing.assert_array_equal(upper[racks], matrix.upper[racks])


@pytest.mark.parametrize("seed", SEEDS)
def test_within_limits_a_plan_may_keep_less(seed: int) -> None:
    """Contracts it signs may be declined, sites that serve leave; none comes instead."""
    _, matrix, x = moved(seed, baseline(seed)[0])
    whole = np.clip(np.round(x), matrix.lower, matrix.upper)
    lower, upper = kept(matrix, x, [], Keep.MOST, less=True)
    for family in ("sign", "serve"):
        np.testing.assert_array_equal(lower[matrix.of(family)], matrix.lower[matrix.of(family)])
        np.testing.assert_array_equal(upper[matrix.of(family)], whole[matrix.of(family)])


@pytest.mark.parametrize(("measure", "threads"), [(Measure.CARBON, 1), (Measure.CAPITAL, 2)])
def test_a_large_models_repair_holds_its_limits(monkeypatch: pytest.MonkeyPatch, measure: Measure, threads: int) -> None:
    """Whatever of the old plan has to go: the new one is audited, within the limit, and no better than the best."""
    dataset, made = baseline(SEEDS[1])
    planner = Planner(dataset, made, threads=threads)
    targets = Targets({measure: 0.7 * measured(made.tables)[measure]})
    best = plan(dataset, gap=0, threads=1, targets=targets).summary.npv_usd
    monkeypatch.setattr(repair, "SMALL", 0)
    found = planner.change([], gap=0.01, time_limit=30, targets=targets).plan
    assert found is not None
    assert best is not None
    assert measured(found.tables)[measure] <= targets.most[measure] * (1 + 1e-6) + 1e-6
    assert (found.summary.npv_usd or 0.0) <= best + 1e-6 * abs(best)
    assert (found.summary.bound_usd or 0.0) >= best - 1e-6 * abs(best)


# near it -------------------------------------------------------------------------------------------


def test_what_is_found_nearby_is_better_and_no_better_than_the_best() -> None:
    """From the old decisions, or from what of them holds, each step ends within the optimum; some step finds something in some case."""
    found = set[str]()
    for seed in SEEDS[1:]:
        known = Instance(baseline(seed)[0]).contract_rows
        for name in TYPES:
            drawn = changed(seed, name)
            if drawn is None:
                continue
            try:
                best = plan(drawn[1], gap=0, threads=1).summary.npv_usd
            except InfeasibleError:
                continue
            assert best is not None
            instance, matrix, x = moved(seed, drawn[1])
            record = Record(instance, matrix, 0.0, Control(), 1, 0, lambda event: None)
            fixed = warmed(seed)
            fixed.solve(record.control, matrix, *held(matrix, x, DECIDED))
            record.offer(x, "decisions as they were")
            renewed = [c for c in instance.contract_rows if c not in known]
            nearby = Nearby(record, x, {}, renewed, fixed)
            for step in (nearby.more_racks, nearby.other_racks, nearby.other_places):
                before = record.best_objective
                step(Control())
                assert record.best_objective <= before
                assert -record.best_objective * 1e6 <= best + 1e-6 * abs(best) + 1.0, (seed, name)
            found |= {event.phase for event in record.events} & set(FOUND.values())
    assert found >= {FOUND[Keep.RACKS], FOUND[Keep.DECISIONS]}


# the end -------------------------------------------------------------------------------------------


@pytest.fixture
def all_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every model counts as large."""
    monkeypatch.setattr(search, "SMALL", 0)
    monkeypatch.setattr(repair, "SMALL", 0)


@pytest.mark.usefixtures("all_large")
def test_a_repair_of_a_large_model_ends_with_the_optimum() -> None:
    """A new contract, with both cores; the racks that the old plan has are not enough for it."""
    seed = 2
    dataset, before = baseline(seed)
    drawn = changed(seed, "contract.add")
    assert drawn is not None
    change, after = drawn
    wanted = plan(after, gap=0, threads=1)
    planner = Planner(dataset, before, threads=2)
    planner.warm()
    made = planner.change([change], gap=0, time_limit=60).plan
    assert made is not None
    assert wanted.summary.npv_usd is not None
    assert made.summary.npv_usd == pytest.approx(wanted.summary.npv_usd, rel=1e-6, abs=1.0)
    assert made.summary.bound_usd is not None
    assert made.summary.bound_usd >= wanted.summary.npv_usd - 1e-6 * abs(wanted.summary.npv_usd)
    assert audit(after, made).passed


@pytest.mark.usefixtures("all_large")
def test_a_repair_ends_once_the_gap_is_proven() -> None:
    """Without a change the old decisions are good enough: nothing is searched near them."""
    dataset, before = baseline(2)
    planner = Planner(dataset, before, threads=2)
    planner.warm()
    phases = set[str]()
    made = planner.change([], gap=0.5, progress=lambda event: phases.add(event.phase)).plan
    assert made is not None
    assert "decisions as they were" in phases
    assert not phases & set(FOUND.values())
    assert made.summary.npv_usd == pytest.approx(before.summary.npv_usd, rel=1e-9)


def test_contracts_that_must_leave_a_site_are_let_go() -> None:
    """Old decisions do not hold where a site may not serve any more; who serves is let go as racks are, and a whole plan found."""
    let_go = 0
    for seed in SEEDS:
        dataset, before = baseline(seed)
        for site in sorted(before.deliveries["site_id"].unique()):
            try:
                after = apply(
                    dataset, read_changes([{"type": "site.close", "site_id": site, "from_period": str(dataset.calendar.label(1))}])
                ).dataset
            except ChangeError:
                continue
            instance, matrix, x = moved(seed, after)
            fixed = warmed(seed)
            if fixed.solve(Control(), matrix, *held(matrix, x, DECIDED)).outcome is not Outcome.INFEASIBLE:
                continue
            record = Record(instance, matrix, 0.0, Control(), 1, 0, lambda event: None)
            nearby = Nearby(record, x, {}, [], fixed)
            assert fixed.program is not None
            freed = nearby._in_the_way(fixed.program, Control())
            if freed is None or not freed[2]:
                continue
            let_go += 1
            assert set(freed[2]) <= set(instance.contract_rows)
            assert matrix.violation(freed[0]) <= 1e-6
    assert let_go


@pytest.mark.usefixtures("all_large")
def test_there_is_a_plan_where_nothing_near_the_old_one_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The spreadsheet's rule gives one before sites are searched for, so that time that ends early leaves a plan."""
    dataset, before = baseline(2)
    phases: list[str] = []
    monkeypatch.setattr(repair.Repair, "_as_it_was", lambda self, record, x: None)
    for step in ("more_racks", "other_racks", "other_places"):
        monkeypatch.setattr(Nearby, step, lambda self, control: None)
    monkeypatch.setattr(Rounds, "go_on", lambda self, complete: phases.append(f"complete {complete}"))
    planner = Planner(dataset, before, threads=2)
    made = planner.change([], gap=0, progress=lambda event: phases.append(event.phase)).plan
    assert made is not None
    assert audit(dataset, made).passed
    assert phases[-2:] == ["plan by the spreadsheet's rule", "complete True"]
