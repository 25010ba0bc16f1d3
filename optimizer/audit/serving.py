"""Serving sites: who may serve whom, how many sites, smallest clusters, distance (13 and 14 of model.md).

A site serves a contract when it delivers more than a tolerance to it in some period, or when a directive
(``fix`` or ``min`` of ``serve`` for one contract and one site, value 1) says so.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from models import tables as tb
from optimizer.audit.facts import Bools, Facts
from optimizer.audit.report import Findings
from optimizer.audit.usage import Usage


def forced(facts: Facts) -> Bools:
    """Pairs that directives make serve; shape (C, S)."""
    pairs = np.zeros((len(facts.contract_ids), len(facts.site_ids)), dtype=bool)
    for row in facts.dataset.rows(tb.Directive):
        if row.decision is not tb.DecisionKind.SERVE or row.rule is tb.Rule.MAX or row.value <= 0.5:
            continue
        if row.contract_id is not None and row.site_id is not None:
            pairs[facts.contract_ids.index(row.contract_id), facts.site_ids.index(row.site_id)] = True
    return np.asarray(pairs, dtype=np.bool_)


def check(use: Usage, findings: Findings, serving: Bools) -> None:
    """Check constraints 13 and 14.

    Args:
        use: the plan's quantities.
        findings: where violations are noted.
        serving: which sites serve a contract; shape (C, S).
    """
    facts, plan = use.facts, use.plan
    unit = "contract GPUs"
    deliveries = {"contract_id": facts.contract_ids, "site_id": facts.site_ids, "period": facts.labels}
    findings.at_most("serving_size", 13, "contract GPUs delivered from the site", use.served, facts.ramp[:, None, :], deliveries, unit)
    findings.at_most(
        "serving_allowed", 13, "contract GPUs delivered from a site that the contract excludes", use.served, 0.0, deliveries, unit,
        exists=~facts.allowed[:, :, None],
    )  # fmt: skip
    rows = use.deliveries
    keys = rows[["contract_id", "site_id", "gen_id", "period"]].reset_index(drop=True)
    barred = rows["eq"].to_numpy(float) == 0.0
    findings.at_most(
        "serving_eligible", 13, "GPUs delivered of a generation that the contract does not take",
        rows["gpus"].to_numpy(float), 0.0, keys, "GPUs", exists=barred,
    )  # fmt: skip
    findings.count("serving_eligible", int((~barred).sum()))
    findings.at_most(
        "serving_signed", 13, "contract GPUs delivered to a prospect not signed", use.served, 0.0, deliveries, unit,
        exists=~plan.signed[:, None, None],
    )  # fmt: skip
    pairs = {"contract_id": facts.contract_ids, "site_id": facts.site_ids}
    findings.at_most(
        "serving_signed", 13, "use of the site by a prospect not signed", serving, 0.0, pairs, "sites", exists=~plan.signed[:, None]
    )
    findings.at_most("serving_allowed", 13, "use of a site that the contract excludes", serving, 0.0, pairs, "sites", exists=~facts.allowed)
    findings.at_most(
        "max_sites", 13, "serving sites", serving.sum(axis=1), facts.contract("max_sites", np.inf),
        {"contract_id": facts.contract_ids}, "sites",
    )  # fmt: skip
    cluster = facts.contract("min_cluster_gpus", 0.0)
    stands = serving[:, :, None] & facts.cluster_periods[:, None, :] & (cluster > 0)[:, None, None]
    findings.at_least(
        "min_cluster",
        13,
        "contract GPUs delivered from a serving site",
        use.served,
        cluster[:, None, None],
        deliveries,
        unit,
        exists=stands,
    )
    _distance(facts, findings, serving)


def _distance(facts: Facts, findings: Findings, serving: Bools) -> None:
    """Round-trip time between every two serving sites of a contract with a limit (constraint 14)."""
    limits = facts.contract("max_rtt_ms", np.inf)
    limited = np.flatnonzero(np.isfinite(limits))
    if not limited.size:
        findings.count("distance", 0)
        return
    for c in limited:
        sites = np.flatnonzero(serving[c])
        first, second = np.triu_indices(len(sites), k=1)
        a, b = sites[first], sites[second]
        names = pd.DataFrame(
            {
                "contract_id": facts.contract_ids[c],
                "site_id": [facts.site_ids[i] for i in a],
                "other_site_id": [facts.site_ids[i] for i in b],
            }
        )
        times = facts.round_trip_ms[a, b]
        apart = np.isinf(times)
        findings.at_most("distance", 14, "round-trip time between two serving sites", times, limits[c], names, "ms", exists=~apart)
        findings.at_most("distance", 14, "lack of any network path between two serving sites", apart, 0.0, names, "paths", exists=apart)
