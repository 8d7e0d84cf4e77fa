"""Passkeys (WebAuthn): a second factor, and a way to log in without a password.

A browser is asked to sign a random challenge, and its answer comes back as JSON. It
names its passkey itself: nothing that it is asked says who has one. Each challenge is
used once, in a transaction of its own, so that a refused answer has used it up.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlsplit

import psycopg

from verkehrspuls.access import audit, limits, sessions
from verkehrspuls.access.accounts import require_name
from verkehrspuls.access.limits import TooManyAttempts
from verkehrspuls.access.sessions import Begun, Origin
from verkehrspuls.errors import UsageError
from verkehrspuls.settings import Access
from verkehrspuls.storage.database import (
    Connection,
    Transaction,
    execute,
    one,
    read_records,
)

# `webauthn` takes most of a second to load, so whoever needs it loads it
if TYPE_CHECKING:
    from webauthn.helpers.structs import AuthenticationCredential

#: as authenticators show it
NAME: Final = "Verkehrspuls"
#: how long a browser waits for a person, in milliseconds
_TIMEOUT_MS: Final = 300_000
_ANSWER_LENGTH: Final = 20_000
_PORTS: Final = {"http": 80, "https": 443}


class NoPasskeys(UsageError):
    """Passkeys cannot be used here: {reason}.

    Set `pages.address` to the address by which people open the pages, with https and a
    name, such as https://verkehr.example.org; on the own machine http://localhost:8000
    will do.
    """

    code = "no-passkeys"
    http_status = 409


class LastSecondFactor(UsageError):
    """The passkey remains: a role needs a second factor, and this is the last one.

    Add another passkey, or codes from an app, first.
    """

    code = "last-second-factor"
    http_status = 409


class TooManyPasskeys(UsageError):
    """An account has at most 20 passkeys; remove one first."""

    code = "too-many-passkeys"
    http_status = 409


class RelyingParty(NamedTuple):
    """Whom passkeys are made for: they work nowhere else."""

    #: the host of the pages
    id: str
    #: scheme, host and port, as browsers write them
    origin: str


class Passkey(NamedTuple):
    """A passkey in the list of a person's passkeys."""

    passkey_id: int
    name: str
    created_at: datetime
    last_used_at: datetime | None


def relying_party(address: str) -> RelyingParty:
    """Return whom passkeys are made for, by the public address of the pages.

    Raises `NoPasskeys` where browsers would refuse them.
    """
    parts = urlsplit(address)
    host = (parts.hostname or "").lower()
    if not host:
        raise NoPasskeys(reason="the public address of the pages is not set")
    if not host.isascii():
        raise NoPasskeys(reason="an international host is to be written as xn--…")
    if _is_number(host):
        raise NoPasskeys(reason=f"{host} is a number and no name")
    is_here = host == "localhost" or host.endswith(".localhost")
    if parts.scheme != "https" and not is_here:
        raise NoPasskeys(reason=f"{address} does not begin with https://")
    port = parts.port
    shown = "" if port in (None, _PORTS[parts.scheme]) else f":{port}"
    return RelyingParty(host, f"{parts.scheme}://{host}{shown}")


def offer(connection: Connection, party: RelyingParty) -> str | None:
    """Return what a browser needs to make a passkey for the viewer, as JSON.

    None: the viewer may not add one, because the second factor was not shown yet.
    """
    from webauthn import generate_registration_options, options_to_json
    from webauthn.helpers.structs import (
        AuthenticatorSelectionCriteria,
        PublicKeyCredentialDescriptor,
        ResidentKeyRequirement,
        UserVerificationRequirement,
    )

    person = execute(connection, "new_passkey").fetchone()
    if person is None:
        return None
    options = generate_registration_options(
        rp_id=party.id,
        rp_name=NAME,
        user_id=person["handle"],
        user_name=person["email"],
        user_display_name=person["name"],
        challenge=_challenge(connection),
        timeout=_TIMEOUT_MS,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=[
            PublicKeyCredentialDescriptor(id=known)
            for known in person["credential_ids"]
        ],
    )
    return options_to_json(options)


def add(
    transaction: Transaction, party: RelyingParty, answer: str, *, name: str
) -> str | None:
    """Add the passkey that a browser made; return the session's new id.

    None: it is refused. Raises `TooManyPasskeys`, and `BadParameter` for its name.
    """
    name = require_name(name)
    new = _New.read(answer, party)
    with transaction() as connection:
        mine = sessions.find(connection)
        is_fresh = one(connection, "answer_new_passkey", challenge=new.challenge)
        reason = new.reason or ("" if is_fresh["is_fresh"] else _STALE)
        if mine and reason:
            _note(connection, mine.email, reason)
    if reason:
        return None
    made = sessions.new_id()
    try:
        with transaction() as connection:
            added = one(
                connection,
                "add_passkey",
                credential=new.credential,
                public_key=new.public_key,
                count=new.signatures,
                name=name,
                sha256=sessions.sha256_of(made),
            )["added"]
    except psycopg.errors.CheckViolation as error:
        if error.diag.constraint_name != "number_of_passkeys":
            raise
        raise TooManyPasskeys from error
    except psycopg.errors.UniqueViolation:
        return None
    return made if added else None


def ask(
    transaction: Transaction,
    party: RelyingParty,
    *,
    origin: Origin,
    settings: Access,
) -> str:
    """Return what a browser needs to show a passkey, as JSON; the same for everybody.

    Raises `TooManyAttempts`.
    """
    from webauthn import generate_authentication_options, options_to_json
    from webauthn.helpers.structs import UserVerificationRequirement

    until, challenge = None, b""
    with transaction() as connection:
        if network := limits.network(origin.address):
            until = limits.count(connection, "challenge", network, settings)
        if until is None:
            challenge = _challenge(connection)
    if until is not None:
        raise TooManyAttempts(until=until)
    options = generate_authentication_options(
        rp_id=party.id,
        challenge=challenge,
        timeout=_TIMEOUT_MS,
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return options_to_json(options)


def log_in(
    transaction: Transaction,
    party: RelyingParty,
    answer: str,
    *,
    origin: Origin,
    settings: Access,
) -> Begun | None:
    """Begin a session by a passkey, which is complete; None if it is refused.

    Raises `TooManyAttempts`.
    """
    given = _Given.read(answer)
    if given is None:
        return None
    until = None
    with transaction() as connection:
        if network := limits.network(origin.address):
            until = limits.count(connection, "address", network, settings)
        if until is None:
            subject = given.credential.hex()
            until = limits.count(connection, "passkey", subject, settings)
        if until is None:
            known = given.find(connection)
    if until is not None:
        raise TooManyAttempts(until=until)
    count, reason = given.check(known, party)
    with transaction() as connection:
        begun = None
        if not reason:
            begun = sessions.begin(
                connection,
                "log_in_by_passkey",
                origin=origin,
                settings=settings,
                credential=given.credential,
                count=count,
            )
        if begun is None:
            given.refuse(connection, reason or _NOT_COUNTED)
    return begun


def show(
    transaction: Transaction, party: RelyingParty, answer: str, *, settings: Access
) -> str | None:
    """Complete a session by a passkey; return its new id, None if it is refused.

    Raises `TooManyAttempts`.
    """
    given = _Given.read(answer)
    if given is None:
        return None
    with transaction() as connection:
        mine = sessions.find(connection)
        if mine is None:
            return None
        subject = str(mine.account_id)
        until = limits.count(connection, "second-factor", subject, settings)
        if until is None:
            known = given.find(connection)
    if until is not None:
        raise TooManyAttempts(until=until)
    count, reason = given.check(known, party)
    if not reason and known.account_id != mine.account_id:
        reason = "it is of another account"
    made = sessions.new_id()
    with transaction() as connection:
        passed = (
            not reason
            and one(
                connection,
                "pass_passkey",
                credential=given.credential,
                count=count,
                sha256=sessions.sha256_of(made),
            )["passed"]
        )
        if not passed:
            given.refuse(connection, reason or _NOT_COUNTED)
    return made if passed else None


def of_account(connection: Connection, account_id: int) -> list[Passkey]:
    """Return the passkeys of an account, the oldest first; only one's own are seen."""
    return read_records(connection, Passkey, "list_passkeys", account_id=account_id)


def rename(connection: Connection, passkey_id: int, name: str) -> bool:
    """Give an own passkey another name; False: there is none."""
    renamed = execute(
        connection, "rename_passkey", passkey_id=passkey_id, name=require_name(name)
    )
    return renamed.rowcount > 0


def remove(connection: Connection, passkey_id: int, *, settings: Access) -> bool:
    """Remove an own passkey; False: there is none. Raises `LastSecondFactor`."""
    try:
        removed = one(
            connection,
            "remove_passkey",
            passkey_id=passkey_id,
            strict_roles=list(settings.second_factor),
        )["removed"]
    except psycopg.errors.CheckViolation as error:
        raise LastSecondFactor from error
    return bool(removed)


_STALE: Final = "the challenge is not ours, was used or is too old"
_NOT_COUNTED: Final = (
    "its count went back, as that of a copy, or its account is disabled"
)


class _Known(NamedTuple):
    """What the database says of an answer."""

    is_fresh: bool
    #: None: there is no such passkey
    account_id: int | None
    handle: bytes | None
    public_key: bytes | None


class _New(NamedTuple):
    """What a browser answered that made a passkey."""

    reason: str = ""
    challenge: bytes = b""
    credential: bytes = b""
    public_key: bytes = b""
    signatures: int = 0

    @classmethod
    def read(cls, answer: str, party: RelyingParty) -> "_New":
        """Read an answer; `reason` says why it is refused."""
        from webauthn import verify_registration_response
        from webauthn.helpers import parse_registration_credential_json

        challenge = b""
        try:
            credential = parse_registration_credential_json(answer[:_ANSWER_LENGTH])
            challenge = _signed_challenge(credential.response.client_data_json)
            found = verify_registration_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=party.id,
                expected_origin=party.origin,
                require_user_verification=True,
            )
        # what strangers send: whatever is raised, it cannot be used
        except Exception as error:
            return cls(_phrase(error), challenge)
        return cls(
            "",
            challenge,
            found.credential_id,
            found.credential_public_key,
            found.sign_count,
        )


@dataclass(frozen=True, slots=True)
class _Given:
    """What a browser answered that showed a passkey."""

    credential: bytes
    challenge: bytes
    whole: "AuthenticationCredential"

    @classmethod
    def read(cls, answer: str) -> "_Given | None":
        """Read an answer; None: it is none."""
        from webauthn.helpers import parse_authentication_credential_json

        try:
            whole = parse_authentication_credential_json(answer[:_ANSWER_LENGTH])
            challenge = _signed_challenge(whole.response.client_data_json)
        # what strangers send: whatever is raised, it cannot be used
        except Exception:
            return None
        return cls(whole.raw_id, challenge, whole)

    def find(self, connection: Connection) -> _Known:
        """Use the challenge up, and find the passkey."""
        return _Known(
            **one(
                connection,
                "answer_passkey",
                challenge=self.challenge,
                credential=self.credential,
            )
        )

    def check(self, known: _Known, party: RelyingParty) -> tuple[int, str]:
        """Return the count of signatures, and why the answer is refused; empty: not."""
        from webauthn import verify_authentication_response

        if known.public_key is None:
            return 0, "there is no such passkey"
        if not known.is_fresh:
            return 0, _STALE
        if self.whole.response.user_handle != known.handle:
            return 0, "it names another account"
        try:
            found = verify_authentication_response(
                credential=self.whole,
                expected_challenge=self.challenge,
                expected_rp_id=party.id,
                expected_origin=party.origin,
                credential_public_key=known.public_key,
                # the database counts, where two that come at once are one after another
                credential_current_sign_count=0,
                require_user_verification=True,
            )
        # as above
        except Exception as error:
            return 0, _phrase(error)
        return found.new_sign_count, ""

    def refuse(self, connection: Connection, reason: str) -> None:
        """Note why the answer is refused, where its passkey is known."""
        execute(connection, "refuse_passkey", credential=self.credential, reason=reason)


def _challenge(connection: Connection) -> bytes:
    """Return a new challenge, which the database keeps."""
    made = secrets.token_bytes(32)
    execute(connection, "put_passkey_challenge", challenge=made)
    return made


def _signed_challenge(client_data: bytes) -> bytes:
    """Return the challenge that was signed, as the browser says."""
    from webauthn.helpers import parse_client_data_json

    data = parse_client_data_json(client_data)
    if data.cross_origin:
        raise ValueError("it was asked for in a frame of another page")
    return data.challenge


def _note(connection: Connection, email: str, reason: str) -> None:
    audit.note(connection, "passkey.refuse", key=email, after={"reason": reason})


def _phrase(error: Exception) -> str:
    """Return why something was refused; it may quote what strangers sent."""
    text = f"{type(error).__name__}: {error}"
    return sessions.printable(text.encode("ascii", "backslashreplace").decode())


def _is_number(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
