"""The HTTP interface under /api/v1."""

from typing import Final

#: where version 1 of the API is
PREFIX: Final = "/api/v1"
