"""Searches for serving sites on small random datasets, and what their choices are worth."""

from __future__ import annotations

import numpy as np
import pytest

from optimizer.formulation import formulate
from optimizer.highs import Control, Outcome, Program
from optimizer.instance import Instance
from optimizer.matrix import Matrix, compile_matrix
from optimizer.relieve import held_to
from optimizer.sites import SiteSearch, order
from tests.generator import random_dataset


def has_choice(seed: int) -> bool:
    """Whether some contract of a dataset has a choice of sites."""
    return bool(order(Instance(random_dataset(seed))))


def searched(seed: int, draws: int = 0) -> tuple[Matrix, SiteSearch]:
    """A model and a search of it whose relaxation is solved."""
    instance = Instance(random_dataset(seed))
    matrix = compile_matrix(formulate(instance))
    search = SiteSearch(instance, matrix, Control(), draws)
    assert search.relax()
    if not search.contracts:
        pytest.skip("no contract has a choice of sites")
    return matrix, search


def worth(matrix: Matrix, search: SiteSearch) -> float:
    """Objective of the model with the sites that a search has chosen, solved from nothing."""
    lower, upper = held_to(matrix, search.sets)
    program = Program(matrix, threads=1)
    program.bound(np.arange(matrix.shape[1]), lower, upper)
    found = program.solve(Control())
    assert found.outcome is Outcome.OPTIMAL
    return found.objective
