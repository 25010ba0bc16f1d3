"""The command ``wattplan``: its options are in ``batch.options``, what its commands do in ``batch.commands``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Annotated, TextIO

import typer

from batch.commands.failures import command_error, program_error
from batch.commands.interrupt import raise_on_termination
from batch.commands.outcome import CommandError, ExitCode, Outcome, json_text
from batch.options import explain, plans, service, studies, tradeoffs

app = typer.Typer(
    name="wattplan",
    help="Plan which GPUs go to which datacenter and when, with a proven bound on what any plan could earn.",
    epilog="Exit codes: 0 done and the gap asked is proven; 1 gap not reached, or audit failed; 2 bad input; "
    "3 infeasible; 4 no plan within the time; 5 disk, memory or solver failed, or aborted.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

TRACE = "WATTPLAN_TRACE"
"""Environment variable that lets faults of the program itself leave with their trace."""
TYPER_INTERRUPTED = 130
"""What Typer makes of a ``KeyboardInterrupt``."""


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            number = version("wattplan")
        except PackageNotFoundError:
            number = "(not installed)"
        typer.echo(f"wattplan {number}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Options before the command."""


COMMANDS: tuple[Callable[..., Outcome], ...] = (
    plans.plan, plans.whatif, studies.study, studies.futures, plans.check, plans.audit, plans.show, plans.report, plans.export, plans.diff,
    tradeoffs.alternatives, tradeoffs.nearest, explain.prices, explain.why, explain.why_not, explain.conflict, plans.new, plans.convert,
    service.serve, service.gc,
)  # fmt: skip
"""In the order of the help."""
for _command in COMMANDS:
    app.command()(_command)


def run(arguments: Sequence[str]) -> int:
    """Run a command; result on stdout, all else on stderr.

    Returns:
        The exit code. Errors become a message; none leaves as an exception.
    """
    as_json = "--json" in arguments
    try:
        outcome = app(list(arguments), prog_name="wattplan", standalone_mode=False)
        if outcome == TYPER_INTERRUPTED:
            raise KeyboardInterrupt
        if not isinstance(outcome, Outcome):  # help and version have written their text themselves
            _write(sys.stdout, "")
            return int(outcome or 0)
        _write(sys.stdout, json_text(outcome.document) if as_json else outcome.text)
        return int(outcome.code)
    except BrokenPipeError:  # the reader has seen enough
        return int(ExitCode.ENVIRONMENT)
    except (Exception, KeyboardInterrupt) as error:
        failure = _usage_error(error) or command_error(error)
        if failure is None:
            if os.environ.get(TRACE):
                raise
            failure = program_error(error)
        return _fail(failure, as_json)


def _usage_error(error: BaseException) -> CommandError | None:
    """A command line that cannot be read, as Typer words it."""
    words = getattr(error, "format_message", None)
    if words is None or getattr(error, "exit_code", None) != ExitCode.BAD_INPUT:
        return None
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "wattplan"
    problem = words().rstrip(".") or "a command is missing"
    return CommandError([problem, f"see: {command} --help"], ExitCode.BAD_INPUT, "usage")


def _fail(failure: CommandError, as_json: bool) -> int:
    for number, message in enumerate(failure.messages):
        _try_write(sys.stderr, f"error: {message}" if number == 0 or failure.kind == "bad_input" else message)
    if failure.kind == "bad_input" and len(failure.messages) > 1:
        _try_write(sys.stderr, f"{len(failure.messages)} faults")
    if as_json:
        _try_write(sys.stdout, json_text(failure.document()))
    return int(failure.code)


def _write(stream: TextIO, text: str) -> None:
    """Write now. A stream that fails takes nothing more, so that the interpreter's own flush at exit cannot fail again.

    Raises:
        OSError: the stream cannot be written to.
    """
    try:
        if text:
            stream.write(text + "\n")
        stream.flush()
    except OSError:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
        raise


def _try_write(stream: TextIO, text: str) -> None:
    """Write a message about a failure; where the stream has failed too, the exit code must do."""
    with suppress(OSError):
        _write(stream, text)


@contextmanager
def _stdout_for_results() -> Iterator[None]:
    """Keep stdout for results: what native libraries print there goes to stderr. Streams that the caller closed take anything."""
    with open(os.devnull, "w") as nowhere:
        sys.stdout, sys.stderr = sys.stdout or nowhere, sys.stderr or nowhere
        before, number = sys.stdout, sys.stdout.fileno()
        before.flush()
        with os.fdopen(os.dup(number), "w", encoding=before.encoding, errors="replace") as ours:
            os.dup2(sys.stderr.fileno(), number)
            sys.stdout = ours
            try:
                yield
            finally:
                with suppress(OSError):
                    _write(ours, "")
                os.dup2(ours.fileno(), number)
                sys.stdout = before


def main() -> None:
    """Entry point of the console script."""
    raise_on_termination()
    with _stdout_for_results():
        code = run(sys.argv[1:])
    sys.exit(code)


if __name__ == "__main__":
    main()
