"""wattplan audit: a plan checked against every constraint, and its NPV recomputed, from tables alone."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from batch.commands.outcome import ExitCode, Outcome
from models.files import read_dataset
from models.plan_files import read_plan


def run(dataset_path: Path, plan_path: Path) -> Outcome:
    """Audit the plan.

    Raises:
        InputError: faults of dataset or plan.
    """
    from optimizer.audit import audit

    dataset, plan = read_dataset(dataset_path), read_plan(plan_path)
    report = audit(dataset, plan)
    lines = [str(report), f"NPV recomputed: {report.npv_recomputed_usd:,.2f} USD"]
    code = ExitCode.OK if report.passed else ExitCode.NOT_REACHED
    return Outcome("\n".join(lines), {"audit": asdict(report), "exit_code": int(code)}, code)
