"""Changes that direct decisions, and freezes of a baseline's decisions: their directives, by hand, and what the planner makes of them."""

from __future__ import annotations

from typing import Any

import pytest

from models.changes import ChangeError, apply, read_changes
from models.dataset import Dataset
from models.plan import Plan
from optimizer.audit import audit
from optimizer.planner import plan
from optimizer.spreadsheet import spreadsheet_plan
from tests.factories import small_dataset
from tests.models.changes.changes_kit import applied, codes, faults, reference

Text = tuple[Any, ...]


def options(**more: Any) -> Dataset:
    """An open site, a candidate with two options (lead 1), two generations, a firm contract and a prospect."""
    return small_dataset(
        sites=[{"site_id": "a"}, {"site_id": "new", "status": "candidate", "activation_usd": 1000}],
        power_blocks=[
            {"block_id": "a-1", "site_id": "a", "it_mw": 1.0},
            {"block_id": "n-1", "site_id": "new", "capex_usd": 1000, "lead_periods": 1, "it_mw": 1.0},
            {"block_id": "n-2", "site_id": "new", "capex_usd": 5e8, "lead_periods": 1, "it_mw": 1.0},
        ],
        generations=[{"gen_id": "h100"}, {"gen_id": "gb300", "liquid_share": 1.0}],
        contracts=[{"contract_id": "c"}, {"contract_id": "p", "status": "prospect", "customer": "v", "start": "2026-Q2"}],
        contract_ramp=[
            {"contract_id": "c", "from_period": "2026-Q1", "gpus": 60},
            {"contract_id": "p", "from_period": "2026-Q2", "gpus": 120},
        ],
        supply=[{"gen_id": "h100"}, {"gen_id": "gb300", "period": "2026-Q2"}],
        **more,
    )


def said(dataset: Dataset, *changes: dict[str, Any]) -> list[Text]:
    """Directives as (rule, decision, ids, first, last, value)."""
    rows = applied(dataset, *changes).dataset["directives"].to_dict("records")
    return [_said(row) for row in rows]


def _said(row: dict[str, Any]) -> Text:
    ids = tuple(row[name] for name in ("contract_id", "site_id", "gen_id", "block_id") if row[name] is not None)
    return (row["rule"], row["decision"], *ids, row["from_period"], row["to_period"], row["value"])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"decision": "sign", "contract_id": "p"}, ("fix", "sign", "p", None, None, 1.0)),
        ({"decision": "serve", "contract_id": "p", "site_id": "a"}, ("fix", "serve", "p", "a", None, None, 1.0)),
        ({"decision": "open", "site_id": "new", "by_period": "2026-Q2"}, ("fix", "open", "new", "2026-Q2", None, 1.0)),
        ({"decision": "build", "block_id": "n-1"}, ("fix", "build", "n-1", "2026-Q4", None, 1.0)),
    ],
)
def test_force(change: dict[str, Any], expected: Text) -> None:
    """Yes, by a period or by the end of the horizon."""
    assert said(options(), {"type": "place.force", **change}) == [expected]


def test_bounds() -> None:
    """Forbidden is at most 0; bounds are sums over what is not named."""
    assert said(options(), {"type": "place.forbid", "decision": "installed", "site_id": "a", "gen_id": "h100", "to_period": "2026-Q2"}) == [
        ("max", "installed", "a", "h100", None, "2026-Q2", 0.0)
    ]
    assert said(options(), {"type": "place.forbid", "decision": "serve", "contract_id": "c", "site_id": "a"}) == [
        ("max", "serve", "c", "a", None, None, 0.0)
    ]
    many = {"decision": "deliveries", "contract_id": "c", "value": 12.5, "from_period": "2026-Q2"}
    assert said(options(), {"type": "place.min", **many}, {"type": "place.max", **many}) == [
        ("min", "deliveries", "c", "2026-Q2", None, 12.5),
        ("max", "deliveries", "c", "2026-Q2", None, 12.5),
    ]


def test_names_of_directives_stay_unique() -> None:
    """A name that is taken is left to its owner, and the same change twice is one directive."""
    data = options(directives=[{"row": "change-1", "decision": "sign", "contract_id": "p", "value": 1}])
    change = {"type": "place.max", "decision": "installed", "site_id": "a", "value": 3}
    result = applied(data, change, change)
    assert result.dataset["directives"]["row"].tolist() == ["change-1", "change-2"]
    assert codes(result) == ["no_effect"]
    assert result.dataset["directives"]["why"].iloc[1] == "a: at most 3 racks installed"


@pytest.mark.parametrize(
    ("change", "at", "code"),
    [
        ({"type": "place.force", "decision": "sign"}, "contract_id", "missing_value"),
        ({"type": "place.force", "decision": "sign", "contract_id": "p", "site_id": "a"}, "site_id", "must_be_empty"),
        ({"type": "place.force", "decision": "sign", "contract_id": "p", "by_period": "2026-Q2"}, "by_period", "must_be_empty"),
        ({"type": "place.forbid", "decision": "build"}, "block_id", "missing_value"),
        ({"type": "place.forbid", "decision": "sign", "contract_id": "c"}, "contract_id", "not_a_decision"),
        ({"type": "place.max", "decision": "installed", "contract_id": "c", "value": 1, "site_id": "a"}, "contract_id", "must_be_empty"),
    ],
)
def test_decisions_that_are_none(change: dict[str, Any], at: str, code: str) -> None:
    """Ids and periods that the decision does not have, or lacks."""
    (fault,) = faults(options(), change)
    assert (fault.pointer, fault.code) == (f"/0/{at}", code)


def test_force_of_what_is_so_already() -> None:
    """A firm contract is signed, an open site open, a firm block built."""
    for change in (
        {"decision": "sign", "contract_id": "c"},
        {"decision": "open", "site_id": "a"},
        {"decision": "build", "block_id": "a-1"},
    ):
        assert codes(applied(options(), {"type": "place.force", **change})) == ["no_effect"]


@pytest.fixture(scope="module")
def baseline() -> Plan:
    """The best plan of ``options``, proven."""
    return plan(options(), gap=0.0, threads=1)


def test_baseline_is_worth_freezing(baseline: Plan) -> None:
    """It installs in both periods, builds one block and signs the prospect."""
    assert baseline.decisions[["kind", "id", "period"]].values.tolist() == [
        ["sign", "p", "2026-Q2"], ["open", "new", "2026-Q2"], ["build", "n-1", "2026-Q2"],
    ]  # fmt: skip


def test_freeze_writes_the_plan_as_directives(baseline: Plan) -> None:
    """Before 2026-Q3: all that the plan did in two periods, and an option not ordered by then stays unbuilt through 2026-Q3."""
    rows = (
        apply(options(), read_changes([{"type": "freeze.before", "period": "2026-Q3"}]), baseline).dataset["directives"].to_dict("records")
    )
    assert {row["rule"] for row in rows} == {"fix"}
    found = {_said(row)[1:] for row in rows}
    yes_or_no = {row for row in found if row[0] in ("sign", "open", "build")}
    assert yes_or_no == {
        ("sign", "p", None, None, 1.0),
        ("open", "new", "2026-Q1", "2026-Q1", 0.0),
        ("open", "new", "2026-Q2", "2026-Q2", 1.0),
        ("build", "n-1", "2026-Q1", "2026-Q1", 0.0),
        ("build", "n-1", "2026-Q2", "2026-Q3", 1.0),
        ("build", "n-2", "2026-Q1", "2026-Q3", 0.0),
    }
    early = baseline.racks[baseline.racks["period"] < "2026-Q3"]
    for row in early.to_dict("records"):
        spans = [r for r in found if r[:3] == ("in_service", row["site_id"], row["gen_id"]) and r[3] <= row["period"] <= r[4]]
        assert [r[5] for r in spans] == [row["in_service"]]
    for site in ("a", "new"):
        for period in ("2026-Q1", "2026-Q2"):
            put = early[(early["site_id"] == site) & (early["period"] == period)]["installed"].sum()
            assert [r[4] for r in found if r[:2] == ("installed", site) and len(r) == 5 and r[2] <= period <= r[3]] == [put]


def test_an_option_that_is_ordered_and_late_is_frozen_to_when_it_can_be_built(baseline: Plan) -> None:
    """Ordered in 2026-Q1 for 2026-Q2, it comes three quarters after its earliest, 2026-Q4; it can't be asked for before."""
    late = {"type": "site.energization_delay", "site_id": "new", "block_id": "n-1", "delay_periods": 3, "from_period": "2026-Q1"}
    changes = read_changes([late, {"type": "freeze.before", "period": "2026-Q3"}])
    rows = [_said(row)[1:] for row in apply(options(), changes, baseline).dataset["directives"].to_dict("records")]
    assert [row for row in rows if row[:2] == ("build", "n-1")] == [
        ("build", "n-1", "2026-Q1", "2026-Q3", 0.0),
        ("build", "n-1", "2026-Q4", "2026-Q4", 1.0),
    ]


def test_a_retrofit_forbidden_is_told_as_what_the_directive_bounds() -> None:
    """MW ordered up to each period: with a window, none up to its end."""
    dataset = options(retrofits=[{"site_id": "a"}])
    forbid = {"type": "place.forbid", "decision": "retrofit", "site_id": "a", "from_period": "2026-Q2", "to_period": "2026-Q3"}
    (change,) = read_changes([forbid])
    assert change.sentence(dataset) == "a: no retrofit ordered up to 2026-Q3"
    assert said(dataset, forbid) == [("max", "retrofit", "a", "2026-Q2", "2026-Q3", 0.0)]


def test_freeze_holds_in_the_planner(baseline: Plan) -> None:
    """With all decisions before Q3 frozen the plan is as good; a price that falls from Q1 on changes nothing before Q3."""
    frozen = {"type": "freeze.before", "period": "2026-Q3"}
    same = plan(apply(options(), read_changes([frozen]), baseline).dataset, gap=0.0, threads=1)
    assert same.summary.npv_usd == pytest.approx(baseline.summary.npv_usd, rel=1e-6)
    worse = [{"type": "contract.price", "contract_id": "p", "factor": 0.01}]
    free = plan(applied(options(), *worse).dataset, gap=0.0, threads=1)
    assert "sign" not in free.decisions["kind"].tolist()
    held = plan(apply(options(), read_changes([*worse, frozen]), baseline).dataset, gap=0.0, threads=1)
    for table, figures in (("racks", ["installed", "in_service"]), ("deliveries", ["gpus"])):
        old, new = (p[table][p[table]["period"] < "2026-Q3"] for p in (baseline, held))
        keys = [c for c in old.columns if c.endswith("_id") or c == "period"]
        old, new = (frame.sort_values(keys)[[*keys, *figures]].reset_index(drop=True) for frame in (old, new))
        assert new[keys].equals(old[keys])
        assert new[figures].to_numpy() == pytest.approx(old[figures].to_numpy(), abs=1e-4)


def test_freeze_without_its_past(baseline: Plan) -> None:
    """Deliveries may stay free; what the dataset no longer has is left out; the start freezes nothing; no baseline is a fault."""
    free = {"type": "freeze.before", "period": "2026-Q3", "deliveries": False}
    rows = apply(options(), read_changes([free]), baseline).dataset["directives"]
    assert "deliveries" not in set(rows["decision"])
    gone = [{"type": "contract.terminate", "contract_id": "p", "from_period": "2026-Q1"}, free | {"deliveries": True}]
    rows = apply(options(), read_changes(gone), baseline).dataset["directives"]
    assert "p" not in set(rows["contract_id"])
    assert codes(apply(options(), read_changes([free | {"period": "2026-Q1"}]), baseline)) == ["no_effect"]
    with pytest.raises(ChangeError) as error:
        applied(options(), free)
    assert (error.value.faults[0].code, error.value.faults[0].pointer) == ("no_baseline", "/0")


def test_forced_and_forbidden_in_the_planner() -> None:
    """The prospect that pays is forbidden, and the block that does not pay is built."""
    forbid = {"type": "place.forbid", "decision": "sign", "contract_id": "p"}
    force = {"type": "place.force", "decision": "build", "block_id": "n-2"}
    found = plan(applied(options(), forbid, force).dataset, gap=0.0, threads=1)
    kinds = {(kind, own) for kind, own in found.decisions[["kind", "id"]].values.tolist()}
    assert ("decline", "p") in kinds
    assert ("build", "n-2") in kinds


def test_freeze_of_the_reference_holds_for_its_own_plan() -> None:
    """The rule's plan of the reference satisfies every directive that a freeze of its first year makes of it."""
    baseline = spreadsheet_plan(reference())
    frozen = apply(reference(), read_changes([{"type": "freeze.before", "period": "2026-Q4"}]), baseline).dataset
    assert len(frozen["directives"]) > 200
    assert set(frozen["directives"]["decision"]) == {"in_service", "installed", "deliveries", "sign", "open", "build", "retrofit"}
    assert not audit(frozen, baseline.tables).violations
    late = baseline.tables | {"racks": baseline.racks[baseline.racks["period"] != "2026-Q2"]}
    assert "directive" in {v.constraint for v in audit(frozen, late).violations}
