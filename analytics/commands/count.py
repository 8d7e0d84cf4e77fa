"""Count by hand beside a sensor: begin, add, end, compare, decide."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from verkehrspuls.cli import database, output
from verkehrspuls.cli.keys import parse_key
from verkehrspuls.cli.options import Json, SiteName

if TYPE_CHECKING:
    from verkehrspuls.manual_counts import Tap

app = typer.Typer(no_args_is_help=True)

Numbered = Annotated[
    str, typer.Argument(help="Manual count, as municipality/number; see `list`.")
]
At = Annotated[
    str | None,
    typer.Option(
        "--at",
        help="When: a local date or time, or a time with offset. [default: now]",
    ),
]


@app.command("list")
def list_counts(
    municipality: Annotated[str, typer.Argument(help="Key of the municipality.")],
    as_json: Json = False,
) -> None:
    """List the manual counts of a municipality, the newest first."""
    from dataclasses import asdict

    from verkehrspuls.registry import manual_counts

    with database.connection(municipality) as connection:
        found = manual_counts.list_counts(connection, municipality)
    output.show_list(
        [asdict(count) for count in found],
        ("number", "site", "began", "ended", "counted_by", "accepted", "remark"),
        as_json=as_json,
    )


@app.command("start")
def start(
    site: SiteName,
    at: At = None,
    by: Annotated[str, typer.Option("--by", help="Who counts.")] = "",
    note: Annotated[str, typer.Option("--note", help="Such as weather.")] = "",
    as_json: Json = False,
) -> None:
    """Begin a manual count at a site, and print its name."""
    from verkehrspuls.registry import manual_counts

    municipality, key = parse_key(site, kind="site")
    with database.connection() as connection, connection.transaction():
        count = manual_counts.start(
            connection,
            municipality,
            key,
            at=_moment("--at", at, municipality) or _now(),
            counted_by=by,
            note=note,
        )
    name = f"{municipality}/{count.number}"
    if as_json:
        output.show_json({"count": name, "began": count.began})
    else:
        output.print_result(name)


@app.command("add")
def add(
    count: Numbered,
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV with the columns at (with an offset), direction, vehicle (class "
            "such as car), vehicles; and quantity where it is not motor."
        ),
    ],
    as_json: Json = False,
) -> None:
    """Add what was counted; a file that is added again counts once."""
    from verkehrspuls.registry import manual_counts

    municipality, number = parse_count(count)
    taps = _read(file, number)
    with database.connection() as connection, connection.transaction():
        for first in range(0, len(taps), manual_counts.MAX_TAPS):
            found = manual_counts.put_taps(
                connection,
                municipality,
                number,
                taps[first : first + manual_counts.MAX_TAPS],
                now=_now(),
            )
    rows = [(*key, vehicles) for key, vehicles in found.items()] if taps else []
    names = ("quantity", "direction", "vehicle", "vehicles")
    listed = [dict(zip(names, row, strict=True)) for row in rows]
    output.show_list(listed, names, as_json=as_json)


@app.command("end")
def end(count: Numbered, at: At = None) -> None:
    """End a manual count."""
    from verkehrspuls.registry import manual_counts

    municipality, number = parse_count(count)
    with database.connection() as connection, connection.transaction():
        when = _moment("--at", at, municipality) or _now()
        manual_counts.end(connection, municipality, number, at=when)
    output.print_note(f"Manual count {count} has ended.")


@app.command("show")
def show(count: Numbered, as_json: Json = False) -> None:
    """Compare a manual count with the sensor, by class and quarter-hour or hour."""
    import msgspec

    from analytics.reports.manual_count import report_manual_count
    from verkehrspuls.stack.state import resolve

    municipality, number = parse_count(count)
    report = report_manual_count(
        database.Tables(),
        municipality,
        number,
        now=_now(),
        rates=resolve().acceptance,
    )
    found: dict[str, Any] = msgspec.to_builtins(report.comparison)
    if as_json:
        output.show_json({"count": report.count, **found})
        return
    answers = {True: "all rates are kept", False: "a rate is missed"}
    output.show_facts(
        {
            "site": f"{municipality}/{report.count.site}",
            "began": report.count.began,
            "ended": report.count.ended,
            "common intervals": found["common"],
            "result": answers.get(found["accepted"], "too little was counted"),
            "accepted": report.count.accepted,
        }
    )
    for name in ("sums", "spreads", "factors"):
        if found[name]:
            output.show(found[name], tuple(found[name][0]), title=name)


@app.command("accept")
def accept(
    count: Numbered,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Register the factors as well.")
    ] = False,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            help="From when they hold: a local date or time, or a time with offset. "
            "[default: the begin of the count]",
        ),
    ] = None,
    remark: Annotated[str, typer.Option("--remark", help="A remark.")] = "",
) -> None:
    """Accept the sensor; the comparison is kept as it is now."""
    municipality, _ = parse_count(count)
    _decide(
        count,
        accepted=True,
        calibrate=calibrate,
        since=_moment("--since", since, municipality),
        remark=remark,
    )


@app.command("refuse")
def refuse(
    count: Numbered,
    remark: Annotated[str, typer.Option("--remark", help="A remark.")] = "",
) -> None:
    """Do not accept the sensor; the comparison is kept as it is now."""
    _decide(count, accepted=False, remark=remark)


def _decide(count: str, **decision: Any) -> None:
    from analytics.reports.manual_count import decide
    from verkehrspuls.cli.registering import show_changes
    from verkehrspuls.stack.state import resolve

    municipality, number = parse_count(count)
    changes = decide(
        database.Tables(),
        database.connection,
        municipality,
        number,
        now=_now(),
        rates=resolve().acceptance,
        **decision,
    )
    show_changes(changes, dry_run=False)


def parse_count(count: str) -> tuple[str, int]:
    """Split `municipality/number`."""
    from verkehrspuls.errors import UsageError

    municipality, _, number = count.partition("/")
    if not (municipality and number.isdecimal() and len(number) < 10):
        reason = f"a manual count is named municipality/number, not {count}"
        raise UsageError(reason=reason)
    return municipality, int(number)


def _read(file: Path, number: int) -> "list[Tap]":
    """Read taps; their numbers are made of what the lines say."""
    import csv
    from collections import Counter
    from uuid import NAMESPACE_URL, uuid5

    import msgspec

    from verkehrspuls.errors import BadFile
    from verkehrspuls.files import read_text
    from verkehrspuls.manual_counts import Tap

    taps, seen = [], Counter[tuple[str, ...]]()
    for line, row in enumerate(
        csv.DictReader(read_text(file, format="CSV").splitlines()), 2
    ):
        alike = tuple(row.get(name) or "" for name in sorted(set(row) - {None}))
        seen[alike] += 1
        made_of = f"{number} {alike} {seen[alike]}"
        fields = {name: value for name, value in row.items() if name and value}
        try:
            given = {**fields, "id": uuid5(NAMESPACE_URL, made_of)}
            taps.append(msgspec.convert(given, Tap, strict=False))
        except msgspec.ValidationError as error:
            reason = f"line {line}: {error}"
            raise BadFile(path=file, format="CSV", reason=reason) from error
    return taps


def _moment(option: str, text: str | None, municipality: str) -> datetime | None:
    """Read a time on the clock of the municipality; None for none."""
    from verkehrspuls.cli import periods
    from verkehrspuls.storage import known

    if text is None:
        return None
    with database.connection(municipality) as connection:
        zone = known.time_zone(connection, municipality)
    return periods.moment(option, text, zone)


def _now() -> datetime:
    from datetime import UTC

    return datetime.now(UTC)
