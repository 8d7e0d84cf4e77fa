"""The analytics worker, without a database."""

from datetime import UTC, datetime
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, cast

import pytest

from analytics.jobs import worker
from verkehrspuls.settings import Settings


def test_health_is_judged_soon_after_the_start_and_then_less_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A new town has verdicts before ten minutes have passed."""
    at, judged = 0.0, []
    monkeypatch.setattr(worker, "time", SimpleNamespace(monotonic=lambda: at))
    monkeypatch.setattr(
        worker,
        "health_store",
        SimpleNamespace(
            mark_running=lambda *_, **__: judged.append(at),
            judge=lambda *_, **__: False,
        ),
    )
    made = worker.Worker(
        Settings(),
        on_ready=lambda: None,
        clock=lambda: datetime(2026, 3, 4, tzinfo=UTC),
    )
    for second in range(4000):
        at = float(second)
        made._judge_health(cast(Any, None))
    gaps = [after - before for before, after in pairwise(judged)]
    assert gaps == [15, 30, 60, 120, 240, 480, *[600] * 5]


def test_forecasts_are_made_soon_after_the_start_and_then_less_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those of the first seconds lack the history that is still arriving."""
    at = 0.0
    made_at: list[float] = []
    monkeypatch.setattr(worker, "time", SimpleNamespace(monotonic=lambda: at))
    work = SimpleNamespace(
        put_forecasts=lambda *_, **__: made_at.append(at),
        put_imputed=lambda *_, **__: None,
    )
    monkeypatch.setattr(worker, "estimates", work)
    made = worker.Worker(
        Settings(),
        on_ready=lambda: None,
        clock=lambda: datetime(2026, 3, 4, tzinfo=UTC),
    )
    for second in range(1000):
        at = float(second)
        made._estimate(cast(Any, None))
    gaps = [after - before for before, after in pairwise(made_at)]
    assert gaps == [15, 30, 60, 120, 240, 300]
