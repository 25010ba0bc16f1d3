"""Key figures of a plan."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.tables import ContractStatus
from models.targets import CAPITAL_TERMS
from optimizer.extract import Extract

KPIS: dict[str, tuple[str, str]] = {
    "firm_gpu_share_delivered": ("GPU-hours delivered of those owed to firm contracts", "share"),
    "contracts_in_force": ("firm contracts and prospects signed, with GPUs owed in the horizon", "number"),
    "contracts_late": ("contracts that get less than they are owed in some period", "number"),
    "prospects_signed": ("prospects signed", "number"),
    "prospects_declined": ("prospects declined", "number"),
    "racks_installed": ("racks installed", "racks"),
    "gpus_start": ("GPUs in service before the first period", "GPUs"),
    "gpus_end": ("GPUs in service in the last period", "GPUs"),
    "it_used_mw_start": ("IT power provisioned in the first period", "MW"),
    "it_used_mw_most": ("most IT power provisioned in a period", "MW"),
    "it_used_share_mean": ("IT power provisioned of what may be used, all periods", "share"),
    "capital_usd": ("capital of GPUs, blocks, sites and retrofits, undiscounted", "USD"),
    "revenue_usd": ("revenue of contracts and market, undiscounted", "USD"),
    "energy_mwh": ("energy", "MWh"),
    "tco2": ("emissions", "tonnes CO2"),
    "water_m3": ("water", "m3"),
}
"""Meaning and unit of each key figure, in their order."""


def kpis(extract: Extract) -> dict[str, Any]:
    """Figures that a planner asks for first; USD undiscounted unless said, GPUs at the end of a period."""
    inst, d = extract.instance, extract.decisions
    firm = np.array([row.status is ContractStatus.FIRM for row in inst.contract_rows.values()], dtype=bool)
    delivered = extract.contract_gpus.sum(axis=1)
    owed = extract.owed
    per_rack = np.array([row.gpus_per_rack for row in inst.gen_rows.values()])
    late = (extract.short > 1e-6 * np.maximum(1.0, owed)).any(axis=1)
    used, limit = extract.use.it_used_mw.sum(axis=0), extract.limits["it"].sum(axis=0)

    def share(part: Any, whole: Any) -> float:
        return float(part / whole) if whole > 0 else 1.0

    return {
        "firm_gpu_share_delivered": share((delivered * inst.hours)[firm].sum(), (owed * inst.hours)[firm].sum()),
        "contracts_in_force": sum(1 for c in d.signed if inst.owed[inst.contract_at[c]].any()),
        "contracts_late": int(late.sum()),
        "prospects_signed": sum(1 for c in d.signed if c in inst.prospects),
        "prospects_declined": len(inst.prospects) - sum(1 for c in d.signed if c in inst.prospects),
        "racks_installed": int(d.installed.sum()),
        "gpus_start": float((inst.fleet * per_rack).sum()),
        "gpus_end": float((d.in_service[:, :, -1] * per_rack).sum()),
        "it_used_mw_start": float(used[0]),
        "it_used_mw_most": float(used.max()),
        "it_used_share_mean": share(used.sum(), limit.sum()),
        "capital_usd": -float(sum(extract.cash[n].sum() for n in CAPITAL_TERMS)),
        "revenue_usd": float(extract.cash["contract_revenue"].sum() + extract.cash["market_revenue"].sum()),
        "energy_mwh": float(extract.energy["energy_mwh"].sum()),
        "tco2": float(extract.energy["tco2"].sum()),
        "water_m3": float(extract.use.water_m3.sum()),
    }
