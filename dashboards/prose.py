"""Pages of prose: a template for each language, and nothing else."""

from fastapi import APIRouter, Request, Response

from dashboards.pages.towns.standing import known_towns
from dashboards.render import LanguageKey, Link, page_router, render
from verkehrspuls.language import Language


def prose_page(name: str, text: str, *, header: bool = False) -> tuple[APIRouter, Link]:
    """Return the router of a page of prose, and its link with a marked text.

    Its templates are `pages/<name>/<name>.<language>.html`.
    """
    router = page_router()

    @router.get("/{language:language}/" + name)
    def page(request: Request, language: LanguageKey) -> Response:
        return render(
            request,
            Language(language),
            f"pages/{name}/{name}.{language}.html",
            of=known_towns(request),
        )

    return router, Link(text, name, header=header)
