"""Explanations in the terminal: aligned columns, and the difference of two plans."""

from __future__ import annotations

from collections.abc import Sequence

from models.plan import NPV_TERMS
from optimizer.explain.difference import Delta, Difference
from optimizer.explain.moves import Spot

MOST = 12
"""Rows of a list that the terminal shows; ``--json`` has all."""
NOTHING_DIFFERS = "the plans do not differ"


def aligned(heads: Sequence[str], rows: Sequence[Sequence[object]], left: int = 1) -> list[str]:
    """Columns under heads, two blanks apart; the first ``left`` columns to the left, figures to the right."""
    cells = [list(heads), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(heads))]
    return ["  ".join(cell.ljust(w) if i < left else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))).rstrip()
            for row in cells]  # fmt: skip


def listed(title: str, heads: Sequence[str], rows: Sequence[Sequence[object]], left: int = 1) -> list[str]:
    """A title and at most ``MOST`` rows under heads; nothing where there are no rows."""
    if not rows:
        return []
    more = [f"  and {len(rows) - MOST} more (--json has all)"] if len(rows) > MOST else []
    return ["", title, *(f"  {line}" for line in aligned(heads, rows[:MOST], left)), *more]


def millions(amount: float, sign: bool = False) -> str:
    """USD as millions with one digit."""
    return f"{amount / 1e6:+,.1f}" if sign else f"{amount / 1e6:,.1f}"


def difference_text(d: Difference) -> str:
    """The difference for a person."""
    lines = ["inputs"]
    lines += [f"  {sentence}" for sentence in d.sentences[: 2 * MOST]] or ["  the same dataset"]
    if len(d.sentences) > 2 * MOST:
        lines.append(f"  and {len(d.sentences) - 2 * MOST} more (--json has all)")
    lines += _bridge(d)
    lines += listed(
        "key figures that differ", ("figure", "before", "after", "difference", ""),
        [(k.name, _figure(k.before), _figure(k.after), _figure(k.difference, True), _mark(k)) for k in d.kpis if k.difference],
    )  # fmt: skip
    lines += listed(
        "decisions (money that hangs on them directly, million USD)", ("decision", "id", "", "before", "after", "MW", "NPV"),
        [(m.what, m.id, m.kind.value, m.before or "-", m.after or "-", f"{m.mw_difference:+,.1f}", millions(m.npv_usd, True)) for m in d.decisions],
        left=3,
    )  # fmt: skip
    lines += listed(
        "racks (capital, million USD)", ("", "gen", "", "before", "after", "racks", "MW", "NPV"),
        [(m.what, m.gen_id, m.kind.value, _spot(m.before), _spot(m.after), m.racks, f"{m.mw:,.1f}", millions(m.npv_usd, True)) for m in d.racks],
        left=5,
    )  # fmt: skip
    lines += listed(
        "contracts by site (mean MW; revenue less serving costs, million USD)", ("contract", "site", "", "before", "after", "MW", "NPV"),
        [(m.contract_id, m.site_id, m.kind.value, f"{m.before_mw:,.1f}", f"{m.after_mw:,.1f}", f"{m.mw_difference:+,.1f}", millions(m.npv_usd, True)) for m in d.contracts],
        left=3,
    )  # fmt: skip
    lines += listed(
        "limits", ("limit", "place", "became tight", "became slack", "periods"),
        [(m.limit, m.place or "-", m.became_tight or "-", m.became_slack or "-", f"{m.difference:+d}") for m in d.limits], left=4,
    )  # fmt: skip
    nothing = not (d.rows or d.racks or d.decisions or d.contracts or d.limits or any(t.difference for t in d.terms))
    return NOTHING_DIFFERS if nothing else "\n".join(lines)


def _bridge(d: Difference) -> list[str]:
    rows = [
        (NPV_TERMS[t.name], millions(t.before), millions(t.after), millions(t.difference, True), _mark(t)) for t in d.terms if t.difference
    ]
    total = ("NPV", millions(d.npv.before), millions(d.npv.after), millions(d.npv.difference, True), _mark(d.npv))
    lines = ["", "NPV, million USD", *(f"  {line}" for line in aligned(("term", "before", "after", "difference", ""), [*rows, total]))]
    if d.tolerance_usd is not None and d.best_least_usd is not None and d.best_most_usd is not None:
        least, most = millions(d.best_least_usd, True), millions(d.best_most_usd, True)
        lines.append(f"  the gaps leave {millions(d.tolerance_usd)} open: the best plans differ by {least} to {most}")
    return lines


def _mark(delta: Delta) -> str:
    return "within solver tolerance" if delta.within_tolerance and delta.difference else ""


def _figure(value: float, sign: bool = False) -> str:
    places = 0 if abs(value) >= 1000 or float(value).is_integer() else 4
    return f"{value:{'+' if sign else ''},.{places}f}"


def _spot(spot: Spot | None) -> str:
    return f"{spot.site_id} {spot.period}" if spot is not None else "-"
