"""Refusals of options and arguments in our words, where the library has its own."""

import re
from collections.abc import Callable
from typing import Final

_SAID: Final[tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...]] = (
    (
        re.compile(r"Input should be greater than or equal to (\S+)"),
        lambda found: f"it must be {found[1]} at least.",
    ),
    (
        re.compile(r"Input should be less than or equal to (\S+)"),
        lambda found: f"it must be {found[1]} at most.",
    ),
    (
        re.compile(r"Input should be a valid integer.*", re.DOTALL),
        lambda _: "it is not a whole number.",
    ),
    (
        re.compile(r"Input should be a valid number.*", re.DOTALL),
        lambda _: "it is not a number.",
    ),
    (
        re.compile(r"Value error, '(.*)' is not one of (.*)\.", re.DOTALL),
        lambda found: _no_choice(found[1], re.findall("'.*?'", found[2])),
    ),
    (
        re.compile(r"path '(.*)' does not exist\.", re.DOTALL),
        lambda found: f"there is no file or folder {found[1]}.",
    ),
    (
        re.compile(r"file '(.*)' does not exist\.", re.DOTALL),
        lambda found: f"there is no file {found[1]}.",
    ),
    (
        re.compile(r"'(.*)': No such file or directory", re.DOTALL),
        lambda found: f"there is no file {found[1]}.",
    ),
    (
        re.compile(r"file '(.*)' is a directory\.", re.DOTALL),
        lambda found: f"{found[1]} is a folder; give a file.",
    ),
)


def in_our_words(message: str) -> str:
    """Return what the library says of a value, as we say it; else as it is."""
    for pattern, describe in _SAID:
        if found := pattern.fullmatch(message):
            return describe(found)
    return message


def _no_choice(word: str, known: list[str]) -> str:
    from verkehrspuls.wording import choice

    return f"there is no {word}; {choice(word, known)}."
