"""The OpenID Connect provider: what it says of itself, and whether what it says holds.

The packages of the extra `oidc` are imported when they are needed.
"""

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec

from verkehrspuls.errors import Unavailable, UsageError
from verkehrspuls.settings import LOOPBACK, Oidc

if TYPE_CHECKING:
    from authlib.integrations.requests_client import OAuth2Session

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Why a login was not accepted.
Reason = Literal[
    # it is not known here, any more or in this browser
    "stale",
    # the person, or the provider, said no
    "denied",
    # what the provider says does not hold
    "invalid",
    # nobody invited the person, and no group gives a role
    "unknown",
    # nor is there an e-mail address that counts
    "unverified",
    # the e-mail address is that of an account with a password
    "not-linked",
    # the person at the provider, or the account, is linked already
    "taken",
    "disabled",
]

#: below the pages' address: where the provider sends people back
CALLBACK: Final = "/oidc/callback"
#: signatures with a public key: never none, and no shared secret
ALGORITHMS: Final = tuple(
    f"{family}{bits}" for family in ("RS", "PS", "ES") for bits in (256, 384, 512)
)
#: how long is remembered what the provider says of itself, and its keys
_REMEMBERED_S: Final = 3600.0
#: between two looks for keys that are not known: anybody may send a token with one
_KEYS_PAUSE_S: Final = 10.0
_ANSWER_BYTES: Final = 1_000_000
#: how long somebody has shown who they are: see 0053_proof.sql
_PROOF_S: Final = 600
_TOKEN_LENGTH: Final = 20_000
_TEXT_LENGTH: Final = 255


class ProviderUnavailable(Unavailable):
    """The provider of single sign-on does not answer as it should: {reason}.

    People can log in with a password. Check VERKEHRSPULS_OIDC__ISSUER and the network.
    """

    code = "provider-unavailable"


class Refused(UsageError):
    """The login at the provider was not accepted ({why}): {detail}."""

    code = "login-refused"
    http_status = 403

    why: Reason


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """What the provider says of itself (OpenID Connect Discovery)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    end_session_endpoint: str | None = None
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False

    @property
    def client_auth(self) -> str:
        """How the client shows its secret."""
        usual = "client_secret_basic"
        known = self.token_endpoint_auth_methods_supported
        return usual if usual in known else "client_secret_post"


class Provider:
    """The provider of the settings, for the pages at a public address."""

    def __init__(
        self,
        settings: Oidc,
        address: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self.address = address.rstrip("/")
        self._clock = clock
        self._metadata = _Remembered(self._read_metadata, clock)
        self._keys = _Remembered(self._read_keys, clock)
        self._missed_at = float("-inf")

    @property
    def metadata(self) -> Metadata:
        """Return what the provider says of itself. Raises `ProviderUnavailable`."""
        return self._metadata.get()

    def log_in_address(
        self, *, state: str, verifier: str, nonce: str, language: str, proves: bool
    ) -> str:
        """Return where a browser logs in; if it `proves`, again if it is logged in."""
        # with an age the provider says when the person logged in
        anew = {"prompt": "login", "max_age": _PROOF_S} if proves else {}
        with self._client() as client:
            address, _ = client.create_authorization_url(
                self.metadata.authorization_endpoint,
                state=state,
                code_verifier=verifier,
                nonce=nonce,
                ui_locales=language,
                **anew,
            )
        return str(address)

    def log_out_address(self, id_token: str, target: str) -> str | None:
        """Return where a browser logs out, and comes back; None if nowhere."""
        endpoint = self.metadata.end_session_endpoint
        query = {
            "id_token_hint": id_token,
            "client_id": self.settings.client_id,
            "post_logout_redirect_uri": self.address + target,
        }
        sign = "&" if "?" in (endpoint or "") else "?"
        return endpoint and f"{endpoint}{sign}{urlencode(query)}"

    def require_answer(self, answer: Mapping[str, str]) -> str:
        """Return the code of an answer; refuse an error, or another provider's."""
        issuer = answer.get("iss")
        if (
            issuer != self.settings.issuer
            if issuer is not None
            else self.metadata.authorization_response_iss_parameter_supported
        ):
            # RFC 9207
            raise Refused(why="invalid", detail="the answer is of another issuer")
        error = answer.get("error")
        if error in ("server_error", "temporarily_unavailable"):
            raise ProviderUnavailable(reason=error)
        if error:
            raise Refused(why="denied", detail=error[:_TEXT_LENGTH])
        if not answer.get("code"):
            raise Refused(why="invalid", detail="the answer has no code")
        return answer["code"]

    def exchange(
        self, code: str, *, verifier: str, nonce: str, wanted: set[str], now: datetime
    ) -> tuple[str, dict[str, Any]]:
        """Exchange a code for the ID token; return it, and its claims.

        Claims that are wanted and that it lacks are asked for.
        """
        from authlib.integrations.base_client import OAuthError

        metadata = self.metadata
        with self._client(metadata.client_auth) as client, _reached():
            try:
                answer = client.fetch_token(
                    metadata.token_endpoint,
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=verifier,
                    allow_redirects=False,
                )
            except OAuthError as error:
                if error.error in ("invalid_client", "unauthorized_client"):
                    raise ProviderUnavailable(reason=error) from error
                raise Refused(why="invalid", detail=error) from error
        token, access = answer.get("id_token"), answer.get("access_token")
        if not isinstance(token, str) or len(token) > _TOKEN_LENGTH:
            raise Refused(why="invalid", detail="there is no ID token")
        claims = self.claims(token, nonce=nonce, access_token=access, now=now)
        if not is_text(claims.get("sub")):
            raise Refused(why="invalid", detail="the ID token has no subject")
        if access and any(inner(claims, name) is None for name in wanted):
            claims = self._userinfo(claims["sub"], access) | claims
        return token, claims

    def claims(
        self,
        token: str,
        *,
        nonce: str | None = None,
        access_token: str | None = None,
        now: datetime,
    ) -> dict[str, Any]:
        """Check a token's signature, issuer, audience and times; return its claims.

        With a `nonce` it is an ID token.
        """
        from authlib.oauth2.claims import JWTClaims
        from authlib.oidc.core import CodeIDToken
        from joserfc.errors import JoseError

        client_id = self.settings.client_id
        kind = JWTClaims if nonce is None else CodeIDToken
        try:
            found = self._decoded(token)
            claims = kind(
                found.claims,
                found.header,
                options={
                    "iss": {"essential": True, "value": self.settings.issuer},
                    "aud": {"essential": True, "value": client_id},
                    "iat": {"essential": True},
                    "exp": {"essential": True},
                },
                params={
                    "client_id": client_id,
                    "nonce": nonce,
                    "access_token": access_token,
                },
            )
            claims.validate(now=int(now.timestamp()), leeway=self.settings.skew_s)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise Refused(why="invalid", detail=error) from error
        return dict(claims)

    def _decoded(self, token: str) -> Any:
        """Check a token's signature; ask for the keys once more if one is not known."""
        from joserfc import jwt
        from joserfc.errors import InvalidKeyIdError

        try:
            return jwt.decode(token, self._keys.get(), algorithms=ALGORITHMS)
        except InvalidKeyIdError:
            if self._clock() - self._missed_at < _KEYS_PAUSE_S:
                raise
            self._missed_at = self._clock()
            keys = self._keys.get(anew=True)
            return jwt.decode(token, keys, algorithms=ALGORITHMS)

    def _read_keys(self) -> Any:
        from joserfc.jwk import KeySet

        found = self._get(self.metadata.jwks_uri).get("keys", ())
        signing = [
            key
            for key in found
            if key.get("use", "sig") == "sig" and key.get("kty") in ("RSA", "EC")
        ]
        return KeySet.import_key_set({"keys": signing})

    def _read_metadata(self) -> Metadata:
        issuer = self.settings.issuer
        where = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
        try:
            found = msgspec.convert(self._get(where), Metadata)
        except msgspec.ValidationError as error:
            raise ProviderUnavailable(reason=f"{where}: {error}") from error
        if found.issuer != issuer:
            raise ProviderUnavailable(reason=f"{where} is of {found.issuer}")
        for name, value in msgspec.structs.asdict(found).items():
            if name.endswith(("_endpoint", "_uri")) and not _is_safe(value, issuer):
                raise ProviderUnavailable(reason=f"{name} is not an https:// address")
        return found

    def _userinfo(self, subject: str, access_token: str) -> dict[str, Any]:
        endpoint = self.metadata.userinfo_endpoint
        if endpoint is None:
            return {}
        found: dict[str, Any] = self._get(
            endpoint, {"Authorization": f"Bearer {access_token}"}
        )
        if found.get("sub") != subject:
            raise Refused(why="invalid", detail="userinfo is of another person")
        return found

    def _get(self, where: str, headers: Mapping[str, str] | None = None) -> Any:
        """Get a JSON object."""
        with (
            self._client() as client,
            _reached(),
            client.get(
                where,
                withhold_token=True,
                headers=headers,
                allow_redirects=False,
                stream=True,
            ) as response,
        ):
            response.raise_for_status()
            body = response.raw.read(_ANSWER_BYTES + 1, decode_content=True)
            found = json.loads(body[:_ANSWER_BYTES])
            if not isinstance(found, dict):
                raise ValueError(f"{where} is not a JSON object")  # noqa: TRY004 - an answer
            return found

    @contextmanager
    def _client(
        self, client_auth: str = "client_secret_basic"
    ) -> "Iterator[OAuth2Session]":
        """Open a client; it is of one thread."""
        from authlib.integrations.requests_client import OAuth2Session

        with OAuth2Session(
            self.settings.client_id,
            self.settings.client_secret.get_secret_value(),
            scope=" ".join(self.settings.scopes),
            redirect_uri=self.address + CALLBACK,
            code_challenge_method="S256",
            token_endpoint_auth_method=client_auth,
            default_timeout=self.settings.timeout_s,
        ) as client:
            if self.settings.ca_file:
                client.verify = str(self.settings.ca_file)
            yield client


def inner(claims: Mapping[str, Any], name: str) -> Any:
    """Return a claim, also one within objects: `realm_access.roles`."""
    if name in claims:
        return claims[name]
    first, dot, rest = name.partition(".")
    within = claims.get(first)
    return inner(within, rest) if dot and isinstance(within, dict) else None


def is_text(value: object) -> bool:
    """Return whether a claim is a text of a usual length."""
    return isinstance(value, str) and 0 < len(value) <= _TEXT_LENGTH


class _Remembered(Generic[T]):
    """Something that is read anew after an hour."""

    def __init__(self, read: Callable[[], T], clock: Callable[[], float]) -> None:
        self._read = read
        self._clock = clock
        self._found: tuple[float, T] | None = None

    def get(self, *, anew: bool = False) -> T:
        now = self._clock()
        if anew or self._found is None or now - self._found[0] > _REMEMBERED_S:
            self._found = now, self._read()
        return self._found[1]


@contextmanager
def _reached() -> Iterator[None]:
    """Say in our words that the provider does not answer, or not with JSON."""
    from requests import RequestException

    try:
        yield
    except (RequestException, ValueError) as error:
        raise ProviderUnavailable(reason=error) from error


def _is_safe(address: str | None, issuer: str) -> bool:
    """Return whether nobody else can listen to what is sent to an address."""
    parts = urlsplit(address or "https:")
    if parts.scheme == "https":
        return True
    return (
        parts.scheme == "http"
        and parts.hostname in LOOPBACK
        and issuer.startswith("http:")
    )
