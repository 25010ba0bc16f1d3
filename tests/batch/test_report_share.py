"""A share of what is owed reads 100 % only if all of it is delivered, in the report as in the terminal."""

from __future__ import annotations

import pytest

from batch.report.page import report_html
from batch.report.tables import contracts_table, percent
from tests.models.hand_plan import hand_dataset, hand_plan


@pytest.mark.parametrize(
    ("value", "text"), [(1.0, "100.0%"), (0.99991, "99.9%"), (0.9995, "99.9%"), (0.9994, "99.9%"), (0.5, "50.0%"), (0.0, "0.0%"), (float("nan"), "")]
)  # fmt: skip
def test_percent(value: float, text: str) -> None:
    assert percent(value) == text


def test_a_contract_a_little_short_is_not_delivered_in_full() -> None:
    """0.01 of 100 GPUs short throughout: 99.99 % delivered; the other contract gets all."""
    plan = hand_plan(contracts=hand_plan().contracts.assign(short_gpus=[0.01] * 4 + [0.0] * 3))
    html = contracts_table(plan, hand_dataset())
    assert html.count(">99.9%<") == 1
    assert html.count(">100.0%<") == 1
    assert "<span>firm GPU-hours</span><b>99.9%</b>" in report_html(plan, hand_dataset())
