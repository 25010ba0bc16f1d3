"""Changes taken back by changes."""

from __future__ import annotations

import random

import pytest

from models.changes import CHANGES, apply, inverse, read_changes
from models.changes.diff import alike, touched
from tests.factories import small_dataset
from tests.models.changes.changes_kit import reference

TURNED = {
    "site.density", "retrofit.allow", "retrofit.forbid", "supply.price", "contract.resize", "contract.price", "contract.rules",
    "energy.price", "energy.demand_charge", "carbon.price", "carbon.cap", "market.price", "market.depth", "grid.limit", "budget.cap",
    "discount.rate",
}  # fmt: skip
"""Types of which one can be taken back."""
FOR_GOOD = {"site.close", "site.outage", "contract.add", "contract.terminate", "place.forbid", "place.force", "supply.add"}
"""Types of which none can."""
SEEDS = range(3)


@pytest.mark.parametrize("kind", sorted(set(CHANGES) - {"freeze.before"}))
def test_what_takes_a_change_back_leaves_the_dataset_as_it_was(kind: str) -> None:
    dataset, found = reference(), 0
    for seed in SEEDS:
        change = CHANGES[kind].sample(dataset, random.Random(seed))
        if change is None:
            continue
        after = apply(dataset, [change]).dataset
        back = inverse(change, dataset)
        if back is None:
            continue
        found += 1
        assert touched(dataset, after)
        assert alike(apply(after, [back]).dataset, dataset)
        if found:
            break
    if kind in TURNED:
        assert found
    if kind in FOR_GOOD:
        assert not found


def test_the_inverse_says_what_is_undone() -> None:
    (change,) = read_changes([{"type": "discount.rate", "discount_rate": 0.2}])
    dataset = small_dataset()
    back = inverse(change, dataset)
    assert back is not None
    assert back.model_dump() == {"type": "discount.rate", "discount_rate": dataset.settings.discount_rate}


def test_a_change_that_alters_nothing_needs_no_inverse() -> None:
    dataset = small_dataset()
    (change,) = read_changes([{"type": "discount.rate", "discount_rate": dataset.settings.discount_rate}])
    assert inverse(change, dataset) is None


def test_figures_are_alike_within_rounding_only() -> None:
    dataset = small_dataset().replace({"discount_rate": 0.1})
    near, far = (dataset.replace({"discount_rate": 0.1 * factor}) for factor in (1 + 1e-12, 1 + 1e-6))
    assert alike(dataset, near)
    assert not alike(dataset, far)
