"""The plan's tables as arrays, and whether the tables themselves are sound.

A sound table has the columns of data.md, known ids and periods, no key twice, and numbers that are numbers,
not negative, and whole where racks are counted. Rows that fail are reported; rows without a place in the
dataset, and second rows of a key, do not reach the arrays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.plan import PLAN_COLUMNS, empty_table
from optimizer.audit.facts import Bools, Facts, Floats, Ints, positions
from optimizer.audit.report import Findings, Rows

DECISION_KINDS = ("sign", "decline", "open", "build", "retrofit")
NEVER = 1 << 30
"""Period of what does not happen."""


@dataclass(frozen=True)
class Orders:
    """Retrofits ordered: position of the site, period, MW; one element per order."""

    s: Ints
    t: Ints
    mw: Floats


class Placed:
    """A plan as arrays over the dataset's sites (S), generations (G), contracts (C), market tiers (K), periods (T).

    Args:
        facts: the dataset.
        tables: plan tables by name (``models.plan.PLAN_COLUMNS``).
        findings: where faults of the tables are noted.

    Attributes:
        tables: the sound rows, with the positions of their ids in added columns ``s``, ``g``, ``c``, ``k``, ``t``.
        installed, retired, in_service: racks; shape (S, G, T).
        sold: GPUs sold on the market by site; shape (S, G, T).
        tier_sold: GPUs sold by tier; shape (K, T).
        short, moved, paid: contract GPUs; shape (C, T).
        signed: whether each contract is in force; shape (C,).
        opened: period in which each site opens, 0 for open sites, ``NEVER`` for candidates that stay closed; shape (S,).
        built: period in which each block is energized, ``NEVER`` for options that are not; one per block.
        orders: retrofits ordered.
    """

    def __init__(self, facts: Facts, tables: Mapping[str, pd.DataFrame], findings: Findings) -> None:
        self.facts, self.findings = facts, findings
        places = {"site_id": ("s", facts.site_ids), "gen_id": ("g", facts.gen_ids), "contract_id": ("c", facts.contract_ids)}
        self.tables = {name: self._sound(name, tables.get(name), places) for name in PLAN_COLUMNS}
        racks, market = self.tables["racks"], self.tables["market_sites"]
        by_rack = (len(facts.site_ids), len(facts.gen_ids), facts.periods)
        self.installed, self.retired, self.in_service = (
            dense(racks, ("s", "g", "t"), by_rack, name) for name in ("installed", "retired", "in_service")
        )
        self.sold = dense(market, ("s", "g", "t"), by_rack, "gpus")
        self.tier_sold = dense(self.tables["market"], ("k", "t"), (len(facts.tiers), facts.periods), "gpus")
        by_contract = (len(facts.contract_ids), facts.periods)
        self.short, self.moved, self.paid = (
            dense(self.tables["contracts"], ("c", "t"), by_contract, name) for name in ("short_gpus", "moved_gpus", "paid_moves_gpus")
        )
        decisions = self.tables["decisions"]
        self.signed = ~facts.prospect
        self.signed[positions(decisions["id"][decisions["kind"] == "sign"], facts.contract_ids)] = True
        self.opened = self._first(decisions, "open", facts.site_ids, np.where(facts.candidate, NEVER, 0))
        energized = np.maximum(facts.indices(facts.blocks["energized"]), 0)
        self.built = self._first(decisions, "build", facts.block_ids, np.where(facts.option, NEVER, energized))
        retrofits = decisions[decisions["kind"] == "retrofit"]
        self.orders = Orders(
            positions(retrofits["id"], facts.site_ids), retrofits["t"].to_numpy(dtype=np.intp), retrofits["mw"].to_numpy(dtype=float)
        )

    @staticmethod
    def _first(decisions: pd.DataFrame, kind: str, known: list[str], default: Ints) -> Ints:
        """Earliest period in which each id is decided."""
        rows = decisions[decisions["kind"] == kind]
        values = np.array(default, dtype=np.intp)
        np.minimum.at(values, positions(rows["id"], known), np.asarray(rows["t"], dtype=np.intp))
        return values

    def _sound(self, name: str, table: pd.DataFrame | None, places: Mapping[str, tuple[str, list[str]]]) -> pd.DataFrame:
        """The rows of one table that have a place, after noting the faults of all."""
        if table is None:
            self.findings.count("table_columns", 1)
            self.findings.wrong("table_columns", 0, {"table": name}, f"the plan has no table {name}.")
            table = empty_table(name)
        frame = self._with_columns(name, table)
        frame = self._numbers(name, frame)
        found = frame.assign(t=self._periods(name, frame))
        keep: Bools = np.asarray(found["t"] < NEVER, dtype=np.bool_)
        for column, (short, known) in places.items():
            if column in frame:
                found[short] = positions(frame[column], known)
                keep = keep & self._known(name, frame, column, np.asarray(found[short] >= 0, dtype=np.bool_))
        if name == "market":
            tiers = {tier: i for i, tier in enumerate(self.facts.tiers)}
            found["k"] = [tiers.get(pair, -1) for pair in zip(frame["gen_id"], frame["tier"], strict=True)]
            keep = keep & self._known(name, frame, "tier", np.asarray((found["k"] >= 0) | (found["g"] < 0), dtype=np.bool_))
        if name == "decisions":
            keep = keep & self._decided(frame)
        return self._once(name, found[keep])

    def _with_columns(self, name: str, table: pd.DataFrame) -> pd.DataFrame:
        """The table with exactly the columns of data.md; missing ones empty."""
        wanted = [column.name for column in PLAN_COLUMNS[name]]
        self.findings.count("table_columns", len(wanted))
        for column in [c for c in wanted if c not in table] + [str(c) for c in table if c not in wanted]:
            what = "is missing" if column in wanted else "is not a column of data.md"
            self.findings.wrong("table_columns", 0, {"table": name, "column": column}, f"{column} of {name} {what}.")
        return table.reindex(columns=wanted).reset_index(drop=True)

    def _numbers(self, name: str, table: pd.DataFrame) -> pd.DataFrame:
        """Numeric columns as floats, 0 where the cell is no finite number; sign and wholeness checked."""
        keys = table[[c.name for c in PLAN_COLUMNS[name] if c.key]]
        numbers: dict[str, Floats] = {}
        for column in PLAN_COLUMNS[name]:
            if column.kind not in ("number", "integer"):
                continue
            values = np.asarray(pd.to_numeric(table[column.name], errors="coerce"), dtype=float)
            finite = np.isfinite(values)
            self.findings.count("table_values", len(values))
            for i in np.flatnonzero(~finite):
                ids = {"table": name, "column": column.name, **{str(k): str(v) for k, v in keys.iloc[i].items()}}
                shown = table[column.name].iloc[i]
                self.findings.wrong("table_values", 0, ids, f"{column.name} of {name} at {_where(ids)} is {shown!r}, not a finite number.")
            values = np.where(finite, values, 0.0)
            numbers[column.name] = values
            places = Rows(keys, {"table": name, "column": column.name})
            what = f"{column.name} of {name}"
            if column.low == 0.0:
                self.findings.at_least("non_negativity", 0, what, values, 0.0, places, column.unit)
            if column.kind == "integer":
                self.findings.equal("integrality", 0, what, values, np.round(values), places, column.unit, least_scale=1.0)
        return table.assign(**numbers)

    def _periods(self, name: str, frame: pd.DataFrame) -> Ints:
        """Index of each row's period, ``NEVER`` where it is outside the horizon; signatures may lie outside."""
        labels = {label: t for t, label in enumerate(self.facts.labels)}
        index = np.array([labels.get(label, NEVER) for label in frame["period"]], dtype=np.intp)
        wrong = index == NEVER
        if name == "decisions":
            contracts = np.array([kind in ("sign", "decline") for kind in frame["kind"]], dtype=bool)
            index[contracts], wrong = 0, wrong & ~contracts
        self.findings.count("table_periods", len(frame))
        for i in np.flatnonzero(wrong):
            label = str(frame["period"].iloc[i])
            span = f"{self.facts.labels[0]} to {self.facts.labels[-1]}"
            self.findings.wrong(
                "table_periods", 0, {"table": name, "period": label}, f"period {label} of {name} is outside the horizon {span}."
            )
        return index

    def _known(self, name: str, frame: pd.DataFrame, column: str, known: Bools) -> Bools:
        """Note unknown ids of a column; whether each row's is known."""
        self.findings.count("table_ids", len(frame))
        for value in dict.fromkeys(frame[column][~known]):
            self.findings.wrong("table_ids", 0, {"table": name, column: str(value)}, f"{column} {value} of {name} is not in the dataset.")
        return known

    def _decided(self, frame: pd.DataFrame) -> Bools:
        """Note decisions of an unknown kind or about ids that are not there to be decided; whether each row stands."""
        facts = self.facts
        prospects = {c for c, open_ in zip(facts.contract_ids, facts.prospect, strict=True) if open_}
        allowed = {
            "sign": prospects,
            "decline": prospects,
            "open": {s for s, candidate in zip(facts.site_ids, facts.candidate, strict=True) if candidate},
            "build": {b for b, option in zip(facts.block_ids, facts.option, strict=True) if option},
            "retrofit": set(facts.retrofits["site_id"]),
        }
        words = {"open": "candidate site", "build": "optional block", "retrofit": "site with a row in retrofits.csv"}
        known: Bools = np.ones(len(frame), dtype=np.bool_)
        self.findings.count("table_ids", len(frame))
        for i, (kind, identifier) in enumerate(zip(frame["kind"], frame["id"], strict=True)):
            if kind not in allowed:
                message = f"kind {kind} of decisions is none of {', '.join(DECISION_KINDS)}."
                self.findings.wrong("table_ids", 0, {"table": "decisions", "kind": str(kind), "id": str(identifier)}, message)
            elif identifier not in allowed[kind]:
                message = f"decision {kind} names {identifier}, which is no {words.get(kind, 'prospect')} of the dataset."
                self.findings.wrong("table_ids", 0, {"table": "decisions", "kind": str(kind), "id": str(identifier)}, message)
            known[i] = kind in allowed and identifier in allowed[kind]
        return known

    def _once(self, name: str, frame: pd.DataFrame) -> pd.DataFrame:
        """The first row of each key; others are noted."""
        keys = [c.name for c in PLAN_COLUMNS[name] if c.key]
        again = frame.duplicated(keys)
        self.findings.count("table_keys", len(frame))
        for i in np.flatnonzero(again.to_numpy()):
            ids = {str(key): str(frame[key].iloc[i]) for key in keys}
            self.findings.wrong("table_keys", 0, {"table": name, **ids}, f"{name} has more than one row for {_where(ids)}.")
        return frame[~again]


def _where(ids: Mapping[str, str]) -> str:
    return ", ".join(f"{key} {value}" for key, value in ids.items() if key not in ("table", "column"))


def dense(frame: pd.DataFrame, axes: tuple[str, ...], shape: tuple[int, ...], value: str) -> Floats:
    """A column as an array over positions; 0 where there is no row, the sum where there are several."""
    values = np.zeros(shape)
    np.add.at(values, tuple(np.asarray(frame[axis], dtype=np.intp) for axis in axes), np.asarray(frame[value], dtype=float))
    return values
