"""Progress on standard error: a bar on a terminal, else a line every few seconds."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from verkehrspuls.cli import output

_UPDATE_S: Final = 5.0


@contextmanager
def shown(title: str, total: int, *, wanted: bool) -> Iterator[Callable[[], None]]:
    """Show the progress of a loop, which calls the yielded function after each step."""
    if not wanted:
        yield lambda: None
    elif sys.stderr.isatty():
        with _bar(title, total) as advance:
            yield advance
    else:
        yield _lines(title, total)


@contextmanager
def _bar(title: str, total: int) -> Iterator[Callable[[], None]]:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task(title, total=total)
        yield lambda: progress.advance(task)


def _lines(title: str, total: int) -> Callable[[], None]:
    done, printed_at = 0, time.monotonic()

    def advance() -> None:
        nonlocal done, printed_at
        done += 1
        now = time.monotonic()
        if now - printed_at >= _UPDATE_S or done == total:
            printed_at = now
            output.print_note(f"{title}: {done / total:.0%}")

    return advance
