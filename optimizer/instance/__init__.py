"""The dataset as arrays: everything of model.md that follows from data alone, ready for the blocks.

Sites, generations, contracts and blocks keep their ids; periods are indices 0..T-1. Arrays are
indexed by position in ``sites``, ``gens``, ``contracts``. Power is in MW, money in USD here; the
blocks turn it into discounted million USD.
"""

from optimizer.instance.base import ROUND_UP, Bools, Floats, Pair, steps
from optimizer.instance.money import MoneyData


class Instance(MoneyData):
    """What the model needs to know of a dataset; each concept stands in a file of this package.

    Args:
        dataset: a checked dataset.
    """


__all__ = ["ROUND_UP", "Bools", "Floats", "Instance", "Pair", "steps"]
