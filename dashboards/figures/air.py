"""Shares of hours by class of an air quality index."""

from collections.abc import Sequence

from dashboards.figures.layout import Figure, bars
from verkehrspuls.language import Language


def air(
    shares: Sequence[tuple[str, float]], language: Language, *, height: int = 260
) -> Figure:
    """Draw the share of hours of each class, the best on top."""
    rows = list(reversed(shares))
    trace = {
        "x": [round(share * 100, 2) for _, share in rows],
        "y": [name for name, _ in rows],
        "text": [language.percent(share, 1) for _, share in rows],
        "hoverinfo": "skip",
        "marker": {"color": "var(--environment)"},
    }
    return bars(trace, language, height=height)
