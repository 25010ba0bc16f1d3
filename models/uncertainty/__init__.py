"""What may come otherwise than a dataset says, with odds; scenarios drawn from it, each an ordinary list of changes.

    uncertainty = read_uncertainty("scenarios.toml", dataset)   # UncertaintyError with every fault
    scenarios = draw(uncertainty, dataset, 100, seed=1)         # name, probability, changes
    scenarios = enumerated(uncertainty, dataset)                # every combination, where there are few

``docs/uncertainty.md`` explains the file.
"""

from models.uncertainty.any_late import any_late
from models.uncertainty.drawing import AS_PLANNED, Scenario, draw, enumerated, merged
from models.uncertainty.reading import UncertaintyError, from_plain, read_uncertainty
from models.uncertainty.sources import Uncertainty

__all__ = [
    "AS_PLANNED",
    "Scenario",
    "Uncertainty",
    "UncertaintyError",
    "any_late",
    "draw",
    "enumerated",
    "from_plain",
    "merged",
    "read_uncertainty",
]
