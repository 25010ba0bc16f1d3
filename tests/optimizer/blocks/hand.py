"""Plans of datasets so small that their optimum is worked out by hand.

With the defaults of ``small_dataset`` and a single site, ``k`` racks in service throughout deliver 10*k of
100 GPUs owed at 2 USD an hour, with damages of 1: ``NPV(k) = -100*H + k*(10*3*H - 10,000)`` for k <= 10,
where H is 2160 hours in one quarter and 8760 in the year.
"""

from __future__ import annotations

from typing import Any

from models.plan import Plan
from optimizer import plan
from tests.factories import small_dataset

QUARTER, YEAR = 2160, 8760


def best(**tables: Any) -> Plan:
    """The optimal plan of a small dataset."""
    return plan(small_dataset(**tables), gap=0, threads=1)


def npv(**tables: Any) -> float:
    """NPV of the optimal plan, USD."""
    found = best(**tables).summary.npv_usd
    assert found is not None
    return found


def racks(k: float, hours: int = QUARTER) -> float:
    """NPV of k racks serving the default contract."""
    return -100 * hours + k * (30 * hours - 10_000)


def one(**site: Any) -> dict[str, Any]:
    """A quarter with a single site ``a``."""
    return {"periods": 1, "sites": [{"site_id": "a", **site}]}


def block(**values: Any) -> list[dict[str, Any]]:
    """The only block of site ``a``."""
    return [{"block_id": "a-1", "site_id": "a", "energized": "2026-Q1", **values}]
