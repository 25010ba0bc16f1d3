"""Why nothing is feasible: the rules that can't hold together, the limits they run into, and what would have to give way.

Only *named rules* can make a valid dataset infeasible: directives, hard duties and the limits of rule 17 (model.md, 18).

1. **Checks on the data**: a rule that no decision can hold, or two that contradict one another, without a solve.
2. **Which rules**: an elastic filter. All rules get a slack with a price; rules with slack are then held, and so on until what is
   held has no solution: it contains an irreducible conflict, out of which a deletion filter takes what is not needed. The
   relaxation is asked first; only a conflict that shows in whole numbers alone needs searches. With the rules of a conflict
   dropped the rest is asked again, until it can hold.
3. **Which limits**: the duals of the elastic relaxation with just those rules (a Farkas proof) name the rows of power, cooling,
   supply ... that take part.
4. **Repairs**: for each rule by how much it must give way if all others hold, and by how much the limits would have to grow.
   The price of a rule is one per share of its limit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from models.dataset import Dataset
from models.tables import Directive
from optimizer.blocks.directives import DirectiveConflictError
from optimizer.conflicts import GIVES_WAY
from optimizer.explain.checks import Finding, checked, why_none
from optimizer.explain.elastic import Elastic, Group, Slack, group_of, slacks_of, with_slacks
from optimizer.explain.giving import Way, joined, rule_words, way_words
from optimizer.explain.limits import Limit, directive_words, limit_of, named, scale_of
from optimizer.explain.room import roomy
from optimizer.formulation import formulate
from optimizer.highs import Control, Outcome, Program, Solution
from optimizer.instance import Instance
from optimizer.matrix import Matrix, compile_matrix

CAPACITY = ("it_power", "it_limit", "liquid", "liquid_limit", "air", "air_limit", "grid", "supply", "install_rate")
"""Rows of capacity that more of something would loosen."""
ROUNDS = 30
"""Most rounds of the elastic filter."""
CONFLICTS = 8
"""Most conflicts told of one dataset."""
WHOLE_SECONDS = 10.0
"""Time in which one repair is sought in whole numbers; after that it is told as the least that it takes."""
NOT_FOUND = "whether directives, hard duties and limits can hold together, and which of them can't, was not found in time"


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
class Repair:
    """What, changed alone, would resolve a conflict.

    Attributes:
        what: the rule that gives way, ``capacity``, or ``together``: several rules, each a little.
        price: sum of the shares, by which repairs are ordered.
        ways: limits that change, with amounts.
        whole: whether it is shown for whole racks and yes-or-no decisions; if not, it takes at least so much.
        words: in words.
    """

    what: str
    price: float
    ways: tuple[Way, ...]
    whole: bool
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
        repairs: changes that resolve it, each alone, those shown for whole racks first, then the cheapest; those of the conflicts beside it are left to those.
        beside: conflicts of other rules, which would be left if this one were resolved.
        gives_way: what resolves all conflicts at once, for the smallest sum of shares; the repairs of one conflict leave the others out
            of account, so that it takes this where several overlap.
        complete: whether everything was found in time.
    """

    findings: tuple[Finding, ...] = ()
    members: tuple[Member, ...] = ()
    irreducible: bool = False
    in_whole_numbers: bool = False
    capacity: tuple[Limit, ...] = ()
    repairs: tuple[Repair, ...] = ()
    beside: tuple[Conflict, ...] = ()
    gives_way: tuple[Way, ...] = ()
    complete: bool = True

    @property
    def words(self) -> list[str]:
        """The conflict, line by line."""
        lines = [f.words for f in self.findings]
        for one in (self, *self.beside):
            lines += one._own_words
        if self.beside and self.gives_way:
            lines.append("all of this is resolved, for the least in all, by: " + joined(self.gives_way))
        return lines or [NOT_FOUND]

    @property
    def proven(self) -> bool:
        """Whether it is shown that no plan exists."""
        return bool(self.findings or self.members)

    @property
    def _own_words(self) -> list[str]:
        lines = []
        if len(self.members) == 1:
            lines.append(f"this can't hold: {self.members[0].words}")
        elif self.members:
            lines.append("these can't hold together: " + "; ".join(m.words for m in self.members))
        if self.in_whole_numbers:
            lines.append("with parts of racks they could: it is whole racks and yes-or-no decisions that they can't")
        if self.capacity:
            lines.append("they run into: " + "; ".join(by_place(self.capacity)))
        return lines + [f"repair: {'' if repair.whole else 'at least '}{repair.words}" for repair in self.repairs]

    @property
    def named(self) -> frozenset[str]:
        """Rows of directives.csv, and kinds of limits with their place, that are named as conflicting."""
        own = {m.limit.place if m.limit.name == "directive" else f"{m.limit.name} {m.limit.place}".rstrip() for m in self.members}
        return frozenset(own).union(*(one.named for one in self.beside))


def by_place(limits: Iterable[Limit]) -> list[str]:
    """Limits in words; of one limit in many periods the first, and how many more there are."""
    found: dict[tuple[str, str], list[Limit]] = {}
    for limit in limits:
        found.setdefault((limit.name, limit.place), []).append(limit)
    return [own[0].words + (f" (and {len(own) - 1} more periods)" if len(own) > 1 else "") for own in found.values()]


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
    alone: list[Conflict] = []
    inst, matrix = Instance(dataset), None
    while matrix is None:
        try:
            matrix = compile_matrix(formulate(inst))
        except DirectiveConflictError as error:  # asks for what is no decision: told by itself, and the rest asked without it
            (row,) = error.rows
            alone.append(_impossible(inst, row, str(error)))
            inst = Instance(inst.dataset.replace(None, directives=[d for d in inst.dataset.rows(Directive) if d.row != row]))
    rest = Filter(inst, matrix, control or Control(), threads, seed, bool(alone)).run(capacity)
    if not alone:
        return rest
    findings = tuple(finding for one in alone for finding in one.findings)
    others = tuple(replace(one, findings=()) for one in alone[1:])
    if rest is not None and rest.members:
        others += (replace(rest, findings=(), beside=(), gives_way=()), *rest.beside)
    return replace(
        alone[0],
        findings=findings + (rest.findings if rest is not None else ()),
        beside=others,
        gives_way=tuple(w for one in alone for r in one.repairs for w in r.ways) + (rest.gives_way if rest is not None else ()),
        complete=rest is None or rest.complete,
    )


def _impossible(inst: Instance, row: str, said: str) -> Conflict:
    """A directive that asks for what is no decision; the one repair is to take it back."""
    member = Member(limit_of("directive", row), directive_words(inst, row))
    why = why_none(inst, row)
    ways = (Way(member.limit, 0.0, 1.0, f"{member.words} to be taken back"),)
    return Conflict((Finding(row, f"{said}{why}"),), (member,), True, repairs=(Repair(member.words, 1.0, ways, True, joined(ways)),))


@dataclass
class Filter:
    """Finds conflicts and their repairs.

    Args:
        inst, matrix: of the dataset.
        control: deadline and stop.
        threads, seed: of the solver.
        known: whether it is known that there is no plan, so that a long search for what else conflicts is not worth its time.
    """

    inst: Instance
    matrix: Matrix
    control: Control
    threads: int = 1
    seed: int = 0
    known: bool = False
    elastic: Elastic = field(init=False)

    def __post_init__(self) -> None:
        self.elastic = Elastic(self.inst, self.matrix, self.threads, self.seed)

    def run(self, capacity: bool = True) -> Conflict | None:
        """Find them; None where there is none."""
        findings = checked(self.inst, self.matrix)
        cores: list[Core] = []
        dropped: list[Group] = []
        complete, together = True, None
        while len(cores) < CONFLICTS:
            soft, integer = self._gives_way(dropped)
            if soft is None:
                complete = False
                break
            if soft.objective <= GIVES_WAY:
                break
            together = together or (soft, integer)
            core = self._core(soft, integer, dropped)
            cores.append(core)
            dropped += core.groups
            if not core.irreducible:  # what it holds may take in rules of another conflict
                complete = False
                break
        if not cores:
            return None if complete else Conflict(findings, complete=False)
        told = [self._told(core, [g for other in cores if other is not core for g in other.groups], capacity) for core in cores]
        assert together is not None
        joint, whole = self._together(*together)
        ways = self._ways(self.elastic.slacks, self.elastic.shares(joint))
        first = told[0]
        if len(told) == 1 and len({(way.limit.name, way.limit.place) for way in ways}) > 1:
            repair = Repair("together", sum(w.share for w in ways), ways, whole, joined(ways))
            first = replace(first, repairs=tuple(sorted((*first.repairs, repair), key=_order)))
        return replace(first, findings=findings, beside=tuple(told[1:]), gives_way=ways, complete=complete)

    def _together(self, soft: Solution, integer: bool) -> tuple[Solution, bool]:
        """The least by which all rules must give way together: in whole numbers, if that is found in time."""
        if integer:
            return soft, True
        found = self.elastic.solve(self.control.until(WHOLE_SECONDS), list(self.elastic.groups), integer=True)
        return (soft, False) if found is None or found.x is None else (found, True)

    # which rules -------------------------------------------------------------------------------

    def _gives_way(self, dropped: list[Group]) -> tuple[Solution | None, bool]:
        """By how much all rules but those dropped must give way, and whether that shows in whole numbers alone."""
        soft = [group for group in self.elastic.groups if group not in dropped]
        found = self.elastic.solve(self.control, soft, dropped)
        if found is None or found.objective > GIVES_WAY:
            return found, False
        control = self.control.until(WHOLE_SECONDS) if dropped or self.known else self.control
        return self.elastic.solve(control, soft, dropped, integer=True), True

    def _core(self, soft: Solution, integer: bool, dropped: list[Group]) -> Core:
        """Rules that can't hold together, and whether each of them is shown to be needed."""
        others = [group for group in self.elastic.groups if group not in dropped]
        held: set[Group] = set()
        found: Solution | None = soft
        for _ in range(ROUNDS):
            assert found is not None
            shares = self.elastic.shares(found)
            held |= {g for g in others if g not in held and sum(shares[i] for i in self.elastic.groups[g]) > GIVES_WAY}
            found = self.elastic.solve(self.control, [g for g in others if g not in held], dropped, integer)
            if found is None or found.x is None or found.objective <= GIVES_WAY:
                break
        needed = sorted(held)
        if found is None or found.x is not None:  # time is up, or it was not narrowed down
            return Core(needed, False, integer)
        for group in list(needed):
            rest = [g for g in needed if g != group]
            without = self.elastic.solve(self.control, (), [g for g in self.elastic.groups if g not in rest], integer)
            if without is None:
                return Core(needed, False, integer)
            if without.x is None:
                needed = rest
        return Core(needed, True, integer)

    def _told(self, core: Core, elsewhere: list[Group], capacity: bool) -> Conflict:
        """A conflict with its limits and repairs, as if the rules of other conflicts were not there."""
        members = tuple(self._member(group) for group in core.groups)
        limits = self._run_into(core) if capacity and not core.integer else ()
        repairs = self._repairs(core, elsewhere)
        if capacity and (limits or core.integer):
            repairs += self._more_capacity(CAPACITY if core.integer else {limit.name for limit in limits}, elsewhere, core.integer)
        return Conflict((), members, core.irreducible, core.integer, limits, tuple(sorted(repairs, key=_order)))

    def _member(self, group: Group) -> Member:
        name, place = group
        if name == "directive":
            return Member(limit_of("directive", place), directive_words(self.inst, place))
        key = self.elastic.slacks[self.elastic.groups[group][0]].key
        limit = replace(named(self.inst, name, key), period="")
        return Member(limit, rule_words(self.inst, name, place))

    # which limits ------------------------------------------------------------------------------

    def _without(self, groups: list[Group]) -> Matrix:
        """The model without some rules; of a budget the balance goes, since nothing else asks for it."""
        gone = {(slack.name, slack.row) for group in groups for slack in (self.elastic.slacks[i] for i in self.elastic.groups[group])}
        rows = np.array([row for _, row in gone], dtype=np.intp)
        lower, upper = self.matrix.row_lower.copy(), self.matrix.row_upper.copy()
        lower[rows], upper[rows] = -np.inf, np.inf
        return replace(self.matrix, row_lower=lower, row_upper=upper)

    def _run_into(self, core: Core) -> tuple[Limit, ...]:
        """Limits of capacity that carry a dual where just these rules are asked to give way as little as they can.

        These duals are a proof of infeasibility (Farkas): weights of rows whose sum no decision can hold.
        """
        bare = roomy(self.inst, self._without([group for group in self.elastic.groups if group not in core.groups]))
        slacks = [self.elastic.slacks[i] for group in core.groups for i in self.elastic.groups[group]]
        found = Program(with_slacks(bare, slacks), threads=1, seed=self.seed).solve(self.control, method="simplex")
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

    def _repairs(self, core: Core, elsewhere: list[Group]) -> tuple[Repair, ...]:
        """For each rule by how much it must give way when all others hold."""
        found = []
        for group in core.groups:
            control = self.control if core.integer else self.control.until(WHOLE_SECONDS)
            solved = self.elastic.solve(control, [group], elsewhere, integer=True)
            whole = solved is not None
            if solved is None and not core.integer:
                solved = self.elastic.solve(self.control, [group], elsewhere)
            if solved is None or solved.x is None:
                continue
            own = self.elastic.groups[group]
            ways = self._ways([self.elastic.slacks[i] for i in own], self.elastic.shares(solved)[own])
            if ways:
                found.append(Repair(self._member(group).words, sum(w.share for w in ways), ways, whole, joined(ways)))
        return tuple(found)

    def _more_capacity(self, families: Iterable[str], elsewhere: list[Group], integer_only: bool) -> tuple[Repair, ...]:
        """By how much the limits that the rules run into would have to grow for all rules to hold."""
        base = roomy(self.inst, self._without(elsewhere))
        slacks = [slack for slack in slacks_of(self.inst, base, sorted(families)) if slack.more]
        model = with_slacks(base, slacks)
        for integer in (True, False):
            program = Program(model, integer=integer, threads=self.threads, seed=self.seed)
            found = program.solve(self.control.until(WHOLE_SECONDS) if integer and not integer_only else self.control)
            if found.outcome is Outcome.OPTIMAL and found.x is not None:
                ways = self._ways(slacks, found.x[self.matrix.shape[1] :])
                return (Repair("capacity", sum(w.share for w in ways), ways, integer, joined(ways)),) if ways else ()
            if found.outcome is Outcome.INFEASIBLE or integer_only:
                break
        return ()

    def _ways(self, slacks: list[Slack], shares: np.ndarray) -> tuple[Way, ...]:
        ways = []
        for slack, share in zip(slacks, shares.tolist(), strict=True):
            if share > GIVES_WAY:
                limit, unit = named(self.inst, slack.name, slack.key), scale_of(slack.name)
                amount = share * abs(slack.size) / unit
                ways.append(Way(limit, amount, share, way_words(self.inst, slack.name, limit, amount, self._value(slack.row) / unit)))
        return tuple(ways)

    def _value(self, row: int) -> float:
        low, high = self.matrix.row_lower[row], self.matrix.row_upper[row]
        return float(high if np.isfinite(high) else low)


@dataclass(frozen=True)
class Core:
    """An irreducible conflict: its rules, whether that is shown, and whether it shows in whole numbers alone."""

    groups: list[Group]
    irreducible: bool
    integer: bool


def _order(repair: Repair) -> tuple[bool, float, str]:
    """What is shown for whole racks first, then by price."""
    return not repair.whole, repair.price, repair.what


__all__ = ["Conflict", "Filter", "Finding", "Member", "Repair", "Way", "explain_conflict", "group_of"]
