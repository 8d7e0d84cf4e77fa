"""JSON of a figure in a page: long lists are packed, so that a year stays small.

`charts.js` unpacks them. A number takes two bytes; evenly spaced times and repeated
values are runs; shapes that differ only in their times share their other properties.
"""

import base64
from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import ne
from typing import Any, Final

import msgspec
import numpy as np
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from dashboards.figures.layout import Figure

#: minimum length of packed lists
_MIN_LENGTH: Final = 48
#: maximum runs per element worth packing
_MAX_RUN_RATIO: Final = 0.5
#: factors of the decimals of drawn numbers
_FACTORS: Final = (1, 10, 100)
#: tolerance in units of the last decimal; computing errors are smaller
_TOLERANCE: Final = 1e-4
#: length of a wall time, 2026-03-01 10:15
_WALL_TIME_LENGTH: Final = 16
#: code of an unknown number
_UNKNOWN: Final = 65_535


def payload(figure: Figure) -> Markup:
    """Encode a figure as JSON that is safe in HTML."""
    traces = [_packed(trace) for trace in figure["data"]]
    layout = figure["layout"]
    if len(layout.get("shapes", ())) >= _MIN_LENGTH:
        layout = layout | {"shapes": _shapes(layout["shapes"])}
    return htmlsafe_json_dumps({"data": traces, "layout": layout}, dumps=_json)


def _json(value: Any, **_options: Any) -> str:
    return msgspec.json.encode(value).decode()


def _packed(trace: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _packed(value)
        if isinstance(value, Mapping)
        else _list(value)
        if isinstance(value, list) and len(value) >= _MIN_LENGTH
        else value
        for key, value in trace.items()
    }


def _list(values: list[Any]) -> object:
    kinds = {type(value) for value in values}
    if not kinds <= {int, float, str, type(None)}:
        return values
    if kinds == {str} and (times := _times(values)):
        return {"times": times}
    if 1 + sum(map(ne, values, values[1:])) <= len(values) * _MAX_RUN_RATIO:
        return {"runs": [[value, len(list(run))] for value, run in groupby(values)]}
    return (None if str in kinds else _numbers(values)) or values


def _numbers(values: list[Any]) -> dict[str, Any] | None:
    """Pack numbers into two bytes each; None where that would lose decimals.

    They are written as steps of the last decimal above the least of them.
    """
    known = np.array(values, dtype=np.float64)
    least, unknown = np.nanmin(known), np.isnan(known)
    for factor in _FACTORS:
        steps = (known - least) * factor
        whole = np.rint(steps)
        if np.nanmax(whole) >= _UNKNOWN:
            return None
        if np.nanmax(np.abs(steps - whole)) < _TOLERANCE:
            raw = np.where(unknown, _UNKNOWN, whole).astype("<u2").tobytes()
            packed = base64.b64encode(raw).decode()
            return {"numbers": packed, "from": round(float(least), 6), "by": factor}
    return None


def _shapes(shapes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Group shapes by their common properties, with the times of each."""
    alike: dict[bytes, dict[str, Any]] = {}
    for shape in shapes:
        common = {key: shape[key] for key in shape if key not in ("x0", "x1")}
        found = alike.setdefault(
            msgspec.json.encode(common), {"common": common, "spans": []}
        )
        found["spans"] += (shape["x0"], shape["x1"])
    return {"alike": list(alike.values())}


def _times(values: list[str]) -> list[list[int]] | None:
    """Pack wall times as runs of [begin, step, count], in minutes since 1970."""
    if values[0][4:5] != "-" or set(map(len, values)) != {_WALL_TIME_LENGTH}:
        return None
    try:
        minutes = np.array(values, dtype="datetime64[m]").astype(np.int64)
    except ValueError:
        return None
    steps = np.diff(minutes)
    begins = np.flatnonzero(np.diff(steps, prepend=steps[0] + 1))
    if len(begins) + 1 > len(values) * _MAX_RUN_RATIO:
        return None
    lengths = np.diff(begins, append=len(steps))
    runs = np.stack((minutes[begins], steps[begins], lengths), axis=1)
    return [*runs.tolist(), [int(minutes[-1]), 0, 1]]
