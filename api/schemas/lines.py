"""Plan lines and scenarios."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field, model_validator

from api.schemas.base import Asked, Changes, FaultView, Name, Sha256, Told
from api.schemas.datasets import RowChangeView


class LineRequest(Asked):
    """A new plan line."""

    name: Name
    dataset: Sha256
    baseline: str | None = Field(default=None, description="id of a run with a plan of the dataset")


class LineUpdate(Asked):
    """What a plan line becomes."""

    name: Name | None = None
    baseline: str | None = Field(default=None, description="id of a run with a plan, which becomes the baseline, with its dataset")

    @model_validator(mode="after")
    def _something(self) -> LineUpdate:
        if self.name is None and self.baseline is None:
            raise ValueError("needs name, baseline, or both")
        return self


class LineView(Told):
    """A plan line: a name with its current baseline."""

    id: str
    name: str
    dataset: str
    baseline: str | None = Field(default=None, description="id of the run whose plan is the baseline")
    changes: Changes = Field(
        default_factory=list,
        description="changes that the baseline contains, in order, from the first plan that it goes back to; a scenario that has them "
        "does not make them again",
    )
    version: int
    created_at: datetime
    updated_at: datetime


class ScenarioRequest(Asked):
    """A new scenario: changes of a plan line, or of another scenario."""

    name: Name
    line: str | None = Field(default=None, description="id or name of a plan line")
    parent: str | None = Field(default=None, description="id of a scenario")
    changes: Changes = Field(default_factory=list)
    note: str = Field(default="", max_length=2000)

    @model_validator(mode="after")
    def _one_parent(self) -> ScenarioRequest:
        if (self.line is None) == (self.parent is None):
            raise ValueError("needs exactly one of line and parent")
        return self


class RevisionRequest(Asked):
    """What the changes of a scenario become."""

    changes: Changes
    note: str = Field(default="", max_length=2000)


class PreviewRequest(Asked):
    """Changes to look at before they are saved."""

    line: str | None = None
    parent: str | None = None
    dataset: Sha256 | None = None
    changes: Changes

    @model_validator(mode="after")
    def _one_base(self) -> PreviewRequest:
        given = [name for name in ("line", "parent", "dataset") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"needs exactly one of line, parent, dataset; found {' and '.join(given) or 'none'}")
        return self


class PreviewView(Told):
    """What changes would do to a dataset; nothing is saved."""

    base_dataset: str
    dataset: str
    sentences: list[str]
    warnings: list[FaultView]
    rows: list[RowChangeView]


class RevisionView(Told):
    """One state of a scenario."""

    revision: int
    changes: Changes
    note: str
    created_at: datetime
    created_by: str


class ScenarioView(Told):
    """A scenario and its current revision."""

    id: str
    name: str
    line: str | None
    parent: str | None
    version: int
    revision: int
    changes: Changes
    note: str
    created_at: datetime
    updated_at: datetime
