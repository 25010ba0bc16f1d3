"""What a worker keeps of the last few plans, so that the next question about one finds its models ready."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

from batch.engine.job import Job
from models.files import dataset_from_bytes
from models.plan import Plan
from models.plan_files import plan_from_bytes
from optimizer.explain.ground import Ground
from optimizer.whatif import Planner

PLANNERS, GROUNDS, PLANS = 2, 1, 64
"""How many are kept."""
Key = tuple[str, ...]
T = TypeVar("T")
_planners: OrderedDict[Key, Planner] = OrderedDict()
_grounds: OrderedDict[Key, Ground] = OrderedDict()
_plans: OrderedDict[Key, Plan] = OrderedDict()


def planner_of(job: Job, baseline: bytes) -> tuple[Planner, bool]:
    """The planner of a job's dataset and its plan, and whether it was known."""

    def make() -> Planner:
        return Planner(dataset_from_bytes(job.dataset), plan_from_bytes(baseline), threads=job.threads, seed=job.seed)

    planner, known = _kept(_planners, _key(job, baseline), PLANNERS, make)
    planner.threads, planner.seed = job.threads, job.seed
    return planner, known


def ground_of(job: Job, baseline: bytes) -> tuple[Ground, bool]:
    """The model near a job's plan, and whether it was known; with another seed it is another one."""

    def make() -> Ground:
        return Ground(dataset_from_bytes(job.dataset), plan_from_bytes(baseline), job.seed)

    return _kept(_grounds, (*_key(job, baseline), str(job.seed)), GROUNDS, make)


def plan_of(data: bytes) -> Plan:
    """A plan from its bytes; plans are only read, so that one can be given twice."""
    return _kept(_plans, (hashlib.sha256(data).hexdigest(),), PLANS, lambda: plan_from_bytes(data))[0]


def forget() -> None:
    """Keep nothing: what is kept may be what went wrong."""
    _planners.clear()
    _grounds.clear()
    _plans.clear()


def _key(job: Job, baseline: bytes) -> Key:
    return hashlib.sha256(job.dataset).hexdigest(), hashlib.sha256(baseline).hexdigest()


def _kept(kept: OrderedDict[Key, T], key: Key, most: int, make: Callable[[], T]) -> tuple[T, bool]:
    known = key in kept
    found = kept[key] if known else make()
    kept[key] = found
    kept.move_to_end(key)
    while len(kept) > most:
        kept.popitem(last=False)
    return found, known
