"""Dual decomposition with branching on the first stage: bounds from futures on their own, plans from what they agree on."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.plan import SMALLEST_GAP
from optimizer.futures.bundle import Bundle, Dual
from optimizer.highs import Control
from optimizer.instance import Floats

ROUNDS_ROOT, ROUNDS_NODE = 40, 12
"""Most rounds of the dual at the root, and at each node below."""
AGREED = 1e-6
"""Spread of a component, as a share of its scale, below which futures agree on it."""


@dataclass(order=True)
class Node:
    """A part of the first stage's bounds that is still to be searched.

    Attributes:
        bound: lower limit of its plans, million USD.
    """

    bound: float
    number: int
    lower: Floats = field(compare=False)
    upper: Floats = field(compare=False)
    multipliers: list[Floats] = field(compare=False)


@dataclass
class Decomposition:
    """A search by dual decomposition.

    Args:
        bundle: the dual.
        lower, upper: bounds of the first stage; shape (components,).
        integer: which components are whole numbers; shape (components,).
        try_first: evaluates a first stage in all futures and takes it if it is the best; called with a candidate.
        best: objective of the best plan so far, million USD.
        raise_bound: takes a lower limit of the objective, and the certified part of it.
        gap: relative gap asked for.
        control: deadline and stop.
        branch: whether to branch.
    """

    bundle: Bundle
    lower: Floats
    upper: Floats
    integer: NDArray[np.bool_]
    try_first: Callable[[Floats], None]
    best: Callable[[], float]
    raise_bound: Callable[[float, float], None]
    gap: float
    control: Control
    branch: bool = True
    nodes: list[Node] = field(default_factory=list)
    closed: float = np.inf
    """Smallest bound of parts that hold no better plan than the best by more than the gap."""

    def run(self, multipliers: list[Floats]) -> None:
        """Search until the gap is proven or time is up.

        Args:
            multipliers: to start from the best of; shape (futures, components) each.
        """
        numbers = itertools.count()
        self.nodes = [Node(-np.inf, next(numbers), self.lower, self.upper, multipliers)]
        root = True
        while self.nodes and not self.control.over:
            node = heapq.heappop(self.nodes)
            if node.bound >= self._enough():
                self.closed = min(self.closed, node.bound)
                continue
            others = min(self.closed, min((other.bound for other in self.nodes), default=np.inf))

            def told(dual: Dual, floor: float = node.bound, rest: float = others, at_root: bool = root) -> None:
                self.raise_bound(min(max(dual.bound, floor), rest), dual.certified if at_root else -np.inf)

            dual = self.bundle.raised(
                node.lower, node.upper, node.multipliers, self.control, ROUNDS_ROOT if root else ROUNDS_NODE, self._enough(),
                self._tolerance(), told,
            )  # fmt: skip
            root = False
            bound = max(node.bound, dual.bound)
            if dual.infeasible is not None:
                continue
            for candidate in self._candidates(dual, node):
                if bound < self._enough() and not self.control.over:
                    self.try_first(candidate)
            children = self._children(dual, node) if self.branch and bound < self._enough() else None
            if children is None:
                self.closed = min(self.closed, bound)
                if not self.branch:
                    break
            else:
                for low, high in children:
                    heapq.heappush(self.nodes, Node(bound, next(numbers), low, high, [dual.multipliers]))
            self.raise_bound(min(self.closed, min((other.bound for other in self.nodes), default=np.inf)), -np.inf)

    def _tolerance(self) -> float:
        scale = abs(self.best()) if np.isfinite(self.best()) else 1.0
        return max(self.gap, SMALLEST_GAP) * 0.1 * max(scale, 1e-3)

    def _enough(self) -> float:
        """Bound at which a part needs no more search."""
        best = self.best()
        return best - 0.5 * max(self.gap, SMALLEST_GAP) * max(abs(best), 1e-6) if np.isfinite(best) else np.inf

    def _firsts(self, dual: Dual) -> Floats:
        """First stages of the futures; shape (futures, components). Those that were not solved are left out."""
        return np.array([one.first for one in dual.found if one.first is not None])

    def _candidates(self, dual: Dual, node: Node) -> Iterator[Floats]:
        """First stages to try: the rounded mean, that of the planes, and those of the futures, the likeliest first."""
        firsts = self._firsts(dual)
        if not len(firsts):
            return
        odds = np.array([p for p, one in zip(self.bundle.odds.tolist(), dual.found, strict=True) if one.first is not None])
        for mean in (odds @ firsts / odds.sum(), dual.consensus):
            if mean is not None:
                yield np.clip(np.where(self.integer, np.round(mean), mean), node.lower, node.upper)
        if self.bundle.whole:
            for k in np.argsort(-odds, kind="stable").tolist()[:3]:
                yield np.where(self.integer, np.round(firsts[k]), firsts[k])

    def _children(self, dual: Dual, node: Node) -> list[tuple[Floats, Floats]] | None:
        """Two parts that cut off where the futures are; None where they agree, or are not all solved."""
        firsts = self._firsts(dual)
        if len(firsts) < len(self.bundle.odds):
            return None
        mean = self.bundle.odds @ firsts
        spread = self.bundle.odds @ np.abs(firsts - mean) / self.bundle.scale
        if spread.max(initial=0.0) <= AGREED:
            return None
        whole = np.where(self.integer, spread, 0.0)
        j = int(np.argmax(whole if whole.max() > AGREED else spread))
        below, above = node.upper.copy(), node.lower.copy()
        below[j], above[j] = (np.floor(mean[j] + AGREED), np.floor(mean[j] + AGREED) + 1) if self.integer[j] else (mean[j], mean[j])
        return [(node.lower, below), (above, node.upper)]
