"""Kinds of contracts, after those of the reference dataset."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.instance_hardware import AIR, BLACKWELL, HOPPER, NEW

OLD = (*HOPPER, "b200_hgx", *BLACKWELL)
MODERN = (*BLACKWELL, *NEW)
LATE = ("gb300_nvl72", *NEW)


@dataclass(frozen=True)
class Offer:
    """A kind of contract.

    Attributes:
        buyer: number of the customer in a cell; contracts of the same one share it.
        base: generation whose GPU is one contract GPU.
        gens: generations that may serve, where the instance has them.
        span: first and last period, as indices of the horizon.
        ramp: periods from the first step to the whole.
        gpus: contract GPUs at the reference's size; where ``held`` is given only the most.
        held: share of the fleet's free GPUs that the contract receives already.
        where: zones of the cell: large, middle, small, north.
        pick: what of them: all (``zones``), ``one`` or ``two`` sites, a ``list`` of smaller sites, or the site whose power slips (``slip``).
        cluster: smallest delivery of a site as a share of the whole.
        duty: largest share short, and the periods before it holds.
    """

    kind: str
    buyer: int
    firm: bool
    base: str
    gens: tuple[str, ...]
    span: tuple[int, int]
    ramp: int
    gpus: float
    usd: float
    where: tuple[str, ...] = ("large",)
    pick: str = "zones"
    held: float = 0.0
    max_sites: int | None = None
    cluster: float = 0.0
    cluster_grace: int = 2
    rtt: float | None = None
    duty: tuple[float, int] | None = None
    load: float = 0.8
    move: float = 900.0
    shuns_slip: bool = False


GB200, GB300, VR, ULTRA = "gb200_nvl72", "gb300_nvl72", "vr_nvl144", "rubin_ultra_nvl576"

ALWAYS: tuple[Offer, ...] = (
    Offer("named", 9, True, GB200, BLACKWELL, (-3, 8), 0, 2500, 3.0, pick="one", held=0.7, duty=(0.1, 1)),
    Offer("hopper_duty", 3, True, "h100", OLD, (-9, 7), 1, 17000, 2.2, held=0.12, duty=(0.2, 1)),
    Offer("hopper_base", 0, True, "h100", OLD, (-9, 16), 7, 94000, 2.2, held=0.55),
    Offer("train_2025", 1, True, GB200, BLACKWELL, (0, 19), 3, 98000, 3.0, pick="slip"),
    Offer("train_2026a", 1, True, GB200, BLACKWELL, (1, 13), 3, 53000, 3.0, max_sites=4, cluster=0.19, rtt=32),
    Offer("train_2026b", 1, True, GB300, LATE, (3, 21), 3, 53000, 3.2, max_sites=3, cluster=0.28),
    Offer("train_2026c", 2, True, GB300, BLACKWELL, (1, 24), 4, 92000, 3.2, max_sites=5, cluster=0.13, shuns_slip=True),
    Offer(
        "frontier_site",
        5,
        False,
        GB300,
        LATE,
        (3, 22),
        3,
        50000,
        3.35,
        max_sites=1,
        cluster=1.0,
        cluster_grace=1,
        duty=(0.3, 3),
        shuns_slip=True,
    ),
    Offer("pair_near", 6, False, GB300, ("gb300_nvl72",), (1, 16), 4, 40000, 3.2, max_sites=2, cluster=0.25, rtt=18, duty=(0.1, 0)),
    Offer("sovereign", 10, False, GB300, MODERN, (3, 24), 4, 34000, 3.8, where=("middle", "north"), max_sites=3, cluster=0.08),
    Offer("research", 12, False, "h100", ("a100", *HOPPER), (2, 18), 2, 28000, 1.45, where=("large", "middle", "small")),
    Offer("inference", 13, False, "h100", (*OLD, *NEW), (2, 17), 3, 38000, 2.6, pick="list", rtt=55, load=0.6, move=300),
)
"""Every cell has these, however small: between them they use every column of a contract."""

USUAL: tuple[Offer, ...] = (
    Offer("hyper_2028", 4, False, VR, NEW, (9, 28), 6, 130000, 4.0, max_sites=4, cluster=0.154, rtt=40),
    Offer("hyper_2027", 3, False, VR, NEW, (7, 27), 4, 50000, 4.15, max_sites=3, cluster=0.24, rtt=40),
    Offer("train_2027", 2, False, VR, LATE, (5, 28), 4, 104000, 4.2, max_sites=5, cluster=0.145, shuns_slip=True),
    Offer("hopper_list", 7, True, "h100", OLD, (-5, 14), 2, 36000, 2.35, held=0.6, load=0.6, move=300),
    Offer("blackwell_home", 8, True, GB200, BLACKWELL, (-2, 18), 1, 22000, 3.0, held=0.3),
    Offer("frontier_2028", 5, False, ULTRA, ("rubin_ultra_nvl576",), (10, 28), 6, 75000, 8.2, max_sites=4, cluster=0.24),
    Offer("hopper_abroad", 7, True, "h100", OLD, (-3, 16), 1, 24000, 2.6, where=("middle", "small"), held=0.75, load=0.6, move=300),
    Offer("sovereign_small", 11, False, GB300, MODERN, (5, 24), 4, 20000, 4.2, where=("small",)),
    Offer("blackwell_north", 8, True, GB200, BLACKWELL, (-2, 20), 1, 8000, 3.1, where=("north", "middle"), held=0.6),
    Offer("pair_sites", 9, True, GB200, BLACKWELL, (-2, 8), 0, 2000, 3.3, pick="two", held=0.8),
    Offer("lab_abroad", 14, True, GB200, BLACKWELL, (-2, 6), 0, 3000, 3.3, where=("middle", "north"), held=0.5),
    Offer("hopper_renewal", 3, False, "h100", OLD, (8, 23), 0, 17000, 1.65),
    Offer("train_renewal", 1, False, VR, LATE, (14, 28), 3, 100000, 3.8),
    Offer("base_renewal", 0, False, "h100", (*OLD, *NEW), (17, 28), 0, 60000, 1.65),
)
"""A cell of 32 sites has these too; a smaller one the first of them."""

EXTRA: tuple[Offer, ...] = (
    Offer("burst", 6, False, GB200, BLACKWELL, (4, 12), 2, 15000, 2.95, max_sites=2, cluster=0.3),
    Offer("enterprise_2029", 15, False, VR, NEW, (13, 28), 4, 30000, 3.7),
    Offer(
        "inference_abroad",
        13,
        False,
        "h100",
        (*AIR, *MODERN),
        (4, 19),
        3,
        15000,
        2.7,
        where=("middle", "small"),
        pick="list",
        load=0.6,
        move=300,
    ),
    Offer("sovereign_north", 10, False, VR, NEW, (9, 26), 3, 8000, 4.3, where=("north",)),
)
"""A cell has some of these."""
