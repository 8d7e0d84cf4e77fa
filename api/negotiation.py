"""Negotiation by request headers: formats, languages, and cached content.

By RFC 9110, sections 12 and 13. Unreadable parts of a list are ignored.
"""

import re
from collections.abc import Sequence
from typing import Final

_QUALITY: Final = re.compile(r"0?\.\d+|0\.?|1(?:\.0*)?", re.ASCII)
_TAG: Final = re.compile(r'(?:W/)?"([^"]*)"')


def weights(header: str) -> dict[str, float]:
    """Parse a list such as `de-AT, en;q=0.5`: lower-case names with weights."""
    found: dict[str, float] = {}
    for part in header.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = _quality(parameters)
        if name and quality is not None:
            found.setdefault(name, quality)
    return found


def _quality(parameters: Sequence[str]) -> float | None:
    """Return the weight, 1 by default; None if it is not a number from 0 to 1."""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            value = value.strip()
            return float(value) if _QUALITY.fullmatch(value) else None
    return 1.0


def weight(header: str, media_type: str) -> float:
    """Weigh a media type by the most specific range that names it."""
    asked = weights(header)
    ranges = (media_type, media_type.partition("/")[0] + "/*", "*/*")
    return next((asked[name] for name in ranges if name in asked), 0.0)


def takes(header: str, coding: str) -> bool:
    """Return whether a content coding, such as gzip, may be sent."""
    asked = weights(header)
    return asked.get(coding, asked.get("*", 0.0)) > 0


def language(header: str, offered: Sequence[str]) -> str:
    """Choose an offered language: by weight, then the first named.

    A range such as `de-AT` also asks for `de`, if `de` itself is not named; `*` matches
    languages that are not named; weight 0 excludes. If nothing requested is offered, it
    is the first that is not excluded.
    """
    asked = weights(header)
    kept = [key for key in offered if asked.get(key, 1.0) > 0] or list(offered)
    ranked = {key: _rank(asked, key) for key in kept}
    return max(kept, key=lambda key: ranked[key])


def _rank(asked: dict[str, float], key: str) -> tuple[float, int]:
    """Return the weight of a language, and its position."""
    within = [name for name in asked if name.startswith(f"{key}-") and asked[name]]
    named = [key] if key in asked else within or [name for name in asked if name == "*"]
    if not named:
        return 0.0, -len(asked)
    best = max(named, key=lambda name: asked[name])
    return asked[best], -list(asked).index(best)


def holds(if_none_match: Sequence[str], tag: str) -> bool:
    """Return whether a client holds the tag of the response.

    Compared weakly: `"x"` equals `W/"x"`; `*` matches any.
    """
    opaque = _TAG.fullmatch(tag)
    header = ",".join(if_none_match)
    return header.strip() == "*" or (
        opaque is not None and opaque[1] in _TAG.findall(header)
    )
