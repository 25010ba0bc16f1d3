"""Opening and building: candidate sites and optional power blocks, with their leases, capital and activation."""

from __future__ import annotations

from typing import Any

import numpy as np

from models.tables import BlockStatus
from optimizer.blocks.base import MILLION, Block, Formulation, Index, constraint
from optimizer.instance import Instance


def declare(f: Formulation) -> None:
    """``open`` of candidates and ``built`` of options, both binary; each also one period before its first, where it is 0."""
    inst = f.instance
    opens = [(s, t) for s in inst.candidates for t in range(-1, inst.T)]
    f.variable("open", opens, upper=[0.0 if t < 0 else 1.0 for _, t in opens], integer=True)
    blocks = [(b, t) for b, (first, _) in inst.buildable.items() for t in range(first - 1, inst.T)]
    before = {b: first - 1 for b, (first, _) in inst.buildable.items()}
    f.variable("built", blocks, upper=[0.0 if t == before[b] else 1.0 for b, t in blocks], integer=True)
    f.param("racks_that_fit", {(s, g, t): inst.racks_most[inst.site_at[s], inst.gen_at[g], t] for s, g, t in open_racks_index(f)})
    f.members("site_of_block", {b: [inst.block_rows[b].site_id] for b, _ in open_blocks_index(f)})


def open_monotone_index(f: Formulation) -> list[Index]:
    """Every candidate and period."""
    return [(s, t) for s in f.instance.candidates for t in range(f.instance.T)]


@constraint(9, over=open_monotone_index, rows=lambda inst: len(inst.candidates) * inst.T)
def open_monotone(m: Any, s: Any, t: Any) -> Any:
    """A site once open stays open (0 or 1).

    open[s,t] >= open[s,t-1]
    """
    return m.open[s, t] >= m.open[s, t - 1]


def open_racks_index(f: Formulation) -> list[Index]:
    """Rack indices of candidates."""
    chosen = set(f.instance.candidates)
    return [key for key in f.instance.rack_index if key[0] in chosen]


def open_racks_rows(inst: Instance) -> int:
    """Rack variables at sites that are not open from the start."""
    return int(sum(inst.held[inst.site_at[s]].sum() for s in inst.candidates))


@constraint(9, over=open_racks_index, rows=open_racks_rows)
def open_racks(m: Any, s: Any, g: Any, t: Any) -> Any:
    """Racks stand at open sites only (racks).

    x[s,g,t] <= racks that fit * open[s,t]
    """
    return m.in_service[s, g, t] <= m.racks_that_fit[s, g, t] * m.open[s, t]


def open_blocks_index(f: Formulation) -> list[Index]:
    """Options of candidates, from the first period of energization."""
    inst = f.instance
    chosen = set(inst.candidates)
    return [(b, t) for b, (first, _) in inst.buildable.items() if inst.block_rows[b].site_id in chosen for t in range(first, inst.T)]


def open_blocks_rows(inst: Instance) -> int:
    """Periods from the earliest energization to the end, over buildable options of candidates."""
    return sum(inst.T - inst.buildable[b][0] for s in inst.candidates for b in inst.options_of[s])


@constraint(9, over=open_blocks_index, rows=open_blocks_rows)
def open_blocks(m: Any, b: Any, t: Any) -> Any:
    """Blocks are built at open sites only (0 or 1).

    built[b,t] <= open[s,t]
    """
    return m.built[b, t] <= sum(m.open[s, t] for s in m.site_of_block[b])


def built_monotone_index(f: Formulation) -> list[Index]:
    """Options, from the first period of energization."""
    inst = f.instance
    return [(b, t) for b, (first, _) in inst.buildable.items() for t in range(first, inst.T)]


def built_monotone_rows(inst: Instance) -> int:
    """Periods in which a buildable option can stand."""
    return int(sum(inst.T - max(inst.index(r.energized), r.lead_periods, 0) for r in (inst.block_rows[b] for b in inst.buildable)))


@constraint(9, over=built_monotone_index, rows=built_monotone_rows)
def built_monotone(m: Any, b: Any, t: Any) -> Any:
    """A block once built stays built (0 or 1).

    built[b,t] >= built[b,t-1]
    """
    return m.built[b, t] >= m.built[b, t - 1]


def build_window_index(f: Formulation) -> list[Index]:
    """Options, after the last period in which they can be energized."""
    inst = f.instance
    return [(b, t) for b, (_, latest) in inst.buildable.items() for t in range(latest + 1, inst.T)]


def build_window_rows(inst: Instance) -> int:
    """Periods of the horizon after ``latest``, where it is given."""
    rows = [inst.block_rows[b] for b in inst.buildable]
    return sum(max(0, inst.T - 1 - inst.index(r.latest)) for r in rows if r.latest is not None)


@constraint(9, over=build_window_index, rows=build_window_rows)
def build_window(m: Any, b: Any, t: Any) -> Any:
    """A block not built by ``latest`` stays unbuilt (0 or 1).

    built[b,t] <= built[b,t-1] for t > latest
    """
    return m.built[b, t] <= m.built[b, t - 1]


def money(f: Formulation) -> None:
    """lease, block_capex and activation."""
    inst = f.instance
    per_mw = {b: row.lease_usd_per_kw_month * 1000.0 * inst.months for b, row in inst.block_rows.items()}
    rest = np.append(np.cumsum(inst.disc[::-1])[::-1], 0.0)
    firm = sum(
        per_mw[b] * row.it_mw * rest[min(max(inst.index(row.energized), 0), inst.T)]
        for b, row in inst.block_rows.items()
        if row.status is BlockStatus.FIRM
    )
    f.constant("lease", -firm / MILLION)
    family = f.variables["built"].index
    f.term(
        "lease",
        "built",
        [float(-per_mw[b] * inst.block_rows[b].it_mw * inst.disc[t] / MILLION) if t >= inst.buildable[b][0] else 0.0 for b, t in family],
    )
    f.term(
        "block_capex",
        "built",
        [
            -inst.block_rows[b].capex_usd * _step(inst, t, inst.block_rows[b].lead_periods, inst.buildable[b][0]) / MILLION
            for b, t in family
        ],
    )
    f.term("activation", "open", [-inst.site_rows[s].activation_usd * _step(inst, t, 0, 0) / MILLION for s, t in f.variables["open"].index])


def _step(inst: Instance, t: int, lead: int, first: int) -> float:
    """Coefficient of a 0-1 state at t, when turning it on in t costs ``disc[t-lead]``."""
    if t < first:
        return 0.0
    after = inst.disc[t + 1 - lead] if t + 1 < inst.T else 0.0
    return float(inst.disc[t - lead] - after)


BLOCK = Block("opening", declare, (open_monotone, open_racks, open_blocks, built_monotone, build_window), money)
