"""When which device was attached, and what was done, on one time axis."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from dashboards.figures.layout import Figure, axis, layout, plain
from verkehrspuls.language import Language

#: height of a line, and what is around them
_LINE: Final = 34
_AROUND: Final = 70
#: letters of a name before the axis
_LETTERS: Final = 26


class Span(NamedTuple):
    """A device attached to a channel."""

    #: the channel's name
    line: str
    name: str
    since: datetime
    until: datetime
    hover: str


class Point(NamedTuple):
    """Something that was done, or holds from then on."""

    line: str
    at: datetime
    #: a key of `_SIGNS`
    kind: str
    hover: str


_SIGNS: Final = {
    "calibration": ("diamond", "--direction-2"),
    "maintenance": ("square", "--direction-3"),
}


def history(
    spans: Sequence[Span],
    points: Sequence[Point],
    language: Language,
    *,
    zone: str,
    start: datetime,
    end: datetime,
) -> Figure:
    """Draw a bar for each device on the line of its channel, and signs on the lines."""
    named = [*(span.line for span in spans), *(point.line for point in points)]
    lines = list(dict.fromkeys(named))
    places = {line: len(lines) - number for number, line in enumerate(lines)}

    def local(moment: datetime) -> str:
        there = min(max(moment, start), end).astimezone(ZoneInfo(zone))
        return f"{there:%Y-%m-%d %H:%M}"

    devices = list(dict.fromkeys(span.name for span in spans))
    data: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "lines",
            "x": [local(span.since), local(span.until)],
            "y": [places[span.line]] * 2,
            "text": [span.hover] * 2,
            "hovertemplate": "%{text}<extra></extra>",
            "line": {
                "width": 12,
                "color": f"var(--direction-{1 if _even(devices, span) else 4})",
            },
        }
        for span in spans
        if span.since < end and span.until > start
    ]
    for kind, (symbol, colour) in _SIGNS.items():
        shown = [p for p in points if p.kind == kind and start <= p.at < end]
        if shown:
            data.append(
                {
                    "type": "scatter",
                    "mode": "markers",
                    "x": [local(point.at) for point in shown],
                    "y": [places[point.line] for point in shown],
                    "text": [point.hover for point in shown],
                    "hovertemplate": "%{text}<extra></extra>",
                    "marker": {
                        "symbol": symbol,
                        "size": 13,
                        "color": f"var({colour})",
                        "line": {"width": 1.5, "color": "var(--background)"},
                    },
                }
            )
    drawn = layout(language, height=height(len(lines)))
    drawn["margin"] = {"l": 12, "r": 12, "t": 8, "b": 36}
    drawn["xaxis"] = axis(showgrid=True, type="date", range=[local(start), local(end)])
    drawn["yaxis"] = axis(
        automargin=True,
        fixedrange=True,
        showgrid=False,
        range=[0.4, len(lines) + 0.6],
        tickvals=list(places.values()),
        ticktext=[plain(_short(line)) for line in places],
    )
    return {"data": data, "layout": drawn}


def height(lines: int) -> int:
    """Return the height of a figure in pixels."""
    return _AROUND + _LINE * max(1, lines)


def _even(devices: Sequence[str], span: Span) -> bool:
    """Return whether a device has the first of two colours: neighbours differ."""
    return devices.index(span.name) % 2 == 0


def _short(text: str) -> str:
    """Leave out the middle of a long name: lanes differ at its end."""
    if len(text) <= _LETTERS:
        return text
    half = _LETTERS // 2
    return f"{text[: half - 1]}…{text[-half:]}"
