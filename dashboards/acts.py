"""What people do with cases by forms: what was typed, doing it, and what went wrong."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from analytics.cases import casework, states
from analytics.cases.casework import Person
from analytics.cases.states import EFFECT_OF, EFFECTS, SUSPECTED
from dashboards.forms import Form, Values
from verkehrspuls.errors import UnknownKey, VerkehrspulsError
from verkehrspuls.language import Language
from verkehrspuls.storage.database import Connection
from verkehrspuls.text import mark

#: of the longest number of an account or event
_DIGITS: Final = 18
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


class Act(NamedTuple):
    """What somebody wants to do with cases."""

    name: str
    effect: str
    comment: str
    #: an account, or empty: nobody
    to: str


def read(values: Values) -> Act:
    """Read what is to be done; browsers send lines that end with CR LF."""
    comment = values.get("comment", "").replace("\r\n", "\n").strip()
    name, effect, to = (values.get(field, "") for field in ("act", "effect", "to"))
    return Act(name, effect, comment, to)


def form_of(act: Act, language: Language) -> Form:
    """Return the form as it was filled in, with what is wrong before anything is done.

    Nothing was done as long as its status is not 200.
    """
    errors = dict(_wrong(act, language))
    general = errors.pop("", "")
    status = 422 if errors or general else 200
    return Form(act._asdict(), errors, general, status)


def version(values: Values) -> int:
    """Return the version of the case that was seen; 0 matches none."""
    seen = values.get("seen", "")
    return int(seen) if _is_number(seen) else 0


def picked(values: Values) -> dict[int, int]:
    """Return the cases that were selected, each with the version that was seen."""
    pairs = (value.partition(".") for value in values.getlist("case"))
    return {
        int(case): int(seen)
        for case, _, seen in pairs
        if _is_number(case) and _is_number(seen)
    }


def do(connection: Connection, case: int, act: Act, *, seen: int | None = None) -> int:
    """Do with a case what the button says; return hours that are computed anew."""
    comment = act.comment
    if act.name == "comment":
        return casework.remark(connection, case, comment=comment)
    if act.name == "undo":
        return casework.undo(connection, case, comment=comment, seen=seen)
    if act.name == "assign":
        to = int(act.to) if act.to else None
        return casework.assign(connection, case, to=to, comment=comment, seen=seen)
    state = act.name if act.name in STATE_ACTS else None
    effect = EFFECT_OF.get(act.name) or act.effect or None
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


def _wrong(act: Act, language: Language) -> Iterator[tuple[str, str]]:
    if act.name not in ACTS:
        yield "", language.phrase("Choose what to do.")
    if act.effect not in EFFECTS and (act.effect or act.name == "effect"):
        yield "effect", language.phrase("Choose an effect.")
    if act.name == "comment" and not act.comment:
        yield "comment", language.phrase("Write a comment first.")
    if len(act.comment) > casework.MAX_COMMENT_LENGTH:
        most = language.number(casework.MAX_COMMENT_LENGTH)
        text = mark("The comment is too long: at most %(most)s characters.")
        yield "comment", language.phrase(text, most=most)
    if act.to and not _is_number(act.to):
        yield "to", language.phrase("Choose somebody from the list.")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _DIGITS
