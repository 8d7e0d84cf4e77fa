"""Cache of rendered pages.

The key of a page contains all its inputs (see `render.known`), so that it is never
wrong for a reader; it is rendered once, however many request it at the same time.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

#: maximum bytes of all cached pages of a process; the least recently used goes first
MAX_BYTES: Final = 32 * 2**20


class Remembered:
    """Texts by key, bounded in bytes."""

    def __init__(self, most_bytes: int = MAX_BYTES) -> None:
        self._most = most_bytes
        self._bytes = 0
        self._texts: OrderedDict[str, bytes] = OrderedDict()
        self._making: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: str, make: Callable[[], bytes]) -> bytes:
        """Return a text; if it is missing, one of the callers makes it.

        If that fails, the next one tries.
        """
        with self._lock:
            if (found := self._known(key)) is not None:
                return found
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                if (found := self._known(key)) is not None:
                    return found
            try:
                made = make()
                with self._lock:
                    self._keep(key, made)
            finally:
                with self._lock:
                    self._making.pop(key, None)
            return made

    def clear(self) -> None:
        """Clear the cache."""
        with self._lock:
            self._texts.clear()
            self._bytes = 0

    def _known(self, key: str) -> bytes | None:
        found = self._texts.get(key)
        if found is not None:
            self._texts.move_to_end(key)
        return found

    def _keep(self, key: str, text: bytes) -> None:
        self._bytes += len(text) - len(self._texts.pop(key, b""))
        self._texts[key] = text
        while self._bytes > self._most:
            _, dropped = self._texts.popitem(last=False)
            self._bytes -= len(dropped)
