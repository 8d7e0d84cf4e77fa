"""Registering a municipality of one's own, with the commands."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

TOWN = """
key = "landau"
name = "Landau in der Pfalz"
state = "RP"
latitude = 49.199
longitude = 8.118

[[sites]]
key = "ostring"
name = "Ostring"
latitude = 49.2
longitude = 8.12
channels = [
    { key = "nord", name = "Richtung Norden", quantity = "motor", direction = "nord" },
]

[[sensors]]
key = "radar-1"
name = "Radar Ostring"
interval_s = 300
class_scheme = "tls-8+1"
installations = [
    { site = "ostring", channel = "nord", output = "1", since = 2026-01-01T00:00:00Z },
]
"""


def verkehrspuls(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "verkehrspuls", *arguments],
        env={**os.environ, "VERKEHRSPULS_DATABASE__URL": url},
        capture_output=True,
        text=True,
    )


def imported(url: str, folder: Path) -> Path:
    """Import the town, and return its file."""
    file = folder / "landau.toml"
    file.write_text(TOWN)
    assert verkehrspuls(url, "import", "town", str(file)).returncode == 0
    return file


def test_registered_town_is_listed_and_brought_up_to_date(
    plain_database: str, tmp_path: Path
) -> None:
    file = tmp_path / "landau.toml"
    for name in ("Ostring", "Ostring Nord"):
        file.write_text(TOWN.replace('name = "Ostring"', f'name = "{name}"'))
        done = verkehrspuls(plain_database, "import", "town", str(file))
        assert done.returncode == 0, done.stderr
        listed = verkehrspuls(plain_database, "site", "list", "--json")
        (site,) = json.loads(listed.stdout)
        assert (site["municipality"], site["key"]) == ("landau", "ostring")
        assert site["name"] == name
    listed = verkehrspuls(plain_database, "sensor", "list", "--json")
    assert "radar-1" in listed.stdout


@pytest.mark.parametrize(
    ("right", "wrong", "text"),
    [
        ('channel = "nord"', 'channel = "sued"', "ostring/sued"),
        ('quantity = "motor"', 'quantity = "cars"', "ostring/nord: it measures cars"),
        ('state = "RP"', 'state = "XX"', "there are BB, BE"),
        # one town's file must not take down the pages of all
        (
            'state = "RP"',
            'state = "RP"\ntime_zone = "Europe/Landau"',
            "no time zone Europe/Landau (did you mean Europe/",
        ),
        ('name = "Ostring"', 'name = "Ostring"\nvisibility = "secret"', "secret"),
    ],
)
def test_file_that_contradicts_itself_is_refused_with_the_reason(
    plain_database: str, tmp_path: Path, right: str, wrong: str, text: str
) -> None:
    file = tmp_path / "landau.toml"
    file.write_text(TOWN.replace(right, wrong, 1))
    done = verkehrspuls(plain_database, "import", "town", str(file))
    assert done.returncode == 2
    assert text in done.stderr
    assert "The command or a setting is wrong" not in done.stderr
    assert "Traceback" not in done.stderr
    assert verkehrspuls(plain_database, "site", "list", "--json").stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["[/bold]", "[red]x", "<script>", "%(x)s{}"])
def test_a_name_is_printed_as_it_is(
    plain_database: str, tmp_path: Path, name: str
) -> None:
    file = tmp_path / "landau.toml"
    file.write_text(TOWN.replace("Landau in der Pfalz", name))
    done = verkehrspuls(plain_database, "import", "town", str(file))
    assert (done.returncode, done.stderr) == (
        0,
        f"{name}: 1 site and 1 sensor registered.\n",
    )


def test_an_error_commands_no_terminal(plain_database: str, tmp_path: Path) -> None:
    file = tmp_path / "landau.toml"
    file.write_text(TOWN.replace('state = "RP"', 'state = "\\u001b[2J\\u202e\\u009b"'))
    for path in (file, tmp_path / "a\x1b[2J\u202e"):
        done = verkehrspuls(plain_database, "import", "town", str(path))
        assert done.returncode == 2
        assert not set(done.stderr) & set("\x1b\x9b\u202e")
        assert "\\x1b" in done.stderr or "\\x9b" in done.stderr


def test_what_only_the_database_knows_is_told_in_a_line(
    plain_database: str, tmp_path: Path
) -> None:
    file = imported(plain_database, tmp_path)
    # the channel has a sensor already, which the new file does not name
    file.write_text(TOWN.replace('key = "radar-1"', 'key = "radar-2"'))
    done = verkehrspuls(plain_database, "import", "town", str(file))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1
    assert "sensor radar-2" in done.stderr
    assert "sensor radar-1" in done.stderr


def test_doctor_tells_of_another_interval_than_the_registered_one(
    plain_database: str, tmp_path: Path
) -> None:
    imported(plain_database, tmp_path)
    time = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=5)
    payload = {"time": time.isoformat(), "interval_s": 60, "counts": []}
    payload["counts"] = [{"channel": "1", "classes": {"car": 3}}]
    line = {"topic": "vp/v1/landau/radar-1/counts", "payload": json.dumps(payload)}
    recording = tmp_path / "recording"
    recording.write_text(json.dumps(line))
    done = verkehrspuls(plain_database, "import", "messages", str(recording))
    assert "1 stored" in done.stderr
    found = verkehrspuls(plain_database, "doctor").stdout
    assert "it sends intervals of 60 s and is registered with 300 s" in found
    assert "Register interval_s = 60" in found


def test_what_only_the_database_refuses_is_one_line(
    plain_database: str, tmp_path: Path
) -> None:
    file = imported(plain_database, tmp_path)
    with psycopg.connect(plain_database, autocommit=True) as connection:
        connection.execute(
            "alter table vp.local_event add constraint no_feast check (name <> 'Fest')"
        )
        connection.execute(
            "alter table vp.site add constraint no_west check (key <> 'west')"
        )
    file.write_text(TOWN.replace("ostring", "west"))
    for arguments, text in (
        (("event", "add", "landau", "Fest", "--from", "2026-05-01"), "no_feast"),
        (("import", "town", str(file)), "landau: the database refuses it"),
    ):
        done = verkehrspuls(plain_database, *arguments)
        assert done.returncode == 2
        assert text in done.stderr
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("event", "add", "\udcff", "Fest", "--from", "2026-05-01"),
        ("sensor", "show", "landau/\udcff"),
        ("reject", "list", "--topic", "\udcff"),
    ],
)
def test_argument_that_is_no_text_is_refused_in_one_line(
    plain_database: str, arguments: tuple[str, ...]
) -> None:
    done = verkehrspuls(plain_database, *arguments)
    assert done.returncode == 2
    assert "is not UTF-8 text" in done.stderr
    assert done.stderr.count("\n") == 1
