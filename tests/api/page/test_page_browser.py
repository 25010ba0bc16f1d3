"""The page in a browser: every view, in both colour schemes, by keyboard and on paper; harmless whatever the names."""

from __future__ import annotations

import csv
import io
from html.parser import HTMLParser
from urllib.parse import parse_qs, urlencode, urlsplit

import pandas as pd
import pytest
from playwright.sync_api import Browser, BrowserContext

from api.keys import Role
from api.page.frame import HEADERS
from api.page.frame import csv as file_of
from tests.api.conftest import Live
from tests.api.page.conftest import EVIL, LINE, Troubled, Watched
from tests.api.page.test_sign_in import browser

VIEWS = (
    "/", "/sites", "/sites?period=2026-Q3", "/sites/a", "/sites/b", "/timeline", "/timeline?measure=generation", "/timeline?measure=contract",
    "/contracts", "/contracts/c", "/whatif", "/whatif?site=a&period=2026-Q3", "/whatif?type=contract.add", "/runs", "/compare", "/explain",
)  # fmt: skip
CONTRAST = """(selector) => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (c) => c.slice(0, 3).map((v) => v / 255).map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) layers.push(rgb(getComputedStyle(e).backgroundColor));
    let base = [255, 255, 255];
    for (const layer of layers.reverse()) {
      const a = layer[3] ?? 1;
      base = base.map((v, i) => v * (1 - a) + layer[i] * a);
    }
    return base;
  };
  return [...document.querySelectorAll(selector)].filter((e) => e.textContent.trim() && e.checkVisibility()).map((element) => {
    const [a, b] = [light(rgb(getComputedStyle(element).color)), light(behind(element))].sort((x, y) => y - x);
    return [(a + 0.05) / (b + 0.05), element.className + ": " + element.textContent.trim().slice(0, 40)];
  }).sort((x, y) => x[0] - y[0])[0];
}"""
"""The least contrast of texts and what is behind them, and where that is."""


def named(address: str, **more: str) -> str:
    """An address of the troubled plan line."""
    path, _, query = address.partition("?")
    given = {name: values[0] for name, values in parse_qs(query).items()}
    return f"{path}?{urlencode({**given, 'line': LINE, **more})}"


def test_every_view_draws_in_light_and_dark(context: BrowserContext, live: Live, troubled: Troubled) -> None:
    watched = Watched(context.new_page(), live.url)
    for address in [named(view) for view in VIEWS] + [
        named(view, run=troubled.whatif) for view in ("/", "/timeline", "/sites/b", "/contracts")
    ]:
        page = watched.open(address)
        assert page.locator("h1").count() == 1, address
        assert page.title() != "taken", address
        assert page.locator("main img, main script").count() == 0, address
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), address
        least, where = page.evaluate(CONTRAST, "main p, main td, main th, main a, main b, main span, main small, main h1, main h2, nav a")
        assert least >= 4.5, (address, where)
    assert watched.wrong == []


def test_home_says_whether_the_plan_is_sound_and_where_it_hurts(watched: Watched, troubled: Troubled) -> None:
    """10 racks at a, 2 at b: 120 of 200 GPUs; 80 are short in every hour of 2026, at 1 USD each. 9.8 MW at b stand idle."""
    page = watched.open(named("/"))
    assert "proven optimal" in page.locator(".verdict").inner_text()
    rows = [row.inner_text().split("\t") for row in page.locator("tbody").first.locator("tr").all()]
    assert [row[0] for row in rows] == ["late", "stranded"]
    assert rows[0][2] == EVIL
    assert rows[0][3] == f"{80 * 8760:,}"
    assert "80 GPUs short" in rows[0][4]
    assert "up to 9.8 MW idle for want of air" in rows[1][4]
    assert rows[1][3] == f"{9800 * 12:,}"
    assert page.locator("svg.chart rect.stranded").count() == 4
    page = watched.open(named("/", run=troubled.whatif))
    assert "a run, not the baseline" in page.locator("h1").inner_text()
    assert "baseline" in page.locator(".cards").inner_text()


def test_sites_tell_what_is_missing_and_lead_to_each_site(watched: Watched, troubled: Troubled) -> None:
    page = watched.open(named("/sites"))
    assert "9.8 MW are stranded" in page.locator(".lead").inner_text()
    assert page.locator("svg.chart a").count() == 2
    page.locator("svg.chart a circle.ring").first.click()
    page.wait_for_url("**/sites/*")
    page = watched.open(named("/sites/a"))
    assert page.locator("h1").inner_text() == EVIL
    assert page.locator("figure svg.chart").count() >= 2
    href = page.locator("tbody th a").first.get_attribute("href")
    assert parse_qs(urlsplit(str(href)).query) == {"line": [LINE], "site": ["a"], "period": ["2026-Q1"]}


def test_the_timeline_is_used_by_keyboard(watched: Watched, troubled: Troubled) -> None:
    page = watched.open(named("/timeline"))
    grid = page.locator("table[data-grid]")
    assert grid.locator("td a[tabindex='0']").count() == 1
    grid.locator("td a[tabindex='0']").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "ArrowLeft"):
        page.keyboard.press(key)
    where = page.evaluate("document.activeElement.href")
    assert parse_qs(urlsplit(where).query) == {"line": [LINE], "site": ["b"], "period": ["2026-Q2"]}
    assert urlsplit(where).path == "/whatif"
    page.keyboard.press("End")
    assert "2026-Q4" in page.evaluate("document.activeElement.title")


def test_a_chosen_run_is_compared_with_the_baseline(watched: Watched, troubled: Troubled) -> None:
    page = watched.open(named("/timeline"))
    assert page.locator("td.moved, td.frozen").count() == 0
    page.select_option("select[name=run]", troubled.whatif)
    page.wait_for_url("**run=*")
    assert page.locator("td.frozen").count() == 2  # both sites in 2026-Q1
    moved = page.locator("td.moved")
    assert [cell.locator("small").inner_text() for cell in moved.all()] == ["0.2", "0.2"]  # b from 2026-Q3 on
    page.select_option("select[name=run]", "")
    page.wait_for_url(lambda url: "run=" not in url)
    page.go_back()
    assert page.locator("td.moved").count() == 2


def test_prices_that_are_stored_are_shown(watched: Watched, troubled: Troubled, live: Live) -> None:
    """One rack more of supply serves 10 of the 80 GPUs that are short: the contract waits for it."""
    assert "ask for prices" in watched.open(named("/contracts/c")).locator("main").inner_text()
    with live.client() as client:
        answer = client.explain(kind="prices", line=LINE, confirm=0, signing=False, wait=60)
    prices = {price["limit"]["words"]: price["npv_usd"] for price in answer["answer"]["prices"]}
    page = watched.open(named("/contracts/c"))
    table = page.locator("table", has=page.locator("th", has_text="NPV, USD")).locator("tbody tr")
    shown = {row.locator("th").inner_text(): row.locator("td").first.inner_text() for row in table.all()}
    assert shown
    assert shown == {words: f"{prices[words]:,.0f}".replace("-", "−") for words in shown}
    assert any("supply of h100" in words for words in shown)
    assert "What one unit more of a limit is worth" in watched.open(named("/contracts")).locator("main").inner_text()
    head = watched.open(named("/")).locator("th", has_text="One unit more, USD")
    assert head.count() == 1


def test_tables_sort_and_are_files(watched: Watched, troubled: Troubled, live: Live) -> None:
    page = watched.open(named("/sites"))
    head = page.locator("table[data-sorts] thead th button", has_text="limit").first
    head.focus()
    page.keyboard.press("Enter")

    def first() -> str:
        return page.locator("table[data-sorts] tbody th").first.inner_text()

    assert first() == "b"  # 10 MW before 1 MW
    page.keyboard.press("Enter")
    assert first() == "a"
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV of 2026-Q1").click()
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    assert [(row["site_id"], float(row["stranded_mw"])) for row in rows] == [("a", 0.0), ("b", pytest.approx(9.8))]
    with browser(live) as http:
        for address in (
            "/power.csv",
            "/exceptions.csv",
            "/timeline.csv",
            "/contracts.csv",
            "/sites.csv",
            "/sites/a/headroom.csv",
            "/contracts/c/periods.csv",
        ):
            answer = http.get(named(address))
            assert answer.headers["content-type"].startswith("text/csv"), address
            assert len(answer.text.splitlines()) > 1, address


def test_numbers_with_units_sort_as_numbers(watched: Watched, troubled: Troubled) -> None:
    page = watched.open(named("/sites"))
    page.evaluate(
        """() => {
          const table = document.querySelector("table[data-sorts]");
          const texts = ["84.6 %", "100.0 %", "−1.50 billion USD", "2.00 million USD", "+7", "1,200", ""];
          const model = table.tBodies[0].rows[0];
          table.tBodies[0].replaceChildren(...texts.map((text) => {
            const row = model.cloneNode(true);
            row.cells[1].textContent = text;
            delete row.cells[1].dataset.value;
            return row;
          }));
        }"""
    )
    page.locator("table[data-sorts] thead tr").last.locator("th").nth(1).locator("button").click()
    found = page.locator("table[data-sorts] tbody tr td:nth-child(2)").all_text_contents()
    assert found == ["2.00 million USD", "1,200", "100.0 %", "84.6 %", "+7", "−1.50 billion USD", ""]


def test_a_choice_by_arrow_keys_waits_for_enter(watched: Watched, troubled: Troubled) -> None:
    page = watched.open(named("/sites"))
    form = page.locator("form[data-submits]:has(select[name=period])")
    choice, shows = form.locator("select[name=period]"), form.locator("button[type=submit]")
    assert not shows.is_visible()
    before = page.url
    choice.focus()
    page.keyboard.press("ArrowDown")
    assert page.url == before
    assert shows.is_visible()
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: "period=" in url)


def test_files_hold_no_formulas(troubled: Troubled) -> None:
    frame = pd.DataFrame({"customer": ["=HYPERLINK(1)", "+1", "fair"], "usd": [-1.5, 2.0, 3.0], "=x": ["@a", None, "\tb"]})
    rows = list(csv.reader(io.StringIO(bytes(file_of(frame, "x").body).decode())))
    assert rows == [["customer", "usd", "'=x"], ["'=HYPERLINK(1)", "-1.5", "'@a"], ["'+1", "2.0", ""], ["fair", "3.0", "'\tb"]]


def test_signing_in_and_out_by_keyboard(chromium: Browser, live: Live, troubled: Troubled) -> None:
    with chromium.new_context() as context:
        page = context.new_page()
        page.goto(live.url + named("/contracts"))
        assert "/sign-in" in page.url
        page.keyboard.type(live.keys[Role.VIEWER])
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url: "/contracts" in url and "/sign-in" not in url)
        assert live.keys[Role.VIEWER] not in page.url
        assert page.evaluate("document.cookie") == ""
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        page.get_by_role("button", name="Sign out").press("Enter")
        page.wait_for_url("**/sign-in")
        page.goto(live.url + named("/"))
        assert "/sign-in" in page.url


def test_who_comes_from_elsewhere_and_is_signed_in_goes_on(watched: Watched, troubled: Troubled) -> None:
    """A link in a mail: the browser sends the cookie only once the page itself asks."""
    watched.page.goto(f"{watched.url}/sign-in?next={'/contracts'}")
    watched.page.wait_for_url("**/contracts?line=*")


def test_on_paper_only_the_content_is_left(watched: Watched, troubled: Troubled) -> None:
    for view in ("/", "/sites", "/timeline", "/contracts"):
        page = watched.open(named(view))
        page.emulate_media(media="print")
        assert not page.locator("nav.tabs").is_visible()
        assert not page.locator("form.choice").is_visible()
        assert page.locator("main").is_visible()
        assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
        page.emulate_media(media="screen")


class Elements(HTMLParser):
    """Elements of a page, with their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.found.append((tag, {name: value or "" for name, value in attrs}))


def test_nothing_in_the_page_needs_an_exception_of_its_policy(live: Live, troubled: Troubled) -> None:
    with browser(live) as http:
        for address in [named(view) for view in VIEWS]:
            answer = http.get(address)
            assert answer.status_code == 200, address
            assert answer.headers["content-security-policy"] == HEADERS["Content-Security-Policy"]
            elements = Elements()
            elements.feed(answer.text)
            assert len(elements.found) > 50
            for tag, attributes in elements.found:
                assert tag != "style", address
                assert tag != "script" or "src" in attributes, address
                assert not [name for name in attributes if name == "style" or name.startswith("on")], (address, tag, attributes)
                assert all(attributes.get(name, "/").startswith(("/", "#")) for name in ("src", "href", "action")), (
                    address,
                    tag,
                    attributes,
                )
