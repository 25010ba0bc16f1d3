"""wattplan serve and wattplan gc: the service, started and tidied from the command line.

Here, and nowhere else in ``batch``, the service is imported: a command line that starts it has to know it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from api import serve
from api.settings import Settings, SettingsError, from_environment
from api.store import BlobError, Store
from api.store.gc import collect
from batch.commands.outcome import CommandError, ExitCode, Outcome

MIB = 2**20


def settings_of(given: Mapping[str, Any]) -> Settings:
    """Settings by options, then by environment.

    Args:
        given: options by name of their setting; None is not given.

    Raises:
        CommandError: a setting that can't be.
    """
    try:
        return from_environment(os.environ, **given)
    except SettingsError as error:
        raise CommandError(str(error), ExitCode.BAD_INPUT, "bad_option") from None


def run(given: Mapping[str, Any]) -> Outcome:
    """Serve until told to end.

    Raises:
        CommandError: a setting can't be, or the database can't be used.
        OSError: the address or the folder can't be used.
    """
    settings = settings_of(given)
    try:
        code = serve.run(settings)
    except serve.BusyError as error:
        raise CommandError(str(error), ExitCode.ENVIRONMENT, "busy") from None
    except (SQLAlchemyError, ValueError) as error:
        raise _unusable(settings, error) from None
    return Outcome("", code=ExitCode.OK if code == 0 else ExitCode.ENVIRONMENT)


def tidy(given: Mapping[str, Any], dry_run: bool) -> Outcome:
    """Delete what nothing needs any more, or say what would be.

    Raises:
        CommandError: a setting can't be, there is no such store, or its database can't be used.
    """
    settings = settings_of(given)
    if not settings.folder.is_dir():
        raise CommandError(
            f"--folder: {settings.folder} does not exist; allowed: the folder of a service", ExitCode.BAD_INPUT, "bad_option"
        )
    try:
        store = Store.open(settings.database_url, settings.folder)
        try:
            gone = collect(store, settings.keep_days, dry_run)
        finally:
            store.close()
    except (SQLAlchemyError, ValueError, BlobError) as error:
        raise _unusable(settings, error) from None
    verb = "would delete" if dry_run else "deleted"
    text = (
        f"{verb} {_count(gone.runs, 'run')} that ended more than {_count(settings.keep_days, 'day')} ago, with {_count(gone.events, 'event')};\n"
        f"{_count(gone.datasets, 'derived dataset')}, {_count(gone.studies, 'study', 'studies')}, {_count(gone.answers, 'stored answer')} to repeated requests, "
        f"{_count(gone.blobs, 'file')} ({gone.bytes / MIB:,.1f} MiB)"
    )
    return Outcome(text, {"dry_run": dry_run, "keep_days": settings.keep_days, **vars(gone)})


def _count(number: int, what: str, several: str = "") -> str:
    return f"{number:,} {what if number == 1 else several or what + 's'}"


def _unusable(settings: Settings, error: Exception) -> CommandError:
    """The database's own words, without the password of its address."""
    cause = getattr(error, "orig", None) or error
    where = settings.database_url.rsplit("@", 1)[-1]
    return CommandError(f"database {where}: {' '.join(str(cause).split())}", ExitCode.ENVIRONMENT, "database")
