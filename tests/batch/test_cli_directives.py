"""Directives from a file laid over those of a dataset."""

from __future__ import annotations

from pathlib import Path

import pytest

from batch.commands.directives import apply_directives
from models import tables as tb
from models.dataset import Dataset
from models.faults import DatasetError
from tests.factories import small_dataset


def dataset() -> Dataset:
    """Two directives: d1 and d2."""
    return small_dataset(
        directives=[
            {"row": "d1", "rule": "max", "decision": "installed", "gen_id": "h100", "value": 3},
            {"row": "d2", "rule": "min", "decision": "installed", "site_id": "a", "value": 1, "why": "agreed"},
        ]
    )


def test_new_rows_are_added_and_rows_of_the_same_name_replaced(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("row,rule,decision,site_id,value\nd1,max,installed,b,5\nd3,fix,in_service,a,2\n")
    changed = apply_directives(dataset(), file)
    rows = {d.row: d for d in changed.rows(tb.Directive)}
    assert list(rows) == ["d2", "d1", "d3"]
    assert (rows["d1"].site_id, rows["d1"].gen_id, rows["d1"].value) == ("b", None, 5)
    assert (rows["d2"].site_id, rows["d2"].why) == ("a", "agreed")
    assert (rows["d3"].rule, rows["d3"].value) == (tb.Rule.FIX, 2)
    assert changed.sha256 != dataset().sha256


def test_the_rest_of_the_dataset_stays(tmp_path: Path) -> None:
    file = tmp_path / "same.csv"
    file.write_text("row,rule,decision,gen_id,value\nd1,max,installed,h100,3\n")
    assert apply_directives(dataset(), file).sha256 == dataset().sha256


def test_a_header_alone_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "none.csv"
    file.write_text("row,rule,decision,value\n")
    assert apply_directives(dataset(), file).sha256 == dataset().sha256


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("row,rule,decision,site_id,value\nd9,max,installed,c,5\n", ["line 2, site_id", "'c'"]),
        ("row,rule,decision,site_id,value\nd9,most,installed,a,5\n", ["line 2, rule", "'most'"]),
        ("row,rule,decision,sit_id,value\nd9,max,installed,a,5\n", ["sit_id", "did you mean 'site_id'?"]),
        ("rule,decision,value\nmax,installed,5\n", ["row"]),
        ("row,rule,decision,value\nd9,max,installed,5\nd9,max,installed,6\n", ["line 3", "d9"]),
        ("row,rule,decision,gen_id,value\nd9,max,sign,h100,1\n", ["gen_id"]),
        ("", ["is empty"]),
    ],
)
def test_faults_name_file_and_line(tmp_path: Path, text: str, named: list[str]) -> None:
    file = tmp_path / "bad.csv"
    file.write_text(text)
    with pytest.raises(DatasetError) as caught:
        apply_directives(dataset(), file)
    [fault] = caught.value.faults
    for words in (str(file), *named):
        assert words in str(fault)


def test_all_faults_at_once(tmp_path: Path) -> None:
    file = tmp_path / "bad.csv"
    file.write_text("row,rule,decision,site_id,value\nd8,max,installed,c,5\nd9,max,instaled,a,-1\n")
    with pytest.raises(DatasetError) as caught:
        apply_directives(dataset(), file)
    assert len(caught.value.faults) == 3


@pytest.mark.parametrize("what", ["missing", "folder", "utf-16"])
def test_a_file_that_cannot_be_read(tmp_path: Path, what: str) -> None:
    file = tmp_path / "directives.csv"
    if what == "folder":
        file.mkdir()
    elif what == "utf-16":
        file.write_bytes("row,rule\n".encode("utf-16"))
    with pytest.raises(DatasetError, match=r"directives\.csv: "):
        apply_directives(dataset(), file)
