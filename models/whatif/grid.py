"""Changes of grid limits."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from models.dataset import Dataset
from models.tables import GridLimit as Row
from models.whatif.base import ID, Amount, Change, Random, Spanning, one_of, refers, some_period
from models.whatif.draft import Draft


class GridLimit(Spanning):
    """The sites below a grid node may draw so much."""

    type: Literal["grid.limit"] = "grid.limit"
    node_id: ID = refers("grid_nodes", "grid node")
    limit_mw: Amount = Field(description="largest facility draw below the node, MW")
    title: ClassVar = "Grid limit"
    example: ClassVar[dict[str, Any]] = {"type": "grid.limit", "node_id": "ercot", "from_period": "2027-Q1", "limit_mw": 900}

    def sentence(self) -> str:
        return f"grid node {self.node_id}: at most {self.limit_mw:g} MW {self.when}"

    def write(self, draft: Draft) -> None:
        draft.one("grid_nodes", "node_id", self.node_id)
        first, last = draft.span(self)
        limit = {"limit_mw": float(self.limit_mw)}
        known = draft.rows("grid_limits", node_id=self.node_id)
        before = any(draft.calendar.index(row["from_period"]) <= first for row in known)
        if not before and last < draft.calendar.periods - 1 and not any(draft.calendar.index(r["from_period"]) == last + 1 for r in known):
            # a node has no limit until its first row: there is no row that says so again
            draft.refuse("to_period", self.to_period, "the node has no limit to return to", "empty", code="no_limit_after")
        draft.step("grid_limits", {"node_id": self.node_id}, first, last, lambda row: limit, limit)

    @classmethod
    def draw(cls, dataset: Dataset, random: Random) -> Change | None:
        row = one_of(random, list(dataset.rows(Row)))
        if row is None:
            return None
        limit = round(row.limit_mw * float(random.uniform(0.85, 1.2)), 1)
        return cls(node_id=row.node_id, from_period=some_period(dataset, random), limit_mw=limit)


CHANGES = (GridLimit,)
