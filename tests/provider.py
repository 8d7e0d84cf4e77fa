"""A real provider of single sign-on: Canaille, started in this process.

It can be made to lie: `lie` changes the claims of ID tokens, which are signed with its
key all the same.
"""

import base64
import socketserver
import threading
import wsgiref.simple_server
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

import requests
from canaille import create_app
from canaille.app import models
from canaille.app.session import UserSession
from canaille.backends import Backend
from flask import Flask, Response, g, json, request
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

CLIENT: Final = "verkehrspuls"
SECRET: Final = "nothing-that-anybody-could-guess"

Claims = dict[str, Any]


class _Quiet(wsgiref.simple_server.WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        pass


class _Server(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    # browsers open connections that they do not use
    daemon_threads = True
    block_on_close = False


class Provider:
    """Canaille, with a client; people and groups are added as they are needed."""

    def __init__(self, app: Flask, issuer: str, backend: Any) -> None:
        self.app = app
        self.issuer = issuer
        self._backend = backend
        self._people: dict[str, Any] = {}
        self._logged_in: Any = None
        #: how the person has logged in
        self.methods: list[str] = ["password"]
        #: changes claims, and returns headers to be changed; None: it is honest
        self.lie: Callable[[Claims], Claims] | None = None
        self.asked: list[str] = []
        app.before_request(self._before)
        app.after_request(self._after)

    def person(self, name: str, *groups: str, password: str = "") -> None:
        """Add a person, logged in here; or put them into these groups and no others.

        Who has a password has to log in with it.
        """
        email = f"{name}@example.org"
        with self.app.app_context():
            known = self._people.get(name) or models.User(
                user_name=name,
                formatted_name=name.capitalize(),
                family_name=name.capitalize(),
                emails=[email],
            )
            if password:
                known.password = password
            self._backend.save(known)
            self._people[name] = known
            for old in self._backend.query(models.Group):
                others = [each for each in old.members if each.user_name != name]
                if others:
                    old.members = others
                    self._backend.save(old)
                else:
                    self._backend.delete(old)
            for key in groups:
                group = self._backend.get(models.Group, display_name=key)
                group = group or models.Group(display_name=key, members=[])
                group.members = [*group.members, known]
                self._backend.save(group)
        self._logged_in = None if password else known

    def answer(self, address: str) -> str:
        """Open the address of a login, as a browser; return where it is sent to."""
        answered = requests.get(address, allow_redirects=False, timeout=10)
        assert answered.status_code == 302, answered.text
        return answered.headers["location"]

    def rotate(self) -> None:
        """Sign with another key from now on, and forget the old one."""
        self.app.config["CANAILLE_OIDC"]["ACTIVE_JWKS"] = [_key()]

    def sign(self, claims: Claims, **header: Any) -> str:
        """Sign claims as the provider does, or with the header's own means."""
        key = RSAKey.import_key(self._active)
        header = {"alg": "RS256", "kid": key.kid} | header
        if header["alg"] == "none":
            parts = (json.dumps(part).encode() for part in (header, claims))
            return ".".join([*map(_base64, parts), ""])
        by_secret = header["alg"] == "HS256"
        return jwt.encode(
            header, claims, OctKey.import_key(SECRET) if by_secret else key
        )

    def _before(self) -> None:
        self.asked.append(request.path)
        if self._logged_in is not None:
            g.session = UserSession(
                user=self._logged_in,
                last_login_datetime=datetime.now(UTC),
                authentication_methods=self.methods,
            )

    def _after(self, response: Response) -> Response:
        if self.lie and request.path == "/oauth/token" and response.status_code == 200:
            answer = json.loads(response.data)
            claims = jwt.decode(answer["id_token"], RSAKey.import_key(self._active))
            answer["id_token"] = self.sign(claims.claims, **self.lie(claims.claims))
            response.data = json.dumps(answer)
        return response

    @property
    def _active(self) -> dict[str, Any]:
        return self.app.config["CANAILLE_OIDC"]["ACTIVE_JWKS"][0]


def environment(issuer: str, roles: Iterable[str]) -> dict[str, str]:
    """Return the settings of who lets people log in there, for `served.web`."""
    return {
        "OIDC__ISSUER": issuer,
        "OIDC__CLIENT_ID": CLIENT,
        "OIDC__CLIENT_SECRET": SECRET,
        "OIDC__SCOPES": "openid,email,profile,groups",
        "OIDC__ROLES": ",".join(roles),
    }


@contextmanager
def running(port: int, pages: str, *, host: str = "localhost") -> Iterator[Provider]:
    """Run a provider whose client has its pages at an address."""
    issuer = f"http://{host}:{port}"
    app = create_app(
        config={
            "TESTING": True,
            "SECRET_KEY": "of the provider's own sessions",
            "WTF_CSRF_ENABLED": False,
            "PREFERRED_URL_SCHEME": "http",
            "SERVER_NAME": f"{host}:{port}",
            "CANAILLE": {
                "DATABASE": "memory",
                "JAVASCRIPT": False,
                "ACL": {"DEFAULT": {"PERMISSIONS": ["use_oidc"]}},
                "LOGGING": {"version": 1, "disable_existing_loggers": False},
            },
            # at trusted domains nobody is asked for consent
            "CANAILLE_OIDC": {
                "ACTIVE_JWKS": [_key()],
                "TRUSTED_DOMAINS": ["localhost"],
            },
        },
        env_file=None,
    )
    # which it does not say by itself
    app.config["CANAILLE_OIDC"]["USERINFO_MAPPING"]["EMAIL_VERIFIED"] = "true"
    with app.app_context():
        backend = Backend.instance
        backend.do_query = partial(_found, backend.do_query)
        client = models.Client(
            client_id=CLIENT,
            client_secret=SECRET,
            client_name="Verkehrspuls",
            client_id_issued_at=datetime.now(UTC) - timedelta(days=1),
            redirect_uris=[f"{pages}/oidc/callback"],
            post_logout_redirect_uris=[f"{pages}/de/", f"{pages}/en/"],
            grant_types=["authorization_code"],
            response_types=["code"],
            scope=["openid", "email", "profile", "groups"],
            token_endpoint_auth_method="client_secret_basic",
            id_token_signed_response_alg="RS256",
            client_uri=pages,
        )
        backend.save(client)
        client.audience = [client]
        backend.save(client)
    server = wsgiref.simple_server.make_server(
        host, port, app, server_class=_Server, handler_class=_Quiet
    )
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.01}
    )
    thread.start()
    try:
        yield Provider(app, issuer, backend)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _base64(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).decode().rstrip("=")


def _found(query: Callable[..., Any], model: Any, *given: Any, **wanted: Any) -> Any:
    """Find what has all that is wanted: the store finds what has any of it."""

    def words(value: object) -> set[Any]:
        return set(value if isinstance(value, list) else [value])

    return [
        one
        for one in query(model, *given, **wanted)
        if all(
            words(one._state.get(name)) & words(model.serialize(value))
            for name, value in wanted.items()
        )
    ]


def _key() -> dict[str, Any]:
    return dict(RSAKey.generate_key(2048, auto_kid=True).as_dict(private=True))
