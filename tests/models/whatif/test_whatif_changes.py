"""What-if changes: what each writes, what it refuses, and that a dataset plus changes is a dataset again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.dataset import Dataset
from models.files import read_dataset
from models.whatif import TYPES, ChangeError, apply, change_types, differences, draw, read_changes
from optimizer import plan
from tests.factories import small_dataset
from tests.generator import random_dataset

REFERENCE = Path(__file__).resolve().parents[3] / "data" / "reference-2025q4"
WITHOUT_PLAN = [name for name in TYPES if name != "freeze.before"]


@pytest.fixture(scope="module")
def reference() -> Dataset:
    return read_dataset(REFERENCE)


def changed(dataset: Dataset, *changes: dict[str, Any]) -> Dataset:
    return apply(dataset, read_changes(list(changes))).dataset


def rows(dataset: Dataset, table: str, **where: Any) -> list[dict[str, Any]]:
    return [row for row in dataset.to_plain().get(table, []) if all(row[k] == v for k, v in where.items())]


# every type ----------------------------------------------------------------------------------------


def test_the_types_are_those_of_the_service() -> None:
    text = """site.derate site.outage site.energization_delay site.add_block site.close site.density retrofit.allow retrofit.forbid
    retrofit.force supply.cut supply.delay supply.add supply.price contract.add contract.resize contract.delay contract.extend
    contract.terminate contract.price contract.rules energy.price energy.demand_charge carbon.price carbon.cap market.price market.depth
    grid.limit place.force place.forbid place.min place.max freeze.before move.price budget.cap discount.rate"""
    assert sorted(TYPES) == sorted(text.split())


@pytest.mark.parametrize("name", WITHOUT_PLAN)
def test_the_example_changes_the_reference_dataset(name: str, reference: Dataset) -> None:
    before = reference.sha256
    applied = apply(reference, read_changes([TYPES[name].example]))
    assert applied.warnings == ()
    assert applied.dataset.sha256 != before == reference.sha256
    assert differences(reference, applied.dataset)


@pytest.mark.parametrize("name", WITHOUT_PLAN)
def test_drawn_changes_fit_and_survive_json(name: str, reference: Dataset) -> None:
    random = np.random.default_rng(7)
    for dataset in (reference, random_dataset(1), random_dataset(2)):
        for _ in range(3):
            if dataset is not reference and TYPES[name].draw(dataset, random) is None:
                with pytest.raises(ChangeError, match="nothing that such a change could change"):
                    draw(dataset, random, name)
                continue
            change = draw(dataset, random, name)
            assert read_changes(json.dumps([change.model_dump(mode="json")])) == [change]
            after = apply(dataset, [change]).dataset
            assert Dataset.build(after.settings.model_dump(), **{k: v for k, v in after.to_plain().items() if k != "dataset"})
            assert change.sentence()


def test_every_type_describes_itself() -> None:
    for described in change_types():
        assert described["sentence"]
        assert described["schema"]["properties"].keys() == {field["field"] for field in described["form"]} | {"type"}
        assert all(field["meaning"] for field in described["form"])
        assert read_changes([described["example"]])


def test_no_changes_give_the_same_dataset(reference: Dataset) -> None:
    assert apply(reference, []).dataset.sha256 == reference.sha256


# what they write -----------------------------------------------------------------------------------


def test_a_derate_lowers_and_gives_back(reference: Dataset) -> None:
    change = {"type": "site.derate", "site_id": "ellendale-nd", "from_period": "2027-Q1", "to_period": "2027-Q2", "it_mw": 5}
    before = rows(reference, "site_limits", site_id="ellendale-nd")
    after = rows(changed(reference, change), "site_limits", site_id="ellendale-nd")
    assert before == []
    assert [(row["from_period"], row["it_mw"], row["air_mw"]) for row in after] == [("2027-Q1", 5.0, None), ("2027-Q3", None, None)]


def test_the_lower_of_two_derates_holds(reference: Dataset) -> None:
    low = {"type": "site.derate", "site_id": "ellendale-nd", "from_period": "2027-Q1", "it_mw": 5}
    high = {"type": "site.derate", "site_id": "ellendale-nd", "from_period": "2026-Q1", "it_mw": 50}
    found = [rows(changed(reference, *order), "site_limits", site_id="ellendale-nd") for order in ([low, high], [high, low])]
    for limits in found:
        assert {row["from_period"]: row["it_mw"] for row in limits} == {"2026-Q1": 50.0, "2027-Q1": 5.0}


def test_power_slips_from_a_period_on(reference: Dataset) -> None:
    before = {row["block_id"]: row["energized"] for row in rows(reference, "power_blocks", site_id="denton-tx")}
    change = {"type": "site.energization_delay", "site_id": "denton-tx", "from_period": "2026-Q1", "periods": 2}
    after = {row["block_id"]: row["energized"] for row in rows(changed(reference, change), "power_blocks", site_id="denton-tx")}
    calendar = reference.calendar
    assert any(before[b] != after[b] for b in before)
    for block, energized in before.items():
        slipped = calendar.index(energized) >= calendar.index("2026-Q1")
        assert calendar.index(after[block]) == calendar.index(energized) + 2 * slipped


def test_supply_is_cut_delayed_and_added(reference: Dataset) -> None:
    gen = "gb300_nvl72"
    before = {row["period"]: row["racks"] for row in rows(reference, "supply", gen_id=gen)}
    cut = changed(reference, {"type": "supply.cut", "gen_id": gen, "from_period": "2025-Q4", "share": 0.5})
    assert {r["period"]: r["racks"] for r in rows(cut, "supply", gen_id=gen)} == {p: n // 2 for p, n in before.items()}
    first = min(before, key=reference.calendar.index)
    late = changed(reference, {"type": "supply.delay", "gen_id": gen, "from_period": first, "periods": 1})
    index = reference.calendar.index
    expected = {reference.calendar.label(index(p) + 1): n for p, n in before.items() if index(p) + 1 < reference.calendar.periods}
    assert {r["period"]: r["racks"] for r in rows(late, "supply", gen_id=gen)} == expected
    more = changed(reference, {"type": "supply.add", "gen_id": gen, "period": first, "racks": 7})
    assert {r["period"]: r["racks"] for r in rows(more, "supply", gen_id=gen)} == {**before, first: before[first] + 7}


def test_a_contract_is_resized_delayed_extended_and_ended(reference: Dataset) -> None:
    name = "hyperscaler_2027"
    owed = {row["from_period"]: row["gpus"] for row in rows(reference, "contract_ramp", contract_id=name)}
    contract = rows(reference, "contracts", contract_id=name)[0]
    double = changed(reference, {"type": "contract.resize", "contract_id": name, "factor": 2})
    assert {r["from_period"]: r["gpus"] for r in rows(double, "contract_ramp", contract_id=name)} == {p: 2 * n for p, n in owed.items()}
    late = changed(reference, {"type": "contract.delay", "contract_id": name, "periods": 2})
    index, label = reference.calendar.index, reference.calendar.label
    assert {r["from_period"]: r["gpus"] for r in rows(late, "contract_ramp", contract_id=name)} == {
        label(index(p) + 2): n for p, n in owed.items()
    }
    assert rows(late, "contracts", contract_id=name)[0]["start"] == label(index(contract["start"]) + 2)
    ended = changed(reference, {"type": "contract.terminate", "contract_id": name, "from_period": label(index(contract["start"]) + 1)})
    assert rows(ended, "contracts", contract_id=name)[0]["end"] == contract["start"]
    gone = changed(reference, {"type": "contract.terminate", "contract_id": name, "from_period": contract["start"]})
    for table in ("contracts", "contract_ramp", "contract_prices", "contract_generations"):
        assert rows(gone, table, contract_id=name) == []


def test_a_change_and_its_inverse_restore_the_hash(reference: Dataset) -> None:
    there = {"type": "contract.delay", "contract_id": "hyperscaler_2027", "periods": 1}
    late = changed(reference, there)
    rate = reference.settings.discount_rate
    again = changed(changed(reference, {"type": "discount.rate", "per_year": 0.3}), {"type": "discount.rate", "per_year": rate})
    assert again.sha256 == reference.sha256 != late.sha256
    density = rows(reference, "sites", site_id="plano-tx")[0]["max_rack_kw"]
    other = changed(reference, {"type": "site.density", "site_id": "plano-tx", "max_rack_kw": 99})
    assert changed(other, {"type": "site.density", "site_id": "plano-tx", "max_rack_kw": density}).sha256 == reference.sha256


def test_prices_change_in_their_periods_only(reference: Dataset) -> None:
    change = {"type": "energy.price", "price_zone": "PJM_VA", "from_period": "2026-Q2", "to_period": "2026-Q3", "factor": 2.0}
    after = changed(reference, change)

    def price(dataset: Dataset, t: int) -> dict[str, float]:
        found: dict[str, float] = {}
        ordered = sorted(rows(dataset, "energy", price_zone="PJM_VA"), key=lambda r: dataset.calendar.index(r["from_period"]))
        for row in ordered:
            if dataset.calendar.index(row["from_period"]) <= t:
                found[f"{row['season']}{row['slice']}"] = row["usd_per_mwh"]
        return found

    for label, factor in (("2026-Q1", 1.0), ("2026-Q2", 2.0), ("2026-Q3", 2.0), ("2026-Q4", 1.0)):
        t = reference.calendar.index(label)
        assert price(after, t) == {k: pytest.approx(v * factor) for k, v in price(reference, t).items()}


def test_directives_are_written_for_placements() -> None:
    dataset = small_dataset()
    site, gen = dataset["sites"]["site_id"][0], dataset["generations"]["gen_id"][0]
    start = dataset.calendar.label(0)
    for name, rule, decision, value in (
        ("place.force", "fix", "in_service", 1.0), ("place.min", "min", "in_service", 1.0),
        ("place.max", "max", "in_service", 1.0), ("place.forbid", "max", "installed", 0.0),
    ):  # fmt: skip
        change = {"type": name, "site_id": site, "gen_id": gen, "from_period": start}
        after = changed(dataset, change if name == "place.forbid" else {**change, "racks": 1})
        (row,) = [row for row in rows(after, "directives") if row not in rows(dataset, "directives")]
        assert (row["rule"], row["decision"], row["value"], row["site_id"], row["gen_id"]) == (rule, decision, value, site, gen)


def test_a_freeze_keeps_the_baseline_and_its_value() -> None:
    """The frozen dataset's optimum is the baseline's; a plan that breaks the freeze would be audited away."""
    for seed in (1, 3, 5):
        dataset = random_dataset(seed)
        baseline = plan(dataset, gap=0, threads=1)
        middle = dataset.calendar.label(max(1, dataset.calendar.periods // 2))
        frozen = apply(dataset, read_changes([{"type": "freeze.before", "period": middle}]), baseline).dataset
        again = plan(frozen, gap=0, threads=1)
        assert again.summary.npv_usd == pytest.approx(baseline.summary.npv_usd, rel=1e-6, abs=1.0)
        end = dataset.calendar.index(middle)

        def early(made: Any, until: int = end, of: Dataset = dataset) -> set[tuple[Any, ...]]:
            racks = made.tables["racks"]
            inside = racks[[of.calendar.index(p) < until for p in racks["period"]]]
            return {t for t in zip(*(inside[c] for c in ("site_id", "gen_id", "period", "in_service")), strict=True) if t[-1]}

        assert early(again) == early(baseline)


# what they refuse ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "pointer", "said"),
    [
        ({"type": "site.outage", "site_id": "denton-tz", "from_period": "2026-Q1"}, "/0/site_id", "did you mean 'denton-tx'"),
        ({"type": "site.outage", "site_id": "denton-tx", "from_period": "2040-Q1"}, "/0/from_period", "outside the horizon"),
        ({"type": "site.outage", "site_id": "denton-tx", "from_period": "2026-03"}, "/0/from_period", "not a period"),
        (
            {"type": "site.outage", "site_id": "denton-tx", "from_period": "2026-Q3", "to_period": "2026-Q1"},
            "/0/to_period",
            "before from_period",
        ),
        ({"type": "supply.cut", "gen_id": "gb300", "from_period": "2026-Q1", "share": 0.1}, "/0/gen_id", "did you mean 'gb300_nvl72'"),
        ({"type": "contract.delay", "contract_id": "meta_2025", "periods": 1}, "/0/contract_id", ""),
        ({"type": "freeze.before", "period": "2026-Q3"}, "/0", "no baseline"),
        ({"type": "contract.extend", "contract_id": "meta_2025", "end": "2026-Q1"}, "/0/end", "not after the present end"),
        ({"type": "retrofit.force", "site_id": "plano-tx", "mw": 1e6, "by_period": "2027-Q4"}, "/0/mw", "more than the largest order"),
    ],
)
def test_what_is_not_there_is_refused(change: dict[str, Any], pointer: str, said: str, reference: Dataset) -> None:
    parsed = read_changes([change])
    if change["type"] == "contract.delay" and reference.calendar.index("2025-Q4") >= 0:
        parsed = read_changes([{**change, "contract_id": "microsoft_base"}])
        said = "can't start later"
    with pytest.raises(ChangeError) as raised:
        apply(reference, parsed)
    assert raised.value.faults[0].pointer == pointer
    assert said in str(raised.value)


def test_every_fault_of_a_list_is_named() -> None:
    plain = [
        {"type": "site.outtage", "site_id": "a", "from_period": "2026-Q1"},
        {"type": "site.outage", "site": "a", "from_period": "2026-Q1"},
        {"type": "supply.cut", "gen_id": "a", "from_period": "2026-Q1", "share": 1.5},
        17,
        {"site_id": "a"},
    ]
    with pytest.raises(ChangeError) as raised:
        read_changes(plain)
    pointers = {fault.pointer for fault in raised.value.faults}
    assert pointers == {"/0/type", "/1/site_id", "/1/site", "/2/share", "/3", "/4/type"}
    assert "did you mean 'site.outage'" in str(raised.value)
    assert "did you mean 'site_id'" in str(raised.value)
    for bad in ("{", "{}", 5):
        with pytest.raises(ChangeError):
            read_changes(bad)


def test_warnings_for_no_effect_and_overlap(reference: Dataset) -> None:
    same = {"type": "discount.rate", "per_year": reference.settings.discount_rate}
    one = {"type": "site.density", "site_id": "plano-tx", "max_rack_kw": 50}
    two = {"type": "site.density", "site_id": "plano-tx", "max_rack_kw": 60}
    warnings = apply(reference, read_changes([same, one, two])).warnings
    assert [(w.code, w.change) for w in warnings] == [("no_effect", 0), ("overlap", 2)]
