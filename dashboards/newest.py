"""The time of a site's newest reading, and of its newest message, as a phrase."""

from datetime import datetime

from verkehrspuls.language import Language
from verkehrspuls.storage.sites import Site
from verkehrspuls.text import mark


def newest_reading(site: Site, language: Language, *, now: datetime) -> str:
    """Return a phrase with the time of the newest reading and of its message.

    Empty where there is none.
    """
    measured, received = site.newest_reading_at, site.last_received_at
    if measured is None or received is None:
        return ""
    text = (
        mark("newest reading %(when)s, imported %(at)s")
        if site.last_messages == "imported"
        else mark("newest reading %(when)s, message %(at)s")
    )
    return language.phrase(
        text,
        when=language.moment(measured, site.time_zone),
        at=language.at(received, site.time_zone, now=now),
    )
