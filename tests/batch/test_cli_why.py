"""The commands why, why-not and conflict: text, --json, exit codes, bad questions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from batch.cli import run
from models.files import write_dataset
from optimizer import SolverError
from optimizer.explain import conflict as conflict_module
from optimizer.explain import why_not as why_not_module
from tests.conftest import Wattplan
from tests.factories import small_dataset

HEAD = "row,rule,decision,contract_id,site_id,gen_id,from_period,to_period,value,why\n"
TWO = HEAD + "need,min,in_service,,a,,2026-Q3,2026-Q3,5,promised\nlimit,max,in_service,,a,,2026-Q3,2026-Q3,3,the hall is let\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset whose site b has dearer energy, and its plan in ``plan``."""
    here = tmp_path_factory.mktemp("why")
    dataset = small_dataset(
        sites=[{"site_id": "a"}, {"site_id": "b", "price_zone": "Q"}],
        energy=[{"price_zone": "P"}, {"price_zone": "Q", "usd_per_mwh": 10}],
    )
    write_dataset(dataset, here / "data.json")
    assert run(["plan", str(here / "data.json"), "-o", str(here / "plan"), "--gap", "0", "--threads", "1", "-q"]) == 0
    return here


def directives(folder: Path, text: str) -> Path:
    path = folder / "directives.csv"
    path.write_text(text)
    return path


def test_conflict_in_words(folder: Path, tmp_path: Path, wattplan: Wattplan) -> None:
    found = wattplan("conflict", folder / "data.json", "--directives", directives(tmp_path, TWO))
    assert found.code == 3
    assert found.err == ""
    assert found.out.splitlines()[1:] == [
        "these can't hold together: directive limit (max in_service of a 3 in 2026-Q3); directive need (min in_service of a 5 in 2026-Q3)",
        "repair: directive need (min in_service of a 5 in 2026-Q3) to ask for 2 less, 3 instead of 5",
        "repair: directive limit (max in_service of a 3 in 2026-Q3) to allow 2 more, 5 instead of 3",
    ]


def test_conflict_as_json(folder: Path, tmp_path: Path, wattplan: Wattplan) -> None:
    found = wattplan("conflict", folder / "data.json", "--directives", directives(tmp_path, TWO), "--json")
    assert found.code == 3
    conflict = found.document["conflict"]
    assert [m["limit"]["place"] for m in conflict["members"]] == ["limit", "need"]
    assert [r["ways"][0]["amount"] for r in conflict["repairs"]] == pytest.approx([2, 2])
    assert conflict["irreducible"] is True
    assert found.document["words"][0].endswith("leaves it at most 3")


def test_no_conflict(folder: Path, wattplan: Wattplan) -> None:
    found = wattplan("conflict", folder / "data.json")
    assert (found.code, found.out) == (0, "no conflict: its rules can hold together\n")
    assert wattplan("conflict", folder / "data.json", "--json").document == {"conflict": None}


def test_a_conflict_not_decided_in_time_is_not_called_infeasible(folder: Path, wattplan: Wattplan) -> None:
    found = wattplan("conflict", folder / "data.json", "--time-limit", "1e-9")
    assert found.code == 4
    assert found.out.startswith("whether directives, hard duties and limits can hold together")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--time-limit", "0"], "--time-limit: 0.0 cannot be"),
        (["--threads", "0"], "--threads: 0 cannot be"),
        (["--seed", "-1"], "--seed: -1 cannot be"),
        (["--directives", "none.csv"], "none.csv: does not exist"),
    ],
)
def test_conflict_with_options_that_cannot_be(options: list[str], said: str, folder: Path, wattplan: Wattplan) -> None:
    found = wattplan("conflict", folder / "data.json", *options, "--json")
    assert found.code == 2
    assert said in found.errors[0]
    assert found.document["error"]["exit_code"] == 2


def test_conflict_names_a_bad_directive(folder: Path, tmp_path: Path, wattplan: Wattplan) -> None:
    found = wattplan("conflict", folder / "data.json", "--directives", directives(tmp_path, TWO.replace(",a,", ",aa,")))
    assert found.code == 2
    assert "directives.csv" in found.errors[0]
    assert "'aa'" in found.errors[0]
    assert found.out == ""


def test_why_in_words(folder: Path, wattplan: Wattplan) -> None:
    found = wattplan("why", folder / "plan", "c@a")
    assert (found.code, found.err) == (0, "")
    lines = found.out.splitlines()
    assert lines[0] == "c served from a"
    assert "  the next best place: b (+1 MW)" in lines
    assert (
        lines[-1] == "the plan found without it is worth 87,600 USD less; every plan without it is worth at least 87,600 USD less (proven)"
    )


def test_why_as_json(folder: Path, wattplan: Wattplan) -> None:
    found = wattplan("why", folder / "plan", "h100@a", "--json")
    assert found.code == 0
    assert found.document["without"]["extra_usd"] == pytest.approx(87_600)
    assert found.document["placement"] == {"kind": "racks", "contract_id": None, "site_id": "a", "gen_id": "h100", "block_id": None}


def test_why_not_in_words(folder: Path, wattplan: Wattplan) -> None:
    found = wattplan("why-not", folder / "plan", "--gpus", "50", "--contract", "c", "--site", "b", "--from", "2026-Q2")
    assert (found.code, found.err) == (0, "")
    assert found.out.startswith("50 GPUs for c at b from 2026-Q2\n  it can be done, for 43,800 USD of NPV; every plan")
    never = wattplan("why-not", folder / "plan", "--gpus", "500", "--gen", "h100")
    assert never.code == 0
    assert "no plan can: racks of h100 that supply and fleet can bring by then: 50 racks wanted in 2026-Q1, 10 possible" in never.out
    assert never.out.endswith("the cheapest relaxation that makes it possible: supply of h100 up to 2026-Q1: 40 racks more (supply.csv)\n")


def test_why_not_as_json(folder: Path, wattplan: Wattplan) -> None:
    found = wattplan("why-not", folder / "plan", "h100@b", "--json")
    assert found.code == 0
    assert (found.document["possible"], found.document["already"]) == ("yes", False)
    assert found.document["cost_usd"] == pytest.approx(8760)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["why", "c@b"], "c served from b: the plan does not do this; ask why-not"),
        (["why", "h10@a"], "h10: there is no such contract or generation; did you mean 'h100'?"),
        (["why", "c@a", "--time-limit", "-1"], "--time-limit: -1.0 cannot be; allowed: seconds, more than 0"),
        (["why", "c@a", "--seed", "-1"], "--seed: -1 cannot be; allowed: 0 to"),
        (["why-not", "h100@b", "--seed", "-1"], "--seed: -1 cannot be; allowed: 0 to"),
        (["prices", "--seed", "-1"], "--seed: -1 cannot be; allowed: 0 to"),
        (["why-not", "h100@c"], "c: there is no such site; allowed: a, b"),
        (["why-not", "--gpus", "5", "--gen", "h10"], "h10: there is no such generation; did you mean 'h100'?"),
        (["why-not", "--gpus", "0", "--site", "a"], "0 GPUs: allowed is 1 or more"),
        (["why-not", "--gpus", "5"], "a wish needs a contract, a site or a generation"),
        (["why-not"], "needs either a placement or --gpus, one of the two"),
        (["why-not", "c@b", "--gpus", "5"], "needs either a placement or --gpus, one of the two"),
        (["why-not", "c@b", "--site", "a"], "--site: a cannot be; allowed: nothing beside a placement; it goes with --gpus"),
    ],
)
def test_questions_that_cannot_be(arguments: list[str], said: str, folder: Path, wattplan: Wattplan) -> None:
    found = wattplan(arguments[0], folder / "plan", *arguments[1:], "--json")
    assert found.code == 2
    assert found.errors[0].startswith(f"error: {said}")
    assert found.document["error"]["kind"] in ("bad_placement", "bad_option")


@pytest.mark.parametrize("command", ["why-not", "conflict"])
def test_a_solver_that_fails_is_named(command: str, folder: Path, wattplan: Wattplan, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: Any, **__: Any) -> None:
        raise SolverError("it is gone")

    monkeypatch.setattr(conflict_module, "explain_conflict", failing)
    monkeypatch.setattr(why_not_module, "why_not", failing)
    rest = [folder / "data.json"] if command == "conflict" else [folder / "plan", "h100@b"]
    found = wattplan(command, *rest, "--json")
    assert found.code == 5
    assert found.document["error"]["kind"] == "solver"
    assert found.errors == ["error: the solver failed: it is gone"]
