"""The report of an anomaly case: what was found, what became of it, and its course."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from analytics.cases import casework, evidence
from verkehrspuls.cases import CaseInFull
from verkehrspuls.quantities import COUNTED
from verkehrspuls.storage import evidence as stored
from verkehrspuls.storage.reader import Reader

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
) -> Report:
    """Read a case and the course of the channel that names it."""
    with reader.connection() as connection:
        case = casework.show(connection, number)
    return Report(case, *_course(reader, case, now=now))


def _course(
    reader: Reader,
    case: CaseInFull,
    *,
    now: datetime,
) -> tuple[evidence.View, pl.DataFrame]:
    chosen = evidence.view(case, now=now)
    spans = _spans(case, chosen)
    with reader.frames() as source:
        if case.quantity in COUNTED:
            volumes = stored.volumes(
                source,
                case,
                intervals=sorted({evidence.SECONDS[chosen.step], 3600}),
                # what is usual for a quarter-hour is from the hours around it
                start=chosen.start - _HOUR,
                end=chosen.end + _HOUR,
            )
            return chosen, evidence.of_volumes(volumes, chosen, case, spans)
        hours = stored.values(source, case, start=chosen.start, end=chosen.end)
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
