"""The commands that read, as a person or a script calls them."""

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from tests import parts, world

SITE = "kaiserslautern/pariser-strasse"
NO2 = ("--quantity", "no2_ugm3")
OF_NOBODY = ("--municipality", "moon")
BACKWARDS = ("--from", "2026-03-02", "--to", "2026-03-01")
PERIOD = ("--from", "2026-03-02T22:00:00Z", "--to", "2026-03-03T02:00:00Z")


@pytest.fixture(scope="module")
def url(_plain: parts.Databases) -> Iterator[str]:
    with _plain.fresh(world.build) as url:
        yield url


def run(url: str, *arguments: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "verkehrspuls", *map(str, arguments)],
        env={"VERKEHRSPULS_DATABASE__URL": url},
        capture_output=True,
        timeout=parts.PATIENCE_S,
    )


def output(url: str, *arguments: object) -> bytes:
    done = run(url, *arguments)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def test_export_writes_what_the_api_serves(url: str) -> None:
    body = output(url, "export", SITE, *PERIOD)
    assert body == (parts.PROJECT / "tests/golden/hours.csv").read_bytes()


def test_export_names_the_file(url: str, tmp_path: Path) -> None:
    done = run(
        *(url, "export", SITE, "--from", "2026-03-01", "--to", "2026-03-04"),
        *("--bin", "P1D", "--direction", "all", "--format", "parquet"),
        *("--output", tmp_path),
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout == b""
    assert b"3 rows" in done.stderr
    file = tmp_path / "pariser-strasse_2026-03-01_2026-03-04_P1D.parquet"
    assert pl.read_parquet(io.BytesIO(file.read_bytes()))["volume"].sum() == 23_082


@pytest.mark.parametrize("format", ["csv", "csv-de", "json", "parquet"])
def test_a_file_carries_its_passport(url: str, tmp_path: Path, format: str) -> None:
    """In the file, or in one beside it."""
    file = tmp_path / "week.data"
    done = run(url, "export", SITE, *PERIOD, "--format", format, "--output", file)
    assert done.returncode == 0, done.stderr.decode()
    beside = tmp_path / "week.passport.json"
    assert beside.exists() == format.startswith("csv")
    if format == "parquet":
        described = json.loads(pl.read_parquet_metadata(file)["verkehrspuls"])
    else:
        described = json.loads((beside if beside.exists() else file).read_bytes())
    passport = described["passport"]
    # of four hours and two directions, the second lane of one is silent for two
    assert passport["intervals_expected"] == 8
    assert passport["observed"] == pytest.approx(1 - 2 * 0.5 / 8)
    assert passport["method"] == "volumes-3"
    assert len(passport["cases"]) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("export", "moon"), 2, "site list"),
        (("export", "kaiserslautern/moon"), 2, "site list"),
        (("export", SITE, "--from", "gestern"), 2, "2026-03-01"),
        (("export", SITE, "--from", "2026-03-29T02:30:00"), 2, "the clock skips"),
        (("export", SITE, "--to", "2026-10-25T02:30:00"), 2, "twice; write"),
        (("export", SITE, "--quantity", "bicycle"), 2, "motor, no2_ugm3"),
        (("export", SITE, "--bin", "PT5M"), 2, "PT15M"),
        (("export", SITE, *NO2, "--bin", "PT15M"), 2, "--bin: no2_ugm3 is there by"),
        (("export", SITE, *NO2, "--direction", "ost"), 2, "--direction: no2_ugm3 has"),
        (("export", SITE, "--output", "/nowhere/at/all.csv"), 2, "cannot be written"),
        (("sensor", "show", "kaiserslautern/moon"), 2, "sensor list"),
        (("site", "list", *OF_NOBODY), 2, "no municipality moon"),
        (("sensor", "list", *OF_NOBODY), 2, "`verkehrspuls town list`"),
        (("event", "list", *OF_NOBODY), 2, "no municipality moon"),
        (("case", "list", *OF_NOBODY), 2, "no municipality moon"),
        (("token", "list", *OF_NOBODY), 2, "no municipality moon"),
        (("token", "create", "moon"), 2, "`verkehrspuls town list`"),
        (("token", "create", "kaiserslautern", "--days", "99999999"), 2, "36500"),
        (("ledger", "show", *OF_NOBODY), 2, "no municipality moon"),
        (("ledger", "show", "--sensor", "kaiserslautern/moon"), 2, "sensor list"),
        (("ledger", "show", *BACKWARDS), 2, "must be before"),
        (("reject", "list", *BACKWARDS), 2, "must be before"),
        (("reject", "list", "--reason", "moon"), 2, "unknown-sensor"),
        (("reject", "list", "--limit", "9" * 20), 2, "too large"),
        (("case", "list", "--language", "fr"), 2, "'en'"),
        (("case", "show", "9" * 20), 2, "too large"),
        (("case", "comment", "1", " "), 2, "empty"),
        (("event", "add", "kaiserslautern", "", "--from", "2026-03-01"), 2, "a name"),
    ],
)
def test_errors_say_what_to_do(
    url: str, arguments: tuple[str, ...], code: int, text: str
) -> None:
    done = run(url, *arguments)
    assert done.returncode == code
    assert done.stdout == b""
    assert text in done.stderr.decode()
    assert b"Traceback" not in done.stderr


def test_a_database_that_is_away_is_exit_code_3() -> None:
    nowhere = f"postgresql://vp@127.0.0.1:{parts.free_port()}/vp"
    done = run(nowhere, "site", "list")
    assert done.returncode == 3
    assert b"VERKEHRSPULS_DATABASE__URL" in done.stderr


def test_the_operator_sees_hidden_sites_too(url: str) -> None:
    sites = json.loads(output(url, "site", "list", "--json"))
    assert {(s["municipality"], s["key"]) for s in sites} == {
        ("kaiserslautern", "hof"),
        ("kaiserslautern", "pariser-strasse"),
        ("kaiserslautern", "radweg"),
        ("verborgen", "hof"),
    }
    one = json.loads(
        output(url, "site", "list", "--municipality", "verborgen", "--json")
    )
    assert [s["visibility"] for s in one] == ["private"]
    body = output(url, "export", "verborgen/hof", *PERIOD)
    assert len(body.splitlines()) == 5


def test_site_and_sensor_are_shown(url: str) -> None:
    site = json.loads(output(url, "site", "show", SITE, "--json"))
    assert len(site["channels"]) == 4
    assert site["sensors"][0]["key"] == "air"
    text = output(url, "site", "show", SITE).decode()
    assert "ost-1\tRichtung Mainzer Tor, Fahrstreifen 1\tmotor" in text
    sensor = json.loads(
        output(url, "sensor", "show", "kaiserslautern/camera", "--json")
    )
    assert [i["channel"] for i in sensor["installations"]] == [
        "ost-1",
        "ost-2",
        "west-1",
    ]
    assert output(url, "sensor", "show", "kaiserslautern/camera").startswith(b"what\t")
    rows = output(url, "sensor", "list").decode().splitlines()
    assert rows[0].startswith("sensor\tmodel\tstate")
    # one line for each output that is attached: 3 + 1 + 1 + 1, and 1
    assert len(rows) == 1 + 7
