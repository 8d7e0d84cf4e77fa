"""The pages of all towns and of one town: the current state of its sites.

They show the sites on a map and in a list, with the open cases.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from analytics.reports.site_now import SiteNow, is_fresh, is_old
from analytics.reports.town import INDEX
from dashboards import addresses, describe
from dashboards.charts.charts import Chart, Table
from dashboards.figures.site_map import MAX_MARKS, Place, site_map
from dashboards.newest import newest_reading
from dashboards.states import STATES, State
from verkehrspuls.cases import Case
from verkehrspuls.language import UNKNOWN_FIGURE, Language
from verkehrspuls.quantities import COUNTED, ENVIRONMENT
from verkehrspuls.storage.case_lists import Counts, Where
from verkehrspuls.storage.environment import LatestValue
from verkehrspuls.storage.sites import Municipality, Site
from verkehrspuls.text import mark

#: more sites than these are grouped by town, those of one town are paged
MAX_SITES_LISTED: Final = 200
#: values of a station that its row shows
MAX_VALUES_SHOWN: Final = 3
_HOUR_S: Final = 3600
#: maximum open cases on a page
MAX_CASES_LISTED: Final = 100
#: addresses of all of them
_DATA: Final = (("JSON", "/api/v1/sites"), ("GeoJSON", "/api/v1/sites.geojson"))


@dataclass(frozen=True, slots=True)
class Line:
    """A site and how it stands; in words only where it is shown."""

    here: SiteNow
    #: how many cases are open at it
    cases: Counts
    language: Language
    now: datetime

    @property
    def site(self) -> Site:
        """The site."""
        return self.here.site

    @property
    def state(self) -> State:
        """Its state."""
        return STATES[self.here.state]

    @property
    def link(self) -> str:
        """The site's page."""
        return addresses.site(self.language.key, self.site.municipality, self.site.key)

    @property
    def quantities(self) -> str:
        """What is counted and measured."""
        language = self.language
        quantities = dict.fromkeys(c.quantity for c in self.site.channels)
        counted = [q for q in quantities if q in COUNTED]
        others = len(quantities) - len(counted)
        names = [language.quantities(counted)] if counted else []
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
        return ", ".join(names)

    @property
    def newest(self) -> str:
        """Newest whole hour: "812 veh/h, 17–18 h", or empty.

        If the hour cannot be scaled, its observed share is added.
        """
        language, hour = self.language, self.here.hour
        if hour is None:
            return ""
        text = language.phrase(
            "%(value)s, %(hour)s",
            value=f"{language.number(hour.volume)} {language.unit(hour.quantity)}",
            hour=_hour(hour.time, self.site.time_zone, language, now=self.now),
        )
        if hour.is_scaled:
            return text
        return language.phrase(
            "%(volume)s, %(share)s observed",
            volume=text,
            share=language.percent(hour.observed),
        )

    @property
    def measured(self) -> str:
        """Newest values of a station: "Water level 183 cm, 17–18 h", or empty.

        Where air is measured, its index and what decides it: "Air quality: moderate
        (NO₂), 17–18 h". What is much older than it should be is called old.
        """
        if air := self.here.air:
            return f"{self._quality(air)}, {self._when(air['time'], _HOUR_S)}"
        by_time: dict[tuple[datetime, int], list[str]] = {}
        for row in self.here.values[:MAX_VALUES_SHOWN]:
            interval = row.time, row.interval_s
            by_time.setdefault(interval, []).append(self._value(row))
        texts = [
            ", ".join([*values, self._when(*interval)])
            for interval, values in sorted(by_time.items(), reverse=True)
        ]
        if (more := len(self.here.values) - MAX_VALUES_SHOWN) > 0:
            texts.append(self.language.phrase("%(count)s more", count=more))
        return "; ".join(texts)

    def _quality(self, air: Mapping[str, Any]) -> str:
        language = self.language
        # a pollutant's name ends with its symbol
        symbol = language.quantity(air["decides"]).rpartition(" ")[2]
        word = INDEX.classes[air["level"]]
        return language.phrase(
            "Air quality: %(level)s (%(quantity)s)",
            level=language.phrase(word),
            quantity=symbol,
        )

    def _value(self, row: LatestValue) -> str:
        found, language = ENVIRONMENT[row.quantity], self.language
        digits = 0 if abs(row.mean) >= 100 else found.decimals
        number = language.number(row.mean, digits)
        return f"{language.quantity(found.key)} {number}\N{NO-BREAK SPACE}{found.unit}"

    def _when(self, time: datetime, interval_s: int) -> str:
        zone = self.site.time_zone
        if interval_s > _HOUR_S:
            text = self.language.phrase(
                "mean of %(count)s hours until %(time)s",
                count=self.language.number(interval_s / _HOUR_S),
                time=self.language.moment(time + timedelta(seconds=interval_s), zone),
            )
        else:
            text = _hour(time, zone, self.language, now=self.now)
        if not is_old(time, interval_s, now=self.now):
            return text
        return self.language.phrase("%(hour)s (old)", hour=text)

    @property
    def note(self) -> str:
        """Why there is no figure although messages come, or empty."""
        note = _NOTES.get(self.state.key)
        return self.language.phrase(note) if note else ""

    @property
    def compared(self) -> str:
        """Its share of what is usual, or empty where that is too little to compare."""
        hour = self.here.hour
        compared = self.here.state in ("more", "usual", "less")
        if hour is None or hour.share is None or not compared:
            return ""
        return self.language.phrase(
            "%(percent)s of usual", percent=self.language.percent(hour.share)
        )

    @property
    def heard(self) -> str:
        """When its newest message came, and what is not of now."""
        heard = self.site.last_received_at
        if not heard:
            return self.language.phrase(
                "message %(at)s", at=self.language.phrase("never")
            )
        if self.site.newest_reading_at and not is_fresh(self.site, self.now):
            return newest_reading(self.site, self.language, now=self.now)
        at = self.language.at(heard, self.site.time_zone, now=self.now)
        return self.language.phrase("message %(at)s", at=at)

    @property
    def faults(self) -> list[str]:
        """What of its registration cannot be used."""
        return [fault.in_language(self.language.key) for fault in self.site.faults]


@dataclass(frozen=True, slots=True)
class Group:
    """A town in place of its sites."""

    name: str
    link: str
    sites: int
    counts: Sequence[tuple[State, int]]
    cases: Counts


_NOTES: Final = {
    "mixed": mark("some of these days have far more than others, so none is usual"),
    "begun": mark("values appear as soon as an hour is full"),
    "daily": mark("its figures are by day, on its page"),
    "rejected": mark("the sensor is being set up or its messages are faulty"),
}


def lines(
    sites: Sequence[SiteNow],
    cases: Mapping[Where, Counts],
    language: Language,
    *,
    now: datetime,
) -> list[Line]:
    """Return a line for each site."""
    return [
        Line(
            here=here,
            cases=cases.get((here.site.municipality, here.site.key), Counts()),
            language=language,
            now=now,
        )
        for here in sites
    ]


def groups(
    shown: Sequence[Line],
    municipalities: Sequence[Municipality],
    cases: Mapping[Where, Counts],
    language: Language,
) -> list[Group]:
    """Sum up sites by town, in the order of the towns."""
    by_town = _by_town(shown)
    return [
        Group(
            name=town.name,
            link=addresses.town(language.key, town.key),
            sites=len(inside),
            counts=counts(inside),
            cases=cases.get((town.key, None), Counts()),
        )
        for town in municipalities
        if (inside := by_town.get(town.key, []))
    ]


def _by_town(shown: Sequence[Line]) -> dict[str, list[Line]]:
    found: dict[str, list[Line]] = {}
    for line in shown:
        found.setdefault(line.site.municipality, []).append(line)
    return found


@dataclass(frozen=True, slots=True)
class Listed:
    """What of the sites a page lists: towns, or sites by town; and on which page."""

    groups: Sequence[Group]
    #: (town, its sites)
    towns: Sequence[tuple[Municipality, Sequence[Line]]]
    page: int = 1
    pages: int = 1
    #: where all are, where they are not all listed: (label, address)
    downloads: Sequence[tuple[str, str]] = ()


def listed(
    shown: Sequence[Line],
    municipalities: Sequence[Municipality],
    cases: Mapping[Where, Counts],
    language: Language,
    *,
    page: int,
) -> Listed:
    """Choose what a page lists: up to MAX_SITES_LISTED sites, else towns or a part."""
    grouped = len(municipalities) > 1 and len(shown) > MAX_SITES_LISTED
    every: Sequence[Any] = (
        groups(shown, municipalities, cases, language) if grouped else shown
    )
    pages = max(1, -(-len(every) // MAX_SITES_LISTED))
    page = min(page, pages)
    part = every[(page - 1) * MAX_SITES_LISTED : page * MAX_SITES_LISTED]
    query = f"?municipality={municipalities[0].key}" if municipalities[1:] == [] else ""
    by_town = {} if grouped else _by_town(part)
    return Listed(
        groups=part if grouped else (),
        towns=[(town, by_town.get(town.key, [])) for town in municipalities]
        if not grouped
        else (),
        page=page,
        pages=pages,
        downloads=[(label, address + query) for label, address in _DATA]
        if len(shown) > MAX_SITES_LISTED
        else (),
    )


def _hour(time: datetime, zone: str, language: Language, *, now: datetime) -> str:
    """Format an hour; omit its day if it is unambiguous."""
    full = language.hour(time, zone)
    return full.rpartition(", ")[2] if now - time < timedelta(hours=12) else full


def counts(shown: Sequence[Line]) -> list[tuple[State, int]]:
    """Return how many sites are in each state that occurs: the map's legend."""
    numbers = Counter(line.state.key for line in shown)
    return [(found, numbers[key]) for key, found in STATES.items() if numbers[key]]


def sentence(shown: Sequence[Line], cases: Counts, language: Language) -> str:
    """Return what the page shows and how good the data is."""
    counts = Counter(line.state.key for line in shown)
    reporting = len(shown) - counts["none"] - counts["late"] - counts["rejected"]
    sites = language.plural("%(count)s site", "%(count)s sites", len(shown))
    text = language.plural(
        "%(count)s of %(sites)s reports in time.",
        "%(count)s of %(sites)s report in time.",
        reporting,
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
    return f"{text} {describe.open_cases_sentence(cases, language)}".rstrip()


def map_chart(
    shown: Sequence[Line],
    language: Language,
    *,
    municipalities: Sequence[Municipality],
    listed: Listed,
) -> Chart:
    """Draw the map; with several towns marks are moved apart and towns named.

    Its table is of what the page lists. A site without coordinates is in it only.
    """
    placed = [
        (line, line.site.latitude, line.site.longitude)
        for line in shown
        if line.site.latitude is not None and line.site.longitude is not None
    ]
    clustered = len(placed) > MAX_MARKS
    places = [
        Place(
            name=line.site.name,
            latitude=latitude,
            longitude=longitude,
            road=line.site.road,
            town=line.site.municipality_name,
            state=line.state.key,
            words=(language.phrase(line.state.word),)
            if clustered
            else tuple(
                filter(
                    None,
                    (
                        language.phrase(line.state.word),
                        line.newest or line.measured,
                        line.compared,
                    ),
                )
            ),
            link=line.link,
        )
        for line, latitude, longitude in placed
    ]
    spread = len(municipalities) > 1
    note = language.phrase(
        "The newest whole hour compared with what is usual for it: more is above "
        "125 %, less below 75 %, where chance does not explain it."
    )
    if clustered:
        note += " " + language.phrase(
            "Sites close together share a mark, which shows the state of most of them."
        )
    else:
        note += " " + language.phrase(
            "Marks that would cover each other are moved apart."
        )
    if not spread:
        note += " " + language.phrase(
            "Where there is no room for a name, the list below has it."
        )
        if not clustered:
            note += " " + language.phrase(
                "Lines connect the sites of a road; they do not show its course."
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
        table=_table(listed, language),
        note=note,
        downloads=listed.downloads,
    )


def _table(listed: Listed, language: Language) -> Table:
    """Return the map's table: towns with their sites by state, or sites."""
    if listed.groups:
        head = [language.phrase("Municipality"), language.phrase("Sites")]
        head += [language.phrase(state.word) for state in STATES.values()]
        rows = []
        for group in listed.groups:
            numbers = dict(group.counts)
            cells = [group.sites, *(numbers.get(s, 0) for s in STATES.values())]
            rows.append((group.name, *map(language.number, cells)))
        return Table(head, rows)
    head = [
        language.phrase("Site"),
        language.phrase("Municipality"),
        language.phrase("State"),
        language.phrase("Latitude, longitude"),
    ]
    return Table(
        head,
        [
            (
                line.site.name,
                line.site.municipality_name,
                language.phrase(line.state.word),
                f"{line.site.latitude:.4f}, {line.site.longitude:.4f}"
                if line.site.latitude is not None
                else UNKNOWN_FIGURE,
            )
            for _, inside in listed.towns
            for line in inside
        ],
    )


def case_lines(
    cases: Sequence[Case],
    zones: Mapping[tuple[str, str], str],
    language: Language,
) -> list[dict[str, str]]:
    """Open cases as sentences, with where they lead."""
    return [
        {
            "site": case.site_name,
            "link": addresses.site_of(language.key, case),
            "sentence": describe.case(
                case, language, zone=zones[case.municipality, case.site]
            ),
            "state": describe.case_state(case, language),
            "level": case.severity,
            "severity": describe.severity(case, language),
            "details": addresses.case(language.key, case.anomaly_case_id),
        }
        for case in cases
        if (case.municipality, case.site) in zones
    ]
