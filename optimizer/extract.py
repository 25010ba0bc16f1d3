"""From decisions to a plan: every plan table, and NPV term by term, from the data and the decisions alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from models.binding import BindingRule, SiteUse
from models.plan import NPV_TERMS, PLAN_COLUMNS, empty_table
from models.tables import BlockStatus
from optimizer.decisions import Decisions
from optimizer.instance import Floats, Instance


@dataclass
class Extract:
    """Tables and money of a plan.

    Args:
        instance: the data.
        decisions: what is decided.
    """

    instance: Instance
    decisions: Decisions

    # racks -------------------------------------------------------------------------------------

    @cached_property
    def retired(self) -> Floats:
        """Racks retired; shape (sites, generations, T)."""
        inst, d = self.instance, self.decisions
        before = np.concatenate([inst.fleet[:, :, None], d.in_service[:, :, :-1]], axis=2)
        return before + d.installed - d.in_service

    @cached_property
    def delivered(self) -> Floats:
        """Physical GPUs delivered; shape (contracts, sites, generations, T)."""
        inst = self.instance
        gpus = np.zeros((len(inst.contracts), len(inst.sites), len(inst.gens), inst.T))
        for (c, s, g, t), amount in self.decisions.deliveries.items():
            gpus[inst.contract_at[c], inst.site_at[s], inst.gen_at[g], t] = amount
        return gpus

    @cached_property
    def contract_gpus(self) -> Floats:
        """Contract GPUs delivered by site; shape (contracts, sites, T)."""
        return np.asarray(np.einsum("csgt,cg->cst", self.delivered, self.instance.equivalent_matrix))

    @cached_property
    def sold(self) -> Floats:
        """GPUs sold on the market; shape (sites, generations, T)."""
        inst = self.instance
        gpus = np.zeros((len(inst.sites), len(inst.gens), inst.T))
        for (s, g, t), amount in self.decisions.sold.items():
            gpus[inst.site_at[s], inst.gen_at[g], t] = amount
        return gpus

    # contracts ---------------------------------------------------------------------------------

    @cached_property
    def in_force(self) -> Floats:
        """1 for contracts in force; shape (contracts,)."""
        return np.array([float(c in self.decisions.signed) for c in self.instance.contracts])

    @cached_property
    def owed(self) -> Floats:
        """Contract GPUs owed by contracts in force; shape (contracts, T)."""
        return self.instance.owed * self.in_force[:, None]

    @cached_property
    def short(self) -> Floats:
        """Contract GPUs owed and not delivered; shape (contracts, T)."""
        return np.asarray(np.maximum(0.0, self.owed - self.contract_gpus.sum(axis=1)))

    @cached_property
    def moved(self) -> Floats:
        """Contract GPUs withdrawn from sites while the contract runs on (rule 15); shape (contracts, T)."""
        inst = self.instance
        before = np.zeros((len(inst.contracts), len(inst.sites), inst.T))
        before[:, :, 1:] = self.contract_gpus[:, :, :-1]
        for c, sites in inst.current.items():
            for s, gpus in sites.items():
                before[inst.contract_at[c], inst.site_at[s], 0] = gpus
        return np.asarray(np.maximum(0.0, before - self.contract_gpus).sum(axis=1) * self._runs_on)

    @cached_property
    def _runs_on(self) -> Floats:
        """Whether GPUs are owed now and before; shape (contracts, T)."""
        inst = self.instance
        before = np.array([[inst.owed_before(c, t) for t in range(inst.T)] for c in inst.contracts]).reshape(inst.owed.shape)
        started = np.array([c in inst.current for c in inst.contracts], dtype=bool)
        return np.asarray((inst.owed > 0) & np.where(np.arange(inst.T) == 0, started[:, None], before > 0), dtype=np.float64)

    @cached_property
    def paid_moves(self) -> Floats:
        """Contract GPUs moved beyond what the ramp takes away; shape (contracts, T)."""
        inst = self.instance
        before = np.array([[inst.owed_before(c, t) for t in range(inst.T)] for c in inst.contracts]).reshape(inst.owed.shape)
        return np.maximum(0.0, self.moved - np.maximum(0.0, before - inst.owed)) * self._runs_on

    # power -------------------------------------------------------------------------------------

    @cached_property
    def opened(self) -> Floats:
        """1 while a site is in use; shape (sites, T)."""
        inst = self.instance
        state = inst.open_from_start.astype(float)
        for s, t in self.decisions.opened.items():
            state[inst.site_at[s], t:] = 1.0
        return state

    def _with_built(self, firm: Floats, megawatts: dict[str, float]) -> Floats:
        total = firm.copy()
        for b, t in self.decisions.built.items():
            total[self.instance.site_at[self.instance.block_rows[b].site_id], t:] += megawatts[b]
        return total

    @cached_property
    def limits(self) -> dict[str, Floats]:
        """Limits of IT, liquid and air after retrofits and site limits, MW; shape (sites, T) each."""
        inst = self.instance
        power = self._with_built(inst.it_firm, inst.it_of_block)
        liquid = self._with_built(inst.liquid_firm, inst.liquid_of_block)
        air = self._with_built(inst.air_firm, inst.air_of_block)
        for s, (ordered, mw) in self.decisions.retrofits.items():
            row = inst.retrofit_rows[s]
            downtime = row.lead_periods if row.downtime_periods is None else row.downtime_periods
            liquid[inst.site_at[s], ordered + row.lead_periods :] += mw
            air[inst.site_at[s], ordered + row.lead_periods - downtime :] -= mw
        found = {"it": power, "liquid": liquid, "air": air}
        return {name: np.minimum(limit, inst.site_limits[name]) for name, limit in found.items()}

    @cached_property
    def use(self) -> SiteUse:
        """Limits and use of every site."""
        inst, d = self.instance, self.decisions
        rack = np.array([inst.rack_mw[g] for g in inst.gens])
        share = np.array([row.liquid_share for row in inst.gen_rows.values()])
        wue = np.array([row.wue_l_per_kwh for row in inst.site_rows.values()])
        overhead = np.array([row.overhead_mw for row in inst.site_rows.values()])

        def heat(per_rack: Floats) -> Floats:
            return np.asarray(np.einsum("sgt,g->st", d.in_service, per_rack))

        return SiteUse(
            installed=d.installed, in_service=d.in_service,
            it_limit_mw=self.limits["it"], it_used_mw=heat(rack),
            liquid_limit_mw=self.limits["liquid"], liquid_used_mw=heat(rack * share),
            air_limit_mw=self.limits["air"], air_used_mw=heat(rack * (1 - share)),
            facility_peak_mw=overhead[:, None] * self.opened + np.einsum("sgt,sg->st", d.in_service, inst.peak_mw),
            water_m3=inst.hours * self.it_average.sum(axis=1) * wue[:, None],
        )  # fmt: skip

    @cached_property
    def it_average(self) -> Floats:
        """``A[s,g,t]`` of model.md, MW; shape (sites, generations, T)."""
        inst = self.instance
        gens = inst.gen_rows.values()
        per_gpu = np.array([row.rack_kw / 1000.0 / row.gpus_per_rack for row in gens])[None, :, None]
        idle = np.array([row.idle_share for row in gens])[None, :, None]
        gpus = np.array([row.gpus_per_rack for row in gens])[None, :, None]
        load = np.array([row.load_share for row in inst.contract_rows.values()])
        loaded = np.einsum("csgt,c->sgt", self.delivered, load) - idle * self.delivered.sum(axis=0)
        market = (inst.settings.load_market - idle) * self.sold
        return np.asarray(per_gpu * (idle * gpus * self.decisions.in_service + loaded + market))

    @cached_property
    def facility_average(self) -> Floats:
        """``P[s,t]`` of model.md, MW; shape (sites, T)."""
        inst = self.instance
        overhead = np.array([row.overhead_mw for row in inst.site_rows.values()])
        return np.asarray(overhead[:, None] * self.opened + (self.it_average * inst.pue).sum(axis=1))

    # money -------------------------------------------------------------------------------------

    @cached_property
    def energy(self) -> dict[str, Floats]:
        """energy_mwh, energy_usd, demand_usd, tco2, carbon_usd; shape (sites, T) each."""
        inst = self.instance
        mwh = inst.hours * self.facility_average
        tonnes = mwh * inst.tonnes_per_mwh
        return {
            "energy_mwh": mwh,
            "energy_usd": mwh * inst.usd_per_mwh,
            "demand_usd": self.use.facility_peak_mw * inst.demand_usd_per_mw,
            "tco2": tonnes,
            "carbon_usd": tonnes * inst.usd_per_tonne,
        }

    @cached_property
    def cash(self) -> dict[str, Floats]:
        """Each NPV term by period, USD, undiscounted and signed; shape (T,). residual_value stands in the last period."""
        inst, d = self.instance, self.decisions
        terms = {name: np.zeros(inst.T) for name in NPV_TERMS}
        by_contract = self.contract_gpus.sum(axis=1)
        rows = list(inst.contract_rows.values())
        terms["contract_revenue"] += (inst.contract_price * inst.hours * by_contract).sum(axis=0)
        for (g, k, t), gpus in d.sold_tier.items():
            terms["market_revenue"][t] += inst.market[g, k][0][t] * inst.hours[t] * gpus
        terms["damages"] -= inst.hours * (np.array([r.ld_usd_per_gpu_hour for r in rows])[:, None] * self.short).sum(axis=0)
        terms["moves"] -= (np.array([r.move_usd_per_gpu for r in rows])[:, None] * self.paid_moves).sum(axis=0)
        for (c, s), usd in inst.serving_costs.items():
            terms["serving_costs"] -= usd * inst.hours * self.contract_gpus[inst.contract_at[c], inst.site_at[s]]
        terms["gpu_capital"] -= (d.installed.sum(axis=0) * inst.rack_usd).sum(axis=0)
        opex = np.array([row.opex_usd_per_rack_year for row in inst.gen_rows.values()])
        terms["opex"] -= inst.months / 12.0 * (d.in_service.sum(axis=0) * opex[:, None]).sum(axis=0)
        for b, block in inst.block_rows.items():
            firm = block.status is BlockStatus.FIRM
            start = min(max(inst.index(block.energized), 0), inst.T) if firm else d.built.get(b, inst.T)
            terms["lease"][start:] -= block.lease_usd_per_kw_month * 1000.0 * inst.months * block.it_mw
            if b in d.built:
                terms["block_capex"][start - block.lead_periods] -= block.capex_usd
        for s, t in d.opened.items():
            terms["activation"][t] -= inst.site_rows[s].activation_usd
        for s, (t, mw) in d.retrofits.items():
            terms["retrofits"][t] -= inst.retrofit_rows[s].fixed_usd + inst.retrofit_rows[s].usd_per_kw * 1000.0 * mw
        terms["energy"] -= self.energy["energy_usd"].sum(axis=0)
        terms["demand_charges"] -= self.energy["demand_usd"].sum(axis=0)
        terms["carbon"] -= self.energy["carbon_usd"].sum(axis=0)
        terms["residual_value"][-1] += self._residual_usd()
        return terms

    def _residual_usd(self) -> float:
        """Value at the end: racks in service are those of the cohorts of highest value (rule 16), and optional blocks built."""
        inst, d = self.instance, self.decisions
        total = sum(inst.block_rows[b].residual_share * inst.block_rows[b].capex_usd for b in d.built)
        for s, g in inst.held_pairs:
            i, j = inst.site_at[s], inst.gen_at[g]
            cohorts = [(inst.residual_usd(g, since), float(racks)) for since, racks in inst.cohorts.get((s, g), [])]
            cohorts += [(inst.residual_usd(g, t), d.installed[i, j, t]) for t in np.flatnonzero(d.installed[i, j]).tolist()]
            left = d.in_service[i, j, -1]
            for usd, racks in sorted(cohorts, reverse=True):
                total += usd * min(racks, left)
                left -= min(racks, left)
        return float(total)

    @cached_property
    def npv_terms(self) -> dict[str, float]:
        """Terms of NPV, USD, discounted and signed."""
        inst = self.instance
        found = {name: float(values @ inst.disc) for name, values in self.cash.items()}
        found["residual_value"] = float(inst.disc_end * self.cash["residual_value"].sum())
        return found

    @property
    def npv_usd(self) -> float:
        """NPV, USD."""
        return sum(self.npv_terms.values())

    # tables ------------------------------------------------------------------------------------

    def tables(self) -> dict[str, pd.DataFrame]:
        """All plan tables, in the formats of data.md; rows that are all zero are left out."""
        made = {
            "racks": self._racks(),
            "deliveries": self._long("deliveries", self.decisions.deliveries),
            "contracts": self._contracts(),
            "decisions": self._decisions(),
            "sites": self._sites(),
            "market_sites": self._long("market_sites", self.decisions.sold),
            "market": self._market(),
            "cash": self._cash(),
        }
        return {name: made[name] if len(made[name]) else empty_table(name) for name in PLAN_COLUMNS}

    def _labels(self, periods: Any) -> list[str]:
        labels = self.instance.calendar.labels
        return [labels[t] for t in periods]

    def _racks(self) -> pd.DataFrame:
        inst, d = self.instance, self.decisions
        parts = {"installed": d.installed, "retired": self.retired, "in_service": d.in_service}
        s, g, t = np.nonzero((d.installed > 0) | (self.retired > 0) | (d.in_service > 0))
        data: dict[str, Any] = {
            "site_id": [inst.sites[i] for i in s], "gen_id": [inst.gens[j] for j in g], "period": self._labels(t.tolist()),
        }  # fmt: skip
        return pd.DataFrame(data | {name: racks[s, g, t].astype(int) for name, racks in parts.items()})

    def _long(self, table: str, values: dict[Any, float]) -> pd.DataFrame:
        names = [c.name for c in PLAN_COLUMNS[table]]
        rows = [(*key[:-1], self.instance.calendar.labels[key[-1]], gpus) for key, gpus in sorted(values.items())]
        return pd.DataFrame(rows, columns=names)

    def _contracts(self) -> pd.DataFrame:
        inst = self.instance
        rows = list(inst.contract_rows.values())
        delivered = self.contract_gpus.sum(axis=1)
        i, t = np.nonzero((self.owed > 0) | (delivered > 0))
        damages = np.array([r.ld_usd_per_gpu_hour for r in rows])
        price = np.array([r.move_usd_per_gpu for r in rows])
        return pd.DataFrame(
            {
                "contract_id": [inst.contracts[c] for c in i], "customer": [rows[c].customer for c in i], "period": self._labels(t.tolist()),
                "owed_gpus": self.owed[i, t], "delivered_gpus": delivered[i, t], "short_gpus": self.short[i, t],
                "moved_gpus": self.moved[i, t], "paid_moves_gpus": self.paid_moves[i, t],
                "revenue_usd": inst.contract_price[i, t] * inst.hours[t] * delivered[i, t],
                "damages_usd": damages[i] * inst.hours[t] * self.short[i, t], "moves_usd": price[i] * self.paid_moves[i, t],
            }
        )  # fmt: skip

    def _decisions(self) -> pd.DataFrame:
        inst, d = self.instance, self.decisions
        rows: list[tuple[str, str, str, float]] = []
        for c in inst.prospects:
            rows.append(("sign" if c in d.signed else "decline", c, inst.contract_rows[c].start, 0.0))
        rows += [("open", s, inst.calendar.label(t), 0.0) for s, t in d.opened.items()]
        rows += [("build", b, inst.calendar.label(t), inst.block_rows[b].it_mw) for b, t in d.built.items()]
        rows += [("retrofit", s, inst.calendar.label(t), mw) for s, (t, mw) in d.retrofits.items()]
        return pd.DataFrame(rows, columns=["kind", "id", "period", "mw"])

    def _sites(self) -> pd.DataFrame:
        inst, use = self.instance, self.use
        values: dict[str, Floats] = {
            "it_limit_mw": use.it_limit_mw, "it_used_mw": use.it_used_mw,
            "liquid_limit_mw": use.liquid_limit_mw, "liquid_used_mw": use.liquid_used_mw,
            "air_limit_mw": use.air_limit_mw, "air_used_mw": use.air_used_mw,
            "facility_peak_mw": use.facility_peak_mw, "facility_average_mw": self.facility_average,
            "energy_mwh": self.energy["energy_mwh"], "energy_usd": self.energy["energy_usd"], "demand_usd": self.energy["demand_usd"],
            "carbon_usd": self.energy["carbon_usd"], "water_m3": use.water_m3, "tco2": self.energy["tco2"],
        }  # fmt: skip
        s, t = np.nonzero(np.any([value != 0 for value in values.values()], axis=0))
        names = BindingRule(inst.dataset).names(use)
        data: dict[str, Any] = {"site_id": [inst.sites[i] for i in s], "period": self._labels(t.tolist())}
        data |= {name: value[s, t] for name, value in values.items()}
        return pd.DataFrame(data | {"binding": names[s, t]})

    def _market(self) -> pd.DataFrame:
        inst = self.instance
        rows = [
            (g, k, inst.calendar.labels[t], gpus, inst.market[g, k][0][t] * inst.hours[t] * gpus)
            for (g, k, t), gpus in sorted(self.decisions.sold_tier.items())
        ]
        return pd.DataFrame(rows, columns=["gen_id", "tier", "period", "gpus", "revenue_usd"])

    def _cash(self) -> pd.DataFrame:
        inst = self.instance
        frame = pd.DataFrame({"period": inst.calendar.labels, **self.cash})
        discounted = sum(values for values in self.cash.values()) * inst.disc
        discounted[-1] += (inst.disc_end - inst.disc[-1]) * self.cash["residual_value"][-1]
        return frame.assign(discounted_total=discounted)
