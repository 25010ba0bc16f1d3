"""Bars over time, stacked, with lines over them: use against a limit, delivered against owed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from batch.svg.element import Svg, element, group, picture

LEFT, RIGHT, TOP, BOTTOM = 46.0, 8.0, 10.0, 20.0
"""Room around the bars, pixels."""
_Place = Callable[[float], float]
STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Bars:
    """A layer of the stack.

    Attributes:
        name: what it is, for the texts that a pointer shows.
        look: class of its rectangles.
        values: one per period.
    """

    name: str
    look: str
    values: Sequence[float]


@dataclass(frozen=True)
class Line:
    """A line of steps over the bars; infinite values leave a gap."""

    name: str
    look: str
    values: Sequence[float]


def bars(
    labels: Sequence[str], layers: Sequence[Bars], lines: Sequence[Line] = (), *, title: str, unit: str, width: float = 1160.0, height: float = 220.0
) -> Svg:  # fmt: skip
    """The picture; each period says its figures to a pointer.

    Args:
        labels: of the periods.
        layers: from the bottom up.
        lines: over them.
        title: what it shows, for readers of screens.
        unit: of all values.
        width, height: pixels.
    """
    tops = [math.fsum(layer.values[t] for layer in layers) for t in range(len(labels))]
    most = max([*tops, *(value for line in lines for value in line.values if math.isfinite(value)), 0.0])
    step = nice_step(most)
    top = step * max(1, math.ceil(most / step - 1e-9))
    slot = (width - LEFT - RIGHT) / max(1, len(labels))

    def x(t: float) -> float:
        return LEFT + slot * t

    def y(value: float) -> float:
        return height - BOTTOM - (height - TOP - BOTTOM) * value / top

    parts = [_scale(round(top / step), step, y, width), _years(labels, x, y(0.0), slot)]
    for t, label in enumerate(labels):
        parts.append(_period(t, label, layers, lines, unit, x, y, slot))
    parts += [element("path", d=_steps(line.values, x, y), class_=line.look) for line in lines]
    return picture(*parts, width=width, height=height, title=title)


def _scale(ticks: int, step: float, y: _Place, width: float) -> Svg:
    rules = []
    for n in range(ticks + 1):
        at = y(n * step)
        rules.append(element("line", x1=LEFT, x2=width - RIGHT, y1=at, y2=at, class_="axis" if n == 0 else "rule"))
        rules.append(element("text", text=_short(n * step), x=LEFT - 6, y=at + 3.5, text_anchor="end"))
    return group(*rules)


def _years(labels: Sequence[str], x: _Place, base: float, slot: float) -> Svg:
    first: dict[str, int] = {}
    for t, label in enumerate(labels):
        first.setdefault(label[:4], t)
    marks, last = [], -math.inf
    for year, t in first.items():
        if x(t) - last >= 34:  # a year that is cut short leaves its room to the next
            nearer = [other for other in first.values() if other > t and x(other) - x(t) < 34]
            if nearer and t == 0:
                continue
            marks.append(element("line", x1=x(t), x2=x(t), y1=base, y2=base + 4, class_="axis"))
            marks.append(element("text", text=year, x=x(t) + min(slot / 2, 4), y=base + 15))
            last = x(t)
    return group(*marks)


def _period(t: int, label: str, layers: Sequence[Bars], lines: Sequence[Line], unit: str, x: _Place, y: _Place, slot: float) -> Svg:
    gap = min(2.0, slot * 0.12)
    stack, below = [], 0.0
    for layer in layers:
        value = layer.values[t]
        if value > 0:
            high, low = y(below + value), y(below)
            stack.append(element("rect", x=x(t) + gap / 2, y=high, width=slot - gap, height=max(low - high, 0.0), class_=layer.look))
        below += max(value, 0.0)
    every: list[Bars | Line] = [*layers, *lines]
    figures = [f"{one.name} {one.values[t]:,.1f} {unit}" for one in every if math.isfinite(one.values[t])]
    whole = element("rect", x=x(t), y=TOP, width=slot, height=y(0.0) - TOP, fill="transparent")
    return group(element("title", text="\n".join([label, *figures])), *stack, whole)


def _steps(values: Sequence[float], x: _Place, y: _Place) -> str:
    """A path of steps, with gaps where a value is infinite."""
    found: list[str] = []
    for t, value in enumerate(values):
        if math.isfinite(value):
            goes_on = t > 0 and math.isfinite(values[t - 1])
            found.append(f"{'V' if goes_on else f'M{x(t):.1f} '}{y(value):.1f}H{x(t + 1):.1f}")
    return "".join(found)


def nice_step(most: float) -> float:
    """A step of a scale that has three to five of them up to a value."""
    if most <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(most / 4))
    fits = [step * power for step in STEPS if most / (step * power) <= 5]
    return fits[0] if fits else 10 * power


def _short(value: float) -> str:
    for size, mark in ((1e6, "M"), (1e3, "k")):
        if value >= 10 * size or (value >= size and mark == "M"):
            return f"{value / size:,.4g}{mark}"
    return f"{value:,.4g}"
