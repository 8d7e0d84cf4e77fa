"""The audit log, as its template shows it."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from dashboards import addresses
from dashboards.acts import Option
from dashboards.pages.audit.words import (
    NOUNS,
    action_in_words,
    field_in_words,
    value_in_words,
)
from verkehrspuls.access.audit import Entry
from verkehrspuls.language import Language
from verkehrspuls.storage.sites import Municipality
from verkehrspuls.text import mark

#: value of the filter `town` for what is of the whole installation; no key is one
WHOLE: Final = "*"
#: changes that are shown at once; more are folded
_FEW: Final = 6
#: who acted, where it was no person
_ACTORS: Final = {
    "token": mark("token %(name)s"),
    "command": mark("command of %(name)s"),
    "system": mark("system (%(name)s)"),
    "anonymous": mark("nobody logged in"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which entries are listed, as the address says."""

    town: str = ""
    person: str = ""
    action: str = ""
    key: str = ""
    first: str = ""
    until: str = ""

    def query(self, **other: Any) -> str:
        """Return the query of an address, with some parts added."""
        names = {"first": "from"}
        parts = {names.get(name, name): text for name, text in asdict(self).items()}
        return urlencode({name: text for name, text in (parts | other).items() if text})


class Change(NamedTuple):
    """A field before and after a change."""

    name: str
    before: str
    after: str


class Line(NamedTuple):
    """An entry in the list."""

    number: int
    moment: str
    what: str
    key: str
    #: empty: the key names it, or it is of the whole installation
    town: str
    who: str
    where: str
    changes: list[Change]
    #: how many, where they are so many that they are folded
    folded: str


def line_of(
    entry: Entry, names: Mapping[str, str], language: Language, zone: str
) -> Line:
    """Describe an entry; `names` are those of towns, by key."""
    noun = entry.action.partition(".")[0]
    before, after = entry.before or {}, entry.after or {}
    town = entry.municipality
    actor = _ACTORS.get(entry.actor_kind)
    changes = [
        Change(
            field_in_words(noun, name, language),
            value_in_words(name, before.get(name), language, zone),
            value_in_words(name, after.get(name), language, zone),
        )
        for name in {**before, **after}
        if before.get(name) != after.get(name)
    ]
    count = len(changes)
    return Line(
        entry.number,
        language.moment(entry.at, zone),
        action_in_words(entry.action, language),
        entry.key,
        names.get(town, town) if town else "",
        language.phrase(actor, name=entry.actor) if actor else entry.actor,
        " · ".join(filter(None, (entry.origin, entry.via))),
        changes,
        language.plural("%(count)s field", "%(count)s fields", count)
        if count > _FEW
        else "",
    )


def options(
    chosen: Filter,
    towns: Iterable[Municipality],
    language: Language,
    *,
    whole: bool,
) -> dict[str, list[Option]]:
    """Return the choices of the filter; what the address asks for is one of them."""
    of_towns = {"": language.phrase(mark("all"))}
    of_towns |= {town.key: town.name for town in towns}
    if whole:
        of_towns[WHOLE] = language.phrase(mark("whole installation"))
    nouns = {"": language.phrase(mark("all"))}
    nouns |= {noun: language.phrase(words) for noun, words in NOUNS.items()}
    return {
        "town": _choices({chosen.town: chosen.town} | of_towns, chosen.town),
        "action": _choices(
            {chosen.action: action_in_words(chosen.action, language)} | nouns,
            chosen.action,
        ),
    }


def downloads(chosen: Filter, language: Language) -> list[tuple[str, str]]:
    """Return labels and addresses of files with the entries that are chosen."""
    query = chosen.query()
    return [
        (label, f"{addresses.audit(language.key, format)}{'?' * bool(query)}{query}")
        for format, label in (("csv", "CSV"), ("jsonl", "JSON Lines"))
    ]


def _choices(texts: Mapping[str, str], chosen: str) -> list[Option]:
    return [(key, text, key == chosen) for key, text in texts.items()]
