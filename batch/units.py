"""Units that suit figures."""

from __future__ import annotations

from collections.abc import Iterable

SIZES = ((1e9, "billion"), (1e6, "million"), (1e3, "thousand"))


def unit(values: Iterable[float], name: str) -> tuple[float, str]:
    """Divisor and name of the unit that suits the largest value: ``(1e9, "billion USD")``."""
    most = max((abs(value) for value in values), default=0.0)
    size, word = next(((size, word) for size, word in SIZES if most >= size), (1.0, ""))
    return size, f"{word} {name}".strip()


def figure(value: float, signed: bool = False) -> str:
    """A figure with the digits that matter: small ones have more."""
    digits = 1 if abs(value) >= 100 or value == 0 else 3
    return f"{value:+,.{digits}f}" if signed else f"{value:,.{digits}f}"
