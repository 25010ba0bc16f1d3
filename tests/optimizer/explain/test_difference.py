"""The difference of two plans: what follows by hand, what must hold of any two plans, and what the gaps leave open."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from models.changes import ChangeError, apply, draw
from models.dataset import Dataset
from models.plan import Plan
from optimizer import plan
from optimizer.explain import as_json
from optimizer.explain.difference import Difference, difference
from optimizer.explain.moves import MoveKind, Spot
from optimizer.spreadsheet import RuleFailedError, spreadsheet_plan
from tests.factories import small_dataset
from tests.generator import random_dataset

Q1, Q2, Q3 = "2026-Q1", "2026-Q2", "2026-Q3"


def solved(**case: Any) -> tuple[Dataset, Plan]:
    dataset = small_dataset(**case)
    return dataset, plan(dataset, gap=0, threads=1)


def of(one: tuple[Dataset, Plan], two: tuple[Dataset, Plan]) -> Difference:
    return difference(one[1], two[1], one[0], two[0])


def test_half_the_racks() -> None:
    """10 racks or 5: 50,000 USD less capital; 50 GPUs less at 2 USD and 8760 hours, and damages of 1 USD for them."""
    d = of(solved(), solved(supply=[{"gen_id": "h100", "racks": 5}]))
    terms = {t.name: t.difference for t in d.terms}
    assert terms == pytest.approx({"contract_revenue": -876_000, "damages": -438_000, "gpu_capital": 50_000})
    assert d.npv.difference == pytest.approx(sum(terms.values()))
    assert d.sentences == ("supply h100, 2026-Q1 changed: racks 10 -> 5",)
    assert [(t.table, t.changed) for t in d.tables] == [("supply", 1)]
    assert sum(m.mw_difference for m in d.racks if m.what == "installed") == pytest.approx(-0.5)
    assert sum(m.npv_usd for m in d.racks) == pytest.approx(50_000)
    assert sum(m.npv_usd for m in d.contracts) == pytest.approx(-876_000)
    assert sum(m.mw_difference for m in d.contracts) == pytest.approx(-0.5)
    assert not any(t.within_tolerance for t in (*d.terms, d.npv))


def test_racks_at_another_site() -> None:
    """All 10 racks of 0.1 MW must leave site a for b, in the same period; the money is the same."""
    here = solved(sites=[{"site_id": "a"}, {"site_id": "b", "max_rack_kw": 1}])
    there = solved(sites=[{"site_id": "a", "max_rack_kw": 1}, {"site_id": "b"}])
    d = of(here, there)
    (move,) = d.racks
    assert (move.kind, move.before, move.after, move.racks) == (MoveKind.OTHER_SITE, Spot("a", Q1), Spot("b", Q1), 10)
    assert (move.mw, move.mw_difference, move.npv_usd) == (pytest.approx(1.0), 0.0, 0.0)
    assert {(m.kind, m.site_id, round(m.mw_difference, 6)) for m in d.contracts} == {
        (MoveKind.REMOVED, "a", -1.0),
        (MoveKind.ADDED, "b", 1.0),
    }


def test_racks_in_another_period() -> None:
    """Supply a quarter later at a discount rate of 21 %: capital of 100,000 USD is worth (1.21^-0.125 - 1.21^-0.375) of it less."""
    case = {"discount_rate": 0.21, "sites": [{"site_id": "a"}]}
    d = of(solved(**case), solved(**case, supply=[{"gen_id": "h100", "period": Q2, "racks": 10}]))
    (move,) = d.racks
    assert (move.kind, move.before, move.after) == (MoveKind.OTHER_PERIOD, Spot("a", Q1), Spot("a", Q2))
    assert move.npv_usd == pytest.approx(100_000 * (1.21**-0.125 - 1.21**-0.375))


def test_a_limit_becomes_tight_and_slack() -> None:
    """1 MW holds the 10 racks; 10 MW hold them with room."""
    tight = solved(
        sites=[{"site_id": "a"}], power_blocks=[{"block_id": "a-1", "site_id": "a", "it_mw": 1}], supply=[{"gen_id": "h100", "racks": 20}]
    )
    loose = solved(sites=[{"site_id": "a"}], supply=[{"gen_id": "h100", "racks": 20}])
    (limit,) = (m for m in of(loose, tight).limits if m.limit == "it_power")
    assert (limit.place, limit.became_tight, limit.became_slack, limit.difference) == ("a", "2026-Q1 to 2026-Q4", "", 4)
    (limit,) = (m for m in of(tight, loose).limits if m.limit == "it_power")
    assert (limit.became_tight, limit.became_slack, limit.difference) == ("", "2026-Q1 to 2026-Q4", -4)


def test_a_prospect_signed_in_one_plan_only() -> None:
    """Signed, it brings 2 USD for 100 GPUs over 8760 hours."""
    contracts = {"contracts": [{"contract_id": "c", "status": "prospect"}]}
    no = [{"row": "no", "decision": "sign", "contract_id": "c", "value": 0, "why": "the customer has left"}]
    d = of(solved(**contracts), solved(**contracts, directives=no))
    (move,) = d.decisions
    assert (move.what, move.kind, move.id, move.before, move.after) == ("sign", MoveKind.REMOVED, "c", Q1, None)
    assert move.npv_usd == pytest.approx(-1_752_000)
    assert d.sentences == ("the customer has left (directive no added)",)


def test_what_the_gaps_leave_open_is_marked() -> None:
    """With bounds 100,000 USD above each plan, differences up to 200,000 USD show nothing."""
    one, two = solved(), solved(supply=[{"gen_id": "h100", "racks": 9}])
    open_usd = 100_000.0
    for _, made in (one, two):
        assert made.summary.npv_usd is not None
        made.summary.bound_usd = made.summary.npv_usd + open_usd
    d = of(one, two)
    assert d.tolerance_usd == pytest.approx(200_000)
    marks = {t.name: t.within_tolerance for t in d.terms}
    assert marks == {"contract_revenue": True, "damages": True, "gpu_capital": True}
    assert d.npv.difference == pytest.approx(-175_200 - 87_600 + 10_000)
    assert not d.npv.within_tolerance
    assert d.best_least_usd == pytest.approx(d.npv.difference - open_usd)
    assert d.best_most_usd == pytest.approx(d.npv.difference + open_usd)


def test_a_plan_does_not_differ_from_itself() -> None:
    one = solved()
    d = of(one, one)
    assert (d.sentences, d.racks, d.decisions, d.contracts, d.limits) == ((), (), (), (), ())
    assert not any(t.difference for t in (*d.terms, *d.kpis, d.npv))


def reversed_(d: Difference) -> Difference:
    """The difference seen from the other plan, by the rule that every difference is negated."""
    return replace(
        d, sentences=(), tables=(), rows=(), npv=d.npv.reversed(), tolerance_usd=d.tolerance_usd,
        best_least_usd=None if d.best_most_usd is None else -d.best_most_usd,
        best_most_usd=None if d.best_least_usd is None else -d.best_least_usd,
        **{name: tuple(part.reversed() for part in getattr(d, name)) for name in ("terms", "kpis", "racks", "decisions", "contracts", "limits")},
    )  # fmt: skip


def rounded(value: Any) -> Any:
    """Plain values with figures to nine digits; minus nothing is nothing."""
    if isinstance(value, dict):
        return {key: rounded(part) for key, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return float(f"{value:.9g}") + 0.0 if isinstance(value, float) else value


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 20), draws=st.integers(0, 10_000))
def test_swapping_sides_negates_every_number(seed: int, draws: int) -> None:
    old = random_dataset(seed)
    rng = Random(draws)
    try:
        new = apply(old, [draw(old, rng), draw(old, rng)]).dataset
    except ChangeError:
        new = old
    try:
        one, two = (spreadsheet_plan(dataset) for dataset in (old, new))
    except RuleFailedError:
        assume(False)
        raise
    there, back = difference(one, two, old, new), difference(two, one, new, old)
    wanted = {key: part for key, part in rounded(as_json(reversed_(there))).items() if key not in ("sentences", "tables", "rows")}
    found = {key: part for key, part in rounded(as_json(back)).items() if key not in ("sentences", "tables", "rows")}
    for key in ("kpis", "racks", "decisions", "contracts", "limits"):
        assert sorted(map(str, found[key])) == sorted(map(str, wanted[key])), key
        del found[key], wanted[key]
    assert found == wanted
    assert sum(t.difference for t in there.terms) == pytest.approx(there.npv.difference, rel=1e-6, abs=1.0)
    counts = {(t.table, t.added, t.removed, t.changed) for t in there.tables}
    assert {(t.table, t.removed, t.added, t.changed) for t in back.tables} == counts
    installed = {g: (before, after) for g, before, after in _installed(one, two)}
    for gen, (before, after) in installed.items():
        moved = [m for m in there.racks if m.what == "installed" and m.gen_id == gen]
        signed = sum(m.racks * ((m.after is not None) - (m.before is not None)) for m in moved)
        assert signed == after - before


def _installed(one: Plan, two: Plan) -> list[tuple[str, int, int]]:
    sums = [p.racks.groupby("gen_id")["installed"].sum().to_dict() for p in (one, two)]
    return [(str(g), int(sums[0].get(g, 0)), int(sums[1].get(g, 0))) for g in {*sums[0], *sums[1]}]
