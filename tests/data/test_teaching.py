"""The teaching datasets have the optimum that their READMEs work out by hand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from models import Dataset, read_dataset
from models.plan import Plan
from models.tables import PowerBlock
from optimizer import plan

FOLDER = Path(__file__).resolve().parents[2] / "data" / "teaching"
NAMES = ("late-megawatt", "liquid-not-power", "sign-or-decline")


def stated(name: str) -> float:
    """The NPV that the README states."""
    found = re.search(r"\*\*NPV = ([\d,]+) USD\*\*", (FOLDER / name / "README.md").read_text(encoding="utf-8"))
    assert found is not None
    return float(found[1].replace(",", ""))


def best(dataset: Dataset) -> Plan:
    return plan(dataset, gap=0, threads=1)


def widened(dataset: Dataset, **values: object) -> Dataset:
    """The dataset with the last power block that holds something changed."""
    blocks = list(dataset.rows(PowerBlock))
    chosen = [b for b in blocks if b.it_mw > 0][-1]
    return dataset.replace(power_blocks=[b.model_copy(update=values) if b is chosen else b for b in blocks])


@pytest.mark.parametrize("name", NAMES)
def test_the_optimum_is_the_one_worked_out(name: str) -> None:
    found = best(read_dataset(FOLDER / name))
    assert found.summary.npv_usd == pytest.approx(stated(name), rel=1e-9)
    assert found.summary.audit is not None
    assert found.summary.audit.passed


def test_every_dataset_is_in_the_index() -> None:
    index = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert sorted(path.name for path in FOLDER.iterdir() if path.is_dir()) == sorted(NAMES)
    assert all(f"[{name}]({name})" in index for name in NAMES)


def test_the_late_megawatt_on_time() -> None:
    """1,564,400 USD, 629,880 more."""
    assert best(widened(read_dataset(FOLDER / "late-megawatt"), energized="2026-Q1")).summary.npv_usd == pytest.approx(1_564_400)


def test_the_retrofit_is_of_six_racks_in_the_first_quarter() -> None:
    found = best(read_dataset(FOLDER / "liquid-not-power"))
    (order,) = found.decisions.to_dict("records")
    assert (order["kind"], order["period"]) == ("retrofit", "2026-Q1")
    assert order["mw"] == pytest.approx(0.6)
    without = read_dataset(FOLDER / "liquid-not-power").replace(retrofits=[])
    assert best(without).summary.npv_usd == pytest.approx(135_200)


def test_the_prospect_is_declined_and_signed_with_two_racks_more() -> None:
    dataset = read_dataset(FOLDER / "sign-or-decline")
    assert list(best(dataset).decisions["kind"]) == ["decline"]
    more = best(widened(dataset, it_mw=1.2, air_mw=1.2))
    assert list(more.decisions["kind"]) == ["sign"]
    assert more.summary.npv_usd == pytest.approx(2_245_200)
