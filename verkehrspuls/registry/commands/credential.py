"""Issue, rotate, revoke and list credentials of sensors at the broker."""

from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from verkehrspuls.cli import database, output
from verkehrspuls.cli.options import Json, OfMunicipality

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verkehrspuls.registry.brokers import Broker
    from verkehrspuls.registry.credentials import Asked, Issued
    from verkehrspuls.settings import Settings
    from verkehrspuls.storage.database import Connection

app = typer.Typer(no_args_is_help=True)

Names = Annotated[
    list[str], typer.Argument(help="municipality/sensor; several at once.")
]
Name = Annotated[
    str, typer.Argument(help="municipality/sensor, name of a gateway, or user name.")
]


@app.command()
def issue(
    names: Names,
    topics: Annotated[
        list[str] | None,
        typer.Option(
            "--write",
            help="Topic filter under which a network server or gateway publishes for "
            "many sensors; may be repeated. NAMES is then its name.",
        ),
    ] = None,
    client: Annotated[
        str | None,
        typer.Option(
            "--for",
            help="Print the configuration of a client instead: mosquitto_pub, arduino, "
            "esphome, node-red, chirpstack, the-things-stack.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Issue a credential for sensors, and show its password once.

    A sensor that has one keeps it; see `rotate`.
    """
    from verkehrspuls.registry import clients, credentials

    if client is not None:
        clients.require(client)
    with database.connection() as connection:
        asked = (
            credentials.ask_for_gateway(connection, names[0], topics)
            if topics
            else credentials.ask(connection, names)
        )
        issued = _apply(connection, asked)
    if client is None:
        _show(issued, as_json=as_json)
        return
    for each in issued:
        output.print_data(clients.filled(client, each, _settings().broker), nl=False)


@app.command()
def rotate(
    names: Names,
    hours: Annotated[
        float,
        typer.Option("--overlap", help="Hours for which the old one is valid.", min=0),
    ] = 168,
    as_json: Json = False,
) -> None:
    """Issue another credential; the old one ends after an overlap."""
    from datetime import timedelta

    from verkehrspuls.registry import credentials

    with database.connection() as connection:
        issued = _apply(connection, credentials.ask(connection, names))
        for each in issued:
            for user in credentials.end_older(
                connection, each, overlap=timedelta(hours=hours)
            ):
                output.print_note(f"{user} ends in {hours:g} hours.")
        connection.commit()
    _show(issued, as_json=as_json)


@app.command()
def revoke(name: Name) -> None:
    """Revoke all credentials of a sensor, or the one with a user name."""
    from verkehrspuls.registry import credentials

    with database.connection() as connection:
        users = credentials.revoke(connection, name)
        connection.commit()
        with _broker() as broker:
            if broker:
                credentials.bring(connection, broker)
    output.print_note(f"Revoked: {', '.join(users)}.")


@app.command("list")
def list_credentials(
    municipality: OfMunicipality = None, as_json: Json = False
) -> None:
    """List credentials, with those that ended in the last 30 days."""
    from verkehrspuls.registry import credentials

    with database.connection(municipality) as connection:
        found = credentials.every(connection, municipality)
    output.show_list(
        [asdict(each) for each in found],
        (
            *("user", "state", "topics", "issued_at", "issued_by"),
            *("expires_at", "revoked_at"),
        ),
        as_json=as_json,
        shown=lambda row: {
            **row,
            "user": row["user_name"],
            "topics": " ".join(row["topics"]),
        },
    )


@app.command()
def sync(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what differs.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Bring the broker to the registry: mend what differs.

    Exits with 4 if something differs that it did not mend.
    """
    from verkehrspuls.errors import BrokerUnavailable, FoundProblems
    from verkehrspuls.registry import credentials

    with database.connection() as connection, _broker() as broker:
        if broker is None:
            raise BrokerUnavailable(reason="broker.admin_url is not set")
        found = credentials.compare(connection, broker.state())
        left = found
        if not dry_run:
            left = credentials.bring(connection, broker, remove_unknown=True)
    shown = [each._asdict() for each in found]
    output.show_list(shown, ("user", "what"), as_json=as_json)
    for each in () if dry_run else left:
        output.print_note(f"{each.user}: {each.what}.")
    if left:
        raise FoundProblems(count=len(left))


@app.command()
def adopt(as_json: Json = False) -> None:
    """Take into the registry what an earlier version gave sensors at the broker.

    Their passwords stay. What could not be adopted is told, and stays as it is.
    """
    from verkehrspuls.errors import BrokerUnavailable
    from verkehrspuls.registry import credentials

    with database.connection() as connection, _broker() as broker:
        if broker is None:
            raise BrokerUnavailable(reason="broker.admin_url is not set")
        found = credentials.adopt(connection, broker)
    rows = [{"user": user, "what": what} for user, what in found.items()]
    output.show_list(rows, ("user", "what"), as_json=as_json)


@app.command()
def run() -> None:
    """Tell the broker of credentials as they are issued and end, until interrupted.

    The only process that administrates the broker: `broker.admin_url` says how.
    """
    import signal

    from verkehrspuls import service
    from verkehrspuls.errors import UsageError
    from verkehrspuls.registry import credentials
    from verkehrspuls.registry.brokers import administrated
    from verkehrspuls.stack.state import resolve
    from verkehrspuls.storage.database import connect
    from verkehrspuls.storage.roles import require_login

    settings = resolve()
    service.begin(settings.log)
    url = settings.broker.admin_url.get_secret_value()
    if not url:
        raise UsageError(reason="broker.admin_url is not set")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    login = settings.database.login("ingest")
    ready = False
    try:
        with connect(login, application="verkehrspuls credential run") as connection:
            require_login(connection, "ingest")
            for left in credentials.keep(
                connection, lambda: administrated(url, ca_file=settings.broker.ca_file)
            ):
                if not ready:
                    service.ready()
                ready = True
                for each in left:
                    credentials.log.warning("credential_lacks", extra=each._asdict())
    except KeyboardInterrupt:
        return


@contextmanager
def _broker() -> "Iterator[Broker | None]":
    """Administrate the broker, where this command may; else its process does."""
    from verkehrspuls.registry.brokers import administrated

    settings = _settings()
    url = settings.broker.admin_url.get_secret_value()
    if not url:
        yield None
        return
    with administrated(url, ca_file=settings.broker.ca_file) as broker:
        yield broker


def _settings() -> "Settings":
    from verkehrspuls.stack.state import resolve

    return resolve()


def _apply(connection: "Connection", asked: "Asked") -> "list[Issued]":
    """Tell the broker of what is asked, or wait for the process that does."""
    from verkehrspuls.errors import BrokerUnavailable
    from verkehrspuls.registry import credentials

    connection.commit()
    try:
        with _broker() as broker:
            if broker:
                credentials.bring(connection, broker)
    except BrokerUnavailable:
        credentials.withdraw(connection, asked)
        connection.commit()
        raise
    return credentials.wait(partial(_committed, connection), asked)


@contextmanager
def _committed(connection: "Connection") -> "Iterator[Connection]":
    """Lend a connection for one transaction."""
    yield connection
    connection.commit()


def _show(issued: "Sequence[Issued]", *, as_json: bool) -> None:
    rows = [{"user": each.user, "password": each.password} for each in issued]
    output.show_list(rows, ("user", "password"), as_json=as_json)
    output.print_note("Passwords are not stored and cannot be shown again.")
