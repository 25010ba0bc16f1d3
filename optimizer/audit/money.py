"""Money of a plan: the fifteen terms of NPV, by period, undiscounted and signed (Objective of model.md)."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from models.plan import NPV_TERMS
from optimizer.audit.facts import Floats, Ints
from optimizer.audit.placed import NEVER
from optimizer.audit.usage import Usage


class Money:
    """Recomputes what a plan earns and costs.

    Args:
        use: the plan's quantities.
    """

    def __init__(self, use: Usage) -> None:
        self.use, self.facts, self.plan = use, use.facts, use.plan

    @cached_property
    def revenue(self) -> Floats:
        """Contract revenue, USD; shape (C, T)."""
        return self.facts.contract_price * self.facts.hours * self.use.delivered

    @cached_property
    def tier_revenue(self) -> Floats:
        """Market revenue, USD; shape (K, T)."""
        return self.facts.market[0] * self.facts.hours * self.plan.tier_sold

    @cached_property
    def damages(self) -> Floats:
        """Liquidated damages (positive), USD; shape (C, T)."""
        return self.facts.contract("ld_usd_per_gpu_hour")[:, None] * self.facts.hours * self.plan.short

    @cached_property
    def moves(self) -> Floats:
        """Cost of moves (positive), USD; shape (C, T)."""
        return self.facts.contract("move_usd_per_gpu")[:, None] * self.plan.paid

    @cached_property
    def energy(self) -> Floats:
        """Cost of energy, USD; shape (S, T)."""
        return self.use.energy_mwh * self.facts.energy[0]

    @cached_property
    def demand(self) -> Floats:
        """Demand charges on the planned peak, USD; shape (S, T)."""
        return self.facts.demand_charge * 1000.0 * self.facts.months * self.use.peak

    @cached_property
    def carbon(self) -> Floats:
        """Carbon cost, USD; shape (S, T)."""
        return self.facts.carbon_price * self.use.tonnes

    @cached_property
    def gpu_capital(self) -> Floats:
        """GPUs with installation (positive), USD; shape (T,)."""
        facts = self.facts
        per_rack = facts.gpu_price * facts.gen("gpus_per_rack")[:, None] + facts.gen("install_usd_per_rack")[:, None]
        return np.asarray((per_rack * self.plan.installed.sum(axis=0)).sum(axis=0), dtype=np.float64)

    @cached_property
    def block_capex(self) -> Floats:
        """Capital of options (positive) in the period of their order, ``lead_periods`` before energization, USD; shape (T,)."""
        facts = self.facts
        done = facts.option & (self.plan.built < NEVER)
        ordered = np.maximum(self.plan.built - facts.block("lead_periods").astype(np.intp), 0)
        return self._when(ordered[done], facts.block("capex_usd")[done])

    @cached_property
    def activation(self) -> Floats:
        """Opening of candidates (positive), USD; shape (T,)."""
        done = self.facts.candidate & (self.plan.opened < NEVER)
        return self._when(self.plan.opened[done], self.facts.site("activation_usd", 0.0)[done])

    @cached_property
    def retrofits(self) -> Floats:
        """Retrofits (positive) when ordered, USD; shape (T,)."""
        terms = self.facts.retrofits.set_index("site_id")
        orders = self.plan.orders
        rows = terms.reindex([self.facts.site_ids[s] for s in orders.s])
        cost = rows["fixed_usd"].to_numpy(float) + rows["usd_per_kw"].to_numpy(float) * 1000.0 * orders.mw
        return self._when(orders.t, cost)

    def _when(self, periods: Ints, amounts: Floats) -> Floats:
        """Amounts by period; shape (T,)."""
        total = np.zeros(self.facts.periods)
        np.add.at(total, periods, amounts)
        return total

    @property
    def capex(self) -> Floats:
        """Capital that counts against the budget (positive), USD; shape (T,)."""
        return self.gpu_capital + self.block_capex + self.retrofits + self.activation

    @cached_property
    def lease(self) -> Floats:
        """Leases (positive) of firm blocks from energization and of built options, USD; shape (T,)."""
        facts = self.facts
        a_period = facts.block("lease_usd_per_kw_month") * 1000.0 * facts.months * facts.block("it_mw")
        return np.asarray(a_period @ self.use.built, dtype=np.float64)

    @cached_property
    def residual_racks(self) -> Floats:
        """Residual value of racks at each site by generation, USD; shape (S, G).

        The racks still in service at the end count as the cohorts worth most, the youngest, first
        (the best ``a`` of constraint 16): each cohort at most its racks, together at most those in service.
        """
        facts, plan = self.facts, self.plan
        left = plan.in_service[:, :, -1].copy()
        value = np.zeros(left.shape)
        new = facts.gen("residual_factor") * facts.gpu_price[:, -1] * facts.gen("gpus_per_rack")
        for since in range(facts.periods - 1, -1, -1):
            kept = np.minimum(left, plan.installed[:, :, since])
            value += kept * new * np.maximum(0.0, 1.0 - (facts.periods - since) / facts.life)
            left -= kept
        for s, g, since, racks in sorted(facts.cohorts, key=lambda cohort: -cohort[2]):
            still = min(float(left[s, g]), racks)
            value[s, g] += still * new[g] * max(0.0, 1.0 - (facts.periods - since) / facts.life[g])
            left[s, g] -= still
        return value

    @cached_property
    def residual_blocks(self) -> float:
        """Residual value of options built, USD."""
        facts = self.facts
        done = facts.option & self.use.built[:, -1]
        return float((facts.block("residual_share") * facts.block("capex_usd"))[done].sum())

    @cached_property
    def terms(self) -> dict[str, Floats]:
        """Every term of NPV by period, undiscounted and signed, USD; shape (T,) each; residual_value in the last period."""
        facts = self.facts
        residual = np.zeros(facts.periods)
        residual[-1] = self.residual_racks.sum() + self.residual_blocks
        served = np.einsum("cst,cs->t", self.use.served, facts.serving_cost)
        racks = facts.gen("opex_usd_per_rack_year") @ self.plan.in_service.sum(axis=0)
        terms = {
            "contract_revenue": self.revenue.sum(axis=0),
            "market_revenue": self.tier_revenue.sum(axis=0),
            "damages": -self.damages.sum(axis=0),
            "moves": -self.moves.sum(axis=0),
            "serving_costs": -facts.hours * served,
            "gpu_capital": -self.gpu_capital,
            "opex": -facts.months / 12.0 * racks,
            "lease": -self.lease,
            "block_capex": -self.block_capex,
            "activation": -self.activation,
            "retrofits": -self.retrofits,
            "energy": -self.energy.sum(axis=0),
            "demand_charges": -self.demand.sum(axis=0),
            "carbon": -self.carbon.sum(axis=0),
            "residual_value": residual,
        }
        return {name: np.asarray(terms[name], dtype=np.float64) for name in NPV_TERMS}

    def factors(self, term: str) -> Floats:
        """Discount factors of a term by period; the residual value counts at the end of the horizon; shape (T,)."""
        return np.full(self.facts.periods, self.facts.disc_end) if term == "residual_value" else self.facts.disc

    @cached_property
    def discounted(self) -> dict[str, Floats]:
        """Every term discounted, USD; shape (T,) each."""
        return {name: values * self.factors(name) for name, values in self.terms.items()}

    @cached_property
    def npv_terms(self) -> dict[str, float]:
        """Terms of NPV, discounted, USD."""
        return {name: float(values.sum()) + 0.0 for name, values in self.discounted.items()}
