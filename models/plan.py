"""The plan: its tables, its summary, and what its statuses mean.

Tables are pandas frames with the columns given here; numbers are unrounded.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from models.columns import Column, col, columns

NPV_TERMS: dict[str, str] = {
    "contract_revenue": "revenue of contract GPUs delivered",
    "market_revenue": "revenue of GPUs sold on the market",
    "damages": "liquidated damages for contract GPUs owed and not delivered",
    "moves": "moves of contract GPUs between sites",
    "serving_costs": "cost of serving contracts from their sites",
    "gpu_capital": "GPUs bought and installed",
    "opex": "running cost of racks without energy",
    "lease": "leases of power blocks",
    "block_capex": "capital of optional power blocks",
    "activation": "opening of candidate sites",
    "retrofits": "conversions of air-cooled halls to liquid",
    "energy": "energy",
    "demand_charges": "demand charges on the planned peak",
    "carbon": "carbon price of the energy",
    "residual_value": "value left at the end of the horizon",
}
"""Terms of NPV, signed so that they add, with their meaning; names as in model.md."""


class SolutionStatus(StrEnum):
    """How good the plan is proven to be."""

    OPTIMAL = "optimal"
    WITHIN_GAP = "within_gap"
    FEASIBLE = "feasible"
    INFEASIBLE = "infeasible"


class StopReason(StrEnum):
    """Why the search ended."""

    GAP_REACHED = "gap_reached"
    TIME_LIMIT = "time_limit"
    USER_STOP = "user_stop"
    PROVED_INFEASIBLE = "proved_infeasible"


OPTIMAL_GAP = 1e-4
"""Gap up to which a plan is called optimal (data.md)."""
SMALLEST_GAP = 1e-6
"""A smaller gap asked for counts as this one (data.md)."""


def status_of(gap: float, gap_requested: float) -> SolutionStatus:
    """Status of a plan with this proven gap (data.md)."""
    if gap <= OPTIMAL_GAP:
        return SolutionStatus.OPTIMAL
    return SolutionStatus.WITHIN_GAP if gap <= max(gap_requested, SMALLEST_GAP) else SolutionStatus.FEASIBLE


def relative_gap(bound_usd: float, npv_usd: float) -> float:
    """``gap = (bound - NPV) / max(|NPV|, 1 USD)`` of model.md; never negative."""
    return max(0.0, bound_usd - npv_usd) / max(abs(npv_usd), 1.0)


class PlanRow(BaseModel):
    """A row of a plan table."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    table: ClassVar[str]


class Racks(PlanRow):
    """Racks installed, retired and in service."""

    table = "racks"
    site_id: str = col("site", key=True, ref="sites")
    gen_id: str = col("generation", key=True, ref="generations")
    period: str = col("period", key=True, period=True)
    installed: int = col("racks installed at the start of the period", unit="racks", ge=0)
    retired: int = col("racks retired at the start of the period", unit="racks", ge=0)
    in_service: int = col("racks in service during the period", unit="racks", ge=0)


class Delivery(PlanRow):
    """GPUs delivered to contracts."""

    table = "deliveries"
    contract_id: str = col("contract", key=True, ref="contracts")
    site_id: str = col("site", key=True, ref="sites")
    gen_id: str = col("generation", key=True, ref="generations")
    period: str = col("period", key=True, period=True)
    gpus: float = col("physical GPUs delivered, average of the period", unit="GPUs", ge=0)


class ContractPeriod(PlanRow):
    """What contracts are owed, receive, and bring."""

    table = "contracts"
    contract_id: str = col("contract", key=True, ref="contracts")
    customer: str = col("customer")
    period: str = col("period", key=True, period=True)
    owed_gpus: float = col("owed while the contract is in force", unit="contract GPUs", ge=0)
    delivered_gpus: float = col("delivered", unit="contract GPUs", ge=0)
    short_gpus: float = col("owed and not delivered", unit="contract GPUs", ge=0)
    moved_gpus: float = col("withdrawn from sites while the contract runs on", unit="contract GPUs", ge=0)
    paid_moves_gpus: float = col("moved beyond what the ramp takes away", unit="contract GPUs", ge=0)
    revenue_usd: float = col("revenue", unit="USD")
    damages_usd: float = col("liquidated damages (positive)", unit="USD")
    moves_usd: float = col("cost of moves (positive)", unit="USD")


class Decision(PlanRow):
    """Yes-or-no decisions: contracts, sites, blocks, retrofits."""

    table = "decisions"
    kind: str = col("sign or decline a prospect, open a site, build a block, retrofit a site", key=True)
    id: str = col("contract, site or block", key=True)
    period: str = col("contract's start, or when opened, energized or ordered", key=True, period=True)
    mw: float = col("megawatts of the block or retrofit", unit="MW", ge=0)


class SitePeriod(PlanRow):
    """Limits and use of each site, and what energy costs there."""

    table = "sites"
    site_id: str = col("site", key=True, ref="sites")
    period: str = col("period", key=True, period=True)
    it_limit_mw: float = col("IT power that may be used", unit="MW IT", ge=0)
    it_used_mw: float = col("IT power provisioned", unit="MW IT", ge=0)
    liquid_limit_mw: float = col("heat that liquid can remove, after retrofits", unit="MW", ge=0)
    liquid_used_mw: float = col("heat to liquid", unit="MW", ge=0)
    air_limit_mw: float = col("heat that air can remove, after retrofits", unit="MW", ge=0)
    air_used_mw: float = col("heat to air", unit="MW", ge=0)
    facility_peak_mw: float = col("planned peak of the facility's draw", unit="MW", ge=0)
    facility_average_mw: float = col("average of the facility's draw", unit="MW", ge=0)
    energy_mwh: float = col("energy", unit="MWh", ge=0)
    energy_usd: float = col("cost of energy", unit="USD")
    demand_usd: float = col("demand charges", unit="USD")
    carbon_usd: float = col("carbon cost", unit="USD")
    water_m3: float = col("water", unit="m3", ge=0)
    tco2: float = col("emissions", unit="tonnes CO2", ge=0)
    binding: str = col("names of the limits that are tight, ; between")


class MarketSite(PlanRow):
    """GPUs sold on the market, by site."""

    table = "market_sites"
    site_id: str = col("site", key=True, ref="sites")
    gen_id: str = col("generation", key=True, ref="generations")
    period: str = col("period", key=True, period=True)
    gpus: float = col("GPUs sold", unit="GPUs", ge=0)


class MarketSale(PlanRow):
    """GPUs sold on the market, by price tier."""

    table = "market"
    gen_id: str = col("generation", key=True, ref="generations")
    tier: str = col("price tier", key=True)
    period: str = col("period", key=True, period=True)
    gpus: float = col("GPUs sold", unit="GPUs", ge=0)
    revenue_usd: float = col("revenue", unit="USD")


CASH_COLUMNS: tuple[Column, ...] = columns(
    type(
        "Cash",
        (PlanRow,),
        {
            "__doc__": "Money by period and NPV term, undiscounted and signed.",
            "table": "cash",
            "__annotations__": {"table": ClassVar[str], "period": str, **dict.fromkeys(NPV_TERMS, float), "discounted_total": float},
            "period": col("period", key=True, period=True),
            **{name: col(meaning, unit="USD") for name, meaning in NPV_TERMS.items()},
            "discounted_total": col("sum of the terms, discounted", unit="USD"),
        },
    )
)

PLAN_ROWS: dict[str, type[PlanRow]] = {
    row.table: row for row in (Racks, Delivery, ContractPeriod, Decision, SitePeriod, MarketSite, MarketSale)
}
PLAN_COLUMNS: dict[str, tuple[Column, ...]] = {**{n: columns(r) for n, r in PLAN_ROWS.items()}, "cash": CASH_COLUMNS}
"""Columns of each plan table, in the order of data.md."""


class DatasetRef(BaseModel):
    """Which dataset a plan belongs to."""

    model_config = ConfigDict(extra="forbid")
    name: str
    sha256: str


class Seconds(BaseModel):
    """Wall-clock seconds by phase."""

    model_config = ConfigDict(extra="forbid")
    load: float = 0.0
    build: float = 0.0
    relax: float = 0.0
    search: float = 0.0
    extract: float = 0.0
    audit: float = 0.0
    total: float = 0.0


class SolverInfo(BaseModel):
    """The solver and how it was run."""

    model_config = ConfigDict(extra="forbid")
    name: str
    version: str
    options: dict[str, Any] = Field(default_factory=dict)
    threads: int = 0
    seed: int = 0


class Sizes(BaseModel):
    """Size of the model's matrix."""

    model_config = ConfigDict(extra="forbid")
    rows: int = 0
    columns: int = 0
    integers: int = 0
    nonzeros: int = 0


class AuditSummary(BaseModel):
    """Result of the audit."""

    model_config = ConfigDict(extra="forbid")
    passed: bool
    worst_violation: float
    npv_recomputed_usd: float


class Summary(BaseModel):
    """summary.json of a plan folder."""

    model_config = ConfigDict(extra="forbid")
    schema_version: int = 1
    dataset: DatasetRef
    status: SolutionStatus
    stop_reason: StopReason
    npv_usd: float | None
    bound_usd: float | None
    bound_certified_usd: float | None
    gap: float | None
    gap_certified: float | None
    gap_requested: float
    npv_terms: dict[str, float]
    seconds: Seconds = Field(default_factory=Seconds)
    solver: SolverInfo
    sizes: Sizes = Field(default_factory=Sizes)
    audit: AuditSummary | None
    kpis: dict[str, Any] = Field(default_factory=dict)


class Plan:
    """A plan that passed its audit: summary and tables.

    Attributes:
        summary: status, bounds, NPV terms, proofs.
        tables: a frame per name in ``PLAN_COLUMNS``.
        events: log of the search: columns seconds, phase, npv_usd, bound_usd.
    """

    def __init__(self, summary: Summary, tables: Mapping[str, pd.DataFrame], events: pd.DataFrame | None = None) -> None:
        self.summary = summary
        self.tables = {name: tables[name] for name in PLAN_COLUMNS}
        self.events = events if events is not None else pd.DataFrame(columns=["seconds", "phase", "npv_usd", "bound_usd"])

    def __getitem__(self, name: str) -> pd.DataFrame:
        return self.tables[name]

    @property
    def racks(self) -> pd.DataFrame:
        """Racks installed, retired and in service."""
        return self.tables["racks"]

    @property
    def deliveries(self) -> pd.DataFrame:
        """GPUs delivered to contracts by site and generation."""
        return self.tables["deliveries"]

    @property
    def contracts(self) -> pd.DataFrame:
        """What contracts are owed, receive, and bring."""
        return self.tables["contracts"]

    @property
    def decisions(self) -> pd.DataFrame:
        """Contracts signed or declined, sites opened, blocks built, retrofits ordered."""
        return self.tables["decisions"]

    @property
    def sites(self) -> pd.DataFrame:
        """Limits and use of each site by period."""
        return self.tables["sites"]

    @property
    def cash(self) -> pd.DataFrame:
        """Money by period and NPV term."""
        return self.tables["cash"]


def empty_table(name: str) -> pd.DataFrame:
    """A plan table without rows, with the right columns and types."""
    types = {"number": float, "integer": int}
    return pd.DataFrame({c.name: pd.Series([], dtype=types.get(c.kind, object)) for c in PLAN_COLUMNS[name]})
