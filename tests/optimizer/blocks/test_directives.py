"""Directives: decisions fixed, bounded or forbidden from outside."""

from __future__ import annotations

from typing import Any

import pytest

from optimizer import InfeasibleError
from tests.optimizer.blocks.hand import best, block, npv, one, racks
from tests.optimizer.cover import covers


def directive(rule: str, decision: str, value: float, **ids: Any) -> dict[str, Any]:
    return {"directives": [{"row": "1", "rule": rule, "decision": decision, "value": value, **ids}]}


@covers("directive_most")
@pytest.mark.parametrize(
    ("decision", "ids", "value"),
    [
        ("in_service", {"site_id": "a"}, 3),
        ("installed", {"gen_id": "h100"}, 3),
        ("in_service", {}, 3),
        ("deliveries", {"contract_id": "c"}, 30),
    ],
)
def test_at_most(decision: str, ids: dict[str, Any], value: float) -> None:
    """3 racks, or 30 GPUs from 3 racks: NPV(3) = -216,000 + 3*54,800 = -51,600."""
    assert npv(**one(), **directive("max", decision, value, **ids)) == pytest.approx(-51_600)


@covers("directive_least")
@pytest.mark.parametrize(("decision", "value"), [("in_service", 12), ("installed", 12)])
def test_at_least(decision: str, value: float) -> None:
    """12 racks where 10 are of use: 332,000 - 2*10,000 = 312,000."""
    supply = [{"gen_id": "h100", "period": "2026-Q1", "racks": 20}]
    assert npv(**one(), supply=supply, **directive("min", decision, value, site_id="a")) == pytest.approx(312_000)


@covers("directive_least", "directive_most")
def test_fixed_deliveries_count_physical_gpus() -> None:
    """40 GPUs fixed: 2*40*2160 - 60*2160 - 40,000 = 3,200, though 100 would be better."""
    assert npv(**one(), **directive("fix", "deliveries", 40)) == pytest.approx(racks(4)) == pytest.approx(3_200)


@covers("directive_least", "directive_most")
@pytest.mark.parametrize(("value", "expected"), [(0, 0.0), (1, 332_000.0)])
def test_sign(value: float, expected: float) -> None:
    """A prospect that pays 332,000 = NPV(10) is signed; directed not to be, NPV = 0. One that loses is signed if it must be."""
    prospect = [{"contract_id": "c", "status": "prospect"}]
    assert npv(**one(), contracts=prospect, **directive("fix", "sign", value)) == pytest.approx(expected, abs=1e-6)
    loss = {"contracts": prospect, "supply": []}
    assert npv(**one(), **loss, **directive("fix", "sign", value, contract_id="c")) == pytest.approx(-216_000 * value, abs=1e-6)


@covers("directive_least")
@pytest.mark.parametrize(("decision", "ids"), [("open", {"site_id": "a"}), ("build", {"block_id": "a-1"})])
def test_open_and_build_mean_the_state(decision: str, ids: dict[str, Any]) -> None:
    """Nothing to serve, but open, or built, from 2026-Q3 on: 9,000 of activation, or 10,000 kW * 6 months * 1 USD = 60,000 and the activation."""
    site = {"sites": [{"site_id": "a", "status": "candidate", "activation_usd": 9_000}], "contracts": [], "supply": []}
    option = block(status="option", lease_usd_per_kw_month=1)
    found = best(**site, power_blocks=option, **directive("min", decision, 1, from_period="2026-Q3", **ids))
    assert found.summary.npv_usd == pytest.approx(-9_000 if decision == "open" else -69_000)
    assert "2026-Q3" in set(found.decisions["period"])


@covers("directive_least")
def test_retrofit_means_the_megawatts_ordered_up_to_a_period() -> None:
    """0.5 MW by 2026-Q2: 5,000 + 500*10 = 10,000 and no use for it."""
    row = {"site_id": "a", "min_mw": 0, "max_mw": 1, "fixed_usd": 5_000, "usd_per_kw": 10, "lead_periods": 0}
    tables: dict[str, Any] = {"sites": [{"site_id": "a"}], "contracts": [], "retrofits": [row]}
    asked = directive("min", "retrofit", 0.5, site_id="a", from_period="2026-Q2", to_period="2026-Q2")
    assert npv(**tables, **asked) == pytest.approx(-10_000)
    assert npv(**tables) == pytest.approx(0, abs=1e-6)


@covers("directive_least", "directive_most")
def test_serve() -> None:
    """a and b of 5 racks each, b forbidden: NPV(5) = -876,000 + 5*252,800 = 388,000; forced with a cluster of 60 at 5 racks can't be."""
    blocks = [{"block_id": s, "site_id": s, "it_mw": 0.5, "energized": "2026-Q1"} for s in ("a", "b")]
    assert npv(power_blocks=blocks, **directive("max", "serve", 0, contract_id="c", site_id="b")) == pytest.approx(388_000)
    with pytest.raises(InfeasibleError, match="directive 1"):
        npv(power_blocks=blocks, contracts=[{"contract_id": "c", "min_cluster_gpus": 60}], **directive("min", "serve", 1, site_id="b"))


@covers("directive_most")
def test_periods_outside_the_horizon_are_ignored() -> None:
    """Named up to 2030 and before 2026: NPV(10) = 332,000 stays where only other periods are named."""
    assert npv(**one(), **directive("max", "installed", 0, from_period="2027-Q1", to_period="2030-Q1")) == pytest.approx(332_000)
    assert npv(**one(), **directive("max", "installed", 0, from_period="2020-Q1", to_period="2030-Q1")) == pytest.approx(-216_000)


@pytest.mark.parametrize("decision", ["installed", "in_service", "deliveries"])
def test_what_lies_before_the_horizon_is_ignored(decision: str) -> None:
    """The model and the audit agree on it, however long before."""
    for last in ("2025-Q4", "2025-Q3", "2024-Q4", "0001-Q1"):
        assert npv(**one(), **directive("max", decision, 0, to_period=last)) == pytest.approx(332_000)
        assert npv(sites=[{"site_id": "a"}], **directive("min", decision, 1_000, to_period=last)) == pytest.approx(racks(10, 8760))
