"""The report of an anomaly case: what was found, what became of it, and its course."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from analytics.cases import casework, evidence
from verkehrspuls.cases import CaseInFull
from verkehrspuls.quantities import COUNTED
from verkehrspuls.storage import evidence as stored
from verkehrspuls.storage.reader import Reader
from verkehrspuls.storage.visibility import PUBLIC

_HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Report:
    """A case, with the course of the channel that names it."""

    #: as `casework.show` reads it: with its members and its history
    case: CaseInFull
    view: evidence.View
    #: COURSE
    course: pl.DataFrame


def report(
    reader: Reader,
    number: int,
    *,
    now: datetime,
    visible: Sequence[str] = PUBLIC,
) -> Report:
    """Read a case and the course of the channel that names it."""
    with reader.connection() as connection:
        case = casework.show(connection, number, visible=visible)
    return Report(case, *_course(reader, case, now=now, visible=visible))


def _course(
    reader: Reader,
    case: CaseInFull,
    *,
    now: datetime,
    visible: Sequence[str],
) -> tuple[evidence.View, pl.DataFrame]:
    chosen = evidence.view(case, now=now)
    spans = _spans(case, chosen)
    with reader.frames() as url:
        if case.quantity in COUNTED:
            volumes = stored.volumes(
                url,
                case,
                intervals=sorted({evidence.SECONDS[chosen.step], 3600}),
                # what is usual for a quarter-hour is from the hours around it
                start=chosen.start - _HOUR,
                end=chosen.end + _HOUR,
                visible=visible,
            )
            return chosen, evidence.of_volumes(volumes, chosen, case, spans)
        hours = stored.values(
            url, case, start=chosen.start, end=chosen.end, visible=visible
        )
        return chosen, evidence.of_values(hours, chosen, case, spans)


def _spans(case: CaseInFull, chosen: evidence.View) -> list[tuple[datetime, datetime]]:
    """Return when something was found on the channel that names a case, as it is shown.

    Among hours a finding of a whole day would hide which hours it is about.
    """
    withdrawn = all(member.withdrawn_at for member in case.members)
    return [
        (member.began, member.ended)
        for member in case.members
        if (member.site, member.channel) == (case.site, case.channel)
        and (withdrawn or not member.withdrawn_at)
        and (
            chosen.step == "P1D"
            or not evidence.is_of_days(
                member.detector, member.began, member.ended, case.time_zone
            )
        )
    ]
