"""Sources of uncertainty: faults, draws and their frequencies, enumeration."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom, multivariate_normal, norm

from models import read_dataset
from models.changes import apply
from models.changes.market import MarketPrice
from models.changes.site_power import SiteEnergizationDelay
from models.dataset import Dataset
from models.uncertainty import Scenario, Uncertainty, UncertaintyError, any_late, draw, enumerated, from_plain, merged, read_uncertainty
from tests.factories import small_dataset

ROOT = Path(__file__).resolve().parents[3]
DRAWS = 2000
LATE = {"odds": 0.3, "delay_periods": 1}
UP = {"odds": 0.5, "name": "up", "steps": [{"from_period": "2026-Q2", "factor": 0.5}, {"from_period": "2026-Q4", "factor": 1.5}]}


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    """Two sites with power to come, at two nodes below one, and a market."""
    return small_dataset(
        sites=[{"site_id": "a", "grid_node": "n"}, {"site_id": "b", "grid_node": "m"}, {"site_id": "c"}],
        grid_nodes=[{"node_id": "n"}, {"node_id": "m", "parent_id": "n"}],
        power_blocks=[{"block_id": f"{s}-{i}", "site_id": s, "energized": f"2026-Q{i}"} for s in "abc" for i in (1, 2)],
        market=[{"gen_id": "h100"}],
    )


def document(**tables: Any) -> dict[str, Any]:
    """A document of sources, each of which has a reason."""
    whole: dict[str, Any] = {"schema_version": 1, "name": "test"}
    return whole | {kind: [{"why": "a test", **entry} for entry in entries] for kind, entries in tables.items()}


def slip(site: str, *outcomes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": f"slip-{site}", "site_id": site, "outcomes": outcomes or (LATE,), **more}


def delays(scenario: Scenario) -> dict[str, int]:
    return {change.site_id: change.delay_periods for change in scenario.changes if isinstance(change, SiteEnergizationDelay)}


def close(count: int, odds: float) -> bool:
    """Whether so many of ``DRAWS`` is what the odds give, but for one case in a million."""
    low, high = binom.interval(1 - 1e-6, DRAWS, odds)
    return bool(low <= count <= high)


# faults ------------------------------------------------------------------------------------------


def test_every_fault_is_named_at_once(dataset: Dataset) -> None:
    bad = document(
        slip=[slip("a", {"odds": -0.3, "delay_periods": 1}, {"odds": 0.2, "delay_periodz": 2}), {"id": "x", "site_idd": "a", "outcomes": [LATE]}],
        event=[{"id": "cut", "outcomes": [{"odds": 0.5, "changes": [{"type": "suply.cut", "cut_share": 0.5}]}]}],
        price=[{"id": "p", "price": "markt", "paths": [UP, UP]}],
    )  # fmt: skip
    with pytest.raises(UncertaintyError) as error:
        from_plain(bad | {"nam": "y"}, dataset, "scenarios.toml")
    found = {str(fault) for fault in error.value.faults}
    assert found == {
        "scenarios.toml, slip 1 (slip-a), outcomes.1.odds: is negative (found '-0.3'); allowed: a number from 0 to 1 (share)",
        "scenarios.toml, slip 1 (slip-a), outcomes.2.delay_periods: is missing; allowed: a whole number from 1 to 400 (periods)",
        "scenarios.toml, slip 1 (slip-a), outcomes.2.delay_periodz: unknown key; did you mean 'delay_periods'?",
        "scenarios.toml, slip 2 (x), site_id: is missing; allowed: a value of sites.site_id",
        "scenarios.toml, slip 2 (x), site_idd: unknown key; did you mean 'site_id'?",
        "scenarios.toml, event 1 (cut), outcomes.1.changes.1.type: unknown type (found 'suply.cut'); did you mean 'supply.cut'?",
        "scenarios.toml, price 1 (p), price: unknown choice (found 'markt'); allowed: one of gpu, market, energy; did you mean 'market'?",
        "scenarios.toml, nam: unknown key; did you mean 'name'?",
    }


def test_what_does_not_fit_the_dataset_is_refused(dataset: Dataset) -> None:
    bad = document(
        slip=[slip("d"), slip("a", {"odds": 0.7, "delay_periods": 1}, {"odds": 0.4, "delay_periods": 2}), slip("a", block_id="b-2")],
        cause=[{"id": "u", "grid_node": "o", "outcomes": [LATE]}],
        event=[{"id": "e", "outcomes": [{"odds": 1, "changes": [{"type": "contract.extend", "contract_id": "cc", "extension_periods": 1}]}]}],
        price=[{"id": "p", "price": "gpu", "gen_id": "h10", "paths": [UP, {"odds": 0.4}]}],
    )  # fmt: skip
    with pytest.raises(UncertaintyError) as error:
        from_plain(bad, dataset)
    found = [str(fault).removeprefix("scenarios, ") for fault in error.value.faults]
    assert found == [
        "slip 1 (slip-d), site_id: unknown id (found 'd'); allowed: one of a, b, c",
        "slip 2 (slip-a), outcomes: odds add to more than 1 (found '1.1'); allowed: a sum of at most 1",
        "slip 3 (slip-a), id: the same id as slip 2 (slip-a) (found 'slip-a'); allowed: each id once",
        "slip 3 (slip-a), block_id: is a block of b (found 'b-2'); allowed: a-1, a-2",
        "cause 1 (u), grid_node: unknown id (found 'o'); allowed: one of m, n",
        "event 1 (e), outcomes.1.changes.1.contract_id: unknown id (found 'cc'); did you mean 'c'?",
        "price 1 (p), paths: odds of the paths do not add to 1 (found '0.9'); allowed: a sum of 1",
        "price 1 (p), gen_id: unknown id (found 'h10'); did you mean 'h100'?",
    ]


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({}, "names no source of uncertainty"),
        ({"slip": [slip("a", driver="d")]}, "needs driver and a loading other than 0 together"),
        ({"cause": [{"id": "u", "outcomes": [LATE]}]}, "needs exactly one of sites, grid_node, price_zone"),
        ({"price": [{"id": "p", "price": "gpu", "tier": "spot", "paths": [{"odds": 1}]}]}, "tier does not go with the gpu price"),
        ({"price": [{"id": "p", "price": "gpu"}]}, "needs exactly one of paths, volatility"),
        ({"price": [{"id": "p", "price": "gpu", "paths": [{**UP, "odds": 1, "steps": UP["steps"][::-1]}]}]}, "steps are not in order"),
        ({"slip": [slip("c", from_period="2026-Q3")]}, "no power of the site comes later"),
        ({"event": [{"id": "e", "outcomes": []}]}, "is an empty list"),
    ],
)
def test_what_cannot_be_is_refused(dataset: Dataset, tables: dict[str, Any], message: str) -> None:
    with pytest.raises(UncertaintyError, match=message):
        from_plain(document(**tables), dataset)


def test_a_file_that_is_not_toml(dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text("name = ")
    with pytest.raises(UncertaintyError, match=r"s\.toml: is not TOML"):
        read_uncertainty(tmp_path / "s.toml", dataset)
    with pytest.raises(UncertaintyError, match="does not exist"):
        read_uncertainty(tmp_path / "t.toml", dataset)


# draws -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def drawn(dataset: Dataset) -> Callable[..., list[Scenario]]:
    """Draws from sources given as tables."""

    def made(seed: int = 7, count: int = DRAWS, **tables: Any) -> list[Scenario]:
        return draw(from_plain(document(**tables), dataset), dataset, count, seed)

    return made


def test_frequencies_are_the_odds(drawn: Callable[..., list[Scenario]]) -> None:
    """Two independent slips: each marginal, and both together by the product."""
    found = [
        delays(s) for s in drawn(slip=[slip("a", LATE, {"odds": 0.1, "delay_periods": 2}), slip("b", {"odds": 0.25, "delay_periods": 3})])
    ]
    assert close(sum(late.get("a") == 1 for late in found), 0.3)
    assert close(sum(late.get("a") == 2 for late in found), 0.1)
    assert close(sum(late.get("b") == 3 for late in found), 0.25)
    assert close(sum("a" in late and "b" in late for late in found), 0.4 * 0.25)


def test_a_common_cause_makes_sites_late_together(drawn: Callable[..., list[Scenario]]) -> None:
    """Own odds 0.3, and 0.2 for both by the cause: both late with 0.2 + 0.8 * 0.3^2 = 0.272, where 0.44^2 = 0.194 were independent."""
    found = [
        delays(s)
        for s in drawn(slip=[slip("a"), slip("b")], cause=[{"id": "u", "grid_node": "n", "outcomes": [{"odds": 0.2, "delay_periods": 2}]}])
    ]
    both = sum("a" in late and "b" in late for late in found)
    assert close(sum("a" in late for late in found), 0.44)
    assert close(both, 0.272)
    assert not close(both, 0.44**2)
    assert close(sum(late.get("a") == 2 for late in found), 0.2)  # the longest delay counts
    assert all((late.get("a") == 2) == (late.get("b") == 2) for late in found)
    assert not any("c" in late for late in found)


def test_a_driver_correlates(drawn: Callable[..., list[Scenario]]) -> None:
    """Two slips with loading 0.8 on one driver: correlation 0.64 of their normal numbers, so both are late by the bivariate normal."""
    driven = {"driver": "d", "loading": 0.8}
    found = [delays(s) for s in drawn(slip=[slip("a", **driven), slip("b", **driven)])]
    edge = norm.ppf(0.3)
    joint = float(multivariate_normal.cdf([edge, edge], mean=[0, 0], cov=[[1, 0.64], [0.64, 1]]))
    assert joint > 0.15
    assert close(sum("a" in late for late in found), 0.3)
    assert close(sum("a" in late and "b" in late for late in found), joint)


def test_a_price_may_rise_again(drawn: Callable[..., list[Scenario]], dataset: Dataset) -> None:
    found = drawn(price=[{"id": "p", "price": "market", "paths": [UP, {"odds": 0.5}]}])
    moved = [s for s in found if s.changes]
    assert close(len(moved), 0.5)
    usd = apply(dataset, moved[0].changes).dataset["market"].set_index("from_period")["usd_per_gpu_hour"]
    assert usd.to_dict() == {"2026-Q1": 1.0, "2026-Q2": 0.5, "2026-Q4": 1.5}
    assert moved[0].happened == ("p: up",)


def test_a_price_wanders_about_its_mean(drawn: Callable[..., list[Scenario]]) -> None:
    """Factor exp(x - var/2), x after two steps of sd 0.2 at persistence 0.5: variance 0.04 * (1 + 0.25); mean factor 1."""
    wander = {"sd": 0.2, "persistence": 0.5, "every_periods": 2}
    found = drawn(price=[{"id": "p", "price": "market", "volatility": wander}])
    last = np.array([[c.factor for c in s.changes if isinstance(c, MarketPrice)][-1] for s in found], dtype=float)
    variance = 0.04 * 1.25
    spread = math.sqrt((math.exp(variance) - 1) / DRAWS)
    assert abs(last.mean() - 1) < 5 * spread
    assert np.log(last).std() == pytest.approx(math.sqrt(variance), rel=5 / math.sqrt(2 * DRAWS))


def test_draws_depend_on_the_seed_alone(drawn: Callable[..., list[Scenario]]) -> None:
    few = drawn(count=20, slip=[slip("a")])
    assert few == drawn(count=20, slip=[slip("a")])
    assert [s.changes for s in drawn(count=40, slip=[slip("a")])[:20]] == [s.changes for s in few]
    assert [delays(s).get("a") for s in drawn(count=20, slip=[slip("b"), slip("a")])] == [delays(s).get("a") for s in few]
    assert few != drawn(seed=8, count=20, slip=[slip("a")])
    assert sum(s.probability for s in few) == pytest.approx(1)
    both = merged(few)
    assert len(both) == 2
    assert sum(s.probability for s in both) == pytest.approx(1)


# enumeration -------------------------------------------------------------------------------------


def small(dataset: Dataset, **more: Any) -> Uncertainty:
    cut = {"id": "cut", "outcomes": [{"odds": 0.5, "name": "half", "changes": [{"type": "supply.cut", "cut_share": 0.5}]}]}
    return from_plain(document(slip=[slip("a", LATE, {"odds": 0.2, "delay_periods": 2}, **more)], event=[cut]), dataset)


def test_every_combination_with_its_probability(dataset: Dataset) -> None:
    found = {s.name: s.probability for s in enumerated(small(dataset), dataset)}
    assert found == pytest.approx(
        {
            "as planned": 0.25, "cut: half": 0.25, "slip-a +1": 0.15, "slip-a +1; cut: half": 0.15, "slip-a +2": 0.1,
            "slip-a +2; cut: half": 0.1,
        }
    )  # fmt: skip
    for scenario in enumerated(small(dataset), dataset):
        apply(dataset, scenario.changes)


def test_what_cannot_be_enumerated_says_so(dataset: Dataset) -> None:
    with pytest.raises(UncertaintyError, match="there are 6 combinations"):
        enumerated(small(dataset), dataset, most=5)
    with pytest.raises(UncertaintyError, match="cannot be enumerated, only drawn"):
        enumerated(small(dataset, driver="d", loading=0.5), dataset)


def test_any_so_many_of_some_sites(dataset: Dataset) -> None:
    found = any_late(dataset, ["a", "b", "c"], 2, 2)
    assert [delays(s) for s in found] == [{"a": 2, "b": 2}, {"a": 2, "c": 2}, {"b": 2, "c": 2}]
    with pytest.raises(UncertaintyError, match="unknown id"):
        any_late(dataset, ["a", "d"], 1, 2)
    with pytest.raises(UncertaintyError, match="allowed: 1 to 2"):
        any_late(dataset, ["a", "b"], 3, 2)


# the reference -----------------------------------------------------------------------------------


def test_the_reference_scenarios_fit_their_dataset() -> None:
    """They read without a fault, and what they draw can be applied: here a draw with a slip, an event and both kinds of prices."""
    dataset = read_dataset(ROOT / "data" / "reference-2025q4")
    uncertainty = read_uncertainty(ROOT / "data" / "uncertainty" / "reference-2025q4.toml", dataset)
    found = draw(uncertainty, dataset, 40, seed=1)
    kinds = [{change.type for change in s.changes} for s in found]
    wanted = {"site.energization_delay", "market.price", "energy.price"}
    chosen = next(s for s, kind in zip(found, kinds, strict=True) if wanted < kind)
    assert apply(dataset, chosen.changes).dataset.sha256 != dataset.sha256
    assert set().union(*kinds) == wanted | {
        "supply.delay",
        "supply.cut",
        "supply.price",
        "contract.extend",
        "contract.resize",
        "market.depth",
    }
