"""The addresses of pages, all made here; the routes of `pages/` answer to them."""

from typing import Final
from urllib.parse import urlencode

from verkehrspuls.cases import Case
from verkehrspuls.locales import locales

#: name of the field that says which page to show after logging in
NEXT: Final = "next"
#: route of what begins a login at the provider of single sign-on
SINGLE_SIGN_ON: Final = "/{language:language}/login/oidc"


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


def audit(language: str, format: str = "") -> str:
    """Return the address of the audit log, as a page or a file."""
    return f"/{language}/audit{f'.{format}' if format else ''}"


def login(language: str, back: str = "") -> str:
    """Return the address for logging in, after which `back` is shown."""
    return _with_next(f"/{language}/login", back)


def second_factor(language: str, back: str = "") -> str:
    """Return the address for showing the second factor while logging in."""
    return _with_next(f"{login(language)}/second-factor", back)


def logout(language: str) -> str:
    """Return the address that a form for logging out is sent to."""
    return f"/{language}/logout"


def account(language: str, part: str = "") -> str:
    """Return the address of the own account, or of a part of it."""
    return f"/{language}/account{f'/{part}' if part else ''}"


def cases(language: str) -> str:
    """Return the address of the list of anomaly cases."""
    return f"/{language}/cases"


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


def after_login(language: str, asked: str) -> str:
    """Return the page here that was asked for, else the overview."""
    first = asked.removeprefix("/").partition("/")[0]
    usual = asked.startswith("/") and asked.isprintable() and "\\" not in asked
    return asked if usual and first in locales() else overview(language)


def _with_next(address: str, back: str) -> str:
    return f"{address}?{urlencode({NEXT: back})}" if back else address
