"""Registering a sensor by a device profile: first which one and where, then more."""

from datetime import datetime
from typing import Annotated

import msgspec
from fastapi import Query, Request, Response
from fastapi.responses import RedirectResponse

from api import session
from dashboards import addresses
from dashboards.forms import Person, Sent
from dashboards.pages.by_profile.view import Using, choose_page, done_page, use_page
from dashboards.pages.register.fields import TIME, NotWritten
from dashboards.render import LanguageKey, Now, database_of, page_router
from verkehrspuls.errors import UsageError
from verkehrspuls.language import Language
from verkehrspuls.registry import edit, own_profiles
from verkehrspuls.registry.registration import Change

router = page_router()


@router.get("/{language:language}/register/{municipality}/by-profile")
def choose(
    request: Request,
    language: LanguageKey,
    municipality: str,
    person: Person,
    now: Now,
    profile: Annotated[str, Query(max_length=64)] = "",
    site: Annotated[str, Query(max_length=64)] = "",
    done: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    """Show what can be chosen; of a chosen profile and site the form for a device.

    `done`: the sensor that was registered; then how the device is set up.
    """
    page_language = Language(language)
    with database_of(request).connection() as connection:
        town = edit.read(connection, municipality)
        known = own_profiles.list_profiles(connection, municipality)
        found = (
            own_profiles.find(connection, municipality, profile) if profile else None
        )
    sites = {one.key: one for one in town.sites}
    if found and found.profile and done in {one.key for one in town.sensors}:
        return done_page(request, page_language, town, found.profile, done)
    if found and found.profile and site in sites:
        using = Using(town, sites[site], profile, found.profile, page_language)
        return use_page(request, using, now=now)
    return choose_page(request, page_language, town, known, profile, site)


@router.post("/{language:language}/register/{municipality}/by-profile")
def register_sensor(
    request: Request, language: LanguageKey, municipality: str, sent: Sent, now: Now
) -> Response:
    """Register a sensor by a device profile, or show what would be registered."""
    key, site = sent.text("profile"), sent.text("site")
    with database_of(request).connection() as connection:
        town = edit.read(connection, municipality)
        profile = own_profiles.profiles(connection, municipality).get(key)
    sites = {one.key: one for one in town.sites}
    if profile is None or site not in sites:  # they are not there any more
        address = addresses.by_profile(language, municipality)
        return RedirectResponse(address, 303)
    using = Using(town, sites[site], key, profile, Language(language))
    using.form.values = sent.values
    since = _since(sent.text("since"), using)
    dry_run = sent.text("act") != "register"
    changes: list[Change] = []
    if since and using.is_complete():
        try:
            with session.transaction_for(request, sent.visit.viewer)() as connection:
                changes = own_profiles.use(
                    connection,
                    municipality,
                    profile,
                    **using.wanted(since),
                    dry_run=dry_run,
                )
        except UsageError as error:
            using.refuse(error, now=now)
        else:
            if not dry_run:
                address = addresses.by_profile(language, municipality, key)
                return RedirectResponse(f"{address}&done={sent.text('key')}", 303)
    if using.form.errors:
        using.form.status = 422
    return use_page(request, using, now=now, changes=changes)


def _since(text: str, using: Using) -> datetime | None:
    """Read from when on it is installed; None: what is wrong is noted."""
    try:
        return msgspec.convert(TIME.read(text, using.town.time_zone), datetime)
    except NotWritten as error:
        using.note("since", error.phrase)
    except msgspec.ValidationError:
        using.note("since")
    return None
