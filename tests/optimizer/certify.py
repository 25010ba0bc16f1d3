"""Confirms the bound of a plan from two files, without the program that wrote them: ``python certify.py model.mps model.mps.duals.csv``.

The MPS file holds the model: minimise ``cost @ x + constant`` over rows and bounds; the objective is the
negative NPV in million USD. The CSV file holds one number per row, of any origin. With ``rest = cost - y @ A``,
every solution costs at least

    constant + sum of y * (the side of the row that y leans on) + sum of min(rest * lower, rest * upper),

whatever whole numbers it must have (weak duality), so minus that is an upper limit of NPV. A number that
leans on a side that a row does not have counts as 0. Sums are exact (``math.fsum``). Needs Python only.
"""

import csv
import math
import sys
from pathlib import Path

MILLION = 1e6
INFINITE = 1e30


class Model:
    """A model read from a free MPS file.

    Attributes:
        kinds: E, L or G by row.
        objective: name of the objective row.
        cost: by column.
        entries: (row, coefficient) by column.
        rhs: by row; of the objective, minus its constant.
        bounds: (lower, upper) by column.
    """

    def __init__(self, path: Path) -> None:
        self.kinds: dict[str, str] = {}
        self.objective = ""
        self.entries: dict[str, list[tuple[str, float]]] = {}
        self.rhs: dict[str, float] = {}
        self.bounds: dict[str, tuple[float, float]] = {}
        section = ""
        with path.open(encoding="ascii") as file:
            for number, line in enumerate(file, 1):
                words = line.split()
                if not words or line.startswith("*"):
                    continue
                if not line[0].isspace():
                    section = words[0]
                    if section not in ("NAME", "OBJSENSE", "ROWS", "COLUMNS", "RHS", "BOUNDS", "ENDATA"):
                        raise ValueError(f"{path}, line {number}: unknown section {section}")
                    continue
                self._read(section, words, f"{path}, line {number}")

    def _read(self, section: str, words: list[str], where: str) -> None:
        if section == "OBJSENSE":
            if words != ["MIN"]:
                raise ValueError(f"{where}: the model must be one to minimise")
        elif section == "ROWS":
            kind, name = words
            if kind == "N":
                self.objective = name
            else:
                self.kinds[name] = kind
        elif section == "COLUMNS":
            if len(words) == 3 and words[1] == "'MARKER'":
                return
            column = words[0]
            self.bounds.setdefault(column, (0.0, math.inf))
            self.entries.setdefault(column, []).extend((row, float(value)) for row, value in zip(words[1::2], words[2::2], strict=True))
        elif section == "RHS":
            self.rhs.update((row, float(value)) for row, value in zip(words[1::2], words[2::2], strict=True))
        elif section == "BOUNDS":
            kind, _, column, value = words
            low, high = self.bounds[column]
            number = float(value)
            given = {"FX": (number, number), "LO": (number, high), "UP": (low, number)}
            if kind not in given:
                raise ValueError(f"{where}: unknown kind of bound {kind}")
            self.bounds[column] = given[kind]


def read_duals(path: Path) -> dict[str, float]:
    """Numbers by row: a CSV file with the columns row and dual."""
    with path.open(newline="", encoding="ascii") as file:
        return {row["row"]: float(row["dual"]) for row in csv.DictReader(file)}


def bound_usd(model: Model, duals: dict[str, float]) -> float:
    """Upper limit of NPV, USD, that the numbers prove.

    Raises:
        ValueError: a row that the model does not have, a number that is none, or a column without finite bounds.
    """
    unknown = sorted(set(duals) - set(model.kinds))
    if unknown:
        raise ValueError(f"rows that the model does not have: {', '.join(unknown[:5])}")
    if not all(math.isfinite(y) for y in duals.values()):
        raise ValueError("a dual is not a number")
    leans = {"G": 1.0, "L": -1.0}
    y = {row: value for row, value in duals.items() if value * leans.get(model.kinds[row], 0.0) >= 0}
    terms = [-model.rhs.get(model.objective, 0.0)]
    terms += [value * model.rhs.get(row, 0.0) for row, value in y.items()]
    for column, entries in model.entries.items():
        rest = math.fsum(value if row == model.objective else -y.get(row, 0.0) * value for row, value in entries)
        low, high = model.bounds[column]
        limit = low if rest > 0 else high
        if rest != 0:
            if abs(limit) >= INFINITE:
                raise ValueError(f"column {column} has no finite bound on the side that matters")
            terms.append(rest * limit)
    return -math.fsum(terms) * MILLION


def main(arguments: list[str]) -> int:
    """Print the bound in USD."""
    if len(arguments) != 2:
        sys.stderr.write("usage: python certify.py model.mps model.mps.duals.csv\n")
        return 2
    try:
        bound = bound_usd(Model(Path(arguments[0])), read_duals(Path(arguments[1])))
    except (OSError, ValueError, KeyError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    sys.stdout.write(f"{bound!r}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
