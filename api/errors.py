"""Errors of requests; under `verkehrspuls.errors.VerkehrspulsError`.

VerkehrspulsError
├── UsageError
│   ├── BadParameter
│   │   └── NotTaken
│   ├── NotAcceptable
│   ├── Unreadable
│   ├── NotAuthorised
│   ├── ScopeTooSmall
│   ├── NotAllowed
│   ├── RoleMissing
│   ├── OtherSite
│   ├── NeedsHttps
│   ├── TooMany
│   ├── WrongType
│   ├── KeyReused
│   ├── StillRunning
│   └── TooFast
└── Unavailable
    └── TooSlow
"""

from verkehrspuls.errors import BadParameter, Unavailable, UsageError


class NotTaken(BadParameter):
    """{detail}."""

    code = "invalid"

    #: what the detail is made of, for pages in other languages: a text with places
    #: `{}`, and their values
    text: str
    values: tuple[str, ...]


class NotAcceptable(UsageError):
    """None of the asked formats is served here; there is {served}."""

    code = "not-acceptable"
    http_status = 406


class Unreadable(UsageError):
    """{detail}."""

    code = "invalid"
    http_status = 422

    pointer: str
    detail: str


class NotAuthorised(UsageError):
    """A valid token is needed."""

    code = "not-authorised"
    http_status = 401


class ScopeTooSmall(UsageError):
    """The token does not permit `{permission}` in {where}: to {allows}."""

    code = "insufficient-scope"
    http_status = 403

    permission: str


class NotAllowed(UsageError):
    """The token is not for the sensor of message {index}."""

    code = "not-allowed"
    http_status = 403


class RoleMissing(UsageError):
    """None of your roles permits `{permission}`: to {allows}."""

    code = "role-missing"
    http_status = 403

    permission: str


class OtherSite(UsageError):
    """A page of another site sent this. Nothing was done."""

    code = "cross-site"
    http_status = 403


class NeedsHttps(UsageError):
    """Passwords are sent over HTTPS only, or on the server's own machine."""

    code = "needs-https"
    http_status = 403


class TooMany(UsageError):
    """More than {most} {what} in one request."""

    code = "too-many"
    http_status = 413


class WrongType(UsageError):
    """Readings are taken as application/json, and not compressed."""

    code = "wrong-type"
    http_status = 415


class KeyReused(UsageError):
    """The Idempotency-Key was used for another request."""

    code = "key-reused"
    http_status = 422


class StillRunning(UsageError):
    """The request with this Idempotency-Key still runs."""

    code = "still-running"
    http_status = 409

    retry_s = 5


class TooFast(UsageError):
    """No more than {allowed} are taken in a minute. Try again in {retry_s} s."""

    code = "too-fast"
    http_status = 429

    allowed: str
    retry_s: int


class TooSlow(Unavailable):
    """The database took too long. Ask for a shorter period."""

    code = "too-slow"
