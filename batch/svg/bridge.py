"""The bridge from one sum to another: each term begins where the one before it ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from batch.svg.element import Svg, element, group, picture

LEFT, RIGHT, TOP, ROW, BAR = 170.0, 150.0, 6.0, 22.0, 14.0
"""Room for names and figures, and height of a row and its bar, pixels."""


@dataclass(frozen=True)
class Term:
    """A term of both sums.

    Attributes:
        name: of it.
        difference: of the second sum less the first.
        unsure: whether it is drawn pale.
    """

    name: str
    difference: float
    unsure: bool = False


def bridge(
    first: tuple[str, float], terms: Sequence[Term], second: tuple[str, float], *, title: str, text: Callable[[float], str],
    signed: Callable[[float], str], width: float = 860.0,
) -> Svg:  # fmt: skip
    """The picture, lying; its scale does not begin at 0.

    Args:
        first, second: names and values of the sums.
        terms: those that differ, in order; they add to the difference of the sums.
        title: what it shows, for readers of screens.
        text, signed: a sum and a difference in words.
        width: pixels.
    """
    ends = [first[1]]
    for term in terms:
        ends.append(ends[-1] + term.difference)
    every = [*ends, second[1]]
    room = 0.08 * (max(every) - min(every)) or max(1.0, 0.01 * abs(max(every)))
    low, high = min(every) - room, max(every) + room

    def x(value: float) -> float:
        return LEFT + (width - LEFT - RIGHT) * (value - low) / (high - low)

    rows = [(first[0], low, first[1], "total", text(first[1]))]
    for term, start in zip(terms, ends, strict=False):
        look = ("up" if term.difference > 0 else "down") + (" unsure" if term.unsure else "")
        rows.append((term.name, start, start + term.difference, look, signed(term.difference)))
    rows.append((second[0], low, second[1], "total", text(second[1])))
    parts = []
    for number, (name, begin, end, look, words) in enumerate(rows):
        y, left, right = TOP + ROW * number, x(min(begin, end)), x(max(begin, end))
        link = element("line", x1=x(end), x2=x(end), y1=y + BAR, y2=y + ROW, class_="link") if number + 1 < len(rows) else ""
        parts.append(
            group(
                element("text", text=name, x=LEFT - 8, y=y + 11, text_anchor="end"),
                element("rect", x=left, y=y, width=max(1.0, right - left), height=BAR, class_=look),
                element("text", text=words, x=right + 6, y=y + 11),
                link,
            )
        )
    return picture(*parts, width=width, height=2 * TOP + ROW * len(rows), title=title)
