"""What a plan is asked to hold besides the limits of its dataset: totals over the horizon, and likeness to other plans.

Each is a limit beside the objective: NPV is maximised within it (the epsilon-constraint method, Haimes, Lasdon and Wismer 1971),
so that every plan found has its proven bound.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import pandas as pd

from models.faults import Fault, InputError, closest

CAPITAL_TERMS = ("gpu_capital", "block_capex", "activation", "retrofits")
"""Terms of NPV that are capital."""


class Measure(StrEnum):
    """A total over the horizon that NPV is traded against."""

    CARBON = "carbon"
    CAPITAL = "capital"
    LATE = "late"


MEASURES: dict[Measure, tuple[str, str]] = {
    Measure.CARBON: ("emissions of the energy", "tonnes CO2"),
    Measure.CAPITAL: ("capital of GPUs, blocks, sites and retrofits, undiscounted", "USD"),
    Measure.LATE: ("contract GPUs owed and not delivered, summed over periods", "GPU-periods"),
}
"""Meaning and unit of each measure."""
SCALE: dict[Measure, float] = {Measure.CARBON: 1e3, Measure.CAPITAL: 1e6, Measure.LATE: 1e3}
"""Units of each measure per unit of its row in the model: kilotonnes, million USD, thousand GPU-periods."""


def measured(tables: Mapping[str, pd.DataFrame]) -> dict[Measure, float]:
    """Each measure of a plan, in its unit, from its tables alone."""
    return {
        Measure.CARBON: float(tables["sites"]["tco2"].sum()),
        Measure.CAPITAL: 0.0 - float(tables["cash"][list(CAPITAL_TERMS)].to_numpy(dtype=float).sum()),
        Measure.LATE: float(tables["contracts"]["short_gpus"].sum()),
    }


@dataclass(frozen=True)
class Likeness:
    """How much a plan may, or must, have in common with another.

    What counts are racks in service beyond the fleet of the start, by site, generation and period, weighed by their power: the share of
    the other plan's that stand in this one too.

    Attributes:
        name: of the other plan; unlike that of any other.
        racks: the other plan's table of racks, with site_id, gen_id, period and in_service.
        share: of what the other plan has, 0 to 1.
        least: whether it is the least that must be in common; the most that may be, if not.
    """

    name: str
    racks: pd.DataFrame
    share: float
    least: bool


@dataclass(frozen=True)
class Targets:
    """What a plan is asked to hold.

    Attributes:
        most: the most of each measure, in its unit.
        likeness: to other plans.
    """

    most: Mapping[Measure, float] = field(default_factory=dict)
    likeness: tuple[Likeness, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.most) or bool(self.likeness)


NO_TARGETS = Targets()


def limits_in_words(most: Mapping[Measure, float]) -> list[str]:
    """Limits in words, as changes are told: ``carbon at most 330 tonnes CO2``."""
    return [f"{measure.value} at most {amount:,.10g} {MEASURES[measure][1]}" for measure, amount in most.items()]


def read_most(plain: Mapping[str, object], label: str = "targets") -> dict[Measure, float]:
    """Most of each measure from plain values.

    Raises:
        InputError: no such measure, or an amount that is no number of at least 0.
    """
    faults, found = [], {}
    for name, value in plain.items():
        if name not in set(Measure):
            near = closest(name, [m.value for m in Measure])
            faults.append(
                Fault(label, "unknown measure", value=repr(name), allowed=", ".join(Measure), suggestion=near, code="unknown_key", pointer=f"/{name}")
            )  # fmt: skip
        elif isinstance(value, bool) or not isinstance(value, (int, float)) or not (math.isfinite(value) and value >= 0):
            faults.append(
                Fault(
                    label,
                    f"{name} is no amount",
                    value=repr(value),
                    allowed="a number of at least 0",
                    code="not_a_number",
                    pointer=f"/{name}",
                )
            )
        else:
            found[Measure(name)] = float(value)
    if faults:
        raise InputError(faults)
    return found
