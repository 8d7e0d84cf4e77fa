"""Whether data is current: time of the newest reading, and of the newest message."""

from datetime import datetime, timedelta

from dashboards.language import Language
from dashboards.states import GONE_AFTER
from verkehrspuls.storage.sites import Site
from verkehrspuls.text import mark


def is_fresh(site: Site, now: datetime) -> bool:
    """Return whether a site's newest reading is current, by its longest interval."""
    measured = site.newest_reading_at
    if measured is None:
        return False
    longest = timedelta(seconds=site.longest_s or 0)
    return now - measured <= GONE_AFTER + longest


def newest_reading(site: Site, language: Language, *, now: datetime) -> str:
    """Return a phrase with the time of the newest reading and of its message.

    Empty where there is none.
    """
    measured, received = site.newest_reading_at, site.last_received_at
    if measured is None or received is None:
        return ""
    text = (
        mark("newest reading %(when)s, imported %(age)s")
        if site.last_messages == "imported"
        else mark("newest reading %(when)s, message %(age)s")
    )
    return language.phrase(
        text,
        when=language.moment(measured, site.time_zone),
        age=language.age(now - received),
    )
