"""Common parts of processes that run until they are stopped."""

import logging
import os
import threading

from verkehrspuls import log
from verkehrspuls.settings import Log
from verkehrspuls.storage import origin
from verkehrspuls.talk import write_line

_log = logging.getLogger(__name__)


def begin(settings: Log) -> None:
    """Set up logging, and end the process when one of its threads dies.

    Its supervisor restarts it: it never continues without one of its parts.
    """
    log.configure(level=settings.level, style=settings.format)
    threading.excepthook = _end
    origin.serve()


def ready() -> None:
    """Report to the parent process that this process is ready."""
    write_line("ready")


def _end(died: threading.ExceptHookArgs) -> None:
    name = died.thread.name if died.thread else "unknown"
    error = died.exc_value
    _log.critical(
        "thread_died",
        extra={"thread_name": name},
        exc_info=(died.exc_type, error, died.exc_traceback) if error else None,
    )
    # uncommitted or unacknowledged messages are delivered again
    os._exit(1)
