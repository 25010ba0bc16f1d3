"""What every change has: a type, a sentence, an example, and how it is written into a dataset."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from models.columns import ID_PATTERN
from models.dataset import Dataset
from models.whatif.draft import Draft

Random = np.random.Generator


def _no_bool(value: Any) -> Any:
    """A yes or no is no number."""
    if isinstance(value, bool):
        raise ValueError("a number, not true or false")
    return value


ID = Annotated[str, Field(pattern=ID_PATTERN)]
Period = Annotated[str, Field(min_length=4, json_schema_extra={"form": "period"})]
Amount = Annotated[float, BeforeValidator(_no_bool), Field(ge=0, allow_inf_nan=False)]
Factor = Annotated[float, BeforeValidator(_no_bool), Field(ge=0, le=100, allow_inf_nan=False)]
Share = Annotated[float, BeforeValidator(_no_bool), Field(ge=0, le=1)]
Count = Annotated[int, BeforeValidator(_no_bool), Field(ge=0)]


def refers(table: str, meaning: str, **more: Any) -> Any:
    """A field that names a row of a table."""
    return Field(description=meaning, json_schema_extra={"form": "choice", "table": table}, **more)


class Change(BaseModel):
    """One change of a dataset."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    title: ClassVar[str]
    example: ClassVar[dict[str, Any]]

    def sentence(self) -> str:
        """The change in words."""
        raise NotImplementedError

    def write(self, draft: Draft) -> None:
        """Carry the change out.

        Raises:
            ChangeError: it names what is not there.
        """
        raise NotImplementedError

    @classmethod
    def draw(cls, dataset: Dataset, random: Random) -> Change | None:
        """A mild change of this type that fits a dataset; None where there is nothing of the kind."""
        raise NotImplementedError


class Spanning(Change):
    """A change that holds from a period on, or for some periods."""

    from_period: Period = Field(description="first period in which it holds")
    to_period: Period | None = Field(default=None, description="last period in which it holds; to the end of the horizon if not given")

    @property
    def when(self) -> str:
        """The periods in words."""
        if self.to_period is None:
            return f"from {self.from_period}"
        return f"in {self.from_period}" if self.to_period == self.from_period else f"{self.from_period} to {self.to_period}"


def one_of(random: Random, options: list[Any]) -> Any:
    """One of some options; None if there are none."""
    return options[int(random.integers(len(options)))] if options else None


def some_period(dataset: Dataset, random: Random, share: float = 0.6) -> str:
    """A period in the first part of the horizon."""
    return dataset.calendar.label(int(random.integers(max(1, int(dataset.calendar.periods * share)))))


def plural(count: int, what: str = "period") -> str:
    """So many periods, in words."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def length(label: str) -> str:
    """What a period is called, by the way it is written: quarter, month or year."""
    return "quarter" if "Q" in label else "month" if "-" in label else "year"
