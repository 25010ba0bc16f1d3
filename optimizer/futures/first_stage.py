"""The first stage: what is decided before it is known which future comes, and so is the same in all.

Components, each by its key:

- ``bought[g,t]``: racks bought, summed over sites, t < P; with placement ``installed[s,g,t]`` instead
- ``sign[c]``: prospects signed
- ``ordered[b,t]``: optional block ordered by t, t < P; energized ``lead_periods`` later, and later still where its energization slips
- ``retrofit_ordered[s,t]``, ``retrofit_order_mw[s,t]``, ``open[s,t]``: t < P

P is the period before which they are decided.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from models.dataset import Dataset
from models.tables import DecisionKind, Directive, Rule
from optimizer.blocks.base import Index
from optimizer.instance import Instance

Key = tuple[Any, ...]
"""Family, then the parts of the index."""
FIRST_STAGE_COLUMNS = ["decision", "contract_id", "site_id", "gen_id", "block_id", "period", "value", "unit"]
"""Columns of the table of first-stage decisions."""
UNITS = {
    "bought": "racks", "installed": "racks", "sign": "0 or 1", "ordered": "0 or 1", "retrofit_ordered": "0 or 1",
    "retrofit_order_mw": "MW", "open": "0 or 1",
}  # fmt: skip


@dataclass(frozen=True)
class FirstStage:
    """What the first stage decides.

    Attributes:
        base: the dataset as planned.
        before: index of the first period that is decided later.
        placement: whether it also decides at which site racks are installed.
        keys: its components, in order.
    """

    base: Instance
    before: int
    placement: bool
    keys: tuple[Key, ...]

    @staticmethod
    def of(base: Instance, before: int, placement: bool = False) -> FirstStage:
        """The first stage of a dataset.

        Args:
            base: the dataset as planned.
            before: index of the first period that is decided later, 1 to the number of periods.
            placement: whether it also decides at which site racks are installed.

        Raises:
            ValueError: before is out of its range.
        """
        if not 1 <= before <= base.T:
            raise ValueError(f"before must be 1 to {base.T}; found {before}")
        racks: list[Key] = [("installed", *key) for key in base.rack_index if key[2] < before]
        if not placement:
            racks = [("bought", g, t) for g in base.gens for t in range(before)]
        keys = [*racks, *(("sign", c) for c in base.prospects)]
        for b, (first, _) in base.buildable.items():
            keys += [("ordered", b, t) for t in range(first - base.block_rows[b].lead_periods, before)]
        for family in ("retrofit_ordered", "retrofit_order_mw"):
            keys += [(family, s, t) for s in base.retrofit_rows for t in range(before)]
        keys += [("open", s, t) for s in base.candidates for t in range(before)]
        return FirstStage(base, before, placement, tuple(keys))

    def column(self, instance: Instance, key: Key) -> tuple[str, Index] | None:
        """Family and index of the variable of a future's model that a component is; None if it has none.

        Args:
            instance: the future.
        """
        family, *parts = key
        if family != "ordered":
            return family, tuple(parts)
        block, ordered = parts
        if block not in instance.buildable:
            return None
        slip = instance.buildable[block][0] - self.base.buildable[block][0]
        return "built", (block, ordered + self.base.block_rows[block].lead_periods + slip)

    def table(self, values: Mapping[Key, float]) -> pd.DataFrame:
        """First-stage decisions that are not zero, with the prospects declined; columns ``FIRST_STAGE_COLUMNS``."""
        label, rows, seen = self.base.calendar.label, list[dict[str, Any]](), set[Key]()
        for key in self.keys:
            family, *parts = key
            value = values[key]
            if family == "sign":
                rows.append({"decision": "sign", "contract_id": parts[0], "value": value})
            elif value > 0 and family in ("ordered", "open"):  # a state: told in the period in which it begins
                if (family, parts[0]) not in seen:
                    seen.add((family, parts[0]))
                    own = "block_id" if family == "ordered" else "site_id"
                    rows.append({"decision": family, own: parts[0], "period": label(parts[1]), "value": value})
            elif value > 0 and family == "bought":
                rows.append({"decision": family, "gen_id": parts[0], "period": label(parts[1]), "value": value})
            elif value > 0 and family == "installed":
                rows.append({"decision": family, "site_id": parts[0], "gen_id": parts[1], "period": label(parts[2]), "value": value})
            elif value > 0 and family == "retrofit_order_mw":
                rows.append({"decision": family, "site_id": parts[0], "period": label(parts[1]), "value": value})
        table = pd.DataFrame([{**row, "unit": UNITS[row["decision"]]} for row in rows], columns=FIRST_STAGE_COLUMNS)
        texts = [name for name in FIRST_STAGE_COLUMNS if name != "value"]
        return table.astype(dict.fromkeys(texts, object)).fillna(dict.fromkeys(texts, ""))

    def values_of(self, decided: Mapping[Key, float]) -> list[float]:
        """Components from what a plan decides, as :func:`optimizer.futures.check.decided` tells it; what is not told is 0."""
        began = {key[:2]: key[2] for key in decided if key[0] in ("ordered", "open")}
        orders = {key[1:]: mw for key, mw in decided.items() if key[0] == "retrofit"}
        found = []
        for key in self.keys:
            family, *parts = key
            if family in ("ordered", "open"):
                found.append(float(parts[1] >= began.get(key[:2], self.base.T)))
            elif family in ("retrofit_ordered", "retrofit_order_mw"):
                mw = orders.get(key[1:], 0.0)
                found.append(float(mw > 0) if family == "retrofit_ordered" else mw)
            else:
                found.append(decided.get(key, 0.0))
        return found

    def directives(self, instance: Instance, values: Mapping[Key, float]) -> list[Directive]:
        """The first stage as directives of a future, so that any search holds it.

        Args:
            instance: the future.
            values: of each component.
        """
        label, found, mw = instance.calendar.label, list[Directive](), dict[str, float]()

        def fix(kind: DecisionKind, value: float, t: int | None = None, **ids: str) -> None:
            period = None if t is None else label(t)
            row = f"first-stage-{len(found) + 1}"
            found.append(Directive(row=row, rule=Rule.FIX, decision=kind, value=value, from_period=period, to_period=period, **ids))

        for key in self.keys:
            family, *parts = key
            value = values[key]
            if family == "bought":
                fix(DecisionKind.INSTALLED, value, parts[1], gen_id=parts[0])
            elif family == "installed":
                fix(DecisionKind.INSTALLED, value, parts[2], site_id=parts[0], gen_id=parts[1])
            elif family == "sign" and parts[0] in instance.contract_at:
                fix(DecisionKind.SIGN, value, contract_id=parts[0])
            elif family == "ordered":
                column = self.column(instance, key)
                if column is not None and column[1][1] < instance.T:
                    fix(DecisionKind.BUILD, value, column[1][1], block_id=parts[0])
            elif family == "open":
                fix(DecisionKind.OPEN, value, parts[1], site_id=parts[0])
            elif family == "retrofit_order_mw":
                mw[parts[0]] = mw.get(parts[0], 0.0) + value
                fix(DecisionKind.RETROFIT, mw[parts[0]], parts[1], site_id=parts[0])
        return found


def with_first_stage(dataset: Dataset, directives: list[Directive]) -> Dataset:
    """A future's dataset with its first stage fixed; its own directives stay."""
    taken = {row.row for row in dataset.rows(Directive)}
    fresh = [row if row.row not in taken else row.model_copy(update={"row": f"{row.row}-x"}) for row in directives]
    return dataset.replace(None, directives=[*dataset.rows(Directive), *fresh])
