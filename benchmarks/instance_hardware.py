"""GPU generations of an instance, their prices, supply and market."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.instance_draft import PERIODS, Draft, Gpu


@dataclass(frozen=True)
class Type:
    """A generation as in the reference dataset.

    Attributes:
        window: first and last period of installation.
        usd: price per GPU at its first period.
        worth: contract GPUs of an H100 that one counts for.
        market: on-demand USD per GPU-hour at the first period, and its factor from year to year.
        depth: GPUs that the on-demand and the bulk tier take at the reference's size.
        supply: racks by quarter from the first on, at the reference's size.
    """

    gen_id: str
    name: str
    gpus: int
    rack_kw: float
    liquid: float
    window: tuple[str, str]
    install: float
    opex: float
    residual: float
    usd: float
    worth: float
    market: tuple[float, float]
    depth: tuple[int, int]
    supply: tuple[str, tuple[int, ...]]


A100 = Type(
    "a100", "A100 SXM 80 GB (air)", 32, 28.6, 0.0, ("2020-Q3", "2023-Q4"), 10e3, 10.9e3, 0.2, 19e3, 0.55, (1.25, 0.80), (5000, 9000), ("2025-Q4", ())
)  # fmt: skip
H100 = Type(
    "h100", "H100 SXM 80 GB (air)", 32, 44.9, 0.0, ("2022-Q4", "2026-Q2"), 15e3, 20.7e3, 0.2, 36e3, 1.0, (2.2, 0.85), (15000, 35000), ("2025-Q4", (30, 20))
)  # fmt: skip
H200 = Type(
    "h200", "H200 SXM 141 GB (air)", 32, 44.9, 0.0, ("2024-Q3", "2026-Q2"), 15e3, 22.5e3, 0.25, 39e3, 1.14, (2.5, 0.84), (6000, 8000), ("2025-Q4", (30, 30, 20))
)  # fmt: skip
B200 = Type(
    "b200_hgx", "B200 HGX (air)", 32, 62.9, 0.0, ("2025-Q1", "2026-Q4"), 20e3, 27.6e3, 0.25, 48e3, 1.41, (3.05, 0.86), (4000, 6000),
    ("2025-Q4", (40, 80, 100, 100, 60)),
)  # fmt: skip
GB200 = Type(
    "gb200_nvl72", "GB200 NVL72", 72, 137.5, 0.79, ("2025-Q1", "2026-Q4"), 60e3, 70e3, 0.3, 54e3, 1.36, (3.15, 0.87), (9000, 18000),
    ("2025-Q4", (450, 350, 200, 100)),
)  # fmt: skip
GB300 = Type(
    "gb300_nvl72", "GB300 NVL72", 72, 154.0, 0.79, ("2025-Q3", "2028-Q2"), 65e3, 80.4e3, 0.3, 62e3, 1.45, (3.45, 0.88), (12000, 24000),
    ("2025-Q4", (400, 500, 700, 800, 850, 700, 550, 450, 350, 200, 100)),
)  # fmt: skip
RUBIN = Type(
    "vr_nvl144", "Vera Rubin NVL144 (72 packages)", 72, 220.0, 0.909, ("2026-Q4", "2031-Q4"), 80e3, 110.2e3, 0.35, 85e3, 1.91, (4.5, 0.87), (10000, 18000),
    ("2026-Q4", (150, 350, 450, 550, 600, 600, 600, 500, 500, 300, 300, 200, 200, 0, 150, 0, 150)),
)  # fmt: skip
ULTRA = Type(
    "rubin_ultra_nvl576", "Rubin Ultra NVL576 (144 packages)", 144, 660.0, 0.909, ("2027-Q4", "2032-Q4"), 220e3, 440.6e3, 0.4, 170e3, 3.86,
    (9.0, 0.88), (5000, 10000),
    ("2027-Q4", (15, 40, 70, 100, 120, 150, 150, 150, 150, 180, 180, 180, 180, 180, 180, 180, 180, 120, 120, 120, 120)),
)  # fmt: skip

AIR = ("a100", "h100", "h200", "b200_hgx")
HOPPER = ("h100", "h200")
BLACKWELL = ("gb200_nvl72", "gb300_nvl72")
NEW = ("vr_nvl144", "rubin_ultra_nvl576")


def _types(d: Draft) -> list[Type]:
    """Five to seven generations: what every fleet has, and some of the air-cooled ones beside the H100."""
    extra = d.some([A100, H200, B200], 0 if d.chance(0.1) else d.whole(1, 2))
    return sorted([H100, GB200, GB300, RUBIN, ULTRA, *extra], key=lambda kind: kind.worth)


def add_hardware(d: Draft) -> None:
    """Generations with life and residuals; the draft keeps what contracts and fleet need of them."""
    for kind in _types(d):
        kw = d.near(kind.rack_kw, 0.04, 1)
        life = d.whole(22, 26)
        d.gpus[kind.gen_id] = Gpu(kind.gen_id, kw, kind.gpus, kind.liquid, kind.worth, life)
        d.add(
            "generations", gen_id=kind.gen_id, name=kind.name, gpus_per_rack=kind.gpus, rack_kw=kw, liquid_share=kind.liquid,
            idle_share=d.pick(0.25, 0.35, 2), life_periods=life, first_install=kind.window[0], last_install=kind.window[1],
            install_usd_per_rack=kind.install, opex_usd_per_rack_year=d.near(kind.opex, 0.08, 0), residual_factor=kind.residual,
        )  # fmt: skip
        _prices(d, kind)
        _market(d, kind)


def _prices(d: Draft, kind: Type) -> None:
    """GPU prices that fall by 5 to 9 % a year, in half-yearly steps."""
    price, fall = d.near(kind.usd, 0.06), d.pick(0.05, 0.09)
    first = max(0, d.index(kind.window[0]))
    for t in range(first, PERIODS, 2):
        d.add("gpu_prices", gen_id=kind.gen_id, from_period=d.label(t), usd_per_gpu=round(price * (1 - fall) ** ((t - first) / 4), -1))


def _market(d: Draft, kind: Type) -> None:
    """Market prices of the on-demand and bulk tiers, which fall year by year, with a bump in the first two years."""
    level, factor = d.near(kind.market[0], 0.06), d.near(kind.market[1], 0.02)
    first = max(0, d.index(kind.window[0]))
    bump = d.pick(0.75, 1.0)
    path = [0.0] * PERIODS
    steps = [first, *range(max(first + 1, 1), PERIODS, 4)]
    for n, t in enumerate(steps):
        price = level * (bump if t == first and first == 0 else factor ** max(n - 1, 0))
        path[t:] = [round(price, 3)] * (PERIODS - t)
    d.market[kind.gen_id] = path


def add_supply(d: Draft) -> None:
    """Racks allocated and the depth of the market, by the power of all sites."""
    kinds = {kind.gen_id: kind for kind in (A100, H100, H200, B200, GB200, GB300, RUBIN, ULTRA)}
    tightness = d.pick(0.88, 1.1)
    for gen_id in d.gpus:
        kind = kinds[gen_id]
        first = d.index(kind.supply[0])
        for n, racks in enumerate(kind.supply[1]):
            count = round(racks * d.scale * tightness * d.near(1.0, 0.12))
            if count > 0 and first + n < PERIODS:
                d.add("supply", gen_id=gen_id, period=d.label(first + n), racks=count)
        _tiers(d, kind)


def _tiers(d: Draft, kind: Type) -> None:
    """Tiers of a generation: on demand, bulk, and a floor for the rack-scale ones until a few periods before the end."""
    path = d.market[kind.gen_id]
    bulk = d.pick(0.74, 0.82)
    depth = [round(gpus * d.scale * d.near(1.0, 0.1), -1) for gpus in kind.depth]
    first = next(t for t, price in enumerate(path) if price > 0)
    for t in range(first, PERIODS):
        if t == first or path[t] != path[t - 1]:
            for tier, price, gpus in (("on_demand", path[t], depth[0]), ("bulk", round(path[t] * bulk, 3), depth[1])):
                d.add("market", gen_id=kind.gen_id, tier=tier, from_period=d.label(t), usd_per_gpu_hour=price, max_gpus=gpus)
    if kind.gen_id in BLACKWELL or kind.gen_id == "vr_nvl144":
        price, gpus = round(0.55 * path[first], 2), round(depth[1] * 0.8, -1)
        for t, most in ((first, gpus), (PERIODS - 2, 0.0)):
            d.add("market", gen_id=kind.gen_id, tier="backstop", from_period=d.label(t), usd_per_gpu_hour=price, max_gpus=most)
