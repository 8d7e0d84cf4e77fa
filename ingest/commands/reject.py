"""List, show and replay rejected messages."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from verkehrspuls.cli import output
from verkehrspuls.cli.options import (
    From,
    Json,
    OfMunicipality,
    OfSensor,
    To,
    takes,
)
from verkehrspuls.errors import UnknownKey, UsageError

if TYPE_CHECKING:
    from ingest.reasons import Detail
    from verkehrspuls.storage.database import Connection
    from verkehrspuls.storage.ledger import Rejects

app = typer.Typer(no_args_is_help=True)

Topic = Annotated[str | None, typer.Option("--topic", help="Part of the topic.")]
Reason = Annotated[
    str | None, typer.Option("--reason", help="Code of the reason. [default: all]")
]
Number = Annotated[int, typer.Argument(help="Number of the message; see `list`.")]


@dataclass(frozen=True)
class Counted:
    """Options that choose from the counts of rejected messages; None chooses all."""

    municipality: OfMunicipality = None
    sensor: OfSensor = None
    reason: Reason = None
    from_: From = None
    to: To = None


@dataclass(frozen=True)
class Chosen(Counted):
    """Options that choose rejected messages; None chooses all."""

    topic: Topic = None


class UnknownReject(UnknownKey):
    """There is no rejected message {key}; `verkehrspuls reject list` shows all."""


class UnknownReason(UsageError):
    """There is no reason {reason}; {known}."""

    code = "unknown-reason"


@app.command("list")
@takes(Chosen)
def list_rejects(
    chosen: Chosen,
    replayed: Annotated[
        bool,
        typer.Option("--replayed", help="Include messages that were replayed since."),
    ] = False,
    limit: Annotated[
        int, typer.Option(min=1, help="Maximum number of messages.")
    ] = 100,
    as_json: Json = False,
) -> None:
    """List the rejected messages that are kept, newest first."""
    from verkehrspuls.cli import database
    from verkehrspuls.storage import ledger

    with database.connection() as connection:
        choice = _choice(connection, chosen)
        rows = ledger.rejects(
            connection,
            limit=limit,
            open=not replayed,
            topic=chosen.topic,
            **choice,
        )
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
    """Show a rejected message with its payload and what is wrong with it."""
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
@takes(Counted)
def count(counted: Counted, as_json: Json = False) -> None:
    """Count rejected messages by sensor and reason, including those not kept.

    Uses the ledger, which is kept forever. The period is that of receipt, in whole
    hours.
    """
    from verkehrspuls.cli import database
    from verkehrspuls.storage import ledger

    with database.connection() as connection:
        rows = ledger.count_rejects(connection, **_choice(connection, counted))
    if as_json:
        output.show_json(
            [asdict(row) | {"explanation": _explanation(row.reason)} for row in rows]
        )
        return
    columns = ("municipality", "sensor", "reason", "messages", "kept", "readings")
    output.show([asdict(row) for row in rows], (*columns, "first_hour", "last_hour"))


@app.command()
@takes(Chosen)
def replay(
    chosen: Chosen,
    everything: Annotated[
        bool,
        typer.Option("--all", help="Replay all, if no other option chooses messages."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Process rejected messages again, after the cause was fixed.

    Oldest first. It is safe to repeat or interrupt: no reading is stored twice, and
    messages that are rejected again stay.
    """
    from ingest.rejects import Choice
    from ingest.rejects import replay as replay_all
    from verkehrspuls.cli import database
    from verkehrspuls.stack.state import resolve

    settings = resolve()
    with database.connection(settings=settings) as connection:
        choice = _choice(connection, chosen)
    if not everything and not (chosen.topic or any(choice.values())):
        raise UsageError(reason="choose messages with an option, or all with --all")
    sums = replay_all(settings, Choice(topic=chosen.topic, **choice))
    if as_json:
        outcomes = ("stored", "duplicate", "corrected", "rejected")
        readings = (f"readings_{outcome}" for outcome in outcomes)
        names = ("messages", "used", "rejected", "cut", *readings)
        output.show_json({name: sums[name] for name in names})
        return
    output.print_note(
        f"{sums['messages']} messages: {sums['used']} used, {sums['rejected']} "
        f"rejected again; readings: {sums['readings_stored']} stored, "
        f"{sums['readings_duplicate']} already there, "
        f"{sums['readings_corrected']} corrected.",
    )
    if sums["cut"]:
        output.print_note(
            f"{sums['cut']} cannot be replayed: only their beginning was kept.",
        )


def _choice(connection: "Connection", chosen: Counted) -> "Rejects":
    """Check the options; return the fields of `ingest.rejects.Choice` but topic."""
    from verkehrspuls.cli import keys, periods
    from verkehrspuls.storage import known

    if chosen.reason is not None:
        _check_reason(chosen.reason)
    town, key = keys.of_sensor(chosen.municipality, chosen.sensor)
    zone = known.time_zone(connection, town) if town else None
    start, end = periods.period(chosen.from_, chosen.to, zone)
    return {
        "municipality": town,
        "sensor": key,
        "reason": chosen.reason,
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
