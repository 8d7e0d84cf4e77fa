"""`/cases`: what seems unusual or broken, and decisions of persons."""

from dataclasses import asdict
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query

from analytics.cases import casework
from analytics.cases.sentences import sentence
from analytics.reports.cases import report_cases
from api import PREFIX, authorised
from api.parameters import AnyQuantity, From, OfMunicipality, OfSite, Store, To
from api.problems import READ_RESPONSES, responses
from api.schemas import cases as schemas
from verkehrspuls.cases import Case
from verkehrspuls.errors import BadParameter
from verkehrspuls.storage.case_lists import CURRENT, HISTORY, UNDECIDED
from verkehrspuls.storage.database import Connection
from verkehrspuls.text import LANGUAGES

router = APIRouter(prefix=PREFIX, tags=["figures"], route_class=authorised.Route)
ORDER: Final = 80

Number = Annotated[
    int, Path(description="number of the case", ge=1, le=2**63 - 1, examples=[1])
]
#: what routes that change a case have in common
_CHANGING: Final[dict[str, Any]] = {
    "response_model": schemas.CaseInFull,
    "responses": responses(401, 403, 404, 409, 422, 429, 503),
    "openapi_extra": authorised.needs("cases"),
}


@router.get(
    "/cases",
    summary="List anomaly cases",
    response_model=schemas.Cases,
    responses=READ_RESPONSES,
)
def list_cases(
    store: Store,
    municipality: OfMunicipality = None,
    site: OfSite = None,
    open: Annotated[
        bool, Query(description="only cases that are still open and no history")
    ] = True,
    current: Annotated[
        bool, Query(description="of the open ones only those of the last week")
    ] = False,
    history: Annotated[
        bool,
        Query(
            description="in their place open ones that had ended for more than a week "
            "when they were found"
        ),
    ] = False,
    quantity: AnyQuantity = None,
    from_: From = None,
    to: To = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    skip: Annotated[
        int, Query(ge=0, le=1_000_000, description="so many newer ones come first")
    ] = 0,
) -> dict[str, object]:
    """List cases, newest first: what seems unusual or broken, with the evidence.

    With a site, a case contains its findings there. With `from` and `to` only cases
    that touch the period are listed; a date means midnight in the municipality that is
    named, else UTC.
    """
    if history and (current or not open):
        raise BadParameter(
            parameter="history",
            detail="`history` goes with neither `current=true` nor `open=false`",
        )
    standing = None if not open else CURRENT if current else UNDECIDED
    with store.connection() as connection:
        report = report_cases(
            connection,
            municipality=municipality,
            site=site,
            quantity=quantity,
            start=from_,
            end=to,
            standing=HISTORY if history else standing,
            limit=limit,
            skip=skip,
        )
    return {
        "counts": report.counts,
        "total": report.total,
        "cases": [in_words(case) for case in report.cases],
    }


@router.get(
    "/cases/{number}",
    summary="Show an anomaly case",
    response_model=schemas.CaseInFull,
    responses=READ_RESPONSES,
)
def get_case(store: Store, number: Number) -> dict[str, object]:
    """Show a case with its evidence, channel by channel, and its history."""
    with store.connection() as connection:
        return in_words(casework.show(connection, number))


@router.patch(
    "/cases/{number}",
    summary="Decide an anomaly case",
    **_CHANGING,
)
def decide_case(
    store: Store, number: Number, decision: schemas.Decision
) -> dict[str, object]:
    """Change the state of a case, or its effect on figures.

    Requires a token with the permission `cases` in the municipality. Hours that are
    thereby excluded from figures, or included again, are recomputed at once.
    """
    with store.writing() as connection:
        casework.change(connection, number, **decision.model_dump())
        return _in_full(connection, number)


@router.post(
    "/cases/decisions",
    summary="Decide several anomaly cases",
    **_CHANGING | {"response_model": schemas.Outcomes},
)
def decide_cases(store: Store, decisions: schemas.Decisions) -> dict[str, object]:
    """Decide several cases alike; each is decided, or stays as it is, with the reason.

    Requires a token for the cases of the municipality.
    """
    seen = {one.case: one.seen for one in decisions.cases}
    decision = decisions.model_dump(exclude={"cases"})
    with store.writing() as connection:
        outcomes = casework.each(
            connection,
            seen,
            lambda case: casework.change(connection, case, seen=seen[case], **decision),
        )
    cases = [_outcome(outcome) for outcome in outcomes]
    decided = sum(1 for outcome in outcomes if outcome.error is None)
    return {"decided": decided, "refused": len(cases) - decided, "cases": cases}


@router.post(
    "/cases/{number}/undo",
    summary="Undo the newest decision of an anomaly case",
    **_CHANGING,
)
def undo_decision(
    store: Store, number: Number, undoing: schemas.Undoing
) -> dict[str, object]:
    """Restore state and effect as they were before the newest decision.

    Nothing may have come after it, but for comments and assignments.
    """
    with store.writing() as connection:
        casework.undo(connection, number, **undoing.model_dump())
        return _in_full(connection, number)


@router.put(
    "/cases/{number}/assignee",
    summary="Assign an anomaly case",
    **_CHANGING,
)
def assign_case(
    store: Store, number: Number, assignment: schemas.Assignment
) -> dict[str, object]:
    """Assign a case to somebody who may decide it, or to nobody."""
    given = assignment.model_dump(exclude={"to"})
    with store.writing() as connection:
        town = casework.show(connection, number).municipality
        email = assignment.to
        to = None if email is None else casework.person(connection, town, email)
        casework.assign(connection, number, to=to, **given)
        return _in_full(connection, number)


@router.post(
    "/cases/{number}/comments",
    summary="Comment on an anomaly case",
    status_code=201,
    **_CHANGING,
)
def comment_case(
    store: Store, number: Number, remark: schemas.Comment
) -> dict[str, object]:
    """Add a comment; it changes neither state nor figures."""
    with store.writing() as connection:
        casework.remark(connection, number, comment=remark.comment)
        return _in_full(connection, number)


def in_words(case: Case) -> dict[str, Any]:
    """Add a sentence in each language to a case."""
    return asdict(case) | {
        f"sentence_{language}": sentence(case, language) for language in LANGUAGES
    }


def _in_full(connection: Connection, number: int) -> dict[str, Any]:
    return in_words(casework.show(connection, number))


def _outcome(outcome: casework.Outcome) -> dict[str, Any]:
    error = outcome.error
    return {
        "case": outcome.case,
        "decided": error is None,
        "hours": outcome.hours,
        "code": error and error.code,
        "detail": error and str(error),
    }
