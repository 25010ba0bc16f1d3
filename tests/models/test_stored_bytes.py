"""Datasets and plans as bytes: they read back equal, the same content gives the same bytes, damage is named."""

from __future__ import annotations

import gzip
import io
import zipfile

import pytest

from models.faults import DatasetError, PlanError
from models.files import dataset_from_bytes, dataset_to_bytes
from models.plan_files import FORMATS, plan_from_bytes, plan_to_bytes
from tests.factories import small_dataset
from tests.models.hand_plan import hand_plan


def test_dataset_reads_back_equal_from_the_same_bytes() -> None:
    given = small_dataset(name="Zürich")
    data = dataset_to_bytes(given)
    assert dataset_from_bytes(data).to_plain() == given.to_plain()
    assert dataset_from_bytes(data).sha256 == given.sha256
    assert dataset_to_bytes(small_dataset(name="Zürich")) == data


def test_damaged_dataset_is_named() -> None:
    data = dataset_to_bytes(small_dataset())
    for damaged in (b"", b"{}", data[:-20], data[:40] + b"\0" * 40 + data[80:]):
        with pytest.raises(DatasetError):
            dataset_from_bytes(damaged)
    with pytest.raises(DatasetError, match="cannot be uncompressed"):
        dataset_from_bytes(b"no gzip")
    with pytest.raises(DatasetError, match="is not an object"):
        dataset_from_bytes(gzip.compress(b"[]"))


def test_plan_reads_back_equal_from_the_same_bytes() -> None:
    given = hand_plan()
    data = plan_to_bytes(given)
    found = plan_from_bytes(data)
    assert found.summary == given.summary
    assert plan_to_bytes(found) == plan_to_bytes(hand_plan()) == data
    assert found.racks.to_dict("records") == given.racks.to_dict("records")
    assert found.events["bound_usd"].tolist()[1:] == given.events["bound_usd"].tolist()[1:]
    assert "parquet" in FORMATS


def test_damaged_plan_is_named() -> None:
    data = plan_to_bytes(hand_plan())
    for damaged in (b"", b"no zip", data[:-30]):
        with pytest.raises(PlanError, match="plan: is not a zip file"):
            plan_from_bytes(damaged)
    with pytest.raises(PlanError):
        plan_from_bytes(data[:200] + bytes(byte ^ 255 for byte in data[200:260]) + data[260:])


def test_plan_without_a_table_or_summary_is_named() -> None:
    with zipfile.ZipFile(io.BytesIO(plan_to_bytes(hand_plan()))) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    for missing, message in (("summary.json", "summary.json: missing file"), ("racks.parquet", "racks.parquet: missing table")):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for name, content in files.items():
                if name != missing:
                    archive.writestr(name, content)
        with pytest.raises(PlanError, match=message):
            plan_from_bytes(out.getvalue())
