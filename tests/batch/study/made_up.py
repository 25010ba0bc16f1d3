"""A small study whose runs are made up, so that what it says follows by hand."""

from __future__ import annotations

from typing import Any

from batch.study.asked import Asked
from batch.study.journal import Entry
from models.plan import Plan
from models.study import BASE, Origin, Scenario
from optimizer import plan
from tests.factories import small_dataset

SETTINGS: dict[str, Any] = {
    "sites": [{"site_id": "a"}, {"site_id": "b", "status": "candidate"}],
    "power_blocks": [
        {"block_id": "a-1", "site_id": "a"},
        {"block_id": "a-2", "site_id": "a", "status": "option", "capex_usd": 1e9, "lead_periods": 2, "energized": "2026-Q3"},
        {"block_id": "b-1", "site_id": "b"},
    ],
    "retrofits": [{"site_id": "a", "lead_periods": 1}],
}
INSTALL = ["install", "a/h100", "2026-Q1", 10.0]


def made_up() -> tuple[Asked, dict[int, Entry]]:
    """A base run, a grid of two axes by two levels with odds 3 to 1 on the first, and a scenario by name without a plan.

    =====================  ====  ===========  ==========================================
    run                    odds  NPV, M USD   decisions besides ten racks in 2026-Q1
    =====================  ====  ===========  ==========================================
    0 base                    1         base  none
    1 hall=on time, x=low     3           10  block a-2 in 2026-Q4
    2 hall=on time, x=high    3           20  block a-2 in 2026-Q4
    3 hall=late, x=low        1           -2  block a-2 in 2026-Q3, 12 racks
    4 hall=late, x=high       1            8  retrofit of 2 MW in 2026-Q2, 6 racks
    5 no way                  1          none
    =====================  ====  ===========  ==========================================
    """
    dataset = small_dataset(**SETTINGS)
    base: Plan = plan(dataset, gap=0.0, threads=1)
    levels = [{"hall": hall, "x": x} for hall in ("on time", "late") for x in ("low", "high")]
    scenarios = [Scenario(BASE, (), origin=Origin.BASE)]
    for level in levels:
        name = ", ".join(f"{axis}={value}" for axis, value in level.items())
        scenarios.append(Scenario(name, (), 3.0 if level["hall"] == "on time" else 1.0, Origin.GRID, level))
    scenarios.append(Scenario("no way", (), 1.0))
    asked = Asked("made up", dataset, base, scenarios)
    block = ["build", "a-2", "2026-Q4", 10.0]
    runs: list[tuple[float, float, list[list[Any]]]] = [
        (10e6, 0.0, [block, INSTALL]),
        (20e6, 0.0, [block, INSTALL]),
        (-2e6, 400.0, [["build", "a-2", "2026-Q3", 10.0], [*INSTALL[:3], 12.0]]),
        (8e6, 200.0, [["retrofit", "a", "2026-Q2", 2.0], [*INSTALL[:3], 6.0]]),
    ]
    entries = {0: entry(0, BASE, asked.base_npv_usd, 0.0, [INSTALL])}
    entries |= {n: entry(n, scenarios[n].name, *run) for n, run in enumerate(runs, start=1)}
    entries[5] = {
        "run": 5,
        "scenario": "no way",
        "row": {"status": "infeasible", "detail": "a conflict", "attempts": 1, "warm": True},
        "decisions": [],
    }
    return asked, entries


def entry(run: int, scenario: str, npv_usd: float, short: float, decisions: list[list[Any]]) -> Entry:
    """What is kept of a run with a plan."""
    row = {"status": "optimal", "npv_usd": npv_usd, "short_gpu_periods": short, "damages_usd": 2 * short, "attempts": 1, "warm": True}
    return {"run": run, "scenario": scenario, "row": row, "decisions": decisions}
