"""Groups of case members: findings of several detectors and channels of one cause.

Which members are together depends on the members alone, not on the order in which they
were found; only the number of a case is kept from one time to the next.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from analytics.cases.severity import severity
from analytics.detectors import detectors, reasons
from analytics.detectors.record import TRAFFIC
from analytics.frames import GROUPED, MEMBERS, check
from verkehrspuls.quantities import COUNTED

#: Rows of a frame.
Places = npt.NDArray[np.int64]

#: Longest time between two members of one site that belong together.
MAX_PAUSE: Final = timedelta(hours=3)
#: Members of different sites belong together if they began at most this far apart, …
MAX_START_DIFFERENCE: Final = timedelta(hours=1)
#: … are at most this far apart, as the crow flies, …
MAX_GROUP_DISTANCE_KM: Final = 3.0
#: … and were found by detectors of what `spreads`.
#: From this number of sites on, what is unusual in the same way in a municipality has
#: one cause at any distance, if its detector `is_common`: weather, a strike.
MIN_COMMON_SITES: Final = 4
#: Longest event of the street that is named by its short and sharp members.
MAX_STREET_EVENT: Final = timedelta(hours=6)

_KM_PER_DEGREE: Final = 111.2


@dataclass(frozen=True, slots=True)
class Groups:
    """GROUPED cases, and of each member (`case_member_id`) the `group` it is in."""

    cases: pl.DataFrame
    members: pl.DataFrame


def group(members: pl.DataFrame) -> Groups:
    """Join MEMBERS that have one cause.

    Members of a site and family are together when at most MAX_PAUSE lies between them;
    over sites see `MAX_START_DIFFERENCE` and `MIN_COMMON_SITES`. All of a group have
    the same audience: what a case says of itself is seen with it. A group keeps the
    oldest number (`anomaly_case_id`) that its members had; where a case falls apart,
    the part that began first keeps it.
    """
    marked = check(members, MEMBERS).with_columns(_family().alias("family"))
    labelled = _components(marked, _links(marked)).sort("began", "case_member_id")
    span = pl.col("ended").max() - pl.col("began").min()
    leading = labelled.sort(
        "group",
        _rank(span.over("group")),
        -pl.col("score"),
        "began",
        "case_member_id",
    ).group_by("group", maintain_order=True)
    cases = leading.agg(
        pl.col("municipality_id", "site_id", "channel_id", "detector").first(),
        pl.col("began").min(),
        pl.col("ended").max(),
        pl.col("observed", "usual", "score", "reason").first(),
        pl.col("detector").unique().sort().alias("detectors"),
        pl.col("channel_id").n_unique().cast(pl.Int32).alias("channels"),
        pl.col("site_id").n_unique().cast(pl.Int32).alias("sites"),
    )
    numbered = cases.join(_numbers(labelled), on="group", how="left")
    return Groups(
        check(numbered.with_columns(severity().alias("severity")), GROUPED),
        labelled.select("case_member_id", "group"),
    )


def _family() -> pl.Expr:
    """What can have one cause."""
    detector, counts = pl.col("detector"), pl.col("quantity").is_in(list(COUNTED))
    by_quantity = pl.when(counts).then(pl.lit(TRAFFIC)).otherwise(pl.lit("environment"))
    families = {code: one.family for code, one in detectors().items() if one.family}
    return detector.replace_strict(
        families, default=by_quantity, return_dtype=pl.String
    )


def _links(marked: pl.DataFrame) -> pl.DataFrame:
    """Pairs of members that belong together, both ways (`one`, `other`).

    By their place in the order of time: where all is unusual for weeks, there are
    millions of pairs, too many for whole rows.
    """
    marked = marked.sort("began")
    one, other = _close(marked)

    def same(name: str) -> npt.NDArray[np.bool_]:
        column = marked[name]
        if column.dtype == pl.String:
            column = column.cast(pl.Categorical).to_physical()
        values = column.to_numpy()
        return np.asarray(values[one] == values[other])

    kept = same("municipality_id") & same("audience") & same("family")
    one, other = one[kept], other[kept]
    began = marked["began"].to_numpy()
    apart = np.abs(began[one] - began[other])
    together = apart <= np.timedelta64(MAX_START_DIFFERENCE)
    known = detectors().values()
    spreading = [one.code for one in known if one.spreads]
    common = [one.code for one in known if one.is_common]
    spreads = marked["detector"].is_in(spreading).to_numpy()
    near = together & spreads[one] & spreads[other]
    near[near] = _km(marked, one[near], other[near]) <= MAX_GROUP_DISTANCE_KM
    at_once = np.zeros_like(together)
    for each in known:
        if each.together is not None:
            of_it = (marked["detector"] == each.code).to_numpy()
            within = apart <= np.timedelta64(each.together)
            at_once |= of_it[one] & of_it[other] & within
    alike = together & same("detector") & same("reason") & same("quantity")
    alike &= marked["detector"].is_in(common).to_numpy()[one]
    sites = _sites(marked, one[alike], other[alike])
    alike[alike] = (
        np.maximum(sites[one[alike]], sites[other[alike]]) >= MIN_COMMON_SITES
    )
    linked = same("site_id") | near | at_once | alike
    member = marked["case_member_id"].to_numpy()
    return pl.DataFrame({"one": member[one[linked]], "other": member[other[linked]]})


def _close(marked: pl.DataFrame) -> tuple[Places, Places]:
    """Return pairs of sorted members at most MAX_PAUSE apart, each in both orders."""
    began, ended = (marked[name].to_numpy() for name in ("began", "ended"))
    here = np.arange(marked.height)
    # of each, itself and those that begin later
    number = (
        np.searchsorted(began, ended + np.timedelta64(MAX_PAUSE), side="right") - here
    )
    one = np.repeat(here, number)
    before = np.repeat(number.cumsum() - number, number)
    other = one + np.arange(one.size) - before
    later = other > one
    return np.append(one, other[later]), np.append(other, one[later])


def _sites(marked: pl.DataFrame, one: Places, other: Places) -> npt.NDArray[np.int64]:
    """Count the sites at which each member has others."""
    site = marked["site_id"].to_numpy()
    pairs = pl.DataFrame({"one": one, "site": site[other]}).unique()
    return np.bincount(pairs["one"].to_numpy(), minlength=marked.height)


def _km(marked: pl.DataFrame, one: Places, other: Places) -> npt.NDArray[np.float64]:
    """Distance of two places; unknown places are near nothing."""
    latitude, longitude = (
        marked[name].fill_null(float("nan")).to_numpy()
        for name in ("latitude", "longitude")
    )
    north = latitude[one] - latitude[other]
    east = (longitude[one] - longitude[other]) * np.cos(np.radians(latitude[one]))
    return np.asarray(np.sqrt(north**2 + east**2) * _KM_PER_DEGREE)


def _components(marked: pl.DataFrame, links: pl.DataFrame) -> pl.DataFrame:
    """Add `group`: the least member of those that links lead to."""
    label = marked.select("case_member_id", group="case_member_id")
    while True:
        least = (
            links.join(label, left_on="other", right_on="case_member_id")
            .group_by("one")
            .agg(pl.col("group").min().alias("reached"))
        )
        spread = label.join(
            least, left_on="case_member_id", right_on="one", how="left"
        ).select("case_member_id", group=pl.min_horizontal("group", "reached"))
        # a label's own label may be less already: halves the number of rounds
        spread = spread.join(
            spread.rename({"group": "shorter"}),
            left_on="group",
            right_on="case_member_id",
        ).select("case_member_id", group="shorter")
        if spread.sort("case_member_id").equals(label.sort("case_member_id")):
            return marked.join(label, on="case_member_id")
        label = spread


def _rank(length: pl.Expr) -> pl.Expr:
    """What names a case comes first: broken sensors, then what is sharp, if short."""
    known = reasons()
    first = {code: one.names for code, one in known.items() if one.names is not None}
    sharp = {code: one.sharp for code, one in known.items() if one.sharp is not None}

    def place(ranks: dict[str, int]) -> pl.Expr:
        return pl.col("reason").replace_strict(
            ranks, default=None, return_dtype=pl.Int32
        )

    # what is short and sharp is named before what is unusual, what lasts after it
    kind = (
        pl.when(place(first).is_not_null())
        .then(0)
        .when(place(sharp).is_null())
        .then(2)
        .when(length <= MAX_STREET_EVENT)
        .then(1)
        .otherwise(3)
    )
    return kind * 1000 + pl.coalesce(place(first), place(sharp), 0)


def _numbers(labelled: pl.DataFrame) -> pl.DataFrame:
    """The number that each group keeps, if any."""
    return (
        labelled.drop_nulls("anomaly_case_id")
        .unique("anomaly_case_id", keep="first", maintain_order=True)
        .group_by("group")
        .agg(pl.col("anomaly_case_id").min())
    )
