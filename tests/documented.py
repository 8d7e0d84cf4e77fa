"""The commands and the examples of the documentation."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.parts import PROJECT

PAGES = sorted([*PROJECT.glob("*.md"), *(PROJECT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
CONTINUED = re.compile(r"\\\n\s*")
COMMENT = re.compile(r"\s{2,}#.*$")


@dataclass(frozen=True, slots=True)
class Documented:
    """One command of a page. `text` is what a shell reads, on one line."""

    page: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {self.text}"


@dataclass(frozen=True, slots=True)
class Block:
    """One block of code of a page."""

    page: str
    line: int
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line} ({self.kind})"


def commands(*pages: str) -> list[Documented]:
    """Return the commands of all pages, or of those named as `docs/how-to/….md`."""
    found = blocks("console", *pages)
    return [command for block in found for command in _commands_of(block)]


def blocks(kind: str, *pages: str) -> list[Block]:
    """Return the blocks of a kind, such as `toml`, or of each where it is empty."""
    return [
        block
        for path in PAGES
        if not pages or str(path.relative_to(PROJECT)) in pages
        for block in _blocks_of(path)
        if kind in ("", block.kind)
    ]


def _blocks_of(path: Path) -> Iterator[Block]:
    text = path.read_text("utf-8")
    for found in BLOCK.finditer(text):
        line = text.count("\n", 0, found.start(2)) + 1
        yield Block(str(path.relative_to(PROJECT)), line, found[1], found[2])


def _commands_of(block: Block) -> Iterator[Documented]:
    lines = block.text.splitlines()
    # in a block that shows output as well, a prompt marks what is typed
    prompted = any(line.startswith("$ ") for line in lines)
    at = 0
    while at < len(lines):
        began, whole = at, lines[at]
        at += 1
        while at < len(lines) and (whole.endswith("\\") or _open(whole)):
            whole += "\n" + lines[at]
            at += 1
        if not whole.strip() or (prompted and not whole.startswith("$ ")):
            continue
        yield Documented(
            page=block.page,
            line=block.line + began,
            text=COMMENT.sub("", CONTINUED.sub(" ", whole.removeprefix("$ "))),
        )


def _open(text: str) -> bool:
    """Tell whether a quoted word goes on in the next line."""
    return text.count("'") % 2 == 1
