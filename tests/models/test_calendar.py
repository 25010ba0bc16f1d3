"""Periods, hours, seasons and discount factors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.calendar import Calendar, PeriodKind, ordinal

KINDS = {PeriodKind.MONTH: "2026-01", PeriodKind.QUARTER: "2026-Q1", PeriodKind.YEAR: "2026"}


@given(kind=st.sampled_from(list(KINDS)), offset=st.integers(-100, 150))
def test_labels_and_indices_are_inverse_inside_and_outside_the_horizon(kind: PeriodKind, offset: int) -> None:
    calendar = Calendar(KINDS[kind], 4, kind)
    assert calendar.index(calendar.label(offset)) == offset


def test_labels_of_each_kind() -> None:
    assert Calendar("2025-Q4", 3).labels == ["2025-Q4", "2026-Q1", "2026-Q2"]
    assert Calendar("2025-11", 3, PeriodKind.MONTH).labels == ["2025-11", "2025-12", "2026-01"]
    assert Calendar("2025", 2, PeriodKind.YEAR).labels == ["2025", "2026"]
    assert Calendar("2025-Q4", 3).label(-4) == "2024-Q4"


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        ("2026-Q5", "quarter"),
        ("2026-Q0", "quarter"),
        ("2026-13", "month"),
        ("2026-1", "month"),
        ("26", "year"),
        ("2026-Q1 ", "quarter"),
        ("2026-Q1\n", "quarter"),
        ("", "quarter"),
        ("２０２６", "year"),
    ],
)
def test_other_labels_are_refused_with_an_example(label: str, kind: str) -> None:
    with pytest.raises(ValueError, match="written like 2026"):
        ordinal(label, PeriodKind(kind))


def test_a_label_may_be_of_any_year_but_a_horizon_begins_near_today() -> None:
    calendar = Calendar("2026-Q1", 4)
    assert calendar.index("9999-Q4") == (9999 - 2026) * 4 + 3
    assert calendar.label(calendar.index("0001-Q1")) == "0001-Q1"
    for start in ("1899-Q4", "2201-Q1"):
        with pytest.raises(ValueError, match="of the years 1900 to 2200, written like 2026-Q1"):
            Calendar(start, 4)
    assert Calendar("2200-Q4", 1200).hours.min() > 0


def test_hours_follow_the_calendar_with_leap_days() -> None:
    assert Calendar("2027-Q4", 3).hours.tolist() == [92 * 24, 91 * 24, 91 * 24]
    assert Calendar("2028-02", 1, PeriodKind.MONTH).hours.tolist() == [29 * 24]
    assert Calendar("2027", 2, PeriodKind.YEAR).hours.tolist() == [8760, 8784]


def test_seasons_are_calendar_quarters_and_a_year_takes_each_by_its_hours() -> None:
    assert Calendar("2025-Q4", 2).season_weights.tolist() == [[0, 0, 0, 1], [1, 0, 0, 0]]
    assert Calendar("2026-04", 1, PeriodKind.MONTH).season_weights.tolist() == [[0, 1, 0, 0]]
    year = Calendar("2028", 1, PeriodKind.YEAR).season_weights[0]
    assert year == pytest.approx(np.array([91, 91, 92, 92]) / 366)


def test_calendar_years() -> None:
    assert Calendar("2025-Q4", 6).years == [2025, 2026, 2026, 2026, 2026, 2027]


def test_discount_factors_lie_in_the_middle_of_periods() -> None:
    calendar = Calendar("2026-Q1", 4)
    assert calendar.months == 3
    assert calendar.discount(0.21)[0] == pytest.approx(1.21 ** (-0.125))
    assert calendar.discount(0.21)[3] == pytest.approx(1.21 ** (-0.875))
    assert calendar.discount_end(0.21) == pytest.approx(1 / 1.21)
    assert calendar.discount(0.0).tolist() == [1, 1, 1, 1]
