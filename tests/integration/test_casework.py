"""What people do with cases over the web: who may, who is named, what is undone."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest
from starlette.testclient import TestClient

from analytics.cases import casework
from api.app import create_app
from tests import parts, people, world
from tests.cases import Finding, open_case
from tests.integration.test_people import sql
from tests.parts import as_web
from tests.people import ANNE, BERND, OTHER, TOWN, People
from verkehrspuls.access import accounts, audit, tokens
from verkehrspuls.errors import UnknownKey
from verkehrspuls.settings import load
from verkehrspuls.storage.database import connect

CLARA = "clara@example.org"
DORA = "dora@example.org"


@pytest.fixture(scope="module")
def town(url: str) -> Iterator[People]:
    """A planner and an engineer of the town, a viewer, and a planner elsewhere."""
    with people.of(url) as found:
        put(found)
        yield found


@pytest.fixture(
    params=("plain", "oldest", pytest.param("timescale", marks=pytest.mark.timescale))
)
def editions(request: pytest.FixtureRequest) -> Iterator[People]:
    """The same in each storage edition."""
    databases: parts.Databases = request.getfixturevalue(f"_{request.param}")
    with databases.fresh(world.build) as url, people.of(url) as found:
        put(found)
        yield found


def put(found: People) -> None:
    found.put(ANNE, ("planner", TOWN))
    found.put(BERND, ("engineer", TOWN), name="Bernd Beispiel")
    found.put(CLARA, ("viewer", TOWN), name="Clara Klar")
    found.put(DORA, ("planner", OTHER), name="Dora Dorn")


_began = (world.MONDAY + n * world.HOUR for n in count(0, 2))


def opened(found: People) -> int:
    """Open a case of two hours, which no other case has."""
    began = next(_began)
    finding = Finding(
        "pariser-strasse", "west-1", "stuck", began, began + 2 * world.HOUR
    )
    with connect(found.url) as connection:
        return open_case(connection, finding)


def history(
    found: People, case: int, credential: str = ""
) -> list[tuple[str, str, str, str | None]]:
    with found.reading(credential) as connection:
        rows = casework.show(connection, case).history
    return [(row.kind, row.who, row.acted_as, row.assignee) for row in rows]


def stands(found: People, case: int) -> tuple[str, str]:
    with found.reading() as connection:
        shown = casework.show(connection, case)
    return shown.state, shown.effect


@contextmanager
def stays(found: People, case: int) -> Iterator[None]:
    """Check that nothing of a case changes."""
    before = history(found, case), stands(found, case)
    yield
    assert (history(found, case), stands(found, case)) == before


def test_a_decision_is_signed_undone_and_named_to_the_town(editions: People) -> None:
    case = opened(editions)
    anne = editions.log_in()
    with editions.web(anne)() as connection:
        seen = casework.show(connection, case).version
        hours = casework.change(
            connection,
            case,
            who="somebody else",
            state="confirmed",
            effect="exclude",
            seen=seen,
        )
    assert hours == 2
    bernd = editions.log_in(BERND)
    with editions.web(bernd)() as connection:
        (anna, _) = casework.people(connection, TOWN)
        assert anna.name == "Anne Muster"
        casework.assign(connection, case, to=anna.account_id)
        casework.remark(connection, case, comment="in die Werkstatt")
    assert stands(editions, case) == ("confirmed", "exclude")
    with editions.web(bernd)() as connection:
        assert casework.undo(connection, case) == 2
    assert stands(editions, case) == ("suspected", "caveat")
    with pytest.raises(casework.NothingToUndo), editions.web(anne)() as connection:
        casework.undo(connection, case)
    named = [
        ("opened", "detectors", "detectors", None),
        ("decided", "Anne Muster", "planner", None),
        ("assigned", "Bernd Beispiel", "engineer", "Anne Muster"),
        ("comment", "Bernd Beispiel", "engineer", None),
        ("undone", "Bernd Beispiel", "engineer", None),
    ]
    by_role = [(kind, role, role, None) for kind, _, role, _ in named]
    assert history(editions, case, editions.log_in(CLARA)) == named
    for stranger in ("", editions.log_in(DORA), "x"):
        assert history(editions, case, stranger) == by_role
    with editions.operator() as connection:
        listed = audit.find(connection, key=f"{case}", limit=10)
    assert [(entry.action, entry.actor) for entry in reversed(listed)] == [
        ("case.decide", ANNE),
        ("case.assign", BERND),
        ("case.comment", BERND),
        ("case.undo", BERND),
    ]
    assert listed[-2].after == {"assigned_to": ANNE}


@pytest.mark.parametrize("who", ["", CLARA, DORA])
def test_who_may_not_decides_nothing(town: People, who: str) -> None:
    case = opened(town)
    credential = town.log_in(who) if who else ""
    for act in (
        lambda c: casework.change(c, case, state="rejected"),
        lambda c: casework.undo(c, case),
        lambda c: casework.assign(c, case, to=None),
        lambda c: casework.remark(c, case, comment="!"),
    ):
        with (
            stays(town, case),
            pytest.raises(casework.NotYourCase),
            town.web(credential)() as connection,
        ):
            act(connection)
    with town.reading(credential) as connection:
        assert casework.people(connection, TOWN) == []
    # neither do statements of their own
    with town.web(credential)() as connection:
        done = connection.execute(
            "update vp.anomaly_case set state = 'rejected', assigned_to = null"
            " where anomaly_case_id = %s",
            [case],
        )
        assert done.rowcount == 0


def test_a_person_is_disabled_and_decides_no_more(town: People) -> None:
    case = opened(town)
    email = "emil@example.org"
    account = town.put(email, ("planner", TOWN), name="Emil Muster")
    emil = town.log_in(email)
    with town.web(emil)() as connection:
        casework.change(connection, case, state="explained")
        casework.assign(connection, case, to=account)
    with town.operator() as connection:
        accounts.disable(connection, account)
    with (
        stays(town, case),
        pytest.raises(casework.NotYourCase),
        town.web(emil)() as connection,
    ):
        casework.undo(connection, case)
    anne = town.log_in()
    other = opened(town)
    with (
        stays(town, other),
        pytest.raises(casework.NotAssignable),
        town.web(anne)() as connection,
    ):
        casework.assign(connection, other, to=account)
    # what was done stays, with the name
    assert history(town, case, anne)[1][1] == "Emil Muster"
    with town.reading(anne) as connection:
        assert email not in {one.email for one in casework.people(connection, TOWN)}


def test_a_case_that_changed_meanwhile_stays_as_it_is(town: People) -> None:
    case = opened(town)
    anne, bernd = town.log_in(), town.log_in(BERND)
    with town.reading(anne) as connection:
        seen = casework.show(connection, case).version
    with town.web(bernd)() as connection:
        casework.change(connection, case, state="explained", comment="Markt", seen=seen)
    with (
        stays(town, case),
        pytest.raises(casework.CaseChanged) as refused,
        town.web(anne)() as connection,
    ):
        casework.change(connection, case, state="rejected", seen=seen)
    (unseen,) = refused.value.changes
    assert (unseen.who, unseen.comment) == ("Bernd Beispiel", "Markt")


def test_undoing_is_refused_after_what_the_detectors_did(town: People) -> None:
    case = opened(town)
    with town.web(town.log_in())() as connection:
        casework.change(connection, case, effect="exclude")
    with town.operator() as connection:
        connection.execute(
            "insert into case_event (anomaly_case_id, kind, who, state, effect)"
            " values (%s, 'raised', 'detectors', 'suspected', 'exclude')",
            [case],
        )
    with (
        stays(town, case),
        pytest.raises(casework.NothingToUndo),
        town.web(town.log_in())() as connection,
    ):
        casework.undo(connection, case)


def test_of_many_each_is_decided_or_stays(town: People) -> None:
    good = [opened(town) for _ in range(3)]
    changed = opened(town)
    with connect(town.url) as connection:
        row = connection.execute(
            "select s.site_id from site s join municipality m using (municipality_id)"
            " where m.key = %s",
            [OTHER],
        ).fetchone()
        assert row is not None
        foreign = open_case(
            connection,
            Finding("radweg", "alle", "stuck", world.MONDAY, world.TUESDAY),
        )
        connection.execute(
            "update anomaly_case set site_id = %s where anomaly_case_id = %s",
            [row[0], foreign],
        )
    asked = [good[0], foreign, good[1], changed, 999_999, good[2], good[0]]
    with town.web(town.log_in())() as connection:
        outcomes = casework.each(
            connection,
            asked,
            lambda case: casework.change(
                connection,
                case,
                state="rejected",
                effect="keep",
                seen=1 if case == changed else None,
            ),
        )
    assert [(one.case, type(one.error)) for one in outcomes] == [
        (good[0], type(None)),
        # of a private site: not even that it exists
        (foreign, UnknownKey),
        (good[1], type(None)),
        (changed, casework.CaseChanged),
        (999_999, UnknownKey),
        (good[2], type(None)),
    ]
    assert [stands(town, case)[0] for case in (*good, changed)] == [
        *["rejected"] * 3,
        "suspected",
    ]


def test_names_are_not_found_by_number(town: People) -> None:
    """Nobody asks for names of people elsewhere, and nobody for e-mails."""
    case = opened(town)
    with town.web(town.log_in())() as connection:
        casework.change(connection, case, state="explained")
    (anne,) = sql(
        town, "select account_id from account where email = 'anne@example.org'"
    )
    ask = (
        "select shown.person(%s::integer, municipality_id) from municipality"
        " where key = %s"
    )
    for credential, seen in (
        ("", None),
        (town.log_in(DORA), None),
        (town.log_in(CLARA), "Anne Muster"),
    ):
        with town.reading(credential) as connection:
            row = connection.execute(ask, [anne, TOWN]).fetchone()
            assert row == (seen,)
            for column in ("who", "account_id", "assignee_id"):
                select = f"select {column} from case_event where anomaly_case_id = %s"
                rows = connection.execute(select.encode(), [case]).fetchall()
                assert any(value for (value,) in rows) == (
                    seen is not None and column != "assignee_id"
                )


def test_api_decides_several_undoes_and_assigns(town: People) -> None:
    cases = [opened(town) for _ in range(2)]
    with town.operator() as connection:
        token = tokens.create(connection, TOWN, permissions=["cases"], name="Ada")
    settings = load({"VERKEHRSPULS_DATABASE__URL": as_web(town.url)})
    headers = {"authorization": f"Bearer {token}"}
    with TestClient(create_app(settings)) as client:
        first = client.get(f"/api/v1/cases/{cases[0]}").json()

        def send(verb: str, path: str, status: int = 200, **body: Any) -> Any:
            answer = client.request(
                verb, f"/api/v1/cases/{path}", json=body, headers=headers
            )
            assert answer.status_code == status, answer.text
            return answer.json()

        several = [{"case": case} for case in (*cases, 999_999)]
        done = send("POST", "decisions", cases=several, state="rejected", effect="keep")
        assert (done["decided"], done["refused"]) == (2, 1)
        assert done["cases"][2]["code"] == "unknown-key"
        path = f"{cases[0]}"
        stale = send("PATCH", path, 409, state="confirmed", seen=first["version"])
        assert stale["type"].endswith("#case-changed")
        assert [one["who"] for one in stale["changes"]] == ["Ada"]
        undone = send("POST", f"{path}/undo")
        assert (undone["state"], undone["effect"]) == ("suspected", "caveat")
        assert send("POST", f"{path}/undo", 409)["type"].endswith("#nothing-to-undo")
        assigned = send("PUT", f"{path}/assignee", to=ANNE)
        assert assigned["assignee"] == "Anne Muster"
        send("PUT", f"{path}/assignee", 422, to=DORA)
        send("PUT", f"{path}/assignee", to=None)
        public = client.get(f"/api/v1/cases/{path}").json()
        assert public["assignee"] is None
        assert {one["who"] for one in public["history"]} == {"detectors", "token"}
        assert "Anne" not in str(public)
        assert "Ada" not in str(public)
        assert client.post(f"/api/v1/cases/{path}/undo", json={}).status_code == 401
