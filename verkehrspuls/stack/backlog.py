"""Show the progress of analytics through its backlog."""

import sys
import time
from collections.abc import Callable

import psycopg

from verkehrspuls.errors import Unavailable

POLL_S = 1.0


def show_backlog(
    url: str, *, print_line: Callable[[str], None], step: Callable[[], None]
) -> None:
    """Show a bar until no bucket is stale; plain lines without a terminal.

    `step` is called meanwhile. New readings create new stale buckets: the amount of one
    second does not count as a backlog.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
    )

    most = left = _count(url)
    if left == 0:
        return
    terminal = sys.stderr.isatty()
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not terminal,
    )
    with progress:
        task = progress.add_task("figures", total=most)
        asked = time.monotonic()
        while left:
            step()
            time.sleep(0.1)
            if time.monotonic() < asked + POLL_S:
                continue
            asked = time.monotonic()
            left = _count(url)
            most = max(most, left)
            progress.update(task, total=most, completed=most - left)
    print_line("figures: up to date")


def _count(url: str) -> int:
    """Count stale buckets; at least one while the database does not answer."""
    from verkehrspuls.storage.database import connect, execute

    try:
        with connect(url, application="verkehrspuls up") as connection:
            row = execute(connection, "stale_bucket_count").fetchone()
    except (Unavailable, psycopg.Error, OSError):
        return 1
    return int(row["buckets"]) if row else 0
