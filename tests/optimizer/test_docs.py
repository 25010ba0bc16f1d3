"""The chapter on the model is the one that the code writes."""

from __future__ import annotations

from pathlib import Path

from optimizer.docs import model_reference_markdown
from optimizer.formulation import all_constraints

DOCS = Path(__file__).resolve().parents[2] / "docs"


def test_the_committed_chapter_is_the_generated_one() -> None:
    assert (DOCS / "model.md").read_text(encoding="utf-8") == model_reference_markdown(), "run: make docs"


def test_every_constraint_says_its_reason_formula_and_unit() -> None:
    for constraint in all_constraints().values():
        assert 1 <= constraint.number <= 18
        doc = constraint.rule.__doc__ or ""
        assert constraint.reason.endswith(("). ", ").")), constraint.name
        assert any(sign in doc for sign in ("=", "<=", ">=")), constraint.name
