"""Look for rejected messages, and replay them."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from verkehrspuls.cli import output
from verkehrspuls.cli.options import From, Json, OfMunicipality, OfSensor, To
from verkehrspuls.errors import UnknownKey, UsageError

if TYPE_CHECKING:
    from ingest.reasons import Detail
    from verkehrspuls.storage.database import Connection

app = typer.Typer(no_args_is_help=True)

Topic = Annotated[
    str | None, typer.Option("--topic", help="Only whose topic has this in it.")
]
Reason = Annotated[str | None, typer.Option("--reason", help="Only of this code.")]
Number = Annotated[int, typer.Argument(help="Number of the message, see `list`.")]


class UnknownReject(UnknownKey):
    """There is no rejected message {key}. `verkehrspuls reject list` shows what is."""


class UnknownReason(UsageError):
    """There is no reason {reason}; {known}."""

    code = "unknown-reason"


@app.command("list")
def list_rejects(
    municipality: OfMunicipality = None,
    sensor: OfSensor = None,
    topic: Topic = None,
    reason: Reason = None,
    from_: From = None,
    to: To = None,
    replayed: Annotated[
        bool, typer.Option("--replayed", help="Those too that were replayed since.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 100,
    as_json: Json = False,
) -> None:
    """List rejected messages that are kept, the newest first."""
    from verkehrspuls.cli import database
    from verkehrspuls.storage import ledger

    with database.connection() as connection:
        choice = _choice(connection, municipality, sensor, topic, reason, from_, to)
        rows = ledger.rejects(connection, limit=limit, open=not replayed, **choice)
    output.show_list(
        [_described(asdict(row)) for row in rows],
        (
            *("number", "received_at", "topic", "reason", "detail", "payload_bytes"),
            *("replayed_at", "attempts", "last_reason"),
        ),
        as_json=as_json,
        shown=lambda row: {**row, "number": row["rejected_message_id"]},
    )


@app.command()
def show(number: Number, as_json: Json = False) -> None:
    """Show a rejected message, with its payload and what is wrong with it."""
    from verkehrspuls.cli import database
    from verkehrspuls.storage import ledger

    with database.connection() as connection:
        row = ledger.reject(connection, number)
    if row is None:
        raise UnknownReject(kind="reject", key=number)
    payload = row.payload
    described = _described(asdict(row))
    del described["payload"]
    readable = _decoded_text(payload)
    if as_json:
        body = {"text": readable} if readable is not None else {"hex": payload.hex()}
        output.show_json(described | {"payload": body})
        return
    facts: dict[str, Any] = {}
    for name, value in described.items():
        texts = value if isinstance(value, dict) else {}
        facts |= {f"{name} ({language})": text for language, text in texts.items()}
        facts |= {} if texts else {name: value}
    facts["payload"] = repr(payload) if readable is None else readable
    output.show_facts(facts)


@app.command()
def count(
    municipality: OfMunicipality = None,
    sensor: OfSensor = None,
    reason: Reason = None,
    from_: From = None,
    to: To = None,
    as_json: Json = False,
) -> None:
    """Count rejected messages by sensor and reason, those not kept too.

    From the ledger, which never forgets; the period is in whole hours of receipt.
    """
    from verkehrspuls.cli import database
    from verkehrspuls.storage import ledger

    with database.connection() as connection:
        choice = _choice(connection, municipality, sensor, None, reason, from_, to)
        del choice["topic"]
        rows = ledger.count_rejects(connection, **choice)
    if as_json:
        output.show_json(
            [asdict(row) | {"explanation": _explanation(row.reason)} for row in rows]
        )
        return
    columns = ("municipality", "sensor", "reason", "messages", "kept", "readings")
    output.show([asdict(row) for row in rows], (*columns, "first_hour", "last_hour"))


@app.command()
def replay(
    municipality: OfMunicipality = None,
    sensor: OfSensor = None,
    topic: Topic = None,
    reason: Reason = None,
    from_: From = None,
    to: To = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All of them, where nothing is chosen.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Take rejected messages in again, after what was wrong is mended.

    The oldest first. Safe to repeat, and to interrupt: what was used is not used
    twice, and what is rejected again stays.
    """
    from ingest.rejects import Choice
    from ingest.rejects import replay as replay_all
    from verkehrspuls.cli import database
    from verkehrspuls.stack.state import resolve

    settings = resolve()
    with database.connection(settings=settings) as connection:
        choice = _choice(connection, municipality, sensor, topic, reason, from_, to)
    if not everything and not any(choice.values()):
        raise UsageError(reason="choose messages, or say --all")
    sums = replay_all(settings, Choice(**choice))
    if as_json:
        outcomes = ("stored", "duplicate", "corrected", "rejected")
        readings = (f"readings_{outcome}" for outcome in outcomes)
        names = ("messages", "used", "rejected", "cut", *readings)
        output.show_json({name: sums[name] for name in names})
        return
    output.print_note(
        f"{sums['messages']} messages: {sums['used']} used, {sums['rejected']} "
        f"rejected again; readings: {sums['readings_stored']} stored, "
        f"{sums['readings_duplicate']} there already, "
        f"{sums['readings_corrected']} corrected.",
    )
    if sums["cut"]:
        output.print_note(
            f"{sums['cut']} cannot be replayed: only their begin was kept.",
        )


def _choice(
    connection: "Connection",
    municipality: str | None,
    sensor: str | None,
    topic: str | None,
    reason: str | None,
    from_: str | None,
    to: str | None,
) -> dict[str, Any]:
    from verkehrspuls.cli import keys, periods
    from verkehrspuls.storage import known

    if reason is not None:
        _check_reason(reason)
    town, key = keys.of_sensor(municipality, sensor)
    start, end = periods.period(from_, to, known.time_zone(connection, town))
    return {
        "municipality": town,
        "sensor": key,
        "topic": topic,
        "reason": reason,
        "start": start,
        "end": end,
    }


def _check_reason(reason: str) -> None:
    from ingest.reasons import REASONS
    from verkehrspuls import wording

    if reason not in REASONS:
        raise UnknownReason(reason=reason, known=wording.choice(reason, REASONS))


def _described(row: dict[str, Any]) -> dict[str, Any]:
    """Add in each language what was wrong, at first and at the last replay."""
    from ingest.reasons import Detail

    described = dict(row)
    for when in ("", "last_"):
        reason = described[f"{when}reason"]
        values = described.pop(f"{when}detail_values")
        if reason is not None:
            detail = Detail(described[f"{when}detail"], values or ())
            described[f"{when}detail"] = detail.in_language("en")
            described[f"{when}explanation"] = _explanation(reason, detail)
    return described


def _explanation(reason: str, detail: "Detail | None" = None) -> dict[str, str]:
    from ingest.reasons import Detail, explain
    from verkehrspuls.text import LANGUAGES

    return {name: explain(reason, detail or Detail(), name) for name in LANGUAGES}


def _decoded_text(payload: bytes) -> str | None:
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return None
