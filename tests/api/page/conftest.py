"""A browser, and a plan to look at whose names would do harm where they are not escaped."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, StorageState, sync_playwright

from api.keys import Role
from tests.api.conftest import Live
from tests.factories import small_dataset

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
EVIL = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"
LINE = "evil & <b>bold</b>"
WIDTH, HEIGHT = 1366, 768


@dataclass(frozen=True)
class Troubled:
    """A plan line whose plan has something of everything: late, stranded, tight; and a what-if run of it."""

    line: str
    run: str
    whatif: str


@pytest.fixture(scope="package")
def troubled(live: Live) -> Troubled:
    """Site a is full of air-cooled racks and needs them all, b has power but nothing to cool with; the contract wants more."""
    dataset = small_dataset(
        name=EVIL, sites=[{"site_id": "a", "name": EVIL}, {"site_id": "b", "name": "b", "lat": 50.0, "lon": -100.0}],
        power_blocks=[{"block_id": "a-1", "site_id": "a", "it_mw": 1.0}, {"block_id": "b-1", "site_id": "b", "air_mw": 0.2, "lease_usd_per_kw_month": 1.0}],
        supply=[{"gen_id": "h100", "racks": 12}], contracts=[{"contract_id": "c", "customer": EVIL}],
        contract_ramp=[{"contract_id": "c", "from_period": "2026-Q1", "gpus": 200.0}],
    )  # fmt: skip
    with live.client() as client:
        client.add_line(LINE, client.add_dataset(dataset.to_plain())["id"])
        run = client.ask(mode="plan", line=LINE, gap=0, wait=60)
        changes = [{"type": "freeze.before", "period": "2026-Q2"}, {"type": "site.close", "site_id": "b", "from_period": "2026-Q3"}]
        whatif = client.ask(mode="reoptimize", line=LINE, gap=0, changes=changes, wait=60)
    assert (run["state"], whatif["state"]) == ("succeeded", "succeeded"), (run, whatif)
    return Troubled(LINE, run["id"], whatif["id"])


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """The browser; while it is open, no other event loop can be in this thread."""
    if CHROMIUM is None:
        pytest.skip("needs chromium, which .ci/run installs")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=OPTIONS)
        yield browser
        browser.close()


@dataclass
class Watched:
    """A page, and what went wrong with it.

    Attributes:
        page: to look at.
        url: of the service.
        wrong: console messages that are errors, failures of scripts, requests to elsewhere, dialogs.
    """

    page: Page
    url: str
    wrong: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", lambda message: self.wrong.append(message.text) if message.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("dialog", lambda dialog: self.wrong.append(dialog.message))
        self.page.on("request", lambda request: None if self._mine(request.url) else self.wrong.append(request.url))

    def _mine(self, url: str) -> bool:
        return urlsplit(url).netloc == urlsplit(self.url).netloc

    def open(self, address: str) -> Page:
        """Go to an address of the service."""
        response = self.page.goto(self.url + address)
        assert response is not None
        assert response.ok, (address, response.status)
        return self.page


@pytest.fixture(scope="package")
def state(chromium: Browser, live: Live) -> StorageState:
    """Cookies of a planner who has signed in."""
    with chromium.new_context() as context:
        page = context.new_page()
        page.goto(f"{live.url}/sign-in")
        page.fill("#key", live.keys[Role.PLANNER])
        page.click("button.main")
        page.wait_for_url(lambda url: "/sign-in" not in url)
        return context.storage_state()


@pytest.fixture(params=["light", "dark"])
def context(request: pytest.FixtureRequest, chromium: Browser, state: StorageState) -> Iterator[BrowserContext]:
    """A signed-in browser on a laptop's screen, in light and in dark colours."""
    with chromium.new_context(storage_state=state, viewport={"width": WIDTH, "height": HEIGHT}, color_scheme=request.param) as found:
        yield found


@pytest.fixture
def watched(chromium: Browser, state: StorageState, live: Live) -> Iterator[Watched]:
    """A signed-in page in which nothing may go wrong."""
    with chromium.new_context(storage_state=state, viewport={"width": WIDTH, "height": HEIGHT}) as found:
        watched = Watched(found.new_page(), live.url)
        yield watched
        assert watched.wrong == []
