"""People: accounts, roles, sessions, links and limits, in each storage edition."""

import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import LiteralString

import psycopg
import pytest

from tests import people
from tests.people import ANNE, BERND, HOME, OTHER, PASSWORD, TOWN, USUAL, People
from verkehrspuls.access import (
    accounts,
    audit,
    first,
    links,
    passwords,
    sessions,
    totp,
)
from verkehrspuls.access.accounts import LastAdministrator, NotManaged, OwnAccount
from verkehrspuls.access.limits import TooManyAttempts
from verkehrspuls.access.passwords import WeakPassword
from verkehrspuls.access.permissions import PERMISSIONS, ROLES, Role, rows
from verkehrspuls.access.sessions import Origin
from verkehrspuls.errors import BadParameter, UnknownKey
from verkehrspuls.registry import removal
from verkehrspuls.settings import Access
from verkehrspuls.stack import checks
from verkehrspuls.storage import migrate
from verkehrspuls.storage.database import Connection

NEW = "Kran-Ofen-Distel-38"
HIDDEN = "Bauhof"


@pytest.fixture(scope="module")
def refusing(url: str) -> Iterator[People]:
    """A database with Anne, which tests share that are refused all they try."""
    with people.of(url) as found:
        found.put(ANNE, ("administrator", TOWN))
        yield found


@pytest.fixture(scope="module")
def session(refusing: People) -> str:
    return refusing.log_in()


def sql(people: People, statement: LiteralString, *values: object) -> list[object]:
    with people.operator() as connection:
        cursor = connection.execute(statement, values)
        return [row[0] for row in cursor] if cursor.description else []


# permissions


def test_database_has_the_table_of_permissions(editions: People) -> None:
    stored = "select role || ' ' || permission from vp.role_permission order by 1"
    expected = sorted(f"{role} {what}" for role, what in rows())
    assert sql(editions, stored) == expected
    sql(editions, "delete from vp.role_permission where role = 'viewer'")
    sql(editions, "insert into vp.role_permission values ('viewer', 'people')")
    migrate.migrate(editions.url)
    assert sql(editions, stored) == expected


def test_roles_are_the_same_in_the_database(known: People) -> None:
    (check,) = sql(
        known,
        "select pg_get_constraintdef(oid) from pg_constraint"
        " where conrelid = 'vp.account_role'::regclass"
        " and conname = 'account_role_role_check'",
    )
    assert set(re.findall(r"'(\w+)'", str(check))) == set(ROLES)


@pytest.mark.parametrize("role", ROLES)
def test_a_session_may_what_its_roles_permit(known: People, role: Role) -> None:
    where = None if role == "operator" else TOWN
    known.put(ANNE, (role, where))
    session = known.log_in()
    for name, permission in PERMISSIONS.items():
        expected = [TOWN] if role in permission.roles else []
        if expected and where is None:
            expected = [TOWN, OTHER]
        with known.reading(session) as connection:
            may = connection.execute(
                "select key from municipality"
                " where municipality_id = any(shown.may(%s)) order by key",
                [name],
            ).fetchall()
        assert [row[0] for row in may] == expected, name
        found = known.session(session)
        assert found is not None
        assert found.may(name, TOWN) == (TOWN in expected)
        assert found.may(name, OTHER) == (OTHER in expected)


# what a person sees


def test_a_person_sees_what_is_not_public_of_the_own_towns(editions: People) -> None:
    public = editions.sites()
    assert HIDDEN not in public
    editions.put(ANNE, ("viewer", TOWN))
    editions.put(BERND)
    session = editions.log_in()
    assert editions.sites(session) == {*public, HIDDEN}
    assert editions.sites(editions.log_in(BERND)) == public
    assert editions.sites(f"{session}!") == public
    with editions.reading(session) as connection:
        towns = connection.execute(
            "select distinct m.key from site s join municipality m using"
            " (municipality_id) where s.visibility = 'private'"
        ).fetchall()
    assert towns == [(TOWN,)]


def test_what_the_cluster_shares_is_seen_with_a_role_in_one_town(known: People) -> None:
    sql(known, "update vp.site set visibility = 'cluster' where name = %s", HIDDEN)
    known.put(ANNE, ("viewer", OTHER))
    known.put(BERND)
    assert HIDDEN in known.sites(known.log_in())
    assert HIDDEN not in known.sites(known.log_in(BERND))


def test_removed_town_takes_its_roles_along(known: People) -> None:
    known.put(ANNE, ("administrator", OTHER), ("viewer", TOWN))
    with known.operator() as connection:
        removal.remove(connection, "town", OTHER, with_readings=True, sure=True)
        found = accounts.find(connection, ANNE)
    assert found.roles == ((TOWN, "viewer"),)


# logging in


def test_only_the_right_password_begins_a_session(editions: People) -> None:
    editions.put()
    begun = editions.try_log_in(" Anne@Example.ORG ")
    assert begun is not None
    assert begun.is_complete
    found = editions.session(begun.id)
    assert found is not None
    assert (found.email, found.name) == (ANNE, "Anne Muster")
    for email, password in (
        (ANNE, NEW),
        (ANNE, ""),
        (ANNE, PASSWORD.lower()),
        (BERND, PASSWORD),
        ("", ""),
    ):
        assert editions.try_log_in(email, password) is None


def test_database_has_no_id_of_a_session_or_link(known: People) -> None:
    known.put()
    session = known.log_in()
    assert len(session) == 43
    stored = sql(known, "select encode(sha256, 'hex') from vp.session")
    assert stored == [sessions.viewer_of(session).credential]
    with known.operator() as connection:
        made = links.create(connection, 1, "reset", settings=USUAL)
    everything = sql(
        known,
        "select row(s, l)::text from vp.session s, vp.account_link l",
    )
    assert session not in str(everything)
    assert made.token not in str(everything)


def test_unknown_person_costs_the_same_hash(
    known: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    known.put()
    with known.operator() as connection:
        accounts.add(connection, BERND, "Bernd")
    salts = []
    prove = passwords.prove

    def noted(password: str, salt: str) -> str:
        salts.append(salt)
        return prove(password, salt)

    monkeypatch.setattr(passwords, "prove", noted)
    for email in (ANNE, BERND, "nobody@example.org", "nobody@example.org", "<b>"):
        assert known.try_log_in(email, NEW) is None
    forms = {re.sub(r"\$[A-Za-z0-9+/]{22}$", "$salt", salt) for salt in salts}
    assert forms == {f"{people.CHEAP.text}$salt"}
    # asked again it is the same, as that of a person is
    assert salts[2] == salts[3]
    assert len(set(salts)) == 4


def test_hash_is_renewed_when_parameters_change(
    known: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    known.put()
    (before,) = sql(known, "select password_hash from vp.account")
    dearer = people.CHEAP._replace(time=2)
    monkeypatch.setattr(passwords, "COST", dearer)
    assert known.try_log_in(password=NEW) is None
    assert sql(known, "select password_hash from vp.account") == [before]
    session = known.log_in()
    (after,) = sql(known, "select password_hash from vp.account")
    assert str(after).startswith(f"{dearer.text}$")
    assert known.session(session) is not None
    assert known.log_in()


def test_each_login_has_an_id_of_its_own(known: People) -> None:
    known.put()
    first, second = known.log_in(), known.log_in()
    assert first != second
    with known.web(first)() as connection:
        sessions.end(connection)
    assert known.session(first) is None
    assert known.session(second) is not None


# limits


def locked_out(people: People) -> datetime:
    """Try wrong passwords; return until when the account is locked then."""
    nowhere = Origin()
    for _ in range(USUAL.attempts_per_minute):
        assert people.try_log_in(password=NEW, origin=nowhere) is None
    with pytest.raises(TooManyAttempts) as refused:
        people.try_log_in(password=NEW, origin=nowhere)
    return refused.value.until


def test_a_thousand_wrong_passwords_are_a_few(known: People) -> None:
    known.put()
    tried, until = 0, None
    for _ in range(1000):
        try:
            assert known.try_log_in(password=NEW) is None
            tried += 1
        except TooManyAttempts as refused:
            until = until or refused.until
    assert tried == USUAL.attempts_per_minute
    assert until is not None
    left = until - datetime.now(UTC)
    assert timedelta(seconds=0) < left <= timedelta(seconds=USUAL.lockout_s)
    # also with the right one, and from elsewhere
    with pytest.raises(TooManyAttempts, match=rf"{until:%H:%M:%S} UTC"):
        known.try_log_in(origin=Origin("198.51.100.1"))


def test_lockouts_get_longer_up_to_a_limit(known: People) -> None:
    known.put()
    lengths = []
    for _ in range(6):
        left = locked_out(known) - datetime.now(UTC)
        lengths.append(round(left.total_seconds() / 60))
        # time passes
        sql(known, "update vp.attempt set locked_until = now()")
        sql(known, "update vp.attempt set began_at = now() where attempts = 0")
    assert lengths == [1, 2, 4, 8, 15, 15]
    # the right password ends it
    assert known.log_in()
    assert sql(known, "select kind from vp.attempt") == ["address"]


def test_an_address_is_limited_over_all_accounts(known: People) -> None:
    known.put()
    for i in range(USUAL.address_attempts_per_minute):
        place = Origin(f"2001:db8::{i:x}")
        assert known.try_log_in(f"x{i}@example.org", origin=place) is None
    with pytest.raises(TooManyAttempts):
        known.try_log_in(origin=Origin("2001:db8::ffff"))
    assert known.try_log_in(origin=Origin("2001:db8:0:1::1")) is not None


def test_limit_is_shared_by_those_who_try_at_once(known: People) -> None:
    known.put()
    start = threading.Barrier(4)

    def attempt(_: int) -> int:
        start.wait()
        done = 0
        for _ in range(5):
            try:
                known.try_log_in(password=NEW)
                done += 1
            except TooManyAttempts:
                pass
        return done

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(attempt, range(4))) == USUAL.attempts_per_minute


@pytest.mark.parametrize("days", [-300, 300])
def test_lockout_of_a_clock_that_jumped_is_forgotten(known: People, days: int) -> None:
    known.put()
    locked_out(known)
    sql(
        known,
        "update vp.attempt set began_at = began_at + make_interval(days => %s),"
        " locked_until = locked_until + make_interval(days => %s)",
        days,
        days,
    )
    assert known.log_in()


# how long a session lasts


@pytest.mark.parametrize(
    ("passes", "lives"),
    [
        ("29 minutes", True),
        ("31 minutes", False),
        ("12 hours", False),
        # the clock was ahead when the session began
        ("-2 minutes", False),
        ("-300 days", False),
        ("300 days", False),
    ],
)
def test_session_ends_when_it_rests_and_when_clocks_jump(
    known: People, passes: str, lives: bool
) -> None:
    known.put(ANNE, ("viewer", TOWN))
    session = known.log_in()
    sql(
        known,
        "update vp.session set created_at = created_at - %s::interval,"
        " seen_at = seen_at - %s::interval, expires_at = expires_at - %s::interval",
        *(passes, passes, passes),
    )
    assert (known.session(session) is not None) == lives
    assert (HIDDEN in known.sites(session)) == lives


def test_session_in_use_lasts_until_its_end(known: People) -> None:
    known.put()
    session = known.log_in()
    found = known.session(session)
    assert found is not None
    assert not found.is_due
    assert found.expires_at - found.created_at == timedelta(hours=12)
    for _ in range(23):
        sql(
            known,
            "update vp.session set created_at = created_at - interval '29 minutes',"
            " seen_at = seen_at - interval '29 minutes',"
            " expires_at = expires_at - interval '29 minutes'",
        )
        found = known.session(session)
        assert found is not None
        assert found.is_due
        with known.web(session)() as connection:
            assert sessions.renew(connection, settings=USUAL) is None
    sql(known, "update vp.session set expires_at = now() - interval '1 second'")
    assert known.session(session) is None
    # it is removed when the next one begins
    known.log_in()
    assert sql(known, "select count(*) from vp.session") == [1]


def test_limits_are_settings(known: People) -> None:
    known.put()
    settings = Access(idle_min=1, session_h=1)
    session = known.log_in(settings=settings)
    sql(known, "update vp.session set seen_at = now() - interval '61 seconds'")
    assert known.session(session) is None
    assert sql(
        known,
        "select extract(epoch from expires_at - created_at)::integer from vp.session",
    ) == [3600]


# roles change


def test_new_role_gives_the_session_a_new_id(editions: People) -> None:
    account_id = editions.put(ANNE, ("viewer", TOWN))
    session = editions.log_in()
    with editions.operator() as connection:
        accounts.give(connection, account_id, "planner", TOWN)
    # until it has one, it may do nothing
    assert HIDDEN not in editions.sites(session)
    found = editions.session(session)
    assert found is not None
    assert found.is_due
    assert found.is_outdated
    with editions.web(session)() as connection:
        renewed = sessions.renew(connection, settings=USUAL)
    assert renewed is not None
    assert editions.session(session) is None
    assert HIDDEN in editions.sites(renewed)
    found = editions.session(renewed)
    assert found is not None
    assert [held.role for held in found.roles] == ["planner", "viewer"]
    assert not found.is_due


def test_role_that_needs_a_second_factor_asks_for_it(known: People) -> None:
    account_id = known.put(ANNE, ("viewer", TOWN))
    session = known.log_in()
    with known.operator() as connection:
        accounts.give(connection, account_id, "administrator", TOWN)
    with known.web(session)() as connection:
        strict = Access(second_factor=("administrator",))
        renewed = sessions.renew(connection, settings=strict)
    assert renewed is not None
    found = known.session(renewed)
    assert found is not None
    assert not found.is_complete
    assert HIDDEN not in known.sites(renewed)


def test_taken_role_counts_at_once(known: People) -> None:
    account_id = known.put(ANNE, ("viewer", TOWN))
    session = known.log_in()
    with known.operator() as connection:
        assert accounts.take(connection, account_id, "viewer", TOWN)
        assert not accounts.take(connection, account_id, "viewer", TOWN)
    assert HIDDEN not in known.sites(session)
    with known.web(session)() as connection:
        renewed = sessions.renew(connection, settings=USUAL)
    assert renewed is not None
    assert HIDDEN not in known.sites(renewed)


def test_disabling_ends_everything_at_once(editions: People) -> None:
    account_id = editions.put(ANNE, ("viewer", TOWN))
    session = editions.log_in()
    with editions.operator() as connection:
        made = links.create(connection, account_id, "reset", settings=USUAL)
        accounts.disable(connection, account_id)
    assert editions.session(session) is None
    assert HIDDEN not in editions.sites(session)
    assert editions.try_log_in() is None
    with editions.operator() as connection:
        accounts.enable(connection, account_id)
    assert editions.session(session) is None
    with editions.reading(made.token) as connection:
        assert links.find(connection) is None
    assert HIDDEN in editions.sites(editions.log_in())


# administrators


def test_last_administrator_of_a_town_remains(editions: People) -> None:
    anne = editions.put(ANNE, ("administrator", TOWN), ("viewer", TOWN))
    with editions.operator() as connection:
        # invited, but nobody who could help yet
        invited = accounts.add(connection, BERND, "Bernd")
        accounts.give(connection, invited, "administrator", TOWN)
    for change in (
        lambda c: accounts.take(c, anne, "administrator", TOWN),
        lambda c: accounts.disable(c, anne),
    ):
        with editions.operator() as connection, pytest.raises(LastAdministrator):
            change(connection)
    with editions.operator() as connection:
        assert accounts.find(connection, ANNE).state == "active"
        assert accounts.take(connection, anne, "viewer", TOWN)
    bernd = editions.put(BERND)
    with editions.operator() as connection:
        accounts.disable(connection, anne)
    with editions.operator() as connection, pytest.raises(LastAdministrator):
        accounts.take(connection, bernd, "administrator", TOWN)


@pytest.mark.parametrize("way", ["take", "disable", "both"])
def test_two_administrators_who_remove_each_other_at_once(
    editions: People, way: str
) -> None:
    ids = [editions.put(email, ("administrator", TOWN)) for email in (ANNE, BERND)]
    start = threading.Barrier(2)

    def remove(number: int) -> bool:
        session = editions.log_in((ANNE, BERND)[number])
        other = ids[1 - number]
        start.wait()
        try:
            with editions.web(session)() as connection:
                if way == "take" or (way == "both" and number):
                    return accounts.take(connection, other, "administrator", TOWN)
                accounts.disable(connection, other)
                return True
        except (LastAdministrator, NotManaged):
            return False

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(remove, range(2))) == 1
    assert sql(
        editions,
        "select count(*) from vp.account_role join vp.account using (account_id)"
        " where role = 'administrator' and disabled_at is null",
    ) == [1]


def test_second_who_removes_waits_for_the_first(known: People) -> None:
    anne, bernd = (known.put(e, ("administrator", TOWN)) for e in (ANNE, BERND))
    with known.operator() as first, known.operator() as second:
        accounts.take(first, anne, "administrator", TOWN)
        with ThreadPoolExecutor(1) as pool:
            later = pool.submit(accounts.disable, second, bernd)
            with pytest.raises(TimeoutError):
                later.result(0.3)
            first.commit()
            with pytest.raises(LastAdministrator):
                later.result(10)
        second.rollback()


# the second factor


def code_of(secret: bytes, now: datetime) -> str:
    return totp.code(secret, int(now.timestamp()) // totp.STEP_S)


def with_second_factor(people: People, secret: bytes, now: datetime) -> None:
    session = people.log_in()
    with people.web(session)() as connection:
        renewed = sessions.set_up_second_factor(
            connection, secret, code_of(secret, now), now=now
        )
    assert renewed is not None
    assert people.session(session) is None
    assert people.session(renewed) is not None


def test_session_is_nobodys_until_the_second_factor_is_shown(editions: People) -> None:
    now, secret = datetime.now(UTC), totp.new_secret()
    editions.put(ANNE, ("viewer", TOWN))
    with_second_factor(editions, secret, now)

    begun = editions.try_log_in()
    assert begun is not None
    assert not begun.is_complete
    assert begun.has_second_factor
    assert HIDDEN not in editions.sites(begun.id)
    found = editions.session(begun.id)
    assert found is not None
    assert not found.may("view", TOWN)
    later = now + timedelta(seconds=30)

    def show(code: str) -> str | None:
        return sessions.show_second_factor(
            editions.web(begun.id), code, now=later, settings=USUAL
        )

    assert show("000000") is None
    # the one that was used when it was set up
    assert show(code_of(secret, now)) is None
    renewed = show(code_of(secret, later))
    assert renewed is not None
    assert HIDDEN in editions.sites(renewed)
    assert editions.session(begun.id) is None


def test_a_code_is_used_once_even_if_two_try_at_once(known: People) -> None:
    now, secret = datetime.now(UTC), totp.new_secret()
    known.put()
    with_second_factor(known, secret, now)
    later = now + timedelta(seconds=30)
    waiting = [known.log_in() for _ in range(2)]

    def show(session: str) -> str | None:
        return sessions.show_second_factor(
            known.web(session), code_of(secret, later), now=later, settings=USUAL
        )

    with ThreadPoolExecutor(2) as pool:
        assert [bool(done) for done in pool.map(show, waiting)].count(True) == 1


def test_codes_are_limited_over_all_sessions_of_an_account(known: People) -> None:
    now, secret = datetime.now(UTC), totp.new_secret()
    known.put()
    with_second_factor(known, secret, now)

    def try_code() -> str | None:
        return sessions.show_second_factor(
            known.web(known.log_in()), "000000", now=now, settings=USUAL
        )

    for _ in range(USUAL.attempts_per_minute):
        assert try_code() is None
    with pytest.raises(TooManyAttempts):
        try_code()


def test_second_factor_is_set_up_where_a_role_needs_it(known: People) -> None:
    now, secret = datetime.now(UTC), totp.new_secret()
    strict = Access(second_factor=("administrator",))
    known.put(ANNE, ("administrator", TOWN))
    known.put(BERND, ("viewer", TOWN))
    bernd = known.try_log_in(BERND, settings=strict)
    assert bernd is not None
    assert bernd.is_complete
    begun = known.try_log_in(settings=strict)
    assert begun is not None
    assert (begun.is_complete, begun.has_second_factor) == (False, False)
    code = code_of(secret, now)
    with known.web(begun.id)() as connection:
        assert not sessions.set_up_second_factor(connection, secret, "1", now=now)
        renewed = sessions.set_up_second_factor(connection, secret, code, now=now)
    assert renewed is not None
    assert HIDDEN in known.sites(renewed)
    # nobody replaces it by one of their own
    other, later = totp.new_secret(), now + timedelta(seconds=30)
    for session in (renewed, known.log_in(settings=strict)):
        with known.web(session)() as connection:
            assert not sessions.set_up_second_factor(
                connection, other, code_of(other, later), now=later
            )


def test_secret_of_the_second_factor_is_read_while_it_is_waited_for(
    known: People,
) -> None:
    now, secret = datetime.now(UTC), totp.new_secret()
    known.put()
    with_second_factor(known, secret, now)
    waiting = known.log_in()
    later = now + timedelta(seconds=30)
    complete = sessions.show_second_factor(
        known.web(waiting), code_of(secret, later), now=later, settings=USUAL
    )
    assert complete is not None
    for session in (complete, waiting, ""):
        with known.web(session)() as connection:
            assert (
                connection.execute("select * from shown.second_factor()").fetchall()
                == []
            )


# one-time links


def test_invitation_is_accepted_once(editions: People) -> None:
    with editions.operator() as connection:
        account_id = accounts.add(connection, ANNE, "A. Muster")
        accounts.give(connection, account_id, "viewer", TOWN)
        made = links.create(connection, account_id, "invitation", settings=USUAL)
    web = editions.web(made.token)
    with editions.reading(made.token) as connection:
        link = links.find(connection)
    assert link == ("invitation", ANNE, "A. Muster", made.expires_at)
    for weak in ("short", "anne@example.org", "Passwort1234"):
        with pytest.raises(WeakPassword):
            links.use(web, password=weak, origin=HOME, settings=USUAL)
    assert links.use(web, origin=HOME, settings=USUAL) is None
    begun = links.use(
        web, password=PASSWORD, name="Anne Muster", origin=HOME, settings=USUAL
    )
    assert begun is not None
    assert HIDDEN in editions.sites(begun.id)
    assert links.use(web, password=NEW, origin=HOME, settings=USUAL) is None
    found = editions.session(editions.log_in())
    assert found is not None
    assert found.name == "Anne Muster"


def test_two_who_use_a_link_at_once_are_one(known: People) -> None:
    account_id = known.put()
    with known.operator() as connection:
        made = links.create(connection, account_id, "reset", settings=USUAL)
    start = threading.Barrier(4)

    def use(number: int) -> bool:
        start.wait()
        return bool(
            links.use(
                known.web(made.token),
                password=f"{NEW}/{number}",
                origin=HOME,
                settings=USUAL,
            )
        )

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(use, range(4))) == 1


def test_reset_ends_sessions_and_older_links(known: People) -> None:
    account_id = known.put()
    session = known.log_in()
    with known.operator() as connection:
        older, made = (
            links.create(connection, account_id, "reset", settings=USUAL)
            for _ in range(2)
        )
        way_in = links.create(connection, account_id, "login", settings=USUAL)
    with known.reading(older.token) as connection:
        assert links.find(connection) is None
    # the old password is valid until the link is used
    assert known.session(session) is not None
    begun = links.use(
        known.web(made.token),
        password=NEW,
        name="Somebody Else",
        origin=HOME,
        settings=USUAL,
    )
    assert begun is not None
    assert known.session(session) is None
    with known.reading(way_in.token) as connection:
        assert links.find(connection) is None
    assert known.try_log_in() is None
    assert known.try_log_in(password=NEW) is not None
    assert sql(known, "select name from vp.account") == ["Anne Muster"]


def test_link_logs_in_without_a_password(known: People) -> None:
    account_id = known.put(ANNE, ("viewer", TOWN))
    with known.operator() as connection:
        made = links.create(connection, account_id, "login", settings=USUAL)
    assert (
        links.use(known.web(made.token), password=NEW, origin=HOME, settings=USUAL)
        is None
    )
    begun = links.use(known.web(made.token), origin=HOME, settings=USUAL)
    assert begun is not None
    assert HIDDEN in known.sites(begun.id)
    assert known.log_in()


def test_reset_forgets_the_second_factor_where_it_is_to(known: People) -> None:
    now, secret = datetime.now(UTC), totp.new_secret()
    account_id = known.put()
    with_second_factor(known, secret, now)
    for forgets in (False, True):
        with known.operator() as connection:
            made = links.create(
                connection,
                account_id,
                "reset",
                settings=USUAL,
                forgets_second_factor=forgets,
            )
        begun = links.use(
            known.web(made.token), password=NEW, origin=HOME, settings=USUAL
        )
        assert begun is not None
        assert begun.has_second_factor != forgets
        assert begun.is_complete == forgets
    # another app may begin with the same half minute
    with_second = known.try_log_in(password=NEW)
    assert with_second is not None
    with known.web(with_second.id)() as connection:
        assert sessions.set_up_second_factor(
            connection, secret, code_of(secret, now), now=now
        )


@pytest.mark.parametrize(
    ("passes", "lives"),
    [
        *(("47 hours", True), ("49 hours", False)),
        *(("-2 minutes", False), ("300 days", False)),
    ],
)
def test_link_ends_in_time_and_when_clocks_jump(
    known: People, passes: str, lives: bool
) -> None:
    account_id = known.put()
    with known.operator() as connection:
        made = links.create(connection, account_id, "reset", settings=USUAL)
    sql(
        known,
        "update vp.account_link set created_at = created_at - %s::interval,"
        " expires_at = expires_at - %s::interval where used_at is null",
        *(passes, passes),
    )
    used = links.use(known.web(made.token), password=NEW, origin=HOME, settings=USUAL)
    assert (used is not None) == lives


# what people do with their account


def test_password_is_changed_by_who_has_shown_who_they_are(editions: People) -> None:
    editions.put()
    before, elsewhere = editions.log_in(), editions.log_in()
    editions.outlast_proofs()

    def show(password: str) -> str | None:
        return sessions.show_password(
            editions.web(before), password, email=ANNE, origin=HOME, settings=USUAL
        )

    def to_new(made: str, password: str = NEW) -> bool:
        mine = editions.session(made)
        assert mine is not None
        return sessions.change_password(editions.web(made), mine, password)

    assert not to_new(before)
    assert show(NEW) is None
    made = show(PASSWORD)
    assert made is not None
    # under another id
    assert editions.session(before) is None
    with pytest.raises(WeakPassword):
        to_new(made, "Anne Muster 1")
    assert to_new(made)
    assert not to_new(elsewhere)
    assert editions.try_log_in() is None
    assert editions.try_log_in(password=NEW) is not None


def test_proof_by_password_is_limited_and_noted(known: People) -> None:
    known.put()
    web = known.web(known.log_in())
    few = Access(attempts_per_minute=2)

    def show(password: str) -> str | None:
        return sessions.show_password(
            web, password, email=ANNE, origin=HOME, settings=few
        )

    assert show(NEW) is None
    with known.operator() as connection:
        noted = connection.execute(
            "select actor, key from vp.audit where action = 'session.refuse'"
            " order by number desc limit 1"
        ).fetchone()
        began = connection.execute(
            "select after ? 'expires_at', after ? 'proved_at' from vp.audit"
            " where action = 'session.begin' order by number desc limit 1"
        ).fetchone()
    assert noted == (ANNE, ANNE)
    assert began == (True, False)
    assert show(NEW) is None
    with pytest.raises(TooManyAttempts):
        show(PASSWORD)


def test_a_session_that_waits_for_a_factor_is_not_completed_by_a_password(
    known: People,
) -> None:
    known.put(ANNE, ("administrator", TOWN))
    strict = Access(second_factor=("administrator",))
    waiting = known.log_in(settings=strict)
    shown = sessions.show_password(
        known.web(waiting), PASSWORD, email=ANNE, origin=HOME, settings=strict
    )
    assert shown is None
    mine = known.session(waiting)
    assert mine is not None
    assert not mine.is_complete


def test_nobody_makes_a_link_for_the_own_account(known: People) -> None:
    account_id = known.put(ANNE, ("administrator", TOWN))
    with (
        pytest.raises(OwnAccount),
        known.web(known.log_in())() as connection,
    ):
        links.create(connection, account_id, "reset", settings=USUAL)


def test_own_sessions_are_listed_and_ended(editions: People) -> None:
    anne, bernd = editions.put(), editions.put(BERND)
    mine = editions.log_in()
    strange = Origin("fe80::1%eth0", "Mozilla\x1b[2J\u202e" + "x" * 500)
    assert editions.try_log_in(origin=strange)
    assert editions.try_log_in(origin=Origin("testclient"))
    others = editions.log_in(BERND)
    with editions.web(mine)() as connection:
        listed = sessions.of_account(connection, anne)
        assert [one.address for one in listed] == [None, "fe80::1", HOME.address]
        assert listed[1].user_agent.startswith("Mozilla [2J xxx")
        assert len(listed[1].user_agent) == 200
        assert sessions.of_account(connection, bernd) == []
        assert sessions.end_all(connection, bernd) == 0
        assert sessions.end_all(connection, anne, only=listed[0].session_id) == 1
        current = sessions.find(connection)
        assert current is not None
        assert sessions.end_all(connection, anne, but=current.session_id) == 1
    assert editions.session(mine) is not None
    assert editions.session(others) is not None
    editions.outlast_proofs()
    with editions.web(mine)() as connection:
        assert sessions.end_all(connection, anne) == 0
        sessions.end(connection)
    assert editions.session(mine) is None


# administrators of a town, over the web


def test_administrator_invites_people_of_the_own_town(editions: People) -> None:
    editions.put(ANNE, ("administrator", TOWN))
    editions.put(BERND, ("viewer", OTHER))
    web = editions.web(editions.log_in())
    with web() as connection:
        invited = accounts.add(connection, "clara@example.org", "Clara")
        accounts.give(connection, invited, "planner", TOWN)
        made = links.create(connection, invited, "invitation", settings=USUAL)
        seen = [account.email for account in accounts.every(connection)]
    assert seen == [ANNE, "clara@example.org"]
    assert links.use(
        editions.web(made.token), password=NEW, origin=HOME, settings=USUAL
    )
    with web() as connection:
        accounts.disable(connection, invited)
        assert accounts.find(connection, "clara@example.org").state == "disabled"
        accounts.enable(connection, invited)
        assert accounts.take(connection, invited, "planner", TOWN)
    with pytest.raises(UnknownKey), web() as connection:
        accounts.find(connection, BERND)


@pytest.mark.parametrize("role", ["viewer", "planner", "engineer"])
def test_who_is_no_administrator_changes_nobody(known: People, role: Role) -> None:
    mine = known.put(ANNE, (role, TOWN))
    other = known.put(BERND, ("viewer", TOWN))
    web = known.web(known.log_in())
    with web() as connection:
        assert [one.email for one in accounts.every(connection)] == [ANNE]
    for change in (
        lambda c: accounts.give(c, mine, "administrator", TOWN),
        lambda c: accounts.disable(c, other),
        lambda c: links.create(c, other, "reset", settings=USUAL),
        lambda c: links.create(c, mine, "login", settings=USUAL),
    ):
        with pytest.raises(NotManaged), web() as connection:
            change(connection)
    with web() as connection:
        assert not accounts.take(connection, other, "viewer", TOWN)
    with pytest.raises(psycopg.errors.InsufficientPrivilege), web() as connection:
        accounts.add(connection, "clara@example.org", "Clara")


def test_administrator_has_no_hold_on_people_of_other_towns(editions: People) -> None:
    editions.put(ANNE, ("administrator", TOWN))
    bernd = editions.put(BERND, ("viewer", OTHER))
    web = editions.web(editions.log_in())
    for change in (
        lambda c: accounts.give(c, bernd, "viewer", OTHER),
        lambda c: accounts.give(c, bernd, "operator", None),
        lambda c: accounts.disable(c, bernd),
        lambda c: links.create(c, bernd, "reset", settings=USUAL),
    ):
        with pytest.raises((NotManaged, UnknownKey)), web() as connection:
            change(connection)
    # not even after a role in the own town
    with web() as connection:
        accounts.give(connection, bernd, "viewer", TOWN)
        assert not accounts.take(connection, bernd, "viewer", OTHER)
    for change in (
        lambda c: accounts.disable(c, bernd),
        lambda c: links.create(c, bernd, "reset", settings=USUAL),
        lambda c: links.create(c, bernd, "login", settings=USUAL),
    ):
        with pytest.raises(NotManaged), web() as connection:
            change(connection)
    with web() as connection:
        (seen,) = (a for a in accounts.every(connection) if a.email == BERND)
    assert seen.roles == ((TOWN, "viewer"),)


def test_reset_that_was_begun_ends_with_a_role_elsewhere(known: People) -> None:
    known.put(ANNE, ("administrator", TOWN))
    bernd = known.put(BERND, ("viewer", TOWN))
    with known.web(known.log_in())() as connection:
        made = links.create(connection, bernd, "reset", settings=USUAL)
    with known.operator() as connection:
        accounts.give(connection, bernd, "administrator", OTHER)
    with known.reading(made.token) as connection:
        assert links.find(connection) is None


def test_operator_sees_and_invites_everywhere(known: People) -> None:
    known.put(ANNE, ("operator", None))
    other = known.put(BERND, ("operator", None))
    session = known.log_in()
    assert HIDDEN in known.sites(session)
    with known.web(session)() as connection:
        invited = accounts.add(connection, "clara@example.org", "Clara")
        for town in (TOWN, OTHER):
            accounts.give(connection, invited, "administrator", town)
        links.create(connection, invited, "invitation", settings=USUAL)
    # operators are made by who has the machine
    for change in (
        lambda c: accounts.give(c, invited, "operator", None),
        lambda c: accounts.disable(c, other),
    ):
        with pytest.raises(NotManaged), known.web(session)() as connection:
            change(connection)


# what nobody may


@pytest.mark.parametrize(
    "statement",
    [
        "select * from vp.account",
        "select password_hash from vp.account",
        "select totp_secret from vp.account",
        "select totp_step from vp.account",
        "select sha256 from vp.session",
        "select * from vp.session",
        "select * from vp.live_session",
        "select * from vp.live_link",
        "select sha256 from vp.account_link",
        "select * from vp.attempt",
        "select * from vp.salt_key",
        "select * from vp.role_permission",
        "select a from vp.account a",
        "select to_jsonb(a) from vp.account a",
        "table vp.account",
        "copy vp.account to stdout",
        "select 1 from vp.account where password_hash like '$argon2id%%'",
        "select count(*) from vp.account group by totp_secret",
        "update vp.account set password_hash = null",
        "update vp.account set email = 'x@example.org'",
        "update vp.account set disabled_at = null returning password_hash",
        "insert into vp.account (email, name) values ('x@example.org', 'X')",
        "insert into vp.session (sha256, account_id, expires_at, idle, is_complete)"
        " values (sha256(''), 1, now() + interval '1 day', '1 day', true)",
        "update vp.session set account_id = 1",
        "update vp.account_role set role = 'administrator'",
        "update vp.account_link set used_at = null",
        "insert into vp.role_permission values ('viewer', 'people')",
        "delete from vp.attempt",
        "truncate vp.session",
        "select vp.begin_session(1, row(sha256(''), interval '1 day',"
        " interval '1 day', '{}'::text[], null, '')::vp.new_session)",
        "select vp.subject_of('x')",
        "alter table vp.account disable row level security",
        "create or replace function shown.account() returns integer"
        " language sql as 'select 1'",
        "set session authorization vp",
        "set local role vp",
    ],
)
def test_web_cannot_read_or_make_secrets(
    refusing: People, session: str, statement: str
) -> None:
    for credential in ("", session):
        with (
            pytest.raises(psycopg.errors.InsufficientPrivilege) as refused,
            refusing.web(credential)() as connection,
        ):
            connection.execute(statement.encode())
        assert "argon2id" not in str(refused.value)


def test_web_reads_no_values_from_statistics(known: People) -> None:
    known.put()
    sql(known, "analyze vp.account")
    with known.web()() as connection:
        found = connection.execute(
            "select attname from pg_stats where schemaname = 'vp'"
            " and tablename in ('account', 'session', 'account_link')"
        ).fetchall()
    assert found == []


def test_without_a_credential_no_person_is_seen(editions: People) -> None:
    editions.put(ANNE, ("administrator", TOWN))
    known_id = editions.log_in()
    for credential in ("", "x", known_id.lower(), known_id[:-1]):
        with editions.web(credential)() as connection:
            for table in ("account", "account_role", "session", "account_link"):
                (count,) = connection.execute(
                    f"select count(*) from vp.{table}".encode()
                ).fetchall()[0]
                assert count == 0, table


def test_ingest_and_analytics_know_no_people(known: People) -> None:
    known.put()
    for role in ("vp_ingest", "vp_analytics", "vp_web"):
        with known.operator() as connection:
            allowed = connection.execute(
                "select c.relname from pg_class c"
                " where c.relnamespace = 'vp'::regnamespace and c.relkind in ('r', 'v')"
                " and c.relname in ('account', 'account_role', 'session', 'attempt',"
                " 'account_link', 'salt_key', 'live_session', 'live_link')"
                " and (has_table_privilege(%(role)s, c.oid, 'select')"
                "      or has_any_column_privilege(%(role)s, c.oid, 'select'))",
                {"role": role},
            ).fetchall()
        assert allowed == []


# names and numbers


NAMES = (
    'Anne "Ännchen" O\'Brien',
    "<script>alert(1)</script>",
    "'; drop table vp.account; --",
    "\u200fمحمد\u200f",
    "%s {name} \\",
    "李" * 200,
)


def test_names_come_back_as_they_are(known: People) -> None:
    with known.operator() as connection:
        for i, name in enumerate(NAMES):
            accounts.add(connection, f"p{i}@example.org", name)
        found = [account.name for account in accounts.every(connection)]
    assert tuple(found) == NAMES


@pytest.mark.parametrize(
    "name", ["", "  ", "\u200f", "a\nb", "a\x00b", "\u202egnp.exe", "x" * 201]
)
def test_names_that_no_page_could_show_are_refused(refusing: People, name: str) -> None:
    with refusing.operator() as connection, pytest.raises(BadParameter, match="a name"):
        accounts.add(connection, BERND, name)


@pytest.mark.parametrize("name", ["", "a\nb", "\u202egnp.exe", "x" * 201])
def test_database_refuses_such_names_too(refusing: People, name: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        sql(
            refusing,
            "insert into vp.account (email, name) values (%s, %s)",
            BERND,
            name,
        )


EMAILS = (
    *("", "anne", "@example.org", "a b@example.org", "anne@example.org\n.de"),
    *("<b>@example.org", "änne@example.org", "anne@exämple.org", "a" * 65 + "@x.org"),
    *("anne@" + "x." * 126 + "org", "anne@.org", "anne@example..org", "a@b@c.org"),
)


@pytest.mark.parametrize("email", EMAILS)
def test_what_is_no_address_is_refused_twice(refusing: People, email: str) -> None:
    with refusing.operator() as connection, pytest.raises(BadParameter, match="e-mail"):
        accounts.add(connection, email, "Anne")
    with pytest.raises(psycopg.errors.CheckViolation):
        sql(refusing, "insert into vp.account (email, name) values (%s, 'A')", email)


def test_an_address_is_one_account_however_it_is_written(known: People) -> None:
    with known.operator() as connection:
        ids = {
            accounts.add(connection, email, "Anne")
            for email in (ANNE, "Anne@Example.org", " ANNE@EXAMPLE.ORG ")
        }
        assert len(ids) == 1
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute(
                "insert into vp.account (email, name) values ('ANNE@example.org', 'A')"
            )


@pytest.mark.parametrize(
    "statement",
    [
        "update vp.account set password_hash = 'secret'",
        "update vp.account set password_hash = '$2b$12$' || repeat('a', 53)",
        "update vp.account set totp_secret = 'short'",
        "update vp.session set sha256 = 'x'",
        "update vp.session set user_agent = E'a\\nb'",
        "update vp.session set user_agent = repeat('x', 201)",
        "update vp.session set idle = '0'",
        "update vp.session set expires_at = created_at",
        "update vp.account_link set purpose = 'other'",
        "update vp.account_link set expires_at = created_at",
        "update vp.account_role set role = 'king'",
        "update vp.account_role set role = 'operator'",
        "update vp.account_role set municipality_id = null",
    ],
)
def test_database_keeps_what_is_wrong_out(
    refusing: People, session: str, statement: LiteralString
) -> None:
    assert refusing.session(session)
    with pytest.raises(psycopg.errors.CheckViolation):
        sql(refusing, statement)


def test_ten_thousand_invitations(known: People) -> None:
    for statement in (
        "insert into vp.account (email, name)"
        " select 'p' || n || '@example.org', 'Person ' || n"
        " from generate_series(1, 10000) n",
        "insert into vp.account_role (account_id, role, municipality_id)"
        " select account_id, 'viewer', municipality_id"
        f" from vp.account, vp.municipality where key = '{TOWN}'",
        "insert into vp.account_link (sha256, account_id, purpose, expires_at)"
        " select sha256(email::bytea), account_id, 'invitation', now() + '2 days'"
        " from vp.account",
    ):
        sql(known, statement)
    began = datetime.now(UTC)
    with known.operator() as connection:
        found = accounts.every(connection, TOWN)
        last = links.create(
            connection, found[-1].account_id, "invitation", settings=USUAL
        )
    assert len(found) == 10_000
    assert links.use(known.web(last.token), password=NEW, origin=HOME, settings=USUAL)
    assert known.try_log_in(found[-1].email, NEW)
    assert datetime.now(UTC) - began < timedelta(seconds=5)


def test_who_runs_it_logs_in_by_a_link_until_somebody_has_a_password(
    known: People,
) -> None:
    links_made = []
    for _ in range(2):
        with known.operator() as connection:
            links_made.append(first.login_link(connection, settings=USUAL))
    old, made = links_made
    assert old is not None
    assert made is not None
    assert links.use(known.web(old.token), origin=HOME, settings=USUAL) is None
    begun = links.use(known.web(made.token), origin=HOME, settings=USUAL)
    assert begun is not None
    session = known.session(begun.id)
    assert session is not None
    assert session.may("cases", TOWN)
    assert session.may("installation", OTHER)
    known.put(ANNE)
    with known.operator() as connection:
        assert first.login_link(connection, settings=USUAL) is None


def test_municipality_with_a_single_administrator_is_named(known: People) -> None:
    def lone() -> list[str]:
        with known.operator() as connection:
            return accounts.lone_administrators(connection)

    assert lone() == []
    known.put(ANNE, ("administrator", TOWN), ("administrator", OTHER))
    assert lone() == [TOWN, OTHER]
    known.put(BERND, ("administrator", TOWN))
    assert lone() == [OTHER]
    finding = checks._administrators(lone())
    assert (finding.state, OTHER in finding.detail) == (checks.PROBLEM, True)
    assert checks._administrators([]).state == checks.OK


def test_refused_logins_are_in_the_audit_log(editions: People) -> None:
    editions.put(ANNE)
    for email in (ANNE, "nobody@example.org"):
        assert editions.try_log_in(email, NEW) is None
    with editions.operator() as connection:
        noted = audit.find(connection, action="session.refuse")
        assert {entry.key for entry in noted} == {ANNE, ""}
        assert {entry.actor_kind for entry in noted} == {"anonymous"}
        assert audit.check(connection).broken is None


def test_administrators_see_refused_logins_of_their_people(editions: People) -> None:
    editions.put(ANNE, ("administrator", TOWN))
    editions.put(BERND, ("planner", TOWN), ("engineer", TOWN), ("viewer", OTHER))
    editions.put("carla@example.org", ("viewer", OTHER))
    for email in (BERND, "carla@example.org", "nobody@example.org"):
        assert editions.try_log_in(email, NEW) is None

    def noted(connection: Connection) -> list[tuple[str, str | None]]:
        found = audit.find(connection, action="session.refuse")
        return [(entry.key, entry.municipality) for entry in found]

    with editions.operator() as connection:
        assert sorted(noted(connection), key=str) == [
            ("", None),
            (BERND, TOWN),
            (BERND, OTHER),
            ("carla@example.org", OTHER),
        ]
    with editions.reading(editions.log_in(ANNE)) as connection:
        assert noted(connection) == [(BERND, TOWN)]
