"""What people do with cases by forms: what was typed, doing it, and what went wrong."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, NamedTuple
from urllib.parse import parse_qs, urlencode

from fastapi import Depends, Request

from analytics.cases import casework, states
from analytics.cases.casework import Person
from analytics.cases.states import EFFECT_OF, EFFECTS, SUSPECTED
from api.viewer import visit_of
from dashboards.language import Language
from verkehrspuls.errors import UnknownKey, VerkehrspulsError
from verkehrspuls.storage.database import Connection
from verkehrspuls.text import mark

#: of the longest number of an account or event
_DIGITS: Final = 18
_OTHER_SESSION: Final = mark(
    "You have logged in again since. Please look once more, and send again."
)
#: characters that an address still takes; a longer comment is shown to be copied
_QUERY_LENGTH: Final = 2000

Form = Mapping[str, Sequence[str]]
#: of a choice: value, text, whether it is chosen
Option = tuple[str, str, bool]

#: buttons that move a case into a state
STATE_ACTS: Final = {
    "confirmed": mark("Confirm"),
    "explained": mark("Mark as explained"),
    "rejected": mark("Reject"),
    SUSPECTED: mark("Give back to the detectors"),
}
#: all buttons
ACTS: Final = STATE_ACTS | {
    "effect": mark("Change the effect only"),
    "comment": mark("Comment only"),
    "assign": mark("Assign"),
    "undo": mark("Undo the decision"),
}
#: the effects, in few words
EFFECT_NAMES: Final = {
    "exclude": mark("leave its hours out"),
    "caveat": mark("keep, and point to the case"),
    "keep": mark("keep"),
}
#: what was done with a case
DONE: Final = {
    "confirmed": mark("The case is confirmed."),
    "explained": mark("The case is explained."),
    "rejected": mark("The case is rejected."),
    SUSPECTED: mark("The case is given back to the detectors."),
    "effect": mark("The effect of the case is changed."),
    "comment": mark("The comment is saved."),
    "assign": mark("The case is assigned."),
    "undo": mark("The decision is undone."),
}
_REASONS: Final[Mapping[type[VerkehrspulsError], str]] = {
    casework.CaseChanged: mark("The case has changed since you opened the page."),
    casework.NotYourCase: mark("You may not decide this case."),
    casework.NothingToUndo: mark(
        "The decision cannot be undone any more, because something came after it."
    ),
    casework.NotAssignable: mark("This person may not decide the case."),
    states.TransitionNotAllowed: mark("The case cannot be moved into that state."),
    UnknownKey: mark("There is no such case."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """What somebody typed into a form of cases."""

    act: str = ""
    effect: str = ""
    comment: str = ""
    #: an account, or empty: nobody
    to: str = ""

    @property
    def query(self) -> str:
        """Return it as the query of an address, by which the form is filled again."""
        kept = {"effect": self.effect, "to": self.to, "comment": self.comment}
        query = urlencode({name: value for name, value in kept.items() if value})
        return query if len(query) < _QUERY_LENGTH else ""


class Refused(NamedTuple):
    """Why nothing was done: a sentence, by field; `""` is the form as a whole."""

    status: int
    errors: Mapping[str, str]


async def _read(request: Request) -> Form:
    return parse_qs((await request.body()).decode("utf-8", "replace"))


#: fields of a form that was sent
Sent = Annotated[Form, Depends(_read)]


def typed(form: Form) -> Typed:
    """Read what was typed; browsers send lines that end with CR LF."""
    comment = _first(form, "comment").replace("\r\n", "\n").strip()
    fields = {name: _first(form, name) for name in ("act", "effect", "to")}
    return Typed(comment=comment, **fields)


def version(form: Form) -> int:
    """Return the version of the case that was seen; 0 matches none."""
    seen = _first(form, "seen")
    return int(seen) if _is_number(seen) else 0


def picked(form: Form) -> dict[int, int]:
    """Return the cases that were selected, each with the version that was seen."""
    pairs = (value.partition(".") for value in form.get("case", ()))
    return {
        int(case): int(seen)
        for case, _, seen in pairs
        if _is_number(case) and _is_number(seen)
    }


def refused(
    request: Request, form: Form, given: Typed, language: Language
) -> Refused | None:
    """Say what is wrong with a form before anything is done; None if nothing is."""
    visit = visit_of(request)
    if visit is None or not visit.session.is_complete:
        return Refused(401, {"": language.phrase("Your session has ended.")})
    if not visit.is_own(_first(form, "form_token")):
        return Refused(403, {"": language.phrase(_OTHER_SESSION)})
    errors = dict(_wrong(given, language))
    return Refused(422, errors) if errors else None


def do(
    connection: Connection, case: int, given: Typed, *, seen: int | None = None
) -> int:
    """Do with a case what the button says; return hours that are computed anew."""
    comment = given.comment
    if given.act == "comment":
        return casework.remark(connection, case, comment=comment)
    if given.act == "undo":
        return casework.undo(connection, case, comment=comment, seen=seen)
    if given.act == "assign":
        to = int(given.to) if given.to else None
        return casework.assign(connection, case, to=to, comment=comment, seen=seen)
    state = given.act if given.act in STATE_ACTS else None
    effect = EFFECT_OF.get(given.act) or given.effect or None
    return casework.change(
        connection, case, state=state, effect=effect, comment=comment, seen=seen
    )


def reason(error: VerkehrspulsError, language: Language) -> str:
    """Say why a case stays as it is."""
    text = _REASONS.get(type(error))
    return language.phrase(text) if text else str(error)


def done(act: str, hours: int, language: Language, *, cases: int = 0) -> str:
    """Say what was done, with one case or several; empty if it is nothing known."""
    if act not in ACTS:
        return ""
    says = language.phrase(DONE[act])
    if cases:
        saved = language.plural(
            "saved for %(count)s case.", "saved for %(count)s cases.", cases
        )
        says = f"{language.phrase(ACTS[act])}: {saved}"
    if not hours:
        return says
    computed = language.plural(
        "The figures of %(count)s hour are being computed anew.",
        "The figures of %(count)s hours are being computed anew.",
        hours,
    )
    return f"{says} {computed}"


def effects(
    chosen: str, language: Language, *, of_several: bool = False
) -> list[Option]:
    """Return the options of the effect on figures; of several it may stay."""
    stays = [("", language.phrase("as it is"), not chosen)] if of_several else []
    return stays + [
        (key, language.phrase(text), key == chosen)
        for key, text in EFFECT_NAMES.items()
    ]


def people(known: Iterable[Person], chosen: str, language: Language) -> list[Option]:
    """Return to whom a case can be assigned."""
    keys = [(str(one.account_id), one.name) for one in known]
    return [
        ("", language.phrase("nobody"), not chosen),
        *((key, name, key == chosen) for key, name in keys),
    ]


def _wrong(given: Typed, language: Language) -> Iterator[tuple[str, str]]:
    if given.act not in ACTS:
        yield "", language.phrase("Choose what to do.")
    if given.effect not in EFFECTS and (given.effect or given.act == "effect"):
        yield "effect", language.phrase("Choose an effect.")
    if given.act == "comment" and not given.comment:
        yield "comment", language.phrase("Write a comment first.")
    if len(given.comment) > casework.MAX_COMMENT_LENGTH:
        most = language.number(casework.MAX_COMMENT_LENGTH)
        text = mark("The comment is too long: at most %(most)s characters.")
        yield "comment", language.phrase(text, most=most)
    if "\0" in given.comment:
        yield "comment", language.phrase("The comment has characters without a sign.")
    if given.to and not _is_number(given.to):
        yield "to", language.phrase("Choose somebody from the list.")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _DIGITS


def _first(form: Form, name: str) -> str:
    return form.get(name, [""])[0]
