"""Why a plan does not do something: whether any could, what it costs, which limit stands in the way, and what would have to give."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from enum import StrEnum

from models.changes import Change, ChangeError
from models.changes.place import Amount, PlaceForce, PlaceMin, YesOrNo
from models.changes.retrofit import RetrofitForce
from models.dataset import Dataset
from models.faults import closest
from models.plan import NPV_TERMS, Plan
from models.tables import Directive
from optimizer.explain.answer import number, usd
from optimizer.explain.conflict import Conflict, by_place, explain_conflict
from optimizer.explain.difference import Delta
from optimizer.explain.ground import Ground, within
from optimizer.explain.obstacles import Obstacle, Wish, obstacles, periods_wished
from optimizer.explain.placement import Placement, PlacementError, PlacementKind, site_facts, size
from optimizer.explain.relief import Relief, reliefs
from optimizer.highs import Control, SolverError
from optimizer.instance import Instance
from optimizer.planner import InfeasibleError, NoPlanError
from optimizer.whatif import Answer, Planner

SECONDS = 60.0
"""Time for the plan with the wish fulfilled."""
CONFLICT_SECONDS = 60.0
"""Time for the rules that stand in the way of one that can't be."""
RELIEF_SECONDS = 60.0
"""Time for the limits that make a wish cost what it costs."""


class Possible(StrEnum):
    """Whether a wish can be fulfilled."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "not found in time"


@dataclass(frozen=True)
class WhyNot:
    """Why a plan does not do something.

    Attributes:
        wish: in words.
        possible: whether any plan can; ``yes`` is shown by an audited plan, ``no`` is proven.
        already: the plan at hand does it.
        obstacles: limits that the wish exceeds by itself.
        conflict: of a wish that can't be: the rules and limits that stand in the way, with what would have to give.
        npv_usd: NPV of the plan found with it, USD.
        cost_usd: NPV of the plan at hand less that; negative where the plan at hand could be better.
        cost_least_usd: proven: every plan with it is worth at least so much less than the plan at hand; None if not known.
        terms: where the money goes, term by term: with it less without.
        relaxation: what gives way most cheaply (by shares of limits) so that a wish that can't be can, or one that costs is free.
        limits: of a wish that can be and costs something: limits that make it cost that, and how much more of each makes it free,
            the cheapest first; empty where it is money alone, such as dearer energy.
        statement: the answer in words, with what is proven and what was found.
        seconds: wall-clock time.
    """

    wish: str
    possible: Possible
    already: bool
    obstacles: tuple[Obstacle, ...]
    conflict: Conflict | None
    npv_usd: float | None
    cost_usd: float | None
    cost_least_usd: float | None
    terms: tuple[Delta, ...]
    relaxation: str | None
    limits: tuple[Relief, ...]
    statement: str
    seconds: float


def why_not(
    dataset: Dataset, plan: Plan, wish: Wish | Placement, *, planner: Planner | None = None, control: Control | None = None,
    threads: int = 1, seed: int = 0,
) -> WhyNot:  # fmt: skip
    """Why a plan does not do something.

    Args:
        dataset: the planning problem.
        plan: its plan.
        wish: GPUs somewhere, or a decision taken.
        planner: of the plan, if one is warm.
        control: deadline and stop.
        threads, seed: of the solver.

    Raises:
        PlacementError: the wish names what the dataset does not have, or no decision.
    """
    asking = _Asking(
        dataset, plan, wish, planner or Planner(dataset, plan, threads=threads, seed=seed), control or Control(), threads, seed
    )
    return asking.answer()


def check_wish(wish: Wish, inst: Instance) -> None:
    """See that a wish names what there is.

    Raises:
        PlacementError: an unknown id, a period that is none, fewer GPUs than 1, or nothing named.
    """
    for id, known, what, own in (
        (wish.contract_id, inst.contracts, "contract", "contract_id"),
        (wish.site_id, inst.sites, "site", "site_id"),
        (wish.gen_id, inst.gens, "generation", "gen_id"),
    ):
        if id is not None and id not in known:
            near = closest(id, known)
            raise PlacementError(f"{id}: there is no such {what}" + (f"; did you mean '{near}'?" if near else ""), own, near)
    if not (math.isfinite(wish.gpus) and wish.gpus >= 1):
        raise PlacementError(f"{wish.gpus:g} GPUs: allowed is 1 or more", "gpus")
    if wish.contract_id is None and wish.site_id is None and wish.gen_id is None:
        raise PlacementError("a wish needs a contract, a site or a generation")
    for label, own in ((wish.from_period, "from_period"), (wish.to_period, "to_period")):
        if label is not None:
            try:
                t = inst.index(label)
            except ValueError as error:
                raise PlacementError(f"{label} is not a period of this dataset; allowed: {error}", own) from None
            if not 0 <= t < inst.T:
                raise PlacementError(
                    f"{label} is outside the horizon; allowed: {inst.calendar.label(0)} to {inst.calendar.label(inst.T - 1)}", own
                )
    if not periods_wished(wish, inst):
        raise PlacementError(f"{wish.to_period} is before {wish.from_period}", "to_period")


@dataclass(frozen=True)
class Forced:
    """One way to force a wish.

    Attributes:
        changes: that force it.
        words: the wish in words, with the amount and period that are asked for.
        periods: in which it is asked for.
    """

    changes: tuple[Change, ...]
    words: str
    periods: tuple[int, ...]


def forcing(wish: Wish | Placement, inst: Instance) -> list[Forced]:
    """Ways to force a wish, the likeliest first; it can't be if none of them can.

    A directive asks for something in each of its periods. Racks at a site, or a contract served from one, may be there in any
    period: one rack, or one GPU, is asked for in each in turn.

    Raises:
        PlacementError: it is nothing that can be forced.
    """
    every = tuple(range(inst.T))
    if isinstance(wish, Wish):
        return [Forced((_amount_wished(wish, inst),), wish.words, tuple(periods_wished(wish, inst)))]
    if wish.kind is PlacementKind.RACKS:
        most = inst.racks_most[inst.site_at[str(wish.site_id)], inst.gen_at[str(wish.gen_id)]]
        times = [t for t in reversed(every) if most[t] >= 1]
        return [
            _at_least(
                inst, f"{wish.words} (1 rack in {inst.calendar.label(t)})", t, Amount.IN_SERVICE, site_id=wish.site_id, gen_id=wish.gen_id
            )
            for t in times or [inst.T - 1]
        ]
    if wish.kind is PlacementKind.SERVE and (wish.contract_id, wish.site_id) not in set(inst.choice_pairs):
        owed = inst.owed[inst.contract_at[str(wish.contract_id)]]
        times = sorted((t for t in every if owed[t] >= 1), key=lambda t: -owed[t])
        return [
            _at_least(
                inst,
                f"{wish.words} (1 GPU in {inst.calendar.label(t)})",
                t,
                Amount.DELIVERIES,
                contract_id=wish.contract_id,
                site_id=wish.site_id,
            )
            for t in times
        ]
    if wish.kind is PlacementKind.RETROFIT:
        row = inst.retrofit_rows[str(wish.site_id)]
        mw = row.min_mw or min(1.0, row.max_mw)
        return [Forced((RetrofitForce(site_id=str(wish.site_id), mw=mw),), f"{wish.words} (at least {mw:g} MW)", every)]
    forced = PlaceForce(decision=YesOrNo(wish.kind.value), contract_id=wish.contract_id, site_id=wish.site_id, block_id=wish.block_id)
    return [Forced((forced,), wish.words, every)]


def _at_least(
    inst: Instance, words: str, t: int, what: Amount, site_id: str | None, gen_id: str | None = None, contract_id: str | None = None
) -> Forced:
    """One rack or GPU in one period."""
    label = inst.calendar.label(t)
    forced = PlaceMin(
        decision=what, contract_id=contract_id, site_id=site_id, gen_id=gen_id, value=1.0, from_period=label, to_period=label
    )  # fmt: skip
    return Forced((forced,), words, (t,))


def _amount_wished(wish: Wish, inst: Instance) -> Change:
    """GPUs delivered or, for no contract, racks in service that hold them.

    Raises:
        PlacementError: racks of the generations in question hold different numbers of GPUs, so that no number of racks says it.
    """
    if wish.contract_id is not None:
        return PlaceMin(
            decision=Amount.DELIVERIES, contract_id=wish.contract_id, site_id=wish.site_id, gen_id=wish.gen_id, value=wish.gpus,
            from_period=wish.from_period, to_period=wish.to_period,
        )  # fmt: skip
    sizes = {g: row.gpus_per_rack for g, row in inst.gen_rows.items() if wish.gen_id in (None, g)}
    if len(set(sizes.values())) > 1:
        told = ", ".join(f"{g} {held:g}" for g, held in sizes.items())
        raise PlacementError(f"{wish.words}: a generation is needed, since racks hold different numbers of GPUs ({told})")
    racks = float(math.ceil(wish.gpus / next(iter(sizes.values())) - 1e-9))
    return PlaceMin(decision=Amount.IN_SERVICE, site_id=wish.site_id, gen_id=wish.gen_id, value=racks,
                    from_period=wish.from_period, to_period=wish.to_period)  # fmt: skip


@dataclass
class _Asking:
    """A wish that is being answered."""

    dataset: Dataset
    plan: Plan
    wish: Wish | Placement
    planner: Planner
    control: Control
    threads: int
    seed: int
    began: float = field(default_factory=time.monotonic)

    def answer(self) -> WhyNot:
        """Forced, in each way that there is, and the plan repaired."""
        inst = self.planner.instance
        stands: tuple[Obstacle, ...] = ()
        if isinstance(self.wish, Wish):
            check_wish(self.wish, inst)
            stands = obstacles(self.wish, inst)
        elif size(self.wish, self.plan, inst) > 0:
            return self._said(self.wish.words, Possible.YES, "the plan does this already", already=True)
        if stands and any(o.limit in ("eligible", "delivery") for o in stands):  # no directive says it
            return self._said(self.wish.words, Possible.NO, "no plan can: " + "; ".join(o.words for o in stands), obstacles=stands)
        if isinstance(self.wish, Placement) and self.wish.kind is PlacementKind.SERVE:
            fact = next(f for f in site_facts(inst, str(self.wish.contract_id)) if f.site_id == self.wish.site_id)
            if not fact.possible:
                return self._said(
                    self.wish.words, Possible.NO, f"no plan can: {fact.site_id} can't serve {self.wish.contract_id}: {fact.reason}"
                )
        ways = forcing(self.wish, inst)
        if stands:
            return self._never(ways[0], self._evaluated(ways[0]).dataset, stands)
        for forced in ways:
            found = self._forced(forced)
            if found is not None:
                return found
        return self._never(ways[0], self._evaluated(ways[0]).dataset, ())

    def _evaluated(self, forced: Forced) -> Answer:
        """The plan under the changes.

        Raises:
            PlacementError: they can't be carried out.
        """
        try:
            return self.planner.change(forced.changes, "evaluate")
        except ChangeError as error:
            raise PlacementError("; ".join(str(fault) for fault in error.faults)) from None

    def _forced(self, forced: Forced) -> WhyNot | None:
        """One way to force the wish, and the plan repaired; None if no plan can."""
        evaluation = self._evaluated(forced).evaluation
        if evaluation is not None and not evaluation.violations:
            return self._said(forced.words, Possible.YES, "the plan does this already", already=True)
        try:
            left = min(SECONDS, self.control.remaining)
            if left <= 0:
                raise NoPlanError(self.plan.summary)
            gap = min(self.plan.summary.gap or 0.0, 0.01)
            answer = self.planner.change(forced.changes, "repair", gap=gap, time_limit=left, stop=self.control.stop)
        except InfeasibleError:
            return None
        except (NoPlanError, SolverError) as error:
            return self._unknown(forced, str(error))
        assert answer.plan is not None
        return self._costs(forced, answer.dataset, answer.plan)

    def _never(self, forced: Forced, dataset: Dataset, stands: tuple[Obstacle, ...]) -> WhyNot:
        """No plan can: what stands in the way, how much of the wish could be, and what gives way most cheaply."""
        found = explain_conflict(dataset, control=within(CONFLICT_SECONDS, self.control), threads=self.threads, seed=self.seed)
        own = self._rows(dataset)
        lines = [o.words for o in stands] or ([f.words for f in found.findings] if found is not None else [])
        repairs = found.repairs if found is not None else ()
        others = [m.words for m in (found.members if found is not None else ()) if m.limit.place not in own]
        if others:
            lines.append("it can't hold together with " + "; ".join(others))
        if found is not None and found.capacity and not lines:
            lines.append("it runs into " + "; ".join(by_place(found.capacity)))
        for repair in repairs:
            ways = [w for w in repair.ways if w.limit.place in own]
            if ways and len(ways) == len(repair.ways) and isinstance(self.wish, Wish):
                asked = max(w.amount for w in ways)
                lines.append(f"{'' if repair.whole else 'at least '}{number(asked)} {self._unit} of it are too many")
        rest = next((r for r in repairs if not any(w.limit.place in own for w in r.ways)), None)
        relaxation = None if rest is None else f"{'' if rest.whole else 'at least '}{rest.words}"
        if relaxation:
            lines.append(f"the cheapest relaxation that makes it possible: {relaxation}")
        said = "no plan can" + (": " + "; ".join(lines) if lines else " (proven); what stands in the way was not found in time")
        return self._said(forced.words, Possible.NO, said, obstacles=stands, conflict=found, relaxation=relaxation)

    @property
    def _unit(self) -> str:
        return "GPUs" if isinstance(self.wish, Wish) and self.wish.contract_id is not None else "racks"

    def _rows(self, dataset: Dataset) -> set[str]:
        """Directives that force the wish."""
        return {d.row for d in dataset.rows(Directive)} - {d.row for d in self.dataset.rows(Directive)}

    def _places(self) -> set[str]:
        """Ids that the wish names, and the grid nodes above its site."""
        ids = {getattr(self.wish, name, None) for name in ("site_id", "gen_id", "contract_id", "block_id")}
        nodes = {z for z, sites in self.planner.instance.sites_below.items() if ids & set(sites)}
        return {id for id in ids if id is not None} | nodes

    def _unknown(self, forced: Forced, why: str) -> WhyNot:
        said = f"no plan that does it was found in time ({why}); that none exists is not proven"
        return self._said(forced.words, Possible.UNKNOWN, said)

    def _costs(self, forced: Forced, dataset: Dataset, made: Plan) -> WhyNot:
        """A plan can: what it costs, and which limits make it so."""
        z, worth, bound = self.plan.summary.npv_usd or 0.0, made.summary.npv_usd or 0.0, made.summary.bound_usd
        room = max(0.0, (self.plan.summary.bound_usd or z) - z) + (0.0 if bound is None else max(0.0, bound - worth))
        deltas = [(n, self.plan.summary.npv_terms.get(n, 0.0), made.summary.npv_terms.get(n, 0.0)) for n in NPV_TERMS]
        terms = tuple(Delta(n, a, b, b - a, abs(b - a) <= room) for n, a, b in deltas if abs(b - a) > 0.5)
        least = None if bound is None else z - bound
        said = (
            f"it can be done, for {usd(z - worth)} of NPV"
            if worth <= z
            else f"it can be done, and the plan found is worth {usd(worth - z)} more"
        )
        said += f"; every plan that does it is worth at least {usd(least)} less (proven)" if least is not None and least > 0 else (
            "; that it costs anything is not proven: the cost is within the gap"
        )  # fmt: skip
        limits: tuple[Relief, ...] | None = ()
        if z - worth > room:
            limits = self._in_the_way(forced, dataset, made)
            said += "; which limits stand in the way was not found in time" if limits is None else self._why_it_costs(limits, terms)
        found = self._said(forced.words, Possible.YES, said)
        relaxation = limits[0].words if limits else None
        return replace(
            found, npv_usd=worth, cost_usd=z - worth, cost_least_usd=least, terms=terms, limits=limits or (), relaxation=relaxation
        )

    @staticmethod
    def _why_it_costs(limits: tuple[Relief, ...], terms: tuple[Delta, ...]) -> str:
        if limits:
            return f"; in the way stands above all {limits[0].words}"
        worst = min(terms, key=lambda t: t.difference, default=None)
        return "; no limit alone stands in the way" + (
            f", it is {NPV_TERMS[worst.name]} that gets worse, by {usd(-worst.difference)}" if worst else ""
        )

    def _in_the_way(self, forced: Forced, dataset: Dataset, made: Plan) -> tuple[Relief, ...] | None:
        """Limits that make the wish cost what it costs; None if time is up."""
        control = within(RELIEF_SECONDS, self.control)
        before = Ground(self.dataset, self.plan, self.seed, (self.planner.instance, self.planner.matrix))
        try:
            return reliefs(before, Ground(dataset, made, self.seed), forced.periods, self._rows(dataset), self._places(), control)
        except SolverError:
            return None

    def _said(
        self, words: str, possible: Possible, said: str, *, already: bool = False, obstacles: tuple[Obstacle, ...] = (),
        conflict: Conflict | None = None, relaxation: str | None = None,
    ) -> WhyNot:  # fmt: skip
        z, cost = (self.plan.summary.npv_usd, 0.0) if already else (None, None)
        return WhyNot(words, possible, already, obstacles, conflict, z, cost, None, (), relaxation, (), said, time.monotonic() - self.began)
