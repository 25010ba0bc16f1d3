"""What one unit more of each limit is worth at a plan, and which of these prices hold when the plan is solved again.

With dual ``y`` of a row of the local model (see :mod:`optimizer.explain.ground`; NPV in million USD, to be minimised with
a minus), one unit more is worth ``-y * step * 1e6`` USD of NPV, ``step`` being a unit in the row's own unit. It is a
present value: the model's costs hold ``disc[t]`` already. ``value / disc[t]`` is the same in money of the period.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from models.dataset import Dataset
from models.plan import Plan
from models.tables import BlockStatus, PowerBlock
from optimizer.blocks.base import MILLION
from optimizer.explain.declined import SigningPrice, signing_prices
from optimizer.explain.ground import Edit, Ground, within
from optimizer.explain.limits import KINDS, Limit, limit_of, rows_named
from optimizer.explain.whole import WholeRacks
from optimizer.highs import Control, SolverError
from optimizer.instance import Instance
from optimizer.matrix import Matrix

PRICED = (
    "it_power", "it_limit", "liquid", "liquid_limit", "air", "air_limit", "grid", "install_rate", "supply", "capex_budget",
    "carbon_cap", "water", "customer_share", "short_limit", "directive_least", "directive_most",
)  # fmt: skip
"""Constraints whose limits are priced row by row."""
CONFIRMED = 10
"""Prices that are to be confirmed by solving again."""
TRIED = 4
"""How many times as many are solved again at most, since a price can hold for less than a unit."""
SAME = 0.02
"""Share by which a re-solve may differ from the price that it confirms."""
LEAST_USD = 1.0
"""Values below this are no price."""
SOLVE_SECONDS = 30.0
"""Time of one re-solve."""


class Verdict(StrEnum):
    """Whether a price holds for a whole unit."""

    CONFIRMED = "confirmed"
    LESS = "worth less"
    NOT_SOLVED = "not solved in time"


@dataclass(frozen=True)
class Confirmation:
    """A price against the model solved again with one unit more.

    Attributes:
        verdict: ``confirmed`` where the re-solve agrees with the price within 2 %; ``worth less`` where the price does not
            hold for a whole unit (a price is never too low: NPV is concave in a limit).
        resolved_usd: NPV gained by one unit more with yes-or-no decisions as in the plan and racks divisible; None if not solved.
        whole_usd: NPV gained with whole racks, where racks of the sites and generations that the re-solve touches are decided
            anew with and without the unit and all others stay; both proven optimal; None if not solved in time.
    """

    verdict: Verdict
    resolved_usd: float | None
    whole_usd: float | None


@dataclass(frozen=True)
class Price:
    """What one unit more of a limit is worth.

    Attributes:
        limit: the limit and its unit.
        npv_usd: NPV per unit, USD (present value).
        period_usd: the same in money of the limit's period, USD; of what has no period, the present value.
        confirmation: None where it was not asked for.
    """

    limit: Limit
    npv_usd: float
    period_usd: float
    confirmation: Confirmation | None = None

    @property
    def worth_usd(self) -> float:
        """NPV per unit, USD, by the re-solve where there is one."""
        again = self.confirmation.resolved_usd if self.confirmation is not None else None
        return self.npv_usd if again is None else again


@dataclass(frozen=True)
class Throughout:
    """One unit more of a limit in every period: what a megawatt that stays is worth.

    Attributes:
        name, place, unit: of the limit.
        periods: in how many of them one unit has a price.
        npv_usd: sum of the prices, USD.
        confirmation: as of a price; None where it was not asked for.
    """

    name: str
    place: str
    unit: str
    periods: int
    npv_usd: float
    confirmation: Confirmation | None = None


@dataclass(frozen=True)
class Prices:
    """What limits are worth at a plan.

    Attributes:
        plan_npv_usd: NPV of the plan, USD.
        local_npv_usd: NPV of the local model, whose racks are divisible, USD; at least the plan's.
        prices: limits with a value, the most valuable unit first, by the re-solve where there is one.
        throughout: the same summed over the periods.
        signing: at which price each declined prospect would be signed.
        statement: what is confirmed, and how.
    """

    plan_npv_usd: float
    local_npv_usd: float
    prices: tuple[Price, ...]
    throughout: tuple[Throughout, ...]
    signing: tuple[SigningPrice, ...]
    statement: str


STATEMENT = (
    "A price is the slope of NPV in one limit, with the yes-or-no decisions of the plan and racks divisible. Confirmed: the same model "
    "solved again with one unit more gains what the price says, within 2 %; what gains less is ranked by that. Whole racks: the gain once racks are whole numbers, those "
    "of the sites and generations touched decided anew with and without the unit, each proven optimal; 0 is common, since one unit "
    "rarely holds a rack for long. No price speaks of other sites opened, blocks built or contracts placed. Where a site has no power "
    "before a block, a month earlier is priced by solving again with the whole block a period earlier, per MW and month."
)


def prices(
    dataset: Dataset, plan: Plan, *, confirm: int = CONFIRMED, signing: bool = True, control: Control | None = None, seed: int = 0,
    threads: int = 1,
) -> Prices:  # fmt: skip
    """Price every limit at a plan.

    Args:
        dataset: the planning problem.
        plan: its plan.
        confirm: how many prices are confirmed by solving again, from the highest on, at most one of each limit and place; four times as
            many are tried at most.
        signing: whether the prices of declined prospects are searched.
        control: deadline and stop; what is not reached is left out.
        seed, threads: of the solver.

    Raises:
        SolverError: the model near the plan was not solved.
    """
    ground = Ground(dataset, plan, seed)
    return priced(ground, confirm=confirm, signing=signing, control=control, threads=threads)


def priced(ground: Ground, *, confirm: int = CONFIRMED, signing: bool = True, control: Control | None = None, threads: int = 1) -> Prices:
    """As :func:`prices`, from a model that is there already."""
    control = control or Control()
    solved = ground.solved(control)
    found = all_prices(ground)
    confirmed = _confirmations(ground, found, confirm, control)
    first = first_blocks(ground, confirm, control)
    every = tuple(sorted([*(replace(p, confirmation=confirmed.get(id(p))) for p, _ in found), *first], key=_rank))
    lasting = [
        replace(t, confirmation=confirmation(ground, edit, t.npv_usd, control)) if n < confirm else t
        for n, (t, edit) in enumerate(throughout(ground))
    ]
    signs = signing_prices(ground, control, threads) if signing else ()
    return Prices(ground.plan.summary.npv_usd or 0.0, -solved.objective * MILLION, every, tuple(lasting), signs, STATEMENT)


def all_prices(ground: Ground) -> list[tuple[Price, Edit]]:
    """Limits with a value and the edits that stand for one unit more, the most valuable first."""
    found = []
    for limit, edit in edits(ground.instance, ground.matrix, ground.in_force):
        value = ground.value_usd(edit)
        if abs(value) >= LEAST_USD * min(1.0, KINDS_LEAST.get(limit.unit, 1.0)):
            factor = ground.instance.disc[ground.instance.index(limit.period)] if limit.period else 1.0
            found.append((Price(limit, value, value / float(factor)), edit))
    return sorted(found, key=lambda pair: _rank(pair[0]))


def _rank(price: Price) -> tuple[float, str]:
    return -abs(price.worth_usd), price.limit.words


KINDS_LEAST = {"USD": 1e-4}
"""Least value of units that are small themselves."""


def _confirmations(ground: Ground, found: list[tuple[Price, Edit]], wanted: int, control: Control) -> dict[int, Confirmation]:
    """The highest prices solved again, at most one of each limit and place, until so many are confirmed; by the identity of the price.

    A price is an upper limit of what a unit gains, so all that could be among the most valuable are tried first. Whole racks are
    decided for as many as are wanted, and for all that are confirmed.
    """
    chosen: dict[tuple[str, str], tuple[Price, Edit]] = {}
    for price, edit in found:
        chosen.setdefault((price.limit.name, price.limit.place), (price, edit))
    made: dict[int, Confirmation] = {}
    confirmed = 0
    for price, edit in list(chosen.values())[: TRIED * wanted]:
        if confirmed == wanted or control.over:
            break
        whole = tuple(Verdict) if len(made) < wanted else (Verdict.CONFIRMED,)
        known = confirmation(ground, edit, price.npv_usd, control, whole)
        confirmed += known.verdict is Verdict.CONFIRMED
        made[id(price)] = known
    return made


def confirmation(
    ground: Ground, edit: Edit, predicted: float, control: Control, whole: Collection[Verdict] = tuple(Verdict)
) -> Confirmation:
    """Solve again with one unit more.

    Args:
        predicted: what the price says, USD.
        whole: verdicts with which whole racks are decided too.
    """
    again = ground.resolved(edit, within(SOLVE_SECONDS, control))
    if again is None:
        return Confirmation(Verdict.NOT_SOLVED, None, None)
    gained, x = again
    verdict = Verdict.CONFIRMED if abs(gained - predicted) <= SAME * abs(predicted) + 1e-3 else Verdict.LESS
    return Confirmation(verdict, gained, WholeRacks(ground, within(SOLVE_SECONDS, control)).gained(edit, x) if verdict in whole else None)


def throughout(ground: Ground) -> list[tuple[Throughout, Edit]]:
    """One unit more in every period, for limits that hold in each anew, the most valuable first."""
    sums: dict[tuple[str, str, str], list[Edit]] = {}
    for limit, edit in edits(ground.instance, ground.matrix, ground.in_force):
        if limit.period and limit.name not in ("energization", "supply", "capex_budget"):
            sums.setdefault((limit.name, limit.place, limit.unit), []).append(edit)
    made = []
    for key, found in sums.items():
        values = [ground.value_usd(edit) for edit in found]
        priced_in = sum(abs(value) >= LEAST_USD for value in values)
        if priced_in:
            whole = Edit(tuple(r for edit in found for r in edit.rows), tuple(c for edit in found for c in edit.columns))
            made.append((Throughout(*key, priced_in, sum(values)), whole))
    return sorted(made, key=lambda pair: (-abs(pair[0].npv_usd), pair[0].name, pair[0].place))


def first_blocks(ground: Ground, number: int, control: Control) -> list[Price]:
    """A month earlier for the first block of a site: before it the model has no racks there, so it is solved anew with the block earlier.

    Args:
        number: most blocks, the largest first.
        control: deadline and stop; what is not reached is left out.
    """
    inst, found = ground.instance, list[Price]()
    powered = {key for _, key in _rows(ground.matrix, "it_power")}
    coming = [b for b, t in _coming(inst) if (inst.block_rows[b].site_id, t - 1) not in powered]
    for b in sorted(coming, key=lambda b: (-inst.block_rows[b].it_mw, b))[:number]:
        block = inst.block_rows[b]
        t = inst.index(block.energized)
        sooner = block.model_copy(update={"energized": inst.calendar.label(t - 1)})
        blocks = [sooner if row.block_id == b else row for row in ground.dataset.rows(PowerBlock)]
        if control.over:
            break
        try:
            there = Ground(ground.dataset.replace(power_blocks=blocks), ground.plan, ground.seed).solved(within(SOLVE_SECONDS, control))
        except SolverError:
            continue
        value = (ground.solved(control).objective - there.objective) * MILLION / (inst.months * block.it_mw)
        if abs(value) >= LEAST_USD:
            limit, factor = limit_of("energization", b, block.energized), float(inst.disc[t])
            found.append(Price(limit, value, value / factor, Confirmation(Verdict.CONFIRMED, value, None)))
    return found


# one unit more ---------------------------------------------------------------------------------


def edits(inst: Instance, matrix: Matrix, in_force: Collection[str]) -> Iterator[tuple[Limit, Edit]]:
    """Every limit that is priced, with one unit more of it.

    Args:
        in_force: contracts whose demand is priced: firm ones and those signed.
    """
    for row, limit, step in rows_named(inst, matrix, PRICED):
        yield limit, Edit(rows=((row, step),))
    first, index = matrix.columns["sold_tier"]
    for i, (g, k, t) in enumerate(index):
        yield limit_of("market", f"{g}, {k}", inst.calendar.label(t)), Edit(columns=((first + i, 1.0),))
    yield from _demands(inst, matrix, in_force)
    yield from _energizations(inst, matrix)


def _demands(inst: Instance, matrix: Matrix, in_force: Collection[str]) -> Iterator[tuple[Limit, Edit]]:
    """One contract GPU more in every period in which a contract in force is owed some."""
    steps: dict[str, list[tuple[int, float]]] = {}
    for row, (c, _) in _rows(matrix, "delivery"):
        if c in in_force:
            steps.setdefault(c, []).append((row, 1.0))
    for row, (c, _) in _rows(matrix, "short_limit"):
        if c in in_force:
            steps[c].append((row, inst.contract_rows[c].max_short_share))
    for row, (c, t) in _rows(matrix, "paid"):
        if c in in_force and t == 0 and inst.owed_before(c, 0) > inst.owed[inst.contract_at[c], 0]:
            steps[c].append((row, 1.0))
    for c, rows in steps.items():
        yield limit_of("demand", c), Edit(rows=tuple(rows))


def _coming(inst: Instance) -> Iterator[tuple[str, int]]:
    """Firm blocks that are energized within the horizon, and when."""
    for b, block in inst.block_rows.items():
        t = inst.index(block.energized)
        if block.status is BlockStatus.FIRM and 0 < t < inst.T and block.it_mw > 0:
            yield b, t


def _energizations(inst: Instance, matrix: Matrix) -> Iterator[tuple[Limit, Edit]]:
    """Firm blocks energized one period earlier, per MW of IT and month, where the site has power before; the lease of that period is paid."""
    capacity = {
        name: {(s, t): row for row, (s, t) in _rows(matrix, name)} for name in ("it_power", "liquid", "air", "retrofit_air")
    }  # fmt: skip
    for b, t in _coming(inst):
        block = inst.block_rows[b]
        if (block.site_id, t - 1) not in capacity["it_power"]:
            continue
        per = 1.0 / (inst.months * block.it_mw)
        sizes = {
            "it_power": inst.it_of_block[b], "liquid": inst.liquid_of_block[b], "air": inst.air_of_block[b],
            "retrofit_air": inst.air_of_block[b],
        }  # fmt: skip
        rows = tuple(
            (capacity[name][block.site_id, t - 1], mw * per)
            for name, mw in sizes.items()
            if mw > 0 and (block.site_id, t - 1) in capacity[name]
        )
        lease = -block.lease_usd_per_kw_month * 1000.0 * float(inst.disc[t - 1])
        yield limit_of("energization", b, block.energized), Edit(rows=rows, constant_usd=lease)


def _rows(matrix: Matrix, name: str) -> Iterator[tuple[int, tuple[str, int]]]:
    rows, index = matrix.rows.get(name, (np.zeros(0, dtype=np.intp), []))
    return ((row, (key[0], key[1])) for row, key in zip(rows.tolist(), index, strict=True))


__all__ = ["KINDS", "Confirmation", "Price", "Prices", "Throughout", "Verdict", "all_prices", "confirmation", "edits", "priced", "prices"]
