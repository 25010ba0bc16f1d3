"""Known wrong answers of HiGHS, on small models from its bug threads: what the pinned release says, and what is right.

Each file ``highs_bugs/<number>.lp`` holds the model of the HiGHS thread of that number. 2957, 2975, 3002,
3043, 3050, 3073 and 3094 are one family: 1.14.0 called a worse solution optimal, because its presolve
(singleton columns in rows of mixed kinds) lost track of a row's activity; 1.15.1 answers all of them.
3274 is still wrong in 1.15.1: its presolve tightens the coefficient of a continuous column that is whole by
implication, with a bound by implication that is fractional, and cuts off the optimum. Presolve off, or
declaring the column a whole number, gives the right answer; finite bounds alone do not, and neither does a start from the optimum.

A new release of HiGHS that behaves otherwise fails here, so that the notes are read again before it is taken.
"""

from __future__ import annotations

from pathlib import Path

import highspy
import numpy as np
import pyscipopt
import pytest
from scipy.sparse import csc_array

from optimizer.highs import VERSION, Control, Outcome, Program, certified_bound
from optimizer.matrix import Matrix

FOLDER = Path(__file__).parent / "highs_bugs"
RIGHT = {
    "2957": 28.2,
    "2975": 20.0,
    "3002": 64.0,
    "3043": 9.0,
    "3050": -299.97,
    "3073": 0.03,
    "3094": 8000.0,
    "3274": 0.0,
    "3274-finite": 0.0,
}
"""Optimum of each model, by hand."""
STILL_WRONG = {"3274": 1.0, "3274-finite": 1.0}
"""What HiGHS 1.15.1 calls the optimum, with presolve."""


def loaded(name: str, **options: str | bool) -> highspy.Highs:
    highs = highspy.Highs()
    for option, value in {"output_flag": False, **options}.items():
        assert highs.setOptionValue(option, value) == highspy.HighsStatus.kOk
    assert highs.readModel(str(FOLDER / f"{name}.lp")) == highspy.HighsStatus.kOk
    return highs


def optimum(highs: highspy.Highs) -> float:
    """Objective that HiGHS calls optimal."""
    highs.run()
    assert highs.getModelStatus() == highspy.HighsModelStatus.kOptimal
    return float(highs.getInfo().objective_function_value)


def matrix(name: str) -> Matrix:
    """The model in the arrays that the project solves from."""
    lp = loaded(name).getLp()
    a = lp.a_matrix_
    assert a.format_ == highspy.MatrixFormat.kColwise
    whole = np.array([kind == highspy.HighsVarType.kInteger for kind in lp.integrality_])
    return Matrix(
        a=csc_array((np.array(a.value_), np.array(a.index_), np.array(a.start_)), shape=(lp.num_row_, lp.num_col_)),
        cost=np.array(lp.col_cost_), offset=lp.offset_, row_lower=np.array(lp.row_lower_), row_upper=np.array(lp.row_upper_),
        lower=np.array(lp.col_lower_), upper=np.array(lp.col_upper_), integer=whole, columns={}, rows={},
    )  # fmt: skip


def test_the_release_that_these_notes_are_about() -> None:
    assert VERSION == "1.15.1"


def test_every_model_has_an_optimum_by_hand() -> None:
    assert {path.stem for path in FOLDER.glob("*.lp")} == set(RIGHT)


@pytest.mark.parametrize("name", RIGHT)
def test_scip_confirms_the_optimum(name: str) -> None:
    scip = pyscipopt.Model()
    scip.hideOutput()
    scip.readProblem(str(FOLDER / f"{name}.lp"))
    scip.optimize()
    assert scip.getStatus() == "optimal"
    assert scip.getObjVal() == pytest.approx(RIGHT[name], abs=1e-6)


@pytest.mark.parametrize("name", RIGHT)
def test_with_presolve(name: str) -> None:
    assert optimum(loaded(name)) == pytest.approx(STILL_WRONG.get(name, RIGHT[name]), abs=1e-6)


@pytest.mark.parametrize("name", RIGHT)
def test_without_presolve(name: str) -> None:
    assert optimum(loaded(name, presolve="off")) == pytest.approx(RIGHT[name], abs=1e-6)


@pytest.mark.parametrize("name", RIGHT)
def test_in_the_configuration_of_the_project(name: str) -> None:
    """The project keeps presolve on, so it hears the same wrong answer; only proofs apart from the solver can tell."""
    found = Program(matrix(name), integer=True, threads=1).solve(Control())
    assert found.outcome is Outcome.OPTIMAL
    assert found.objective == pytest.approx(STILL_WRONG.get(name, RIGHT[name]), abs=1e-6)


def test_finite_bounds_alone_do_not_help_and_a_start_neither() -> None:
    """From the optimum as a start, 1.15.1 still answers with the worse solution: a search must keep its own best."""
    found = Program(matrix("3274-finite"), integer=True, threads=1).solve(Control(), start=np.zeros(4))
    assert found.objective == pytest.approx(1.0)
    assert found.bound == pytest.approx(1.0)


@pytest.mark.parametrize("name", STILL_WRONG)
def test_declaring_what_is_whole_helps(name: str) -> None:
    """The defect needs a continuous column that is whole by implication: as a whole number it is treated rightly."""
    highs = loaded(name)
    highs.changeColIntegrality(highs.getColByName("x2")[1], highspy.HighsVarType.kInteger)
    assert optimum(highs) == pytest.approx(0.0)


def test_the_certified_bound_does_not_believe_it() -> None:
    """HiGHS proves 1, the optimum is 0; the bound from the relaxation's duals stays below 0, so that ``gap_certified`` shows the doubt."""
    m = matrix("3274-finite")
    claimed = Program(m, integer=True, threads=1).solve(Control())
    relaxed = Program(m, threads=1).solve(Control(), method="simplex")
    assert relaxed.row_dual is not None
    assert certified_bound(m, relaxed.row_dual) <= RIGHT["3274-finite"] < claimed.bound
