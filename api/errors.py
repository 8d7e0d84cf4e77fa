"""What can be wrong with a request; under `verkehrspuls.errors.VerkehrspulsError`.

VerkehrspulsError
├── UsageError
│   ├── BadParameter
│   │   └── TooLong
│   └── NotAcceptable
└── Unavailable
    ├── TooSlow
    └── NoTables
"""

from verkehrspuls.errors import Unavailable, UsageError


class BadParameter(UsageError):
    """{detail}."""

    code = "invalid"
    http_status = 422

    parameter: str
    detail: str


class TooLong(BadParameter):
    """{detail}."""

    code = "too-long"


class NotAcceptable(UsageError):
    """None of the asked formats is served here; there is {served}."""

    code = "not-acceptable"
    http_status = 406


class TooSlow(Unavailable):
    """The database took too long. Ask for a shorter period."""

    code = "too-slow"


class NoTables(Unavailable):
    """The database is not set up yet. Run `verkehrspuls db migrate`."""

    code = "not-migrated"
