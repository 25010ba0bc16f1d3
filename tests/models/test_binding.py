"""Which limits of a site are tight."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models.binding import BindingRule, SiteUse, binding
from models.dataset import Dataset
from tests.factories import small_dataset


@pytest.mark.parametrize(
    ("limit", "used", "grain", "expected"),
    [
        (10.0, 9.95, 0.1, True),  # less than a rack is left
        (10.0, 9.9, 0.1, False),  # one rack fits
        (1.0, 0.9, 0.1, False),  # one rack fits, though 1.0 - 0.9 < 0.1 in binary
        (10.0, 10.0, 0.0, True),
        (10.0, 10.0 - 2e-5, 0.0, False),
        (10.0, 10.0 - 5e-6, 0.0, True),  # nothing within tolerance
        (0.0, 0.0, 1.0, False),  # a site that uses nothing
        (np.inf, 5.0, 1.0, False),
    ],
)
def test_one_limit(limit: float, used: float, grain: float, expected: bool) -> None:
    assert binding(limit, used, grain) is expected


def names(dataset: Dataset, racks: dict[tuple[int, int, int], int], **given: Any) -> list[list[str]]:
    """Names by site and period for racks in service (none installed); limits 10 MW unless given."""
    shape = (len(dataset["sites"]), len(dataset["generations"]), dataset.settings.periods)
    in_service = np.zeros(shape)
    for key, count in racks.items():
        in_service[key] = count
    mw = dataset["generations"]["rack_kw"].to_numpy(float) / 1000
    liquid = dataset["generations"]["liquid_share"].to_numpy(float)
    flat = (shape[0], shape[2])
    use = {
        "installed": np.zeros(shape),
        "in_service": in_service,
        "it_used_mw": np.einsum("sgt,g->st", in_service, mw),
        "liquid_used_mw": np.einsum("sgt,g->st", in_service, mw * liquid),
        "air_used_mw": np.einsum("sgt,g->st", in_service, mw * (1 - liquid)),
        "facility_peak_mw": np.einsum("sgt,g->st", in_service, mw),
        "water_m3": np.zeros(flat),
        **{f"{kind}_limit_mw": np.full(flat, 10.0) for kind in ("it", "liquid", "air")},
    }
    return BindingRule(dataset).names(SiteUse(**{**use, **given})).tolist()


def test_a_hall_is_full_when_no_rack_fits() -> None:
    """99 racks of 0.1 MW leave room for one more, 100 do not."""
    dataset = small_dataset(periods=2, sites=[{"site_id": "a"}], supply=[{"gen_id": "h100", "racks": 100}])
    assert names(dataset, {(0, 0, 0): 99, (0, 0, 1): 100}) == [["", "it_power;air"]]


def test_the_smallest_rack_to_hand_counts() -> None:
    """0.25 MW are left. Racks of 0.1 MW could use them only while they can be installed; those of 0.4 MW never."""
    gens = [{"gen_id": "small", "last_install": "2026-Q1"}, {"gen_id": "large", "rack_kw": 400}]
    dataset = small_dataset(periods=2, sites=[{"site_id": "a"}], generations=gens)
    limit = np.full((1, 2), 0.65)
    assert names(dataset, {(0, 1, 0): 1, (0, 1, 1): 1}, it_limit_mw=limit) == [["", "it_power"]]
    assert names(dataset, {(0, 1, 0): 1, (0, 0, 1): 4}, it_limit_mw=limit) == [["", ""]], "in service it is to hand"


def test_without_supply_a_rack_is_not_to_hand() -> None:
    dataset = small_dataset(
        periods=2, sites=[{"site_id": "a"}], generations=[{"gen_id": "small"}, {"gen_id": "large", "rack_kw": 400}],
        supply=[{"gen_id": "small", "period": "2026-Q2", "racks": 1}, {"gen_id": "large", "racks": 5}],
    )  # fmt: skip
    assert names(dataset, {(0, 1, 0): 1, (0, 1, 1): 1}, it_limit_mw=np.full((1, 2), 0.65)) == [["it_power", ""]]


def test_a_rack_that_the_halls_do_not_take_is_not_to_hand() -> None:
    gens = [{"gen_id": "large", "rack_kw": 300}, {"gen_id": "small", "rack_kw": 100}]
    dataset = small_dataset(periods=1, sites=[{"site_id": "a", "max_rack_kw": 200}], generations=gens, supply=[{"gen_id": "large"}])
    limit = np.full((1, 1), 0.65)
    assert names(dataset, {(0, 0, 0): 2}, it_limit_mw=limit) == [[""]], "no rack to hand: only the tolerance counts"
    assert names(dataset, {(0, 0, 0): 2}, it_limit_mw=np.full((1, 1), 0.6)) == [["it_power"]]


def test_liquid_and_air_have_steps_of_their_own() -> None:
    """A rack of 0.1 MW gives 0.08 to liquid and 0.02 to air: 0.05 MW left is nothing to liquid and two racks to air."""
    dataset = small_dataset(periods=1, sites=[{"site_id": "a"}], generations=[{"gen_id": "h100", "liquid_share": 0.8}])
    limits = {"liquid_limit_mw": np.full((1, 1), 0.85), "air_limit_mw": np.full((1, 1), 0.25)}
    assert names(dataset, {(0, 0, 0): 10}, **limits) == [["liquid"]]


def test_grid_binds_below_the_node_where_a_site_draws() -> None:
    """10 racks at ``a`` and 5 at ``b`` draw 1.5 of 1.55 MW at the root; ``d`` draws nothing, ``e`` hangs elsewhere."""
    dataset = small_dataset(
        periods=2,
        sites=[{"site_id": s, "grid_node": n} for s, n in (("a", "n1"), ("b", "n2"), ("d", "n2"), ("e", "n3"))],
        grid_nodes=[{"node_id": "root"}, {"node_id": "n1", "parent_id": "root"}, {"node_id": "n2", "parent_id": "root"}, {"node_id": "n3"}],
        grid_limits=[{"node_id": "root", "from_period": "2026-Q2", "limit_mw": 1.55}],
    )
    racks = {(s, 0, t): n for s, n in ((0, 10), (1, 5), (3, 5)) for t in (0, 1)}
    assert names(dataset, racks) == [["", "grid"], ["", "grid"], ["", ""], ["", ""]]


def test_install_rate_and_water() -> None:
    """4 of 4.5 racks and all water: no further rack, no further litre; names in their order."""
    dataset = small_dataset(periods=1, sites=[{"site_id": "a", "install_racks_per_period": 4.5, "water_limit_m3_per_period": 30}])
    installed = np.full((1, 1, 1), 4.0)
    assert names(dataset, {(0, 0, 0): 4}, installed=installed, water_m3=np.full((1, 1), 30.0)) == [["install_rate;water"]]
    assert names(dataset, {(0, 0, 0): 3}, installed=installed - 1, water_m3=np.full((1, 1), 29.99)) == [[""]]
