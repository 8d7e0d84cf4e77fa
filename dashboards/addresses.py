"""The addresses of pages, all made here; the routes of `pages/` answer to them."""

import re
from typing import Final
from urllib.parse import urlencode

from verkehrspuls.cases import Case

#: route of what begins a login at the provider of single sign-on
SINGLE_SIGN_ON: Final = "/{language:language}/login/oidc"
#: a path of this server: `//` and `/\` would lead elsewhere
_PATH: Final = re.compile(r"/([^/\\\x00-\x20][^\\\x00-\x20]{0,900})?")


def overview(language: str) -> str:
    """Return the address of the overview of all towns."""
    return f"/{language}/"


def town(language: str, key: str) -> str:
    """Return the address of a town."""
    return f"/{language}/towns/{key}"


def site(language: str, municipality: str, key: str) -> str:
    """Return the address of a site."""
    return f"/{language}/towns/{municipality}/{key}"


def rows(language: str, municipality: str, key: str) -> str:
    """Return the address of all rows of a site's table."""
    return f"{site(language, municipality, key)}/table"


def corridor(language: str, municipality: str, key: str) -> str:
    """Return the address of a corridor."""
    return f"/{language}/corridors/{municipality}/{key}"


def case(language: str, number: int) -> str:
    """Return the address of an anomaly case."""
    return f"/{language}/cases/{number}"


def people(language: str) -> str:
    """Return the address of the people of the own towns."""
    return f"/{language}/people"


def person(language: str, account_id: int) -> str:
    """Return the address of one of the people of the own towns."""
    return f"{people(language)}/{account_id}"


def login(language: str) -> str:
    """Return the address for logging in."""
    return f"/{language}/login"


def second_factor(language: str) -> str:
    """Return the address for showing the second factor while logging in."""
    return f"{login(language)}/second-factor"


def logout(language: str) -> str:
    """Return the address that a form for logging out is sent to."""
    return f"/{language}/logout"


def account(language: str, part: str = "") -> str:
    """Return the address of the own account, or of a part of it."""
    return f"/{language}/account{f'/{part}' if part else ''}"


def cases(language: str) -> str:
    """Return the address of the list of anomaly cases."""
    return f"/{language}/cases"


def login_for(language: str, back: str) -> str:
    """Return the address for logging in, after which `back` is shown."""
    return f"{login(language)}?{urlencode({'next': back})}"


def site_of(language: str, found: Case) -> str:
    """Return the address of the site of a case."""
    return site(language, found.municipality, found.site)


def single_sign_on(language: str, target: str = "") -> str:
    """Return the address that leads to the provider, and then to a page of ours."""
    query = f"?{urlencode({'target': target})}" if target else ""
    return f"/{language}/login/oidc{query}"


def passkeys(language: str) -> str:
    """Return the address of the own passkeys."""
    return f"/{language}/account/passkeys"


def log_in_by_passkey(language: str) -> str:
    """Return the address that an answer of a passkey is sent to."""
    return f"/{language}/login/passkey"


def target(language: str, asked: str) -> str:
    """Return where to go after logging in: a page of ours that was asked for."""
    return asked if _PATH.fullmatch(asked) else overview(language)
