"""Figures of the measured service, and its goals. Pure functions of the records."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.figures import median
from benchmarks.goals import Goal
from benchmarks.parts import percentile
from benchmarks.service_records import Record, of
from benchmarks.words import number

ANSWER_SECONDS, ANSWER_GAP = 20.0, 0.01
WHATIF_MEDIAN, WHATIF_P95 = 2.0, 6.0
STORED_P95, READ_P95 = 0.200, 0.150
EXIT_SECONDS = 15.0
ROUNDING = 1e-9
"""Slack of a gap."""
WORKERS = {"warm": "warm worker", "cold": "service just started"}


@dataclass(frozen=True)
class Latency:
    """Times of a sample, seconds; nan of nothing. What never ended counts as infinite."""

    count: int
    median: float
    p95: float
    p99: float
    most: float


def latency(seconds: Iterable[float]) -> Latency:
    """Median (of an even number the mean of the middle two), percentiles (a value of the sample) and largest."""
    s = sorted(seconds)
    if not s:
        return Latency(0, math.nan, math.nan, math.nan, math.nan)
    return Latency(len(s), median(s), percentile(s, 0.95), percentile(s, 0.99), s[-1])


def seconds_of(record: Record) -> float:
    """Seconds until the run's end; infinite if it had none, or ended otherwise than with an answer."""
    return float(record["seconds"]) if record.get("state") == "succeeded" and "seconds" in record else math.inf


def proven(record: Record) -> bool:
    """Whether a run has proven what was asked: a plan with the gap, or that there is none."""
    gap = record.get("gap")
    close = gap is not None and gap <= ANSWER_GAP * (1 + ROUNDING) and record.get("planned", False)
    return record.get("state") == "succeeded" and (close or record.get("solution") == "infeasible")


def in_time(record: Record) -> bool:
    """Whether the first answer was the run's end, in time, with what was asked."""
    return proven(record) and bool(record.get("answered")) and record["first_seconds"] <= ANSWER_SECONDS


def to_proof(record: Record) -> float:
    """Seconds until what was asked was proven; infinite where it was not."""
    return seconds_of(record) if proven(record) else math.inf


def failures(records: Iterable[Record]) -> list[Record]:
    """Those that were refused, lost, or ended otherwise than with an answer."""
    return [r for r in records if r.get("state") != "succeeded"]


def read_failures(records: Iterable[Record]) -> list[Record]:
    """Reads without an answer, or with another than the one asked for."""
    return [r for r in records if r["status"] != 200]


def milliseconds(seconds: float) -> str:
    """``12.3 ms``."""
    return f"{number(seconds * 1000)} ms"


def goals(whatif: Sequence[Record], load: Sequence[Record]) -> list[Goal]:
    """All goals, in order; one that was not measured has no verdict."""
    found = [goal for worker in WORKERS for goal in _answers(of(whatif, "change", worker), worker)]
    repeated = of(whatif, "again")
    each = latency(s for r in repeated for s in r["each_seconds"])
    stored = all(r["stored"] for r in repeated)
    found.append(
        Goal(
            f"same question again, from the store: 95 % within {STORED_P95 * 1000:g} ms",
            f"{milliseconds(each.p95)}" + ("" if stored else ", not all from the store"),
            each.p95 < STORED_P95 and stored if repeated else None,
        )
    )
    reads = of(load, "read")
    times, lost = latency(r["seconds"] for r in reads), len(read_failures(reads))
    end = next(iter(of(load, "end")), None)
    busy = end is not None and end["all_slots_busy"] and end["open_at_end"] == end["streams"]
    streams = end["streams"] if end else 200
    found.append(
        Goal(
            f"reads while every slot solves and {streams} event streams are open: 95 % within {READ_P95 * 1000:g} ms, none fails",
            f"{milliseconds(times.p95)}, {lost} of {times.count} failed",
            times.p95 < READ_P95 and not lost if reads and busy else None,
        )
    )
    found.append(
        Goal(
            f"SIGTERM with {streams} streams open: exit code 0 within {EXIT_SECONDS:g} s, streams ended properly",
            f"{number(end['seconds'])} s, code {end['exit_code']}, {end['ended']} of {end['streams']} ended" if end else number(math.nan),
            end["seconds"] < EXIT_SECONDS and end["exit_code"] == 0 and end["ended"] == end["streams"] if end else None,
        )
    )
    return found


def _answers(records: Sequence[Record], worker: str) -> list[Goal]:
    """Goals of answers to changes."""
    words, there = WORKERS[worker], len(records)
    good = sum(in_time(r) for r in records)
    found = [
        Goal(
            f"one change, {words}: answered within {ANSWER_SECONDS:g} s with proven gap ≤ {ANSWER_GAP * 100:g} %",
            f"{good} of {there}",
            good == there if there else None,
        )
    ]
    if worker == "warm":
        times = latency(map(to_proof, records))
        found.append(
            Goal(
                f"one change, {words}: median ≤ {WHATIF_MEDIAN:g} s, 95 % ≤ {WHATIF_P95:g} s",
                f"{number(times.median)} s, {number(times.p95)} s",
                times.median <= WHATIF_MEDIAN and times.p95 <= WHATIF_P95 if there else None,
            )
        )
    return found
