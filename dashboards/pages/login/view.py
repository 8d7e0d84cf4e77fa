"""Logging in: the page that asks for it, and what comes after it.

Who opens a page that needs an account, or sends a form after the session has ended, is
asked to log in there. What was typed travels along in the pages for logging in, and is
sent again by a button.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from api import problems, session
from api.viewer import Visit, is_unsure, visit_of
from dashboards import acts, addresses
from dashboards.addresses import NEXT
from dashboards.forms import TOKEN_FIELD, Form, LoginNeeded, Values
from dashboards.pages.passkeys.view import are_usable
from dashboards.pages.single_sign_on.view import button
from dashboards.render import database_of, language_of, query_of, render
from verkehrspuls.access import sessions, totp
from verkehrspuls.access.permissions import ROLE_NAMES
from verkehrspuls.access.sessions import Begun
from verkehrspuls.errors import DatabaseUnavailable
from verkehrspuls.language import Language
from verkehrspuls.text import mark

#: begins the names of fields that say what to send there
TYPED: Final = "typed."
#: parts of names of fields that are typed again
_SECRET: Final = ("password", "code", "secret", TOKEN_FIELD)
#: by name of a field that is shown before it is sent again: what it is called, and its
#: choices in words
_SHOWN: Final[Mapping[str, tuple[str, Mapping[Any, str]]]] = {
    "act": (mark("To be done"), acts.ACTS),
    "effect": (mark("Effect on figures"), acts.EFFECT_NAMES),
    "comment": (mark("Comment"), {}),
    "email": (mark("E-mail"), {}),
    "name": (mark("Name"), {}),
    "role": (mark("Role"), ROLE_NAMES),
    "town": (mark("Municipality"), {}),
    "sensor": (mark("Sensor"), {}),
    "days": (mark("Days that it is valid"), {}),
}


class After(NamedTuple):
    """What comes after logging in."""

    #: the address
    next: str
    #: the form to be sent there
    typed: tuple[tuple[str, str], ...] = ()

    @property
    def fields(self) -> tuple[tuple[str, str], ...]:
        """What a page for logging in passes on."""
        typed = ((f"{TYPED}{name}", text) for name, text in self.typed)
        return ((NEXT, self.next), *typed)


def after(values: Values, language: Language) -> After:
    """Read from a form what comes after logging in."""
    typed = tuple(
        (name.removeprefix(TYPED), text)
        for name, text in values.multi_items()
        if name.startswith(TYPED)
    )
    return After(addresses.after_login(language.key, values.get(NEXT, "")), typed)


def ask(request: Request, error: Exception) -> Response:
    """Ask somebody to log in, who wanted something that needs it."""
    assert isinstance(error, LoginNeeded)  # noqa: S101 - registered for it
    if is_unsure(request):
        reason = "sessions cannot be looked up"
        return problems.own(request, DatabaseUnavailable(reason=reason))
    language = language_of(request)
    query = query_of(request)
    here = f"{request.url.path}{'?' * bool(query)}{query}"
    visit = visit_of(request)
    if error.values is None:
        if visit and visit.session.is_complete:
            return RedirectResponse(here, 303)
        if visit:
            return second_factor_page(request, language, After(here), Form())
        return RedirectResponse(addresses.login(language.key, here), 303)
    typed = tuple(
        (name, text)
        for name, text in error.values.multi_items()
        if not any(part in name for part in _SECRET)
    )
    then = After(here, typed)
    if visit and visit.session.is_complete:
        # it is a form of an earlier session
        return _resume_page(request, language, then)
    form = Form(status=401)
    if visit is None:
        form.general = language.phrase(
            "You were logged out in the meantime. What you typed is kept: log in, and "
            "you can send it."
        )
    return ask_again(request, language, then, form)


def ask_again(
    request: Request, language: Language, then: After, form: Form
) -> Response:
    """Show the page for logging in, or what comes after it, as far as somebody is."""
    visit = visit_of(request)
    if visit is None:
        return login_page(request, language, then, form)
    if not visit.session.is_complete:
        return second_factor_page(request, language, then, form)
    return RedirectResponse(then.next, 303)


def login_page(
    request: Request, language: Language, then: After, form: Form
) -> Response:
    """Ask for e-mail and password."""
    response = render(
        request,
        language,
        "pages/login/login.html",
        then=then,
        form=form,
        single_sign_on=button(request, language),
        passkeys=are_usable(request),
    )
    response.status_code = form.status
    response.headers["Cache-Control"] = "no-store"
    return response


def second_factor_page(
    request: Request, language: Language, then: After, form: Form
) -> Response:
    """Ask for the second factor; where there is none yet, have one set up."""
    visit = visit_of(request)
    assert visit is not None  # noqa: S101 - a session waits for it
    setup = None
    if not visit.session.has_second_factor:
        setup = Setup.of(visit, form.values.get("secret", ""))
    with database_of(request).connection() as connection:
        factors = sessions.factors(connection)
    response = render(
        request,
        language,
        "pages/login/second_factor.html",
        factors=factors,
        passkeys=are_usable(request),
        then=then,
        form=form,
        setup=setup,
    )
    response.status_code = form.status
    return response


class Setup(NamedTuple):
    """A secret that an app on the telephone reads."""

    secret: str
    #: of the secret, for a link on the telephone itself
    address: str
    #: as a square to be photographed
    picture: str

    @classmethod
    def of(cls, visit: Visit, known: str = "") -> "Setup":
        """Return a new secret for a person, or the one that was shown before."""
        import segno

        secret = totp.read(known) or totp.new_secret()
        address = totp.address(secret, visit.session.email)
        square = segno.make(address, error="m")
        picture = square.svg_inline(scale=5, border=4, light="#fff")
        return cls(totp.write(secret), address, picture)


def proceed(
    request: Request, language: Language, begun: Begun, then: After
) -> Response:
    """Go on after a session has begun, or got a new id."""
    session.take_over(request, begun.id)
    response: Response
    if not begun.is_complete:
        response = second_factor_page(request, language, then, Form())
    elif then.typed:
        response = _resume_page(request, language, then)
    else:
        response = RedirectResponse(then.next, 303)
    session.begin(request, response, begun.id)
    response.headers["Cache-Control"] = "no-store"
    return response


def _resume_page(request: Request, language: Language, then: After) -> Response:
    """Offer to send what was typed before."""
    return render(
        request,
        language,
        "pages/login/resume.html",
        then=then,
        shown=list(_in_words(then.typed, language)),
    )


def _in_words(
    typed: tuple[tuple[str, str], ...], language: Language
) -> Iterator[tuple[str, str]]:
    for name, text in typed:
        label, choices = _SHOWN.get(name, ("", {}))
        if text and label:
            words = language.phrase(choices[text]) if text in choices else text
            yield language.phrase(label), words
