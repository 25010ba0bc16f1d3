"""Charts of the workbook; each shows columns of a sheet, so that its figures can be looked up and changed."""

from __future__ import annotations

from typing import Any

from batch.export.cells import money_unit
from batch.export.sheet import Book, Sheet
from batch.report.cash import TERM_COLOURS
from batch.report.draw import BLUE, GREEN, INK, ORANGE, RED

SHEET = "Charts"
WIDE, HIGH, TALL = 760, 330, 420
"""Size of a chart, pixels; those of NPV name every term at their side."""
ROWS_HIGH, COLUMNS_WIDE = 17, 12
"""Cells that a chart covers, with some room."""
GROUP_COLOURS = {
    "revenue_usd": TERM_COLOURS["contract_revenue"], "capital_usd": TERM_COLOURS["gpu_capital"], "running_usd": TERM_COLOURS["opex"],
    "power_usd": TERM_COLOURS["energy"], "damages_usd": TERM_COLOURS["damages"], "residual_usd": TERM_COLOURS["residual_value"],
}  # fmt: skip
GENERATIONS = ("#4C78A8", "#F58518", "#E45756", "#72B7B2", "#54A24B", "#EECA3B", "#B279A2", "#FF9DA6", "#9D755D", "#BAB0AC")
"""One colour per generation, in the order of the report's charts."""
PALE_BLUE = "#6B9BD1"


def draw(book: Book, periods: Sheet, npv: Sheet) -> None:
    """Add the sheet of charts.

    Args:
        book: the workbook.
        periods: the sheet with a row per period.
        npv: the sheet with a row per term of NPV.
    """
    page = book.page(SHEET)
    page.hide_gridlines(2)
    charts = [_power(book, periods), _deliveries(book, periods), _cash(book, periods), _racks(book, periods)]
    charts.append(_terms(book, npv, "npv_usd", "NPV by term"))
    if any(col.name == "difference" for col in npv.columns):
        charts.append(_terms(book, npv, "difference", "What the plan gains over the baseline, by term of NPV"))
    for n, chart in enumerate(charts):
        chart.set_size({"width": WIDE, "height": HIGH if n < 4 else TALL})
        page.insert_chart(n // 2 * ROWS_HIGH, n % 2 * COLUMNS_WIDE, chart, {"object_position": 2})


def _series(sheet: Sheet, column: str, name: str, colour: str, **more: Any) -> dict[str, Any]:
    """One column of a sheet as a series over its first column."""
    last, at = max(1, len(sheet.rows)), sheet.at(column)
    return {
        "name": name,
        "categories": [sheet.name, 1, 0, last, 0],
        "values": [sheet.name, 1, at, last, at],
        "fill": {"color": colour},
        "border": {"none": True},
        "gap": 12,
        **more,
    }


def _line(sheet: Sheet, column: str, name: str, colour: str) -> dict[str, Any]:
    series = _series(sheet, column, name, colour)
    return {key: series[key] for key in ("name", "categories", "values")} | {"line": {"color": colour, "width": 2.25}}


def _chart(book: Book, title: str, unit: str, number: str = "#,##0", **kind: Any) -> Any:
    chart = book.book.add_chart(kind)
    chart.set_title({"name": title, "name_font": {"size": 12, "bold": True, "color": INK}, "overlay": False})
    chart.set_legend({"position": "bottom", "font": {"size": 9}})
    chart.set_y_axis({"name": unit, "name_font": {"bold": False, "size": 9}, "num_format": number, "num_font": {"size": 9},
                      "major_gridlines": {"visible": True, "line": {"color": "#E2E8F0"}}, "line": {"none": True}})  # fmt: skip
    chart.set_x_axis({"num_font": {"size": 9, "rotation": -45}, "label_position": "low", "line": {"color": "#A0AEC0"}})
    return chart


def _power(book: Book, periods: Sheet) -> Any:
    chart = _chart(book, "IT power used against what may be used, all sites", "MW", type="column")
    chart.add_series(_series(periods, "it_used_mw", "provisioned", PALE_BLUE))
    line = book.book.add_chart({"type": "line"})
    line.add_series(_line(periods, "it_limit_mw", "may be used", RED))
    chart.combine(line)
    return chart


def _deliveries(book: Book, periods: Sheet) -> Any:
    chart = _chart(book, "GPUs owed and delivered, all contracts", "contract GPUs", type="column", subtype="stacked")
    chart.add_series(_series(periods, "delivered_gpus", "delivered", PALE_BLUE))
    chart.add_series(_series(periods, "short_gpus", "owed and not delivered", RED))
    line = book.book.add_chart({"type": "line"})
    line.add_series(_line(periods, "owed_gpus", "owed", INK))
    chart.combine(line)
    return chart


def _money(sheet: Sheet, columns: list[str]) -> tuple[str, str]:
    """Title and number format of an axis of money."""
    at = [sheet.at(name) for name in columns]
    unit = money_unit((row[n] for row in sheet.rows for n in at), large=1e7)
    return unit, "#,##0" if unit == "USD" else "#,##0,,"


def _cash(book: Book, periods: Sheet) -> Any:
    chart = _chart(book, "Cash of each period, undiscounted", *_money(periods, list(GROUP_COLOURS)), type="column", subtype="stacked")
    meaning = {col.name: col.meaning.split(", undiscounted")[0] for col in periods.columns}
    for name, colour in GROUP_COLOURS.items():
        chart.add_series(_series(periods, name, meaning[name], colour))
    line = book.book.add_chart({"type": "line"})
    line.add_series(_line(periods, "cash_usd", "cash of the period", INK))
    chart.combine(line)
    return chart


def _racks(book: Book, periods: Sheet) -> Any:
    chart = _chart(book, "Racks in service by generation", "racks", type="column", subtype="stacked")
    gens = [col.name for col in periods.columns if col.name.startswith("racks ")]
    for n, name in enumerate(gens):
        chart.add_series(_series(periods, name, name.removeprefix("racks "), GENERATIONS[n % len(GENERATIONS)]))
    if not gens:
        chart.add_series(_series(periods, "it_used_mw", "no racks", PALE_BLUE))
    return chart


def _terms(book: Book, npv: Sheet, column: str, title: str) -> Any:
    unit, number = _money(npv, [column])
    chart = _chart(book, title, "", type="bar")
    gain = GREEN if column == "difference" else BLUE
    chart.add_series(_series(npv, column, title, gain, invert_if_negative=True, invert_if_negative_color=ORANGE))
    chart.set_legend({"none": True})
    chart.set_y_axis({"reverse": True, "interval_unit": 1, "num_font": {"size": 9}, "label_position": "low", "line": {"color": "#A0AEC0"}})
    chart.set_x_axis({"name": f"{unit}, discounted", "name_font": {"bold": False, "size": 9}, "num_format": number, "num_font": {"size": 9},
                      "label_position": "high", "major_gridlines": {"visible": True, "line": {"color": "#E2E8F0"}}})  # fmt: skip
    return chart
