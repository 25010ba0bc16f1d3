"""The schema itself, faults and what datasets give."""

from __future__ import annotations

import pytest

from models.dataset import Dataset
from models.faults import DatasetError, Fault, closest
from models.tables import COLUMNS, KEYS, ROW_TYPES, Contract, EnergySlice, Site, Source
from tests.factories import small_dataset, small_tables


def test_every_table_has_a_key_and_refers_to_tables_with_one_id() -> None:
    for name, cols in COLUMNS.items():
        assert KEYS[name], name
        for column in cols:
            if column.ref:
                assert len(KEYS[column.ref]) == 1, (name, column.name)


def test_ranges_and_defaults_of_columns() -> None:
    site = {c.name: c for c in COLUMNS["sites"]}
    assert (site["pue_air"].low, site["pue_air"].high, site["pue_air"].required) == (1, 10, True)
    assert (site["overhead_mw"].default, site["overhead_mw"].low) == (0.0, 0)
    assert (site["max_rack_kw"].default, site["max_rack_kw"].none_means) == (None, "any rack")
    negative = {c.name for cols in COLUMNS.values() for c in cols if c.kind in ("number", "integer") and c.low < 0}
    assert negative == {"lat", "lon", "usd_per_mwh"}
    assert {c.name for c in COLUMNS["energy"] if c.key} == {"price_zone", "from_period", "season", "slice"}
    assert site["status"].allowed == "one of open, candidate"
    assert {c.name: c for c in COLUMNS["generations"]}["rack_kw"].allowed == "a number above 0"


def test_defaults_are_filled_in() -> None:
    dataset = small_dataset()
    (energy,), (contract,) = dataset.rows(EnergySlice), dataset.rows(Contract)
    assert energy.season is None
    assert (contract.cluster_grace, contract.max_short_share, contract.zones, contract.max_sites) == (2, 1.0, (), None)
    assert dataset["sites"]["overhead_mw"].tolist() == [0.0, 0.0]
    assert dataset["sites"]["status"].tolist() == ["open", "open"]


def test_rows_are_what_pydantic_would_make_of_them() -> None:
    dataset = small_dataset(sources=[{"table": "sites", "column": "lat"}], contracts=[{"contract_id": "c", "sites": "a;b"}])
    for name, row_type in ROW_TYPES.items():
        for row in dataset.table_rows(name):
            plain = {c.name: getattr(row, c.field) for c in COLUMNS[name]}
            assert row_type.model_validate(plain) == row
    assert dataset.rows(Source)[0].table_ == "sites"


def test_frames_are_copies() -> None:
    dataset = small_dataset()
    frame = dataset["sites"]
    frame.loc[0, "name"] = "changed"
    assert dataset["sites"].loc[0, "name"] == "a"


def test_replace_gives_another_dataset() -> None:
    dataset = small_dataset()
    other = dataset.replace({"discount_rate": 0.1}, sites=dataset.rows(Site)[:1])
    assert (len(other["sites"]), other.settings.discount_rate) == (1, 0.1)
    assert (len(dataset["sites"]), dataset.settings.discount_rate) == (2, 0.0)
    assert other.sha256 != dataset.sha256


def test_faults_read_as_one_line() -> None:
    fault = Fault("sites.csv", "is negative", row="line 3", column="overhead_mw", value="-1", allowed="a number of at least 0")
    assert str(fault) == "sites.csv, line 3, overhead_mw: is negative (found '-1'); allowed: a number of at least 0"
    assert len(str(Fault("t", "p", value="x" * 1000))) < 120
    assert str(DatasetError([fault, fault])).count("\n") == 1


def test_closest_spelling() -> None:
    assert closest("dalas", ["dallas", "denton"]) == "dallas"
    assert closest("oslo", ["dallas", "denton"]) == ""


def test_the_factory_refuses_misspelt_names_and_follows_the_rows_given() -> None:
    with pytest.raises(TypeError, match="sitess"):
        small_dataset(sitess=[])
    _, tables = small_tables(
        contracts=[{"contract_id": "x", "start": "2026-Q2"}, {"contract_id": "y"}],
        sites=[{"site_id": "s", "status": "candidate", "price_zone": "Q"}],
    )
    assert [row["from_period"] for row in tables["contract_ramp"]] == ["2026-Q2", "2026-Q1"]
    assert [row["price_zone"] for row in tables["energy"]] == ["Q"]
    assert tables["power_blocks"][0]["status"] == "option"
    assert isinstance(small_dataset(period="month"), Dataset)
