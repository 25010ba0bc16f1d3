"""Explanations against the truth: planted conflicts, why-not answers planned anew, prices solved again.

    python -m benchmarks.soak_explain [--conflicts 100] [--questions 20] [--reference]

Each planted conflict is first shown to be one by HiGHS on the whole model. A why-not answer is checked by putting the wish into the data as
directives and planning from nothing. ``--reference`` adds the reference dataset, which takes a quarter of an hour. Writes
``SOAK-EXPLAIN.md``; the exit code is 1 where anything was wrong.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from random import Random

from benchmarks.machine import ROOT, machine, versions
from benchmarks.planted import KINDS, Base, Planted, base, feasible, plant, repaired
from models.changes import apply
from models.dataset import Dataset
from models.files import read_dataset
from models.plan import Plan
from models.tables import Directive
from optimizer import InfeasibleError, plan
from optimizer.explain.conflict import explain_conflict
from optimizer.explain.obstacles import Wish
from optimizer.explain.placement import Placement, PlacementKind, size
from optimizer.explain.prices import Price, Verdict, prices
from optimizer.explain.why_not import Possible, WhyNot, forcing, why_not
from optimizer.instance import Instance
from tests.generator import random_dataset

HERE = Path(__file__).parent
FIRST = 300
"""First seed."""
EACH = 10
"""Conflicts planted in each dataset."""
DOUBLE = 4
"""One in so many has two conflicts at once."""
TINY = {"sites": 3, "periods": 5, "contracts": 3}
"""Size of the datasets of why-not questions, which are planned to the optimum."""
CLOSE = 2e-6
"""Share of NPV by which two optima may differ (each is proven to 1e-6)."""


# conflicts -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Explained:
    """How a planted conflict was explained.

    Attributes:
        kinds: what was planted.
        planted, named: rules planted, and how many of them were named.
        innocent: innocent rules named: some take part where they use up what is short.
        repaired: whether a plan exists once the cheapest repair is carried out; None where it is no change of a table.
        irreducible: whether every conflict is shown to be irreducible.
        seconds, plan_seconds: of the explanation, and of the plan of the dataset without the conflict.
    """

    kinds: tuple[str, ...]
    planted: int
    named: int
    innocent: int
    repaired: bool | None
    irreducible: bool
    seconds: float
    plan_seconds: float


@cache
def based(seed: int, **size: int) -> Base:
    """A base by its seed."""
    return base(seed, **size)


def planted(count: int, first: int = FIRST, **size: int) -> Iterator[Planted]:
    """So many conflicts in datasets of a size, of all kinds in turn; a kind that can't be planted in a dataset gives way to the next."""
    kinds = list(KINDS)
    for i in range(count):
        own, found, step = based(first + i // EACH, **size), None, 0
        while found is None:
            one, two = kinds[(i + step) % len(kinds)], kinds[(i * 7 + 3 * step + 5) % len(kinds)]
            found = plant(own, (one, two) if i % DOUBLE == DOUBLE - 1 and one != two else (one,), first + i + 1000 * step)
            step += 1
        yield found


def explained(p: Planted) -> Explained:
    """Explain a planted conflict, and carry out its cheapest repair."""
    began = time.monotonic()
    found = explain_conflict(p.dataset)
    seconds = time.monotonic() - began
    if found is None:
        return Explained(p.kinds, len(p.rules), 0, 0, False, False, seconds, p.base.seconds)
    better = repaired(p.dataset, found)
    innocent = sum(name.startswith("innocent") for name in found.named)
    every = all(one.irreducible for one in (found, *found.beside))
    return Explained(
        p.kinds, len(p.rules), len(p.rules & found.named), innocent, None if better is None else feasible(better), every, seconds,
        p.base.seconds,
    )  # fmt: skip


# why not ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Checked:
    """A why-not answer against a plan from nothing.

    Attributes:
        wish: what was asked.
        possible: what was answered.
        cost_usd, anew_usd: what it costs by the answer, and by the plan from nothing; None where it can't be.
        right: whether they agree.
        seconds, anew_seconds: of the answer, and of planning anew.
    """

    wish: str
    possible: str
    cost_usd: float | None
    anew_usd: float | None
    right: bool
    seconds: float
    anew_seconds: float


def wishes(dataset: Dataset, made: Plan, rng: Random) -> Iterator[Wish | Placement]:
    """Different wishes that the plan does not fulfil: GPUs for a contract at a site, racks at a site, decisions not taken."""
    inst, told = Instance(dataset), set[str]()
    while True:
        wish = drawn(inst, rng)
        if wish is None or wish.words in told or (isinstance(wish, Placement) and size(wish, made, inst) > 0):
            continue
        told.add(wish.words)
        yield wish


def drawn(inst: Instance, rng: Random) -> Wish | Placement | None:
    """A wish; None where the draw makes none."""
    kind, first = rng.randrange(3), rng.randrange(inst.T)
    c, s, g = rng.choice(inst.contracts), rng.choice(inst.sites), rng.choice(inst.gens)
    if kind == 0:
        owed = float(inst.owed[inst.contract_at[c], first:].min()) / max(inst.equivalents[c].values())
        if (c, s) not in inst.pairs or owed < 2:
            return None
        return Wish(float(rng.randint(1, int(owed))), None, s, c, inst.calendar.label(first))
    if kind == 1:
        return Wish(float(rng.randint(1, 6) * inst.gen_rows[g].gpus_per_rack), g, s, None, inst.calendar.label(first))
    return rng.choice([
        Placement(PlacementKind.RACKS, site_id=s, gen_id=g),
        *(Placement(PlacementKind.SERVE, contract_id=c, site_id=s) for c, s in inst.pairs[:4]),
        *(Placement(PlacementKind.SIGN, contract_id=p) for p in inst.prospects),
        *(Placement(PlacementKind.BUILD, block_id=b) for b in inst.buildable),
        *(Placement(PlacementKind.OPEN, site_id=n) for n in inst.candidates),
    ])  # fmt: skip


def checked(dataset: Dataset, made: Plan, wish: Wish | Placement) -> tuple[Checked, WhyNot]:
    """Ask, and plan from nothing with the wish as directives."""
    began = time.monotonic()
    found = why_not(dataset, made, wish)
    seconds, since = time.monotonic() - began, time.monotonic()
    ways = forcing(wish, Instance(dataset))
    if found.possible is not Possible.NO:  # what was asked in the end, by its words
        ways = [way for way in ways if way.words == found.wish] or ways[:1]
    best: float | None = None
    for way in ways:
        try:
            value = plan(apply(dataset, way.changes, made).dataset, gap=0, threads=1).summary.npv_usd
        except InfeasibleError:
            continue
        best = value if best is None else max(best, value or 0.0)
    z = made.summary.npv_usd or 0.0
    anew = None if best is None else z - best
    close = CLOSE * max(abs(z), 1e4)
    if found.possible is Possible.YES:
        assert found.cost_usd is not None
        right = anew is not None and abs(found.cost_usd - anew) <= close
        right = right and (found.cost_least_usd is None or found.already or found.cost_least_usd <= (anew or 0.0) + close)
    else:
        right = found.possible is Possible.NO and anew is None
    return Checked(found.wish, found.possible.value, found.cost_usd, anew, right, seconds, time.monotonic() - since), found


def questions(count: int, first: int = FIRST) -> Iterator[Checked]:
    """So many questions, two to a dataset."""
    for seed in range(first, first + (count + 1) // 2):
        dataset = random_dataset(seed, **TINY)
        made = plan(dataset, gap=0, threads=1)
        wish = wishes(dataset, made, Random(seed))
        for _ in range(min(2, count - 2 * (seed - first))):
            yield checked(dataset, made, next(wish))[0]


# prices ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Priced:
    """The ten highest prices of a dataset against the model solved again with one unit more.

    Attributes:
        name: of the dataset.
        confirmed, less, unsolved: how many were confirmed within 2 %, are worth less for a whole unit, were not solved in time.
        differences: of the confirmed ones, relative.
        worth: of those worth less, the share of the price that a whole unit gains.
        above: how many gain more than their price, which can't be.
        seconds: of all prices.
    """

    name: str
    confirmed: int
    less: int
    unsolved: int
    differences: tuple[float, ...]
    worth: tuple[float, ...]
    above: int
    seconds: float


def priced(name: str, dataset: Dataset, gap: float, time_limit: float = 300.0) -> Priced:
    """Price a dataset's plan, and solve the highest again until ten are confirmed."""
    made = plan(dataset, gap=gap, time_limit=time_limit, threads=1)
    began = time.monotonic()
    found = [p for p in prices(dataset, made, confirm=10, signing=False).prices if p.confirmation is not None]
    seconds = time.monotonic() - began
    by = {verdict: [p for p in found if p.confirmation and p.confirmation.verdict is verdict] for verdict in Verdict}

    def share(p: Price) -> float:
        assert p.confirmation is not None
        assert p.confirmation.resolved_usd is not None
        return p.confirmation.resolved_usd / p.npv_usd

    differences = tuple(abs(share(p) - 1) for p in by[Verdict.CONFIRMED])
    worth = tuple(share(p) for p in by[Verdict.LESS])
    above = sum((p.confirmation.resolved_usd or 0.0) > p.npv_usd + 0.02 * abs(p.npv_usd) + 1 for p in found if p.confirmation)
    return Priced(name, len(by[Verdict.CONFIRMED]), len(by[Verdict.LESS]), len(by[Verdict.NOT_SOLVED]), differences, worth, above, seconds)


def datasets() -> Iterator[tuple[str, Dataset, float]]:
    """Datasets that are priced, and the gap of their plans."""
    for name in ("late-megawatt", "liquid-not-power"):
        yield name, read_dataset(ROOT / "data" / "teaching" / name), 0.0
    yield "random, 6 sites and 8 periods", random_dataset(FIRST, sites=6, periods=8, contracts=6), 0.01


# the reference dataset -------------------------------------------------------------------------

REFERENCE = {
    "more of a generation than supply": {"rule": "min", "decision": "in_service", "gen_id": "vr_nvl144", "value": 10_000.0},
    "more racks at a site than its halls hold": {"rule": "min", "decision": "in_service", "site_id": "ellendale-nd", "value": 9_000.0},
}  # fmt: skip
REFERENCE_PERIOD = {"from_period": "2027-Q4", "to_period": "2027-Q4"}


def reference() -> Iterator[tuple[str, bool, float, float]]:
    """Conflicts planted in the reference dataset: what, whether it was named, seconds, and seconds of a plan to 2 %."""
    dataset = read_dataset(ROOT / "data" / "reference-2025q4")
    began = time.monotonic()
    plan(dataset, gap=0.02, time_limit=600)
    whole = time.monotonic() - began
    for words, values in REFERENCE.items():
        row = Directive.model_validate({"row": "planted", **values, **REFERENCE_PERIOD})
        began = time.monotonic()
        found = explain_conflict(dataset.replace(None, directives=[*dataset.rows(Directive), row]))
        yield words, found is not None and "planted" in found.named, time.monotonic() - began, whole


# report ----------------------------------------------------------------------------------------


def spread(values: Sequence[float], digits: int = 2, percent: bool = False) -> str:
    """Median, and lowest to highest."""
    if not values:
        return "–"
    unit, scale = (" %", 100) if percent else ("", 1)
    low, middle, high = (f"{scale * v:.{digits}f}" for v in (min(values), statistics.median(values), max(values)))
    return f"{middle}{unit} ({low} to {high})"


def conflict_table(found: list[Explained]) -> list[str]:
    """One row a kind."""
    lines = ["| planted | conflicts | rules planted | named | feasible after the cheapest repair | seconds | share of a plan's time |",
             "| --- | ---: | ---: | ---: | ---: | ---: | ---: |"]  # fmt: skip
    groups = {kind: [e for e in found if e.kinds == (kind,)] for kind in KINDS}
    groups["two at once"] = [e for e in found if len(e.kinds) > 1]
    for kind, own in [*groups.items(), ("all", found)]:
        if own:
            tried = [e.repaired for e in own if e.repaired is not None]
            lines.append(
                f"| {kind} | {len(own)} | {sum(e.planted for e in own)} | {sum(e.named for e in own)} | {sum(tried)} of {len(tried)} "
                f"| {spread([e.seconds for e in own])} | {spread([e.seconds / e.plan_seconds for e in own])} |"
            )
    return lines


def report(found: list[Explained], asked: list[Checked], worth: list[Priced], large: list[tuple[str, bool, float, float]]) -> str:
    """The report as Markdown."""
    box, made_with = machine(), ", ".join(f"{name} {number}" for name, number in versions().items())
    planted_rules, named = sum(e.planted for e in found), sum(e.named for e in found)
    tried = [e.repaired for e in found if e.repaired is not None]
    costs = [abs(c.cost_usd - c.anew_usd) for c in asked if c.cost_usd is not None and c.anew_usd is not None]
    lines = [
        "# Explanations against the truth\n",
        (__doc__ or "").partition("\n")[0] + "\n",
        (f"Measured on {datetime.now(UTC):%Y-%m-%d} on {box['cores']} cores of {box['cpu']}, {box['memory_gib']} GiB, with {made_with}; other work "
        "ran beside it, so seconds are for orientation. Figures with a spread: median (lowest to highest).\n"),
        "## Conflicts\n",
        (f"{len(found)} conflicts in {(len(found) + EACH - 1) // EACH} random datasets of 4 sites and 6 quarters, each with 5 innocent rules; each shown to "
        "be infeasible by HiGHS on the whole model.\n"),
        f"- **Recall**: {named} of {planted_rules} planted rules named ({100 * named / max(1, planted_rules):.1f} %).",
        (f"- Irreducible: shown of {sum(e.irreducible for e in found)} of {len(found)}. Innocent rules that take part: {sum(e.innocent for e in found)} "
        f"of {5 * len(found)}."),
        (f"- **Repairs**: a plan exists after the cheapest repair in {sum(tried)} of {len(tried)}; the other {len(found) - len(tried)} repairs are of a "
        "share of revenue or of capacity, which no single cell of the data carries."),
        f"- **Time**: {spread([e.seconds for e in found])} s, {spread([e.seconds / e.plan_seconds for e in found])} times that of a plan to 1 %.\n",
        *conflict_table(found),
        "\n## Why not\n",
        (f"{len(asked)} questions about optimal plans of datasets of 3 sites and 5 quarters, planned from nothing with the wish as directives: "
        f"**{sum(c.right for c in asked)} of {len(asked)} agree** (cost within {CLOSE:g} of NPV; what can't be is infeasible; no proven least cost is too high). "
        f"Costs differ by {spread(costs, 0)} USD. An answer takes {spread([c.seconds for c in asked])} s.\n"),
        "| wish | answer | cost, USD | planned anew, USD | agrees |",
        "| --- | --- | ---: | ---: | --- |",
        *(f"| {c.wish} | {c.possible} | {_usd(c.cost_usd)} | {_usd(c.anew_usd)} | {'yes' if c.right else '**no**'} |" for c in asked),
        "\n## Prices\n",
        "The highest prices, at most one of each limit and place, against the model near the plan solved again with one unit more, until ten are confirmed or forty tried.\n",
        "| dataset | confirmed within 2 % | worth less for a whole unit | not solved | difference of the confirmed | share gained by the others | above their price | seconds |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        *(
            f"| {p.name} | {p.confirmed} | {p.less} | {p.unsolved} | {spread(p.differences, 4, True)} | {spread(p.worth, 0, True)} | {p.above} | {p.seconds:.1f} |"
            for p in worth
        ),
    ]  # fmt: skip
    if large:
        lines += ["\n## The reference dataset\n", "| planted | named | seconds | seconds of a plan to 2 % |", "| --- | --- | ---: | ---: |"]
        lines += [f"| {words} | {'yes' if named else '**no**'} | {seconds:.0f} | {whole:.0f} |" for words, named, seconds, whole in large]
    return "\n".join(lines) + "\n"


def _usd(amount: float | None) -> str:
    return "–" if amount is None else f"{amount:,.0f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--conflicts", type=int, default=100)
    parser.add_argument("--questions", type=int, default=20)
    parser.add_argument("--reference", action="store_true", help="the reference dataset too (a quarter of an hour)")
    parser.add_argument("--out", type=Path, default=HERE, help="folder of the report")
    given = parser.parse_args(arguments)
    asked, found = [], []
    for one in questions(given.questions):
        asked.append(one)
        if not one.right:
            sys.stderr.write(f"why not: {one}\n")
    for n, p in enumerate(planted(given.conflicts)):
        found.append(explained(p))
        if found[-1].named < found[-1].planted or found[-1].repaired is False:
            sys.stderr.write(f"conflict {n}: {found[-1]}\n")
    worth = [priced(*part) for part in datasets()]
    large = list(reference()) if given.reference else []
    text = report(found, asked, worth, large)
    partial = given.out / "SOAK-EXPLAIN.md.part"
    partial.write_text(text)
    partial.replace(given.out / "SOAK-EXPLAIN.md")
    wrong = any(e.named < e.planted or e.repaired is False for e in found) or not all(c.right for c in asked) or any(p.above for p in worth)
    return int(wrong or not all(named for _, named, _, _ in large))


if __name__ == "__main__":
    sys.exit(main())
