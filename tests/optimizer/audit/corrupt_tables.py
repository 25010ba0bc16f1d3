"""Corruptions of the tables themselves, of columns that follow from others, of NPV terms (16 among them) and of the summary."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from models import tables as tb
from models.dataset import Dataset
from models.plan import NPV_TERMS, PLAN_COLUMNS, SolutionStatus, Summary
from optimizer.audit import TOLERANCE
from optimizer.audit.report import SUM_TOLERANCE
from tests.optimizer.audit.corruptions import Case, Maker, add, appended, case, corruption, edited
from tests.optimizer.audit.plans import Tables, factors, summary_of


@corruption("table_columns", whole=True, alone=False)
def table_missing(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """The table of sites is not there."""
    return Case(dataset, {name: table for name, table in tables.items() if name != "sites"}, "table_columns", {"table": "sites"}, 1.0)


@corruption("table_columns", whole=True)
def column_unknown(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """A column that data.md does not have."""
    wrong = {**tables, "racks": tables["racks"].assign(colour="red")}
    return Case(dataset, wrong, "table_columns", {"table": "racks", "column": "colour"}, 1.0)


@corruption("table_columns", whole=True, alone=False)
def column_missing(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """The revenue of contracts is not there."""
    wrong = {**tables, "contracts": tables["contracts"].drop(columns="revenue_usd")}
    return Case(dataset, wrong, "table_columns", {"table": "contracts", "column": "revenue_usd"}, 1.0)


@corruption("table_ids", whole=True)
def site_unknown(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """Racks at a site that there is not."""
    gen, period = dataset.rows(tb.Generation)[0].gen_id, dataset.calendar.labels[0]
    wrong = appended(tables, "racks", site_id="atlantis", gen_id=gen, period=period, installed=0, retired=0, in_service=3)
    return Case(dataset, wrong, "table_ids", {"table": "racks", "site_id": "atlantis"}, 1.0)


@corruption("table_ids", whole=True)
def tier_unknown(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """Sales in a tier that there is not."""
    gen, period = dataset.rows(tb.Generation)[0].gen_id, dataset.calendar.labels[0]
    wrong = appended(tables, "market", gen_id=gen, tier="gold", period=period, gpus=1.0, revenue_usd=0.0)
    return Case(dataset, wrong, "table_ids", {"table": "market", "tier": "gold"}, 1.0)


@corruption("table_ids", whole=True)
def decision_unknown(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """A decision of a kind that there is not."""
    wrong = appended(tables, "decisions", kind="paint", id=dataset.rows(tb.Site)[0].site_id, period=dataset.calendar.labels[0], mw=0.0)
    return Case(dataset, wrong, "table_ids", {"table": "decisions", "kind": "paint"}, 1.0)


@corruption("table_ids", whole=True)
def firm_contract_declined(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """A firm contract is declined."""
    firm = next((c for c in dataset.rows(tb.Contract) if c.status is tb.ContractStatus.FIRM), None)
    if firm is None:
        return None
    wrong = appended(tables, "decisions", kind="decline", id=firm.contract_id, period=firm.start, mw=0.0)
    return Case(dataset, wrong, "table_ids", {"table": "decisions", "kind": "decline", "id": firm.contract_id}, 1.0)


@corruption("table_periods", whole=True)
def period_outside(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """Racks after the end of the horizon."""
    after = dataset.calendar.label(dataset.settings.periods)
    site, gen = dataset.rows(tb.Site)[0].site_id, dataset.rows(tb.Generation)[0].gen_id
    wrong = appended(tables, "racks", site_id=site, gen_id=gen, period=after, installed=0, retired=0, in_service=1)
    return Case(dataset, wrong, "table_periods", {"table": "racks", "period": after}, 1.0)


@corruption("table_keys", whole=True)
def row_twice(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """A row of racks stands twice."""
    if tables["racks"].empty:
        return None
    row = tables["racks"].iloc[-1]
    wrong = appended(tables, "racks", **row.to_dict())
    return Case(dataset, wrong, "table_keys", {"table": "racks", "site_id": row.site_id, "gen_id": row.gen_id, "period": row.period}, 1.0)


@corruption("table_values", whole=True, alone=False)
def number_missing(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """A cell is not a number."""
    row = tables["cash"].iloc[0]
    wrong = edited(tables, "cash", 0, energy=float("nan"))
    return Case(dataset, wrong, "table_values", {"table": "cash", "column": "energy", "period": row.period}, 1.0)


@corruption("integrality", alone=False)
def rack_in_part(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """A little more than a whole number of racks."""
    rows = np.flatnonzero(tables["racks"]["installed"] > 0)
    if not rows.size:
        return None
    row, excess = tables["racks"].iloc[rows[0]], size * TOLERANCE * max(1.0, float(tables["racks"]["installed"].iloc[rows[0]]))
    wrong = edited(tables, "racks", int(rows[0]), installed=float(row.installed) + excess)
    ids = {"table": "racks", "column": "installed", "site_id": row.site_id, "gen_id": row.gen_id, "period": row.period}
    return case(dataset, wrong, "integrality", ids, excess)


@corruption("non_negativity", alone=False)
def moves_negative(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """Fewer than no moves are paid."""
    for i, row in enumerate(tables["contracts"].itertuples()):
        if row.paid_moves_gpus == 0:
            wrong = edited(tables, "contracts", i, paid_moves_gpus=-size * TOLERANCE)
            ids = {"table": "contracts", "column": "paid_moves_gpus", "contract_id": str(row.contract_id), "period": str(row.period)}
            return case(dataset, wrong, "non_negativity", ids, size * TOLERANCE)
    return None


def _cell(name: str, column: str, constraint: str, keys: tuple[str, ...]) -> Maker:
    """The largest cell of a derived column is a little too large."""

    def make(dataset: Dataset, tables: Tables, size: float) -> Case | None:
        table = tables[name]
        if table.empty or not table[column].abs().max() > 0:
            return None
        i = int(np.argmax(table[column].abs().to_numpy(float)))
        row, excess = table.iloc[i], size * TOLERANCE * max(1.0, abs(float(table[column].iloc[i])))
        ids = {"column": column, **{key: str(row[key]) for key in keys}}
        if name == "market":
            ids["tier"] = f"{row['gen_id']}/{row['tier']}"
        return Case(dataset, edited(tables, name, i, **{column: float(row[column]) + excess}), constraint, ids, excess)

    return make


for _name, _keys, _columns in (
    ("contracts", ("contract_id", "period"), ("owed_gpus", "delivered_gpus", "revenue_usd", "damages_usd", "moves_usd")),
    ("sites", ("site_id", "period"), tuple(c.name for c in PLAN_COLUMNS["sites"] if c.kind == "number")),
    ("market", ("period",), ("revenue_usd",)),
):
    for _column in _columns:
        add(f"column_{_name}_{_column}", f"{_name}_columns", _cell(_name, _column, f"{_name}_columns", _keys))


@corruption("contracts_columns", whole=True)
def customer_wrong(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """Revenue under another customer's name."""
    if tables["contracts"].empty:
        return None
    row = tables["contracts"].iloc[0]
    ids = {"column": "customer", "contract_id": row.contract_id, "period": row.period}
    return Case(dataset, edited(tables, "contracts", 0, customer="nobody"), "contracts_columns", ids, 1.0)


def _binding(name: str, change: Callable[[str], str]) -> None:
    def make(dataset: Dataset, tables: Tables, size: float) -> Case | None:
        for i, row in enumerate(tables["sites"].itertuples()):
            text = str(row.binding)
            if change(text) != text:
                ids = {"column": "binding", "site_id": str(row.site_id), "period": str(row.period)}
                return Case(dataset, edited(tables, "sites", i, binding=change(text)), "sites_columns", ids, 1.0)
        return None

    add(name, "sites_columns", make, whole=True)


_binding("binding_concealed", lambda text: ";".join(text.split(";")[1:]))
_binding("binding_invented", lambda text: text or "it_power")
_binding("binding_disordered", lambda text: ";".join(reversed(text.split(";"))))


@corruption("decisions", whole=True)
def prospect_forgotten(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """A prospect is neither signed nor declined."""
    rows = tables["decisions"]
    gone = rows[rows["kind"] == "decline"]
    if gone.empty:
        return None
    wrong = {**tables, "decisions": rows.drop(index=gone.index[:1])}
    return Case(dataset, wrong, "decisions", {"contract_id": gone["id"].iloc[0]}, 1.0)


@corruption("decisions", whole=True)
def prospect_signed_and_declined(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """A signed prospect is declined too."""
    signed = tables["decisions"][tables["decisions"]["kind"] == "sign"]
    if signed.empty:
        return None
    row = signed.iloc[0]
    wrong = appended(tables, "decisions", kind="decline", id=row.id, period=row.period, mw=0.0)
    return Case(dataset, wrong, "decisions", {"contract_id": row.id}, 1.0)


@corruption("decisions", whole=True)
def decline_at_wrong_time(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """A prospect is declined in another period than its start."""
    for i, row in enumerate(tables["decisions"].itertuples()):
        if row.kind == "decline":
            later = dataset.calendar.label(dataset.calendar.index(str(row.period)) + 1)
            ids = {"kind": "decline", "id": str(row.id), "period": later}
            return Case(dataset, edited(tables, "decisions", i, period=later), "decisions", ids, 1.0)
    return None


@corruption("decisions")
def block_of_other_size(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """A block built is a little larger than the option."""
    for i, row in enumerate(tables["decisions"].itertuples()):
        if row.kind == "build":
            excess = size * TOLERANCE * max(1.0, float(row.mw))
            ids = {"kind": "build", "id": str(row.id), "period": str(row.period)}
            return Case(dataset, edited(tables, "decisions", i, mw=float(row.mw) + excess), "decisions", ids, excess)
    return None


def _term(term: str) -> Maker:
    """A term of NPV is a little too large in the period in which it is largest, and the total left as it was."""

    def make(dataset: Dataset, tables: Tables, size: float) -> Case | None:
        values = tables["cash"][term].to_numpy(float)
        i = int(np.argmax(np.abs(values)))
        excess = size * TOLERANCE * max(1.0, abs(float(values[i])))
        wrong = edited(tables, "cash", i, **{term: float(values[i]) + excess})
        ids = {"term": term, "period": str(tables["cash"]["period"].iloc[i])}
        return Case(dataset, wrong, "residual" if term == "residual_value" else "cash", ids, excess)

    return make


for _name in NPV_TERMS:
    add(f"cash_{_name}", "residual" if _name == "residual_value" else "cash", _term(_name))


@corruption("cash")
def total_of_period_wrong(dataset: Dataset, tables: Tables, size: float) -> Case | None:
    """The discounted total of a period is a little too large."""
    row = tables["cash"].iloc[0]
    gross = sum(abs(float(row[term]) * factors(dataset, term, 0)) for term in NPV_TERMS)
    excess = size * SUM_TOLERANCE * max(1.0, gross)
    wrong = edited(tables, "cash", 0, discounted_total=float(row.discounted_total) + excess)
    return Case(dataset, wrong, "cash", {"term": "discounted_total", "period": row.period}, excess)


def _summary(name: str, constraint: str, ids: dict[str, str], change: Callable[[Summary, float], tuple[dict[str, Any], float]],
             whole: bool = False, alone: bool = True) -> None:  # fmt: skip
    """Register a corruption of the summary: what changes in it, and by how much."""

    def make(dataset: Dataset, tables: Tables, size: float) -> Case | None:
        summary = summary_of(dataset, tables)
        update, amount = change(summary, size)
        return Case(dataset, tables, constraint, ids, amount, summary.model_copy(update=update))

    add(name, constraint, make, whole=whole, alone=alone)


def _npv_term(term: str) -> Callable[[Summary, float], tuple[dict[str, Any], float]]:
    def change(summary: Summary, size: float) -> tuple[dict[str, Any], float]:
        excess = size * TOLERANCE * max(1.0, abs(summary.npv_terms[term]))
        return {"npv_terms": {**summary.npv_terms, term: summary.npv_terms[term] + excess}}, excess

    return change


for _name in NPV_TERMS:
    _summary(f"summary_{_name}", "npv_terms", {"term": _name}, _npv_term(_name))


def _npv(summary: Summary, size: float) -> tuple[dict[str, Any], float]:
    gross = 1e-3 * sum(abs(value) for value in summary.npv_terms.values())
    return {"npv_usd": (summary.npv_usd or 0.0) + gross}, gross


def _low_bound(key: str, gap: str) -> Callable[[Summary, float], tuple[dict[str, Any], float]]:
    def change(summary: Summary, size: float) -> tuple[dict[str, Any], float]:
        npv = summary.npv_usd or 0.0
        lack = size * TOLERANCE * max(1.0, abs(npv))
        both = {"bound_usd": npv - lack, "gap": 0.0, "status": SolutionStatus.OPTIMAL} if key == "bound_usd" else {}
        return {**both, key: npv - lack, gap: 0.0}, lack

    return change


_summary("summary_npv", "npv", {"key": "npv_usd"}, _npv, whole=True, alone=False)
_summary("summary_bound_below", "bound", {"key": "bound_usd"}, _low_bound("bound_usd", "gap"))
_summary(
    "summary_certified_below", "bound", {"key": "bound_certified_usd"}, _low_bound("bound_certified_usd", "gap_certified"), whole=True,
    alone=False,
)  # fmt: skip
_summary(
    "summary_gap",
    "gap",
    {"key": "gap"},
    lambda s, size: ({"gap": (s.gap or 0.0) * (1 + size * TOLERANCE)}, (s.gap or 0.0) * size * TOLERANCE),
)
_summary("summary_gap_missing", "bound", {"key": "gap"}, lambda s, size: ({"gap": None}, 1.0), whole=True)
_summary("summary_status", "status", {"key": "status"}, lambda s, size: ({"status": SolutionStatus.OPTIMAL}, 1.0), whole=True)
_summary("summary_of_no_plan", "npv", {}, lambda s, size: ({"npv_usd": None}, 1.0), whole=True)
_summary(
    "summary_of_other_data", "dataset", {"key": "sha256"},
    lambda s, size: ({"dataset": s.dataset.model_copy(update={"sha256": "0" * 64})}, 1.0), whole=True,
)  # fmt: skip
_summary(
    "summary_of_other_name", "dataset", {"key": "name"},
    lambda s, size: ({"dataset": s.dataset.model_copy(update={"name": "other"})}, 1.0), whole=True,
)  # fmt: skip
_summary(
    "summary_term_missing", "npv_terms", {"term": "lease"},
    lambda s, size: ({"npv_terms": {k: v for k, v in s.npv_terms.items() if k != "lease"}}, 1.0), whole=True,
)  # fmt: skip
