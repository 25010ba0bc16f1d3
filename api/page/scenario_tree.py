"""The scenarios of a plan line as a tree, each with its newest answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from api.service import Service
from api.store import RunMode, Saved

MOST = 200
"""Scenarios and runs that are looked at."""


@dataclass
class Node:
    """A scenario in the tree.

    Attributes:
        saved: the scenario and its current revision.
        run: the newest run that asked it; None if nobody has.
        below: scenarios that build on it.
    """

    saved: Saved
    run: Any | None = None
    below: list[Node] = field(default_factory=list)

    @property
    def current(self) -> bool:
        """Whether the run asked the current revision."""
        return self.run is not None and self.run.revision == self.saved.revision.revision

    @property
    def difference(self) -> float | None:
        """NPV of the answer less the baseline's, USD; None if there is none."""
        value = None if self.run is None else (self.run.answer or {}).get("difference_usd")
        return None if value is None else float(value)


def tree(service: Service, line: Any | None) -> list[Node]:
    """Scenarios of a plan line, newest first, with those that build on each below it."""
    if line is None:
        return []
    nodes = {saved.scenario.id: Node(saved) for saved in service.store.scenarios.list(limit=MOST).items}
    for run in service.store.runs.list(limit=MOST, line_id=line.id, of_studies=False).items:
        node = nodes.get(run.scenario_id or "")
        if node is not None and node.run is None and run.mode is not RunMode.PLAN:
            node.run = run
    top = []
    for node in nodes.values():
        parent = nodes.get(node.saved.scenario.parent_scenario_id or "")
        if parent is not None:
            parent.below.append(node)
        elif node.saved.scenario.parent_line_id == line.id:
            top.append(node)
    return top
