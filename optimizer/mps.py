"""The model and its duals as files, so that the bound can be confirmed outside the program."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import numpy as np

from models.files.atomic import write_bytes
from optimizer.instance import Floats
from optimizer.matrix import Matrix

OBJECTIVE = "minus_npv_million_usd"


def _names(names: list[str]) -> list[str]:
    """Names without blanks, which free MPS does not take."""
    return [quote(name, safe="[],._-+:/()") for name in names]


def model_text(m: Matrix) -> str:
    """The model in free MPS, numbers with 17 digits: minimise the negative NPV, million USD (the constant is minus the objective's RHS)."""
    columns, rows = _names(m.column_names()), _names(m.row_names())
    kinds = ["E" if low == high else "L" if np.isfinite(high) else "G" for low, high in zip(m.row_lower, m.row_upper, strict=True)]
    out = ["NAME wattplan", "OBJSENSE", "    MIN", "ROWS", f" N {OBJECTIVE}"]
    out += [f" {kind} {name}" for kind, name in zip(kinds, rows, strict=True)]
    out.append("COLUMNS")
    start, index, value = m.a.indptr.tolist(), m.a.indices.tolist(), m.a.data.tolist()
    cost, whole = m.cost.tolist(), m.integer.tolist()
    inside = False
    for j, name in enumerate(columns):
        if whole[j] != inside:
            inside = whole[j]
            out.append(f" MARKER{j} 'MARKER' '{'INTORG' if inside else 'INTEND'}'")
        if cost[j] != 0 or start[j] == start[j + 1]:
            out.append(f" {name} {OBJECTIVE} {cost[j]!r}")
        out += [f" {name} {rows[index[k]]} {value[k]!r}" for k in range(start[j], start[j + 1])]
    if inside:
        out.append(" MARKEREND 'MARKER' 'INTEND'")
    out += ["RHS", f" RHS {OBJECTIVE} {-m.offset!r}"]
    limits = np.where(np.isfinite(m.row_upper), m.row_upper, m.row_lower).tolist()
    out += [f" RHS {name} {limit!r}" for name, limit in zip(rows, limits, strict=True) if limit != 0]
    out.append("BOUNDS")
    for name, low, high in zip(columns, m.lower.tolist(), m.upper.tolist(), strict=True):
        out += [f" FX BND {name} {low!r}"] if low == high else [f" LO BND {name} {low!r}", f" UP BND {name} {high!r}"]
    out.append("ENDATA")
    return "\n".join(out) + "\n"


def write_model(m: Matrix, path: Path) -> None:
    """Write the model.

    Raises:
        StorageError: the file can't be written.
    """
    write_bytes(path, model_text(m).encode("ascii"))


def duals_path(path: Path) -> Path:
    """Where the duals of a model lie: beside it."""
    return path.with_name(path.name + ".duals.csv")


def write_duals(m: Matrix, row_dual: Floats, path: Path) -> None:
    """Write the duals of the relaxation's rows: CSV with columns row (as in the MPS file) and dual; zeros are left out.

    Raises:
        StorageError: the file can't be written.
    """
    lines = ["row,dual"]
    for name, value in zip(_names(m.row_names()), row_dual.tolist(), strict=True):
        if value != 0:
            lines.append(f'"{name}",{value!r}')
    write_bytes(path, ("\n".join(lines) + "\n").encode("ascii"))
