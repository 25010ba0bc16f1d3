"""Changes of prices outside: energy, demand charges, carbon, the market, money."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from models.dataset import Dataset
from models.tables import CapexBudget, CarbonCap, DemandCharge, EnergySlice, MarketTier, Site
from models.whatif.base import ID, Amount, Change, Factor, Period, Random, Spanning, one_of, refers
from models.whatif.draft import Draft


def _zones(draft: Draft, zone: str | None) -> list[str]:
    """The price zones of a change: one, or all.

    Raises:
        ChangeError: no such zone.
    """
    if zone is not None:
        draft.one("sites", "price_zone", zone)
        return [zone]
    return sorted({row["price_zone"] for row in draft.rows("sites")})


class ZoneChange(Spanning):
    """A change in a price zone, or in all."""

    price_zone: str | None = refers("sites", "price zone of sites; all if not given", default=None)

    @property
    def where(self) -> str:
        """The zone in words."""
        return self.price_zone or "all zones"


class EnergyPrice(ZoneChange):
    """Energy costs more or less."""

    type: Literal["energy.price"] = "energy.price"
    factor: Factor = Field(default=1.0, description="factor on the price")
    add_usd_per_mwh: float = Field(default=0.0, allow_inf_nan=False, description="added to the price after the factor, USD per MWh")
    slice: str | None = Field(default=None, description="only this slice of the hours")
    title: ClassVar = "Energy price"
    example: ClassVar[dict[str, Any]] = {"type": "energy.price", "price_zone": "ERCOT_NORTH", "from_period": "2026-Q1", "factor": 1.3}

    def sentence(self) -> str:
        parts = ([f"times {self.factor:g}"] if self.factor != 1 else []) + (
            [f"{self.add_usd_per_mwh:+g} USD per MWh"] if self.add_usd_per_mwh else []
        )
        only = f" ({self.slice})" if self.slice else ""
        return f"{self.where}: energy price{only} {' '.join(parts) or 'as it is'} {self.when}"

    def write(self, draft: Draft) -> None:
        first, last = draft.span(self)
        slices = sorted({row["slice"] for row in draft.rows("energy")})
        if self.slice is not None and self.slice not in slices:
            draft.refuse("slice", self.slice, "not a slice of the hours", ", ".join(slices), code="unknown_id")

        def dearer(row: dict[str, Any]) -> dict[str, Any]:
            if self.slice not in (None, row["slice"]):
                return {}
            return {"usd_per_mwh": row["usd_per_mwh"] * self.factor + self.add_usd_per_mwh}

        for zone in _zones(draft, self.price_zone):
            draft.step("energy", {"price_zone": zone}, first, last, dearer)

    @classmethod
    def draw(cls, dataset: Dataset, random: Random) -> Change | None:
        zone = one_of(
            random, sorted({row.price_zone for row in dataset.rows(EnergySlice)} & {row.price_zone for row in dataset.rows(Site)})
        )
        factor = round(float(random.uniform(0.7, 1.5)), 2)
        return None if zone is None else cls(price_zone=zone, from_period=dataset.calendar.label(0), factor=factor)


class DemandPrice(ZoneChange):
    """The charge on the planned peak is another."""

    type: Literal["energy.demand_charge"] = "energy.demand_charge"
    usd_per_kw_month: Amount = Field(description="charge, USD per kW and month")
    title: ClassVar = "Demand charge"
    example: ClassVar[dict[str, Any]] = {
        "type": "energy.demand_charge", "price_zone": "PJM_VA", "from_period": "2026-Q1", "usd_per_kw_month": 20,
    }  # fmt: skip

    def sentence(self) -> str:
        return f"{self.where}: demand charge {self.usd_per_kw_month:g} USD per kW and month {self.when}"

    def write(self, draft: Draft) -> None:
        first, last = draft.span(self)
        charge = {"usd_per_kw_month": float(self.usd_per_kw_month)}
        for zone in _zones(draft, self.price_zone):
            draft.step("demand_charges", {"price_zone": zone}, first, last, lambda row: charge, {"usd_per_kw_month": 0.0})

    @classmethod
    def draw(cls, dataset: Dataset, random: Random) -> Change | None:
        row = one_of(random, [row for row in dataset.rows(DemandCharge) if any(s.price_zone == row.price_zone for s in dataset.rows(Site))])
        if row is None:
            return None
        charge = round(row.usd_per_kw_month * float(random.uniform(0.7, 1.5)), 2)
        return cls(price_zone=row.price_zone, from_period=dataset.calendar.label(0), usd_per_kw_month=charge)


class CarbonPrice(ZoneChange):
    """Emitted CO2 has another price."""

    type: Literal["carbon.price"] = "carbon.price"
    usd_per_t: Amount = Field(description="price, USD per tonne")
    title: ClassVar = "Carbon price"
    example: ClassVar[dict[str, Any]] = {"type": "carbon.price", "from_period": "2027-Q1", "usd_per_t": 60}

    def sentence(self) -> str:
        return f"{self.where}: carbon price {self.usd_per_t:g} USD per tonne {self.when}"

    def write(self, draft: Draft) -> None:
        first, last = draft.span(self)
        price = {"usd_per_t": float(self.usd_per_t)}
        for zone in _zones(draft, self.price_zone):
            draft.step("carbon_prices", {"price_zone": zone}, first, last, lambda row: price, {"usd_per_t": 0.0})

    @classmethod
    def draw(cls, dataset: Dataset, random: Random) -> Change | None:
        zone = one_of(random, sorted({row.price_zone for row in dataset.rows(Site)}))
        price = round(float(random.uniform(10, 100)), 1)
        return None if zone is None else cls(price_zone=zone, from_period=dataset.calendar.label(0), usd_per_t=price)


class CarbonLimit(Change):
    """A year may emit more or less."""

    type: Literal["carbon.cap"] = "carbon.cap"
    year: int = Field(ge=1900, le=2200, description="calendar year")
    tonnes: Amount | None = Field(description="emissions allowed, tonnes CO2; null for no cap")
    title: ClassVar = "Carbon cap"
    example: ClassVar[dict[str, Any]] = {"type": "carbon.cap", "year": 2028, "tonnes": 3000000}

    def sentence(self) -> str:
        return f"{self.year}: no carbon cap" if self.tonnes is None else f"{self.year}: at most {self.tonnes:,.0f} tonnes of CO2"

    def write(self, draft: Draft) -> None:
        found = draft.rows("carbon_cap", year=self.year)
        if self.year not in draft.calendar.years:
            years = f"{draft.calendar.years[0]} to {draft.calendar.years[-1]}"
            draft.refuse("year", self.year, "outside the horizon", years, code="outside_horizon")
        if self.tonnes is None:
            draft.drop("carbon_cap", found)
        elif found:
            draft.set("carbon_cap", found[0], tonnes=float(self.tonnes))
        else:
            draft.add("carbon_cap", year=self.year, tonnes=float(self.tonnes))

    @classmethod
    def draw(cls, dataset: Dataset, random: Random) -> Change | None:
        row = one_of(random, list(dataset.rows(CarbonCap)))
        if row is None:
            return cls(year=dataset.calendar.years[-1], tonnes=1e9)
        return cls(year=row.year, tonnes=round(row.tonnes * float(random.uniform(0.95, 1.2))))


class MarketChange(Spanning):
    """A change of what unsold GPUs fetch."""

    gen_id: ID | None = refers("generations", "generation; all if not given", default=None)
    tier: str | None = Field(default=None, description="price tier; all if not given")
    factor: Factor = Field(description="factor")

    @property
    def where(self) -> str:
        """Generation and tier in words."""
        return " ".join(part for part in (self.gen_id or "all generations", self.tier or "") if part)

    def scale(self, draft: Draft, field: str) -> None:
        """Multiply a column of the market.

        Raises:
            ChangeError: no such generation or tier.
        """
        first, last = draft.span(self)
        if self.gen_id is not None:
            draft.one("generations", "gen_id", self.gen_id)
        pairs = sorted({(row["gen_id"], row["tier"]) for row in draft.rows("market")})
        chosen = [(g, k) for g, k in pairs if self.gen_id in (None, g) and self.tier in (None, k)]
        if self.tier is not None and not chosen:
            draft.refuse("tier", self.tier, "not a tier of the market", ", ".join(sorted({k for _, k in pairs})), code="unknown_id")
        for gen, tier in chosen:
            draft.scale("market", {"gen_id": gen, "tier": tier}, first, last, **{field: float(self.factor)})

    @classmethod
    def draw(cls, dataset: Dataset, random: Random) -> Change | None:
        row = one_of(random, list(dataset.rows(MarketTier)))
        factor = round(float(random.uniform(0.7, 1.3)), 2)
        return None if row is None else cls(gen_id=row.gen_id, from_period=dataset.calendar.label(0), factor=factor)


class MarketPrice(MarketChange):
    """Unsold GPUs fetch more or less."""

    type: Literal["market.price"] = "market.price"
    title: ClassVar = "Market price"
    example: ClassVar[dict[str, Any]] = {"type": "market.price", "from_period": "2027-Q1", "factor": 0.7}

    def sentence(self) -> str:
        return f"market price of {self.where} times {self.factor:g} {self.when}"

    def write(self, draft: Draft) -> None:
        self.scale(draft, "usd_per_gpu_hour")


class MarketDepth(MarketChange):
    """More or fewer unsold GPUs find a buyer."""

    type: Literal["market.depth"] = "market.depth"
    title: ClassVar = "Market depth"
    example: ClassVar[dict[str, Any]] = {"type": "market.depth", "gen_id": "h100", "from_period": "2026-Q1", "factor": 0.5}

    def sentence(self) -> str:
        return f"market depth of {self.where} times {self.factor:g} {self.when}"

    def write(self, draft: Draft) -> None:
        self.scale(draft, "max_gpus")


class Budget(Change):
    """Other capital may be spent."""

    type: Literal["budget.cap"] = "budget.cap"
    period: Period = Field(description="period in which the capital is added to the budget")
    usd: Amount = Field(description="capital added in the period, USD")
    title: ClassVar = "Capital budget"
    example: ClassVar[dict[str, Any]] = {"type": "budget.cap", "period": "2026-Q1", "usd": 4e9}

    def sentence(self) -> str:
        return f"capital budget of {self.period}: {self.usd / 1e9:g} billion USD"

    def write(self, draft: Draft) -> None:
        draft.period("period", self.period)
        found = draft.rows("capex_budget", period=self.period)
        if found:
            draft.set("capex_budget", found[0], usd=float(self.usd))
        else:
            draft.add("capex_budget", period=self.period, usd=float(self.usd))

    @classmethod
    def draw(cls, dataset: Dataset, random: Random) -> Change | None:
        row = one_of(random, [row for row in dataset.rows(CapexBudget) if row.usd > 0])
        if row is None:
            return cls(period=dataset.calendar.label(0), usd=1e12)
        return cls(period=row.period, usd=round(row.usd * float(random.uniform(0.8, 1.2))))


class Discount(Change):
    """Money later is worth more or less."""

    type: Literal["discount.rate"] = "discount.rate"
    per_year: Amount = Field(le=10, description="discount rate, per year")
    title: ClassVar = "Discount rate"
    example: ClassVar[dict[str, Any]] = {"type": "discount.rate", "per_year": 0.12}

    def sentence(self) -> str:
        return f"discount rate {100 * self.per_year:g} % per year"

    def write(self, draft: Draft) -> None:
        draft.setting("discount_rate", float(self.per_year))

    @classmethod
    def draw(cls, dataset: Dataset, random: Random) -> Change | None:
        return cls(per_year=round(float(random.uniform(0.05, 0.15)), 3))


CHANGES = (EnergyPrice, DemandPrice, CarbonPrice, CarbonLimit, MarketPrice, MarketDepth, Budget, Discount)
