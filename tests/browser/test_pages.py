"""The pages in a real browser, with nothing but this server to talk to."""

import re
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

import httpx2
import psycopg
import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Request, sync_playwright
from psycopg import sql

from tests import parts, served, world

pytestmark = pytest.mark.browser

NOW = datetime(2026, 3, 4, 0, 30, tzinfo=UTC)
SITE = "/towns/kaiserslautern/pariser-strasse?from=2026-03-01&to=2026-03-04"
DESK = {"width": 1200, "height": 900}
#: every kind of page
KINDS = (
    *("/", "/towns/kaiserslautern", SITE, "/cases/1", "/about", "/accessibility"),
    *("/corridors/kaiserslautern/nordtangente-ost", "/towns/kaiserslautern/x"),
)
#: by colour scheme: WCAG 2.2 AA and what axe-core calls best practice, and once more
#: the rules that depend on colours
RULES = {
    "light": [
        *("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
    ],
    "dark": ["color-contrast", "link-in-text-block"],
}
#: leaves one row of a table of those with the same elements: with the same attributes,
#: of which class, role and style have the same values, and a text or none
ONE_ROW_OF_A_KIND = """() => {
  for (const body of document.querySelectorAll('tbody')) {
    const kinds = new Set();
    for (const row of [...body.rows]) {
      const kind = [row, ...row.querySelectorAll('*')].map(item =>
        [item.tagName, ...item.getAttributeNames().sort(), !item.textContent.trim(),
         ...['class', 'role', 'style'].map(name => item.getAttribute(name))].join()
      ).join(';');
      if (kinds.has(kind)) row.remove();
      kinds.add(kind);
    }
  }
}"""


#: what browsers log although nothing is wrong
EXPECTED: Final = "status of 4|ERR_INTERNET_DISCONNECTED"


@contextmanager
def serving(url: str, now: datetime | None = NOW, **settings: str) -> Iterator[str]:
    """Serve the pages of a database, for which it is `now`, or what it is."""
    app = served.web(url, now, **settings)
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
        thread.join(parts.PATIENCE_S)
        listening.close()


@pytest.fixture(scope="module")
def server(_plain: parts.Databases) -> Iterator[str]:
    with _plain.fresh(world.build) as url, serving(url) as address:
        yield address


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
def opened(
    browser: Browser, server: str, *, other: str = "data:", **options: Any
) -> Iterator[Page]:
    """A page that fails the test for any error, refusal or foreign request.

    `other` is a server that it may be led to, whatever that says.
    """
    wrong: list[str] = []
    context = browser.new_context(
        base_url=server, locale="de-DE", **({"viewport": DESK} | options)
    )
    context.add_init_script(
        "document.addEventListener('securitypolicyviolation',"
        " event => console.error('CSP ' + event.blockedURI))"
    )
    context.set_default_timeout(1000 * parts.PATIENCE_S)
    page = context.new_page()

    def requested(request: Request) -> None:
        if not request.url.startswith((server, other, "data:", "blob:")):
            wrong.append(f"request to {request.url}")

    def logged(message: Any) -> None:
        # a page for an error is served with that error's status
        is_ours = not message.location["url"].startswith(other)
        is_wrong = message.type in ("error", "warning")
        # and one that is sent without a network says so
        if is_ours and is_wrong and not re.search(EXPECTED, message.text):
            wrong.append(message.text)

    page.on("request", requested)
    page.on("console", logged)
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


def test_english_axes_name_the_day_before_the_month(
    browser: Browser, server: str
) -> None:
    with opened(browser, server) as page:
        page.goto(f"/en{SITE}")
        page.wait_for_selector("#series-plot .main-svg")
        labels = page.locator("#series-plot .xtick").all_text_contents()
    dated = [label for label in labels if "Mar" in label]
    assert dated
    assert all(label.partition("Mar")[0].endswith(" ") for label in dated), dated


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("scheme", "width"), [("light", 1200), ("light", 360), ("dark", 1200)]
)
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
        wide = page.evaluate("document.documentElement.scrollWidth")
        page.evaluate(ONE_ROW_OF_A_KIND)
        options = {"runOnly": RULES[scheme], "resultTypes": ["violations"]}
        found = Axe().run(page, options=options).response["violations"]
        assert [
            (violation["id"], node["target"])
            for violation in found
            for node in violation["nodes"]
        ] == []
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
        page.goto("/de/towns/kaiserslautern")
        draw_all(page)
        page.locator("#map-plot .points path").first.click(force=True)
        page.wait_for_url("**/de/towns/kaiserslautern/*")


def test_days_in_words_follow_the_fields(browser: Browser, server: str) -> None:
    with opened(browser, server) as page:
        page.goto(f"/de{SITE}")
        page.get_by_label("Von", exact=True).fill("2026-03-02")
        words = page.locator(".chosen").inner_text()
        assert words.startswith("Montag, 2. März 2026 – ")
        page.get_by_label("Von", exact=True).fill("")
        assert page.locator(".chosen").inner_text().startswith("… – ")


def test_page_works_without_scripts(browser: Browser, server: str) -> None:
    with opened(browser, server, java_script_enabled=False) as page:
        page.goto(f"/de{SITE}")
        table = page.locator("section.chart details").first
        table.locator("summary").click()
        assert table.locator("tbody tr").count() == 72
        page.get_by_label("Von", exact=True).fill("2026-03-02")
        page.get_by_role("button", name="Zeigen").click()
        assert "from=2026-03-02" in page.url
        assert page.locator("noscript p").first.is_visible()


LONG = "/de/towns/kaiserslautern/pariser-strasse?from=2025-12-01&to=2026-03-04&bin=PT1H"


def test_figures_draw_the_numbers_that_are_known(browser: Browser, server: str) -> None:
    """Long lists are packed on their way, and spread out again."""
    known = httpx2.get(
        f"{server}/api/v1/sites/kaiserslautern/pariser-strasse/series.json",
        params={"from": "2026-03-01", "to": "2026-03-04", "direction": "west"},
        timeout=parts.PATIENCE_S,
    ).json()
    volumes = [row["volume"] for row in known["rows"]]
    with opened(browser, server) as page:
        page.goto(LONG)
        page.wait_for_selector("#series-plot .main-svg")
        drawn = page.evaluate(
            "() => document.getElementById('series-plot').data.map(trace =>"
            " ({x: trace.x, y: Array.from(trace.y), name: trace.name}))"
        )
    lines = [trace for trace in drawn if "Einsiedlerhof" in (trace["name"] or "")]
    assert len(lines[0]["x"]) == len(lines[0]["y"]) > 2000
    found = dict(zip(lines[0]["x"], lines[0]["y"], strict=True))
    assert found["2026-02-20 12:00"] is None
    assert [found[f"2026-03-03 {hour:02}:00"] for hour in range(24)] == volumes[-24:]


def test_a_drag_zooms_without_a_bubble_and_the_pointer_covers_no_date(
    browser: Browser, server: str
) -> None:
    with opened(browser, server) as page:
        page.goto(f"/de{SITE}")
        draw_all(page)
        plot = page.locator("#series-plot")
        plot.scroll_into_view_if_needed()
        box = plot.bounding_box()
        assert box is not None
        across, down = box["x"] + box["width"] / 2, box["y"] + box["height"] / 4
        page.mouse.move(across, down, steps=4)
        page.locator("#series-plot .hovertext").first.wait_for()
        assert page.locator("#series-plot .axistext").first.is_hidden()
        before = page.evaluate(
            "document.getElementById('series-plot')._fullLayout.xaxis.range"
        )
        page.mouse.down()
        page.mouse.move(across + 200, down, steps=8)
        page.mouse.up()
        page.wait_for_function(
            "before => document.getElementById('series-plot')._fullLayout.xaxis"
            ".range.join() !== before.join()",
            arg=before,
        )
        assert page.locator(".notifier-note").count() == 0


def test_paper_has_no_empty_heading_and_says_where_and_when(
    browser: Browser, server: str
) -> None:
    with opened(browser, server, color_scheme="dark") as page:
        for address in ("/de/towns/kaiserslautern", f"/de{SITE}", "/de/cases/1"):
            page.goto(address)
            draw_all(page)
            page.emulate_media(media="print", color_scheme="dark")
            page.evaluate("dispatchEvent(new Event('beforeprint'))")
            empty = page.evaluate(
                """() => [...document.querySelectorAll('section > h2')]
                   .filter(head => head.offsetParent !== null)
                   .filter(head => ![...head.parentElement.children].some(
                     other => other !== head && other.offsetHeight > 0))
                   .map(head => head.textContent)"""
            )
            assert empty == []
            foot = page.locator(".printed").inner_text()
            assert f"Adresse: {page.url}, gedruckt am" in foot
            # dark on white, whatever the screen has
            for word in page.locator(".cases .word").all():
                colours = word.evaluate(
                    "w => [getComputedStyle(w).color, getComputedStyle(w)"
                    ".backgroundColor]"
                )
                assert colours == ["rgb(27, 33, 38)", "rgba(0, 0, 0, 0)"]
        page.goto(f"/de{SITE}")
        assert "Zeitraum: 01.03.2026 – 03.03.2026" in (
            page.locator(".printed").text_content() or ""
        )


def test_long_words_do_not_widen_a_phones_page(
    browser: Browser, plain_world: str
) -> None:
    long = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamten" * 2
    with psycopg.connect(plain_world) as connection:
        for table in ("municipality", "site", "channel", "sensor", "corridor"):
            connection.execute(
                sql.SQL("update vp.{} set name = key || %s").format(
                    sql.Identifier(table)
                ),
                [long],
            )
        connection.execute(
            "update vp.channel set direction_name = %s where direction <> ''", [long]
        )
        connection.execute("update vp.site set road = %s, place = %s", [long, long])
        connection.execute("update vp.sensor set model = %s", [long])
        connection.execute("update vp.municipality set licence = %s", [long])
    viewport = {"width": 360, "height": 900}
    with (
        serving(plain_world) as server,
        opened(browser, server, viewport=viewport) as page,
    ):
        for kind in KINDS:
            page.goto(f"/de{kind}")
            draw_all(page)
            page.evaluate(
                "document.querySelectorAll('details').forEach(d => d.open = true)"
            )
            assert page.evaluate("document.documentElement.scrollWidth") <= 360, kind
