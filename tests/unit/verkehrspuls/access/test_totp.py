from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from verkehrspuls.access import totp

SECRET = b"12345678901234567890"
NOW = datetime(2026, 11, 30, 8, 0, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [  # RFC 6238, appendix B, without the first two of eight digits
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
        (20_000_000_000, "353130"),
    ],
)
def test_codes_are_those_of_the_rfc(seconds: int, expected: str) -> None:
    assert totp.code(SECRET, seconds // totp.STEP_S) == expected
    now = datetime.fromtimestamp(seconds, UTC)
    assert totp.step_of(SECRET, expected, now=now) == seconds // totp.STEP_S


def test_a_clock_may_be_half_a_minute_off() -> None:
    step = int(NOW.timestamp()) // totp.STEP_S
    for off, found in ((-2, None), (-1, step - 1), (0, step), (1, step + 1), (2, None)):
        assert totp.step_of(SECRET, totp.code(SECRET, step + off), now=NOW) == found


@pytest.mark.parametrize(
    "given", ["", "0", "１２３４５６", "000000000", "<b>", "ä" * 6]
)
def test_what_is_no_code_is_of_no_step(given: str) -> None:
    assert totp.step_of(SECRET, given, now=NOW) is None


def test_code_may_be_typed_in_groups() -> None:
    now = NOW + timedelta(days=1)
    step = int(now.timestamp()) // totp.STEP_S
    code = totp.code(SECRET, step)
    assert totp.step_of(SECRET, f" {code[:3]} {code[3:]} ", now=now) == step


def test_apps_read_the_address() -> None:
    made = totp.new_secret()
    assert len(made) == 20
    assert made != totp.new_secret()
    read = urlsplit(totp.address(SECRET, "anne+vp@example.org"))
    assert (read.scheme, read.netloc) == ("otpauth", "totp")
    assert read.path == "/Verkehrspuls:anne%2Bvp%40example.org"
    assert parse_qs(read.query) == {
        "secret": ["GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"],
        "issuer": ["Verkehrspuls"],
    }


def test_each_secret_is_another() -> None:
    made = {totp.new_secret() for _ in range(100)}
    assert len(made) == 100
    assert {len(secret) for secret in made} == {20}
