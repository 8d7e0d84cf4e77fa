"""Unknown sensors as pages show them, and the form by which one is adopted."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from fastapi import Request, Response

from dashboards import addresses
from dashboards.forms import Form, sentence
from dashboards.pages.register.fields import TIME
from dashboards.render import database_of, render
from dashboards.trials import Tried, text_of, tried
from ingest import adopt
from ingest.adopt import Adoption, Found, Guess
from verkehrspuls.errors import UsageError
from verkehrspuls.language import Language
from verkehrspuls.model import Site, Town
from verkehrspuls.registry import edit
from verkehrspuls.registry.device_profiles import IDS, NotApplicable
from verkehrspuls.registry.faults import Faulty
from verkehrspuls.settings import Settings
from verkehrspuls.text import mark

_LATELY: Final = timedelta(hours=1)
_LIKE: Final = mark("like the sensor %(key)s")
_NO_SITE: Final = mark("Choose the site where it is installed.")
_NO_TIME: Final = mark("It is no time; write it as 2026-11-21T20:00:00Z.")
_NEEDED: Final = mark("Here something is missing.")


class Listed(NamedTuple):
    """An unknown sensor in the list."""

    topic: str
    messages: str
    first: str
    last: str
    guess: str
    sample: str
    address: str


class Channels(NamedTuple):
    """An output, and the channels that it can feed."""

    output: str
    name: str
    suggested: str
    options: Sequence[tuple[str, str]]


@dataclass
class Adopting:
    """The form by which an unknown sensor is adopted."""

    found: Found
    language: Language
    form: Form
    settings: Settings
    #: what is wrong, but with no field of the form
    others: list[str] = field(default_factory=list)

    @property
    def town(self) -> Town:
        """Where it is to be registered."""
        return self.found.town

    @property
    def guess(self) -> Guess | None:
        """The chosen guess, else the best."""
        chosen = self.form.values.get("guess", "")
        found = {each.key: each for each in self.found.guesses}
        return found.get(chosen) or next(iter(self.found.guesses), None)

    @property
    def site(self) -> Site | None:
        """The chosen site; the only one is chosen."""
        sites = {site.key: site for site in self.town.sites}
        only = next(iter(sites)) if len(sites) == 1 else ""
        return sites.get(self.form.values.get("site", "") or only)

    @property
    def no_time(self) -> str:
        """What is said beside a time that is none."""
        return self.language.phrase(_NO_TIME)

    def adoption(self, since: datetime | None) -> Adoption | None:
        """Return what is to be registered; None: what is missing is noted."""
        guess, site, values = self.guess, self.site, self.form.values
        needed = ("key", "name", *(guess.missing if guess else ()))
        for name in needed:
            if not values.get(name, "").strip():
                self.form.errors[name] = self.language.phrase(_NEEDED)
        if site is None:
            self.form.errors["site"] = self.language.phrase(_NO_SITE)
        if guess is None or site is None or since is None:
            return None
        outputs = [one.output for one in guess.profile.outputs]
        return Adoption(
            guess=guess,
            site=site.key,
            key=values.get("key", "").strip(),
            name=values.get("name", "").strip(),
            since=since,
            ids={name: values.get(name, "").strip() for name in guess.missing},
            channels={
                output: values.get(f"channel-{number}", "")
                for number, output in enumerate(outputs)
                # those of another site were on the page before
                if values.get("of") == site.key
            },
            language=self.language.key,
        )

    def refuse(self, error: UsageError, now: datetime) -> None:
        """Note why nothing was done."""
        self.form.refuse(error, self.language, now=now)
        if isinstance(error, NotApplicable):
            self.form.general = ""
            text = sentence(error.reason.in_language(self.language.key))
            if error.field in (
                "key",
                "name",
                *(self.guess.missing if self.guess else ()),
            ):
                self.form.errors[error.field] = text
            else:
                self.others = [text]
        if isinstance(error, Faulty):
            self.form.general = ""
            self.others = [
                sentence(fault.in_language(self.language.key)) for fault in error.faults
            ]


def towns_page(
    request: Request, language: Language, towns: Sequence[tuple[str, str]]
) -> Response:
    """Show the towns where the reader registers."""
    return render(request, language, "pages/unknown/towns.html", towns=towns)


def list_page(
    request: Request, language: Language, municipality: str, now: datetime
) -> Response:
    """List what sends without being registered."""
    settings: Settings = request.app.state.settings
    with database_of(request).connection() as connection:
        found = adopt.find(connection, settings.ingest, municipality, now=now)
        town = edit.read(connection, municipality)
    listed = [
        Listed(
            topic=one.sender,
            messages=language.plural(
                "%(count)s message", "%(count)s messages", one.messages
            ),
            first=language.at(one.first_at, town.time_zone, now=now),
            last=language.at(one.last_at, town.time_zone, now=now),
            guess=name_of(guesses[0], language) if guesses else "",
            sample=text_of(kept[0].payload) if kept else "",
            address=addresses.adopt(language.key, municipality, one.sender),
        )
        for _, one, kept, guesses in found
    ]
    lately = language.plural(
        "%(count)s unknown sensor sent in the last hour.",
        "%(count)s unknown sensors sent in the last hour.",
        sum(now - one.unknown.last_at < _LATELY for one in found),
    )
    template = "pages/unknown/list.html"
    return render(request, language, template, town=town, found=listed, lately=lately)


def adopt_page(request: Request, adopting: Adopting) -> Response:
    """Show what an unknown sensor may be, and what its messages would become."""
    town, language, guess = adopting.town, adopting.language, adopting.guess
    site, one = adopting.site, adopting.found.unknown
    since = adopt.since_of(one, guess, adopting.found.kept)
    key = adopt.suggested_key(one, guess)
    is_model = guess is not None and guess.key != adopt.ITSELF
    named = name_of(guess, language) if guess and is_model else ""
    adopting.form.values = {
        "site": site.key if site else "",
        "guess": guess.key if guess else "",
        "key": key,
        "name": f"{named} {key}".strip(),
        "since": TIME.show(since.isoformat(), town.time_zone),
        **adopting.form.values,
    }
    return _answer(request, adopting, since)


def _answer(request: Request, adopting: Adopting, since: datetime) -> Response:
    town, language, guess = adopting.town, adopting.language, adopting.guess
    site = adopting.site
    response = render(
        request,
        language,
        "pages/unknown/adopt.html",
        town=town,
        unknown=adopting.found.unknown,
        form=adopting.form,
        others=adopting.others,
        guesses=[(one.key, _told(one, language)) for one in adopting.found.guesses],
        guess=guess,
        sites=[("", ""), *((each.key, each.name) for each in town.sites)],
        site=site,
        ids=[
            (name, language.phrase(IDS[name][0]) if name in IDS else name)
            for name in (guess.missing if guess else ())
        ],
        channels=_channels(adopting, guess, site, since) if guess and site else [],
        messages=_messages(adopting, guess),
        samples="\n\n".join(text_of(each.payload) for each in adopting.found.kept),
    )
    response.status_code = adopting.form.status
    return response


def _channels(
    adopting: Adopting, guess: Guess, site: Site, since: datetime
) -> list[Channels]:
    free = adopt.channels_of(
        adopting.town, site, Adoption(guess, site.key, "x", "x", since)
    )
    return [
        Channels(
            one.output,
            one.name.in_language(adopting.language.key),
            free[one.output],
            [(c.key, c.name) for c in site.channels if c.quantity == one.quantity],
        )
        for one in guess.profile.outputs
    ]


def _messages(adopting: Adopting, guess: Guess | None) -> list[Tried]:
    if guess is None:
        return []
    language = adopting.language
    town = adopt.town_of(adopting.town, adopting.found.unknown, guess, language.key)
    found = adopt.previews(
        town, adopting.settings.ingest, adopting.found.kept, language=language.key
    )
    return [
        tried(text_of(kept.payload), trial, town, adopting.settings, language)
        for kept, trial in zip(adopting.found.kept, found, strict=True)
    ]


def name_of(guess: Guess, language: Language) -> str:
    """Return what an unknown sensor may be, in words."""
    kind, _, key = guess.key.partition("/")
    if kind == adopt.LIKE:
        return language.phrase(_LIKE, key=key)
    return guess.profile.name.in_language(language.key)


def _told(guess: Guess, language: Language) -> str:
    return f"{name_of(guess, language)} ({guess.payload_format})"
