"""A plan written by hand, whose views follow by hand; its text and numbers are the awkward ones.

Four quarters of 2026 (2160, 2184, 2208 and 2208 hours), generations ``nan`` (10 GPUs, 100 kW) and ``1e5``
(4 GPUs, 50 kW), sites ``a`` (open) and ``b`` (candidate), contracts:

- ``firm``: owed 100 in every period; short 40, 10, 0, 5; damages 400, 100, 0, 50 USD; revenue 1000 USD a period.
- ``new``, a prospect signed: owed 20 from 2026-Q2 on, never short; revenue 200 USD a period.
- ``no``, a prospect declined.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from models.dataset import Dataset
from models.plan import (
    NPV_TERMS,
    PLAN_COLUMNS,
    AuditSummary,
    DatasetRef,
    Plan,
    Seconds,
    Sizes,
    SolutionStatus,
    SolverInfo,
    StopReason,
    Summary,
    empty_table,
)
from tests.factories import small_dataset

PERIODS = ["2026-Q1", "2026-Q2", "2026-Q3", "2026-Q4"]
CUSTOMER = 'Müller, "Söhne"\r\nund <b>[red]'
TERMS = {"contract_revenue": 4600.1, "damages": -550.0, "gpu_capital": -3000.0, "energy": -0.1}


def summary(**changes: Any) -> Summary:
    """Summary of the plan; keywords replace fields."""
    given: dict[str, Any] = {
        "dataset": DatasetRef(name="by hand", sha256="ab" * 32), "status": SolutionStatus.WITHIN_GAP, "stop_reason": StopReason.GAP_REACHED,
        "npv_usd": 1050.0, "bound_usd": 1060.5, "bound_certified_usd": 1102.5, "gap": 0.01, "gap_certified": 0.05, "gap_requested": 0.02,
        "npv_terms": {**dict.fromkeys(NPV_TERMS, 0.0), **TERMS}, "seconds": Seconds(search=1 / 3, total=0.1 + 0.2),
        "solver": SolverInfo(name="HiGHS", version="1e5", options={"mip.gap": 0.01, "nan": "nan", "deep": {"a": [1, None, True]}}),
        "sizes": Sizes(rows=2**53 + 1), "audit": AuditSummary(passed=True, worst_violation=1e-300, npv_recomputed_usd=1050.0),
        "kpis": {"text": '{"a": 1}', "list": [1, 2.5, "x"], "nothing": None, "yes": True, "whole": 3, "empty": {}},
    }  # fmt: skip
    return Summary.model_validate({**given, **changes})


def _table(name: str, rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=[c.name for c in PLAN_COLUMNS[name]])


def _contract(name: str, customer: str, period: str, owed: float, short: float, revenue: float, damages: float) -> tuple[Any, ...]:
    return (name, customer, period, owed, owed - short, short, 0.0, 0.0, revenue, damages, 0.0)


def _site(name: str, period: str, limit: float, used: float, binding: str) -> tuple[Any, ...]:
    return (name, period, limit, used, 0.0, 0.0, 1.0, used, used, used / 3, 100.0, 5.0, 0.0, 0.0, 2.0, 1.0, binding)


def hand_plan(**changes: Any) -> Plan:
    """The plan; keywords replace tables."""
    firm = [(100.0, 40.0, 400.0), (100.0, 10.0, 100.0), (100.0, 0.0, 0.0), (100.0, 5.0, 50.0)]
    used = [(1.0, "it_power"), (2.0, "it_power;grid"), (2.0, ""), (2.0, "it_power;grid")]
    tables = {
        "racks": _table("racks", [
            ("a", "nan", "2026-Q1", 10, 0, 10), ("a", "nan", "2026-Q2", 0, 0, 10), ("a", "nan", "2026-Q3", 0, 4, 6),
            ("a", "nan", "2026-Q4", 0, 0, 6), ("b", "1e5", "2026-Q3", 3, 0, 3), ("b", "1e5", "2026-Q4", 0, 0, 3),
        ]),
        "deliveries": _table("deliveries", [("firm", "a", "nan", "2026-Q1", 0.1 + 0.2), ("firm", "a", "nan", "2026-Q2", 1 / 3)]),
        "contracts": _table("contracts", [
            *(_contract("firm", CUSTOMER, p, owed, short, 1000.0, usd) for p, (owed, short, usd) in zip(PERIODS, firm, strict=True)),
            *(_contract("new", "True", p, 20.0, 0.0, 200.0, 0.0) for p in PERIODS[1:]),
        ]),
        "decisions": _table("decisions", [
            ("sign", "new", "2026-Q2", 0.0), ("decline", "no", "2027-Q1", 0.0), ("open", "b", "2026-Q3", 0.0), ("build", "b-1", "2026-Q3", 10.0),
        ]),
        "sites": _table("sites", [
            *(_site("a", p, 4.0, mw, text) for p, (mw, text) in zip(PERIODS, used, strict=True)),
            *(_site("b", p, 1.0, 0.5, "water" if p == "2026-Q3" else "") for p in PERIODS[2:]),
        ]),
        "market_sites": empty_table("market_sites"),
        "market": _table("market", [("nan", "NA", "2026-Q1", 5e-324, 1.0000000000000002e300), ("nan", " = 1,5;", "2026-Q1", 1e22, -0.0)]),
        "cash": pd.DataFrame({"period": PERIODS, **{n: TERMS.get(n, 0.0) / 4 for n in NPV_TERMS}, "discounted_total": 262.5}),
    }  # fmt: skip
    events = pd.DataFrame(
        [(0.1, "relaxation", None, None), (0.25, "search", 1000.0, float("inf")), (1 / 3, "end of search", 1050.0, 1060.5)],
        columns=["seconds", "phase", "npv_usd", "bound_usd"],
    )
    return Plan(changes.pop("summary", summary()), {**tables, **changes}, events)


def hand_dataset() -> Dataset:
    """The generations, sites and contracts of the plan; its content hash is another one."""
    return small_dataset(
        generations=[
            {"gen_id": "nan", "gpus_per_rack": 10, "rack_kw": 100.0},
            {"gen_id": "1e5", "gpus_per_rack": 4, "rack_kw": 50.0},
        ],
        sites=[{"site_id": "a", "name": "Alpha"}, {"site_id": "b", "name": "Beta", "status": "candidate"}],
        contracts=[
            {"contract_id": "no", "customer": "nobody", "status": "prospect"},
            {"contract_id": "new", "customer": "True", "status": "prospect", "start": "2026-Q2"},
            {"contract_id": "firm"},
        ],
    )
