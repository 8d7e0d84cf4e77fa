"""Who makes a request: the token in its `Authorization` header."""

from typing import cast

from fastapi import Request

from api import tokens
from api.database import Database
from api.errors import NotAuthorised


def bearer(request: Request, *, purpose: tokens.Purpose) -> tokens.Bearer:
    """Find whose token it is, valid for a purpose; else `NotAuthorised`."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    store = cast("Database", request.app.state.database)
    found = None
    if scheme.lower() == "bearer":
        with store.writing() as connection:
            found = tokens.find(connection, token.strip(), purpose=purpose)
    if found is None:
        raise NotAuthorised
    return found
