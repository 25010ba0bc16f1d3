"""The reference dataset: valid, of the size it claims, and with a source for every figure."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from data.build_reference import FOLDER, build
from data.reference_build.contract_list import CONTRACTS
from data.reference_build.facts import DATA, Facts
from data.reference_build.sources import uncovered
from models import tables as tb
from models.dataset import Dataset
from models.files import read_dataset
from optimizer.instance import Instance

HOPPER_AND_OLDER = ("a100", "h100", "h200")


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    """The committed dataset."""
    return read_dataset(FOLDER)


@pytest.fixture(scope="module")
def instance(dataset: Dataset) -> Instance:
    """Its arrays."""
    return Instance(dataset)


@pytest.fixture(scope="module")
def heat(instance: Instance) -> dict[str, np.ndarray]:
    """IT power, heat to liquid and to air of the fleet at the start, MW by site."""
    mw = np.array([instance.rack_mw[g] for g in instance.gens])
    liquid = np.array([row.liquid_share for row in instance.gen_rows.values()])
    return {"it": instance.fleet @ mw, "liquid": instance.fleet @ (mw * liquid), "air": instance.fleet @ (mw * (1 - liquid))}


def test_dataset_has_no_warnings(dataset: Dataset) -> None:
    assert dataset.warnings == ()


def test_folder_equals_what_the_build_gives() -> None:
    files = build().files()
    assert {path.name for path in FOLDER.iterdir()} == set(files)
    for name, content in files.items():
        assert (FOLDER / name).read_text(encoding="utf-8") == content, f"{name} differs: run python -m data.build_reference"


def test_writing_leaves_only_what_was_built(tmp_path: Path) -> None:
    (tmp_path / "directives.csv").write_text("row\n")
    book = build()
    book.write(tmp_path)
    assert {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()} == book.files()


def test_every_figure_has_a_source() -> None:
    assert uncovered(FOLDER) == []


def test_a_figure_without_source_is_found(tmp_path: Path) -> None:
    build().write(tmp_path)
    path = tmp_path / "sources.csv"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(line for line in lines if not line.startswith("fleet,*,racks,")), encoding="utf-8")
    (tmp_path / "fleet.csv").write_text("site_id,gen_id,in_service_since,racks\nreno-nv,h100,2019-Q1,7\n", encoding="utf-8")
    assert uncovered(tmp_path) == ["fleet reno-nv;h100;2019-Q1 racks"]


def test_every_source_names_an_existing_figure(dataset: Dataset) -> None:
    known = {
        (table, ";".join("" if row.get(c.name) is None else str(row[c.name]) for c in tb.COLUMNS[table] if c.key))
        for table, rows in build().rows.items()
        for row in rows
    }
    for row in dataset.rows(tb.Source):
        assert row.table_ == "dataset" or row.key == "*" or (row.table_, row.key) in known, row


def test_every_assumption_is_used_and_lies_within_its_range() -> None:
    facts = Facts()
    build(facts)
    with (DATA / "assumptions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["key"] for row in rows}) == len(rows)
    for row in rows:
        assert row["key"] in facts.used or row["key"].startswith("spread."), f"{row['key']} is not used"
        assert row["why"], row
        assert row["unit"], row
        try:
            low, value, high = (float(row[name]) for name in ("low", "value", "high"))
        except ValueError:
            continue  # quarters and technologies
        assert low <= value <= high, row


def test_every_numeric_assumption_has_low_and_high() -> None:
    with (DATA / "assumptions.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            assert row["unit"] == "technology" or (row["low"] and row["high"]), row["key"]


def test_horizon_sites_and_generations(dataset: Dataset, instance: Instance) -> None:
    assert (dataset.settings.start, dataset.settings.periods, instance.calendar.labels[-1]) == ("2025-Q4", 29, "2032-Q4")
    assert len(instance.sites) == 32
    assert len(instance.gens) >= 7
    assert instance.candidates == ["horizon-tx"]


def test_power_at_the_start_and_contracted(instance: Instance, heat: dict[str, np.ndarray]) -> None:
    energized = instance.it_firm[:, 0]
    assert energized.sum() == pytest.approx(850)
    assert (energized > 0).sum() == 23
    assert heat["it"].sum() == pytest.approx(590, rel=0.03)
    labels = instance.calendar.labels
    assert instance.it_firm.sum(axis=0)[labels.index("2026-Q1")] == pytest.approx(1026)
    assert instance.it_firm.sum(axis=0)[labels.index("2026-Q4")] == pytest.approx(1749)


def test_gpus_at_the_start(instance: Instance) -> None:
    gpus = {g: instance.fleet[:, i].sum() * instance.gen_rows[g].gpus_per_rack for i, g in enumerate(instance.gens)}
    assert sum(gpus[g] for g in HOPPER_AND_OLDER) == pytest.approx(250_000, rel=0.01)
    assert gpus["gb200_nvl72"] == pytest.approx(120_000, rel=0.03)


def test_fleet_fits_power_and_cooling(instance: Instance, heat: dict[str, np.ndarray]) -> None:
    slack = 1e-9
    assert (heat["it"] <= np.minimum(instance.it_firm, instance.site_limits["it"])[:, 0] + slack).all()
    assert (heat["liquid"] <= instance.liquid_firm[:, 0] + slack).all()
    assert (heat["air"] <= instance.air_firm[:, 0] + slack).all()


def test_fleet_fits_the_grid(instance: Instance) -> None:
    overhead = np.array([row.overhead_mw for row in instance.site_rows.values()])
    is_open = np.array([row.status is tb.SiteStatus.OPEN for row in instance.site_rows.values()])
    draw = (instance.fleet * instance.peak_mw).sum(axis=1) + overhead * is_open
    for node, limit in instance.grid_limits.items():
        assert sum(draw[instance.site_at[s]] for s in instance.sites_below[node]) <= limit[0], node


def test_racks_stand_in_halls_that_take_them(instance: Instance) -> None:
    assert ((instance.fleet == 0) | instance.hosts).all()


def test_a100_and_first_h100_reach_their_end_of_life_in_the_horizon(instance: Instance) -> None:
    ends = {
        g: [since + instance.gen_rows[g].life_periods for (_, gen), rows in instance.cohorts.items() if gen == g for since, _ in rows]
        for g in ("a100", "h100")
    }
    assert max(ends["a100"]) < instance.T
    assert 0 < min(ends["h100"]) < instance.T


def test_firm_deliveries_before_the_start_come_from_the_fleet(dataset: Dataset, instance: Instance) -> None:
    """What contracts receive, spares included, never exceeds what the eligible racks of a site hold."""
    need: dict[tuple[str, str], float] = {}
    for c, by_site in instance.current.items():
        native = next(deal.native for deal in CONTRACTS if deal.contract_id == c)
        for s, gpus in by_site.items():
            assert s in instance.allowed_sites(c)
            group = "hopper" if native in HOPPER_AND_OLDER else "blackwell"
            need[s, group] = need.get((s, group), 0.0) + gpus * (1 + instance.contract_rows[c].spare_share)
        assert sum(by_site.values()) == pytest.approx(instance.owed[instance.contract_at[c], 0])
    members = {"hopper": ("h100", "h200"), "blackwell": ("gb200_nvl72",)}
    for (s, group), gpus in need.items():
        held = sum(instance.fleet[instance.site_at[s], instance.gen_at[g]] * instance.gen_rows[g].gpus_per_rack for g in members[group])
        assert gpus <= held, (s, group)


def test_running_firm_contracts_say_where_they_are_served(instance: Instance) -> None:
    for c, row in instance.contract_rows.items():
        running = row.status is tb.ContractStatus.FIRM and instance.index(row.start) < 0
        assert running == (c in instance.current), c


def test_denton_falls_short_of_its_order(instance: Instance) -> None:
    """The slip: what Denton's power can hold is below what is owed for three quarters, and enough a year later."""
    owed = instance.owed[instance.contract_at["openai_2025a"]]
    gb200 = instance.gen_at["gb200_nvl72"]
    racks = instance.it_most[instance.site_at["denton-tx"]] / instance.rack_mw["gb200_nvl72"]
    start = instance.fleet[instance.site_at["denton-tx"], gb200] * 72 / 1.03
    assert start < owed[0]
    assert (racks[1:3] * 72 / 1.03 < owed[1:3]).all()
    assert racks[4] * 72 / 1.03 > owed[4]


def test_prospects_until_2027(dataset: Dataset, instance: Instance) -> None:
    kw = {row["gen_id"]: float(row["kw_per_gpu_all_it"]) for row in Facts().table("gpu_generations")}
    native = {deal.contract_id: deal.native for deal in CONTRACTS}
    early = [c for c in instance.prospects if instance.contract_rows[c].start <= "2027-Q4"]
    wanted = sum(instance.owed[instance.contract_at[c]].max() * kw[native[c]] for c in early) / 1e6
    assert len(instance.prospects) >= 8
    assert 0.6 <= wanted <= 0.9
    assert len(instance.contracts) <= 26


def test_every_cluster_can_be_reached_somewhere(instance: Instance) -> None:
    served = {c for c, _ in instance.pairs}
    assert served == set(instance.contracts)


def test_residual_backlog_is_what_the_named_contracts_leave(instance: Instance) -> None:
    """19.0 bn USD less what Microsoft, NVIDIA and the small customers hold of it, about 9 bn in the horizon."""
    value = instance.owed * instance.contract_price * instance.hours[None, :] / 1e9
    tranches = [i for i, c in enumerate(instance.contracts) if c.startswith("backlog_")]
    assert value[tranches].sum() == pytest.approx(9.0, rel=0.05)


def test_nothing_is_paid_twice_for_energy(dataset: Dataset) -> None:
    """Energy and demand charge of a full site at the planning load factor give the retail price of 2025 back, by zone."""
    facts = Facts()
    energy, demand = dataset["energy"], dataset["demand_charges"]
    factor = facts.assumed("demand.load_factor")
    for zone in facts.table("energy_zones"):
        name = zone["price_zone"]
        rows = energy[(energy.price_zone == name) & (energy.from_period == "2025-Q1")]
        mean = (rows.usd_per_mwh * rows.hours_share).sum() / rows.hours_share.sum()
        charge = demand[(demand.price_zone == name) & (demand.from_period == "2025-Q1")].usd_per_kw_month.sum()
        assert mean + charge * 1000 / (730 * factor) == pytest.approx(float(zone["price_2025_usd_per_mwh"]), rel=0.02), name


def test_all_sites_are_joined_by_the_network(instance: Instance) -> None:
    assert all(len(found) == len(instance.sites) for found in instance.round_trip_ms.values())


def test_round_trip_follows_the_formula_of_the_facts(dataset: Dataset) -> None:
    """1000 km give 15.2 ms (rtt_formula of facts/network.csv); Plano and Denton, 48 km apart, 1.2 ms."""
    links = {(row.site_a, row.site_b): row.rtt_ms for row in dataset.rows(tb.NetworkLink)}
    assert links["denton-tx", "plano-tx"] == pytest.approx(0.5 + 2 * 4.9e-3 * 1.5 * 47.7, abs=0.05)


def test_h100_market_rises_at_first_and_falls_later(instance: Instance) -> None:
    price = instance.market["h100", "on_demand"][0]
    assert (price[0], price[1]) == (1.7, 2.35)
    assert price[-1] < price[0]


def test_backstop_is_the_lowest_tier(instance: Instance) -> None:
    for (g, tier), (price, depth) in instance.market.items():
        if tier == "nvidia_backstop":
            first = int(np.flatnonzero(depth)[0])
            assert price[first] < instance.market[g, "bulk"][0][first]
            assert depth[-1] == 0
