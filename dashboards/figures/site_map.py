"""Sites on a map without tiles: Web-Mercator coordinates in a plain scatter chart.

It needs no WebGL, no glyphs and nobody else's server, follows the theme and prints.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from dashboards.figures.layout import Figure, layout, plain
from dashboards.language import Language
from dashboards.states import STATES

#: radius of the Web-Mercator sphere in km
_RADIUS_KM = 6378.137
#: of the figure in pixels, where the page has its full width
_WIDTH = 1000
#: half of a letter's width in pixels
_LETTER = 3.6


@dataclass(frozen=True, slots=True)
class Place:
    """A site on the map."""

    name: str
    latitude: float
    longitude: float
    #: a road's sites are joined by a line, in the order of their coordinates
    road: str
    #: the municipality's name
    town: str
    #: a key of `STATES`
    state: str
    #: what the pointer tells, line by line
    words: tuple[str, ...]
    link: str


def project(latitude: float, longitude: float) -> tuple[float, float]:
    """Web-Mercator coordinates in km on the sphere."""
    x = math.radians(longitude) * _RADIUS_KM
    y = math.log(math.tan(math.pi / 4 + math.radians(latitude) / 2)) * _RADIUS_KM
    return x, y


def site_map(
    places: Sequence[Place],
    language: Language,
    *,
    spread: bool = False,
    height: int = 440,
) -> Figure:
    """Draw sites by state.

    `spread` is for several towns: marks that would cover each other are moved apart
    and the towns are named. Else the sites are, and those of one road are joined.
    """
    points = [project(place.latitude, place.longitude) for place in places]
    (left, right), (low, high) = _extent(points)
    #: km in a pixel where the page has its full width
    pixel_km = max((right - left) / _WIDTH, (high - low) / height)
    if spread:
        points = _apart(points, distance=20 * pixel_km)
    sides = _sides(places, points, pixel_km=pixel_km, between=(left, right))
    traces: list[dict[str, object]] = [] if spread else _roads(places, points)
    for key, state in STATES.items():
        shown = [
            (place, point)
            for place, point in zip(places, points, strict=True)
            if place.state == key
        ]
        if not shown:
            continue
        traces.append(
            {
                "type": "scatter",
                "mode": "markers" if spread else "markers+text",
                "name": language.phrase(state.word),
                "x": [round(point[0], 3) for _, point in shown],
                "y": [round(point[1], 3) for _, point in shown],
                "text": [plain(place.name) for place, _ in shown],
                "textposition": [sides[place.link] for place, _ in shown],
                "textfont": {"size": 12, "color": "var(--text)"},
                "hovertext": [
                    "<br>".join(
                        [f"<b>{plain(place.name)}</b>", *map(plain, place.words)]
                    )
                    for place, _ in shown
                ],
                "hovertemplate": "%{hovertext}<extra></extra>",
                "customdata": [place.link for place, _ in shown],
                "cliponaxis": False,
                "marker": {
                    "symbol": state.symbol,
                    "size": 13,
                    "color": f"var(--state-{key})",
                    "line": {"width": 1.5, "color": f"var(--state-{key})"},
                },
            }
        )
    drawn = layout(language, height=height)
    drawn["margin"] = {"l": 8, "r": 8, "t": 8, "b": 8}
    hidden = {
        "visible": False,
        "showgrid": False,
        "zeroline": False,
        "fixedrange": spread,
    }
    drawn["xaxis"] = hidden | {"range": [left, right]}
    drawn["yaxis"] = hidden | {"range": [low, high], "scaleanchor": "x"}
    drawn["dragmode"] = False if spread else "pan"
    length, label = _scale(places, language, goal=80 * pixel_km)
    drawn["shapes"] = [
        {
            "type": "line",
            "x0": left,
            "x1": left + length,
            "y0": low,
            "y1": low,
            "line": {"color": "var(--soft)", "width": 2},
        }
    ]
    drawn["annotations"] = [
        {
            "x": left,
            "y": low,
            "text": label,
            "xanchor": "left",
            "yanchor": "bottom",
            "showarrow": False,
            "font": {"size": 12, "color": "var(--soft)"},
        },
        *(
            _town_names(places, points, pixel_km=pixel_km, between=(left, right))
            if spread
            else []
        ),
    ]
    return {"data": traces, "layout": drawn}


def _sides(
    places: Sequence[Place],
    points: Sequence[tuple[float, float]],
    *,
    pixel_km: float,
    between: tuple[float, float],
) -> dict[str, str]:
    """At which side of its mark each site's name covers least, by link.

    `between`: the map's west and east end, beyond which names would be cut off.
    """
    taken = list(points)
    found = {}
    for place, (x, y) in zip(places, points, strict=True):
        wide = len(place.name) * _LETTER * pixel_km
        beside = wide + 10 * pixel_km
        sides = {
            "top center": (x, y + 16 * pixel_km),
            "bottom center": (x, y - 16 * pixel_km),
            "middle right": (x + beside, y),
            "middle left": (x - beside, y),
        }
        fitting = {
            side: (at, height)
            for side, (at, height) in sides.items()
            if between[0] <= at - wide and at + wide <= between[1]
        }
        found[place.link], (x, y) = min(
            (fitting or sides).items(),
            key=lambda side: _covered(side[1], wide, taken, pixel_km),
        )
        taken += _along(x, y, wide)
    return found


def _along(x: float, y: float, wide: float) -> list[tuple[float, float]]:
    """Points along a name, so that others keep away from all of it."""
    return [(x + wide * step / 2, y) for step in range(-2, 3)]


def _scale(
    places: Sequence[Place], language: Language, *, goal: float
) -> tuple[float, str]:
    """A round length up to `goal` on the map, in its km, and what it says."""
    latitude = sum(p.latitude for p in places) / len(places) if places else 50.0
    stretch = 1 / math.cos(math.radians(latitude))
    power = 10 ** math.floor(math.log10(goal / stretch))
    length = max(step * power for step in (1, 2, 5) if step * power * stretch <= goal)
    digits = max(0, -math.floor(math.log10(length)))
    return length * stretch, f"{language.number(length, digits)} km"


def _town_names(
    places: Sequence[Place],
    points: Sequence[tuple[float, float]],
    *,
    pixel_km: float,
    between: tuple[float, float],
) -> list[dict[str, object]]:
    """Each town's name at that side of its marks where it covers least.

    A name near the west or the east end of the map is held at its outer edge, so that
    it grows inwards where the map is narrow.
    """
    third = (between[1] - between[0]) / 3
    towns: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for place, point in zip(places, points, strict=True):
        towns[place.town].append(point)
    names: list[dict[str, object]] = []
    taken = list(points)
    for town, inside in towns.items():
        middle = sum(x for x, _ in inside) / len(inside)
        wide = len(town) * _LETTER * pixel_km
        sides = [
            (middle, min(y for _, y in inside) - 20 * pixel_km),
            (middle, max(y for _, y in inside) + 20 * pixel_km),
            (min(x for x, _ in inside) - wide - 12 * pixel_km, inside[0][1]),
            (max(x for x, _ in inside) + wide + 12 * pixel_km, inside[-1][1]),
        ]
        x, y = min(sides, key=lambda side: _covered(side, wide, taken, pixel_km))
        taken += _along(x, y, wide)
        anchor = "center"
        if x < between[0] + third:
            x, anchor = max(x - wide, between[0] + 4 * pixel_km), "left"
        elif x > between[1] - third:
            x, anchor = min(x + wide, between[1] - 4 * pixel_km), "right"
        names.append(
            {
                "x": round(x, 3),
                "xanchor": anchor,
                "y": round(y, 3),
                "text": plain(town),
                "showarrow": False,
                "font": {"size": 13, "color": "var(--text)"},
            }
        )
    return names


def _covered(
    side: tuple[float, float],
    wide: float,
    taken: Sequence[tuple[float, float]],
    pixel_km: float,
) -> int:
    """How many marks and names a name would cover there."""
    return sum(
        abs(x - side[0]) < wide + 8 * pixel_km and abs(y - side[1]) < 14 * pixel_km
        for x, y in taken
    )


def _roads(
    places: Sequence[Place], points: Sequence[tuple[float, float]]
) -> list[dict[str, object]]:
    roads = defaultdict(list)
    for place, point in zip(places, points, strict=True):
        if place.road:
            roads[place.road].append(point)
    traces: list[dict[str, object]] = []
    for road, along in sorted(roads.items()):
        if len(along) < 2:
            continue
        wide = max(p[0] for p in along) - min(p[0] for p in along)
        high = max(p[1] for p in along) - min(p[1] for p in along)
        along = sorted(along, key=lambda p: p[0] if wide >= high else p[1])
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": [round(point[0], 3) for point in along],
                "y": [round(point[1], 3) for point in along],
                "name": plain(road),
                "hoverinfo": "skip",
                "showlegend": False,
                "line": {"color": "var(--road)", "width": 5},
            }
        )
    return traces


def _extent(
    points: Sequence[tuple[float, float]],
) -> tuple[tuple[float, float], tuple[float, float]]:
    """From west to east and from south to north, with room for names around."""
    xs, ys = [p[0] for p in points] or [0.0], [p[1] for p in points] or [0.0]
    pad = max(0.25, (max(xs) - min(xs)) * 0.12, (max(ys) - min(ys)) * 0.12)
    return (min(xs) - pad, max(xs) + pad), (min(ys) - pad, max(ys) + pad)


def _apart(
    points: Sequence[tuple[float, float]], *, distance: float
) -> list[tuple[float, float]]:
    """Push points apart until they keep a distance; the same way each time."""
    moved = [list(point) for point in points]
    for _round in range(60):
        calm = True
        for i, one in enumerate(moved):
            for j in range(i):
                other = moved[j]
                dx, dy = one[0] - other[0], one[1] - other[1]
                away = math.hypot(dx, dy)
                if away >= distance * 0.999:
                    continue
                calm = False
                if away < 1e-9:
                    # the golden angle: points of one place leave it like a sunflower
                    dx, dy = 1e-6 * math.cos(2.4 * i), 1e-6 * math.sin(2.4 * i)
                    away = 1e-6
                push = (distance - away) / 2 / away
                one[0] += dx * push
                one[1] += dy * push
                other[0] -= dx * push
                other[1] -= dy * push
        if calm:
            break
    return [(point[0], point[1]) for point in moved]
