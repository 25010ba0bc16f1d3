"""The study file: what is asked of a base plan, as types; unknown keys are refused."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, Strict, field_validator, model_validator

from models.changes.fields import Flag, Real, Whole, amount, count, field, flag, portion, signed
from models.columns import Text
from models.targets import Measure

MOST_RUNS = 100_000
"""Most runs of a study."""
SHARES = (0.95, 0.9, 0.8, 0.7, 0.5)
"""Points of a frontier."""
BASE = "base"
"""Name of the run without changes."""


Share = Annotated[Real, Field(ge=0, le=1)]


class StudyMode(StrEnum):
    """How each scenario is answered: the base plan scored, repaired, or planned anew."""

    EVALUATE = "evaluate"
    REPAIR = "repair"
    REOPTIMIZE = "reoptimize"


class StudyRecord(BaseModel):
    """A part of a study file."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class BasePlan(StudyRecord):
    """The plan that every run starts from."""

    plan: Text = field("plan folder or workbook, relative to the study file")
    dataset: Text | None = field("its dataset, relative to the study file", default=None, none_means="dataset.json beside the plan")


class Listed(StudyRecord):
    """One scenario."""

    name: Text = field("name of the scenario")
    odds: Real = amount("weight in averages, against the others", "relative", default=1.0, above_zero=True)
    changes: tuple[Any, ...] = field("changes of the dataset, in order", form={"widget": "rows"})


class Level(StudyRecord):
    """One of the ways in which an axis can turn out."""

    name: Text = field("name of the level")
    odds: Real = amount("weight in averages, against the axis' other levels", "relative", default=1.0, above_zero=True)
    changes: tuple[Any, ...] = field("changes of the dataset, in order", default=(), none_means="nothing changes", form={"widget": "rows"})


class GridAxis(StudyRecord):
    """Something uncertain, with its levels."""

    name: Text = field("name of the axis")
    levels: tuple[Level, ...] = field("the levels", form={"widget": "rows"}, min_length=1)


class Grid(StudyRecord):
    """Every combination of the levels of some axes."""

    axes: tuple[GridAxis, ...] = field("the axes; the last one varies fastest", form={"widget": "rows"}, min_length=1)


class SampleLevel(Level):
    """A level of a sampled axis; its value stands in the template wherever ``$axis`` does."""

    value: Any = field("value for the template", default=None, none_means="the axis only adds its changes")


class SampleAxis(StudyRecord):
    """A range of numbers, or levels of which one is drawn by their odds."""

    name: Text = field("name of the axis; $name stands for its value in the template")
    low: Real | None = signed("lowest value", "", default=None, none_means="the axis has levels")
    high: Real | None = signed("highest value", "", default=None, none_means="the axis has levels")
    whole: Flag = flag("only whole numbers")
    levels: tuple[SampleLevel, ...] = field("the levels", default=(), none_means="the axis is a range", form={"widget": "rows"})


class Sample(StudyRecord):
    """A Latin hypercube: each axis' range cut into as many parts of equal odds as there are runs, each part used once."""

    runs: Whole = count("scenarios to draw", "runs", least=1, most=10**12)
    seed: Whole = count("seed of the draw", "", default=0, most=2**31 - 1)
    axes: tuple[SampleAxis, ...] = field("the axes", form={"widget": "rows"}, min_length=1)
    changes: tuple[Any, ...] = field(
        "template of each scenario's changes", default=(), none_means="levels have the changes", form={"widget": "rows"}
    )


class Futures(StudyRecord):
    """Scenarios drawn from what says with which odds things come otherwise (docs/uncertainty.md): a file, or the same in place."""

    file: Text | None = field("the file, relative to the study file", default=None, none_means="the sources stand here")
    sources: dict[str, Any] | None = field("what such a file has, in place", default=None, none_means="they stand in a file")
    runs: Whole = count("scenarios to draw", "runs", least=1, most=10**12)
    seed: Whole = count("seed of the draw", "", default=0, most=2**31 - 1)

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.file is None) == (self.sources is None):
            raise ValueError("needs exactly one of file and sources")
        return self


class Frontier(StudyRecord):
    """What less of something costs: the base plan's total of a measure, cut to shares of it; nothing else changes."""

    measure: Measure = field("carbon, capital or late", form={"widget": "choice"})
    shares: tuple[Share, ...] = field(
        "most of the measure, as shares of the base plan's", unit="share", default=SHARES, form={"widget": "numbers"}, min_length=1
    )


class Scenarios(StudyRecord):
    """Where scenarios come from; several sources follow one another."""

    list: tuple[Listed, ...] = field("scenarios by name", default=(), none_means="none", form={"widget": "rows"})
    grid: Grid | None = field("combinations of levels", default=None, none_means="none")
    sample: Sample | None = field("a sample", default=None, none_means="none")
    uncertainty: Futures | None = field("futures drawn by their odds", default=None, none_means="none")
    frontier: tuple[Frontier, ...] = field("what NPV is traded against", default=(), none_means="none", form={"widget": "rows"})


class Regret(StudyRecord):
    """How large the table of regrets may be."""

    plans: Whole = count("most plans that are tried under other scenarios; 0 leaves the regrets out", "plans", default=12, most=50)
    scenarios: Whole = count("most scenarios under which they are tried", "scenarios", default=250, least=1, most=2000)


class Study(StudyRecord):
    """A study: many what-ifs from one base plan."""

    name: Text = field("name of the study")
    base: BasePlan = field("the base plan")
    mode: StudyMode = field("how each scenario is answered", default=StudyMode.REPAIR, form={"widget": "choice"})
    gap: Real = portion("proven gap at which a run ends", default=0.01)
    time_limit: Real = amount("most time of a run", "seconds", default=60.0, above_zero=True, le=1e6)
    seed: Whole = count("seed of the solver", "", default=0, most=2**31 - 1)
    baseline: Annotated[bool, Strict()] = field("whether the base without changes is a run too", default=True, form={"widget": "checkbox"})
    scenarios: Scenarios = field("the scenarios")
    regret: Regret = field("size of the table of regrets", default=Regret())

    @field_validator("base", mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        """``base: plan`` is short for ``base: {plan: plan}``."""
        return {"plan": value} if isinstance(value, str) else value

    def count(self) -> int:
        """Runs of the study, counted without making them."""
        grid = 1 if self.scenarios.grid is not None else 0
        for axis in self.scenarios.grid.axes if self.scenarios.grid is not None else ():
            grid *= len(axis.levels)
        sample = self.scenarios.sample.runs if self.scenarios.sample is not None else 0
        futures = self.scenarios.uncertainty.runs if self.scenarios.uncertainty is not None else 0
        points = sum(len(frontier.shares) for frontier in self.scenarios.frontier)
        return int(self.baseline) + len(self.scenarios.list) + grid + sample + futures + points
