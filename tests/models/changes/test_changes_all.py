"""What holds for every type of change: examples, sentences, faults, warnings, order, random changes."""

from __future__ import annotations

import json
import random
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from models.changes import CHANGES, AnyChange, ChangeError, Where, apply, change_types, draw, read_changes, touched
from models.changes.diff import cells_touched
from models.dataset import Dataset
from models.files import from_plain
from models.tables import ROW_TYPES
from tests.factories import small_dataset
from tests.generator import random_dataset
from tests.models.changes.changes_kit import applied, codes, differences, faults, reference

DESIGNED = [
    "site.derate",
    "site.outage",
    "site.energization_delay",
    "site.add_block",
    "site.close",
    "site.density",
    "retrofit.allow",
    "retrofit.forbid",
    "retrofit.force",
    "supply.cut",
    "supply.delay",
    "supply.add",
    "supply.price",
    "contract.add",
    "contract.resize",
    "contract.delay",
    "contract.extend",
    "contract.terminate",
    "contract.price",
    "contract.rules",
    "energy.price",
    "energy.demand_charge",
    "carbon.price",
    "carbon.cap",
    "market.price",
    "market.depth",
    "grid.limit",
    "place.force",
    "place.forbid",
    "place.min",
    "place.max",
    "freeze.before",
    "move.price",
    "budget.cap",
    "discount.rate",
]
SENTENCES = {
    "site.derate": "chester-va: IT power derated by 20 % from 2026-Q3 to 2027-Q1",
    "site.outage": "reno-nv: out of service for 1 quarter from 2026-Q3",
    "site.energization_delay": "denton-tx: power energized 2 quarters later from 2026-Q3",
    "site.add_block": "ellendale-nd: a new block of 50 MW (ellendale-nd-5) from 2028-Q1",
    "site.close": "reno-nv: closed from 2028-Q1",
    "site.density": "plano-tx: racks of at most 130 kW",
    "retrofit.allow": "reno-nv: 3 to 10 MW may be converted to liquid for 4,000,000 USD and 2,000 USD per kW",
    "retrofit.forbid": "chicago-il: no conversion to liquid",
    "retrofit.force": "chicago-il: at least 8 MW ordered to be converted to liquid by 2026-Q4",
    "supply.cut": "gb300_nvl72: supply cut by 20 % from 2026-Q2 to 2026-Q4",
    "supply.delay": "vr_nvl144: supply 2 quarters later from 2026-Q4",
    "supply.add": "gb300_nvl72: 200 more racks in 2026-Q3",
    "supply.price": "vr_nvl144: price up 10 % from 2027-Q1",
    "contract.add": "new_lab: new prospect of New lab, up to 8,000 GPUs from 2026-Q4 to 2030-Q3",
    "contract.resize": "meta_2025: GPUs owed down 20 % from 2027-Q1",
    "contract.delay": "meta_2026: start and end 2 quarters later",
    "contract.extend": "ibm: extended by 4 quarters, 2.5 USD per GPU-hour",
    "contract.terminate": "openai_2025b: terminated from 2027-Q1",
    "contract.price": "microsoft_base: price down 10 % from 2027-Q1",
    "contract.rules": "openai_2025b: max_sites 2, no max_rtt_ms",
    "energy.price": "GB_UK: energy price up 40 % from 2026-Q4 to 2027-Q1",
    "energy.demand_charge": "PJM_NJ: demand charge up 50 % from 2027-Q1",
    "carbon.price": "PJM_NJ: carbon price 40 USD per tonne from 2028-Q1",
    "carbon.cap": "carbon cap down 10 % in 2030 to 2032",
    "market.price": "h100, on_demand: market price down 20 % from 2026-Q3",
    "market.depth": "gb300_nvl72: market depth down 50 % from 2027-Q1",
    "grid.limit": "oncor_dfw: grid limit down 10 % from 2026-Q3",
    "place.force": "sovereign_eu: has to be signed",
    "place.forbid": "meta_2025: must not be served from ellendale-nd",
    "place.min": "ellendale-nd, gb300_nvl72: at least 100 racks in service from 2026-Q4 to 2028-Q4",
    "place.max": "gb200_nvl72: at most 200 racks installed from 2026-Q1",
    "freeze.before": "decisions before 2026-Q3 stay as in the baseline",
    "move.price": "microsoft_base: price of moves 2,000 USD per GPU",
    "budget.cap": "capital budget down 20 % from 2026-Q3 to 2027-Q4",
    "discount.rate": "discount rate 9 % a year",
}
WITHOUT_PLAN = [name for name in DESIGNED if name != "freeze.before"]


def test_every_designed_type_is_there() -> None:
    """The types of the service, no more and no fewer, each with its class in the union."""
    assert sorted(CHANGES) == sorted(DESIGNED)
    assert set(get_args(get_args(AnyChange)[0])) == set(CHANGES.values())


@pytest.mark.parametrize("name", DESIGNED)
def test_example_reads_and_says_what_it_does(name: str) -> None:
    """The example is valid, is told apart by its type, survives JSON, and its sentence is plain."""
    (change,) = read_changes([CHANGES[name].example])
    assert type(change) is CHANGES[name]
    assert change.sentence(reference()) == SENTENCES[name]
    again = json.loads(json.dumps(change.model_dump(mode="json")))
    assert read_changes([again]) == [change]
    assert TypeAdapter(AnyChange).validate_json(change.model_dump_json()) == change


@pytest.mark.parametrize("name", WITHOUT_PLAN)
def test_example_alters_the_reference(name: str) -> None:
    """It applies without a warning, alters something, gives another hash, and leaves its input alone."""
    before = reference().sha256
    result = applied(reference(), CHANGES[name].example)
    assert result.warnings == ()
    assert touched(reference(), result.dataset)
    assert cells_touched(reference(), result.dataset)
    assert result.dataset.sha256 != before
    assert from_plain(json.loads(json.dumps(result.dataset.to_plain()))).sha256 == result.dataset.sha256
    fresh = Dataset(reference().settings, {name: reference().table_rows(name) for name in reference().to_plain() if name != "dataset"})
    assert fresh.sha256 == before


@pytest.mark.parametrize("name", DESIGNED)
def test_misspelt_ids_and_periods_are_faults_with_their_place(name: str) -> None:
    """Each id with a letter more is refused with the right one as a suggestion; each period outside the horizon with its range."""
    (change,) = read_changes([CHANGES[name].example])
    for field, info in CHANGES[name].model_fields.items():
        form: dict[str, Any] = info.json_schema_extra["form"] if isinstance(info.json_schema_extra, dict) else {}
        value = getattr(change, field)
        if form.get("widget") == "select" and value:
            (fault, *_) = faults(reference(), {"type": "discount.rate", "discount_rate": 0.1}, CHANGES[name].example | {field: value + "x"})
            assert (fault.pointer, fault.code, fault.value) == (f"/1/{field}", "unknown_id", value + "x")
            assert fault.suggestion == value
            assert fault.row == "change 2"
        if form.get("widget") == "period" and value:
            (fault, *_) = faults(reference(), CHANGES[name].example | {field: "2026-13"})
            assert (fault.pointer, fault.code) == (f"/0/{field}", "bad_period")
            if not form["outside"]:
                (fault, *_) = faults(reference(), CHANGES[name].example | {field: "2033-Q1"})
                assert (fault.code, fault.allowed) == ("outside_horizon", "a period from 2025-Q4 to 2032-Q4")


def test_all_faults_at_once() -> None:
    """Of all changes, in reading and in applying; a change that names what a faulty one would have added is not told."""
    wrong: list[Any] = [
        {"type": "site.derat", "site_id": "a"},
        {"type": "site.close", "site": "a"},
        {"type": "supply.cut", "cut_share": 1.5},
        {"type": "supply.price", "gen_id": "h100"},
        {"type": "place.max", "decision": "instaled", "value": "3"},
        7,
    ]
    with pytest.raises(ChangeError) as error:
        read_changes(wrong, "/changes")
    found = [(f.pointer, f.code, f.suggestion) for f in error.value.faults]
    assert found == [
        ("/changes/0/type", "unknown_type", "site.derate"),
        ("/changes/1/site_id", "missing_value", ""),
        ("/changes/1/from_period", "missing_value", ""),
        ("/changes/1/site", "unknown_field", "site_id"),
        ("/changes/2/cut_share", "out_of_range", ""),
        ("/changes/3", "bad_combination", ""),
        ("/changes/4/decision", "unknown_choice", "installed"),
        ("/changes/4/value", "not_a_number", ""),
        ("/changes/5", "bad_json", ""),
    ]
    assert error.value.faults[4].allowed == "a number from 0 to 1 (share)"
    assert "exactly one of factor, usd_per_gpu" in error.value.faults[5].problem
    block = {"type": "site.add_block", "site_id": "x", "block_id": "new", "it_mw": 1, "air_mw": 1, "liquid_mw": 1, "energized": "2026-Q1"}
    force = {"type": "place.force", "decision": "build", "block_id": "new"}
    close = {"type": "site.close", "site_id": "c", "from_period": "2026-Q2"}
    assert [f.pointer for f in faults(small_dataset(), block, force, close)] == ["/0/site_id", "/2/site_id"]


@pytest.mark.parametrize("document", [{"type": "site.close"}, "site.close", None, [{}] * 501])
def test_no_list_of_changes(document: Any) -> None:
    """Anything but a list of at most 500."""
    with pytest.raises(ChangeError):
        read_changes(document)


def test_an_invalid_dataset_names_the_change_that_makes_it() -> None:
    """The second of three changes leaves less grid than the overhead."""
    data = small_dataset(
        sites=[{"site_id": "a", "grid_node": "n", "overhead_mw": 1}], grid_nodes=[{"node_id": "n"}],
        grid_limits=[{"node_id": "n", "from_period": "2026-Q1", "limit_mw": 20}],
    )  # fmt: skip
    rate = {"type": "discount.rate", "discount_rate": 0.1}
    (fault,) = faults(data, rate, {"type": "grid.limit", "node_id": "n", "factor": 0.01}, rate)
    assert (fault.pointer, fault.row, fault.code) == ("/1", "change 2", "limit_below_overhead")


def test_order_matters() -> None:
    """Half of 10 racks and 4 more, or half of 14."""
    half = {"type": "supply.cut", "gen_id": "h100", "cut_share": 0.5}
    more = {"type": "supply.add", "gen_id": "h100", "period": "2026-Q1", "racks": 4}
    assert differences(small_dataset(), half, more) == [("supply", "h100", "2026-Q1", "changed", {"racks": 9})]
    assert differences(small_dataset(), more, half) == [("supply", "h100", "2026-Q1", "changed", {"racks": 7})]


def test_overlap_is_told_by_period() -> None:
    """Two prices of one period overlap, also inside a row that holds on; of different periods or columns they do not."""
    price = {"type": "contract.price", "contract_id": "c", "factor": 0.5}
    result = applied(small_dataset(), price | {"from_period": "2026-Q1"}, price | {"from_period": "2026-Q3"})
    assert codes(result) == ["overlap"]
    assert result.warnings[0].pointer == "/1"
    assert "touches what change 1 touches: contract_prices c usd_per_gpu_hour 2026-Q3 (and 1 more)" in result.warnings[0].problem
    apart = applied(small_dataset(), price | {"to_period": "2026-Q2"}, price | {"from_period": "2026-Q3"})
    assert codes(apart) == []
    place = {"type": "place.min", "decision": "installed", "site_id": "a", "value": 1}
    assert codes(applied(small_dataset(), place, place | {"type": "place.max", "value": 3, "from_period": "2026-Q4"})) == ["overlap"]
    assert codes(applied(small_dataset(), place, place | {"site_id": "b"})) == []


def test_a_change_has_one_warning_of_overlap() -> None:
    """However many changes it overlaps with: a hundred would otherwise have five thousand."""
    price = {"type": "contract.price", "contract_id": "c", "factor": 0.5}
    result = applied(small_dataset(), *[price] * 6)
    assert codes(result) == ["overlap"] * 5
    said = [warning.problem.split(":")[0] for warning in result.warnings]
    assert said == [
        "touches what change 1 touches",
        "touches what change 1 and change 2 touch",
        "touches what change 1, change 2 and change 3 touch",
        "touches what change 1, change 2, change 3 and 1 more touch",
        "touches what change 1, change 2, change 3 and 2 more touch",
    ]


def test_places_of_inherited_changes_are_not_those_of_the_list() -> None:
    """The list of a request stands on changes of its scenario, which it only names."""
    price = {"type": "contract.price", "contract_id": "c", "factor": 0.5}
    where = Where("/changes", inherited=2, source="/parent")
    result = apply(small_dataset(), read_changes([price] * 3), where=where)
    assert [(w.pointer, w.row) for w in result.warnings] == [("/parent", "inherited change 2"), ("/changes/0", "change 1")]
    assert "touches what inherited change 1 and inherited change 2 touch" in result.warnings[1].problem
    wrong = read_changes([price | {"contract_id": "cc"}, price, price | {"contract_id": "dd"}])
    with pytest.raises(ChangeError) as refused:
        apply(small_dataset(), wrong, where=where)
    found = [(fault.pointer, fault.row) for fault in refused.value.faults]
    assert found == [("/parent", "inherited change 1"), ("/changes/0/contract_id", "change 1")]


def test_no_changes() -> None:
    """Nothing is the dataset itself, and a warning-free one."""
    result = apply(small_dataset(), [])
    assert (result.dataset.sha256, result.warnings, result.sentences) == (small_dataset().sha256, (), ())


def test_change_types_for_menus_and_forms() -> None:
    """Each type with its title, schema, form and example; the form asks for the schema's fields."""
    found = change_types()
    assert [entry["type"] for entry in found] == list(CHANGES)
    assert json.loads(json.dumps(found)) == found
    for entry in found:
        names = [hint["name"] for hint in entry["form"]]
        assert names == [name for name in entry["schema"]["properties"] if name != "type"]
        assert all(entry[name] for name in ("sentence", "title", "description"))
        assert entry["schema"]["additionalProperties"] is False
        assert all(hint["label"] and hint["widget"] for hint in entry["form"])
    derate = {hint["name"]: hint for hint in found[0]["form"]}
    assert derate["site_id"] | {"widget": "select", "source": "sites.site_id", "required": True} == derate["site_id"]
    assert derate["resource"]["choices"] == ["it", "liquid", "air"]
    assert (derate["it_mw"]["unit"], derate["it_mw"]["ge"]) == ("MW IT", 0)


def test_touched_compares_rows_by_key() -> None:
    """A row changed, one added, one removed, a setting; order of rows is no difference."""
    before = small_dataset(supply=[{"gen_id": "h100"}, {"gen_id": "h100", "period": "2026-Q2"}])
    after = small_dataset(name="other", supply=[{"gen_id": "h100", "period": "2026-Q3"}, {"gen_id": "h100", "racks": 11}])
    assert [str(row) for row in touched(before, after)] == [
        "dataset changed: name small -> other",
        "supply h100, 2026-Q1 changed: racks 10 -> 11",
        "supply h100, 2026-Q2 removed: racks 10 -> -",
        "supply h100, 2026-Q3 added: racks - -> 10",
    ]


def check_draw(data: Dataset, name: str, seed: int) -> None:
    """A random change applies, keeps the dataset valid, comes again with the seed, and survives JSON."""
    change = draw(data, random.Random(seed), name)
    assert draw(data, random.Random(seed), name) == change
    result = apply(data, [change])
    assert result.dataset.sha256 != data.sha256 or "no_effect" in codes(result)
    plain = {**{table: [] for table in ROW_TYPES}, **json.loads(json.dumps(result.dataset.to_plain()))}
    assert from_plain(plain).sha256 == result.dataset.sha256
    assert read_changes([json.loads(change.model_dump_json())]) == [change]


@pytest.mark.parametrize("name", WITHOUT_PLAN)
def test_random_change_of_the_reference(name: str) -> None:
    """One of each type."""
    check_draw(reference(), name, 1)


@pytest.mark.parametrize("name", WITHOUT_PLAN)
def test_random_changes_of_random_datasets(name: str) -> None:
    """Some of each type on small datasets; a dataset may have nothing that it could alter, but not every one."""
    drawn, reasons = 0, set()
    for seed in range(12):
        try:
            check_draw(random_dataset(seed), name, seed)
            drawn += 1
        except ChangeError as error:
            reasons.update(fault.code for fault in error.faults)
    assert drawn > 0
    assert reasons <= {"nothing_to_change"}


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), many=st.integers(1, 6))
def test_random_chains_of_changes(seed: int, many: int) -> None:
    """Changes drawn one after the other, each valid for what the last left, apply together just so."""
    rng, data = random.Random(seed), random_dataset(seed)
    base, before, chain = data, data.sha256, []
    for _ in range(many):
        chain.append(draw(data, rng))
        data = apply(data, chain[-1:]).dataset
    result = apply(base, chain)
    assert result.dataset.sha256 == data.sha256
    assert len(result.sentences) == many
    assert base.sha256 == before
    assert Dataset(base.settings, {t: base.table_rows(t) for t in base.to_plain() if t != "dataset"}).sha256 == before


def test_nothing_to_draw() -> None:
    """A dataset without a market, a type that is none."""
    with pytest.raises(ChangeError, match="nothing that such a change could alter"):
        draw(small_dataset(), random.Random(1), "market.price")
    with pytest.raises(ChangeError, match=r"market\.price"):
        draw(small_dataset(), random.Random(1), "market.prices")
