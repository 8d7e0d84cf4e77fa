"""Compute figures and look for anomalies."""

import logging
from pathlib import Path
from typing import Annotated, Final

import typer

from verkehrspuls.cli import output
from verkehrspuls.cli.options import EXCLUSIVE, FromDay, Json, ToDay
from verkehrspuls.errors import UsageError

#: Time that the running computation has to finish after a stop signal.
STOP_GRACE_S: Final = 2.0

Municipality = Annotated[
    str | None, typer.Option(help="Key of a municipality; default: all.")
]
Site = Annotated[str | None, typer.Option(help="Key of a site; default: all.")]

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
        # repeated, because a library may swallow the exception
        signal.setitimer(signal.ITIMER_REAL, STOP_GRACE_S, STOP_GRACE_S)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    try:
        worker.run()
    except KeyboardInterrupt:
        # the claim is rolled back: the next worker takes it again
        logging.getLogger(__name__).warning("claim_given_up")
    finally:
        # a late alarm, while the interpreter exits on a busy machine, would make the
        # process look killed
        signal.setitimer(signal.ITIMER_REAL, 0)


@app.command()
def recompute(
    municipality: Municipality = None,
    site: Site = None,
    from_: FromDay = None,
    to: ToDay = None,
    processes: Annotated[
        int, typer.Option(min=1, help="That compute, each other sites.")
    ] = 2,
    progress: Annotated[bool, typer.Option(help="Show progress.")] = True,
) -> None:
    """Compute figures anew from the readings, and judge anew what is unusual."""
    from datetime import timedelta

    from analytics.jobs import claims
    from analytics.jobs.recompute import recompute as work
    from verkehrspuls import log
    from verkehrspuls.cli import periods
    from verkehrspuls.stack.state import resolve

    first, end = periods.days(from_, to)
    settings = resolve()
    log.configure(level=settings.log.level, style=settings.log.format)
    choice = claims.Choice(
        municipality=municipality,
        site=site,
        first=first,
        last=end - timedelta(days=1) if end else None,
    )
    done = work(settings, choice, progress=progress, processes=processes)
    output.print_note(f"channel hours computed: {done}")


@app.command()
def health(
    municipality: Municipality = None,
    site: Site = None,
    from_: Annotated[
        str | None,
        typer.Option("--from", help="First local day. [default: two before --to]"),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option("--to", help=f"End, {EXCLUSIVE}. [default: tomorrow]"),
    ] = None,
    bad: Annotated[bool, typer.Option("--bad", help="Only what is not good.")] = False,
    as_json: Json = False,
) -> None:
    """Show which test of health each channel failed first, by local day."""
    from dataclasses import asdict
    from datetime import UTC, date, datetime, timedelta

    from verkehrspuls.cli import database, periods
    from verkehrspuls.registry import towns
    from verkehrspuls.storage import health as stored
    from verkehrspuls.storage import known
    from verkehrspuls.storage.visibility import EVERYTHING

    day = timedelta(days=1)
    first, end = periods.days(from_, to)
    with database.connection(application="verkehrspuls health") as connection:
        towns.require_sites(connection, municipality=municipality, site=site)
        today = known.today(connection, municipality, now=datetime.now(UTC))
        end = end or max(today, first or date.min) + day
        found = stored.days(
            connection,
            first=first or end - 2 * day,
            last=end - day,
            municipality=municipality,
            site=site,
            bad_only=bad,
            visible=EVERYTHING,
        )
    rows = [asdict(row) for row in found]
    columns = ("day", "municipality", "site", "channel", "verdict", "value", "level")
    output.show_list(rows, columns, as_json=as_json)


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
    json: Json = False,
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
        output.print_note(
            f"{number} rows repeat a time of their series, the first in line {line}; "
            "of several series, name the column that tells them apart with --key"
        )
    rows = scores(rows)
    scored = rows.select(
        pl.col("^text:.*$").name.map(lambda name: name.removeprefix("text:")),
        pl.col("score").round(9),
        "case",
    )
    text = output.to_json(scored.to_dicts(), indent=2) if json else scored.write_csv()
    if out:
        try:
            out.write_text(text, "utf-8")
        except OSError as error:
            raise UsageError(reason=f"{out} cannot be written: {error}") from error
    else:
        output.print_data(text, nl=json)
