"""The command `verkehrspuls analytics`."""

import logging
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from verkehrspuls.cli import output
from verkehrspuls.errors import UsageError

#: What is being computed when the worker is told to stop may take this long.
GRACE_S: Final = 2.0

app = typer.Typer()


@app.command()
def run() -> None:
    """Run an analytics worker until it is told to stop."""
    import signal

    from analytics.jobs.worker import Worker
    from verkehrspuls import service
    from verkehrspuls.stack.state import resolve

    settings = resolve()
    service.begin(settings.log)
    worker = Worker(settings, on_ready=service.ready)

    def stop(*_: object) -> None:
        worker.stop()
        signal.signal(signal.SIGALRM, signal.default_int_handler)
        # again and again: a library may swallow what is raised within it
        signal.setitimer(signal.ITIMER_REAL, GRACE_S, GRACE_S)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    try:
        worker.run()
    except KeyboardInterrupt:
        # the claim is rolled back: the next worker takes it again
        logging.getLogger(__name__).warning("claim_given_up")
    finally:
        # an alarm while the interpreter ends, which takes long on a busy machine, would
        # end the process as if it had been killed
        signal.setitimer(signal.ITIMER_REAL, 0)


@app.command()
def recompute(
    municipality: Annotated[
        str | None, typer.Option(help="Key of a municipality; default: all.")
    ] = None,
    site: Annotated[
        str | None, typer.Option(help="Key of a site; default: all.")
    ] = None,
    first: Annotated[
        datetime | None,
        typer.Option(
            "--from", formats=["%Y-%m-%d"], help="First local day; default: all."
        ),
    ] = None,
    last: Annotated[
        datetime | None,
        typer.Option("--to", formats=["%Y-%m-%d"], help="Last local day, included."),
    ] = None,
    processes: Annotated[
        int, typer.Option(min=1, help="That compute, each other sites.")
    ] = 2,
    progress: Annotated[bool, typer.Option(help="Show progress.")] = True,
) -> None:
    """Compute figures anew from the readings, and judge anew what is unusual."""
    from analytics.jobs import claims
    from analytics.jobs.recompute import recompute as work
    from verkehrspuls import log
    from verkehrspuls.stack.state import resolve

    _refuse_backwards(first, last)
    settings = resolve()
    log.configure(level=settings.log.level, style=settings.log.format)
    choice = claims.Choice(
        municipality=municipality,
        site=site,
        first=first.date() if first else None,
        last=last.date() if last else None,
    )
    done = work(settings, choice, progress=progress, processes=processes)
    output.tell(f"channel hours computed: {done}")


@app.command()
def health(
    municipality: Annotated[
        str | None, typer.Option(help="Key of a municipality; default: all.")
    ] = None,
    site: Annotated[
        str | None, typer.Option(help="Key of a site; default: all.")
    ] = None,
    first: Annotated[
        datetime | None,
        typer.Option(
            "--from", formats=["%Y-%m-%d"], help="First local day; default: yesterday."
        ),
    ] = None,
    last: Annotated[
        datetime | None,
        typer.Option(
            "--to", formats=["%Y-%m-%d"], help="Last, included; default: today."
        ),
    ] = None,
    bad: Annotated[bool, typer.Option("--bad", help="Only what is not good.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """Show which test of health each channel failed first, by local day."""
    from dataclasses import asdict
    from datetime import UTC, timedelta

    from verkehrspuls.registry import towns
    from verkehrspuls.stack.state import resolve
    from verkehrspuls.storage import health as stored
    from verkehrspuls.storage.database import connect
    from verkehrspuls.storage.visibility import EVERYTHING

    _refuse_backwards(first, last)
    until = last.date() if last else datetime.now(UTC).date()
    since = first.date() if first else until - timedelta(days=1)
    url = resolve().database.url.get_secret_value()
    with connect(url, application="verkehrspuls health") as connection:
        towns.require_sites(connection, municipality=municipality, site=site)
        found = stored.days(
            connection,
            first=since,
            last=until,
            municipality=municipality,
            site=site,
            bad_only=bad,
            visible=EVERYTHING,
        )
    rows = [asdict(row) for row in found]
    if as_json:
        output.show_json(rows)
        return
    columns = ("day", "municipality", "site", "channel", "verdict", "value", "level")
    output.show(rows, columns)


@app.command()
def score(
    file: Annotated[Path, typer.Argument(help="A CSV file with a header.")],
    time: Annotated[str | None, typer.Option(help="Name of the time's column.")] = None,
    value: Annotated[
        str | None, typer.Option(help="Name of the value's column.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="Name of the column that tells series apart.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Write there, not to stdout.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="JSON instead of CSV.")] = False,
) -> None:
    """Give each row of a CSV file an anomaly score and the number of its case.

    The score lies between 0 and 1, from 0.5 on it is an alarm; it says nothing of what
    comes after its row. Rows of one anomaly have the same case. Columns are found by
    usual names (time, timestamp, zeit; value, count, wert; key, series, station). Gaps
    and empty values are allowed.
    """
    import polars as pl

    from analytics.scores import table
    from analytics.scores.score import scores

    rows = table.read(file, time=time, value=value, key=key)
    if twice := table.twice(rows):
        number, line = twice
        output.tell(
            f"{number} rows repeat a time of their series, the first in line {line}; "
            "of several series, name the column that tells them apart with --key"
        )
    rows = scores(rows)
    scored = rows.select(
        pl.col("^text:.*$").name.map(lambda name: name.removeprefix("text:")),
        pl.col("score").round(9),
        "case",
    )
    write = scored.write_json if json else scored.write_csv
    if out:
        try:
            write(out)
        except OSError as error:
            raise UsageError(reason=f"{out} cannot be written: {error}") from error
    else:
        output.say_data(write(), nl=json)


def _refuse_backwards(first: datetime | None, last: datetime | None) -> None:
    if first and last and last < first:
        raise UsageError(reason="the period ends before it begins")
