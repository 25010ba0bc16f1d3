"""The report of all results, ``RESULTS.md``, and its pictures. Every figure in it is computed from the results.

python -m benchmarks.bench --report-only
"""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import pictures
from benchmarks.build_speed import LINOPY, OURS
from benchmarks.figures import GAPS, Searched, compared, generated_size, median, ratio
from benchmarks.goals import goals
from benchmarks.parts import EXPECTED, PLANNED, ablation, builds, exponent, generated, growing, infeasible, missed, percentile, whatifs
from benchmarks.runs import REFERENCE, Result
from benchmarks.words import NONE, least, names, number, percent, seconds, spread_of, table

PICTURES = "pictures"
Drawn = dict[str, Any]


def write(results: Sequence[Result], folder: Path) -> None:
    """Write ``RESULTS.md`` and the folder ``pictures``; pictures of parts that were not run go."""
    drawn: Drawn = {}
    text = report(results, drawn)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".") as made:
        new = Path(made) / PICTURES
        new.mkdir()
        for name, chart in drawn.items():
            chart.save(str(new / f"{name}.svg"))
        (Path(made) / "RESULTS.md").write_text(text)
        shutil.rmtree(folder / PICTURES, ignore_errors=True)
        os.replace(new, folder / PICTURES)
        os.replace(Path(made) / "RESULTS.md", folder / "RESULTS.md")


def report(results: Sequence[Result], drawn: Drawn) -> str:
    """The report in Markdown.

    Args:
        drawn: takes the pictures, by name.
    """
    if not results:
        return "# Benchmark\n\nNo results yet: `make bench`.\n"
    found = compared(results)
    order = sorted(results, key=lambda r: r.run.key)
    parts: list[str] = [
        "# Benchmark",
        "Made by `make bench` or `make bench-full` from `results.jsonl`; every figure is computed from it.",
        "## Goals",
        table(("goal", "measured", "verdict"), [(g.what, g.measured, g.verdict) for g in goals(results)]),
        *measured_with(order),
        *searches(found, drawn),
        *several(found, drawn),
        *ablated(results, drawn),
        *built(results, drawn),
        *grown(results, drawn),
        *asked(results, drawn),
        *ended_badly(order),
    ]
    return "\n\n".join(parts) + "\n"


def picture(drawn: Drawn, name: str, chart: Any, words: str) -> list[str]:
    """A line that shows a picture, if there is one."""
    if chart is None:
        return []
    drawn[name] = chart
    return [f"![{words}]({PICTURES}/{name}.svg)"]


def measured_with(results: Sequence[Result]) -> list[str]:
    """Machine, versions, state of the code, seeds, dates."""

    def text(plain: dict[str, Any], form: Callable[[str, Any], str]) -> str:
        return ", ".join(form(name, value) for name, value in plain.items())

    machines = names(f"{m['cpu']}, {m['cores']} cores, {m['memory_gib']} GiB, {m['system']}" for m in (r.machine for r in results) if m)
    versions = names(text(r.versions, lambda name, value: f"{name} {value}") for r in results if r.versions)
    commits = names(f"{c['commit'][:12]}{' with changes' if c['dirty'] else ''}" for c in (r.code for r in results) if c)
    seeds = names(sorted({r.run.seed for r in results if r.run.peer != "build"}))
    dates = sorted(r.when for r in results if r.when)
    lines = [
        f"- Machine: {machines or NONE}",
        f"- Versions: {versions or NONE}",
        f"- Commit: {commits or NONE}",
        f"- Seeds of the solvers: {seeds or NONE}; threads: {names(sorted({r.run.threads for r in results}))}",
        f"- Measured: {dates[0]} to {dates[-1]}" if dates else f"- Measured: {NONE}",
        f"- Runs: {len(results)}, of which {sum(r.outcome != 'done' for r in results)} did not end by themselves",
    ]
    return ["## Measured with", "\n".join(lines)]


def searches(found: dict[str, dict[str, Searched]], drawn: Drawn) -> list[str]:
    """The searches of each instance side by side."""
    if not found:
        return []
    parts = [
        "## Searches side by side",
        (
            "All have the same model, machine and time; the clock starts with the dataset in memory, so each pays for building the model. "
            "The gap is `(bound - NPV) / |NPV|`: with a search's own bound, and then, so that plans are judged alike, with the best bound that "
            "any search of the instance proved. Times are when a gap is reached for good; `>` is the time given, in which it was not. Several "
            "seeds: median (quartiles). *HiGHS alone* is how many times longer HiGHS took to 1 %. The primal integral (Berthold 2013) is "
            "against the best plan of any search."
        ),
    ]
    for instance, peers in found.items():
        if generated_size(instance) is None:
            parts += [f"### {instance}", _known(next(iter(peers.values())))]
            if instance == REFERENCE:
                words = "Gap against time on the reference dataset, proven and of the plan"
                parts += picture(drawn, "progress", pictures.progress(peers), words)
            parts += _side_by_side({instance: peers})
    made = {instance: peers for instance, peers in found.items() if generated_size(instance) is not None}
    if made:
        said = [f"- {instance}: {_known(next(iter(peers.values())))}" for instance, peers in made.items()]
        parts += ["### Generated instances", "\n".join(said), *_side_by_side(made)]
    return parts


def _known(searched: Searched) -> str:
    """Sizes of an instance, and the best that is known."""
    result, known = searched.results[0], searched.known
    sizes = ", ".join(f"{value:,} {name}" for name, value in result.sizes.items())
    plan = f"best plan {known.npv / 1e6:,.1f} million USD" if known.npv is not None else "no plan"
    bound = f"best bound {known.bound / 1e6:,.1f} million USD" if known.bound is not None else "no bound"
    return f"{sizes}; {searched.budget:g} s each; {plan}, {bound}."


def _side_by_side(found: dict[str, dict[str, Searched]]) -> list[str]:
    """What searches prove, and how good their plans are; the instance is a column if there are several."""
    cuts = [f"{gap * 100:g} %, s" for gap in GAPS]
    proofs, plans = [], []
    for instance, peers in found.items():
        for peer, s in peers.items():
            first = [*([instance] if len(found) > 1 else []), pictures.TITLES[peer], str(len(s.results))]
            highs = NONE if peer == "highs" else least(ratio(s, peers.get("highs"), GAPS[0]), " times")
            if peer != "spreadsheet":
                times = [seconds(s.proven(gap), s.budget) for gap in GAPS]
                proofs.append([*first, spread_of(s.own_gap, "percent"), *times, highs, number(max(s.peak_gib)), s.remarks])
            times = [seconds(s.within(gap), s.budget) for gap in GAPS]
            plans.append([*first, spread_of(s.best_gap, "percent"), *times, spread_of(s.integral)])
    named = [*(["instance"] if len(found) > 1 else []), "search", "seeds", "at the end"]
    return [
        "Gap that a search proves itself:",
        table([*named, *cuts, "HiGHS alone", "memory, GiB", "remarks"], proofs),
        "Gap of its plan to the best bound of all:",
        table([*named, *cuts, "primal integral, s"], plans),
    ]


def several(found: dict[str, dict[str, Searched]], drawn: Drawn) -> list[str]:
    """The generated instances of the reference's size, one by one."""
    here = generated(found, GAPS[0])
    if not here:
        return []
    order = list(dict.fromkeys(name for s in here.values() for name in s.times))
    rows = [
        [name, *(seconds([s.times[name]], s.budgets[name]) if name in s.times else NONE for s in here.values())]
        for name in order
    ]  # fmt: skip
    rows.append(["**geometric mean**", *(least(s.mean) for s in here.values())])
    rows.append(["**worst**", *(least(s.worst) for s in here.values())])
    reached = [f"{sum(math.isfinite(t) for t in s.times.values())} of {len(s.times)}" for s in here.values()]
    rows.append(["reached", *reached])
    return [
        f"## Generated instances of {PLANNED} sites",
        (
            f"Seconds to a proven gap of 1 %, {len(order)} of {EXPECTED} instances. Where it is not reached, the time given counts, "
            "and the mean is a lower limit (≥)."
        ),
        *picture(drawn, "generated", pictures.generated(here), "Time to 1 % on each generated instance, by search"),
        table(["instance", *(pictures.TITLES[peer] for peer in here)], rows),
    ]


def ablated(results: Sequence[Result], drawn: Drawn) -> list[str]:
    """What each ingredient of the search brings."""
    lines = ablation(results, GAPS[0])
    if not lines:
        return []
    from optimizer.search import INGREDIENTS

    order = list(lines[0].seconds)
    budgets = {r.run.instance: r.run.budget for r in results if r.run.without}
    rows = [
        [
            f"without {line.without}: {INGREDIENTS.get(line.without, '')}".rstrip(": ") if line.without else "all of it",
            least(line.mean), least(line.times), f"{line.reached} of {line.count}", percent(line.gap),
            *(seconds([line.seconds[name]], budgets[name]) if name in line.seconds else NONE for name in order),
        ]
        for line in lines
    ]  # fmt: skip
    return [
        "## What each ingredient brings",
        "Seconds to a proven gap of 1 %; where it is not reached, the time given counts and the mean is a lower limit (≥).",
        *picture(drawn, "ablation", pictures.ablation(lines), "Time to 1 % without each ingredient"),
        table(["search", "mean, s", "times as long", "reached", "mean gap of the plan", *order], rows),
    ]


def built(results: Sequence[Result], drawn: Drawn) -> list[str]:
    """Building and handing over."""
    ways = builds(results)
    if not ways:
        return []
    ours = ways.get(OURS)
    rows = []
    for way, b in ways.items():
        times = [NONE, NONE]
        if ours is not None:
            times = [
                NONE if way == LINOPY else f"{median(b.after) / median(ours.after):.1f}",
                f"{median(b.total) / median(ours.total):.1f}",
            ]
        rows.append([way, spread_of(b.build), spread_of(b.after), spread_of(b.total), *times])
    run = next(r for r in results if r.run.peer == "build" and r.run.instance == REFERENCE)
    sizes = ", ".join(f"{value:,} {name}" for name, value in run.sizes.items())
    some = max(len(b.build) for b in ways.values())
    linopy = (
        f" *{LINOPY}* counts neither the arrays of the dataset nor the coefficients, which all others work out, so it is the least that linopy can take."
        if LINOPY in ways
        else ""
    )
    return [
        "## Building the model and handing it to HiGHS",
        (
            f"Reference dataset, {sizes}. CPU seconds, median (quartiles) of {some} processes, each way once in each. *Build* is the arrays of the "
            f"dataset and the Pyomo model; *after it*, all until HiGHS holds the model.{linopy}"
        ),
        *picture(drawn, "building", pictures.building(ways), "CPU seconds to build the model and to hand it over"),
        table(["way", "build", "after it", "total", "times as long: after the build", "in all"], rows),
    ]


def grown(results: Sequence[Result], drawn: Drawn) -> list[str]:
    """Growth with the number of sites."""
    sizes = growing(results, GAPS[0])
    if len(sizes) < 2:
        return []
    rows = [
        [
            str(s.sites), str(len(s.results)), *(spread_of(s.sizes(name)) for name in ("rows", "columns", "nonzeros")), f"{s.budget:g}",
            seconds(s.times, s.budget), number(s.peak_gib),
        ]
        for s in sizes
    ]  # fmt: skip
    g, late = exponent(sizes), missed(sizes)
    said = "No exponent: fewer than two sizes reach it." if g is None else f"Fitted: time = {number(g.factor)} s · sites^{g.exponent:.2f}"
    if g is not None:
        said += f", standard error {g.error:.2f}." if math.isfinite(g.error) else "."
    if late:
        said += f" Not reached by all at {', '.join(str(s.sites) for s in late)} sites; these are left out of the fit."
    return [
        "## Growth",
        f"Wattplan on generated instances, seconds to a proven gap of 1 %. {said}",
        *picture(drawn, "growth", pictures.growing(sizes), "Time to 1 % and peak memory against the number of sites"),
        table(["sites", "instances", "rows", "columns", "nonzeros", "time given, s", "time to 1 %, s", "peak memory, GiB"], rows),
    ]


def asked(results: Sequence[Result], drawn: Drawn) -> list[str]:
    """Answers to changes."""
    changes = whatifs(results)
    if not changes:
        return []
    budget = max(c.budget for c in changes)
    runs = [r for r in results if r.run.peer == "whatif" and r.run.instance == REFERENCE and "plan" in r.phases]
    plans = f" The plan that they start from took {spread_of([r.phases['plan'] for r in runs])} s" if runs else ""
    plans += f", warming the planner {spread_of([r.phases['warm'] for r in runs])} s." if runs else ""
    rows = []
    for kind in [None, *sorted({c.type for c in changes})]:
        of = [c for c in changes if kind in (None, c.type)]
        ratios = [c.ratio.value if c.ratio is not None else 0.0 for c in of]
        answers, anew = [c.seconds for c in of], [c.anew for c in of]
        rows.append([
            kind or "**all**", str(len(of)), seconds([median(answers)], budget), seconds([percentile(answers, 0.95)], budget),
            seconds([median(anew)], budget), spread_of(ratios), f"{sum(math.isfinite(t) for t in answers)}",
            f"{sum(math.isfinite(t) for t in anew)}",
        ])  # fmt: skip
    contrary = sum((c.note == "infeasible") != (c.anew_note == "infeasible") for c in changes)
    notes = f" Left out, since by both ways no plan is possible: {infeasible(results)}." if infeasible(results) else ""
    notes += f" Changes on which the two ways differ on whether a plan is possible: {contrary}." if contrary else ""
    return [
        "## Answers to changes",
        (
            f"One change each of the reference dataset, answered from its plan, and planned anew, to a proven gap of 1 %; {budget:g} s for either.{plans} "
            f"*Times* is how many times longer planning anew took, median (quartiles); it counts with its time given where it did not reach the gap, and a change without an answer counts as 0.{notes}"
        ),
        *picture(drawn, "whatif", pictures.whatif(changes), "Share of changes answered within so many seconds"),
        table(["change", "number", "median, s", "95 %, s", "anew, median, s", "times", "answered", "planned anew"], rows),
    ]


def ended_badly(results: Sequence[Result]) -> list[str]:
    """Runs that failed or were killed, with what they said."""
    bad = [r for r in results if r.outcome != "done"]
    return ["## Runs that did not end by themselves", "\n".join(f"- {r.run.label}: {r.outcome}; {r.note}" for r in bad)] if bad else []
