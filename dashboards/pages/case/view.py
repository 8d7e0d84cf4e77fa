"""The page of an anomaly case: what is unusual, the evidence, and what became of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from analytics.cases import states
from analytics.cases.casework import Person
from analytics.detectors import detectors, reasons
from analytics.reports.case import Report
from dashboards import acts, addresses, describe
from dashboards.acts import Option
from dashboards.charts.charts import Chart, Table
from dashboards.charts.evidence import evidence_chart
from dashboards.steps import MAX_ROWS
from verkehrspuls.cases import CaseInFull, Change, Member
from verkehrspuls.language import UNKNOWN_FIGURE, Language
from verkehrspuls.quantities import COUNTED


@dataclass(frozen=True, slots=True)
class CasePage:
    """What the template shows."""

    heading: str
    sentence: str
    #: name and value
    facts: Sequence[tuple[str, str]]
    #: of the channel that names it
    course: Chart
    evidence: Table
    history: Table
    #: the site at the time of the case
    link: str


def case_page(report: Report, language: Language) -> CasePage:
    """Arrange the report of a case."""
    case = report.case
    zone = case.time_zone
    word = describe.case_word(case.reason, language)
    sentence = describe.case(case, language, zone=zone)
    effect = states.EFFECTS[case.effect]
    facts = [
        (language.phrase("State"), describe.case_state(case, language)),
        (language.phrase("Severity"), describe.severity(case, language)),
        (language.phrase("Began"), language.moment(case.began, zone)),
        (language.phrase("Last seen"), language.moment(case.ended, zone)),
        (
            language.phrase("Effect on figures"),
            language.phrase(effect),
        ),
    ]
    if case.assignee:
        facts.append((language.phrase("Assigned to"), case.assignee))
    return CasePage(
        heading=language.phrase(
            "Case %(number)s: %(word)s",
            number=case.anomaly_case_id,
            word=word,
        ),
        # it begins with what is counted, which English writes small
        sentence=sentence[0].upper() + sentence[1:],
        facts=facts,
        course=evidence_chart(report, language),
        evidence=_evidence(case, language),
        history=history(case.history, zone, language),
        link=_link(case, language),
    )


def _evidence(case: CaseInFull, language: Language) -> Table:
    zone = case.time_zone
    rows = [
        (
            f"{member.site_name}, {member.channel_name}",
            describe.case_word(member.reason, language)
            + (f" ({language.phrase('withdrawn')})" if member.withdrawn_at else ""),
            _figure(member, "observed", language),
            _figure(member, "usual", language),
            language.moment(member.began, zone),
            language.moment(member.ended, zone),
            language.number(member.score, 1),
            _detector(member.detector, language),
        )
        for member in case.members[:MAX_ROWS]
    ]
    head = (
        language.phrase("Channel"),
        language.phrase("Found"),
        language.phrase("Observed"),
        language.phrase("Usual"),
        language.phrase("From"),
        language.phrase("To"),
        language.phrase("Score"),
        language.phrase("Detector"),
    )
    if len(case.members) <= MAX_ROWS:
        return Table(head, rows)
    return Table(
        head, rows, f"/api/v1/cases/{case.anomaly_case_id}", of=len(case.members)
    )


def _detector(code: str, language: Language) -> str:
    known = detectors().get(code)
    return language.phrase(known.name) if known else code


def _figure(member: Member, name: str, language: Language) -> str:
    """A value with its unit; vehicles, bicycles and people are whole."""
    value: float | None = getattr(member, name)
    quantity = member.quantity
    if value is None:
        return UNKNOWN_FIGURE
    reason = reasons().get(member.reason)
    if reason and reason.is_speed:
        return f"{language.number(value)} km/h"
    if quantity in COUNTED:
        return f"{language.number(value)} {language.counted(quantity)}"
    return f"{language.number(value, 1)} {language.unit(quantity)}"


def history(changes: Sequence[Change], zone: str, language: Language) -> Table:
    """Arrange what became of a case."""
    rows = [
        (
            language.moment(event.at, zone),
            _kind(event, language),
            who(event, language),
            describe.case_state(event, language),
            describe.severity(event, language),
            event.comment,
        )
        for event in changes
    ]
    head = (
        language.phrase("Time"),
        language.phrase("Event"),
        language.phrase("By"),
        language.phrase("State"),
        language.phrase("Severity"),
        language.phrase("Comment"),
    )
    return Table(head, rows)


@dataclass(frozen=True, slots=True)
class Desk:
    """The form of who may decide the case."""

    #: states that the case can be moved to: value and text of each button
    buttons: Sequence[tuple[str, str]]
    effects: Sequence[Option]
    people: Sequence[Option]
    #: the decision that can be undone; empty: none can
    newest: str
    version: int
    #: a case that is withdrawn can be assigned and commented only
    is_withdrawn: bool


def desk(
    case: CaseInFull,
    people: Sequence[Person],
    typed: Mapping[str, str],
    language: Language,
) -> Desk:
    """Arrange the form; nothing in it would be refused, as the case stands."""
    is_withdrawn = case.withdrawn_at is not None
    allowed = states.allowed_states(case.state, is_withdrawn=is_withdrawn)
    to = typed.get("to") or (str(case.assigned_to) if case.assigned_to else "")
    return Desk(
        buttons=[(state, language.phrase(acts.STATE_ACTS[state])) for state in allowed],
        effects=acts.effects(typed.get("effect") or case.effect, language),
        people=acts.people(people, to, language),
        newest=_newest(case, language),
        version=case.version,
        is_withdrawn=is_withdrawn,
    )


def _newest(case: CaseInFull, language: Language) -> str:
    before = states.before_decision(case.history)
    if before is None:
        return ""
    newest = next(one for one in reversed(case.history) if one.kind == "decided")
    return language.phrase(
        "Newest decision: %(state)s, by %(who)s, %(moment)s. Before, the case was "
        "%(before)s.",
        state=describe.case_state(newest, language),
        who=who(newest, language),
        moment=language.moment(newest.at, case.time_zone),
        before=describe.case_state(before, language),
    )


def _link(case: CaseInFull, language: Language) -> str:
    zone = ZoneInfo(case.time_zone)
    first = case.began.astimezone(zone).date() - timedelta(days=1)
    until = case.ended.astimezone(zone).date() + timedelta(days=2)
    return (
        f"{addresses.site_of(language.key, case)}"
        f"?from={first}&to={until}&quantity={case.quantity}"
    )


def _kind(event: Change, language: Language) -> str:
    word = language.phrase(states.KINDS[event.kind])
    return f"{word}: {event.assignee}" if event.assignee else word


def who(event: Change, language: Language) -> str:
    """Write who did something: as what, and the name where it is shown."""
    role = language.phrase(states.ACTED_AS[event.acted_as])
    return role if event.who == event.acted_as else f"{event.who} ({role})"
