"""What is asked of a study's runs: the base, how each scenario is answered, and the scenarios, wherever they come from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from batch.engine import Job
from models.dataset import Dataset
from models.files import dataset_to_bytes
from models.plan import Plan
from models.plan_files import plan_to_bytes
from models.study import Scenario, Study, scenarios_of
from models.study.file import Regret

WARMING = 1800.0
"""Most seconds in which a worker gets ready for its first run. One that gave up half-way would begin anew with every run."""


@dataclass(frozen=True)
class Asked:
    """A study, ready to run.

    Attributes:
        name: of the study.
        dataset: the base.
        plan: its plan, from which every run starts.
        scenarios: one run each; names differ.
        mode: evaluate, repair or reoptimize.
        gap: relative gap at which a run ends.
        time_limit: seconds of a run.
        seed: of the solver.
        regret: size of the table of regrets.
    """

    name: str
    dataset: Dataset
    plan: Plan
    scenarios: Sequence[Scenario]
    mode: str = "repair"
    gap: float = 0.01
    time_limit: float = 60.0
    seed: int = 0
    regret: Regret = field(default_factory=Regret)

    @classmethod
    def of(cls, study: Study, dataset: Dataset, plan: Plan, time_limit: float | None = None, folder: Path = Path()) -> Asked:
        """A study file's study.

        Args:
            study: as the file says.
            dataset: the base.
            plan: its plan.
            time_limit: seconds of a run, in place of the file's.
            folder: of the study file.

        Raises:
            UncertaintyError: an uncertainty has faults.
            StudyError: the base plan has nothing of what a frontier is to cut.
        """
        limit = study.time_limit if time_limit is None else time_limit
        scenarios = tuple(scenarios_of(study, dataset, folder, plan))
        return cls(study.name, dataset, plan, scenarios, study.mode.value, study.gap, limit, study.seed, study.regret)

    @property
    def base_npv_usd(self) -> float:
        """NPV of the base plan, USD."""
        return self.plan.summary.npv_usd or 0.0

    @cached_property
    def plan_bytes(self) -> bytes:
        """The base plan as a worker takes it."""
        return plan_to_bytes(self.plan)

    @cached_property
    def dataset_bytes(self) -> bytes:
        """The base dataset as a worker takes it."""
        return dataset_to_bytes(self.dataset)

    @cached_property
    def axes(self) -> tuple[str, ...]:
        """Names of all axes, in the order in which scenarios bring them."""
        return tuple(dict.fromkeys(name for scenario in self.scenarios for name in scenario.levels))

    def job(self, run: int, threads: int) -> Job:
        """The run of a scenario."""
        return Job(
            run_id=f"run-{run}", attempt=1, dataset=self.dataset_bytes, changes=[dict(c) for c in self.scenarios[run].changes],
            baseline=self.plan_bytes, mode=self.mode, gap=self.gap, time_limit=self.time_limit, warming=WARMING, seed=self.seed, threads=threads,
            most=dict(self.scenarios[run].most),
        )  # fmt: skip

    def fingerprint(self) -> dict[str, Any]:
        """What decides the results of runs: two studies with the same one can share a folder."""
        asked = [
            [s.name, [dict(c) for c in s.changes], s.odds, s.origin.value, dict(s.levels), dict(s.values), dict(s.most)]
            for s in self.scenarios
        ]
        return {
            "dataset": self.dataset.sha256, "plan": hashlib.sha256(self.plan_bytes).hexdigest(), "mode": self.mode, "gap": self.gap,
            "time_limit": self.time_limit, "seed": self.seed, "runs": len(asked), "scenarios": _hash(asked),
        }  # fmt: skip


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=_plain).encode()).hexdigest()


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else str(value)
