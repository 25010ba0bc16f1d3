"""Twenty questions of a planner, each answered by commands on the reference plan: writes docs/questions.md.

    python -m benchmarks.questions PLAN [--work DIR]

What is asked stands in docs/questions/questions.yaml. Commands run in DIR, where ``plan``, ``data`` and ``docs`` are, one after the other.
An answer is kept in DIR until its commands, their files or the plan change, so that a run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from models.files.atomic import write_bytes
from models.plan import Plan
from models.plan_files import read_plan

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "questions"
ASKED = FOLDER / "questions.yaml"
PAGE = ROOT / "docs" / "questions.md"
MOST_SECONDS = 600
"""Time of one question."""
LONG_SECONDS = 60
"""Times above this are told."""
KEPT = "answers.json"
GOOD_CODES = (0, 1)
"""Exit codes of commands with an answer; 1: the gap asked for was not reached."""
KEYS = {"ask", "why", "run", "files", "makes", "read"}


@dataclass(frozen=True)
class Question:
    """A question.

    Attributes:
        ask: the question.
        why: what its answer is good for.
        run: lines for a shell; ``wattplan`` and ``python`` are those of this project.
        files: files of changes beside the list that the page shows.
        makes: files and folders that later questions use.
        read: how the answer reads, where it does not say so itself.
    """

    ask: str
    why: str
    run: str
    files: tuple[str, ...] = ()
    makes: tuple[str, ...] = ()
    read: str = ""


@dataclass(frozen=True)
class Answer:
    """What the commands printed, and how long they took."""

    text: str
    seconds: float


def questions(path: Path = ASKED) -> list[Question]:
    """The questions of a file.

    Raises:
        ValueError: a question lacks something or has something else.
    """
    found = []
    for number, row in enumerate(yaml.safe_load(path.read_text(encoding="utf-8")), start=1):
        if not isinstance(row, dict) or not {"ask", "why", "run"} <= set(row) <= KEYS:
            raise ValueError(f"{path.name}, question {number}: has ask, why, run, and may have files, makes, read; found {sorted(row)}")
        found.append(Question(**{**row, **{name: tuple(row.get(name, ())) for name in ("files", "makes")}}))
    return found


def shell(run: str, work: Path) -> str:
    """What commands print.

    Raises:
        RuntimeError: one of them failed.
    """
    script = 'wattplan() { "$PYTHON" -m batch.cli "$@"; }\npython() { "$PYTHON" "$@"; }\n' + run
    environment = {**os.environ, "PYTHON": sys.executable, "PYTHONPATH": str(ROOT), "COLUMNS": "120"}
    done = subprocess.run(
        ["bash", "-c", script], cwd=work, env=environment, capture_output=True, text=True, timeout=MOST_SECONDS, check=False
    )
    if done.returncode not in GOOD_CODES:
        raise RuntimeError(f"{run}\nended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout.rstrip()


def prepared(work: Path, plan: Path) -> None:
    """Make the folder in which commands run."""
    work.mkdir(parents=True, exist_ok=True)
    for name, target in {"plan": plan.resolve(), "data": ROOT / "data", "docs": ROOT / "docs"}.items():
        link = work / name
        link.unlink(missing_ok=True)
        link.symlink_to(target)


def answered(asked: list[Question], work: Path, plan: str) -> list[Answer]:
    """Answers in the order of the questions; those that are there already are taken from the folder.

    A question may use what an earlier one made, so what is kept also hangs on all questions before it that make something.
    """
    kept_file = work / KEPT
    kept: dict[str, Any] = json.loads(kept_file.read_text()) if kept_file.is_file() else {}
    found, before = [], plan
    for question in asked:
        files = "".join((FOLDER / name).read_text(encoding="utf-8") for name in question.files)
        key = hashlib.sha256(f"{before}\0{question.run}\0{files}".encode()).hexdigest()
        if key not in kept or not all((work / name).exists() for name in question.makes):
            start = time.monotonic()
            text = shell(question.run, work)
            kept[key] = asdict(Answer(text, time.monotonic() - start))
            write_bytes(kept_file, json.dumps(kept, indent=1).encode())
            sys.stderr.write(f"{kept[key]['seconds']:6.1f} s  {question.ask}\n")
        if question.makes:
            before = hashlib.sha256(f"{before}{key}".encode()).hexdigest()
        found.append(Answer(**kept[key]))
    return found


def page(asked: list[Question], answers: list[Answer], plan: Plan) -> str:
    """The page as Markdown."""
    s = plan.summary
    lines = [
        f"# {len(asked)} questions of a planner",
        "",
        "Written by `make questions` from [questions.yaml](questions/questions.yaml); do not edit.",
        "",
        (
            f"Each is answered by commands on a plan of the dataset {s.dataset.name}, as they came: an NPV of {(s.npv_usd or 0) / 1e9:,.2f} "
            f"billion USD, a proven gap of {s.gap or 0:.2%}, dataset {s.dataset.sha256[:12]}. `plan` is the folder that `make plan` writes; "
            "another plan of the same data gives other figures within the gaps. Times are told where they are above a minute, on two busy cores."
        ),
        "",
    ]
    lines += [f"{n}. [{q.ask}](#{anchor(n, q.ask)})" for n, q in enumerate(asked, start=1)]
    for n, (question, answer) in enumerate(zip(asked, answers, strict=True), start=1):
        lines += ["", f"## {n}. {question.ask}", "", question.why, ""]
        for name in question.files:
            text = (FOLDER / name).read_text(encoding="utf-8").rstrip()
            lines += [f"[{name}](questions/{name}):", "", "```yaml", text, "```", ""]
        first, *rest = question.run.splitlines()
        commands = [f"$ {first}", *(line if _goes_on(question.run, at) else f"$ {line}" for at, line in enumerate(rest, start=1))]
        lines += ["```console", *commands, *answer.text.splitlines(), "```"]
        if answer.seconds >= LONG_SECONDS:
            lines += ["", f"({answer.seconds:,.0f} seconds)"]
        if question.read:
            lines += ["", f"Columns: {question.read}"]
    return "\n".join(lines) + "\n"


def _goes_on(run: str, line: int) -> bool:
    """Whether a line belongs to the command before it: an odd number of quotes is open."""
    return "\n".join(run.splitlines()[:line]).count("'") % 2 == 1


def anchor(number: int, title: str) -> str:
    """Where a heading is found on the page."""
    words = f"{number}. {title}".lower()
    return "".join(c for c in words if c.isalnum() or c in " -").replace(" ", "-")


def main(arguments: list[str] | None = None) -> None:
    """Answer the questions and write the page."""
    parser = argparse.ArgumentParser(prog="benchmarks.questions", description="Answer the questions of docs/questions/questions.yaml.")
    parser.add_argument("plan", type=Path, help="folder of a plan of the reference dataset")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "questions", help="where commands run")
    options = parser.parse_args(arguments)
    plan = read_plan(options.plan)
    asked = questions()
    prepared(options.work, options.plan)
    state = hashlib.sha256(plan.summary.model_dump_json().encode()).hexdigest()
    write_bytes(PAGE, page(asked, answered(asked, options.work, state), plan).encode())


if __name__ == "__main__":
    main()
