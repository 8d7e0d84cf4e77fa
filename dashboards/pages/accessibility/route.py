"""The page on accessibility."""

from typing import Final

from fastapi import Request, Response

from dashboards.language import Language
from dashboards.pages.towns.standing import known_towns
from dashboards.render import LanguageKey, Link, page_router, render
from verkehrspuls.text import mark

router = page_router()
LINK: Final = Link(mark("Accessibility"), "accessibility")


@router.get("/{language:language}/accessibility")
def accessibility(request: Request, language: LanguageKey) -> Response:
    """Show the accessibility of the pages."""
    return render(
        request,
        Language(language),
        f"pages/accessibility/accessibility.{language}.html",
        of=known_towns(request),
    )
