"""Placements: what of a plan is asked about, and what the data and the plan say of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from models.changes import Change
from models.changes.place import PlaceForbid
from models.faults import closest
from models.plan import Plan
from models.tables import BlockStatus, ContractStatus, DecisionKind, SiteStatus
from optimizer.instance import Instance


class PlacementKind(StrEnum):
    """What a placement is."""

    SERVE = "serve"
    RACKS = "racks"
    SIGN = "sign"
    OPEN = "open"
    BUILD = "build"
    RETROFIT = "retrofit"


class PlacementError(ValueError):
    """A placement that the dataset or the plan does not have; the message says what there is.

    Args:
        message: in words.
        field: of a wish, which the fault is in; empty for a placement, or the whole.
        suggestion: a close spelling that exists.
    """

    def __init__(self, message: str, field: str = "", suggestion: str = "") -> None:
        super().__init__(message)
        self.field, self.suggestion = field, suggestion


@dataclass(frozen=True)
class Placement:
    """Something that a plan does.

    Attributes:
        kind: what it is.
        contract_id, site_id, gen_id, block_id: of what; none where the kind has no such id.
    """

    kind: PlacementKind
    contract_id: str | None = None
    site_id: str | None = None
    gen_id: str | None = None
    block_id: str | None = None

    @property
    def words(self) -> str:
        """The placement in words."""
        return {
            PlacementKind.SERVE: f"{self.contract_id} served from {self.site_id}",
            PlacementKind.RACKS: f"{self.gen_id} racks at {self.site_id}",
            PlacementKind.SIGN: f"{self.contract_id} signed",
            PlacementKind.OPEN: f"{self.site_id} opened",
            PlacementKind.BUILD: f"{self.block_id} built",
            PlacementKind.RETROFIT: f"{self.site_id} converted to liquid cooling",
        }[self.kind]


def read_placement(text: str, inst: Instance) -> Placement:
    """A placement as people write it.

    ``contract@site`` (served from there), ``generation@site`` (its racks there), or one id: a prospect (signed), a
    candidate site (opened), an optional block (built), an open site with a retrofit (converted).

    Raises:
        PlacementError: it names what the dataset does not have.
    """
    left, at, site = text.strip().partition("@")
    if at:
        _known(site, inst.sites, "site")
        if left in inst.contract_rows:
            return Placement(PlacementKind.SERVE, contract_id=left, site_id=site)
        if left in inst.gen_rows:
            return Placement(PlacementKind.RACKS, site_id=site, gen_id=left)
        _known(left, [*inst.contracts, *inst.gens], "contract or generation")
    if left in inst.contract_rows:
        if inst.contract_rows[left].status is ContractStatus.FIRM:
            raise PlacementError(f"{left}: a firm contract is no decision; ask {left}@SITE for where it is served")
        return Placement(PlacementKind.SIGN, contract_id=left)
    if left in inst.block_rows:
        if inst.block_rows[left].status is BlockStatus.FIRM:
            raise PlacementError(f"{left}: a firm block is no decision; allowed: an optional block")
        return Placement(PlacementKind.BUILD, block_id=left)
    if left in inst.site_rows:
        candidate = inst.site_rows[left].status is SiteStatus.CANDIDATE
        if not candidate and left not in inst.retrofit_rows:
            raise PlacementError(f"{left}: an open site without a retrofit is no decision; ask CONTRACT@{left} or GENERATION@{left}")
        return Placement(PlacementKind.OPEN if candidate else PlacementKind.RETROFIT, site_id=left)
    _known(left, [*inst.contracts, *inst.block_rows, *inst.sites], "contract, block or site")
    raise AssertionError(left)


def _known(id: str, known: list[str], what: str) -> None:
    """Refuse an unknown id.

    Raises:
        PlacementError: it is not known.
    """
    if id not in known:
        near = closest(id, known)
        meant = f"; did you mean '{near}'?" if near else f"; allowed: {', '.join(sorted(known)[:8])}"
        raise PlacementError(f"{id}: there is no such {what}{meant}", suggestion=near)


def size(placement: Placement, plan: Plan, inst: Instance) -> float:
    """How much of a placement a plan has: GPU-periods delivered, rack-periods in service, or 1 for a decision taken; 0 for none."""
    if placement.kind is PlacementKind.SERVE:
        table = plan.deliveries
        mine = table[(table["contract_id"] == placement.contract_id) & (table["site_id"] == placement.site_id)]
        return float(mine["gpus"].sum())
    if placement.kind is PlacementKind.RACKS:
        table = plan.racks
        return float(table[(table["gen_id"] == placement.gen_id) & (table["site_id"] == placement.site_id)]["in_service"].sum())
    own = placement.contract_id or placement.block_id or placement.site_id
    taken = plan.decisions[(plan.decisions["kind"] == placement.kind.value) & (plan.decisions["id"] == own)]
    return float(len(taken))


def forbidding(placement: Placement, inst: Instance, plan: Plan) -> list[Change]:
    """Changes that rule a placement out; of racks where a fleet stands, the new ones that the plan installs, if there are any."""
    if placement.kind is PlacementKind.SERVE:
        assert placement.contract_id is not None
        choice = (placement.contract_id, placement.site_id) in set(inst.choice_pairs)
        kind = DecisionKind.SERVE if choice else DecisionKind.DELIVERIES
        return [PlaceForbid(decision=kind, contract_id=placement.contract_id, site_id=placement.site_id)]
    if placement.kind is PlacementKind.RACKS:
        fleet = inst.fleet[inst.site_at[str(placement.site_id)], inst.gen_at[str(placement.gen_id)]]
        mine = (plan.racks["gen_id"] == placement.gen_id) & (plan.racks["site_id"] == placement.site_id)
        new = fleet > 0 and float(plan.racks.loc[mine, "installed"].sum()) > 0
        kind = DecisionKind.INSTALLED if new else DecisionKind.IN_SERVICE
        return [PlaceForbid(decision=kind, site_id=placement.site_id, gen_id=placement.gen_id)]
    return [
        PlaceForbid(
            decision=DecisionKind(placement.kind.value), contract_id=placement.contract_id, site_id=placement.site_id,
            block_id=placement.block_id,
        )
    ]  # fmt: skip


@dataclass(frozen=True)
class SiteFact:
    """Why a site can or can't serve a contract, from the data alone.

    Attributes:
        site_id: the site.
        possible: whether it can.
        reason: why not; empty if it can.
    """

    site_id: str
    possible: bool
    reason: str


def site_facts(inst: Instance, contract: str) -> tuple[SiteFact, ...]:
    """What the data say of each site for a contract."""
    row, pairs = inst.contract_rows[contract], set(inst.pairs)
    found = []
    for s, site in inst.site_rows.items():
        reason = ""
        if row.zones and site.zone not in row.zones:
            reason = f"zone {site.zone} is not among {', '.join(row.zones)}"
        elif row.sites and s not in row.sites:
            reason = "is not in the contract's list of sites"
        elif s in row.excluded_sites:
            reason = "is excluded by the contract"
        elif (contract, s) not in pairs:
            most = float(inst.fits[contract, s].max(initial=0.0))
            gens = [g for g in inst.equivalents[contract] if inst.hosts[inst.site_at[s], inst.gen_at[g]]]
            if not gens:
                reason = "its halls take no rack of an eligible generation"
            elif most <= 0:
                reason = "no rack of an eligible generation can be had and powered there while GPUs are owed"
            else:
                top = min(
                    float(inst.fits[contract, s][t]) for t in inst.cluster_periods(contract) or [int(np.argmax(inst.fits[contract, s]))]
                )
                reason = f"its smallest cluster of {row.min_cluster_gpus:,.0f} GPUs does not fit: at most {top:,.0f}"
        found.append(SiteFact(s, not reason, reason))
    return tuple(found)
