"""Large instances: sound, the same for the same seed, with every feature of the dataset, of the reference's size and tightness."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.instance_draft import shares
from benchmarks.instances import instance
from models import tables as tb
from models.dataset import Dataset
from models.files import read_dataset
from models.tables import COLUMNS, ROW_TYPES
from optimizer.formulation import formulate
from optimizer.highs import Control, Outcome, Program
from optimizer.instance import Instance
from optimizer.matrix import compile_matrix
from optimizer.spreadsheet import spreadsheet_plan

ROOT = Path(__file__).resolve().parents[2]
SIZES = ((8, 1), (8, 2), (8, 7), (32, 1), (32, 2), (70, 3))
ONCE: dict[tuple[int, int], Dataset] = {}


def made(sites: int, seed: int) -> Dataset:
    """An instance, made once for all tests."""
    if (sites, seed) not in ONCE:
        ONCE[sites, seed] = instance(sites, seed)
    return ONCE[sites, seed]


def firm_mw(dataset: Dataset) -> float:
    """Firm IT power at the end, MW."""
    return sum(row.it_mw for row in dataset.rows(tb.PowerBlock) if row.status is tb.BlockStatus.FIRM)


def gpus(dataset: Dataset) -> float:
    """GPUs of the fleet at the start."""
    per_rack = {row.gen_id: row.gpus_per_rack for row in dataset.rows(tb.Generation)}
    return sum(row.racks * per_rack[row.gen_id] for row in dataset.rows(tb.Fleet))


@pytest.mark.parametrize("sites", [4, 5, 8, 13, 32, 48, 100])
def test_any_number_of_sites_passes_the_checks_without_a_warning(sites: int) -> None:
    for seed in range(4):
        dataset = made(sites, seed)
        assert len(dataset.rows(tb.Site)) == sites
        assert dataset.warnings == ()
        assert (dataset.settings.start, dataset.settings.periods) == ("2025-Q4", 29)


def test_the_same_seed_gives_the_same_dataset() -> None:
    assert instance(8, 5).sha256 == instance(8, 5).sha256
    assert len({made(8, 5).sha256, made(8, 6).sha256, made(9, 5).sha256}) == 3


def test_the_command_writes_the_same_dataset_in_another_process(tmp_path: Path) -> None:
    """With other hash seeds: nothing hangs on the order of a set."""
    for hash_seed in ("1", "2"):
        out = tmp_path / hash_seed
        command = [sys.executable, "-m", "benchmarks.instances", "--sites", "40", "--seed", "3", "-o", str(out)]
        subprocess.run(command, cwd=ROOT, check=True, env={**os.environ, "PYTHONHASHSEED": hash_seed})
        assert read_dataset(out).sha256 == made(40, 3).sha256


@pytest.mark.parametrize(("sites", "seed"), [("3", "1"), ("8", "-1")])
def test_what_cannot_be_made_is_told_in_a_line(sites: str, seed: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.instances", "--sites", sites, f"--seed={seed}", "-o", str(tmp_path / "out")]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert f"sites must be at least 4 and seed at least 0; found {sites} and {seed}" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "out").exists()


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").write_text("kept")
    command = [sys.executable, "-m", "benchmarks.instances", "--sites", "4", "-o", str(tmp_path)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "thesis.docx" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.docx"]


@pytest.mark.parametrize(("sites", "seed"), SIZES)
def test_every_table_and_optional_column_is_used(sites: int, seed: int) -> None:
    dataset = made(sites, seed)
    assert [name for name in ROW_TYPES if not dataset.table_rows(name)] == ["sources"]
    unused = [
        f"{name}.{column.name}"
        for name, columns in COLUMNS.items()
        for column in columns
        if name != "sources" and not column.required and all(getattr(r, column.field) == column.default for r in dataset.table_rows(name))
    ]
    assert unused == []


@pytest.mark.parametrize(("sites", "seed"), SIZES)
def test_features_beyond_single_columns(sites: int, seed: int) -> None:
    d = made(sites, seed)
    contracts, buyers = d.rows(tb.Contract), [row.customer for row in d.rows(tb.Contract)]
    assert {row.status for row in contracts} == set(tb.ContractStatus)
    assert {row.status for row in d.rows(tb.Site)} == set(tb.SiteStatus)
    assert max(buyers.count(buyer) for buyer in buyers) >= 2
    limits = {row.max_sites for row in contracts} - {None}
    assert {1, 2, 5} <= limits <= {1, 2, 3, 4, 5}
    assert any(row.min_cluster_gpus > 0 and row.max_rtt_ms is not None and row.max_sites is not None for row in contracts)
    assert any(row.status is tb.ContractStatus.FIRM and row.max_short_share < 1 for row in contracts)
    assert len({row.gpu_equivalent for row in d.rows(tb.ContractGeneration)}) >= 5
    ramps = [row.contract_id for row in d.rows(tb.ContractRamp)]
    assert max(ramps.count(contract) for contract in ramps) >= 3
    energized = {d.calendar.index(row.energized) for row in d.rows(tb.PowerBlock) if row.status is tb.BlockStatus.FIRM}
    assert min(energized) < 0 < max(energized)
    assert len(energized) >= 5
    assert 5 <= len(d.rows(tb.Generation)) <= 7
    assert {row.season for row in d.rows(tb.EnergySlice)} == {None, 1, 2, 3, 4}
    assert len({row.slice for row in d.rows(tb.EnergySlice)}) == 2
    assert max(row.usd_per_t for row in d.rows(tb.CarbonPrice)) > 0
    assert {row.rule for row in d.rows(tb.Directive)} == set(tb.Rule)
    parents = {row.node_id: row.parent_id for row in d.rows(tb.GridNode)}
    assert {parent is None for parent in parents.values()} == {True, False}


@pytest.mark.parametrize(("sites", "seed"), SIZES)
def test_firm_duties_are_delivered_before_the_start_and_their_racks_live_on(sites: int, seed: int) -> None:
    d = made(sites, seed)
    gens = {row.gen_id: row for row in d.rows(tb.Generation)}
    worth = {(row.contract_id, row.gen_id): row.gpu_equivalent for row in d.rows(tb.ContractGeneration)}
    delivered: dict[str, float] = {}
    for row in d.rows(tb.CurrentDelivery):
        delivered[row.contract_id] = delivered.get(row.contract_id, 0.0) + row.gpus
    for contract in d.rows(tb.Contract):
        if contract.status is tb.ContractStatus.FIRM and contract.max_short_share < 1:
            owed = max(row.gpus for row in d.rows(tb.ContractRamp) if row.contract_id == contract.contract_id)
            assert delivered[contract.contract_id] >= owed
            lives = [
                d.calendar.index(row.in_service_since) + gens[row.gen_id].life_periods
                for row in d.rows(tb.Fleet)
                if (contract.contract_id, row.gen_id) in worth
            ]
            assert min(lives) > d.calendar.index(contract.end)


@pytest.mark.parametrize(("sites", "seed"), SIZES)
def test_gpu_prices_fall(sites: int, seed: int) -> None:
    prices: dict[str, list[float]] = {}
    for row in made(sites, seed).rows(tb.GpuPrice):
        prices.setdefault(row.gen_id, []).append(row.usd_per_gpu)
    for path in prices.values():
        assert path == sorted(path, reverse=True)
        assert path[-1] < path[0]


def test_magnitudes_are_those_of_the_reference() -> None:
    reference = read_dataset(ROOT / "data" / "reference-2025q4")
    for seed in (1, 2, 3):
        d = made(32, seed)
        assert firm_mw(d) == pytest.approx(firm_mw(reference), rel=0.25)
        assert 220_000 <= gpus(d) <= 380_000
        assert 24 <= len(d.rows(tb.Contract)) <= 28
        assert 10 <= sum(row.max_sites is not None for row in d.rows(tb.Contract)) <= 11
        for table, column in (("supply", "racks"), ("capex_budget", "usd")):
            assert d[table][column].sum() == pytest.approx(reference[table][column].sum(), rel=0.35)


def test_supply_market_budget_contracts_and_zones_grow_with_the_sites() -> None:
    small, large = made(32, 1), made(128, 1)
    for table, column in (
        ("supply", "racks"),
        ("capex_budget", "usd"),
        ("market", "max_gpus"),
        ("power_blocks", "it_mw"),
        ("fleet", "racks"),
    ):
        ratio = large[table][column].sum() / small[table][column].sum()
        assert 2.4 <= ratio <= 6, table
    assert len(large.rows(tb.Contract)) == pytest.approx(4 * len(small.rows(tb.Contract)), rel=0.15)
    assert len({row.zone for row in large.rows(tb.Site)}) == 4 * len({row.zone for row in small.rows(tb.Site)})


def test_the_model_at_32_sites_is_as_large_as_the_references() -> None:
    m = compile_matrix(formulate(Instance(made(32, 2))))
    assert m.shape[0] == pytest.approx(28_000, rel=0.2)
    assert m.shape[1] == pytest.approx(42_000, rel=0.25)
    assert m.a.nnz == pytest.approx(205_000, rel=0.25)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_relaxation_is_feasible_and_earns_money(seed: int) -> None:
    m = compile_matrix(formulate(Instance(made(8, seed))))
    solution = Program(m, threads=1).solve(Control(time.monotonic() + 120), method="ipm")
    assert solution.outcome is Outcome.OPTIMAL
    assert solution.x is not None
    assert solution.objective < 0  # minus NPV
    assert solution.x[m.of("installed")].sum() > 10
    firm = sum(row.status is tb.ContractStatus.FIRM for row in made(8, seed).rows(tb.Contract))
    assert solution.x[m.of("sign")].sum() > firm + 1.5  # a prospect is signed that no directive asks for


def test_parts_add_to_the_whole() -> None:
    assert shares(7, [1.0, 1.0, 5.0], least=1) == [1, 1, 5]
    assert shares(2, [1.0, 1.0, 1.0], least=1).count(1) == 2
    assert sum(shares(33, [4.0, 4.0, 6.0, 12.0, 5.0, 1.0], least=1)) == 33


@pytest.mark.parametrize(("sites", "seed"), [(8, 1), (8, 3), (8, 7), (32, 1), (32, 5)])
def test_there_is_a_plan(sites: int, seed: int) -> None:
    """The rule of the spreadsheet finds one, and it passes its audit."""
    assert spreadsheet_plan(made(sites, seed)).summary.npv_usd is not None
