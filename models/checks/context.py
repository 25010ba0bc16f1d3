"""From raw tables to sound rows: headers, cells, ids and keys; what the cross-checks work on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar, cast

from models.calendar import Calendar, PeriodKind
from models.checks.cells import BAD, CellError, converter, is_empty, to_text
from models.checks.raw import RawDataset, RawTable, shown
from models.columns import Column, columns
from models.faults import Fault, closest
from models.tables import COLUMNS, KEYS, ROW_TYPES, Row, Settings

R = TypeVar("R", bound=Row)
SETTINGS_COLUMNS = columns(Settings)


@dataclass
class Table:
    """A table after its cell checks.

    Attributes:
        raw: the table as found, for places.
        sound: rows without a fault, with their number in ``raw``.
        broken: of each other row the cells that could be read, by field; ``BAD`` for the rest.
    """

    raw: RawTable
    sound: list[tuple[int, Row]] = field(default_factory=list)
    broken: list[dict[str, Any]] = field(default_factory=list)
    _groups: dict[tuple[str, ...], set[tuple[Any, ...]]] = field(default_factory=dict)
    _partly: dict[tuple[str, ...], list[tuple[Any, ...]]] = field(default_factory=dict)

    def unsure(self, **group: Any) -> bool:
        """Whether a row with a fault may belong to this group, so that a check of the group could mislead."""
        if not self.raw.readable or self.raw.lost_rows:
            return True
        fields = tuple(sorted(group))
        if fields not in self._groups:  # as sets: a table may have thousands of faulty rows and of groups
            self._groups[fields] = {tuple(row.get(f, BAD) for f in fields) for row in self.broken}
            self._partly[fields] = [found for found in self._groups[fields] if BAD in found]
        asked = tuple(group[f] for f in fields)
        return asked in self._groups[fields] or any(
            all(have is BAD or have == want for have, want in zip(found, asked, strict=True)) for found in self._partly[fields]
        )

    def possible(self, **group: Any) -> list[dict[str, Any]] | None:
        """Faulty rows that may belong to this group, or None if there may be rows that could not be read at all."""
        if not self.raw.readable or self.raw.lost_rows:
            return None
        return [row for row in self.broken if all(row.get(f, BAD) is BAD or row[f] == v for f, v in group.items())]


@dataclass
class Context:
    """What the cross-checks see: sound rows, and how sure they may be."""

    settings: Settings | None
    calendar: Calendar | None
    tables: dict[str, Table]

    def rows(self, row_type: type[R]) -> list[tuple[int, R]]:
        """Sound rows of one type with their numbers."""
        return cast("list[tuple[int, R]]", self.tables[row_type.table].sound)

    def by_id(self, row_type: type[R]) -> dict[str, R]:
        """Sound rows of a table whose only key is an id."""
        (key,) = KEYS[row_type.table]
        return {getattr(row, key): row for _, row in self.rows(row_type)}

    def unsure(self, row_type: type[Row], **group: Any) -> bool:
        """Whether a faulty row of the table may belong to this group."""
        return self.tables[row_type.table].unsure(**group)

    def fault(self, row_type: type[Row], number: int, column: str, problem: str, code: str, allowed: str = "", value: Any = None) -> Fault:
        """A fault at a cell of a table (number -1: the whole table); the value is looked up unless given."""
        raw = self.tables[row_type.table].raw
        if value is None and number >= 0 and column in raw.columns:
            value = raw.rows[number][raw.columns.index(column)]
        return raw.fault(problem, code=code, row=number, column=column, value=value, allowed=allowed)

    @cached_property
    def numbers(self) -> dict[str, dict[str, int]]:
        """Row number by id, for tables whose only key is an id."""
        found: dict[str, dict[str, int]] = {}
        for name, key in KEYS.items():
            if len(key) == 1:
                found[name] = {getattr(row, key[0]): number for number, row in self.tables[name].sound}
        return found


def read_settings(raw: RawDataset) -> tuple[Settings | None, Calendar | None, PeriodKind | None, list[Fault]]:
    """Settings, calendar and period kind, each None if a fault hides it, with the faults."""
    if not raw.settings_readable:
        return None, None, None, []
    faults: list[Fault] = []

    def fault(column: str, problem: str, code: str, value: Any = "", **more: str) -> None:
        pointer = f"/dataset/{column}"
        place = raw.settings_places.get(column, "")
        faults.append(Fault(raw.settings_label, problem, row=place, column=column, value=shown(value), code=code, pointer=pointer, **more))

    names = [c.name for c in SETTINGS_COLUMNS]
    suggested = set()
    for key in raw.settings:
        if key not in names:
            near = closest(str(key), names)
            suggested.add(near)
            fault(str(key), "unknown setting", "unknown_column", suggestion=near, allowed="" if near else "one of " + ", ".join(names))
    values: dict[str, Any] = {}

    def convert(column: Column, kind: PeriodKind | None) -> None:
        try:
            values[column.name] = converter(Settings, column, kind)(raw.settings.get(column.name))
        except CellError as error:
            values[column.name] = BAD
            missing = error.code == "missing_value"
            if not (missing and column.name in suggested):
                problem = "missing setting" if missing else error.problem
                fault(column.name, problem, error.code, raw.settings.get(column.name), allowed=error.allowed, suggestion=error.suggestion)

    by_name = {c.name: c for c in SETTINGS_COLUMNS}
    convert(by_name["period"], None)
    kind = values["period"] if isinstance(values["period"], PeriodKind) else None
    for column in SETTINGS_COLUMNS:
        if column.name != "period":
            convert(column, kind)
    calendar = None
    if kind is not None and BAD not in (values["start"], values["periods"]):
        try:
            calendar = Calendar(values["start"], values["periods"], kind)
        except ValueError as error:
            fault("start", "is too far from today", "out_of_range", values["start"], allowed=str(error))
    settings = None if any(v is BAD for v in values.values()) or faults else Settings.model_construct(**values)
    return settings, calendar, kind, faults


@dataclass
class _Cells:
    """Converted cells of a table by field; rows with a fault are in ``faulty``."""

    raw: RawTable
    values: dict[str, list[Any]] = field(default_factory=dict)
    faulty: set[int] = field(default_factory=set)


def _known_tables(raw: RawDataset, misspelt: Mapping[str, str]) -> Iterator[Fault]:
    """Tables that the schema does not have, and required ones that are missing."""
    for name, near in misspelt.items():
        table = raw.tables[name]
        suggestion = table.label.replace(name, near) if near else ""
        yield table.fault("unknown table", code="unknown_table", suggestion=suggestion, allowed="" if near else ", ".join(ROW_TYPES))
    for name, row_type in ROW_TYPES.items():
        if name not in raw.tables and not row_type.optional_table and name not in misspelt.values():
            allowed = "a table with the columns " + ", ".join(c.name for c in COLUMNS[name])
            yield Fault(raw.label_of(name), "missing table", code="missing_table", allowed=allowed, pointer=f"/{name}")


def _header(raw: RawTable, cols: tuple[Column, ...]) -> Iterator[Fault]:
    """Unknown and missing columns; a misspelt column is read as the one it stands for, so that its cells are checked too."""
    names = [c.name for c in cols]
    for at, found in enumerate(raw.columns):
        if found not in names:
            near = _near_column(found, raw)
            if near and near not in raw.columns:
                raw.columns[at] = near
            yield Fault(
                raw.label, "unknown column", row=raw.header_place, column=found, suggestion=near, code="unknown_column",
                allowed="" if near else "one of " + ", ".join(names), pointer=f"/{raw.name}",
            )  # fmt: skip
    if not raw.columns and not raw.rows:
        return
    for column in cols:
        if column.required and column.name not in raw.columns:
            yield Fault(
                raw.label, "missing column", row=raw.header_place, column=column.name, allowed=column.allowed,
                code="missing_column", pointer=f"/{raw.name}",
            )  # fmt: skip


def _convert(raw: RawTable, row_type: type[Row], kind: PeriodKind | None) -> tuple[_Cells, list[Fault]]:
    """All cells of a table, column by column."""
    cells, faults = _Cells(raw), []
    count, misspelt = len(raw.rows), _misspelt(raw)
    for column in COLUMNS[raw.name]:
        if column.name not in raw.columns:
            cells.values[column.field] = [column.default] * count
            elsewhere = misspelt.get(column.name, set())
            for number in range(count) if column.required else elsewhere:
                cells.values[column.field][number] = BAD
                cells.faulty.add(number)
            continue
        at, convert, found = raw.columns.index(column.name), converter(row_type, column, kind), []
        for number, row in enumerate(raw.rows):
            try:
                found.append(convert(row[at]))
            except CellError as error:
                found.append(BAD)
                cells.faulty.add(number)
                if error.code == "missing_value" and number in misspelt.get(column.name, ()):
                    continue
                more = {"allowed": error.allowed, "suggestion": error.suggestion}
                faults.append(raw.fault(error.problem, code=error.code, row=number, column=column.name, value=row[at], **more))
        cells.values[column.field] = found
    return cells, faults


def _near_column(found: str, raw: RawTable) -> str:
    """The column that an unknown one may stand for, one that is missing before one that is there."""
    names = [c.name for c in COLUMNS[raw.name]]
    word = found.strip().lower()
    return closest(word, [n for n in names if n not in raw.columns]) or closest(word, names)


def _misspelt(raw: RawTable) -> dict[str, set[int]]:
    """Rows whose cell of a column stands under a misspelt name: the cell is not known, but not missing either."""
    known = {c.name for c in COLUMNS[raw.name]}
    found: dict[str, set[int]] = {}
    for at, name in enumerate(raw.columns):
        near = "" if name in known else _near_column(name, raw)
        if near:
            found.setdefault(near, set()).update(number for number, row in enumerate(raw.rows) if not is_empty(row[at]))
    return found


def _ids_of(cells: _Cells) -> tuple[set[str], bool]:
    """Ids that a table defines, also on rows with faults, and whether some could not be read."""
    key = KEYS[cells.raw.name][0]
    ids = {value for value in cells.values[key] if value is not BAD}
    lost = not cells.raw.readable or cells.raw.lost_rows > 0
    if key in cells.raw.columns:
        at = cells.raw.columns.index(key)
        for number, value in enumerate(cells.values[key]):
            if value is BAD:
                written = cells.raw.rows[number][at]
                ids.update(_spellings(written))
                lost = lost or is_empty(written)
    else:
        lost = lost or bool(cells.raw.rows)
    return ids, lost


def _spellings(written: Any) -> set[str]:
    """Ids that a faulty id may stand for: references to them are no second fault."""
    try:
        text = to_text(written)
    except CellError:
        return set()
    lower = text.lower()
    return {text, lower, *("".join(ch if ch.isascii() and (ch.isalnum() or ch in "_-") else fill for ch in lower) for fill in ("-", "_"))}


def _references(cells: _Cells, known: Mapping[str, tuple[set[str], bool]]) -> Iterator[Fault]:
    """Ids that their table does not have."""
    raw = cells.raw
    for column in COLUMNS[raw.name]:
        if not column.ref or column.name not in raw.columns:
            continue
        ids, lost = known[column.ref]
        values, nearest = cells.values[column.field], dict[str, str]()
        for number, value in enumerate(values):
            if value is BAD or value is None:
                continue
            for one in value if isinstance(value, tuple) else (value,):
                if one in ids:
                    continue
                if one not in nearest:
                    nearest[one] = closest(one, ids)
                near = nearest[one]
                if lost and not near:
                    values[number] = BAD  # it may be an id that a fault hides
                    cells.faulty.add(number)
                    continue
                few = ", ".join(sorted(ids)) if 0 < len(ids) <= 8 else ""
                allowed = "" if near else (few and f"one of {few}") or f"an id of {column.ref}"
                yield raw.fault(
                    "unknown id", code="unknown_id", row=number, column=column.name, value=one, suggestion=near, allowed=allowed
                )
                cells.faulty.add(number)
                values[number] = (near or BAD) if not isinstance(value, tuple) else BAD


def _key_faults(cells: _Cells) -> Iterator[Fault]:
    """Rows whose key another row has; a network link counts in both directions."""
    raw, key = cells.raw, KEYS[cells.raw.name]
    seen: dict[tuple[Any, ...], int] = {}
    for number, parts in enumerate(zip(*(cells.values[f] for f in key), strict=True)):
        if any(part is BAD for part in parts):
            continue
        if raw.name == "network_links":
            parts = tuple(sorted(parts))
        if parts in seen:
            where = raw.places[seen[parts]]
            columns_of_key = [c.name for c in COLUMNS[raw.name] if c.key]
            yield raw.fault(
                f"the same key as {where}", code="duplicate_key", row=number, column=", ".join(columns_of_key),
                value=", ".join(shown(p) for p in parts if p is not None), allowed="each key once",
            )  # fmt: skip
            cells.faulty.add(number)
        else:
            seen[parts] = number


def _sound(cells: _Cells, row_type: type[Row]) -> Table:
    """Typed rows of what is sound; the cells were checked, so pydantic need not check them again."""
    table = Table(cells.raw)
    fields = [(c.field, c.name) for c in COLUMNS[cells.raw.name]]
    lists = [cells.values[f] for f, _ in fields]
    for number, values in enumerate(zip(*lists, strict=True)):
        if number in cells.faulty:
            table.broken.append({f: v for (f, _), v in zip(fields, values, strict=True)})
        else:
            table.sound.append((number, row_type.model_construct(**{name: v for (_, name), v in zip(fields, values, strict=True)})))
    return table


def read_tables(raw: RawDataset) -> tuple[Context, list[Fault]]:
    """Settings and sound rows of a raw dataset, with every fault of tables, headers, cells, ids and keys."""
    settings, calendar, kind, faults = read_settings(raw)
    misspelt = {
        name: closest(name, [t for t in ROW_TYPES if t not in raw.tables]) or closest(name, ROW_TYPES)
        for name in raw.tables.keys() - ROW_TYPES.keys()
    }
    faults = [*raw.faults, *faults, *_known_tables(raw, misspelt)]
    found: dict[str, _Cells] = {}
    by_table: dict[str, list[Fault]] = {name: [] for name in ROW_TYPES}
    for name, row_type in ROW_TYPES.items():
        there = row_type.optional_table and name not in misspelt.values()  # a missing optional table is an empty one
        table = raw.tables.get(name) or RawTable(name, raw.label_of(name), readable=there)
        if table.readable:
            by_table[name] += _header(table, COLUMNS[name])
        found[name], cell_faults = _convert(table, row_type, kind)
        by_table[name] += cell_faults
    known = {name: _ids_of(found[name]) for name in _referenced()}
    for name, cells in found.items():
        by_table[name] += _references(cells, known)
        by_table[name] += _key_faults(cells)
    faults += [fault for one in by_table.values() for fault in one]
    tables = {name: _sound(found[name], row_type) for name, row_type in ROW_TYPES.items()}
    return Context(settings, calendar, tables), faults


def _referenced() -> set[str]:
    return {c.ref for cols in COLUMNS.values() for c in cols if c.ref}
