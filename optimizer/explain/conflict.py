"""Why nothing is feasible: the rules that can't hold together, the limits they run into, and what would have to give way.

Only *named rules* can make a valid dataset infeasible: directives, hard duties and the limits of rule 17 (model.md, 18).

1. **Checks on the data**: a rule that no decision can hold, or two that contradict one another, without a solve.
2. **Which rules**: an elastic filter. All rules get a slack with a price; rules with slack are then held, and so on until what is
   held has no solution: it contains an irreducible conflict, out of which a deletion filter takes what is not needed. The
   relaxation is asked first; only a conflict that shows in whole numbers alone needs searches.
3. **Which limits**: the duals of the elastic relaxation with just those rules (a Farkas proof) name the rows of power, cooling,
   supply ... that take part.
4. **Repairs**: for each rule by how much it must give way if all others hold, and by how much the limits would have to grow.
   The price of a rule is one per share of its limit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.sparse import csc_array, hstack

from models.dataset import Dataset
from optimizer.blocks.base import Index
from optimizer.blocks.directives import DirectiveConflictError
from optimizer.explain.answer import number
from optimizer.explain.checks import Finding, checked
from optimizer.explain.limits import Limit, directive_words, limit_of, named, scale_of
from optimizer.explain.room import roomy
from optimizer.formulation import formulate
from optimizer.highs import Control, Outcome, Program, Solution
from optimizer.instance import Instance
from optimizer.matrix import Matrix, compile_matrix

HARD = ("directive_least", "directive_most", "short_limit", "capex_budget", "carbon_cap", "water", "customer_share")
"""The only rows that can make a valid dataset infeasible (model.md, 18)."""
CAPACITY = ("it_power", "it_limit", "liquid", "liquid_limit", "air", "air_limit", "grid", "supply", "install_rate")
"""Rows of capacity that more of something would loosen."""
GIVES_WAY = 1e-6
"""Scaled violation above which a rule is said to give way."""
MOST = 1e6
"""Largest slack, in shares of a limit."""
ROUNDS = 30
"""Most rounds of the elastic filter."""
NOT_FOUND = "no plan holds all directives, hard duties and limits; which of them conflict was not found in time"

Slack = tuple[str, Index, int, float]
"""Constraint, index, row, and size of one slack."""
Group = tuple[str, str]
"""A named rule: its kind and id."""


@dataclass(frozen=True)
class Member:
    """A rule that takes part in a conflict.

    Attributes:
        limit: the rule.
        words: the rule with its value.
    """

    limit: Limit
    words: str


@dataclass(frozen=True)
class Way:
    """One limit that gives way.

    Attributes:
        limit: which.
        amount: by how much, in its unit.
        share: the same as a share of the limit.
        words: in words.
    """

    limit: Limit
    amount: float
    share: float
    words: str


@dataclass(frozen=True)
class Repair:
    """What, changed alone, would resolve a conflict.

    Attributes:
        what: the rule that gives way, or ``capacity``.
        price: sum of the shares, by which repairs are ordered.
        ways: limits that change, with amounts.
        words: in words.
    """

    what: str
    price: float
    ways: tuple[Way, ...]
    words: str


@dataclass(frozen=True)
class Conflict:
    """Why nothing is feasible.

    Attributes:
        findings: what the checks on the data say, without a solve.
        members: rules that can't hold together; without any one of them the others could (if ``irreducible``).
        irreducible: whether that is shown; not if time was up.
        in_whole_numbers: the relaxation could hold them: it is whole racks and yes-or-no decisions that can't.
        capacity: limits of the dataset that they run into.
        repairs: changes that resolve it, each alone, the cheapest first.
        gives_way: the smallest sum of shares by which all rules would have to give way together.
        complete: whether something was found in time at all.
    """

    findings: tuple[Finding, ...] = ()
    members: tuple[Member, ...] = ()
    irreducible: bool = False
    in_whole_numbers: bool = False
    capacity: tuple[Limit, ...] = ()
    repairs: tuple[Repair, ...] = ()
    gives_way: tuple[Way, ...] = ()
    complete: bool = True

    @property
    def words(self) -> list[str]:
        """The conflict, line by line."""
        lines = [f.words for f in self.findings]
        if self.members:
            lines.append("these can't hold together: " + "; ".join(m.words for m in self.members))
        if self.in_whole_numbers:
            lines.append("with parts of racks they could: it is whole racks and yes-or-no decisions that they can't")
        if self.capacity:
            lines.append("they run into: " + "; ".join(limit.words for limit in self.capacity))
        lines += [f"repair: {repair.words}" for repair in self.repairs]
        return lines or [NOT_FOUND]


# the elastic model -----------------------------------------------------------------------------


def elastic(matrix: Matrix, families: Iterable[str] = HARD, only: frozenset[int] | None = None) -> tuple[Matrix, list[Slack]]:
    """The model with a slack on each side of rows, and the sum of the slacks as shares of their limits as its only cost.

    Args:
        families: constraints whose rows may give way.
        only: of these, just such rows; all if not given.

    Returns:
        The elastic model, and per slack column: constraint, index, row, size of the slack.
    """
    slacks: list[Slack] = []
    signs: list[float] = []
    for name in families:
        rows, index = matrix.rows.get(name, (np.zeros(0, dtype=np.intp), []))
        for row, key in zip(rows.tolist(), index, strict=True):
            if only is not None and row not in only:
                continue
            low, high = matrix.row_lower[row], matrix.row_upper[row]
            scale = max(1.0, abs(low) if np.isfinite(low) else abs(high))
            for sign in [1.0] * bool(np.isfinite(low)) + [-1.0] * bool(np.isfinite(high)):
                slacks.append((name, key, row, scale))
                signs.append(sign * scale)
    count = len(slacks)
    extra = csc_array((signs, ([row for _, _, row, _ in slacks], range(count))), shape=(matrix.shape[0], count))
    return (
        replace(
            matrix,
            a=csc_array(hstack([matrix.a, extra], format="csc")),
            cost=np.concatenate([np.zeros(matrix.shape[1]), np.ones(count)]),
            offset=0.0,
            lower=np.concatenate([matrix.lower, np.zeros(count)]),
            upper=np.concatenate([matrix.upper, np.full(count, MOST)]),
            integer=np.concatenate([matrix.integer, np.zeros(count, dtype=bool)]),
        ),
        slacks,
    )


def conflicts(inst: Instance, matrix: Matrix, control: Control, *, threads: int = 0, seed: int = 0) -> list[str]:
    """Rules that can't hold together, in words; the smallest sum of scaled violations that HiGHS finds in time."""
    model, slacks = elastic(matrix)
    program = Program(model, integer=True, threads=threads, seed=seed)
    program.option("mip_rel_gap", 0.01)
    found = program.solve(control)
    if found.x is None:
        return [NOT_FOUND]
    values = found.x[matrix.shape[1] :]
    return [describe(inst, name, key, float(values[i] * scale)) for i, (name, key, _, scale) in enumerate(slacks) if values[i] > GIVES_WAY]


def describe(inst: Instance, name: str, key: Index, amount: float) -> str:
    """One rule that gives way, in words."""
    if name.startswith("directive"):
        row, t = key
        when = "" if t < 0 else f" in {inst.calendar.label(t)}"
        what = directive_words(inst, row, when).removeprefix(f"directive {row} ")
        return f"directive {row} {what} can't hold with the rest: it misses by {amount:.6g}"
    if name == "short_limit":
        c, t = key
        share = inst.contract_rows[c].max_short_share
        return f"contract {c} in {inst.calendar.label(t)}: max_short_share {share:g} can't hold with the rest: {amount:.6g} contract GPUs more would be short"
    if name == "carbon_cap":
        return f"carbon cap of {key[0]} can't hold with the rest: {amount * 1e3:.6g} tonnes too much"
    if name == "water":
        return f"water limit of site {key[0]} in {inst.calendar.label(key[1])} can't hold with the rest: {amount * 1e3:.6g} m3 too much"
    if name == "capex_budget":
        return f"capex budget up to {inst.calendar.label(key[0])} can't hold with the rest: {amount * 1e6:.6g} USD too much"
    u, t = key
    return f"customer share of {u} in {inst.calendar.label(t)} can't hold with the rest: {amount * 1e6:.6g} USD of revenue too much"


# the whole answer ------------------------------------------------------------------------------


def explain_conflict(
    dataset: Dataset, *, control: Control | None = None, threads: int = 1, seed: int = 0, capacity: bool = True
) -> Conflict | None:
    """Why a dataset has no plan; None where its rules can hold together.

    Args:
        dataset: with the directives that are in question.
        control: deadline and stop; what is not found in time is left out, and ``complete`` or ``irreducible`` say so.
        threads, seed: of the solver.
        capacity: whether the limits that rules run into, and how much more of them would do, are looked for.
    """
    inst = Instance(dataset)
    try:
        matrix = compile_matrix(formulate(inst))
    except DirectiveConflictError as error:
        members = tuple(Member(limit_of("directive", row), directive_words(inst, row)) for row in error.rows)
        return Conflict((Finding(error.rows[0], str(error), ()),), members, True)
    return Filter(inst, matrix, control or Control(), threads, seed).run(capacity)


@dataclass
class Filter:
    """Finds a conflict and its repairs.

    Args:
        inst, matrix: of the dataset.
        control: deadline and stop.
        threads, seed: of the solver.

    Attributes:
        groups: rows of each named rule.
    """

    inst: Instance
    matrix: Matrix
    control: Control
    threads: int = 1
    seed: int = 0
    groups: dict[Group, list[int]] = field(init=False)

    def __post_init__(self) -> None:
        self.groups = {}
        for name in HARD:
            rows, index = self.matrix.rows.get(name, ((), []))
            for row, key in zip(rows, index, strict=True):
                self.groups.setdefault(group_of(name, key), []).append(int(row))

    def run(self, capacity: bool = True) -> Conflict | None:
        """Find it; None where there is none."""
        findings = checked(self.inst, self.matrix, HARD)
        soft = self._solve(frozenset(), integer=False)
        if soft is None:
            return Conflict(findings, complete=False)
        integer = soft.objective <= GIVES_WAY
        if integer:
            soft = self._solve(frozenset(), integer=True)
            if soft is None:
                return Conflict(findings, complete=False)
            if soft.objective <= GIVES_WAY:
                return None
        kept, irreducible = self._irreducible(soft, integer)
        members = tuple(self._member(group) for group in kept)
        limits = () if integer or not capacity else self._run_into(kept)
        repairs = self._repairs(kept, integer) + (self._more_capacity(limits, integer) if limits else ())
        ways = self._ways(soft, list(self.groups))
        ordered = tuple(sorted(repairs, key=lambda r: (r.price, r.what)))
        return Conflict(findings, members, irreducible, integer, limits, ordered, ways)

    # which rules -------------------------------------------------------------------------------

    def _without(self, groups: Iterable[Group]) -> Matrix:
        """The model without some rules."""
        rows = [row for group in groups for row in self.groups[group]]
        lower, upper = self.matrix.row_lower.copy(), self.matrix.row_upper.copy()
        lower[rows], upper[rows] = -np.inf, np.inf
        for name in ("capex_budget",):  # a balance: it is the state that must stay above 0, and its slack is money
            if any(group[0] == name for group in groups):
                balance, _ = self.matrix.rows[name]
                lower[balance], upper[balance] = -np.inf, np.inf
        return replace(self.matrix, row_lower=lower, row_upper=upper)

    def _solve(self, held: frozenset[Group], integer: bool, among: Iterable[Group] | None = None) -> Solution | None:
        """The least sum of shares with some rules held and those ``among`` (all others) soft; None when time is up.

        A solution without ``x`` says that what is held has none.
        """
        soft = [group for group in (self.groups if among is None else among) if group not in held]
        dropped = [] if among is None else [g for g in self.groups if g not in held and g not in set(soft)]
        base = self._without(dropped) if dropped else self.matrix
        model, _ = elastic(base, HARD, frozenset(row for group in soft for row in self.groups[group]))
        program = Program(model, integer=integer, threads=self.threads, seed=self.seed)
        if integer:
            program.option("mip_rel_gap", 0.01)
        found = program.solve(self.control)
        if found.outcome is Outcome.INFEASIBLE:
            return found
        if found.x is None or (found.outcome is Outcome.STOPPED and found.objective > GIVES_WAY):
            return None
        return found

    def _irreducible(self, soft: Solution, integer: bool) -> tuple[list[Group], bool]:
        """Rules that can't hold together, and whether each of them is shown to be needed."""
        held: frozenset[Group] = frozenset()
        found: Solution | None = soft
        for _ in range(ROUNDS):
            assert found is not None
            held = held | {group for group, share in self._shares(found, held).items() if share > GIVES_WAY}
            found = self._solve(held, integer)
            if found is None:
                return sorted(held), False
            if found.outcome is Outcome.INFEASIBLE or found.objective <= GIVES_WAY:
                break
        needed = sorted(held)
        for group in list(needed):
            rest = [g for g in needed if g != group]
            without = self._solve(frozenset(rest), integer, among=())
            if without is None:
                return needed, False
            if without.outcome is Outcome.INFEASIBLE:
                needed = rest
        return needed, True

    def _shares(self, found: Solution, held: frozenset[Group], among: Iterable[Group] | None = None) -> dict[Group, float]:
        """Sum of the shares by which each soft rule gives way."""
        soft = [group for group in (self.groups if among is None else among) if group not in held]
        _, slacks = elastic(self.matrix, HARD, frozenset(row for group in soft for row in self.groups[group]))
        assert found.x is not None
        shares: dict[Group, float] = {}
        for (name, key, _, _), value in zip(slacks, found.x[self.matrix.shape[1] :].tolist(), strict=True):
            shares[group_of(name, key)] = shares.get(group_of(name, key), 0.0) + value
        return shares

    def _member(self, group: Group) -> Member:
        name, place = group
        if name == "directive":
            return Member(limit_of("directive", place), directive_words(self.inst, place))
        rows = self.groups[group]
        key = next(k for r, k in zip(*self.matrix.rows[name], strict=True) if int(r) == rows[0])
        limit = replace(named(self.inst, name, key), period="")
        return Member(limit, rule_words(self.inst, name, place))

    # which limits ------------------------------------------------------------------------------

    def _run_into(self, kept: list[Group]) -> tuple[Limit, ...]:
        """Limits of capacity that carry a dual where just these rules are asked to give way as little as they can.

        These duals are a proof of infeasibility (Farkas): weights of rows whose sum no decision can hold.
        """
        bare = replace(roomy(self.inst, self._without([group for group in self.groups if group not in kept])), offset=0.0)
        model, _ = elastic(bare, HARD, frozenset(row for group in kept for row in self.groups[group]))
        found = Program(model, threads=1, seed=self.seed).solve(self.control, method="simplex")
        if found.outcome is not Outcome.OPTIMAL or found.row_dual is None or found.objective <= GIVES_WAY:
            return ()
        seen: dict[str, Limit] = {}
        for name in CAPACITY:
            rows, index = self.matrix.rows.get(name, ((), []))
            for row, key in zip(rows, index, strict=True):
                if abs(found.row_dual[int(row)]) > 1e-9:
                    limit = named(self.inst, name, key)
                    seen.setdefault(limit.words, limit)
        return tuple(seen.values())

    # repairs -----------------------------------------------------------------------------------

    def _repairs(self, kept: list[Group], integer: bool) -> tuple[Repair, ...]:
        """For each rule by how much it must give way when all others hold."""
        found = []
        others = frozenset(self.groups)
        for group in kept:
            solved = self._solve(others - {group}, integer, among=[group])
            if solved is None or solved.x is None:
                continue
            ways = self._ways(solved, [group])
            if ways:
                found.append(Repair(self._member(group).words, sum(w.share for w in ways), ways, _joined(ways)))
        return tuple(found)

    def _ways(self, found: Solution, among: list[Group]) -> tuple[Way, ...]:
        _, slacks = elastic(self.matrix, HARD, frozenset(row for group in among for row in self.groups[group]))
        assert found.x is not None
        return self._ways_of(slacks, found)

    def _ways_of(self, slacks: list[Slack], found: Solution) -> tuple[Way, ...]:
        assert found.x is not None
        ways = []
        for (name, key, row, size), share in zip(slacks, found.x[self.matrix.shape[1] :].tolist(), strict=True):
            if share > GIVES_WAY:
                limit = named(self.inst, name, key)
                amount = share * size / scale_of(name)
                ways.append(Way(limit, amount, share, way_words(self.inst, name, limit, amount, self._value(row) / scale_of(name))))
        return tuple(ways)

    def _value(self, row: int) -> float:
        low, high = self.matrix.row_lower[row], self.matrix.row_upper[row]
        return float(high if np.isfinite(high) else low)

    def _more_capacity(self, limits: tuple[Limit, ...], integer: bool) -> tuple[Repair, ...]:
        """By how much the limits that the rules run into would have to grow for all rules to hold."""
        families = sorted({limit.name for limit in limits})
        model, slacks = elastic(roomy(self.inst, self.matrix), families)
        grow = [i for i, (name, _, row, _) in enumerate(slacks) if model.a[row, self.matrix.shape[1] + i] * _grows(name) < 0]
        upper = model.upper.copy()
        upper[self.matrix.shape[1] + np.array(grow, dtype=np.intp)] = 0.0
        program = Program(replace(model, upper=upper), integer=integer, threads=self.threads, seed=self.seed)
        found = program.solve(self.control)
        if found.x is None or found.outcome is not Outcome.OPTIMAL:
            return ()
        ways = self._ways_of(slacks, found)
        return (Repair("capacity", sum(w.share for w in ways), ways, _joined(ways)),) if ways else ()


def _grows(name: str) -> float:
    """Sign of the slack that stands for more of a limit: supply is a balance that takes from what is unused."""
    return 1.0 if name == "supply" else -1.0


def group_of(name: str, key: Index) -> Group:
    """The named rule that a row belongs to."""
    if name.startswith("directive"):
        return "directive", str(key[0])
    return name, "" if name == "capex_budget" else str(key[0])


def rule_words(inst: Instance, name: str, place: str) -> str:
    """A named rule that is no directive, with its value."""
    if name == "short_limit":
        return f"hard duty of contract {place} (max_short_share {inst.contract_rows[place].max_short_share:g})"
    if name == "water":
        return f"water limit of site {place} ({number(inst.site_rows[place].water_limit_m3_per_period or 0.0)} m3 per period)"
    if name == "carbon_cap":
        return f"carbon cap of {place} ({number(inst.capped_years[int(place)])} tonnes)"
    if name == "customer_share":
        return f"share of customer {place} in the revenue (at most {inst.settings.customer_revenue_share or 0.0:g})"
    return f"capex budget ({number(float(inst.budget.sum()))} USD in all)"


CHANGED: Mapping[str, str] = {
    "directive_least": "{words} to ask for {amount} less, {left} instead of {value}",
    "directive_most": "{words} to allow {amount} more, {more} instead of {value}",
    "short_limit": "{words}: {amount} contract GPUs more short",
    "capex_budget": "{words}: {amount} USD more",
    "carbon_cap": "{words}: {amount} tonnes more",
    "water": "{words}: {amount} m3 more",
    "customer_share": "{words}: {amount} USD of revenue more",
}
"""How a rule gives way, in words."""


def way_words(inst: Instance, name: str, limit: Limit, amount: float, value: float) -> str:
    """One limit that gives way, in words."""
    words = limit.words
    if name.startswith("directive"):
        words = directive_words(inst, limit.place, f" in {limit.period}" if limit.period else "")
    text = CHANGED.get(name, "{words}: {amount} {unit} more ({table})")
    return text.format(
        words=words, amount=number(amount), unit=limit.unit, table=limit.table, value=number(value),
        left=number(value - amount), more=number(value + amount),
    )  # fmt: skip


def _joined(ways: tuple[Way, ...]) -> str:
    """Ways in one line; of one rule in many periods the largest stands for all."""
    by_rule: dict[tuple[str, str], list[Way]] = {}
    for way in ways:
        by_rule.setdefault((way.limit.name, way.limit.place), []).append(way)
    parts = []
    for own in by_rule.values():
        most = max(own, key=lambda way: way.amount)
        parts.append(most.words + (f" (and in {len(own) - 1} more periods, never more)" if len(own) > 1 else ""))
    return "; ".join(parts)
