"""`verkehrspuls sensor`: what ingest makes of a sensor's messages."""

from dataclasses import asdict
from typing import Annotated, Any, Final

import typer

from verkehrspuls.cli import database, output, periods, registering
from verkehrspuls.cli.keys import parse_key
from verkehrspuls.cli.options import Json, OfMunicipality, SensorName

app = typer.Typer(no_args_is_help=True)

#: Tables about a sensor in order of display, with their columns and title.
_TABLES: Final = {
    "messages": (
        (
            *("received_at", "came", "outcome", "readings", "readings_rejected"),
            *("reason", "why"),
        ),
        "newest messages",
    ),
    "passed_over": (
        ("field", "messages", "said", "taken", "received_at"),
        "implausible times, and the field used instead",
    ),
    "ambiguous": (
        ("site", "channel", "hour", "readings", "why"),
        "readings of an hour that the clock showed twice; unknown which",
    ),
    "rejects": (
        ("reason", "messages", "readings", "last_hour", "see"),
        "rejects by reason",
    ),
    "left_out": (
        ("field", "fields", "why", "value", "last_hour"),
        "fields left out of readings, with their last value",
    ),
}
#: Tables that are shown only if they have rows.
_HIDDEN_IF_EMPTY: Final = ("passed_over", "ambiguous", "left_out")


@app.command("show")
def show_sensor(
    sensor: SensorName,
    as_json: Json = False,
) -> None:
    """Show a sensor with its topics, installations, newest messages and rejects."""
    from dataclasses import asdict

    from ingest.reasons import DROPPED, Detail, explain
    from verkehrspuls.registry import commissioning

    with database.connection() as connection:
        found = commissioning.sensor(connection, *parse_key(sensor, kind="sensor"))
    facts = asdict(found.facts)
    del facts["sensor_id"]
    lists: dict[str, list[dict[str, Any]]] = {
        "installations": [asdict(installation) for installation in found.installations],
        "messages": [asdict(message) for message in found.messages],
        "passed_over": [asdict(field) for field in found.passed_over],
        "ambiguous": [asdict(hour) for hour in found.ambiguous],
        "rejects": [asdict(reject) for reject in found.rejects],
        "left_out": [asdict(field) for field in found.left_out],
    }
    for message in lists["messages"]:
        detail = Detail(message.pop("detail"), message.pop("detail_values"))
        reason = message["reason"]
        message["why"] = explain(reason, detail, "en") if reason else None
    for reject in lists["rejects"]:
        see = f"verkehrspuls reject list --sensor {sensor} --reason {reject['reason']}"
        # without messages: they are listed under another of their reasons
        reject["see"] = see if reject["messages"] else None
    for field in lists["left_out"]:
        field["why"] = DROPPED[field["problem"]]
    clock = found.clock.facts if found.clock else None
    if as_json:
        output.show_json({**facts, "topics": found.topics, "clock": clock, **lists})
        return
    facts |= {
        "topics": ", ".join(found.topics),
        "profile": _json(facts["profile"]),
        "clock": _clock(clock),
    }
    if facts["payload_format"] == "native":
        facts = {k: v for k, v in facts.items() if k not in ("topic", "profile")}
    output.show_facts(facts)
    output.show(
        [
            row | {"mapping": _json(row["mapping"]), "last": _json(row["last"])}
            for row in lists["installations"]
        ],
        (
            *("output", "site", "channel", "quantity", "since", "until", "mapping"),
            *("last_time", "last"),
        ),
        title="installations with the newest reading of each channel",
        whole=True,
    )
    for name, (columns, title) in _TABLES.items():
        if lists[name] or name not in _HIDDEN_IF_EMPTY:
            output.show(lists[name], columns, title=title, whole=True)


@app.command("try")
def try_message(
    file: Annotated[
        typer.FileBinaryRead,
        typer.Argument(help="File with the payload; - for standard input."),
    ],
    topic: Annotated[str, typer.Option(help="Topic of the message.")],
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            help="Time of receipt: a local date or time, or a time with offset. "
            "[default: now]",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show how a message would be decoded and stored, without storing it.

    Exits with 4 if the message, or a part of it, cannot be used.
    """
    from datetime import UTC, datetime

    from ingest.batch import Message
    from ingest.trial import attempt
    from verkehrspuls.errors import FoundProblems
    from verkehrspuls.stack.state import resolve
    from verkehrspuls.storage import known

    settings = resolve().ingest
    # one byte more suffices to see that it is too large
    payload = file.read(settings.message_bytes + 1)
    now = datetime.now(UTC)
    with database.connection() as connection:
        found = attempt(connection, settings, Message(topic, payload, now))
        if at is not None:
            town = found.sensor.partition("/")[0] if found.sensor else None
            zone = known.time_zone(connection, town) if town else None
            then = periods.moment("--at", at, zone)
            found = attempt(connection, settings, Message(topic, payload, then or now))
    problem = found.problem
    if as_json:
        output.show_json(found)
    else:
        facts: dict[str, object] = {"outcome": found.outcome, "sensor": found.sensor}
        if found.status:
            facts["status"] = _json(found.status)
        if problem:
            facts |= {
                "reason": problem.reason,
                "why": problem.why,
                "what to do": problem.advice,
                "readings rejected": problem.readings,
            }
        for each in found.left_out:
            facts[f"left out: {each.field}"] = (
                f"{each.fields} times, {each.why}; the last was {each.value}"
            )
        output.show_facts(facts)
        output.show(
            [asdict(row) | {"values": _json(row.values)} for row in found.readings],
            ("site", "channel", "time", "interval_s", "values", "outcome"),
            title="readings that would be stored" if found.readings else "no readings",
            whole=True,
        )
    if problem:
        raise FoundProblems(count=max(1, problem.readings))


@app.command("unknown")
def list_unknown(municipality: OfMunicipality = None, as_json: Json = False) -> None:
    """List unknown sensors: what sent in the last seven days without being registered.

    With a municipality also what they may be.
    """
    from datetime import UTC, datetime

    from ingest import adopt
    from verkehrspuls.registry import unknown
    from verkehrspuls.stack.state import resolve

    settings = resolve().ingest
    now = datetime.now(UTC)
    with database.connection(municipality) as connection:
        if municipality is None:
            listed = unknown.unknown_sensors(connection, None, now=now)
            rows = [asdict(one) | {"guesses": None} for one in listed]
        else:
            rows = [
                asdict(one) | {"guesses": [guess.key for guess in guesses]}
                for _, one, _, guesses in adopt.find(
                    connection, settings, municipality, now=now
                )
            ]
    output.show_list(
        rows,
        ("municipality", "sender", "messages", "first_at", "last_at", "guesses"),
        as_json=as_json,
        shown=lambda row: {**row, "guesses": ", ".join(row["guesses"] or ())},
    )


@app.command("adopt")
def adopt_sensor(
    sender: Annotated[str, typer.Argument(help="Its topic; see `sensor unknown`.")],
    site: Annotated[
        str,
        typer.Option(help="Site where it is installed, as municipality/site."),
    ],
    guess: Annotated[
        str, typer.Option(help="What it is; see `sensor unknown`. [default: the first]")
    ] = "",
    key: Annotated[str, typer.Option(help="Key of the sensor.")] = "",
    name: Annotated[str, typer.Option(help="Name of the sensor.")] = "",
    ids: Annotated[
        list[str] | None,
        typer.Option("--id", help="An id that its topic does not say, as name=value."),
    ] = None,
    channels: Annotated[
        list[str] | None,
        typer.Option(
            "--output", help="Channel of an output, as output=channel. [default: new]"
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Register an unknown sensor, and replay what it had sent into its series."""
    from datetime import UTC, datetime

    from ingest import adopt
    from ingest.rejects import Choice, replay
    from verkehrspuls.errors import UnknownKey
    from verkehrspuls.stack.state import resolve

    settings = resolve()
    municipality, site_key = parse_key(site, kind="site")
    with database.connection(municipality, settings=settings) as connection:
        found = adopt.find(
            connection, settings.ingest, municipality, sender, now=datetime.now(UTC)
        )
        if not found:
            raise UnknownKey(kind="unknown sensor", key=sender)
        adoption = adopt.plan(
            found[0],
            site=site_key,
            guess=guess,
            key=key,
            name=name,
            ids=registering.pairs(ids, "--id"),
            channels=registering.pairs(channels, "--output"),
        )
        changes = adopt.register(connection, municipality, adoption)
        connection.commit()
    sums = replay(settings, Choice(municipality, adoption.key))
    if as_json:
        entries = [change.summary() for change in changes]
        output.show_json({"sensor": adoption.key, "changes": entries, **sums})
        return
    output.print_note(
        f"{municipality}/{adoption.key} is registered; {sums['used']} of "
        f"{sums['messages']} messages that it had sent are used."
    )


@app.command("check")
def check_sensor(sensor: SensorName, as_json: Json = False) -> None:
    """Show the checklist of a sensor that is brought into service.

    Exits with 4 if a point is to be mended.
    """
    from datetime import UTC, datetime

    from verkehrspuls.errors import FoundProblems
    from verkehrspuls.registry import checklist

    with database.connection() as connection:
        found = checklist.read_checklist(
            connection, *parse_key(sensor, kind="sensor"), now=datetime.now(UTC)
        )
    output.show_list(
        [one._asdict() | {"found": str(one.found)} for one in found.points],
        ("name", "state", "found"),
        as_json=as_json,
    )
    if failed := sum(one.state == "failed" for one in found.points):
        raise FoundProblems(count=failed)


def _json(value: object) -> str:
    import msgspec

    return msgspec.json.encode(value).decode() if value else ""


def _clock(clock: dict[str, Any] | None) -> str:
    """Describe the offset of the sensor's clock, seen from the newest readings."""
    if clock is None:
        return ""
    if clock["hint"]:
        return str(clock["hint"])
    return f"readings come {clock['offset_s']:.0f} s after the end of their interval"
