"""Sites on a map without tiles: Web-Mercator coordinates in a plain scatter chart.

It needs no WebGL, no glyphs and nobody else's server, follows the theme and prints.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from dashboards.figures.layout import Figure, layout, plain
from dashboards.language import Language
from dashboards.states import STATES

#: radius of the Web-Mercator sphere in km
_RADIUS_KM = 6378.137
#: of the figure in pixels, where the page has its full width
_WIDTH = 1000
#: of figures with names of sites, the narrowest and the widest: one placing of names
#: for the full width of a page, and one for less
_FULL_WIDTHS: Final = (960, 1024)
_LESS_WIDTHS: Final = (800, 960)
#: of the figure on a phone
_PHONE_WIDTH: Final = 328
#: around the map in pixels
_MARGIN: Final = 8
#: where a name can be beside its mark, the first ones preferred: steps east and north
_SIDES: Final = {
    "top center": (0, 1),
    "bottom center": (0, -1),
    "middle right": (1, 0),
    "middle left": (-1, 0),
    "top right": (1, 1),
    "top left": (-1, 1),
    "bottom right": (1, -1),
    "bottom left": (-1, -1),
}
#: half of a letter's width in pixels, of the names of sites and of towns
_LETTER: Final = 3.0
_TOWN_LETTER: Final = 3.6
#: of a road's line in pixels from one point to the next
_STEP: Final = 12
#: steps of its own road that a name may lie on: where it crosses, not where it follows
_CROSSED: Final = 3
#: more sites than these are drawn as clusters, one for each cell of the map
MAX_MARKS: Final = 150
#: side of such a cell in pixels
_CELL: Final = 36
#: maximum attempts to find room for all names
_ROUNDS: Final = 8
#: of more marks, or towns, than these only those are named whose names fit
MAX_SITES_NAMED: Final = 40


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
    #: lines of the hover text
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
    more than MAX_MARKS sites, those that are close together share a mark.
    """
    points = [project(place.latitude, place.longitude) for place in places]
    (left, right), (low, high) = _extent(points)
    #: km in a pixel where the page has its full width
    pixel_km = max((right - left) / _WIDTH, (high - low) / height)
    towns: dict[str, list[tuple[float, float]]] = defaultdict(list)
    clustered = len(places) > MAX_MARKS
    if spread and not clustered:
        points = _apart(points, distance=20 * pixel_km)
    for place, point in zip(places, points, strict=True):
        towns[place.town].append(point)
    latitude = sum(p.latitude for p in places) / len(places) if places else 50.0
    if clustered:
        places, points = _clusters(places, points, language, cell_km=_CELL * pixel_km)
    roads = {} if spread or clustered else _roads(places, points)

    def scale(width: int) -> float:
        """Return km in a pixel of a figure."""
        return max(
            (right - left) / (width - 2 * _MARGIN),
            (high - low) / (height - 2 * _MARGIN),
        )

    full, less = (
        [""] * len(places)
        if spread
        else _sides(
            places,
            points,
            roads,
            scales=[scale(width) for width in widths],
            between=(left, right),
            crowded=clustered or len(places) > MAX_SITES_NAMED,
        )
        for widths in (_FULL_WIDTHS, _LESS_WIDTHS)
    )
    traces: list[dict[str, object]] = [
        _line(road, along) for road, along in roads.items()
    ]
    for key, state in STATES.items():
        shown = [
            each
            for each in zip(places, points, full, less, strict=True)
            if each[0].state == key
        ]
        if not shown:
            continue
        traces.append(
            {
                "type": "scatter",
                "mode": "markers" if spread else "markers+text",
                "name": language.phrase(state.word),
                "x": [round(point[0], 3) for _, point, _, _ in shown],
                "y": [round(point[1], 3) for _, point, _, _ in shown],
                **_names((place.name, side) for place, _, side, _ in shown),
                # for `charts.js`
                "meta": []
                if spread
                else [
                    {
                        "below": _FULL_WIDTHS[0],
                        "with": _names((place.name, side) for place, *_, side in shown),
                    },
                    # names would cover each other
                    {"below": _LESS_WIDTHS[0], "with": {"mode": "markers"}},
                ],
                "textfont": {"size": 12, "color": "var(--text)"},
                "hovertext": [
                    "<br>".join(
                        [f"<b>{plain(place.name)}</b>", *map(plain, place.words)]
                    )
                    for place, *_ in shown
                ],
                "hovertemplate": "%{hovertext}<extra></extra>",
                "customdata": [place.link for place, *_ in shown],
                "cliponaxis": False,
                "marker": {
                    "symbol": state.symbol,
                    "size": [_size(place) for place, *_ in shown] if clustered else 13,
                    "color": f"var(--state-{key})",
                    "line": {"width": 1.5, "color": f"var(--state-{key})"},
                },
            }
        )
    drawn = layout(language, height=height)
    drawn["margin"] = dict.fromkeys("lrtb", _MARGIN)
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
    ]
    if spread:
        of_all = drawn["annotations"]
        full_names, phone_names = (
            _town_names(towns, points, pixel_km=km, between=(left, right))
            for km in (pixel_km, scale(_PHONE_WIDTH))
        )
        drawn["annotations"] = of_all + full_names
        # for `charts.js`
        drawn["meta"] = [
            {
                "below": _LESS_WIDTHS[0],
                "with": {"annotations": of_all + phone_names},
            }
        ]
    return {"data": traces, "layout": drawn}


def _names(labels: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return names of sites, each at a side of its mark; without one none."""
    sides = [
        (plain(name) if side else "", side or "top center") for name, side in labels
    ]
    return {
        "text": [name for name, _ in sides],
        "textposition": [side for _, side in sides],
    }


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
        self.add_line((x - wide, y), (x + wide, y))

    def add_line(self, begin: tuple[float, float], end: tuple[float, float]) -> None:
        """Take points along a line, closer together than any name is wide."""
        steps = math.ceil(math.dist(begin, end) / (_STEP * self._pixel_km)) or 1
        self.add(
            (
                begin[0] + (end[0] - begin[0]) * step / steps,
                begin[1] + (end[1] - begin[1]) * step / steps,
            )
            for step in range(steps + 1)
        )

    def covered(
        self,
        at: tuple[float, float],
        wide: float,
        *,
        beside: float = 8,
        above: float = 14,
    ) -> int:
        """Return how many points a name would cover there, with pixels around it."""
        x, y = at
        beside, above = wide + beside * self._pixel_km, above * self._pixel_km
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


def _wide(name: str, pixel_km: float, letter: float = _LETTER) -> float:
    """Return half of a name's width, at most that of the map."""
    return min(len(name) * letter, _WIDTH / 2) * pixel_km


def _sides(
    places: Sequence[Place],
    points: Sequence[tuple[float, float]],
    roads: Mapping[str, Sequence[tuple[float, float]]],
    *,
    scales: Sequence[float],
    between: tuple[float, float],
    crowded: bool,
) -> list[str]:
    """At which side of its mark each site's name covers nothing; empty: at none.

    Nor does it lie on a road; where there is no other room, its own one may cross it.

    `scales`: km in a pixel of the narrowest and the widest map with names.
    `between`: the map's west and east end, beyond which names would be cut off.
    """
    order = list(range(len(places)))
    best: dict[int, str] = {}
    # those without room come first in the next round
    for _round in range(1 if crowded else _ROUNDS):
        maps = [_Room(points, roads, pixel_km=scale) for scale in scales]
        found: dict[int, str] = {}
        for number in order:
            place, point = places[number], points[number]
            if side := _side(maps, place, point, between=between, crowded=crowded):
                found[number] = side
                for room in maps:
                    room.take(place.name, point, side)
        best = max(best, found, key=len)
        if len(best) == len(places):
            break
        order.sort(key=found.__contains__)
    return [best.get(number, "") for number in range(len(places))]


def _side(
    maps: "Sequence[_Room]",
    place: Place,
    point: tuple[float, float],
    *,
    between: tuple[float, float],
    crowded: bool,
) -> str:
    """Return the best side of a mark for its name; empty: none."""
    sides = [] if place.sites > 1 else list(_SIDES)
    fitting = [
        side
        for side in sides
        if all(room.fits(place.name, point, side, between) for room in maps)
    ]
    # a name that is too long for its map is cut off, where there are not many
    free = [
        side
        for side in (fitting if fitting or crowded else sides)
        if all(room.is_free(place.name, point, side) for room in maps)
    ]
    crossed = {
        side: max(room.crossed(place, point, side) for room in maps) for side in free
    }
    # it would cover what is there; the hover text and the list have the name
    side = min(free, key=lambda side: crossed[side], default="")
    return side if side and crossed[side] <= _CROSSED else ""


class _Room:
    """Room for names on a map of one width: beside marks, other names and roads."""

    def __init__(
        self,
        points: Iterable[tuple[float, float]],
        roads: Mapping[str, Sequence[tuple[float, float]]],
        *,
        pixel_km: float,
    ) -> None:
        self._pixel_km = pixel_km
        self._taken = _Taken(points, pixel_km=pixel_km)
        self._roads = {road: _Taken((), pixel_km=pixel_km) for road in roads}
        for road, along in roads.items():
            for begin, end in pairwise(along):
                self._roads[road].add_line(begin, end)

    def fits(
        self,
        name: str,
        point: tuple[float, float],
        side: str,
        between: tuple[float, float],
    ) -> bool:
        """Return whether a name is on the map from end to end."""
        wide = _wide(name, self._pixel_km)
        x, _ = self._middle(wide, point, side)
        return between[0] <= x - wide and x + wide <= between[1]

    def is_free(self, name: str, point: tuple[float, float], side: str) -> bool:
        """Return whether a name would cover neither a mark nor a name."""
        wide = _wide(name, self._pixel_km)
        return not self._taken.covered(self._middle(wide, point, side), wide)

    def crossed(self, place: Place, point: tuple[float, float], side: str) -> float:
        """Return how far the site's own road runs under its name, in steps of a line.

        Infinitely where another road does.
        """
        wide = _wide(place.name, self._pixel_km)
        at = self._middle(wide, point, side)
        return sum(
            steps if road == place.road else math.inf
            for road, taken in self._roads.items()
            if (steps := taken.covered(at, wide, beside=4, above=11))
        )

    def take(self, name: str, point: tuple[float, float], side: str) -> None:
        """Keep a name's room from others."""
        wide = _wide(name, self._pixel_km)
        self._taken.add_name(*self._middle(wide, point, side), wide)

    def _middle(
        self, wide: float, point: tuple[float, float], side: str
    ) -> tuple[float, float]:
        east, north = _SIDES[side]
        away = 14 if east else 16
        return (
            point[0] + east * (wide + 10 * self._pixel_km),
            point[1] + north * away * self._pixel_km,
        )


def _scale(latitude: float, language: Language, *, goal: float) -> tuple[float, str]:
    """Return a round length up to `goal` on the map, in its km, and its label."""
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
    """Return each town's name at that side of its marks where it covers least.

    A name near the west or the east end of the map is held at its outer edge, so that
    it grows inwards where the map is narrow. One that would cover another is left out.
    Of more than MAX_SITES_NAMED towns those with the most sites come first, and names
    that would cover marks are left out as well.
    """
    third = (between[1] - between[0]) / 3
    crowded = len(towns) > MAX_SITES_NAMED
    names: list[dict[str, object]] = []
    of_marks = _Taken(marks, pixel_km=pixel_km)
    of_names = _Taken((), pixel_km=pixel_km)
    for town in sorted(towns, key=lambda town: crowded and -len(towns[town])):
        inside = towns[town]
        middle = sum(x for x, _ in inside) / len(inside)
        wide = _wide(town, pixel_km, _TOWN_LETTER)
        west, east = between[0] + 4 * pixel_km + wide, between[1] - 4 * pixel_km - wide
        sides = [
            (middle, min(y for _, y in inside) - 20 * pixel_km),
            (middle, max(y for _, y in inside) + 20 * pixel_km),
            (min(x for x, _ in inside) - wide - 12 * pixel_km, inside[0][1]),
            (max(x for x, _ in inside) + wide + 12 * pixel_km, inside[-1][1]),
        ]
        sides = [(max(west, min(x, east)), y) for x, y in sides]
        covers = [
            (of_names.covered(side, wide), of_marks.covered(side, wide))
            for side in sides
        ]
        best = min(covers)
        if best[0] or (crowded and best[1]):
            continue
        x, y = sides[covers.index(best)]
        of_names.add_name(x, y, wide)
        anchor = "center"
        if x < between[0] + third:
            x, anchor = x - wide, "left"
        elif x > between[1] - third:
            x, anchor = x + wide, "right"
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
) -> dict[str, list[tuple[float, float]]]:
    """Return the points of each road with several sites, from one end to the other."""
    roads = defaultdict(list)
    for place, point in zip(places, points, strict=True):
        if place.road:
            roads[place.road].append(point)
    found = {}
    for road, along in sorted(roads.items()):
        if len(along) < 2:
            continue
        wide = max(p[0] for p in along) - min(p[0] for p in along)
        high = max(p[1] for p in along) - min(p[1] for p in along)
        found[road] = sorted(along, key=lambda p: p[0] if wide >= high else p[1])
    return found


def _line(road: str, along: Sequence[tuple[float, float]]) -> dict[str, object]:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [round(point[0], 3) for point in along],
        "y": [round(point[1], 3) for point in along],
        "name": plain(road),
        "hoverinfo": "skip",
        "showlegend": False,
        "line": {"color": "var(--road)", "width": 5},
    }


def _extent(
    points: Sequence[tuple[float, float]],
) -> tuple[tuple[float, float], tuple[float, float]]:
    """From west to east and from south to north, with room for names around."""
    xs, ys = [p[0] for p in points] or [0.0], [p[1] for p in points] or [0.0]
    pad = max(0.25, (max(xs) - min(xs)) * 0.08, (max(ys) - min(ys)) * 0.12)
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
