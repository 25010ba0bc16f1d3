"""What two plans do at different places or times: racks, yes-or-no decisions, and the sites that serve contracts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np

from models.plan import Plan
from models.tables import BlockStatus
from optimizer.instance import Floats, Instance

NOTHING = 1e-6
"""Megawatts below which two plans deliver the same."""


class MoveKind(StrEnum):
    """How something differs between two plans."""

    ADDED = "added"
    REMOVED = "removed"
    OTHER_SITE = "other site"
    OTHER_PERIOD = "other period"
    OTHER_SITE_AND_PERIOD = "other site and period"
    OTHER_SIZE = "other size"


REVERSED = {MoveKind.ADDED: MoveKind.REMOVED, MoveKind.REMOVED: MoveKind.ADDED}


@dataclass(frozen=True)
class Spot:
    """A site in a period."""

    site_id: str
    period: str


@dataclass(frozen=True)
class RackMove:
    """Racks that are installed, or retired, elsewhere or at another time.

    Attributes:
        what: ``installed`` or ``retired``.
        before, after: where and when; none on the side that does not have them.
        racks: how many, a size without sign.
        mw: their critical IT load, a size without sign.
        mw_difference: critical IT load of the second plan less the first: 0 for what only moves.
        npv_usd: discounted capital with installation, signed as cost is, second plan less first, USD; 0 for retirements.
    """

    what: str
    kind: MoveKind
    gen_id: str
    before: Spot | None
    after: Spot | None
    racks: int
    mw: float
    mw_difference: float
    npv_usd: float

    def reversed(self) -> RackMove:
        """The same seen from the other plan."""
        return replace(
            self, kind=REVERSED.get(self.kind, self.kind), before=self.after, after=self.before,
            mw_difference=-self.mw_difference, npv_usd=-self.npv_usd,
        )  # fmt: skip


@dataclass(frozen=True)
class DecisionMove:
    """A yes-or-no decision that only one plan takes, or takes at another time or size.

    Attributes:
        what: ``sign``, ``open``, ``build`` or ``retrofit``.
        id: contract, site or block.
        before, after: its period; none on the side that does not take it.
        mw_difference: megawatts of the block or retrofit, second plan less first.
        npv_usd: discounted money that hangs on it directly, second plan less first, USD: of a contract revenue less damages
            and moves, of a site its activation, of a block capital and lease, of a retrofit its cost.
    """

    what: str
    kind: MoveKind
    id: str
    before: str | None
    after: str | None
    mw_difference: float
    npv_usd: float

    def reversed(self) -> DecisionMove:
        """The same seen from the other plan."""
        return replace(
            self, kind=REVERSED.get(self.kind, self.kind), before=self.after, after=self.before,
            mw_difference=-self.mw_difference, npv_usd=-self.npv_usd,
        )  # fmt: skip


@dataclass(frozen=True)
class ServingMove:
    """A contract that gets more or less from a site.

    Attributes:
        before_mw, after_mw: critical IT load of the GPUs delivered, mean over the horizon by hours, MW.
        mw_difference: second plan less first.
        npv_usd: discounted revenue less serving costs, second plan less first, USD.
    """

    kind: MoveKind
    contract_id: str
    site_id: str
    before_mw: float
    after_mw: float
    mw_difference: float
    npv_usd: float

    def reversed(self) -> ServingMove:
        """The same seen from the other plan."""
        return replace(
            self, kind=REVERSED.get(self.kind, self.kind), before_mw=self.after_mw, after_mw=self.before_mw,
            mw_difference=-self.mw_difference, npv_usd=-self.npv_usd,
        )  # fmt: skip


Left = dict[Spot, int]


def rack_moves(before: Plan, after: Plan, old: Instance, new: Instance) -> tuple[RackMove, ...]:
    """Racks installed and retired differently, the largest first.

    What one plan has more of is matched, generation by generation, with what the other has more of: first at the same
    site, then in the same period, then the rest in the order of period and site. Matching is the same from either side.
    """
    found: list[RackMove] = []
    for what in ("installed", "retired"):
        counts = _counts(before, what), _counts(after, what)
        for gen in dict.fromkeys([*counts[0], *counts[1]]):
            one, two = counts[0].get(gen, {}), counts[1].get(gen, {})
            less = {spot: n - two.get(spot, 0) for spot, n in one.items() if n > two.get(spot, 0)}
            more = {spot: n - one.get(spot, 0) for spot, n in two.items() if n > one.get(spot, 0)}
            found += [_rack_move(what, gen, a, b, n, old, new) for a, b, n in _matched(less, more)]
    return tuple(sorted(found, key=lambda m: (-m.mw, m.what, m.gen_id, str(_spot(m)))))


def _spot(move: RackMove) -> tuple[Any, ...]:
    """Places of a move in an order that does not hang on its direction."""
    return tuple(sorted((s.period, s.site_id) for s in (move.before, move.after) if s is not None))


def _counts(plan: Plan, what: str) -> dict[str, Left]:
    table = plan.tables["racks"]
    found: dict[str, Left] = defaultdict(dict)
    for gen, site, period, racks in zip(table["gen_id"], table["site_id"], table["period"], table[what], strict=True):
        if racks:
            found[str(gen)][Spot(str(site), str(period))] = int(racks)
    return found


def _matched(less: Left, more: Left) -> list[tuple[Spot | None, Spot | None, int]]:
    """Pairs of what went and what came; the rest alone. Uses both up."""
    pairs: list[tuple[Spot | None, Spot | None, int]] = []

    def match(spots: Iterable[Spot], others: Iterable[Spot]) -> None:
        order = [sorted(found, key=lambda s: (s.period, s.site_id)) for found in (spots, others)]
        i = j = 0
        while i < len(order[0]) and j < len(order[1]):
            a, b = order[0][i], order[1][j]
            n = min(less[a], more[b])
            if n:
                pairs.append((a, b, n))
            less[a] -= n
            more[b] -= n
            i, j = i + (less[a] == 0), j + (more[b] == 0)

    for part in ("site_id", "period"):
        for value in sorted({getattr(s, part) for s in less}):
            match([s for s in less if getattr(s, part) == value], [s for s in more if getattr(s, part) == value])
    match(list(less), list(more))
    pairs += [(spot, None, n) for spot, n in less.items() if n]
    return pairs + [(None, spot, n) for spot, n in more.items() if n]


def _rack_move(what: str, gen: str, a: Spot | None, b: Spot | None, racks: int, old: Instance, new: Instance) -> RackMove:
    sizes, money = [], []
    for spot, inst in ((a, old), (b, new)):
        if spot is not None:
            t = inst.index(spot.period)
            sizes.append(racks * inst.rack_mw[gen])
            money.append(-racks * float(inst.rack_usd[inst.gen_at[gen], t] * inst.disc[t]) if what == "installed" else 0.0)
        else:
            sizes.append(0.0)
            money.append(0.0)
    if a is None or b is None:
        kind = MoveKind.ADDED if a is None else MoveKind.REMOVED
    elif a.site_id == b.site_id:
        kind = MoveKind.OTHER_PERIOD
    else:
        kind = MoveKind.OTHER_SITE if a.period == b.period else MoveKind.OTHER_SITE_AND_PERIOD
    return RackMove(what, kind, gen, a, b, racks, max(sizes), sizes[1] - sizes[0], money[1] - money[0])


# decisions -------------------------------------------------------------------------------------


def decision_moves(before: Plan, after: Plan, old: Instance, new: Instance) -> tuple[DecisionMove, ...]:
    """Yes-or-no decisions that differ, those with the most money first."""
    sides = [_taken(plan) for plan in (before, after)]
    money = [
        {key: _decision_usd(plan, inst, key, *value) for key, value in side.items()}
        for plan, inst, side in ((before, old, sides[0]), (after, new, sides[1]))
    ]
    found = []
    for key in dict.fromkeys([*sides[0], *sides[1]]):
        (one, size), (two, other) = sides[0].get(key, (None, 0.0)), sides[1].get(key, (None, 0.0))
        if one == two and size == other:
            continue
        if one is None or two is None:
            kind = MoveKind.ADDED if one is None else MoveKind.REMOVED
        else:
            kind = MoveKind.OTHER_PERIOD if one != two else MoveKind.OTHER_SIZE
        found.append(DecisionMove(key[0], kind, key[1], one, two, other - size, money[1].get(key, 0.0) - money[0].get(key, 0.0)))
    return tuple(sorted(found, key=lambda m: (-abs(m.npv_usd), m.what, m.id)))


def _taken(plan: Plan) -> dict[tuple[str, str], tuple[str, float]]:
    """Period and megawatts by decision and id; declined contracts are those not signed."""
    rows = plan.decisions.to_dict("records")
    return {(str(r["kind"]), str(r["id"])): (str(r["period"]), float(r["mw"])) for r in rows if r["kind"] != "decline"}


def _decision_usd(plan: Plan, inst: Instance, key: tuple[str, str], period: str, mw: float) -> float:
    what, id = key
    t = inst.index(period)
    if what == "sign":
        table = plan.contracts[plan.contracts["contract_id"] == id]
        disc = np.array([inst.disc[inst.index(p)] for p in table["period"]])
        return float((table["revenue_usd"] - table["damages_usd"] - table["moves_usd"]).to_numpy(float) @ disc)
    if what == "open":
        return -float(inst.site_rows[id].activation_usd * inst.disc[t])
    if what == "build":
        row = inst.block_rows[id]
        assert row.status is BlockStatus.OPTION
        lease = row.lease_usd_per_kw_month * 1000.0 * inst.months * row.it_mw * float(inst.disc[t:].sum())
        return -float(row.capex_usd * inst.disc[t - row.lead_periods]) - lease
    fixed = inst.retrofit_rows[id]
    return -float((fixed.fixed_usd + fixed.usd_per_kw * 1000.0 * mw) * inst.disc[t])


# contracts -------------------------------------------------------------------------------------


def serving_moves(before: Plan, after: Plan, old: Instance, new: Instance) -> tuple[ServingMove, ...]:
    """Contracts that get more or less from a site, those with the most megawatts first."""
    sides = [_served(plan, inst) for plan, inst in ((before, old), (after, new))]
    found = []
    for key in dict.fromkeys([*sides[0], *sides[1]]):
        one, two = (side.get(key, np.zeros(2)) for side in sides)
        mw, npv = (two - one).tolist()
        if abs(mw) <= NOTHING:
            continue
        kind = MoveKind.ADDED if one[0] <= NOTHING else MoveKind.REMOVED if two[0] <= NOTHING else MoveKind.OTHER_SIZE
        found.append(ServingMove(kind, *key, float(one[0]), float(two[0]), mw, npv))
    return tuple(sorted(found, key=lambda m: (-abs(m.mw_difference), m.contract_id, m.site_id)))


def _served(plan: Plan, inst: Instance) -> dict[tuple[str, str], Floats]:
    """Mean MW, and discounted revenue less serving costs in USD, by contract and site."""
    found: dict[tuple[str, str], Floats] = defaultdict(lambda: np.zeros(2))
    table = plan.deliveries
    hours = inst.hours.sum()
    for c, s, g, period, gpus in zip(*(table[n] for n in ("contract_id", "site_id", "gen_id", "period", "gpus")), strict=True):
        t, row = inst.index(period), inst.gen_rows[g]
        mw = gpus * inst.rack_mw[g] / row.gpus_per_rack * inst.hours[t] / hours
        price = inst.contract_price[inst.contract_at[c], t] - inst.serving_costs.get((c, s), 0.0)
        found[str(c), str(s)] += (mw, price * inst.hours[t] * inst.disc[t] * gpus * inst.equivalents[c].get(g, 0.0))
    return found
