"""The time of a site's newest reading, and of its newest message, as a phrase."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from dashboards.language import Language
from verkehrspuls.text import mark


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
