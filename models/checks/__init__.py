"""Checks of a dataset: cells, then what tables must have in common; all faults at once.

A cross-check runs on the rows whose cells are sound, and keeps still about a group of rows (a
contract's ramp, a zone's prices) that a faulty row may belong to: one fault gives one message.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from models.checks import contracts, directives, limits, prices, sites, warnings
from models.checks.context import Context, read_tables
from models.checks.raw import RawDataset, RawTable, numbered_rows
from models.faults import DatasetError, Fault
from models.tables import Row, Settings

CROSS_CHECKS: tuple[Callable[[Context], Iterator[Fault]], ...] = (
    sites.at_least_one_site, sites.activation, sites.block_status, sites.retrofits, sites.links, sites.generations,
    sites.periods_in_horizon, sites.fleet,
    limits.grid_cycles, limits.grid_limits, limits.carbon_cap,
    prices.gpu_prices, prices.energy_shares, prices.energy_seasons, prices.energy_by_start,
    contracts.spans, contracts.ramps, contracts.prices, contracts.current_deliveries,
    directives.directives,
)  # fmt: skip
"""Errors of a dataset beyond single cells."""

WARNINGS: tuple[Callable[[Context], Iterator[Fault]], ...] = (
    warnings.breaking_pays, warnings.high_residual, warnings.option_never_built, warnings.unused_zone,
)  # fmt: skip


@dataclass(frozen=True)
class Checked:
    """A dataset without faults: settings, rows by table, and warnings."""

    settings: Settings
    tables: dict[str, tuple[Row, ...]]
    warnings: tuple[Fault, ...]


def check_dataset(raw: RawDataset) -> Checked:
    """Settings and typed rows of a dataset as found, with warnings.

    Raises:
        DatasetError: with every fault of the reader, the cells and the cross-checks.
    """
    ctx, faults = read_tables(raw)
    faults += [fault for check in CROSS_CHECKS for fault in check(ctx)]
    if faults or ctx.settings is None:
        raise DatasetError(faults)
    found = tuple(warning for check in WARNINGS for warning in check(ctx))
    return Checked(ctx.settings, {name: tuple(row for _, row in table.sound) for name, table in ctx.tables.items()}, found)


__all__ = ["CROSS_CHECKS", "WARNINGS", "Checked", "RawDataset", "RawTable", "check_dataset", "numbered_rows"]
