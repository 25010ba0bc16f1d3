"""Which limits make a wish cost what it costs, and how much more of each would make it free.

Near the plan at hand and near the plan with the wish stand two local models (see :mod:`optimizer.explain.ground`). What a wish costs
is the NPV of the first less that of the second. More of a limit makes the wish cheaper by what it brings in the second model less what
it brings in the first: a limit that is worth as much without the wish, such as supply that is short anyway, does not stand in its way.
Where a limit is just met a dual is the slope to either side, so both models are solved again with more of it: at first with
``cost / p`` more, ``p`` being its price with the wish, which is never too low; then by Newton's method with the slope that was found.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from models.tables import DecisionKind, Directive
from optimizer.explain.answer import number, usd
from optimizer.explain.elastic import size_of
from optimizer.explain.giving import BALANCES
from optimizer.explain.ground import Edit, Ground
from optimizer.explain.limits import Limit, directive_words, limit_of, rows_named, scale_of
from optimizer.explain.prices import LEAST_USD, PRICED
from optimizer.highs import Control

TRIED = 12
"""Limits that are solved again, those at the wish's own site, generation, contract and node first."""
TOLD = 4
"""Limits told."""
STEPS = 8
"""Most solves of each."""
FREE = 0.01
"""Share of its cost within which a wish counts as free."""
COUNTED = (DecisionKind.IN_SERVICE, DecisionKind.INSTALLED, DecisionKind.DELIVERIES, DecisionKind.RETROFIT)
"""Decisions of which there can be one more; those that are taken or not stay as they are."""


@dataclass(frozen=True)
class Relief:
    """A limit that stands in the way of a wish.

    Attributes:
        limit: which; its period is the first one in which it is given more.
        npv_usd: by how much one unit more makes the wish cheaper, USD.
        amount: how much more of it, in its unit and in each of the periods, makes the wish as cheap as it can.
        share: the same as a share of the limit (its largest, where it differs by period).
        cost_usd: what the wish costs then, USD; 0 where it is free.
        words: in words.
    """

    limit: Limit
    npv_usd: float
    amount: float
    share: float
    cost_usd: float
    words: str


@dataclass
class _Group:
    """Rows of one limit at one place that get more together."""

    limit: Limit
    last: str
    edits: tuple[Edit, Edit]
    prices: tuple[float, float]
    size: float


def reliefs(
    before: Ground, after: Ground, periods: Collection[int], own: Collection[str], places: Collection[str], control: Control
) -> tuple[Relief, ...]:
    """Limits in the way of a wish, those that make it free with the smallest share first; empty where it is money alone that it costs.

    Args:
        before, after: the plan at hand, and the plan with the wish under the dataset that forces it.
        periods: in which the wish is asked for; limits that hold in each period are given more in these.
        own: directives that are the wish itself.
        places: site, generation, contract and grid nodes of the wish, whose limits are tried first.
        control: deadline and stop.

    Raises:
        SolverError: a model near one of the plans was not solved in time.
    """
    cost = (after.solved(control).objective - before.solved(control).objective) * 1e6
    if cost <= LEAST_USD:
        return ()
    tight = [g for g in _groups(before, after, periods, own) if g.prices[1] > LEAST_USD * min(1.0, scale_of(g.limit.name))]

    def promise(g: _Group) -> tuple[bool, float, float, str]:
        near = any(part in places for part in g.limit.place.split(", ")) or not g.limit.place
        return not near, -max(0.0, g.prices[1] - g.prices[0]) * g.size, -g.prices[1] * g.size, g.limit.words

    found = []
    for group in sorted(tight, key=promise)[:TRIED]:
        reached = _amount(before, after, group, cost, control)
        if reached is not None:
            found.append(_told(group, *reached, cost, after))
    free = [r for r in found if r.cost_usd == 0]
    rest = [r for r in found if r.cost_usd > 0]
    return tuple([*sorted(free, key=lambda r: (r.share, r.words)), *sorted(rest, key=lambda r: (r.cost_usd, r.words))][:TOLD])


def _groups(before: Ground, after: Ground, periods: Collection[int], own: Collection[str]) -> list[_Group]:
    """Limits by name and place, with one unit more in each period in question; of balances in the period in which that helps most."""
    inst = after.instance
    unit = {(i.name, i.place, i.period): (row, step) for row, i, step in rows_named(before.instance, before.matrix, PRICED)}
    counted = {d.row for d in inst.dataset.rows(Directive) if d.decision in COUNTED and d.row not in own}
    parts: dict[tuple[str, str], list[tuple[Limit, Edit, Edit, tuple[float, float], float]]] = {}
    keys = {int(row): key for name in PRICED if name in after.matrix.rows for row, key in zip(*after.matrix.rows[name], strict=True)}
    for row, limit, step in rows_named(inst, after.matrix, PRICED):
        t = inst.index(limit.period) if limit.period else None
        first = unit.get((limit.name, limit.place, limit.period))
        if first is None or (limit.name.startswith("directive") and limit.place not in counted):
            continue
        if t is not None and (t > max(periods) if limit.name in (*BALANCES, "install_rate") else t not in periods):
            continue
        one, two = Edit(rows=(first,)), Edit(rows=((row, step),))
        size = abs(size_of(inst, after.matrix, limit.name, keys[row], row)) / scale_of(limit.name)
        parts.setdefault((limit.name, limit.place), []).append((limit, one, two, (before.value_usd(one), after.value_usd(two)), size))
    found = []
    for (name, _), own_parts in parts.items():
        if name in BALANCES:
            own_parts = [max(own_parts, key=lambda part: (part[3][1] - part[3][0], part[3][1]))]
        edits = Edit(tuple(r for part in own_parts for r in part[1].rows)), Edit(tuple(r for part in own_parts for r in part[2].rows))
        prices = sum(part[3][0] for part in own_parts), sum(part[3][1] for part in own_parts)
        size = max(part[4] for part in own_parts)
        found.append(_Group(own_parts[0][0], own_parts[-1][0].period, edits, prices, size))
    return found


def _amount(before: Ground, after: Ground, group: _Group, cost: float, control: Control) -> tuple[float, float, float] | None:
    """How much more makes the wish free, or as cheap as it gets; what it costs then, USD; and the slope at first, USD per unit.

    None where it does not get cheaper.
    """

    def left(amount: float) -> float | None:
        gains = [ground.resolved(_times(edit, amount), control) for ground, edit in zip((before, after), group.edits, strict=True)]
        return None if gains[0] is None or gains[1] is None else cost + gains[0][0] - gains[1][0]

    low, high, first = (0.0, cost), None, 0.0
    slope = group.prices[1]
    step = cost / slope
    for _ in range(STEPS):
        found = left(step)
        if found is None or found > low[1] - FREE * cost:  # time is up, or more of it brings nothing more
            break
        first = first or (cost - found) / step
        if found > FREE * cost:
            slope = (low[1] - found) / (step - low[0])
            low = (step, found)
        else:
            high = (step, 0.0)
            if found >= -FREE * cost:
                break
        step = (low[0] + high[0]) / 2 if high is not None else step + low[1] / slope
    amount, rest = high or low
    return (amount, rest, first) if amount > 0 else None


def _times(edit: Edit, amount: float) -> Edit:
    return Edit(tuple((row, step * amount) for row, step in edit.rows))


def _told(group: _Group, amount: float, rest: float, slope: float, cost: float, after: Ground) -> Relief:
    limit = group.limit
    at = f" from {limit.period} to {group.last}" if group.last != limit.period else f" in {limit.period}" if limit.period else ""
    if limit.name.startswith("directive"):
        noun = directive_words(after.instance, limit.place, at)
        what = f"{noun}: {number(_short(amount))} {'less asked for' if limit.name == 'directive_least' else 'more allowed'}"
    else:
        noun = limit.words if limit.name in BALANCES or not limit.period else limit_of(limit.name, limit.place).words + at
        unit = f"{limit.unit}s" if limit.unit == "rack" and _short(amount) != 1 else limit.unit
        what = f"{noun}: {number(_short(amount))} {unit} more ({limit.table})"
    ends = "it would cost nothing" if rest == 0 else f"it would cost {usd(rest)} in place of {usd(cost)}"
    return Relief(limit, slope, amount, amount / group.size, rest, f"{what}, and {ends}")


def _short(amount: float) -> float:
    """Four digits."""
    return float(f"{amount:.4g}")
