"""What a plan does and does not do, as placements that can be asked about."""

from __future__ import annotations

from models.dataset import Dataset
from models.plan import Plan
from models.tables import BlockStatus, Contract, ContractStatus, PowerBlock, Site, SiteStatus

Group = tuple[str, list[str]]
"""A heading, and placements as :func:`optimizer.explain.placement.read_placement` takes them."""
TAKEN = {"sign": "Contracts signed", "open": "Sites opened", "build": "Blocks built", "retrofit": "Halls converted"}
"""Kinds of decisions of a plan."""


def done(dataset: Dataset, plan: Plan) -> list[Group]:
    """What the plan does: contracts served, racks in service, decisions taken."""
    served = plan.deliveries[plan.deliveries["gpus"] > 0]
    racks = plan.racks[plan.racks["in_service"] > 0]
    groups = [
        ("Contract served from a site", _pairs(served["contract_id"].tolist(), served["site_id"].tolist())),
        ("Racks at a site", _pairs(racks["gen_id"].tolist(), racks["site_id"].tolist())),
    ]
    decided = plan.decisions
    groups += [(name, decided.loc[decided["kind"] == kind, "id"].tolist()) for kind, name in TAKEN.items()]
    return [group for group in groups if group[1]]


def _pairs(ids: list[str], sites: list[str]) -> list[str]:
    return sorted({f"{id}@{site}" for id, site in zip(ids, sites, strict=True)})


def not_done(dataset: Dataset, plan: Plan) -> list[Group]:
    """Decisions that the plan could take and does not; halls are converted with the change ``retrofit.force`` instead."""
    taken = {(kind, id) for kind, id in zip(plan.decisions["kind"].tolist(), plan.decisions["id"].tolist(), strict=True)}
    could = {
        "sign": [row.contract_id for row in dataset.rows(Contract) if row.status is ContractStatus.PROSPECT],
        "open": [row.site_id for row in dataset.rows(Site) if row.status is SiteStatus.CANDIDATE],
        "build": [row.block_id for row in dataset.rows(PowerBlock) if row.status is BlockStatus.OPTION],
    }
    names = {"sign": "Contracts declined", "open": "Sites not opened", "build": "Blocks not built"}
    groups = [(names[kind], [id for id in ids if (kind, id) not in taken]) for kind, ids in could.items()]
    return [group for group in groups if group[1]]
