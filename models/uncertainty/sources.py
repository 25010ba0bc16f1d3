"""Sources of uncertainty: slips of power with common causes, prices, and events made of ordinary changes."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator

from models.changes import Change
from models.changes.base import exactly_one
from models.changes.energy import ZONE
from models.changes.fields import (
    Id,
    Real,
    Text,
    Whole,
    among,
    amount,
    choice,
    count,
    delay,
    factor,
    field,
    first_period,
    period,
    portion,
)  # fmt: skip
from models.changes.market import TIER
from models.changes.site import SITE
from models.changes.supply import GENERATION
from models.tables import Basis

ODDS_TOLERANCE = 1e-9
"""By how much a sum of odds may miss 1, for the rounding of decimal fractions."""
SLIP_PERIOD = "blocks energized in this period or later are late"
SLIP_NONE = "every block not energized at the start"


class Strict(BaseModel):
    """Refuses keys that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True, arbitrary_types_allowed=True)


class Source(Strict):
    """One thing that may come otherwise.

    ``driver`` names a standard normal number that all sources with that name share in a scenario; each source's own number is
    ``loading * shared + sqrt(1 - loading^2) * own`` (a one-factor Gaussian copula). Without a driver it is independent.
    """

    id: Id = field("identifier of the source", form={"widget": "new_id"})
    why: Text = field("where the odds come from")
    basis: Basis = choice("how the odds are known", default=Basis.ASSUMED)
    driver: Text | None = field("name of what it moves with", default=None, none_means="independent")
    loading: Real = field("weight of the driver", default=0.0, form={"widget": "number"}, ge=-1, le=1)

    @model_validator(mode="after")
    def _driven(self) -> Self:
        if (self.driver is None) != (self.loading == 0.0):
            raise ValueError("needs driver and a loading other than 0 together, or neither")
        return self


class Late(Strict):
    """A delay of power, and its odds."""

    odds: Real = portion("probability")
    delay_periods: Whole = delay("periods by which the power is late")


class Slip(Source):
    """Power of a site may come late; the odds left over are those of no delay."""

    site_id: Text = among("site", SITE)
    block_id: Text | None = among("only this block is late", "power_blocks.block_id", default=None, none_means="all of the site")
    from_period: Text | None = period(SLIP_PERIOD, default=None, none_means=SLIP_NONE)
    outcomes: tuple[Late, ...] = field("delays with their odds", form={"widget": "rows"}, min_length=1)


class Cause(Source):
    """One event, at a landlord or a utility, that makes power of several sites late at once, all by the same time."""

    sites: tuple[Text, ...] = among("sites that it hits", SITE, default=(), none_means="grid_node or price_zone", many=True)
    grid_node: Text | None = among("hits all sites below this node", "grid_nodes.node_id", default=None, none_means="sites or price_zone")
    price_zone: Text | None = among("hits all sites of this zone", ZONE, default=None, none_means="sites or grid_node")
    from_period: Text | None = period(SLIP_PERIOD, default=None, none_means=SLIP_NONE)
    outcomes: tuple[Late, ...] = field("delays with their odds", form={"widget": "rows"}, min_length=1)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [name for name in ("sites", "grid_node", "price_zone") if getattr(self, name)]
        if len(given) != 1:
            raise ValueError("needs exactly one of sites, grid_node, price_zone" + (f", found {' and '.join(given)}" if given else ""))
        return self


class Happening(Strict):
    """What happens, as ordinary changes, and its odds."""

    odds: Real = portion("probability")
    name: Text | None = field("what happens, in words", default=None, none_means="the changes in words")
    changes: tuple[Change, ...] = field("changes of the dataset", form={"widget": "rows"}, min_length=1)


class Occasion(Source):
    """An event of any kind: supply cut, option exercised, contract resized or late, market shallower; else nothing happens."""

    outcomes: tuple[Happening, ...] = field("what may happen, with its odds", form={"widget": "rows"}, min_length=1)


class PriceKind(StrEnum):
    """Prices that may move."""

    GPU = "gpu"
    MARKET = "market"
    ENERGY = "energy"


class Step(Strict):
    """A factor on the dataset's price, until the next step."""

    from_period: Text = period("first period of the factor")
    factor: Real = factor("factor on the price", default=...)


class Path(Strict):
    """One way that a price may go; without steps as the dataset says."""

    odds: Real = portion("probability")
    name: Text | None = field("the path in words", default=None, none_means="its number")
    steps: tuple[Step, ...] = field("factors by period", default=(), form={"widget": "rows"})


class Volatility(Strict):
    """Log-normal steps: ``x_j = persistence * x_(j-1) + sd * e_j``, factor ``exp(x_j - var(x_j)/2)``, whose mean is 1."""

    sd: Real = amount("standard deviation of a step of the price's logarithm", "log", above_zero=True, le=3.0)
    persistence: Real = portion("share of a deviation that is still there a step later", default=1.0)
    every_periods: Whole = count("length of a step", "periods", least=1, most=1200)
    from_period: Text | None = first_period("first period that deviates")


class Price(Source):
    """A price that may take one of several paths, or wander; up again too."""

    price: PriceKind = choice("which price")
    gen_id: Text | None = among("generation", GENERATION, default=None, none_means="all")
    tier: Text | None = among("price tier of the market", TIER, default=None, none_means="all")
    price_zone: Text | None = among("price zone of energy", ZONE, default=None, none_means="all")
    paths: tuple[Path, ...] | None = field(
        "paths with their odds, which add to 1", default=None, none_means="volatility", form={"widget": "rows"}, min_length=1
    )
    volatility: Volatility | None = field("how the price wanders", default=None, none_means="paths", form={"widget": "rows"})

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        exactly_one(self, "paths", "volatility")
        fits = {PriceKind.GPU: ("gen_id",), PriceKind.MARKET: ("gen_id", "tier"), PriceKind.ENERGY: ("price_zone",)}[self.price]
        for name in ("gen_id", "tier", "price_zone"):
            if getattr(self, name) is not None and name not in fits:
                raise ValueError(f"{name} does not go with the {self.price.value} price, which takes {' and '.join(fits)}")
        return self


class Uncertainty(Strict):
    """All sources of uncertainty of a dataset."""

    schema_version: Whole = count("version of this format", "", least=1, most=1)
    name: Text = field("name of these scenarios")
    slip: tuple[Slip, ...] = field("power that may come late", default=(), form={"widget": "rows"})
    cause: tuple[Cause, ...] = field("common causes of late power", default=(), form={"widget": "rows"})
    event: tuple[Occasion, ...] = field("events made of changes", default=(), form={"widget": "rows"})
    price: tuple[Price, ...] = field("prices", default=(), form={"widget": "rows"})

    def named(self) -> Iterator[tuple[str, int, Source]]:
        """Kind, index from 0 and source, in the order in which their changes are made."""
        kinds: dict[str, tuple[Source, ...]] = {"slip": self.slip, "cause": self.cause, "event": self.event, "price": self.price}
        for kind, sources in kinds.items():
            for index, source in enumerate(sources):
                yield kind, index, source
