import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

import pytest

from analytics.cases import alerts
from analytics.cases.sentences import sentence
from analytics.detectors import detectors, reasons
from tests import registered
from tests.frames import HOUR, utc
from verkehrspuls.cases import Case
from verkehrspuls.errors import UsageError
from verkehrspuls.settings import Alerts, load
from verkehrspuls.stack.checks import OK, PROBLEM, _alerts
from verkehrspuls.storage.alerts import HeldUp

NOW = utc("2026-11-18 21:30")
BERLIN = "Europe/Berlin"


def case(**more: Any) -> Case:
    usual: dict[str, Any] = {
        "site": "b420",
        "site_name": "B 420",
        "direction_name": "Richtung Kusel",
        "reason": "below-usual",
        "detectors": ["incident", "unusual-volume"],
        "began": NOW,
        "ended": NOW + HOUR,
        "observed": 410.0,
        "usual": 1980.0,
        "score": 9.26,
        "severity": "high",
    }
    return registered.case(**(usual | more))


def change(number: int, kind: str = "opened") -> dict[str, Any]:
    return {
        "alert_id": 100 + number,
        "anomaly_case_id": number,
        "kind": kind,
        "who": "detectors",
        "at": NOW,
        "municipality": "kusel",
        "municipality_name": "Kusel",
        "simulated": False,
    }


def test_a_sentence_says_what_by_how_much_since_when_and_why() -> None:
    assert sentence(case(), "de") == (
        "B 420, Richtung Kusel: weniger als üblich, 410 statt 1.980 Kfz, von "
        "18.11.2026 22:30 bis 18.11.2026 23:30, das 9,3-Fache der üblichen Streuung, "
        "1 weiteres Verfahren bestätigt es."
    )
    assert sentence(case(channels=3, sites=2), "en") == (
        "B 420, motor vehicles: less than usual, 410 instead of 1,980 vehicles, from "
        "18 Nov 2026 22:30 to 18 Nov 2026 23:30, at 3 channels of 2 sites, "
        "9.3 times the usual spread, 1 other detector agrees."
    )


def test_a_sentence_names_the_unit_of_what_is_measured() -> None:
    air = case(quantity="no2_ugm3", reason="above-limit", observed=231.4, usual=200.0)
    assert "231.4 µg/m³, more than 200 µg/m³" in sentence(air, "en")
    jam = case(reason="incident-speed", detector="incident", observed=4.2, usual=49.0)
    assert "4.2 km/h instead of 49 km/h" in sentence(jam, "en")


def test_a_sentence_rounds_to_what_its_figures_can_bear() -> None:
    assert "12 intervals in a row" in sentence(
        case(detector="silence", score=11.5), "en"
    )
    assert "198 times the usual spread" in sentence(case(score=198.1), "en")
    assert "9.3 times the usual spread" in sentence(case(score=9.26), "en")


def test_every_reason_has_its_words() -> None:
    for reason in reasons():
        for language in ("de", "en"):
            assert "%(" not in sentence(case(reason=reason), language)
    for detector in detectors():
        assert "%(" not in sentence(case(detector=detector), "de")


def test_rules_go_from_the_special_to_the_general() -> None:
    keys = ("kusel", "linz", "trier")
    assert alerts.least_severities(("*:high", "kusel:low", "linz:off"), keys) == {
        "kusel": "low",
        "trier": "high",
    }
    assert alerts.least_severities(("kusel:low",), keys) == {"kusel": "low"}


def test_a_rule_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="municipality:severity"):
        load({"VERKEHRSPULS_ALERTS__RULES": "kusel"})


def test_nothing_is_sent_anywhere_by_default() -> None:
    assert alerts.destinations(Alerts()) == []
    assert alerts.destinations(Alerts(email_to=("a@example.org",))) == []


@pytest.mark.parametrize(
    ("quiet", "until"),
    [
        ("", None),
        ("22:00-06:00", utc("2026-11-19 05:00")),
        ("20:00-23:00", utc("2026-11-18 22:00")),
        ("23:00-06:00", None),
        ("06:00-22:00", None),
    ],
)
def test_quiet_periods_are_local(quiet: str, until: Any) -> None:
    # 22:30 in Berlin
    assert alerts.quiet_until(quiet, NOW, BERLIN) == until


def test_waits_grow_up_to_a_bound() -> None:
    waits = [alerts.wait(n) for n in (0, 1, 2, 50)]
    assert waits[0] * 2 == waits[1]
    assert waits[1] * 2 == waits[2]
    assert waits[3] == timedelta(hours=2)


def test_a_digest_has_one_line_for_each_case() -> None:
    changes = [change(1), change(2), change(1, "raised")]
    found = alerts.lines(changes, {1: case(), 2: case()}, "en")
    assert [line.split("]")[0] for line in found] == ["#1 [got worse", "#2 [new"]


def test_a_storm_is_counted_not_listed() -> None:
    changes = [change(n) for n in range(200)]
    found = alerts.lines(changes, dict.fromkeys(range(200), case()), "de")
    assert len(found) == alerts.MAX_CASES_LISTED + 1
    assert found[-1] == "… und 170 weitere Fälle"


def test_an_email_cannot_be_given_headers() -> None:
    evil = change(1) | {"municipality_name": "Kusel\r\nBcc: all@example.org"}
    settings = Alerts(email_to=("a@example.org",), smtp_host="localhost")
    with pytest.raises(ValueError, match=r"linefeed|newline"):
        alerts.email([evil], {1: case()}, settings)


def test_a_webhook_is_signed_and_has_a_key_of_its_own() -> None:
    body = alerts.webhook_body([change(1)], {1: case()})
    alert = json.loads(body)
    assert alert["changes"][0]["id"] == 101
    assert alert["changes"][0]["sentence_de"].startswith("B 420")
    stamp, mac = alerts.signature(body, "secret", now=NOW).split(",")
    signed = hmac.new(b"secret", f"{stamp[2:]}.".encode() + body, hashlib.sha256)
    assert mac == f"v1={signed.hexdigest()}"
    assert alerts.key([change(1)]) == alerts.key([change(1)]) != alerts.key([change(2)])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("webhook_url", url)
            for url in (
                "ftp://example.org/x",
                "file:///etc/passwd",
                "example.org/hook",
                "https://",
                "https:///hook",
                "https://:443/hook",
                "http:// /hook",
                "https://exa mple.org/",
                "https://example.org/a b",
                "https://example.org/\r\nX: y",
                "https://müller.example/hook",
                "https://example.org/straße",
                "https://user:word@example.org/",
                "https://example.org:99999/",
                "https://example.org:port/",
                "https://example.org:0/",
                "https://[::1/",
                "https://a..example.org/",
                f"https://{'a' * 64}.example.org/",
                "https://example.org,other/",
            )
        ),
        *(("smtp_host", host) for host in (" ", "mail server", "mäil", "a..b", "h:25")),
        *(
            ("email_to", address)
            for address in (
                "planung",
                "a@",
                "@example.org",
                "a@exa mple.org",
                "ä@example.org",
                "a@münchen.example",
                "a@example.org\nBcc: b@example.org",
            )
        ),
        ("email_from", "verkehrspuls"),
        ("rules", ":high"),
        ("newest_h", "99999999999"),
        ("digest_min", "99999999999"),
    ],
)
def test_address_that_cannot_be_one_is_refused_and_a_secret_one_not_told(
    name: str, value: str
) -> None:
    with pytest.raises(UsageError, match=rf"setting alerts\.{name}") as refused:
        load({f"VERKEHRSPULS_ALERTS__{name.upper()}": value})
    assert "\n" not in str(refused.value)
    if name == "webhook_url":
        assert len(value) < 9 or value not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("webhook_url", "https://example.org/hooks/a?b=%20c"),
        ("webhook_url", "http://xn--mller-kva.example:8080"),
        ("webhook_url", "http://127.0.0.1:9/"),
        ("webhook_url", "http://[fe80::1]:80/x"),
        ("smtp_host", "mail_1.example.org."),
        ("smtp_host", "::1"),
        ("email_to", "Planung <planung+a@example.org>,b@example.org"),
    ],
)
def test_address_that_is_one_is_taken(name: str, value: str) -> None:
    load({f"VERKEHRSPULS_ALERTS__{name.upper()}": value})


def test_address_without_what_it_needs_is_refused() -> None:
    to = Alerts(email_to=("a@example.org",))
    with pytest.raises(UsageError, match=r"email_to is set, but not alerts\.smtp_host"):
        alerts.require_addresses(to)
    user = to.model_copy(update={"smtp_host": "localhost", "smtp_user": "a"})
    with pytest.raises(
        UsageError, match=r"smtp_user is set, but not alerts\.smtp_pass"
    ):
        alerts.require_addresses(user)
    alerts.require_addresses(Alerts())


def test_doctor_tells_of_a_setting_that_is_missing() -> None:
    finding = _alerts(
        HeldUp(0, None, 0), lacks=Alerts(email_to=("a@example.org",)).lacks
    )
    assert finding.state == PROBLEM
    assert "alerts.smtp_host" in finding.detail
    assert _alerts(HeldUp(0, None, 0), lacks=Alerts().lacks).state == OK


def test_lines_hold_nothing_that_directs() -> None:
    text = "a\r\nb\x1b[31m\u2028c\u202ed\x9b"
    assert alerts.in_a_line(text) == "a b [31m c d"
    found = alerts.lines([change(1)], {1: case(site_name="B\n420")}, "en")
    assert "\n" not in found[0]
    assert "B 420" in found[0]


def test_simulated_cases_are_called_so() -> None:
    made_up = [change(1) | {"simulated": True}]
    assert alerts.subject(made_up, "de") == "Kusel (simuliert): 1 Fall"
    assert alerts.subject(made_up, "en") == "Kusel (simulated): 1 case"
    assert b'"simulated": true' in alerts.webhook_body(made_up, {1: case()})
