"""Sites on a map without tiles: Web-Mercator coordinates in a plain scatter chart.

It needs no WebGL, no glyphs and nobody else's server, follows the theme and prints.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from dashboards.figures.layout import Figure, layout, plain
from dashboards.language import Language
from dashboards.states import STATES

#: radius of the Web-Mercator sphere in km
_RADIUS_KM = 6378.137
#: of the figure in pixels, where the page has its full width
_WIDTH = 1000
#: half of a letter's width in pixels
_LETTER = 3.6
#: more sites than these are drawn as clusters, one for each cell of the map
MOST_MARKS: Final = 150
#: side of such a cell in pixels
_CELL: Final = 36
#: of more marks, or towns, than these only those are named whose names fit
MOST_NAMED: Final = 40


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
    #: where a click leads; empty: nowhere
    link: str
    #: more than one: a cluster
    sites: int = 1


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
    and the towns are named. Else the sites are, and those of one road are joined. Of
    more than MOST_MARKS sites, those that are close together share a mark.
    """
    points = [project(place.latitude, place.longitude) for place in places]
    (left, right), (low, high) = _extent(points)
    #: km in a pixel where the page has its full width
    pixel_km = max((right - left) / _WIDTH, (high - low) / height)
    towns: dict[str, list[tuple[float, float]]] = defaultdict(list)
    clustered = len(places) > MOST_MARKS
    if spread and not clustered:
        points = _apart(points, distance=20 * pixel_km)
    for place, point in zip(places, points, strict=True):
        towns[place.town].append(point)
    latitude = sum(p.latitude for p in places) / len(places) if places else 50.0
    if clustered:
        places, points = _clusters(places, points, language, cell_km=_CELL * pixel_km)
    sides = _sides(
        places,
        points,
        pixel_km=pixel_km,
        between=(left, right),
        crowded=clustered or len(places) > MOST_NAMED,
    )
    traces: list[dict[str, object]] = (
        [] if spread or clustered else _roads(places, points)
    )
    for key, state in STATES.items():
        shown = [
            (place, point, side)
            for place, point, side in zip(places, points, sides, strict=True)
            if place.state == key
        ]
        if not shown:
            continue
        traces.append(
            {
                "type": "scatter",
                "mode": "markers" if spread else "markers+text",
                "name": language.phrase(state.word),
                "x": [round(point[0], 3) for _, point, _ in shown],
                "y": [round(point[1], 3) for _, point, _ in shown],
                "text": [plain(place.name) if side else "" for place, _, side in shown],
                "textposition": [side or "top center" for _, _, side in shown],
                "textfont": {"size": 12, "color": "var(--text)"},
                "hovertext": [
                    "<br>".join(
                        [f"<b>{plain(place.name)}</b>", *map(plain, place.words)]
                    )
                    for place, _, _ in shown
                ],
                "hovertemplate": "%{hovertext}<extra></extra>",
                "customdata": [place.link for place, _, _ in shown],
                "cliponaxis": False,
                "marker": {
                    "symbol": state.symbol,
                    "size": [_size(place) for place, _, _ in shown]
                    if clustered
                    else 13,
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
    length, label = _scale(latitude, language, goal=80 * pixel_km)
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
            _town_names(towns, points, pixel_km=pixel_km, between=(left, right))
            if spread
            else []
        ),
    ]
    return {"data": traces, "layout": drawn}


def _size(place: Place) -> int:
    """Diameter of a mark in pixels; of a cluster by the logarithm of its sites."""
    return round(13 + 6 * math.log10(place.sites))


def _clusters(
    places: Sequence[Place],
    points: Sequence[tuple[float, float]],
    language: Language,
    *,
    cell_km: float,
) -> tuple[list[Place], list[tuple[float, float]]]:
    """Join the sites of each cell of a grid: at their middle, by their commonest state.

    A cluster leads to its town, where it is of one.
    """
    cells: dict[tuple[int, int], list[tuple[Place, tuple[float, float]]]] = {}
    for place, point in zip(places, points, strict=True):
        cell = math.floor(point[0] / cell_km), math.floor(point[1] / cell_km)
        cells.setdefault(cell, []).append((place, point))
    joined, middles = [], []
    for inside in cells.values():
        count = len(inside)
        middles.append(
            (
                sum(point[0] for _, point in inside) / count,
                sum(point[1] for _, point in inside) / count,
            )
        )
        first = inside[0][0]
        if count == 1:
            joined.append(first)
            continue
        states = Counter(place.state for place, _ in inside)
        ways = {place.link.rpartition("/")[0] for place, _ in inside}
        joined.append(
            replace(
                first,
                name=language.plural("%(count)s site", "%(count)s sites", count),
                state=max(STATES, key=lambda key: states[key]),
                words=tuple(
                    f"{language.number(states[key])} {language.phrase(state.word)}"
                    for key, state in STATES.items()
                    if states[key]
                ),
                link=ways.pop() if len(ways) == 1 else "",
                sites=count,
            )
        )
    return joined, middles


class _Taken:
    """Where marks and names are, so that what is near a point is found at once."""

    def __init__(self, points: Iterable[tuple[float, float]], *, pixel_km: float):
        self._km = 32 * pixel_km
        self._pixel_km = pixel_km
        self._cells: dict[tuple[int, int], list[tuple[float, float]]] = {}
        self.add(points)

    def add(self, points: Iterable[tuple[float, float]]) -> None:
        """Take points."""
        for x, y in points:
            self._cells.setdefault(self._cell(x, y), []).append((x, y))

    def add_name(self, x: float, y: float, wide: float) -> None:
        """Take points along a name, so that others keep away from all of it."""
        self.add((x + wide * step / 2, y) for step in range(-2, 3))

    def covered(self, at: tuple[float, float], wide: float) -> int:
        """How many marks and names a name would cover there."""
        x, y = at
        beside, above = wide + 8 * self._pixel_km, 14 * self._pixel_km
        left, low = self._cell(x - beside, y - above)
        right, high = self._cell(x + beside, y + above)
        return sum(
            abs(other[0] - x) < beside and abs(other[1] - y) < above
            for column in range(left, right + 1)
            for row in range(low, high + 1)
            for other in self._cells.get((column, row), ())
        )

    def _cell(self, x: float, y: float) -> tuple[int, int]:
        return math.floor(x / self._km), math.floor(y / self._km)


def _wide(name: str, pixel_km: float) -> float:
    """Half of a name's width, at most that of the map."""
    return min(len(name) * _LETTER, _WIDTH / 2) * pixel_km


def _sides(
    places: Sequence[Place],
    points: Sequence[tuple[float, float]],
    *,
    pixel_km: float,
    between: tuple[float, float],
    crowded: bool,
) -> list[str]:
    """At which side of its mark each site's name covers least; empty: it is left out.

    `between`: the map's west and east end, beyond which names would be cut off.
    """
    taken = _Taken(points, pixel_km=pixel_km)
    found = []
    for place, (x, y) in zip(places, points, strict=True):
        if place.sites > 1:
            found.append("")
            continue
        wide = _wide(place.name, pixel_km)
        beside = wide + 10 * pixel_km
        sides = {
            "top center": (x, y + 16 * pixel_km),
            "bottom center": (x, y - 16 * pixel_km),
            "middle right": (x + beside, y),
            "middle left": (x - beside, y),
            "top right": (x + beside, y + 14 * pixel_km),
            "top left": (x - beside, y + 14 * pixel_km),
            "bottom right": (x + beside, y - 14 * pixel_km),
            "bottom left": (x - beside, y - 14 * pixel_km),
        }
        fitting = {
            side: (at, height)
            for side, (at, height) in sides.items()
            if between[0] <= at - wide and at + wide <= between[1]
        }
        covers = {
            side: taken.covered(at, wide) for side, at in (fitting or sides).items()
        }
        side = min(covers, key=lambda side: covers[side])
        # what a name would cover could not be read: the pointer and the list tell it
        if covers[side] or (crowded and not fitting):
            found.append("")
            continue
        found.append(side)
        taken.add_name(*sides[side], wide)
    return found


def _scale(latitude: float, language: Language, *, goal: float) -> tuple[float, str]:
    """A round length up to `goal` on the map, in its km, and what it says."""
    stretch = 1 / math.cos(math.radians(latitude))
    power = 10 ** math.floor(math.log10(goal / stretch))
    length = max(step * power for step in (1, 2, 5) if step * power * stretch <= goal)
    digits = max(0, -math.floor(math.log10(length)))
    return length * stretch, f"{language.number(length, digits)} km"


def _town_names(
    towns: Mapping[str, Sequence[tuple[float, float]]],
    marks: Sequence[tuple[float, float]],
    *,
    pixel_km: float,
    between: tuple[float, float],
) -> list[dict[str, object]]:
    """Each town's name at that side of its marks where it covers least.

    A name near the west or the east end of the map is held at its outer edge, so that
    it grows inwards where the map is narrow. Of more than MOST_NAMED towns those with
    the most sites come first, and names that do not fit are left out.
    """
    third = (between[1] - between[0]) / 3
    crowded = len(towns) > MOST_NAMED
    names: list[dict[str, object]] = []
    taken = _Taken(marks, pixel_km=pixel_km)
    for town in sorted(towns, key=lambda town: crowded and -len(towns[town])):
        inside = towns[town]
        middle = sum(x for x, _ in inside) / len(inside)
        wide = _wide(town, pixel_km)
        sides = [
            (middle, min(y for _, y in inside) - 20 * pixel_km),
            (middle, max(y for _, y in inside) + 20 * pixel_km),
            (min(x for x, _ in inside) - wide - 12 * pixel_km, inside[0][1]),
            (max(x for x, _ in inside) + wide + 12 * pixel_km, inside[-1][1]),
        ]
        if crowded:
            sides = [
                side
                for side in sides
                if between[0] <= side[0] - wide and side[0] + wide <= between[1]
            ]
        covers = [taken.covered(side, wide) for side in sides]
        if crowded and min(covers, default=1):
            continue
        x, y = sides[covers.index(min(covers))]
        taken.add_name(x, y, wide)
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
        for i, j in _near(moved, 2 * distance):
            one, other = moved[i], moved[j]
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


def _near(points: Sequence[Sequence[float]], distance: float) -> list[tuple[int, int]]:
    """Pairs of points, later one first, that may be as near as that: a grid's."""
    cells: dict[tuple[int, int], list[int]] = defaultdict(list)
    pairs = []
    for i, (x, y) in enumerate(points):
        column, row = math.floor(x / distance), math.floor(y / distance)
        pairs += [
            (i, j)
            for right in (-1, 0, 1)
            for up in (-1, 0, 1)
            for j in cells.get((column + right, row + up), ())
        ]
        cells[column, row].append(i)
    return sorted(pairs)
