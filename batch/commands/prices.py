"""wattplan prices: what one unit more of each limit is worth at a plan."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from batch.commands import plan_folder
from batch.commands.checks import check_seed, check_threads, check_time_limit
from batch.commands.diff_text import listed, millions
from batch.commands.outcome import CommandError, ExitCode, Outcome, bad_option
from models.faults import Fault, InputError
from models.files.csv_folder import load_file
from models.plan import Plan
from models.plan_files import read_plan

if TYPE_CHECKING:
    from optimizer.explain.prices import Confirmation, Price, Prices

_WRITTEN = "what wattplan prices PLAN --json writes"


@dataclass(frozen=True)
class Options:
    """Options of the command; times in seconds."""

    plan: Path
    dataset: Path | None = None
    confirm: int = 10
    signing: bool = True
    time_limit: float = 600.0
    threads: int | None = None
    seed: int = 0

    def check(self) -> None:
        """See that every option can be.

        Raises:
            CommandError: an option whose value cannot be.
        """
        if self.confirm < 0:
            raise bad_option("--confirm", self.confirm, "0 or more prices")
        check_time_limit(self.time_limit)
        check_threads(self.threads)
        check_seed(self.seed)


def run(options: Options) -> Outcome:
    """Price the limits of the plan.

    Raises:
        InputError: faults of plan or dataset.
        CommandError: bad options, the dataset is missing or another one, or the solver failed.
    """
    from optimizer.explain import as_json
    from optimizer.explain.prices import prices
    from optimizer.highs import Control, SolverError

    options.check()
    plan = read_plan(options.plan)
    dataset = plan_folder.dataset_of(plan, options.plan, options.dataset)
    control = Control(time.monotonic() + options.time_limit)
    try:
        found = prices(
            dataset,
            plan,
            confirm=options.confirm,
            signing=options.signing,
            control=control,
            seed=options.seed,
            threads=options.threads or 1,
        )
    except SolverError as error:
        raise CommandError(f"the solver failed: {error}", ExitCode.ENVIRONMENT, "solver") from error
    document = {"plan": str(options.plan), "dataset": plan.summary.dataset.model_dump(), **as_json(found)}
    return Outcome(_text(found), document)


def read_prices(path: Path, plan: Plan) -> Prices:
    """Prices from what the command wrote with ``--json``.

    Raises:
        InputError: the file cannot be read, holds something else, or prices of another plan.
    """
    from pydantic import TypeAdapter, ValidationError

    from optimizer.explain.prices import Prices

    def refused(problem: str, code: str, allowed: str = _WRITTEN, column: str = "") -> InputError:
        return InputError([Fault(str(path), problem, code=code, allowed=allowed, column=column)])

    data = load_file(path, str(path)) if path.exists() else None
    if data is None:
        raise refused("does not exist", "missing_file")
    if isinstance(data, Fault):
        raise InputError([data])
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        raise refused("is not JSON", "bad_json") from None
    if not isinstance(document, dict):
        raise refused("is not an object", "bad_prices")
    try:
        found = TypeAdapter(Prices).validate_python(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise refused(f"holds no prices: {str(first['msg']).lower()}", "bad_prices", column=place) from None
    ours, theirs = plan.summary.dataset.sha256, document.get("dataset")
    other_dataset = isinstance(theirs, dict) and theirs.get("sha256") != ours
    if other_dataset or not math.isclose(found.plan_npv_usd, plan.summary.npv_usd or 0.0, rel_tol=1e-9, abs_tol=1e-6):
        raise refused("holds prices of another plan", "other_plan", "prices of this plan")
    return found


def _text(found: Prices) -> str:
    confirmed = [p for p in found.prices if p.confirmation is not None]
    others = [p for p in found.prices if p.confirmation is None]
    lines = [
        f"NPV of the plan {millions(found.plan_npv_usd)} million USD; with racks divisible {millions(found.local_npv_usd)}",
        *listed("one unit more, solved again (USD of NPV)", ("limit", "unit", "worth", "solved again", "whole racks", ""), [_row(p) for p in confirmed], left=2),
        *listed("one unit more in every period (USD of NPV)", ("limit", "place", "unit", "periods", "worth", "solved again", "whole racks", ""),
                [(t.name, t.place or "-", t.unit, t.periods, *_worth(t.npv_usd, t.confirmation)) for t in found.throughout], left=3),
        *listed("other limits with a price (USD of NPV per unit)", ("limit", "unit", "worth"),
                [(p.limit.words, p.limit.unit, _usd(p.npv_usd)) for p in others], left=2),
    ]  # fmt: skip
    if found.signing:
        lines += ["", "declined prospects", *(f"  {s.statement}" for s in found.signing)]
    return "\n".join([*lines, "", found.statement])


def _row(price: Price) -> tuple[str, ...]:
    return price.limit.words, price.limit.unit, *_worth(price.npv_usd, price.confirmation)


def _worth(npv_usd: float, c: Confirmation | None) -> tuple[str, str, str, str]:
    """A price and what confirms it."""
    if c is None:
        return _usd(npv_usd), "", "", ""
    again, whole = ("-" if v is None else _usd(v) for v in (c.resolved_usd, c.whole_usd))
    return _usd(npv_usd), again, whole, c.verdict.value


def _usd(amount: float) -> str:
    return f"{amount:,.0f}" if abs(amount) >= 10 else f"{amount:,.4f}"
