"""Measures of searches, on trajectories whose figures follow by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.measures import (
    AtLeast,
    Point,
    best_bound,
    best_npv,
    final_gap,
    gap_of,
    geometric_mean,
    growth,
    mean_time,
    primal_gap,
    primal_integral,
    spread,
    time_to_gap,
    times_faster,
)

RUN: list[Point] = [(1.0, None, None), (2.0, 80.0, None), (4.0, 80.0, 110.0), (6.0, 100.0, 110.0), (8.0, 100.0, 101.0)]


def test_gap_is_relative_to_the_plan_and_infinite_where_unknown() -> None:
    assert gap_of(100.0, 110.0) == pytest.approx(0.1)
    assert gap_of(-100.0, -90.0) == pytest.approx(0.1)
    assert gap_of(None, 1.0) == gap_of(1.0, None) == math.inf


@pytest.mark.parametrize(("gap", "seconds"), [(0.4, 4.0), (0.1, 6.0), (0.05, 8.0), (0.01, 8.0), (0.009, None)])
def test_time_to_gap_is_when_plan_and_bound_first_meet(gap: float, seconds: float | None) -> None:
    assert time_to_gap(RUN, gap) == seconds


def test_time_to_gap_against_a_given_bound_needs_no_own_bound() -> None:
    assert time_to_gap(RUN, 0.26, bound=100.0) == 2.0
    assert time_to_gap(RUN, 0.01, bound=100.0) == 6.0
    assert time_to_gap([(1.0, 100.0, None)], 0.01) is None


def test_a_claim_withdrawn_later_does_not_count() -> None:
    withdrawn: list[Point] = [(1.0, 100.0, 100.5), (2.0, 100.0, 120.0), (3.0, 119.0, 120.0), (4.0, 119.5, 120.0)]
    assert time_to_gap(withdrawn, 0.01) == 3.0
    assert time_to_gap(withdrawn[:2], 0.01) is None


def test_what_comes_after_the_limit_does_not_count() -> None:
    assert time_to_gap(RUN, 0.01, limit=7.9) is None
    assert time_to_gap(RUN, 0.01, limit=8.0) == 8.0
    assert final_gap(RUN, limit=7.9) == pytest.approx(0.1)
    assert final_gap(RUN) == pytest.approx(0.01)
    assert final_gap(RUN, bound=100.0) == 0.0
    assert final_gap(RUN, limit=0.5) == math.inf


def test_primal_gap_of_berthold() -> None:
    assert primal_gap(None, 100.0) == 1.0
    assert primal_gap(-1.0, 100.0) == 1.0
    assert primal_gap(100.0, 100.0) == primal_gap(0.0, 0.0) == 0.0
    assert primal_gap(80.0, 100.0) == pytest.approx(0.2)
    assert primal_gap(-100.0, -80.0) == pytest.approx(0.2)


def test_primal_integral_sums_the_steps_to_the_limit() -> None:
    # nothing for 2 s, 20 % away for 4 s, then none
    assert primal_integral(RUN, 100.0, 10.0) == pytest.approx(2.0 + 4 * 0.2)
    # the search stopped at 8 s with a plan 50 % away: the rest of the time counts
    assert primal_integral(RUN, 200.0, 10.0) == pytest.approx(2.0 + 4 * 0.6 + 4 * 0.5)
    assert primal_integral(RUN, 100.0, 4.0) == pytest.approx(2.0 + 2 * 0.2)
    assert primal_integral([], 100.0, 7.0) == 7.0


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(1, 1e6)), max_size=8), st.floats(1, 100))
def test_primal_integral_lies_between_nothing_and_the_limit(found: list[tuple[float, float]], limit: float) -> None:
    trajectory: list[Point] = [(seconds, npv, None) for seconds, npv in sorted(found)]
    assert -1e-9 <= primal_integral(trajectory, 1e6, limit) <= limit * (1 + 1e-9)


def test_best_known_of_several_searches() -> None:
    others: list[list[Point]] = [RUN, [(1.0, 100.4, None)], [(1.0, None, 100.8)], []]
    assert best_npv(others) == 100.4
    assert best_bound(others) == 100.8
    assert best_npv([]) is None
    assert best_bound([[(1.0, 5.0, None)]]) is None


def test_median_and_quartiles() -> None:
    found = spread([5.0, 1.0, 3.0, 2.0, 4.0])
    assert (found.low, found.median, found.high, found.count) == (2.0, 3.0, 4.0, 5)
    assert spread([1.0, 2.0]).median == 1.5
    assert spread([1.0, 2.0, math.inf]).median == 2.0
    assert spread([1.0, 2.0, math.inf]).high == math.inf
    with pytest.raises(ValueError, match="no values"):
        spread([])


def test_shifted_geometric_mean() -> None:
    assert geometric_mean([1.0, 100.0]) == pytest.approx(10.0)
    assert geometric_mean([0.0, 30.0], shift=10.0) == pytest.approx(10.0)
    for values, shift in (([], 1.0), ([0.0], 0.0), ([-1.0], 10.0)):
        with pytest.raises(ValueError, match="geometric mean"):
            geometric_mean(values, shift)


def test_a_mean_with_times_not_reached_is_a_lower_limit() -> None:
    assert mean_time([4.0, 25.0], [60.0, 60.0]) == AtLeast(pytest.approx(10.0), True)
    assert mean_time([1.0, None], [60.0, 100.0]) == AtLeast(pytest.approx(10.0), False)


def test_times_faster() -> None:
    assert times_faster(2.0, 30.0, 60.0) == AtLeast(15.0, True)
    assert times_faster(2.0, None, 60.0) == AtLeast(30.0, False)
    assert times_faster(None, 30.0, 60.0) is None


@pytest.mark.parametrize("exponent", [1.0, 1.3, 2.0])
def test_growth_finds_the_exponent(exponent: float) -> None:
    sizes = [32.0, 128.0, 512.0]
    found = growth(sizes, [0.1 * n**exponent for n in sizes])
    assert found.exponent == pytest.approx(exponent)
    assert found.factor == pytest.approx(0.1)
    assert found.error == pytest.approx(0.0, abs=1e-7)


def test_growth_of_scattered_times_has_an_error() -> None:
    found = growth([1.0, 1.0, math.e, math.e], [1.0, math.e, 1.0, math.e])
    assert (found.exponent, found.error) == pytest.approx((0.0, math.sqrt(0.5)))
    assert math.isnan(growth([1.0, 2.0], [1.0, 2.0]).error)
    with pytest.raises(ValueError, match="two sizes"):
        growth([32.0, 32.0], [1.0, 2.0])
