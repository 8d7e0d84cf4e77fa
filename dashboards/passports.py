"""The passport of a figure in words: one click away from each value."""

from collections.abc import Sequence

from analytics.passport import Passport
from dashboards.language import Language
from verkehrspuls.text import mark

_SHARES = {
    "observed": mark("observed"),
    "normalised": mark("scaled up from partly observed hours"),
    "imputed": mark("estimated"),
    "excluded": mark("excluded"),
    "missing": mark("missing"),
}


def lines(passport: Passport, language: Language) -> Sequence[tuple[str, str]]:
    """Name its parts, each with its value."""
    found = [
        (language.phrase(name), language.percent(getattr(passport, share), 1))
        for share, name in _SHARES.items()
    ]
    if passport.days_used is not None:
        days = language.number(passport.days_used)
        if passport.days_required is not None:
            days = language.phrase(
                "%(used)s, at least %(required)s needed",
                used=days,
                required=language.number(passport.days_required),
            )
        found.append((language.phrase("days used"), days))
    return [*found, (language.phrase("method"), passport.method)]
