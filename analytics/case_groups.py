"""Groups of case members: what several detectors and channels tell of one cause.

Which members are together depends on the members alone, not on the order in which they
were found; only the number of a case is kept from one time to the next.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import polars as pl

from analytics.frames import GROUPED, MEMBERS, check
from analytics.severity import severity
from verkehrspuls.quantities import COUNTED

#: Members of one site belong together when no more than this lies between them.
LULL: Final = timedelta(hours=3)
#: Those of different sites only where they began within this time of each other, …
TOGETHER: Final = timedelta(hours=1)
#: … are this near, as the crow flies, …
NEAR_KM: Final = 3.0
#: … and were found by one of these; silence reaches over a whole municipality.
SPREADING: Final = (
    "incident",
    "congestion",
    "drop-out",
    "spike",
    "unusual-volume",
    "unusual-day",
)
#: What is unusual in the same way at so many sites of a municipality has one cause,
#: however far apart they are: weather, a strike.
COMMON_SITES: Final = 4
COMMON: Final = ("unusual-volume", "unusual-day")
#: Sensors that fall silent within this time of each other have one cause.
SILENT_TOGETHER: Final = timedelta(minutes=15)
#: Events of the street are named by what is short and sharp only up to this length.
SHORT: Final = timedelta(hours=6)

#: Reasons that name a case, the first that is found.
_NAMING: Final = (
    "silent",
    "stuck",
    "zeros",
    "swapped",
    "above-limit",
    "noise-without-cars",
    "cars-without-noise",
    "level-up",
    "level-down",
    "drift-up",
    "drift-down",
)
_SHARP: Final = ("incident-speed", "incident", "congestion", "no-traffic", "spike")
_KM_PER_DEGREE: Final = 111.2


@dataclass(frozen=True, slots=True)
class Groups:
    """GROUPED cases, and of each member (`case_member_id`) the `group` it is in."""

    cases: pl.DataFrame
    members: pl.DataFrame


def group(members: pl.DataFrame) -> Groups:
    """Join MEMBERS that have one cause.

    Members of a site and family are together when there is no more than a LULL between
    them; over sites see `TOGETHER` and `COMMON_SITES`. A group keeps the oldest number
    (`anomaly_case_id`) that its members had; where a case falls apart, the part that
    began first keeps it.
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
    return (
        pl.when(detector == "silence")
        .then(pl.lit("silence"))
        .when(detector.is_in(["level-shift", "drift"]))
        .then(pl.lit("level"))
        .when(counts | (detector == "odd-pair"))
        .then(pl.lit("traffic"))
        .otherwise(pl.lit("environment"))
    )


def _links(marked: pl.DataFrame) -> pl.DataFrame:
    """Pairs of members that belong together, both ways (`one`, `other`)."""
    columns = (
        "case_member_id",
        "municipality_id",
        "site_id",
        "latitude",
        "longitude",
        "family",
        "quantity",
        "detector",
        "reason",
        "began",
        "ended",
    )
    here = marked.select(columns)
    there = here.rename({name: f"{name}_2" for name in columns})
    same_site = pl.col("site_id") == pl.col("site_id_2")
    apart = (pl.col("began") - pl.col("began_2")).abs()
    spread = pl.all_horizontal(
        pl.col(name).is_in(SPREADING) for name in ("detector", "detector_2")
    )
    near = spread & (_km() <= NEAR_KM) & (apart <= TOGETHER)
    silent = (pl.col("family") == "silence") & (apart <= SILENT_TOGETHER)
    pairs = here.join_where(
        there,
        pl.col("began") <= pl.col("ended_2") + LULL,
        pl.col("ended") + LULL >= pl.col("began_2"),
        pl.col("municipality_id") == pl.col("municipality_id_2"),
        pl.col("family") == pl.col("family_2"),
    )
    alike = (apart <= TOGETHER) & pl.all_horizontal(
        pl.col(name) == pl.col(f"{name}_2")
        for name in ("detector", "reason", "quantity")
    )
    sites = pl.max_horizontal(
        pl.col(f"site_id{other}").filter(alike).n_unique().over(f"case_member_id{own}")
        for own, other in (("", "_2"), ("_2", ""))
    )
    common = alike & pl.col("detector").is_in(COMMON) & (sites >= COMMON_SITES)
    return pairs.filter(same_site | near | silent | common).select(
        one="case_member_id", other="case_member_id_2"
    )


def _km() -> pl.Expr:
    """Distance of two places; unknown places are near nothing."""
    north = pl.col("latitude") - pl.col("latitude_2")
    east = pl.col("longitude") - pl.col("longitude_2")
    east = east * pl.col("latitude").radians().cos()
    return ((north**2 + east**2).sqrt() * _KM_PER_DEGREE).fill_null(float("inf"))


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
    reason = pl.col("reason")
    order = pl.lit(len(_NAMING) + 1.0)
    for place, name in enumerate(_NAMING):
        order = pl.when(reason == name).then(pl.lit(place)).otherwise(order)
    for place, name in enumerate(_SHARP):
        # what is short and sharp is named before what is unusual, what lasts after it
        sharp = pl.when(length <= SHORT).then(place / 10).otherwise(2 + place)
        order = pl.when(reason == name).then(len(_NAMING) + sharp).otherwise(order)
    return order


def _numbers(labelled: pl.DataFrame) -> pl.DataFrame:
    """The number that each group keeps, if any."""
    return (
        labelled.drop_nulls("anomaly_case_id")
        .unique("anomaly_case_id", keep="first", maintain_order=True)
        .group_by("group")
        .agg(pl.col("anomaly_case_id").min())
    )
