"""A plan as one file: made in a process of its own by the command that makes it, so that whoever asks can go on, and end it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

from batch.commands import plan_folder
from models.dataset import Dataset
from models.files.archive import folder_bytes
from models.plan import Plan

SECONDS = 300.0
"""Time that a file may take, on a machine whose cores solve."""
PRIORITY = 10
"""Of the process that makes it, as of ``nice``: solves and requests come first."""


class ExportFormat(StrEnum):
    """Files of a plan that need more than its tables.

    ``zip``: the folder that ``wattplan plan`` writes, with dataset and baseline. ``xlsx``: the workbook for people
    (``wattplan export``). ``html``: the report (``wattplan report``).
    """

    ZIP = "zip"
    XLSX = "xlsx"
    HTML = "html"


COMMANDS = {ExportFormat.XLSX: ("export", "--xlsx"), ExportFormat.HTML: ("report", "--output")}


class ExportError(Exception):
    """A file that can't be made; the message says why.

    Args:
        message: in words.
        fault: whether it is the plan that can't be written so; else the surroundings failed.
    """

    def __init__(self, message: str, fault: bool = False) -> None:
        super().__init__(message)
        self.fault = fault


async def exported(
    format: ExportFormat, plan: Plan, dataset: Dataset, baseline: Plan | None = None, baseline_dataset: Dataset | None = None
) -> bytes:
    """A plan as a file.

    Args:
        format: of the file.
        plan: the plan.
        dataset: the dataset that it was made for.
        baseline: a plan to compare with.
        baseline_dataset: its dataset.

    Raises:
        ExportError: it can't be made, or not in time.
        StorageError: disk full, no permission.
    """
    with tempfile.TemporaryDirectory(prefix="wattplan-export-", ignore_cleanup_errors=True) as place:
        folder, target = Path(place) / "plan", Path(place) / f"made.{format.value}"
        await asyncio.to_thread(plan_folder.write_all, folder, plan, dataset, baseline, baseline_dataset)
        if format is ExportFormat.ZIP:
            return await asyncio.to_thread(folder_bytes, folder)
        command, option = COMMANDS[format]
        await _run(command, str(folder), option, str(target), "--json")
        return await asyncio.to_thread(target.read_bytes)


async def _run(*arguments: str) -> None:
    """Run the command ``wattplan``; it ends with whoever waits for it.

    Raises:
        ExportError: it failed, or took too long.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "batch.cli", *arguments, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        with suppress(ProcessLookupError):  # it has ended already
            os.setpriority(os.PRIO_PROCESS, process.pid, PRIORITY)
        async with asyncio.timeout(SECONDS):
            told, _ = await process.communicate()
    except TimeoutError:
        raise ExportError(f"it was not made within {SECONDS:g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise _error(process.returncode, told)


def _error(code: int | None, told: bytes) -> ExportError:
    """Why a command failed, by what it has told."""
    try:
        error = json.loads(told)["error"]
        return ExportError("; ".join(error["messages"]), fault=error["kind"] == "bad_input")
    except (ValueError, KeyError, TypeError):
        return ExportError(f"its process ended with {code}")
