"""Every constraint and every term of NPV has a test of its own."""

from __future__ import annotations

import importlib
from pathlib import Path

from models.plan import NPV_TERMS
from optimizer.formulation import all_constraints
from tests.optimizer.cover import COVERED

FOLDER = Path(__file__).parent / "blocks"
BOUNDS = ("rack_size", "install_window", "market_depth", "serving_allowed", "serving_eligible", "customer_share")
"""Rules that stand in the bounds and index sets of variables."""


def load() -> None:
    """Import the tests of all blocks, so that their marks count."""
    for path in sorted(FOLDER.glob("test_*.py")):
        importlib.import_module(f"tests.optimizer.blocks.{path.stem}")


def test_every_constraint_has_a_test_in_which_it_binds() -> None:
    load()
    assert sorted(name for name in {*all_constraints(), *BOUNDS} if name not in COVERED) == []


def test_every_term_of_npv_has_a_test_by_hand() -> None:
    load()
    assert sorted(name for name in NPV_TERMS if name not in COVERED) == []


def test_the_register_names_only_what_exists() -> None:
    load()
    assert sorted(name for name in COVERED if name not in {*all_constraints(), *BOUNDS, *NPV_TERMS}) == []
