"""What is of now: when something was measured last, and when something came last."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from dashboards.language import Language
from dashboards.states import GONE
from verkehrspuls.text import mark


def is_fresh(site: Mapping[str, Any], now: datetime) -> bool:
    """Whether a site's newest reading is of now, by the longest of its intervals."""
    measured = site["newest_reading_at"]
    if measured is None:
        return False
    longest = timedelta(seconds=site.get("longest_s") or 0)
    return bool(now - measured <= GONE + longest)


def newest_reading(
    site: Mapping[str, Any], language: Language, *, now: datetime
) -> str:
    """Say when the newest reading was measured, and when a message came: two facts."""
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
