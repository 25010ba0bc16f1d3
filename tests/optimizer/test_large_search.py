"""The search of large models, on small ones whose optimum HiGHS alone finds: its parts, its workers, and what it leaves out."""

from __future__ import annotations

import itertools
import os
import signal
import time
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.dataset import Dataset
from models.plan import PLAN_COLUMNS, Plan
from optimizer import plan, search
from optimizer.exact import YES_OR_NO, columns_of
from optimizer.formulation import formulate
from optimizer.highs import Control, Outcome, Program, Solution
from optimizer.horizon import merge_groups, merge_periods
from optimizer.instance import Floats, Instance
from optimizer.matrix import Matrix, compile_matrix
from optimizer.record import Record
from optimizer.relieve import held_to, relieve
from optimizer.rounding import RackDive
from optimizer.rounds import Job, Rounds
from optimizer.settle import Settler
from optimizer.shrink import shrink
from optimizer.sites import Sets, SiteSearch
from optimizer.station import SETTLE_GAP, Choice, Station
from optimizer.workers import Answer, Pool
from tests.factories import small_dataset
from tests.generator import random_dataset
from tests.optimizer.solved import SEEDS, random_solution

SOME = tuple(SEEDS)[:6]
MILLION = 1e6


@cache
def model(seed: int) -> tuple[Instance, Matrix]:
    instance = Instance(random_dataset(seed))
    return instance, compile_matrix(formulate(instance))


def relaxed(matrix: Matrix, lower: Floats, upper: Floats) -> Solution:
    program = Program(matrix, threads=1)
    program.bound(np.arange(matrix.shape[1]), lower, upper)
    return program.solve(Control(), method="simplex")


def drawn_sets(instance: Instance, random: np.random.Generator) -> Sets:
    """Any sites for every contract with a choice."""
    contracts = {c for c, _ in instance.choice_pairs}
    return {c: tuple(s for s in instance.sites_of_choice(c) if random.random() < 0.6) for c in sorted(contracts)}


# shrink --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SOME)
def test_the_rest_of_a_model_has_the_same_optimum(seed: int) -> None:
    """With no sites held, with some, and with yes-or-no decisions fixed by chance."""
    instance, matrix = model(seed)
    random = np.random.default_rng(seed)
    decided = columns_of(matrix, YES_OR_NO)
    cases = [(matrix.lower, matrix.upper), *(held_to(matrix, drawn_sets(instance, random)) for _ in range(3))]
    for share in (0.3, 0.7):
        lower, upper = matrix.lower.copy(), matrix.upper.copy()
        off = decided[random.random(len(decided)) < share]
        upper[off] = lower[off]
        cases.append((lower, upper))
    compared = 0
    for lower, upper in cases:
        rest = shrink(matrix, lower, upper)
        whole, small = relaxed(matrix, lower, upper), relaxed(rest.matrix, rest.matrix.lower, rest.matrix.upper)
        assert small.outcome is whole.outcome
        if small.x is not None:
            assert small.objective == pytest.approx(whole.objective, rel=1e-7, abs=1e-7)
            x = rest.whole(small.x)
            assert matrix.violation(x) <= 1e-6
            assert matrix.cost @ x + matrix.offset == pytest.approx(small.objective, rel=1e-7, abs=1e-7)
            compared += 1
    assert compared


def test_a_model_shrinks_where_sites_are_ruled_out() -> None:
    instance, matrix = model(SOME[0])
    none: Sets = {c: () for c, _ in instance.choice_pairs}
    assert none
    rest = shrink(matrix, *held_to(matrix, none))
    assert rest.matrix.a.nnz < shrink(matrix, matrix.lower, matrix.upper).matrix.a.nnz < matrix.a.nnz
    kept = sum(len(index) for _, index in rest.matrix.columns.values())
    assert kept == rest.matrix.shape[1] == len(rest.columns)
    assert sum(len(index) for _, index in rest.matrix.rows.values()) == rest.matrix.shape[0]
    names = matrix.column_names()
    assert rest.matrix.column_names() == [names[j] for j in rest.columns]


# sites that can't be held --------------------------------------------------------------------------


def as_many_as_allowed(instance: Instance, random: np.random.Generator) -> Sets:
    """For every contract, as many sites as its distances and its largest number of sites allow."""
    sets: Sets = {}
    for c in sorted({c for c, _ in instance.choice_pairs}):
        chosen: list[str] = []
        for s in random.permutation(instance.sites_of_choice(c)).tolist():
            if not any(s in clique and set(clique) & set(chosen) for clique in instance.cliques_of(c)):
                chosen.append(s)
        sets[c] = tuple(chosen[: instance.contract_rows[c].max_sites])
    return sets


def test_sites_that_are_too_many_are_dropped_until_the_rest_holds() -> None:
    """Either nothing helps, or what is left can be held and is part of what was given."""
    relieved, random = 0, np.random.default_rng(5)
    for seed in itertools.chain(SEEDS, SEEDS):
        instance, matrix = model(seed)
        given = as_many_as_allowed(instance, random)
        if not given or relaxed(matrix, *held_to(matrix, given)).outcome is Outcome.OPTIMAL:
            continue
        left = relieve(matrix, given, Control())
        if left is not None:
            relieved += 1
            assert left.keys() == given.keys()
            assert all(set(left[c]) <= set(given[c]) for c in given)
            assert left != given
            assert relaxed(matrix, *held_to(matrix, left)).outcome is Outcome.OPTIMAL
        if relieved == 4:
            break
    assert relieved


def one_site_each(instance: Instance, random: np.random.Generator) -> Sets:
    return {c: (str(random.choice(instance.sites_of_choice(c))),) for c in sorted({c for c, _ in instance.choice_pairs})}


def test_a_contract_loses_its_last_site_where_nothing_else_helps() -> None:
    """Its smallest cluster has no place there; the rest then holds."""
    lost, random = 0, np.random.default_rng(7)
    for seed in itertools.chain(SEEDS, SEEDS, SEEDS):
        instance, matrix = model(seed)
        given = one_site_each(instance, random)
        if not given or relaxed(matrix, *held_to(matrix, given)).outcome is Outcome.OPTIMAL:
            continue
        left = relieve(matrix, given, Control())
        if left is not None and left != given:
            lost += 1
            assert all(left[c] in ((), given[c]) for c in given)
            assert relaxed(matrix, *held_to(matrix, left)).outcome is Outcome.OPTIMAL
        if lost == 3:
            break
    assert lost


def test_a_contract_that_must_be_delivered_keeps_its_last_site() -> None:
    """100 GPUs at a for clusters of 100 and 20. The duty may fall short by 16, the prospect by 6, so the duty's is the larger shortfall;
    without its site it can't be delivered, so the prospect goes."""
    dataset = small_dataset(
        power_blocks=[{"block_id": s, "site_id": s, "it_mw": 1} for s in ("a", "b")],
        supply=[{"gen_id": "h100", "racks": 20}],
        contracts=[
            {"contract_id": "duty", "min_cluster_gpus": 100, "max_short_share": 0.16},
            {"contract_id": "offer", "status": "prospect", "min_cluster_gpus": 20, "max_short_share": 0.3},
        ],
        contract_ramp=[{"contract_id": "duty", "gpus": 100}, {"contract_id": "offer", "gpus": 20}],
    )
    matrix = compile_matrix(formulate(Instance(dataset)))
    assert relieve(matrix, {"duty": ("a",), "offer": ("a",)}, Control()) == {"duty": ("a",), "offer": ()}


def test_a_pair_that_does_not_hold_is_left_by_searches_under_way() -> None:
    """The best sites without a ban use the pair; after it none does, in whatever search was warm."""
    for seed in SOME:
        instance, matrix = model(seed)
        station = Station(instance, matrix)
        pairs = [(c, sites[0]) for choice in station.sites(1.0) for c, sites in choice.sets.items() if sites]
        station.ban(pairs[:1])
        for after in station.sites(1.0, afresh=True) if pairs else ():
            assert pairs[0][1] not in after.sets[pairs[0][0]]
            return
    pytest.fail("no dataset has sites to ban")


def test_what_a_worker_says_does_not_hold_is_told_to_all() -> None:
    """Each job that looks for sites comes after one that bans them."""
    instance, matrix = model(SOME[0])
    record = Record(instance, matrix, 0.0, Control())
    with Pool(instance, matrix, 1, 0, Control()) as pool:
        rounds = Rounds(record, pool, choices=[Choice({"c": ("s",)}, 0.0, matrix.lower, matrix.upper)])
        assert [job.name for job in rounds._searches(0)] == ["better_sites", "complete"]
        rounds._heard(Job("complete"), Answer(0, 1, "banned", [("c", "s")]))
        told = rounds._searches(0)
    assert [job.name for job in told] == ["ban", "better_sites", "complete"]
    assert told[0].arguments == ([("c", "s")],)


def test_a_plan_is_made_of_sites_that_the_whole_model_does_not_hold() -> None:
    """What can't be held is told, so that it is not tried again, and the contract finds another place or none."""
    made, random = 0, np.random.default_rng(7)
    for seed in itertools.chain(SEEDS, SEEDS):
        instance, matrix = model(seed)
        given = one_site_each(instance, random)
        if not given or relaxed(matrix, *held_to(matrix, given)).outcome is not Outcome.INFEASIBLE:
            continue
        told: list[tuple[str, str]] = []

        def hear(kind: str, value: Any, told: list[tuple[str, str]] = told) -> None:
            if kind == "banned":
                told.extend(value)

        station = Station(instance, matrix, tell=hear)
        x = station.complete(Choice(given, np.inf, *held_to(matrix, given)))
        if x is None or not told:
            continue
        made += 1
        assert matrix.violation(x) <= 2e-6
        assert all(s in given[c] for c, s in told)
        assert station.banned == set(told)
        for choice in station.better_sites(given, 1.0):
            assert not [(c, s) for c, sites in choice.sets.items() for s in sites if (c, s) in station.banned]
        if made == 2:
            break
    assert made


@pytest.mark.parametrize("seed", SOME[:3])
def test_yes_or_no_taken_at_once_is_no_worse_than_one_after_the_other(seed: int) -> None:
    instance, matrix = model(seed)
    program = Program(matrix, threads=1)
    found = program.solve(Control(), method="simplex")
    greedy = Settler(instance, matrix, program, found, Control(), lambda phase: None).run()
    assert greedy is not None
    _, settled = Station(instance, matrix)._settled_at_once(matrix)
    assert settled is not None
    assert settled.x is not None
    decided = columns_of(matrix, YES_OR_NO)
    np.testing.assert_allclose(settled.x[decided], np.round(settled.x[decided]), atol=1e-6)
    assert settled.objective <= greedy.objective + (SETTLE_GAP + 1e-6) * abs(greedy.objective)


# proofs of infeasibility ---------------------------------------------------------------------------


def test_a_proof_of_infeasibility_holds() -> None:
    """Racks of all pairs at their most: the weighted rows need more than the bounds allow."""
    proven = 0
    for seed in itertools.islice(SEEDS, 12):
        _, matrix = model(seed)
        program = Program(matrix, threads=1)
        if program.solve(Control(), method="simplex").outcome is not Outcome.OPTIMAL:
            continue
        columns = np.arange(matrix.of("in_service").start, matrix.of("in_service").stop)
        program.bound(columns, matrix.upper[columns], matrix.upper[columns])
        if program.solve(Control(), method="simplex").outcome is not Outcome.INFEASIBLE:
            continue
        proof = program.infeasibility()
        if proof is None:
            continue
        proven += 1
        most = np.maximum(proof.columns * program.lower, proof.columns * program.upper).sum()
        free = np.maximum(proof.columns * matrix.lower, proof.columns * matrix.upper).sum()
        assert proof.missing > 0
        assert free - most >= proof.missing - 1e-6, "without those bounds the model has a solution, so the proof must fall"
    assert proven


# racks ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SOME)
def test_a_dive_ends_with_whole_racks(seed: int) -> None:
    instance, matrix = model(seed)
    program = Program(matrix, threads=1)
    found = program.solve(Control(), method="simplex")
    settled = Settler(instance, matrix, program, found, Control(), lambda phase: None).run()
    assert settled is not None
    dive = RackDive(instance, matrix, program, settled, Control())
    result = dive.run()
    assert result is not None
    assert result.x is not None
    assert matrix.violation(result.x) <= 1e-6
    assert result.objective >= settled.objective - 1e-6
    for family in ("installed", "in_service"):
        for pair, columns in dive.columns[family].items():
            values = result.x[[column for column, _ in columns]]
            if pair not in dive.left:
                np.testing.assert_allclose(values, np.round(values), atol=1e-6)


# merged periods ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SOME)
def test_a_group_for_each_period_is_the_model_itself(seed: int) -> None:
    instance, matrix = model(seed)
    merged = merge_periods(matrix, merge_groups(instance, instance.T))
    assert [len(group) for group in merged.groups] == [1] * instance.T
    whole, same = relaxed(matrix, matrix.lower, matrix.upper), relaxed(merged.matrix, merged.matrix.lower, merged.matrix.upper)
    assert same.objective == pytest.approx(whole.objective, rel=1e-7)


# the whole search ----------------------------------------------------------------------------------


@pytest.fixture
def all_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every model counts as large."""
    monkeypatch.setattr(search, "SMALL", 0)


def optimum(seed: int) -> float:
    return -random_solution(seed).objective * MILLION


@pytest.mark.parametrize(("seed", "threads"), list(zip(SOME, itertools.cycle((1, 2)), strict=False)))
@pytest.mark.usefixtures("all_large")
def test_the_search_of_large_models_ends_with_the_optimum(seed: int, threads: int) -> None:
    made = plan(random_dataset(seed), gap=0, threads=threads, time_limit=120)
    assert made.summary.npv_usd == pytest.approx(optimum(seed), rel=1e-6)
    assert made.summary.audit is not None
    assert made.summary.audit.passed
    assert made.summary.gap is not None
    assert made.summary.gap <= 1e-6


@pytest.fixture(scope="module")
def middle() -> Dataset:
    """A dataset large enough for sites to be searched and racks to be made whole."""
    return random_dataset(3, sites=6, periods=8, contracts=5)


@pytest.mark.usefixtures("all_large")
def test_the_same_seed_and_workers_take_the_same_way(middle: Dataset) -> None:
    first, second = (plan(middle, gap=0.02, threads=2, time_limit=120, seed=3) for _ in range(2))
    for name in PLAN_COLUMNS:
        if name != "events":
            pd.testing.assert_frame_equal(first[name], second[name], check_exact=True)


@pytest.mark.parametrize("ingredient", list(search.INGREDIENTS))
@pytest.mark.usefixtures("all_large")
def test_without_any_ingredient_there_is_a_plan_within_its_bound(ingredient: str) -> None:
    made = plan(random_dataset(SOME[0]), gap=0.05, threads=2, time_limit=20, without=frozenset({ingredient}))
    s = made.summary
    assert s.audit is not None
    assert s.audit.passed
    assert s.npv_usd is not None
    assert s.bound_usd is not None
    assert s.npv_usd <= s.bound_usd + 1e-6 * abs(s.bound_usd)


def test_an_unknown_ingredient_is_refused(middle: Dataset) -> None:
    with pytest.raises(ValueError, match="no such ingredient: salt; there are sites, "):
        plan(middle, gap=0.05, threads=1, time_limit=20, without=frozenset({"salt"}))


@pytest.mark.usefixtures("all_large")
def test_every_better_plan_is_kept_as_it_comes() -> None:
    kept: list[Plan] = []
    made = plan(random_dataset(SOME[0]), gap=0, threads=2, time_limit=60, keep=kept.append)
    values = [p.summary.npv_usd or 0.0 for p in kept]
    assert values
    assert values == sorted(values)
    assert made.summary.npv_usd is not None
    assert values[-1] <= made.summary.npv_usd + 1e-6 * abs(made.summary.npv_usd)


# workers -------------------------------------------------------------------------------------------


def test_a_worker_that_dies_is_replaced_and_its_job_failed() -> None:
    instance, matrix = model(SOME[0])
    with Pool(instance, matrix, 2, 0, Control()) as pool:
        killed = pool.workers[0].process.pid
        os.kill(killed, signal.SIGSTOP)  # so that it dies with a job
        jobs = [pool.give(0, "relax"), pool.give(1, "relax")]
        os.kill(killed, signal.SIGKILL)
        ended = {answer.job: answer for answer in pool.run() if answer.kind in ("done", "failed")}
        assert ended[jobs[0]].kind == "failed"
        assert "the worker has ended" in ended[jobs[0]].value
        assert ended[jobs[1]].kind == "done"
        assert pool.workers[0].process.pid != killed
        again = pool.give(0, "relax")
        (answer,) = [answer for answer in pool.run() if answer.kind in ("done", "failed")]
        assert (answer.job, answer.kind) == (again, "done")
        assert answer.value[0].objective == pytest.approx(ended[jobs[1]].value[0].objective, rel=1e-9)
        processes = [worker.process for worker in pool.workers]
    assert all(process.poll() is not None for process in processes)


def test_a_job_that_raises_is_said_to_have_failed() -> None:
    instance, matrix = model(SOME[0])
    with Pool(instance, matrix, 1, 0, Control()) as pool:
        pool.give(0, "racks_near", None, 1.0, 1.0)
        (answer,) = list(pool.run())
    assert answer.kind == "failed"
    assert "TypeError" in answer.value


@pytest.mark.usefixtures("all_large")
def test_a_search_whose_workers_die_still_ends_with_the_optimum(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first job of the first worker is killed; another process takes over."""
    give = Pool.give
    killed: list[int] = []

    def given(self: Pool, number: int, name: str, *arguments: object, seconds: float = float("inf")) -> int:
        if not killed:
            killed.append(self.workers[number].process.pid)
            os.kill(killed[0], signal.SIGKILL)
        return give(self, number, name, *arguments, seconds=seconds)

    monkeypatch.setattr(Pool, "give", given)
    made = plan(random_dataset(SOME[1]), gap=0, threads=1, time_limit=120)
    assert killed
    assert made.summary.npv_usd == pytest.approx(optimum(SOME[1]), rel=1e-6)


# sites ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SOME)
def test_sites_found_can_be_held_and_are_worth_what_is_said(seed: int) -> None:
    """Also where the start that was tried last is not the best."""
    instance, matrix = model(seed)
    found = SiteSearch(instance, matrix, Control(), seed)
    assert found.relax()
    for start in [*found.starts()][::-1]:
        found.build(start)
    if not found.contracts:
        pytest.skip("no contract has a choice of sites")
    found.polish()
    for _ in range(3):
        found.kick()
    held = relaxed(matrix, *held_to(matrix, found.sets))
    assert held.outcome is Outcome.OPTIMAL
    assert held.objective == pytest.approx(found.best.objective, rel=1e-6)
    assert held.objective >= found.root.objective - 1e-6 * abs(found.root.objective)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_worker_with_the_relaxation_makes_the_early_plan(count: int) -> None:
    """The others look for better sites first; left out, each makes a plan of its first choice."""
    instance, matrix = model(SOME[0])
    record = Record(instance, matrix, 0.01, Control(), count, 0)
    pool = Pool(instance, matrix, count, 0, Control())
    better = [["sites", "better_sites", "complete"]] * (count - 1)
    jobs = Rounds(record, pool)._first()
    assert [[job.name for job in own] for own in jobs] == [["relax", "sites", "complete", "better_sites", "complete"], *better]
    assert [job.arguments[1:] for own in jobs for job in own if job.name == "sites"] == [(part, count) for part in range(count)]
    assert {job.arguments for own in jobs for job in own if job.name == "better_sites"} == {(None, 0.0)}, "no draws before a good plan"
    alone = Rounds(record, pool, frozenset({"sites"}))._first()
    assert [[job.name for job in own] for own in alone] == [["relax", "sites", "complete"], *[["sites", "complete"]] * (count - 1)]
    assert {job.arguments[0] for own in alone for job in own if job.name == "sites"} == {0.0}


def test_a_station_completes_a_choice_once() -> None:
    instance, matrix = model(SOME[2])
    station = Station(instance, matrix)
    (choice,) = station.sites(1.0)
    x = station.complete()
    assert x is not None
    assert matrix.violation(x) <= 1e-6
    assert station.complete() is None
    assert Station(instance, matrix).complete(choice, better_than=choice.objective) is None


@pytest.mark.parametrize("later", [False, True])
def test_a_search_for_sites_leaves_time_for_a_whole_plan(later: bool, middle: Dataset) -> None:
    """However much it may still look for, it ends after its share of the time; nothing of that deadline stays behind."""
    instance = Instance(middle)
    station = Station(instance, compile_matrix(formulate(instance)))
    if later:
        assert station.sites(0.0)
    station.control = Control(time.monotonic() + 8.0)
    found = station.better_sites(None, 1e9) if later else station.sites(1e9)
    assert found
    assert station.control.remaining > 1.0
    station.control = Control()
    assert station.better_sites(found[0].sets, 0.0)
    assert station._searches[found[0].groups].search.control is station.control


def test_workers_start_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers start wherever the search is started from."""
    instance, matrix = model(SOME[0])
    monkeypatch.chdir(tmp_path)
    with Pool(instance, matrix, 1, 0, Control()) as pool:
        pool.give(0, "relax")
        assert [answer.kind for answer in pool.run()] == ["done"]
