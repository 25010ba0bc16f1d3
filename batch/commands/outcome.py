"""What a command ends with: an exit code, text for a person, and a document for a program."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any


class ExitCode(IntEnum):
    """Exit codes of every command."""

    OK = 0
    """Done; of a plan: the gap asked is proven; of an audit: passed."""
    NOT_REACHED = 1
    """A plan is there and its gap is larger than asked; an audit has failed."""
    BAD_INPUT = 2
    """Options, dataset or plan have faults; nothing was done."""
    INFEASIBLE = 3
    """No plan can meet every limit; the conflict is named."""
    NO_PLAN = 4
    """No plan was found within the time."""
    ENVIRONMENT = 5
    """The surroundings failed: disk, memory, solver process, or the command was aborted."""


@dataclass(frozen=True)
class Outcome:
    """What a command ends with.

    Attributes:
        text: for a person, on stdout.
        document: for a program, as JSON on stdout.
        code: exit code.
    """

    text: str
    document: dict[str, Any] = field(default_factory=dict)
    code: ExitCode = ExitCode.OK


class CommandError(Exception):
    """A command that ends without its result.

    Attributes:
        messages: one per line, for a person.
        code: exit code.
        kind: short stable name, such as ``bad_option``.
        details: more for a program.
    """

    def __init__(self, messages: str | Sequence[str], code: ExitCode, kind: str, **details: Any) -> None:
        self.messages = [messages] if isinstance(messages, str) else list(messages)
        self.code = code
        self.kind = kind
        self.details = details
        super().__init__("\n".join(self.messages))

    def document(self) -> dict[str, Any]:
        """The error as a JSON document."""
        return {"error": {"kind": self.kind, "messages": self.messages, **self.details, "exit_code": int(self.code)}}


def bad_option(option: str, value: object, allowed: str) -> CommandError:
    """An option whose value cannot be; names option, value and what is allowed."""
    return CommandError(f"{option}: {value} cannot be; allowed: {allowed}", ExitCode.BAD_INPUT, "bad_option")


def json_text(document: object) -> str:
    """A document as JSON; numbers that JSON does not have become null."""
    return json.dumps(_finite(document), indent=2, default=str)


def _finite(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    return value
