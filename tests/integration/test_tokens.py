"""Tokens: what they permit, who gives, sees and revokes them, in each edition."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import LiteralString

import psycopg
import pytest

from tests.people import ANNE, BERND, OTHER, TOWN, USUAL, People
from verkehrspuls.access import accounts, audit, tokens
from verkehrspuls.access.tokens import GRANTABLE, NotGiven
from verkehrspuls.errors import BadParameter, UnknownKey
from verkehrspuls.settings import Access

HIDDEN = "Bauhof"


def give(
    people: People,
    session: str,
    *permissions: str,
    town: str = TOWN,
    sensor: str | None = None,
    days: int = 30,
    name: str = "Skript",
) -> str:
    """Make a token as a person does in the browser."""
    with people.web(session)() as connection:
        found = people.session(session)
        assert found is not None
        return tokens.give(
            connection,
            found,
            town,
            permissions=permissions,
            sensor=sensor,
            name=name,
            days=days,
            settings=USUAL,
        )


def of_operator(
    people: People, *permissions: str, town: str | None = TOWN, days: int | None = None
) -> str:
    """Make a token by the command."""
    expires_at = datetime.now(UTC) + timedelta(days=days) if days else None
    with people.operator() as connection:
        return tokens.create(
            connection, town, permissions=permissions, expires_at=expires_at
        )


def permitted(people: People, token: str) -> Sequence[str] | None:
    """Return what a token permits now; None where it is not valid."""
    with people.reading(token) as connection:
        found = tokens.find(connection, token)
    return found and found.permissions


def towns(people: People, token: str, permission: str) -> set[str]:
    """Return where the database lets a token do something."""
    with people.reading(token) as connection:
        rows = connection.execute(
            "select key from municipality where municipality_id = any(shown.may(%s))",
            [permission],
        ).fetchall()
    return {row[0] for row in rows}


def sql(people: People, statement: LiteralString, *values: object) -> list[object]:
    with people.operator() as connection:
        cursor = connection.execute(statement, values)
        return [row[0] for row in cursor] if cursor.description else []


def prefixes(people: People, session: str) -> set[str]:
    with people.reading(session) as connection:
        return {one.prefix for one in tokens.every(connection)}


# what a token permits


def test_a_token_permits_its_permissions_in_its_town(editions: People) -> None:
    for what in ("view", "cases", "readings"):
        token = of_operator(editions, what)
        assert permitted(editions, token) == [what]
        for other in GRANTABLE:
            assert towns(editions, token, other) == ({TOWN} if other == what else set())
        assert (HIDDEN in editions.sites(token)) == (what == "view")
    both = of_operator(editions, "readings", "view", town=OTHER)
    assert permitted(editions, both) == ["view", "readings"]
    assert towns(editions, both, "view") == {OTHER}
    with editions.reading(both) as connection:
        private = connection.execute(
            "select m.key from site s join municipality m using (municipality_id)"
            " where s.visibility = 'private'"
        ).fetchall()
    assert private == [(OTHER,)]


def test_a_token_shows_sites_for_what_it_is_used(known: People) -> None:
    token = of_operator(known, "cases")
    for use, seen in (("view", False), ("cases", True), ("readings", False)):
        viewer = tokens.viewer_of(token, use)
        with known.database.connection(viewer) as connection:
            names = connection.execute("select name from site").fetchall()
        assert ((HIDDEN,) in names) == seen, use


def test_what_is_no_token_or_ended_permits_nothing(editions: People) -> None:
    token = of_operator(editions, "view")
    public = editions.sites()
    sql(
        editions,
        "update vp.api_token set expires_at = now() + interval '1 hour'",
    )
    assert HIDDEN in editions.sites(token)
    wrong = f"vp_{'0' * 8}{token[11:]}"
    for other in (token[:-1], token.upper(), f"{token} ", wrong, token[3:], ""):
        assert permitted(editions, other) is None
        assert editions.sites(other) == public
    sql(editions, "update vp.api_token set expires_at = now()")
    assert permitted(editions, token) is None
    assert editions.sites(token) == public
    sql(editions, "update vp.api_token set expires_at = null, revoked_at = now()")
    assert permitted(editions, token) is None
    assert editions.sites(token) == public


def test_the_database_is_asked_for_the_hash_only(known: People) -> None:
    """So that no answer's time says how many characters of a token are right."""
    token = of_operator(known, "view")
    asked = [tokens.viewer_of(f"{token[:-1]}{last}").credential for last in "ab"]
    assert len({each[:8] for each in asked}) == 2
    assert tokens.viewer_of("vp_1a2b3c4d").credential == ""
    (stored,) = sql(known, "select t::text from vp.api_token t")
    assert token[12:] not in str(stored)
    assert tokens.viewer_of(token).credential in str(stored)


def test_the_permissions_of_tokens_are_the_same_in_the_database(known: People) -> None:
    checks = " ".join(
        str(check)
        for check in sql(
            known,
            "select pg_get_constraintdef(oid) from pg_constraint"
            " where conrelid = 'vp.api_token'::regclass and contype = 'c'",
        )
    )
    (listed,) = re.findall(r"<@ '\{([a-z,]+)\}'", checks)
    assert tuple(listed.split(",")) == GRANTABLE
    assert not {"tokens", "people", "settings"} & set(GRANTABLE)


def test_a_wrong_scope_is_refused_with_what_there_is(known: People) -> None:
    for permissions, town, said in (
        (["people"], TOWN, "people is not a permission of tokens"),
        ([], TOWN, "at least one"),
        (["view"], None, "whole installation"),
        (["installation"], TOWN, "whole installation"),
    ):
        with known.operator() as connection, pytest.raises(BadParameter, match=said):
            tokens.create(connection, town, permissions=permissions)
    with known.operator() as connection, pytest.raises(BadParameter, match="sensor"):
        tokens.create(connection, TOWN, permissions=["view"], sensor="counter")
    with known.operator() as connection, pytest.raises(UnknownKey, match="nowhere"):
        tokens.create(connection, "nowhere", permissions=["view"])


def test_the_installation_is_for_the_operator(known: People) -> None:
    token = of_operator(known, "installation", town=None)
    assert permitted(known, token) == ["installation"]
    assert HIDDEN not in known.sites(token)
    viewer = tokens.viewer_of(token, "installation")
    with known.database.connection(viewer) as connection:
        found = connection.execute("select key from municipality order by 1").fetchall()
    assert [row[0] for row in found] == [TOWN, OTHER]


def test_use_is_noted_to_the_minute(known: People) -> None:
    token = of_operator(known, "view")

    def is_due() -> bool:
        with known.reading(token) as connection:
            found = tokens.find(connection, token)
        assert found is not None
        return found.is_due

    assert is_due()
    with known.web(token)() as connection:
        tokens.note_use(connection)
    assert not is_due()
    sql(known, "update vp.api_token set last_used_at = now() - interval '61 seconds'")
    assert is_due()
    # by a clock that was ahead
    sql(known, "update vp.api_token set last_used_at = now() + interval '1 day'")
    assert is_due()


# what a person gives


def test_a_person_gives_what_the_person_has(editions: People) -> None:
    editions.put(ANNE, ("planner", TOWN), ("viewer", OTHER))
    session = editions.log_in()
    token = give(editions, session, "cases", "view")
    assert permitted(editions, token) == ["view", "cases"]
    assert HIDDEN in editions.sites(token)
    assert towns(editions, token, "view") == {TOWN}
    assert permitted(editions, give(editions, session, "view", town=OTHER)) == ["view"]
    for permissions, town in (
        (["readings"], TOWN),
        (["view", "cases"], OTHER),
        (["tokens"], TOWN),
        (["installation"], TOWN),
        (["view"], "nowhere"),
    ):
        with pytest.raises(NotGiven, match=permissions[-1]) as refused:
            give(editions, session, *permissions, town=town)
        assert refused.value.municipality == town
    for days, name in ((0, "x"), (366, "x"), (30, " "), (30, "x\u202e")):
        with pytest.raises(BadParameter):
            give(editions, session, "view", days=days, name=name)
    assert len(sql(editions, "select prefix from vp.api_token")) == 2


def test_an_operator_is_no_engineer(known: People) -> None:
    known.put(ANNE, ("operator", None))
    session = known.log_in()
    assert permitted(known, give(known, session, "view", town=OTHER)) == ["view"]
    with pytest.raises(NotGiven):
        give(known, session, "readings")


def test_the_database_refuses_what_a_person_may_not_give(editions: People) -> None:
    """As a web that does not ask would try, with statements of its own."""
    anne = editions.put(ANNE, ("engineer", TOWN))
    bernd = editions.put(BERND, ("engineer", OTHER))
    session = editions.log_in()
    own = give(editions, session, "view")
    town_ids = {
        key: sql(
            editions, "select municipality_id from vp.municipality where key = %s", key
        )[0]
        for key in (TOWN, OTHER)
    }
    soon = datetime.now(UTC) + timedelta(days=30)

    def put(credential: str, **values: object) -> None:
        values = {
            "prefix": "vp_00000000",
            "sha256": b"\0" * 32,
            "name": "x",
            "permissions": ["view"],
            "account_id": anne,
            "municipality_id": town_ids[TOWN],
            "expires_at": soon,
        } | values
        columns = psycopg.sql.SQL(", ").join(map(psycopg.sql.Identifier, values))
        places = psycopg.sql.SQL(", ").join([psycopg.sql.Placeholder()] * len(values))
        statement = psycopg.sql.SQL("insert into vp.api_token ({}) values ({})")
        with editions.web(credential)() as connection:
            connection.execute(statement.format(columns, places), list(values.values()))

    refused = (psycopg.errors.InsufficientPrivilege, psycopg.errors.CheckViolation)
    wrongs: tuple[dict[str, object], ...] = (
        {"account_id": None},
        {"account_id": bernd},
        {"municipality_id": town_ids[OTHER]},
        {"municipality_id": None, "permissions": ["installation"]},
        {"permissions": ["tokens"]},
        {"permissions": []},
        {"expires_at": None},
        {"expires_at": soon + timedelta(days=366)},
        {"revoked_at": None},
        {"name": ""},
    )
    for wrong in wrongs:
        with pytest.raises(refused):
            put(session, **wrong)
    for credential in ("", own, of_operator(editions, "view", "cases", "readings")):
        with pytest.raises(refused):
            put(credential)
    put(session)
    with editions.web(session)() as connection:
        for statement in (
            "update vp.api_token set permissions = '{view,cases}'",
            "update vp.api_token set expires_at = null",
            "update vp.api_token set account_id = null",
            "update vp.api_token set revoked_at = null",
            "select sha256 from vp.api_token",
            "delete from vp.api_token",
            "select shown.note_token_use() from vp.live_token",
        ):
            with pytest.raises(refused), connection.transaction():
                connection.execute(statement.encode())


# what becomes of it


def test_a_token_loses_what_the_person_loses(editions: People) -> None:
    anne = editions.put(ANNE, ("engineer", TOWN), ("viewer", TOWN))
    token = give(editions, editions.log_in(), "view", "cases", "readings")
    alone = of_operator(editions, "cases")
    assert towns(editions, token, "readings") == {TOWN}
    with editions.operator() as connection:
        accounts.take(connection, anne, "engineer", TOWN)
    assert permitted(editions, token) == ["view"]
    assert towns(editions, token, "readings") == set()
    assert HIDDEN in editions.sites(token)
    with editions.operator() as connection:
        accounts.take(connection, anne, "viewer", TOWN)
    assert permitted(editions, token) == []
    assert HIDDEN not in editions.sites(token)
    with editions.operator() as connection:
        accounts.give(connection, anne, "viewer", TOWN)
    assert HIDDEN in editions.sites(token)
    assert permitted(editions, alone) == ["cases"]


def test_a_disabled_person_has_no_valid_token(editions: People) -> None:
    anne = editions.put(ANNE, ("engineer", TOWN))
    token = give(editions, editions.log_in(), "view", "readings")
    with editions.operator() as connection:
        accounts.disable(connection, anne)
    assert permitted(editions, token) is None
    assert towns(editions, token, "readings") == set()
    assert HIDDEN not in editions.sites(token)
    with editions.operator() as connection:
        accounts.enable(connection, anne)
    assert HIDDEN in editions.sites(token)


def test_own_tokens_and_those_of_the_town_are_seen_and_revoked(
    editions: People,
) -> None:
    editions.put(ANNE, ("planner", TOWN))
    editions.put(BERND, ("administrator", TOWN))
    planner, administrator = editions.log_in(ANNE), editions.log_in(BERND)
    own = give(editions, planner, "view")[:11]
    of_bernd = give(editions, administrator, "view")[:11]
    of_town = of_operator(editions, "readings")[:11]
    elsewhere = of_operator(editions, "readings", town=OTHER)[:11]
    everywhere = of_operator(editions, "installation", town=None)[:11]
    assert prefixes(editions, planner) == {own}
    assert prefixes(editions, administrator) == {own, of_bernd, of_town}
    assert prefixes(editions, "") == set()
    for session, prefix in (
        (planner, of_bernd),
        (planner, of_town),
        (administrator, elsewhere),
        (administrator, everywhere),
        ("", own),
    ):
        with pytest.raises(UnknownKey), editions.web(session)() as connection:
            tokens.revoke(connection, prefix)
    for session, prefix in (
        (planner, own),
        (administrator, of_town),
        (administrator, own),
    ):
        with editions.web(session)() as connection:
            tokens.revoke(connection, prefix)
    with editions.operator() as connection:
        states = {one.prefix: one.state for one in tokens.every(connection)}
    assert {prefix for prefix, state in states.items() if state == "revoked"} == {
        *(own, of_town)
    }


def test_the_audit_log_names_who_gave_what(known: People) -> None:
    known.put(ANNE, ("planner", TOWN))
    session = known.log_in()
    token = give(known, session, "view", "cases")
    with known.web(session)() as connection:
        tokens.revoke(connection, token)
    with known.operator() as connection:
        revoked, added = audit.find(connection)[:2]
        everything = connection.execute("select a::text from vp.audit a").fetchall()
    assert (added.action, added.actor, added.key) == ("token.add", ANNE, token[:11])
    assert added.municipality == TOWN
    after = added.after or {}
    assert after["account"] == ANNE
    assert after["permissions"] == ["view", "cases"]
    assert "sha256" not in after
    assert (revoked.action, revoked.actor) == ("token.revoke", ANNE)
    assert tokens.viewer_of(token).credential not in str(everything)


def test_a_token_is_named_with_its_person(known: People) -> None:
    known.put(ANNE, ("planner", TOWN))
    token = give(known, known.log_in(), "cases", name="Bürgermeister")
    with known.reading(token) as connection:
        found = tokens.find(connection, token)
    assert found is not None
    assert found.name == "Bürgermeister (Anne Muster)"


def test_tokens_go_with_their_account(known: People) -> None:
    anne = known.put(ANNE, ("planner", TOWN))
    token = give(known, known.log_in(), "view")
    sql(known, "delete from vp.account where account_id = %s", anne)
    assert permitted(known, token) is None
    assert sql(known, "select prefix from vp.api_token") == []


def test_days_of_a_token_are_a_setting(known: People) -> None:
    known.put(ANNE, ("viewer", TOWN))
    session = known.log_in()
    found = known.session(session)
    assert found is not None
    with (
        known.web(session)() as connection,
        pytest.raises(BadParameter, match="not valid for so many days"),
    ):
        tokens.give(
            connection,
            found,
            TOWN,
            permissions=["view"],
            name="x",
            days=8,
            settings=Access(token_days=7),
        )
