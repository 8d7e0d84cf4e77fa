"""Passkeys in a real browser, with the authenticator that it has for tests."""

import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, CDPSession, Page, expect

from tests import parts, people, served, world
from tests.browser.test_pages import RULES, opened
from tests.browser.test_pages import browser as browser
from tests.people import ANNE, TOWN, People

pytestmark = pytest.mark.browser

NOW: Final = datetime(2026, 3, 4, 0, 30, tzinfo=UTC)
OWN: Final = "/de/account/passkeys"
LOGIN: Final = "/de/login"
expect.set_options(timeout=1000 * parts.PATIENCE_S)


@pytest.fixture(scope="module")
def pages(_plain: parts.Databases) -> Iterator[tuple[str, People]]:
    """The pages at an address for which browsers make passkeys, and their people."""
    listening = socket.create_server(("127.0.0.1", 0))
    address = f"http://localhost:{listening.getsockname()[1]}"
    with (
        _plain.fresh(world.build) as url,
        people.of(url) as known,
    ):
        known.put(ANNE, ("administrator", TOWN))
        app = served.web(url, NOW, address=address)
        running = uvicorn.Server(uvicorn.Config(app, log_config=None))
        thread = threading.Thread(
            target=running.run, kwargs={"sockets": [listening]}, name="pages"
        )
        thread.start()
        try:
            parts.wait_for(lambda: running.started)
            yield address, known
        finally:
            running.should_exit = True
            thread.join(parts.PATIENCE_S)
            listening.close()


class Device:
    """The authenticator of a page, and what a person does with it."""

    def __init__(self, page: Page) -> None:
        self._cdp: CDPSession = page.context.new_cdp_session(page)
        self._cdp.send("WebAuthn.enable")
        made = self._cdp.send(
            "WebAuthn.addVirtualAuthenticator",
            {
                "options": {
                    "protocol": "ctap2",
                    "transport": "internal",
                    "hasResidentKey": True,
                    "hasUserVerification": True,
                    "isUserVerified": True,
                    "automaticPresenceSimulation": True,
                }
            },
        )
        self._id = made["authenticatorId"]

    def recognises(self, *, person: bool) -> None:
        """Let the right person touch it, or somebody else."""
        self._send("setUserVerified", isUserVerified=person)

    def passkeys(self) -> list[dict[str, Any]]:
        """List what is in it."""
        found: list[dict[str, Any]] = self._send("getCredentials")["credentials"]
        return found

    def _send(self, what: str, **other: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self._cdp.send(
            f"WebAuthn.{what}", {"authenticatorId": self._id, **other}
        )
        return answer


def enter(page: Page, address: str, session: str) -> None:
    """Take a session along, as after logging in by password."""
    page.context.clear_cookies()
    page.context.add_cookies([{"name": "session", "value": session, "url": address}])


def violations(page: Page) -> list[str]:
    """List what axe-core finds."""
    options = {"runOnly": RULES["light"], "resultTypes": ["violations"]}
    found = Axe().run(page, options=options).response["violations"]
    return [violation["id"] for violation in found]


def test_passkey_from_the_first_to_the_last_day(
    browser: Browser, pages: tuple[str, People]
) -> None:
    address, known = pages
    with opened(browser, address) as page:
        device = Device(page)
        enter(page, address, known.log_in(ANNE))

        # added with the keyboard only
        page.goto(OWN)
        page.get_by_label("Name des Passkeys").focus()
        page.keyboard.type("Mein Laptop")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Mein Laptop")).to_be_visible()
        (inside,) = device.passkeys()
        assert inside["rpId"] == "localhost"
        assert inside["isResidentCredential"]

        assert violations(page) == []

        # once is enough
        page.get_by_label("Name des Passkeys").fill("Noch einmal")
        page.get_by_role("button", name="Passkey hinzufügen").click()
        said = page.locator("form[data-passkey=make] [role=alert]")
        expect(said).to_have_text("Diesen Passkey haben Sie schon hinzugefügt.")

        # logs in without a password, but not somebody else
        page.context.clear_cookies()
        page.goto(f"{LOGIN}?next={OWN}")
        assert violations(page) == []
        button = page.get_by_role("button", name="Mit einem Passkey anmelden")
        device.recognises(person=False)
        button.click()
        said = page.get_by_role("alert")
        expect(said).to_have_text(
            "Es wurde kein Passkey verwendet. Sie können es noch einmal versuchen."
        )
        device.recognises(person=True)
        button.click()
        page.wait_for_url(f"**{OWN}")
        expect(page.get_by_text("Zuletzt verwendet am")).to_be_visible()

        # shows the second factor after the password
        enter(page, address, known.log_in(ANNE))
        page.goto(OWN)
        page.get_by_role("button", name="Mit einem Passkey anmelden").click()
        page.wait_for_url(f"**{OWN}")

        # has another name, and goes
        page.get_by_label("Name", exact=True).fill("Büro")
        page.get_by_role("button", name="Umbenennen").click()
        expect(page.get_by_role("heading", name="Büro")).to_be_visible()
        page.locator("summary", has_text="Entfernen").click()
        page.get_by_role("button", name="Den Passkey entfernen").click()
        expect(page.get_by_text("Sie haben noch keinen Passkey.")).to_be_visible()

        # what is still in the device logs in no more
        page.context.clear_cookies()
        page.goto(LOGIN)
        page.get_by_role("button", name="Mit einem Passkey anmelden").click()
        expect(page.get_by_text("nicht angenommen")).to_be_visible()


def test_without_javascript_or_passkeys_nothing_is_promised(
    browser: Browser, pages: tuple[str, People]
) -> None:
    address, _ = pages
    with opened(browser, address, java_script_enabled=False) as page:
        page.goto(LOGIN)
        expect(page.get_by_role("button", name="Mit einem Passkey")).to_have_count(0)
    with opened(browser, address) as page:
        page.add_init_script("delete window.PublicKeyCredential")
        page.goto(LOGIN)
        page.get_by_role("button", name="Mit einem Passkey anmelden").click()
        expect(page.get_by_role("alert")).to_have_text(
            "Dieser Browser kann hier keine Passkeys verwenden."
        )
