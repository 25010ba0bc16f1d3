"""Figures and report of the measured service, from made-up measurements whose figures follow by hand."""

from __future__ import annotations

import asyncio
import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmarks import service_load, service_records, service_report, service_streams, service_whatif
from benchmarks.service_changes import DATASET
from benchmarks.service_changes import read as read_list
from benchmarks.service_figures import goals, in_time, latency, proven, seconds_of, to_proof
from benchmarks.service_plans import moved
from benchmarks.service_process import LINE, prepare, serving
from benchmarks.service_records import append, numbers_done, of
from models.files import read_dataset
from models.plan import Plan
from optimizer import plan
from tests.conftest import ROOT
from tests.factories import small_dataset

SETUP = {
    "part": "setup", "worker": "warm", "number": 0, "machine": {"cpu": "Test CPU", "cores": 2, "memory_gib": 8.0, "system": "Linux x86_64"},
    "versions": {"python": "3.11.7"}, "code": {"commit": "0123456789abcdef", "dirty": False}, "when": "2026-01-02T03:04:05+00:00",
    "plan_gap": 0.0088, "npv_usd": 38e9, "options": ["--threads", "2"],
}  # fmt: skip


def change(number: int, seconds: float, worker: str = "warm", **more: Any) -> dict[str, Any]:
    """An answer that is proven, unless it says otherwise."""
    return {
        "part": "change", "worker": worker, "number": number, "type": ("supply.cut", "site.derate")[number % 2], "status": 201, "answered": True,
        "first_seconds": min(seconds, 20.0), "seconds": seconds, "state": "succeeded", "solution": "within_gap", "gap": 0.009, "planned": True,
        "changed": True, "moved_racks": 0.1, "moved_gpus": 0.25, "problem": "",
    } | more  # fmt: skip


def whatif() -> list[dict[str, Any]]:
    """Twenty answers after 0.1 to 2.0 s, cold ones after 21 to 40 s: all of the warm ones in time, none of the cold ones."""
    records = [SETUP, *(change(n, (n + 1) / 10) for n in range(20))]
    records += [change(n, 21.0 + n, "cold", answered=False, status=202, start_seconds=2.0) for n in range(20)]
    records += [{**change(n, 5.0 * (n + 1)), "part": "crowd", "worker": None} for n in range(4)]
    stop = {"type": "supply.cut", "state": "succeeded", "solution": "feasible", "mode": "repair", "ended_before": False}
    records += [{"part": "stop", "number": n, "after": 1.0, "seconds": s, **stop} for n, s in enumerate((0.5, 1.0, 3.0))]
    records.append({"part": "stop", "number": 3, "after": 9.0, "seconds": 99.0, **stop, "ended_before": True})
    return [*records, {"part": "again", "number": 0, "type": "supply.cut", "each_seconds": [0.01, 0.02, 0.05], "stored": True}]


def load(**more: Any) -> list[dict[str, Any]]:
    """A hundred reads of two routes, after 1 to 100 ms."""
    reads = [
        {"part": "read", "worker": ("lines", "runs")[n % 2], "number": n, "status": 200, "bytes": 2048, "seconds": (n + 1) / 1000} for n in range(100)
    ]  # fmt: skip
    end = {
        "part": "end", "number": 0, "seconds": 2.0, "exit_code": 0, "streams": 200, "opened": 200, "open_at_end": 200, "ended": 200, "broken": 0,
        "gaps": 0, "events": 4000, "all_slots_busy": True, "slots": 1,
    }  # fmt: skip
    setup = {**SETUP, "worker": "load", "seconds": 60.0, "rate": 20.0, "slots": 1}
    return [setup, *reads, {**end, **more}]


def test_latencies_are_of_the_sample() -> None:
    found = latency(n / 10 for n in range(20, 0, -1))
    assert (found.count, found.median, found.p95, found.p99, found.most) == (20, pytest.approx(1.05), 1.9, 2.0, 2.0)
    assert latency([1.0, 2.0, math.inf]).median == 2.0
    assert latency([1.0, 2.0, math.inf]).p95 == math.inf
    assert math.isnan(latency([]).median)
    assert latency([]).count == 0


def test_an_answer_counts_only_if_it_is_proven_in_time() -> None:
    assert in_time(change(0, 3.0))
    assert not in_time(change(0, 30.0, answered=False))
    assert to_proof(change(0, 30.0, answered=False)) == 30.0
    wide = change(0, 3.0, gap=0.011)
    assert not proven(wide)
    assert (seconds_of(wide), to_proof(wide)) == (3.0, math.inf)
    assert not proven(change(0, 3.0, gap=None, planned=False, solution="none"))
    assert in_time(change(0, 3.0, gap=None, planned=False, solution="infeasible"))
    assert seconds_of(change(0, 3.0, state="failed")) == math.inf
    assert seconds_of({"status": 429, "answered": False}) == math.inf


def test_goals_say_what_was_reached_and_what_was_not() -> None:
    found = {goal.what: goal for goal in goals(whatif(), load())}
    verdicts = [(goal.measured, goal.verdict) for goal in found.values()]
    assert verdicts == [
        ("20 of 20", "reached"),
        ("1.05 s, 1.90 s", "reached"),
        ("0 of 20", "not reached"),
        ("50.0 ms", "reached"),
        ("95.0 ms, 0 of 100 failed", "reached"),
        ("2.00 s, code 0, 200 of 200 ended", "reached"),
    ]
    assert {goal.verdict for goal in goals([], [])} == {"not measured"}


def test_goals_of_a_load_that_was_none_are_not_measured() -> None:
    reads, end = goals([], load(all_slots_busy=False, exit_code=-15))[-2:]
    assert (reads.verdict, end.verdict) == ("not measured", "not reached")
    failed = load()
    failed[1]["status"] = 500
    assert goals([], failed)[-2].measured == "95.0 ms, 1 of 100 failed"
    assert goals([], failed)[-2].verdict == "not reached"
    assert goals([], load(broken=1, ended=199))[-1].verdict == "not reached"


def test_the_report_has_every_part_with_its_figures(tmp_path: Path) -> None:
    records = [*whatif(), change(20, 60.0, gap=None, planned=False, solution="none", stop_reason="time_limit")]
    service_report.write(records, load(), tmp_path)
    text = (tmp_path / "SERVICE.md").read_text()
    assert "| warm worker | 21 | 1.10 | 2.00 | never | 20 | 20 | 0 | 20 of 21 | 23.81 % | – |".replace("20 of 21", "21 of 21") not in text
    line = next(line for line in text.splitlines() if line.startswith("| warm worker"))
    assert line.split(" | ")[1:6] == ["21", "1.10", "2.00", "never", "20"]
    assert "| service just started | 20 | 30.5 | 39.0 | 40.0 | 0 | 20 | 0 | 20 of 20 | 25.00 % | 2.00 |" in text
    assert "| `supply.cut` |" in text
    assert "## 4 clients at once" in text
    assert "median 1.00 s, worst 3.00 s of 3" in text
    assert "| **all** | 100 | 2.00 | 50.5 | 95.0 | 99.0 | 100 | 0 |" in text
    assert "200 streams ended properly, 0 were cut off" in text
    assert "- change 20 (`supply.cut`, warm worker): none after 60.0 s, gap –" in text
    for name in ("service-answers", "service-reads"):
        assert (tmp_path / "pictures" / f"{name}.svg").read_text().startswith("<svg")
    assert "nan" not in text


def test_a_report_of_nothing_says_how_to_measure() -> None:
    assert "make bench-service" in service_report.report([], [], {})


def test_measurements_go_on_where_they_stopped(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    append(path, [change(0, 1.0), change(1, 2.0)])
    with path.open("a") as file:
        file.write('{"part":"change"')  # the power went
    assert numbers_done(service_records.read(path), "change", "warm") == {0, 1}
    append(path, [change(1, 3.0), change(2, 4.0, "cold")])
    assert [r["seconds"] for r in of(service_records.read(path), "change", "warm")] == [1.0, 3.0]
    assert numbers_done(service_records.read(path), "change", "cold") == {2}
    path.write_text("nonsense\n" + path.read_text())
    with pytest.raises(ValueError, match=r"results\.jsonl, line 1: not a measurement"):
        service_records.read(path)


def test_what_is_decided_otherwise_is_counted() -> None:
    made = plan(small_dataset(), gap=0.0, threads=1)
    same = {name: made[name].to_dict("records") for name in ("racks", "deliveries", "decisions")}
    assert moved(made, same) == {"changed": False, "moved_racks": 0.0, "moved_gpus": 0.0}
    fewer = {**same, "racks": [{**row, "in_service": 0} for row in same["racks"]]}
    assert moved(made, fewer) == {"changed": True, "moved_racks": 0.5, "moved_gpus": 0.0}
    elsewhere = {**same, "deliveries": [{**row, "site_id": "elsewhere"} for row in same["deliveries"]]}
    assert moved(made, elsewhere) == {"changed": False, "moved_racks": 0.0, "moved_gpus": 1.0}
    signed = {**same, "decisions": [*same["decisions"], {"kind": "sign", "id": "new", "period": "2027-Q1", "mw": None}]}
    assert moved(made, signed)["changed"] is True
    declined = {**same, "decisions": [*same["decisions"], {"kind": "decline", "id": "new", "period": "2027-Q1", "mw": None}]}
    assert moved(made, declined)["changed"] is False
    nothing = Plan(made.summary, {name: table.iloc[:0] for name, table in made.tables.items()}, pd.DataFrame())
    assert moved(nothing, same)["moved_racks"] == 1.0


def test_a_question_has_the_change_and_the_baseline() -> None:
    (first, *_) = read_list(read_dataset(DATASET))
    body = service_whatif.question(first, "run_1", time_limit=5.0)
    assert (body["baseline"], body["mode"], body["fresh"], body["time_limit"]) == ("run_1", "repair", True, 5.0)
    assert body["changes"][0]["type"] == first.type
    assert type(first).model_validate(body["changes"][0]) == first
    assert service_whatif.answers_again(change(0, 1.0))
    assert not service_whatif.answers_again(change(0, 1.0, gap=0.02))


def test_what_is_asked_of_a_service_is_bounded(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="at most 500 reads a second"):
        service_load.main(["--rate", "501", "--results", str(tmp_path / "results.jsonl")])


def test_a_prepared_service_answers_and_ends(tmp_path: Path) -> None:
    """A real process on a small dataset: a question and the store's answer, streams that end with it, and no run left under way."""
    dataset = small_dataset()
    made = plan(dataset, gap=0.0, threads=1)
    folder = tmp_path / "service"
    prepared = prepare(folder, made, dataset)
    assert prepare(folder, made, dataset).baseline == prepared.baseline
    prepared = prepare(folder, made, dataset)
    with pytest.raises(ValueError, match="the plan is of"):
        prepare(folder, made)
    asked = {"mode": "repair", "line": LINE, "changes": [{"type": "discount.rate", "discount_rate": 0.14}], "gap": 0.01, "time_limit": 30.0}
    with serving(prepared, "--threads", "1") as served, served.http() as http:
        record = service_whatif.with_plan(http, service_whatif.ask(http, {**asked, "fresh": True}), made)
        assert proven(record), record
        assert (record["status"], record["answered"]) == (201, True)
        assert {"changed", "moved_racks", "moved_gpus"} <= record.keys()
        assert http.post("/runs", json=asked).status_code == 200
        seen = asyncio.run(service_streams.hold(served.url, served.headers, [record["run"]], 3))
        assert (seen.opened, seen.ended, seen.broken, seen.gaps, seen.open) == (3, 3, 0, 0, 0)
        assert seen.events >= 3
        for address, headers in service_load.routes(prepared, dataset.sha256, record["run"], record["run"]).values():
            assert http.get(served.url + address, headers=headers).status_code == 200, address
        http.post("/runs", json={**asked, "fresh": True, "seed": 7})
    assert served.exit_code == 0
    again = prepare(folder, made, dataset)
    with serving(again, "--threads", "1") as served, served.http() as http:
        states = {run["state"] for run in http.get("/runs").json()["items"]}
        assert states <= {"succeeded", "cancelled"}
    assert json.loads((folder / "service.log").read_text().splitlines()[0])["level"] == "info"


def test_paths_of_results_are_beside_the_benchmark() -> None:
    assert service_whatif.RESULTS.parent == service_load.RESULTS.parent == ROOT / "benchmarks"
