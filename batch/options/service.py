"""Options of the commands of the service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from batch.commands.outcome import Outcome
from batch.options.common import Json

FolderOption = Annotated[Path | None, typer.Option(metavar="DIR", help="Where the service keeps everything (default: ./wattplan-service).")]
DatabaseOption = Annotated[
    str | None, typer.Option(metavar="URL", help="postgresql+psycopg://... or sqlite:///... (default: SQLite in the folder).")
]
KeepDaysOption = Annotated[
    int | None, typer.Option("--keep-days", metavar="N", help="Days that runs which nothing needs are kept (default: 90).")
]


def serve(
    folder: FolderOption = None,
    database: DatabaseOption = None,
    host: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Where to listen (default: 127.0.0.1).")] = None,
    port: Annotated[int | None, typer.Option(metavar="N", help="Port; 0 takes any free one (default: 8000).")] = None,
    keys: Annotated[
        bool | None, typer.Option("--keys/--no-keys", help="Ask for API keys; without, on loopback only (default: --keys).")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(metavar="TCP", help="Dask scheduler, as tcp://host:port (default: one of its own).")
    ] = None,
    slots: Annotated[int | None, typer.Option(metavar="N", help="Solves at a time (default: 1).")] = None,
    threads: Annotated[int | None, typer.Option(metavar="N", help="Threads of each solve (default: all cores).")] = None,
    memory_limit: Annotated[str | None, typer.Option(metavar="SIZE", help="Memory of each solve, such as 4GiB (default: 6GiB).")] = None,
) -> Outcome:
    """Answer what-if questions over HTTP. Each option can be an environment variable too: WATTPLAN_PORT=8080."""
    from batch.commands import serve as command

    return command.run(
        {
            "folder": folder, "database": database, "host": host, "port": port, "keys": keys, "scheduler": scheduler, "slots": slots,
            "threads": threads, "memory_limit": memory_limit,
        }
    )  # fmt: skip


def gc(
    folder: FolderOption = None,
    database: DatabaseOption = None,
    keep_days: KeepDaysOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be deleted.")] = False,
    json: Json = False,
) -> Outcome:
    """Delete old runs of the service, and files that nothing needs any more."""
    from batch.commands import serve as command

    return command.tidy({"folder": folder, "database": database, "keep_days": keep_days}, dry_run)
