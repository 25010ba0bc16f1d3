"""The folder that the command plan writes: the plan, its dataset, and the baseline beside it.

summary.json, racks.csv, ...   the plan (data.md)
dataset.json                   what it was made for, directives included
baseline/                      a plan to compare with, if there is one; with its own dataset.json where it was made for another
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from batch.commands.outcome import CommandError, ExitCode
from models.dataset import Dataset
from models.files import read_dataset, write_dataset
from models.files.atomic import staged_folder, write_bytes
from models.plan import PLAN_COLUMNS, Plan, Summary
from models.plan_files import read_plan, write_plan

SUMMARY = "summary.json"
DATASET = "dataset.json"
BASELINE = "baseline"
REPORT = "report.html"


def check_target(folder: Path) -> None:
    """See before a long search that a plan can be written to ``folder`` and deletes nothing else there.

    Raises:
        CommandError: a file stands there, the folder holds other things than a plan, or it cannot be written to.
    """
    check_folder(folder, _others(folder) if folder.is_dir() else [], "a plan")


def check_folder(folder: Path, others: Sequence[str], what: str) -> None:
    """See that ``folder`` can be replaced by a new one.

    Args:
        others: names in it that would be lost.
        what: what the new one holds.

    Raises:
        CommandError: something would be lost, a file stands there, or it cannot be written to.
    """
    if others:
        found = ", ".join(others[:5]) + (", ..." if len(others) > 5 else "")
        raise bad_output(folder, f"holds other things than {what}: {found}", f"a new folder, or one that holds {what} only")
    if os.path.lexists(folder) and not folder.is_dir():
        raise bad_output(folder, "is a file", f"a folder for {what}")
    check_writable(folder)


def check_writable(path: Path) -> None:
    """See that a new file or folder can be put at ``path``.

    Raises:
        CommandError: a file stands where a folder must, or a folder cannot be written to.
    """
    above = Path(os.path.realpath(path)).parent
    while not os.path.lexists(above):
        above = above.parent
    if not above.is_dir():
        raise bad_output(path, f"{above} is a file", "a folder above it")
    if not os.access(above, os.W_OK | os.X_OK):
        raise CommandError(f"{path}: the folder {above} cannot be written to", ExitCode.ENVIRONMENT, "storage")


def bad_output(path: Path, problem: str, allowed: str) -> CommandError:
    """A place for output that cannot be."""
    return CommandError(f"{path}: {problem}; allowed: {allowed}", ExitCode.BAD_INPUT, "bad_output")


def _others(folder: Path) -> list[str]:
    """Names in a folder that are no part of a plan folder; notes and hidden files may be there and stay."""
    tables = {f"{name}{ending}" for name in PLAN_COLUMNS for ending in (".csv", ".parquet")}
    known = tables | {SUMMARY, "events.csv", "events.parquet", DATASET, BASELINE, REPORT}
    found = sorted(os.listdir(folder))
    if SUMMARY not in found:
        known = set()
    return [name for name in found if name not in known and not (_note(name) and (folder / name).is_file())]


def _note(name: str) -> bool:
    return name.startswith(".") or name.lower().endswith(".md")


def write_all(folder: Path, plan: Plan, dataset: Dataset, baseline: Plan | None, baseline_dataset: Dataset | None = None) -> dict[str, str]:
    """Write plan, dataset and baseline; the folder is replaced once all of it is complete. Notes in it stay.

    The dataset of the baseline is written beside it where it is another one.

    Returns:
        Paths by what they hold.

    Raises:
        StorageError: disk full, no permission; what was there is untouched.
    """
    with staged_folder(folder) as staged:
        write_plan(plan, staged)
        write_dataset(dataset, staged / DATASET)
        if baseline is not None:
            write_plan(baseline, staged / BASELINE)
            if baseline_dataset is not None and baseline_dataset.sha256 != dataset.sha256:
                write_dataset(baseline_dataset, staged / BASELINE / DATASET)
        _keep_notes(folder, staged)
    paths = {"plan": str(folder), "dataset": str(folder / DATASET)}
    return paths | ({"baseline": str(folder / BASELINE)} if baseline is not None else {})


def write_summary(folder: Path, summary: Summary) -> dict[str, str]:
    """Write a summary without a plan; an older plan in the folder goes, notes stay.

    Raises:
        StorageError: disk full, no permission; what was there is untouched.
    """
    with staged_folder(folder) as staged:
        write_bytes(staged / SUMMARY, (summary.model_dump_json(indent=2) + "\n").encode())
        _keep_notes(folder, staged)
    return {"summary": str(folder / SUMMARY)}


def _keep_notes(folder: Path, staged: Path) -> None:
    if folder.is_dir():
        for name in sorted(os.listdir(folder)):
            if _note(name) and (folder / name).is_file():
                write_bytes(staged / name, (folder / name).read_bytes())


def dataset_of(plan: Plan, path: Path, given: Path | None) -> Dataset:
    """The dataset of a plan: the one given, else the one stored beside it.

    Raises:
        CommandError: there is none, or it is not the one that the plan was made for.
        DatasetError: it has faults.
    """
    stored = path / DATASET
    if given is None and not (path.is_dir() and stored.is_file()):
        message = f"{path}: the plan's dataset is not stored beside it ({DATASET}); name it with --dataset"
        raise CommandError(message, ExitCode.BAD_INPUT, "missing_dataset")
    where = stored if given is None else given
    dataset = read_dataset(where)
    wanted = plan.summary.dataset
    if dataset.sha256 != wanted.sha256:
        message = (
            f"{where}: is not the dataset of {path}: its content hash is {dataset.sha256[:12]}, "
            f"the plan was made for {wanted.name!r} with {wanted.sha256[:12]}"
        )
        raise CommandError(message, ExitCode.BAD_INPUT, "other_dataset")
    return dataset


def baseline_of(path: Path, given: Path | None, dataset: Dataset, given_dataset: Path | None = None) -> tuple[Plan | None, Dataset | None]:
    """The plan to compare with, the one given, else the one stored beside the plan; and its dataset.

    Args:
        path: of the plan that is compared.
        given: the plan to compare with, if the user names one.
        dataset: of the plan that is compared.
        given_dataset: the dataset of the other plan, if the user names one; else the one stored beside it, else ``dataset`` if it is that.

    Returns:
        Plan and dataset; None for what there is not. Where the dataset is not known, only figures can be compared.

    Raises:
        PlanError, DatasetError: they have faults.
        CommandError: a dataset is named and there is no baseline, or it is not the one that the baseline was made for.
    """
    where = given
    if where is None and (path / BASELINE / SUMMARY).is_file():
        where = path / BASELINE
    if where is None:
        if given_dataset is not None:
            message = "--baseline-dataset: there is no plan to compare with; name it with --baseline"
            raise CommandError(message, ExitCode.BAD_INPUT, "bad_option")
        return None, None
    baseline = read_plan(where)
    if given_dataset is None and baseline.summary.dataset.sha256 == dataset.sha256:
        return baseline, dataset
    if given_dataset is None and not (where.is_dir() and (where / DATASET).is_file()):
        return baseline, None
    return baseline, dataset_of(baseline, where, given_dataset)
