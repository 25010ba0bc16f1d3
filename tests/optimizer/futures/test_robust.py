"""Whichever halls slip, and first stages in futures that they were not made for."""

from __future__ import annotations

import pytest

from models.changes import read_changes
from models.dataset import Dataset
from models.uncertainty import Scenario
from optimizer.futures import compared, out_of_sample, plan_any_late, plan_futures
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
