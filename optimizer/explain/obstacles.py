"""What the data alone say of a wish such as 24,000 GB300 for a contract at a site from 2027-Q2: each limit that is too small."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from optimizer.explain.answer import number
from optimizer.instance import Instance


@dataclass(frozen=True)
class Wish:
    """GPUs of a generation wished for, at a site, for a contract, in periods; what is none is left open.

    Attributes:
        gpus: physical GPUs, in each period: delivered, if a contract is named; else in racks in service.
        gen_id: their generation; any if none.
        site_id, contract_id: where and for whom; anywhere, and for anyone, if none.
        from_period, to_period: when; from the start, to the end, if none.
    """

    gpus: float
    gen_id: str | None = None
    site_id: str | None = None
    contract_id: str | None = None
    from_period: str | None = None
    to_period: str | None = None

    @property
    def words(self) -> str:
        """The wish in words."""
        when = (f" from {self.from_period}" if self.from_period else "") + (f" to {self.to_period}" if self.to_period else "")
        whom = f" for {self.contract_id}" if self.contract_id else ""
        where = f" at {self.site_id}" if self.site_id else ""
        return f"{number(self.gpus)} GPUs{f' of {self.gen_id}' if self.gen_id else ''}{whom}{where}{when}"


@dataclass(frozen=True)
class Obstacle:
    """A limit of the data that a wish exceeds, whatever else is decided.

    Attributes:
        limit: name, as constraints are named, or ``eligible``, ``hall``, ``term``.
        period: in which most is missing; empty if it is the same in all.
        wanted, possible: in ``unit``.
        unit: of both.
        table: where the limit stands.
        words: the fault, and what would have to change.
    """

    limit: str
    period: str
    wanted: float
    possible: float
    unit: str
    table: str
    words: str


def periods_wished(wish: Wish, inst: Instance) -> list[int]:
    """Periods of the horizon that a wish names."""
    first = 0 if wish.from_period is None else max(0, inst.index(wish.from_period))
    last = inst.T - 1 if wish.to_period is None else min(inst.T - 1, inst.index(wish.to_period))
    return list(range(first, last + 1))


def obstacles(wish: Wish, inst: Instance) -> tuple[Obstacle, ...]:
    """Limits that the wish exceeds by itself. Where there is one, no plan can fulfil it; where there is none, one may or may not.

    Every bound holds for any plan: the most that all halls in question could ever power and cool with every option built, and what
    supply and fleet could ever hold.
    """
    times = periods_wished(wish, inst)
    gens = [g for g in inst.gens if wish.gen_id in (None, g)]
    sites = [s for s in inst.sites if wish.site_id in (None, s)]
    found = [*_contract_faults(wish, inst, gens, sites, times)]
    if wish.contract_id is not None:
        gens = [g for g in gens if g in inst.equivalents[wish.contract_id]]
        sites = [s for s in sites if s in inst.allowed_sites(wish.contract_id)]
    if gens and sites and times:
        found += _rack_faults(wish, inst, gens, sites, times)
    return tuple(found)


def _contract_faults(wish: Wish, inst: Instance, gens: list[str], sites: list[str], times: list[int]) -> list[Obstacle]:
    """What the contract's own terms do not allow."""
    if wish.contract_id is None:
        return []
    c, row, found = wish.contract_id, inst.contract_rows[wish.contract_id], []
    if wish.gen_id is not None and wish.gen_id not in inst.equivalents[c]:
        text = f"{c} takes no {wish.gen_id}: it would need a row in contract_generations.csv"
        found.append(Obstacle("eligible", "", wish.gpus, 0.0, "GPU", "contract_generations.csv", text))
    if wish.site_id is not None and wish.site_id not in inst.allowed_sites(c):
        zone = inst.site_rows[wish.site_id].zone
        why = f"zone {zone} is not among {', '.join(row.zones)}" if row.zones and zone not in row.zones else (
            "it is excluded" if wish.site_id in row.excluded_sites else "it is not in the contract's list of sites"
        )  # fmt: skip
        text = f"{wish.site_id} may not serve {c}: {why} (contracts.csv)"
        found.append(Obstacle("eligible", "", wish.gpus, 0.0, "GPU", "contracts.csv", text))
    best = max((inst.equivalents[c].get(g, 0.0) for g in gens), default=0.0)
    least = min((inst.equivalents[c][g] for g in gens if g in inst.equivalents[c]), default=best)
    owed = inst.owed[inst.contract_at[c], times] if times else np.zeros(0)
    if best > 0 and len(owed) and wish.gpus * least > owed.min() * (1 + 1e-9):
        t = times[int(owed.argmin())]
        most = float(owed.min()) / least
        text = f"{c} is owed {number(float(owed.min()))} contract GPUs in {inst.calendar.label(t)}: no more than {number(most)} GPUs are delivered (contract_ramp.csv)"
        found.append(Obstacle("delivery", inst.calendar.label(t), wish.gpus, most, "GPU", "contract_ramp.csv", text))
    if wish.site_id is not None and wish.site_id in inst.allowed_sites(c) and row.min_cluster_gpus > 0:
        reach = inst.fits[c, wish.site_id]
        short = [t for t in inst.cluster_periods(c) if reach[t] < row.min_cluster_gpus * (1 - 1e-9)]
        if short:
            t = min(short, key=lambda t: reach[t])
            text = (f"{wish.site_id} can't hold the smallest cluster of {c}: {number(row.min_cluster_gpus)} contract GPUs, at most "
                    f"{number(float(reach[t]))} in {inst.calendar.label(t)} (contracts.csv, power_blocks.csv)")  # fmt: skip
            found.append(
                Obstacle(
                    "min_cluster", inst.calendar.label(t), row.min_cluster_gpus, float(reach[t]), "contract GPU", "contracts.csv", text
                )
            )
    return found


def _rack_faults(wish: Wish, inst: Instance, gens: list[str], sites: list[str], times: list[int]) -> list[Obstacle]:
    """What halls, power, cooling and supply can't give, each in the period in which most is missing."""
    held = 1.0 + (inst.contract_rows[wish.contract_id].spare_share if wish.contract_id else 0.0)
    takes = [g for g in gens if any(inst.hosts[inst.site_at[s], inst.gen_at[g]] for s in sites)]
    if not takes:
        kw = min(inst.gen_rows[g].rack_kw for g in gens)
        most = max((inst.site_rows[s].max_rack_kw or math.inf) for s in sites)
        text = f"no hall there takes a rack of {number(kw)} kW: at most {number(most)} kW (sites.csv, max_rack_kw)"
        return [Obstacle("hall", "", kw, most, "kW per rack", "sites.csv", text)]
    j, i = [inst.gen_at[g] for g in takes], [inst.site_at[s] for s in sites]
    gpr = np.array([inst.gen_rows[g].gpus_per_rack for g in takes])
    mw = np.array([inst.rack_mw[g] for g in takes])
    liquid = np.array([inst.gen_rows[g].liquid_share for g in takes])
    gpus = wish.gpus * held
    racks = math.ceil(float(gpus / gpr.max()) - 1e-9)
    need_it = gpus * float((mw / gpr).min())
    need_liquid = gpus * float((mw * liquid / gpr).min())
    need_air = gpus * float((mw * (1 - liquid) / gpr).min())
    supply = np.cumsum(inst.supply, axis=1)[j]
    fleet = inst.fleet_alive[np.ix_(i, j)].sum(axis=0)
    hosted = np.asarray(inst.hosts[np.ix_(i, j)].any(axis=0), dtype=bool)
    ever = np.where(np.expand_dims(hosted, 1), _available(inst, j, supply), 0.0) + fleet
    gpus_had = (ever * gpr[:, None]).sum(axis=0)
    what = " and ".join(takes) if len(takes) < 3 else "any generation"
    place = wish.site_id or "all sites in question"
    sums = [
        ("supply", gpus / gpr.max(), gpus_had / gpr.max(), "rack", "supply.csv", f"racks of {what} that supply and fleet can bring by then"),
        ("it_power", need_it, inst.it_most[i].sum(axis=0), "MW", "power_blocks.csv, site_limits.csv", f"IT power of {place} with every option built"),
        ("liquid", need_liquid, inst.liquid_most[i].sum(axis=0), "MW", "power_blocks.csv, retrofits.csv", f"liquid cooling of {place} with every retrofit"),
        ("air", need_air, inst.air_most[i].sum(axis=0), "MW", "power_blocks.csv", f"air cooling of {place}"),
    ]  # fmt: skip
    found = []
    for name, need, most, unit, table, noun in sums:
        t = min(times, key=lambda t: float(most[t]))
        if need > float(most[t]) * (1 + 1e-9) + 1e-9:
            missing = need - float(most[t])
            first = next((t2 for t2 in range(t, inst.T) if float(most[t2]) * (1 + 1e-9) + 1e-9 >= need), None)
            later = f"; enough from {inst.calendar.label(first)} on" if first is not None else "; never enough within the horizon"
            text = f"{noun}: {number(round(need, 3))} {unit}{'s' if unit == 'rack' else ''} wanted in {inst.calendar.label(t)}, {number(round(float(most[t]), 3))} possible, {number(round(missing, 3))} more needed ({table}){later}"
            found.append(Obstacle(name, inst.calendar.label(t), need, float(most[t]), unit, table, text))
    rate = [inst.site_rows[s].install_racks_per_period for s in sites]
    if wish.site_id is not None and rate[0] is not None:
        t = times[0]
        could = math.floor(rate[0]) * (t + 1) + float(inst.fleet[np.ix_(i, j)].sum())
        if racks > could:
            text = f"installation rate of {wish.site_id}: {racks} racks wanted in {inst.calendar.label(t)}, {number(could)} can be installed by then (sites.csv, install_racks_per_period)"
            found.append(Obstacle("install_rate", inst.calendar.label(t), racks, could, "rack", "sites.csv", text))
    peak = float((inst.peak_mw[np.ix_(i, j)] / gpr[None, :]).min()) * gpus
    for z, limit in inst.grid_limits.items():
        if all(s in inst.sites_below[z] for s in sites):
            t = min(times, key=lambda t: float(limit[t]))
            room = float(limit[t]) - sum(inst.site_rows[s].overhead_mw for s in inst.sites_below[z] if s not in inst.candidates)
            if peak > room * (1 + 1e-9) + 1e-9:
                text = f"grid limit of node {z}: {number(round(peak, 3))} MW wanted in {inst.calendar.label(t)}, {number(round(room, 3))} possible, {number(round(peak - room, 3))} more needed (grid_limits.csv)"
                found.append(Obstacle("grid", inst.calendar.label(t), peak, room, "MW", "grid_limits.csv", text))
    return found


def _available(inst: Instance, gens: list[int], supply: np.ndarray) -> np.ndarray:
    """Racks that can have been installed by each period, given supply and the window of installation; shape (generations, T)."""
    may = inst.installable[gens]
    any_yet = np.logical_or.accumulate(may, axis=1)
    last = np.where(may, np.arange(inst.T), -1)
    up_to = np.maximum.accumulate(last, axis=1)
    return np.asarray(np.where(any_yet, np.take_along_axis(supply, np.maximum(up_to, 0), axis=1), 0.0))
