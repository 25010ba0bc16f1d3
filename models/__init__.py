"""The planning problem in types: datasets, plans, calendar and faults; no solver, no HTTP."""

from models.calendar import Calendar, PeriodKind
from models.dataset import Dataset
from models.faults import DatasetError, Fault, InputError, PlanError, StorageError
from models.files import from_plain, read_dataset, write_dataset
from models.plan import Plan, SolutionStatus, StopReason, Summary

__all__ = [
    "Calendar",
    "Dataset",
    "DatasetError",
    "Fault",
    "InputError",
    "PeriodKind",
    "Plan",
    "PlanError",
    "SolutionStatus",
    "StopReason",
    "StorageError",
    "Summary",
    "from_plain",
    "read_dataset",
    "write_dataset",
]
