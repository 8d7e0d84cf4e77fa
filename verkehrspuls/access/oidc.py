"""Single sign-on: people log in at an OpenID Connect provider.

See docs/adr/0013-single-sign-on.md. Code verifier and nonce of a login are made from
its state and a secret in the browser's cookie: every process can finish it, and the
database, where each is taken once, holds nothing that anybody could use.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from typing import Any, Final, NamedTuple, get_args

import psycopg

from verkehrspuls.access import accounts, limits, sessions
from verkehrspuls.access.limits import TooManyAttempts
from verkehrspuls.access.provider import (
    Provider,
    ProviderUnavailable,
    Reason,
    Refused,
    inner,
    is_text,
)
from verkehrspuls.access.sessions import Begun, Origin
from verkehrspuls.access.viewer import ANONYMOUS, Viewer
from verkehrspuls.errors import BadParameter, UsageError
from verkehrspuls.settings import Access, Oidc, Settings
from verkehrspuls.storage.database import Connection, execute, one

#: Lends a connection for one transaction of a viewer.
Writing = Callable[[Viewer], AbstractContextManager[Connection]]

#: below the pages' address: where the provider tells of logouts
BACK_CHANNEL: Final = "/oidc/logout"
LASTS: Final = timedelta(minutes=10)
_LOGOUT: Final = "http://schemas.openid.net/event/backchannel-logout"
PACKAGES: Final = ("authlib", "joserfc", "requests")


class PackagesMissing(UsageError):
    """Single sign-on is set up, but these packages are missing: {names}.

    Install them with `pip install 'verkehrspuls[oidc]'`, or unset
    VERKEHRSPULS_OIDC__ISSUER.
    """

    code = "packages-missing"


class Begin(NamedTuple):
    """A login that has begun."""

    #: where the browser is sent
    address: str
    #: the secret that the browser keeps
    browser: str


class Finished(NamedTuple):
    """A login that was accepted."""

    #: path of the page that was asked for
    target: str
    #: None: the account was linked
    begun: Begun | None


class Person(NamedTuple):
    """What the provider says of a person, as far as it counts here."""

    subject: str
    #: None where there is none that counts
    email: str | None
    name: str
    #: each with the municipality's key, None for the whole installation
    roles: tuple[tuple[str | None, str], ...]
    second_factor: bool
    #: the provider's name for its session
    sid: str | None
    #: when the person last showed there who they are
    logged_in_at: datetime | None


def provider_of(settings: Settings) -> Provider | None:
    """Return the provider of the settings; None where there is none.

    Raises `PackagesMissing`, and `UsageError` without a public address.
    """
    if not _is_set(settings.oidc):
        return None
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise PackagesMissing(names=", ".join(missing))
    if not settings.pages.address:
        raise UsageError(
            reason="single sign-on needs the public address of the pages, to which the "
            "provider sends people back; set VERKEHRSPULS_PAGES__ADDRESS, such as to "
            "https://verkehr.example.org"
        )
    return Provider(settings.oidc, settings.pages.address)


def register(connection: Connection, settings: Oidc) -> None:
    """Let the database's owner tell it who may speak for the provider."""
    sha256 = bytes.fromhex(_speaker(settings).credential) if _is_set(settings) else None
    execute(connection, "put_oidc_provider", issuer=settings.issuer, sha256=sha256)


def begin(
    provider: Provider,
    writing: Writing,
    target: str,
    *,
    viewer: Viewer = ANONYMOUS,
    links: bool = False,
    proves: bool = False,
    browser: str = "",
    language: str,
    origin: Origin,
    access: Access,
) -> Begin:
    """Begin a login in a browser; if it `links`, for the viewer's account.

    If it `proves`, who is logged in at the provider has to log in again there.

    Logins in two windows of a browser share its secret. Raises `TooManyAttempts` and
    `ProviderUnavailable`.
    """
    state = sessions.new_id()
    browser = browser if len(browser) == len(state) else sessions.new_id()
    until = None
    with writing(viewer) as connection:
        if network := limits.network(origin.address):
            until = limits.count(connection, "address", network, access)
        if until is None:
            execute(
                connection,
                "begin_oidc_login",
                state=sessions.sha256_of(state),
                browser=sessions.sha256_of(browser),
                target=target,
                links=links,
                lasts=LASTS,
            )
    if until is not None:
        raise TooManyAttempts(until=until)
    address = provider.log_in_address(
        state=state,
        verifier=_derived(browser, "verifier", state),
        nonce=_derived(browser, "nonce", state),
        language=language,
        proves=proves,
    )
    return Begin(address, browser)


def finish(
    provider: Provider,
    writing: Writing,
    answer: Mapping[str, str],
    *,
    viewer: Viewer = ANONYMOUS,
    browser: str,
    origin: Origin,
    access: Access,
    now: datetime,
) -> Finished:
    """Finish a login by the provider's answer, once.

    Raises `Refused` and `ProviderUnavailable`.
    """
    state = answer.get("state", "")
    with writing(viewer) as connection:
        taken = execute(
            connection,
            "take_oidc_login",
            state=sessions.sha256_of(state),
            browser=sessions.sha256_of(browser),
        ).fetchone()
    if taken is None:
        raise Refused(why="stale", detail="it is not known in this browser")
    settings = provider.settings
    token, claims = provider.exchange(
        provider.require_answer(answer),
        verifier=_derived(browser, "verifier", state),
        nonce=_derived(browser, "nonce", state),
        wanted={"email", *((settings.groups_claim,) if settings.roles else ())},
        now=now,
    )
    person = person_of(claims, settings)
    with _refusals(), writing(_speaker(settings)) as connection:
        if taken["links"]:
            execute(
                connection,
                "link_identity",
                subject=person.subject,
                session=bytes.fromhex(viewer.credential),
            )
            return Finished(taken["target"], None)
        roles = [{"municipality": where, "role": role} for where, role in person.roles]
        begun = sessions.begin(
            connection,
            "log_in_oidc",
            origin=origin,
            settings=access,
            id_token=token,
            **person._asdict() | {"roles": json.dumps(roles)},
        )
        if begun:
            execute(
                connection,
                "note_oidc_proof",
                session=sessions.sha256_of(begun.id),
                at=person.logged_in_at,
            )
    return Finished(taken["target"], begun)


def log_out_address(
    provider: Provider, connection: Connection, target: str
) -> str | None:
    """Return where the viewer's session ends at the provider as well.

    None if it did not begin there. Raises `ProviderUnavailable`.
    """
    found = execute(connection, "oidc_session").fetchone()
    if found is None or found["issuer"] != provider.settings.issuer:
        return None
    return provider.log_out_address(found["id_token"], target)


def end_sessions(
    provider: Provider, writing: Writing, logout_token: str, *, now: datetime
) -> int:
    """End sessions that the provider says have ended; return how many.

    Raises `Refused`, also if it said so before (OpenID Connect Back-Channel Logout).
    """
    claims = provider.claims(logout_token, now=now)
    events = claims.get("events")
    subject, sid, jti = (claims.get(name) for name in ("sub", "sid", "jti"))
    if (
        not isinstance(events, dict)
        or not isinstance(events.get(_LOGOUT), dict)
        # so that no ID token is taken for one
        or "nonce" in claims
        or not is_text(jti)
        or not all(is_text(each) for each in (subject, sid) if each is not None)
        or (subject is None and sid is None)
    ):
        raise Refused(why="invalid", detail="it is not a logout token")
    until = datetime.fromtimestamp(claims["exp"], now.tzinfo)
    with _refusals(), writing(_speaker(provider.settings)) as connection:
        ended: int | None = one(
            connection,
            "end_oidc_sessions",
            subject=subject,
            sid=sid,
            jti=sessions.sha256_of(str(jti)),
            expires_at=until + timedelta(seconds=2 * provider.settings.skew_s),
        )["ended"]
    if ended is None:
        raise Refused(why="stale", detail="the logout token was used")
    return ended


def unlink(connection: Connection, account_id: int) -> bool:
    """Unlink an account from the provider; False if it is not, or has no password.

    Its sessions that began there end, but that of the connection's viewer. Raises
    `LastAdministrator`.
    """
    with accounts.refusals():
        gone = execute(connection, "unlink_identity", account_id=account_id)
    return gone.rowcount > 0


def person_of(claims: Mapping[str, Any], settings: Oidc) -> Person:
    """Return what claims say of a person."""
    email = _email(claims, settings)
    names = (claims.get("name"), claims.get("preferred_username"), email)
    amr = claims.get("amr")
    methods = [claims.get("acr"), *(amr if isinstance(amr, list) else ())]
    sid = claims.get("sid")
    return Person(
        subject=claims["sub"],
        email=email,
        name=next((str(name) for name in names if _is_name(name)), "?"),
        roles=roles_of(inner(claims, settings.groups_claim), settings.roles),
        second_factor=any(one in settings.second_factor for one in methods),
        sid=sid if is_text(sid) else None,
        logged_in_at=_moment(claims.get("auth_time")),
    )


def roles_of(
    groups: object, rules: tuple[str, ...]
) -> tuple[tuple[str | None, str], ...]:
    """Return the roles that groups give, by rules `group=municipality/role`."""
    named = groups if isinstance(groups, list) else [groups]
    found = []
    for rule in rules:
        group, _, given = rule.rpartition("=")
        municipality, _, role = given.rpartition("/")
        if group in named:
            found.append((municipality or None, role))
    return tuple(dict.fromkeys(found))


def _is_set(settings: Oidc) -> bool:
    """Return whether there is a provider; refuse one without what belongs to it."""
    for name in ("client_id", "client_secret"):
        if settings.issuer and not getattr(settings, name):
            raise UsageError(
                reason=f"oidc.issuer is set, but not oidc.{name}; set "
                f"VERKEHRSPULS_OIDC__{name.upper()}, or …_FILE"
            )
    return bool(settings.issuer)


def _email(claims: Mapping[str, Any], settings: Oidc) -> str | None:
    """Return the e-mail address, if it counts."""
    email, verified = claims.get("email"), claims.get("email_verified")
    # some write it as a text
    if settings.require_verified_email and verified not in (True, "true"):
        return None
    try:
        return accounts.require_email(email) if isinstance(email, str) else None
    except BadParameter:
        return None


def _moment(seconds: object) -> datetime | None:
    """Return the time of a claim."""
    if not isinstance(seconds, int | float):
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _is_name(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(accounts.require_name(value))
    except BadParameter:
        return False


def _speaker(settings: Oidc) -> Viewer:
    """Return who speaks for the provider: who knows the client's secret."""
    secret = settings.client_secret.get_secret_value()
    return sessions.viewer_of(_derived(secret, settings.issuer, settings.client_id))


def _derived(secret: str, *words: str) -> str:
    """Return 256 bits that only who knows a secret can make."""
    digest = hmac.digest(secret.encode(), "\n".join(words).encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


@contextmanager
def _refusals() -> Iterator[None]:
    """Say in our words what the database refuses."""
    try:
        yield
    except psycopg.errors.InsufficientPrivilege as error:
        why = error.diag.constraint_name
        if why == "provider":
            raise ProviderUnavailable(
                reason="the database does not know it; run `verkehrspuls db migrate` "
                "with the same settings of VERKEHRSPULS_OIDC__…"
            ) from error
        if why not in get_args(Reason):
            raise
        raise Refused(why=why, detail="see docs/how-to/single-sign-on.md") from error
