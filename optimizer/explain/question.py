"""Questions about plans as plain values: read, and checked against dataset and plan before any work is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from models.changes import ChangeError, apply
from models.dataset import Dataset
from models.plan import Plan
from optimizer.explain.obstacles import Wish, obstacles
from optimizer.explain.placement import Placement, PlacementError, read_placement, size
from optimizer.explain.prices import CONFIRMED
from optimizer.explain.why_not import check_wish, forcing
from optimizer.instance import Instance


class Kind(StrEnum):
    """What can be asked."""

    PRICES = "prices"
    WHY = "why"
    WHY_NOT = "why_not"
    CONFLICT = "conflict"


@dataclass(frozen=True)
class Question:
    """A question about a plan; ``conflict`` asks about a dataset.

    Attributes:
        kind: what is asked.
        confirm: of ``prices``: how many are confirmed by solving again.
        signing: of ``prices``: whether the prices of declined prospects are searched.
        placement: of ``why`` and ``why_not``: as :func:`optimizer.explain.placement.read_placement` takes it.
        wish: of ``why_not``: GPUs, in place of a placement.
    """

    kind: Kind
    confirm: int = CONFIRMED
    signing: bool = True
    placement: str | None = None
    wish: Wish | None = None


def read_question(plain: Mapping[str, Any]) -> Question:
    """The question of plain values: ``kind``, and the fields of its kind; those of a wish stand beside them."""
    wish = {name: value for name, value in plain.items() if name in Wish.__dataclass_fields__ and value is not None}
    own = {name: plain[name] for name in ("confirm", "signing", "placement") if plain.get(name) is not None}
    return Question(Kind(plain["kind"]), wish=Wish(**wish) if wish else None, **own)


def asked_for(question: Question, inst: Instance) -> Placement | Wish:
    """What a question ``why`` or ``why_not`` is about.

    Raises:
        PlacementError: it names what the dataset does not have.
    """
    if question.wish is not None:
        check_wish(question.wish, inst)
        return question.wish
    return read_placement(question.placement or "", inst)


def check_question(question: Question, dataset: Dataset, plan: Plan) -> None:
    """See that a question about a plan can be answered, without a solve.

    Raises:
        PlacementError: it names what the dataset does not have, or asks why of what the plan does not do.
    """
    if question.kind not in (Kind.WHY, Kind.WHY_NOT):
        return
    inst = Instance(dataset)
    asked = asked_for(question, inst)
    if question.kind is Kind.WHY:
        if isinstance(asked, Placement) and size(asked, plan, inst) <= 0:
            raise PlacementError(f"{asked.words}: the plan does not do this; ask why_not")
    elif not (isinstance(asked, Wish) and obstacles(asked, inst)):
        try:
            for forced in forcing(asked, inst)[:1]:
                apply(dataset, forced.changes, plan)
        except ChangeError as error:
            raise PlacementError("; ".join(str(fault) for fault in error.faults)) from None
