import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.parts import PATIENCE_S
from verkehrspuls.talk import Unfailing

SAY = """
import sys
from verkehrspuls import log, talk
import logging
talk.prepare()
log.configure(level="info", style="console")
for n in range(3000):
    print("said", n, file=sys.stderr)
    logging.getLogger("x").info("logged")
if sys.argv[1] != 'stopped':
    talk.write_line("ready")
"""


class Disk:
    """Takes lines as long as it is not full."""

    def __init__(self) -> None:
        self.full = False
        self.tried = 0
        self.lines: list[bytes] = []

    def write(self, line: bytes) -> None:
        self.tried += 1
        if self.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.lines.append(line)


def test_lines_are_dropped_counted_and_told_of() -> None:
    disk, heard = Disk(), []
    lines = Unfailing(disk.write, changed=lambda *what: heard.append(what))
    lines.write(b"1\n")
    disk.full = True
    for _ in range(7):
        lines.write(b"2\n3\n")
    assert heard == [("No space left on device", 0)]
    disk.full = False
    lines.write(b"4\n")
    lines.write(b"5\n")
    note = "\n… 14 lines were not written: No space left on device\n".encode()
    assert disk.lines == [b"1\n", note, b"4\n", b"5\n"]
    assert heard[1:] == [(None, 14)]


def test_full_disk_is_left_alone_for_a_while() -> None:
    disk, now = Disk(), [0.0]
    lines = Unfailing(disk.write, pause_s=5, clock=lambda: now[0])
    disk.full = True
    for _ in range(100):
        lines.write(b"1\n")
        now[0] += 0.1
    assert disk.tried == 2
    assert lines.dropped == 100


@pytest.mark.parametrize("where", ["full", "closed", "broken", "stopped"])
def test_nobody_who_listens_ends_no_process(where: str) -> None:
    command = [sys.executable, "-c", SAY, where]
    if where == "closed":
        command = ["/bin/sh", "-c", 'exec "$@" >&- 2>&-', "sh", *command]
    if where == "full":
        with Path("/dev/full").open("wb") as full:
            assert subprocess.run(command, stdout=full, stderr=full).returncode == 0
        return
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout is not None
    with process.stdout as reader:
        if where != "stopped":
            reader.close()
        assert process.wait(PATIENCE_S) == 0
