"""Claims: compute stale hours, and drop old data.

`process` performs one claim in one transaction: it locks sites, takes the marks of
their stale hours, computes, replaces the figures and commits. A worker that dies
changes nothing. Readings are read after the claim, and statements see everything
committed before them: so the readings behind a claimed mark are visible, and a mark set
later is claimed later.
"""

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import polars as pl

from analytics import frames
from analytics.cases import members as cases
from analytics.detectors import silence
from analytics.frames import check
from analytics.jobs import case_store, figure_store, refresh
from analytics.jobs.store import Store
from analytics.quality import validity
from verkehrspuls.access import audit
from verkehrspuls.registry import removal
from verkehrspuls.settings import Analytics


@dataclass(frozen=True, slots=True)
class _FutureMember:
    """A member of a case that ends in the future, with the local day of its start."""

    case_member_id: int
    channel_id: int
    detector: str
    began: datetime
    site_id: int
    state: str
    day: date


log = logging.getLogger(__name__)

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Choice:
    """Sites and days to recompute; None means all. `first` and `last` are local days.

    Both are included.
    """

    municipality: str | None = None
    site: str | None = None
    first: date | None = None
    last: date | None = None


class ClaimFailed(Exception):
    """The stale hours of these sites could not be computed; they stay stale."""

    def __init__(self, sites: Sequence[int]) -> None:
        super().__init__(f"sites {', '.join(map(str, sites))}")
        self.sites = sites


def process(
    store: Store,
    settings: Analytics,
    *,
    now: datetime,
    avoid: Collection[int] = (),
    singly: bool = False,
) -> int:
    """Compute stale hours of some sites in one claim; return the number of marks taken.

    Skip the sites to `avoid`; with `singly`, take one site only.
    """
    hours = 1 if singly else settings.claim_hours
    _, marks = _process(
        store, settings, lambda: _lock_stale_sites(store, hours, avoid), now=now
    )
    return marks


def finish(store: Store, settings: Analytics, *, now: datetime) -> Iterator[int]:
    """Compute all stale hours of some sites; yield the marks taken by each claim.

    The sites are searched only once, because that reads all marks.
    """
    sites, marks = _process(
        store,
        settings,
        lambda: _lock_stale_sites(store, settings.claim_hours, ()),
        now=now,
    )
    while marks:
        yield marks
        _, marks = _process(store, settings, lambda: _lock(store, sites), now=now)


def _process(
    store: Store, settings: Analytics, lock: Callable[[], list[int]], *, now: datetime
) -> tuple[list[int], int]:
    """Perform a claim at the sites that `lock` locks; return sites and marks taken."""
    with store.connection.transaction():
        sites = lock()
        if not sites:
            return sites, 0
        try:
            return sites, _claim(store, settings, sites, now=now)
        except Exception as error:
            raise ClaimFailed(sites) from error


def _claim(
    store: Store, settings: Analytics, sites: list[int], *, now: datetime
) -> int:
    """Take the marks of locked sites, and compute their hours."""
    claimed = store.read_columns(
        "claim_buckets",
        sites=sites,
        hours=settings.claim_hours,
        weeks=settings.baseline_weeks,
    )
    stale = _computable(check(claimed, frames.CHANNEL_HOURS), settings, now=now)
    if not stale.is_empty():
        _refresh(store, stale, settings, now=now)
    return claimed.height


def check_silence(store: Store, *, now: datetime) -> int:
    """Open and prolong the cases of channels that are silent; return their number.

    Also drop figures and cases in the future, which a wrong clock caused.
    """
    with store.connection.transaction():
        sites = [row["site_id"] for row in store.execute("lock_sites")]
        future = _drop_future(store, sites, now=now)
        hits = silence.trailing(
            store.frame("last_readings", frames.LAST_READINGS, sites=sites, now=now),
            store.frame("installations_of_sites", frames.INSTALLED, sites=sites),
            now=now,
        )
        spans = hits.select("channel_id", since="began", until="ended")
        judged = cases.judge(
            hits,
            silence.DETECTOR.code,
            stored=case_store.stored(store, spans),
            # nothing is withdrawn here: the claim of new readings does that
            windows=frames.empty(frames.SPANS),
        )
        found = {
            (row["channel_id"], row["began"])
            for row in judged.cases.iter_rows(named=True)
        }
        wrong = [
            row.case_member_id
            for row in future
            if row.detector != silence.DETECTOR.code
            or (row.channel_id, row.began) not in found
        ]
        case_store.write(
            store, [judged, cases.Judgement(frames.empty(frames.CASES), wrong)]
        )
    return judged.cases.height


def _drop_future(
    store: Store, sites: Sequence[int], *, now: datetime
) -> list[_FutureMember]:
    """Drop figures in the future; return the members of undecided cases there.

    Members of decided cases end now. The days in which the others began are judged
    again.
    """
    store.execute("drop_future", sites=sites, now=now)
    members = store.records(_FutureMember, "future_members", sites=sites, now=now)
    decided = [row for row in members if row.state != cases.UNDECIDED]
    if decided:
        numbers = [row.case_member_id for row in decided]
        store.execute("end_members", members=numbers, now=now)
    undecided = [row for row in members if row.state == cases.UNDECIDED]
    if members:
        log.warning("future_dropped", extra={"members": len(members)})
        at = [row.site_id for row in undecided]
        days = [row.day for row in undecided]
        store.execute("mark_case_days", sites=at, days=days)
        store.execute("mark_days", sites=at, days=days)
    return undecided


def maintain(store: Store, settings: Analytics, *, now: datetime) -> bool:
    """Create partitions ahead, drop and compress old ones.

    Return False if another worker does it.
    """
    with store.connection.transaction():
        if not store.one("try_maintenance")["mine"]:
            return False
        store.execute("ensure_ahead", now=now)
        store.execute("drop_frames", now=now)
        # readings first, as ingest does: else the two could wait for each other
        dropped = _drop(store, "drop_raw", "reading", settings.keep_raw_days, now)
        dropped += _drop(
            store, "drop_rejected", "reject", settings.keep_rejected_days, now
        )
        compressed = _chunks(
            store,
            "compress_old",
            now - timedelta(days=settings.compress_after_days),
        )
    removal.sweep(store.connection)
    forgotten = audit.forget(store.connection, days=settings.keep_audit_days)
    log.info(
        "maintained",
        extra={"dropped": dropped, "compressed": compressed, "forgotten": forgotten},
    )
    return True


def mark_stale(store: Store, choice: Choice) -> int:
    """Mark the chosen hours with readings or figures as stale; return their number."""
    with store.connection.transaction():
        cursor = store.execute(
            "mark_stale",
            state=None,
            municipality=choice.municipality,
            site=choice.site,
            first=choice.first,
            last=choice.last,
        )
    return cursor.rowcount


def count_stale(store: Store, choice: Choice) -> int:
    """Count the stale hours of the chosen sites."""
    with store.connection.transaction():
        row = store.one(
            "count_stale", municipality=choice.municipality, site=choice.site
        )
    return int(row["hours"])


def _drop(store: Store, query: str, what: str, days: int | None, now: datetime) -> int:
    """Drop what is older than some days, and note that; return the chunks dropped."""
    if days is None:
        return 0
    cutoff = now - timedelta(days=days)
    chunks = _chunks(store, query, cutoff)
    if chunks:
        audit.note(
            store.connection, f"{what}.drop", key="all", after={"before": cutoff}
        )
    return chunks


def _chunks(store: Store, query: str, cutoff: datetime) -> int:
    return int(store.one(query, cutoff=cutoff)["chunks"])


def _lock_stale_sites(store: Store, hours: int, avoid: Collection[int]) -> list[int]:
    """Lock sites until their stale hours reach the number asked for."""
    found: list[int] = []
    total = 0
    for row in store.execute("stale_sites").fetchall():
        if row["site_id"] in avoid:
            continue
        if _lock(store, [row["site_id"]]):
            found.append(row["site_id"])
            total += row["hours"]
        if total >= hours:
            break
    return found


def _lock(store: Store, sites: Sequence[int]) -> list[int]:
    """Lock the sites that no other worker has locked; return them."""
    return [site for site in sites if store.execute("lock_site", site=site).fetchone()]


def _computable(
    stale: pl.DataFrame, settings: Analytics, *, now: datetime
) -> pl.DataFrame:
    """Leave out hours whose readings were dropped: their figures do not change."""
    stale = stale.unique()
    if settings.keep_raw_days is None:
        return stale
    cutoff = now - timedelta(days=settings.keep_raw_days)
    kept = stale.filter(pl.col("hour") >= cutoff)
    if kept.height < stale.height:
        log.warning("hours_too_old", extra={"hours": stale.height - kept.height})
    return kept


def _refresh(
    store: Store,
    stale: pl.DataFrame,
    settings: Analytics,
    *,
    now: datetime,
) -> None:
    weeks = settings.baseline_weeks
    # all channels of the sites that have stale hours
    channels = store.frame(
        "channels_of_channels",
        frames.CHANNELS,
        channels=stale["channel_id"].unique().to_list(),
    )
    wanted = refresh.plan(stale, channels, weeks=weeks)
    given, windows = figure_store.read(
        store, stale, channels=channels, wanted=wanted, weeks=weeks
    )
    beside = _computable(figure_store.beside(given), settings, now=now)
    if not beside.is_empty():
        # readings of these hours overlap those of the stale ones
        stale = pl.concat([stale, beside])
        wanted = refresh.plan(stale, channels, weeks=weeks)
        given, windows = figure_store.read(
            store, stale, channels=channels, wanted=wanted, weeks=weeks
        )
    figures = refresh.refresh(
        wanted,
        windows,
        given,
        weeks=weeks,
        rules=validity.Rules.of(settings),
        now=now,
    )
    figure_store.write(store, given, wanted, figures)
