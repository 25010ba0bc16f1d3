"""A template for a new dataset: every table with its columns explained and sound example rows that plan."""

from __future__ import annotations

import os
from pathlib import Path

from models.columns import columns
from models.dataset import Dataset
from models.faults import Fault, InputError
from models.files.atomic import write_bytes, write_folder
from models.files.csv_folder import folder_files, parse_folder
from models.files.workbook import workbook_bytes
from models.schema import column_table, column_words
from models.tables import COLUMNS, ROW_TYPES, Settings

SETTINGS = """
schema_version = 1
name = "my first plan"
start = "2026-Q1"
periods = 12
period = "quarter"
discount_rate = 0.1
commissioning_share = 0.5
load_market = 0.7
customer_revenue_share = 0.9
customer_revenue_share_from = "2027-Q1"
"""

EXAMPLE: dict[str, str] = {
    "sites": """
site_id,name,country,zone,lat,lon,grid_node,price_zone,status,activation_usd,max_rack_kw,install_racks_per_period,overhead_mw,\
pue_air,pue_liquid,pue_air_peak,pue_liquid_peak,wue_l_per_kwh,water_limit_m3_per_period
prairie-1,Prairie 1,United States,US,32.8,-96.8,south-substation,TX,open,,,60,0.4,1.35,1.2,1.5,1.3,0.2,40000
fjord-1,Fjord 1,Norway,NO,59.9,10.8,,NO1,candidate,2000000,160,40,0.3,1.15,1.08,1.25,1.15,,
""",
    "site_pue": """
site_id,season,pue_air,pue_liquid
prairie-1,1,1.28,1.16
prairie-1,3,1.44,1.25
""",
    "power_blocks": """
block_id,site_id,it_mw,air_mw,liquid_mw,status,energized,usable_share,lease_usd_per_kw_month,capex_usd,residual_share,lead_periods,latest
prairie-1-hall-a,prairie-1,12,10,5,firm,2024-Q1,0.95,110,,,,
prairie-1-hall-b,prairie-1,10,3,10,option,2026-Q3,0.95,120,5000000,0.5,2,2027-Q2
fjord-1-hall-a,fjord-1,8,4,8,option,2026-Q3,1,105,,,1,
""",
    "site_limits": """
site_id,from_period,it_mw,liquid_mw,air_mw
prairie-1,2026-Q3,11,,
prairie-1,2026-Q4,,,
""",
    "retrofits": """
site_id,min_mw,max_mw,fixed_usd,usd_per_kw,lead_periods,downtime_periods
prairie-1,1,4,500000,900,2,1
""",
    "grid_nodes": """
node_id,parent_id,name
south-region,,Southern region
south-substation,south-region,Southern substation
""",
    "grid_limits": """
node_id,from_period,limit_mw
south-substation,2026-Q1,30
south-region,2027-Q1,60
""",
    "generations": """
gen_id,name,gpus_per_rack,rack_kw,liquid_share,idle_share,life_periods,first_install,last_install,\
install_usd_per_rack,opex_usd_per_rack_year,residual_factor
h100,H100,32,44.9,0,0.3,20,2023-Q1,2025-Q4,60000,30000,0.2
gb300,GB300 NVL72,72,154,0.8,0.3,20,2026-Q1,2028-Q4,150000,80000,0.3
""",
    "gpu_prices": """
gen_id,from_period,usd_per_gpu
h100,2025-Q1,26000
gb300,2026-Q1,48000
gb300,2027-Q1,44000
""",
    "supply": """
gen_id,period,racks
gb300,2026-Q1,20
gb300,2026-Q3,40
""",
    "fleet": """
site_id,gen_id,in_service_since,racks
prairie-1,h100,2024-Q2,80
""",
    "contracts": """
contract_id,customer,status,start,end,ld_usd_per_gpu_hour,load_share,spare_share,zones,sites,excluded_sites,\
min_cluster_gpus,cluster_grace,max_short_share,grace_periods,max_sites,max_rtt_ms,move_usd_per_gpu
acme-training,Acme,firm,2025-Q1,2028-Q2,2,0.8,0.03,US;NO,,,500,,,,,,300
nordic-inference,Nordic Labs,prospect,2026-Q3,2029-Q2,1.5,0.6,0.03,NO,,,,,0.5,2,1,30,
""",
    "contract_generations": """
contract_id,gen_id,gpu_equivalent
acme-training,h100,1
acme-training,gb300,2
nordic-inference,gb300,1
""",
    "contract_ramp": """
contract_id,from_period,gpus
acme-training,2025-Q1,2000
acme-training,2026-Q3,3000
nordic-inference,2026-Q3,1000
nordic-inference,2027-Q1,1800
""",
    "contract_prices": """
contract_id,from_period,usd_per_gpu_hour
acme-training,2025-Q1,2.4
nordic-inference,2026-Q3,4.2
nordic-inference,2028-Q1,3.9
""",
    "current_deliveries": """
contract_id,site_id,gpus
acme-training,prairie-1,2000
""",
    "serving_costs": """
contract_id,site_id,usd_per_gpu_hour
acme-training,fjord-1,0.05
""",
    "market": """
gen_id,tier,from_period,usd_per_gpu_hour,max_gpus
h100,spot,2026-Q1,1.6,400
gb300,reserved,2026-Q1,3.2,500
gb300,spot,2026-Q1,2.4,1000
""",
    "energy": """
price_zone,from_period,season,slice,hours_share,usd_per_mwh,gco2_per_kwh
TX,2026-Q1,,peak,0.25,70,420
TX,2026-Q1,,off,0.75,38,360
NO1,2026-Q1,1,all,1,62,25
NO1,2026-Q1,2,all,1,40,25
NO1,2026-Q1,3,all,1,35,25
NO1,2026-Q1,4,all,1,58,25
""",
    "demand_charges": """
price_zone,from_period,usd_per_kw_month
TX,2026-Q1,5
NO1,2026-Q1,4
""",
    "carbon_prices": """
price_zone,from_period,usd_per_t
NO1,2026-Q1,0
""",
    "network_links": """
site_a,site_b,rtt_ms
prairie-1,fjord-1,115
""",
    "capex_budget": """
period,usd
2026-Q1,150000000
2026-Q3,150000000
""",
    "carbon_cap": """
year,tonnes
2027,90000
""",
    "directives": """
row,rule,decision,contract_id,site_id,gen_id,block_id,from_period,to_period,value,why
no-more-h100,max,installed,,,h100,,,,0,no H100 is bought any more
""",
    "sources": """
table,key,column,basis,source
gpu_prices,gb300;2026-Q1,usd_per_gpu,assumed,an example
""",
}
"""Example rows of each table as CSV; together a valid dataset of two sites."""

GUIDE = """# How to fill in this dataset

Every table here holds example rows that can be planned as they are; put your own in their place. Delete the files of tables that you do not
need, except those marked required. Then run `wattplan check` on this folder: it names every fault at once, with its place.

Periods are written like 2026-Q1 (with `period = "quarter"`), 2026-03 (`"month"`) or 2026 (`"year"`). A row with from_period holds until the
next row of the same key. Empty cells take what the last column below says. Keys are in bold; lists are joined by a semicolon.
"""


def template_dataset() -> Dataset:
    """The example that the template holds."""
    files = {f"{name}.csv": text.lstrip().encode() for name, text in EXAMPLE.items()}
    return Dataset.check(parse_folder({"dataset.toml": SETTINGS.encode(), **files}))


def guide() -> str:
    """README.md of the template: every table and column explained."""
    parts = [GUIDE, "## dataset.toml\n", column_table(columns(Settings)) + "\n"]
    for name, row_type in ROW_TYPES.items():
        need = "May be missing." if row_type.optional_table else "Required."
        parts += [f"## {name}.csv\n", f"{(row_type.__doc__ or '').strip()} {need}\n", column_table(COLUMNS[name]) + "\n"]
    return "\n".join(parts)


def write_template(path: str | os.PathLike[str], workbook: bool = False) -> None:
    """Write the template: a folder of CSV files with a README.md, or a workbook with a note on every header.

    Raises:
        InputError: something is at ``path`` already; a template never replaces anything.
        StorageError: disk full, no permission.
    """
    target = Path(path)
    if target.exists() and not (target.is_dir() and not workbook and not any(target.iterdir())):
        raise InputError([Fault(str(path), "exists already", code="exists", allowed="a new name; a template replaces nothing")])
    dataset = template_dataset()
    if workbook:
        notes = {name: {c.name: column_words(c) for c in cols} for name, cols in COLUMNS.items()}
        notes["dataset"] = {c.name: column_words(c) for c in columns(Settings)}
        write_bytes(target, workbook_bytes(dataset, notes))
    else:
        write_folder(target, {**folder_files(dataset, every_column=True), "README.md": guide().encode()})
