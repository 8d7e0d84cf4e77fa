"""Cases as detectors open them, where a test needs one that its data do not make."""

from datetime import datetime
from typing import NamedTuple

from psycopg.rows import tuple_row

from analytics.detectors import detectors, reasons
from verkehrspuls.storage.database import Connection

#: Detectors by the reasons that they find.
FINDERS = {
    reason.code: code for code, one in detectors().items() for reason in one.reasons
}


class Finding(NamedTuple):
    """What a detector found; of a channel's key, or the first one of a quantity."""

    site: str
    channel: str
    reason: str
    began: datetime
    ended: datetime
    score: float = 9
    observed: float | None = None
    usual: float | None = None


def open_case(
    connection: Connection,
    *findings: Finding,
    opened_at: datetime | None = None,
    state: str = "suspected",
    effect: str = "caveat",
) -> int:
    """Open a case of findings, led by the first; return its number."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        channels = []
        for one in findings:
            cursor.execute(
                "select site_id, channel_id from vp.channel c join vp.site s"
                " using (site_id) where s.key = %s and %s in (c.key, c.quantity)"
                " order by channel_id limit 1",
                [one.site, one.channel],
            )
            channels.append(cursor.fetchone() or (0, 0))
        leading = findings[0]
        cursor.execute(
            "insert into vp.anomaly_case (site_id, channel_id, detector, began, ended,"
            " observed, usual, score, reason, state, effect, detectors, channels,"
            " sites, opened_at) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s,"
            " %s, %s, %s, coalesce(%s, now())) returning anomaly_case_id",
            [
                *(*channels[0], FINDERS[leading.reason]),
                min(one.began for one in findings),
                max(one.ended for one in findings),
                *(leading.observed, leading.usual, leading.score, leading.reason),
                *(state, effect, sorted({FINDERS[one.reason] for one in findings})),
                len({channel for _, channel in channels}),
                len({site for site, _ in channels}),
                opened_at,
            ],
        )
        (number,) = cursor.fetchone() or (0,)
        cursor.executemany(
            "insert into vp.case_member (anomaly_case_id, channel_id, detector, began,"
            " ended, score, observed, usual, reason, rank, is_fault)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [
                (
                    *(number, channel, FINDERS[one.reason], one.began, one.ended),
                    *(one.score, one.observed, one.usual, one.reason),
                    *(reasons()[one.reason].rank, reasons()[one.reason].is_fault),
                )
                for one, (_, channel) in zip(findings, channels, strict=True)
            ],
        )
        cursor.execute(
            "insert into vp.case_event (anomaly_case_id, kind, who, state, effect,"
            " severity) select anomaly_case_id, 'opened', 'detectors', state, effect,"
            " severity from vp.anomaly_case where anomaly_case_id = %s",
            [number],
        )
    return int(number)
