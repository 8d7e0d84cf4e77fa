"""Logging: an event name and fields, for people or as JSON lines, on standard error."""

import json
import logging
import sys
from datetime import UTC, datetime

from verkehrspuls.cli.output import escape, escape_json

_PLAIN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}


def _fields(record: logging.LogRecord) -> dict[str, object]:
    return {k: v for k, v in record.__dict__.items() if k not in _PLAIN}


class ConsoleFormatter(logging.Formatter):
    """`12:00:00 info    ingest.worker  batch_committed rows=5000`."""

    def format(self, record: logging.LogRecord) -> str:
        """Render one line, and the traceback where there is one."""
        clock = datetime.fromtimestamp(record.created, UTC).astimezone()
        fields = "".join(f" {k}={v}" for k, v in _fields(record).items())
        # texts of strangers must not control the terminal or break lines
        line = (
            f"{clock:%H:%M:%S} {record.levelname.lower():7} "
            f"{record.name:24} {escape(record.getMessage() + fields)}"
        )
        if record.exc_info:
            line += "\n" + escape(self.formatException(record.exc_info), lines=True)
        return line


class JsonFormatter(logging.Formatter):
    """Formats one JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        """Render one line."""
        entry: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return escape_json(json.dumps(entry, default=str, ensure_ascii=False))


def configure(*, level: str, style: str) -> None:
    """Set up the root logger of a process."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if style == "json" else ConsoleFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
