"""wattplan why, why-not and conflict: reasons for what a plan does, for what it does not, and for having none."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from batch.commands import plan_folder
from batch.commands.checks import check_seed, check_threads, check_time_limit
from batch.commands.diff_text import listed, millions
from batch.commands.directives import apply_directives
from batch.commands.outcome import CommandError, ExitCode, Outcome, bad_option
from models.dataset import Dataset
from models.files import read_dataset
from models.plan import NPV_TERMS, Plan
from models.plan_files import read_plan

if TYPE_CHECKING:
    from optimizer.explain.why import Why
    from optimizer.explain.why_not import WhyNot


@dataclass(frozen=True)
class Options:
    """Options of the commands; time in seconds."""

    plan: Path
    dataset: Path | None = None
    time_limit: float = 120.0
    threads: int | None = None
    seed: int = 0


@dataclass(frozen=True)
class Wished:
    """What why-not is asked: a placement, or GPUs."""

    placement: str | None = None
    gpus: float | None = None
    gen: str | None = None
    site: str | None = None
    contract: str | None = None
    from_period: str | None = None
    to_period: str | None = None


def _read(options: Options) -> tuple[Plan, Dataset]:
    check_time_limit(options.time_limit)
    check_threads(options.threads)
    check_seed(options.seed)
    plan = read_plan(options.plan)
    return plan, plan_folder.dataset_of(plan, options.plan, options.dataset)


def why(options: Options, placement: str) -> Outcome:
    """Say why the plan does something.

    Raises:
        InputError: faults of plan or dataset.
        CommandError: bad options, a placement that the plan does not have, or the solver failed.
    """
    from optimizer.explain import as_json
    from optimizer.explain.placement import PlacementError
    from optimizer.explain.why import why as explain
    from optimizer.highs import Control, SolverError

    plan, dataset = _read(options)
    try:
        found = explain(
            dataset,
            plan,
            placement,
            control=Control(time.monotonic() + options.time_limit),
            threads=options.threads or 1,
            seed=options.seed,
        )
    except PlacementError as error:
        raise CommandError(str(error), ExitCode.BAD_INPUT, "bad_placement") from None
    except SolverError as error:
        raise CommandError(f"the solver failed: {error}", ExitCode.ENVIRONMENT, "solver") from error
    return Outcome(_why_text(found), {"plan": str(options.plan), **as_json(found)})


def why_not(options: Options, wished: Wished) -> Outcome:
    """Say why the plan does not do something.

    Raises:
        InputError: faults of plan or dataset.
        CommandError: bad options, a wish that names what there is not, or the solver failed.
    """
    from optimizer.explain import as_json
    from optimizer.explain.obstacles import Wish
    from optimizer.explain.placement import Placement, PlacementError, read_placement
    from optimizer.explain.why_not import why_not as explain
    from optimizer.highs import Control, SolverError
    from optimizer.instance import Instance

    if (wished.placement is None) == (wished.gpus is None):
        raise CommandError("needs either a placement or --gpus, one of the two", ExitCode.BAD_INPUT, "bad_option")
    own = {
        "--gen": wished.gen,
        "--site": wished.site,
        "--contract": wished.contract,
        "--from": wished.from_period,
        "--to": wished.to_period,
    }
    for option, value in own.items():
        if wished.placement is not None and value is not None:
            raise bad_option(option, value, "nothing beside a placement; it goes with --gpus")
    plan, dataset = _read(options)
    try:
        wish: Wish | Placement
        if wished.placement is not None:
            wish = read_placement(wished.placement, Instance(dataset))
        else:
            wish = Wish(wished.gpus or 0.0, wished.gen, wished.site, wished.contract, wished.from_period, wished.to_period)
        found = explain(
            dataset, plan, wish, control=Control(time.monotonic() + options.time_limit), threads=options.threads or 1, seed=options.seed
        )
    except PlacementError as error:
        raise CommandError(str(error), ExitCode.BAD_INPUT, "bad_placement") from None
    except SolverError as error:
        raise CommandError(f"the solver failed: {error}", ExitCode.ENVIRONMENT, "solver") from error
    return Outcome(_why_not_text(found), {"plan": str(options.plan), **as_json(found)})


def conflict(path: Path, directives: Path | None, time_limit: float, threads: int | None, seed: int) -> Outcome:
    """Say why a dataset has no plan.

    Raises:
        InputError: faults of dataset or directives.
        CommandError: bad options, or the solver failed.
    """
    from optimizer.explain import as_json
    from optimizer.explain.conflict import explain_conflict
    from optimizer.highs import Control, SolverError

    check_time_limit(time_limit)
    check_threads(threads)
    check_seed(seed)
    dataset = read_dataset(path)
    if directives is not None:
        dataset = apply_directives(dataset, directives)
    try:
        found = explain_conflict(dataset, control=Control(time.monotonic() + time_limit), threads=threads or 1, seed=seed)
    except SolverError as error:
        raise CommandError(f"the solver failed: {error}", ExitCode.ENVIRONMENT, "solver") from error
    if found is None:
        return Outcome("no conflict: its rules can hold together", {"conflict": None})
    code = ExitCode.INFEASIBLE if found.proven else ExitCode.NO_PLAN
    return Outcome("\n".join(found.words), {"conflict": as_json(found), "words": found.words}, code)


def _why_text(found: Why) -> str:
    lines = [found.placement.words, *(f"  {line}" for line in found.drivers)]
    lines += listed(
        "a GPU-hour by site (USD)", ("site", "generation", "", "energy", "demand", "serving", "scarce", "total"),
        [(c.site_id, c.gen_id, "in use" if c.chosen else "", *(f"{v:.4f}" for v in (c.energy_usd, c.demand_usd, c.serving_usd, c.scarcity_usd, c.total_usd)))
         for c in found.costs], left=3,
    )  # fmt: skip
    lines += listed("sites that can't serve it", ("site", ""), [(f.site_id, f.reason) for f in found.sites if not f.possible], left=2)
    if found.without is not None:
        lines += listed(
            "NPV without it, million USD",
            ("term", "difference"),
            [(NPV_TERMS[t.name], millions(t.difference, True)) for t in found.without.terms],
        )
    return "\n".join([*lines, "", found.statement])


def _why_not_text(found: WhyNot) -> str:
    lines = [found.wish, f"  {found.statement}"]
    lines += listed(
        "NPV with it, million USD", ("term", "difference"), [(NPV_TERMS[t.name], millions(t.difference, True)) for t in found.terms]
    )
    lines += listed(
        "limits in the way (more of each alone; USD of NPV by which one unit makes it cheaper)", ("limit", "a unit"),
        [(relief.words, f"{relief.npv_usd:,.2f}") for relief in found.limits],
    )  # fmt: skip
    return "\n".join(lines)
