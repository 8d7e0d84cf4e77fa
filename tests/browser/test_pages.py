"""The pages in a real browser, with nothing but this server to talk to."""

import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Page, Request, sync_playwright

from dashboards import pages
from dashboards.app import create_web
from tests import parts, world
from verkehrspuls.settings import load

pytestmark = pytest.mark.browser

NOW = datetime(2026, 3, 4, 0, 30, tzinfo=UTC)
SITE = "/kaiserslautern/pariser-strasse?from=2026-03-01&to=2026-03-04"
DESK = {"width": 1200, "height": 900}
#: every kind of page
KINDS = (
    *("/", "/kaiserslautern", SITE, "/case/1", "/about", "/accessibility"),
    *("/kaiserslautern/corridor/nordtangente-ost", "/kaiserslautern/x"),
)
#: WCAG 2.2 AA and what axe-core calls best practice
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
}


@pytest.fixture(scope="module")
def server(_plain: parts.Databases) -> Iterator[str]:
    with _plain.fresh() as url:
        world.build(url)
        app = create_web(load({"VERKEHRSPULS_DATABASE__URL": url}))
        app.dependency_overrides[pages.now] = lambda: NOW
        listening = socket.create_server(("127.0.0.1", 0))
        running = uvicorn.Server(uvicorn.Config(app, log_config=None))
        thread = threading.Thread(
            target=running.run, kwargs={"sockets": [listening]}, name="pages"
        )
        thread.start()
        try:
            parts.wait_for(lambda: running.started)
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            running.should_exit = True
            thread.join(10)
            listening.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        parts.missing("chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=path,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--no-first-run",
            ],
        )
        yield launched
        launched.close()


@contextmanager
def opened(browser: Browser, server: str, **options: Any) -> Iterator[Page]:
    """A page that fails the test for any error, refusal or foreign request."""
    wrong: list[str] = []
    context = browser.new_context(
        base_url=server, locale="de-DE", **({"viewport": DESK} | options)
    )
    context.add_init_script(
        "document.addEventListener('securitypolicyviolation',"
        " event => console.error('CSP ' + event.blockedURI))"
    )
    page = context.new_page()

    def requested(request: Request) -> None:
        if not request.url.startswith((server, "data:", "blob:")):
            wrong.append(f"request to {request.url}")

    def said(message: Any) -> None:
        # a page for an error is served with that error's status
        if message.type in ("error", "warning") and "status of 4" not in message.text:
            wrong.append(message.text)

    page.on("request", requested)
    page.on("console", said)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    try:
        yield page
        assert wrong == []
    finally:
        context.close()


def draw_all(page: Page) -> None:
    """Scroll through the page, so that each figure is drawn."""
    for plot in page.locator(".plot").all():
        plot.scroll_into_view_if_needed()
        plot.locator(".main-svg").first.wait_for()
    page.evaluate("scrollTo(0, 0)")


def test_every_chart_is_drawn(browser: Browser, server: str) -> None:
    with opened(browser, server) as page:
        for address, least in (("/de/", 1), (f"/de{SITE}", 6)):
            page.goto(address)
            draw_all(page)
            drawn = page.locator(".figure.drawn").count()
            assert drawn == page.locator(".plot").count() >= least
        labels = page.locator("#series-plot .xtick").all_text_contents()
        assert any("Mär" in label for label in labels)
        ticks = page.locator("#series-plot .ytick").all_text_contents()
        assert "200" in ticks


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", [1200, 360])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_is_accessible(
    browser: Browser, server: str, kind: str, width: int, scheme: str
) -> None:
    viewport = {"width": width, "height": 900}
    with opened(browser, server, viewport=viewport, color_scheme=scheme) as page:
        page.goto(f"/de{kind}")
        draw_all(page)
        page.evaluate(
            "document.querySelectorAll('details').forEach(d => d.open = true)"
        )
        found = Axe().run(page, options=RULES).response["violations"]
        assert [
            (violation["id"], node["target"])
            for violation in found
            for node in violation["nodes"]
        ] == []
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width


def test_targets_are_large_enough(browser: Browser, server: str) -> None:
    with opened(browser, server) as page:
        page.goto(f"/de{SITE}")
        draw_all(page)
        small = page.evaluate(
            """() => [...document.querySelectorAll(
                 'button, select, input, summary, nav a, .presets a, .downloads a')]
               .filter(item => item.offsetParent !== null)
               .filter(item => item.getBoundingClientRect().height < 24)
               .map(item => item.outerHTML)"""
        )
        assert small == []


def test_language_switch_keeps_the_page(browser: Browser, server: str) -> None:
    with opened(browser, server) as page:
        page.goto(f"/de{SITE}")
        page.get_by_role("link", name="English", exact=True).click()
        assert page.url == f"{server}/en{SITE}"
        assert page.locator("html").get_attribute("lang") == "en"
        page.goto("/")
        assert page.url == f"{server}/en/"


def test_keyboard_reaches_the_content_first(browser: Browser, server: str) -> None:
    with opened(browser, server) as page:
        page.goto(f"/de{SITE}")
        page.keyboard.press("Tab")
        skip = page.locator(".skip")
        assert skip.evaluate("link => link === document.activeElement")
        box = skip.bounding_box()
        assert box is not None
        assert box["y"] >= 0
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "content"


def test_theme_switch_stays_and_recolours(browser: Browser, server: str) -> None:
    with opened(browser, server, color_scheme="light") as page:
        page.goto(f"/de{SITE}")
        draw_all(page)
        line = page.locator("#series-plot .js-line").last

        def colour() -> str:
            return str(line.evaluate("line => line.style.stroke"))

        light = colour()
        page.get_by_role("button", name="Dunkel").click()
        parts.wait_for(lambda: colour() != light)
        page.reload()
        assert page.locator("html").get_attribute("data-theme") == "dark"


def test_zoom_works_by_buttons(browser: Browser, server: str) -> None:
    with opened(browser, server) as page:
        page.goto(f"/de{SITE}")
        draw_all(page)
        span = "document.getElementById('series-plot').layout.xaxis.range"
        whole = page.evaluate(span)
        tools = page.locator('.tools[data-for="series-plot"]')
        tools.locator('[data-do="in"]').click()
        parts.wait_for(lambda: page.evaluate(span) != whole)
        tools.locator('[data-do="all"]').click()
        parts.wait_for(lambda: page.evaluate(span) == whole)


def test_image_is_made_in_the_browser(browser: Browser, server: str) -> None:
    with opened(browser, server) as page:
        page.goto(f"/de{SITE}")
        draw_all(page)
        with page.expect_download() as download:
            page.locator('.tools[data-for="series-plot"] [data-do="svg"]').click()
        assert download.value.suggested_filename == (
            "kaiserslautern_pariser-strasse_series-plot.svg"
        )


def test_click_on_the_map_leads_to_the_site(browser: Browser, server: str) -> None:
    with opened(browser, server) as page:
        page.goto("/de/kaiserslautern")
        draw_all(page)
        page.locator("#map-plot .points path").first.click(force=True)
        page.wait_for_url("**/de/kaiserslautern/*")


def test_page_works_without_scripts(browser: Browser, server: str) -> None:
    with opened(browser, server, java_script_enabled=False) as page:
        page.goto(f"/de{SITE}")
        table = page.locator("section.chart details").first
        table.locator("summary").click()
        assert table.locator("tbody tr").count() == 72
        page.get_by_label("Von").fill("2026-03-02")
        page.get_by_role("button", name="Zeigen").click()
        assert "from=2026-03-02" in page.url
        assert page.locator("noscript p").first.is_visible()
