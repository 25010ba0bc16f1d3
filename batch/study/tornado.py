"""Which axis moves NPV most: the mean NPV of the runs at each of its levels, all else as it comes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from batch.study.asked import Asked
from batch.study.frames import axis_column, planned, value_column
from models.study import Origin

BINS = 4
"""Equal parts in which a range of numbers is shown."""


@dataclass(frozen=True)
class Effect:
    """A level of an axis; of scenarios by name, each is an axis of its own.

    Attributes:
        axis: its name.
        level: name of the level, or the part of the range.
        runs: runs at this level with an NPV.
        without: runs at this level without one.
        mean_npv_usd: their mean NPV by odds, USD; NaN without any.
        effect_usd: that less the mean NPV of all runs of the axis, of a scenario by name less the base plan's, USD.
    """

    axis: str
    level: str
    runs: int
    without: int
    mean_npv_usd: float
    effect_usd: float


@dataclass(frozen=True)
class Bar:
    """An axis in the picture.

    Attributes:
        axis: its name.
        low, high: lowest and highest effect of its levels, USD.
        low_level, high_level: the levels with them.
        span_usd: from the lowest to the highest mean NPV; of a scenario by name, from the base plan's NPV.
    """

    axis: str
    low: float
    high: float
    low_level: str
    high_level: str
    span_usd: float


def effects(asked: Asked, runs: pd.DataFrame) -> list[Effect]:
    """Every level of every axis, in the study's order."""
    found = []
    for axis in asked.axes:
        if all(not scenario.origin.counts for scenario in asked.scenarios if axis in scenario.levels):
            continue
        column = axis_column(axis)
        own = runs[runs[column].notna()]
        levels = own[column].astype(object)
        order = list(dict.fromkeys(scenario.levels[axis] for scenario in asked.scenarios if axis in scenario.levels))
        if value_column(axis) in runs.columns and own[value_column(axis)].notna().all():
            levels, order = _parts(own[value_column(axis)])
        around = _mean(planned(own))
        found += [_effect(around, axis, level, own[levels == level]) for level in order]
    for run in runs[runs["origin"] == Origin.LIST].itertuples():
        found.append(_effect(asked.base_npv_usd, str(run.scenario), "", runs.loc[[run.Index]]))
    return found


def _parts(values: pd.Series) -> tuple[pd.Series, list[str]]:
    """A range in equal parts, with their names."""
    low, high = float(values.min()), float(values.max())
    edges = np.linspace(low, high, BINS + 1) if high > low else np.array([low, low])
    names = [f"{a:.4g} to {b:.4g}" for a, b in pairwise(edges)]
    at = np.clip(np.searchsorted(edges[1:-1], values.to_numpy(), side="right"), 0, len(names) - 1)
    return pd.Series([names[n] for n in at], index=values.index, dtype=object), list(dict.fromkeys(names))


def _mean(counted: pd.DataFrame) -> float:
    return float(np.average(counted["npv_usd"], weights=counted["odds"])) if len(counted) else float("nan")


def _effect(around: float, axis: str, level: str, own: pd.DataFrame) -> Effect:
    counted = planned(own)
    mean = _mean(counted)
    return Effect(axis, level, len(counted), len(own) - len(counted), mean, mean - around)


def tornado(found: list[Effect]) -> list[Bar]:
    """Axes by their span, widest first; those without any NPV are left out."""
    bars = []
    for axis in dict.fromkeys(effect.axis for effect in found):
        own = [effect for effect in found if effect.axis == axis and effect.runs]
        if not own:
            continue
        low, high = min(own, key=lambda e: e.effect_usd), max(own, key=lambda e: e.effect_usd)
        single = len(own) == 1 and not own[0].level
        span = abs(low.effect_usd) if single else high.effect_usd - low.effect_usd
        bars.append(Bar(axis, low.effect_usd, high.effect_usd, low.level, high.level, span))
    return sorted(bars, key=lambda bar: -bar.span_usd)
