"""The addresses of pages, all made here; the routes of `pages/` answer to them."""

from typing import Final
from urllib.parse import quote, urlencode

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


def register(language: str, municipality: str = "", *parts: str) -> str:
    """Return the address of what is registered, or of an entry by kind and key."""
    path = "".join(f"/{quote(part)}" for part in (municipality, *parts) if part)
    return f"/{language}/register{path}"


def unknown(language: str, municipality: str = "") -> str:
    """Return the address of the unknown sensors, of one town."""
    return f"/{language}/unknown{f'/{municipality}' if municipality else ''}"


def adopt(language: str, municipality: str, topic: str = "") -> str:
    """Return the address where an unknown sensor is adopted."""
    query = f"?{urlencode({'topic': topic})}" if topic else ""
    return f"{unknown(language, municipality)}/adopt{query}"


def commissioning(language: str, municipality: str, sensor: str) -> str:
    """Return the address where a sensor is brought into service."""
    return f"/{language}/commissioning/{municipality}/{sensor}"


def credentials(language: str, municipality: str, sensor: str) -> str:
    """Return the address of the credentials of a sensor."""
    return f"/{language}/credentials/{municipality}/{sensor}"


def count(language: str, municipality: str, site: str, number: int = 0) -> str:
    """Return the address of the manual counts of a site, or of one of them."""
    address = f"/{language}/count/{municipality}/{site}"
    return f"{address}/{number}" if number else address


def record(
    language: str, municipality: str, site: str, number: int, *, pdf: bool = False
) -> str:
    """Return the address of the record of a manual count, as a page or a PDF."""
    address = count(language, municipality, site, number)
    return f"{address}/record{'.pdf' if pdf else ''}"


def municipality(language: str, key: str = "") -> str:
    """Return the address of what a municipality says of itself."""
    return f"/{language}/municipality{f'/{quote(key)}' if key else ''}"


def maintenance(language: str, municipality: str, kind: str, key: str) -> str:
    """Return the address of the maintenance log of a site or sensor."""
    return register(language, municipality, "maintenance", kind, key)


def photograph(language: str, municipality: str, number: int) -> str:
    """Return the address of a photograph of the maintenance log."""
    return register(language, municipality, "photograph", str(number))


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


def proof(language: str, back: str = "") -> str:
    """Return the address for showing who one is, after which `back` is shown."""
    return _with_next(account(language, "proof"), back)


def cases(language: str) -> str:
    """Return the address of the list of anomaly cases."""
    return f"/{language}/cases"


def site_of(language: str, found: Case) -> str:
    """Return the address of the site of a case."""
    return site(language, found.municipality, found.site)


def single_sign_on(language: str, target: str = "", *, proves: bool = False) -> str:
    """Return the address that leads to the provider, and then to a page of ours.

    If it `proves`, who is logged in there has to log in again.
    """
    given = {"target": target, "proves": "1" if proves else ""}
    query = urlencode({name: value for name, value in given.items() if value})
    return f"/{language}/login/oidc{f'?{query}' if query else ''}"


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


def device_profile(language: str, profile: str = "", **more: str) -> str:
    """Return the address where a device profile is made, or changed from another.

    More is the `town` that keeps it; or of which `town` and `sensor`, or unknown
    `sender`, messages are taken; and what was `done`.
    """
    given = {"profile": profile, **more}
    query = urlencode({name: value for name, value in given.items() if value})
    return f"/{language}/device-profile{f'?{query}' if query else ''}"


def by_profile(language: str, municipality: str, profile: str = "") -> str:
    """Return the address where a sensor is registered by a device profile."""
    query = f"?{urlencode({'profile': profile})}" if profile else ""
    return f"{register(language, municipality)}/by-profile{query}"


def devices(language: str, municipality: str = "", format: str = "") -> str:
    """Return the address of the devices of a town, as a page or a file."""
    town = f"/{municipality}" if municipality else ""
    return f"/{language}/devices{town}{f'.{format}' if format else ''}"


def device(language: str, municipality: str, key: str) -> str:
    """Return the address of a device."""
    return f"{devices(language, municipality)}/{key}"


def labels(language: str, municipality: str, query: str = "") -> str:
    """Return the address of the labels of devices, to be printed."""
    return f"/{language}/labels/{municipality}{f'?{query}' if query else ''}"


def label(municipality: str, key: str) -> str:
    """Return the address that stands on a device: short, and of no language."""
    return f"/device/{municipality}/{key}"


def history(language: str, municipality: str, site: str) -> str:
    """Return the address of a site's history, for engineers."""
    return f"/{language}/history/{municipality}/{site}"


def scan(language: str, municipality: str) -> str:
    """Return the address where the code on a LoRaWAN device is read."""
    return f"/{language}/scan/{municipality}"
