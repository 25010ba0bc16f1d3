"""Large random instances of a GPU cloud: any number of sites, any seed, every feature of the dataset.

    python -m benchmarks.instances --sites 32 --seed 1 -o instance-32-1

Magnitudes and tightness are those of ``data/reference-2025q4``: about 80 MW of firm IT power per site, supply,
market and budget by the power of all sites, contracts by the power of their neighbourhood of about 32 sites.
Duties are what the fleet at the start delivers already, so every instance is feasible.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.instance_contracts import add_contracts
from benchmarks.instance_directives import add_customer_share, add_directives
from benchmarks.instance_draft import PERIODS, START, Draft
from benchmarks.instance_energy import add_budget, add_carbon_cap, add_energy
from benchmarks.instance_fleet import add_fleet
from benchmarks.instance_grid import add_grid, add_links, add_price_zones
from benchmarks.instance_hardware import add_hardware, add_supply
from benchmarks.instance_places import add_places
from benchmarks.instance_sites import add_sites
from models.dataset import Dataset
from models.faults import InputError, StorageError
from models.files import write_dataset

FEWEST = 4
"""Sites of the smallest instance; from 8 sites on every feature of the dataset occurs."""


def instance(sites: int, seed: int) -> Dataset:
    """A checked dataset of 29 quarters from 2025-Q4; the same for the same arguments.

    Args:
        sites: number of sites, at least 4.
        seed: of the random numbers, at least 0.

    Raises:
        ValueError: too few sites or a negative seed.
    """
    if sites < FEWEST or seed < 0:
        raise ValueError(f"sites must be at least {FEWEST} and seed at least 0; found {sites} and {seed}")
    d = Draft(sites, seed)
    add_places(d)
    add_price_zones(d)
    add_grid(d)
    add_sites(d)
    add_links(d)
    add_hardware(d)
    add_supply(d)
    add_fleet(d)
    add_energy(d)
    deals = add_contracts(d)
    add_carbon_cap(d)
    add_budget(d)
    settings = {
        "schema_version": 1,
        "name": f"instance-{sites}-{seed}",
        "start": START,
        "periods": PERIODS,
        "discount_rate": d.pick(0.09, 0.12, 3),
    }
    settings |= add_customer_share(d, deals)
    add_directives(d, deals)
    return Dataset.build(settings, **d.tables)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.instances", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sites", type=int, required=True, help="number of sites, at least 4")
    parser.add_argument("--seed", type=int, default=1, help="of the random numbers, at least 0")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for the dataset")
    given = parser.parse_args()
    try:
        write_dataset(instance(given.sites, given.seed), given.output)
    except (ValueError, InputError, StorageError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
