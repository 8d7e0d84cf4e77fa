"""Export figures to a file."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from verkehrspuls.cli.options import EXCLUSIVE, SiteName
from verkehrspuls.cli.output import print_note
from verkehrspuls.errors import BadParameter, UsageError


class _Bin(StrEnum):
    PT15M = "PT15M"
    PT1H = "PT1H"
    P1D = "P1D"


class _FileType(StrEnum):
    CSV = "csv"
    CSV_DE = "csv-de"
    CSV_EN = "csv-en"
    PARQUET = "parquet"
    JSON = "json"


def command(
    site: SiteName,
    since: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="Start of the period: a local date or time, or a time with "
            "offset. [default: seven days before the end]",
        ),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option("--to", help=f"End of the period, {EXCLUSIVE}. [default: now]"),
    ] = None,
    bin: Annotated[_Bin, typer.Option(help="Length of the intervals.")] = _Bin.PT1H,
    quantity: Annotated[
        str | None,
        typer.Option(help="Quantity. [default: the first that the site counts]"),
    ] = None,
    direction: Annotated[
        str | None,
        typer.Option(
            help="Key of a direction, or `all` for their sum. [default: each]"
        ),
    ] = None,
    format: Annotated[
        _FileType,
        typer.Option(help="Type of the file; csv-de and csv-en are for Excel."),
    ] = _FileType.CSV,
    output: Annotated[
        Path | None,
        typer.Option(
            help="File to write, or folder for a default name. [default: stdout]"
        ),
    ] = None,
) -> None:
    """Export a site's figures to a file or to standard output.

    Units and passport of a CSV file are written beside it, to a file ending in
    `.passport.json`.
    """
    import sys
    from datetime import UTC, datetime

    from analytics.reports import extracts
    from api.file_types import FILE_TYPES, file_name, to_description
    from verkehrspuls.cli import database, periods
    from verkehrspuls.cli.keys import parse_key
    from verkehrspuls.stack.state import resolve
    from verkehrspuls.storage.sites import read_site

    chosen = FILE_TYPES[format.value]
    if format is _FileType.PARQUET and output is None and sys.stdout.isatty():
        raise UsageError(reason="Parquet cannot be shown on a terminal; set --output")
    municipality, key = parse_key(site, kind="site")
    now = datetime.now(UTC)
    settings = resolve()
    with database.connection(
        settings=settings, application="verkehrspuls export"
    ) as connection:
        found = read_site(connection, municipality, key)
        zone = found.time_zone
        start = periods.moment("--from", since, zone)
        end = periods.moment("--to", until, zone)
        try:
            selection = extracts.select(
                found,
                quantity=quantity,
                direction=direction,
                start=start,
                end=end,
                bin=bin.value,
                now=now,
            )
        except BadParameter as error:
            # the options are called as the parameters of the API
            reason = f"--{error.parameter}: {error.detail}"
            raise UsageError(reason=reason) from error
        extract = extracts.complete(
            selection,
            frame=extracts.read(
                selection,
                source=settings.database.url.get_secret_value(),
            ),
            connection=connection,
            now=now,
        )
    body = chosen.write(extract)
    if output is None:
        sys.stdout.buffer.write(body)
        return
    if output.is_dir():
        output /= file_name(selection, chosen.ending)
    files = {output: body}
    if format in (_FileType.CSV, _FileType.CSV_DE, _FileType.CSV_EN):
        files[output.with_suffix(".passport.json")] = to_description(extract)
    for path, content in files.items():
        try:
            path.write_bytes(content)
        except OSError as error:
            reason = f"{path} cannot be written: {error.strerror}"
            raise UsageError(reason=reason) from error
    print_note(f"{output}: {extract.frame.height} rows")
