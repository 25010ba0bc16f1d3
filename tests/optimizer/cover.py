"""The register of constraints and terms of NPV that have a test of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

F = TypeVar("F", bound=Callable[..., object])
COVERED: dict[str, list[str]] = {}
"""Names of constraints and NPV terms, with the tests in which they bind or are worked out by hand."""


def covers(*names: str) -> Callable[[F], F]:
    """Mark a test as the one in which a constraint binds, or a term of NPV is worked out, by hand in its docstring."""

    def mark(test: F) -> F:
        if not test.__doc__ or "=" not in test.__doc__:
            raise ValueError(f"{test.__name__} covers {names} without working the optimum out in its docstring")
        for name in names:
            COVERED.setdefault(name, []).append(test.__name__)
        return test

    return mark
