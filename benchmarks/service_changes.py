"""The changes that the service is measured with: three or more of each type, drawn by a seed for the reference dataset.

    python -m benchmarks.service_changes

writes ``service_changes.json``; a test compares the file with what the seed gives.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models.changes import CHANGES, Change, ChangeError, apply, read_changes
from models.dataset import Dataset
from models.files import read_dataset
from models.files.atomic import write_bytes
from models.tables import Generation

HERE = Path(__file__).parent
DATASET = HERE.parent / "data" / "reference-2025q4"
FILE = HERE / "service_changes.json"
SEED = 20_251
EACH = 3
"""Changes of each type."""
TRIES = 500
"""Draws of a change until one is of a realistic size, has an effect and is new."""
SHARES = (0.10, 0.30)
"""Of what is cut or derated."""
FACTORS = (0.80, 1.20)
"""On prices, quantities and limits."""
PERIODS = (1, 3)
"""By which something slips."""
POINTS = 0.03
"""By which the discount rate moves at most."""
ENOUGH = 1e-9
"""Slack of a comparison of decimal fractions."""
SUBJECT = ("contract_id", "site_id", "gen_id", "block_id", "node_id", "price_zone", "tier")


def realistic(dataset: Dataset, change: Change) -> bool:
    """Whether a change is of a size that planners ask about: a cut of 10 to 30 %, a factor of 0.8 to 1.2, a slip of 1 to 3 periods."""

    def between(name: str, low: float, high: float) -> bool:
        value = getattr(change, name, None)
        return value is None or low - ENOUGH <= value <= high + ENOUGH

    rate = getattr(change, "discount_rate", None)
    moved = rate is None or 0 < abs(rate - dataset.settings.discount_rate) <= POINTS + ENOUGH
    shares = all(between(name, *SHARES) for name in ("cut_share", "derate_share"))
    return shares and between("factor", *FACTORS) and between("delay_periods", *PERIODS) and moved and timely(dataset, change)


def timely(dataset: Dataset, change: Change) -> bool:
    """Whether a change of racks bought falls into periods in which they can be: else no plan would notice it."""
    gen_id = getattr(change, "gen_id", None)
    if gen_id is None or not (change.type == "supply.price" or getattr(change, "decision", "") == "installed"):
        return True
    index, last = dataset.calendar.index, dataset.calendar.periods - 1
    gen = next(row for row in dataset.rows(Generation) if row.gen_id == gen_id)
    begin = index(getattr(change, "from_period", None) or dataset.calendar.start)
    end = index(getattr(change, "to_period", None) or dataset.calendar.label(last))
    return begin <= index(gen.last_install) and index(gen.first_install) <= end


def drawn(dataset: Dataset, seed: int = SEED, each: int = EACH) -> list[Change]:
    """Changes of every type, type after type and round after round, so that the first ones have one of each.

    Every one can be carried out by itself, without a warning, and is realistic; no two are alike, and those of one type are of
    different sites, contracts or whatever they are about, as far as the dataset has so many.

    Raises:
        ValueError: the dataset has not so many changes of a type.
    """
    rng = random.Random(seed)
    found: list[Change] = []
    for _ in range(each):
        found += [_one(dataset, rng, name, [change for change in found if change.type == name]) for name in CHANGES]
    return found


def _one(dataset: Dataset, rng: random.Random, name: str, earlier: Sequence[Change]) -> Change:
    about = {subject(change) for change in earlier}
    for number in range(TRIES):
        change = CHANGES[name].sample(dataset, rng)
        if change is None or change in earlier or (subject(change) in about and number < TRIES // 2):
            continue
        if realistic(dataset, change) and sound(dataset, change):
            return change
    raise ValueError(f"{dataset.settings.name} has not {len(earlier) + 1} changes of the type {name}")


def subject(change: Change) -> tuple[Any, ...]:
    """What a change is about; the change itself where it names nothing."""
    ids = tuple(getattr(change, name, None) for name in SUBJECT)
    return ids if any(hasattr(change, name) for name in SUBJECT) else (change,)


def sound(dataset: Dataset, change: Change) -> bool:
    """Whether a change alters the dataset, leaves it without faults, and warns of nothing; one that needs a plan counts as sound."""
    try:
        return not apply(dataset, [change]).warnings
    except ChangeError as error:
        return all(fault.code == "no_baseline" for fault in error.faults)


def document(dataset: Dataset, seed: int = SEED, each: int = EACH) -> str:
    """The file's content: the dataset's hash, the seed, and a change a line with its sentence."""
    lines = []
    for change in drawn(dataset, seed, each):
        plain = {"type": change.type, **change.model_dump(mode="json", exclude_defaults=True)}
        lines.append(json.dumps({"sentence": change.sentence(dataset), "change": plain}, ensure_ascii=False))
    head = f'{{\n"dataset": "{dataset.sha256}",\n"seed": {seed},\n"each": {each},\n"changes": [\n'
    return head + ",\n".join(lines) + "\n]\n}\n"


def read(dataset: Dataset, path: Path = FILE) -> list[Change]:
    """The changes of a file.

    Raises:
        ValueError: they were drawn for another dataset.
        models.changes.ChangeError: one can't be read.
    """
    plain = json.loads(path.read_text(encoding="utf-8"))
    if plain["dataset"] != dataset.sha256:
        raise ValueError(f"{path.name}: drawn for another dataset; python -m benchmarks.service_changes draws anew")
    return read_changes([line["change"] for line in plain["changes"]])


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.service_changes", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--each", type=int, default=EACH, help="changes of each type")
    parser.add_argument("--out", type=Path, default=FILE)
    given = parser.parse_args(arguments)
    write_bytes(given.out, document(read_dataset(DATASET), given.seed, given.each).encode())


if __name__ == "__main__":
    main()
