"""Prices of limits: values that follow by hand, and data with one unit more planned again."""

from __future__ import annotations

from typing import Any

import pytest

from models.dataset import Dataset
from models.plan import Plan
from optimizer import plan
from optimizer.explain import as_json
from optimizer.explain.declined import SigningPrice, newton, within_proofs
from optimizer.explain.ground import Ground
from optimizer.explain.prices import Prices, Verdict, priced, prices

YEAR = 8760.0
HOURS = {"2026-Q1": 2160.0, "2026-Q2": 2184.0, "2026-Q3": 2208.0, "2026-Q4": 2208.0}
ONE_SITE: dict[str, Any] = {"sites": [{"site_id": "a"}]}
WANTS = {"contract_ramp": [{"contract_id": "c", "gpus": 1000}]}
"""More GPUs than any hall of these tests holds; each is worth 2 USD an hour, and 1 USD of damages avoided."""


def solved(**case: Any) -> tuple[Dataset, Plan]:
    from tests.factories import small_dataset

    dataset = small_dataset(**{**ONE_SITE, **case})
    return dataset, plan(dataset, gap=0, threads=1)


def found(confirm: int = 10, **case: Any) -> Prices:
    dataset, made = solved(**case)
    return prices(dataset, made, confirm=confirm)


def throughout(p: Prices, name: str) -> tuple[float, Verdict | None, float | None]:
    one = next(t for t in p.throughout if t.name == name)
    return one.npv_usd, one.confirmation.verdict if one.confirmation else None, one.confirmation.whole_usd if one.confirmation else None


def hall(**more: float) -> dict[str, Any]:
    """A hall of 1 MW, with more racks and GPUs wanted than it holds."""
    return {"power_blocks": [{"block_id": "a-1", "site_id": "a", "it_mw": 1, **more}], "supply": [{"gen_id": "h100", "racks": 50}], **WANTS}


def test_a_megawatt_of_power() -> None:
    """1 MW holds 10 racks = 100 GPUs: 3 USD * 100 * 8760 h less 100,000 USD for the racks."""
    value, verdict, whole = throughout(found(**hall()), "it_power")
    assert value == pytest.approx(300 * YEAR - 100_000)
    assert verdict is Verdict.CONFIRMED
    assert whole == pytest.approx(value)


def test_a_megawatt_of_air_cooling() -> None:
    """All heat goes to air: the same as of power, where air is what is short."""
    value, verdict, _ = throughout(found(**hall(it_mw=10, air_mw=1)), "air")
    assert value == pytest.approx(300 * YEAR - 100_000)
    assert verdict is Verdict.CONFIRMED


def test_a_megawatt_of_liquid_cooling() -> None:
    """Half of the heat goes to liquid: 1 MW cools 20 racks."""
    gens = [{"gen_id": "h100", "liquid_share": 0.5}]
    value, verdict, _ = throughout(found(**hall(it_mw=10, liquid_mw=0.5), generations=gens), "liquid")
    assert value == pytest.approx(2 * (300 * YEAR - 100_000))
    assert verdict is Verdict.CONFIRMED


def test_a_megawatt_of_one_quarter_is_worth_less_than_its_price_where_racks_are_bought_for_it() -> None:
    """The capital of racks may stand in any quarter's price: at most 300 * hours, and that less 100,000 USD when solved again."""
    p = found(**hall())
    quarter = [x for x in p.prices if x.limit.name == "it_power"]
    assert sum(x.npv_usd for x in quarter) == pytest.approx(300 * YEAR - 100_000)
    for x in quarter:
        hours = HOURS[x.limit.period]
        assert 300 * hours - 100_000 - 1 <= x.npv_usd <= 300 * hours + 1
        if x.confirmation is not None:
            assert x.confirmation.resolved_usd == pytest.approx(300 * hours - 100_000)


def test_more_prices_are_tried_until_as_many_are_confirmed_as_are_wanted() -> None:
    """The quarter's price of power is for less than a unit; the next highest, a GPU of demand or a rack, holds: it is confirmed as well."""
    p = found(confirm=1, generations=[{"gen_id": "h100"}, {"gen_id": "a100"}], **hall())
    tried = [x for x in p.prices if x.confirmation is not None]
    verdicts = [x.confirmation.verdict for x in tried if x.confirmation is not None]
    assert verdicts.count(Verdict.CONFIRMED) == 1
    assert len(tried) <= 4
    assert Verdict.LESS in verdicts
    assert [abs(x.worth_usd) for x in p.prices] == sorted((abs(x.worth_usd) for x in p.prices), reverse=True)
    less = next(x for x in tried if x.confirmation is not None and x.confirmation.verdict is Verdict.LESS)
    assert abs(less.worth_usd) < abs(less.npv_usd)
    assert {x.limit.words for x in p.prices} == {
        x.limit.words for x in found(confirm=0, generations=[{"gen_id": "h100"}, {"gen_id": "a100"}], **hall()).prices
    }


def test_a_rack_more_of_a_generation() -> None:
    """10 GPUs at 3 USD for 8760 hours less 10,000 USD; the supply of the first quarter is what counts."""
    p = found(supply=[{"gen_id": "h100", "racks": 5}])
    first = next(x for x in p.prices if x.limit.name == "supply" and x.limit.period == "2026-Q1")
    assert first.npv_usd == pytest.approx(30 * YEAR - 10_000)
    assert first.confirmation is not None
    assert first.confirmation.verdict is Verdict.CONFIRMED
    assert first.confirmation.whole_usd == pytest.approx(first.npv_usd)
    dataset, _ = solved(supply=[{"gen_id": "h100", "racks": 6}])
    assert plan(dataset, gap=0, threads=1).summary.npv_usd == pytest.approx(p.plan_npv_usd + first.npv_usd)


def test_money_of_the_period_is_the_present_value_without_discounting() -> None:
    """At 21 % a year, a rack in the first quarter has disc = 1.21^-0.125."""
    p = found(supply=[{"gen_id": "h100", "racks": 5}], discount_rate=0.21)
    first = next(x for x in p.prices if x.limit.name == "supply" and x.limit.period == "2026-Q1")
    assert first.npv_usd == pytest.approx(
        30 * sum(h * 1.21 ** -(0.125 + 0.25 * t) for t, h in enumerate(HOURS.values())) - 10_000 * 1.21**-0.125
    )
    assert first.period_usd == pytest.approx(first.npv_usd * 1.21**0.125)


def test_a_contract_gpu_of_demand() -> None:
    """With racks to spare one more is sold: 2 USD * 8760 h less a tenth of a rack. Without, it is owed and short: 1 USD of damages."""
    served = next(x for x in found(supply=[{"gen_id": "h100", "racks": 50}]).prices if x.limit.name == "demand")
    assert served.npv_usd == pytest.approx(2 * YEAR - 1000)
    short = next(x for x in found(supply=[{"gen_id": "h100", "racks": 5}]).prices if x.limit.name == "demand")
    assert short.npv_usd == pytest.approx(-YEAR)
    assert short.confirmation is not None
    assert short.confirmation.resolved_usd == pytest.approx(-YEAR)


def test_a_tonne_of_carbon() -> None:
    """A GPU draws 10 kW: 87.6 MWh a year, 35.04 t at 400 g/kWh. Each GPU not delivered costs 2 + 1 USD an hour; racks are bought one by one."""
    p = found(carbon_cap=[{"year": 2026, "tonnes": 1752}], energy=[{"gco2_per_kwh": 400}])
    (tonne,) = (x for x in p.prices if x.limit.name == "carbon_cap")
    assert tonne.limit.unit == "tonne"
    assert 0 < tonne.npv_usd <= 3 * YEAR / 35.04 + 1e-6
    assert tonne.confirmation is not None
    assert tonne.confirmation.verdict is Verdict.CONFIRMED


def test_a_dollar_of_budget() -> None:
    """10,000 USD buy a rack that earns 10 * 3 * 8760 USD: a dollar brings that less itself."""
    p = found(capex_budget=[{"period": "2026-Q1", "usd": 50_000}])
    first = next(x for x in p.prices if x.limit.name == "capex_budget")
    assert (first.limit.period, first.limit.unit) == ("2026-Q1", "USD")
    assert first.npv_usd == pytest.approx(30 * YEAR / 10_000 - 1)


def test_a_month_of_energization() -> None:
    """1 MW from Q2 on; in Q1 too it would bring 100 GPUs * 3 USD * 2160 h less 1 USD/kW of lease a month: a third of that a month."""
    blocks = [
        {"block_id": "a-1", "site_id": "a", "it_mw": 1},
        {"block_id": "a-2", "site_id": "a", "it_mw": 1, "energized": "2026-Q2", "lease_usd_per_kw_month": 1},
    ]
    p = found(power_blocks=blocks, supply=[{"gen_id": "h100", "racks": 50}], **WANTS)
    (month,) = (x for x in p.prices if x.limit.name == "energization")
    assert month.limit.place == "a-2"
    assert month.npv_usd <= 300 * 2160 / 3 - 1000 + 1e-3
    assert month.npv_usd >= (300 * 2160 - 100_000) / 3 - 1000 - 1e-3
    assert month.confirmation is not None
    assert month.confirmation.resolved_usd == pytest.approx(300 * 2160 / 3 - 1000)


def test_no_rack_comes_from_before_a_site_has_power() -> None:
    """The local model buys its racks too, in the second quarter: its NPV is the plan's, whose racks are whole anyway."""
    block = {"block_id": "a-1", "site_id": "a", "it_mw": 1, "energized": "2026-Q2"}
    p = found(0, power_blocks=[block], supply=[{"gen_id": "h100", "racks": 50}], **WANTS)
    assert p.plan_npv_usd == pytest.approx(300 * (YEAR - 2160) - 100_000 - 1000 * YEAR)
    assert p.local_npv_usd == pytest.approx(p.plan_npv_usd)


def test_a_month_of_the_first_power_of_a_site() -> None:
    """Nothing before Q2; 1 MW in Q1 too brings 100 GPUs * 3 USD * 2160 h less 1 USD/kW of lease a month: a third of that a month."""
    block = {"block_id": "a-1", "site_id": "a", "it_mw": 1, "energized": "2026-Q2", "lease_usd_per_kw_month": 1}
    case: dict[str, Any] = {"power_blocks": [block], "supply": [{"gen_id": "h100", "racks": 50}], **WANTS}
    (month,) = (x for x in found(**case).prices if x.limit.name == "energization")
    assert (month.limit.place, month.limit.period) == ("a-1", "2026-Q2")
    assert month.npv_usd == month.period_usd == pytest.approx(300 * 2160 / 3 - 1000)
    assert month.confirmation is not None
    assert (month.confirmation.verdict, month.confirmation.resolved_usd) == (Verdict.CONFIRMED, month.npv_usd)
    assert not [x for x in found(0, **case).prices if x.limit.name == "energization"], "it takes a solve of its own"


def test_who_is_declined_has_no_demand_to_price() -> None:
    """The prospect asks for more than it pays for; one more GPU of it changes nothing."""
    contracts = [{"contract_id": "c"}, {"contract_id": "d", "status": "prospect"}]
    cheap = [{"contract_id": "c"}, {"contract_id": "d", "usd_per_gpu_hour": 0.01}]
    p = found(0, contracts=contracts, contract_prices=cheap, supply=[{"gen_id": "h100", "racks": 50}])
    assert [x.limit.place for x in p.prices if x.limit.name == "demand"] == ["c"]


def test_a_gpu_of_market_depth() -> None:
    """Sold at 1 USD for 8760 hours less a tenth of a rack."""
    p = found(market=[{"gen_id": "h100", "max_gpus": 50}], contracts=[], supply=[{"gen_id": "h100", "racks": 50}])
    value, verdict, _ = throughout(p, "market")
    assert value == pytest.approx(YEAR - 1000)
    assert verdict is Verdict.CONFIRMED


def test_limits_with_room_have_no_price() -> None:
    p = found()
    assert {x.limit.name for x in p.prices} == {"demand"} | {x.limit.name for x in p.prices if x.limit.name == "supply"}
    assert as_json(p)["prices"]


def test_the_local_model_is_worth_at_least_the_plan() -> None:
    dataset, made = solved(**hall(it_mw=1.05))
    p = priced(Ground(dataset, made), confirm=0, signing=False)
    assert p.plan_npv_usd == pytest.approx(300 * YEAR - 100_000 - 1000 * YEAR)
    assert p.local_npv_usd == pytest.approx(p.plan_npv_usd + 0.05 * (300 * YEAR - 100_000))


def declined(**case: Any) -> Prices:
    """A prospect of 100 GPUs at 0.1 USD; 10 racks cost 100,000 USD, so it breaks even at 100,000 / (100 * 8760 h) = 0.11416 USD.

    Damages, however small, make it worse to sign and deliver nothing than to decline.
    """
    prospect = {"contract_id": "c", "status": "prospect", "ld_usd_per_gpu_hour": 0.001}
    return found(0, contracts=[prospect], contract_prices=[{"contract_id": "c", "usd_per_gpu_hour": 0.1}], **case)


def test_the_price_at_which_a_prospect_is_signed() -> None:
    (signing,) = declined().signing
    assert signing.offered_usd == pytest.approx(0.1)
    wanted = 100_000 / (100 * YEAR)
    for price in (signing.estimate_usd, signing.not_below_usd):
        assert price == pytest.approx(wanted, rel=2e-3)
    assert signing.enough_usd is None or signing.enough_usd >= wanted * (1 - 1e-6)


def test_damages_make_a_prospect_dearer() -> None:
    """5 racks for 100 GPUs and damages of 0.05 USD: signed when 50 GPUs' revenue pays 50,000 USD and the damages of the other 50."""
    prospect = {"contract_id": "c", "status": "prospect", "ld_usd_per_gpu_hour": 0.05}
    p = found(
        0, contracts=[prospect], contract_prices=[{"contract_id": "c", "usd_per_gpu_hour": 0.1}], supply=[{"gen_id": "h100", "racks": 5}]
    )
    (signing,) = p.signing
    wanted = (50_000 + 50 * 0.05 * YEAR) / (50 * YEAR)
    assert signing.estimate_usd == pytest.approx(wanted, rel=2e-3)
    assert signing.not_below_usd == pytest.approx(wanted, rel=2e-3)
    assert signing.enough_usd == pytest.approx(wanted, rel=2e-3)


def shared(share: float) -> SigningPrice:
    """A prospect of 100 GPUs at 0.001 USD, a firm contract of 100 at 2 USD, 10 sold at 1 USD; no customer brings more than a share."""
    contracts = [
        {"contract_id": "c", "status": "prospect", "ld_usd_per_gpu_hour": 0.001, "customer": "new"},
        {"contract_id": "d", "customer": "old"},
    ]
    paid = [{"contract_id": "c", "usd_per_gpu_hour": 0.001}, {"contract_id": "d", "usd_per_gpu_hour": 2}]
    market, supply = [{"gen_id": "h100", "max_gpus": 10}], [{"gen_id": "h100", "racks": 25}]
    (signing,) = found(0, contracts=contracts, contract_prices=paid, supply=supply, market=market, customer_revenue_share=share).signing
    return signing


def test_what_is_proven_of_a_price_holds_with_a_customers_share() -> None:
    """Where the share limits nothing, 10 racks are paid by 100 GPUs. Where the old customer may bring 80 % only, each dollar of the new one
    lets it bring 4 more, each worth 1 + 1/2 of damages less 1000/17520 of a rack: the prospect is signed at a sixth of that price.
    """
    alone = 100_000 / (100 * YEAR)
    free, tight = shared(1.0), shared(0.8)
    assert free.not_below_usd == pytest.approx(alone, rel=2e-3)
    together = alone / (1 + 4 * (1.5 - 1000 / 17520))
    assert tight.not_below_usd is None or tight.not_below_usd <= together * (1 + 1e-3)
    for signing, least in ((free, alone), (tight, together)):
        assert signing.enough_usd is None or signing.enough_usd >= least * (1 - 1e-3)


def test_newton_on_a_convex_function() -> None:
    """max(10 + d, 4 + 5*d) reaches 29 at d = 5, from either side; where it is flat above the value, there is no such d."""

    def solve(d: float) -> tuple[float, float]:
        return max((1e6 * (10 + d), 1e6), (1e6 * (4 + 5 * d), 5e6))

    for start in (-50.0, 0.0, 80.0):
        assert newton(solve, 29e6, start) == pytest.approx(5.0)
    assert newton(lambda d: (max(0.0, d), float(d > 0)), -1e6) is None
    assert newton(lambda d: None, 0.0) is None


@pytest.mark.parametrize(
    ("estimate", "lower", "enough", "told"),
    [(0.5, 0.9, 1.0, 0.9), (1.2, 0.9, 1.0, 1.0), (0.95, 0.9, 1.0, 0.95), (0.5, None, 0.4, 0.4), (0.5, 0.6, None, 0.6), (0.5, None, None, 0.5),
     (None, 0.9, 1.0, None)],
)  # fmt: skip
def test_an_estimate_of_a_signing_price_never_contradicts_its_proofs(
    estimate: float | None, lower: float | None, enough: float | None, told: float | None
) -> None:
    assert within_proofs(estimate, lower, enough) == told
