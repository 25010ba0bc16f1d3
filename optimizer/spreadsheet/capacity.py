"""What is left of every limit while the greedy rule places racks and GPUs."""

from __future__ import annotations

import copy
import math

import numpy as np

from optimizer.decisions import Decisions
from optimizer.extract import Extract
from optimizer.instance import ROUND_UP, Floats, Instance
from optimizer.spreadsheet.directed import Directed

TINY = 1e-9
"""GPUs below this are the rounding of a subtraction."""


class Capacity:
    """Racks and GPUs placed so far, and what every limit still has room for.

    Limits of racks in service are rows: what a rack takes at its site, and what is left by period. A row of use
    (water, carbon) is drawn on by idle racks and by the load of the GPUs delivered. The carbon cap of a year
    is spread over its periods by their hours.

    Args:
        inst: the data.
        directed: its directives.
        base: sites opened, blocks built, retrofits ordered.

    Attributes:
        in_service, installed: racks; shape (sites, generations, T).
        free: GPUs not yet delivered or sold; shape (sites, generations, T).
        room: what each row has left; shape (rows, T).
    """

    def __init__(self, inst: Instance, directed: Directed, base: Decisions) -> None:
        self.inst, self.directed = inst, directed
        rows = inst.gen_rows.values()
        self.gpus = np.array([row.gpus_per_rack for row in rows], dtype=float)
        self.life = np.array([row.life_periods for row in rows], dtype=int)
        self.idle = np.array([row.idle_share for row in rows])
        self.bills = inst.settings.commissioning_share
        self.installed = np.zeros((len(inst.sites), len(inst.gens), inst.T))
        self.in_service = inst.fleet_alive.copy()
        self.free = self.in_service * self.gpus[None, :, None]
        extract = Extract(inst, base)
        self._make_rows(extract)
        self.supply = np.cumsum(inst.supply, axis=1)
        self.rate = np.array([np.inf if r.install_racks_per_period is None else math.floor(r.install_racks_per_period + ROUND_UP)
                              for r in inst.site_rows.values()])[:, None].repeat(inst.T, axis=1)  # fmt: skip
        spent = -sum((extract.cash[name] for name in ("block_capex", "activation", "retrofits")), np.zeros(inst.T))
        self.budget = np.cumsum(inst.budget - spent) if inst.has_budget else np.full(inst.T, np.inf)
        self.ceilings = [values.copy() for _, values in directed.ceilings["installed"]]
        self.delivery_ceilings = [limit.gpus.copy() for limit in directed.delivery_ceilings]
        for i, j in np.argwhere(self.in_service.any(axis=2)).tolist():
            self._draw(i, j, slice(0, inst.T), self.in_service[i, j])

    def copy(self) -> Capacity:
        """The same, to try things on."""
        other = copy.copy(self)
        for name in ("installed", "in_service", "free", "room", "supply", "rate", "budget"):
            setattr(other, name, getattr(self, name).copy())
        other.ceilings = [values.copy() for values in self.ceilings]
        other.delivery_ceilings = [values.copy() for values in self.delivery_ceilings]
        return other

    # rows --------------------------------------------------------------------------------------

    def _make_rows(self, extract: Extract) -> None:
        """Rows of racks and rows of use, by site: which rows, and what a rack of each generation takes, at full load in rows of use."""
        inst = self.inst
        mw = np.array([inst.rack_mw[g] for g in inst.gens])
        liquid = np.array([row.liquid_share for row in inst.gen_rows.values()])
        overhead = np.array([row.overhead_mw for row in inst.site_rows.values()])[:, None] * extract.opened
        limits: list[Floats] = []
        takes: list[list[tuple[int, Floats]]] = [[] for _ in inst.sites]
        uses: list[list[tuple[int, Floats]]] = [[] for _ in inst.sites]

        def add(limit: Floats, into: list[list[tuple[int, Floats]]], amounts: dict[int, Floats]) -> None:
            for i, amount in amounts.items():
                into[i].append((len(limits), np.broadcast_to(amount if amount.ndim == 2 else amount[:, None], (len(inst.gens), inst.T))))
            limits.append(limit)

        for i, row in enumerate(inst.site_rows.values()):
            for name, amount in (("it", mw), ("liquid", mw * liquid), ("air", mw * (1 - liquid))):
                add(extract.limits[name][i] * extract.opened[i] if name == "it" else extract.limits[name][i], takes, {i: amount})
            if row.water_limit_m3_per_period is not None:
                add(np.full(inst.T, row.water_limit_m3_per_period), uses, {i: mw[:, None] * inst.hours[None] * row.wue_l_per_kwh})
        for node, limit in inst.grid_limits.items():
            below = [inst.site_at[s] for s in inst.sites_below[node]]
            add(limit - overhead[below].sum(axis=0), takes, {i: inst.peak_mw[i] for i in below})
        for cells, values in self.directed.ceilings["in_service"]:
            add(values.copy(), takes, {i: cells[i].astype(float) for i in np.flatnonzero(cells.any(axis=1)).tolist()})
        if inst.capped_years:
            years, cap = np.array(inst.calendar.years), np.full(inst.T, np.inf)
            for year, tonnes in inst.capped_years.items():
                within = years == year
                cap[within] = tonnes * inst.hours[within] / inst.hours[within].sum()
            emitted = inst.hours * inst.tonnes_per_mwh
            amounts = {i: mw[:, None] * inst.pue[i] * emitted[i][None] for i in range(len(inst.sites))}
            add(cap - (overhead * emitted).sum(axis=0), uses, amounts)
        self.room = np.array(limits).reshape(len(limits), inst.T)
        self._takes = [_stacked(found, len(inst.gens), inst.T) for found in takes]
        self._uses = [_stacked(found, len(inst.gens), inst.T) for found in uses]
        self.it_row = np.array([found[0][0] for found in takes], dtype=int)

    def _draw(self, i: int, j: int, span: slice, racks: Floats | float) -> None:
        """Idle racks take their room."""
        rows, takes = self._takes[i]
        self.room[rows, span] -= takes[:, j, span] * racks
        rows, takes = self._uses[i]
        if len(rows):
            self.room[rows, span] -= takes[:, j, span] * self.idle[j] * racks

    # racks -------------------------------------------------------------------------------------

    def fit_fleet(self) -> None:
        """Retire fleet racks where they exceed a limit: older generations first, and for good."""
        inst = self.inst
        oldest = sorted(range(len(inst.gens)), key=lambda j: inst.index(inst.gen_rows[inst.gens[j]].first_install))
        for t in range(inst.T):
            for r in np.flatnonzero(self.room[:, t] < -TINY * np.maximum(1.0, np.abs(self.room[:, t]))).tolist():
                for j in oldest:
                    for i in np.flatnonzero(self.in_service[:, j, t] > 0).tolist():
                        each = self._idle_take(r, i, j, t)
                        if self.room[r, t] < -TINY and each > 0:
                            self.retire(i, j, t, math.ceil(-self.room[r, t] / each - ROUND_UP))

    def _idle_take(self, r: int, i: int, j: int, t: int) -> float:
        """What an idle rack takes of a row."""
        for (rows, takes), share in ((self._takes[i], 1.0), (self._uses[i], self.idle[j])):
            at = np.flatnonzero(rows == r)
            if at.size:
                return float(takes[at[0], j, t] * share)
        return 0.0

    def retire(self, i: int, j: int, t: int, racks: float) -> None:
        """Retire fleet racks at the start of a period, before any GPU is placed."""
        kept = np.minimum(self.in_service[i, j, t:], max(self.in_service[i, j, t] - racks, 0.0))
        gone = self.in_service[i, j, t:] - kept
        self.in_service[i, j, t:] = kept
        self.free[i, j, t:] -= gone * self.gpus[j]
        self._draw(i, j, slice(t, self.inst.T), -gone)

    def installable(self, i: int, j: int, t: int, load: float = 0.0, until: int = 0) -> int:
        """Racks that can be installed: supply, window, size, rate, capital, and room for all their life.

        Args:
            i, j, t: positions of site and generation, period.
            load: of their GPUs, up to and with the period ``until``; idle afterwards.
        """
        inst = self.inst
        if not inst.hosts[i, j] or not inst.installable[j, t]:
            return 0
        most = min(float(self.supply[j, t:].min()), float(self.rate[i, t]))
        for (cells, _), left in zip(self.directed.ceilings["installed"], self.ceilings, strict=True):
            if cells[i, j]:
                most = min(most, float(left[t]))
        if inst.rack_usd[j, t] > 0:
            most = min(most, float(self.budget[t:].min() / inst.rack_usd[j, t]))
        if most < 1:
            return 0
        span = slice(t, min(inst.T, t + int(self.life[j])))
        most = min(most, self.room_for_racks(i, j, t))
        rows, takes = self._uses[i]
        if len(rows):
            loads = np.where(np.arange(span.start, span.stop) <= until, max(load, self.idle[j]), self.idle[j])
            most = min(most, _least(self.room[rows, span], takes[:, j, span] * loads))
        return max(0, math.floor(most + ROUND_UP))

    def room_for_racks(self, i: int, j: int, t: int) -> float:
        """Racks that power, cooling, grid and directives leave room for, from a period on."""
        span = slice(t, min(self.inst.T, t + int(self.life[j])))
        rows, takes = self._takes[i]
        return _least(self.room[rows, span], takes[:, j, span])

    def fits(self, i: int, j: int) -> Floats:
        """Racks that power, cooling, grid and directives leave room for in each period by itself; shape (T,)."""
        rows, takes = self._takes[i]
        room, takes = self.room[rows], takes[:, j]
        return np.asarray(np.divide(room, takes, out=np.full(room.shape, np.inf), where=takes > 0).min(axis=0, initial=np.inf))

    def install(self, i: int, j: int, t: int, racks: int) -> None:
        """Install racks; they serve out their life."""
        span = slice(t, min(self.inst.T, t + int(self.life[j])))
        self.installed[i, j, t] += racks
        self.in_service[i, j, span] += racks
        self.free[i, j, span] += racks * self.gpus[j]
        self.free[i, j, t] -= (1 - self.bills) * racks * self.gpus[j]
        self._draw(i, j, span, racks)
        self.supply[j, t:] -= racks
        self.rate[i, t] -= racks
        self.budget[t:] -= racks * self.inst.rack_usd[j, t]
        for (cells, _), left in zip(self.directed.ceilings["installed"], self.ceilings, strict=True):
            if cells[i, j]:
                left[t] -= racks

    def install_directed(self) -> None:
        """Install what directives ask for at least, as far as it can be."""
        for name, racks in (("installed", self.installed), ("in_service", self.in_service)):
            for cells, least in self.directed.floors[name]:
                for t in np.flatnonzero(least > 0).tolist():
                    for i, j in np.argwhere(cells).tolist():
                        missing = math.ceil(least[t] - racks[cells, t].sum() - ROUND_UP)
                        if missing <= 0:
                            break
                        self.install(i, j, t, min(missing, self.installable(i, j, t)))

    # GPUs --------------------------------------------------------------------------------------

    def gpus_left(self, i: int, j: int, t: int, load: float, spare: float = 0.0, contract: str = "") -> float:
        """GPUs of a cell that can be delivered or sold."""
        most = float(self.free[i, j, t]) / (1 + spare)
        rows, takes = self._uses[i]
        if len(rows) and load > self.idle[j]:
            most = min(most, _least(self.room[rows, t], takes[:, j, t] * ((load - self.idle[j]) / self.gpus[j])))
        for left in self._capped(contract, i, j):
            most = min(most, float(left[t]))
        return max(0.0, most)

    def use(self, i: int, j: int, t: int, gpus: float, load: float, spare: float = 0.0, contract: str = "") -> None:
        """Deliver or sell GPUs; negative amounts give them back."""
        self.free[i, j, t] -= (1 + spare) * gpus
        rows, takes = self._uses[i]
        if len(rows):
            self.room[rows, t] -= takes[:, j, t] * ((load - self.idle[j]) / self.gpus[j] * gpus)
        for left in self._capped(contract, i, j):
            left[t] -= gpus

    def _capped(self, contract: str, i: int, j: int) -> list[Floats]:
        """What directives leave of the deliveries of a cell to a contract, by directive."""
        pairs = zip(self.directed.delivery_ceilings, self.delivery_ceilings, strict=True)
        return [left for limit, left in pairs if contract in limit.contracts and limit.cells[i, j]]


def _stacked(found: list[tuple[int, Floats]], gens: int, periods: int) -> tuple[np.ndarray[tuple[int], np.dtype[np.intp]], Floats]:
    rows = np.array([r for r, _ in found], dtype=np.intp)
    return rows, np.array([takes for _, takes in found]).reshape(len(found), gens, periods)


def _least(room: Floats, takes: Floats) -> float:
    """How often the amounts go into the room, at the tightest."""
    times = np.divide(room, takes, out=np.full(room.shape, np.inf), where=takes > 0)
    return float(times.min(initial=np.inf))
