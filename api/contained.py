"""Changes that a baseline contains because they were accepted: a scenario that has them still does not make them twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models.changes import ChangeError, read_changes

Plain = dict[str, Any]
"""A change as plain values."""


@dataclass(frozen=True)
class Parted:
    """Changes, parted by whether a baseline contains them.

    Attributes:
        left: those to be made, in order.
        places: of each of these, its index among all.
        contained: those that the baseline contains.
        over: what the baseline contains besides.
    """

    left: tuple[Plain, ...]
    places: tuple[int, ...]
    contained: tuple[Plain, ...]
    over: tuple[Plain, ...]


def parted(changes: Sequence[Plain], contained: Sequence[Plain]) -> Parted:
    """Part changes. One that is contained once counts once: where it is asked twice, it is to be made once more.

    Args:
        changes: plain values, as they were given or with all defaults.
        contained: likewise.
    """
    if not contained:
        return Parted(tuple(changes), tuple(range(len(changes))), (), ())
    there = Counter(_name(change) for change in contained)
    places: list[int] = []
    found: list[Plain] = []
    over: list[Plain] = []
    for place, change in enumerate(changes):
        name = _name(change)
        if there[name] > 0:
            there[name] -= 1
            found.append(change)
        else:
            places.append(place)
    for change in reversed(contained):  # the first ones are those that are used
        name = _name(change)
        if there[name] > 0:
            there[name] -= 1
            over.insert(0, change)
    return Parted(tuple(changes[place] for place in places), tuple(places), tuple(found), tuple(over))


def _name(change: Mapping[str, Any]) -> str:
    """What equal changes share, whichever of their defaults are written."""
    try:
        (read,) = read_changes([change])
    except ChangeError:  # of an earlier version; whoever makes it tells its faults
        return json.dumps(change, sort_keys=True)
    return json.dumps(read.model_dump(mode="json"), sort_keys=True)
