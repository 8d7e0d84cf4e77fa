"""Only plain files and pipes are read, and never more than a bound."""

import os
import re
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from analytics.flow import parameters
from analytics.scores import table
from ingest.files import file_types, recording
from tests import world
from tests.parts import PATIENCE_S
from verkehrspuls.errors import BadFile
from verkehrspuls.files import read_bytes, read_text
from verkehrspuls.model import Town
from verkehrspuls.registry import calendar
from verkehrspuls.registry.files import load as loading
from verkehrspuls.registry.files.record import FaultyFile
from verkehrspuls.settings import load

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def refuse(path: Path) -> Callable[[int, str], None]:
    """A line of a recording that is skipped, as an error like those of other files."""

    def skipped(number: int, reason: str) -> None:
        raise BadFile(path=path, format="a recording", reason=f"{number}: {reason}")

    return skipped


def registration(path: Path) -> Town:
    """Read a registration file, as the command does that imports it."""
    data = read_bytes(path, format="a registration")
    try:
        return loading.town_of(loading.content(data, path.name), None)
    except FaultyFile as error:
        raise BadFile(
            path=path, format="a registration", reason=error.reason
        ) from error


READERS: dict[str, Any] = {
    "registration": registration,
    "holidays": calendar.load_school_holidays,
    "events": calendar.load_events,
    "recording": lambda path: list(
        recording.read(path, now=NOW, skipped=refuse(path), is_undated=lambda _: False)
    ),
    "score": table.read,
    "settings": lambda path: load({"VERKEHRSPULS_CONFIG": str(path)}),
    "secret": lambda path: load({"VERKEHRSPULS_DATABASE__URL_FILE": str(path)}),
    "flow": parameters.load,
    "generic": lambda path: file_types()["generic"](path, world.TOWN),
    "muenster-kfz": lambda path: file_types()["muenster-kfz"](path, world.TOWN),
    "muenster-bike": lambda path: file_types()["muenster-bike"](path, world.TOWN),
}


@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_plain_file_is_refused_at_once(reader: str, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    for path in (Path("/dev/zero"), fifo, loop, tmp_path / "none", tmp_path / "e.csv"):
        if path.name == "e.csv":
            path.mkdir()
        with pytest.raises(BadFile):
            READERS[reader](path)


def test_a_pipe_that_is_written_to_is_read_to_its_end() -> None:
    """As of `<(…)` and standard input, however slowly it comes."""
    out, into = os.pipe()
    written = threading.Event()

    def write() -> None:
        written.wait(PATIENCE_S)
        with os.fdopen(into, "wb") as pipe:
            for part in ("postgresql://", "vp@here", "/ä" * 50_000, "\n"):
                pipe.write(part.encode())
                pipe.flush()

    writer = threading.Thread(target=write)
    writer.start()
    threading.Timer(0.1, written.set).start()
    with os.fdopen(out):
        found = load({"VERKEHRSPULS_DATABASE__URL_FILE": f"/dev/fd/{out}"})
    writer.join()
    url = found.database.url.get_secret_value()
    assert url == "postgresql://vp@here" + "/ä" * 50_000


def test_a_pipe_without_an_end_is_bounded() -> None:
    out, into = os.pipe()

    def write() -> None:
        with suppress(BrokenPipeError), os.fdopen(into, "wb") as pipe:
            while True:
                pipe.write(bytes(65_536))

    writer = threading.Thread(target=write)
    writer.start()
    with os.fdopen(out), pytest.raises(BadFile, match="larger than"):
        registration(Path(f"/dev/fd/{out}"))
    writer.join()


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe\x00", b"\0" * 100, b"a = " + b"[" * 20_000, b"\xef\xbb\xbf{"],
)
def test_rubbish_is_an_error_that_names_the_file(
    reader: str, content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "rubbish"
    path.write_bytes(content)
    if reader == "secret" and b"\xff" not in content:  # any text may be one
        return
    if content == b"" and reader in ("recording", "settings"):
        READERS[reader](path)
        return
    with pytest.raises(BadFile, match=re.escape(str(path))):
        READERS[reader](path)


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.touch()
    os.truncate(path, 1 << 40)
    for reader in ("registration", "holidays", "events", "settings", "secret", "score"):
        with pytest.raises(BadFile, match="larger than"):
            READERS[reader](path)


def test_a_line_of_a_recording_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "MAX_LINE_BYTES", 1 << 20)
    path = tmp_path / "line"
    path.write_bytes(
        b'{"topic": "' + b"x" * (2 << 20) + b'\n{"topic": "a/b", "payload": "1"}\n'
    )
    skipped: dict[int, str] = {}
    (message,) = recording.read(
        path, now=NOW, skipped=skipped.__setitem__, is_undated=lambda _: False
    )
    assert message.topic == "a/b"
    assert skipped == {1: "it is longer than 1048576 bytes"}


def test_a_file_that_grows_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "grows"
    path.write_bytes(b"x" * 10)
    assert read_bytes(path, format="x", most=10) == b"x" * 10
    with pytest.raises(BadFile):
        read_bytes(path, format="x", most=9)


def test_a_byte_order_mark_is_none_of_the_text(tmp_path: Path) -> None:
    path = tmp_path / "bom"
    path.write_bytes("\ufeffä".encode())
    assert read_text(path, format="x") == "ä"
    assert sys.getdefaultencoding() == "utf-8"
