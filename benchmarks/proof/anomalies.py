"""Quality of the published anomaly score, and of forecasts and imputation.

Takes about five minutes on one core; each part needs its folders of real data.
"""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from analytics.scores.score import scores
from benchmarks.proof import faults, forecast, nab, simple

#: Data folders needed by each part.
NEEDS: Final = {
    "nab": ("nab_full",),
    "faults": ("muenster_kfz", "muenster_bike"),
    "forecast": ("muenster_kfz", "muenster_bike"),
}

#: Keys of a measured score, as published.
FAULT_KEYS: Final = {
    "faults_average_precision": "average_precision",
    "faults_event_recall": "event_recall",
    "faults_delay_h": "delay_h",
}


def run(data: Path) -> dict[str, Any]:
    """Measure all parts; a part without its data is null, with the reason."""
    return {
        **_part(data, "nab", _nab, ("nab_standard", "nab_realtraffic")),
        **_part(data, "faults", _faults, tuple(FAULT_KEYS)),
        **_part(data, "forecast", forecast.measure, ("wape",)),
    }


def _part(
    data: Path,
    name: str,
    measure: Callable[[Path], dict[str, Any]],
    keys: tuple[str, ...],
) -> dict[str, Any]:
    absent = [folder for folder in NEEDS[name] if not (data / folder).is_dir()]
    if absent:
        reason = f"no {', '.join(absent)} in {data} (VERKEHRSPULS_DATA)"
        return {**dict.fromkeys(keys), f"{name}_absent": reason}
    return measure(data)


def _nab(data: Path) -> dict[str, Any]:
    return nab.measure(data / "nab_full", scores)


def _faults(data: Path) -> dict[str, Any]:
    compared: dict[str, faults.Score] = {
        "ours": lambda rows: scores(rows)["score"].fill_null(0.0).to_numpy(),
        "poisson": simple.poisson,
        "best_of": simple.best_of,
    }
    if find_spec("traffic_anomaly"):
        compared["traffic_anomaly"] = simple.traffic_anomaly
    found = faults.compare(data, compared)
    return {
        **{key: found["ours"][own] for key, own in FAULT_KEYS.items()},
        "faults": {"traffic_anomaly": None, **found},
    }
