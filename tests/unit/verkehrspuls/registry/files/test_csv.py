"""Registration files in CSV."""

import pytest

from tests.unit.verkehrspuls.registry.files.test_load import problems
from verkehrspuls.registry.files import csv, load
from verkehrspuls.registry.files.record import FaultyFile

HEAD = "municipality_name;state;site;site_name;latitude;longitude;channel;channel_name;"
HEAD += "quantity;sensor;sensor_name;interval_s;class_scheme;output;since"
GOOD = "Musterstadt;RP;s;S;49,4;7,7;in;In;motor;d;D;60;total;1;01.03.2026 7:15"


@pytest.mark.parametrize(
    ("line", "place", "words"),
    [
        (";;s;T", "line 3, column 4 (site_name)", "it is T here, and S in line 2"),
        (";;;;;;x", "line 3, column 7 (channel)", "it needs site in the same row"),
        (";;;N", "line 3, column 4 (site_name)", "it needs site"),
        (";;t;T;49,4;7,7,7", "line 3, column 6 (longitude)", "a number is wanted"),
        (";;;;;;;;;e;E;0", "line 3, column 12 (interval_s)", "below 1"),
        (";;;;;;;;;e;E;;", "line 3, column 10 (sensor)", "interval_s is missing"),
        (";;t;T;;;;;;;;;;;;x", "line 3, column 16", "under no heading"),
        (
            ";;s;;;;in;;;d;;;;1;25.10.2026 2:30",
            "line 3, column 15 (since)",
            "shows 2026-10-25T02:30:00 twice",
        ),
        (
            ";;s;;;;in;;motr;;;;;;",
            "line 3, column 9 (quantity)",
            "it is motr here, and motor in line 2",
        ),
    ],
)
def test_a_bad_line_is_named_by_its_cell(line: str, place: str, words: str) -> None:
    ((at, said),) = problems(f"{HEAD}\n{GOOD}\n{line}\n", "a.csv")
    assert at == place
    assert words in said


@pytest.mark.parametrize(
    ("heading", "words"),
    [("site;Baum", "there is no column Baum"), ("site;Messstelle", "a second column")],
)
def test_a_bad_heading_is_named(heading: str, words: str) -> None:
    found = dict(problems(f"{heading}\n", "a.csv"))
    assert words in found["line 1, column 2"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("separator", [";", ",", "\t"])
def test_files_of_offices_are_read(encoding: str, separator: str) -> None:
    lines = ["Messstelle|Name der Messstelle|Tempolimit (km/h)", "s|Straße|50"]
    text = "\r\n".join(lines).replace("|", separator)
    (site,) = load.content(text.encode(encoding), "a.csv").document["sites"]
    assert site == {"key": "s", "name": "Straße", "speed_limit_kmh": 50}


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"site\n\na\0b", "line 3: it has NUL"), (b" \n", "it is empty")],
)
def test_what_is_no_csv_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(FaultyFile, match=words):
        csv.read(data)
