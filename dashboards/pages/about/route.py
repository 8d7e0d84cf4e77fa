"""The page on what is measured, and why."""

from typing import Final

from fastapi import Request, Response

from dashboards.language import Language
from dashboards.pages.towns.standing import known_towns
from dashboards.render import LanguageKey, Link, page_router, render
from verkehrspuls.text import mark

router = page_router()
LINK: Final = Link(mark("About the data"), "about", header=True)


@router.get("/{language:language}/about")
def about(request: Request, language: LanguageKey) -> Response:
    """Show what is measured, and why."""
    return render(
        request,
        Language(language),
        f"pages/about/about.{language}.html",
        of=known_towns(request),
    )
