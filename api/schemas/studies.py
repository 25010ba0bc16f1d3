"""Studies: many what-ifs of one plan, and what they say together."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import Field, model_validator

from api.schemas.base import Asked, Name, Told
from models.study.file import Scenarios, StudyMode


class StudyState(StrEnum):
    """Where a study stands: its runs are under way, the last ones are ending, it was stopped, or all have ended."""

    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    DONE = "done"


class StudyRequest(Asked):
    """A study: what would each of these scenarios do to a plan? Exactly one of line and baseline says which plan."""

    name: Name
    line: str | None = Field(default=None, description="id or name of a plan line: its baseline is the base plan")
    baseline: str | None = Field(default=None, description="id of a run with a plan, which is the base plan")
    mode: StudyMode = Field(default=StudyMode.REPAIR, description="how each scenario is answered")
    gap: float = Field(default=0.01, ge=0, le=1, description="relative gap at which a run ends", allow_inf_nan=False)
    time_limit: float = Field(default=60.0, gt=0, le=1e6, description="most seconds of a run", allow_inf_nan=False)
    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="of the searches")
    with_base: bool = Field(default=True, description="whether the base plan without changes is a run too")
    scenarios: Scenarios = Field(description="as in a study file (docs/studies.md); an uncertainty has its sources in place of a file")

    @model_validator(mode="after")
    def _one_base(self) -> StudyRequest:
        if (self.line is None) == (self.baseline is None):
            raise ValueError("needs exactly one of line and baseline")
        return self

    def document(self) -> dict[str, Any]:
        """The same as a study file."""
        plain = self.model_dump(mode="json", exclude={"line", "baseline", "with_base"}, exclude_none=True)
        return {**plain, "base": {"plan": self.baseline or self.line}, "baseline": self.with_base}


class StudyCounts(Told):
    """Runs of a study: in all, made so far, waiting or running, and ended by how they did."""

    planned: int
    made: int
    open: int
    succeeded: int
    failed: int
    cancelled: int


class StudyView(Told):
    """A study and how far it is."""

    id: str
    name: str
    state: StudyState
    runs: StudyCounts
    mode: StudyMode
    gap: float
    time_limit: float
    seed: int
    base_dataset: str
    baseline: str | None = Field(default=None, description="id of the run with the base plan")
    line: str | None = None
    scenarios: dict[str, Any] = Field(description="as they were given")
    code_version: str
    created_at: datetime
    stop_asked_at: datetime | None = None
    links: dict[str, str] = Field(default_factory=dict)
