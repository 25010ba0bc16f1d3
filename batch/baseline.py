"""A plan to compare with, and what differs from it as far as its dataset is known: what report and workbook show."""

from __future__ import annotations

from dataclasses import dataclass

from models.dataset import Dataset
from models.plan import NPV_TERMS, Plan
from models.plan_views import check_names
from optimizer.explain.difference import Delta, Difference, difference


@dataclass(frozen=True)
class Baseline:
    """What a plan is compared with.

    Attributes:
        plan: the other plan.
        npv: NPV of both, USD; every difference is the plan less the baseline.
        terms: NPV term by term, those that are 0 in both left out, USD.
        difference: inputs, moves and limits; None where the dataset of the other plan is not known.
    """

    plan: Plan
    npv: Delta
    terms: tuple[Delta, ...]
    difference: Difference | None


def compared(plan: Plan, dataset: Dataset, baseline: Plan | None, baseline_dataset: Dataset | None = None) -> Baseline | None:
    """Compare a plan with another one; None without one.

    Args:
        plan: the plan.
        dataset: the dataset that it was made for.
        baseline: the plan to compare with.
        baseline_dataset: its dataset; may be left out where it is the plan's.

    Raises:
        PlanError: the baseline names sites, generations, contracts or periods that its dataset does not have.
    """
    if baseline is None:
        return None
    if baseline_dataset is None and baseline.summary.dataset.sha256 == dataset.sha256:
        baseline_dataset = dataset
    if baseline_dataset is not None:
        check_names(baseline, baseline_dataset)
        found = difference(baseline, plan, baseline_dataset, dataset)
        return Baseline(baseline, found.npv, found.terms, found)
    one, two = baseline.summary, plan.summary
    terms = ((name, one.npv_terms.get(name, 0.0), two.npv_terms.get(name, 0.0)) for name in NPV_TERMS)
    npv = _open("npv_usd", one.npv_usd or 0.0, two.npv_usd or 0.0)
    return Baseline(baseline, npv, tuple(_open(*term) for term in terms if term[1] or term[2]), None)


def _open(name: str, before: float, after: float) -> Delta:
    return Delta(name, before, after, after - before, within_tolerance=False)
