"""A plan edited by hand so that it names what its dataset does not have: a message, never half a report."""

from __future__ import annotations

from pathlib import Path

import pytest

from batch.report import write_report
from models.faults import PlanError
from tests.models.hand_plan import hand_dataset, hand_plan


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [("sites", "site_id", "zz"), ("sites", "period", "2050-Q1"), ("racks", "site_id", "zz"), ("deliveries", "contract_id", "zz")],
)
def test_unknown_names_are_refused(table: str, column: str, value: str, tmp_path: Path) -> None:
    frame = hand_plan()[table].copy()
    frame.loc[0, column] = value
    path = tmp_path / "report.html"
    path.write_text("the report before")
    with pytest.raises(PlanError) as raised:
        write_report(hand_plan(**{table: frame}), hand_dataset(), path)
    assert [(fault.table, fault.column, fault.value) for fault in raised.value.faults] == [(table, column, value)]
    assert path.read_text() == "the report before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.html"]


def test_the_plan_itself_has_a_report(tmp_path: Path) -> None:
    write_report(hand_plan(), hand_dataset(), tmp_path / "report.html")
    assert "<h2>What binds</h2>" in (tmp_path / "report.html").read_text(encoding="utf-8")
