"""The audit log: each change has its entry, and no entry is changed."""

import csv
import hashlib
import io
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, LiteralString

import msgspec
import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from starlette.testclient import TestClient

from analytics.jobs import claims
from analytics.jobs.recompute import recompute
from analytics.jobs.store import open_store
from api.app import create_app
from ingest.rejects import Choice, replay
from tests.cases import Finding, open_case
from tests.parts import as_web, bound_s
from tests.towns import LANES, TOWN, corridor, counter, junction
from verkehrspuls.access import audit, tokens
from verkehrspuls.cli import command
from verkehrspuls.errors import FoundProblems, UnknownKey
from verkehrspuls.model import Site, Town
from verkehrspuls.registry import calendar, ending, removal
from verkehrspuls.registry.registration import Entry
from verkehrspuls.registry.towns import register
from verkehrspuls.settings import load
from verkehrspuls.storage import roles
from verkehrspuls.storage.database import Connection, connect, execute

NOW: Final = datetime(2026, 11, 21, 20, tzinfo=UTC)
#: a town with everything that can be registered
WHOLE: Final[Town] = msgspec.structs.replace(
    TOWN,
    sites=(*TOWN.sites, Site(key="b423", name="B 423", channels=LANES)),
    sensors=(*TOWN.sensors, counter("loop-1", "Schleife 1", site="b423")),
    corridors=(corridor("road", ("b420", "in", 0), ("b423", "in", 500)),),
    junctions=(junction("node", ("b420", "in", "in"), ("b423", "out", "out")),),
)
#: Tables whose rows the program computes, receives or keeps for itself.
COMPUTED: Final = frozenset(
    {
        *("oidc_login", "oidc_logout", "oidc_session"),
        *("attempt", "bucket", "passkey_challenge", "role_permission", "salt_key"),
        *(
            "alert",
            "ambiguous_reading",
            "anomaly_case",
            "audit",
            "audit_draft",
            "audit_turn",
        ),
        *("case_event", "case_member", "change", "channel_health", "count_reading"),
        *("count_reading_history", "daily_figure", "environment_hour"),
        *("environment_reading", "environment_reading_history", "forecast", "frame"),
        *("idempotent_request", "imputed_hour", "ingest_group", "ingest_session"),
        *("ingest_slot", "ledger", "ledger_dropped", "ledger_field", "ledger_reject"),
        *("ledger_reject_sum", "ledger_sum", "long_environment", "long_volume"),
        *("migration", "newest_message", "newest_reading", "passed_over"),
        *("rejected_message", "sensor_status", "sequence", "series", "set_aside"),
        *("sparkplug_birth", "speed_histogram", "stale_bucket", "stale_case_day"),
        *("stale_case_hour", "stale_day", "status_day", "storage", "time_zone"),
        *("tap", "uneven_channel", "volume"),
    }
)
#: What a person does to rows that the program keeps.
IN_PART: Final = frozenset({"anomaly_case", "case_event"})


@pytest.fixture
def log(database: str) -> Iterator[Connection]:
    """A database of each storage edition, as its owner."""
    with connect(database, autocommit=True) as connection:
        yield connection


@pytest.fixture
def town(plain_database: str) -> Iterator[Connection]:
    with connect(plain_database, autocommit=True) as connection:
        register(connection, WHOLE)
        yield connection


def fill(connection: Connection, entries: int, *, at: datetime | None = None) -> None:
    """Append entries, as the owner can."""
    connection.execute(
        "insert into vp.audit (at, actor_kind, actor, origin, via, action, key, after)"
        " select coalesce(%s, clock_timestamp()), 'command', 'ada', 'here', 'x',"
        " 'site.change', 'kusel/' || n, jsonb_build_object('n', n)"
        " from generate_series(1, %s) n",
        [at, entries],
    )


def actions(connection: Connection, after: int = 0) -> list[tuple[str, str]]:
    """Return actions and keys of the entries after a number, in their order."""
    found = audit.find(connection)
    return [(one.action, one.key) for one in reversed(found) if one.number > after]


def newest(connection: Connection) -> audit.Entry:
    return audit.find(connection, limit=1)[0]


def last_number(connection: Connection) -> int:
    found = audit.find(connection, limit=1)
    return found[0].number if found else 0


def tampered(connection: Connection, *statements: LiteralString) -> audit.Proof:
    """Change the log as only who may disable triggers can; return what is found."""
    connection.execute("alter table vp.audit disable trigger user")
    for statement in statements:
        connection.execute(statement)
    connection.execute("alter table vp.audit enable trigger user")
    return audit.check(connection)


# the chain


def test_writers_at_once_make_one_chain_without_gaps(
    log: Connection, record_property: Callable[[str, object], None]
) -> None:
    def write(writer: int) -> None:
        with connect(url_of(log)) as connection:
            for n in range(100):
                audit.note(connection, "site.change", key=f"kusel/{writer}-{n}")
                if n % 10 == 9:
                    connection.rollback()
                else:
                    connection.commit()

    began = time.monotonic()
    with ThreadPoolExecutor(4) as writers:
        list(writers.map(write, range(4)))
    record_property("appends_per_s", 360 / (time.monotonic() - began))
    proof = audit.check(log)
    assert (proof.entries, proof.first, proof.last, proof.broken) == (360, 1, 360, None)
    keys = {entry.key for entry in audit.find(log)}
    assert len(keys) == 360
    assert "kusel/0-9" not in keys


def test_writers_do_not_wait_for_one_that_has_not_committed(log: Connection) -> None:
    with connect(url_of(log)) as slow:
        audit.note(slow, "site.change", key="slow")
        audit.note(log, "site.change", key="quick")
        slow.commit()
    assert actions(log) == [("site.change", "quick"), ("site.change", "slow")]


def test_what_is_rolled_back_leaves_nothing(log: Connection) -> None:
    with suppress(KeyError), log.transaction():
        log.execute(
            "insert into vp.municipality (key, name, state, time_zone)"
            " values ('kusel', 'Kusel', 'RP', 'Europe/Berlin')"
        )
        raise KeyError
    assert audit.find(log) == []
    with log.transaction():
        audit.note(log, "site.change", key="kept")
        with suppress(KeyError), log.transaction():
            audit.note(log, "site.change", key="left")
            raise KeyError
    assert actions(log) == [("site.change", "kept")]
    drafts = log.execute("select count(*) from vp.audit_draft").fetchone()
    assert drafts == (0,)


def test_entry_that_fails_prevents_the_change(log: Connection) -> None:
    log.execute("alter table vp.audit add constraint full_disk check (number < 3)")
    with pytest.raises(psycopg.errors.CheckViolation, match="full_disk"):
        register(log, TOWN)
    assert log.execute("select count(*) from vp.site").fetchone() == (0,)
    assert audit.find(log) == []


def test_hundred_thousand_entries_are_proved_in_seconds(
    plain_database: str, record_property: Callable[[str, object], None]
) -> None:
    with connect(plain_database, autocommit=True) as log:
        fill(log, 100_000)
        began = time.monotonic()
        proof = audit.check(log)
        took = time.monotonic() - began
    record_property("check_s", took)
    assert (proof.entries, proof.broken) == (100_000, None)
    assert took < bound_s(5)


def text_of(facts: object) -> str:
    """Write JSON as the documentation says that `before` and `after` are hashed."""
    if isinstance(facts, dict):
        ordered = sorted(
            facts.items(), key=lambda item: (len(item[0].encode()), item[0])
        )
        return f"{{{', '.join(f'{text_of(k)}: {text_of(v)}' for k, v in ordered)}}}"
    if isinstance(facts, list):
        return f"[{', '.join(map(text_of, facts))}]"
    if isinstance(facts, Decimal):
        return f"{facts:f}"
    return json.dumps(facts, ensure_ascii=False)


def test_export_is_proved_by_what_the_documentation_says(log: Connection) -> None:
    odd = 'Ä "q" \\ \x1f \x7f \u2028 🚲 </script>'
    facts = {
        "längst": 1.10,
        "b": [1e-7, True, None],
        "a": {odd: odd},
        "\t": 12345678901,
    }
    register(log, TOWN)
    audit.note(log, "site.change", key=odd, before=facts, after={})
    previous = ""
    for entry in reversed(audit.find(log)):
        line = msgspec.json.encode(entry)
        one = json.loads(line, parse_float=Decimal)
        before, after = (
            None if one[name] is None else text_of(one[name])
            for name in ("before", "after")
        )
        at = entry.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        hashed = [
            *(one["number"], at, one["actor_kind"], one["actor"], one["actor_id"]),
            *(one["origin"], one["via"], one["action"], one["key"]),
            *(one["municipality"], before, after, previous),
        ]
        text = json.dumps(hashed, ensure_ascii=False).encode()
        assert hashlib.sha256(text).hexdigest() == one["hash"]
        previous = one["hash"]
    assert audit.check(log).broken is None


# who may what


def test_not_even_the_owner_changes_an_entry(log: Connection) -> None:
    fill(log, 3)
    for statement in (
        "update vp.audit set actor = 'nobody'",
        "update vp.audit set actor = 'nobody' where false",
        "delete from vp.audit",
        "delete from vp.audit where number = 1",
        "truncate vp.audit",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="appended"):
            log.execute(statement)
    # what is inserted with a number and hash of one's own is a link like any other
    log.execute(
        "insert into vp.audit (number, actor_kind, actor, origin, via, action, key,"
        " previous, hash) values (77, 'system', 'x', 'x', 'x', 'x.y', '', '', '')"
    )
    assert audit.check(log)[:3] == (4, 1, 4)


@pytest.mark.parametrize("role", [*roles.LOGINS[1:], roles.READER, roles.ACTOR])
def test_no_other_role_reads_or_changes_it(log: Connection, role: str) -> None:
    for table in ("vp.audit", "vp.audit_draft", "vp.audit_turn"):
        row = log.execute(
            "select bool_or(has_table_privilege(%s, %s, p)) from unnest(array['select',"
            " 'insert', 'update', 'delete', 'truncate', 'trigger', 'references']) p",
            [role, table],
        ).fetchone()
        assert row == (False,)
    may = (
        "select has_function_privilege(%s, oid, 'execute'), proname from pg_proc where"
    )
    functions = log.execute(
        f"{may} pronamespace = 'vp'::regnamespace and prorettype <> 'trigger'::regtype"
        " and proname in ('note_audit', 'forget_audit', 'actor', 'note_row', 'watch')",
        [role],
    ).fetchall()
    expected = {
        roles.ACTOR: {"note_audit"},
        # a member of the former, as which it has to act
        roles.WEB: set[str](),
        roles.ANALYTICS: {"note_audit", "forget_audit"},
    }
    assert len(functions) == 5
    assert {name for may, name in functions if may} == expected.get(role, set())


def test_web_appends_as_nobody_and_does_not_read(town: Connection) -> None:
    with psycopg.connect(as_web(url_of(town)), autocommit=True) as web:
        web.execute(f"set role {roles.ACTOR}")
        for said in (
            "",
            '{"user": "root", "kind": "command", "host": "x", "via": "y"}',
        ):
            web.execute("select set_config('vp.origin', %s, false)", [said])
            web.execute("select vp.note_audit('session.refuse', 'ada')")
            entry = newest(town)
            assert (entry.actor_kind, entry.actor, entry.key) == (
                "anonymous",
                "",
                "ada",
            )
        for statement in (
            "select * from vp.audit",
            "select * from vp.audit_draft",
            "insert into vp.audit (actor) values ('root')",
            "update vp.audit set actor = 'root'",
            "delete from vp.audit",
            "truncate vp.audit",
            "select vp.forget_audit(30)",
            "select vp.actor()",
            "alter table vp.audit disable trigger user",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                web.execute(statement)
        # nobody says over the web that something was forgotten
        with pytest.raises(psycopg.errors.CheckViolation):
            web.execute("select vp.note_audit('audit.forget', '99', after => '{}')")


# what is found


@pytest.mark.parametrize(
    ("statement", "broken", "reason"),
    [
        ("update vp.audit set actor = 'bob' where number = 5", 5, "it was changed"),
        (
            "update vp.audit set after = '{\"n\": 6}' where number = 5",
            5,
            "it was changed",
        ),
        (
            "delete from vp.audit where number in (5, 6)",
            7,
            "the entries from 5 to 6 are missing",
        ),
        ("delete from vp.audit where number < 4", 4, "what came before it is missing"),
        (
            "update vp.audit set number = case number when 5 then 60 else 5 end"
            " where number in (5, 6); update vp.audit set number = 6 where number = 60",
            5,
            "it does not follow the entry before it",
        ),
        (
            # with a right hash of its own
            "update vp.audit a set key = 'x' where number = 5;"
            "update vp.audit a set hash = vp.audit_hash(a) where number = 5",
            6,
            "it does not follow the entry before it",
        ),
    ],
)
def test_first_entry_that_was_tampered_with_is_found(
    log: Connection, statement: LiteralString, broken: int, reason: str
) -> None:
    fill(log, 9)
    proof = tampered(log, *statement.split(";"))
    assert (proof.broken, proof.reason) == (broken, reason)


def test_end_that_was_cut_off_is_found_by_a_head_kept_elsewhere(
    log: Connection,
) -> None:
    fill(log, 9)
    head = audit.check(log).head
    fill(log, 1)
    assert audit.check(log, head=head).broken is None
    assert tampered(log, "delete from vp.audit where number > 7").broken is None
    assert audit.check(log, head=head)[4] == 8
    # and all written anew
    fill(log, 3)
    assert "no entry has the head" in audit.check(log, head=head).reason


def test_empty_log_is_proved(log: Connection) -> None:
    assert audit.check(log) == audit.Proof(0, None, None, "")
    assert audit.check(log, head="00").broken == 1


# retention


def test_what_is_forgotten_leaves_a_chain_that_is_proved(log: Connection) -> None:
    old = datetime.now(UTC) - timedelta(days=50)
    fill(log, 20, at=old)
    head = audit.check(log).head
    fill(log, 5)
    assert audit.forget(log, days=60) == 0
    assert audit.forget(log, days=40) == 20
    proof = audit.check(log)
    assert (proof.entries, proof.first, proof.last) == (6, 21, 26)
    assert proof.broken is None
    entry = newest(log)
    assert (entry.actor_kind, entry.action, entry.key) == (
        "system",
        "audit.forget",
        "20",
    )
    assert entry.after == {"number": 20, "hash": head}
    # the last one that was forgotten is known
    assert audit.check(log, head=head).broken is None
    assert audit.forget(log, days=40) == 0
    # what remains is guarded as before, and what was forgotten cannot come back
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        log.execute("delete from vp.audit where number = 21")
    assert tampered(log, "delete from vp.audit where number = 21").broken == 22


def test_what_is_forgotten_twice_is_proved_by_the_last_time(log: Connection) -> None:
    now = datetime.now(UTC)
    fill(log, 3, at=now - timedelta(days=90))
    fill(log, 3, at=now - timedelta(days=60))
    assert audit.forget(log, days=80) == 3
    assert audit.forget(log, days=50) == 3
    assert audit.check(log)[:3] == (2, 7, 8)
    fill(log, 1)
    assert audit.check(log).broken is None


def test_nothing_after_an_entry_that_is_kept_is_forgotten(log: Connection) -> None:
    now = datetime.now(UTC)
    fill(log, 2, at=now)
    fill(log, 2, at=now - timedelta(days=9000))  # of a clock that was wrong
    assert audit.forget(log, days=40) == 0


def test_maintenance_forgets_what_is_older_than_the_setting(log: Connection) -> None:
    fill(log, 3, at=datetime.now(UTC) - timedelta(days=50))
    settings = load({"VERKEHRSPULS_ANALYTICS__KEEP_AUDIT_DAYS": "40"})
    with open_store(url_of(log), application="test") as store:
        assert claims.maintain(store, settings.analytics, now=datetime.now(UTC))
    assert actions(log) == [("audit.forget", "3")]


def test_retention_has_a_least(log: Connection) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="30 days"):
        audit.forget(log, days=29)


# what has an entry


def test_each_table_is_watched_or_computed(log: Connection) -> None:
    rows = log.execute(
        "select relname, exists (select from pg_trigger t where t.tgrelid = c.oid"
        " and t.tgname = 'audit') from pg_class c"
        " where relnamespace = 'vp'::regnamespace and relkind in ('r', 'p')"
        " and not relispartition"
    ).fetchall()
    watched = {name for name, is_watched in rows if is_watched}
    assert {name for name, _ in rows} - watched <= COMPUTED
    assert watched & COMPUTED == IN_PART


def test_each_thing_that_is_registered_has_its_entry(town: Connection) -> None:
    found = actions(town)
    assert found[0] == ("municipality.add", "kusel")
    assert set(found) == {
        ("municipality.add", "kusel"),
        ("site.add", "kusel/b420"),
        ("site.add", "kusel/b423"),
        ("channel.add", "kusel/b420/in"),
        ("channel.add", "kusel/b420/out"),
        ("channel.add", "kusel/b420/no2"),
        ("channel.add", "kusel/b423/in"),
        ("channel.add", "kusel/b423/out"),
        ("sensor.add", "kusel/camera-1"),
        ("sensor.add", "kusel/air-1"),
        ("sensor.add", "kusel/loop-1"),
        ("installation.add", "kusel/camera-1/1"),
        ("installation.add", "kusel/camera-1/2"),
        ("installation.add", "kusel/air-1/no2_ugm3"),
        ("installation.add", "kusel/loop-1/1"),
        ("installation.add", "kusel/loop-1/2"),
        ("corridor.add", "kusel/road"),
        ("corridor_station.add", "kusel/road/0"),
        ("corridor_station.add", "kusel/road/1"),
        ("junction.add", "kusel/node"),
        ("junction_arm.add", "kusel/node"),
    }


def test_what_is_registered_again_as_it_was_has_none(town: Connection) -> None:
    before = last_number(town)
    register(town, WHOLE)
    register(town, WHOLE, keep=True)
    assert actions(town, before) == []


def test_entry_of_a_change_says_only_what_changed(town: Connection) -> None:
    before = last_number(town)
    site, other = WHOLE.sites
    changed = msgspec.structs.replace(site, name="B 420 neu", visibility="private")
    shorter = corridor("road", ("b423", "in", 0), ("b420", "in", 700))
    register(
        town,
        msgspec.structs.replace(WHOLE, sites=(changed, other), corridors=(shorter,)),
    )
    found = {entry.key: entry for entry in audit.find(town) if entry.number > before}
    assert found.keys() == {"kusel/b420", "kusel/road/0", "kusel/road/1"}
    assert found["kusel/b420"].before == {
        "name": "B 420 Ortsdurchfahrt",
        "visibility": "public",
    }
    assert found["kusel/b420"].after == {"name": "B 420 neu", "visibility": "private"}
    assert found["kusel/road/1"].before == {"site": "b423", "chainage_m": 500}
    assert found["kusel/road/1"].after == {"site": "b420", "chainage_m": 700}


def test_what_is_removed_has_its_entries(town: Connection) -> None:
    before = last_number(town)
    ending.end(town, "kusel", Entry("sensor", "air-1"), at=NOW, now=NOW)
    assert actions(town, before) == [
        ("sensor.change", "kusel/air-1"),
        ("installation.change", "kusel/air-1/no2_ugm3"),
    ]
    before = last_number(town)
    removal.remove(town, "sensor", "kusel", "loop-1", with_readings=True, sure=True)
    assert sorted(actions(town, before)) == [
        ("installation.remove", "kusel/loop-1/1"),
        ("installation.remove", "kusel/loop-1/2"),
        ("sensor.remove", "kusel/loop-1"),
    ]
    before = last_number(town)
    removal.remove(town, "site", "kusel", "b423", with_readings=True, sure=True)
    found = actions(town, before)
    assert found[-1] == ("site.remove", "kusel/b423")
    assert {
        ("channel.remove", "kusel/b423/in"),
        ("channel.remove", "kusel/b423/out"),
        ("corridor.remove", "kusel/road"),
        ("junction.remove", "kusel/node"),
    } < set(found)
    before = last_number(town)
    removal.remove(town, "town", "kusel", with_readings=True, sure=True)
    assert actions(town, before)[-1] == ("municipality.remove", "kusel")
    register(town, TOWN)
    assert ("municipality.add", "kusel") in actions(town, before)


def test_calendar_has_its_entries(town: Connection) -> None:
    before = last_number(town)
    day = date(2026, 5, 1)
    market = calendar.NewEvent("kusel", "b420", "Markt", day, day, "")
    number = calendar.put_event(town, **asdict(market))
    calendar.put_event(town, **asdict(market) | {"last": day + timedelta(days=1)})
    calendar.remove_event(town, number)
    assert actions(town, before) == [
        ("event.add", f"{number}"),
        ("event.change", f"{number}"),
        ("event.remove", f"{number}"),
    ]
    entry = newest(town)
    assert (entry.before or {})["site"] == "b420"
    holiday = calendar.SchoolHoliday("RP", "Ostern", day, day, "test")
    for _ in range(2):
        calendar.replace_school_holidays(town, [holiday])
    assert actions(town, entry.number) == [("school_holiday.add", "RP")]


def test_work_that_was_asked_for_has_its_entry(town: Connection) -> None:
    settings = load({"VERKEHRSPULS_DATABASE__URL": url_of(town)})
    before = last_number(town)
    replay(settings, Choice(municipality="kusel", reason="unknown-topic"))
    recompute(
        settings, claims.Choice("kusel", None, date(2026, 5, 1), None), progress=False
    )
    assert actions(town, before) == [
        ("reject.replay", "kusel"),
        ("figure.recompute", "kusel"),
    ]
    assert (newest(town).after or {})["first"] == "2026-05-01"


def url_of(connection: Connection) -> str:
    """Return how to log in as the connection did."""
    info = connection.info
    return make_conninfo(info.dsn, password=info.password, options="")


# who did it


@pytest.fixture
def run(town: Connection, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    monkeypatch.setenv("VERKEHRSPULS_DATABASE__URL", url_of(town))
    return lambda *words: command.app(words, standalone_mode=False)


def test_command_is_named_by_its_words_and_no_secret_is_noted(
    town: Connection,
    run: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: 'a host\\ of "x"')
    run("token", "create", "kusel/camera-1", "--note", "Büro 🚲")
    token = capsys.readouterr().out.strip()
    entry = newest(town)
    assert (entry.actor_kind, entry.via) == ("command", "token create")
    assert entry.origin == 'a host\\ of "x"'
    assert (entry.action, entry.key) == ("token.add", token[:11])
    assert (entry.after or {}).items() >= {
        "name": "Büro 🚲",
        "sensor": "camera-1",
        "account": None,
    }.items()
    run("token", "revoke", token)
    entry = newest(town)
    assert (entry.action, entry.via) == ("token.revoke", "token revoke")
    assert entry.before == {"revoked_at": None}
    # used, and so written to, but not changed
    viewer = tokens.viewer_of(token).credential
    execute(town, "take_viewer", viewer=viewer, once=True)
    tokens.note_use(town)
    assert newest(town) == entry
    rows = town.execute("select a::text from vp.audit a").fetchall()
    text = "".join(row for (row,) in rows)
    assert token not in text
    assert hashlib.sha256(token.encode()).hexdigest() not in text


def test_decision_over_the_api_is_of_its_token(town: Connection) -> None:
    token = tokens.create(town, "kusel", permissions=["cases"], name="Ada")
    case = open_case(
        town, Finding("b420", "in", "silent", NOW - timedelta(hours=2), NOW)
    )
    settings = load({"VERKEHRSPULS_DATABASE__URL": as_web(url_of(town))})
    before = last_number(town)
    headers = {"authorization": f"Bearer {token}"}
    path = f"/api/v1/cases/{case}"
    decision = {"state": "confirmed", "effect": "exclude", "comment": "Baustelle"}
    with TestClient(create_app(settings), headers=headers) as client:
        assert client.patch(path, json={**decision, "state": "x"}).status_code == 422
        assert client.patch(path, json=decision).status_code == 200
        assert client.post(f"{path}/comments", json={"comment": "!"}).status_code == 201
    found = [entry for entry in reversed(audit.find(town)) if entry.number > before]
    assert [(entry.action, entry.key) for entry in found] == [
        ("case.decide", f"{case}"),
        ("case.comment", f"{case}"),
        ("case.comment", f"{case}"),
    ]
    decided, comment, _ = found
    assert {(each.actor_kind, each.actor, each.municipality) for each in found} == {
        ("token", "Ada", "kusel")
    }
    assert decided.actor_id is not None
    assert (decided.origin, decided.via) == (
        "testclient",
        "PATCH /api/v1/cases/{number}",
    )
    assert decided.before == {"state": "suspected", "effect": "caveat"}
    assert decided.after == {"state": "confirmed", "effect": "exclude"}
    assert (comment.after or {})["comment"] == "Baustelle"


def test_of_a_secret_only_its_change_is_noted(log: Connection) -> None:
    log.execute("create table vp.door (name text, word text, opened integer)")
    log.execute(
        "select vp.watch('door', 'door', $$ select null::text, entry.name, '{}'::jsonb"
        " $$, array['opened'], secret => array['word'])"
    )
    for statement in (
        "insert into vp.door values ('cellar', 'sesame', 0)",
        "update vp.door set opened = 1",
        "update vp.door set word = 'mellon'",
        "update vp.door set word = null",
        "delete from vp.door",
    ):
        log.execute(statement.encode())
    assert [(one.action, one.before, one.after) for one in audit.find(log)] == [
        ("door.remove", {"name": "cellar", "word": None}, None),
        ("door.change", {"word": "…"}, {"word": None}),
        ("door.change", {"word": "…"}, {"word": "…"}),
        ("door.add", None, {"name": "cellar", "word": "…"}),
    ]


def test_by_hand_is_the_role_that_logged_in(town: Connection) -> None:
    with psycopg.connect(url_of(town), application_name="psql") as connection:
        connection.execute("update vp.site set road = 'B 1' where key = 'b420'")
    entry = newest(town)
    assert (entry.actor_kind, entry.actor, entry.via) == ("command", "vp", "psql")


# commands


def test_entries_are_listed_shown_proved_and_exported(
    town: Connection,
    run: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    register(town, msgspec.structs.replace(WHOLE, contact="", name="=1+1"))
    number = last_number(town)

    def said(*words: str) -> Any:
        run("audit", *words)
        return json.loads(capsys.readouterr().out)

    assert [one["number"] for one in said("list", "--json", "--limit", "1")] == [number]
    of_site = said("list", "--json", "--action", "channel", "--key", "kusel/b420")
    assert len(of_site) == 3
    assert said("list", "--json", "--actor", "nobody") == []
    assert said("list", "--json", "--to", "2020-01-01") == []
    assert said("show", f"{number}", "--json")["after"] == {"name": "=1+1"}
    run("audit", "show", f"{number}")
    assert "Landkreis Kusel" in capsys.readouterr().out
    with pytest.raises(UnknownKey, match="no entry 999"):
        run("audit", "show", "999")
    proof = said("check", "--json")
    assert (proof["last"], proof["broken"]) == (number, None)
    run("audit", "check", "--head", proof["head"])
    with pytest.raises(FoundProblems):
        run("audit", "check", "--head", "00")
    capsys.readouterr()
    run("audit", "export", "--format", "jsonl", "--municipality", "kusel")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["number"] for line in lines] == list(range(number, 0, -1))
    file = tmp_path / "audit.csv"
    run("audit", "export", "--output", str(file))
    rows = list(csv.DictReader(io.StringIO(file.read_text("utf-8"))))
    assert rows[0]["hash"] == proof["head"]
    assert json.loads(rows[0]["after"]) == {"name": "=1+1"}
