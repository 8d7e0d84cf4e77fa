"""The states of a case, and who may move it from where to where."""

from collections.abc import Sequence
from typing import Final

from verkehrspuls.cases import Change
from verkehrspuls.errors import UsageError
from verkehrspuls.text import mark

#: The state of a case that no person has decided.
SUSPECTED: Final = "suspected"
#: A case whose cause is no longer in the data (column `withdrawn_at`).
WITHDRAWN: Final = "withdrawn"
#: The states that are kept, in words.
STATES: Final = {
    SUSPECTED: mark("suspected"),
    "confirmed": mark("confirmed"),
    "explained": mark("explained"),
    "rejected": mark("rejected"),
}
#: What can be done to the figures of the hours that a case covers.
EFFECTS: Final = {
    "exclude": mark("once the case is confirmed, figures leave out its hours"),
    "caveat": mark("figures stay as they are and point to the open case"),
    "keep": mark("figures stay as they are"),
}
#: Kinds of entries in the history of a case.
KINDS: Final = {
    "opened": mark("opened"),
    "raised": mark("got worse"),
    "withdrawn": mark("withdrawn"),
    "returned": mark("came back"),
    "decided": mark("decided"),
    "comment": mark("comment"),
    "assigned": mark("assigned"),
    "undone": mark("undone"),
}
#: As what somebody changed a case, for those to whom no name is shown.
ACTED_AS: Final = {
    "detectors": mark("detectors"),
    "planner": mark("planning"),
    "engineer": mark("engineering"),
    "token": mark("a program, by token"),
    "command": mark("operation, by command"),
    "person": mark("a person"),
}
#: Kinds that change neither state nor figures.
ASIDE: Final = frozenset({"comment", "assigned"})
#: What a state does to figures, whatever was the effect before.
EFFECT_OF: Final = {"rejected": "keep", SUSPECTED: "caveat"}
#: States in which the effect `exclude` counts.
EXCLUDING: Final = frozenset({"confirmed", "explained"})

#: What a person may do. Back to `suspected` returns the case to the detectors.
BY_PERSON: Final = {
    SUSPECTED: frozenset({"confirmed", "explained", "rejected"}),
    "confirmed": frozenset({SUSPECTED, "explained", "rejected"}),
    "explained": frozenset({SUSPECTED, "confirmed", "rejected"}),
    "rejected": frozenset({SUSPECTED, "confirmed", "explained"}),
    WITHDRAWN: frozenset[str](),
}


class TransitionNotAllowed(UsageError):
    """A case that is {state} cannot become {wanted}; it can become: {allowed}."""

    code = "transition-not-allowed"
    http_status = 409


def check_transition(state: str, wanted: str) -> None:
    """Refuse what a person may not do; staying in a state is allowed."""
    allowed = BY_PERSON[state]
    if wanted not in allowed | ({state} - {WITHDRAWN}):
        raise TransitionNotAllowed(
            state=state, wanted=wanted, allowed=", ".join(sorted(allowed)) or "nothing"
        )


def allowed_states(state: str, *, is_withdrawn: bool) -> list[str]:
    """Return the states that a person may move a case to, in their order."""
    allowed = BY_PERSON[WITHDRAWN if is_withdrawn else state]
    return [known for known in STATES if known in allowed]


def before_decision(history: Sequence[Change]) -> Change | None:
    """Return how a case stood before its newest decision; None if that is not undone.

    What came after it, but for comments and assigning, keeps it.
    """
    course = [change for change in history if change.kind not in ASIDE]
    if len(course) < 2 or course[-1].kind != "decided":
        return None
    return course[-2]


def excludes(state: str, effect: str) -> bool:
    """Return whether the hours of a case leave the figures."""
    return effect == "exclude" and state in EXCLUDING
