"""One contract, period by period: keep what serves it, then idle racks, then new racks."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from optimizer.instance import ROUND_UP, Floats
from optimizer.spreadsheet.capacity import TINY, Capacity
from optimizer.spreadsheet.choice import choose_sites


@dataclass
class Placement:
    """What a contract gets.

    Attributes:
        capacity: what is left after it.
        gpus: physical GPUs delivered; shape (sites, generations, T).
        contract_gpus: contract GPUs delivered; shape (T,).
        coming: contract GPUs on racks that are being commissioned; shape (T,).
    """

    capacity: Capacity
    gpus: Floats
    contract_gpus: Floats
    coming: Floats


def place(cap: Capacity, c: str, held: Floats | None = None, install: bool = True, without: frozenset[str] = frozenset()) -> Placement:
    """Deliver a contract as far as it can be, on a copy of the capacity.

    Sites that do not hold the contract's smallest cluster are given up, the weakest first.

    Args:
        cap: what is left.
        c: the contract.
        held: physical GPUs kept for it since before the start; shape (sites, generations, T).
        install: whether racks may be installed.
        without: sites that must not serve it.
    """
    inst = cap.inst
    cluster, periods = inst.contract_rows[c].min_cluster_gpus, inst.cluster_periods(c)
    while True:
        sweep = _Sweep(cap.copy(), c, choose_sites(cap, c, without), held, install)
        sweep.run()
        if not periods:
            return sweep.result()
        by_site = sweep.gpus.transpose(0, 2, 1) @ sweep.eq
        weak = {s: float(by_site[inst.site_at[s], periods].min()) for s in sweep.sites if by_site[inst.site_at[s]].any()}
        weak = {s: least for s, least in weak.items() if least < cluster * (1 - ROUND_UP)}
        if not weak:
            return sweep.result()
        without |= {min(weak, key=lambda s: weak[s])}


def kept(cap: Capacity, c: str) -> Floats:
    """Physical GPUs on which current deliveries can run on, and those that directives ask for; shape (sites, generations, T)."""
    inst = cap.inst
    at, spare = inst.contract_at[c], 1 + inst.contract_rows[c].spare_share
    owed = inst.owed[at]
    gpus = np.zeros_like(cap.free)
    current = {s: amount for s, amount in inst.current.get(c, {}).items() if s in inst.allowed_sites(c)}
    total = sum(current.values())
    share = min(1.0, owed[0] / total) if total > 0 else 0.0
    for s, amount in current.items():
        need, i = amount * share, inst.site_at[s]
        for g, eq in sorted(inst.equivalents[c].items(), key=lambda item: item[1]):
            j = inst.gen_at[g]
            take = min(need / eq, max(0.0, float(cap.free[i, j, 0])) / spare)
            if take > TINY:
                lasting = np.minimum.accumulate(np.minimum(take, np.maximum(cap.free[i, j], 0.0) / spare))
                gpus[i, j] = np.where(np.logical_and.accumulate(owed > 0), lasting, 0.0)
                need -= take * eq
    for limit in cap.directed.delivery_floors:
        if c in limit.contracts:
            for t in np.flatnonzero((limit.gpus > 0) & (owed > 0)).tolist():
                for s, g in itertools.product(inst.allowed_sites(c), inst.equivalents[c]):
                    i, j = inst.site_at[s], inst.gen_at[g]
                    missing = float(limit.gpus[t] - gpus[limit.cells, t].sum())
                    if missing > 0 and limit.cells[i, j]:
                        gpus[i, j, t] += min(missing, max(0.0, float(cap.free[i, j, t]) / spare - gpus[i, j, t]))
    return np.asarray(gpus, dtype=np.float64)


class _Sweep:
    """The periods of one contract."""

    def __init__(self, cap: Capacity, c: str, sites: list[str], held: Floats | None, install: bool) -> None:
        inst = self.inst = cap.inst
        self.cap, self.c, self.sites, self.may_install = cap, c, sites, install
        self.row = inst.contract_rows[c]
        self.owed = inst.owed[inst.contract_at[c]]
        self.at = [inst.site_at[s] for s in sites]
        self.eq = inst.equivalent_matrix[inst.contract_at[c]]
        self.gens = sorted(np.flatnonzero(self.eq).tolist(), key=lambda j: self.eq[j])
        self.cluster = self.row.min_cluster_gpus if inst.cluster_periods(c) else 0.0
        self.gpus = np.zeros_like(cap.free)
        self.held = held
        self.coming = np.zeros(inst.T)
        self.serving = {inst.site_at[s] for s in inst.current.get(c, {})} & set(self.at)
        self.floors = [limit for limit in cap.directed.delivery_floors if c in limit.contracts]

    def result(self) -> Placement:
        """What the contract got."""
        return Placement(self.cap, self.gpus, np.asarray(np.einsum("sgt,g->t", self.gpus, self.eq)), self.coming)

    def run(self) -> None:
        """Every period in which GPUs are owed, in order."""
        active = np.flatnonzero(self.owed > 0)
        self.last = int(active[-1]) if active.size else -1
        for t in active.tolist():
            self.t, self.need = t, float(self.owed[t])
            self.got = dict.fromkeys(self.at, 0.0)
            self.pending = dict.fromkeys(self.at, 0.0)
            self._directed()
            self._keep()
            if self.need > TINY * self.owed[t]:
                self._idle()
            if self.need > TINY * self.owed[t] and self.may_install:
                self._new()

    def _directed(self) -> None:
        """What directives ask for at least, before anything else."""
        for limit in self.floors:
            cells = [(i, j) for i in self.at for j in self.gens if limit.cells[i, j]]
            for install in (False, self.may_install):
                for i, j in cells:
                    missing = float(limit.gpus[self.t] - self.gpus[limit.cells, self.t].sum())
                    if missing > TINY and install and self.cap.bills > 0:
                        racks = np.ceil(missing * (1 + self.row.spare_share) / (self.cap.gpus[j] * self.cap.bills) - ROUND_UP)
                        self.cap.install(i, j, self.t, min(int(racks), self.cap.installable(i, j, self.t, self.row.load_share, self.last)))
                    if missing > TINY:
                        self._take(i, j, missing * self.eq[j])

    def _keep(self) -> None:
        """What served it in the period before, scaled to the ramp where that falls."""
        before = self.gpus[:, :, self.t - 1] if self.t > 0 else np.zeros(self.gpus.shape[:2])
        if self.t == 0 and self.held is not None:
            before = self.held[:, :, 0]
        total = float((before @ self.eq).sum())
        share = min(1.0, self.owed[self.t] / total) if total > 0 else 0.0
        for i, j in np.argwhere(before > TINY).tolist():
            if i in self.got:
                self._take(i, j, before[i, j] * share * self.eq[j] - self.gpus[i, j, self.t] * self.eq[j])

    def _idle(self) -> None:
        """Idle racks: those idle to the contract's end first, then any; the least capable generation first, sites that serve it first."""
        cap, t = self.cap, self.t
        lasting = cap.free[:, :, t : self.last + 1].min(axis=2)
        rank = {i: (i not in self.serving, n) for n, i in enumerate(self.at)}
        cells = [(rank[i], self.eq[j], i, j) for i in self.at for j in self.gens if cap.free[i, j, t] > TINY]
        for only_lasting in (True, False):
            for _, eq, i, j in sorted(cells):
                most = max(0.0, float(lasting[i, j])) / (1 + self.row.spare_share) * eq if only_lasting else np.inf
                if most > TINY and self.need > TINY * self.owed[t]:
                    self._take(i, j, most)

    def _new(self) -> None:
        """New racks: at sites that serve it first, then where most power is free; the generation that is cheapest per contract GPU first."""
        cap, t = self.cap, self.t
        usd = {j: cap.inst.rack_usd[j, t] / (cap.gpus[j] * self.eq[j]) for j in self.gens}
        free_mw = cap.room[cap.it_row, t:].min(axis=1)
        for i in sorted(self.at, key=lambda i: (i not in self.serving, -free_mw[i])):
            for j in sorted(self.gens, key=lambda j: usd[j]):
                wanted = min(self.need, self._most(i))
                per_rack = self.eq[j] * cap.gpus[j] / (1 + self.row.spare_share)
                if wanted <= TINY * self.owed[t]:
                    continue
                racks = min(int(np.ceil(wanted / per_rack - ROUND_UP)), cap.installable(i, j, t, self.row.load_share, self.last))
                if racks <= 0:
                    continue
                cap.install(i, j, t, racks)
                full = min(wanted, racks * per_rack)
                late = full - self._take(i, j, full)
                self.coming[t] += late
                self.pending[i] += late
                self.need -= late

    def _most(self, i: int) -> float:
        """Contract GPUs that a site may still take on, so that every other chosen site can reach its cluster."""
        if self.cluster <= 0:
            return np.inf
        others = sum(max(self.cluster, self.got[o] + self.pending[o]) for o in self.at if o != i)
        return max(0.0, float(self.owed.max()) - others - self.got[i] - self.pending[i])

    def _take(self, i: int, j: int, most: float) -> float:
        """Deliver from a cell up to a number of contract GPUs; returns how many."""
        cap, load, spare = self.cap, self.row.load_share, self.row.spare_share
        wanted = min(most, self.need, self._most(i))
        if wanted <= 0:
            return 0.0
        gpus = min(wanted / self.eq[j], cap.gpus_left(i, j, self.t, load, spare, self.c))
        if gpus <= TINY:
            return 0.0
        cap.use(i, j, self.t, gpus, load, spare, self.c)
        self.gpus[i, j, self.t] += gpus
        self.got[i] += gpus * self.eq[j]
        self.need -= gpus * self.eq[j]
        self.serving.add(i)
        return float(gpus * self.eq[j])
