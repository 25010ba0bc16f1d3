"""A tenth of the soak of explanations: planted conflicts, why-not answers planned anew, prices solved again; and its report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import soak_explain
from benchmarks.planted import feasible, repaired
from benchmarks.soak_explain import Checked, Explained, Priced, checked, explained, planted, priced, questions
from models.files import read_dataset
from models.tables import Directive
from optimizer.explain.conflict import explain_conflict

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def conflicts() -> list[Explained]:
    return [explained(p) for p in planted(10)]


def test_every_planted_rule_is_named(conflicts: list[Explained]) -> None:
    """Of two conflicts that share a rule the second may show only once the first is resolved."""
    single = [e for e in conflicts if len(e.kinds) == 1]
    assert [(e.kinds, e.named) for e in single] == [(e.kinds, e.planted) for e in single]
    assert sum(e.named for e in conflicts) >= 0.9 * sum(e.planted for e in conflicts)
    assert all(e.irreducible for e in conflicts)
    assert len({kind for e in conflicts for kind in e.kinds}) >= 8
    assert any(len(e.kinds) > 1 for e in conflicts)


def test_the_cheapest_repair_makes_it_feasible(conflicts: list[Explained]) -> None:
    tried = [e.repaired for e in conflicts if e.repaired is not None]
    assert len(tried) >= 5
    assert all(tried)


def test_a_planted_conflict_is_one_and_a_repair_that_gives_less_is_none() -> None:
    """The judge is HiGHS on the whole model: what is planted is infeasible, also when the repair gives half of what it says."""
    p = next(planted(1))
    assert not feasible(p.dataset)
    assert feasible(p.base.dataset)
    found = explain_conflict(p.dataset)
    assert found is not None
    assert not found.beside
    half = tuple(replace(r, ways=tuple(replace(w, amount=w.amount / 2) for w in r.ways)) for r in found.repairs)
    less = repaired(p.dataset, replace(found, repairs=half))
    assert less is not None
    assert not feasible(less)
    assert {d.row for d in p.dataset.rows(Directive)} >= p.rules | {"innocent-0"}


def test_why_not_agrees_with_a_plan_from_nothing() -> None:
    """And an answer whose cost is told 1000 USD too low would be seen."""
    dataset = read_dataset(ROOT / "data" / "teaching" / "late-megawatt")
    made = soak_explain.plan(dataset, gap=0, threads=1)
    inst = soak_explain.Instance(dataset)
    wish = soak_explain.Wish(
        float(inst.gen_rows[inst.gens[0]].gpus_per_rack), inst.gens[0], inst.sites[-1], None, inst.calendar.label(inst.T - 1)
    )
    told, found = checked(dataset, made, wish)
    assert (told.right, told.possible) == (True, "yes"), told
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(soak_explain, "why_not", lambda *_: replace(found, cost_usd=(found.cost_usd or 0.0) - 1000.0))
        assert not checked(dataset, made, wish)[0].right


def test_a_question_about_a_random_dataset() -> None:
    (told,) = questions(1)
    assert told.right, told


def test_no_price_is_below_what_a_unit_gains() -> None:
    found = priced("late-megawatt", read_dataset(ROOT / "data" / "teaching" / "late-megawatt"), 0.0)
    assert found.confirmed + found.less > 0
    assert (found.unsolved, found.above) == (0, 0)


def test_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written from made-up results: one miss, one wrong answer; the exit code says so."""
    one = Explained(("water",), 2, 2, 1, True, True, 0.5, 2.0)
    answers = [Checked("w", "yes", 10.0, 10.0, True, 1.0, 2.0), Checked("v", "no", None, 5.0, False, 1.0, 2.0)]
    made = [Priced("d", 3, 1, 0, (0.001, 0.01, 0.02), (0.5,), 0, 1.0)]
    text = soak_explain.report([one, replace(one, named=1, repaired=None)], answers, made, [("much", True, 40.0, 80.0)])
    assert "3 of 4 planted rules named (75.0 %)" in text
    assert "after the cheapest repair in 1 of 1" in text
    assert "**1 of 2 agree**" in text
    assert "| v | no | – | 5 | **no** |" in text
    assert "| water | 2 | 4 | 3 | 1 of 1 | 0.50 (0.50 to 0.50) | 0.25 (0.25 to 0.25) |" in text
    assert "1.0000 % (0.1000 to 2.0000)" in text
    assert "| much | yes | 40 | 80 |" in text
    monkeypatch.setattr(soak_explain, "planted", lambda count: iter(()))
    monkeypatch.setattr(soak_explain, "questions", lambda count: iter(answers[:1]))
    monkeypatch.setattr(soak_explain, "datasets", lambda: iter(()))
    assert soak_explain.main(["--out", str(tmp_path)]) == 0
    assert [p.name for p in tmp_path.iterdir()] == ["SOAK-EXPLAIN.md"]
    monkeypatch.setattr(soak_explain, "questions", lambda count: iter(answers))
    assert soak_explain.main(["--out", str(tmp_path)]) == 1
