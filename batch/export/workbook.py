"""The workbook: what it is, charts, the sheets of the plan, what changed, and what every column means."""

from __future__ import annotations

import datetime
import io
from collections.abc import Sequence
from pathlib import Path

import xlsxwriter

from batch.baseline import Baseline, compared
from batch.export import charts
from batch.export.cells import text
from batch.export.change_sheets import change_sheets
from batch.export.plan_sheets import plan_sheets, search
from batch.export.sheet import Book, Col, Sheet
from models.dataset import Dataset
from models.files.atomic import write_bytes
from models.plan import Plan
from models.plan_views import check_names, headline

README = "README"
UNITS = (
    "Numbers are unrounded and show their unit by their format; M USD is million USD, and the cell holds USD. A dash is 0.",
    "Money of a period is undiscounted unless its column says otherwise; NPV and what is called npv is discounted to the start of the horizon.",
    "MW of IT is critical IT load provisioned; GPUs delivered are averages of the period. Contract GPUs are counted as the contract counts them.",
    "Red: late, or lost. Orange: a limit that binds. Green: gained. Grey: within solver tolerance, so two better plans might not show it.",
    "The workbook has values and no formulas. A text that a program could take for a formula has an apostrophe before it.",
    "This is a view of the plan; wattplan convert writes a workbook that reads back.",
)
"""Notes on the first sheet."""


def write_workbook(
    plan: Plan, dataset: Dataset, path: Path, *, baseline: Plan | None = None, baseline_dataset: Dataset | None = None
) -> None:
    """Write the workbook of a plan; arguments and errors as of :func:`workbook_bytes`.

    Raises:
        StorageError: the file can't be written; what was there is untouched.
    """
    write_bytes(path, workbook_bytes(plan, dataset, baseline=baseline, baseline_dataset=baseline_dataset))


def workbook_bytes(plan: Plan, dataset: Dataset, *, baseline: Plan | None = None, baseline_dataset: Dataset | None = None) -> bytes:
    """A plan as a workbook for people; the same plan gives the same bytes.

    Args:
        plan: the plan.
        dataset: the dataset that it was made for.
        baseline: a plan to compare with.
        baseline_dataset: the dataset of that plan; may be left out where it is the same. If it is another and left out, moves, limits and
            inputs are not compared.

    Raises:
        PlanError: a plan names sites, generations, contracts or periods that its dataset does not have.
        InputError: a table larger than a workbook can hold.
    """
    check_names(plan, dataset)
    against = compared(plan, dataset, baseline, baseline_dataset)
    sheets = [*plan_sheets(plan, dataset, against), *change_sheets(against), search(plan)]
    sheets.append(_dictionary(sheets))
    out = io.BytesIO()
    book = Book(xlsxwriter.Workbook(out, {"in_memory": True, "nan_inf_to_errors": False}))
    book.book.set_properties({"title": f"Plan of {text(dataset.name)}", "created": datetime.datetime(2000, 1, 1)})
    _readme(book, plan, dataset, against, sheets)
    by_name = {sheet.name: sheet for sheet in sheets}
    charts.draw(book, by_name["By period"], by_name["NPV"])
    for sheet in sheets:
        book.write(book.page(sheet.name), sheet)
    book.book.close()
    return out.getvalue()


def _dictionary(sheets: Sequence[Sheet]) -> Sheet:
    """Meaning and unit of every column of every sheet."""
    columns = [Col("sheet", "sheet"), Col("column", "column"), Col("unit", "unit of its numbers"), Col("meaning", "what it is")]
    rows = [(s.name, c.name, "" if c.unit in ("text", "number") else c.unit, c.meaning) for s in sheets for c in s.columns]
    return Sheet("Columns", "meaning and unit of every column of these sheets", columns, rows, frozen=2)


def _facts(plan: Plan, dataset: Dataset, baseline: Baseline | None) -> list[tuple[str, str]]:
    """What the plan is and how good it is proven to be."""
    h, s, labels = headline(plan, dataset), plan.summary, dataset.calendar.labels
    audit = "not audited" if h.audit_passed is None else "passed" if h.audit_passed else "failed"
    facts = [
        ("dataset", dataset.name),
        ("content hash (SHA-256)", dataset.sha256),
        ("horizon", f"{labels[0]} to {labels[-1]}, {len(labels)} periods"),
        ("status", f"{h.status.value.replace('_', ' ')}; ended by {h.stop_reason.value.replace('_', ' ')} after {h.seconds:,.0f} s"),
        ("NPV", _usd(h.npv_usd)),
        ("bound", f"{_usd(h.bound_usd)}: no plan can be worth more"),
        ("gap", f"{_share(h.gap)} proven, {_share(h.gap_requested)} asked; {_share(h.gap_certified)} certified by dual values"),
        ("audit", audit + (f"; largest violation {h.worst_violation:.1e}" if h.worst_violation is not None else "")),
        ("solver", f"{s.solver.name} {s.solver.version}"),
    ]
    if baseline is not None:
        other = baseline.plan.summary
        facts.append(("baseline", f"plan of {other.dataset.name}, {other.dataset.sha256[:12]}; NPV {_usd(other.npv_usd)}"))
        open_ = " (within solver tolerance)" if baseline.npv.within_tolerance and baseline.npv.difference else ""
        facts.append(("NPV less baseline", f"{_usd(baseline.npv.difference)}{open_}"))
        if baseline.difference is None:
            facts.append(("not compared", "moves, limits and inputs: the dataset of the baseline is not known"))
        else:
            d = baseline.difference
            if d.best_least_usd is not None and d.best_most_usd is not None:
                facts.append(
                    ("proven", f"the best plans of the two datasets differ by {_usd(d.best_least_usd)} to {_usd(d.best_most_usd)}")
                )
            facts += [("inputs changed", sentence) for sentence in d.sentences or ("none: the same dataset",)]
    return facts


def _readme(book: Book, plan: Plan, dataset: Dataset, baseline: Baseline | None, sheets: Sequence[Sheet]) -> None:
    """The first sheet: what this is, the plan's status, the sheets with links, units."""
    page = book.page(README)
    page.hide_gridlines(2)
    page.fit_to_pages(1, 1)
    page.set_column(0, 0, 24)
    page.set_column(1, 1, 120)
    bold, name = book.look(bold=True, valign="top"), book.look(font_color="#5A6676", valign="top")
    wrap, link = book.look(text_wrap=True, valign="top"), book.look(font_color="#2B6CB0", underline=1, valign="top")
    page.write_string(0, 0, text(f"Plan of {dataset.name}"), book.look(bold=True, font_size=16))
    row = 2
    before = ""
    for key, value in _facts(plan, dataset, baseline):
        page.write_string(row, 0, "" if key == before else key, name)
        page.write_string(row, 1, text(value), wrap)
        before, row = key, row + 1
    row += 1
    page.write_string(row, 0, "Sheets", bold)
    listed = [(charts.SHEET, "power, deliveries, cash, racks and NPV in pictures; their figures are on By period and NPV")]
    for sheet, about in [*listed, *((s.name, f"{s.about}{_count(s)}") for s in sheets)]:
        row += 1
        page.write_url(row, 0, f"internal:'{sheet}'!A1", link, sheet)
        page.write_string(row, 1, about, wrap)
    row += 2
    page.write_string(row, 0, "How to read it", bold)
    for line in UNITS:
        row += 1
        page.write_string(row, 1, line, wrap)


def _count(sheet: Sheet) -> str:
    n = len(sheet.rows)
    return " (none)" if n == 0 else f" ({n:,} row{'s' if n > 1 else ''})"


def _usd(amount: float | None) -> str:
    if amount is None:
        return "not known"
    return f"{amount / 1e6:,.1f} million USD" if abs(amount) >= 1e6 else f"{amount:,.0f} USD"


def _share(share: float | None) -> str:
    return "not known" if share is None else f"{share:.3%}"
