"""The dive for serving sites: what it ends with holds, whatever way each step takes."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
import pytest

from optimizer import site_dive, sites
from optimizer.formulation import formulate
from optimizer.highs import Control, Program, Solution
from optimizer.instance import Floats, Instance
from optimizer.matrix import Ints, Matrix, compile_matrix
from optimizer.relieve import relieve
from optimizer.site_dive import MANNERS, Manner, SiteDive, manner
from optimizer.sites import Sets, SiteSearch
from optimizer.station import Station
from tests.generator import random_dataset
from tests.optimizer.sites_kit import searched, worth
from tests.optimizer.solved import SEEDS

SOME = tuple(SEEDS)[:6]


def best_sites(matrix: Matrix) -> float:
    """Objective of the model with the best sites there are: only pairs are whole."""
    integer = np.zeros(matrix.shape[1], dtype=bool)
    integer[matrix.of("serve")] = True
    program = Program(replace(matrix, integer=integer), integer=True, threads=1)
    program.option("mip_rel_gap", 1e-7)
    return program.solve(Control()).bound


@pytest.mark.parametrize("loss", [-1.0, 0.0, site_dive.LOSS, 10.0])
@pytest.mark.parametrize("seed", SOME)
def test_sites_hold_and_are_worth_what_is_said(seed: int, loss: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether every pair is compared with going without it, hardly any, or none at all."""
    monkeypatch.setattr(site_dive, "LOSS", loss)
    matrix, search = searched(seed)
    least = best_sites(matrix)
    for number in range(len(MANNERS) + 1):
        search.sets, search.best = {}, replace(search.root, objective=np.inf)
        if search.dive(manner(number), Control()):
            assert worth(matrix, search) == pytest.approx(search.best.objective, rel=1e-6)
            assert search.best.objective >= least - 1e-6 * abs(least)
        else:
            assert loss > 1.0, "only a dive that never goes without a pair gets lost"


def test_a_dive_is_better_than_placing_all_contracts_at_once_more_often_than_not() -> None:
    better = count = 0
    for seed in SEEDS:
        instance = Instance(random_dataset(seed))
        search = SiteSearch(instance, compile_matrix(formulate(instance)), Control(), 0)
        if not search.relax() or not search.contracts:
            continue
        search.build({})
        at_once, search.best = search.best.objective, replace(search.best, objective=np.inf)
        search.dive(MANNERS[0], Control())
        count += 1
        better += search.best.objective < at_once - 1e-6 * search.scale
    assert count >= 20
    assert better >= count / 2


def test_out_of_time_what_is_open_is_placed_at_once() -> None:
    matrix, search = searched(SOME[2])
    assert search.dive(MANNERS[0], Control(time.monotonic() - 1.0))
    assert worth(matrix, search) == pytest.approx(search.best.objective, rel=1e-6)


def test_the_same_draws_lead_to_the_same_sites_and_others_to_others() -> None:
    ways = []
    for draws in (0, 0, 1, 2, 3, 4, 5):
        _, search = searched(SOME[2], draws)
        placed = SiteDive(search, Manner(noise=3.0), Control(), {}).run()
        ways.append(None if placed is None else placed[0])
    assert ways[0] == ways[1]
    assert any(way != ways[0] for way in ways[2:])


def test_manners_differ_by_worker_and_then_by_chance() -> None:
    assert [manner(n) for n in range(len(MANNERS))] == list(MANNERS)
    assert len(set(MANNERS)) == len(MANNERS)
    assert manner(len(MANNERS)) == replace(MANNERS[0], noise=site_dive.CHANCE)


def test_a_station_builds_sites_the_old_way_where_a_dive_finds_none(monkeypatch: pytest.MonkeyPatch) -> None:
    instance = Instance(random_dataset(SOME[2]))
    matrix = compile_matrix(formulate(instance))
    tried: list[Manner] = []

    def lost(_self: SiteSearch, how: Manner, _soon: Control) -> bool:
        tried.append(how)
        return False

    monkeypatch.setattr(SiteSearch, "dive", lost)
    assert Station(instance, matrix).sites(1.0, part=1, parts=2)
    assert tried == [manner(1)]
    assert Station(instance, matrix, without=frozenset({"site dive"})).sites(1.0, part=1, parts=2)
    assert len(tried) == 1
    assert Station(instance, matrix).sites(1.0, afresh=True)
    assert len(tried) == 2
    assert tried[1].noise == site_dive.CHANCE


def test_what_costs_much_late_is_placed_early_in_another_dive(monkeypatch: pytest.MonkeyPatch) -> None:
    favoured: list[dict[str, float]] = []
    worst: list[str] = []

    class Watched(SiteDive):
        def __init__(self, search: SiteSearch, how: Manner, soon: Control, favour: dict[str, float]) -> None:
            super().__init__(search, how, soon, favour)
            favoured.append(dict(favour))

        def run(self) -> tuple[Sets, Solution] | None:
            placed = super().run()
            worst.append(max(self.lost, key=lambda c: self.lost[c]))
            return placed

    monkeypatch.setattr(sites, "SiteDive", Watched)
    for late, dives in ((np.inf, 1), (-1.0, sites.DIVES)):
        favoured.clear()
        worst.clear()
        monkeypatch.setattr(sites, "TOO_LATE", late)
        _, search = searched(SOME[2])
        assert search.dive(MANNERS[0], Control())
        assert len(favoured) == dives
    assert favoured == [{}, {worst[0]: sites.FAVOUR}]


@pytest.mark.parametrize("seed", SOME)
def test_losses_add_up_to_what_the_dive_loses(seed: int) -> None:
    _, search = searched(seed)
    dive = SiteDive(search, MANNERS[0], Control(), {})
    placed = dive.run()
    assert placed is not None
    lost = placed[1].objective - search.root.objective
    assert sum(dive.lost.values()) == pytest.approx(lost, abs=1e-6 * search.scale)


@pytest.mark.parametrize("dives", [False, True])
def test_sites_that_finer_periods_do_not_hold_are_dived_for_there(dives: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left of sites that can't be held is poor here; a dive of the finer model finds better ones."""
    instance = Instance(random_dataset(SOME[0]))
    matrix = compile_matrix(formulate(instance))
    search = SiteSearch(instance, matrix, Control())
    left = relieve(matrix, {c: tuple(search.sites[c][:1]) for c in search.contracts}, Control(), 0)
    assert left is not None
    assert search.start_from(left)
    started = SiteSearch.start_from
    monkeypatch.setattr("optimizer.station.relieve", lambda *_: left)
    monkeypatch.setattr(SiteSearch, "polish", lambda self: False)
    monkeypatch.setattr(SiteSearch, "start_from", lambda self, sets: sets == left and started(self, sets))
    station = Station(instance, matrix, without=frozenset() if dives else frozenset({"site dive"}))
    (choice,) = station.better_sites(dict.fromkeys(left, ("nowhere",)), 0.0)
    assert (choice.sets == left) is not dives
    assert (choice.objective < search.best.objective - 1.0) is dives


# step by step --------------------------------------------------------------------------------------


@dataclass
class Step:
    """What a step of a dive began with and ended with: open pairs, their use, bounds of all pairs, objective."""

    dive: SiteDive
    still: Ints
    use: Floats
    before: tuple[Floats, Floats]
    after: tuple[Floats, Floats]
    objective: float

    @property
    def first(self) -> int:
        """The pair that is decided."""
        return int(self.still[np.argmax(self.use[self.still] * self.dive.weight[self.still])])

    @property
    def held(self) -> bool:
        return bool(self.after[0][self.first] == 1.0)

    @property
    def dropped(self) -> Ints:
        return np.flatnonzero(self.after[1] < self.before[1])

    def worth(self, fixed: float) -> float:
        """Objective with nothing but the first pair decided, solved from nothing."""
        lower, upper = self.before[0].copy(), self.before[1].copy()
        lower[self.first] = upper[self.first] = fixed
        program = Program(self.dive.search.matrix, threads=1)
        program.bound(self.dive.columns, lower, upper)
        return program.solve(Control()).objective


def steps_of(seed: int, how: Manner, favour: dict[str, float] | None = None) -> list[Step]:
    _, search = searched(seed)
    steps: list[Step] = []

    class Watched(SiteDive):
        def _step(self, still: Ints, use: Floats, before: Solution) -> Solution | None:
            began = self.lower.copy(), self.upper.copy()
            found = super()._step(still, use, before)
            if found is not None:
                np.testing.assert_array_equal(search.program.lower[self.columns], self.lower)
                np.testing.assert_array_equal(search.program.upper[self.columns], self.upper)
                steps.append(Step(self, still, use, began, (self.lower.copy(), self.upper.copy()), found.objective))
            return found

    Watched(search, how, Control(), favour or {}).run()
    return steps


def test_a_step_drops_only_what_is_hardly_used_and_some_do() -> None:
    dropped = 0
    for seed in SOME:
        for step in steps_of(seed, Manner(share=0.5, most=0.3)):
            if step.held:
                assert len(step.dropped) <= 0.5 * len(step.still)
                assert (step.use[step.dropped] < 0.3).all()
                dropped += len(step.dropped)
            else:
                assert step.dropped.tolist() == [step.first]
    assert dropped


@pytest.mark.parametrize("seed", SOME[:3])
def test_where_every_loss_is_compared_the_lesser_is_taken(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site_dive, "LOSS", -1.0)
    steps = steps_of(seed, Manner(share=0.0))
    assert steps
    for step in steps:
        assert step.objective == pytest.approx(min(step.worth(0.0), step.worth(1.0)), rel=1e-6)


def test_a_favoured_contract_is_placed_first() -> None:
    for seed in SOME:
        first = steps_of(seed, Manner())[:1]
        for step in first:
            for c in {step.dive.of[k] for k in step.still}:
                favoured = steps_of(seed, Manner(), {c: 1e6})[0]
                assert favoured.dive.of[favoured.first] == c


def test_no_step_is_begun_when_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    _, search = searched(SOME[2])
    monkeypatch.setattr(SiteDive, "_step", lambda *_: pytest.fail("a step"))
    assert SiteDive(search, MANNERS[0], Control(time.monotonic() - 1.0), {}).run() is not None


def test_the_root_is_that_of_all_sites_whatever_is_held() -> None:
    _, search = searched(SOME[2])
    root = search.root.objective
    assert search.dive(MANNERS[0], Control())
    search.hold_best()
    assert search.relax()
    assert search.root.objective == pytest.approx(root, rel=1e-6)
    assert search.best.objective > root + 1e-3 * abs(root)
