"""Exchanging serving sites: limits hold, nothing near is better at the end, and what may not be is not tried."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import combinations, product

import numpy as np
import pytest

from optimizer import site_swaps, sites
from optimizer.highs import Control, Outcome, Solution
from optimizer.matrix import Matrix
from optimizer.site_dive import MANNERS
from optimizer.site_swaps import BETTER, SiteSwaps
from optimizer.sites import Sets, SiteSearch
from optimizer.station import Station
from tests.optimizer.sites_kit import has_choice, searched, worth
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


def steps(search: SiteSearch, c: str) -> list[set[str]]:
    """Sites of a contract with one exchanged, one more, one less or none, as many as may serve it."""
    have = set(search.sets[c])
    near = [set[str](), *({*have, s} for s in search.sites[c]), *(have - {s} for s in have)]
    near += [have - {old} | {s} for old in have for s in search.sites[c]]
    return [chosen for chosen in near if len(chosen) <= search.most[c]]


def exchanged(search: SiteSearch) -> list[Sets]:
    """Two contracts, each with a site of the other's in place of one of its own."""
    found: list[Sets] = []
    for c, d in combinations(search.contracts, 2):
        of_c, of_d = set(search.sets[c]), set(search.sets[d])
        for a, b in product(of_c - of_d, of_d - of_c):
            if b in search.sites[c] and a in search.sites[d]:
                found.append({c: tuple(of_c - {a} | {b}), d: tuple(of_d - {b} | {a})})
    return found


@pytest.mark.parametrize("seed", SOME)
def test_no_change_is_less_than_its_limit(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weak duality, of every move whether it looks promising or not."""
    monkeypatch.setattr(site_swaps, "TOP", 10**6)
    monkeypatch.setattr(site_swaps, "EXCHANGES", 10**6)
    monkeypatch.setattr(site_swaps, "BETTER", -np.inf)
    matrix, search = begun(seed)
    swaps = SiteSwaps(search)
    moves, exchanges = swaps.moves(), swaps.exchanges()
    assert moves == sorted(moves)
    assert exchanges == sorted(exchanges)
    for change, other, _ in [*moves, *exchanges]:
        found = with_sites(matrix, search, {**search.sets, **dict(other)})
        if found.outcome is Outcome.OPTIMAL:
            assert found.objective - search.best.objective >= change - 1e-6 * search.scale


def test_after_it_no_site_exchanged_added_or_left_out_is_better(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shown by trying them all from nothing, and all exchanges of two contracts; on the way much was better."""
    monkeypatch.setattr(site_swaps, "TOP", 10**6)
    monkeypatch.setattr(site_swaps, "EXCHANGES", 10**6)
    gained = 0
    for seed in SOME:
        matrix, search = begun(seed)
        before = search.best.objective
        while SiteSwaps(search).run():
            pass
        assert worth(matrix, search) == pytest.approx(search.best.objective, rel=1e-6)
        gained += search.best.objective < before - 1e-3 * search.scale
        others = [{c: tuple(chosen)} for c in search.contracts for chosen in steps(search, c)] + exchanged(search)
        for other in others:
            found = with_sites(matrix, search, {**search.sets, **other})
            better = found.outcome is Outcome.OPTIMAL and found.objective < search.best.objective - 2 * BETTER * search.scale
            assert not better, (seed, other)
    assert gained >= 2


def test_it_ends_with_the_best_choice_in_the_programme() -> None:
    _, search = begun(SOME[2])
    assert SiteSwaps(search).run()
    assert search.solve().objective == pytest.approx(search.best.objective, rel=1e-9)


def test_a_move_is_tried_once() -> None:
    _, search = begun(SOME[2])
    swaps = SiteSwaps(search)
    swaps.run()
    assert swaps.moves() == swaps.exchanges() == []
    assert not swaps.run()


def test_where_no_place_is_free_two_contracts_exchange_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    with_exchanges = {seed: begun(seed)[1] for seed in SEEDS if has_choice(seed)}
    for search in with_exchanges.values():
        SiteSwaps(search).run()
    monkeypatch.setattr(SiteSwaps, "exchanges", lambda self: [])
    better = 0
    for seed, search in with_exchanges.items():
        _, alone = begun(seed)
        SiteSwaps(alone).run()
        better += search.best.objective < alone.best.objective - BETTER * search.scale
        assert search.best.objective <= alone.best.objective + 1e-9 * search.scale
    assert better >= 1


@pytest.mark.parametrize("far", [-1, 10**6])
def test_from_whichever_basis_a_move_begins_the_end_is_as_good(far: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site_swaps, "FAR", far)
    for seed in SOME:
        matrix, search = begun(seed)
        before = search.best.objective
        better = SiteSwaps(search).run()
        assert better == (search.best.objective < before)
        assert worth(matrix, search) == pytest.approx(search.best.objective, rel=1e-6)


def prepared() -> tuple[SiteSearch, str, str, str, str]:
    """A search, a contract, two sites that it has, and one that it might have."""
    for seed in SEEDS:
        if has_choice(seed):
            _, search = begun(seed)
            for c in search.contracts:
                if len(search.sites[c]) >= 3:
                    x, y, z = search.sites[c][:3]
                    search.sets[c], search.far[c], search.most[c] = (x, y), {}, 2
                    search.matrix.lower[search.columns[c]], search.matrix.upper[search.columns[c]] = 0.0, 1.0
                    return search, c, x, y, z
    raise AssertionError("no contract has a choice of three sites")


def test_what_may_not_be_is_not_tried() -> None:
    """Sites that must serve stay, sites that may not serve stay away, no more than may serve do, and none together that are too far."""
    search, c, x, y, z = prepared()

    def near() -> set[frozenset[str]]:
        return {frozenset(chosen) for chosen in SiteSwaps(search)._near(c)}

    others = {frozenset({x, s}) for s in search.sites[c][2:]} | {frozenset({y, s}) for s in search.sites[c][2:]}
    assert near() == others | {frozenset({x}), frozenset({y}), frozenset()}
    search.most[c] = 3
    assert frozenset({x, y, z}) in near()
    search.far[c] = {z: {y}, y: {z}}
    assert not {chosen for chosen in near() if {y, z} <= chosen}
    assert frozenset({x, z}) in near(), "the one that is too far gives its place"
    search.far[c] = {}
    search.matrix.lower[search.at[c, x]] = 1.0
    assert all(x in chosen for chosen in near())
    search.matrix.lower[search.at[c, x]] = 0.0
    search.matrix.upper[search.at[c, z]] = 0.0
    assert not any(z in chosen for chosen in near())


def test_what_may_not_be_is_not_exchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    search, c, x, y, z = prepared()
    swaps = SiteSwaps(search)
    assert swaps._may(c, x, z)
    assert not swaps._may(c, x, "nowhere")
    search.far[c] = {z: {y}}
    assert not swaps._may(c, x, z)
    search.far[c] = {z: {x}}
    assert swaps._may(c, x, z), "the one that is too far gives its place"
    search.matrix.lower[search.at[c, x]] = 1.0
    assert not swaps._may(c, x, z)
    search.matrix.lower[search.at[c, x]], search.matrix.upper[search.at[c, z]] = 0.0, 0.0
    assert not swaps._may(c, x, z)
    monkeypatch.setattr(site_swaps, "BETTER", -np.inf)
    monkeypatch.setattr(site_swaps, "EXCHANGES", 10**6)
    assert any(SiteSwaps(begun(seed)[1]).exchanges() for seed in SOME)
    monkeypatch.setattr(SiteSwaps, "_may", lambda self, c, old, new: False)
    assert not any(SiteSwaps(begun(seed)[1]).exchanges() for seed in SOME)


def test_only_moves_that_could_be_better_are_tried() -> None:
    for seed in SOME:
        _, search = begun(seed)
        swaps = SiteSwaps(search)
        assert all(change < -BETTER * search.scale for change, _, _ in [*swaps.moves(), *swaps.exchanges()])


@pytest.mark.parametrize(("share", "tried"), [(0.5, 0), (2.0, 1)])
def test_what_gains_next_to_nothing_is_not_tried(share: float, tried: int) -> None:
    """The limit of a move is what reduced costs say: here of one more site, and nothing else."""
    search, c, _, _, z = prepared()
    cost = np.zeros(search.matrix.shape[1])
    cost[search.at[c, z]] = -share * BETTER * search.scale
    search.best, search.most[c] = replace(search.best, reduced_cost=cost), 3
    assert min(1, sum(z in move[1][0][1] for move in SiteSwaps(search).moves())) == tried


def test_the_limit_of_an_exchange_is_that_of_both_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site_swaps, "BETTER", -np.inf)
    looked = 0
    for seed in SOME:
        swaps = SiteSwaps(begun(seed)[1])
        for change, ((c, of_c), (d, of_d)), _ in swaps.exchanges():
            looked += 1
            assert change == pytest.approx(swaps._change(c, set(of_c)) + swaps._change(d, set(of_d)))
    assert looked


def test_a_solve_that_was_stopped_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    _, search = begun(SOME[2])
    before, solve = dict(search.sets), search.solve
    monkeypatch.setattr(
        search, "solve", lambda cut=np.inf: replace(solve(), outcome=Outcome.STOPPED, objective=search.best.objective - search.scale)
    )
    assert not SiteSwaps(search).run()
    assert search.sets == before


def test_a_move_after_a_long_one_begins_at_the_best_again(monkeypatch: pytest.MonkeyPatch) -> None:
    begins = []
    for far in (10**6, -1):
        monkeypatch.setattr(site_swaps, "FAR", far)
        count = 0
        for seed in SOME:
            _, search = begun(seed)
            calls: list[object] = []
            set_basis = search.program.set_basis
            monkeypatch.setattr(search.program, "set_basis", lambda basis, c=calls, f=set_basis: (c.append(basis), f(basis)))
            SiteSwaps(search).run()
            count += len(calls)
        begins.append(count)
    assert begins[1] > begins[0]


def test_out_of_time_nothing_is_tried() -> None:
    _, search = begun(SOME[2])
    before, search.control = dict(search.sets), Control(time.monotonic() - 1.0)
    assert not SiteSwaps(search).run()
    assert search.sets == before


def test_without_duals_nothing_is_tried() -> None:
    _, search = begun(SOME[2])
    search.best = replace(search.best, reduced_cost=None)
    assert not SiteSwaps(search).run()


def test_a_station_may_leave_them_out() -> None:
    _, search = begun(SOME[2])
    for without in (frozenset[str](), frozenset({"site swaps"})):
        station = Station(search.inst, search.matrix, without=without)
        assert station._search(4).search.swaps == ("site swaps" not in without)


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
