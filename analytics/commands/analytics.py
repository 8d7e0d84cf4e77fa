"""Compute figures and detect anomalies."""

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
    str | None, typer.Option(help="Key of a municipality. [default: all]")
]
Site = Annotated[str | None, typer.Option(help="Key of a site. [default: all]")]

app = typer.Typer()


@app.command()
def run() -> None:
    """Run an analytics worker until Ctrl-C or SIGTERM."""
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
        int, typer.Option(min=1, help="Number of processes that share the sites.")
    ] = 2,
    progress: Annotated[bool, typer.Option(help="Show progress.")] = True,
) -> None:
    """Recompute figures and anomaly cases from the readings."""
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
        typer.Option("--from", help="First local day. [default: two days before --to]"),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--to", help=f"End of the period, {EXCLUSIVE}. [default: tomorrow]"
        ),
    ] = None,
    bad: Annotated[bool, typer.Option("--bad", help="Show only failures.")] = False,
    as_json: Json = False,
) -> None:
    """Show which health test each channel failed first, by local day."""
    from dataclasses import asdict
    from datetime import UTC, datetime

    from analytics.reports.verdicts import report_verdicts
    from verkehrspuls.cli import database, periods

    first, end = periods.days(from_, to)
    with database.connection(application="verkehrspuls health") as connection:
        report = report_verdicts(
            connection,
            municipality=municipality,
            site=site,
            first=first,
            end=end,
            now=datetime.now(UTC),
            bad_only=bad,
        )
    rows = [asdict(verdict) for verdict in report.verdicts]
    columns = ("day", "municipality", "site", "channel", "verdict", "value", "level")
    output.show_list(rows, columns, as_json=as_json)


@app.command()
def score(
    file: Annotated[Path, typer.Argument(help="CSV file with a header.")],
    time: Annotated[
        str | None, typer.Option(help="Column with the time. [default: by its name]")
    ] = None,
    value: Annotated[
        str | None, typer.Option(help="Column with the value. [default: by its name]")
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(help="Column that distinguishes series. [default: by its name]"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="File to write. [default: stdout]"),
    ] = None,
    json: Json = False,
) -> None:
    """Add an anomaly score and a case number to each row of a CSV file.

    The score is between 0 and 1; 0.5 or more is an alarm. It depends only on the row
    and those before it. Rows of one anomaly have the same case number. Columns are
    found by common names (time, timestamp, zeit; value, count, wert; key, series,
    station). Gaps and empty values are allowed.
    """
    import polars as pl

    from analytics.scores import table
    from analytics.scores.score import scores

    rows = table.read(file, time=time, value=value, key=key)
    if twice := table.twice(rows):
        number, line = twice
        output.print_note(
            f"{number} rows repeat a time of their series, first in line {line}; "
            "if there are several series, set --key to the column that distinguishes "
            "them"
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
