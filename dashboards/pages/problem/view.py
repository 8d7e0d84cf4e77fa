"""The page of an error: what happened, and what to do."""

from typing import Final

from fastapi import Request, Response

from api.problems import Problem
from api.session import SAFE
from dashboards.pages.towns.standing import known_towns
from dashboards.render import preferred, render
from verkehrspuls.language import Language
from verkehrspuls.locales import locales
from verkehrspuls.text import is_translated, mark

#: heading and advice, by status
_PROBLEMS: Final = {
    403: (
        mark("This is not allowed"),
        mark(
            "Your role does not permit it, or it was sent from elsewhere. Passwords "
            "are sent over HTTPS only."
        ),
    ),
    404: (
        mark("There is nothing here"),
        mark("The address may be mistyped, or the site is not public."),
    ),
    422: (
        mark("This cannot be shown"),
        mark("Something in the address is wrong. Choose the period again."),
    ),
    429: (
        mark("Too many requests"),
        mark(
            "More came from your network, or with your account, than is taken in a "
            "minute."
        ),
    ),
    503: (
        mark("The data cannot be reached"),
        mark("The database does not answer at the moment. Reload in a few seconds."),
    ),
}
_OTHER_PROBLEM: Final = (
    mark("Something went wrong"),
    mark(
        "The server made an error. Try again; if it happens again, inform the operator."
    ),
)


def problem_page(request: Request, problem: Problem) -> Response:
    """Show an error as a page, with what to do."""
    first = request.url.path.removeprefix("/").partition("/")[0]
    language = Language(first if first in locales() else preferred(request))
    errors = problem.errors or ()
    # a mistake in the path means that there is no such page
    astray = any(error.pointer.startswith("#/path/") for error in errors)
    status = 404 if astray else problem.status
    heading, advice = _PROBLEMS.get(status, _OTHER_PROBLEM)
    # a text without a translation is for programs
    details = [
        f"{error.in_language(language.key).removesuffix('.')}."
        for error in errors
        if is_translated(error.text.removesuffix("."), "de")
    ]
    if problem.retry_s and status == 429:
        details.append(
            language.plural(
                "Try again in %(count)s second.",
                "Try again in %(count)s seconds.",
                problem.retry_s,
            )
        )
        if request.method not in SAFE:
            details.append(
                language.phrase("The form was not taken: go back and send it again.")
            )
    response = render(
        request,
        language,
        "pages/problem/problem.html",
        # for the note on simulated data; it is not worth a query to those who sent too
        # many requests, and without a database it is unknown
        of=known_towns(request) if status < 429 else (),
        problem=problem,
        heading=language.phrase(heading),
        advice=language.phrase(advice),
        details=details,
        again=request.url.path if status == 422 else None,
        # without the query, which may be the mistake
        address=request.url.path,
    )
    response.status_code = status
    response.headers["Vary"] = "Accept-Language"
    return response
