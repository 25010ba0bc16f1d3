"""What a set of futures is worth: expectation and conditional value at risk.

Losses are negative NPVs, million USD. ``CVaR_a`` is the mean of the worst ``1 - a`` of the probability (Rockafellar and
Uryasev 2000): ``min over eta of eta + E[max(0, loss - eta)] / (1 - a)``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optimizer.instance import Floats


@dataclass(frozen=True)
class Risk:
    """Objective ``(1 - weight) * E[loss] + weight * CVaR_alpha[loss]``; it grows with every loss.

    Attributes:
        weight: of the CVaR, 0 to 1.
        alpha: its level, 0 to below 1.

    Raises:
        ValueError: a value out of its range.
    """

    weight: float = 0.0
    alpha: float = 0.95

    def __post_init__(self) -> None:
        if not 0 <= self.weight <= 1 or not 0 <= self.alpha < 1:
            raise ValueError(f"weight must be 0 to 1 and alpha 0 to below 1; found {self.weight} and {self.alpha}")

    def weights(self, losses: Floats, odds: Floats) -> Floats:
        """By how much the objective grows with each loss, divided by its odds; shape (scenarios,).

        Args:
            losses, odds: by scenario; shape (scenarios,).
        """
        return np.asarray((1 - self.weight) + self.weight * tail(losses, odds, self.alpha) / odds)

    def objective(self, losses: Floats, odds: Floats) -> float:
        """Value of the objective, million USD.

        Args:
            losses, odds: by scenario; shape (scenarios,).
        """
        expected = float(odds @ losses)
        return expected if self.weight == 0 else (1 - self.weight) * expected + self.weight * cvar(losses, odds, self.alpha)


def cvar(losses: Floats, odds: Floats, alpha: float) -> float:
    """Mean of the largest losses that make up ``1 - alpha`` of the probability, million USD.

    Args:
        losses, odds: by scenario; the odds add to 1; shape (scenarios,).
    """
    if np.isinf(losses).any():
        return float(np.max(losses))
    return float(tail(losses, odds, alpha) @ losses)


def tail(losses: Floats, odds: Floats, alpha: float) -> Floats:
    """Share of each scenario in the worst ``1 - alpha``; they add to 1; shape (scenarios,)."""
    order = np.argsort(-losses, kind="stable")
    before = np.concatenate([[0.0], np.cumsum(odds[order])[:-1]])
    share = np.zeros(len(losses))
    share[order] = np.clip(1.0 - alpha - before, 0.0, odds[order])
    return np.asarray(share / share.sum())
