"""Two bounds that close in on one another over time, as staircases: a value holds until the next one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from batch.svg.bars import nice_step
from batch.svg.element import Svg, element, picture

LEFT, RIGHT, TOP, BOTTOM = 116.0, 14.0, 12.0, 30.0
"""Room around the lines, pixels."""
Points = Sequence[tuple[float, float]]
"""Seconds and value, in the order of time."""


def bounds(
    lower: Points, upper: Points, *, end: float, title: str, text: Callable[[float, float], str], width: float = 720.0, height: float = 250.0
) -> Svg:  # fmt: skip
    """The picture, its scale from the smallest value to the largest; empty for less than two values.

    Args:
        lower, upper: the two bounds.
        end: seconds up to which the last values hold.
        title: what it shows, for readers of screens.
        text: a value in words, given the step of the scale.
        width, height: pixels.
    """
    values = [value for line in (lower, upper) for _, value in line]
    if len(values) < 2:
        return ""
    end = max(end, 0.1)
    room = max(0.06 * (max(values) - min(values)), 1e-4 * abs(max(values)), 1.0)
    low, high = min(values) - room, max(values) + room

    def x(t: float) -> float:
        return LEFT + (width - LEFT - RIGHT) * t / end

    def y(value: float) -> float:
        return TOP + (height - TOP - BOTTOM) * (high - value) / (high - low)

    parts = []
    step = nice_step(high - low)
    for value in _ticks(low, high, step):
        parts.append(element("line", x1=LEFT, x2=width - RIGHT, y1=y(value), y2=y(value), class_="rule"))
        parts.append(element("text", text=text(value, step), x=LEFT - 6, y=y(value) + 4, text_anchor="end"))
    for t in _ticks(0.0, end, nice_step(end)):
        parts.append(element("text", text=f"{t:g} s", x=x(t), y=height - 10, text_anchor="middle"))
    for line, look in ((upper, "upper"), (lower, "lower")):
        if line:
            steps = [f"H{x(t):.1f}V{y(value):.1f}" for t, value in line[1:]]
            path = f"M{x(line[0][0]):.1f} {y(line[0][1]):.1f}{''.join(steps)}H{x(end):.1f}"
            parts.append(element("path", d=path, class_=look))
    return picture(*parts, width=width, height=height, title=title)


def _ticks(low: float, high: float, step: float) -> list[float]:
    """Multiples of a step between two values."""
    first = int(-(-low // step))
    return [number * step for number in range(first, int(high // step) + 1)]
