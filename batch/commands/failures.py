"""Errors turned into messages and exit codes: the one place that knows which error means what."""

from __future__ import annotations

import errno
from dataclasses import asdict

from batch.commands.outcome import CommandError, ExitCode


def command_error(error: BaseException) -> CommandError | None:
    """The error as a message with its exit code; None for one that is a fault of the program."""
    from models.faults import InputError, StorageError

    if isinstance(error, CommandError):
        return error
    if isinstance(error, InputError):
        faults = [{key: value for key, value in asdict(fault).items() if value} for fault in error.faults]
        return CommandError([str(fault) for fault in error.faults], ExitCode.BAD_INPUT, "bad_input", faults=faults)
    if isinstance(error, StorageError):
        return CommandError(str(error), ExitCode.ENVIRONMENT, "storage")
    if isinstance(error, OSError):
        return CommandError(_os_message(error), ExitCode.ENVIRONMENT, "storage")
    if isinstance(error, MemoryError):
        return CommandError("out of memory", ExitCode.ENVIRONMENT, "memory")
    if isinstance(error, KeyboardInterrupt):
        return CommandError("aborted; nothing was written", ExitCode.ENVIRONMENT, "aborted")
    return None


def program_error(error: BaseException) -> CommandError:
    """A fault of the program itself, named without its trace."""
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    message = f"wattplan itself failed ({what}); with WATTPLAN_TRACE=1 in the environment it says where"
    return CommandError(message, ExitCode.ENVIRONMENT, "program")


def _os_message(error: OSError) -> str:
    words = {errno.ENOSPC: "the disk is full", errno.EPIPE: "the reader of the output has gone"}.get(error.errno or 0)
    what = words or (error.strerror or str(error)).lower()
    return f"{error.filename}: {what}" if error.filename else what
