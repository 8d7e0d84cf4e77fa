"""The command `verkehrspuls ledger`: what became of every message, and the proof."""

import typer

from api.operator import From, Json, OfMunicipality, OfSensor, To
from verkehrspuls.errors import UnknownKey

app = typer.Typer(
    help="Show what became of every message, and prove it.", no_args_is_help=True
)

_COLUMNS = (
    *("sensor", "readings_expected", "readings_received", "readings_stored"),
    *("readings_duplicate", "readings_corrected", "readings_rejected"),
    *("readings_late", "sequence_lost", "messages_received", "rejects", "last_message"),
)


@app.command()
def show(
    municipality: OfMunicipality = None,
    sensor: OfSensor = None,
    from_: From = None,
    to: To = None,
    as_json: Json = False,
) -> None:
    """Show a period by sensor, those of which nothing came too; the last 24 hours.

    The period is that of receipt, in whole hours.
    """
    from datetime import UTC, datetime, timedelta

    from api import operator, tables
    from verkehrspuls.storage import ledger

    town, key = operator.keys(municipality, sensor)
    start, end = operator.period(from_, to)
    end = end or datetime.now(UTC)
    start = min(start or end - timedelta(days=1), end)
    start = start.replace(minute=0, second=0, microsecond=0)
    with operator.connection(town) as connection:
        rows = ledger.of_sensors(
            connection, start=start, end=end, municipality=town, sensor=key
        )
    if key and not rows:
        raise UnknownKey(kind="sensor", key=sensor)
    if as_json:
        tables.show_json(rows)
        return
    tables.show(
        [
            row
            | {
                "sensor": f"{row['municipality']}/{row['sensor']}"
                if row["sensor"]
                else "(unknown)",
                "rejects": " ".join(f"{k}:{n}" for k, n in row["rejects"].items()),
                "last_message": row["last_received_at"],
            }
            for row in rows
        ],
        _COLUMNS,
    )


@app.command()
def check(as_json: Json = False) -> None:
    """Prove the ledger against the tables; ends with exit code 4 where it differs.

    Reads every reading once, as of one moment, so ingest may go on meanwhile.
    """
    from api import operator, tables
    from verkehrspuls.errors import FoundProblems
    from verkehrspuls.storage import ledger

    with operator.connection() as connection:
        proof = ledger.prove(connection)
    if as_json:
        tables.show_json(
            {"holds": proof.holds, "totals": proof.totals, **proof.differences}
        )
    else:
        for name, rows in proof.differences.items():
            if rows:
                print(f"{name}: {ledger.CHECKS[name]}")
                tables.show(rows, list(rows[0]))
            else:
                print(f"{name}: in order")
        print(
            f"{proof.totals['messages_received']} messages with "
            f"{proof.totals['readings_received']} readings in the ledger."
        )
    if not proof.holds:
        raise FoundProblems(count=sum(map(len, proof.differences.values())))
