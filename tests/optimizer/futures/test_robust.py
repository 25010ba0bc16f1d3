"""Whichever halls slip, and first stages in futures that they were not made for."""

from __future__ import annotations

import threading
from typing import Any

import pandas as pd
import pytest

from models.changes import read_changes
from models.dataset import Dataset
from models.uncertainty import Scenario
from optimizer.futures import compared, out_of_sample, plan_any_late, plan_futures, robust
from optimizer.futures.state import NoFuturesPlanError
from tests.factories import small_dataset
from tests.optimizer.futures.small import newsvendor


def test_whichever_hall_slips() -> None:
    """Three contracts on offer, each for a hall of its own; its damages are due if the hall is late.

    Contract of hall s: 10 GPUs per 0.1 MW at 3 USD an hour in the second quarter, racks bought then at 10,000 USD; damages 1 USD an hour.
    Served, 0.1 MW earn 10 * 3 * 2184 - 10,000 = 55,520; late, they cost 10 * 2184 = 21,840. One hall of three slips.

    Sign all: the worst is that c is late, 5 * 55,520 - 5 * 21,840 = 168,400. Without c: a and b, b late: 2 * 55,520 - 3 * 21,840 = 45,520.
    Without a: b and c, c late: 3 * 55,520 - 5 * 21,840 = 57,360; so all are signed. With damages of 6 USD (131,040 per 0.1 MW) the best is
    to sign none: all, c late: 277,600 - 655,200 < 0; a alone, a late: -262,080.
    """
    for damages, signed, worst_usd in ((1.0, 3, 168_400.0), (6.0, 0, 0.0)):
        dataset = offers(damages)
        found = plan_any_late(dataset, ["a", "b", "c"], 1, 1, decide_before="2026-Q2", gap=0, workers=1)
        assert sum(value for key, value in found.first.items() if key[0] == "sign") == signed
        assert found.worst_npv_usd == pytest.approx(worst_usd, abs=0.1)
        assert found.bound_usd == pytest.approx(worst_usd, abs=0.1)
        assert len(found.table) == 3
        assert len(found.chosen) <= 3
        if signed:
            assert found.worst == "late: c"
            assert "late: c" in found.chosen
            assert found.table.set_index("scenario")["npv_usd"].to_dict() == pytest.approx(
                {"late: c": 168_400.0, "late: b": 7 * 55_520 - 3 * 21_840, "late: a": 8 * 55_520 - 2 * 21_840}
            )


def test_where_nothing_is_held_by_all_there_is_no_mean() -> None:
    row = {"probability": 0.5, "bound_usd": 1.0, "late_gpu_periods": 0.0}
    table = pd.DataFrame(
        [{"scenario": n, "plan": p, "npv_usd": npv, **row} for n, p, npv in (("x", "a", 1.0), ("x", "b", None), ("y", "a", None))]
    )
    found = compared(table.astype({"npv_usd": float})).set_index("plan")
    assert found["not_held"].to_dict() == {"a": 1, "b": 1}
    assert found[["mean_npv_usd", "cvar_npv_usd", "late_gpu_periods"]].isna().all(axis=None)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """How first stages were held in futures."""
    told: list[dict[str, Any]] = []

    def held(*args: Any, **given: Any) -> pd.DataFrame:
        told.append(given)
        return out_of_sample(*args, **given)

    monkeypatch.setattr(robust, "out_of_sample", held)
    return told


def test_its_time_and_its_stop_are_those_of_all_that_it_does(asked: list[dict[str, Any]]) -> None:
    stop = threading.Event()
    plan_any_late(offers(1.0), ["a", "b", "c"], 1, 1, decide_before="2026-Q2", gap=0, workers=1, time_limit=90.0, stop=stop)
    assert asked
    assert all(given["time_limit"] <= 90.0 and given["stop"] is stop for given in asked)


@pytest.mark.parametrize("after", [0, 1])
def test_where_time_is_up_the_worst_case_known_is_kept(after: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Held in some futures only, a first stage has no worst case; the one before it has, and stays."""
    calls = []

    def held(*args: Any, **given: Any) -> pd.DataFrame:
        calls.append(given)
        table = out_of_sample(*args, **given)
        return table if len(calls) <= after else table[:1]

    monkeypatch.setattr(robust, "out_of_sample", held)
    monkeypatch.setattr(robust, "relative_gap", lambda bound, npv: 1.0)  # so that it goes on
    arguments: dict[str, Any] = {"decide_before": "2026-Q2", "gap": 0, "workers": 1}
    if after:
        assert len(plan_any_late(offers(1.0), ["a", "b", "c"], 1, 1, **arguments).table) == 3
    else:
        with pytest.raises(NoFuturesPlanError):
            plan_any_late(offers(1.0), ["a", "b", "c"], 1, 1, **arguments)


def test_a_search_that_finds_nothing_later_leaves_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def planned(*args: Any, **given: Any) -> Any:
        calls.append(given)
        if len(calls) > 1:
            raise NoFuturesPlanError(200_000.0)
        return plan_futures(*args, **given)

    monkeypatch.setattr(robust, "plan_futures", planned)
    found = plan_any_late(offers(1.0), ["a", "b", "c"], 1, 1, decide_before="2026-Q2", gap=0, workers=1)
    assert len(calls) == 2
    assert found.worst_npv_usd == pytest.approx(57_360.0, abs=0.1), "planned for hall a late alone: b and c are signed, and c may be late"
    assert found.worst_npv_usd <= found.bound_usd <= 200_000.0 + 0.1
    assert found.gap == pytest.approx((found.bound_usd - found.worst_npv_usd) / found.worst_npv_usd)


def offers(damages: float) -> Dataset:
    """Three prospects, each for a hall of its own that comes in the second quarter."""
    halls = {"a": 2, "b": 3, "c": 5}
    return small_dataset(
        periods=2,
        sites=[{"site_id": s} for s in halls],
        power_blocks=[{"block_id": f"{s}-1", "site_id": s, "it_mw": n / 10, "energized": "2026-Q2"} for s, n in halls.items()],
        contracts=[
            {"contract_id": f"for-{s}", "customer": s, "status": "prospect", "start": "2026-Q2", "ld_usd_per_gpu_hour": damages, "sites": [s]}
            for s in halls
        ],
        contract_ramp=[{"contract_id": f"for-{s}", "from_period": "2026-Q2", "gpus": 10 * n} for s, n in halls.items()],
        contract_prices=[{"contract_id": f"for-{s}", "from_period": "2026-Q2", "usd_per_gpu_hour": 3.0} for s in halls],
        supply=[{"gen_id": "h100", "racks": 20}],
    )  # fmt: skip


def test_first_stages_in_fresh_futures() -> None:
    """Depths of 10 and 60 GPUs, evenly: 8 racks earn -80,000 + 21,840 * (1 + 6)/2 = -3,560, 2 racks -20,000 + 21,840 * (1 + 2)/2 = 12,760."""
    dataset, scenarios = newsvendor()
    bold, shy = (
        plan_futures(dataset, scenarios, decide_before="2026-Q2", gap=0, weight=weight, alpha=0.5, workers=1).first for weight in (0.0, 1.0)
    )
    depths = {
        f"{gpus} GPUs": tuple(read_changes([{"type": "market.depth", "max_gpus": gpus, "from_period": "2026-Q2"}])) for gpus in (10, 60)
    }
    fresh = [Scenario(name, 0.5, changes) for name, changes in depths.items()]
    told: list[int] = []
    table = out_of_sample(
        dataset, {"bold": bold, "shy": shy}, fresh, decide_before="2026-Q2", gap=0, workers=1, progress=told.append
    )  # fmt: skip
    assert told == [1, 2]
    assert table["npv_usd"].tolist() == pytest.approx([-58_160, 1_840, 51_040, 23_680])
    by_plan = compared(table, 0.5).set_index("plan")
    assert by_plan["mean_npv_usd"].to_dict() == pytest.approx({"bold": -3_560, "shy": 12_760})
    assert by_plan["cvar_npv_usd"].to_dict() == pytest.approx({"bold": -58_160, "shy": 1_840})
    assert by_plan["scenarios"].tolist() == [2, 2]
    relaxed = out_of_sample(dataset, {"bold": bold}, fresh, decide_before="2026-Q2", workers=1, relaxed=True)
    assert (relaxed["npv_usd"].to_numpy() >= table.loc[table["plan"] == "bold", "npv_usd"].to_numpy() - 0.1).all()
    with pytest.raises(ValueError, match="the first stage of 'empty' has no bought h100 0"):
        out_of_sample(dataset, {"empty": {}}, fresh, decide_before="2026-Q2", workers=1)
