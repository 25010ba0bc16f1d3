"""The report of a soak, written from its raw figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
WORDS = {
    "lost": "accepted runs that are gone",
    "doubled": "runs that a repeated request made twice",
    "not ended": "runs in no final state",
    "plan lost": "finished plans that can't be read, from the store or over HTTP",
    "audit failed": "finished plans that fail the audit",
    "end changed": "runs whose state or NPV changed after a client saw them end",
    "events with gaps": "runs with events missing",
    "failed without need": "runs that failed though their process was not killed twice",
    "time limit overrun": "runs that overran their time limit by more than 60 s",
    "processes left": "processes that outlived their service",
}


def report(kept: Mapping[str, Mapping[str, Any]]) -> str:
    """The report in markdown.

    Args:
        kept: raw figures by database.
    """
    names = [name for name in NAMES if name in kept]
    found = [kept[name] for name in names]
    lines = [
        "# The service under kills",
        "",
        "`make soak-kills` (`python -m benchmarks.soak_kills`): clients ask `wattplan serve` for plans and what-ifs and repeat each request",
        "under its Idempotency-Key until it is answered, while `kill -9` hits a worker, the scheduler or the service at random moments; what",
        "has ended is started again by the same command. Half of the kills hit a service that holds its own cluster, half one with",
        "`dask scheduler` and `dask worker` beside it. Raw figures, every kill and every run: `SOAK.json`.",
        "",
        *_table(["", *(NAMES[name] for name in names)], _what(found)),
        "",
        "What must not be, in all runs of all clients:",
        "",
        *_table(
            ["", *(NAMES[name] for name in names)], [[words, *(str(one["faults"][key]) for one in found)] for key, words in WORDS.items()]
        ),
        "",
        "Seconds:",
        "",
        *_table(["", *(NAMES[name] for name in names)], _times(found)),
        "",
        "A run whose worker is killed is tried once more; a run whose worker is killed twice fails and says so. Runs that the",
        "service or the scheduler takes along are taken up again from their last stored plan as often as needed.",
        "",
        *(f"- {_circumstances(NAMES[name], kept[name])}" for name in names),
    ]
    return "\n".join(lines) + "\n"


def _what(found: list[Mapping[str, Any]]) -> list[list[str]]:
    return [
        ["kills", *(_counts(one["kills"]) for one in found)],
        ["runs accepted", *(str(one["runs"]) for one in found)],
        ["ended", *(_counts(one["states"]) for one in found)],
        ["finished plans, each read and audited", *(str(one["plans"]) for one in found)],
        ["runs taken up again (most attempts)", *(f"{one['taken_up_again']} ({one['most_attempts']})" for one in found)],
        ["requests repeated though answered", *(str(one["repeats"]) for one in found)],
        ["starts of the service", *(str(one["starts"]) for one in found)],
    ]


def _times(found: list[Mapping[str, Any]]) -> list[list[str]]:
    return [
        ["from stop request to final state, nothing killed meanwhile", *(_times_of(one["stops"]) for one in found)],
        ["from stop request to final state, with a kill in between", *(_times_of(one["stops_with_a_kill"]) for one in found)],
        ["beyond the time limit of the last attempt (negative: sooner)", *(_times_of(one["overrun"]) for one in found)],
        ["from the kill of the service to ready again, by the same command", *(_times_of(one["restart"]) for one in found)],
        ["from SIGTERM to exit, at the end", *(f"{one['exit_seconds']:.1f}" for one in found)],
        ["the whole", *(f"{one['seconds']:,.0f}" for one in found)],
    ]


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in sorted(counts.items(), key=lambda item: -item[1]))


def _times_of(summary: Mapping[str, Any]) -> str:
    if not summary["count"]:
        return "none"
    return f"median {summary['median']:.1f}, worst {summary['worst']:.1f} ({summary['count']} measured)"


def _circumstances(name: str, one: Mapping[str, Any]) -> str:
    machine, versions, code = one["machine"], one["versions"], one["code"]
    of = f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, other work on the machine"
    changed = ", with changes" if code["dirty"] else ""
    packages = ", ".join(f"{package} {version}" for package, version in versions.items())
    return f"{name}: {one['date']}, seed {one['seed']}; {of}; commit {str(code['commit'])[:7]}{changed}; {packages}."
