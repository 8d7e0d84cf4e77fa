"""A TCP proxy that does to a connection what networks do.

It stops copying (a partition, or a peer that hangs), forgets connections silently
(half-open), cuts them, refuses new ones, copies byte by byte, or cuts when
certain bytes come by.
"""

import contextlib
import select
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, Self

Direction = Literal["up", "down"]
#: from the client to the server, and back
UP: Direction = "up"
DOWN: Direction = "down"
BOTH: tuple[Direction, ...] = (UP, DOWN)
Address = tuple[str, int] | str

#: closing says RST, not FIN
_RESET = struct.pack("ii", 1, 0)


@dataclass
class Stream:
    """One direction of a connection."""

    direction: Direction
    source: socket.socket
    target: socket.socket
    waiting: bytearray = field(default_factory=bytearray)
    ended: bool = False
    #: not before: where it is slow
    due: float = 0.0


@dataclass
class Link:
    """A connection: the client's half and ours to the server."""

    client: socket.socket
    server: socket.socket
    lost: bool = False

    def __post_init__(self) -> None:
        self.streams = (
            Stream(UP, self.client, self.server),
            Stream(DOWN, self.server, self.client),
        )

    def reset(self) -> None:
        for half in (self.client, self.server):
            with contextlib.suppress(OSError):
                half.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            half.close()


@dataclass
class Trap:
    """Cut the connection when these bytes come by in a direction."""

    direction: Direction
    pattern: bytes
    #: whether they are passed on first, and what answers them never comes
    passed_on: bool
    sprung: threading.Event = field(default_factory=threading.Event)


class Proxy:
    """A proxy on a port of 127.0.0.1; its faults are set from any thread."""

    def __init__(self, target: Address) -> None:
        self._target = target
        self._links: list[Link] = []
        self._changed = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._wake, self._woken = socket.socketpair()
        self._stopping = False
        self.port: int = self._listener.getsockname()[1]
        #: directions in which nothing is copied
        self.frozen: frozenset[Direction] = frozenset()
        self.refusing = False
        #: at most so many bytes at once, with a pause after them
        self.piece = 65_536
        self.pause_s = 0.0
        self.trap: Trap | None = None
        self.accepted = 0
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping = True
        self.wake()
        self._thread.join()
        self.cut()
        for one in (self._listener, self._wake, self._woken):
            one.close()

    @property
    def open(self) -> int:
        """How many connections there are, forgotten ones not counted."""
        with self._changed:
            return sum(not link.lost for link in self._links)

    def wake(self) -> None:
        self._wake.send(b"\0")

    def freeze(self, *directions: Direction) -> None:
        """Copy nothing any more in these directions; nobody is told."""
        self.frozen = frozenset(directions or BOTH)
        self.wake()

    def thaw(self) -> None:
        """Copy again, fast and whole, and accept connections."""
        self.frozen = frozenset()
        self.refusing = False
        self.piece, self.pause_s = 65_536, 0.0
        self.trap = None
        self.wake()

    def cut(self) -> None:
        """Reset all connections."""
        with self._changed:
            for link in self._links:
                link.reset()
            self._links.clear()

    def forget(self) -> None:
        """Leave the connections half-open: neither side hears of the other again."""
        with self._changed:
            for link in self._links:
                link.lost = True

    def _run(self) -> None:
        while not self._stopping:
            readers: list[socket.socket] = [self._listener, self._woken]
            writers: list[socket.socket] = []
            streams = list(self._streams())
            now = time.monotonic()
            for _, stream in streams:
                if stream.direction in self.frozen or stream.due > now:
                    continue
                if stream.waiting:
                    writers.append(stream.target)
                elif not stream.ended:
                    readers.append(stream.source)
            slow = any(stream.due > now for _, stream in streams)
            try:
                readable, writable, _ = select.select(
                    readers, writers, [], max(0.001, self.pause_s) if slow else 0.2
                )
            except (OSError, ValueError):  # cut meanwhile
                continue
            if self._woken in readable:
                self._woken.recv(4096)
            if self._listener in readable:
                self._accept()
            for link, stream in streams:
                try:
                    if stream.target in writable and stream.waiting:
                        self._write(stream)
                    if stream.source in readable and not stream.waiting:
                        self._read(link, stream)
                except OSError:
                    self._drop(link)
                except ValueError:  # closed
                    pass

    def _streams(self) -> Iterator[tuple[Link, Stream]]:
        with self._changed:
            links = [link for link in self._links if not link.lost]
        for link in links:
            for stream in link.streams:
                yield link, stream

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        self.accepted += 1
        if self.refusing:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            client.close()
            return
        unix = isinstance(self._target, str)
        server = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
        try:
            server.connect(self._target)
        except OSError:
            server.close()
            client.close()
            return
        with self._changed:
            self._links.append(Link(client, server))

    def _read(self, link: Link, stream: Stream) -> None:
        data = stream.source.recv(65_536)
        if not data:
            stream.ended = True
            with contextlib.suppress(OSError):
                stream.target.shutdown(socket.SHUT_WR)
            if all(one.ended for one in link.streams):
                self._drop(link)
            return
        trap = self.trap
        if trap and stream.direction == trap.direction and trap.pattern in data:
            self.trap = None
            if trap.passed_on:
                stream.target.sendall(data)
                # what it answers is waited for, and then forgotten
                stream.target.settimeout(10)
                with contextlib.suppress(OSError):
                    stream.target.recv(65_536)
            self._drop(link)
            trap.sprung.set()
            return
        stream.waiting += data

    def _write(self, stream: Stream) -> None:
        sent = stream.target.send(stream.waiting[: self.piece])
        del stream.waiting[:sent]
        if self.pause_s:
            stream.due = time.monotonic() + self.pause_s

    def _drop(self, link: Link) -> None:
        with self._changed:
            link.reset()
            if link in self._links:
                self._links.remove(link)
