"""Small datasets for tests, built in memory, with figures so round that an optimum follows by hand.

``small_dataset()`` gives one customer's contract, one generation and two open sites. A test states only
what it is about; the rest is filled in, table by table, from ``DEFAULTS`` and from the rows given:

    small_dataset(
        periods=2,                                                     # a setting (any key of dataset.toml)
        sites=[dict(site_id="a", overhead_mw=1)],                      # a table: one dict per row
        contracts=[dict(contract_id="c", ld_usd_per_gpu_hour=5)],
        supply=[dict(gen_id="h100", period="2026-Q1", racks=10)],
    )

What holds unless a test says otherwise (every factor that could blur a hand calculation is 0 or 1):

- horizon: 4 quarters from 2026-Q1; hours 2160, 2184, 2208, 2208; discount_rate 0, so disc[t] = 1;
  commissioning_share 1: a rack bills all of the period in which it is installed; load_market 1.
- sites ``a`` and ``b``: open, zone ``Z``, price zone ``P``, no overhead, every PUE 1, any rack fits.
- power_blocks: per site one block ``<site>-1`` of 10 MW IT, 10 MW air and 10 MW liquid, energized at the
  start: firm at open sites, a free option at candidates. A block given without a status is an option if it
  has capex_usd or its site is a candidate.
- generation ``h100``: 10 GPUs and 100 kW per rack (so 10 MW hold 100 racks or 1000 GPUs), all heat to air,
  idle_share 0, life 100 periods, installable throughout, no opex, no residual value.
- gpu_prices: 1000 USD per GPU from the start, so a rack costs 10,000 USD. supply: 10 racks of each
  generation in the first period.
- contract ``c``: customer ``u``, firm, over the whole horizon, damages 1 USD per GPU-hour, load 1, no rules.
  contract_ramp: 100 GPUs from the contract's start. contract_prices: 2 USD per GPU-hour from then.
  contract_generations: every contract takes every generation, one for one.
- energy: one slice ``all`` per price zone, 0 USD per MWh, 0 g per kWh. No market, no grid, no other limits.

So by default all 10 racks are bought: 100,000 USD; 100 GPUs earn 2 * 100 * 8760 = 1,752,000 USD.

A table that is given replaces its default rows entirely; a table given as ``[]`` is empty (no supply, no
contracts ...). Rows of dependent tables follow the rows given: two contracts get two ramps and two prices.
``small_tables`` gives the same as plain values, unchecked, for tests that plant faults.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from models.calendar import Calendar, PeriodKind
from models.dataset import Dataset
from models.tables import COLUMNS, ROW_TYPES

PlainRow = Mapping[str, Any]
PlainTables = dict[str, list[dict[str, Any]]]

SETTINGS: dict[str, Any] = {
    "schema_version": 1,
    "name": "small",
    "start": "2026-Q1",
    "periods": 4,
    "discount_rate": 0.0,
    "commissioning_share": 1.0,
    "load_market": 1.0,
}

DEFAULTS: dict[str, dict[str, Any]] = {
    "sites": {
        "country": "Utopia", "zone": "Z", "lat": 0.0, "lon": 0.0, "price_zone": "P", "status": "open",
        "pue_air": 1.0, "pue_liquid": 1.0, "pue_air_peak": 1.0, "pue_liquid_peak": 1.0,
    },
    "site_pue": {"pue_air": 1.0, "pue_liquid": 1.0},
    "power_blocks": {"it_mw": 10.0, "air_mw": 10.0, "liquid_mw": 10.0},
    "retrofits": {"min_mw": 0.0, "max_mw": 10.0, "fixed_usd": 0.0, "usd_per_kw": 0.0, "lead_periods": 0},
    "generations": {"gpus_per_rack": 10, "rack_kw": 100.0, "liquid_share": 0.0, "idle_share": 0.0, "life_periods": 100},
    "gpu_prices": {"usd_per_gpu": 1000.0},
    "supply": {"racks": 10},
    "fleet": {"racks": 10},
    "contracts": {"customer": "u", "status": "firm", "ld_usd_per_gpu_hour": 1.0, "load_share": 1.0},
    "contract_ramp": {"gpus": 100.0},
    "contract_prices": {"usd_per_gpu_hour": 2.0},
    "current_deliveries": {"gpus": 100.0},
    "market": {"tier": "spot", "usd_per_gpu_hour": 1.0, "max_gpus": 100.0},
    "energy": {"price_zone": "P", "slice": "all", "hours_share": 1.0, "usd_per_mwh": 0.0, "gco2_per_kwh": 0.0},
    "demand_charges": {"price_zone": "P"},
    "carbon_prices": {"price_zone": "P"},
    "directives": {"rule": "fix", "value": 0.0},
    "sources": {"key": "*", "basis": "assumed", "source": "a test"},
}  # fmt: skip
"""Cells that a row has unless it says otherwise; ids, names and periods are added by ``small_tables``."""


def small_dataset(**overrides: Any) -> Dataset:
    """A small, valid dataset: settings by their key, tables as lists of rows by their name (see the module's text).

    Raises:
        DatasetError: the overrides make the dataset invalid.
        TypeError: a name is neither a setting nor a table.
    """
    settings, tables = small_tables(**overrides)
    return Dataset.build(settings, **tables)


def small_tables(**overrides: Any) -> tuple[dict[str, Any], PlainTables]:
    """Settings and tables of ``small_dataset`` as plain values, not checked."""
    given: dict[str, Iterable[PlainRow]] = {name: overrides.pop(name) for name in list(overrides) if name in ROW_TYPES}
    unknown = overrides.keys() - SETTINGS.keys() - {"period", "customer_revenue_share", "customer_revenue_share_from"}
    if unknown:
        raise TypeError(f"neither a setting nor a table: {', '.join(sorted(unknown))}")
    settings = {**SETTINGS, **overrides}
    if "start" not in overrides and "period" in overrides:
        settings["start"] = {"month": "2026-01", "year": "2026"}.get(str(settings["period"]), "2026-Q1")
    calendar = Calendar(str(settings["start"]), settings["periods"], PeriodKind(settings.get("period", "quarter")))

    tables: PlainTables = {}
    tables["sites"] = _fill("sites", given.get("sites", [{"site_id": "a"}, {"site_id": "b"}]), calendar)
    tables["generations"] = _fill("generations", given.get("generations", [{"gen_id": "h100"}]), calendar)
    tables["contracts"] = _fill("contracts", given.get("contracts", [{"contract_id": "c"}]), calendar)
    for name, rows in {**_dependent(tables), **given}.items():
        if name == "power_blocks":
            rows = [{"status": _block_status(row, tables["sites"]), **row} for row in rows]
        if name not in tables:
            tables[name] = _fill(name, rows, calendar)
    return settings, {name: tables[name] for name in ROW_TYPES if name in tables}


def _dependent(tables: PlainTables) -> dict[str, list[dict[str, Any]]]:
    """Default rows of the tables that follow from sites, generations and contracts."""
    sites, gens, contracts = tables["sites"], tables["generations"], tables["contracts"]
    return {
        "power_blocks": [{"block_id": f"{site['site_id']}-1", "site_id": site["site_id"]} for site in sites],
        "gpu_prices": [{"gen_id": gen["gen_id"]} for gen in gens],
        "supply": [{"gen_id": gen["gen_id"]} for gen in gens],
        "contract_generations": [{"contract_id": c["contract_id"], "gen_id": gen["gen_id"]} for c in contracts for gen in gens],
        "contract_ramp": [{"contract_id": c["contract_id"], "from_period": c["start"]} for c in contracts],
        "contract_prices": [{"contract_id": c["contract_id"], "from_period": c["start"]} for c in contracts],
        "energy": [{"price_zone": zone} for zone in dict.fromkeys(site["price_zone"] for site in sites)],
    }


def _block_status(row: PlainRow, sites: list[dict[str, Any]]) -> str:
    """A block is firm unless its site is a candidate or it has capital."""
    candidates = [site["site_id"] for site in sites if site["status"] == "candidate"]
    return "option" if row.get("site_id") in candidates or row.get("capex_usd") else "firm"


def _fill(name: str, rows: Iterable[PlainRow], calendar: Calendar) -> list[dict[str, Any]]:
    """Rows with the table's defaults; names default to ids, periods to the start (``end`` and ``last_install`` to the end)."""
    last = calendar.label(calendar.periods - 1)
    filled = []
    for number, row in enumerate(rows, start=1):
        full: dict[str, Any] = {**DEFAULTS.get(name, {}), **row}
        for column in COLUMNS[name]:
            if not column.required or column.name in full:
                continue
            if column.period:
                full[column.name] = last if column.name in ("end", "last_install") else calendar.start
            elif column.name == "name":
                full["name"] = full.get("site_id") or full.get("gen_id")
            elif name == "directives" and column.name == "row":
                full["row"] = f"d{number}"
        filled.append(full)
    return filled
