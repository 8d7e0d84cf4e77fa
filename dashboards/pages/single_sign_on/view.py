"""What pages of single sign-on say."""

from typing import Final, Literal, NamedTuple

from fastapi import Request, Response

from dashboards.render import render
from verkehrspuls.access.provider import Reason
from verkehrspuls.language import Language
from verkehrspuls.text import mark


class Advice(NamedTuple):
    """What somebody who is not logged in can do."""

    text: str
    #: whether to begin anew may help
    again: bool


#: by why somebody is not logged in
ADVICE: Final[dict[Reason | Literal["unavailable"], Advice]] = {
    "stale": Advice(
        mark(
            "The login took longer than ten minutes, or was finished before. Begin "
            "again."
        ),
        again=True,
    ),
    "denied": Advice(
        mark("The login was cancelled. Nothing was changed."),
        again=True,
    ),
    "invalid": Advice(
        mark(
            "The answer of your organisation's login service could not be verified. "
            "Begin again; if it happens again, inform the operator."
        ),
        again=True,
    ),
    "unknown": Advice(
        mark(
            "Your organisation knows you, but here you have no account yet. Ask an "
            "administrator of your municipality to invite you."
        ),
        again=False,
    ),
    "unverified": Advice(
        mark(
            "Your organisation's login service gave no verified e-mail address, so "
            "your account cannot be found. Inform the operator."
        ),
        again=False,
    ),
    "not-linked": Advice(
        mark(
            "There is an account with your e-mail address already. Log in with its "
            "password, and link it on the page of your account."
        ),
        again=False,
    ),
    "taken": Advice(
        mark(
            "Your account, or the one at your organisation, is linked with another "
            "one. Ask the operator to unlink it."
        ),
        again=False,
    ),
    "disabled": Advice(
        mark("Your account is disabled. Ask an administrator of your municipality."),
        again=False,
    ),
    "unavailable": Advice(
        mark(
            "Your organisation's login service does not answer at the moment. Try "
            "again in a few minutes, or log in with a password."
        ),
        again=True,
    ),
}


#: why an account stays linked
PASSWORD_FIRST: Final = mark(
    "Your account stays linked: without a password you could not log in any more. "
    "Choose one first."
)


def button(request: Request, language: Language) -> str | None:
    """Return the words of what leads to the provider; None where there is none."""
    if getattr(request.app.state, "provider", None) is None:
        return None
    settings = request.app.state.settings.oidc
    words: str = getattr(settings, f"button_{language.key}", settings.button_en)
    return words


def onward_page(request: Request, language: Language, address: str) -> Response:
    """Lead to the provider after a form, whose own answer may lead here only."""
    response = render(
        request, language, "pages/single_sign_on/onward.html", onward=address
    )
    response.headers["Cache-Control"] = "no-store"
    return response
