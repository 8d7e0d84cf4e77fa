"""The boundary between viewers: what statements of their own reach, as the web's role.

`tests.world` has a private site in Kaiserslautern, and the town Verborgen with nothing
but a private site.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

import psycopg
import pytest
from psycopg import sql

from api.database import Database
from tests import people
from tests.parts import as_web
from verkehrspuls.access import sessions, tokens
from verkehrspuls.access.permissions import Role
from verkehrspuls.access.viewer import ANONYMOUS, Viewer
from verkehrspuls.errors import RolesMissing, WrongRole
from verkehrspuls.storage.database import connect
from verkehrspuls.storage.roles import (
    ACTOR,
    LOGINS,
    OWNER,
    READER,
    require_login,
    require_roles,
)

REFUSED: Final = (
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.ReadOnlySqlTransaction,
)
#: tables that are not shown: of workers, of delivery, and of who may do what
NOT_SHOWN: Final = {
    *("account", "account_link", "account_role", "attempt", "role_permission"),
    *("identity", "oidc_login", "oidc_logout", "oidc_provider", "oidc_session"),
    *("passkey", "passkey_challenge", "salt_key", "session"),
    *("alert", "ambiguous_reading", "api_token", "audit_draft", "bucket"),
    *("audit_turn", "credential", "frame", "manual_count", "tap"),
    *("idempotent_request", "ingest_group", "ingest_session", "ingest_slot"),
    *(
        "ledger_dropped",
        "sequence",
        "series",
        "set_aside",
        "stale_bucket",
        "stale_case_day",
    ),
    *("stale_case_hour", "stale_day", "storage", "uneven_channel"),
}
PERMITTED: Final = ("readings", "cases")
#: tables of which row security shows a part, without a column that is secret
BY_ROW: Final = {
    READER: {"account_role", "manual_count", "tap"},
    "vp_web": set[str](),
} | {
    ACTOR: {
        *("account_role", "anomaly_case", "manual_count", "tap"),
        *("case_event", "idempotent_request"),
        *("municipality", "site", "channel", "sensor", "installation", "local_event"),
        *("corridor", "corridor_station", "junction", "junction_arm", "site_redirect"),
        *("device_profile", "maintenance", "photograph"),
        "replay",
    }
}


@contextmanager
def session(url: str, role: str = READER) -> Iterator[psycopg.Connection[Any]]:
    """Open a session of the web's, with statements of one's own."""
    options = f"-c role={role} -c search_path=shown,vp,public"
    with psycopg.connect(as_web(url), options=options, autocommit=True) as opened:
        yield opened


def rows(
    connection: psycopg.Connection[Any], statement: str, *given: object
) -> list[Any]:
    """Run a statement of one's own."""
    return connection.execute(statement.encode(), given).fetchall()


def tables(url: str) -> list[tuple[str, str]]:
    """List schema and name of all tables and their parts, chunks among them."""
    with connect(url) as connection:
        found = connection.execute(
            "select n.nspname, c.relname from pg_class c "
            "join pg_namespace n on n.oid = c.relnamespace "
            "where c.relkind in ('r', 'p', 'v', 'm', 'f') and (n.nspname = 'vp' "
            "or n.nspname = '_timescaledb_internal' and c.relname ~ 'hyper_[0-9]')"
        ).fetchall()
    assert len(found) > 50
    return found


def test_no_table_and_no_part_of_one_can_be_read(edition_world: str) -> None:
    for role in (READER, ACTOR, "vp_web"):
        with session(edition_world, role) as connection:
            for schema, name in tables(edition_world):
                select = sql.SQL("select * from {} limit 1").format(
                    sql.Identifier(schema, name)
                )
                if schema == "vp" and name in BY_ROW[role]:
                    assert connection.execute(select).fetchall() == [], name
                    continue
                with pytest.raises(REFUSED):
                    connection.execute(select)


def test_each_table_is_shown_or_known_not_to_be(plain_database: str) -> None:
    with connect(plain_database) as connection:
        found = {
            name: shown
            for name, shown in connection.execute(
                "select c.relname, to_regclass('shown.' || quote_ident(c.relname)) "
                "from pg_class c where c.relnamespace = 'vp'::regnamespace "
                "and c.relkind in ('r', 'p') and not c.relispartition"
            )
        }
        columns = connection.execute(
            "select c.table_name, c.column_name from information_schema.columns c "
            "where c.table_schema = 'vp' and exists (select from "
            "information_schema.views v where v.table_schema = 'shown' "
            "and v.table_name = c.table_name) except "
            "select table_name, column_name from information_schema.columns "
            "where table_schema = 'shown'"
        ).fetchall()
    assert {name for name, shown in found.items() if shown is None} == NOT_SHOWN
    # `select vp.show(…)` again after a column was added
    assert columns == []


def test_nothing_private_is_shown(edition_world: str) -> None:
    with connect(edition_world) as connection:
        hidden = {
            "site_id": "select site_id from site where visibility = 'private'",
            "channel_id": "select channel_id from channel join site using (site_id) "
            "where visibility = 'private'",
            "sensor_id": "select sensor_id from sensor where key = 'gate'",
            "municipality_id": "select municipality_id from municipality "
            "where key = 'verborgen'",
        }
        private = {
            column: [row[0] for row in connection.execute(query.encode())]
            for column, query in hidden.items()
        }
        views = connection.execute(
            "select table_name, array_agg(column_name::text) "
            "from information_schema.columns where table_schema = 'shown' "
            "group by table_name"
        ).fetchall()
        (volumes,) = connection.execute(
            "select count(*) from volume where channel_id = any(%s)",
            [private["channel_id"]],
        ).fetchone() or (0,)
    assert all(private.values())
    assert volumes > 0
    seen = 0
    for viewer in ("", "0" * 64, "no credential", "'; reset role; --"):
        with session(edition_world) as connection:
            connection.execute("select set_config('vp.viewer', %s, false)", [viewer])
            for view, columns in views:
                for column in set(columns) & private.keys():
                    select = sql.SQL(
                        "select count(*) filter (where {0} = any(%s)), count(*) "
                        "from {1}"
                    ).format(sql.Identifier(column), sql.Identifier("shown", view))
                    found = connection.execute(select, [private[column]]).fetchone()
                    assert found is not None
                    assert found[0] == 0, (view, column)
                    seen += found[1]
    assert seen > 1000


def test_a_token_shows_its_own_town(edition_world: str) -> None:
    sites = (
        "select m.key, s.key from site s join municipality m using (municipality_id)"
    )
    public = {("kaiserslautern", "pariser-strasse"), ("kaiserslautern", "radweg")}
    own = {
        "kaiserslautern": public | {("kaiserslautern", "hof")},
        "verborgen": public | {("verborgen", "hof")},
    }
    with connect(edition_world) as connection:
        made = {
            town: tokens.create(connection, town, permissions=["view"]) for town in own
        }
        past = datetime(2026, 1, 1, tzinfo=UTC)
        ended = tokens.create(
            connection, "verborgen", permissions=["view"], expires_at=past
        )
        revoked = tokens.create(connection, "verborgen", permissions=["view"])
        tokens.revoke(connection, revoked)
    with session(edition_world) as connection:
        for town, expected in own.items():
            viewer = tokens.viewer_of(made[town]).credential
            connection.execute("select set_config('vp.viewer', %s, false)", [viewer])
            assert set(rows(connection, sites)) == expected
            (count,) = rows(
                connection,
                "select count(*) from volume v join channel c "
                "using (channel_id) join site s using (site_id) "
                "where s.key = 'hof'",
            )[0]
            assert count > 0
        for token in (ended, revoked, made["verborgen"].upper()):
            viewer = tokens.viewer_of(token).credential
            connection.execute("select set_config('vp.viewer', %s, false)", [viewer])
            assert set(rows(connection, sites)) == public


def test_what_a_device_is_told_is_of_its_own_town(plain_world: str) -> None:
    with connect(plain_world) as connection:
        connection.execute(
            "update sensor set topic = 'site/' || key, payload_format = 'ttn'"
        )
        token = tokens.create(connection, "verborgen", permissions=["view"])
    select = "select distinct topic from sensor order by topic"
    with session(plain_world) as connection:
        assert rows(connection, select) == [(None,)]
        viewer = tokens.viewer_of(token).credential
        connection.execute("select set_config('vp.viewer', %s, false)", [viewer])
        assert rows(connection, select) == [("site/gate",), (None,)]


@pytest.mark.parametrize("role", [READER, ACTOR, "vp_web"])
def test_no_other_role_can_be_taken(plain_world: str, role: str) -> None:
    others = {*LOGINS, "postgres", "pg_read_all_data"} - {"vp_web"}
    with session(plain_world, role) as connection:
        for other in sorted(others):
            for statement in (
                f"set role {other}",
                f"set local role {other}",
                f"set session authorization {other}",
                f"select set_config('role', '{other}', false)",
            ):
                with pytest.raises(REFUSED):
                    connection.execute(statement.encode())


def test_what_the_server_knows_of_tables_is_not_shown(plain_world: str) -> None:
    with connect(plain_world, autocommit=True) as connection:
        connection.execute("analyze")
    with session(plain_world) as connection:
        assert rows(connection, "select 1 from pg_stats where schemaname = 'vp'") == []
        for statement in (
            "select * from pg_statistic limit 1",
            "select query_to_xml('select * from vp.site', true, false, '')",
            "select * from pg_read_file('postgresql.conf')",
            "copy vp.site to stdout",
            "create table public.mine (name text)",
            "create function public.mine() returns int language sql as 'select 1'",
        ):
            with pytest.raises(REFUSED):
                connection.execute(statement.encode())


def test_a_filter_of_ones_own_sees_nothing_hidden(plain_world: str) -> None:
    """A function that tells its arguments would run first, if the view let it."""
    notices: list[str] = []
    with session(plain_world, "vp_web") as connection:
        connection.add_notice_handler(
            lambda notice: notices.append(str(notice.message_primary))
        )
        connection.execute(
            "create function pg_temp.tell(text) returns boolean language plpgsql "
            "cost 0.0001 as $$ begin raise notice '%', $1; return true; end $$"
        )
        connection.execute(f"set role {READER}".encode())
        rows(connection, "select key from shown.site where pg_temp.tell(name)")
        with pytest.raises(psycopg.errors.InvalidTextRepresentation) as failed:
            rows(connection, "select key from shown.site where name::integer = 1")
    assert "Pariser Straße" in notices
    assert "Bauhof" not in notices
    assert "Bauhof" not in str(failed.value)


def test_functions_with_the_rights_of_the_owner_are_known(plain_database: str) -> None:
    with session(plain_database) as connection:
        found = rows(
            connection,
            "select p.proname from pg_proc p "
            "join pg_namespace n on n.oid = p.pronamespace "
            "where n.nspname in ('vp', 'shown', 'public') and p.prosecdef "
            "and has_function_privilege(current_user, p.oid, 'execute') "
            "and p.prorettype <> 'trigger'::regtype order by 1",
        )
    assert [name for (name,) in found] == [
        *(
            "account",
            "alerts_held_up",
            "audiences",
            "audited",
            "case_people",
            "decides",
        ),
        *("is_heard_elsewhere", "link"),
        *(
            "manages",
            "may",
            "may_everywhere",
            "newest_receipt",
            "permits",
            "person",
            "registers",
            "second_factors",
            "sees_corridor",
        ),
        *("sees_junction", "senders_missing", "session", "slots", "token", "work"),
    ]


def test_a_case_is_decided_with_a_token_of_its_town_only(plain_world: str) -> None:
    decide = (
        "update vp.anomaly_case set state = 'rejected' where anomaly_case_id = any("
        "select a.anomaly_case_id from anomaly_case a) returning anomaly_case_id"
    )
    with connect(plain_world) as connection:
        cases = connection.execute("select count(*) from anomaly_case").fetchone()
        made = {
            (town, what): tokens.create(connection, town, permissions=[what])
            for town in ("kaiserslautern", "verborgen")
            for what in PERMITTED
        }
    assert cases is not None
    assert cases[0] > 0
    decided = {}
    with session(plain_world, ACTOR) as connection:
        for key, token in made.items():
            viewer = tokens.viewer_of(token, key[1]).credential
            connection.execute("select set_config('vp.viewer', %s, false)", [viewer])
            with connection.transaction(force_rollback=True):
                decided[key] = len(rows(connection, decide))
            for statement in (
                "delete from vp.anomaly_case",
                "update vp.anomaly_case set observed = 1",
                "update vp.case_event set who = 'nobody'",
                "delete from vp.case_event",
                "update shown.site set name = 'Stadt'",
                "insert into vp.api_token (prefix, sha256, municipality_id) "
                "select prefix, sha256, municipality_id from vp.api_token",
            ):
                with pytest.raises(REFUSED):
                    connection.execute(statement.encode())
            assert rows(connection, "select prefix from vp.api_token") == []
    assert decided == {
        ("kaiserslautern", "cases"): cases[0],
        ("kaiserslautern", "readings"): 0,
        ("verborgen", "cases"): 0,
        ("verborgen", "readings"): 0,
    }


@pytest.mark.parametrize(
    "change",
    [
        "update vp.site s set name = 'X' returning municipality_id",
        "update vp.sensor e set name = 'X' returning municipality_id",
        "update vp.channel c set name = 'X' returning "
        "(select s.municipality_id from vp.site s where s.site_id = c.site_id)",
        "delete from vp.installation i returning "
        "(select e.municipality_id from vp.sensor e where e.sensor_id = i.sensor_id)",
        "delete from vp.junction returning municipality_id",
        "delete from vp.corridor returning municipality_id",
    ],
)
def test_only_the_own_registry_is_changed(plain_world: str, change: str) -> None:
    with connect(plain_world) as connection:
        ids = dict(connection.execute("select key, municipality_id from municipality"))
        made = {
            (town, what): tokens.create(connection, town, permissions=[what])
            for town in ("kaiserslautern", "verborgen")
            for what in ("register", "cases")
        }
    with session(plain_world, ACTOR) as connection:
        for (town, what), token in made.items():
            viewer = tokens.viewer_of(token, what).credential
            connection.execute("select set_config('vp.viewer', %s, false)", [viewer])
            with connection.transaction(force_rollback=True):
                changed = {found for (found,) in rows(connection, change)}
            assert changed <= ({ids[town]} if what == "register" else set())
            if what == "register" and "junction" not in change:
                assert changed or "corridor" in change
            assert rows(connection, "select 1 from vp.municipality") == []


def test_a_connection_forgets_its_viewer(plain_world: str) -> None:
    with connect(plain_world) as connection:
        token = tokens.create(connection, "verborgen", permissions=["view"])
    viewer = tokens.viewer_of(token)
    database = Database(as_web(plain_world), size=1)

    def towns(viewer: Viewer) -> int:
        with database.connection(viewer) as connection:
            return len(connection.execute("select from municipality").fetchall())

    def fail(statement: bytes) -> None:
        with database.connection(viewer) as connection:
            connection.execute(statement)

    database.open()
    try:
        assert towns(viewer) == 2
        assert towns(ANONYMOUS) == 1
        with pytest.raises(psycopg.errors.DivisionByZero):
            fail(b"select 1 / 0")
        assert towns(ANONYMOUS) == 1
        with database.connection(viewer) as connection:
            connection.execute("set local statement_timeout = 50")
            with pytest.raises(psycopg.errors.QueryCanceled):
                connection.execute("select pg_sleep(5)")
        assert towns(ANONYMOUS) == 1
        with database.writing(viewer) as connection:
            role = connection.execute("select current_user").fetchone()
        assert role == (ACTOR,)
        with database.connection() as connection:
            role = connection.execute("select current_user").fetchone()
        assert role == (READER,)
        assert towns(ANONYMOUS) == 1
    finally:
        database.close()


def test_the_web_refuses_a_role_that_may_do_too_much(plain_database: str) -> None:
    with psycopg.connect(as_web(plain_database)) as connection:
        require_login(connection, "api")
    refused = pytest.raises(WrongRole, match=f"`{OWNER}`, which owns the tables")
    with connect(plain_database) as connection, refused:
        require_login(connection, "api")


def test_roles_that_are_missing_are_named(plain_database: str) -> None:
    with connect(plain_database) as connection:
        require_roles(connection)
    # one who may not use it, as an owner to whom it was not granted
    refused = pytest.raises(RolesMissing, match="not granted: vp_shown")
    with psycopg.connect(as_web(plain_database)) as connection, refused:
        require_roles(connection)


def test_entries_of_the_audit_log_are_for_who_may_read_them(edition_world: str) -> None:
    towns = ("kaiserslautern", "verborgen")
    kinds: dict[str, list[tuple[Role, str | None]]] = {
        "nobody": [],
        "engineer": [("engineer", towns[0])],
        "administrator": [("administrator", towns[0])],
        "of-both": [("administrator", towns[0]), ("administrator", towns[1])],
        "operator": [("operator", None)],
    }
    seen = {}
    with people.of(edition_world) as them:
        for name, roles in kinds.items():
            them.put(f"{name}@example.org", *roles)
        viewers = {
            name: sessions.viewer_of(them.log_in(f"{name}@example.org")).credential
            for name in kinds
        }
        with them.operator() as connection:
            token = tokens.create(connection, towns[0], permissions=["view"])
            of_all = set(rows(connection, "select number, municipality from audit"))
            # an operator has no town to lose, an administrator has
            connection.execute("update vp.municipality set removed_at = now()")
    viewers["token"] = tokens.viewer_of(token, "audit").credential
    with session(edition_world) as connection:
        for removed in (True, False):
            for name, viewer in viewers.items():
                connection.execute(
                    "select set_config('vp.viewer', %s, false)", [viewer]
                )
                found = rows(connection, "select number, municipality from audit")
                seen[name, removed] = set(found)
            with connect(edition_world) as owner:
                owner.execute("update vp.municipality set removed_at = null")
        connection.execute("select set_config('vp.viewer', '', false)")
        assert rows(connection, "select from audit") == []
        for statement in (
            "delete from shown.audit",
            "update shown.audit set actor = ''",
            "insert into shown.audit (actor) values ('')",
            "select from vp.audit",
        ):
            with pytest.raises(REFUSED):
                connection.execute(statement.encode())
    for name in ("nobody", "engineer", "token"):
        assert seen[name, False] == set(), name
    assert {town for _, town in of_all} == {*towns, None}
    assert of_all <= seen["operator", True] < seen["operator", False]
    assert seen["administrator", True] == set()
    for name, own in (("administrator", towns[:1]), ("of-both", towns)):
        expected = {one for one in seen["operator", False] if one[1] in own}
        assert seen[name, False] == expected
