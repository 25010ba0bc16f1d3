"""The report, from made-up results whose figures follow by hand (see ``made_up``)."""

from __future__ import annotations

import importlib.util
import math
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from benchmarks.build_speed import OURS
from benchmarks.figures import compared, known, ratio, sound
from benchmarks.goals import goals
from benchmarks.measures import AtLeast
from benchmarks.parts import ablation, builds, exponent, generated, growing, hand_over, infeasible, missed, percentile, quicker, whatifs
from benchmarks.report import report, write
from benchmarks.runs import REFERENCE, append, read
from benchmarks.words import NONE, least, number, percent, seconds, spread_of, table


def _made_up() -> ModuleType:
    """The module beside this one, which pytest's way of importing does not find by its name."""
    name = "made_up_results"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("made_up.py"))
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


made_up = _made_up()


def test_times_gaps_and_ratios_on_the_reference() -> None:
    peers = compared(made_up.reference())[REFERENCE]
    ours, highs = peers["wattplan"], peers["highs"]
    assert ours.known.npv == 1000.0
    assert ours.known.bound == 1002.0  # SCIP's, though its plan is poor
    assert ours.proven(0.01) == [8.0, 10.0, 20.0]
    assert ours.proven(0.003) == [30.0, 40.0, 50.0]
    assert ours.proven(0.001) == [math.inf] * 3
    assert ours.own_gap == pytest.approx([0.003] * 3)
    assert ours.best_gap == pytest.approx([0.002] * 3)
    assert ours.within(0.003) == [8.0, 10.0, 20.0]  # the plan is that good long before its own bound says so
    assert highs.proven(0.01) == [80.0]
    assert highs.best_gap == pytest.approx([7 / 995])
    assert ratio(ours, highs, 0.01) == AtLeast(8.0, True)
    assert ratio(ours, highs, 0.003) == AtLeast(100 / 40, False)
    assert ratio(ours, highs, 0.001) is None
    # half away from 2 to 8 s, nothing before
    assert ours.integral[0] == pytest.approx(2.0 + 6 * 0.5)
    assert peers["spreadsheet"].best_gap == pytest.approx([752 / 250])
    assert highs.peak_gib == [1.0]


def test_a_bound_that_a_checked_plan_proves_false_is_not_taken() -> None:
    wrong = made_up.result(REFERENCE, "scip", [(90.0, 500.0, 999.0)], threads=1)
    results = [r for r in made_up.reference() if r.run.peer != "scip"] + [wrong]
    best = known(results, REFERENCE)
    assert best.bound == 1003.0
    assert best.false == (wrong.run.label,)
    assert compared(results)[REFERENCE]["scip"].remarks == "false bound"


def test_a_plan_that_breaks_the_model_is_not_the_best() -> None:
    broken = made_up.result(REFERENCE, "highs", [(9.0, 1001.0, 1002.0)], solution={"violation": 1e-3, "fraction": 0.0})
    halves = made_up.result(REFERENCE, "highs", [(9.0, 1001.0, 1002.0)], solution={"violation": 0.0, "fraction": 0.5})
    unchecked = replace(broken, solution={})
    assert not any(sound(r) for r in (broken, halves, unchecked))
    results = [r for r in made_up.reference() if r.run.peer != "highs"] + [broken]
    assert known(results, REFERENCE).npv == 1000.0
    assert compared(results)[REFERENCE]["highs"].remarks == "solution violates the model"


def test_only_searches_with_the_same_time_are_compared() -> None:
    short = [replace(r, run=replace(r.run, budget=60.0)) for r in made_up.reference() if r.run.peer in ("wattplan", "highs")]
    assert compared([*made_up.reference(), *short])[REFERENCE]["wattplan"].budget == 100.0
    # a longer run of ours alone is no comparison
    long = [replace(r, run=replace(r.run, budget=900.0)) for r in made_up.reference() if r.run.peer == "wattplan"]
    assert compared([*made_up.reference(), *long])[REFERENCE]["highs"].budget == 100.0
    assert compared(long) == {}


def test_generated_instances_count_at_their_budget_where_not_reached() -> None:
    here = generated(compared(made_up.generated()), 0.01)
    assert here["wattplan"].mean == AtLeast(pytest.approx(20.0), True)
    assert here["wattplan"].worst == AtLeast(40.0, True)
    assert here["highs"].mean == AtLeast(pytest.approx((80 * 100.0**9) ** 0.1), False)
    assert here["highs"].worst == AtLeast(100.0, False)
    assert list(here["highs"].times) == [f"gen-32-{seed}" for seed in range(1, 11)]


def test_ablation_is_against_the_whole_planner_on_the_same_instances() -> None:
    whole, b, a = ablation(made_up.ablations(), 0.01)
    assert (whole.without, whole.mean, whole.times) == ("", AtLeast(pytest.approx(10.0), True), None)
    assert (a.without, a.mean, a.times) == ("a", AtLeast(pytest.approx(80.0), True), AtLeast(pytest.approx(8.0), True))
    assert (b.without, b.mean.value, b.mean.exact, b.reached, b.count) == ("b", pytest.approx(180.0), False, 0, 2)
    assert b.times == AtLeast(pytest.approx(18.0), False)
    assert b.gap == pytest.approx(1.01)  # against the best bound, 100.5
    assert a.gap == pytest.approx(0.005)
    assert ablation(made_up.reference(), 0.01) == []


def test_building_by_way_and_step() -> None:
    ways = builds(made_up.builds())
    assert ways[OURS].build == [1.0, 2.0, 3.0]
    assert ways[OURS].after == [1.0] * 3
    assert ways[OURS].total == [2.0, 3.0, 4.0]
    assert ways["other"].total == [12.0] * 3
    assert hand_over(made_up.builds(), OURS) == 0.25
    assert math.isnan(hand_over([], OURS))


def test_growth_leaves_sizes_out_that_are_not_reached() -> None:
    sizes = growing([*made_up.generated(), *made_up.growth()], 0.01)
    assert [(s.sites, len(s.results), s.times, s.peak_gib) for s in sizes] == [
        (32, 1, [10.0], 1.0), (128, 1, [40.0], 2.0), (512, 1, [160.0], 5.0),
    ]  # fmt: skip
    fitted = exponent(sizes)
    assert fitted is not None
    assert fitted.exponent == pytest.approx(1.0)
    assert missed(sizes) == []
    late = growing([*made_up.generated(), *made_up.growth(late=True)], 0.01)
    assert [s.sites for s in missed(late)] == [512]
    fitted = exponent(late)
    assert fitted is not None
    assert fitted.exponent == pytest.approx(1.0)  # of 32 and 128
    assert exponent(late[:1]) is None


def test_answers_to_changes() -> None:
    changes = whatifs(made_up.whatifs())
    assert [c.seconds for c in changes] == [1.0, 1.0, 2.0, 4.0, math.inf]
    assert [c.anew for c in changes] == [20.0, math.inf, 20.0, 20.0, 20.0]
    assert [c.ratio for c in changes] == [AtLeast(20.0, True), AtLeast(60.0, False), AtLeast(10.0, True), AtLeast(5.0, True), None]
    assert infeasible(made_up.whatifs()) == 1
    found = quicker(changes)
    assert found is not None
    assert found[0] == AtLeast(10.0, True)
    assert quicker([]) is None


def test_percentile_is_the_nearest_rank() -> None:
    values = [float(v) for v in range(20, 0, -1)]
    assert percentile(values, 0.95) == 19.0
    assert percentile(values, 1.0) == 20.0
    assert percentile([*values, math.inf], 0.95) == 20.0
    assert math.isnan(percentile([], 0.95))


def verdicts(results: list[object]) -> list[tuple[str, str]]:
    """Figure and verdict of each goal."""
    return [(goal.measured, goal.verdict) for goal in goals(results)]


def test_goals_are_judged_by_the_figures() -> None:
    assert verdicts(made_up.everything()) == [
        ("10.0 (9.00 to 15.0) s", "reached"),
        ("40.0 (35.0 to 45.0) s", "reached"),
        ("> 100 s", "not measured"),  # 100 s were given, the goal is 600
        ("8.00 times", "not reached"),
        ("20.0 s", "reached"),
        ("40.0 s", "reached"),
        ("1.25 s at 160,000 nonzeros", "reached"),
        ("12.50 %", "not reached"),  # of 8, 10 and 20 s: median 1.25 / 10
        ("2.00 s (5 changes)", "reached"),
        ("gap not reached (5 changes)", "not reached"),
        ("10.0 times (5 changes)", "reached"),
        ("n^1.00 ± 0.00 from 32 to 512 sites", "reached"),
        ("5.00 GiB", "reached"),
    ]


def test_a_goal_with_more_time_is_judged_by_the_longest_run() -> None:
    one = next(r for r in made_up.reference() if r.run.peer == "wattplan")
    longer = replace(one, trajectory=[(400.0, 1000.0, 1000.5)], run=replace(one.run, budget=600.0))
    found = verdicts([*made_up.everything(), longer])
    assert found[2] == ("400 s", "reached")
    assert found[:2] == verdicts(made_up.everything())[:2], "the others are judged where the searches stand side by side"


def test_goals_that_were_not_measured_are_not_reached_either() -> None:
    assert {verdict for _, verdict in verdicts([])} == {"not measured"}
    few = [r for r in made_up.generated() if r.run.instance in ("gen-32-1", "gen-32-2")]
    assert verdicts(few)[4:6] == [("10.0 s (of 2)", "not measured"), ("10.0 s (of 2)", "not measured")]


def test_goals_missed() -> None:
    slow = [replace(r, trajectory=[(150.0, 100.0, 100.5)], run=replace(r.run, budget=180.0)) for r in made_up.generated()]
    assert verdicts(slow)[4] == ("150 s", "not reached")
    never = [replace(r, trajectory=[(9.0, 50.0, 100.5)], npv=50.0, run=replace(r.run, budget=180.0)) for r in made_up.generated()]
    assert verdicts(never)[4:6] == [("≥ 180 s; not reached on 10", "not reached")] * 2
    late = verdicts([*made_up.generated(), *made_up.growth(late=True)])
    assert late[11] == ("n^1.00 from 32 to 128 sites; 1 % not reached at 512 sites", "not reached")


def test_highs_alone_not_reaching_the_gap_is_a_goal_reached() -> None:
    results = [replace(r, trajectory=[(9.0, 500.0, 1002.0)]) if r.run.peer == "highs" else r for r in made_up.reference()]
    assert verdicts(results)[3] == ("≥ 10.0 times; HiGHS alone does not reach it in 100 s", "reached")
    ours = [replace(r, trajectory=[(9.0, 500.0, 1002.0)]) if r.run.peer == "wattplan" else r for r in made_up.reference()]
    assert verdicts(ours)[3] == ("1 % not reached", "not reached")


def test_the_report_holds_every_part_and_is_written_whole(tmp_path: Path) -> None:
    results = [*made_up.everything(), *made_up.ablations(), replace(made_up.result("gen-32-9", "scip", []), outcome="killed", note="hung")]
    path = tmp_path / "results.jsonl"
    for result in results:
        append(path, result)
    write(read(path), tmp_path)
    write(read(path), tmp_path)  # over an older one
    text = (tmp_path / "RESULTS.md").read_text()
    for line in (
        "- Machine: Test CPU, 2 cores, 8.0 GiB, Linux x86_64",
        "- Versions: python 3.11.7, highspy 1.15.1",
        "- Commit: 0123456789ab",
        "- Seeds of the solvers: 0, 1, 2; threads: 1, 2",
        "| Wattplan | 3 | 0.30 % | 10.0 (9.00 to 15.0) | 40.0 (35.0 to 45.0) | > 100 | 8.00 times | 0.500 |  |",
        "| spreadsheet rule | 1 | 300.80 % | > 100 | > 100 | > 100 | 75.2 |",
        "| **geometric mean** | 20.0 | ≥ 97.8 |",
        "| without a | 80.0 | 8.00 | 2 of 2 | 0.50 % | 40.0 | 160 |",
        "| other | 4.00 | 8.00 | 12.0 | 8.0 | 4.0 |",
        "| 512 | 1 | 100 | 200 | 160,000 | 3000 | 160 | 5.00 |",
        "| **all** | 5 | 2.00 | > 60 | 20.0 | 10.0 (5.00 to 20.0) | 4 | 4 |",
        "- gen-32-9 scip seed 0, 100 s: killed; hung",
    ):
        assert line in text, line
    names = {path.stem for path in (tmp_path / "pictures").iterdir()}
    assert names == {"progress", "generated", "ablation", "building", "growth", "whatif"}
    assert all(f"pictures/{name}.svg" in text for name in names)
    assert all(path.read_text().startswith("<svg") for path in (tmp_path / "pictures").iterdir())
    assert {path.name for path in tmp_path.iterdir()} == {"results.jsonl", "RESULTS.md", "pictures"}


def test_no_results_are_no_figures() -> None:
    drawn: dict[str, object] = {}
    assert "No results yet" in report([], drawn)
    only = report([made_up.result(REFERENCE, "wattplan", [])], drawn)
    assert "Goals" in only
    assert drawn == {}


def test_figures_in_words() -> None:
    assert [number(v) for v in (0.0, 0.1234, 4.567, 12.34, 456.7, 7890.4, 9.999e-5, math.inf)] == [
        "0", "0.123", "4.57", "12.3", "457", "7,890", "0.000", NONE,
    ]  # fmt: skip
    assert percent(0.01234) == "1.23 %"
    assert percent(math.inf) == NONE
    assert spread_of([1.0, 2.0, 3.0]) == "2.00 (1.50 to 2.50)"
    assert spread_of([]) == NONE
    assert seconds([1.0, 2.0, math.inf], 60.0) == "2.00 (1.50 to > 60)"
    assert seconds([1.0, math.inf, math.inf, math.inf], 60.0) == "> 60"
    assert seconds([5.0], 60.0) == "5.00"
    assert least(AtLeast(10.0, False), " times") == "≥ 10.0 times"
    assert least(None) == NONE
    assert table(("a", "b"), [("x|y", "1")]) == "| a | b |\n| --- | ---: |\n| x\\|y | 1 |"
