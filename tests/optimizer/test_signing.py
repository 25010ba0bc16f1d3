"""Signing prospects that any site may serve, while serving sites are searched for."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import cache
from itertools import product

import numpy as np
import pytest

from models.dataset import Dataset
from optimizer import sites
from optimizer import station as station_module
from optimizer.exact import columns_of
from optimizer.formulation import formulate
from optimizer.highs import Control, Outcome, Solution
from optimizer.instance import Instance
from optimizer.matrix import Matrix, compile_matrix
from optimizer.site_dive import MANNERS
from optimizer.site_swaps import SiteSwaps
from optimizer.sites import SiteSearch, order
from optimizer.station import Choice, Station
from tests.generator import random_tables
from tests.optimizer.solved import SEEDS


def asked(matrix: Matrix, search: SiteSearch, answers: dict[str, bool]) -> Solution:
    """The model with a search's sites and with answers, solved from nothing."""
    other = SiteSearch(search.inst, matrix, Control())
    for c in other.contracts:
        other.hold(c, search.sets[c])
    other.signing.hold(answers)
    return other.solve()


@cache
def offered(seed: int) -> Dataset:
    """A random dataset whose prospects may be served anywhere, each of them offered twice."""
    settings, tables = random_tables(seed)
    for row in [row for row in tables["contracts"] if row["status"] == "prospect"]:
        row |= {"min_cluster_gpus": 0, "max_sites": None, "max_rtt_ms": None}
        twin = f"{row['contract_id']}_twin"
        tables["contracts"].append({**row, "contract_id": twin})
        for name in ("contract_generations", "contract_ramp", "contract_prices", "serving_costs"):
            tables[name] += [{**other, "contract_id": twin} for other in tables[name] if other["contract_id"] == row["contract_id"]]
    return Dataset.build(settings, **tables)


def begun(seed: int) -> tuple[Matrix, SiteSearch]:
    """A search of such a dataset with the sites of a dive."""
    instance = Instance(offered(seed))
    matrix = compile_matrix(formulate(instance))
    search = SiteSearch(instance, matrix, Control())
    assert search.relax()
    assert search.dive(MANNERS[0], Control())
    return matrix, search


@pytest.fixture(scope="module")
def seeds() -> list[int]:
    """Of datasets with a contract that has a choice of sites, and where the relaxation signs a prospect in part first."""
    found = [seed for seed in SEEDS if order(Instance(offered(seed)))][:8]
    return sorted(found, key=lambda seed: not in_part(begun(seed)[1]))


def in_part(search: SiteSearch) -> list[str]:
    """Prospects that a search's relaxation signs in part."""
    assert search.best.x is not None
    return [c for c, j in search.signing.columns.items() if 1e-6 < search.best.x[j] < 1 - 1e-6]


def test_only_contracts_to_be_signed_that_any_site_may_serve(seeds: list[int]) -> None:
    for seed in seeds:
        matrix, search = begun(seed)
        first, index = matrix.columns["sign"]
        for i, (c,) in enumerate(index):
            is_open = matrix.lower[first + i] == 0.0 and matrix.upper[first + i] == 1.0
            assert (c in search.signing.columns) == (is_open and c not in search.contracts)


def test_each_answer_is_the_better_one_or_what_the_relaxation_says(seeds: list[int]) -> None:
    """All are answered, the programme holds the answers, and where one was left to give it is the better of two."""
    fractional = 0
    for seed in seeds:
        matrix, search = begun(seed)
        search.hold_best()
        before = search.best
        answers, found = search.signing.decide(before)
        assert set(answers) == set(search.signing.columns)
        assert found.outcome is Outcome.OPTIMAL
        assert asked(matrix, search, answers).objective == pytest.approx(found.objective, rel=1e-6)
        assert found.objective >= before.objective - 1e-6 * search.scale
        loose = in_part(search)
        fractional += bool(loose)
        if len(loose) == 1:
            values = [asked(matrix, search, {**answers, loose[0]: answer}) for answer in (True, False)]
            assert found.objective == pytest.approx(min(value.objective for value in values), rel=1e-6)
    assert fractional


def test_the_other_answer_is_tried_where_it_could_be_better(seeds: list[int]) -> None:
    """From the worst answers, exchanging finds some that no single other answer betters; tried from nothing."""
    better = 0
    for seed in seeds:
        matrix, search = begun(seed)
        options = [
            dict(zip(search.signing.columns, values, strict=True)) for values in product((True, False), repeat=len(search.signing.columns))
        ]
        solved = [(asked(matrix, search, answers), answers) for answers in options]
        worst = max((found.objective, i) for i, (found, _) in enumerate(solved) if found.outcome is Outcome.OPTIMAL)[1]
        search.signed = dict(solved[worst][1])
        search.signing.hold(search.signed)
        search.best = search.solve()
        search.basis = search.program.basis()
        start = dict(search.signed)
        while SiteSwaps(search).run():
            pass
        assert search.signed is not None
        better += search.signed != start
        assert asked(matrix, search, search.signed).objective == pytest.approx(search.best.objective, rel=1e-6)
        for c in search.signed:
            other = asked(matrix, search, {**search.signed, c: not search.signed[c]})
            assert other.outcome is not Outcome.OPTIMAL or other.objective >= search.best.objective - 3e-5 * search.scale
    assert better


@pytest.mark.parametrize(("loss", "other_sites"), [(-1.0, True), (10.0, False)])
def test_only_where_answers_lose_enough_other_sites_are_looked_for(
    seeds: list[int], monkeypatch: pytest.MonkeyPatch, loss: float, other_sites: bool
) -> None:
    """They are kept either way, and held."""
    monkeypatch.setattr(sites, "LOSS", loss)
    _, search = begun(seeds[0])
    assert search.sign() is other_sites
    assert search.signed is not None
    columns = list(search.signing.columns.values())
    assert (search.program.lower[columns] == [float(answer) for answer in search.signed.values()]).all()
    assert (search.program.upper[columns] == search.program.lower[columns]).all()
    assert search.solve().objective == pytest.approx(search.best.objective, rel=1e-9)


@pytest.mark.parametrize(("signs", "loss", "runs"), [(True, -1.0, [False, True]), (True, 10.0, [False]), (False, -1.0, [False])])
def test_polishing_signs_and_exchanges_sites_again_where_that_loses_enough(
    seeds: list[int], monkeypatch: pytest.MonkeyPatch, signs: bool, loss: float, runs: list[bool]
) -> None:
    """Whether contracts were signed at each descent; polished once more, they stay signed and there is one."""
    monkeypatch.setattr(sites, "LOSS", loss)
    found: list[bool] = []
    run = SiteSwaps.run
    monkeypatch.setattr(SiteSwaps, "run", lambda swaps: (found.append(swaps.search.signed is not None), run(swaps))[1])
    _, search = begun(seeds[0])
    search.signs = signs
    search.polish()
    assert found == runs
    assert (search.signed is not None) is signs
    search.polish()
    assert found == [*runs, signs]


def test_a_draw_that_is_no_better_leaves_the_answers(seeds: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sites, "LOSS", -1.0)
    _, search = begun(seeds[0])
    search.sign()
    before, best = dict(search.signed or {}), search.best.objective

    def move() -> bool:
        search.signed = {c: not answer for c, answer in before.items()}
        return False

    assert not search._attempt(move)
    assert search.signed == before
    assert search.solve().objective == pytest.approx(best, rel=1e-9)


def test_from_other_sites_on_all_is_open_again(seeds: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sites, "LOSS", -1.0)
    for again in (lambda search: search.start_from(search.sets), lambda search: search.restart(None), lambda search: search.relax()):
        _, search = begun(seeds[0])
        search.sign()
        assert search.signed
        again(search)
        columns = list(search.signing.columns.values())
        assert search.signed is None
        assert (search.program.lower[columns] < search.program.upper[columns]).all()


def test_out_of_time_nothing_is_signed(seeds: list[int]) -> None:
    _, search = begun(seeds[0])
    search.hold_best()
    search.control = Control(time.monotonic() - 1.0)
    assert not search.sign()
    assert search.signed is None
    columns = list(search.signing.columns.values())
    assert (search.program.lower[columns] < search.program.upper[columns]).all()


def test_a_plan_is_made_with_the_answers_where_they_hold(seeds: list[int]) -> None:
    """First with all that was chosen, then with sites and answers, then with sites alone."""
    _, search = begun(seeds[0])
    station = Station(search.inst, search.matrix)
    answers = dict.fromkeys(search.signing.columns, True)
    lower, upper = search.matrix.lower, search.matrix.upper
    tried = station._widened(Choice(search.sets, 0.0, lower, upper, signed=answers))
    columns = list(search.signing.columns.values())
    assert next(tried) == (lower, upper)
    low, high = next(tried)
    assert (low[columns] == 1.0).all()
    assert (high[columns] == 1.0).all()
    low, high = next(tried)
    assert (low[columns] < high[columns]).all()
    alone = station._widened(Choice(search.sets, 0.0, lower, upper))
    next(alone)
    assert (next(alone)[0][columns] == 0.0).all()


def test_a_choice_tells_the_answers(seeds: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Only of a search on finer periods, and not where signing is left out; bounds of the model hold them, and are no others' bounds."""
    monkeypatch.setattr(sites, "LOSS", -1.0)
    monkeypatch.setattr(station_module, "GROUPS", 3)
    monkeypatch.setattr(station_module, "FINE_GROUPS", 5)
    _, search = begun(seeds[0])
    found: dict[bool, Choice] = {}
    for signs in (True, False):
        station = Station(search.inst, search.matrix, without=frozenset() if signs else frozenset({"signing"}))
        assert station.sites(1.0)[0].signed == {}
        found[signs] = station.better_sites(None, 0.0)[0]
        assert bool(found[signs].signed) is signs
    first, index = search.matrix.columns["sign"]
    for i, (c,) in enumerate(index):
        if c in found[True].signed:
            assert found[True].lower[first + i] == found[True].upper[first + i] == float(found[True].signed[str(c)])
        else:
            assert found[True].lower[first + i] == search.matrix.lower[first + i]
    assert np.array_equal(found[False].lower[columns_of(search.matrix, ["sign"])], search.matrix.lower[columns_of(search.matrix, ["sign"])])


def test_stopped_solves_sign_nothing(seeds: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    _, search = begun(seeds[0])
    assert in_part(search)
    search.hold_best()
    solve = search.solve
    monkeypatch.setattr(search, "solve", lambda cut=np.inf: replace(solve(), outcome=Outcome.STOPPED))
    assert search.signing.decide(search.best)[1].outcome is not Outcome.OPTIMAL
