"""The random datasets are worth solving: something is decided in each, and every constraint binds in some."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from models.plan import NPV_TERMS
from models.tables import ROW_TYPES, Directive
from optimizer.decisions import decisions_of
from optimizer.extract import Extract
from optimizer.formulation import all_constraints
from optimizer.instance import Instance
from tests.generator import random_dataset, random_tables
from tests.optimizer.solved import SEEDS, random_matrix, random_solution
from tests.optimizer.tightness import tight_constraints

ENOUGH = 3
"""Datasets in which a constraint must bind."""


def test_the_same_seed_gives_the_same_dataset() -> None:
    assert random_dataset(5).sha256 == random_dataset(5).sha256 != random_dataset(6).sha256


@pytest.mark.parametrize("seed", SEEDS)
def test_every_table_is_filled(seed: int) -> None:
    _, tables = random_tables(seed)
    assert set(ROW_TYPES) - {name for name, rows in tables.items() if rows} == {"sources"}
    assert random_dataset(seed).rows(Directive)


@pytest.mark.parametrize("seed", SEEDS)
def test_doing_nothing_is_never_best(seed: int) -> None:
    """No racks, nothing signed, opened, built or converted."""
    m, x = random_matrix(seed), random_solution(seed).x
    assert x is not None
    assert any(
        np.abs(x[m.of(name)] - m.lower[m.of(name)]).sum() > 0.5 for name in ("installed", "sign", "open", "built", "retrofit_ordered")
    )


def test_contracts_are_served_in_four_of_five() -> None:
    solutions = {seed: random_solution(seed).x for seed in SEEDS}
    served = [seed for seed, x in solutions.items() if x is not None and x[random_matrix(seed).of("delivered")].sum() > 1]
    assert len(served) >= 0.8 * len(SEEDS)


def test_every_constraint_binds_in_some() -> None:
    binds: Counter[str] = Counter()
    for seed in SEEDS:
        x = random_solution(seed).x
        assert x is not None
        binds.update(tight_constraints(random_matrix(seed), x))
    assert {name: binds[name] for name, row in all_constraints().items() if binds[name] < ENOUGH and row.number < 18} == {}


def test_every_term_of_npv_occurs() -> None:
    """No term of the objective goes untested."""
    found: set[str] = set()
    for seed in SEEDS:
        x = random_solution(seed).x
        assert x is not None
        instance = Instance(random_dataset(seed))
        found.update(
            name for name, usd in Extract(instance, decisions_of(instance, random_matrix(seed), x)).npv_terms.items() if abs(usd) > 1
        )
    assert found == set(NPV_TERMS)
