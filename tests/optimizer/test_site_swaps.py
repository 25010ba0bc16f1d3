"""Exchanging serving sites: limits hold, nothing near is better at the end, and what may not be is not tried."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from optimizer import site_swaps, sites
from optimizer.highs import Control, Outcome, Solution
from optimizer.matrix import Matrix
from optimizer.site_dive import MANNERS
from optimizer.site_swaps import BETTER, SiteSwaps
from optimizer.sites import Sets, SiteSearch
from tests.optimizer.sites_kit import searched, worth
from tests.optimizer.solved import SEEDS

SOME = tuple(SEEDS)[:8]


def begun(seed: int) -> tuple[Matrix, SiteSearch]:
    """A search that begins with each contract at the first site that may serve it, if that can be held; else with a dive's sites."""
    matrix, search = searched(seed)
    if not search.start_from({c: tuple(search.allowed(c)[:1]) for c in search.contracts}):
        assert search.dive(MANNERS[0], Control())
    return matrix, search


def with_sites(matrix: Matrix, search: SiteSearch, sets: Sets) -> Solution:
    """The model with sites, solved from nothing."""
    other = SiteSearch(search.inst, matrix, Control())
    for c in other.contracts:
        other.hold(c, sets[c])
    return other.solve()


@pytest.mark.parametrize("seed", SOME)
def test_no_change_is_less_than_its_limit(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weak duality, of every move whether it looks promising or not."""
    monkeypatch.setattr(site_swaps, "TOP", 10**6)
    monkeypatch.setattr(site_swaps, "BETTER", -np.inf)
    matrix, search = begun(seed)
    moves = SiteSwaps(search).moves()
    assert moves == sorted(moves)
    for change, c, chosen in moves:
        found = with_sites(matrix, search, {**search.sets, c: chosen})
        if found.outcome is Outcome.OPTIMAL:
            assert found.objective - search.best.objective >= change - 1e-6 * search.scale


def test_after_it_no_site_exchanged_added_or_left_out_is_better(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shown by trying them all from nothing; on the way much was better."""
    monkeypatch.setattr(site_swaps, "TOP", 10**6)
    gained = 0
    for seed in SOME:
        matrix, search = begun(seed)
        before = search.best.objective
        while SiteSwaps(search).run():
            pass
        assert worth(matrix, search) == pytest.approx(search.best.objective, rel=1e-6)
        gained += search.best.objective < before - 1e-3 * search.scale
        for c in search.contracts:
            have = set(search.sets[c])
            near = [{*have, s} for s in search.sites[c]] + [have - {s} for s in have]
            near += [have - {old} | {s} for old in have for s in search.sites[c]]
            for chosen in near:
                if len(chosen) <= search.most[c]:
                    found = with_sites(matrix, search, {**search.sets, c: tuple(chosen)})
                    better = found.outcome is Outcome.OPTIMAL and found.objective < search.best.objective - 2 * BETTER * search.scale
                    assert not better, (seed, c, chosen)
    assert gained >= 2


def test_it_ends_with_the_best_choice_in_the_programme() -> None:
    _, search = begun(SOME[2])
    assert SiteSwaps(search).run()
    assert search.solve().objective == pytest.approx(search.best.objective, rel=1e-9)


def test_a_move_is_tried_once() -> None:
    _, search = begun(SOME[2])
    swaps = SiteSwaps(search)
    swaps.run()
    assert swaps.moves() == []
    assert not swaps.run()


@pytest.mark.parametrize("far", [-1, 10**6])
def test_from_whichever_basis_a_move_begins_the_end_is_as_good(far: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site_swaps, "FAR", far)
    for seed in SOME:
        matrix, search = begun(seed)
        before = search.best.objective
        better = SiteSwaps(search).run()
        assert better == (search.best.objective < before)
        assert worth(matrix, search) == pytest.approx(search.best.objective, rel=1e-6)


def test_what_may_not_be_is_not_tried() -> None:
    """Sites that must serve stay, sites that may not serve stay away, no more than may serve do, and none together that are too far."""
    looked = 0
    for seed in SOME:
        _, search = begun(seed)
        for c in search.contracts:
            have = search.sets[c]
            if have:
                search.matrix.lower[search.at[c, have[0]]] = 1.0
            away = next((s for s in search.sites[c] if s not in have), None)
            if away is not None:
                search.matrix.upper[search.at[c, away]] = 0.0
            search.far[c] = {s: {u for u in search.sites[c] if u != s} for s in search.sites[c][::2]}
            for chosen in SiteSwaps(search)._near(c):
                looked += 1
                assert not have or have[0] in chosen
                assert away not in chosen
                assert len(chosen) <= search.most[c] or len(chosen) < len(have)
                new = chosen - set(have)
                assert all(not search.far[c].get(s, set()) & chosen for s in new)
    assert looked >= 10


def test_out_of_time_nothing_is_tried() -> None:
    _, search = begun(SOME[2])
    before, search.control = dict(search.sets), Control(time.monotonic() - 1.0)
    assert not SiteSwaps(search).run()
    assert search.sets == before


def test_a_solve_beyond_its_cut_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """HiGHS may end it as optimal."""
    _, search = begun(SOME[2])
    before, solve = dict(search.sets), search.solve
    monkeypatch.setattr(search, "solve", lambda cut=np.inf: replace(solve(), objective=search.best.objective + 1.0))
    assert not SiteSwaps(search).run()
    assert search.sets == before


def test_left_out_contracts_are_freed_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sites, "SiteSwaps", None)
    _, search = begun(SOME[2])
    search.swaps = False
    before = search.best.objective
    assert search.polish()
    assert search.best.objective < before
