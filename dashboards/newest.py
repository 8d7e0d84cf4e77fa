"""Whether data is current: time of the newest reading, and of the newest message."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from dashboards.language import Language
from dashboards.states import GONE_AFTER
from verkehrspuls.text import mark


def is_fresh(site: Mapping[str, Any], now: datetime) -> bool:
    """Return whether a site's newest reading is current, by its longest interval."""
    measured = site["newest_reading_at"]
    if measured is None:
        return False
    longest = timedelta(seconds=site.get("longest_s") or 0)
    return bool(now - measured <= GONE_AFTER + longest)


def newest_reading(
    site: Mapping[str, Any], language: Language, *, now: datetime
) -> str:
    """Return a phrase with the time of the newest reading and of its message."""
    age = language.age(now - site["last_received_at"])
    text = (
        mark("newest reading %(when)s, imported %(age)s")
        if site.get("last_messages") == "imported"
        else mark("newest reading %(when)s, message %(age)s")
    )
    return language.phrase(
        text,
        when=language.moment(site["newest_reading_at"], site["time_zone"]),
        age=age,
    )
