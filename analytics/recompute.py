"""Recomputing on demand: marks hours as stale and helps the workers to compute them."""

import time
from datetime import UTC, datetime

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from analytics import case_days, jobs
from analytics.store import open_store
from verkehrspuls.errors import UnknownKey
from verkehrspuls.settings import Settings

#: How long to wait where other workers hold what is left.
_WAIT_S = 0.2


def recompute(settings: Settings, choice: jobs.Choice, *, progress: bool) -> int:
    """Compute the chosen hours anew; returns how many were marked."""
    url = settings.database.url.get_secret_value()
    with open_store(url, application="verkehrspuls recompute") as store:
        if not jobs.count_sites(store, choice):
            kind = "municipality" if choice.site is None else "site"
            raise UnknownKey(kind=kind, key=choice.site or choice.municipality)
        marked = jobs.mark_stale(store, choice)
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            console=Console(stderr=True),
            disable=not progress,
        ) as bar:
            task = bar.add_task("hours", total=marked)
            while left := jobs.count_stale(store, choice):
                bar.update(task, completed=max(0, marked - left))
                now = datetime.now(UTC)
                if not jobs.process(store, settings.analytics, now=now):
                    time.sleep(_WAIT_S)
            bar.update(task, completed=marked)
        while case_days.judge(store, now=datetime.now(UTC)):
            pass
    return marked
