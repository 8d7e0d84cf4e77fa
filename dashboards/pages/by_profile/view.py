"""The form by which a sensor is registered by a device profile."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from fastapi import Request, Response

from dashboards.forms import Form, sentence
from dashboards.pages.register.fields import TIME
from dashboards.pages.register.view import MOST_OPTIONS
from dashboards.render import render
from verkehrspuls.errors import UsageError
from verkehrspuls.language import Language
from verkehrspuls.model import Site, Town
from verkehrspuls.registry import device_profiles
from verkehrspuls.registry.device_profiles import (
    IDS,
    KINDS_OF_DEVICES,
    DeviceProfile,
    NotApplicable,
)
from verkehrspuls.registry.faults import Faulty
from verkehrspuls.registry.own_profiles import Known
from verkehrspuls.registry.registration import Change
from verkehrspuls.text import mark
from verkehrspuls.wording import Phrase

#: value of an output that is not used
UNUSED: Final = "-"
_NO_TIME: Final = mark("It is no time; write it as 2026-11-21T20:00:00Z.")
_NEEDED: Final = mark("Here something is missing.")
_NO_OUTPUT: Final = mark("Use at least one output.")
_OWN: Final = mark("Own device profiles")


class Feeds(NamedTuple):
    """An output, and the channels that it can feed."""

    name: str
    quantity: str
    suggested: str
    options: Sequence[tuple[str, str]]


@dataclass
class Using:
    """The form by which a device is registered by a profile at a site."""

    town: Town
    site: Site
    key: str
    profile: DeviceProfile
    language: Language
    form: Form = field(default_factory=Form)
    #: what is wrong, but with no field of the form
    others: list[str] = field(default_factory=list)

    @property
    def payload_format(self) -> str:
        """The chosen format, else the first."""
        chosen = self.form.values.get("payload_format", "")
        formats = self.profile.formats
        return chosen if chosen in formats else formats[0]

    @property
    def ids(self) -> list[str]:
        """The ids that are needed of the device."""
        return self.profile.ids_of(self.payload_format)

    def note(self, name: str, phrase: Phrase | None = None) -> None:
        """Note what is wrong with a field; without a phrase, that it is no time."""
        text = (phrase or Phrase(_NO_TIME)).in_language(self.language.key)
        self.form.errors[name] = sentence(text)

    def is_complete(self) -> bool:
        """Return whether all is typed; note what is missing."""
        for name in ("key", *self.ids):
            if not self.form.values.get(name, "").strip():
                self.note(name, Phrase(_NEEDED))
        if not self._outputs(datetime.now(UTC)):
            self.note("channel-0", Phrase(_NO_OUTPUT))
        return not self.form.errors

    def wanted(self, since: datetime) -> dict[str, Any]:
        """Return what is to be registered, as `own_profiles.use` takes it."""
        values = {name: text.strip() for name, text in self.form.values.items()}
        return {
            "sensor": values["key"],
            "site": self.site.key,
            "name": values.get("name", ""),
            "since": since,
            "ids": {name: values[name] for name in self.ids},
            "outputs": self._outputs(since),
            "payload_format": self.payload_format,
            "language": self.language.key,
        }

    def _outputs(self, since: datetime) -> dict[str, str]:
        free = device_profiles.free_channels(self.profile, self.town, self.site, since)
        chosen = {
            one.output: self.form.values.get(f"channel-{number}", "")
            for number, one in enumerate(self.profile.outputs)
        }
        return {
            output: key or free[output]
            for output, key in chosen.items()
            if key != UNUSED
        }

    def refuse(self, error: UsageError, *, now: datetime) -> None:
        """Note why nothing was done, beside the field that it is about."""
        outputs = [one.output for one in self.profile.outputs]
        if isinstance(error, NotApplicable):
            name = error.field
            if name in outputs:
                name = f"channel-{outputs.index(name)}"
            elif name == "topic":
                name = next(iter(self.ids), "key")
            known = (*self.ids, "key", "name", "payload_format")
            if name in known or name.startswith("channel-"):
                self.note(name, error.reason)
            else:
                text = error.reason.in_language(self.language.key)
                self.others.append(sentence(text))
        elif isinstance(error, Faulty):
            for fault in error.faults:
                if fault.entry.kind == "sensor" and fault.field in ("key", "name"):
                    self.note(fault.field, fault.phrase)
                else:
                    text = fault.in_language(self.language.key)
                    self.others.append(sentence(text))
        else:
            self.form.refuse(error, self.language, now=now)
        self.form.status = 422


def choose_page(
    request: Request,
    language: Language,
    town: Town,
    known: Iterable[Known],
    profile: str,
    site: str,
) -> Response:
    """Show the profiles and sites that can be chosen."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for one in known:
        if one.profile is not None:
            title = _OWN if one.own else KINDS_OF_DEVICES[one.profile.kind]
            name = one.profile.name.in_language(language.key)
            groups.setdefault(language.phrase(title), []).append((one.key, name))
    own = language.phrase(_OWN)
    return render(
        request,
        language,
        "pages/by_profile/choose.html",
        town=town,
        groups=sorted(groups.items(), key=lambda each: (each[0] != own, each[0])),
        profile=profile,
        site=site,
        sites=[(each.key, each.name) for each in town.sites[: MOST_OPTIONS + 1]],
        most=MOST_OPTIONS,
    )


def use_page(
    request: Request, using: Using, *, now: datetime, changes: Sequence[Change] = ()
) -> Response:
    """Show the form for one device, and what would be registered."""
    town, language, profile = using.town, using.language, using.profile
    minute = now.replace(second=0, microsecond=0)
    using.form.values = {
        "since": TIME.show(minute.isoformat(), town.time_zone),
        "key": _suggested(using),
        "payload_format": using.payload_format,
        **using.form.values,
    }
    response = render(
        request,
        language,
        "pages/by_profile/use.html",
        town=town,
        site=using.site,
        key=using.key,
        profile=profile,
        name=profile.name.in_language(language.key),
        measures=profile.measures.in_language(language.key),
        configure=profile.configure.in_language(language.key),
        form=using.form,
        others=using.others,
        formats=[(name, name) for name in profile.formats],
        ids=[(name, _name_of_id(using, name)) for name in using.ids],
        outputs=list(_feeds(using, now)),
        changes=[
            (change.entry.in_language(language.key), change.before is None)
            for change in changes
        ],
    )
    response.status_code = using.form.status
    return response


def done_page(
    request: Request,
    language: Language,
    town: Town,
    profile: DeviceProfile,
    sensor: str,
) -> Response:
    """Show that a sensor is registered, and how its device is set up."""
    return render(
        request,
        language,
        "pages/by_profile/done.html",
        town=town,
        sensor=next(one for one in town.sensors if one.key == sensor),
        configure=profile.configure.in_language(language.key),
    )


def _suggested(using: Using) -> str:
    """Suggest a key that is free."""
    taken = {sensor.key for sensor in using.town.sensors}
    numbered = (f"{using.profile.kind}-{number}" for number in range(1, 10_000))
    return next((key for key in numbered if key not in taken), "")


def _name_of_id(using: Using, name: str) -> str:
    if name in using.profile.ids:
        return using.profile.ids[name].in_language(using.language.key)
    return using.language.phrase(IDS[name][0]) if name in IDS else name


def _feeds(using: Using, now: datetime) -> Iterable[Feeds]:
    free = device_profiles.free_channels(using.profile, using.town, using.site, now)
    for one in using.profile.outputs:
        yield Feeds(
            one.name.in_language(using.language.key),
            using.language.quantity(one.quantity),
            free[one.output],
            [
                (channel.key, channel.name)
                for channel in using.site.channels
                if channel.quantity == one.quantity
            ],
        )
