"""The folder that the command plan writes: the plan, its dataset, and the baseline beside it.

summary.json, racks.csv, ...   the plan (data.md)
dataset.json                   what it was made for, directives included
baseline/                      a plan to compare with, if there is one; with its own dataset.json where it was made for another
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from batch.commands.outcome import CommandError, ExitCode
from models import tables as tb
from models.dataset import Dataset
from models.faults import Fault, PlanError, closest
from models.files import read_dataset, write_dataset
from models.files.atomic import is_special, staged_folder, write_bytes
from models.files.csv_folder import ignored
from models.plan import PLAN_COLUMNS, Plan, Summary
from models.plan_files import other_names, read_plan, write_plan
from models.plan_views import check_names

SUMMARY = "summary.json"
DATASET = "dataset.json"
BASELINE = "baseline"


def check_target(folder: Path) -> None:
    """See before a long search that a plan can be written to ``folder`` and deletes nothing else there.

    Raises:
        CommandError: a file stands there, the folder holds other things than a plan, or it cannot be written to.
    """
    check_folder(folder, other_names(folder) if folder.is_dir() else [], "a plan")


def check_folder(folder: Path, others: Sequence[str], what: str) -> None:
    """See that ``folder`` can be replaced by a new one.

    Args:
        others: names in it that would be lost.
        what: what the new one holds.

    Raises:
        CommandError: something would be lost, a file stands there, it is a mount point, or it cannot be written to.
    """
    if os.path.ismount(os.path.realpath(folder)):  # nothing can be renamed to its name, which is how folders are put in place
        raise bad_output(folder, "is a mount point, which cannot be replaced", f"a folder inside it, such as {folder / 'new'}")
    if others:
        found = ", ".join(others[:5]) + (", ..." if len(others) > 5 else "")
        raise bad_output(folder, f"holds other things than {what}: {found}", f"a new folder, or one that holds {what} only")
    if os.path.lexists(folder) and not folder.is_dir():
        raise bad_output(folder, "is a file", f"a folder for {what}")
    check_writable(folder)


def check_writable(path: Path) -> None:
    """See that a new file or folder can be put at ``path``, or a device or pipe there be written into.

    Raises:
        CommandError: a file stands where a folder must, or a folder cannot be written to.
    """
    if is_special(path):
        if not os.access(path, os.W_OK):
            raise CommandError(f"{path}: cannot be written to", ExitCode.ENVIRONMENT, "storage")
        return
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
    for inside in (Path(), Path(BASELINE)):
        if (folder / inside).is_dir():
            for name in sorted(os.listdir(folder / inside)):
                if ignored(name) and (folder / inside / name).is_file():
                    write_bytes(staged / inside / name, (folder / inside / name).read_bytes())


def check_periods(plan: Plan, path: Path, dataset: Dataset) -> None:
    """See that the periods of a plan are of the dataset's kind: a plan of quarters says nothing of months.

    Args:
        path: of the plan.
        dataset: for which it is to be used; it may have been made for another.

    Raises:
        PlanError: they are of another kind.
    """
    for name, columns in PLAN_COLUMNS.items():
        for label in (str(label) for c in columns if c.period for label in plan[name][c.name].unique()):
            try:
                dataset.calendar.index(label)
            except ValueError as error:
                problem = f"its periods are not those of the dataset {dataset.name!r}"
                raise PlanError([Fault(str(path), problem, value=label, allowed=str(error), code="other_periods")]) from None


def _check_plan(plan: Plan, path: Path, dataset: Dataset) -> None:
    """See that a plan, which may have been edited by hand, names only what its dataset has.

    Raises:
        PlanError: a fault per name that is unknown.
    """
    check_periods(plan, path, dataset)
    faults = list(_decision_faults(plan, dataset))
    try:
        check_names(plan, dataset)
    except PlanError as error:
        faults += error.faults
    if faults:
        raise PlanError([replace(fault, table=f"{path}, {fault.table}") for fault in faults])


def _decision_faults(plan: Plan, dataset: Dataset) -> Iterator[Fault]:
    """Decisions on what the dataset does not have, or on what needs none; those with a place in time outside the horizon."""
    contracts = [row.contract_id for row in dataset.rows(tb.Contract)]
    known = {
        "sign": contracts, "decline": contracts,
        "open": [row.site_id for row in dataset.rows(tb.Site)],
        "build": [row.block_id for row in dataset.rows(tb.PowerBlock) if row.status is tb.BlockStatus.OPTION],
        "retrofit": [row.site_id for row in dataset.rows(tb.Retrofit)],
    }  # fmt: skip
    labels = dataset.calendar.labels
    for row in plan.decisions[["kind", "id", "period"]].to_dict("records"):
        kind, id, period = str(row["kind"]), str(row["id"]), str(row["period"])
        if id not in known[kind]:
            near = closest(id, known[kind])
            problem = f"unknown id of the decision {kind}"
            yield Fault("decisions", problem, column="id", value=id, allowed=", ".join(known[kind]) if not near else "", suggestion=near)
        elif kind not in ("sign", "decline") and period not in labels:
            horizon = f"{labels[0]} to {labels[-1]}"
            yield Fault("decisions", f"{kind} of {id} is outside the horizon", column="period", value=period, allowed=horizon)


def dataset_of(plan: Plan, path: Path, given: Path | None) -> Dataset:
    """The dataset of a plan: the one given, else the one stored beside it.

    Raises:
        CommandError: there is none, or it is not the one that the plan was made for.
        DatasetError: it has faults.
        PlanError: the plan names what the dataset does not have.
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
    _check_plan(plan, path, dataset)
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
    return baseline, dataset_beside(baseline, where, dataset, given_dataset)


def dataset_beside(plan: Plan, path: Path, dataset: Dataset, given: Path | None = None) -> Dataset | None:
    """The dataset of a plan to compare with: the one given, else ``dataset`` if it is that, else the one stored beside it.

    Args:
        plan: the plan to compare with.
        path: where it is.
        dataset: of the plan that is compared.
        given: its dataset, if the user names one.

    Returns:
        None where it is not known.

    Raises:
        PlanError, DatasetError: plan or dataset have faults.
        CommandError: it is not the one that the plan was made for.
    """
    if given is None and plan.summary.dataset.sha256 == dataset.sha256:
        _check_plan(plan, path, dataset)
        return dataset
    if given is None and not (path.is_dir() and (path / DATASET).is_file()):
        return None
    return dataset_of(plan, path, given)
