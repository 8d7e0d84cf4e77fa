"""The pages: a folder each, with its route, its view and its template.

A folder with a `route.py` is a page; its `router` has the page's addresses, and its
optional `LINK` appears in the navigation. `LARGER` are limits of bodies in bytes, by
patterns of paths that take files, or drafts.
"""

from importlib import import_module
from pkgutil import iter_modules

from fastapi import FastAPI

from dashboards.forms import LoginNeeded
from dashboards.pages.login.view import ask
from dashboards.pages.problem.view import problem_page
from dashboards.pages.proof.view import ask as ask_for_proof
from dashboards.proof import ProofNeeded
from dashboards.render import Link


def add_pages(app: FastAPI) -> None:
    """Add all pages to the application; former addresses come last."""
    links: list[Link] = []
    names = {module.name for module in iter_modules(__path__)} - {"problem"}
    for name in sorted(names, key=lambda name: (name == "old", name)):
        page = import_module(f"{__name__}.{name}.route")
        app.include_router(page.router)
        links += [page.LINK] if hasattr(page, "LINK") else []
        app.state.larger |= getattr(page, "LARGER", {})
    app.state.links = links
    app.state.problem_page = problem_page
    app.add_exception_handler(LoginNeeded, ask)
    app.add_exception_handler(ProofNeeded, ask_for_proof)
