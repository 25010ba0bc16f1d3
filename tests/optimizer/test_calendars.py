"""Months and years work as well as quarters: the same small problem in each, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from optimizer import plan
from tests.factories import small_dataset

SEASONS = (100.0, 20.0, 60.0, 40.0)
"""USD per MWh of the four quarters."""


def tables(period: str, start: str, periods: int) -> dict[str, Any]:
    """10 racks for 100 GPUs at 2 USD; a lease of 1 USD a kW and month on 10 MW; seasonal energy for 1 MW; opex 1,200 a year."""
    return {
        "period": period,
        "start": start,
        "periods": periods,
        "discount_rate": 0.1,
        "sites": [{"site_id": "a"}],
        "power_blocks": [{"block_id": "x", "site_id": "a", "energized": start, "lease_usd_per_kw_month": 1}],
        "generations": [{"gen_id": "h100", "opex_usd_per_rack_year": 1_200, "first_install": start, "last_install": start}],
        "energy": [
            {"price_zone": "P", "from_period": start, "season": q, "slice": "all", "hours_share": 1.0, "usd_per_mwh": usd}
            for q, usd in enumerate(SEASONS, start=1)
        ],
    }


def test_months() -> None:
    """February and March 2028, a leap year: 29 and 31 days are 696 and 744 hours, both in season 1 at 100 USD.

    disc[t] = 1.1**-((t+0.5)/12); revenue = 2*100*H; lease = 10,000 a month; opex = 10*100 a month; energy = H*1*100.
    """
    found = plan(small_dataset(**tables("month", "2028-02", 2)), gap=0, threads=1)
    disc = [1.1 ** -((t + 0.5) / 12) for t in range(2)]
    hours = (696, 744)
    expected = sum(d * (200 * h - 10_000 - 1_000 - 100 * h) for d, h in zip(disc, hours, strict=True)) - 100_000 * disc[0]
    assert found.summary.npv_usd == pytest.approx(expected)
    assert found.summary.npv_terms["energy"] == pytest.approx(-sum(d * 100 * h for d, h in zip(disc, hours, strict=True)))


def test_quarters() -> None:
    """2028-Q1 and Q2: 91 days each, 2184 hours; seasons 1 and 2 at 100 and 20 USD; disc[t] = 1.1**-((t+0.5)/4)."""
    found = plan(small_dataset(**tables("quarter", "2028-Q1", 2)), gap=0, threads=1)
    disc = [1.1 ** -((t + 0.5) / 4) for t in range(2)]
    expected = sum(d * (200 * 2184 - 30_000 - 3_000 - usd * 2184) for d, usd in zip(disc, (100, 20), strict=True)) - 100_000 * disc[0]
    assert found.summary.npv_usd == pytest.approx(expected)


def test_years() -> None:
    """2028 and 2029: 366 and 365 days; a year takes each season by its hours, 91, 91, 92, 92 days of 366 and 90, 91, 92, 92 of 365.

    Price of 2028 = (91*100 + 91*20 + 92*60 + 92*40)/366; lease = 120,000 and opex = 12,000 a year; disc[t] = 1.1**-(t+0.5).
    """
    found = plan(small_dataset(**tables("year", "2028", 2)), gap=0, threads=1)
    expected = 0.0
    for t, days in enumerate(((91, 91, 92, 92), (90, 91, 92, 92))):
        hours = 24 * sum(days)
        price = sum(d * usd for d, usd in zip(days, SEASONS, strict=True)) / sum(days)
        expected += 1.1 ** -(t + 0.5) * (200 * hours - 120_000 - 12_000 - price * hours)
    expected -= 100_000 * 1.1**-0.5
    assert found.summary.npv_usd == pytest.approx(expected)
    assert list(found.cash["period"]) == ["2028", "2029"]
