"""Two sites and ten racks: at site ``b`` a rack costs 21,600 USD of energy more, so that all stand at ``a``.

A quarter of 2160 hours: ten racks at ``a`` are worth 332,000 USD (:mod:`tests.optimizer.blocks.hand`), each at ``b`` 21,600 less.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.dataset import Dataset
from models.files import write_dataset
from models.plan import Plan
from models.plan_files import write_plan
from optimizer import plan
from optimizer.whatif import Planner
from tests.factories import small_dataset

BEST, DEARER = 332_000.0, 21_600.0
FOUR = BEST - 4.5 * DEARER
"""Worth of a plan that can have four racks at ``b``, and not five."""
LOSS = 4.5 * DEARER / BEST
"""The same as a loss against the best."""


def two_sites(**tables: Any) -> Dataset:
    """The dataset."""
    energy = [{"price_zone": "P", "gco2_per_kwh": 500}, {"price_zone": "Q", "usd_per_mwh": 100}]
    sites = [{"site_id": "a", "price_zone": "P"}, {"site_id": "b", "price_zone": "Q"}]
    return small_dataset(**{"periods": 1, "sites": sites, "energy": [{"from_period": "2026-Q1", **row} for row in energy], **tables})


def all_at_b() -> Plan:
    """A plan with all ten racks at ``b``, made when ``a`` was dearer."""
    energy = [{"price_zone": "P", "usd_per_mwh": 200}, {"price_zone": "Q", "usd_per_mwh": 100}]
    made = plan(two_sites(energy=[{"from_period": "2026-Q1", **row} for row in energy]), gap=0, threads=1)
    assert set(made.racks["site_id"]) == {"b"}
    return made


def racks_at(made: Plan) -> dict[str, int]:
    """Racks in service by site."""
    return {str(s): int(n) for s, n in made.racks.groupby("site_id")["in_service"].sum().items() if n}


def warm_planner(made: Plan | None = None) -> Planner:
    """A planner of the dataset with a plan, the best one if none is given."""
    dataset = two_sites()
    return Planner(dataset, made or plan(dataset, gap=0, threads=1), threads=1)


def write_plans(folder: Path) -> None:
    """Write the best plan as ``plan``, with its dataset, and the published one as ``old``."""
    dataset = two_sites()
    write_plan(plan(dataset, gap=0, threads=1), folder / "plan")
    write_dataset(dataset, folder / "plan" / "dataset.json")
    write_plan(all_at_b(), folder / "old")
