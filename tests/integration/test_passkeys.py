"""Passkeys in each storage edition: made, shown, refused and removed.

The database is shared by the tests of this file; each has a person of its own.
"""

import itertools
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, LiteralString

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import parts, people, world
from tests.authenticator import PRESENT, VERIFIED, Authenticator, encoded
from tests.conftest import EDITIONS
from tests.people import HOME, TOWN, USUAL, People
from verkehrspuls.access import accounts, audit, links, passkeys, sessions
from verkehrspuls.access import totp as codes
from verkehrspuls.access.limits import TooManyAttempts
from verkehrspuls.access.passkeys import LastSecondFactor, TooManyPasskeys
from verkehrspuls.access.sessions import Begun, Origin
from verkehrspuls.errors import BadParameter
from verkehrspuls.settings import Access

ADDRESS: Final = "https://verkehr.example.org"
PARTY: Final = passkeys.relying_party(ADDRESS)
STRICT: Final = Access(second_factor=("administrator",))
HIDDEN: Final = "Bauhof"
_NUMBERS: Final = itertools.count()


@pytest.fixture(scope="module", params=EDITIONS)
def shared(request: pytest.FixtureRequest) -> Iterator[People]:
    databases: parts.Databases = request.getfixturevalue(f"_{request.param}")
    with databases.fresh(world.build) as url, people.of(url) as found:
        yield found


@dataclass
class Person:
    """A person, as a browser acts for them over the web."""

    people: People
    email: str
    account_id: int
    home: Origin
    #: in which passkeys are added
    session: str = ""

    def offer(self, session: str) -> str | None:
        with self.people.web(session)() as connection:
            return passkeys.offer(connection, PARTY)

    def add(self, key: Authenticator, session: str = "", name: str = "Laptop") -> str:
        """Add a passkey, in a session that is complete; return its new id."""
        session = session or self.session or self.log_in()
        options = self.offer(session)
        assert options is not None
        made = passkeys.add(
            self.people.web(session), PARTY, key.make(options), name=name
        )
        assert made is not None
        self.session = made
        return made

    def log_in(self, settings: Access = USUAL) -> str:
        begun = self.people.try_log_in(self.email, origin=self.home, settings=settings)
        assert begun is not None
        return begun.id

    def ask(self, session: str = "") -> str:
        return passkeys.ask(
            self.people.web(session), PARTY, origin=self.home, settings=USUAL
        )

    def send(self, answer: str, *, settings: Access = USUAL) -> Begun | None:
        return passkeys.log_in(
            self.people.web(), PARTY, answer, origin=self.home, settings=settings
        )

    def show(self, session: str, answer: str) -> str | None:
        return passkeys.show(self.people.web(session), PARTY, answer, settings=USUAL)

    def listed(self, session: str) -> list[passkeys.Passkey]:
        with self.people.reading(session) as connection:
            return passkeys.of_account(connection, self.account_id)

    def refusals(self) -> list[str]:
        """Return the reasons in the audit log."""
        with self.people.operator() as connection:
            found = audit.find(connection, action="passkey.refuse", key=self.email)
        return [str((one.after or {})["reason"]) for one in found]


@pytest.fixture
def anne(shared: People) -> Person:
    return person(shared, ("administrator", TOWN))


@pytest.fixture
def key() -> Authenticator:
    return Authenticator()


@pytest.fixture
def bernd(shared: People) -> Person:
    return person(shared)


def person(shared: People, *roles: Any) -> Person:
    number = next(_NUMBERS)
    email = f"p{number}@example.org"
    account_id = shared.put(email, *roles, name=f"Person {number}")
    return Person(shared, email, account_id, Origin(f"2001:db8:0:{number:x}::1"))


def sql(shared: People, statement: LiteralString, *values: object) -> list[Any]:
    with shared.operator() as connection:
        cursor = connection.execute(statement, values)
        return [row[0] for row in cursor] if cursor.description else []


# logging in


def test_a_passkey_logs_in_without_a_password(anne: Person) -> None:
    key = Authenticator()
    session = anne.add(key)
    begun = anne.send(key.sign(anne.ask()))
    assert begun is not None
    assert begun.is_complete
    assert HIDDEN in anne.people.sites(begun.id)
    found = anne.people.session(begun.id)
    assert found is not None
    assert (found.email, found.has_second_factor) == (anne.email, True)
    (listed,) = anne.listed(session)
    assert listed.name == "Laptop"
    assert listed.last_used_at is not None
    assert anne.refusals() == []
    assert anne.people.session(session) is not None


def test_what_is_asked_names_no_passkey_and_no_person(
    anne: Person, bernd: Person
) -> None:
    key, session = Authenticator(), bernd.log_in()
    anne.add(key)
    for options in (json.loads(one.ask()) for one in (anne, bernd)):
        assert options["allowCredentials"] == []
        assert options["userVerification"] == "required"
        assert set(options) == {
            *("allowCredentials", "challenge", "rpId", "timeout", "userVerification")
        }
    made = json.loads(bernd.offer(session) or "")
    assert made["user"]["name"] == bernd.email
    assert len(made["user"]["id"]) == 43
    assert made["user"]["id"] != encoded(key.handle)
    assert made["authenticatorSelection"] == {
        "requireResidentKey": True,
        "residentKey": "required",
        "userVerification": "required",
    }
    assert made["excludeCredentials"] == []
    again = json.loads(anne.offer(anne.add(Authenticator())) or "")
    assert again["user"]["id"] == encoded(key.handle)
    assert encoded(key.credential) in str(again["excludeCredentials"])


def test_database_counts_signatures(anne: Person) -> None:
    key = Authenticator()
    anne.add(key)
    copy = replace(key)
    for _ in range(3):
        assert anne.send(key.sign(anne.ask()))
    assert anne.send(copy.sign(anne.ask())) is None
    assert ["went back" in reason for reason in anne.refusals()] == [True]
    # one that does not count is taken each time
    still = Authenticator(count=None)
    anne.add(still)
    assert all(anne.send(still.sign(anne.ask())) for _ in range(2))
    # until it begins to
    still.count = 7
    assert anne.send(still.sign(anne.ask()))
    still.count = None
    assert anne.send(still.sign(anne.ask())) is None


def test_a_challenge_is_answered_once_even_by_two_at_once(anne: Person) -> None:
    key = Authenticator(count=None)
    anne.add(key)
    answer = key.sign(anne.ask())
    start = threading.Barrier(4)

    def send(_: int) -> bool:
        start.wait()
        return bool(anne.send(answer))

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(send, range(4))) == 1
    assert anne.send(answer) is None
    assert ["challenge" in reason for reason in anne.refusals()] == [True] * 4


ATTACKS: Final[dict[str, tuple[dict[str, Any], dict[str, Any], str]]] = {
    "another page": ({"origin": "https://verkehr.example.com"}, {}, "origin"),
    "another port": ({"origin": f"{ADDRESS}:8443"}, {}, "origin"),
    "without TLS": ({"origin": "http://verkehr.example.org"}, {}, "origin"),
    "another party": ({"party": "example.org"}, {}, "RP ID"),
    "nobody verified": ({"flags": PRESENT}, {}, "verif"),
    "nobody present": ({"flags": VERIFIED}, {}, "present"),
    "another key": ({"key": Authenticator().key}, {}, "signature"),
    "another account": ({"handle": bytes(32)}, {}, "another account"),
    "no account": ({"handle": b""}, {}, "another account"),
    "made instead of shown": ({}, {"type": "webauthn.create"}, "type"),
    "a challenge of its own": ({}, {"challenge": encoded(bytes(32))}, "challenge"),
    "no challenge": ({}, {"challenge": ""}, "challenge"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_is_forged_is_refused_and_noted(anne: Person, attack: str) -> None:
    key = Authenticator()
    anne.add(key)
    forged, other, reason = ATTACKS[attack]
    answer = replace(key, **forged).sign(anne.ask(), **other)
    assert anne.send(answer) is None
    (noted,) = anne.refusals()
    assert reason in noted
    waiting = anne.log_in()
    assert (
        anne.show(waiting, replace(key, **forged).sign(anne.ask(waiting), **other))
        is None
    )
    assert HIDDEN not in anne.people.sites(waiting)
    assert len(anne.refusals()) == 2
    # the passkey itself is as good as before
    assert anne.send(key.sign(anne.ask()))


@pytest.mark.parametrize(
    "forged",
    [
        {"origin": "https://verkehr.example.com"},
        {"party": "example.org"},
        {"flags": PRESENT},
        {"cross_origin": True},
        {"credential": b"short"},
    ],
)
def test_what_is_made_elsewhere_is_not_added(
    bernd: Person, forged: dict[str, Any]
) -> None:
    session = bernd.log_in()
    web = bernd.people.web(session)
    answer = Authenticator(**forged).make(bernd.offer(session) or "")
    if "credential" in forged:
        with pytest.raises(psycopg.errors.CheckViolation):
            passkeys.add(web, PARTY, answer, name="x")
    else:
        assert passkeys.add(web, PARTY, answer, name="x") is None
        assert len(bernd.refusals()) == 1
    # the challenge is used up
    again = Authenticator().make(bernd.offer(session) or "")
    assert passkeys.add(web, PARTY, again, name="x")
    assert passkeys.add(web, PARTY, again, name="x") is None


def test_answers_in_a_frame_of_another_page_are_none(anne: Person) -> None:
    key = Authenticator()
    anne.add(key)
    framed = replace(key, cross_origin=True)
    assert anne.send(framed.sign(anne.ask())) is None


@pytest.mark.parametrize(
    "passes", ["11 minutes", "-2 minutes", "300 days", "-300 days"]
)
def test_challenge_ends_in_time_and_when_clocks_jump(anne: Person, passes: str) -> None:
    key = Authenticator()
    session = anne.add(key)
    answer = key.sign(anne.ask())
    made = Authenticator().make(anne.offer(session) or "")
    sql(
        anne.people,
        "update vp.passkey_challenge set made_at = made_at - %s::interval",
        passes,
    )
    assert anne.send(answer) is None
    assert passkeys.add(anne.people.web(session), PARTY, made, name="x") is None
    assert len(anne.refusals()) == 2
    # old ones go when the next is made
    sql(
        anne.people,
        "insert into vp.passkey_challenge (challenge, made_at) values"
        " (sha256('old'), now() - interval '1 hour')",
    )
    anne.ask()
    assert not sql(
        anne.people,
        "select 1 from vp.passkey_challenge where challenge = sha256('old')",
    )


def test_a_challenge_is_for_one_session(anne: Person, bernd: Person) -> None:
    key = Authenticator(count=None)
    session = anne.add(key)
    waiting, other = anne.log_in(), anne.log_in()
    for asked in (anne.ask(), anne.ask(other), bernd.ask(bernd.log_in())):
        assert anne.show(waiting, key.sign(asked)) is None
    assert anne.send(key.sign(anne.ask(waiting))) is None
    made = Authenticator().make(bernd.offer(bernd.log_in()) or "")
    assert passkeys.add(anne.people.web(session), PARTY, made, name="x") is None
    assert anne.show(waiting, key.sign(anne.ask(waiting)))


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    name=st.sampled_from(
        ["authenticatorData", "clientDataJSON", "signature", "userHandle"]
    ),
    place=st.integers(0, 1000),
    other=st.sampled_from("AZaz09-_"),
)
def test_a_letter_that_is_changed_is_noticed(
    anne: Person, key: Authenticator, name: str, place: int, other: str
) -> None:
    sql(anne.people, "delete from vp.attempt")
    if not key.handle:
        anne.add(key)
    answer = json.loads(key.sign(anne.ask()))
    text = answer["response"][name]
    place %= len(text) - 1
    answer["response"][name] = f"{text[:place]}{other}{text[place + 1 :]}"
    begun = anne.send(json.dumps(answer))
    assert (begun is None) == (text[place] != other)


@pytest.mark.parametrize("origin", ["\ud800", "a\x00b\nc", "x" * 9000])
def test_what_strangers_write_breaks_no_log(anne: Person, origin: str) -> None:
    key = Authenticator()
    anne.add(key)
    assert anne.send(replace(key, origin=origin).sign(anne.ask())) is None
    (reason,) = anne.refusals()
    assert reason.isprintable()
    assert len(reason) <= 200


# as second factor


def test_a_passkey_is_a_second_factor(anne: Person) -> None:
    key = Authenticator()
    anne.add(key)
    begun = anne.people.try_log_in(anne.email, origin=anne.home)
    assert begun is not None
    assert (begun.is_complete, begun.has_second_factor) == (False, True)
    assert HIDDEN not in anne.people.sites(begun.id)
    renewed = anne.show(begun.id, key.sign(anne.ask(begun.id)))
    assert renewed is not None
    assert HIDDEN in anne.people.sites(renewed)
    assert anne.people.session(begun.id) is None


def test_who_knows_the_password_adds_no_factor_beside(anne: Person) -> None:
    anne.add(Authenticator())
    waiting = anne.log_in()
    assert anne.offer(waiting) is None
    now, secret = datetime.now(UTC), codes.new_secret()
    code = codes.code(secret, int(now.timestamp()) // codes.STEP_S)
    with anne.people.web(waiting)() as connection:
        assert not sessions.set_up_second_factor(connection, secret, code, now=now)
        added = connection.execute(
            "select shown.add_passkey(sha256('a'), sha256('b'), 0, 'x', sha256('c'))"
        ).fetchone()
    assert added == (False,)
    assert HIDDEN not in anne.people.sites(waiting)


def test_codes_and_passkeys_stand_beside_each_other(anne: Person) -> None:
    key = Authenticator()
    anne.add(key)
    now, secret = datetime.now(UTC), codes.new_secret()
    step = int(now.timestamp()) // codes.STEP_S
    with anne.people.web(anne.session)() as connection:
        session = sessions.set_up_second_factor(
            connection, secret, codes.code(secret, step - 1), now=now
        )
    assert session is not None
    waiting = anne.log_in()
    assert sessions.show_second_factor(
        anne.people.web(waiting), codes.code(secret, step), now=now, settings=USUAL
    )
    waiting = anne.log_in()
    assert anne.show(waiting, key.sign(anne.ask(waiting)))
    (only,) = anne.listed(session)
    with anne.people.web(session)() as connection:
        assert passkeys.remove(connection, only.passkey_id, settings=STRICT)
    found = anne.people.session(session)
    assert found is not None
    assert found.has_second_factor


def test_a_passkey_is_set_up_where_a_role_needs_a_second_factor(anne: Person) -> None:
    waiting = anne.log_in(STRICT)
    assert HIDDEN not in anne.people.sites(waiting)
    key = Authenticator()
    session = anne.add(key, waiting)
    assert anne.people.session(waiting) is None
    assert HIDDEN in anne.people.sites(session)
    (only,) = anne.listed(session)
    with (
        anne.people.web(session)() as connection,
        pytest.raises(LastSecondFactor),
        connection.transaction(),
    ):
        passkeys.remove(connection, only.passkey_id, settings=STRICT)
    session = anne.add(Authenticator(), session, name="Telefon")
    with anne.people.web(session)() as connection:
        assert passkeys.remove(connection, only.passkey_id, settings=STRICT)
    assert [one.name for one in anne.listed(session)] == ["Telefon"]


def test_two_who_remove_the_last_two_at_once_leave_one(anne: Person) -> None:
    session = anne.add(Authenticator(), anne.add(Authenticator()))
    ids = [one.passkey_id for one in anne.listed(session)]
    start = threading.Barrier(2)

    def remove(passkey_id: int) -> bool:
        start.wait()
        try:
            with anne.people.web(session)() as connection:
                return passkeys.remove(connection, passkey_id, settings=STRICT)
        except LastSecondFactor:
            return False

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(remove, ids)) == 1
    assert len(anne.listed(session)) == 1


def test_another_persons_passkey_completes_nothing(anne: Person, bernd: Person) -> None:
    key = Authenticator()
    anne.add(Authenticator())
    bernd.add(key)
    waiting = anne.log_in()
    assert anne.show(waiting, key.sign(anne.ask(waiting))) is None
    assert anne.people.session(waiting) is not None
    assert HIDDEN not in anne.people.sites(waiting)
    assert bernd.refusals() == ["it is of another account"]


# limits


def test_attempts_are_limited_as_with_passwords(anne: Person) -> None:
    key = Authenticator()
    anne.add(key)
    nowhere = replace(anne, home=Origin())
    forged = replace(key, party="example.org")
    for _ in range(USUAL.attempts_per_minute):
        assert nowhere.send(forged.sign(nowhere.ask())) is None
    with pytest.raises(TooManyAttempts):
        nowhere.send(key.sign(nowhere.ask()))
    # as a second factor it is counted with the codes
    waiting = anne.log_in()
    for _ in range(USUAL.attempts_per_minute):
        assert anne.show(waiting, forged.sign(anne.ask(waiting))) is None
    with pytest.raises(TooManyAttempts):
        anne.show(waiting, key.sign(anne.ask(waiting)))


def test_an_address_is_limited_for_unknown_passkeys(bernd: Person) -> None:
    for _ in range(USUAL.address_attempts_per_minute):
        stranger = Authenticator(handle=bytes(32))
        # any challenge
        asked = json.dumps({"challenge": encoded(bytes(32))})
        assert bernd.send(stranger.sign(asked)) is None
    with pytest.raises(TooManyAttempts):
        bernd.send(stranger.sign(asked))
    # nothing is noted of who is not known
    with bernd.people.operator() as connection:
        found = audit.find(connection, action="passkey.refuse", limit=1)
    assert not found or found[0].key != ""


def test_an_address_gets_some_challenges_a_minute(bernd: Person) -> None:
    for _ in range(USUAL.address_attempts_per_minute):
        bernd.ask()
    with pytest.raises(TooManyAttempts):
        bernd.ask()


# what people do with theirs


def test_passkeys_are_named_listed_and_removed_by_their_person(
    anne: Person, bernd: Person
) -> None:
    key = Authenticator()
    session = anne.add(key)
    mallory = bernd.add(Authenticator())
    (mine,) = anne.listed(session)
    with anne.people.web(mallory)() as connection:
        assert passkeys.of_account(connection, anne.account_id) == []
        assert not passkeys.rename(connection, mine.passkey_id, "Meiner")
        assert not passkeys.remove(connection, mine.passkey_id, settings=USUAL)
    with anne.people.web(session)() as connection:
        assert passkeys.rename(connection, mine.passkey_id, " Büro ")
        with pytest.raises(BadParameter, match="a name"):
            passkeys.rename(connection, mine.passkey_id, "a\nb")
    assert [one.name for one in anne.listed(session)] == ["Büro"]
    with anne.people.web(session)() as connection:
        assert passkeys.remove(connection, mine.passkey_id, settings=USUAL)
        assert not passkeys.remove(connection, mine.passkey_id, settings=USUAL)
    assert anne.send(key.sign(anne.ask())) is None
    begun = anne.people.try_log_in(anne.email, origin=anne.home)
    assert begun is not None
    assert begun.is_complete
    with anne.people.operator() as connection:
        noted = audit.find(connection, action="passkey", key=anne.email)
    assert [one.action for one in noted] == [
        *("passkey.remove", "passkey.change", "passkey.add")
    ]
    assert encoded(key.credential) not in str(noted)
    assert noted[-1].after is not None
    assert noted[-1].after["public_key"] == "…"


def test_an_account_has_at_most_twenty(bernd: Person) -> None:
    session = bernd.log_in()
    for _ in range(20):
        session = bernd.add(Authenticator(), session)
    with pytest.raises(TooManyPasskeys):
        bernd.add(Authenticator(), session)


def test_a_passkey_is_one_accounts_only(anne: Person, bernd: Person) -> None:
    key = Authenticator()
    anne.add(key)
    session = bernd.log_in()
    answer = replace(key).make(bernd.offer(session) or "")
    assert passkeys.add(bernd.people.web(session), PARTY, answer, name="x") is None
    assert anne.send(key.sign(anne.ask()))


@pytest.mark.parametrize("forgets", [False, True])
def test_reset_forgets_passkeys_where_it_is_to(anne: Person, forgets: bool) -> None:
    key = Authenticator()
    anne.add(key)
    with anne.people.operator() as connection:
        made = links.create(
            connection,
            anne.account_id,
            "reset",
            settings=USUAL,
            forgets_second_factor=forgets,
        )
    assert anne.send(key.sign(anne.ask()))
    begun = links.use(
        anne.people.web(made.token),
        password="Kran-Ofen-Distel-38",
        origin=HOME,
        settings=USUAL,
    )
    assert begun is not None
    assert (begun.is_complete, begun.has_second_factor) == (forgets, not forgets)
    assert (anne.send(key.sign(anne.ask())) is None) == forgets


def test_disabled_person_logs_in_by_no_passkey(bernd: Person) -> None:
    key = Authenticator()
    session = bernd.add(key)
    with bernd.people.operator() as connection:
        accounts.disable(connection, bernd.account_id)
    assert bernd.people.session(session) is None
    assert bernd.send(key.sign(bernd.ask())) is None
    with bernd.people.operator() as connection:
        accounts.enable(connection, bernd.account_id)
    assert bernd.send(key.sign(bernd.ask()))


# what nobody may


@pytest.mark.parametrize(
    "statement",
    [
        "select credential_id from vp.passkey",
        "select public_key from vp.passkey",
        "select sign_count from vp.passkey",
        "select * from vp.passkey",
        "select to_jsonb(p) from vp.passkey p",
        "select * from vp.passkey_challenge",
        "select passkeys from vp.account",
        "update vp.passkey set public_key = ''",
        "update vp.passkey set account_id = 1",
        "update vp.passkey set name = 'x' returning credential_id",
        "insert into vp.passkey (account_id, credential_id, public_key, sign_count,"
        " name) values (1, sha256(''), sha256(''), 0, 'x')",
        "delete from vp.passkey",
        "delete from vp.passkey_challenge",
        "select vp.count_passkey('', 1)",
        "select vp.use_passkey_challenge('')",
        "select vp.passkey_handle(1)",
        "select vp.own_session()",
    ],
)
def test_web_reads_and_makes_no_passkey_of_its_own(
    bernd: Person, statement: str
) -> None:
    session = bernd.log_in()
    for credential in ("", session):
        with (
            pytest.raises(psycopg.errors.InsufficientPrivilege),
            bernd.people.web(credential)() as connection,
        ):
            connection.execute(statement.encode())


@pytest.mark.parametrize("role", ["vp_ingest", "vp_analytics", "vp_web"])
def test_no_other_process_knows_passkeys(shared: People, role: str) -> None:
    assert sql(
        shared,
        "select has_any_column_privilege(%s, c.oid, 'select') from pg_class c"
        " where c.oid in ('vp.passkey'::regclass, 'vp.passkey_challenge'::regclass)",
        role,
    ) == [False, False]
