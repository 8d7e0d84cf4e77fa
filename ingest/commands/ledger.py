"""Show what happened to messages, and verify it."""

from dataclasses import asdict

import typer
from msgspec import structs

from verkehrspuls.cli import output
from verkehrspuls.cli.options import From, Json, OfMunicipality, OfSensor, To
from verkehrspuls.errors import UnknownKey

app = typer.Typer(no_args_is_help=True)

_COLUMNS = (
    *("sensor", "readings_expected", "readings_received", "readings_stored"),
    *("readings_duplicate", "readings_corrected", "readings_rejected"),
    *("readings_late", "readings_overlapping", "sequence_lost", "messages_received"),
    *("rejects", "fields_dropped", "last_message"),
)


@app.command()
def show(
    municipality: OfMunicipality = None,
    sensor: OfSensor = None,
    from_: From = None,
    to: To = None,
    as_json: Json = False,
) -> None:
    """Show what happened to messages, by sensor; by default in the last 24 hours.

    Sensors without messages are listed too. The period is that of receipt, in whole
    hours.
    """
    from datetime import UTC, datetime, timedelta

    from ingest.reasons import DROPPED
    from verkehrspuls.cli import database, keys, periods
    from verkehrspuls.storage import known, ledger

    town, key = keys.of_sensor(municipality, sensor)
    with database.connection(town) as connection:
        zone = known.time_zone(connection, town) if town else None
        start, end = periods.period(from_, to, zone)
        end = end or datetime.now(UTC)
        start = min(start or end - timedelta(days=1), end)
        start = start.replace(minute=0, second=0, microsecond=0)
        rows = ledger.of_sensors(
            connection, start=start, end=end, municipality=town, sensor=key
        )
        dropped = ledger.dropped_fields(
            connection,
            start=start,
            end=end,
            municipality=town,
            sensor=key,
        )
        if key and not rows:
            raise UnknownKey(kind="sensor", key=sensor)
    output.show_list(
        [structs.asdict(row) for row in rows], _COLUMNS, as_json=as_json, shown=_shown
    )
    for row in dropped:
        output.print_note(
            f"{row.municipality}/{row.sensor}: {row.field} was left out "
            f"{row.fields} times: {DROPPED[row.problem]}. The last was "
            f"{row.value}."
        )


def _shown(row: output.Row) -> output.Row:
    known = f"{row['municipality']}/{row['sensor']}"
    return {
        **row,
        "sensor": known if row["sensor"] else "(unknown)",
        "rejects": _counted(row["rejects"]),
        "fields_dropped": _counted(row["fields_dropped"]),
        "last_message": row["last_received_at"],
    }


def _counted(numbers: dict[str, int]) -> str:
    return " ".join(f"{name}:{number}" for name, number in numbers.items() if number)


@app.command()
def check(as_json: Json = False) -> None:
    """Verify that the ledger matches the stored readings and rejects.

    Exits with 4 if it does not. Reads all readings in one snapshot, so ingest may
    continue to run.
    """
    from verkehrspuls.cli import database
    from verkehrspuls.errors import FoundProblems
    from verkehrspuls.storage import ledger

    with database.connection() as connection:
        proof = ledger.prove(connection)
    if as_json:
        output.show_json(
            {"holds": proof.holds, "totals": proof.totals, **proof.differences}
        )
    else:
        for name, found in proof.differences.items():
            if found:
                rows = [asdict(difference) for difference in found]
                output.print_result(f"{name}: {ledger.CHECKS[name]}")
                output.show(rows, list(rows[0]))
            else:
                output.print_result(f"{name}: correct")
        output.print_result(
            f"{proof.totals.messages_received} messages with "
            f"{proof.totals.readings_received} readings in the ledger."
        )
    if not proof.holds:
        raise FoundProblems(count=sum(map(len, proof.differences.values())))
