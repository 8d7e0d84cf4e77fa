"""The web application: routes under `/api/v1`, health and metrics.

`dashboards.app` adds the pages.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import chain
from typing import Any, Final

from fastapi import Depends, FastAPI
from fastapi.routing import APIRoute
from starlette_compress import CompressMiddleware

from api import conditional, problems, query, reference
from api.bodies import BodyLimit
from api.database import Database
from api.guard import Guard
from api.intake import Trial
from api.outlet import Outlet
from api.pace import Pace, Paced
from api.routes import device_profiles, maintenance, readings, registry, resources
from api.session import Sessions
from verkehrspuls.metrics import Metrics
from verkehrspuls.registry import photographs
from verkehrspuls.registry.files.record import MAX_BYTES
from verkehrspuls.settings import Settings

#: Names of models with a common class name contain their module. Clients are generated
#: from these names, so they stay when the module moves.
PUBLISHED_NAMES: Final = {
    "api__schemas__cases__Change": "api__routes__cases__Change",
    "api__schemas__ledger__Balance": "api__schemas__common__Balance",
}


def create_app(settings: Settings) -> FastAPI:
    """Create the application; it connects to the database when it starts."""
    url = settings.database.login("api")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.database.open()
        try:
            async with app.state.pace.shared(app.state.database):
                yield
        finally:
            app.state.outlet.close()
            app.state.database.close()

    app = FastAPI(
        title="Verkehrspuls",
        version="1",
        summary="Traffic and environment readings of municipalities",
        description=(
            "Reading what is public needs no account. With a token, sent as "
            "`Authorization: Bearer …`, more is seen, and written: what its "
            "permissions allow, in its municipality. Times are RFC 3339 "
            "in UTC; periods are half-open; null is unknown and never zero. Errors "
            "are `application/problem+json`."
        ),
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        generate_unique_id_function=operation_id,
        dependencies=[Depends(query.refuse_unknown)],
    )
    app.state.database = Database(url, size=settings.api.pool)
    app.state.settings = settings
    app.state.outlet = Outlet(settings.broker)
    app.state.trial = Trial(settings.ingest)
    app.state.metrics = Metrics()
    app.state.pace = Pace(settings.api, app.state.metrics)
    for resource in resources():
        app.include_router(resource.router)
    app.include_router(reference.router)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]  # as documented
    problems.install(app)
    app.add_middleware(Sessions)
    app.add_middleware(conditional.Conditional)
    app.add_middleware(CompressMiddleware)
    # pages add theirs
    app.state.larger = {
        readings.PATH: settings.api.ingest_bytes,
        registry.FILES: MAX_BYTES,
        device_profiles.DOCUMENTS: device_profiles.MAX_BYTES,
        maintenance.PHOTOGRAPHS: photographs.MAX_BYTES,
    }
    app.add_middleware(BodyLimit, larger=app.state.larger)
    app.add_middleware(Paced, pace=app.state.pace, settings=settings.api)
    app.add_middleware(Guard, metrics=app.state.metrics)
    return app


def operation_id(route: APIRoute) -> str:
    """Name an operation after its function, in camel case; clients use the name."""
    first, *others = route.name.split("_")
    return first + "".join(word.title() for word in others)


def _openapi(app: FastAPI) -> dict[str, Any]:
    """Describe the API, with the schemas that routes name without a model."""
    if app.openapi_schema is None:
        document = _named(FastAPI.openapi(app))
        document["components"]["securitySchemes"] = {
            "token": {
                "type": "http",
                "scheme": "bearer",
                "description": "A token with the permission that is named. Other "
                "addresses take one with `view`, and show what is not public.",
            }
        }
        known = document["components"]["schemas"]
        for resource in resources():
            known |= getattr(resource, "SCHEMAS", {})
        rendered = (getattr(one, "MODELS", ()) for one in resources())
        for model in (problems.Problem, *chain.from_iterable(rendered)):
            schema = model.model_json_schema(
                ref_template="#/components/schemas/{model}", mode="serialization"
            )
            known |= schema.pop("$defs", {}) | {model.__name__: schema}
        app.openapi_schema = document
    return app.openapi_schema or {}


def _named(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document with the published names of models."""
    text = json.dumps(document)
    for name, published in PUBLISHED_NAMES.items():
        text = text.replace(name, published)
    named: dict[str, Any] = json.loads(text)
    named["components"]["schemas"] = dict(
        sorted(named["components"]["schemas"].items())
    )
    return named
