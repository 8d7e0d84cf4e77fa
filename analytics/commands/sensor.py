"""`verkehrspuls sensor`: how the devices of a town are, and what became of readings."""

from typing import Annotated

import typer

from verkehrspuls.cli import output
from verkehrspuls.cli.options import Json

app = typer.Typer(no_args_is_help=True)


@app.command("condition")
def show_conditions(
    municipality: Annotated[str, typer.Argument(help="Key of the municipality.")],
    wrong: Annotated[
        bool, typer.Option("--wrong", help="Only those that need somebody.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show how the sensors of a municipality are: silent, clock, battery.

    With completeness, clock offset, battery and its end, signal and open cases. Exits
    with 4 if a sensor needs somebody.
    """
    from datetime import UTC, datetime

    from analytics.reports.devices import report_devices
    from verkehrspuls.cli import database
    from verkehrspuls.errors import FoundProblems
    from verkehrspuls.stack.state import resolve

    limits, now = resolve().health, datetime.now(UTC)
    with database.connection(municipality) as connection:
        found = report_devices(connection, municipality, limits=limits, now=now)
    shown = [device for device in found if device.problems or not wrong]
    output.show_list(
        [device.facts for device in shown],
        (
            *("sensor", "condition", "last_message", "complete_day", "complete_week"),
            *("clock_offset_s", "battery_pct", "battery_empty_on", "signal_dbm"),
            *("open_cases", "firmware"),
        ),
        as_json=as_json,
        shown=lambda facts: {**facts, "last_message": facts["last_received_at"]},
    )
    if count := sum(bool(device.problems) for device in found):
        raise FoundProblems(count=count)


@app.command("trace")
def trace_reading(
    channel: Annotated[str, typer.Argument(help="Channel, as municipality/site/key.")],
    at: Annotated[
        str, typer.Option("--at", help="Local time, or time with offset, of a reading.")
    ],
    as_json: Json = False,
) -> None:
    """Show why a reading of a channel is in figures, or is not.

    Step by step: attached, received, decoded, stored, figure, left-out. Exits with 4 if
    a step fails.
    """
    from dataclasses import asdict
    from datetime import UTC, datetime

    from analytics.reports.trace import channel_of, report_trace
    from verkehrspuls.cli import database, periods
    from verkehrspuls.errors import FoundProblems, UsageError
    from verkehrspuls.storage.sites import read_site

    municipality, _, rest = channel.partition("/")
    site, _, key = rest.partition("/")
    if not key:
        raise UsageError(reason="name the channel as municipality/site/key")
    with database.connection(municipality) as connection:
        found = read_site(connection, municipality, site)
        moment = periods.moment("--at", at, found.time_zone)
        trace = report_trace(
            connection,
            found,
            channel_of(found, key),
            moment or datetime.now(UTC),
            now=datetime.now(UTC),
        )
    if as_json:
        output.show_json(trace)
    else:
        output.show_facts({"fails": trace.fails or "nothing", "at": trace.at})
        for name in ("attached", "received", "beside", "readings", "figures"):
            rows = [asdict(row) for row in getattr(trace, name)]
            if rows:
                output.show(rows, list(rows[0]), title=name, whole=True)
        for why in trace.left_out:
            output.print_result(f"left out: {why}")
    if trace.fails:
        raise FoundProblems(count=1)
