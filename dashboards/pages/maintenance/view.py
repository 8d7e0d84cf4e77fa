"""The maintenance log as it is shown, with its form."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fastapi import Request, Response

from dashboards import addresses
from dashboards.forms import Form
from dashboards.pages.maintenance.entries import shown
from dashboards.pages.register.fields import FIELDS, TIME, written
from dashboards.pages.register.view import Control, done_in_words, options_of
from dashboards.render import render
from verkehrspuls.errors import UnknownKey
from verkehrspuls.language import Language
from verkehrspuls.model import Sensor, Site, Town
from verkehrspuls.registry.maintenance import Entry


@dataclass
class Log:
    """The log of a site or sensor, while an entry of it is written."""

    town: Town
    kind: str
    record: Site | Sensor
    entries: Sequence[Entry]
    language: Language
    form: Form = field(default_factory=Form)
    #: of the entry that is corrected; None: a new one
    number: int | None = None

    def correct(self, number: int | None, *, now: datetime) -> None:
        """Begin the form as an entry, or as a new one."""
        zone = self.town.time_zone
        if number is None:
            at = now.replace(second=0, microsecond=0).isoformat()
            due = self.entries[0].due_on if self.entries else None
            coming = due.isoformat() if due and due >= now.date() else ""
            self.form.values = {"done_at": TIME.show(at, zone), "due_on": coming}
            return
        found = next((each for each in self.entries if each.number == number), None)
        if found is None:
            raise UnknownKey(kind="maintenance", key=f"{self.town.key}/{number}")
        self.number = number
        fields: dict[str, Any] = {
            "done_at": found.done_at.isoformat(),
            "kind": found.kind,
            "note": found.note,
            "due_on": found.due_on and found.due_on.isoformat(),
        }
        self.form.values = written("maintenance", fields, zone)


def log_page(request: Request, log: Log, *, done: str = "") -> Response:
    """Show the log with its form."""
    language, town = log.language, log.town
    response = render(
        request,
        language,
        "pages/maintenance/maintenance.html",
        town=town,
        kind=log.kind,
        record=log.record,
        number=log.number,
        here=addresses.maintenance(language.key, town.key, log.kind, log.record.key),
        form=log.form,
        controls=[
            Control(
                each,
                log.form.values.get(each.name, ""),
                options_of(each, town, language),
            )
            for each in FIELDS["maintenance"]
        ],
        entries=[shown(town, entry, language) for entry in log.entries],
        done=done_in_words(done, language),
    )
    response.status_code = log.form.status
    return response
