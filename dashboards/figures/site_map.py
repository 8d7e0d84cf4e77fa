"""Sites on a map without tiles: Web-Mercator coordinates in a plain scatter chart.

It needs no WebGL, no glyphs and nobody else's server, follows the theme and prints.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dashboards.figures.layout import Figure, layout, plain
from dashboards.language import Language
from dashboards.states import STATES

#: radius of the Web-Mercator sphere in km
_RADIUS_KM = 6378.137


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
    (centre_x, centre_y), half = _extent(points)
    if spread:
        # a mark is about 20 of the height's pixels wide
        points = _apart(points, distance=2 * half * 20 / height)
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
                "name": language.text(state.word),
                "x": [round(point[0], 3) for _, point in shown],
                "y": [round(point[1], 3) for _, point in shown],
                "text": [plain(place.name) for place, _ in shown],
                "textposition": "top center",
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
    drawn["xaxis"] = hidden | {"range": [centre_x - half, centre_x + half]}
    drawn["yaxis"] = hidden | {
        "range": [centre_y - half * 1.08, centre_y + half * 1.02],
        "scaleanchor": "x",
        "scaleratio": 1,
    }
    drawn["dragmode"] = False if spread else "pan"
    bar, label = _scale_bar(places, language, half=half)
    drawn["shapes"] = [bar | {"x0": centre_x - half, "y0": centre_y - half * 1.03}]
    drawn["shapes"][0] |= {
        "x1": drawn["shapes"][0]["x0"] + bar["x1"],
        "y1": drawn["shapes"][0]["y0"],
    }
    drawn["annotations"] = [
        {
            "x": drawn["shapes"][0]["x0"],
            "y": drawn["shapes"][0]["y0"],
            "text": label,
            "xanchor": "left",
            "yanchor": "bottom",
            "showarrow": False,
            "font": {"size": 12, "color": "var(--soft)"},
        },
        *(_town_names(places, points) if spread else []),
    ]
    return {"data": traces, "layout": drawn}


def _scale_bar(
    places: Sequence[Place], language: Language, *, half: float
) -> tuple[dict[str, Any], str]:
    """A line of a round length, about an eighth of the map, and what it says."""
    latitude = sum(p.latitude for p in places) / len(places) if places else 50.0
    stretch = 1 / math.cos(math.radians(latitude))
    goal = half / 4 / stretch
    power = 10 ** math.floor(math.log10(goal))
    length = max(step * power for step in (1, 2, 5) if step * power <= goal)
    digits = 0 if length >= 1 else 1
    line = {
        "type": "line",
        "x1": length * stretch,
        "line": {"color": "var(--soft)", "width": 2},
    }
    return line, f"{language.number(length, digits)} km"


def _town_names(
    places: Sequence[Place], points: Sequence[tuple[float, float]]
) -> list[dict[str, object]]:
    """Each town's name below its lowest mark."""
    towns: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for place, point in zip(places, points, strict=True):
        towns[place.town].append(point)
    return [
        {
            "x": sum(x for x, _ in inside) / len(inside),
            "y": min(y for _, y in inside),
            "text": plain(town),
            "showarrow": False,
            "yshift": -20,
            "font": {"size": 13, "color": "var(--text)"},
        }
        for town, inside in towns.items()
    ]


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
) -> tuple[tuple[float, float], float]:
    if not points:
        return (0.0, 0.0), 1.0
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    centre = (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2
    half = max(max(xs) - min(xs), max(ys) - min(ys)) / 2
    return centre, max(half, 0.5) * 1.15


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
                    dx, dy, away = math.cos(2.4 * i), math.sin(2.4 * i), 1.0
                push = (distance - min(away, distance)) / 2 / away
                one[0] += dx * push
                one[1] += dy * push
                other[0] -= dx * push
                other[1] -= dy * push
        if calm:
            break
    return [(point[0], point[1]) for point in moved]
