"""The views that ask, in a browser: what-ifs by form and by pointing, runs watched, stopped and taken up again, plans compared and explained."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, expect

from api.app import create_app
from api.client import Client
from api.settings import Settings
from models.dataset import Dataset
from tests.api.conftest import START, Live
from tests.api.page.conftest import Watched
from tests.api.page.test_page_browser import CONTRAST
from tests.api.page.test_sign_in import browser as signed_in
from tests.factories import small_dataset
from tests.generator import random_dataset

LINE, HARD = "four halls", "hard"
PATIENCE = 60_000
"""Milliseconds in which a solve must have said something, on a machine that does much else."""
DERATE = {"type": "site.derate", "site_id": "abilene-tx", "derate_share": 0.5, "from_period": "2026-Q3"}
IMPOSSIBLE = [
    {"type": "place.min", "decision": "in_service", "site_id": "denton-tx", "gen_id": "h100", "value": 11, "from_period": "2026-Q3"},
    {"type": "site.derate", "site_id": "denton-tx", "derate_share": 0.2},
]
"""Eleven racks of 100 kW where 0.8 MW are left."""


def halls() -> Dataset:
    """Four sites, two generations, three contracts; solved in a second."""
    return small_dataset(
        name="four halls", periods=8, discount_rate=0.05,
        sites=[
            {"site_id": "denton-tx", "zone": "US"}, {"site_id": "abilene-tx", "zone": "US"},
            {"site_id": "narvik-no", "zone": "EU", "price_zone": "N"},
            {"site_id": "reno-nv", "zone": "US", "status": "candidate", "activation_usd": 2e5},
        ],
        generations=[{"gen_id": "h100"}, {"gen_id": "gb200", "gpus_per_rack": 20, "rack_kw": 200.0, "liquid_share": 0.8}],
        power_blocks=[
            {"block_id": "denton-1", "site_id": "denton-tx", "it_mw": 1.0, "air_mw": 1.0, "liquid_mw": 0.0},
            {"block_id": "abilene-1", "site_id": "abilene-tx", "it_mw": 1.5, "air_mw": 1.5, "liquid_mw": 1.0},
            {"block_id": "abilene-2", "site_id": "abilene-tx", "it_mw": 1.0, "air_mw": 1.0, "liquid_mw": 1.0, "energized": "2026-Q3"},
            {"block_id": "narvik-1", "site_id": "narvik-no", "it_mw": 0.8, "air_mw": 0.8, "liquid_mw": 0.0},
            {"block_id": "reno-1", "site_id": "reno-nv", "it_mw": 2.0, "air_mw": 2.0, "liquid_mw": 2.0, "capex_usd": 1e5},
        ],
        supply=[{"gen_id": "h100", "racks": 20}, {"gen_id": "gb200", "racks": 5, "period": "2026-Q2"}, {"gen_id": "gb200", "racks": 5, "period": "2027-Q1"}],
        contracts=[
            {"contract_id": "lab_training", "customer": "Lab"}, {"contract_id": "bank_inference", "customer": "Bank", "zones": ["US"]},
            {"contract_id": "nordic_search", "customer": "Search", "status": "prospect", "zones": ["EU"]},
        ],
        contract_ramp=[
            {"contract_id": "lab_training", "from_period": "2026-Q1", "gpus": 120}, {"contract_id": "lab_training", "from_period": "2026-Q4", "gpus": 200},
            {"contract_id": "bank_inference", "from_period": "2026-Q2", "gpus": 60}, {"contract_id": "nordic_search", "from_period": "2026-Q3", "gpus": 50},
        ],
        contract_prices=[
            {"contract_id": "lab_training", "usd_per_gpu_hour": 2.2}, {"contract_id": "bank_inference", "usd_per_gpu_hour": 2.6},
            {"contract_id": "nordic_search", "usd_per_gpu_hour": 0.4},
        ],
        energy=[{"price_zone": "P", "usd_per_mwh": 60.0}, {"price_zone": "N", "usd_per_mwh": 30.0}],
        market=[{"gen_id": "h100", "usd_per_gpu_hour": 0.9, "max_gpus": 60}, {"gen_id": "gb200", "usd_per_gpu_hour": 1.2, "max_gpus": 60}],
    )  # fmt: skip


def hard() -> Dataset:
    """A dataset whose gap falls within seconds, and takes long to close."""
    return random_dataset(5, sites=6, periods=8, contracts=5)


@pytest.fixture(scope="module")
def asked(live: Live) -> dict[str, str]:
    """Ids of runs: the baseline of four halls, one with a derated site, and one that is infeasible; a line without a plan beside it."""
    with live.client() as client:
        client.add_line(HARD, client.add_dataset(hard().to_plain())["id"])
        client.add_line(LINE, client.add_dataset(halls().to_plain())["id"])
        base = client.ask(mode="plan", line=LINE, gap=0, wait=60)
        derated = client.ask(line=LINE, changes=[DERATE], gap=0, wait=60)
        infeasible = client.ask(line=LINE, changes=IMPOSSIBLE, gap=0, wait=60)
    found = {"base": base, "derated": derated, "infeasible": infeasible}
    assert [run["solution"]["status"] for run in found.values()] == ["optimal", "optimal", "infeasible"]
    return {name: run["id"] for name, run in found.items()}


def listed(page: Page) -> list[dict[str, Any]]:
    """The list of changes that a page's address holds."""
    return list(json.loads(parse_qs(urlsplit(page.url).query)["changes"][0]))


def sentences(page: Page) -> list[str]:
    """The list of changes in words."""
    return page.locator("ol.changes .sentence").all_text_contents()


def test_a_form_and_pointing_give_the_same_changes(watched: Watched, live: Live, asked: dict[str, str]) -> None:
    page = watched.open(f"/whatif?line={LINE}")
    page.get_by_label("Kind of change").select_option("site.derate")
    page.get_by_role("button", name="Open the form").click()
    page.get_by_label("site required").select_option("denton-tx")
    page.get_by_label("share of the capacity that is lost").fill("30")
    page.get_by_label("first period in which the change holds").select_option("2026-Q3")
    page.get_by_role("button", name="Add the change").click()
    by_form, words = listed(page), sentences(page)
    assert words == ["denton-tx: IT power derated by 30 % from 2026-Q3"]

    page = watched.open(f"/whatif?line={LINE}")
    page.locator(".heat button[title^='denton-tx, 2026-Q3:']").click()
    page.get_by_role("button", name="Derate a site").click()
    page.get_by_label("share of the capacity that is lost").fill("30")
    page.keyboard.press("Enter")
    expect(page.locator("ol.changes .sentence")).to_have_count(1)
    assert (listed(page), sentences(page)) == (by_form, words)

    watched.open(f"/whatif?line={LINE}&site=denton-tx&period=2026-Q3&type=site.derate")
    page.get_by_label("share of the capacity that is lost").fill("30")
    page.get_by_role("button", name="Add the change").click()
    assert listed(page) == by_form
    with live.client() as client:
        assert client.preview(by_form, line=LINE)["sentences"] == words


def test_changes_are_reordered_replaced_taken_back_and_warned_of(watched: Watched, asked: dict[str, str]) -> None:
    start = [
        {"type": "contract.price", "contract_id": "lab_training", "factor": 0.5},
        {"type": "grid.limit", "node_id": "north", "factor": 2.0},
        DERATE,
    ]
    page = watched.open(f"/whatif?line={LINE}&changes={json.dumps(start)}")
    expect(page.locator("ol.changes .bad")).to_contain_text("node_id: unknown id (found north)")
    expect(page.get_by_role("button", name="Run", exact=True)).to_be_disabled()
    page.get_by_role("button", name="Delete: north").click()
    page.get_by_role("button", name="Move up: abilene-tx").click()
    assert listed(page) == [DERATE, start[0]]
    page.get_by_role("button", name="Take back: lab_training").click()
    expect(page.locator("ol.changes .warn")).to_contain_text("Touches what change 2 touches")
    assert listed(page)[2] == {"type": "contract.price", "contract_id": "lab_training", "factor": 2.0}
    page.get_by_role("button", name="Edit: abilene-tx").click()
    page.get_by_label("share of the capacity that is lost").fill("140")
    page.get_by_role("button", name="Replace the change").click()
    field = page.get_by_label("share of the capacity that is lost")
    expect(field).to_have_value("140")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#f-derate_share-fault")).to_contain_text("less than or equal to 1")
    field.fill("0")
    page.get_by_role("button", name="Replace the change").click()
    expect(page.locator("ol.changes .warn").first).to_contain_text("Alters nothing")
    page.go_back()
    page.get_by_role("button", name="Delete all").click()
    expect(page.locator("ol.changes")).to_have_count(0)


def test_scenarios_are_saved_revised_and_built_upon(watched: Watched, live: Live, asked: dict[str, str]) -> None:
    page = watched.open(f"/whatif?line={LINE}&changes={json.dumps([DERATE])}")
    page.get_by_label("Name").fill("Late substation")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("h1")).to_have_text("Late substation")
    page.get_by_role("button", name="lab_training", exact=True).click()
    page.get_by_role("button", name="Delay a contract").click()
    page.locator("#f-delay_periods").fill("1")
    page.get_by_role("button", name="Add the change").click()
    page.get_by_role("button", name="Save as revision 2").click()
    page.get_by_role("link", name="Build another one on it").click()
    expect(page.locator("ol.inherited li")).to_have_count(2)
    page.get_by_label("Name").fill("And back")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".tree ul ul a[aria-current]")).to_have_text("And back")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".verdict")).to_contain_text("Optimal", timeout=PATIENCE)
    expect(page.locator(".note").first).to_contain_text("scenario And back revision 1")
    with live.client() as client:
        found = {scenario["name"]: scenario for scenario in client.scenarios()}
    assert found["And back"]["parent"] == found["Late substation"]["id"]
    assert [change["type"] for change in found["Late substation"]["changes"]] == ["site.derate", "contract.delay"]


def to(page: Page, name: str) -> None:
    """Go on with the Tab key until something of this name has the focus."""
    words = "e => e.labels?.[0]?.textContent.trim() || e.getAttribute('aria-label') || e.textContent.trim()"
    for _ in range(80):
        page.keyboard.press("Tab")
        if name in page.evaluate_handle("document.activeElement").evaluate(words):
            return
    raise AssertionError(f"the Tab key does not lead to {name}")


def test_the_keyboard_alone_leads_from_home_to_an_answer(watched: Watched, asked: dict[str, str]) -> None:
    page = watched.open(f"/?line={LINE}")
    to(page, "What-if")
    page.keyboard.press("Enter")
    page.wait_for_url("**/whatif*")
    to(page, "denton-tx")  # the heat map is one stop; arrows move in it
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    page.wait_for_url("**site=abilene-tx&period=2026-Q3*")
    to(page, "Derate a site")
    page.keyboard.press("Enter")
    page.wait_for_url("**type=site.derate*")
    to(page, "share of the capacity that is lost")
    page.keyboard.type("40")
    page.keyboard.press("Enter")
    expect(page.locator("ol.changes .sentence")).to_have_text("abilene-tx: IT power derated by 40 % from 2026-Q3")
    to(page, "Run")
    page.keyboard.press("Enter")
    expect(page.locator(".verdict.good")).to_be_visible(timeout=PATIENCE)
    expect(page.locator("h1")).to_have_text("abilene-tx: IT power derated by 40 % from 2026-Q3")


def gap(page: Page) -> float | None:
    """The gap that a run's page shows, per cent."""
    found = re.match(r"([\d,.]+) %", page.locator("#gap").text_content() or "")
    return float(found[1].replace(",", "")) if found else None


def test_the_gap_falls_and_the_best_plan_is_kept(watched: Watched, live: Live, asked: dict[str, str]) -> None:
    page = watched.open(f"/whatif?line={HARD}")
    page.get_by_label("Proven gap at which it ends").fill("0")
    page.get_by_label("Time at most").fill("300")
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_function("() => /^[0-9]/.test(document.getElementById('gap').textContent)", timeout=PATIENCE)
    first = gap(page)
    assert first is not None
    page.wait_for_function(f"() => parseFloat(document.getElementById('gap').textContent.replaceAll(',', '')) < {first}", timeout=PATIENCE)
    expect(page.locator("#chart path.lower")).to_have_count(1)
    expect(page.locator("#chart path.upper")).to_have_count(1)
    expect(page.get_by_role("link", name="Look at the best plan so far")).to_be_visible()
    page.get_by_role("button", name="Stop and keep the best plan").click()
    expect(page.locator(".verdict")).to_contain_text("it was stopped", timeout=PATIENCE)
    run = page.url.split("/runs/")[1].split("#")[0]
    with live.client() as client:
        found = client.run(run)
    assert (found["state"], found["solution"]["stop_reason"]) == ("succeeded", "user_stop")
    assert found["solution"]["gap"] < first
    search = page.request.get(f"{live.url}/runs/{run}/search.csv").text().splitlines()
    assert search[0] == "seconds,phase,npv_usd,bound_usd,gap"
    assert len(search) > 3


@pytest.fixture
def restarted(tmp_path: Path) -> Iterator[Any]:
    """A service without keys on a port of its own; each call starts it again and ends the one before."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def end() -> None:
        server, thread = running.pop()
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()

    def start() -> str:
        app = create_app(Settings(folder=tmp_path, threads=1, keys=False))
        server = uvicorn.Server(
            uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, access_log=False, timeout_graceful_shutdown=2)
        )
        thread = threading.Thread(target=server.run, daemon=True)
        running.append((server, thread))
        thread.start()
        deadline = time.monotonic() + START
        while not server.started:
            assert thread.is_alive()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return f"http://127.0.0.1:{port}"

    start.end = end  # type: ignore[attr-defined]
    yield start
    while running:
        end()


def test_a_run_goes_on_before_the_eyes_of_who_watches_when_the_service_starts_again(chromium: Browser, restarted: Any) -> None:
    url = restarted()
    with Client(url) as client:
        client.add_line(HARD, client.add_dataset(hard().to_plain())["id"])
        run = client.ask(mode="plan", line=HARD, gap=0, time_limit=300)["id"]
    page = chromium.new_page()
    page.goto(f"{url}/runs/{run}")
    page.wait_for_function("() => /[0-9]/.test(document.getElementById('npv').textContent)", timeout=PATIENCE)
    restarted.end()
    expect(page.locator("#line-state")).to_contain_text("The connection is lost")
    restarted()
    expect(page.locator("#verdict")).to_contain_text("taken up again after an interruption, attempt 2", timeout=PATIENCE)
    expect(page.locator("#line-state")).to_be_empty()
    page.wait_for_function("() => /[0-9]/.test(document.getElementById('gap').textContent)", timeout=PATIENCE)
    page.get_by_role("button", name="Stop and keep the best plan").click()
    expect(page.locator(".verdict")).to_contain_text("it was stopped", timeout=PATIENCE)
    page.close()


def test_two_plans_are_compared_term_by_term(watched: Watched, live: Live, asked: dict[str, str]) -> None:
    page = watched.open(f"/runs?line={LINE}")
    page.locator(f"input[value='{asked['base']}']").check()
    page.locator(f"input[value='{asked['derated']}']").check()
    page.get_by_role("button", name="Compare those chosen").click()
    with live.http() as http:
        ids = parse_qs(urlsplit(page.url).query)["of"]
        diff = http.get(f"/api/v1/diffs/{ids[0]}/{ids[1]}").json()
    assert set(ids) == {asked["base"], asked["derated"]}
    steps = [term for term in diff["terms"] if abs(term["difference"]) > 0.5]
    expect(page.locator("svg.chart rect")).to_have_count(len(steps) + 2)
    expect(page.get_by_role("heading", name="From A to B")).to_contain_text(f"{abs(diff['npv']['difference']):,.0f} USD")
    rows = page.request.get(f"{live.url}/compare/terms.csv?of={ids[0]}&of={ids[1]}").text().splitlines()
    found = sum(float(row.split(",")[5]) for row in rows[1:])
    assert rows[0].split(",")[5] == "difference"
    assert found == pytest.approx(diff["npv"]["difference"], abs=1e-3)
    assert "IT power" in (page.locator("section", has_text="What B does otherwise than A").text_content() or "")


def test_what_has_no_plan_is_explained(watched: Watched, live: Live, asked: dict[str, str]) -> None:
    page = watched.open(f"/runs/{asked['infeasible']}")
    expect(page.locator(".verdict.bad")).to_contain_text("No plan can meet every limit")
    page.get_by_role("button", name="Explain the conflict").click()
    answer = page.locator("ul.answer")
    expect(answer).to_contain_text("the data allow at most 8", timeout=PATIENCE)
    expect(answer).to_contain_text("IT limit of denton-tx in 2026-Q3")
    expect(page.get_by_role("heading", name="What would resolve it")).to_be_visible()
    files = [link.get_attribute("href") for link in page.get_by_role("link", name="CSV").all()]
    assert len(files) == 2
    for file in files:
        assert page.request.get(f"{live.url}{file}").text().count("\n") > 1


def test_why_not_is_asked_by_form_and_answered_in_words_first(watched: Watched, live: Live, asked: dict[str, str]) -> None:
    page = watched.open(f"/explain?line={LINE}&site=narvik-no&gen=h100")
    page.get_by_label("GPUs in each period").fill("3000")
    page.get_by_role("button", name="Ask why not", exact=True).click()
    expect(page.locator("h1")).to_have_text("Why not 3,000 GPUs of h100 at narvik-no?")
    expect(page.locator("main p.lead")).to_contain_text("no plan can", timeout=PATIENCE)
    expect(page.get_by_role("heading", name="Limits in the way")).to_be_visible()
    page.get_by_role("link", name="Ask something else").click()
    page.get_by_label("What it does").select_option("lab_training@denton-tx")
    page.get_by_role("button", name="Ask why", exact=True).click()
    expect(page.locator("ul.answer")).to_contain_text("(proven)", timeout=PATIENCE)
    expect(page.get_by_role("heading", name="Where contracts go instead")).to_be_visible()
    with live.client() as client:  # what is possible, but dear, since racks are few
        wish = {"gpus": 40, "gen_id": "gb200", "contract_id": "bank_inference", "from_period": "2026-Q3"}
        dear = next(
            found
            for gpus in (40, 60, 80)
            if (found := client.explain(kind="why_not", run=asked["base"], wait=60, **{**wish, "gpus": gpus}))["answer"]["limits"]
        )
    page = watched.open(f"/explain/{dear['id']}")
    limits = page.locator("section", has=page.get_by_role("heading", name="Limits that make it cost what it costs"))
    assert limits.locator("tbody tr").count() == len(dear["answer"]["limits"])
    assert dear["answer"]["limits"][0]["limit"]["words"] in limits.inner_text()
    watched.open(f"/explain?line={LINE}").get_by_label("Prices to confirm by solving again").fill("1")
    page.get_by_role("button", name="Price the limits").click()
    expect(page.locator("ul.answer li").first).to_contain_text("One MW more of", timeout=PATIENCE)
    expect(page.locator("table").first).to_contain_text("power_blocks.csv")


def test_answers_draw_in_light_and_dark_and_on_paper(context: BrowserContext, live: Live, asked: dict[str, str]) -> None:
    watched = Watched(context.new_page(), live.url)
    changes = quote(json.dumps([DERATE, DERATE, {"type": "site.close", "site_id": "nowhere", "from_period": "2026-Q2"}]))
    pair = f"of={asked['base']}&of={asked['derated']}"
    for address in (
        f"/runs/{asked['derated']}", f"/runs/{asked['infeasible']}", f"/compare?{pair}", f"/whatif?line={LINE}&changes={changes}",
        f"/whatif?line={LINE}&changes={changes}&at=0", f"/runs?line={LINE}&all=1",
    ):  # fmt: skip
        page = watched.open(address)
        assert page.locator("h1").count() == 1, address
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), address
        least, where = page.evaluate(CONTRAST, "main p, main td, main th, main a, main b, main span, main small, main li, main h1, main h2")
        assert least >= 4.5, (address, where)
        page.emulate_media(media="print")
        assert not page.locator("nav.tabs").is_visible()
        assert page.locator("main h1").is_visible()
        assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
        page.emulate_media(media="screen")
    assert watched.wrong == []


def test_a_list_too_long_for_an_address_stays_in_the_page(live: Live) -> None:
    changes = [{"type": "contract.price", "contract_id": "c", "factor": 1 + n / 1000} for n in range(200)]
    with signed_in(live) as http:
        page = http.post("/whatif", data={"line": live.line, "changes": json.dumps(changes), "action": "delete:0"})
        assert page.status_code == 200
        assert len(page.text) < 600_000  # the list stands in it once for each form, not for each button
        assert page.text.count('class="sentence"') == 199
        page = http.post("/whatif", data={"line": live.line, "changes": json.dumps(changes), "action": "edit:3"})
        assert 'value="1.003"' in page.text
        refused = http.post("/whatif", data={"line": live.line, "changes": json.dumps(changes * 3), "action": "clear"})
        assert (refused.status_code, "600 changes; at most 500 are allowed" in refused.text) == (413, True)
