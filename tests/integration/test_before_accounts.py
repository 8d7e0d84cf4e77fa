"""Who upgrades from the version before accounts is not locked out.

Its tables are those of migration 0031, its rows are written as that version wrote them.
"""

import hashlib
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx2
import pytest
from fastapi.testclient import TestClient

from dashboards.app import create_web
from tests import parts, people
from tests.intake import ingesting
from tests.integration.test_migrations import by_alembic
from tests.people import ANNE, HOME, PASSWORD, USUAL
from verkehrspuls.access import links, passwords
from verkehrspuls.cli import command
from verkehrspuls.settings import load
from verkehrspuls.storage import migrate
from verkehrspuls.storage.database import Connection, connect

#: the last migration of that version
BEFORE: Final = "0031"
ADDRESS: Final = "https://verkehr.example.org"
NOON: Final = datetime(2026, 11, 2, 12, tzinfo=UTC)
NAMES: Final = ("town", "camera", "cases", "revoked", "expired")
#: as the version of then made them
TOKENS: Final = {
    name: f"vp_{number:08x}_{name:->43}" for number, name in enumerate(NAMES)
}
CASES: Final = "/api/v1/cases"

REGISTERED: Final = """
with m as (
    insert into vp.municipality (key, name, state, time_zone)
    values ('kusel', 'Kusel', 'RP', 'Europe/Berlin') returning municipality_id
), s as (
    insert into vp.site (municipality_id, key, name, visibility)
    select municipality_id, key, name, visibility from m, (values
        ('b420', 'B 420', 'public'), ('depot', 'Bauhof', 'private')
    ) as n (key, name, visibility) order by key returning site_id, key
), c as (
    insert into vp.channel (site_id, key, name, quantity, direction)
    select site_id, 'in', 'einwärts', 'motor', 'in' from s order by site_id
    returning channel_id, site_id
), e as (
    insert into vp.sensor (municipality_id, key, name, interval_s, class_scheme)
    select municipality_id, key, key, 300, 'tls-8+1'
    from m, (values ('camera-1'), ('camera-2')) as n (key) returning sensor_id, key
)
insert into vp.installation (sensor_id, channel_id, output, period)
select sensor_id, channel_id, '1', tstzrange('2000-01-01', null)
from e join s on (e.key, s.key) in (('camera-1', 'b420'), ('camera-2', 'depot'))
join c using (site_id)
"""
GIVEN: Final = """
insert into vp.api_token (
    prefix, sha256, municipality_id, sensor_id, purpose, note, expires_at, revoked_at)
select %s, %s, municipality_id, (select sensor_id from vp.sensor where key = %s), %s,
       %s, %s, %s
from vp.municipality
"""
FOUND: Final = """
with a as (
    insert into vp.anomaly_case (
        site_id, channel_id, detector, began, ended, score, reason, state, effect,
        detectors)
    select site_id, channel_id, 'stuck', %(at)s,
           %(at)s::timestamptz + interval '1 hour', 9, 'stuck',
           case s.key when 'b420' then 'confirmed' else 'suspected' end,
           case s.key when 'b420' then 'exclude' else 'caveat' end, '{stuck}'
    from vp.site s join vp.channel using (site_id)
    returning *
), e as (
    insert into vp.case_member (
        anomaly_case_id, channel_id, detector, began, ended, score, reason)
    select anomaly_case_id, channel_id, detector, began, ended, score, reason from a
)
insert into vp.case_event (anomaly_case_id, kind, who, state, effect, severity, comment)
select anomaly_case_id, kind, who, a.state, a.effect, a.severity, comment
from a, (values
    (1, 'opened', 'detectors', ''), (2, 'decided', 'Leitstelle', 'Zähler hängt'),
    (3, 'comment', 'Frau Weber', 'ist getauscht')
) as n (turn, kind, who, comment)
where a.state = 'confirmed' or kind = 'opened' order by turn
"""
REJECTED: Final = """
insert into vp.rejected_message (
    received_at, slot, sensor_id, topic, payload, payload_bytes, reason, detail,
    readings_rejected)
select %s::timestamptz + n * interval '1 day', 0,
       (select sensor_id from vp.sensor where key = given.sensor), topic, '{}', 2,
       'unreadable', '', 0
from (values
    (0, 'camera-1', 'foreign/1'), (1, null, 'vp/v1/kusel/camera-9/counts'),
    (2, null, 'vp/v1/nowhere/camera-1/counts'), (3, null, 'foreign/kusel/2')
) as given (n, sensor, topic)
"""


def fill(connection: Connection) -> None:
    """Write what that version had: a registry, tokens, readings, rejects and cases."""
    connection.execute(REGISTERED)
    ended = datetime.now(UTC) - timedelta(days=1)
    for name, sensor, purpose, note, expires_at, revoked_at in (
        ("town", None, "readings", "Stadtwerke", None, None),
        ("camera", "camera-1", "readings", "", None, None),
        ("cases", None, "cases", "Leitstelle", None, None),
        ("revoked", None, "readings", "alt\x07", None, ended),
        ("expired", None, "cases", "x" * 1200, ended, None),
    ):
        token = TOKENS[name]
        sha256 = hashlib.sha256(token.encode()).digest()
        connection.execute(
            GIVEN,
            [token[:11], sha256, sensor, purpose, note, expires_at, revoked_at],
        )
    connection.execute(FOUND, {"at": NOON})
    connection.execute("select vp.ensure_range('volume', %s, %s)", [NOON, NOON])
    connection.execute(
        "select vp.ensure_range('rejected_message', %s, %s)",
        [NOON, NOON + timedelta(days=3)],
    )
    connection.execute(REJECTED, [NOON])
    connection.execute(
        "insert into vp.volume (channel_id, interval_s, time, observed_s, volume, car)"
        " select channel_id, 3600, %s, 3600, 7, 7 from vp.channel",
        [NOON],
    )


def bring_up_to_date(url: str) -> None:
    """Leave a database as that version did, and migrate it."""
    with connect(url, autocommit=True) as connection:
        connection.execute("drop schema if exists vp, shown cascade")
    by_alembic(url, BEFORE)
    with connect(url, autocommit=True) as connection:
        fill(connection)
    before, after = migrate.migrate(url)
    assert (before, after) == (BEFORE, migrate.migrations()[-1].revision)


def test_what_was_given_and_decided_is_kept(database: str) -> None:
    bring_up_to_date(database)
    with connect(database) as connection:
        tokens = connection.execute(
            "select permissions, name, municipality_id is not null, expires_at is null,"
            " revoked_at is null, account_id from vp.api_token order by api_token_id"
        ).fetchall()
        history = connection.execute(
            "select kind, who, acted_as, state, comment from vp.case_event"
            " order by anomaly_case_id, case_event_id"
        ).fetchall()
        volumes = connection.execute("select volume from vp.volume").fetchall()
        sites = connection.execute("select name from shown.site").fetchall()
        rejects = connection.execute(
            "select topic, key from vp.rejected_message"
            " left join vp.municipality using (municipality_id) order by received_at"
        ).fetchall()
    assert tokens == [
        (["readings"], "Stadtwerke", True, True, True, None),
        (["readings"], "", True, True, True, None),
        (["cases"], "Leitstelle", True, True, True, None),
        (["readings"], "alt\ufffd", True, True, False, None),
        (["cases"], "x" * 1000, True, False, True, None),
    ]
    assert history == [
        ("opened", "detectors", "detectors", "confirmed", ""),
        ("decided", "Leitstelle", "person", "confirmed", "Zähler hängt"),
        ("comment", "Frau Weber", "person", "confirmed", "ist getauscht"),
        ("opened", "detectors", "detectors", "suspected", ""),
    ]
    assert volumes == [(7,), (7,)]
    assert sites == [("B 420",)]
    assert rejects == [
        ("foreign/1", "kusel"),
        ("vp/v1/kusel/camera-9/counts", "kusel"),
        ("vp/v1/nowhere/camera-1/counts", None),
        ("foreign/kusel/2", None),
    ]


@pytest.fixture(scope="module")
def migrated(_plain: parts.Databases) -> Iterator[str]:
    """URL of such a database, which the tests below share."""
    with _plain.fresh(migrated=False) as url:
        bring_up_to_date(url)
        yield url


@pytest.fixture(scope="module")
def client(migrated: str) -> Iterator[TestClient]:
    """Client of pages and API."""
    settings = load(
        {
            "VERKEHRSPULS_DATABASE__URL": parts.as_web(migrated),
            "VERKEHRSPULS_PAGES__ADDRESS": ADDRESS,
        }
    )
    with TestClient(create_web(settings), follow_redirects=False) as found:
        yield found


def ask(client: TestClient, method: str, path: str, token: str, body: Any) -> Any:
    return client.request(
        method, path, json=body, headers={"authorization": f"Bearer {TOKENS[token]}"}
    )


def test_public_pages_answer_to_browsers_of_before(
    client: TestClient, migrated: str
) -> None:
    # that version set it; languages are in addresses now
    cookie = {"cookie": "language=en"}
    case = f"/en/cases/{case_at(migrated, 'b420')}"
    for path in ("/en/", "/en/towns/kusel", "/en/towns/kusel/b420", case):
        page = client.get(path, headers=cookie)
        assert page.status_code == 200, path
        assert "B 420" in page.text
        assert "Bauhof" not in page.text
    # an address of then
    old = client.get("/en/kusel/b420", headers=cookie)
    assert (old.status_code, old.headers["location"]) == (308, "/en/towns/kusel/b420")
    listed = client.get("/api/v1/sites").json()["sites"]
    assert [one["key"] for one in listed] == ["b420"]


def test_history_of_a_case_keeps_who(client: TestClient, migrated: str) -> None:
    number = case_at(migrated, "b420")
    for token, names in (
        ("cases", ["Leitstelle", "Frau Weber"]),
        # names of employees are no longer for everybody
        (None, ["person", "person"]),
    ):
        shown = (
            client.get(f"{CASES}/{number}")
            if token is None
            else ask(
                client, "POST", f"{CASES}/{number}/comments", token, {"comment": "…"}
            )
        )
        assert shown.is_success, shown.text
        history = shown.json()["history"]
        assert [one["who"] for one in history[:3]] == ["detectors", *names]


def test_tokens_of_before_decide(client: TestClient, migrated: str) -> None:
    number = case_at(migrated, "depot")
    decision = {"state": "explained", "comment": "Markt"}
    for token, status in (
        *(("town", 403), ("camera", 403), ("expired", 401), ("revoked", 401)),
        ("cases", 200),
    ):
        answer = ask(client, "PATCH", f"{CASES}/{number}", token, decision)
        assert answer.status_code == status, (token, answer.text)
    newest = answer.json()["history"][-1]
    assert (newest["who"], newest["acted_as"], newest["state"]) == (
        *("Leitstelle", "token", "explained"),
    )


def test_tokens_of_before_send(migrated: str) -> None:
    now = datetime.now(UTC).replace(second=0, microsecond=0)

    def send(client: TestClient, token: str, sensor: str) -> int:
        message = {
            "time": (now - timedelta(minutes=5)).isoformat(),
            "interval_s": 300,
            "counts": [{"channel": "1", "classes": {"car": 3}}],
        }
        body = {"sensor": sensor, "message": message}
        answer: httpx2.Response = ask(client, "POST", "/api/v1/readings", token, body)
        return answer.status_code

    with parts.broker("nats") as broker:
        settings = load(
            {
                **parts.logins(migrated),
                "VERKEHRSPULS_BROKER__URL": broker.url,
                "VERKEHRSPULS_BROKER__PUBLISH_URL": broker.publish_url,
            }
        )
        with ingesting(settings), TestClient(create_web(settings)) as client:
            assert send(client, "town", "camera-2") == 202
            assert send(client, "camera", "camera-1") == 202
            assert send(client, "camera", "camera-2") == 403
            assert send(client, "cases", "camera-1") == 403
            assert send(client, "revoked", "camera-1") == 401
            parts.wait_for(lambda: stored(migrated) == 2)


def test_operator_makes_the_first_administrator(
    client: TestClient,
    migrated: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(passwords, "COST", people.CHEAP)
    monkeypatch.setenv("VERKEHRSPULS_DATABASE__URL", migrated)
    monkeypatch.setenv("VERKEHRSPULS_PAGES__ADDRESS", ADDRESS)

    def run(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["verkehrspuls", *words])
        with pytest.raises(SystemExit) as ended:
            command.main()
        said = capsys.readouterr()
        assert ended.value.code in (0, None), said.err
        return said.out

    role = "kusel/administrator"
    link = run("user", "invite", ANNE, "--name", "Anne Muster", "--role", role).strip()
    assert link.startswith(ADDRESS)
    page = client.get(link.removeprefix(ADDRESS))
    assert page.status_code == 200
    with people.of(migrated) as known:
        made = known.web(link.rpartition("/")[2])
        begun = links.use(made, password=PASSWORD, origin=HOME, settings=USUAL)
    assert begun is not None
    cookie = {"cookie": f"__Host-session={begun.id}"}
    assert "Bauhof" in client.get("/de/towns/kusel", headers=cookie).text
    assert client.get("/de/people", headers=cookie).status_code == 200
    # as tokens were made before
    run("token", "create", "kusel", "--note", "new")
    run("token", "create", "kusel", "--cases", "--note", "new")
    listed = json.loads(run("token", "list", "--json"))
    given = [one["permissions"] for one in listed if one["name"] == "new"]
    assert sorted(given) == [["cases"], ["readings"]]


def case_at(url: str, site: str) -> int:
    with connect(url) as connection:
        row = connection.execute(
            "select anomaly_case_id from vp.anomaly_case join vp.site using (site_id)"
            " where key = %s",
            [site],
        ).fetchone()
    assert row is not None
    return int(row[0])


def stored(url: str) -> int:
    with connect(url) as connection:
        row = connection.execute("select count(*) from vp.count_reading").fetchone()
    assert row is not None
    return int(row[0])
