"""The list of anomaly cases, as its template shows it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from analytics.cases import states
from analytics.cases.severity import LEVELS
from dashboards import addresses, describe
from dashboards.acts import STATE_ACTS, Option
from dashboards.describe import SEVERITIES
from verkehrspuls.cases import Case
from verkehrspuls.language import Language
from verkehrspuls.storage.case_lists import HISTORY, OPEN, UNDECIDED
from verkehrspuls.storage.sites import Municipality, Site
from verkehrspuls.text import mark


class Asked(NamedTuple):
    """Which cases a choice of the filter is for."""

    text: str
    standing: Sequence[str] | None
    state: str | None = None


#: choices of the filter, by their value in the address
STATES: Final[Mapping[str, Asked]] = {
    "": Asked(mark("to be looked at"), UNDECIDED),
    "suspected": Asked(states.STATES["suspected"], OPEN, "suspected"),
    "confirmed": Asked(states.STATES["confirmed"], None, "confirmed"),
    "explained": Asked(states.STATES["explained"], None, "explained"),
    "rejected": Asked(states.STATES["rejected"], None, "rejected"),
    "history": Asked(mark("found long after they ended"), HISTORY),
    "all": Asked(mark("all"), None),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which cases are listed, as the address says."""

    town: str = ""
    site: str = ""
    state: str = ""
    severity: str = ""
    mine: bool = False
    first: str = ""
    until: str = ""
    page: int = 1
    #: whether all of the page are selected
    all: bool = False

    def query(self, **other: Any) -> str:
        """Return the query of an address, with some parts changed."""
        parts = {
            "town": self.town,
            "site": self.site if self.town else "",
            "state": self.state,
            "severity": self.severity,
            "mine": "1" if self.mine else "",
            "from": self.first,
            "until": self.until,
            "page": self.page if self.page > 1 else "",
        } | other
        return urlencode({name: value for name, value in parts.items() if value})


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A case of the list."""

    number: int
    #: value of its checkbox; empty: the viewer may not decide it
    choice: str
    is_picked: bool
    #: why it stayed as it is
    reason: str
    site: str
    town: str
    sentence: str
    state: str
    severity: str
    level: str
    assignee: str
    when: str
    link: str


@dataclass(frozen=True, slots=True)
class Page:
    """The cases of a page, and what can be done with them."""

    rows: Sequence[Row]
    #: buttons of states that at least one of them can be moved to
    buttons: Sequence[tuple[str, str]]
    #: keys of municipalities whose cases can be decided
    towns: Sequence[str]
    can_undo: bool


def cases_page(
    cases: Sequence[Case],
    language: Language,
    *,
    may: Callable[[str], bool],
    picked: Mapping[int, int],
    reasons: Mapping[int, str],
    all_picked: bool,
) -> Page:
    """Arrange the list."""
    mine = [case for case in cases if may(case.municipality)]
    allowed = {
        state
        for case in mine
        for state in states.allowed_states(
            case.state, is_withdrawn=case.withdrawn_at is not None
        )
    }
    rows = [
        Row(
            number=case.anomaly_case_id,
            choice=f"{case.anomaly_case_id}.{case.version or 0}"
            if case in mine
            else "",
            is_picked=all_picked or case.anomaly_case_id in picked,
            reason=reasons.get(case.anomaly_case_id, ""),
            site=case.site_name,
            town=case.municipality,
            sentence=describe.case(case, language, zone=case.time_zone),
            state=describe.case_state(case, language),
            severity=describe.severity(case, language),
            level=case.severity,
            assignee=case.assignee or "",
            when=language.moment(case.began, case.time_zone),
            link=addresses.case(language.key, case.anomaly_case_id),
        )
        for case in cases
    ]
    return Page(
        rows=rows,
        buttons=[
            (state, language.phrase(text))
            for state, text in STATE_ACTS.items()
            if state in allowed
        ],
        towns=sorted({case.municipality for case in mine}),
        can_undo=any(case.state != states.SUSPECTED for case in mine),
    )


def filter_options(
    chosen: Filter,
    towns: Iterable[Municipality],
    sites: Iterable[Site],
    language: Language,
) -> dict[str, list[Option]]:
    """Return the choices of each part of the filter."""
    severities = [(one, language.phrase(SEVERITIES[one])) for one in reversed(LEVELS)]
    stands = [(key, language.phrase(one.text)) for key, one in STATES.items()]
    every = [("", language.phrase("all"))]
    return {
        "town": _options(every + [(one.key, one.name) for one in towns], chosen.town),
        "site": (
            _options(every + [(one.key, one.name) for one in sites], chosen.site)
            if chosen.town
            else []
        ),
        "state": _options(stands, chosen.state),
        "severity": _options(every + severities, chosen.severity),
    }


def _options(known: Iterable[tuple[str, str]], chosen: str) -> list[Option]:
    return [(key, text, key == chosen) for key, text in known]
