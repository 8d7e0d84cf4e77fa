"""Logging in: the page that asks for it, and what comes after it.

Who opens a page that needs an account, or sends a form after the session has ended, is
asked to log in there. What was typed travels along in the pages for logging in, and is
sent again by a button.
"""

from typing import Final, NamedTuple

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from api import session
from api.viewer import Visit, visit_of
from dashboards import addresses
from dashboards.addresses import NEXT
from dashboards.forms import TOKEN_FIELD, Form, LoginNeeded, Values
from dashboards.language import Language
from dashboards.pages.single_sign_on.view import button
from dashboards.render import preferred, query_of, render
from verkehrspuls.access import sessions, totp
from verkehrspuls.access.sessions import Begun
from verkehrspuls.locales import locales

#: begins the names of fields that say what to send there
TYPED: Final = "typed."
#: parts of names of fields that are typed again
_SECRET: Final = ("password", "code", "secret", TOKEN_FIELD)


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
    first = request.url.path.removeprefix("/").partition("/")[0]
    language = Language(first if first in locales() else preferred(request))
    query = query_of(request)
    here = f"{request.url.path}{'?' * bool(query)}{query}"
    if error.values is None:
        if visit_of(request):
            return second_factor_page(request, language, After(here))
        return RedirectResponse(addresses.login(language.key, here), 303)
    typed = tuple(
        (name, text)
        for name, text in error.values.multi_items()
        if not any(part in name for part in _SECRET)
    )
    then = After(here, typed)
    visit = visit_of(request)
    if visit is None:
        form = Form(general=language.phrase("You were logged out in the meantime."))
        return login_page(request, language, then, form)
    if not visit.session.is_complete:
        return second_factor_page(request, language, then)
    # it is a form of an earlier session
    return _resume_page(request, language, then)


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
    )
    response.status_code = form.status
    response.headers["Cache-Control"] = "no-store"
    return response


def second_factor_page(
    request: Request, language: Language, then: After, form: Form | None = None
) -> Response:
    """Ask for a code; where there is no second factor yet, have one set up."""
    visit, form = visit_of(request), form or Form()
    assert visit is not None  # noqa: S101 - a session waits for it
    setup = None
    if not visit.session.has_second_factor:
        setup = Setup.of(visit, form.values.get("secret", ""))
    response = render(
        request,
        language,
        "pages/login/second_factor.html",
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
    viewer = sessions.viewer_of(begun.id)
    with request.app.state.database.connection(viewer) as connection:
        found = sessions.find(connection)
    assert found is not None  # noqa: S101 - it has just begun
    request.state.visit = Visit(begun.id, found)
    response: Response
    if not begun.is_complete:
        response = second_factor_page(request, language, then)
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
        shown=[text for _, text in then.typed if text],
    )
