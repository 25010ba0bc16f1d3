"""What the engine has found, as the store keeps it of a run."""

from __future__ import annotations

import pytest

from api.outcomes import figures_of
from api.store import RunState


@pytest.mark.parametrize(
    ("kind", "status", "reason"), [("infeasible", "infeasible", "proved_infeasible"), ("no_plan", "none", "user_stop")]
)  # fmt: skip
def test_an_end_without_summary_has_a_status(kind: str, status: str, reason: str) -> None:
    """A run that was stopped before its search began, and rules that the data alone rule out, have no summary."""
    found = figures_of(RunState.SUCCEEDED, {"plan": None, "stop_reason": reason, "failure": {"kind": kind, "detail": "", "faults": []}})
    assert (found["solution_status"], found["stop_reason"]) == (status, reason)
