"""Manual counts: the list of a site, counting on the phone, and the decision."""

from datetime import datetime
from typing import Any
from uuid import uuid4

import msgspec
from fastapi import Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from analytics.reports.manual_count import decide, report_manual_count
from api import session
from dashboards import addresses
from dashboards.forms import Form, Person, Posted, Sent
from dashboards.pages.count.view import count_page, counts_page, moment_in
from dashboards.render import LanguageKey, Now, database_of, page_router
from verkehrspuls.errors import BadParameter, UsageError
from verkehrspuls.language import Language
from verkehrspuls.manual_counts import Tap
from verkehrspuls.registry import manual_counts
from verkehrspuls.registry.manual_counts import Tallies
from verkehrspuls.storage.sites import read_site

router = page_router()


@router.get("/{language:language}/count/{municipality}/{site}")
def counts(
    request: Request,
    language: LanguageKey,
    municipality: str,
    site: str,
    person: Person,
) -> Response:
    """List the manual counts of a site, and offer to begin one."""
    return _counts(request, language, municipality, site, Form())


@router.post("/{language:language}/count/{municipality}/{site}")
def begin(
    request: Request,
    language: LanguageKey,
    municipality: str,
    site: str,
    sent: Sent,
    now: Now,
) -> Response:
    """Begin a manual count."""
    names = ("counted_by", "note")
    form = Form({name: sent.text(name)[:200] for name in names})
    try:
        with session.transaction_for(request, sent.visit.viewer)() as connection:
            count = manual_counts.start(
                connection, municipality, site, at=now, **dict(form.values)
            )
    except (BadParameter, manual_counts.NothingCounted) as error:
        form.refuse(error, Language(language), now=now)
        return _counts(request, language, municipality, site, form)
    return _to(language, municipality, site, count.number)


@router.get("/{language:language}/count/{municipality}/{site}/{count}")
def counting(
    request: Request,
    language: LanguageKey,
    municipality: str,
    site: str,
    count: int,
    person: Person,
    now: Now,
) -> Response:
    """Show a manual count: buttons while it goes on, then the comparison."""
    return _count(request, language, municipality, count, now, Form())


@router.post("/{language:language}/count/{municipality}/{site}/{count}")
def act(
    request: Request,
    language: LanguageKey,
    municipality: str,
    site: str,
    count: int,
    sent: Sent,
    now: Now,
) -> Response:
    """Count, undo, end or decide; scripts send many taps at once, and get JSON."""
    act = sent.text("act")
    by_script = request.headers.get("accept", "").startswith("application/json")
    form = Form()
    try:
        if act == "decide":
            _decide(request, sent, municipality, count, now=now)
            answer: dict[str, Any] = {}
        else:
            answer = _do(request, sent, act, municipality, count, now=now)
    except UsageError as error:
        form.refuse(error, Language(language), now=now)
        answer = {"refused": form.general or " ".join(form.errors.values())}
    if by_script:
        fresh = {"form_token": sent.visit.form_token(), "now": now.isoformat()}
        return JSONResponse(answer | fresh)
    if form.status != 200:
        return _count(request, language, municipality, count, now, form)
    return _to(language, municipality, site, count)


def _do(
    request: Request,
    sent: Posted,
    act: str,
    municipality: str,
    number: int,
    *,
    now: datetime,
) -> dict[str, Any]:
    """Do what changes the count itself; return what a script is told of it."""
    of = (municipality, number)
    with session.transaction_for(request, sent.visit.viewer)() as connection:
        if act == "end":
            at = moment_in(sent.text("at")) or now
            manual_counts.end(connection, *of, at=min(at, now))
            return {"ended": True}
        if act == "undo":
            manual_counts.undo(connection, *of, now=now)
        taps = _taps(sent, now)
        return {
            "tallies": _named(manual_counts.put_taps(connection, *of, taps, now=now))
        }


def _taps(sent: Posted, now: datetime) -> list[Tap]:
    """Return the taps of a script, or the one of a button."""
    if text := sent.text("taps"):
        try:
            return msgspec.json.decode(text, type=list[Tap])
        except msgspec.DecodeError as error:
            raise UsageError(reason=str(error)) from error
    if not sent.text("tap"):
        return []
    quantity, direction, vehicle = (*sent.text("tap").split("/"), "", "")[:3]
    fields = {"id": sent.text("id"), "at": now, "vehicle": vehicle}
    fields |= {"quantity": quantity, "direction": direction}
    try:
        return [msgspec.convert(fields, Tap, strict=False)]
    except msgspec.ValidationError as error:
        raise UsageError(reason=str(error)) from error


def _decide(
    request: Request, sent: Posted, municipality: str, number: int, *, now: datetime
) -> None:
    decide(
        database_of(request),
        session.transaction_for(request, sent.visit.viewer),
        municipality,
        number,
        accepted=sent.text("accepted") == "yes",
        calibrate=sent.text("calibrate") == "yes",
        since=moment_in(sent.text("since")),
        remark=sent.text("remark")[:1000],
        now=now,
        rates=request.app.state.settings.acceptance,
    )


def _named(tallies: Tallies) -> dict[str, int]:
    return {"/".join(key): vehicles for key, vehicles in tallies.items()}


def _counts(
    request: Request, language: str, municipality: str, site: str, form: Form
) -> Response:
    with database_of(request).connection() as connection:
        found = manual_counts.list_counts(connection, municipality, site)
        place = read_site(connection, municipality, site)
    return counts_page(request, Language(language), place, found, form)


def _count(
    request: Request,
    language: str,
    municipality: str,
    number: int,
    now: datetime,
    form: Form,
) -> Response:
    report = report_manual_count(
        database_of(request),
        municipality,
        number,
        now=now,
        rates=request.app.state.settings.acceptance,
    )
    return count_page(request, Language(language), report, form, now=now, id=uuid4())


def _to(language: str, municipality: str, site: str, number: int) -> RedirectResponse:
    return RedirectResponse(addresses.count(language, municipality, site, number), 303)
