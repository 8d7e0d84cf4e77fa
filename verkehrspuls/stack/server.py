"""A server with its own directory, as the supervisor keeps it running.

directory/
    log/                  of the server itself, and `start.log` of its last start
    ….password            of its roles, readable only by its owner
"""

import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Final, Self

from verkehrspuls.stack import process
from verkehrspuls.stack.account import private_directory, server_account

START_LOG: Final = "start.log"


class Server(ABC):
    """A server program: a subclass says how it is started and asked."""

    name: str
    once = False
    #: signals that end it: after it has written everything, and at once
    ends_by: ClassVar[signal.Signals]
    dies_by: ClassVar[signal.Signals]
    #: seconds to end by itself
    stop_s: ClassVar[float]

    def __init__(
        self, directory: Path, *, account: str = "nobody", start_s: float = 60
    ) -> None:
        self.process: process.Process | None = None
        self.directory = directory.resolve()
        self._log = self.directory / "log"
        self._account = server_account(account, part=self.name)
        self._start_s = start_s

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and wait until it answers."""
        deadline = time.monotonic() + self._start_s
        while True:
            self.spawn()
            try:
                process.wait_for_answer(self, timeout_s=self._start_s)
            except BaseException as error:
                self.stop()
                late = time.monotonic() > deadline
                if late or not self._can_start_again(str(error)):
                    raise
            else:
                return
            time.sleep(0.2)

    @abstractmethod
    def spawn(self) -> None:
        """Start it without waiting until it answers."""

    @abstractmethod
    def answers(self) -> bool:
        """Return whether it answers."""

    @abstractmethod
    def last_log_lines(self) -> str:
        """Return the end of its log."""

    def stop(self, timeout_s: float | None = None) -> None:
        """Stop it: gracefully, after `timeout_s` at once."""
        process.stop(self, timeout_s=self.stop_s if timeout_s is None else timeout_s)

    def terminate(self) -> None:
        """Ask the server to end all sessions, write everything and stop."""
        self._signal(self.ends_by)

    def kill(self) -> None:
        """Kill it; what it has acknowledged is kept."""
        self._signal(self.dies_by)

    @abstractmethod
    def _can_start_again(self, reason: str) -> bool:
        """Return whether a start that failed for this reason is worth another."""

    def _signal(self, number: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(number)

    def _has_ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def _make_folders(self, *others: Path) -> None:
        for folder in (self.directory, self._log, *others):
            private_directory(folder, self._account, part=self.name)

    def _leashed(
        self,
        command: Sequence[str | Path],
        *,
        log: str,
        environment: Mapping[str, str] | None = None,
    ) -> process.Process:
        with (self._log / log).open("wb") as output:
            return process.leashed(
                command,
                when_left=self.ends_by,
                account=self._account,
                output=output,
                environment={**process.server_environment(), **(environment or {})},
                directory=self.directory,
            )

    def _password(self, role: str) -> str:
        return process.secret(self.directory / f"{role}.password", self._account)
