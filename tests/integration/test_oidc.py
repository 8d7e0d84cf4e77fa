"""Single sign-on at a real provider, which lies where a test wants it to."""

import html
import re
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import psycopg
import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from api import session
from dashboards.app import create_web
from tests import people, provider, served
from tests.parts import as_web, free_port
from tests.people import HOME, OTHER, TOWN, USUAL, People
from tests.provider import CLIENT, SECRET
from verkehrspuls.access import accounts, links, oidc, sessions
from verkehrspuls.access.accounts import LastAdministrator
from verkehrspuls.access.limits import TooManyAttempts
from verkehrspuls.access.oidc import Finished
from verkehrspuls.access.provider import Provider, ProviderUnavailable, Refused
from verkehrspuls.access.viewer import ANONYMOUS, Viewer
from verkehrspuls.cli import command
from verkehrspuls.errors import UsageError
from verkehrspuls.settings import Access, Oidc, Settings, load

PAGES: Final = "http://localhost:8000"
ANNE: Final = people.ANNE
GROUPS: Final = (
    f"planung={TOWN}/planner",
    f"leitung={TOWN}/administrator",
    f"nachbarn={OTHER}/viewer",
    "betrieb=operator",
)


@pytest.fixture(scope="module")
def _running() -> Iterator[provider.Provider]:
    with provider.running(free_port(), PAGES) as found:
        yield found


@pytest.fixture
def idp(_running: provider.Provider) -> provider.Provider:
    """The provider, honest, and with Anne logged in there."""
    _running.lie = None
    _running.methods = ["password"]
    _running.person("anne")
    return _running


@pytest.fixture
def settings(idp: provider.Provider) -> Oidc:
    return Oidc.model_validate(
        {
            "issuer": idp.issuer,
            "client_id": CLIENT,
            "client_secret": SECRET,
            "scopes": "openid,email,profile,groups",
            "roles": GROUPS,
        }
    )


@pytest.fixture(scope="module")
def _people(url: str) -> Iterator[People]:
    with people.of(url) as found:
        yield found


@pytest.fixture
def known(_people: People, settings: Oidc) -> People:
    """A database that all tests share, without people."""
    with _people.operator() as connection:
        connection.execute("truncate vp.account, vp.attempt cascade")
        oidc.register(connection, settings)
    return _people


class Browser:
    """Logs in at the provider, step by step."""

    def __init__(self, known: People, idp: provider.Provider, settings: Oidc) -> None:
        self.known, self.idp = known, idp
        self.provider = Provider(settings, PAGES)
        self.secret = ""
        self.session = ""

    def begin(self, target: str = "/de/", **given: Any) -> str:
        """Return the address of the provider."""
        begun = oidc.begin(
            self.provider,
            self._writing,
            target,
            browser=self.secret,
            viewer=self.viewer,
            language="de",
            origin=HOME,
            **{"access": USUAL, **given},
        )
        self.secret = begun.browser
        return begun.address

    def finish(self, answer: dict[str, str], **given: Any) -> Finished:
        finished = oidc.finish(
            self.provider,
            self._writing,
            answer,
            viewer=self.viewer,
            **{
                "browser": self.secret,
                "origin": HOME,
                "access": USUAL,
                "now": datetime.now(UTC),
                **given,
            },
        )
        if finished.begun:
            self.session = finished.begun.id
        return finished

    def log_in(self, **given: Any) -> Finished:
        return self.finish(self.answer(), **given)

    def answer(self, **given: Any) -> dict[str, str]:
        return asked(self.idp.answer(self.begin(**given)))

    @property
    def viewer(self) -> Viewer:
        return sessions.viewer_of(self.session) if self.session else ANONYMOUS

    def _writing(self, viewer: Viewer) -> Any:
        return self.known.database.writing(viewer)


@pytest.fixture
def browser(known: People, idp: provider.Provider, settings: Oidc) -> Browser:
    return Browser(known, idp, settings)


def asked(address: str) -> dict[str, str]:
    """The query of an address."""
    return dict(parse_qsl(urlsplit(address).query))


def roles(known: People, email: str = ANNE) -> set[tuple[str | None, str]]:
    with known.operator() as connection:
        return set(accounts.find(connection, email).roles)


def invite(known: People, *given: Any) -> int:
    with known.operator() as connection:
        account_id = accounts.add(connection, ANNE, "Anne Muster")
        for role, town in given:
            accounts.give(connection, account_id, role, town)
    return account_id


def refused(why: str) -> Any:
    return pytest.raises(Refused, match=rf"not accepted \({why}\)")


# the walk


def test_whom_a_group_gives_a_role_gets_an_account(browser: Browser) -> None:
    browser.idp.person("anne", "planung", "nachbarn", "other")
    finished = browser.finish(browser.answer(target="/en/towns"))
    assert finished.target == "/en/towns"
    assert finished.begun is not None
    assert finished.begun.is_complete
    session = browser.known.session(browser.session)
    assert session is not None
    assert (session.email, session.name) == (ANNE, "Anne")
    assert session.may("cases", TOWN)
    assert not session.may("cases", OTHER)
    assert roles(browser.known) == {(TOWN, "planner"), (OTHER, "viewer")}
    with browser.known.operator() as connection:
        assert accounts.find(connection, ANNE).state == "active"


def test_login_asks_for_what_it_needs_and_no_more(
    browser: Browser, settings: Oidc
) -> None:
    first, second = asked(browser.begin()), asked(browser.begin())
    assert first["redirect_uri"] == f"{PAGES}/oidc/callback"
    assert first["response_type"] == "code"
    assert first["code_challenge_method"] == "S256"
    assert first["scope"].split() == list(settings.scopes)
    for name in ("state", "nonce", "code_challenge"):
        assert len(first[name]) == 43
        assert first[name] != second[name]
    assert browser.secret not in str(first)


def test_an_invited_person_is_linked_by_a_verified_email(browser: Browser) -> None:
    account_id = invite(browser.known, ("viewer", OTHER))
    with browser.known.operator() as connection:
        made = links.create(connection, account_id, "invitation", settings=USUAL)
    browser.log_in()
    assert roles(browser.known) == {(OTHER, "viewer")}
    # the invitation was followed
    with browser.known.reading(made.token) as connection:
        assert links.find(connection) is None


def test_two_windows_log_in_at_once(browser: Browser) -> None:
    invite(browser.known)
    first, second = browser.answer(target="/de/1"), browser.answer(target="/de/2")
    assert browser.finish(second).target == "/de/2"
    browser.session = ""
    assert browser.finish(first).target == "/de/1"


def test_another_process_finishes_a_login(browser: Browser, settings: Oidc) -> None:
    invite(browser.known)
    answer = browser.answer()
    browser.provider = Provider(settings, PAGES)
    assert browser.finish(answer).begun


# who is not let in


def test_a_stranger_is_not_let_in(browser: Browser) -> None:
    with refused("unknown"):
        browser.log_in()
    with browser.known.operator() as connection:
        assert accounts.every(connection) == []


def test_an_email_does_not_open_an_account_with_a_password(browser: Browser) -> None:
    browser.known.put(ANNE, ("operator", None))
    browser.idp.person("anne", "planung")
    with refused("not-linked"):
        browser.log_in()
    assert roles(browser.known) == {(None, "operator")}


@pytest.mark.parametrize("verified", [None, False, "false", "yes", 1.5])
def test_an_email_that_is_not_verified_does_not_count(
    browser: Browser, settings: Oidc, verified: object
) -> None:
    invite(browser.known)
    browser.idp.lie = lambda claims: claims.update(email_verified=verified) or {}
    with refused("unverified"):
        browser.log_in()
    trusting = settings.model_copy(update={"require_verified_email": False})
    browser.provider = Provider(trusting, PAGES)
    assert browser.log_in().begun


def test_an_identity_is_found_without_an_email(browser: Browser) -> None:
    invite(browser.known)
    browser.log_in()
    browser.idp.lie = lambda claims: claims.update(email="new@example.org") or {}
    browser.log_in()
    with browser.known.operator() as connection:
        assert [one.email for one in accounts.every(connection)] == [ANNE]


def test_whose_email_was_given_to_somebody_else_is_not_let_in(browser: Browser) -> None:
    invite(browser.known)
    browser.idp.person("anne", "other")
    browser.log_in()
    browser.session = ""
    browser.idp.lie = lambda claims: claims.update(sub="another") or {}
    with refused("not-linked"):
        browser.log_in()


def test_who_is_disabled_here_is_not_let_in(browser: Browser) -> None:
    account_id = invite(browser.known)
    browser.log_in()
    with browser.known.operator() as connection:
        accounts.disable(connection, account_id)
    assert browser.known.session(browser.session) is None
    browser.session = ""
    with refused("disabled"):
        browser.log_in()


def test_who_is_disabled_before_the_first_login_is_not_linked(browser: Browser) -> None:
    account_id = invite(browser.known)
    with browser.known.operator() as connection:
        accounts.disable(connection, account_id)
    with refused("disabled"):
        browser.log_in()
    with browser.known.operator() as connection:
        assert connection.execute("select from vp.identity").fetchall() == []


# what was tampered with


def test_an_answer_is_taken_once(browser: Browser) -> None:
    invite(browser.known)
    answer = browser.answer()
    browser.finish(answer)
    with refused("stale"):
        browser.finish(answer)


def test_a_code_is_taken_once(browser: Browser) -> None:
    invite(browser.known)
    answer = browser.answer()
    browser.finish(answer)
    browser.session = ""
    with refused("invalid"):
        browser.finish(browser.answer() | {"code": answer["code"]})


def test_a_code_of_another_login_is_refused(browser: Browser) -> None:
    """PKCE: whoever steals a code has not its verifier."""
    invite(browser.known)
    stolen = browser.answer()["code"]
    with refused("invalid"):
        browser.finish(browser.answer() | {"code": stolen})


@pytest.mark.parametrize(
    "change",
    [
        {"state": "x" * 43},
        {"state": ""},
        {"iss": "https://evil.example.org"},
        {"iss": ""},
        {"code": ""},
        {"code": "never-given"},
        {"error": "access_denied"},
    ],
    ids=str,
)
def test_an_answer_that_was_changed_is_refused(
    browser: Browser, change: dict[str, str]
) -> None:
    invite(browser.known)
    with pytest.raises(Refused):
        browser.finish(browser.answer() | change)


def test_an_answer_without_its_issuer_is_refused(browser: Browser) -> None:
    answer = browser.answer()
    del answer["iss"]
    with refused("invalid"):
        browser.finish(answer)


def test_a_login_belongs_to_its_browser(browser: Browser) -> None:
    """Nobody logs somebody else in as themselves."""
    invite(browser.known)
    answer = browser.answer()
    for other in ("", sessions.new_id()):
        with refused("stale"):
            browser.finish(answer, browser=other)
    # it was not used up by that
    assert browser.finish(answer).begun


def test_a_login_ends_after_ten_minutes(browser: Browser) -> None:
    invite(browser.known)
    answer = browser.answer()
    with browser.known.operator() as connection:
        connection.execute(
            "update vp.oidc_login set created_at = created_at - interval '11 minutes',"
            " expires_at = expires_at - interval '11 minutes'"
        )
    with refused("stale"):
        browser.finish(answer)


def _soon(seconds: float) -> int:
    return int(time.time() + seconds)


def _changed(claims: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """Change claims; a time is from now on, and None takes a claim away."""
    return {
        name: _soon(value.total_seconds()) if isinstance(value, timedelta) else value
        for name, value in (claims | change).items()
        if value is not None
    }


@pytest.mark.parametrize(
    "change",
    [
        {"nonce": "x"},
        {"nonce": None},
        {"aud": "another"},
        {"aud": [CLIENT, "another"], "azp": "another"},
        {"aud": [CLIENT, "another"]},
        {"iss": "https://evil.example.org"},
        {"exp": timedelta(seconds=-90)},
        {"exp": None},
        {"iat": timedelta(seconds=900)},
        {"nbf": timedelta(seconds=900)},
        {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
        {"sub": ""},
        {"sub": 17},
        {"sub": None},
        {"sub": "x" * 300},
    ],
    ids=str,
)
def test_a_token_that_does_not_hold_is_refused(
    browser: Browser, change: dict[str, Any]
) -> None:
    invite(browser.known)

    def lie(claims: dict[str, Any]) -> dict[str, Any]:
        told = _changed(claims, change)
        claims.clear()
        claims.update(told)
        return {}

    browser.idp.lie = lie
    with refused("invalid"):
        browser.log_in()


def test_clocks_may_differ_a_little(browser: Browser) -> None:
    invite(browser.known)
    browser.idp.lie = lambda claims: claims.update(exp=_soon(-30), iat=_soon(30)) or {}
    assert browser.log_in().begun


@pytest.mark.parametrize("alg", ["none", "HS256"])
def test_a_token_without_a_signature_of_its_own_is_refused(
    browser: Browser, alg: str
) -> None:
    invite(browser.known)
    browser.idp.lie = lambda claims: {"alg": alg}
    with refused("invalid"):
        browser.log_in()


def test_keys_are_asked_for_once_more_if_one_is_new(
    browser: Browser, settings: Oidc
) -> None:
    invite(browser.known)
    clock = [1000.0]
    browser.provider = Provider(settings, PAGES, clock=lambda: clock[0])
    browser.log_in()
    browser.idp.rotate()
    browser.idp.asked.clear()
    assert browser.log_in().begun
    assert browser.log_in().begun
    assert browser.idp.asked.count("/oauth/jwks.json") == 1
    browser.idp.lie = lambda claims: {"kid": "of nobody"}
    for _ in range(3):
        with refused("invalid"):
            browser.log_in()
    assert browser.idp.asked.count("/oauth/jwks.json") == 1
    clock[0] += 11
    with refused("invalid"):
        browser.log_in()
    assert browser.idp.asked.count("/oauth/jwks.json") == 2


def test_userinfo_is_asked_only_for_what_is_missing(browser: Browser) -> None:
    browser.idp.person("anne", "planung")
    browser.idp.asked.clear()
    browser.log_in()
    assert "/oauth/userinfo" not in browser.idp.asked
    browser.idp.lie = lambda claims: claims.pop("groups") and {}
    browser.log_in()
    assert "/oauth/userinfo" in browser.idp.asked
    assert roles(browser.known) == {(TOWN, "planner")}


# groups and roles


def test_roles_come_and_go_with_groups(browser: Browser) -> None:
    browser.idp.person("anne", "planung", "betrieb")
    browser.log_in()
    assert roles(browser.known) == {(TOWN, "planner"), (None, "operator")}
    old = browser.session
    browser.idp.person("anne", "nachbarn")
    browser.log_in()
    assert roles(browser.known) == {(OTHER, "viewer")}
    # the older session may do nothing until it has got a new id
    outdated = browser.known.session(old)
    assert outdated is not None
    assert outdated.is_outdated


def test_roles_given_by_hand_stay(browser: Browser) -> None:
    browser.idp.person("anne", "planung", "nachbarn")
    browser.log_in()
    with browser.known.operator() as connection:
        account_id = accounts.find(connection, ANNE).account_id
        accounts.give(connection, account_id, "engineer", TOWN)
        # which a group gave
        accounts.give(connection, account_id, "planner", TOWN)
    browser.idp.person("anne")
    browser.log_in()
    assert roles(browser.known) == {(TOWN, "engineer"), (TOWN, "planner")}


def test_the_last_administrator_remains_one(browser: Browser) -> None:
    browser.idp.person("anne", "leitung", "nachbarn")
    browser.log_in()
    browser.idp.person("anne")
    browser.log_in()
    assert roles(browser.known) == {(TOWN, "administrator")}
    with browser.known.operator() as connection, pytest.raises(LastAdministrator):
        accounts.disable(connection, accounts.find(connection, ANNE).account_id)
    with browser.known.operator() as connection, pytest.raises(LastAdministrator):
        oidc.unlink(connection, accounts.find(connection, ANNE).account_id)
    browser.known.put(people.BERND, ("administrator", TOWN))
    browser.log_in()
    assert roles(browser.known) == set()


def test_a_group_of_a_town_that_is_not_there_gives_nothing(
    browser: Browser, settings: Oidc
) -> None:
    rules = ("planung=moon/planner", f"planung={TOWN}/viewer")
    browser.provider = Provider(settings.model_copy(update={"roles": rules}), PAGES)
    browser.idp.person("anne", "planung")
    browser.log_in()
    assert roles(browser.known) == {(TOWN, "viewer")}


# the second factor


@pytest.mark.parametrize(
    ("methods", "complete"), [(["password"], False), (["password", "otp"], True)]
)
def test_the_provider_may_have_seen_the_second_factor(
    browser: Browser, settings: Oidc, methods: list[str], complete: bool
) -> None:
    browser.provider = Provider(
        settings.model_copy(update={"second_factor": ("mfa", "gold")}), PAGES
    )
    strict = Access(second_factor=("planner", "engineer"))
    browser.idp.person("anne", "planung")
    browser.idp.methods = methods
    begun = browser.log_in(access=strict).begun
    assert begun is not None
    assert begun.is_complete is complete
    if not complete:
        return
    # also after a role was given
    with browser.known.operator() as connection:
        account_id = accounts.find(connection, ANNE).account_id
        accounts.give(connection, account_id, "engineer", TOWN)
    with browser.known.web(browser.session)() as connection:
        renewed = sessions.renew(connection, settings=strict)
    assert renewed is not None
    session = browser.known.session(renewed)
    assert session is not None
    assert session.is_complete


def test_a_second_factor_of_the_provider_does_not_count_by_default(
    browser: Browser,
) -> None:
    browser.idp.person("anne", "planung")
    browser.idp.methods = ["password", "otp"]
    begun = browser.log_in(access=Access(second_factor=("planner",))).begun
    assert begun is not None
    assert not begun.is_complete


# linking


def test_who_is_logged_in_links_the_account(browser: Browser) -> None:
    account_id = browser.known.put(ANNE, ("viewer", TOWN))
    browser.session = browser.known.log_in(ANNE)
    finished = browser.finish(browser.answer(links=True, target="/de/account"))
    assert finished == Finished("/de/account", None)
    browser.session = ""
    assert browser.log_in().begun
    assert roles(browser.known) == {(TOWN, "viewer")}
    with browser.known.web(browser.session)() as connection:
        assert oidc.unlink(connection, account_id)
    # who did it goes on
    assert browser.known.session(browser.session) is not None
    browser.session = ""
    with refused("not-linked"):
        browser.log_in()


def test_a_link_belongs_to_who_began_it(browser: Browser) -> None:
    browser.known.put(ANNE)
    browser.known.put(people.BERND)
    browser.session = browser.known.log_in(ANNE)
    answer = browser.answer(links=True)
    for other in ("", browser.known.log_in(people.BERND)):
        browser.session = other
        with refused("stale"):
            browser.finish(answer)


def test_an_identity_has_one_account(browser: Browser) -> None:
    for email in (ANNE, people.BERND):
        browser.known.put(email)
    browser.session = browser.known.log_in(ANNE)
    browser.finish(browser.answer(links=True))
    # again is no harm
    browser.finish(browser.answer(links=True))
    browser.session = browser.known.log_in(people.BERND)
    with refused("taken"):
        browser.finish(browser.answer(links=True))


def test_nobody_links_without_being_logged_in(browser: Browser) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        browser.begin(links=True)


def test_who_has_no_password_cannot_unlink(browser: Browser) -> None:
    account_id = invite(browser.known)
    browser.log_in()
    with browser.known.web(browser.session)() as connection:
        assert not oidc.unlink(connection, account_id)
    other = browser.known.put(people.BERND)
    with browser.known.web(browser.known.log_in(people.BERND))() as connection:
        assert not oidc.unlink(connection, account_id)
        assert not oidc.unlink(connection, other)


# showing who one is


@pytest.mark.parametrize(
    ("said", "proved"),
    [
        (-60, True),
        (-700, False),
        # a clock that is a little ahead
        (30, True),
        (None, False),
        (1e30, False),
    ],
)
def test_a_login_that_was_not_seen_now_shows_nothing(
    browser: Browser, said: float | None, proved: bool
) -> None:
    invite(browser.known)
    at = None if said is None else time.time() + said
    browser.idp.lie = lambda claims: claims.update(auth_time=at) or {}
    browser.log_in()
    session = browser.known.session(browser.session)
    assert session is not None
    assert session.has_proved is proved


def test_who_shows_it_at_the_provider_logs_in_there_again(browser: Browser) -> None:
    query = asked(browser.begin(proves=True))
    assert (query["prompt"], query["max_age"]) == ("login", "600")
    assert "prompt" not in asked(browser.begin())


def test_only_the_provider_says_when_somebody_logged_in(browser: Browser) -> None:
    browser.known.put(ANNE)
    session = browser.known.log_in(ANNE)
    for credential in ("", session):
        with (
            pytest.raises(psycopg.errors.InsufficientPrivilege),
            browser.known.web(credential)() as connection,
        ):
            connection.execute(
                "select shown.note_oidc_proof(%s, now())",
                [sessions.sha256_of(session)],
            )


# logging out


def test_the_provider_is_told_whom_to_log_out(browser: Browser) -> None:
    invite(browser.known)
    browser.log_in()
    with browser.known.web(browser.session)() as connection:
        address = oidc.log_out_address(browser.provider, connection, "/de/")
    assert address is not None
    query = asked(address)
    assert address.startswith(f"{browser.idp.issuer}/oauth/end_session?")
    assert query["client_id"] == CLIENT
    assert query["post_logout_redirect_uri"] == f"{PAGES}/de/"
    # the provider knows whom, and does not ask
    assert browser.idp.answer(address) == f"{PAGES}/de/"
    browser.known.put(people.BERND)
    local = browser.known.log_in(people.BERND)
    with browser.known.web(local)() as connection:
        assert oidc.log_out_address(browser.provider, connection, "/de/") is None


def logout_claims(idp: provider.Provider, **given: Any) -> dict[str, Any]:
    claims = {
        "iss": idp.issuer,
        "aud": CLIENT,
        "iat": _soon(0),
        "exp": _soon(120),
        "jti": sessions.new_id(),
        "sub": "anne",
        "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
    }
    return _changed(claims, given)


def end(browser: Browser, claims: dict[str, Any], **header: Any) -> int:
    return oidc.end_sessions(
        browser.provider,
        browser._writing,
        browser.idp.sign(claims, **header),
        now=datetime.now(UTC),
    )


@pytest.mark.parametrize(
    ("said", "ended"),
    [
        ({"sub": "anne"}, True),
        ({"sub": None, "sid": "window-1"}, True),
        ({"sub": "anne", "sid": "window-1"}, True),
        ({"sub": "anne", "sid": "window-2"}, False),
        ({"sub": "otto", "sid": "window-1"}, False),
        ({"sub": "otto"}, False),
    ],
    ids=str,
)
def test_the_provider_ends_sessions(
    browser: Browser, said: dict[str, Any], ended: bool
) -> None:
    account_id = invite(browser.known)
    with browser.known.operator() as connection:
        made = links.create(connection, account_id, "login", settings=USUAL)
    local = links.use(browser.known.web(made.token), origin=HOME, settings=USUAL)
    assert local is not None
    browser.idp.lie = lambda claims: claims.update(sid="window-1") or {}
    browser.log_in()
    assert end(browser, logout_claims(browser.idp, **said)) == int(ended)
    assert (browser.known.session(browser.session) is None) is ended
    # one that began here goes on
    assert browser.known.session(local.id)


def test_a_logout_token_is_taken_once(browser: Browser) -> None:
    claims = logout_claims(browser.idp)
    end(browser, claims)
    with refused("stale"):
        end(browser, claims)


@pytest.mark.parametrize(
    "change",
    [
        {"events": None},
        {"events": {}},
        {"events": {"http://schemas.openid.net/event/backchannel-logout": 1}},
        {"nonce": "x"},
        {"sub": None},
        {"sub": 17},
        {"sid": ["x"]},
        {"jti": None},
        {"iss": "https://evil.example.org"},
        {"aud": "another"},
        {"exp": timedelta(seconds=-120)},
        {"iat": timedelta(seconds=900)},
        {"iat": None},
        {"exp": None},
    ],
    ids=str,
)
def test_a_logout_token_that_does_not_hold_is_refused(
    browser: Browser, change: dict[str, Any]
) -> None:
    with refused("invalid"):
        end(browser, logout_claims(browser.idp, **change))


@pytest.mark.parametrize("text", ["", "x", "a.b.c"])
def test_what_is_no_token_is_refused(browser: Browser, text: str) -> None:
    with refused("invalid"):
        oidc.end_sessions(
            browser.provider, browser._writing, text, now=datetime.now(UTC)
        )


# the provider is away, or not what it was


def test_a_provider_that_is_away_is_said_so(browser: Browser, settings: Oidc) -> None:
    away = f"http://localhost:{free_port()}"
    browser.provider = Provider(settings.model_copy(update={"issuer": away}), PAGES)
    with pytest.raises(ProviderUnavailable):
        browser.begin()


def test_a_provider_that_calls_itself_otherwise_is_refused(
    browser: Browser, settings: Oidc
) -> None:
    other = settings.issuer.replace("localhost", "127.0.0.1")
    browser.provider = Provider(settings.model_copy(update={"issuer": other}), PAGES)
    # it answers by its own name only
    with pytest.raises(ProviderUnavailable):
        browser.begin()


def test_a_client_that_the_provider_does_not_know_is_said_so(
    browser: Browser, settings: Oidc
) -> None:
    answer = browser.answer()
    wrong = settings.model_copy(update={"client_secret": SecretStr("wrong")})
    browser.provider = Provider(wrong, PAGES)
    with pytest.raises(ProviderUnavailable, match="invalid_client"):
        browser.finish(answer)


def test_who_does_not_know_the_secret_does_not_speak_for_the_provider(
    browser: Browser, settings: Oidc
) -> None:
    """As somebody with statements of their own within the web would try."""
    invite(browser.known, ("operator", None))
    with browser.known.operator() as connection:
        oidc.register(connection, settings.model_copy(update={"client_id": "other"}))
    with pytest.raises(ProviderUnavailable, match="db migrate"):
        browser.log_in()
    for credential in ("", browser.secret):
        with browser.known.web(credential)() as connection:
            for statement in (
                "select shown.log_in_oidc('anne', 'anne@example.org', 'Anne', '[]',"
                " true, null, '', row(sha256(''), '1 day', '1 day', '{}', null, '')"
                "::vp.new_session)",
                "select shown.link_identity('anne', sha256(''))",
                "select shown.end_oidc_sessions('anne', null, sha256(''), now())",
                'select vp.take_over_roles(1, \'[{"role": "administrator"}]\')',
                "select vp.require_provider()",
                "table vp.oidc_provider",
                "table vp.oidc_login",
                "table vp.oidc_session",
                "table vp.identity",
                "insert into vp.identity values ('x', 'x', 1)",
            ):
                with (
                    pytest.raises(psycopg.errors.InsufficientPrivilege),
                    connection.transaction(),
                ):
                    connection.execute(statement.encode())


def test_without_settings_nobody_speaks_for_a_provider(browser: Browser) -> None:
    invite(browser.known)
    with browser.known.operator() as connection:
        oidc.register(connection, Oidc())
    with pytest.raises(ProviderUnavailable):
        browser.log_in()


def test_logins_that_begin_are_limited(browser: Browser) -> None:
    few = Access(address_attempts_per_minute=2)
    browser.begin(access=few)
    browser.begin(access=few)
    with pytest.raises(TooManyAttempts) as refused:
        browser.begin(access=few)
    # `problems.own` says it in `Retry-After`
    assert 1 <= refused.value.retry_s <= few.lockout_s


def test_what_happens_is_in_the_audit_log(browser: Browser) -> None:
    with browser.known.operator() as connection:
        found = connection.execute("select max(number) from vp.audit").fetchone()
        (before,) = found or (0,)
    browser.idp.person("anne", "planung")
    browser.log_in()
    with browser.known.operator() as connection:
        entries = connection.execute(
            "select action, actor_kind, actor from vp.audit"
            " where number > %s and key = %s order by number",
            [before, ANNE],
        ).fetchall()
    assert [entry[0] for entry in entries] == [
        *("account.add", "identity.add", "role.add", "session.begin"),
    ]
    assert {entry[1:] for entry in entries} == {("system", browser.idp.issuer)}


# the pages


@pytest.fixture
def client(known: People, idp: provider.Provider) -> Iterator[TestClient]:
    """A browser of the pages, which follows no redirect."""
    given = provider.environment(idp.issuer, GROUPS)
    app = served.web(known.url, None, address=PAGES, **given)
    with TestClient(app, base_url=PAGES, follow_redirects=False) as found:
        yield found


def test_a_browser_logs_in(client: TestClient, idp: provider.Provider) -> None:
    idp.person("anne", "planung")
    begun = client.get("/de/login/oidc", params={"target": "/de/towns/verborgen"})
    assert begun.status_code == 303
    assert begun.headers["cache-control"] == "no-store"
    (cookie,) = begun.headers.get_list("set-cookie")
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Max-Age=600" in cookie
    back = idp.answer(begun.headers["location"])
    # providers add parameters of their own
    done = client.get(f"{back}&session_state=1")
    assert (done.status_code, done.headers["location"]) == (303, "/de/towns/verborgen")
    assert client.cookies.get(session.COOKIE)
    again = client.get(back)
    assert again.status_code == 403
    assert "nicht angemeldet" in again.text


def test_a_page_elsewhere_begins_no_login(client: TestClient) -> None:
    """As an image there, it would lock out the network that its readers share."""
    begun = client.get(
        "/de/login/oidc",
        params={"target": "/de/account"},
        headers={"sec-fetch-site": "cross-site"},
    )
    assert begun.headers["location"] == "/de/login?next=%2Fde%2Faccount"
    assert "set-cookie" not in begun.headers


@pytest.mark.parametrize(
    "target", ["https://evil.example.org/", "//evil.example.org", "/\\evil", "", "x"]
)
def test_a_browser_comes_back_to_pages_of_ours_only(
    client: TestClient, idp: provider.Provider, target: str
) -> None:
    idp.person("anne", "planung")
    begun = client.get("/en/login/oidc", params={"target": target})
    done = client.get(idp.answer(begun.headers["location"]))
    assert (done.status_code, done.headers["location"]) == (303, "/en/")


def test_a_page_says_why_somebody_is_not_logged_in(
    client: TestClient, idp: provider.Provider
) -> None:
    begun = client.get("/de/login/oidc")
    refused = client.get(
        idp.answer(begun.headers["location"]), headers={"accept-language": "de"}
    )
    assert refused.status_code == 403
    assert "noch kein Konto" in refused.text
    assert refused.headers["cache-control"] == "no-store"
    assert "set-cookie" not in refused.headers
    client.cookies.clear()
    other = client.get(idp.answer(client.get("/de/login/oidc").headers["location"]))
    assert other.status_code == 403


def test_pages_go_on_without_the_provider(client: Any) -> None:
    away = Oidc(
        issuer=f"http://localhost:{free_port()}", client_id="x", client_secret="x"
    )
    client.app.state.provider = Provider(away, PAGES)
    refused = client.get("/de/login/oidc")
    assert refused.status_code == 503
    assert "antwortet gerade nicht" in refused.text
    assert client.get("/de/").status_code == 200


def test_the_provider_logs_out_over_the_back_channel(
    client: TestClient, idp: provider.Provider, known: People
) -> None:
    idp.person("anne", "planung")
    begun = client.get("/de/login/oidc")
    client.get(idp.answer(begun.headers["location"]))
    made = client.cookies[session.COOKIE]
    assert known.session(made)
    token = idp.sign(logout_claims(idp))
    client.cookies.clear()
    for status in (200, 400):
        told = client.post("/oidc/logout", data={"logout_token": token})
        assert told.status_code == status
        assert told.headers["cache-control"] == "no-store"
    assert known.session(made) is None
    assert client.post("/oidc/logout").status_code == 400
    assert client.post("/oidc/logout", content=b"\xff=&&").status_code == 400


def test_without_a_provider_there_are_no_such_pages(known: People) -> None:
    app = create_web(load({"VERKEHRSPULS_DATABASE__URL": as_web(known.url)}))
    with TestClient(app) as client:
        assert client.get("/de/login/oidc").status_code == 404
        assert client.get("/oidc/callback").status_code == 404
        assert client.post("/oidc/logout").status_code == 404


def test_what_is_missing_is_said_when_the_web_starts(
    settings: Oidc, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = Settings(oidc=settings)
    with pytest.raises(UsageError, match="VERKEHRSPULS_PAGES__ADDRESS"):
        oidc.provider_of(given)
    assert oidc.provider_of(Settings()) is None
    half = Settings(oidc=settings.model_copy(update={"client_secret": SecretStr("")}))
    with pytest.raises(UsageError, match="VERKEHRSPULS_OIDC__CLIENT_SECRET"):
        oidc.provider_of(half)
    monkeypatch.setattr(oidc, "find_spec", lambda name: None)
    with pytest.raises(
        oidc.PackagesMissing, match=r"authlib, joserfc, requests.*verkehrspuls\[oidc\]"
    ):
        oidc.provider_of(given)


def test_the_operator_registers_the_provider_and_unlinks(
    browser: Browser,
    settings: Oidc,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run(*words: str) -> int:
        monkeypatch.setattr(sys, "argv", ["verkehrspuls", *words])
        with pytest.raises(SystemExit) as ended:
            command.main()
        return int(ended.value.code or 0)

    invite(browser.known)
    with browser.known.operator() as connection:
        oidc.register(connection, Oidc())
    monkeypatch.setenv("VERKEHRSPULS_DATABASE__URL", browser.known.url)
    monkeypatch.setenv("VERKEHRSPULS_OIDC__ISSUER", settings.issuer)
    monkeypatch.setenv("VERKEHRSPULS_OIDC__CLIENT_ID", CLIENT)
    monkeypatch.setenv("VERKEHRSPULS_OIDC__CLIENT_SECRET", SECRET)
    assert run("db", "migrate") == 0
    browser.log_in()
    assert run("user", "unlink", ANNE) == 0
    assert browser.known.session(browser.session) is None
    assert run("user", "unlink", ANNE) == 2
    assert "is not linked" in capsys.readouterr().err


def test_the_second_factor_is_asked_for_and_logging_out_goes_on(
    client: Any, idp: provider.Provider
) -> None:
    page = client.get("/de/login", params={"next": "/de/account"})
    words = "Mit dem Konto der Verwaltung anmelden"
    address = f'<a href="/de/login/oidc?target=%2Fde%2Faccount" rel="nofollow">{words}'
    assert address in page.text
    idp.person("anne", "planung")
    begun = client.get("/de/login/oidc", params={"target": "/de/account"})
    client.get(idp.answer(begun.headers["location"]))
    account = client.get("/de/account")
    assert "Verknüpft seit" in account.text
    token = form_token(account.text)
    linked = client.post("/de/account/single-sign-on", data={"form_token": token})
    onward = html.unescape(re.findall(r"content=\"0; url=([^\"]+)\"", linked.text)[0])
    done = client.get(idp.answer(onward))
    assert (done.status_code, done.headers["location"]) == (303, "/de/account")
    out = client.post("/de/logout", data={"form_token": token})
    onward = html.unescape(re.findall(r"content=\"0; url=([^\"]+)\"", out.text)[0])
    assert idp.answer(onward) == f"{PAGES}/de/"
    assert client.get("/de/account").status_code == 303


def form_token(page: str) -> str:
    (token,) = set(re.findall(r'name="form_token" value="(\w+)"', page))
    return str(token)


def test_a_person_unlinks_once_there_is_another_way_in(
    client: Any, idp: provider.Provider, known: People
) -> None:
    idp.person("anne", "planung")
    client.get(idp.answer(client.get("/de/login/oidc").headers["location"]))
    page = client.get("/de/account").text
    assert "Verknüpft seit" in page
    assert 'value="unlink"' not in page
    assert "wählen Sie zuerst ein Passwort" in page
    form = {"form_token": form_token(page), "do": "unlink"}
    refused = client.post("/de/account/single-sign-on", data=form)
    assert refused.status_code == 409
    assert "Wählen Sie zuerst eines." in refused.text
    new = people.PASSWORD
    fields = {**form, "password": new, "password_again": new}
    chosen = client.post("/de/account", data=fields)
    assert chosen.headers["location"] == "/de/account?done=password"
    assert 'value="unlink"' in client.get("/de/account").text
    done = client.post("/de/account/single-sign-on", data=form)
    assert done.headers["location"] == "/de/account?done=unlinked"
    assert "nicht mehr verknüpft" in client.get(done.headers["location"]).text
    with known.operator() as connection:
        entry = connection.execute(
            "select actor_kind, actor, key from vp.audit"
            " where action = 'identity.remove' order by number desc limit 1"
        ).fetchone()
    assert entry == ("account", ANNE, ANNE)
    # known by the e-mail only
    client.cookies.clear()
    again = client.get(idp.answer(client.get("/de/login/oidc").headers["location"]))
    assert again.status_code == 403
