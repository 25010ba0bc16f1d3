"""Budgeted uncertainty: any so many of some sites slip."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from models.changes.apply import faults_of
from models.changes.site_power import SiteEnergizationDelay
from models.dataset import Dataset
from models.faults import Fault
from models.uncertainty.drawing import MOST_ENUMERATED, Scenario
from models.uncertainty.reading import UncertaintyError


def any_late(dataset: Dataset, sites: Sequence[str], number: int, delay_periods: int) -> list[Scenario]:
    """Every way in which just so many of the sites slip, all by the same time. Their probabilities are equal and mean nothing.

    Args:
        dataset: the base.
        sites: sites that may slip.
        number: how many of them do.
        delay_periods: by how many periods.

    Raises:
        UncertaintyError: an unknown site, a number that cannot be, or too many combinations.
    """
    slips = {site: SiteEnergizationDelay(site_id=site, delay_periods=delay_periods) for site in dict.fromkeys(sites)}
    faults = [fault for site in slips for fault in faults_of(dataset, [slips[site]])[0]]
    if not 1 <= number <= len(slips):
        faults.append(Fault("sites that slip", "cannot be", value=str(number), allowed=f"1 to {len(slips)}", code="out_of_range"))
    elif math.comb(len(slips), number) > MOST_ENUMERATED:
        problem = f"there are {math.comb(len(slips), number)} combinations"
        faults.append(Fault("sites that slip", problem, allowed=f"at most {MOST_ENUMERATED}", code="too_many"))
    if faults:
        raise UncertaintyError(faults)
    chosen = list(itertools.combinations(slips, number))
    return [Scenario("late: " + ", ".join(late), 1 / len(chosen), tuple(slips[site] for site in late), late) for late in chosen]
