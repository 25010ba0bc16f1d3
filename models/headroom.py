"""What sites have left of each resource, and the megawatts of IT power that stand idle because another resource has run out.

The IT power left at a site is of use as far as whole racks of one of the generations to hand (see ``models.binding``) fit into what is
left of *every* resource. What does not is stranded, and the resource that ends first is what is missing:

==============  ==========================================================================
missing         what ends first
==============  ==========================================================================
(empty)         IT power itself: nothing is stranded, less than a rack is left over
``liquid``      heat that liquid can remove
``air``         heat that air can remove
``grid``        the draw allowed below a grid node at or above the site
``water``       water of the period, at the use per MW that the plan has there
``rack``        no rack that the halls take is in service or can be bought in the period
==============  ==========================================================================

Rates of installation, supply and budget strand nothing: they limit how fast power is put to use, not whether it can be.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from models import tables as tb
from models.binding import BindingRule, Floats
from models.calendar import Calendar
from models.dataset import Dataset
from models.plan import Plan

RESOURCES = ("it_power", "liquid", "air", "grid", "water")
"""Resources that are told, IT power first."""
HEADROOM_COLUMNS: dict[str, str] = {
    "site_id": "site",
    "period": "period",
    "it_power_limit": "IT power that may be used, MW",
    "it_power_used": "IT power provisioned, MW",
    "liquid_limit": "heat that liquid can remove, MW",
    "liquid_used": "heat to liquid, MW",
    "air_limit": "heat that air can remove, MW",
    "air_used": "heat to air, MW",
    "grid_limit": "facility draw allowed below the tightest node above the site, MW; infinite without a limit",
    "grid_used": "facility draw planned below that node, MW; of the site itself without a limit",
    "grid_node": "that node; empty without a limit",
    "water_limit": "water that may be used in the period, m3; infinite without a limit",
    "water_used": "water used in the period, m3",
    "usable_mw": "IT power that racks of the best generation to hand could still use, MW",
    "stranded_mw": "IT power left that no rack can use, MW",
    "missing": "resource that ends first where power is stranded, or rack; empty where none is",
    "lease_usd": "leases paid in the period for the stranded power, USD",
    "binding": "names of the limits that bind, ; between",
}
"""Columns of :func:`headroom` with meaning and unit."""
FLEET_COLUMNS: dict[str, str] = {
    "period": "period",
    "it_used_mw": "IT power provisioned at all sites, MW",
    "stranded_mw": "IT power that no rack can use, MW",
    "it_limit_mw": "IT power that may be used, MW",
    "lease_usd": "leases paid in the period for the stranded power, USD",
}
"""Columns of :func:`fleet_power` with meaning and unit."""
EXACT = 1e-6
"""Racks by which a rack may miss to fit: rounding of the plan's figures."""


def headroom(plan: Plan, dataset: Dataset) -> pd.DataFrame:
    """One row per site and period of the plan's sites table, in its order.

    Args:
        plan: a plan of the dataset.
        dataset: its dataset.

    Returns:
        Columns ``HEADROOM_COLUMNS``.
    """
    rule, frame = BindingRule(dataset), plan.sites
    at = {row.site_id: i for i, row in enumerate(rule.sites)}
    s = np.array([at[str(site)] for site in frame["site_id"]], dtype=np.intp)
    t = np.array([dataset.calendar.index(str(period)) for period in frame["period"]], dtype=np.intp)
    found = pd.DataFrame({"site_id": frame["site_id"], "period": frame["period"]})
    for name, column in (("it_power", "it"), ("liquid", "liquid"), ("air", "air")):
        found[f"{name}_limit"], found[f"{name}_used"] = frame[f"{column}_limit_mw"], frame[f"{column}_used_mw"]
    peak = np.zeros((len(at), dataset.calendar.periods))
    peak[s, t] = frame["facility_peak_mw"].to_numpy(float)
    limit, used, node = _grid(rule, peak)
    found["grid_limit"], found["grid_used"], found["grid_node"] = limit[s, t], used[s, t], node[s, t]
    most = np.array([math.inf if row.water_limit_m3_per_period is None else row.water_limit_m3_per_period for row in rule.sites])
    found["water_limit"], found["water_used"] = most[s], frame["water_m3"]
    usable, missing = _usable(rule, plan, found, s, t)
    left = np.maximum(found["it_power_limit"].to_numpy(float) - found["it_power_used"].to_numpy(float), 0.0)
    stranded = np.where(missing != "", left - usable, 0.0)
    found["usable_mw"], found["stranded_mw"], found["missing"] = usable, stranded, missing
    found["lease_usd"] = stranded * _lease(dataset)[s, t]
    found["binding"] = frame["binding"]
    return found[list(HEADROOM_COLUMNS)]


def fleet_power(sites: pd.DataFrame, dataset: Dataset) -> pd.DataFrame:
    """One row per period of the horizon: IT power of all sites; columns ``FLEET_COLUMNS``.

    Args:
        sites: what :func:`headroom` found.
        dataset: of the plan.
    """
    columns = {"it_power_used": "it_used_mw", "stranded_mw": "stranded_mw", "it_power_limit": "it_limit_mw", "lease_usd": "lease_usd"}
    sums = sites.groupby("period")[list(columns)].sum().rename(columns=columns)
    return sums.reindex(dataset.calendar.labels, fill_value=0.0).rename_axis("period").reset_index()[list(FLEET_COLUMNS)]


def _grid(rule: BindingRule, peak: Floats) -> tuple[Floats, Floats, np.ndarray]:
    """Limit, planned draw and name of the node above each site with the least left; shape (S, T)."""
    limit, used = np.full(peak.shape, np.inf), peak.copy()
    name = np.full(peak.shape, "", dtype=object)
    for node, (most, sites) in rule.nodes.items():
        drawn = peak[sites].sum(axis=0)
        for i in sites:
            tighter = most - drawn < limit[i] - used[i]
            limit[i], used[i] = np.where(tighter, most, limit[i]), np.where(tighter, drawn, used[i])
            name[i, tighter] = node
    return limit, used, name


def _usable(rule: BindingRule, plan: Plan, found: pd.DataFrame, s: np.ndarray, t: np.ndarray) -> tuple[Floats, np.ndarray]:
    """IT power that racks of the best generation could still use, MW, and what ends first; one of each per row."""
    gens, hours = rule.gens, rule.calendar.hours
    g_at = {row.gen_id: j for j, row in enumerate(gens)}
    s_at = {row.site_id: i for i, row in enumerate(rule.sites)}
    serving = np.zeros((len(rule.sites), len(gens), rule.periods))
    for site, gen, period, racks in zip(*(plan.racks[c] for c in ("site_id", "gen_id", "period", "in_service")), strict=True):
        serving[s_at[str(site)], g_at[str(gen)], rule.calendar.index(str(period))] = racks
    hand = rule.to_hand(serving)[s, :, t]
    rack = np.array([row.rack_kw for row in gens]) / 1000.0
    share = np.array([row.liquid_share for row in gens])
    it = found["it_power_used"].to_numpy(float)
    thirst = np.array([row.wue_l_per_kwh for row in rule.sites])[s] * hours[t]
    water = np.where(it > 0, found["water_used"].to_numpy(float) / np.where(it > 0, it, 1.0), thirst)
    ones = np.ones(len(s))
    need = {  # of one rack, by row and generation
        "it_power": ones[:, None] * rack,
        "liquid": ones[:, None] * rack * share,
        "air": ones[:, None] * rack * (1.0 - share),
        "grid": rule.peak_mw()[s],
        "water": water[:, None] * rack,
    }
    fits = np.full((len(RESOURCES), len(s), len(gens)), np.inf)
    for k, name in enumerate(RESOURCES):
        left = np.maximum(found[f"{name}_limit"].to_numpy(float) - found[f"{name}_used"].to_numpy(float), 0.0)[:, None]
        np.divide(left, need[name], out=fits[k], where=(need[name] > 0) & np.isfinite(left))
    racks = np.where(hand, np.floor(fits.min(axis=0) + EXACT), -1.0)
    mw = racks * rack
    best = mw.argmax(axis=1)
    row = np.arange(len(s))
    first = fits[:, row, best].argmin(axis=0)
    whole = np.floor(fits[:, row, best] + EXACT)
    power_first = whole[0] <= whole.min(axis=0)  # another resource may end first within the same rack
    room = found["it_power_limit"].to_numpy(float) - it > EXACT * np.maximum(1.0, it)
    missing = np.array([*RESOURCES], dtype=object)[first]
    missing = np.where(power_first, "", missing)
    missing = np.where(hand.any(axis=1), missing, "rack")
    return np.maximum(mw[row, best], 0.0), np.where(room, missing, "")


def _lease(dataset: Dataset) -> Floats:
    """Lease of a MW of the blocks that are energized by then, mean of the site, USD per MW and period; shape (S, T)."""
    calendar: Calendar = dataset.calendar
    at = {row.site_id: i for i, row in enumerate(dataset.rows(tb.Site))}
    mw, usd = np.zeros((len(at), calendar.periods)), np.zeros((len(at), calendar.periods))
    for block in dataset.rows(tb.PowerBlock):
        begin = max(calendar.index(block.energized), 0)
        mw[at[block.site_id], begin:] += block.it_mw
        usd[at[block.site_id], begin:] += block.it_mw * block.lease_usd_per_kw_month * 1000.0 * calendar.months
    return np.divide(usd, mw, out=np.zeros_like(usd), where=mw > 0)
