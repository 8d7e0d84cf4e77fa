"""All parts in their order of start: the command `verkehrspuls up`."""

import http.client
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from verkehrspuls import __version__
from verkehrspuls.cli import output
from verkehrspuls.errors import StackFailed
from verkehrspuls.settings import Database, Settings
from verkehrspuls.stack.account import own_account, server_account, shared_with
from verkehrspuls.stack.backlog import show_backlog
from verkehrspuls.stack.broker import Broker, free_port
from verkehrspuls.stack.postgres import PostgresServer
from verkehrspuls.stack.program import Program, program_environment
from verkehrspuls.stack.state import (
    Running,
    locked,
    make_directory,
    needs_servers,
    state_directory,
    write_running,
)
from verkehrspuls.stack.supervisor import Supervisor
from verkehrspuls.storage import roles
from verkehrspuls.talk import write_line

#: all parts together must stop within five seconds
STOP_BUDGET_S = 4.5
#: part of it in which ingest must finish its current work
DRAIN_S = 1.5
#: at a first start another part may just be restarting
ATTEMPTS = 3
#: interval of repeating a request to stop
STOP_REPEAT_S = 1.0
#: As which part those log in that have no login of their own: the simulator publishes
#: only, and its history reads what there is already.
_LOGINS: Final = {"simulator": "", "history": "analytics", "credentials": "ingest"}
#: the parts that administrate the broker
_ADMINISTRATE: Final = ("credentials", "registration")
#: the history continues where it stopped, after failures of other parts
HISTORY_ATTEMPTS = 10


class Interrupted(BaseException):
    """Raised when the user or system asks `up` to stop."""


def run(settings: Settings, *, show_logs: bool, with_parent: bool) -> None:
    """Run all parts until SIGINT, SIGTERM or SIGHUP; then stop them in order."""
    if with_parent:
        end_with_parent()
    directory = state_directory(settings)
    make_directory(directory)
    print_line(f"Verkehrspuls {__version__}, data in {directory}")
    if os.geteuid() == 0 and needs_servers(settings):
        account = server_account(settings.stack.account, part="up")
        if account and (others := shared_with(account)):
            print_line(
                f"warning: as root, the servers run as {account.name}, {others}; these "
                f"can read all passwords and data. {own_account(directory)}"
            )
    with locked(directory) as require:
        supervisor = Supervisor(print_line=print_line, start_s=settings.stack.start_s)
        supervisor.look = require
        try:
            with interruptible():
                Everything(settings, directory, supervisor, show_logs=show_logs).run()
        except Interrupted:
            print_line("stopping")
        finally:
            supervisor.stop(budget_s=STOP_BUDGET_S)
    print_line("stopped")


def end_with_parent() -> None:
    """Request a signal when the process that started this one ends."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def print_line(line: str) -> None:
    """Print a line, above a progress bar if there is one."""
    with suppress(OSError, ValueError):
        clear = "\r\033[K" if sys.stderr.isatty() else ""
        output.print_note(line, before=clear)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let a signal to stop raise `Interrupted` until this is left; ignore later ones.

    Raise it again each second: a library may swallow an exception raised in it. So does
    the interpreter in a destructor, and prints it, which is prevented.
    """
    left = False
    print_unraisable = sys.unraisablehook

    def ask(*_: object) -> None:
        if not left:
            signal.setitimer(signal.ITIMER_REAL, STOP_REPEAT_S)
            raise Interrupted

    def report(what: "sys.UnraisableHookArgs") -> None:
        if not isinstance(what.exc_value, Interrupted):
            print_unraisable(what)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, ask)
    sys.unraisablehook = report
    try:
        yield
    finally:
        left = True
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.unraisablehook = print_unraisable


class Everything:
    """The parts of one `up`."""

    def __init__(
        self,
        settings: Settings,
        directory: Path,
        supervisor: Supervisor,
        *,
        show_logs: bool,
    ) -> None:
        self._settings = settings
        self._directory = directory
        self._supervisor = supervisor
        self._show_logs = show_logs
        self._running = Running(pid=os.getpid(), since=datetime.now(UTC))

    def run(self) -> None:
        """Start the parts one after another, and watch them until stopped."""
        self._start_database()
        self._start_broker()
        self._set(
            api=self._settings.api.model_copy(update={"port": self._choose_port()}),
            ingest=self._settings.ingest.model_copy(
                update={"drain_s": min(DRAIN_S, self._settings.ingest.drain_s)}
            ),
        )
        self._supervisor.changed = self._write_state
        simulated = self._settings.simulator.enabled
        self._run_once("migration", "db", "migrate")
        if simulated:
            self._run_once("registration", "simulate", "register")
        programs = {"api": "api", "analytics": "analytics", "ingest": "ingest"}
        if self._settings.broker.admin_url.get_secret_value():
            programs["credentials"] = "credential"
        parts = [
            self._supervisor.add(self._program(name, noun, "run"), attempts=ATTEMPTS)
            for name, noun in programs.items()
        ]
        for part in parts:
            self._supervisor.wait_for(part)
        self._show_address()
        if simulated:
            self._simulate()
        self._supervisor.wait(lambda: False)

    def _start_database(self) -> None:
        if self._settings.database.url.get_secret_value():
            print_line("database: the one that is set")
        else:
            began = time.monotonic()
            server = PostgresServer(
                self._directory / "postgres",
                account=self._settings.stack.account,
                binaries=self._settings.stack.postgres_binaries,
                start_s=self._settings.stack.start_s,
            )
            server.start()
            self._supervisor.add(server, running=True)
            urls = {
                "url": SecretStr(server.url),
                "web_url": SecretStr(server.url_of(roles.WEB)),
                "ingest_url": SecretStr(server.url_of(roles.INGEST)),
                "analytics_url": SecretStr(server.url_of(roles.ANALYTICS)),
            }
            self._set(database=self._settings.database.model_copy(update=urls))
            seconds = time.monotonic() - began
            print_line(f"database: PostgreSQL {server.version()}, {seconds:.1f} s")

    def _start_broker(self) -> None:
        url = self._settings.broker.url.get_secret_value()
        publish_url = self._settings.broker.publish_url.get_secret_value() or url
        admin_url = self._settings.broker.admin_url.get_secret_value()
        if url:
            print_line("broker: the one that is set")
        else:
            began = time.monotonic()
            server = Broker(
                self._directory / "broker",
                account=self._settings.stack.account,
                start_s=self._settings.stack.start_s,
            )
            server.start()
            self._supervisor.add(server, running=True)
            self._supervisor.look = partial(_look_after, self._supervisor.look, server)
            url, publish_url = server.url, server.publish_url
            admin_url = server.admin_url
            seconds = time.monotonic() - began
            print_line(f"broker: NATS {server.version()}, {seconds:.1f} s")
        urls = {"url": url, "publish_url": publish_url, "admin_url": admin_url}
        secret = {name: SecretStr(value) for name, value in urls.items()}
        self._set(broker=self._settings.broker.model_copy(update=secret))
        if admin_url:
            logins = self._directory / "simulator.json"
            self._set(
                simulator=self._settings.simulator.model_copy(update={"logins": logins})
            )

    def _simulate(self) -> None:
        weeks = self._settings.simulator.weeks
        if weeks:
            history = self._program(
                *("history", "simulate", "history", "--weeks", str(weeks)),
                once=True,
                shows_progress=True,
            )
            try:
                self._supervisor.wait_for(
                    self._supervisor.add(history, attempts=HISTORY_ATTEMPTS)
                )
            except StackFailed as error:
                print_line(f"{error} The sensors go on without their history.")
        self._supervisor.add(self._program("simulator", "simulate", "live"))
        url = self._settings.database.url.get_secret_value()
        show_backlog(url, print_line=print_line, step=self._supervisor.step)

    def _run_once(self, name: str, *arguments: str) -> None:
        began = time.monotonic()
        part = self._program(name, *arguments, once=True)
        self._supervisor.wait_for(self._supervisor.add(part, attempts=ATTEMPTS))
        print_line(f"{name}: done, {time.monotonic() - began:.1f} s")

    def _program(
        self,
        name: str,
        *arguments: str,
        once: bool = False,
        shows_progress: bool = False,
    ) -> Program:
        return Program(
            name,
            arguments,
            environment=program_environment(self._settings_of(name)),
            log=self._directory / "log" / f"{name}.log",
            once=once,
            shows_progress=shows_progress,
            print_line=print_line,
            echo=self._show_logs,
        )

    def _settings_of(self, name: str) -> Settings:
        """Return the settings of a part, which knows no other login than its own."""
        login = _LOGINS.get(name, name)
        url = self._settings.database.login(login) if login else ""
        own = Database(url=SecretStr(url))
        broker = self._settings.broker
        if name not in _ADMINISTRATE:
            broker = broker.model_copy(update={"admin_url": SecretStr("")})
        return self._settings.model_copy(update={"database": own, "broker": broker})

    def _show_address(self) -> None:
        host, port = self._reached_at()
        self._supervisor.wait(lambda: page_answers(host, port))
        address = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
        self._running = replace(self._running, address=address)
        self._supervisor.report_state()
        write_line(f"Verkehrspuls: {address}")
        self._show_login(address)

    def _show_login(self, address: str) -> None:
        """Show a link of the first administrator, until somebody has a password."""
        from verkehrspuls.access.first import login_link
        from verkehrspuls.storage.database import connect

        url = self._settings.database.url.get_secret_value()
        with connect(url, application="verkehrspuls up") as connection:
            made = login_link(connection, settings=self._settings.access)
        if made:
            write_line(f"Log in once as administrator: {made.at(address)}")

    def _reached_at(self) -> tuple[str, int]:
        host = self._settings.api.host
        anywhere = host in ("0.0.0.0", "::", "")  # noqa: S104 - compared
        return "127.0.0.1" if anywhere else host, self._settings.api.port

    def _choose_port(self) -> int:
        """Use the port that is set; without one the next free port."""
        host, port = self._reached_at()
        if port == 0:
            return free_port(range(8000, 9000))
        if is_free(host, port):
            return port
        if "port" not in self._settings.api.model_fields_set:
            for other in range(port + 1, port + 100):
                if is_free(host, other):
                    print_line(f"port {port} is taken, so the page is on port {other}")
                    return other
        raise StackFailed(
            part="api", reason=f"port {port} is taken. Choose another one with --port"
        )

    def _set(self, **sections: object) -> None:
        self._settings = self._settings.model_copy(update=sections)

    def _write_state(self) -> None:
        self._running = replace(
            self._running,
            database_url=self._settings.database.url.get_secret_value(),
            web_url=self._settings.database.web_url.get_secret_value(),
            ingest_url=self._settings.database.ingest_url.get_secret_value(),
            analytics_url=self._settings.database.analytics_url.get_secret_value(),
            broker_url=self._settings.broker.url.get_secret_value(),
            publish_url=self._settings.broker.publish_url.get_secret_value(),
            admin_url=self._settings.broker.admin_url.get_secret_value(),
            parts=self._supervisor.states(),
        )
        write_running(self._directory, self._running)


def _look_after(look: Callable[[], None], broker: Broker) -> None:
    """Do what the supervisor does at each look, and stop a broker that is stuck.

    The supervisor, which sees only that it runs, starts it anew.
    """
    look()
    if broker.is_stuck():
        print_line(
            "broker: it refuses messages since the disk was full, and is started anew"
        )
        broker.terminate()


def page_answers(host: str, port: int) -> bool:
    """Return whether the start page answers, possibly with a redirect."""
    connection = http.client.HTTPConnection(host, port, timeout=2)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status < http.HTTPStatus.BAD_REQUEST
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def is_free(host: str, port: int) -> bool:
    """Return whether a port is free."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
