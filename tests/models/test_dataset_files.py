"""Datasets survive every file format, and bad files give clear messages."""

from __future__ import annotations

import datetime
import io
import json
import os
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.dataset import Dataset
from models.faults import DatasetError, Fault, InputError, StorageError
from models.files import dataset_from_bytes, dataset_to_bytes, from_plain, read_dataset, write_dataset
from models.files.archive import archive_bytes
from models.files.atomic import write_bytes
from models.files.csv_folder import folder_files, parse_folder
from models.files.json_file import json_bytes, parse_json
from models.files.workbook import parse_workbook, workbook_bytes
from models.tables import COLUMNS
from tests.factories import small_dataset

ENDINGS = ("", ".xlsx", ".json")
AWKWARD = ["nan", "NA", "None", "null", "1e5", "007", "TRUE", "=1+1", "#N/A", "a,b", '5" pipe', "'x", "ü€𝔘", "two\nlines", "2026-03"]


def awkward_dataset() -> Dataset:
    """A dataset whose texts and numbers programs like to turn into something else."""
    sites = [
        {"site_id": "nan", "name": text, "zone": text, "country": text, "price_zone": "NA", "lat": 1 / 3, "overhead_mw": 0.1 + 0.2}
        if number == 0
        else {"site_id": f"s{number}", "name": text, "zone": text, "price_zone": "NA", "lat": -1e-9 * number}
        for number, text in enumerate(AWKWARD)
    ]
    sites += [{"site_id": name, "price_zone": "NA"} for name in ("none", "1e5", "007", "-1", "true")]
    return small_dataset(
        name='a "quoted" \\ name\nof ü',
        discount_rate=0.1,
        sites=sites,
        contracts=[{"contract_id": "null", "sites": ["nan", "1e5"], "zones": "nan;007"}, {"contract_id": "2", "end": "2026-Q3"}],
        directives=[{"decision": "sign", "contract_id": "null", "value": 1, "why": "first,\nsecond"}],
        customer_revenue_share=1 / 7,
    )


def faults_of(path: Path) -> list[Fault]:
    """Faults of the dataset at this path."""
    with pytest.raises(DatasetError) as caught:
        read_dataset(path)
    return list(caught.value.faults)


def read_bytes(files: dict[str, bytes]) -> Dataset:
    """A dataset from the files of a folder in memory."""
    return Dataset.check(parse_folder(files))


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_written_dataset_reads_back_the_same(tmp_path: Path, ending: str) -> None:
    dataset, path = awkward_dataset(), tmp_path / f"d{ending}"
    write_dataset(dataset, path)
    found = read_dataset(path)
    assert found.to_plain() == dataset.to_plain()
    assert found.sha256 == dataset.sha256


@pytest.mark.parametrize("ending", [*ENDINGS, ".zip"])
def test_a_dataset_without_contracts_and_supply_reads_back_the_same(tmp_path: Path, ending: str) -> None:
    """Tables that may not be missing may be empty: they are written so, and the content hash is the same in every format."""
    dataset, path = small_dataset(contracts=[], supply=[]), tmp_path / f"d{ending}"
    if ending == ".zip":
        path.write_bytes(archive_bytes(dataset))
    else:
        write_dataset(dataset, path)
    found = read_dataset(path)
    assert found.sha256 == dataset.sha256
    assert found["contracts"].empty
    assert dataset_from_bytes(dataset_to_bytes(dataset)).sha256 == dataset.sha256
    plain = dataset.to_plain()
    assert [name for name, rows in plain.items() if not rows] == [
        "supply", "contracts", "contract_generations", "contract_ramp", "contract_prices",
    ]  # fmt: skip
    rows = {name: dataset.table_rows(name) for name in plain if name != "dataset" and plain[name]}
    assert Dataset(dataset.settings, rows).sha256 == dataset.sha256


def test_formats_can_be_asked_for_by_name(tmp_path: Path) -> None:
    write_dataset(small_dataset(), tmp_path / "a.v2", "csv")
    write_dataset(small_dataset(), tmp_path / "b.json", "json")
    assert (tmp_path / "a.v2" / "sites.csv").is_file()
    assert read_dataset(tmp_path / "b.json").sha256 == small_dataset().sha256
    for path, name in (("c", "yaml"), ("c.xls", None), ("c.csv", None)):
        with pytest.raises(InputError, match="unknown format"):
            write_dataset(small_dataset(), tmp_path / path, name)


TEXT = st.text(st.characters(exclude_categories=("Cc", "Cs", "Cn")), min_size=1, max_size=20).filter(lambda s: s.strip() == s and s)
NUMBER = st.floats(0, 1e15, allow_nan=False)


@settings(max_examples=40, deadline=None)
@given(name=TEXT, zone=TEXT, numbers=st.lists(NUMBER, min_size=3, max_size=3), lat=st.floats(-90, 90))
def test_any_text_and_number_survives_every_format(name: str, zone: str, numbers: list[float], lat: float) -> None:
    site = {"site_id": "a", "name": name, "zone": zone, "price_zone": zone, "lat": lat}
    rates = dict(zip(("overhead_mw", "wue_l_per_kwh", "water_limit_m3_per_period"), numbers, strict=True))
    dataset = small_dataset(name=name, sites=[{**site, **rates}, {"site_id": "b"}])
    plain = dataset.to_plain()
    assert read_bytes(folder_files(dataset)).to_plain() == plain
    for found in (parse_workbook("w", workbook_bytes(dataset)), parse_json("j", json_bytes(dataset))):
        assert not isinstance(found, Fault)
        again = Dataset.check(found)
        assert again.to_plain() == plain
        assert again.sha256 == dataset.sha256


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(random=st.randoms(use_true_random=False), data=st.data())
def test_the_hash_depends_on_content_alone(random: Any, data: st.DataObject) -> None:
    dataset = awkward_dataset()
    plain = dataset.to_plain()
    shuffled = {}
    names = list(plain)
    random.shuffle(names)
    for name in names:
        if name == "dataset":
            shuffled[name] = dict(random.sample(list(plain[name].items()), len(plain[name])))
            continue
        defaults = {c.name: c.default for c in COLUMNS[name] if not c.required}
        rows = [dict(random.sample(list(row.items()), len(row))) for row in plain[name]]
        random.shuffle(rows)
        drop_defaults = data.draw(st.booleans())
        keep = {k for row in rows for k, v in row.items() if k not in defaults or v not in (defaults[k], [])}
        shuffled[name] = [{k: _retyped(v, random) for k, v in row.items() if not drop_defaults or k in keep} for row in rows]
    assert from_plain(shuffled).sha256 == dataset.sha256


def _retyped(value: Any, random: Any) -> Any:
    """The same cell as a number, an integer or text."""
    if isinstance(value, list):
        return random.choice([value, list(reversed(value)), ";".join(value)])
    if isinstance(value, (int, float)):
        return random.choice([value, float(value), repr(value)])
    return value


@pytest.mark.parametrize(
    "change",
    [{"periods": 5}, {"discount_rate": 1e-9}, {"name": "other"}, {"supply": []}, {"supply": [{"gen_id": "h100", "racks": 11}]}],
)
def test_the_hash_changes_with_the_content(change: dict[str, Any]) -> None:
    assert small_dataset(**change).sha256 != small_dataset().sha256


def _csv(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(content) and None


def _folder_for(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).mkdir()

    return change


def _append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


HEADER = b"gen_id,period,racks\n"
BAD_CSV: list[tuple[str, Callable[[Path], None], tuple[str, str, str]]] = [
    ("a folder", _folder_for("supply.csv"), ("supply.csv", "", "not_a_file")),
    ("a pipe", lambda f: os.mkfifo(f / "fleet.csv"), ("fleet.csv", "", "not_a_file")),
    ("empty", _csv("supply.csv", b""), ("supply.csv", "", "empty_file")),
    ("blank", _csv("supply.csv", b"\n , ,\n\n"), ("supply.csv", "", "empty_file")),
    ("UTF-16 with a mark", _csv("supply.csv", HEADER.decode().encode("utf-16")), ("supply.csv", "", "encoding")),
    ("UTF-16 without a mark", _csv("supply.csv", HEADER.decode().encode("utf-16-le")), ("supply.csv", "line 1", "encoding")),
    ("Latin-1", _csv("supply.csv", HEADER + b"h\xe9,2026-Q1,1\n"), ("supply.csv", "line 2", "encoding")),
    ("a quote at the end", _csv("supply.csv", HEADER + b'h100,2026-Q1,"1\n'), ("supply.csv", "line 2", "bad_csv")),
    ("a quote over lines", _csv("supply.csv", HEADER + b'"h100,2026-Q1,1\nh100,"2026-Q2",1\n'), ("supply.csv", "line 2", "bad_csv")),
    ("an endless field", _csv("supply.csv", HEADER + b'"' + b"x,\n" * 99_999), ("supply.csv", "line 2", "bad_csv")),
    ("too many cells", _csv("supply.csv", HEADER + b"h100,2026-Q1,1,7\n"), ("supply.csv", "line 2", "cell_count")),
    ("too few cells", _csv("supply.csv", HEADER + b"\nh100,2026-Q1\n"), ("supply.csv", "line 3", "cell_count")),
    ("a column twice", _csv("supply.csv", b"gen_id,period,racks,racks\nh100,2026-Q1,1,2\n"), ("supply.csv", "line 1", "duplicate_column")),
    (
        "a column without a name",
        _csv("supply.csv", b"gen_id,,period,racks\nh100,x,2026-Q1,1\n"),
        ("supply.csv", "line 1", "unnamed_column"),
    ),
    ("semicolons", _csv("supply.csv", b"gen_id;period;racks\nh100;2026-Q1;1\n"), ("supply.csv", "line 1", "bad_csv")),
    ("a long line", _csv("supply.csv", HEADER + b"x" * (2 << 20)), ("supply.csv", "line 2", "too_long")),
    ("an unknown file", _csv("notes.txt", b"x"), ("notes.txt", "", "unknown_file")),
    ("a misspelt table", _csv("fleets.csv", b"x\n"), ("fleets.csv", "", "unknown_table")),
    ("no settings", lambda f: (f / "dataset.toml").unlink(), ("dataset.toml", "", "missing_file")),
    ("bad TOML", _csv("dataset.toml", b'name = "x"\nstart = 2026-Q1\n'), ("dataset.toml", "line 2", "bad_toml")),
    ("a faulty setting", lambda f: _append(f / "dataset.toml", "\ndiscont = 2\n"), ("dataset.toml", "line 10", "unknown_column")),
    ("bad bytes in TOML", _csv("dataset.toml", b'name = "\xff"\n'), ("dataset.toml", "line 1", "encoding")),
    ("a value on line 3", _csv("supply.csv", HEADER + b'\r\n"h100","2026-Q1","x"\r\n'), ("supply.csv", "line 3", "not_a_number")),
]


@pytest.mark.parametrize(("change", "expected"), [c[1:] for c in BAD_CSV], ids=[c[0] for c in BAD_CSV])
def test_a_bad_file_gives_one_message(tmp_path: Path, change: Callable[[Path], None], expected: tuple[str, str, str]) -> None:
    folder = tmp_path / "d"
    write_dataset(small_dataset(), folder)
    change(folder)
    assert [(f.table, f.row, f.code) for f in faults_of(folder)] == [expected]


def test_several_bad_files_are_reported_together(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    write_dataset(small_dataset(), folder)
    for name, content in {"dataset.toml": b"x", "supply.csv": b"", "sitess.csv": b"", "energy.csv": b"\xff\xfe"}.items():
        (folder / name).write_bytes(content)
    assert {(f.table, f.code) for f in faults_of(folder)} == {
        ("dataset.toml", "bad_toml"), ("supply.csv", "empty_file"), ("sitess.csv", "unknown_table"), ("energy.csv", "encoding"),
    }  # fmt: skip


def test_a_line_of_100_mb_is_refused_without_reading_it(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    write_dataset(small_dataset(), folder)
    with open(folder / "supply.csv", "wb") as file:
        file.truncate(100 << 20)
    tracemalloc.start()
    faults = faults_of(folder)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [(f.table, f.code) for f in faults] == [("supply.csv", "too_large")]
    assert peak < 10 << 20


@pytest.mark.parametrize("ends", [b"\r\n", b"\r", b"\n"])
def test_byte_order_marks_line_ends_notes_and_blank_rows_do_no_harm(tmp_path: Path, ends: bytes) -> None:
    dataset = awkward_dataset()
    folder = tmp_path / "d"
    write_dataset(dataset, folder)
    for path in folder.glob("*.csv"):
        content = path.read_bytes()
        if b"lines" not in content and b"second" not in content:  # a line end inside a cell is content
            path.write_bytes(b"\xef\xbb\xbf" + content.replace(b"\n", ends) + b",,,".replace(b",", b", ") + ends)
    (folder / "README.md").write_text("notes")
    (folder / ".~lock.sites.csv#").write_text("")
    assert read_dataset(folder).sha256 == dataset.sha256


def test_permission_denied_is_one_message_among_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "d"
    write_dataset(small_dataset(), folder)
    (folder / "energy.csv").write_bytes(b"")
    real = os.stat

    def denied(path: Any, *args: Any, **kwargs: Any) -> os.stat_result:
        if str(path).endswith("supply.csv"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *args, **kwargs)

    monkeypatch.setattr("models.files.csv_folder.os.stat", denied)
    found = {f.table: str(f) for f in faults_of(folder)}
    assert found.keys() == {"supply.csv", "energy.csv"}
    assert found["supply.csv"] == "supply.csv: cannot be read: permission denied"


def test_a_missing_path_suggests_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "reference").mkdir()
    assert faults_of(tmp_path / "refernce")[0].suggestion == "reference"
    assert faults_of(tmp_path / "reference")[0].code == "no_dataset"
    write_dataset(small_dataset(), tmp_path / "d")
    assert faults_of(tmp_path / "d" / "sites.csv")[0].allowed == "the folder d, not a file in it"
    (tmp_path / "d.txt").write_text("x")
    assert faults_of(tmp_path / "d.txt")[0].code == "unknown_format"


def _edit(path: Path, change: Callable[[openpyxl.Workbook], None]) -> None:
    book = openpyxl.load_workbook(path)
    change(book)
    book.save(path)


BAD_BOOKS: list[tuple[str, Callable[[openpyxl.Workbook], Any], tuple[str, str, str, str]]] = [
    ("wrong sheet name", lambda b: setattr(b["supply"], "title", "suply"), ("sheet suply", "", "", "unknown_table")),
    ("no settings", lambda b: b.remove(b["dataset"]), ("sheet dataset", "", "", "missing_file")),
    ("settings without header", lambda b: b["dataset"].delete_rows(1), ("sheet dataset", "row 1", "", "bad_settings")),
    ("a setting twice", lambda b: b["dataset"].append(["name", "x"]), ("sheet dataset", "row 10", "name", "duplicate_key")),
    ("empty sheet", lambda b: b["supply"].delete_rows(1, 9), ("sheet supply", "", "", "empty_file")),
    ("text for a number", lambda b: b["sites"].__setitem__("G3", "x"), ("sheet sites", "row 3", "price_zone", "missing_price")),
    ("error cell", lambda b: b["supply"].__setitem__("C2", "#DIV/0!"), ("sheet supply", "row 2", "racks", "not_finite")),
    ("date for a quarter", lambda b: b["supply"].__setitem__("B2", datetime.date(2026, 1, 1)), ("sheet supply", "row 2", "period", "bad_period")),
    ("yes for a number", lambda b: b["supply"].__setitem__("C2", True), ("sheet supply", "row 2", "racks", "not_a_number")),
    ("formula without value", lambda b: b["market"].__setitem__("E2", "=1+1"), ("sheet market", "row 2", "", "formula")),
]  # fmt: skip


@pytest.mark.parametrize(("change", "expected"), [c[1:] for c in BAD_BOOKS], ids=[c[0] for c in BAD_BOOKS])
def test_a_bad_workbook_gives_its_message(
    tmp_path: Path, change: Callable[[openpyxl.Workbook], None], expected: tuple[str, str, str, str]
) -> None:
    path = tmp_path / "d.xlsx"
    write_dataset(small_dataset(market=[{"gen_id": "h100"}]), path)
    _edit(path, change)
    assert (faults_of(path)[0].table, faults_of(path)[0].row, faults_of(path)[0].column, faults_of(path)[0].code) == expected


def test_numbers_dates_and_notes_of_a_spreadsheet_are_understood(tmp_path: Path) -> None:
    path = tmp_path / "d.xlsx"
    dataset = small_dataset(period="month")
    write_dataset(dataset, path)

    def as_a_person_would(book: openpyxl.Workbook) -> None:
        book["supply"]["B2"] = datetime.datetime(2026, 1, 1)  # typing 2026-01 makes a date
        book["supply"]["C2"] = 10.0
        book["supply"]["F9"] = "  "
        book.create_sheet("readme").append(["anything"])

    _edit(path, as_a_person_would)
    assert read_dataset(path).sha256 == dataset.sha256


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 broken", b"\xd0\xcf\x11\xe0\xa1\xb1", b"text"], ids=["empty", "cut", "xls", "text"])
def test_a_corrupt_workbook_gives_one_message(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "d.xlsx"
    path.write_bytes(content)
    (fault,) = faults_of(path)
    assert fault.code in ("empty_file", "bad_workbook")
    assert "d.xlsx" in fault.table


def test_a_workbook_cut_anywhere_gives_a_message(tmp_path: Path) -> None:
    whole = workbook_bytes(small_dataset())
    for part in range(1, 20):
        found = parse_workbook("w", whole[: len(whole) * part // 20])
        assert isinstance(found, Fault)
    inside = tmp_path / "d.xlsx"
    with zipfile.ZipFile(inside, "w") as archive:
        archive.writestr("anything.txt", "x")
    assert faults_of(inside)[0].code == "bad_workbook"


BAD_JSON = [
    (b"", "empty_file"),
    (b"{", "bad_json"),
    (b"[]", "bad_json"),
    (b"\xff{}", "encoding"),
    (b"[" * 100_000, "bad_json"),
    (b'{"dataset": 1' + b"0" * 5000 + b"}", "bad_json"),
]


@pytest.mark.parametrize(("content", "code"), BAD_JSON)
def test_a_bad_json_file_gives_one_message(tmp_path: Path, content: bytes, code: str) -> None:
    path = tmp_path / "d.json"
    path.write_bytes(content)
    assert [f.code for f in faults_of(path)] == [code]


def test_faults_inside_a_json_document_are_all_reported() -> None:
    plain = json.loads(json_bytes(small_dataset()))
    plain["supply"] = {"gen_id": "h100"}
    plain["energy"].append(5)
    plain["sites"][0]["overhead_mw"] = float("nan")
    with pytest.raises(DatasetError) as caught:
        from_plain(plain)
    assert {(f.pointer, f.code) for f in caught.value.faults} == {
        ("/supply", "bad_json"), ("/energy/1", "bad_json"), ("/sites/0/overhead_mw", "not_finite"),
    }  # fmt: skip
    twice = parse_json("j", b'{"dataset": {"name": "a", "name": "b"}, "sites": [], "sites": []}')
    assert not isinstance(twice, Fault)
    assert [(f.column, f.code) for f in twice.faults] == [("sites", "duplicate_key"), ("name", "duplicate_key")]
    for document in (None, [], {}, {"dataset": 5}):
        with pytest.raises(DatasetError):
            from_plain(document)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_full_disk_leaves_the_old_dataset_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str) -> None:
    path = tmp_path / f"d{ending}"
    write_dataset(small_dataset(), path)
    before = sorted(p.name for p in tmp_path.iterdir())
    calls = []

    def full(handle: int) -> None:
        calls.append(handle)
        if len(calls) == (3 if ending == "" else 1):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("models.files.atomic.os.fsync", full)
    with pytest.raises(StorageError, match=r"cannot write .*No space left on device"):
        write_dataset(awkward_dataset(), path)
    assert sorted(p.name for p in tmp_path.iterdir()) == before
    assert read_dataset(path).sha256 == small_dataset().sha256


def test_a_dataset_is_replaced_as_a_whole_and_notes_stay(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    write_dataset(awkward_dataset(), folder)
    (folder / "README.md").write_text("mine")
    write_dataset(small_dataset(), folder)
    assert read_dataset(folder).sha256 == small_dataset().sha256
    assert not (folder / "directives.csv").exists()
    assert (folder / "README.md").read_text() == "mine"
    assert [p.name for p in tmp_path.iterdir()] == ["d"]


def test_a_dataset_is_replaced_where_names_cannot_be_exchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.files.atomic._exchange", lambda one, other: False)
    test_a_dataset_is_replaced_as_a_whole_and_notes_stay(tmp_path)
    real = os.rename

    def failing(source: Any, target: Any) -> None:
        if str(target).endswith("/d") and ".tmp" in str(source):
            raise OSError(5, "Input/output error", str(target))
        real(source, target)

    monkeypatch.setattr("models.files.atomic.os.rename", failing)
    with pytest.raises(StorageError):
        write_dataset(awkward_dataset(), tmp_path / "d")
    monkeypatch.undo()
    assert read_dataset(tmp_path / "d").sha256 == small_dataset().sha256


def test_a_folder_with_other_things_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match=r"thesis\.tex"):
        write_dataset(small_dataset(), tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="a file stands in its place"):
        write_dataset(small_dataset(), tmp_path / "file")
    (tmp_path / "f.json").mkdir()
    with pytest.raises(StorageError, match="a folder stands in its place"):
        write_dataset(small_dataset(), tmp_path / "f.json")


def test_tables_without_settings_are_someones_own(tmp_path: Path) -> None:
    """No dataset.toml, no dataset: sites.csv there is not ours to delete."""
    (tmp_path / "sites.csv").write_text("mine")
    with pytest.raises(InputError, match=r"holds other things than a dataset: sites\.csv"):
        write_dataset(small_dataset(), tmp_path)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("sites.csv", "mine")]


def test_a_pipe_is_written_into_and_stays(tmp_path: Path) -> None:
    """As /dev/null and /dev/stdout must: a file renamed over one would take its place."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_bytes(pipe, b"all of it")
        assert pipe.is_fifo()
        assert os.read(reader, 100) == b"all of it"
    finally:
        os.close(reader)
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_a_row_number_beyond_every_sheet_is_refused_at_once() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook_bytes(small_dataset()))) as book, zipfile.ZipFile(out, "w") as damaged:
        for name in book.namelist():
            damaged.writestr(name, book.read(name).replace(b'<row r="2"', b'<row r="999999999"'))
    found = parse_workbook("w", out.getvalue())
    assert isinstance(found, Fault)
    assert found.code == "too_large"


def test_many_faulty_rows_are_reported_in_reasonable_time() -> None:
    energy = [{"price_zone": f"z{n}", "usd_per_mwh": "x" if n % 2 else 1, "hours_share": 0.5} for n in range(20_000)]
    supply = [{"gen_id": f"unknown{n % 50}", "period": "2026-Q1"} for n in range(20_000)]
    started = time.process_time()
    with pytest.raises(DatasetError) as caught:
        small_dataset(energy=energy, supply=supply)
    assert len(caught.value.faults) > 40_000
    assert time.process_time() - started < 20
