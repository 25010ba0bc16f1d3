"""The schema: one row type per dataset table.

Every column stands here once, with its type, unit, range, default and meaning. Reading, checking,
writing, the JSON schema, the workbook template and the data reference in ``docs/`` all come from it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from models.calendar import PeriodKind
from models.columns import Column, Id, Ids, Number, Season, Text, Texts, col, columns, quantity, share


class SiteStatus(StrEnum):
    """Whether a site is in use or may be opened."""

    OPEN = "open"
    CANDIDATE = "candidate"


class BlockStatus(StrEnum):
    """Whether a power block is contracted or may be ordered."""

    FIRM = "firm"
    OPTION = "option"


class ContractStatus(StrEnum):
    """Whether a contract is signed or may be."""

    FIRM = "firm"
    PROSPECT = "prospect"


class Rule(StrEnum):
    """What a directive does to its decision."""

    FIX = "fix"
    MIN = "min"
    MAX = "max"


class DecisionKind(StrEnum):
    """The decisions a directive can bind."""

    IN_SERVICE = "in_service"
    INSTALLED = "installed"
    DELIVERIES = "deliveries"
    SIGN = "sign"
    OPEN = "open"
    BUILD = "build"
    RETROFIT = "retrofit"
    SERVE = "serve"


class Basis(StrEnum):
    """How a figure is known."""

    REPORTED = "reported"
    DERIVED = "derived"
    ASSUMED = "assumed"


class Row(BaseModel):
    """One row of a table. ``optional_table`` says whether the whole table may be missing."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)
    table: ClassVar[str]
    optional_table: ClassVar[bool] = False
    any_row: ClassVar[str] = ""


class Settings(BaseModel):
    """dataset.toml: what holds for the whole dataset."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)
    table: ClassVar[str] = "dataset"
    schema_version: int = col("version of this format", ge=1, le=1)
    name: Text = col("name of the dataset")
    start: Text = col("first period of the horizon", period=True)
    periods: int = col("number of periods", unit="periods", ge=1, le=1200)
    period: PeriodKind = col("length of a period", default=PeriodKind.QUARTER)
    discount_rate: Number = col("discount rate", unit="per year", ge=0, le=10)
    commissioning_share: Number = share("share of its first period for which a rack installed in it bills", default=0.5)
    load_market: Number = share("load of GPUs sold on the market, as a share of their provisioned power", default=0.7)
    customer_revenue_share: Number | None = col(
        "largest share of one customer in the revenue of a period", unit="share", default=None, none_means="no limit", ge=0, le=1
    )
    customer_revenue_share_from: Text | None = col(
        "first period in which the customer share limit holds", period=True, default=None, none_means="start"
    )


class Site(Row):
    """Data center sites, open or candidate."""

    table = "sites"
    site_id: Id = col("identifier of the site", key=True)
    name: Text = col("name of the site")
    country: Text = col("country")
    zone: Text = col("delivery zone that contracts name")
    lat: Number = col("latitude", unit="degrees north", ge=-90, le=90)
    lon: Number = col("longitude", unit="degrees east", ge=-180, le=180)
    grid_node: Id | None = col("grid node that feeds the site", ref="grid_nodes", default=None, none_means="no shared limit")
    price_zone: Text = col("zone of energy, demand and carbon prices")
    status: SiteStatus = col("in use from the start, or may be opened")
    activation_usd: Number = quantity("cost of opening a candidate", "USD", default=0.0)
    max_rack_kw: Number | None = quantity("largest rack that the halls take", "kW IT per rack", default=None, none_means="any rack")
    install_racks_per_period: Number | None = quantity(
        "racks that can be installed in a period", "racks per period", default=None, none_means="no limit"
    )
    overhead_mw: Number = quantity("draw of the open site without racks", "MW", default=0.0)
    pue_air: Number = col("mean PUE of heat removed by air", unit="ratio", ge=1, le=10)
    pue_liquid: Number = col("mean PUE of heat removed by liquid", unit="ratio", ge=1, le=10)
    pue_air_peak: Number = col("design-day PUE of heat removed by air", unit="ratio", ge=1, le=10)
    pue_liquid_peak: Number = col("design-day PUE of heat removed by liquid", unit="ratio", ge=1, le=10)
    wue_l_per_kwh: Number = quantity("on-site water use", "L per kWh IT", default=0.0)
    water_limit_m3_per_period: Number | None = quantity(
        "water that may be used in a period", "m3 per period", default=None, none_means="no limit"
    )


class SitePue(Row):
    """PUE by season; it replaces the yearly means of the site."""

    table = "site_pue"
    optional_table = True
    site_id: Id = col("site", key=True, ref="sites")
    season: Season = col("season: the calendar quarter", key=True)
    pue_air: Number = col("mean PUE of heat removed by air", unit="ratio", ge=1, le=10)
    pue_liquid: Number = col("mean PUE of heat removed by liquid", unit="ratio", ge=1, le=10)


class PowerBlock(Row):
    """Power blocks of the sites: energized megawatts with the cooling that comes with them."""

    table = "power_blocks"
    block_id: Id = col("identifier of the block", key=True)
    site_id: Id = col("site", ref="sites")
    it_mw: Number = quantity("critical IT power", "MW IT")
    air_mw: Number = quantity("heat that air can remove", "MW")
    liquid_mw: Number = quantity("heat that liquid can remove", "MW")
    status: BlockStatus = col("contracted, or may be ordered")
    energized: Text = col("period of energization; of an option the earliest", period=True)
    usable_share: Number = share("share of the IT power that may be used", default=1.0)
    lease_usd_per_kw_month: Number = quantity("lease", "USD per kW IT and month", default=0.0)
    capex_usd: Number = quantity("capital, paid lead_periods before energization (options only)", "USD", default=0.0)
    residual_share: Number = share("share of the capital left at the end of the horizon", default=0.0)
    lead_periods: int = quantity("periods from order to energization", "periods", default=0, le=1200)
    latest: Text | None = col("last period in which an option can be energized", period=True, default=None, none_means="any")


class SiteLimit(Row):
    """Derates, outages and ends of sites: limits below what the blocks give, until the site's next row."""

    table = "site_limits"
    optional_table = True
    site_id: Id = col("site", key=True, ref="sites")
    from_period: Text = col("first period in which the row holds", key=True, period=True)
    it_mw: Number | None = quantity("largest IT load", "MW IT", default=None, none_means="no limit")
    liquid_mw: Number | None = quantity("largest heat to liquid", "MW", default=None, none_means="no limit")
    air_mw: Number | None = quantity("largest heat to air", "MW", default=None, none_means="no limit")


class Retrofit(Row):
    """Conversions of air-cooled halls to liquid; at most one order per site."""

    table = "retrofits"
    optional_table = True
    site_id: Id = col("site", key=True, ref="sites")
    min_mw: Number = quantity("smallest order", "MW")
    max_mw: Number = quantity("largest order", "MW")
    fixed_usd: Number = quantity("fixed cost of the order", "USD")
    usd_per_kw: Number = quantity("cost per kW converted", "USD per kW")
    lead_periods: int = quantity("periods from order until the liquid cools", "periods", le=1200)
    downtime_periods: int | None = quantity(
        "periods without the air before the liquid cools", "periods", default=None, none_means="lead_periods"
    )


class GridNode(Row):
    """Grid nodes; a forest of feeders."""

    table = "grid_nodes"
    optional_table = True
    node_id: Id = col("identifier of the node", key=True)
    parent_id: Id | None = col("node above", ref="grid_nodes", default=None, none_means="a root")
    name: Text | None = col("name", default=None, none_means="none")


class GridLimit(Row):
    """Largest facility draw below a grid node, until the node's next row."""

    table = "grid_limits"
    optional_table = True
    node_id: Id = col("node", key=True, ref="grid_nodes")
    from_period: Text = col("first period in which the row holds", key=True, period=True)
    limit_mw: Number = quantity("largest facility draw of all sites below the node", "MW")


class Generation(Row):
    """GPU generations, by the rack."""

    table = "generations"
    gen_id: Id = col("identifier of the generation", key=True)
    name: Text = col("name")
    gpus_per_rack: Number = col("sellable GPUs in a rack", unit="GPUs per rack", gt=0)
    rack_kw: Number = col("provisioned IT power with its share of network, storage and CPU nodes", unit="kW IT per rack", gt=0)
    liquid_share: Number = share("share of the heat taken by liquid")
    idle_share: Number = share("idle draw as a share of provisioned power")
    life_periods: int = col("periods from installation to the end of life", unit="periods", ge=1, le=1200)
    first_install: Text = col("first period of installation", period=True)
    last_install: Text = col("last period of installation", period=True)
    install_usd_per_rack: Number = quantity("cost of installing a rack", "USD per rack", default=0.0)
    opex_usd_per_rack_year: Number = quantity("running cost without energy", "USD per rack and year", default=0.0)
    residual_factor: Number = share("value at the end of the horizon as a share of the new price, before ageing", default=0.0)


class GpuPrice(Row):
    """Prices of GPUs, until the generation's next row."""

    table = "gpu_prices"
    gen_id: Id = col("generation", key=True, ref="generations")
    from_period: Text = col("first period in which the price holds", key=True, period=True)
    usd_per_gpu: Number = quantity("price with the GPU's share of the rack", "USD per GPU")


class Supply(Row):
    """New allocation of racks; what is not used stays available."""

    table = "supply"
    gen_id: Id = col("generation", key=True, ref="generations")
    period: Text = col("period of the allocation, in the horizon", key=True, period=True)
    racks: int = quantity("racks allocated in the period", "racks")


class Fleet(Row):
    """Racks in service before the start."""

    table = "fleet"
    optional_table = True
    site_id: Id = col("open site", key=True, ref="sites")
    gen_id: Id = col("generation", key=True, ref="generations")
    in_service_since: Text = col("period of installation, at or before the start", key=True, period=True)
    racks: int = quantity("racks", "racks")


class Contract(Row):
    """Contracts, signed or prospective."""

    table = "contracts"
    contract_id: Id = col("identifier of the contract", key=True)
    customer: Text = col("customer")
    status: ContractStatus = col("signed, or may be")
    start: Text = col("first period", period=True)
    end: Text = col("last period, inclusive", period=True)
    ld_usd_per_gpu_hour: Number = quantity("liquidated damages per contract GPU owed and not delivered", "USD per GPU-hour")
    load_share: Number = share("load of the GPUs, as a share of their provisioned power")
    spare_share: Number = quantity("extra GPUs held per GPU delivered", "share", default=0.0, le=1)
    zones: Texts = col("zones that may serve", default=(), none_means="all")
    sites: Ids = col("sites that may serve", ref="sites", default=(), none_means="all")
    excluded_sites: Ids = col("sites that may not serve", ref="sites", default=(), none_means="none")
    min_cluster_gpus: Number = quantity("smallest delivery from a serving site at the highest ramp", "contract GPUs", default=0.0)
    cluster_grace: int = quantity("periods at the highest ramp before the cluster must stand", "periods", default=2, le=1200)
    max_short_share: Number = share("largest share of the GPUs owed that may be short after the grace periods", default=1.0)
    grace_periods: int = quantity("periods from the start before max_short_share holds", "periods", default=0, le=1200)
    max_sites: int | None = quantity("largest number of serving sites", "sites", default=None, none_means="no limit")
    max_rtt_ms: Number | None = quantity("largest round-trip time between serving sites", "ms", default=None, none_means="no limit")
    move_usd_per_gpu: Number = quantity("cost of moving a contract GPU to another site", "USD per GPU", default=0.0)


class ContractGeneration(Row):
    """Which generations may serve a contract, and for how many contract GPUs each counts."""

    table = "contract_generations"
    contract_id: Id = col("contract", key=True, ref="contracts")
    gen_id: Id = col("generation", key=True, ref="generations")
    gpu_equivalent: Number = col("contract GPUs that one GPU counts for", unit="contract GPUs per GPU", default=1.0, gt=0)


class ContractRamp(Row):
    """GPUs owed, until the contract's next row."""

    table = "contract_ramp"
    contract_id: Id = col("contract", key=True, ref="contracts")
    from_period: Text = col("first period in which the row holds, within the contract", key=True, period=True)
    gpus: Number = quantity("GPUs owed", "contract GPUs")


class ContractPrice(Row):
    """Contract prices, until the contract's next row."""

    table = "contract_prices"
    contract_id: Id = col("contract", key=True, ref="contracts")
    from_period: Text = col("first period in which the price holds", key=True, period=True)
    usd_per_gpu_hour: Number = quantity("price of a delivered contract GPU", "USD per GPU-hour")


class CurrentDelivery(Row):
    """What firm contracts receive just before the start."""

    table = "current_deliveries"
    optional_table = True
    contract_id: Id = col("firm contract", key=True, ref="contracts")
    site_id: Id = col("site", key=True, ref="sites")
    gpus: Number = quantity("contract GPUs delivered just before the start", "contract GPUs")


class ServingCost(Row):
    """Cost of serving a contract from a site (network, tax, staff)."""

    table = "serving_costs"
    optional_table = True
    contract_id: Id = col("contract", key=True, ref="contracts")
    site_id: Id = col("site", key=True, ref="sites")
    usd_per_gpu_hour: Number = quantity("cost of a delivered contract GPU", "USD per GPU-hour")


class MarketTier(Row):
    """What unsold GPUs fetch, in price tiers, until the tier's next row."""

    table = "market"
    optional_table = True
    gen_id: Id = col("generation", key=True, ref="generations")
    tier: Text = col("price tier", key=True)
    from_period: Text = col("first period in which the row holds", key=True, period=True)
    usd_per_gpu_hour: Number = quantity("price", "USD per GPU-hour")
    max_gpus: Number = quantity("GPUs sold on average", "GPUs")


class EnergySlice(Row):
    """Energy prices and carbon intensity by slice of the hours, until the zone's next from_period."""

    table = "energy"
    price_zone: Text = col("price zone", key=True)
    from_period: Text = col("first period in which the row holds", key=True, period=True)
    season: Season | None = col("season: the calendar quarter", key=True, default=None, none_means="all")
    slice: Text = col("slice of the hours, such as peak", key=True)
    hours_share: Number = share("share of the hours")
    usd_per_mwh: Number = col("energy price", unit="USD per MWh")
    gco2_per_kwh: Number = quantity("carbon intensity", "gCO2 per kWh")


class DemandCharge(Row):
    """Charges on the planned peak, until the zone's next row."""

    table = "demand_charges"
    optional_table = True
    price_zone: Text = col("price zone", key=True)
    from_period: Text = col("first period in which the row holds", key=True, period=True)
    usd_per_kw_month: Number = quantity("charge on the facility's planned peak", "USD per kW and month")


class CarbonPrice(Row):
    """Carbon prices, until the zone's next row."""

    table = "carbon_prices"
    optional_table = True
    price_zone: Text = col("price zone", key=True)
    from_period: Text = col("first period in which the row holds", key=True, period=True)
    usd_per_t: Number = quantity("price of emitted CO2", "USD per tonne")


class NetworkLink(Row):
    """Network links; each runs both ways and any site may be passed through."""

    table = "network_links"
    optional_table = True
    site_a: Id = col("one end", key=True, ref="sites")
    site_b: Id = col("the other end", key=True, ref="sites")
    rtt_ms: Number = quantity("round-trip time", "ms")


class CapexBudget(Row):
    """Capital that may be spent; what is not spent stays available."""

    table = "capex_budget"
    optional_table = True
    period: Text = col("period, in the horizon", key=True, period=True)
    usd: Number = quantity("capital added to the budget", "USD")


class CarbonCap(Row):
    """Emissions allowed in a calendar year."""

    table = "carbon_cap"
    optional_table = True
    year: int = col("calendar year", key=True, ge=1900, le=2200)
    tonnes: Number = quantity("emissions allowed", "tonnes CO2")


class Directive(Row):
    """Decisions that are fixed, bounded or forbidden from outside."""

    table = "directives"
    optional_table = True
    row: Text = col("identifier of the directive", key=True)
    rule: Rule = col("fix, at least, or at most")
    decision: DecisionKind = col("the decision that is bound")
    contract_id: Id | None = col("contract", ref="contracts", default=None, none_means="summed over")
    site_id: Id | None = col("site", ref="sites", default=None, none_means="summed over")
    gen_id: Id | None = col("generation", ref="generations", default=None, none_means="summed over")
    block_id: Id | None = col("power block", ref="power_blocks", default=None, none_means="summed over")
    from_period: Text | None = col("first period", period=True, default=None, none_means="start")
    to_period: Text | None = col("last period", period=True, default=None, none_means="end of the horizon")
    value: Number = quantity("racks, physical GPUs, MW, or 0 and 1", "of the decision")
    why: Text | None = col("reason", default=None, none_means="none")


class Source(Row):
    """Where a figure comes from."""

    table = "sources"
    optional_table = True
    table_: Text = Field(
        alias="table", description="table", json_schema_extra={"unit": "", "key": True, "period": False, "ref": "", "none_means": ""}
    )
    key: Text = col("key of the row, values joined by ;, or * for all", key=True)
    column: Text = col("column", key=True)
    basis: Basis = col("reported, derived or assumed")
    source: Text = col("where it comes from")


ROW_TYPES: dict[str, type[Row]] = {
    row.table: row
    for row in (
        Site, SitePue, PowerBlock, SiteLimit, Retrofit, GridNode, GridLimit, Generation, GpuPrice, Supply, Fleet,
        Contract, ContractGeneration, ContractRamp, ContractPrice, CurrentDelivery, ServingCost, MarketTier, EnergySlice,
        DemandCharge, CarbonPrice, NetworkLink, CapexBudget, CarbonCap, Directive, Source,
    )
}  # fmt: skip
"""Row type of each table, in the order of data.md."""

COLUMNS: dict[str, tuple[Column, ...]] = {name: columns(row) for name, row in ROW_TYPES.items()}
"""Columns of each table, in file order."""

KEYS: dict[str, tuple[str, ...]] = {name: tuple(c.field for c in cols if c.key) for name, cols in COLUMNS.items()}
"""Key fields of each table."""
