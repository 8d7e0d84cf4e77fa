"""What the processes that run until they are told to stop have in common."""

import logging
import os
import threading

from verkehrspuls import log
from verkehrspuls.settings import Log
from verkehrspuls.talk import tell

_log = logging.getLogger(__name__)


def begin(settings: Log) -> None:
    """Set up logging, and end the process when one of its threads dies.

    Whoever supervises it starts it anew: it never lives on without a part of itself.
    """
    log.configure(level=settings.level, style=settings.format)
    threading.excepthook = _end


def ready() -> None:
    """Tell whoever started the process that it is of use now."""
    tell("ready")


def _end(died: threading.ExceptHookArgs) -> None:
    name = died.thread.name if died.thread else "unknown"
    error = died.exc_value
    _log.critical(
        "thread_died",
        extra={"thread_name": name},
        exc_info=(died.exc_type, error, died.exc_traceback) if error else None,
    )
    # what is not committed or acknowledged comes again
    os._exit(1)
