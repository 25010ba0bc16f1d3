"""The matrix: the same by templates, plainly, and by Pyomo's LP writer; no row lost; the report equals the objective."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

import highspy
import numpy as np
import pyomo.environ as pyo
import pytest

from models.files import read_dataset
from models.plan import NPV_TERMS
from optimizer.blocks import power
from optimizer.blocks.base import Block, BuildError, Constraint
from optimizer.decisions import decisions_of
from optimizer.extract import Extract
from optimizer.formulation import BLOCKS, formulate
from optimizer.highs import Control, Program
from optimizer.instance import Instance
from optimizer.matrix import Matrix, compile_matrix
from tests.factories import small_dataset
from tests.generator import random_dataset

REFERENCE = Path(__file__).resolve().parents[2] / "data" / "reference-2025q4"
SEEDS = (97, 104, 111)


def canonical(m: Matrix) -> tuple[Any, Any, Any]:
    """Rows turned so that each has an upper limit, which a row's sign can't blur; sorted columns."""
    sign = np.where(np.isfinite(m.row_upper), 1.0, -1.0)
    dense = m.a.toarray() * sign[:, None]
    low, high = np.where(sign > 0, m.row_lower, -m.row_upper), np.where(sign > 0, m.row_upper, -m.row_lower)
    equal = low == high
    first = np.array([row[np.flatnonzero(row)[0]] for row in dense])
    flip = np.where(equal & (first < 0), -1.0, 1.0)
    return dense * flip[:, None], np.where(flip > 0, low, -high), np.where(flip > 0, high, -low)


@pytest.mark.parametrize("seed", SEEDS)
def test_templated_and_plain_matrices_are_equal(seed: int) -> None:
    instance = Instance(random_dataset(seed))
    ours, plain = compile_matrix(formulate(instance)), compile_matrix(formulate(instance, templated=False))
    for left, right in zip(canonical(ours), canonical(plain), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-12, atol=0)
    np.testing.assert_allclose(ours.cost, plain.cost, rtol=1e-12)
    assert ours.offset == pytest.approx(plain.offset, rel=1e-12)
    assert ours.row_names() == plain.row_names()


@pytest.mark.parametrize("seed", SEEDS)
def test_pyomos_lp_writer_has_the_same_optimum(seed: int, tmp_path: Path) -> None:
    instance = Instance(random_dataset(seed))
    plain = formulate(instance, templated=False)
    plain.model.write(str(tmp_path / "m.lp"), io_options={"symbolic_solver_labels": False})
    h = highspy.Highs()
    h.setOptionValue("output_flag", False)
    h.readModel(str(tmp_path / "m.lp"))
    relaxed = h.getLp()
    relaxed.integrality_ = []
    h.passModel(relaxed)
    h.run()
    ours = Program(compile_matrix(formulate(instance)), threads=1).solve(Control())
    assert -h.getInfo().objective_function_value == pytest.approx(ours.objective, rel=1e-9)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_report_equals_the_objective_term_by_term(seed: int) -> None:
    instance = Instance(random_dataset(seed))
    f = formulate(instance)
    m = compile_matrix(f)
    program = Program(m, integer=True, threads=1)
    x = program.solve(Control()).x
    assert x is not None
    whole = np.flatnonzero(m.integer)
    exact = Program(m, threads=1, feasibility=1e-9)
    exact.bound(whole, np.round(x[whole]), np.round(x[whole]))
    solved = exact.solve(Control()).x
    assert solved is not None
    said = Extract(instance, decisions_of(instance, m, solved)).npv_terms
    model = dict.fromkeys(NPV_TERMS, 0.0)
    for term in f.terms:
        value = term.coefficients @ solved[m.of(term.variable)] if term.variable else 0.0
        model[term.name] += (term.constant + float(value)) * 1e6
    assert said == pytest.approx(model, rel=1e-9, abs=1e-2)


@pytest.mark.parametrize("name", ["reference", *SEEDS])
def test_every_declared_row_is_in_the_matrix_and_every_bound_is_finite(name: str | int) -> None:
    instance = Instance(read_dataset(REFERENCE) if name == "reference" else random_dataset(int(name)))
    f = formulate(instance)
    m = compile_matrix(f)
    for constraint in f.constraints.values():
        assert len(m.rows[constraint.name][0]) == constraint.rows(instance) == len(f.rows[constraint.name]), constraint.name
    assert np.isfinite(m.lower).all()
    assert np.isfinite(m.upper).all()
    assert sum(len(rows) for rows, _ in m.rows.values()) == m.shape[0]


@pytest.mark.parametrize("name", sorted(c.name for block in BLOCKS for c in block.constraints))
def test_a_build_that_loses_a_row_fails(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = Instance(random_dataset(SEEDS[0]))
    full = formulate(instance)
    if not full.rows[name]:
        assert full.constraints[name].rows(instance) == 0
        return
    block = next(b for b in BLOCKS if name in {c.name for c in b.constraints})
    lost = tuple(_losing(c) if c.name == name else c for c in block.constraints)
    blocks = tuple(Block(b.name, b.declare, lost, b.money) if b is block else b for b in BLOCKS)
    monkeypatch.setattr("optimizer.formulation.BLOCKS", blocks)
    with pytest.raises(BuildError, match=name):
        formulate(instance)


def _losing(constraint: Constraint) -> Constraint:
    """The constraint with an index set that has lost its last row."""
    return Constraint(constraint.number, constraint.name, constraint.rule, lambda f: list(constraint.over(f))[:-1], constraint.rows)


def test_two_parts_of_one_name_are_refused() -> None:
    f = formulate(Instance(random_dataset(SEEDS[0])))
    with pytest.raises(BuildError, match="rack_mw"):
        power.declare(f)
    assert isinstance(f.model, pyo.ConcreteModel)


def test_other_threads_add_up_as_ever_while_a_model_is_built() -> None:
    """Pyomo replaces the built-in ``sum`` of the whole process while it reads a template; a worker's other threads use it meanwhile."""
    faults: list[BaseException] = []
    added, built = threading.Event(), threading.Event()

    def add() -> None:
        while not built.is_set():
            try:
                assert sum(map(float, ())) == 0
                assert sum((n for n in (1, 2)), start=3) == 6
            except BaseException as error:
                faults.append(error)
            added.set()

    other = threading.Thread(target=add)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # threads take turns within each template
    other.start()
    try:
        added.wait()
        for _ in range(3):
            formulate(Instance(small_dataset()))
    finally:
        built.set()
        other.join()
        sys.setswitchinterval(before)
    assert not faults
