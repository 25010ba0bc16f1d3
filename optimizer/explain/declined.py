"""At which price per GPU-hour a declined prospect would be signed: an estimate, and what is proven of it from either side.

Let the price of every period rise by ``d`` USD per contract GPU-hour. The best plan that signs the prospect is then worth
``F(d)``, the largest over plans of ``NPV + d * Q`` with ``Q`` the discounted contract GPU-hours delivered: convex and
rising in ``d``. It is signed from the ``d`` on at which ``F(d)`` reaches the best plan that declines it, ``V``. Newton's method on such a
function comes from above and takes a few solves: ``d <- d + (V - F(d)) / Q(d)``.

Where customers may bring no more than a share of the revenue, the price is in that limit too: it raises the revenue of the prospect's
customer, and all revenue, of which the others have their share. Then the proofs are of limits that hold at any price up to the step.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from models.changes.place import PlaceForce, YesOrNo
from models.plan import Plan
from models.tables import ContractPrice
from optimizer.audit import audit
from optimizer.blocks.base import MILLION
from optimizer.explain.ground import Ground, local_model, within
from optimizer.highs import Control, Outcome, Program, SolverError
from optimizer.instance import Floats
from optimizer.matrix import Ints, Matrix
from optimizer.planner import InfeasibleError, NoPlanError

STEPS = 12
"""Most steps of Newton's method."""
CLOSE_USD = 100.0
"""NPV within which a price counts as found."""
FIRST_STEP = 10.0
"""USD per GPU-hour by which the price is raised where nothing would be delivered at all."""
SECONDS = 60.0
"""Time of each of the two searches, and of each proof."""


@dataclass(frozen=True)
class SigningPrice:
    """The lowest price per GPU-hour at which a declined prospect would be signed.

    Attributes:
        contract_id, customer: the prospect.
        offered_usd: its price, mean over the GPU-hours owed, discounted, USD per contract GPU-hour.
        estimate_usd: price at which signing it breaks even when all other yes-or-no decisions stay and racks are divisible,
            or the nearest that the proofs leave open; None if not found in time.
        not_below_usd: proven: at a lower price no plan that signs it is worth as much as the plan at hand; None where nothing is proven.
        enough_usd: proven: at this price an audited plan that signs it is worth as much as the plan at hand; None if none was found.
        statement: the same in words.
    """

    contract_id: str
    customer: str
    offered_usd: float
    estimate_usd: float | None
    not_below_usd: float | None
    enough_usd: float | None
    statement: str


def signing_prices(ground: Ground, control: Control, threads: int = 1, proofs: bool = True) -> tuple[SigningPrice, ...]:
    """Prices of all declined prospects, in the order of the dataset.

    Args:
        ground: the plan's model.
        control: deadline and stop.
        threads: of the repair that looks for a plan that signs.
        proofs: whether the proofs are tried too; each takes about as long as a what-if.
    """
    inst = ground.instance
    signed = set(ground.plan.decisions.query("kind == 'sign'")["id"])
    declined = [c for c in inst.prospects if c not in signed and inst.owed[inst.contract_at[c]].any()]
    return tuple(_signing_price(ground, c, control, threads, proofs) for c in declined)


def _signing_price(ground: Ground, c: str, control: Control, threads: int, proofs: bool) -> SigningPrice:
    inst = ground.instance
    i = inst.contract_at[c]
    weight = inst.owed[i] * inst.hours * inst.disc
    offered = float(inst.contract_price[i] @ weight / weight.sum())
    step = _estimate(ground, c, control)
    lower = _refused_below(ground, c, step if step is not None else 0.0, control) if proofs else None
    enough = _enough(ground, c, control, threads) if proofs else None
    if lower is not None and offered + lower <= 0:
        lower = None
    prices = [None if d is None else offered + d for d in (within_proofs(step, lower, enough), lower, enough)]
    words = [f"{c} offers {offered:.4g} USD per GPU-hour"]
    words.append(f"it would be signed from about {prices[0]:.4g} on" if prices[0] is not None else "no price was found in time")
    words.append(f"below {prices[1]:.4g} no plan that signs it is worth as much as this one (proven)" if prices[1] is not None
                 else "that it is declined below some price is not proven" if proofs else "nothing was proven")  # fmt: skip
    if prices[2] is not None:
        words.append(f"at {prices[2]:.4g} an audited plan that signs it is worth as much (proven)")
    return SigningPrice(c, inst.contract_rows[c].customer, offered, prices[0], prices[1], prices[2], "; ".join(words))


def within_proofs(estimate: float | None, lower: float | None, enough: float | None) -> float | None:
    """An estimate moved to the nearest price that the proofs leave open: other plans than those near this one may refute it."""
    if estimate is None:
        return None
    least = -math.inf if lower is None else lower
    most = math.inf if enough is None else max(enough, least)
    return min(max(estimate, least), most)


Solve = Callable[[float], tuple[float, float] | None]
"""From a price step to the best NPV with it, and the discounted GPU-hours delivered; None when it can't be solved."""


def newton(solve: Solve, value: float, start: float = 0.0) -> float | None:
    """The step at which a convex, rising function of it reaches a value; None when a solve fails.

    Args:
        solve: the function and its slope.
        value: to be reached, USD.
        start: first step tried, USD per GPU-hour.
    """
    step = start
    for _ in range(STEPS):
        found = solve(step)
        if found is None:
            return None
        best, slope = found
        if abs(value - best) <= CLOSE_USD:
            return step
        if slope <= 1e-6:
            if best > value:
                return None
            step += FIRST_STEP
            continue
        step += (value - best) / slope
    return step


def hours_delivered(ground: Ground, matrix: Matrix, c: str) -> tuple[Ints, Floats]:
    """Columns of a contract's deliveries, and the discounted contract GPU-hours of one GPU each."""
    inst = ground.instance
    first, index = matrix.columns["delivered"]
    found = [(first + i, inst.equivalents[c][g] * inst.hours[t] * inst.disc[t]) for i, (d, _, g, t) in enumerate(index) if d == c]
    return np.array([j for j, _ in found], dtype=np.intp), np.array([h for _, h in found])


def _priced(matrix: Matrix, columns: Ints, hours: Floats, step: float) -> Matrix:
    """The model with a contract's price higher by a step."""
    cost = matrix.cost.copy()
    cost[columns] -= step * hours / MILLION
    return replace(matrix, cost=cost)


def _solver(ground: Ground, matrix: Matrix, c: str, control: Control, integer: bool) -> Solve:
    columns, hours = hours_delivered(ground, matrix, c)
    program = Program(matrix, integer=integer, threads=1, seed=ground.seed)
    if integer:
        program.option("mip_rel_gap", 0.0)
        program.option("mip_abs_gap", CLOSE_USD / MILLION / 10)
    first = [True]

    def solve(step: float) -> tuple[float, float] | None:
        priced = _priced(matrix, columns, hours, step)
        program.become(priced, priced.lower, priced.upper)
        found = program.solve(control, method="ipm" if first[0] and not integer else "choose" if integer else "simplex")
        first[0] = False
        if found.outcome is not Outcome.OPTIMAL or found.x is None:
            return None
        return -found.objective * MILLION, float(hours @ found.x[columns])

    return solve


def _estimate(ground: Ground, c: str, control: Control) -> float | None:
    """The break-even step with all else as in the plan and racks divisible, USD per GPU-hour."""
    m = local_model(ground.instance, ground.matrix, ground.x, free=[c])
    lower, upper = m.lower.copy(), m.upper.copy()
    sign = m.columns["sign"][0] + ground.instance.contract_at[c]
    lower[sign] = upper[sign] = 1.0
    first, index = m.columns["serve"]
    own = np.array([first + i for i, key in enumerate(index) if key[0] == c], dtype=np.intp)
    integer = np.zeros(m.shape[1], dtype=bool)
    integer[own] = True
    model = replace(m, lower=lower, upper=upper, integer=integer)
    value = -ground.solved(control).objective * MILLION
    return newton(_solver(ground, model, c, within(SECONDS, control), bool(len(own))), value)


def _refused_below(ground: Ground, c: str, start: float, control: Control) -> float | None:
    """The step up to which the relaxation proves that no plan which signs is worth the plan at hand."""
    most = max(start, 0.0)
    m = _any_share(ground, c, most)
    lower = m.lower.copy()
    sign = m.columns["sign"][0] + ground.instance.contract_at[c]
    lower[sign] = 1.0
    value = (ground.plan.summary.npv_usd or 0.0) - CLOSE_USD  # so that what comes near enough is below the plan
    found = newton(_solver(ground, replace(m, lower=lower), c, within(SECONDS, control), False), value, start)
    return found if found is None or m is ground.matrix else min(found, most)


def _any_share(ground: Ground, c: str, most: float) -> Matrix:
    """The model with the shares of customers so that no plan is lost at any price of a contract up to a step.

    The share of the contract's own customer is left open where it is owed GPUs; the other customers may bring their share of the most
    that the step can add to all revenue.
    """
    inst, m = ground.instance, ground.matrix
    rows, index = m.rows.get("customer_share", (np.zeros(0, dtype=np.intp), []))
    owed = inst.owed[inst.contract_at[c]]
    concerned = [(row, u, t) for row, (u, t) in zip(rows.tolist(), index, strict=True) if owed[t] > 0]
    if not concerned:
        return m
    lower, upper = m.row_lower.copy(), m.row_upper.copy()
    share = inst.settings.customer_revenue_share or 0.0
    for row, u, t in concerned:
        room = np.inf if u == inst.contract_rows[c].customer else share * most * owed[t] * inst.hours[t] / MILLION
        lower[row], upper[row] = lower[row] - (room if np.isfinite(lower[row]) else 0.0), upper[row] + room
    return replace(m, row_lower=lower, row_upper=upper)


def _enough(ground: Ground, c: str, control: Control, threads: int) -> float | None:
    """The step at which an audited plan that signs is worth the plan at hand."""
    from optimizer.whatif import Planner

    planner = Planner(ground.dataset, ground.plan, threads=threads, seed=ground.seed)
    left = min(SECONDS, control.remaining)
    if left <= 0:
        return None
    try:
        answer = planner.change([PlaceForce(decision=YesOrNo.SIGN, contract_id=c)], "repair", gap=0.0, time_limit=left, stop=control.stop)
    except (InfeasibleError, NoPlanError, SolverError):
        return None
    made = answer.plan
    if made is None:
        return None
    hours = discounted_hours(ground, made, c)
    if hours <= 0:
        return None
    step = ((ground.plan.summary.npv_usd or 0.0) - (made.summary.npv_usd or 0.0)) / hours
    return step if _shares_hold(ground, made, c, step) else None


def _shares_hold(ground: Ground, plan: Plan, c: str, step: float) -> bool:
    """Whether no customer brings more than its share of a period's revenue, once a contract pays more by a step: asked of the audit."""
    rows = ground.dataset.rows(ContractPrice)
    dearer = [row.model_copy(update={"usd_per_gpu_hour": row.usd_per_gpu_hour + step}) if row.contract_id == c else row for row in rows]
    return "customer_share" not in audit(ground.dataset.replace(contract_prices=dearer), plan).violated


def discounted_hours(ground: Ground, plan: Plan, c: str) -> float:
    """Discounted contract GPU-hours that a plan delivers to a contract."""
    inst = ground.instance
    table = plan.contracts[plan.contracts["contract_id"] == c]
    at = [inst.index(p) for p in table["period"]]
    return float(table["delivered_gpus"].to_numpy(float) @ (inst.hours[at] * inst.disc[at]))
