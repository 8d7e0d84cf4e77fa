"""The commands `verkehrspuls user`."""

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from tests import people
from tests.people import ANNE, BERND, HOME, PASSWORD, TOWN, USUAL, People
from verkehrspuls.access import links
from verkehrspuls.cli import command


class Done(NamedTuple):
    code: int
    out: str
    notes: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)


User = Callable[..., Done]
AS_ADMINISTRATOR = ("--role", f"{TOWN}/administrator")


@pytest.fixture
def known(plain_world: str) -> Iterator[People]:
    with people.of(plain_world) as found:
        yield found


@pytest.fixture
def user(
    known: People, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> User:
    monkeypatch.setenv("VERKEHRSPULS_DATABASE__URL", known.url)
    monkeypatch.setenv("VERKEHRSPULS_PAGES__ADDRESS", "https://verkehr.example.org/")

    def run(*words: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["verkehrspuls", "user", *words])
        with pytest.raises(SystemExit) as ended:
            command.main()
        return Done(int(ended.value.code or 0), *capsys.readouterr())

    return run


def use(known: People, link: str, password: str = PASSWORD) -> str:
    """Open a link that was printed, and choose a password."""
    begin, _, token = link.strip().rpartition("/")
    assert begin == "https://verkehr.example.org/de/link"
    begun = links.use(known.web(token), password=password, origin=HOME, settings=USUAL)
    assert begun is not None
    return begun.id


def test_a_person_is_invited_and_logs_in(known: People, user: User) -> None:
    done = user("invite", ANNE, "--name", "Anne Muster", *AS_ADMINISTRATOR)
    assert done.code == 0, done.notes
    assert "once" in done.notes
    assert user("show", ANNE, "--json").data["state"] == "invited"
    session = use(known, done.out)
    assert known.session(session) is not None
    shown = user("show", ANNE, "--json").data
    assert shown["state"] == "active"
    assert shown["roles"] == [f"{TOWN}/administrator"]
    again = user("invite", ANNE, "--role", f"{TOWN}/viewer", "--json")
    assert again.data == {"email": ANNE, "link": None, "expires_at": None}
    assert "active" in again.notes
    assert user("show", ANNE, "--json").data["roles"] == [
        f"{TOWN}/administrator",
        f"{TOWN}/viewer",
    ]


def test_nothing_is_done_where_the_link_would_lead_nowhere(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VERKEHRSPULS_PAGES__ADDRESS")
    done = user("invite", ANNE, "--name", "Anne Muster")
    assert done.code == 2
    assert "VERKEHRSPULS_PAGES__ADDRESS" in done.notes
    assert user("list", "--json").data == []


def test_language_of_a_link_is_chosen(user: User) -> None:
    done = user("invite", ANNE, "--name", "Anne", "--language", "en", "--json")
    assert done.data["link"].startswith("https://verkehr.example.org/en/link/")
    assert user("invite", ANNE, "--language", "fr").code == 2


def test_people_of_a_town_are_listed(known: People, user: User) -> None:
    known.put(ANNE, ("planner", TOWN))
    user("add", BERND, "--name", "Bernd\u200f <b>", "--role", "operator")
    listed = user("list").out.splitlines()
    assert listed[0].split("\t")[:3] == ["email", "name", "state"]
    assert [line.split("\t")[0] for line in listed[1:]] == [ANNE, BERND]
    # a mark that is not seen is shown, see `output`
    assert "Bernd\\u200f <b>\tinvited" in listed[2]
    of_town = user("list", "--municipality", TOWN, "--json").data
    assert [one["email"] for one in of_town] == [ANNE]
    assert user("list", "--municipality", "kaiserslauter").code == 2


def test_role_is_given_and_taken(known: People, user: User) -> None:
    known.put()
    given = user("role", ANNE, f"{TOWN}/planner", "--json")
    assert given.data["roles"] == [f"{TOWN}/planner"]
    given = user("role", ANNE, "operator", "--json")
    assert given.data["roles"] == [f"{TOWN}/planner", "operator"]
    assert user("role", ANNE, "operator", "--take").code == 0
    taken = user("role", ANNE, f"{TOWN}/planner", "--take", "--json")
    assert taken.data["roles"] == []
    assert user("role", ANNE, f"{TOWN}/planner", "--take").code == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("role", ANNE, f"{TOWN}/plannr"), "did you mean planner?"),
        (("role", ANNE, "planner"), "the role planner is in a municipality"),
        (("role", ANNE, f"{TOWN}/operator"), "for the whole installation"),
        (("role", ANNE, "kaiserslauter/viewer"), "did you mean kaiserslautern?"),
        (("show", "nobody@example.org"), "There is no user nobody@example.org"),
        (("invite", BERND), "needs a --name"),
        (("invite", "bernd", "--name", "Bernd"), "not an e-mail address"),
        (("add", BERND, "--name", "a\nb"), "a name has"),
        (("add", BERND, "--name", "B", "--role", "king"), "king is not a role"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_done(
    known: People, user: User, words: tuple[str, ...], said: str
) -> None:
    known.put()
    before = user("list", "--json").data
    done = user(*words)
    assert done.code == 2
    assert said in done.notes
    assert user("list", "--json").data == before


def test_last_administrator_cannot_be_disabled(known: People, user: User) -> None:
    known.put(ANNE, ("administrator", TOWN))
    done = user("disable", ANNE)
    assert done.code == 2
    assert "no administrator any more" in done.notes
    known.put(BERND, ("administrator", TOWN))
    session = known.log_in()
    assert user("disable", ANNE).code == 0
    assert known.session(session) is None
    assert user("show", ANNE, "--json").data["state"] == "disabled"
    assert user("reset", ANNE).code == 2
    assert user("enable", ANNE).code == 0
    assert known.log_in()


def test_reset_prints_a_link(known: People, user: User) -> None:
    known.put()
    done = user("reset", ANNE)
    assert done.code == 0, done.notes
    use(known, done.out, "Kran-Ofen-Distel-38")
    assert known.try_log_in() is None
    assert known.try_log_in(password="Kran-Ofen-Distel-38") is not None


def test_sessions_are_listed_and_ended(known: People, user: User) -> None:
    known.put()
    session = known.log_in()
    (listed,) = user("sessions", ANNE, "--json").data
    assert (listed["address"], listed["user_agent"]) == HOME
    assert session not in str(listed)
    done = user("sessions", ANNE, "--end", "--json")
    assert done.data == []
    assert "1 sessions" in done.notes
    assert known.session(session) is None
