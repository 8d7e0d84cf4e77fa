"""Registration files in YAML: the core of version 1.2, without anchors and tags."""

import re
from typing import Any, Final

import msgspec
import yaml

from verkehrspuls.model import Town
from verkehrspuls.registry.files import syntax
from verkehrspuls.registry.files.record import (
    MAX_DEPTH,
    Content,
    Format,
    Path,
    Place,
    decoded,
    unreadable,
)
from verkehrspuls.registry.files.slim import slim
from verkehrspuls.text import mark

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER: Final = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_WORDS: Final = {"null": None, "~": None, "": None, "true": True, "false": False}
_INT: Final = re.compile(r"[-+]?[0-9]{1,300}")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NO_FLOAT: Final = re.compile(r"[-+]?\.(inf|nan)", re.IGNORECASE)
_ALIAS: Final = mark("anchors (&) and aliases (*) are not taken; write the value again")
_TAG: Final = mark("tags (!) are not taken; write the value without")
_DEEP: Final = mark("it is nested too deeply")
_TWICE: Final = mark("{} is there twice; each key is there once")
_NO_KEY: Final = mark("a key is text; write it as name: value")
_SYNTAX: Final = mark("it is no YAML from here on: {}")
_NO_MAP: Final = mark("it is no registration; its top is name: value")


def read(data: bytes) -> Content:
    """Read a document, with the place of each value."""
    text = decoded(data)
    try:
        return _Reader(text).content()
    except yaml.YAMLError as error:
        at = getattr(error, "problem_mark", None)
        place = Place(at.line + 1, at.column + 1) if at else None
        said = getattr(error, "problem", None) or str(error)
        raise unreadable(_SYNTAX, syntax.reason(said), place=place) from error


class _Reader:
    """Makes a document of events, which need no recursion of the parser."""

    def __init__(self, text: str) -> None:
        self.events = yaml.parse(text, Loader=_LOADER)
        self.places: dict[Path, Place] = {}

    def content(self) -> Content:
        document: Any = None
        for event in self.events:
            if isinstance(event, yaml.NodeEvent):
                document = self.value(event, ())
                break
        if not isinstance(document, dict):
            raise unreadable(_NO_MAP)
        for event in self.events:
            if isinstance(event, yaml.NodeEvent):
                raise unreadable(_SYNTAX, "---", place=_place(event))
        return Content(document, self.places)

    def value(self, event: Any, path: Path) -> Any:
        place = _place(event)
        self.places.setdefault(path, place)
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise unreadable(_ALIAS, place=place)
        if event.tag is not None and event.tag != "!":
            raise unreadable(_TAG, place=place)
        if len(path) > MAX_DEPTH:
            raise unreadable(_DEEP, place=place)
        if isinstance(event, yaml.SequenceStartEvent):
            return self.array(path)
        if isinstance(event, yaml.MappingStartEvent):
            return self.table(path)
        return _scalar(event.value) if event.implicit[0] else event.value

    def array(self, path: Path) -> list[Any]:
        found: list[Any] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            found.append(self.value(event, (*path, len(found))))
        return found

    def table(self, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise unreadable(_NO_KEY, place=_place(event))
            if event.anchor is not None:
                raise unreadable(_ALIAS, place=_place(event))
            name = event.value
            if name in found:
                raise unreadable(_TWICE, name, place=_place(event))
            self.places[*path, name] = _place(event)
            found[name] = self.value(next(self.events), (*path, name))
        return found


def _place(event: Any) -> Place:
    return Place(event.start_mark.line + 1, event.start_mark.column + 1)


def _scalar(text: str) -> Any:
    """Return the value of a text without quotes."""
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) or _NO_FLOAT.fullmatch(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text


class _Dumper(_DUMPER):  # type: ignore[valid-type,misc]
    """Writes without anchors, and quotes text that would be read as something else."""

    def ignore_aliases(self, _: Any) -> bool:
        return True

    def text(self, value: str) -> Any:
        plain = _scalar(value) is value
        return self.represent_scalar(
            "tag:yaml.org,2002:str", value, style=None if plain else "'"
        )


_Dumper.add_representer(str, _Dumper.text)


def write(town: Town) -> bytes:
    """Write a registration; what has its default is left out."""
    return bytes(
        yaml.dump(
            msgspec.to_builtins(slim(town)),
            Dumper=_Dumper,
            allow_unicode=True,
            sort_keys=False,
            encoding="utf-8",
        )
    )


FORMAT: Final = Format(
    title="YAML",
    suffix=".yaml",
    media_types=("application/yaml", "text/yaml", "application/x-yaml"),
    read=read,
    write=write,
)
