"""The how-tos for contributors, followed word by word in a copy of the project.

A step is a sentence that ends in a colon, and the block after it: create a file, put
something at the end of one, or below or above a line of one. Then the pages' commands
are run, and `tests.seen` looks for what is new in page, API, command and reference.
"""

import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests import world
from tests.documented import commands
from tests.parts import PROJECT, Databases
from tests.seen import ALONE, IN_WORLD
from tests.unit.test_docs import tracked

FOLDER: Final = "docs/contributing"
PYTEST: Final = ".venv/bin/pytest "
STEP: Final = re.compile(
    r"(?P<how>Create|At the end of|In) `(?P<file>[^`\n]+)`"
    r"(?:, (?P<place>below|above)(?P<begins> the line that begins with)?"
    r' (?:`(?P<line>[^`\n]+)`|"(?P<begin>[^"\n]+)"))?:\n\n'
    r"```\w+\n(?P<text>.*?)^```",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of the project."""

    folder: Path
    #: a database on the server that tests of the copy use as well
    url: str

    def follow(self, page: str) -> list[str]:
        """Do each step of a how-to; return the files that were written."""
        text = (self.folder / page).read_text("utf-8")
        steps = list(STEP.finditer(text))
        shown = re.findall(r"^```(?!console)\w+$", text, re.MULTILINE)
        assert len(steps) == len(shown), f"{page}: a block belongs to no step"
        for step in steps:
            self._do(step)
        return [step["file"] for step in steps]

    def _do(self, step: re.Match[str]) -> None:
        file = self.folder / step["file"]
        text = step["text"]
        if step["how"] == "Create":
            assert not file.exists(), file
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, "utf-8")
            return
        lines = file.read_text("utf-8").splitlines(keepends=True)
        if step["how"] == "At the end of":
            lines += ["\n", text]
        else:
            (at,) = [
                number
                for number, line in enumerate(lines)
                if line.strip() == step["line"]
                or (step["begin"] and line.strip().startswith(step["begin"]))
            ]
            indent = re.match(r" *", lines[at])
            assert indent is not None
            text = textwrap.indent(text, indent[0])
            lines.insert(at + (step["place"] == "below"), text)
        file.write_text("".join(lines), "utf-8")

    def run(self, *words: str | Path) -> None:
        """Run something in the copy, with the copy's code."""
        done = subprocess.run(
            words,
            cwd=self.folder,
            env={
                **os.environ,
                "PYTHONPATH": str(self.folder),
                "VERKEHRSPULS_TEST_POSTGRES_URL": self.url,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, f"{words}\n{done.stdout}"


@pytest.fixture
def copy(tmp_path: Path, plain_database: str) -> Copy:
    for path in tracked():
        target = tmp_path / path.relative_to(PROJECT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    (tmp_path / ".venv").symlink_to(Path(sys.executable).parents[1])
    return Copy(tmp_path, plain_database)


@pytest.fixture
def places(_plain: Databases) -> Iterator[list[str]]:
    """Databases for `tests.seen`: one that how-tos share, and those of their own."""
    with ExitStack() as stack:
        builds = (world.build, *(None for _ in ALONE))
        yield [stack.enter_context(_plain.fresh(build)) for build in builds]


def test_every_how_to_is_followed() -> None:
    pages = {path.stem for path in (PROJECT / FOLDER).glob("*.md")}
    assert pages == {*IN_WORLD, *ALONE}


def test_how_tos_lead_there(copy: Copy, places: list[str]) -> None:
    pages = [f"{FOLDER}/{name}.md" for name in (*IN_WORLD, *ALONE)]
    files = [file for page in pages for file in copy.follow(page)]
    written = {file for file in files if file.endswith(".py")}
    ruff = Path(sys.executable).with_name("ruff")
    copy.run(ruff, "format", "--check", *written)
    copy.run(ruff, "check", *written)
    typed = dict.fromkeys(one.text for page in pages for one in commands(page))
    # what the pages have in common is run once
    tests = [text.removeprefix(PYTEST) for text in typed if text.startswith(PYTEST)]
    together = dict.fromkeys(name for text in tests for name in text.split())
    for text in typed:
        if not text.startswith(PYTEST):
            copy.run("bash", "-c", text)
    copy.run("bash", "-c", PYTEST + " ".join(together))
    copy.run(sys.executable, "-m", "tests.seen", *places)


def test_step_that_no_longer_fits_is_noticed(copy: Copy) -> None:
    (copy.folder / "verkehrspuls/quantities.py").write_text("", "utf-8")
    with pytest.raises(ValueError, match="not enough values"):
        copy.follow(f"{FOLDER}/add-a-quantity.md")
