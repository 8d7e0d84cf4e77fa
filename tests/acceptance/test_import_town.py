"""Registering a municipality of one's own, with the commands."""

import json
import os
import subprocess
import sys
from pathlib import Path

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
    ("right", "wrong", "told"),
    [
        ('channel = "nord"', 'channel = "sued"', "ostring/sued"),
        ('quantity = "motor"', 'quantity = "cars"', "ostring/nord measures cars"),
        ('state = "RP"', 'state = "XX"', "there are BB, BE"),
        # one town's file must not take down the pages of all
        (
            'state = "RP"',
            'state = "RP"\ntime_zone = "Europe/Landau"',
            "no time zone Europe/Landau",
        ),
        ('name = "Ostring"', 'name = "Ostring"\nvisibility = "secret"', "secret"),
    ],
)
def test_file_that_contradicts_itself_is_refused_with_the_reason(
    plain_database: str, tmp_path: Path, right: str, wrong: str, told: str
) -> None:
    file = tmp_path / "landau.toml"
    file.write_text(TOWN.replace(right, wrong, 1))
    done = verkehrspuls(plain_database, "import", "town", str(file))
    assert done.returncode == 2
    assert told in done.stderr
    assert "The call is wrong" not in done.stderr
    assert "Traceback" not in done.stderr
    assert verkehrspuls(plain_database, "site", "list", "--json").stdout.strip() == "[]"
