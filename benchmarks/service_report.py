"""``SERVICE.md`` and its pictures, from the measurements of the service.

python -m benchmarks.service_report
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import altair as alt
import pandas as pd

from benchmarks import service_load, service_whatif
from benchmarks.pictures import BLUE, GREY, ORANGE, WIDTH, finish, log_axis
from benchmarks.service_figures import (
    ANSWER_SECONDS,
    READ_P95,
    WORKERS,
    Latency,
    failures,
    goals,
    in_time,
    latency,
    proven,
    read_failures,
    seconds_of,
    to_proof,
)  # fmt: skip
from benchmarks.service_records import Record, of, read
from benchmarks.words import NONE, names, number, percent, table
from models.files.atomic import write_bytes

HERE = Path(__file__).parent
PICTURES = "pictures"
"""Folder of the pictures; those of the service begin with ``service-``."""
LEAST = 0.1
"""Where axes of seconds begin."""
Drawn = dict[str, Any]


def write(whatif: Sequence[Record], load: Sequence[Record], folder: Path) -> None:
    """Write ``SERVICE.md`` and its pictures."""
    drawn: Drawn = {}
    text = report(whatif, load, drawn)
    (folder / PICTURES).mkdir(parents=True, exist_ok=True)
    for name, chart in drawn.items():
        chart.save(str(folder / PICTURES / f"{name}.svg"))
    write_bytes(folder / "SERVICE.md", text.encode())


def report(whatif: Sequence[Record], load: Sequence[Record], drawn: Drawn) -> str:
    """The report in Markdown.

    Args:
        drawn: takes the pictures, by name.
    """
    if not whatif and not load:
        return "# The service, measured\n\nNo results yet: `make bench-service`.\n"
    parts = [
        "# The service, measured",
        "Made by `make bench-service` from `service_whatif.jsonl` and `service_load.jsonl`; every figure is computed from them.",
        "## Goals",
        table(("goal", "measured", "verdict"), [(g.what, g.measured, g.verdict) for g in goals(whatif, load)]),
        *measured_with([*whatif, *load]),
        *answers(whatif, drawn),
        *types(whatif),
        *crowd(whatif),
        *stops(whatif),
        *repeated(whatif),
        *reads(load, drawn),
        *end(load),
        *trouble(whatif, load),
    ]
    return "\n\n".join(parts) + "\n"


def measured_with(records: Sequence[Record]) -> list[str]:
    """Machine, versions, state of the code, dates."""
    found = of(records, "setup")
    machines = names(f"{m['cpu']}, {m['cores']} cores, {m['memory_gib']} GiB, {m['system']}" for m in (r["machine"] for r in found))
    versions = names(", ".join(f"{name} {value}" for name, value in r["versions"].items()) for r in found)
    commits = names(f"{c['commit'][:12]}{' with changes' if c['dirty'] else ''}" for c in (r["code"] for r in found))
    dates = sorted(r["when"] for r in found)
    plans = names(f"{r['npv_usd'] / 1e6:,.1f} million USD, gap {percent(r['plan_gap'])}" for r in found if "plan_gap" in r)
    lines = [
        f"- Machine: {machines or NONE}; client and service on the same one",
        f"- Versions: {versions or NONE}",
        f"- Commit: {commits or NONE}",
        f"- Service: `wattplan serve {names(' '.join(r['options']) for r in found)}`, with keys, SQLite",
        f"- Baseline: a plan of the reference dataset, {plans or NONE}",
        f"- Measured: {f'{dates[0]} to {dates[-1]}' if dates else NONE}",
    ]
    return ["## Measured with", "\n".join(lines)]


def times(found: Latency) -> list[str]:
    """Cells of median, 95 % and largest."""
    return [known(found.median), known(found.p95), known(found.most)]


def known(seconds: float) -> str:
    """Seconds, or that it did not come to that."""
    return "never" if seconds == math.inf else number(seconds)


def answers(whatif: Sequence[Record], drawn: Drawn) -> list[str]:
    """Answers to single changes, cold and warm."""
    by = {worker: of(whatif, "change", worker) for worker in WORKERS}
    rows = []
    for worker, records in by.items():
        if records:
            ready = [r for r in records if "start_seconds" in r]
            start = known(latency(r["start_seconds"] for r in ready).median) if ready else NONE
            rows.append([
                WORKERS[worker], str(len(records)), *times(latency(map(to_proof, records))), str(sum(map(in_time, records))),
                str(sum(map(proven, records))), *_ends(records), start,
            ])  # fmt: skip
    if not rows:
        return []
    head = [
        "worker", "changes", "median, s", "95 %, s", "max, s", f"proven in {ANSWER_SECONDS:g} s", "proven", "impossible", "another plan",
        "GPUs elsewhere, mean", "service ready after, s",
    ]  # fmt: skip
    chart = distribution(by)
    if chart is not None:
        drawn["service-answers"] = chart
    return [
        "## Answers to single changes",
        (
            "Each change by one `POST /runs` with `Prefer: wait=20`, mode repair, gap 1 %, always searched for (`fresh`). Times are from the "
            "request to the answer that is proven: a plan with the gap, or that none is possible (*impossible*); `never`: not in the run's 60 s. "
            "Of a service just started, the time begins when it says that it is ready, and has loading and relaxing the baseline in it. "
            "*Another plan*: racks or yes-or-no decisions differ from the baseline's. *GPUs elsewhere*: share of the GPU-periods delivered "
            "that the answer delivers from elsewhere, or not at all."
        ),
        *([f"![Share of changes answered within so many seconds]({PICTURES}/service-answers.svg)"] if chart is not None else []),
        table(head, rows),
    ]


def _ends(records: Sequence[Record]) -> list[str]:
    planned = [r for r in records if "changed" in r]
    share = percent(sum(r["moved_gpus"] for r in planned) / len(planned)) if planned else NONE
    return [
        str(sum(r.get("solution") == "infeasible" for r in records)),
        f"{sum(r['changed'] for r in planned)} of {len(planned)}",
        share,
    ]


def types(whatif: Sequence[Record]) -> list[str]:
    """Answers by type of change."""
    every = of(whatif, "change")
    rows = []
    for kind in dict.fromkeys(r["type"] for r in sorted(every, key=lambda r: r["number"])):
        row = [f"`{kind}`"]
        for worker in WORKERS:
            records = [r for r in of(every, "change", worker) if r["type"] == kind]
            row += [*times(latency(map(to_proof, records))), f"{sum(map(in_time, records))} of {len(records)}"]
        planned = [r for r in every if r["type"] == kind and "changed" in r]
        rows.append([*row, f"{sum(r['changed'] for r in planned)} of {len(planned)}"])
    head = ["type"]
    for worker in WORKERS:
        head += [f"{worker}: median, s", "95 %, s", "max, s", f"in {ANSWER_SECONDS:g} s"]
    return ["### By type of change", table([*head, "another plan"], rows)] if rows else []


def crowd(whatif: Sequence[Record]) -> list[str]:
    """Many clients at once."""
    records = of(whatif, "crowd")
    if not records:
        return []
    found = latency(map(seconds_of, records))
    limit = f"{service_whatif.CROWD_LIMIT:g} s"
    return [
        f"## {len(records)} clients at once",
        f"Each asks what one change does, all at the same moment, with a time limit of {limit} for each solve; they wait in turn for the slots.",
        table(
            ("clients", "answered", "with a proven gap ≤ 1 %", "median, s", "95 %, s", "max, s"),
            [[str(len(records)), str(len(records) - len(failures(records))), str(sum(map(proven, records))), *times(found)]],
        ),
    ]


def stops(whatif: Sequence[Record]) -> list[str]:
    """Runs stopped."""
    records = [r for r in of(whatif, "stop") if not r["ended_before"]]
    if not records:
        return []
    found = latency(r["seconds"] for r in records)
    rows = [[r["mode"], number(r["after"]), number(r["seconds"]), r["state"], r["solution"] or NONE] for r in records]
    return [
        "## Stopping",
        (
            f"From `POST /runs/…/stop` to the run's end with the best plan that it has: median {known(found.median)} s, "
            f"worst {known(found.most)} s of {found.count}."
        ),
        table(("mode", "stopped after, s", "ended within, s", "state", "solution"), rows),
    ]


def repeated(whatif: Sequence[Record]) -> list[str]:
    """Questions asked again."""
    records = of(whatif, "again")
    if not records:
        return []
    found = latency(s * 1000 for r in records for s in r["each_seconds"])
    share = f"{sum(r['stored'] for r in records)} of {len(records)}"
    row = [str(len(records)), share, *times(found)]
    return ["## The same question again", table(("questions", "all from the store", "median, ms", "95 %, ms", "max, ms"), [row])]


def reads(load: Sequence[Record], drawn: Drawn) -> list[str]:
    """Reads by route."""
    records = of(load, "read")
    if not records:
        return []
    setup, ended = next(iter(of(load, "setup")), {}), next(iter(of(load, "end")), {})
    rows = []
    for name in ["**all**", *dict.fromkeys(r["worker"] for r in records)]:
        some = [r for r in records if name in ("**all**", r["worker"])]
        found = latency(r["seconds"] * 1000 for r in some)
        size = max(r["bytes"] for r in some) / 1024
        rows.append([
            name, str(found.count), number(size), *(known(v) for v in (found.median, found.p95, found.p99, found.most)), str(len(read_failures(some))),
        ])  # fmt: skip
    drawn["service-reads"] = read_times(records)
    return [
        "## Reads under load",
        (
            f"{number(setup.get('rate', math.nan))} reads a second for {number(setup.get('seconds', math.nan))} s, one route after the other, while "
            f"{ended.get('slots', NONE)} of {setup.get('slots', NONE)} slots solve and {ended.get('opened', NONE)} event streams are open, which "
            f"brought {ended.get('events', 0):,} events. A read's time counts from when it was due, so that waiting for others counts too."
        ),
        f"![Time of reads by route]({PICTURES}/service-reads.svg)",
        table(("route", "reads", "KiB", "median, ms", "95 %, ms", "99 %, ms", "max, ms", "failed"), rows),
    ]


def end(load: Sequence[Record]) -> list[str]:
    """The end of the service."""
    found = next(iter(of(load, "end")), None)
    if found is None:
        return []
    return [
        "## The end",
        (
            f"SIGTERM with {found['open_at_end']} streams open and a solve under way: ended after {number(found['seconds'])} s with exit code "
            f"{found['exit_code']}; {found['ended']} streams ended properly, {found['broken']} were cut off, {found['gaps']} had left out an event."
        ),
    ]


def trouble(whatif: Sequence[Record], load: Sequence[Record]) -> list[str]:
    """What failed, and what was not proven."""
    asked = [*of(whatif, "change"), *of(whatif, "crowd")]
    lines = [
        f"- {_name(r)}: {r.get('state') or 'status ' + str(r['status'])}; {r.get('problem') or 'no reason given'}" for r in failures(asked)
    ]
    lines += [
        f"- {_name(r)}: {r['solution'] or 'no plan'} after {number(r['seconds'])} s, gap {percent(r['gap'] if r['gap'] is not None else math.inf)}"
        for r in of(whatif, "change") if r.get("state") == "succeeded" and not proven(r)
    ]  # fmt: skip
    lines += [f"- read of {r['worker']}: status {r['status']}" for r in read_failures(of(load, "read"))]
    return ["## What failed, or was not proven", "\n".join(lines)] if lines else []


def _name(record: Record) -> str:
    worker = f", {WORKERS[record['worker']]}" if record.get("worker") in WORKERS else ""
    return f"{record['part']} {record['number']} (`{record['type']}`{worker})"


def distribution(by: Mapping[str, Sequence[Record]]) -> Any:
    """Share of changes answered within so many seconds."""
    colours = dict(zip(WORKERS, (BLUE, ORANGE), strict=True))
    most = max((to_proof(r) for records in by.values() for r in records if proven(r)), default=0.0)
    if not most:
        return None
    most = max(most, 1.5 * ANSWER_SECONDS)
    rows: list[dict[str, Any]] = []
    for worker, records in by.items():
        there = sorted(max(t, LEAST) for t in map(to_proof, records) if math.isfinite(t))
        steps = [(LEAST, 0.0), *((t, (i + 1) / len(records)) for i, t in enumerate(there)), (most, len(there) / max(1, len(records)))]
        rows += [{"worker": WORKERS[worker], "seconds": t, "share": share} for t, share in steps if records]
    shown = [worker for worker, records in by.items() if records]
    x = alt.X("seconds:Q", **log_axis("seconds", LEAST, most))
    lines = (
        alt.Chart(pd.DataFrame(rows))
        .mark_line(interpolate="step-after", strokeWidth=2.5)
        .encode(
            x=x,
            y=alt.Y("share:Q", title="share of changes with a proven answer", axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1])),
            color=alt.Color("worker:N", scale=alt.Scale(domain=[WORKERS[w] for w in shown], range=[colours[w] for w in shown])),
        )
    )
    goal = alt.Chart(pd.DataFrame({"seconds": [ANSWER_SECONDS]})).mark_rule(strokeDash=[4, 3], color=GREY).encode(x=x)
    return finish((goal + lines).properties(width=WIDTH - 80, height=280))


def read_times(records: Sequence[Record]) -> Any:
    """Times of reads, by route: each read a tick, with the goal of 95 %."""
    rows = [{"route": r["worker"], "ms": max(r["seconds"] * 1000, 1.0)} for r in records]
    most = max([READ_P95 * 2000, *(row["ms"] for row in rows)])
    x = alt.X("ms:Q", **log_axis("milliseconds", 1.0, most * 1.05))
    ticks = (
        alt.Chart(pd.DataFrame(rows))
        .mark_tick(color=BLUE, opacity=0.35, thickness=1.5)
        .encode(x=x, y=alt.Y("route:N", sort=list(dict.fromkeys(r["worker"] for r in records)), title=None))
    )
    goal = alt.Chart(pd.DataFrame({"ms": [READ_P95 * 1000]})).mark_rule(strokeDash=[4, 3], color=GREY).encode(x=x)
    return finish((goal + ticks).properties(width=WIDTH - 160, height=24 * len({r["worker"] for r in records})))


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.service_report", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--whatif", type=Path, default=service_whatif.RESULTS, help="measured by benchmarks.service_whatif")
    parser.add_argument("--load", type=Path, default=service_load.RESULTS, help="measured by benchmarks.service_load")
    parser.add_argument("--out", type=Path, default=HERE, help="folder of SERVICE.md and its pictures")
    given = parser.parse_args(arguments)
    try:
        write(read(given.whatif), read(given.load), given.out)
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
