"""Single sign-on in a real browser, at a real provider that is another site."""

import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final, NamedTuple

import httpx2
import pytest
import uvicorn
from playwright.sync_api import Browser, expect

from tests import parts, people, provider, served, world
from tests.browser.test_pages import browser, opened
from tests.browser.test_walk import DESKTOP, PHONE, Walk
from tests.people import PASSWORD, TOWN, People
from tests.provider import CLIENT, Provider
from verkehrspuls.access import oidc
from verkehrspuls.access.oidc import BACK_CHANNEL
from verkehrspuls.settings import load

__all__ = ["browser"]

pytestmark = pytest.mark.browser

#: at the provider
THERE: Final = "Ofen-Kran-Tasse-17"
LOG_IN: Final = "a[href*='/login/oidc']"


class House(NamedTuple):
    """Pages, the provider of their people, and the people."""

    pages: str
    idp: Provider
    known: People


@pytest.fixture(scope="module")
def house(_plain: parts.Databases) -> Iterator[House]:
    listening = socket.create_server(("127.0.0.1", 0))
    # for browsers another site than 127.0.0.1, where the provider is
    address = f"http://localhost:{listening.getsockname()[1]}"
    with (
        _plain.fresh(world.build) as url,
        people.of(url) as known,
        provider.running(parts.free_port(), address, host="127.0.0.1") as idp,
    ):
        given = provider.environment(idp.issuer, [f"leitung={TOWN}/administrator"])
        settings = {f"VERKEHRSPULS_{name}": value for name, value in given.items()}
        with known.operator() as connection:
            oidc.register(connection, load(settings).oidc)
        app = served.web(url, None, address=address, **given)
        running = uvicorn.Server(uvicorn.Config(app, log_config=None))
        thread = threading.Thread(
            target=running.run, kwargs={"sockets": [listening]}, name="pages"
        )
        thread.start()
        try:
            parts.wait_for(lambda: running.started)
            yield House(address, idp, known)
        finally:
            running.should_exit = True
            thread.join(parts.PATIENCE_S)
            listening.close()


class Visit(Walk):
    """Somebody who walks to the provider and back."""

    idp: Provider

    def at_provider(self, *typed: str, until: str) -> None:
        """Log in there, with what it asks for one after the other."""
        assert self.page.url.startswith(self.idp.issuer), self.page.url
        for name, text in zip(("login", "password")[-len(typed) :], typed, strict=True):
            self.page.fill(f"[name={name}]", text)
            self.page.keyboard.press("Enter")
        self.page.wait_for_url(f"**{until}")

    def session(self) -> dict[str, object]:
        (found,) = [
            dict(cookie)
            for cookie in self.page.context.cookies()
            if cookie.get("name") == "session"
        ]
        return found


@pytest.mark.parametrize(
    ("name", "viewport", "language", "scheme"),
    [("phone", PHONE, "de", "dark"), ("desktop", DESKTOP, "en", "light")],
)
def test_there_and_back(
    browser: Browser,
    house: House,
    name: str,
    viewport: dict[str, int],
    language: str,
    scheme: str,
) -> None:
    house.idp.person(name, "leitung", password=THERE)
    here, account = house.pages, f"/{language}/account"
    with opened(
        browser,
        here,
        other=house.idp.issuer,
        viewport=viewport,
        color_scheme=scheme,
    ) as page:
        walk = Visit(page, language, scheme, f"sso-{name}")
        walk.idp = house.idp

        # in by the provider, to the page that was wanted
        walk.open("/account")
        assert walk.cookies() == []
        walk.look("login")
        walk.press(LOG_IN, until="[name=login]")
        walk.at_provider(name, THERE, until=account)
        cookie = walk.session()
        assert (cookie["sameSite"], cookie["httpOnly"]) == ("Lax", True)
        header = page.locator("header.bar")
        expect(header).to_contain_text(f"{name.capitalize()} · Kaiserslautern")
        walk.look("account")

        # a password, and who they are is asked for at the provider, where they are
        # logged in
        house.known.outlast_proofs()
        walk.open("/account")
        walk.press("a[href*='/account/proof']", until=LOG_IN)
        walk.look("proof")
        walk.press(LOG_IN, until="[name=password]")
        walk.at_provider(THERE, until=account)
        walk.type(password=PASSWORD, password_again=PASSWORD)
        walk.press("form[action$='/account'] button", until=".done")
        walk.look("password")

        # unlinked, and linked again
        unlink = "button[value=unlink]"
        walk.press(unlink, until="form[action$='/single-sign-on'] button:not([value])")
        walk.look("unlinked")
        walk.press("form[action$='/single-sign-on'] button", until=unlink)
        walk.look("linked")

        # out here is out there
        walk.open_menu()
        walk.press("form[action$='/logout'] button", until="a[href*='/login']")
        assert page.url == f"{here}/{language}/"
        assert "session" not in walk.cookies()
        walk.open("/account")
        walk.press(LOG_IN, until="[name=login]")
        walk.at_provider(name, THERE, until=account)

        # out there is out here
        now = int(datetime.now(UTC).timestamp())
        token = house.idp.sign(
            {
                "iss": house.idp.issuer,
                "aud": CLIENT,
                "iat": now,
                "exp": now + 120,
                "jti": name,
                "sub": name,
                "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
            }
        )
        told = httpx2.post(here + BACK_CHANNEL, data={"logout_token": token})
        assert told.status_code == 200
        walk.open("/account")
        assert "/login?next=" in page.url
