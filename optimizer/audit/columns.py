"""Columns of the plan's tables that follow from others: contracts.csv, sites.csv, market.csv, decisions.csv, cash.csv."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from models.binding import BINDING_NAMES, BindingRule, SiteUse
from models.plan import NPV_TERMS, PLAN_COLUMNS
from optimizer.audit.facts import Floats, positions
from optimizer.audit.money import Money
from optimizer.audit.placed import dense
from optimizer.audit.report import SUM_TOLERANCE, Findings
from optimizer.audit.usage import Usage

CLOSE = 1e-9
"""Relative error of a use within which its limit may count as tight or not."""


def check(money: Money, findings: Findings) -> None:
    """Compare every derived column with what racks, deliveries, sales and decisions give."""
    _contracts(money, findings)
    _market(money, findings)
    _sites(money, findings)
    _binding(money.use, findings)
    _decisions(money.use, findings)
    _cash(money, findings)


def _compare(findings: Findings, name: str, frame: pd.DataFrame, axes: tuple[str, ...], keys: Mapping[str, list[str]],
             due: Mapping[str, Floats]) -> None:  # fmt: skip
    """Compare columns of one table, rows left out being zero.

    Args:
        name: the table.
        frame: its rows, with positions in the columns ``axes``.
        keys: labels by axis.
        due: expected values by column; shape as the axes.
    """
    units = {column.name: column.unit for column in PLAN_COLUMNS[name]}
    for column, expected in due.items():
        found = dense(frame, axes, expected.shape, column)
        places = {"column": [column], **keys}
        findings.equal(f"{name}_columns", 0, f"{name}.csv", found[None], expected[None], places, units[column])


def _contracts(money: Money, findings: Findings) -> None:
    """contracts.csv; its short, moved and paid GPUs are decisions, checked as constraints 12 and 15."""
    facts, use = money.facts, money.use
    frame = use.plan.tables["contracts"]
    due = {
        "owed_gpus": use.owed, "delivered_gpus": use.delivered, "revenue_usd": money.revenue, "damages_usd": money.damages,
        "moves_usd": money.moves,
    }  # fmt: skip
    _compare(findings, "contracts", frame, ("c", "t"), {"contract_id": facts.contract_ids, "period": facts.labels}, due)
    customers = facts.contracts["customer"].tolist()
    findings.count("contracts_columns", len(frame))
    for c, period, customer in zip(frame["c"].to_numpy(int), frame["period"], frame["customer"], strict=True):
        if customer != customers[c]:
            ids = {"column": "customer", "contract_id": facts.contract_ids[c], "period": str(period)}
            where = f"contract_id {facts.contract_ids[c]}, period {period}"
            message = f"contracts.csv has customer {customer} at {where}; it is {customers[c]}."
            findings.wrong("contracts_columns", 0, ids, message)


def _market(money: Money, findings: Findings) -> None:
    """Revenue of market.csv."""
    facts = money.facts
    tiers = [f"{gen}/{tier}" for gen, tier in facts.tiers]
    keys = {"tier": tiers, "period": facts.labels}
    _compare(findings, "market", money.plan.tables["market"], ("k", "t"), keys, {"revenue_usd": money.tier_revenue})


def _sites(money: Money, findings: Findings) -> None:
    """Numbers of sites.csv."""
    facts, use = money.facts, money.use
    limits = facts.site_limits
    due = {
        "it_limit_mw": np.minimum(use.it_capacity, limits["it_mw"]),
        "it_used_mw": use.it_used,
        "liquid_limit_mw": np.minimum(use.liquid_capacity, limits["liquid_mw"]),
        "liquid_used_mw": use.liquid_used,
        "air_limit_mw": np.minimum(use.air_capacity, limits["air_mw"]),
        "air_used_mw": use.air_used,
        "facility_peak_mw": use.peak,
        "facility_average_mw": use.average,
        "energy_mwh": use.energy_mwh,
        "energy_usd": money.energy,
        "demand_usd": money.demand,
        "carbon_usd": money.carbon,
        "water_m3": use.water,
        "tco2": use.tonnes,
    }
    keys = {"site_id": facts.site_ids, "period": facts.labels}
    _compare(findings, "sites", use.plan.tables["sites"], ("s", "t"), keys, due)


def _binding(use: Usage, findings: Findings) -> None:
    """Names of tight limits in sites.csv, by the rule of ``models.binding``; at the very threshold either answer stands."""
    facts = use.facts
    rule = BindingRule(facts.dataset)
    least, most = (rule.masks(_site_use(use, 1.0 + error)) for error in (-CLOSE, CLOSE))
    written: np.ndarray[tuple[int, ...], np.dtype[np.object_]] = np.full((len(facts.site_ids), facts.periods), "", dtype=object)
    frame = use.plan.tables["sites"]
    texts = ["" if pd.isna(text) else str(text) for text in frame["binding"]]
    written[frame["s"].to_numpy(int), frame["t"].to_numpy(int)] = texts
    findings.count("sites_columns", written.size)
    order = {name: i for i, name in enumerate(BINDING_NAMES)}
    any_due = np.logical_or.reduce([least[name] for name in BINDING_NAMES])
    for s, t in np.argwhere(any_due | (written != "")):
        text = str(written[s, t])
        names = text.split(";") if text else []
        must = {name for name in BINDING_NAMES if least[name][s, t]}
        may = {name for name in BINDING_NAMES if most[name][s, t]}
        if must <= set(names) <= may and names == sorted(set(names), key=lambda name: order[name]):
            continue
        ids = {"column": "binding", "site_id": facts.site_ids[s], "period": facts.labels[t]}
        due = ";".join(name for name in BINDING_NAMES if name in must)
        where = f"site_id {ids['site_id']}, period {ids['period']}"
        findings.wrong("sites_columns", 0, ids, f"sites.csv names {text or 'nothing'} as binding at {where}; {due or 'nothing'} is.")


def _site_use(use: Usage, factor: float) -> SiteUse:
    """What sites use, times a factor close to 1, against their limits."""
    plan, limits = use.plan, use.facts.site_limits
    return SiteUse(
        installed=plan.installed * factor,
        in_service=plan.in_service,
        it_limit_mw=np.minimum(use.it_capacity, limits["it_mw"]),
        it_used_mw=use.it_used * factor,
        liquid_limit_mw=np.minimum(use.liquid_capacity, limits["liquid_mw"]),
        liquid_used_mw=use.liquid_used * factor,
        air_limit_mw=np.minimum(use.air_capacity, limits["air_mw"]),
        air_used_mw=use.air_used * factor,
        facility_peak_mw=use.peak * factor,
        water_m3=use.water * factor,
    )


def _decisions(use: Usage, findings: Findings) -> None:
    """Each prospect is signed or declined once, at its start; megawatts are those of the block."""
    facts = use.facts
    frame = use.plan.tables["decisions"]
    verdicts = frame[frame["kind"].isin(["sign", "decline"])]
    prospects = [c for c, prospect in zip(facts.contract_ids, facts.prospect, strict=True) if prospect]
    counts = verdicts["id"].value_counts().reindex(prospects, fill_value=0)
    findings.equal(
        "decisions", 0, "signatures and refusals of the prospect", counts.to_numpy(float), 1.0, {"contract_id": prospects}, "rows"
    )
    starts = dict(zip(facts.contract_ids, facts.contracts["start"], strict=True))
    findings.count("decisions", len(verdicts))
    for row in verdicts.itertuples(index=False):
        if row.period != starts[str(row.id)]:
            ids = {"kind": str(row.kind), "id": str(row.id), "period": str(row.period)}
            message = f"decision {row.kind} of {row.id} stands in period {row.period}, the contract starts in {starts[str(row.id)]}."
            findings.wrong("decisions", 0, ids, message)
    fixed = frame[frame["kind"] != "retrofit"]
    block = positions(fixed["id"], facts.block_ids)
    built = (fixed["kind"] == "build").to_numpy(bool)
    due = np.where(built, facts.block("it_mw")[block] if facts.block_ids else 0.0, 0.0)
    places = fixed[["kind", "id", "period"]].reset_index(drop=True)
    findings.equal("decisions", 0, "megawatts of the decision", fixed["mw"].to_numpy(float), due, places, "MW")


def _cash(money: Money, findings: Findings) -> None:
    """Every term of NPV in every period, and the discounted total."""
    facts = money.facts
    frame = money.plan.tables["cash"]
    terms, discounted = money.terms, money.discounted
    for name in NPV_TERMS:
        found = dense(frame, ("t",), (facts.periods,), name)
        number = 16 if name == "residual_value" else 0
        constraint = "residual" if name == "residual_value" else "cash"
        places = {"term": [name], "period": facts.labels}
        findings.equal(constraint, number, "cash.csv", found[None], terms[name][None], places, "USD")
    total = np.sum(list(discounted.values()), axis=0)
    gross = np.maximum(1.0, np.sum([np.abs(values) for values in discounted.values()], axis=0))
    findings.equal(
        "cash", 0, "cash.csv", dense(frame, ("t",), (facts.periods,), "discounted_total")[None], total[None],
        {"term": ["discounted_total"], "period": facts.labels}, "USD", least_scale=gross[None], tolerance=SUM_TOLERANCE,
    )  # fmt: skip
