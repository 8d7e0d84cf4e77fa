"""What a registration is refused for, in one line with the entry and what to do."""

import re
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.acceptance.test_import_town import TOWN
from verkehrspuls.errors import UsageError
from verkehrspuls.model import Town
from verkehrspuls.registry.faults import check
from verkehrspuls.registry.files import load

FIRST = re.compile(r"since = [^ ,]+")
LINE = 'channels = [\n    { key = "nord"'
SECOND = """
[[sites]]
key = "{}"
name = "Andere"
latitude = {}
longitude = {}
channels = []
"""
FOREIGN = """
[[sites]]
key = "luft"
name = "Luft"
channels = [{ key = "no2", name = "NO2", quantity = "no2_ugm3" }]

[[sensors]]
key = "air-1"
name = "Luft"
interval_s = 600
payload_format = "tasmota"
topic = "tele/air-1/SENSOR"
installations = [
    { site = "luft", channel = "no2", output = "1", since = 2026-01-01, MAPPING },
]
""".replace("2026-01-01", "2026-01-01T00:00:00Z").replace(
    "MAPPING", 'mapping = { field = "NO2", unit = "UNIT" }'
)


def load_town(path: Path) -> Town:
    """Read a registration file, as an import into an empty database does."""
    town = load.town_of(load.content(path.read_bytes(), path.name), None)
    check(town)
    return town


def refused(tmp_path: Path, text: str) -> str:
    path = tmp_path / "town.toml"
    path.write_text(text, "utf-8")
    began = time.process_time()
    with pytest.raises(UsageError) as caught:
        load_town(path)
    assert time.process_time() - began < 5
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert len(sentence) < 1500
    return sentence


@pytest.mark.parametrize(
    ("right", "wrong", "text"),
    [
        ('state = "RP"', 'state = "rp"', "did you mean RP?"),
        ('state = "RP"', 'state = "Rheinland-Pfalz"', "did you mean RP?"),
        ('state = "RP"', 'state = "Augsburg"', "state Augsburg; did you mean BY?"),
        (
            '"motor"',
            '"moter"',
            "ostring/nord: it measures moter, which is not known; did",
        ),
        ('"tls-8+1"', '"tls8+1"', "did you mean tls-8+1? There are tls-8+1, tls-5+1"),
        ('"tls-8+1"', '"total"\npayload_format = "tasmotta"', "did you mean tasmota?"),
        ('"tls-8+1"', '"total"\nintervall_s = 3', "did you mean interval_s?"),
        (
            'name = "Ostring"',
            'name = "O"\nvisibility = "publik"',
            "did you mean public",
        ),
        ('channel = "nord"', 'channel = "nort"', "did you mean ostring/nord?"),
        ('key = "landau"', 'key = "Landau"', "a key has only a to z"),
        ("2026-01-01T", "0001-01-01T", "is not in the years 1970 to 2199"),
        ("2026-01-01T00:00:00Z", "0001-01-01", "column 57: 0001-01-01T00:00:00 is not"),
        *(
            ('"tls-8+1"', f'"total"\ntopic = "{topic}"', "no topic: +")
            for topic in ("a/#/b", "a/b+", "", "a\\u0007")
        ),
        ("00Z }", "00Z, until = 2025-01-01T00:00:00Z }", "ends (until) before it"),
        (
            "interval_s = 300",
            "interval_s = 0",
            "line 20, column 1: the number is below 1",
        ),
        ("interval_s = 300", "interval_s = 1e9", "a whole number is wanted"),
        ("latitude = 49.2\n", "", "give both latitude and longitude"),
        ("latitude = 49.2\n", "latitude = -90\n", "does not lie in Germany"),
        ("latitude = 49.2\n", "latitude = nan\n", "line 11, column 1: the number is"),
        ("latitude = 49.2\n", "latitude = inf\n", "line 11, column 1: the number is"),
        (
            "49.2\nlongitude = 8.12",
            "8.12\nlongitude = 49.2",
            "may be swapped: latitude",
        ),
        ('key = "landau"', 'key = "landau', "line 2, column"),
        ('state = "RP"', 'state = "RP"\nstate = "RP"', "line 5, column"),
        ('state = "RP"', "", "the field state is missing"),
        ('key = "landau"', f"x = {'[' * 20_000}", "nested too deeply"),
        ('key = "landau"', f"{'.'.join('a' * 200_000)} = 1", "more than 50 parts"),
        ('key = "landau"', '"a b".' * 200_000 + "c = 1", "more than 50 parts"),
        ('key = "landau"', '"' * 200_001, "line 2"),
        ('key = "landau"', f"x = {'9' * 200_000}", "too many digits"),
        ("Landau in", "x" * 90_000, "the text is longer than 200"),
        ("Landau in", "\\u0000", "the text shows nothing, or has line"),
        ("Landau in", "\\u001b[2J", "the text shows nothing, or has line"),
        ("Landau in", "\\u202e", "the text shows nothing, or has line"),
        ("Landau in", "\\u2028", "the text shows nothing, or has line"),
        ("Landau in der Pfalz", "\u200b\u3164\u2800", "the text shows nothing"),
        ("Landau in der Pfalz", " ", "the text shows nothing, or has line"),
        ("[[sensors]]", SECOND.format("ostring", 49.2, 8.1) + "[[sensors]]", "2 times"),
        ('state = "RP"', 'state = "RP"\nstate = "NW"', "a key is there twice"),
        (
            'direction = "nord"',
            'direction = "nord", thresholds = { hoch = inf }',
            "ostring/nord: thresholds.hoch is inf; a finite number is wanted",
        ),
        (
            'direction = "nord"',
            'direction = "nord", thresholds = { hoch = nan }',
            "ostring/nord: thresholds.hoch is nan; a finite number is wanted",
        ),
    ],
)
def test_told_is_the_entry_and_what_to_do(
    tmp_path: Path, right: str, wrong: str, text: str
) -> None:
    assert right in TOWN
    assert text in refused(tmp_path, TOWN.replace(right, wrong, 1))


@pytest.mark.parametrize(
    "zone",
    [
        *("localtime", "Factory", "right/Europe/Berlin", "posix/Europe/Berlin"),
        *("europe/berlin", "Europe/../Europe/Berlin", "+01:00", "ABC+3", "GMT+25"),
        *("Europe/Atlantis", "../../etc/passwd", "", "tzdata.zi"),
    ],
)
def test_a_zone_that_not_every_part_knows_is_refused(tmp_path: Path, zone: str) -> None:
    text = TOWN.replace('state = "RP"', f'state = "RP"\ntime_zone = "{zone}"')
    sentence = refused(tmp_path, text)
    assert "there is no time zone" in sentence
    assert f"did you mean {zone}" not in sentence


def test_a_site_far_from_the_others_is_refused_with_the_distance(
    tmp_path: Path,
) -> None:
    text = TOWN + SECOND.format("fern", 53.55, 10.0)
    sentence = refused(tmp_path, text)
    assert "site fern: it lies 50" in sentence
    assert " km from the others" in sentence


def test_two_installations_at_a_time_are_refused(tmp_path: Path) -> None:
    head, entry, _rest = TOWN.partition("    { site =")
    lines = (entry + _rest).splitlines()
    twice = head + "\n".join([lines[0], lines[0], *lines[1:]])
    text = refused(tmp_path, twice)
    assert "sensor radar-1, output 1" in text
    assert "at the same time" in text


@pytest.mark.parametrize("unit", ["ug/m2", "ppb", "°C", "µg"])
def test_a_unit_that_cannot_become_the_quantitys_is_refused(
    tmp_path: Path, unit: str
) -> None:
    text = refused(tmp_path, TOWN + FOREIGN.replace("UNIT", unit))
    assert f"sensor air-1, output 1: the unit {unit} cannot become µg/m³" in text
    assert "ug/m3" in text


def test_names_in_any_script_and_with_markup_are_registered(tmp_path: Path) -> None:
    path = tmp_path / "town.toml"
    for name in ("[/bold]", "<b>{{x}}%(y)s", "מרכז", "Łódź – Süd 🚲", "=1+1"):
        path.write_text(TOWN.replace("Landau in der Pfalz", name), "utf-8")
        town = load_town(path)
        assert town.name == name
        check(town)


@pytest.mark.parametrize(
    ("right", "wrong", "sentence"),
    [
        (
            'field = "NO2"',
            'field = "N\\u0000"',
            "mapping.field has a character that no text has",
        ),
        ('unit = "UNIT"', "factor = inf", "mapping.factor is inf; a finite number"),
        (
            "interval_s = 600",
            "interval_s = 600\nprofile = { sentinels = { NO2 = [nan] } }",
            "sensor air-1: profile.sentinels.NO2[0] is nan",
        ),
        (
            "interval_s = 600",
            'interval_s = 600\nprofile = { only = { "a\\u0000" = 1 } }',
            "sensor air-1: profile.only, a name has a character",
        ),
        (
            "interval_s = 600",
            "interval_s = 600\nprofile = { only = { id = 99999999999999999999 } }",
            "sensor air-1: profile.only.id has too many digits",
        ),
    ],
)
def test_what_no_database_keeps_is_refused_by_its_place(
    tmp_path: Path, right: str, wrong: str, sentence: str
) -> None:
    assert right in FOREIGN
    text = FOREIGN.replace(right, wrong).replace("UNIT", "ug/m3")
    assert sentence in refused(tmp_path, TOWN + text)


ROADS = """
[[corridors]]
key = "ring"
name = "Ring"
stations = [
    { site = "ostring", direction = "nord", chainage_m = 0 },
    { site = "ostring", direction = "nord", chainage_m = 500 },
]

[[junctions]]
key = "kreuz"
name = "Kreuz"
arms = [
    { site = "ostring", direction = "nord", leads = "in" },
    { site = "ostring", direction = "nord", leads = "in" },
    { site = "ostring", direction = "nord", leads = "out" },
]
"""


def test_stations_and_arms_that_are_there_twice_are_refused(tmp_path: Path) -> None:
    text = refused(tmp_path, TOWN + ROADS)
    assert "corridor ring: ostring nord: it is there 2 times" in text
    assert "(1 more fault" in text


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2026-11-20T00:00:00", "2026-11-19T23:00:00+00:00"),
        ("2026-07-01 08:30:00", "2026-07-01T06:30:00+00:00"),
        ('"2026-11-20T00:00:00"', "2026-11-19T23:00:00+00:00"),
        ("2026-11-20", "2026-11-19T23:00:00+00:00"),
        ("2026-11-20T00:00:00Z", "2026-11-20T00:00:00+00:00"),
        ("2026-11-20T00:00:00+05:00", "2026-11-19T19:00:00+00:00"),
    ],
)
def test_time_without_offset_is_that_of_the_towns_clock(
    tmp_path: Path, written: str, meant: str
) -> None:
    path = tmp_path / "town.toml"
    path.write_text(FIRST.sub(f"since = {written}", TOWN), "utf-8")
    at = load_town(path).sensors[0].installations[0].since
    assert at == datetime.fromisoformat(meant)


def test_clock_is_that_of_the_town(tmp_path: Path) -> None:
    text = FIRST.sub("since = 2026-11-20T00:00:00", TOWN)
    text = text.replace('state = "RP"', 'state = "RP"\ntime_zone = "Europe/London"')
    path = tmp_path / "town.toml"
    path.write_text(text, "utf-8")
    at = load_town(path).sensors[0].installations[0].since
    assert at == datetime(2026, 11, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (
            "2026-10-25T02:30:00",
            "twice; write 2026-10-25T02:30:00+02:00 or 2026-10-25T02:30:00+01:00",
        ),
        ("2026-03-29T02:30:00", "the clock skips 2026-03-29T02:30:00; write"),
        ("12", "it is a whole number; a time is wanted"),
        ('"soon"', "it is no time"),
    ],
)
def test_time_that_the_clock_shows_twice_or_never_is_refused(
    tmp_path: Path, written: str, text: str
) -> None:
    assert text in refused(tmp_path, FIRST.sub(f"since = {written}", TOWN, count=1))
