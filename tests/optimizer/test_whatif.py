"""The warm planner: a patched model equals a rebuilt one, answers equal plans made from nothing, nothing leaks between what-ifs."""

from __future__ import annotations

from functools import cache
from random import Random
from threading import Event

import numpy as np
import pytest
from scipy.sparse import csc_array

from models.changes import CHANGES, Change, ChangeError, apply, draw, read_changes
from models.dataset import Dataset
from models.plan import Plan
from optimizer import InfeasibleError, NoPlanError, plan
from optimizer.audit import audit
from optimizer.blocks.directives import DirectiveConflictError
from optimizer.formulation import formulate
from optimizer.highs import Control, Outcome, Program, cells_that_differ
from optimizer.instance import Instance
from optimizer.matrix import Matrix, compile_matrix
from optimizer.warm import Warm, carried, same_structure
from optimizer.whatif import Mode, Planner
from tests.factories import small_dataset
from tests.generator import random_dataset

SEEDS = (4, 2)
SIZES = {4: {"sites": 4, "periods": 5, "contracts": 4}}
"""Sizes other than the generator's own: optima of these are found quickly."""
ONLY_NUMBERS = ("discount.rate", "energy.price", "contract.price", "supply.price", "market.price", "budget.cap")
"""Changes that never make rows or columns come or go."""


@cache
def dataset_of(seed: int) -> Dataset:
    return random_dataset(seed, **SIZES.get(seed, {}))


@cache
def baseline(seed: int) -> Plan:
    return plan(dataset_of(seed), gap=0, threads=1)


def drawn(dataset: Dataset, random: Random, name: str) -> Change | None:
    """A change of a type; None where the dataset has nothing that it could alter."""
    try:
        return draw(dataset, random, name)
    except ChangeError:
        return None


def matrix_of(dataset: Dataset) -> Matrix:
    return compile_matrix(formulate(Instance(dataset)))


def read_back(program: Program) -> Matrix:
    """What HiGHS holds."""
    lp = program._h.getLp()
    m = program.matrix
    a = csc_array((np.array(lp.a_matrix_.value_), np.array(lp.a_matrix_.index_), np.array(lp.a_matrix_.start_)), shape=m.shape)
    return Matrix(
        a, np.array(lp.col_cost_), lp.offset_, np.array(lp.row_lower_), np.array(lp.row_upper_), np.array(lp.col_lower_),
        np.array(lp.col_upper_), m.integer, m.columns, m.rows,
    )  # fmt: skip


def assert_equal(found: Matrix, wanted: Matrix) -> None:
    assert abs(found.a - wanted.a).max() <= 1e-12 * max(1.0, abs(wanted.a).max())
    for name in ("cost", "row_lower", "row_upper", "lower", "upper"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name), err_msg=name)
    assert found.offset == pytest.approx(wanted.offset, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("name", list(CHANGES))
def test_a_patched_matrix_equals_a_rebuilt_one(name: str) -> None:
    """For every kind of change: HiGHS, patched there and back, holds what a new build gives."""
    random = Random(11)
    patched = 0
    for seed in SEEDS:
        dataset = dataset_of(seed)
        old = matrix_of(dataset)
        for _ in range(2):
            change = drawn(dataset, random, name)
            if change is None:
                continue
            try:
                new = matrix_of(apply(dataset, [change], baseline(seed)).dataset)
            except DirectiveConflictError:
                continue
            program = Program(old, threads=1)
            if same_structure(old, new):
                patched += 1
                cells = program.become(new, new.lower, new.upper)
                assert (cells == 0) == (not cells_that_differ(old, new) and all(
                    np.array_equal(getattr(old, part), getattr(new, part)) for part in ("cost", "row_lower", "row_upper", "lower", "upper")
                ))  # fmt: skip
                assert_equal(read_back(program), new)
                program.become(old, old.lower, old.upper)
                assert_equal(read_back(program), old)
            warm = Warm(old)
            first = warm.solve(Control(), old, old.lower, old.upper)
            warm.keep()
            again = warm.solve(Control(), new, new.lower, new.upper)
            cold = Program(new, threads=1).solve(Control())
            assert first.outcome is Outcome.OPTIMAL
            assert warm.rebuilt == (not same_structure(old, new))
            assert again.outcome is cold.outcome
            if cold.outcome is Outcome.OPTIMAL:
                assert again.objective == pytest.approx(cold.objective, rel=1e-7, abs=1e-6)
    if name in ONLY_NUMBERS:
        assert patched


def test_a_carried_basis_keeps_what_has_the_same_name() -> None:
    dataset = dataset_of(4)
    old = matrix_of(dataset)
    program = Program(old, threads=1)
    program.solve(Control())
    statuses = program.statuses()
    columns, rows = carried(old, statuses, old)
    np.testing.assert_array_equal(columns, statuses[0])
    np.testing.assert_array_equal(rows, statuses[1])


@pytest.mark.parametrize("name", [name for name in CHANGES if name != "freeze.before"])
def test_a_repair_is_as_good_as_a_plan_from_nothing(name: str) -> None:
    """On small models both are optima; the answer is audited on the changed dataset, and the baseline is untouched."""
    random = Random(5)
    for seed in SEEDS[:1]:
        dataset, before = dataset_of(seed), baseline(seed)
        change = drawn(dataset, random, name)
        if change is None:
            continue
        planner = Planner(dataset, before, threads=1)
        planner.warm()
        after = apply(dataset, [change], before).dataset
        try:
            wanted = plan(after, gap=0, threads=1)
        except InfeasibleError:
            with pytest.raises(InfeasibleError):
                planner.change([change], gap=0)
            continue
        answer = planner.change([change], gap=0)
        assert answer.plan is not None
        assert answer.plan.summary.npv_usd == pytest.approx(wanted.summary.npv_usd, rel=1e-6, abs=1.0)
        assert answer.dataset.sha256 == after.sha256 == answer.plan.summary.dataset.sha256
        assert audit(after, answer.plan).passed
        assert answer.plan.summary.bound_usd >= answer.plan.summary.npv_usd
        assert planner.current is before
        assert answer.difference_usd == pytest.approx(answer.plan.summary.npv_usd - before.summary.npv_usd)


def test_one_what_if_does_not_leak_into_the_next() -> None:
    dataset, before = dataset_of(2), baseline(2)
    planner = Planner(dataset, before, threads=1)
    planner.warm()
    random = Random(3)
    nothing = planner.change([], gap=0)
    for _ in range(2):
        try:
            planner.change([draw(dataset, random)], gap=0)
        except (InfeasibleError, ChangeError):
            continue
        again = planner.change([], gap=0)
        assert again.plan.summary.npv_usd == pytest.approx(nothing.plan.summary.npv_usd, rel=1e-9)
        assert again.plan.summary.bound_usd == pytest.approx(nothing.plan.summary.bound_usd, rel=1e-6)


def test_the_three_modes_agree_on_no_change() -> None:
    dataset, before = dataset_of(4), baseline(4)
    planner = Planner(dataset, before, threads=1)
    evaluated, repaired, again = (planner.change([], mode, gap=0) for mode in Mode)
    assert evaluated.plan is None
    assert evaluated.evaluation.npv_usd == pytest.approx(before.summary.npv_usd, rel=1e-9)
    assert evaluated.evaluation.violations == ()
    for answer in (repaired, again):
        assert answer.plan.summary.npv_usd == pytest.approx(before.summary.npv_usd, rel=1e-6)


def test_an_evaluation_names_the_limit_that_breaks() -> None:
    """An outage under the fleet of the old plan breaks the power limit of its site, and nothing is searched."""
    for seed in SEEDS:
        dataset, before = dataset_of(seed), baseline(seed)
        racks = before.tables["racks"]
        used = racks[racks["in_service"] > 0]
        if not len(used):
            continue
        row = used.iloc[-1]
        changes = read_changes([{"type": "site.outage", "site_id": row["site_id"], "from_period": row["period"], "outage_periods": 1}])
        answer = Planner(dataset, before, threads=1).change(changes, Mode.EVALUATE)
        assert answer.plan is None
        assert answer.evaluation.violations
        assert any(row["site_id"] in violation.message for violation in answer.evaluation.violations)


def test_there_is_no_answer_without_a_plan() -> None:
    with pytest.raises(ValueError, match="no plan yet"):
        Planner(dataset_of(4), threads=1).change([])


def test_a_repair_goes_on_from_a_plan_that_was_kept() -> None:
    """An attempt that is cut short at once still has what an earlier one had found."""
    planner = Planner(small_dataset(), threads=1)
    planner.plan(gap=0)
    changes = read_changes([{"type": "supply.cut", "gen_id": "h100", "cut_share": 0.5}])
    kept, stop = planner.change(changes, gap=0).plan, Event()
    assert kept is not None
    stop.set()
    with pytest.raises(NoPlanError):
        planner.change(changes, gap=0, stop=stop)
    found = planner.change(changes, gap=0, stop=stop, start=kept).plan
    assert found is not None
    assert found.summary.npv_usd == pytest.approx(kept.summary.npv_usd)


def test_planning_keeps_the_basis() -> None:
    planner = Planner(dataset_of(4), threads=1)
    made = planner.plan(gap=0)
    assert made.summary.npv_usd == pytest.approx(baseline(4).summary.npv_usd, rel=1e-6)
    assert planner.relaxation.basis is not None
    assert planner.change([], gap=0).plan.summary.npv_usd == pytest.approx(made.summary.npv_usd, rel=1e-6)
