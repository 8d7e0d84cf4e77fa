"""The passport of a figure in words: one click away from each value."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from analytics.quality.passport import Passport
from verkehrspuls.calibrations import Calibrated
from verkehrspuls.language import Language
from verkehrspuls.text import mark

#: names of the shares
_SHARES: Final = {
    "observed": mark("observed"),
    "normalised": mark("scaled up from partly observed hours"),
    "imputed": mark("estimated"),
    "excluded": mark("excluded"),
    "missing": mark("missing"),
}


#: Texts for the repeated hours of a wall clock, in a list and in a sentence.
_AMBIGUOUS = mark("hour shown twice, with readings that may be of the other pass")
_SENTENCE = mark(
    "The clock showed an hour twice; readings may be of the other pass: %(hours)s."
)


def ambiguous(hours: Iterable[datetime], zone: str, language: Language) -> str:
    """Describe ambiguous hours; empty if there are none."""
    listed = _hours(hours, zone, language)
    return language.phrase(_SENTENCE, hours=listed) if listed else ""


_CALIBRATED = mark("calibrated")
_CALIBRATED_SENTENCE = mark("Counts are calibrated: %(factors)s.")


def calibrated(
    calibrations: Iterable[Calibrated], zone: str, language: Language
) -> str:
    """Describe what counts were multiplied with; empty if that is nothing."""
    listed = _factors(calibrations, zone, language)
    return language.phrase(_CALIBRATED_SENTENCE, factors=listed) if listed else ""


def _factors(calibrations: Iterable[Calibrated], zone: str, language: Language) -> str:
    """List factors; what is the same on several lanes is told once."""
    told = (_factor(one, zone, language) for one in calibrations)
    return "; ".join(dict.fromkeys(told))


def _factor(one: Calibrated, zone: str, language: Language) -> str:
    factor = language.number(one.factor, 3)
    if one.uncertainty is not None:
        factor += f" ± {language.number(one.uncertainty, 3)} (95 %)"
    return language.phrase(
        mark("%(channel)s %(days)s times %(factor)s"),
        channel=one.name,
        days=language.installed(one.since, one.until, zone),
        factor=factor,
    )


def _hours(hours: Iterable[datetime], zone: str, language: Language) -> str:
    return "; ".join(language.hour(hour, zone) for hour in hours)


def lines(
    passport: Passport, language: Language, *, zone: str
) -> Sequence[tuple[str, str]]:
    """List the parts of a passport, each with its value."""
    found = [
        (language.phrase(name), language.percent(getattr(passport, share), 1))
        for share, name in _SHARES.items()
    ]
    if passport.suspected:
        share = language.percent(passport.suspected, 1)
        found.append((language.phrase("suspected of a sensor's fault"), share))
    if passport.ambiguous_hours:
        hours = _hours(passport.ambiguous_hours, zone, language)
        found.append((language.phrase(_AMBIGUOUS), hours))
    if passport.calibrations:
        factors = _factors(passport.calibrations, zone, language)
        found.append((language.phrase(_CALIBRATED), factors))
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
