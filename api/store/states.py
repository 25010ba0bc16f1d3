"""States and kinds that rows may have; the database checks them."""

from __future__ import annotations

from enum import StrEnum

from models.plan import SolutionStatus


class RunMode(StrEnum):
    """How a question is answered; ``explain`` answers questions about a plan, the others what changes do."""

    PLAN = "plan"
    EVALUATE = "evaluate"
    REPAIR = "repair"
    REOPTIMIZE = "reoptimize"
    EXPLAIN = "explain"


class RunState(StrEnum):
    """Where a run stands."""

    QUEUED = "queued"
    RUNNING = "running"
    STOPPING = "stopping"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Whether nothing follows."""
        return self in FINAL_STATES


FINAL_STATES = frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED})
ACTIVE_STATES = frozenset({RunState.RUNNING, RunState.STOPPING})
OPEN_STATES = ACTIVE_STATES | {RunState.QUEUED}

NO_SOLUTION = "none"
"""Solution status of a search that ended without a plan and without a proof that there is none."""
SOLUTION_STATUSES = (*(status.value for status in SolutionStatus), NO_SOLUTION)


class IdempotencyState(StrEnum):
    """What is known of a request with an idempotency key.

    ``claimed``: nothing; the caller answers it. ``stored``: its answer. ``in_progress``: somebody answers it now.
    ``mismatch``: the key was used for another request.
    """

    CLAIMED = "claimed"
    STORED = "stored"
    IN_PROGRESS = "in_progress"
    MISMATCH = "mismatch"


END_EVENT = "end"
"""Kind of the last event of a run."""
