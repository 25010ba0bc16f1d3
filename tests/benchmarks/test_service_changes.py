"""The changes that the service is measured with are those of the seed, and each does something."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from benchmarks import service_changes
from benchmarks.service_changes import DATASET, EACH, FILE, SEED, document, read, realistic
from models.changes import CHANGES, apply, read_changes
from models.dataset import Dataset
from models.files import read_dataset
from models.plan import Plan
from optimizer.spreadsheet import spreadsheet_plan


@pytest.fixture(scope="module")
def reference() -> Dataset:
    return read_dataset(DATASET)


@pytest.fixture(scope="module")
def baseline(reference: Dataset) -> Plan:
    """A plan that freezes can refer to."""
    return spreadsheet_plan(reference)


def test_the_list_is_what_the_seed_gives(reference: Dataset) -> None:
    """Its first third, one of each type; the rest is drawn on from there."""
    there, anew = (json.loads(text) for text in (FILE.read_text(encoding="utf-8"), document(reference, each=1)))
    assert there["changes"][: len(CHANGES)] == anew["changes"]
    assert (there["dataset"], there["seed"], there["each"]) == (anew["dataset"], anew["seed"], EACH)


def test_another_seed_gives_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_changes, "sound", lambda *_: True)  # what takes long
    service_changes.main(["--seed", str(SEED + 1), "--out", str(tmp_path / "other.json")])
    other = json.loads((tmp_path / "other.json").read_text(encoding="utf-8"))
    assert other["changes"] != json.loads(FILE.read_text(encoding="utf-8"))["changes"]


def test_the_list_has_enough_changes_of_every_type(reference: Dataset) -> None:
    changes = read(reference)
    assert Counter(change.type for change in changes) == dict.fromkeys(CHANGES, EACH)
    assert len(changes) >= 105
    assert {change.type for change in changes[: len(CHANGES)]} == set(CHANGES)  # the first ones have one of each
    assert len(set(changes)) == len(changes)


def test_each_change_alters_the_dataset_and_leaves_it_without_faults(reference: Dataset, baseline: Plan) -> None:
    hashes = set()
    some = read(reference)[1::3]
    for change in some:
        after = apply(reference, [change], baseline)
        assert [warning.code for warning in after.warnings] == [], change
        hashes.add(after.dataset.sha256)
        assert realistic(reference, change), change
    assert reference.sha256 not in hashes
    assert len(hashes) == len(some)


def test_what_is_out_of_size_is_not_realistic(reference: Dataset) -> None:
    gen = {"type": "supply.cut", "gen_id": "gb300_nvl72"}
    sizes = [({**gen, "cut_share": 0.05}, False), ({**gen, "cut_share": 0.3}, True), ({**gen, "cut_share": 0.31}, False)]
    price = {"type": "supply.price", "gen_id": "gb300_nvl72"}
    sizes += [({**price, "factor": 1.2}, True), ({**price, "factor": 0.75}, False), ({**price, "usd_per_gpu": 9.0}, True)]
    delay = {"type": "supply.delay", "gen_id": "gb300_nvl72"}
    sizes += [({**delay, "delay_periods": 3}, True), ({**delay, "delay_periods": 4}, False)]
    rate = reference.settings.discount_rate
    sizes += [({"type": "discount.rate", "discount_rate": rate + by}, by == 0.03) for by in (0.0, 0.03, 0.04)]
    for change, wanted in sizes:
        assert realistic(reference, read_changes([change])[0]) is wanted, change


def test_a_list_of_another_dataset_is_refused(reference: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "changes.json"
    path.write_text(json.dumps({"dataset": "0" * 64, "changes": []}))
    with pytest.raises(ValueError, match=r"changes\.json: drawn for another dataset"):
        read(reference, path)
