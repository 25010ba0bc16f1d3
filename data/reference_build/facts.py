"""The inputs of the build: fact files and assumptions, with the basis of each figure."""

from __future__ import annotations

import csv
from functools import cached_property
from pathlib import Path
from typing import Any

from data.reference_build.book import Src

DATA = Path(__file__).resolve().parent.parent


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _value(text: str) -> Any:
    """A number where the cell is one, else the text."""
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if number == int(number) and "." not in text and "e" not in text.lower() else number


class Facts:
    """The fact files in ``data/facts`` and the figures in ``data/assumptions.csv``.

    Attributes:
        used: keys of the assumptions that the build has asked for.
    """

    def __init__(self) -> None:
        self.used: set[str] = set()

    @cached_property
    def _tables(self) -> dict[str, list[dict[str, str]]]:
        return {path.stem: _read(path) for path in sorted((DATA / "facts").glob("*.csv"))}

    def table(self, name: str) -> list[dict[str, str]]:
        """Rows of a fact file."""
        return self._tables[name]

    def by(self, name: str, key: str) -> dict[str, dict[str, str]]:
        """Rows of a fact file by a column."""
        return {row[key]: row for row in self._tables[name]}

    def finance(self, key: str) -> float:
        """A figure of facts/finance.csv."""
        return float(self.by("finance", "key")[key]["value"])

    def network(self, key: str) -> float:
        """A figure of facts/network.csv."""
        return float(self.by("network", "key")[key]["value"])

    def cooling(self, parameter: str, technology: str) -> float:
        """A figure of facts/cooling.csv."""
        return next(float(r["value"]) for r in self._tables["cooling"] if (r["parameter"], r["technology"]) == (parameter, technology))

    @cached_property
    def _assumptions(self) -> dict[str, Any]:
        return {row["key"]: _value(row["value"]) for row in _read(DATA / "assumptions.csv")}

    def assumed(self, key: str) -> Any:
        """An assumption.

        Raises:
            KeyError: no such key in assumptions.csv.
        """
        self.used.add(key)
        return self._assumptions[key]

    def get(self, key: str) -> Any:
        """An assumption, or None where there is none."""
        self.used.add(key)
        return self._assumptions.get(key)

    def below(self, prefix: str) -> dict[str, Any]:
        """Assumptions whose key starts with ``prefix.``, by the rest of the key, in file order."""
        start = prefix + "."
        self.used |= {key for key in self._assumptions if key.startswith(start)}
        return {key[len(start) :]: value for key, value in self._assumptions.items() if key.startswith(start)}


def assumption(key: str) -> Src:
    """Source of a figure that is an assumption itself."""
    return Src("assumed", f"assumptions.csv: {key}")


def fact(file: str, column: str, basis: str) -> Src:
    """Source of a figure copied from a fact file."""
    return Src(basis, f"facts/{file}.csv: {column}")
