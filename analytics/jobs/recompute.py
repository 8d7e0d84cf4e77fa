"""Recompute on demand: mark hours as stale, and help the workers to compute them."""

import multiprocessing
import signal
import time
from collections.abc import Iterator, MutableSequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from analytics.jobs import case_days, case_hours, claims, estimates
from analytics.jobs.store import Store, open_store
from verkehrspuls.access import audit
from verkehrspuls.registry import towns
from verkehrspuls.settings import Settings
from verkehrspuls.storage.database import is_lost

#: Wait while other workers hold the remaining sites.
_WAIT_S = 0.2
#: Marks that each process has taken.
_Taken = MutableSequence[int]


def recompute(
    settings: Settings, choice: claims.Choice, *, progress: bool, processes: int = 1
) -> int:
    """Recompute the chosen hours; return how many were marked.

    Their missing hours are imputed, however old they are. Several processes share the
    sites; a single claim needs only one.
    """
    url = settings.database.url.get_secret_value()
    with open_store(url, application="verkehrspuls recompute") as store:
        towns.require_sites(
            store.connection, municipality=choice.municipality, site=choice.site
        )
        with store.connection.transaction():
            marked = claims.mark_stale(store, choice)
            audit.note(
                store.connection,
                "figure.recompute",
                key="/".join(filter(None, (choice.municipality, choice.site))) or "all",
                municipality=choice.municipality,
                after={"first": choice.first, "last": choice.last, "hours": marked},
            )
        others = processes - 1 if marked > settings.analytics.claim_hours else 0
        with (
            _helped(settings, choice, others) as taken,
            Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                console=Console(stderr=True),
                disable=not progress,
            ) as bar,
        ):
            task = bar.add_task("hours", total=marked)
            for _ in _compute(store, settings, choice, taken, 0):
                bar.update(task, completed=min(sum(taken), marked))
            bar.update(task, completed=marked)
        if estimates.impute_history(
            store,
            settings.analytics,
            municipality=choice.municipality,
            first=choice.first,
            last=choice.last,
            now=store.now(),
        ):
            # the days of the imputed hours
            for _ in _compute(store, settings, choice, taken, 0):
                pass
        for judge in (case_hours.judge, case_days.judge):
            while judge(store, now=store.now()):
                pass
    return marked


def _compute(
    store: Store, settings: Settings, choice: claims.Choice, taken: _Taken, number: int
) -> Iterator[None]:
    """Compute until none of the chosen hours is stale; yield after each claim."""
    while claims.count_stale(store, choice):
        before = taken[number]
        for marks in claims.finish(store, settings.analytics, now=store.now()):
            taken[number] += marks
            yield
        if taken[number] == before:
            time.sleep(_WAIT_S)


@contextmanager
def _helped(settings: Settings, choice: claims.Choice, others: int) -> Iterator[_Taken]:
    """Run helper processes; yield the marks taken by each process."""
    spawn = multiprocessing.get_context("spawn")
    # without a lock, which a killed process would keep
    taken: _Taken = spawn.RawArray("q", 1 + others)
    helpers = [
        spawn.Process(target=_help, args=(settings, choice, taken, 1 + n), daemon=True)
        for n in range(others)
    ]
    for helper in helpers:
        helper.start()
    yield taken
    for helper in helpers:
        helper.join()


def _help(
    settings: Settings, choice: claims.Choice, taken: _Taken, number: int
) -> None:
    # Ctrl-C is handled by the command, which ends its helpers
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    url = settings.database.url.get_secret_value()
    try:
        with open_store(url, application="verkehrspuls recompute") as store:
            for _ in _compute(store, settings, choice, taken, number):
                pass
    except Exception as error:
        # the command notices a lost database itself, and reports it once
        if not is_lost(error):
            raise
