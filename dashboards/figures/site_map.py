"""Sites on a map without tiles: Web-Mercator coordinates in a plain scatter chart.

It needs no WebGL, no glyphs and nobody else's server, follows the theme and prints.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final, NamedTuple

from dashboards.figures.layout import Figure, layout, plain
from dashboards.states import STATES, States
from verkehrspuls.language import Language

#: radius of the Web-Mercator sphere in km
_RADIUS_KM = 6378.137
#: of the figure in pixels, where the page has its full width
_WIDTH = 1000
#: kinds of figures by width, the narrowest and the widest of each: marks and names
#: are placed for each kind, and `charts.js` takes what fits
_WIDTHS: Final = ((960, 1024), (800, 960), (480, 800), (288, 480))
#: in narrower figures sites are not named: names would cover each other
_LEAST_NAMED: Final = 800
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
#: from one mark to the next in pixels, at least
_APART: Final = 17
#: half of a letter's width in pixels, of the names of sites and of towns
_LETTER: Final = 3.1
_TOWN_LETTER: Final = 3.6
#: height of a line of text in pixels
_LINE: Final = 14
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
#: last placements that are kept: what sites measure changes, where they are does not
_KEPT: Final = 128

_Point = tuple[float, float]
#: points of each road with several sites
_Roads = tuple[tuple[str, tuple[_Point, ...]], ...]


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
    #: a key of the states that are drawn
    state: str
    #: lines of the hover text
    words: tuple[str, ...]
    #: where a click leads; empty: nowhere
    link: str
    #: more than one: a cluster
    sites: int = 1


class _Label(NamedTuple):
    """What places the name of a mark."""

    name: str
    road: str
    sites: int


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
    states: States = STATES,
) -> Figure:
    """Draw sites by state; marks that would cover each other are moved apart.

    `spread` is for several towns: they are named. Else the sites are, and those of one
    road are joined. Of more than MAX_MARKS sites, those that are close together share a
    mark.
    """
    points = [project(place.latitude, place.longitude) for place in places]
    drawing = _Drawing(
        places, points, language, spread=spread, height=height, states=states
    )
    figures = [drawing.figure(widths) for widths in _WIDTHS]
    parts = [[figure["layout"], *figure["data"]] for figure in figures]
    limits = [narrowest for narrowest, _ in _WIDTHS]
    # for `charts.js`: what else is drawn below a width
    metas: list[list[dict[str, object]]] = [[] for _ in parts[0]]
    for limit, (wider, narrower) in zip(limits, pairwise(parts), strict=False):
        for meta, one, other in zip(metas, wider, narrower, strict=True):
            differing = {key: other[key] for key in other if one[key] != other[key]}
            if differing:
                meta.append({"below": limit, "with": differing})
    for part, meta in zip(parts[0], metas, strict=True):
        part["meta"] = meta
    return figures[0]


class _Drawing:
    """The map, drawn for one kind of width after the other."""

    def __init__(
        self,
        places: Sequence[Place],
        points: Sequence[_Point],
        language: Language,
        *,
        spread: bool,
        height: int,
        states: States,
    ) -> None:
        self._language, self._spread, self._height = language, spread, height
        self._states = states
        self._latitude = (
            sum(p.latitude for p in places) / len(places) if places else 50.0
        )
        self._across, self._along = _extent(points)
        self._towns: dict[str, list[int]] = defaultdict(list)
        for number, place in enumerate(places):
            self._towns[place.town].append(number)
        self._sites = tuple(points)
        self._clustered = len(places) > MAX_MARKS
        self._places: Sequence[Place] = places
        self._points = self._sites
        if self._clustered:
            cell_km = _CELL * self._pixel_km(_WIDTH)
            self._places, middles = _clusters(
                places, points, language, cell_km=cell_km, states=states
            )
            self._points = tuple(middles)

    def figure(self, widths: tuple[int, int]) -> Figure:
        """Draw it for the narrowest and the widest figure of a kind."""
        scales = [self._pixel_km(width) for width in widths]
        points = self._points
        if not self._clustered:
            points = _apart(points, distance=_APART * scales[0])
        roads: _Roads = ()
        if not self._spread and not self._clustered:
            roads = _roads(self._places, points)
        named = not self._spread and widths[0] >= _LEAST_NAMED
        sides: Sequence[str] = [""] * len(points)
        if named:
            sides = _sides(
                tuple(_Label(p.name, p.road, p.sites) for p in self._places),
                points,
                roads,
                scales=(scales[0], scales[1]),
                between=self._visible(widths[0]),
                crowded=self._clustered or len(points) > MAX_SITES_NAMED,
            )
        lines = [_line(road, along) for road, along in roads]
        marks = (
            self._marks(key, points, sides, named=named)
            for key in self._states
            if any(place.state == key for place in self._places)
        )
        return {"data": [*lines, *marks], "layout": self._layout(points, widths[0])}

    def _pixel_km(self, width: int) -> float:
        """Return km in a pixel of a figure."""
        (left, right), (low, high) = self._across, self._along
        return max(
            (right - left) / (width - 2 * _MARGIN),
            (high - low) / (self._height - 2 * _MARGIN),
        )

    def _visible(self, width: int) -> tuple[float, float]:
        """Return the west and the east end: where the map is high, beyond its sites."""
        middle = sum(self._across) / 2
        half = (width - 2 * _MARGIN) / 2 * self._pixel_km(width)
        return middle - half, middle + half

    def _marks(
        self,
        key: str,
        points: Sequence[_Point],
        sides: Sequence[str],
        *,
        named: bool,
    ) -> dict[str, object]:
        """Return the marks of a state, with the names of their sites."""
        state = self._states[key]
        shown = [
            each
            for each in zip(self._places, points, sides, strict=True)
            if each[0].state == key
        ]
        return {
            "type": "scatter",
            "mode": "markers+text" if named else "markers",
            "name": self._language.phrase(state.word),
            **_coordinates([point for _, point, _ in shown]),
            "text": [plain(place.name) if side else "" for place, _, side in shown],
            "textposition": [side or "top center" for *_, side in shown],
            "textfont": {"size": 12, "color": "var(--text)"},
            "hovertext": [
                "<br>".join([f"<b>{plain(place.name)}</b>", *map(plain, place.words)])
                for place, *_ in shown
            ],
            "hovertemplate": "%{hovertext}<extra></extra>",
            "customdata": [place.link for place, *_ in shown],
            "cliponaxis": False,
            "marker": {
                "symbol": state.symbol,
                "size": [_size(place) for place, *_ in shown]
                if self._clustered
                else 13,
                "color": f"var(--state-{state.key})",
                "line": {"width": 1.5, "color": f"var(--state-{state.key})"},
            },
        }

    def _layout(self, points: tuple[_Point, ...], width: int) -> dict[str, Any]:
        drawn = layout(self._language, height=self._height)
        drawn["margin"] = dict.fromkeys("lrtb", _MARGIN)
        hidden = {
            "visible": False,
            "showgrid": False,
            "zeroline": False,
            "fixedrange": self._spread,
        }
        drawn["xaxis"] = hidden | {"range": list(self._across)}
        drawn["yaxis"] = hidden | {"range": list(self._along), "scaleanchor": "x"}
        drawn["dragmode"] = False if self._spread else "pan"
        # at the bottom of the figure, where the map leaves room above and below
        pixel_km, visible = self._pixel_km(width), self._visible(width)
        # a pixel inside: what is outside is not drawn
        left, at_bottom = visible[0] + pixel_km, {"yref": "paper"}
        length, label = _scale(self._latitude, self._language, goal=80 * pixel_km)
        drawn["shapes"] = [
            {
                "type": "line",
                "x0": left,
                "x1": left + length,
                "y0": 0,
                "y1": 0,
                "line": {"color": "var(--soft)", "width": 2},
            }
            | at_bottom
        ]
        drawn["annotations"] = [
            {
                "x": left,
                "y": 0,
                "text": label,
                "xanchor": "left",
                "yanchor": "bottom",
                "showarrow": False,
                "font": {"size": 12, "color": "var(--soft)"},
            }
            | at_bottom
        ]
        if self._spread:
            sites = self._sites if self._clustered else points
            drawn["annotations"] += _town_names(
                tuple(
                    (town, tuple(sites[number] for number in inside))
                    for town, inside in self._towns.items()
                ),
                points,
                pixel_km=pixel_km,
                between=visible,
            )
        return drawn


def _coordinates(points: Iterable[_Point]) -> dict[str, list[float]]:
    """Return points as a trace takes them."""
    rounded = [(round(x, 3), round(y, 3)) for x, y in points]
    return {"x": [x for x, _ in rounded], "y": [y for _, y in rounded]}


def _size(place: Place) -> int:
    """Diameter of a mark in pixels; of a cluster by the logarithm of its sites."""
    return round(13 + 6 * math.log10(place.sites))


def _clusters(
    places: Sequence[Place],
    points: Sequence[_Point],
    language: Language,
    *,
    cell_km: float,
    states: States,
) -> tuple[list[Place], list[_Point]]:
    """Join the sites of each cell of a grid: at their middle, by their commonest state.

    A cluster leads to its town, where it is of one.
    """
    cells: dict[tuple[int, int], list[tuple[Place, _Point]]] = {}
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
        counts = Counter(place.state for place, _ in inside)
        ways = {place.link.rpartition("/")[0] for place, _ in inside}
        joined.append(
            replace(
                first,
                name=language.plural("%(count)s site", "%(count)s sites", count),
                state=max(states, key=lambda key: counts[key]),
                words=tuple(
                    f"{language.number(counts[key])} {language.phrase(state.word)}"
                    for key, state in states.items()
                    if counts[key]
                ),
                link=ways.pop() if len(ways) == 1 else "",
                sites=count,
            )
        )
    return joined, middles


class _Taken:
    """Where marks and names are, so that what is near a point is found at once."""

    def __init__(self, points: Iterable[_Point], *, pixel_km: float):
        self._km = 32 * pixel_km
        self._pixel_km = pixel_km
        self._cells: dict[tuple[int, int], list[_Point]] = {}
        self.add(points)

    def add(self, points: Iterable[_Point]) -> None:
        """Take points."""
        for x, y in points:
            self._cells.setdefault(self._cell(x, y), []).append((x, y))

    def add_name(self, x: float, y: float, wide: float) -> None:
        """Take points along a name, so that others keep away from all of it."""
        self.add_line((x - wide, y), (x + wide, y))

    def add_line(self, begin: _Point, end: _Point) -> None:
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
        beside: float,
        above: float,
        own: tuple[float, float] | None = None,
    ) -> int:
        """Return how many points a name would cover there, with pixels around it.

        Its `own` mark does not count.
        """
        x, y = at
        beside, above = wide + beside * self._pixel_km, above * self._pixel_km
        left, low = self._cell(x - beside, y - above)
        right, high = self._cell(x + beside, y + above)
        return sum(
            abs(other[0] - x) < beside and abs(other[1] - y) < above and other != own
            for column in range(left, right + 1)
            for row in range(low, high + 1)
            for other in self._cells.get((column, row), ())
        )

    def _cell(self, x: float, y: float) -> tuple[int, int]:
        return math.floor(x / self._km), math.floor(y / self._km)


def _wide(name: str, pixel_km: float, letter: float = _LETTER) -> float:
    """Return half of a name's width, at most that of the map."""
    return min(len(name) * letter, _WIDTH / 2) * pixel_km


@lru_cache(maxsize=_KEPT)
def _sides(
    labels: tuple[_Label, ...],
    points: tuple[_Point, ...],
    roads: _Roads,
    *,
    scales: tuple[float, float],
    between: tuple[float, float],
    crowded: bool,
) -> tuple[str, ...]:
    """At which side of its mark each site's name covers nothing; empty: at none.

    Nor does it lie on a road; where there is no other room, its own one may cross it.

    `scales`: km in a pixel of the narrowest and the widest map with names.
    `between`: the map's west and east end, beyond which names would be cut off.
    """
    maps = [_Room(points, roads, pixel_km=scale) for scale in scales]
    fitting = [
        _fitting(maps, label, point, between=between, crowded=crowded)
        for label, point in zip(labels, points, strict=True)
    ]
    # those with the fewest sides come first, and in the next round those without room
    order = sorted(range(len(labels)), key=lambda number: len(fitting[number]))
    best: dict[int, str] = {}
    for _round in range(1 if crowded else _ROUNDS):
        for room in maps:
            room.clear()
        found: dict[int, str] = {}
        for number in order:
            name, point = labels[number].name, points[number]
            for side in fitting[number]:
                if all(room.is_free(name, point, side) for room in maps):
                    found[number] = side
                    for room in maps:
                        room.take(name, point, side)
                    break
        best = max(best, found, key=len)
        if len(best) == len(labels):
            break
        order.sort(key=found.__contains__)
    # without a side it would cover what is there; hover text and list have the name
    return tuple(best.get(number, "") for number in range(len(labels)))


def _fitting(
    maps: "Sequence[_Room]",
    label: _Label,
    point: _Point,
    *,
    between: tuple[float, float],
    crowded: bool,
) -> list[str]:
    """Return the sides of a mark where its name is near no other mark and on no road.

    Those come first where its own road does not cross it.
    """
    sides = [] if label.sites > 1 else list(_SIDES)
    whole = [
        side
        for side in sides
        if all(room.fits(label.name, point, side, between) for room in maps)
    ]
    costs = {
        side: max(room.crossed(label, point, side) for room in maps)
        # a name that is too long for its map is cut off, where there are not many
        for side in (whole if whole or crowded else sides)
    }
    return sorted(
        (side for side, cost in costs.items() if cost < math.inf), key=costs.__getitem__
    )


class _Room:
    """Room for names on a map of one width: beside marks, other names and roads."""

    def __init__(
        self,
        points: Iterable[_Point],
        roads: _Roads,
        *,
        pixel_km: float,
    ) -> None:
        self._pixel_km = pixel_km
        self._marks = _Taken(points, pixel_km=pixel_km)
        self._names = _Taken((), pixel_km=pixel_km)
        self._roads = {road: _Taken((), pixel_km=pixel_km) for road, _ in roads}
        for road, along in roads:
            for begin, end in pairwise(along):
                self._roads[road].add_line(begin, end)

    def fits(
        self,
        name: str,
        point: _Point,
        side: str,
        between: tuple[float, float],
    ) -> bool:
        """Return whether a name is on the map from end to end."""
        wide = _wide(name, self._pixel_km)
        x, _ = self._middle(wide, point, side)
        return between[0] <= x - wide and x + wide <= between[1]

    def crossed(self, label: _Label, point: _Point, side: str) -> float:
        """Return how far the site's own road runs under its name, in steps of a line.

        Infinitely where that is far, another road does, or another mark is about as
        near as its own one, so that the name could be read as that one's.
        """
        wide = _wide(label.name, self._pixel_km)
        at = self._middle(wide, point, side)
        if self._marks.covered(at, wide, beside=12, above=20, own=point):
            return math.inf
        steps = sum(
            under if road == label.road else math.inf
            for road, taken in self._roads.items()
            if (under := taken.covered(at, wide, beside=4, above=11))
        )
        return steps if steps <= _CROSSED else math.inf

    def is_free(self, name: str, point: _Point, side: str) -> bool:
        """Return whether a name would cover no other one."""
        wide = _wide(name, self._pixel_km)
        at = self._middle(wide, point, side)
        return not self._names.covered(at, wide, beside=8, above=_LINE)

    def clear(self) -> None:
        """Take all names away."""
        self._names = _Taken((), pixel_km=self._pixel_km)

    def take(self, name: str, point: _Point, side: str) -> None:
        """Keep a name's room from others."""
        wide = _wide(name, self._pixel_km)
        self._names.add_name(*self._middle(wide, point, side), wide)

    def _middle(self, wide: float, point: _Point, side: str) -> tuple[float, float]:
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


@lru_cache(maxsize=_KEPT)
def _town_names(
    towns: tuple[tuple[str, tuple[_Point, ...]], ...],
    marks: tuple[_Point, ...],
    *,
    pixel_km: float,
    between: tuple[float, float],
) -> tuple[dict[str, object], ...]:
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
    for town, inside in sorted(towns, key=lambda town: crowded and -len(town[1])):
        middle = sum(x for x, _ in inside) / len(inside)
        wide = _wide(town, pixel_km, _TOWN_LETTER)
        west, east = between[0] + 4 * pixel_km + wide, between[1] - 4 * pixel_km - wide
        low, high = min(y for _, y in inside), max(y for _, y in inside)
        sides = [
            (middle, low - 20 * pixel_km),
            (middle, high + 20 * pixel_km),
            (min(x for x, _ in inside) - wide - 12 * pixel_km, inside[0][1]),
            (max(x for x, _ in inside) + wide + 12 * pixel_km, inside[-1][1]),
            (middle, low - 36 * pixel_km),
            (middle, high + 36 * pixel_km),
        ]
        sides = [(max(west, min(x, east)), y) for x, y in sides]
        covers = [
            tuple(
                taken.covered(side, wide, beside=8, above=_LINE)
                for taken in (of_names, of_marks)
            )
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
    return tuple(names)


def _roads(places: Sequence[Place], points: Sequence[_Point]) -> _Roads:
    """Return the points of each road with several sites, from one end to the other."""
    roads = defaultdict(list)
    for place, point in zip(places, points, strict=True):
        if place.road:
            roads[place.road].append(point)
    found = []
    for road, along in sorted(roads.items()):
        if len(along) < 2:
            continue
        wide = max(p[0] for p in along) - min(p[0] for p in along)
        high = max(p[1] for p in along) - min(p[1] for p in along)
        along = sorted(along, key=lambda p: p[0] if wide >= high else p[1])
        found.append((road, tuple(along)))
    return tuple(found)


def _line(road: str, along: Sequence[_Point]) -> dict[str, object]:
    return {
        "type": "scatter",
        "mode": "lines",
        **_coordinates(along),
        "name": plain(road),
        "hoverinfo": "skip",
        "showlegend": False,
        "line": {"color": "var(--road)", "width": 5},
    }


def _extent(
    points: Sequence[_Point],
) -> tuple[tuple[float, float], tuple[float, float]]:
    """From west to east and from south to north, with room for names around."""
    xs, ys = [p[0] for p in points] or [0.0], [p[1] for p in points] or [0.0]
    pad = max(0.25, (max(xs) - min(xs)) * 0.08, (max(ys) - min(ys)) * 0.12)
    return (min(xs) - pad, max(xs) + pad), (min(ys) - pad, max(ys) + pad)


@lru_cache(maxsize=_KEPT)
def _apart(points: tuple[_Point, ...], *, distance: float) -> tuple[_Point, ...]:
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
    return tuple((point[0], point[1]) for point in moved)


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
