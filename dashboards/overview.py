"""The pages of all towns and of one town: how its sites stand now.

They show them on a map and in a list, with the cases that are open.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from dashboards import describe
from dashboards.charts import Chart, Table
from dashboards.figures.site_map import Place, site_map
from dashboards.language import NO_FIGURE, Language
from dashboards.states import STATES, State, relative, state
from verkehrspuls.quantities import COUNTED


@dataclass(frozen=True, slots=True)
class Line:
    """A site in the list."""

    site: Mapping[str, Any]
    state: State
    quantities: str
    #: newest whole hour: "812 veh/h, 17–18 h", or empty
    newest: str
    compared: str
    heard: str
    link: str
    open_cases: int


def lines(
    sites: Sequence[Mapping[str, Any]],
    newest: pl.DataFrame,
    cases: Sequence[Mapping[str, Any]],
    language: Language,
    *,
    now: datetime,
) -> list[Line]:
    """Tell how each site stands. A site that counts several things: its first one."""
    hours: dict[int, dict[str, Any]] = {}
    order = list(COUNTED)
    for row in newest.to_dicts():
        held = hours.get(row["site_id"])
        if held is None or order.index(row["quantity"]) < order.index(held["quantity"]):
            hours[row["site_id"]] = row
    return [
        _line(site, hours.get(site["site_id"]), cases, language, now=now)
        for site in sites
    ]


def _line(
    site: Mapping[str, Any],
    newest: Mapping[str, Any] | None,
    cases: Sequence[Mapping[str, Any]],
    language: Language,
    *,
    now: datetime,
) -> Line:
    standing = state(site, newest, now=now)
    hour = compared = ""
    if newest is not None:
        hour = language.phrase(
            "%(value)s, %(hour)s",
            value=f"{language.number(newest['volume'])} "
            f"{language.unit(newest['quantity'])}",
            hour=_hour(newest["time"], site["time_zone"], language, now=now),
        )
        ratio = relative(newest)
        if ratio is not None and standing.key in ("more", "usual", "less"):
            compared = language.phrase(
                "%(percent)s of usual", percent=language.percent(ratio)
            )
    heard = site["last_received_at"]
    quantities = dict.fromkeys(c["quantity"] for c in site["channels"])
    counted = [q for q in quantities if q in COUNTED]
    others = len(quantities) - len(counted)
    names = [language.quantity(q) for q in counted]
    if others == 1 and not counted:
        names = [language.quantity(next(iter(quantities)))]
    elif others:
        names.append(
            language.plural(
                "%(count)s environment quantity",
                "%(count)s environment quantities",
                others,
            )
        )
    return Line(
        site=site,
        state=standing,
        quantities=", ".join(names),
        newest=hour,
        compared=compared,
        heard=language.age(now - heard) if heard else language.phrase("never"),
        link=f"/{language.key}/{site['municipality']}/{site['key']}",
        open_cases=sum(
            case["site"] == site["key"] and case["municipality"] == site["municipality"]
            for case in cases
        ),
    )


def _hour(time: datetime, zone: str, language: Language, *, now: datetime) -> str:
    """Write an hour; without its day where it cannot be mistaken."""
    full = language.hour(time, zone)
    return full.rpartition(", ")[2] if now - time < timedelta(hours=12) else full


def counts(shown: Sequence[Line]) -> list[tuple[State, int]]:
    """How many sites are in each state that occurs: the map's legend."""
    return [
        (found, number)
        for found in STATES.values()
        if (number := sum(line.state is found for line in shown))
    ]


def sentence(
    shown: Sequence[Line], cases: Sequence[Mapping[str, Any]], language: Language
) -> str:
    """What the page shows and how good the data is."""
    counts = {key: sum(line.state.key == key for line in shown) for key in STATES}
    reporting = len(shown) - counts["none"] - counts["late"]
    sites = language.plural("%(count)s site", "%(count)s sites", len(shown))
    text = language.phrase(
        "%(reporting)s of %(sites)s report in time.",
        reporting=language.number(reporting),
        sites=sites,
    )
    compared = [
        f"{language.number(counts[key])} {language.phrase(STATES[key].word)}"
        for key in ("more", "less", "usual")
        if counts[key]
    ]
    if compared:
        text += " " + language.phrase(
            "In the newest whole hour: %(sites)s.", sites=", ".join(compared)
        )
    if cases:
        text += " " + language.plural(
            "%(count)s case is open.", "%(count)s cases are open.", len(cases)
        )
    return text


def map_chart(
    shown: Sequence[Line],
    language: Language,
    *,
    municipalities: Sequence[Mapping[str, Any]] = (),
) -> Chart:
    """The map; with several municipalities marks are moved apart and towns named.

    A site without coordinates is in the table only.
    """
    placed = [line for line in shown if _located(line.site)]
    places = [
        Place(
            name=line.site["name"],
            latitude=line.site["latitude"],
            longitude=line.site["longitude"],
            road=line.site["road"],
            town=line.site["municipality_name"],
            state=line.state.key,
            words=tuple(
                filter(
                    None,
                    (language.phrase(line.state.word), line.newest, line.compared),
                )
            ),
            link=line.link,
        )
        for line in placed
    ]
    spread = len(municipalities) > 1
    rows = [
        (
            line.site["name"],
            line.site["municipality_name"],
            language.phrase(line.state.word),
            f"{line.site['latitude']:.4f}, {line.site['longitude']:.4f}"
            if _located(line.site)
            else NO_FIGURE,
        )
        for line in shown
    ]
    head = (
        language.phrase("Site"),
        language.phrase("Municipality"),
        language.phrase("State"),
        language.phrase("Latitude, longitude"),
    )
    note = language.phrase(
        "The newest whole hour compared with what is usual for it: more is above "
        "125 %, less below 75 %."
    )
    if spread:
        note += " " + language.phrase(
            "Marks that would cover each other are moved apart."
        )
    else:
        note += " " + language.phrase(
            "Lines join the sites of one road; they are not the course of the road."
        )
    if missing := len(shown) - len(placed):
        note += " " + language.plural(
            "%(count)s site has no coordinates and is not on the map.",
            "%(count)s sites have no coordinates and are not on the map.",
            missing,
        )
    return Chart(
        key="map",
        heading=language.phrase("Where is there more or less traffic than usual?"),
        sentence="",
        figure=site_map(places, language, spread=spread, height=560 if spread else 420)
        if places
        else None,
        table=Table(head, rows),
        note=note,
    )


def _located(site: Mapping[str, Any]) -> bool:
    return site["latitude"] is not None and site["longitude"] is not None


def case_lines(
    cases: Sequence[Mapping[str, Any]],
    zones: Mapping[tuple[str, str], str],
    language: Language,
) -> list[dict[str, str]]:
    """Open cases as sentences, with where they lead."""
    return [
        {
            "site": case["site_name"],
            "link": f"/{language.key}/{case['municipality']}/{case['site']}",
            "sentence": describe.case(
                case, language, zone=zones[case["municipality"], case["site"]]
            ),
            "state": describe.case_state(case, language),
            "level": case["severity"],
            "severity": describe.severity(case, language),
            "details": f"/{language.key}/case/{case['anomaly_case_id']}",
        }
        for case in cases
        if (case["municipality"], case["site"]) in zones
    ]
