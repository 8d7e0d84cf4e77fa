"""The words of the audit log: what was changed, how, and its fields and values."""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from analytics.cases.states import EFFECTS, STATES
from dashboards.pages.tokens.view import PERMISSIONS
from verkehrspuls.access.permissions import ROLE_NAMES
from verkehrspuls.language import UNKNOWN_FIGURE, Language
from verkehrspuls.quantities import QUANTITIES
from verkehrspuls.registry.maintenance import WORKS
from verkehrspuls.text import mark

#: kinds of what is changed, by the noun of an action
NOUNS: Final = {
    "municipality": mark("Municipality"),
    "site": mark("Site"),
    "channel": mark("Channel"),
    "sensor": mark("Sensor"),
    "installation": mark("Installation"),
    "corridor": mark("Corridor"),
    "corridor_station": mark("Station of a corridor"),
    "junction": mark("Junction"),
    "junction_arm": mark("Arm of a junction"),
    "device_profile": mark("Device profile"),
    "event": mark("Event"),
    "maintenance": mark("Maintenance"),
    "photograph": mark("Photograph"),
    "school_holiday": mark("School holidays"),
    "case": mark("Case"),
    "account": mark("Account"),
    "role": mark("Role"),
    "link": mark("One-time link"),
    "session": mark("Login"),
    "passkey": mark("Passkey"),
    "identity": mark("Account of single sign-on"),
    "oidc_provider": mark("Provider of single sign-on"),
    "token": mark("Token"),
    "credential": mark("Credential at the broker"),
    "count": mark("Manual count"),
    "reading": mark("Readings"),
    "reject": mark("Rejected messages"),
    "figure": mark("Figures"),
    "slot": mark("Slot of ingest"),
    "audit": mark("Audit log"),
}
#: what was done to it, by the verb
VERBS: Final = {
    "add": mark("added"),
    "change": mark("changed"),
    "remove": mark("removed"),
    "decide": mark("decided"),
    "undo": mark("decision undone"),
    "assign": mark("assigned"),
    "comment": mark("commented"),
    "revoke": mark("revoked"),
    "begin": mark("begun"),
    "refuse": mark("refused"),
    "import": mark("imported"),
    "drop": mark("deleted because of their age"),
    "replay": mark("processed again"),
    "recompute": mark("computed again"),
    "drain": mark("drained"),
    "forget": mark("deleted because of their age"),
}
#: Names of fields; with a noun before it, only those of that kind.
FIELDS: Final = {
    "accepted": mark("Accepted"),
    "account": mark("Account"),
    "address": mark("Network address"),
    "assigned_to": mark("Assigned to"),
    "before": mark("Older than"),
    "bearing_deg": mark("Direction of travel in degrees"),
    "began": mark("Began"),
    "by_provider": mark("Given by the provider"),
    "chainage_m": mark("Chainage in metres"),
    "calibrations": mark("Calibrations"),
    "channel": mark("Channel"),
    "channels": mark("Channels"),
    "class_scheme": mark("Class scheme"),
    "comment": mark("Comment"),
    "contact": mark("Contact"),
    "counted_by": mark("Counted by"),
    "created_at": mark("Since"),
    "decided_at": mark("Decided"),
    "detector": mark("Detector"),
    "detectors": mark("Detectors"),
    "direction": mark("Direction"),
    "direction_name": mark("Name of the direction"),
    "disabled_at": mark("Disabled"),
    "document": mark("Document"),
    "done_at": mark("Done"),
    "due_on": mark("Next maintenance"),
    "effect": mark("Effect on figures"),
    "email": mark("E-mail"),
    "ended": mark("Ended"),
    "expires_at": mark("Valid until"),
    "first": mark("First day"),
    "firmware": mark("Firmware"),
    "forgets_second_factor": mark("Forgets the second factor"),
    "given_at": mark("Given"),
    "has_password": mark("Has a password"),
    "has_second_factor": mark("Second factor"),
    "hash": mark("Hash"),
    "height": mark("Height in pixels"),
    "hours": mark("Hours"),
    "idle": mark("Ends when not used for"),
    "imprint": mark("Imprint"),
    "interval_s": mark("Interval in seconds"),
    "is_complete": mark("Second factor shown, or not needed"),
    "issuer": mark("Provider"),
    "key": mark("Key"),
    "kind": mark("Kind"),
    "lane": mark("Lane"),
    "lanes": mark("Lanes"),
    "last": mark("Last day"),
    "latitude": mark("Latitude"),
    "leads": mark("Leads"),
    "licence": mark("Licence"),
    "linked_at": mark("Linked"),
    "longitude": mark("Longitude"),
    "mapping": mark("Mapping"),
    "model": mark("Model"),
    "name": mark("Name"),
    "note": mark("Note"),
    "notice": mark("Notice"),
    "number": mark("Number"),
    "observed": mark("Observed"),
    "opened_at": mark("Opened"),
    "output": mark("Output"),
    "owner": mark("Owner"),
    "passkeys": mark("Passkeys"),
    "password_hash": mark("Password"),
    "payload_format": mark("Format of messages"),
    "period": mark("Period"),
    "permissions": mark("Permissions"),
    "place": mark("Place"),
    "power": mark("Power supply"),
    "prefix": mark("Begins with"),
    "privacy": mark("Privacy"),
    "profile": mark("Profile"),
    "public_key": mark("Public key"),
    "purpose": mark("Purpose"),
    "quantity": mark("Quantity"),
    "reason": mark("Reason"),
    "remark": mark("Remark"),
    "removed_at": mark("Removed"),
    "revoked_at": mark("Revoked"),
    "road": mark("Road"),
    "role": mark("Role"),
    "score": mark("Score"),
    "sensor": mark("Sensor"),
    "serial": mark("Serial number"),
    "severity": mark("Severity"),
    "simulated": mark("Simulated"),
    "since": mark("Since"),
    "site": mark("Site"),
    "sites": mark("Sites"),
    "source": mark("Source"),
    "speed_limit_kmh": mark("Speed limit in km/h"),
    "state": mark("State"),
    "municipality.state": mark("Federal state"),
    "school_holiday.state": mark("Federal state"),
    "station": mark("Number of the station"),
    "status": mark("Status"),
    "subject": mark("Who it is at the provider"),
    "thresholds": mark("Thresholds"),
    "time_zone": mark("Time zone"),
    "topic": mark("Topic"),
    "topics": mark("Topics"),
    "totp_secret": mark("Secret of codes"),
    "until": mark("Until"),
    "used_at": mark("Used"),
    "user_agent": mark("Browser"),
    "user_name": mark("User name at the broker"),
    "usual": mark("Usual"),
    "visibility": mark("Visible to"),
    "who": mark("Who"),
    "width": mark("Width in pixels"),
    "withdrawn_at": mark("Withdrawn"),
}
#: words of values, by their field
VALUES: Final[Mapping[str, Mapping[str, str]]] = {
    "effect": EFFECTS,
    "kind": WORKS,
    "permissions": PERMISSIONS,
    "purpose": {
        "invitation": mark("invitation"),
        "reset": mark("new password"),
        "login": mark("logging in"),
    },
    "quantity": {key: one.name for key, one in QUANTITIES.items()},
    "role": dict(ROLE_NAMES.items()),
    "state": STATES,
    "status": {
        "planned": mark("planned"),
        "active": mark("in operation"),
        "out-of-service": mark("out of service"),
        "dismantled": mark("dismantled"),
    },
    "visibility": {
        "public": mark("everybody"),
        "cluster": mark("the towns of the installation"),
        "private": mark("the own municipality"),
    },
}
_UNBOUNDED: Final = mark("without a limit")
#: what the log has instead of a secret
#: characters of a value that are shown
LONGEST: Final = 4000
_SECRET: Final = "…"  # noqa: S105 - it stands for one
_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.*")
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
#: as PostgreSQL writes a range of times
_PERIOD: Final = re.compile(r'\["?([^",]*)"?,"?([^",]*)"?\)')


def action_in_words(action: str, language: Language) -> str:
    """Return what was done to what: Messstelle geändert."""
    noun, _, verb = action.partition(".")
    words = language.phrase(NOUNS.get(noun, noun))
    return f"{words} {language.phrase(VERBS.get(verb, verb))}" if verb else words


def field_in_words(noun: str, field: str, language: Language) -> str:
    """Return the name of a field; that of its column if it has no words."""
    return language.phrase(FIELDS.get(f"{noun}.{field}") or FIELDS.get(field, field))


def value_in_words(field: str, value: Any, language: Language, zone: str) -> str:
    """Return the value of a field, as people of a language write it."""
    if value is None:
        return UNKNOWN_FIGURE
    if isinstance(value, bool):
        return language.phrase(mark("yes") if value else mark("no"))
    if isinstance(value, list):
        return ", ".join(value_in_words(field, one, language, zone) for one in value)
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if not value.strip():
        return language.phrase(mark("empty"))
    if len(value) > LONGEST:  # such as a device profile; files have all of it
        return f"{value[:LONGEST]}…"
    if value == _SECRET:
        return language.phrase(mark("not shown"))
    if value in ("-infinity", "infinity"):
        return language.phrase(_UNBOUNDED)
    if field == "period" and (found := _PERIOD.fullmatch(value)):
        since, until = (
            datetime.fromisoformat(time) if time[:1].isdigit() else None
            for time in found.groups()
        )
        return language.installed(since, until, zone) or language.phrase(_UNBOUNDED)
    if _DAY.fullmatch(value) or _MOMENT.fullmatch(value):
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            return value
        if at.tzinfo:
            return language.moment(at, zone)
        return language.day(at.date()) if _DAY.fullmatch(value) else value
    return language.phrase(VALUES.get(field, {}).get(value, value))
