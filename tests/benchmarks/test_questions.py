"""The questions of docs/questions: their commands can be read, what they name is there, and the page is made of them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

import optimizer
from batch.cli import app
from batch.commands import plan_folder
from batch.commands.whatif import read_files
from benchmarks.questions import FOLDER, PAGE, ROOT, Answer, Question, answered, page, prepared, questions, shell
from models.changes import apply
from models.files import read_dataset
from tests.factories import small_dataset

ASKED = questions()


def commands(question: Question) -> list[list[str]]:
    """Arguments of every call of ``wattplan`` in the lines of a question."""
    calls = re.findall(r"^wattplan ([^|>\n]*)", question.run, flags=re.MULTILINE)
    return [shlex.split(call) for call in calls]


def test_there_are_twenty_questions_or_more_and_most_call_the_command() -> None:
    assert len(ASKED) >= 20
    assert len({q.ask for q in ASKED}) == len(ASKED)
    assert sum(bool(commands(q)) for q in ASKED) >= 10


@pytest.mark.parametrize("call", [call for q in ASKED for call in commands(q)], ids=" ".join)
def test_every_command_line_can_be_read(call: list[str]) -> None:
    command = typer.main.get_command(app)
    name, *arguments = call
    command.commands[name].make_context(name, list(arguments))  # type: ignore[attr-defined]
    named = [argument for argument in arguments if argument.startswith(("docs/", "data/"))]
    assert all((ROOT / path).exists() for path in named)


def test_files_of_changes_are_those_that_are_shown_and_apply_to_the_reference_dataset() -> None:
    dataset = read_dataset(ROOT / "data" / "reference-2025q4")
    shown = {name for q in ASKED for name in q.files}
    assert shown == {path.name for path in FOLDER.glob("*.yaml")} - {"questions.yaml"}
    changes = read_files([FOLDER / name for name in sorted(shown)])
    assert len(apply(dataset, changes).sentences) == len(changes) == len(shown)
    made: set[str] = set()
    for question in ASKED:
        made |= set(question.makes)
        assert set(re.findall(r"\bprices\.json\b(?=$| \|)", question.run, flags=re.MULTILINE)) <= made, "made before"
        used = set(re.findall(r"docs/questions/([\w-]+\.yaml)", question.run))
        assert used == set(question.files)


def test_the_page_asks_all_of_them_with_their_commands_and_answers() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert re.findall(r"^## \d+\. (.*)$", text, flags=re.MULTILINE) == [q.ask for q in ASKED]
    for block, question in zip(re.findall(r"```console\n(.*?)\n```", text, flags=re.DOTALL), ASKED, strict=True):
        lines = block.splitlines()
        told = [line.removeprefix("$ ") for line in lines[: len(question.run.splitlines())]]
        assert told == question.run.splitlines()
        assert len(lines) > len(told), f"{question.ask}: no answer"
    assert "error:" not in text
    assert not re.search(r"/(tmp|home|root)/", text)


def test_what_needs_no_solve_runs_on_any_plan(tmp_path: Path) -> None:
    """Two halls of 10 MW, each with air for 0.5 MW of racks that need air: most of the power is stranded."""
    dataset = small_dataset(
        power_blocks=[{"block_id": f"{s}-1", "site_id": s, "it_mw": 10.0, "air_mw": 0.5, "liquid_mw": 0.5} for s in "ab"]
    )
    plan_folder.write_all(tmp_path / "p", optimizer.plan(dataset, gap=0, threads=1), dataset, None)
    work = tmp_path / "work"
    prepared(work, tmp_path / "p")
    quick = {q.ask: q.run for q in ASKED if not re.search("wattplan|prices.json", q.run)}
    told = {ask: shell(run, work) for ask, run in quick.items() if "grep -c" not in run}
    assert len(told) >= 5
    assert "2026-Q1 h100 10 racks" in next(text for ask, text in told.items() if "orders" in ask)
    assert "air" in next(text for ask, text in told.items() if "stranded" in ask)
    with pytest.raises(RuntimeError, match="ended with 2: bad"):
        shell("echo bad >&2; exit 2", work)


def test_an_answer_is_kept_until_its_question_changes(tmp_path: Path) -> None:
    count = "echo x >> count; wc -l < count"
    asked = [Question("a", "why", "echo 1 > one", makes=("one",)), Question("b", "why", count)]
    assert [a.text for a in answered(asked, tmp_path, "plan")] == ["", "1"]
    assert [a.text for a in answered(asked, tmp_path, "plan")] == ["", "1"], "kept"
    other = Question("a", "why", "echo 2 > one", makes=("one",))
    assert answered([other, asked[1]], tmp_path, "plan")[1].text == "2", "what it uses has changed"
    assert answered(asked, tmp_path, "other plan")[1].text == "3"
    (tmp_path / "one").unlink()
    answered(asked, tmp_path, "other plan")
    assert (tmp_path / "one").read_text() == "1\n", "what later questions use is made again"


def test_the_page_shows_files_commands_and_long_times() -> None:
    plan = optimizer.plan(small_dataset(), gap=0, threads=1)
    asked = [Question("What if?", "To know.", "python -c '\nprint(1)'\nwattplan show plan", ("late-hall.yaml",), read="one")]
    text = page(asked, [Answer("1", 90.0)], plan)
    assert "1. [What if?](#1-what-if)" in text
    assert "```console\n$ python -c '\nprint(1)'\n$ wattplan show plan\n1\n```\n\n(90 seconds)\n\nColumns: one" in text
    assert "site.energization_delay" in text


def test_a_list_with_a_fault_is_refused(tmp_path: Path) -> None:
    (tmp_path / "q.yaml").write_text("- {ask: a, why: b, runs: c}")
    with pytest.raises(ValueError, match="question 1: has ask, why, run"):
        questions(tmp_path / "q.yaml")
