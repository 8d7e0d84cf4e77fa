"""The API's reference as a page, made from the OpenAPI document.

It needs no script and no third party: the ready-made viewers either load from
elsewhere or need an inline script, which the content security policy forbids.
"""

import json
import re
import shlex
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from api import PREFIX
from api.problems import MEANINGS

router = APIRouter(prefix=PREFIX)

#: in examples: replaces the server's own address, which a request cannot reveal
EXAMPLE_ADDRESS: Final = "https://traffic.example.org"

_METHODS: Final = ("get", "post", "put", "patch", "delete")


@router.get("/openapi.json", include_in_schema=False)
def describe(request: Request) -> JSONResponse:
    """Return the OpenAPI document."""
    return JSONResponse(request.app.openapi())


@router.get("/docs", include_in_schema=False)
def show_reference(request: Request) -> HTMLResponse:
    """Show all operations, with an example to copy for each."""
    document = request.app.openapi()
    environment = Environment(
        loader=PackageLoader("api"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["marked"] = marked
    page = environment.get_template("reference.html").render(
        document=document,
        groups=groups(document, base=EXAMPLE_ADDRESS),
        address=EXAMPLE_ADDRESS,
        problems=MEANINGS,
        schemas={
            name: json.dumps(schema, indent=2, ensure_ascii=False)
            for name, schema in sorted(document["components"]["schemas"].items())
        },
    )
    return HTMLResponse(page)


def marked(text: str) -> Markup:
    """Escape a text and mark parts in backquotes as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped


def groups(document: dict[str, Any], *, base: str) -> dict[str, list[dict[str, Any]]]:
    """Group the operations of an OpenAPI document by tag, each with its example."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path, operations in document["paths"].items():
        for method in _METHODS:
            if (operation := operations.get(method)) is None:
                continue
            entry = operation | {
                "path": path,
                "method": method.upper(),
                "parameters": operation.get("parameters", []),
                "curl": shlex.join(
                    [
                        "curl",
                        *(["--request", method.upper()] if method != "get" else []),
                        base + example(path, operation),
                        *_token(operation),
                        *_body(operation, document),
                    ]
                ),
            }
            found.setdefault(operation["tags"][0], []).append(entry)
    return found


def _token(operation: dict[str, Any]) -> list[str]:
    """Return the curl option for a token, if one is required."""
    if "security" not in operation:
        return []
    return ["--header", "Authorization: Bearer TOKEN"]


def _body(operation: dict[str, Any], document: dict[str, Any]) -> list[str]:
    """Return the curl options for an operation's example body."""
    if "requestBody" not in operation:
        return []
    media_type, content = next(iter(operation["requestBody"]["content"].items()))
    header = ("--header", f"Content-Type: {media_type}")
    if content["schema"].get("format") == "binary":
        return [*header, "--data-binary", f"@file.{media_type.rpartition('/')[2]}"]
    if "example" in content:
        body = content["example"]
    else:
        model = content["schema"]["$ref"].rpartition("/")[2]
        body = document["components"]["schemas"][model]["examples"][0]
    return [*header, "--data", json.dumps(body)]


def example(path: str, operation: dict[str, Any]) -> str:
    """Build the address of an operation's example.

    Without a period, so that it always returns recent figures.
    """
    query = []
    for parameter in operation.get("parameters", []):
        values = parameter["schema"].get("examples", [])
        if not values or parameter["name"] in ("from", "to"):
            continue
        if parameter["in"] == "path":
            path = path.replace("{" + parameter["name"] + "}", str(values[0]))
        else:
            query.append(f"{parameter['name']}={values[0]}")
    return path + ("?" + "&".join(query) if query else "")
