"""The roles of ingest and analytics: what statements of their own reach."""

from typing import Any, Final

import psycopg
import pytest
from psycopg import sql

from analytics.jobs.worker import Worker as Analytics
from ingest.worker import Worker as Ingest
from tests.integration.test_analytics import NOW, benched
from tests.parts import as_analytics, as_ingest, as_web, logins
from verkehrspuls.errors import LoginRefused, WrongRole
from verkehrspuls.settings import load
from verkehrspuls.stack.checks import OFF, OK, PROBLEM, examine
from verkehrspuls.storage.database import connect
from verkehrspuls.storage.roles import (
    ACTOR,
    ANALYTICS,
    INGEST,
    LOGINS,
    READER,
    SHOWN,
    require_login,
)

AS: Final = {INGEST: as_ingest, ANALYTICS: as_analytics}
#: of people, credentials and the audit log: closed to both
CLOSED: Final = {
    *("account", "account_link", "account_role", "api_token", "attempt", "audit"),
    *("audit_draft", "audit_turn", "idempotent_request", "live_link", "live_session"),
    *(
        "live_token",
        "passkey",
        "passkey_challenge",
        "role_permission",
        "salt_key",
        "session",
    ),
}
READINGS: Final = {"count_reading", "environment_reading"}
HISTORY: Final = {f"{readings}_history" for readings in READINGS}
#: what each may write; all else is closed, also what a later migration makes
WRITTEN: Final = {
    INGEST: READINGS
    | HISTORY
    | {
        *("ambiguous_reading", "frame", "ingest_group", "ingest_session"),
        *("ingest_slot", "ledger", "ledger_field", "ledger_reject", "newest_message"),
        *("ledger_reject_sum", "ledger_sum", "passed_over", "rejected_message"),
        *("sensor_status", "sequence", "sparkplug_birth", "stale_bucket"),
        *("credential", "replay", "status_day", "uneven_channel"),
    },
    ANALYTICS: {
        *("alert", "anomaly_case", "case_event", "case_member", "channel_health"),
        *("daily_figure", "environment_hour", "forecast", "frame", "imputed_hour"),
        *("long_environment", "long_volume", "newest_reading", "set_aside"),
        *("speed_histogram", "stale_bucket", "stale_case_day", "stale_case_hour"),
        *("stale_day", "volume"),
    },
}
#: functions with the rights of the owner
ALLOWED: Final = {
    INGEST: {"ensure_range", "mark_replayed"},
    ANALYTICS: {
        *("compress_before", "drop_old", "ensure_range", "forget_audit"),
        *("case_people", "decides", "lock_municipality", "note_audit", "person"),
        "sweep",
    },
}
REFUSED: Final = psycopg.errors.InsufficientPrivilege


def session(url: str, role: str) -> psycopg.Connection[Any]:
    """Open a session with statements of one's own."""
    options = "-c search_path=vp,public"
    return psycopg.connect(AS[role](url), options=options, autocommit=True)


def is_refused(connection: psycopg.Connection[Any], statement: str) -> bool:
    try:
        connection.execute(statement.encode())
    except REFUSED:
        return True
    return False


@pytest.mark.parametrize("role", AS)
def test_each_writes_its_own_tables_and_reads_no_people(
    database: str, role: str
) -> None:
    with benched(database) as bench:
        # chunks and partitions are looked at as well
        bench.count([5], start=NOW)
        bench.compute()
    with session(database, role) as connection:
        found = connection.execute(
            "select c.oid::regclass::text, "
            "coalesce(p.relname, c.relname), "
            "has_any_column_privilege(c.oid, 'select'), "
            "has_any_column_privilege(c.oid, 'insert, update') "
            "or has_table_privilege(c.oid, 'delete'), "
            "has_table_privilege(c.oid, 'truncate, trigger, references') "
            "from pg_class c "
            "left join pg_inherits i on i.inhrelid = c.oid "
            "left join pg_class p on p.oid = i.inhparent "
            "where c.relkind in ('r', 'p', 'v', 'm', 'f') and (c.relnamespace in "
            "('vp'::regnamespace, 'shown'::regnamespace) "
            "or c.oid::regclass::text ~ 'hyper_[0-9]')"
        ).fetchall()
        assert len(found) > 60
        for name, table, reads, writes, owns in found:
            shown = name.startswith("shown.")
            assert not (shown or table in CLOSED) or not reads, name
            # locked rows of the registry are covered below
            if table not in {"municipality", "site"}:
                assert not writes or table in WRITTEN[role], name
            assert not owns, name
        for table in sorted(CLOSED):
            select = sql.SQL("select * from {}").format(sql.Identifier(table))
            with pytest.raises(REFUSED):
                connection.execute(select)
    assert not WRITTEN[ANALYTICS] & (READINGS | HISTORY)
    assert {name.split(".")[-1] for name, *_, w, _ in found if w} >= WRITTEN[role]


ATTACKS: Final = {
    INGEST: (
        "update site set name = 'x'",
        "update municipality set name = 'x'",
        "update sensor set topic = 'x'",
        "update installation set output = 'x'",
        "delete from channel",
        "update anomaly_case set state = 'rejected'",
        "insert into case_event (anomaly_case_id, kind) values (1, 'comment')",
        "update volume set volume = 1",
        "update count_reading_history set car = 1",
        "update rejected_message set replayed_at = now()",
        "delete from ledger",
        "select sha256 from api_token",
        "select vp.note_audit('site.remove', 'x')",
        "select vp.forget_audit(30)",
        "select vp.drop_old('rejected_message', now())",
        "select vp.sweep()",
    ),
    ANALYTICS: (
        "update site set name = 'x'",
        "update site set site_id = default",
        "update municipality set municipality_id = default",
        "delete from site",
        "update sensor set topic = 'x'",
        "update installation set output = 'x'",
        "insert into count_reading (channel_id, time) values (1, now())",
        "update count_reading set car = 1",
        "delete from environment_reading",
        "select vp.remove_readings(array[1], null)",
        "select vp.drop_old('volume', now())",
        "delete from rejected_message",
        "select * from rejected_message",
        "delete from ledger",
        "select sha256 from api_token",
        "select vp.forget_audit(0)",
    ),
}
OF_THE_SERVER: Final = (
    "create table public.mine (name text)",
    "create table vp.mine (name text)",
    "create schema mine",
    "create function public.mine() returns int language sql as 'select 1'",
    "create extension pg_trgm",
    "alter table vp.site disable row level security",
    "alter role current_user superuser",
    "grant vp to current_user",
    "select pg_read_file('postgresql.conf')",
    "select * from pg_ls_dir('.')",
    "copy vp.site to '/tmp/x'",
    "copy (select 1) to program 'true'",
    "select lo_import('/etc/passwd')",
)


@pytest.mark.parametrize("role", AS)
def test_attacks_are_refused(plain_database: str, role: str) -> None:
    with benched(plain_database) as bench:
        bench.count([5])
    with session(plain_database, role) as connection:
        for statement in (*ATTACKS[role], *OF_THE_SERVER):
            assert is_refused(connection, statement), statement
        others = {*LOGINS, READER, ACTOR, SHOWN, "postgres", "pg_read_all_data"}
        for other in sorted(others - {role}):
            for statement in (
                f"set role {other}",
                f"set session authorization {other}",
                f"select set_config('role', '{other}', false)",
            ):
                assert is_refused(connection, statement), statement


@pytest.mark.parametrize("role", AS)
def test_functions_with_the_rights_of_the_owner_are_known(
    plain_database: str, role: str
) -> None:
    with session(plain_database, role) as connection:
        found = connection.execute(
            "select p.proname, p.prorettype = 'trigger'::regtype, "
            "has_schema_privilege(p.pronamespace, 'usage') "
            "and has_function_privilege(p.oid, 'execute'), "
            "p.proconfig::text ~ 'search_path=[^\"]*pg_temp\"' "
            "from pg_proc p where p.prosecdef "
            "and p.pronamespace in ('vp'::regnamespace, 'shown'::regnamespace)"
        ).fetchall()
    allowed = {name for name, triggers, may, _ in found if may and not triggers}
    assert allowed == ALLOWED[role]
    # else a temporary table could stand in for one that the function names
    assert {name for name, *_, safe in found if not safe} == set()


def test_a_temporary_table_stands_in_for_none(plain_database: str) -> None:
    entries = "select count(*) from vp.audit where action = 'figure.recompute'"
    with session(plain_database, ANALYTICS) as connection:
        connection.execute(
            "create temp table audit_draft (actor_kind text, actor text, actor_id int, "
            "origin text, via text, action text, key text, municipality text, "
            "before jsonb, after jsonb)"
        )
        connection.execute("grant all on audit_draft to vp")
        connection.execute("select vp.note_audit('figure.recompute', 'all')")
        assert connection.execute("select from audit_draft").fetchall() == []
    with connect(plain_database) as connection:
        assert connection.execute(entries).fetchone() == (1,)


def test_what_is_young_is_not_dropped(database: str) -> None:
    with benched(database) as bench:
        (now,) = bench.rows("select now()")[0]
        for days in (30, 200):
            bench.rows(
                "select vp.ensure_range('count_reading', t, t) from "
                "(select now() - make_interval(days => %s) as t) at",
                days,
            )
            bench.connection.execute(
                "insert into count_reading (channel_id, time, interval_s, sensor_id, "
                "received_at, car) values (%s, now() - make_interval(days => %s), 300, "
                "1, now(), 1)",
                (bench.channel(), days),
            )
        drop = "select vp.drop_old('count_reading', 'infinity')"
        assert bench.store.connection.execute(drop).fetchone() == (1,)
        ((left,),) = bench.rows("select time from count_reading")
        assert 29 <= (now - left).days <= 30


def test_what_arrives_for_a_removed_channel_is_swept(plain_database: str) -> None:
    with benched(plain_database) as bench:
        bench.rows("select ensure_range('count_reading', %s, %s)", NOW, NOW)
        bench.connection.execute(
            "insert into count_reading (channel_id, time, interval_s, sensor_id, "
            "received_at, car) values (4711, %s, 300, 1, %s, 1)",
            (NOW, NOW),
        )
        bench.mark(4711, NOW)
        assert bench.store.one("sweep") == {"channels": 1}
        assert bench.rows("select from count_reading") == []
        assert bench.rows("select from stale_bucket") == []
        assert bench.store.one("sweep") == {"channels": 0}


def test_a_part_works_as_its_own_role_only(plain_database: str) -> None:
    for part, own in (("ingest", as_ingest), ("analytics", as_analytics)):
        with psycopg.connect(own(plain_database)) as connection:
            require_login(connection, part)
    strangers = (("ingest", as_analytics, INGEST), ("analytics", as_web, ANALYTICS))
    for part, other, needed in strangers:
        refused = pytest.raises(WrongRole, match=f"is no member of {needed}")
        with psycopg.connect(other(plain_database)) as connection, refused:
            require_login(connection, part)
    settings = load({"VERKEHRSPULS_DATABASE__URL": plain_database})
    for worker, setting in ((Ingest, "INGEST_URL"), (Analytics, "ANALYTICS_URL")):
        owner = rf"as `vp`, which owns the tables.*DATABASE__{setting}"
        with pytest.raises(WrongRole, match=owner):
            worker(settings, on_ready=lambda: None).run()


def test_a_login_that_is_refused_says_so(plain_database: str) -> None:
    url = psycopg.conninfo.make_conninfo(plain_database, user="vp_renamed")
    given = {
        "VERKEHRSPULS_DATABASE__URL": plain_database,
        "VERKEHRSPULS_DATABASE__INGEST_URL": url,
        "VERKEHRSPULS_DATABASE__ANALYTICS_URL": url,
    }
    for worker in (Ingest, Analytics):
        with pytest.raises(LoginRefused, match=r"vp_renamed.*__INGEST_URL"):
            worker(load(given), on_ready=lambda: None).run()


def test_doctor_names_who_logs_in_above_its_role(plain_database: str) -> None:
    def found(settings: dict[str, str]) -> dict[str, tuple[str, str]]:
        return {
            one.part: (one.state, one.detail)
            for one in examine(load(settings))
            if one.part.startswith("login")
        }

    own = logins(plain_database)
    owner = {"VERKEHRSPULS_DATABASE__URL": plain_database}
    assert found(own) == {
        "logins": (OK, "as roles of their own: api, ingest, analytics")
    }
    assert found(owner) == {"logins": (OFF, "none is set here")}
    with (
        connect(plain_database, application="ingest 0"),
        connect(as_analytics(plain_database), application="verkehrspuls analytics"),
    ):
        ((part, (state, detail)),) = found(owner).items()
    assert (part, state) == ("login of ingest", PROBLEM)
    assert "connected as `vp`" in detail
    wrong = own | {"VERKEHRSPULS_DATABASE__ANALYTICS_URL": as_web(plain_database)}
    ((part, (state, detail)),) = found(wrong).items()
    assert (part, state) == ("login of analytics", PROBLEM)
    assert "no member of vp_analytics" in detail
