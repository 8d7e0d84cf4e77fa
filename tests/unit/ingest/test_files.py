"""Reading files of counts: small files in the formats of the real ones."""

import re
from datetime import UTC, date, datetime, timedelta
from operator import itemgetter
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import msgspec
import polars as pl
import pytest

from ingest.batch import Message
from ingest.files import (
    MAX_MESSAGE_BYTES,
    CountFile,
    cut,
    generic,
    messages,
    muenster_bike,
    muenster_kfz,
    outlook,
    recording,
    wall_clock,
)
from ingest.formats import native
from tests.parts import PROJECT
from verkehrspuls.classes import COUNTS
from verkehrspuls.errors import BadFile, UsageError
from verkehrspuls.model import Town
from verkehrspuls.registry.faults import check
from verkehrspuls.wire import Ambiguous

TOWN = Town(key="muenster", name="Münster", state="NW", sites=(), sensors=())


def bike(folder: Path, rows: list[str]) -> Path:
    path = folder / "2025-10.csv"
    header = "Datetime,77 (Am Tor),78 (Am Tor rein),77-status,78-status"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_bike_station_total_is_read_and_its_counters_are_not(tmp_path: Path) -> None:
    bike(tmp_path, ["2025-07-01 00:00,8,2,0,0", "2025-07-01 00:15,,,,"])
    file = muenster_bike.read(tmp_path, TOWN)
    check(file.town)
    assert file.counts["bicycle"].to_list() == [8]
    assert file.counts["time"][0] == datetime(2025, 6, 30, 22, tzinfo=UTC)
    assert file.left_out["blank"] == 1
    assert [(site.key, site.name) for site in file.town.sites] == [("77", "Am Tor")]


def test_wall_clock_of_the_days_when_clocks_change(tmp_path: Path) -> None:
    path = bike(
        tmp_path,
        [
            "2025-03-30 01:45,1,,0,",
            "2025-03-30 02:15,2,,0,",
            "2025-03-30 03:00,3,,0,",
            "2025-10-26 02:00,4,,0,",
            "2025-10-26 03:00,5,,0,",
        ],
    )
    file = muenster_bike.read(path, TOWN)
    assert file.left_out["time that never was"] == 1
    assert dict(file.counts.select("bicycle", "time").iter_rows()) == {
        1: datetime(2025, 3, 30, 0, 45, tzinfo=UTC),
        3: datetime(2025, 3, 30, 1, 0, tzinfo=UTC),
        4: datetime(2025, 10, 26, 0, 0, tzinfo=UTC),
        5: datetime(2025, 10, 26, 2, 0, tzinfo=UTC),
    }


def test_bike_parquet_takes_stations_and_their_names(tmp_path: Path) -> None:
    (tmp_path / "channels.csv").write_text("channel_id,name\n77,Am Tor\n78,rein\n")
    pl.DataFrame(
        {
            "station_id": [77, 77],
            "channel_id": [77, 78],
            "ts": [datetime(2025, 7, 1)] * 2,  # noqa: DTZ001 - wall clock
            "count": [8, 2],
            "status": [0, 4],
        },
        schema_overrides={"ts": pl.Datetime("ms"), "count": pl.Int16},
    ).write_parquet(tmp_path / "channels.parquet")
    file = muenster_bike.read(tmp_path / "channels.parquet", TOWN)
    assert file.counts["bicycle"].to_list() == [8]
    assert file.town.sites[0].name == "Am Tor"


def kfz(folder: Path, *lines: str) -> Path:
    path = folder / "2015_04_20_24mq.csv"
    hours = ";".join(f"{hour}:00" for hour in range(24))
    head = f"Name  /  Date: 2015_04_20;{hours}"
    path.write_text("\n".join([head, *lines]) + "\n", encoding="latin-1")
    return path


def test_kfz_file_keeps_gaps_and_negative_counts(tmp_path: Path) -> None:
    values = ["43", "", "-5", *["7"] * 21]
    path = kfz(
        tmp_path,
        f"MQ_03290_FV12_GR (MQ0);{';'.join(values)};",
        f"MQ_03290_FV3_GR (MQ1);{';'.join(['0'] * 24)};",
        f"Größe (MQ2);{';'.join(['1'] * 24)};",
        "cut off (MQ3);1;2;",
    )
    file = muenster_kfz.read(path, TOWN)
    check(file.town)
    assert file.left_out["blank"] == 1
    assert file.left_out["line without 24 values"] == 1
    first = file.counts.filter(pl.col("sensor") == "mq-03290-fv12-gr-mq0")
    assert first["total"].to_list()[:2] == [43, -5]
    assert first["time"][1] == datetime(2015, 4, 20, 0, tzinfo=UTC)
    assert [len(site.channels) for site in file.town.sites] == [1, 2]


def test_kfz_tests_do_not_share_a_key(tmp_path: Path) -> None:
    zeros = ";".join(["0"] * 24)
    path = kfz(tmp_path, f"Test (MQ1);{zeros};", f"---Test (MQ1);{zeros};")
    assert muenster_kfz.read(path, TOWN).counts["sensor"].n_unique() == 2


def read_generic(tmp_path: Path, text: str) -> CountFile:
    path = tmp_path / "counts.csv"
    path.write_text(text)
    return generic.read(path, TOWN)


def test_generic_file_with_offsets_and_wall_clock(tmp_path: Path) -> None:
    file = read_generic(
        tmp_path,
        "time;site;channel;quantity;interval_s;car;truck;bicycle\n"
        "2025-07-01T00:00:00Z;a;in;motor;300;3;1;\n"
        "2025-07-01T02:05:00;a;in;motor;300;4;;\n"
        "2025-07-01T02:00:00+02:00;a;rad;bicycle;900;;;7\n",
    )
    check(file.town)
    assert file.counts["time"].to_list() == [
        datetime(2025, 7, 1, 0, 0, tzinfo=UTC),
        datetime(2025, 7, 1, 0, 5, tzinfo=UTC),
        datetime(2025, 7, 1, 0, 0, tzinfo=UTC),
    ]
    assert file.counts["truck"].to_list() == [1, None, None]
    schemes = {s.key: (s.class_scheme, s.interval_s) for s in file.town.sensors}
    assert schemes == {"a-in": ("length-2", 300), "a-rad": ("bicycle", 900)}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("site,channel,car\n", "column time is missing"),
        ("time,site,channel\n", "no column of counts"),
        ("time,site,channel,cars\n", "no column cars"),
        ("time,site,channel,car\n31.6.2025,a,b,3\n", "31.6.2025"),
        ("time,site,channel,car\n2025-07-01,a,b,x\n", "line 2: 'x' is no whole number"),
        (
            "time,site,channel,car\n1/7/2025,a,b,3\n",
            "'1/7/2025' may be day and month, or month and day; write it as 2026-11-21",
        ),
        ("time,site,channel,car\n2025-07-01,A B,b,3\n", "no key"),
        ("time,site,channel,car,bicycle\n2025-07-01,a,b,3,4\n", "class scheme"),
        ("", "cannot be read"),
        ("time,site,channel,car\n,a,b,3\n", "no time"),
        ("time,site,channel,car\n0001-01-01T00:00:00,a,b,3\n", "0001-01-01"),
        ("time,site,channel,car\n9999-12-31T23:59:59-14:00,a,b,3\n", "9999-12-31"),
        *(
            (f"time,site,channel,interval_s,car\n2025-07-01,a,b,{seconds},3\n", why)
            for seconds, why in (
                ("0", "'0' is no interval in seconds; possible are 1 to 86400"),
                ("86401", "'86401' is no interval"),
                ("", "line 2: '' is no interval"),
            )
        ),
        *(
            (
                f"time,site,channel,direction,car\n2025-07-01,a,b,{key},3\n",
                "no key of a direction",
            )
            for key in ("to town", "all")
        ),
        (
            "time,site,channel,car\n2025-07-01,a-b,c,3\n2025-07-01,a,b-c,3\n",
            "a-b-c may be",
        ),
    ],
)
def test_bad_generic_file_names_its_problem(
    tmp_path: Path, text: str, complaint: str
) -> None:
    with pytest.raises(BadFile, match=complaint):
        read_generic(tmp_path, text)


HEAD = "time,site,channel,total,speed_kmh\n"
ROWS = "2026-11-21T20:00,a,in,112,46.5\n2026-11-21T20:15,a,in,7,50\n"


@pytest.mark.parametrize(
    "written",
    [
        HEAD + ROWS + "\n",
        "\n" + HEAD + "\n" + ROWS.replace("\n", "\n\n"),
        HEAD + ROWS + ",,,,\n",
        (HEAD + ROWS).replace("\n", ",\n"),
        (HEAD + ROWS).replace("\n", ",,,\n"),
        (HEAD + ROWS).replace("50\n", "50,,,\n"),
        (HEAD + ROWS).replace(".", "#").replace(",", ";").replace("#", ","),
        (HEAD + ROWS).replace(",", "\t"),
        (HEAD + ROWS).replace(",", " , "),
        (HEAD + ROWS).upper().replace(",A,IN", ",a,in"),
        HEAD + ROWS.replace(",112,", ",112.0,").replace(",50", ",50.0"),
        HEAD + ROWS.replace("112", '"112"').replace("46.5", '"46,5"'),
        HEAD + ROWS.replace("2026-11-21T", "21.11.2026 "),
        HEAD + ROWS.replace("2026-11-21T", "2026-11-21 ").replace(":15", ":15:00"),
        "\ufeff" + HEAD + ROWS,
        (HEAD + ROWS).replace("\n", "\r\n"),
        (HEAD + ROWS).rstrip("\n"),
    ],
)
def test_what_offices_write_is_read(tmp_path: Path, written: str) -> None:
    file = read_generic(tmp_path, written)
    assert file.counts["total"].to_list() == [112, 7]
    assert file.counts["speed_kmh"].to_list() == [46.5, 50]
    assert file.counts["time"].dt.strftime("%d %H:%M").to_list() == [
        "21 19:00",
        "21 19:15",
    ]
    assert not any(file.left_out.values())


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-8-sig"])
def test_files_of_any_office_encoding_are_read(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "counts.csv"
    path.write_text(HEAD + ROWS.replace(",50", ",–"), encoding=encoding)
    file = generic.read(path, TOWN)
    assert file.counts["speed_kmh"].to_list() == [46.5, None]


@pytest.mark.parametrize("written", ["2026-11-21T24:00", "21.11.2026 24:00:00"])
def test_24_o_clock_is_the_end_of_its_day(tmp_path: Path, written: str) -> None:
    file = read_generic(tmp_path, HEAD + f"{written},a,in,5,\n")
    assert file.counts["time"].to_list() == [datetime(2026, 11, 21, 23, tzinfo=UTC)]


@pytest.mark.parametrize(
    ("counts", "separator", "expected"),
    [
        (("990", '"1,234"'), ",", [990, 1234]),
        (("990", "1.234"), ";", [990, 1234]),
        (("990", "1 234"), ";", [990, 1234]),
        (("990", "1'234"), ";", [990, 1234]),
        (("990", "1\u202f234"), ";", [990, 1234]),
        (("990", "1.234.567"), ";", [990, 1234567]),
        (("990", "1234,0"), ";", [990, 1234]),
    ],
)
def test_separators_of_thousands_are_understood(
    tmp_path: Path, counts: tuple[str, ...], separator: str, expected: list[int]
) -> None:
    rows = "".join(
        f"2026-11-21T2{hour}:00,a,in,{count},\n".replace(",a,in,", ";a;in;")
        .replace(",\n", ";\n")
        .replace(";", separator)
        for hour, count in enumerate(counts)
    )
    file = read_generic(tmp_path, HEAD.replace(",", separator) + rows)
    assert file.counts["total"].to_list() == expected


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("2026-11-21T21:00,a,in,5", "line 5: it has 4 cells, fewer than the 5 of"),
        ("2026-11-21T21:00,a,in,5,1,2", "line 5: it has 6 cells, more than the 5"),
        ("2026-11-21T25:00,a,in,5,", "line 5: '2026-11-21T25:00' is no time such"),
        ("2026-11-21T24:01,a,in,5,", "line 5: '2026-11-21T24:01' is no time such"),
        ("31.11.2026 20:00,a,in,5,", "line 5: '31.11.2026 20:00' is no time such"),
        ("2026-11-21T21:00,a,in,46.5,", r"line 5: '46.5' .* \(column total\)"),
        ("2026-11-21T21:00,a,in,5,fast", r"line 5: 'fast' .* \(column speed_kmh\)"),
        ("2026-11-21T21:00,a,in,1e30,", r"line 5: '1e30' is no whole"),
        ("2026-11-21T21:00,,in,5,", r"line 5: '' is no key: .* \(column site\)"),
    ],
)
def test_bad_row_is_named_by_its_line(tmp_path: Path, row: str, complaint: str) -> None:
    with pytest.raises(BadFile, match=complaint):
        read_generic(tmp_path, HEAD + "\n" + ROWS + row + "\n")


def test_all_problems_of_a_file_are_reported_at_once(tmp_path: Path) -> None:
    rows = "".join(f"2026-11-21T20:00,a,in,x{n},\n" for n in range(60))
    with pytest.raises(BadFile, match=r"59 more problems; .* --dry-run") as refused:
        read_generic(tmp_path, HEAD + rows)
    problems = vars(refused.value)["problems"]
    assert (len(problems), vars(refused.value)["number"]) == (50, 60)
    assert problems[1].startswith("line 3: 'x1' is no whole number; write one")


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        (b"PK\x03\x04...", "a workbook, of Excel or LibreOffice; save it as CSV"),
        (b"PAR1...", "a Parquet file; save it as CSV"),
        ("time,site".encode("utf-16-le"), "NUL characters; save it as CSV, UTF-8"),
        (b"\n\n", "it is empty"),
    ],
)
def test_what_is_no_csv_is_named(
    tmp_path: Path, written: bytes, complaint: str
) -> None:
    path = tmp_path / "counts.csv"
    path.write_bytes(written)
    with pytest.raises(BadFile, match=complaint):
        generic.read(path, TOWN)


def test_number_that_may_mean_two_is_not_guessed(tmp_path: Path) -> None:
    rows = "2026-11-21T20:00;a;in;5;1.234\n"
    with pytest.raises(BadFile, match=r"line 2: '1.234' may be with thousands"):
        read_generic(tmp_path, HEAD.replace(",", ";") + rows)


def test_rows_without_any_count_are_reported(tmp_path: Path) -> None:
    file = read_generic(tmp_path, HEAD + ROWS + "2026-11-21T21:00,a,in,,50\n")
    assert file.left_out["all their cells of counts are empty"] == 1


def test_outlook_predicts_the_result_of_an_import(tmp_path: Path) -> None:
    row = "2026-11-21T21:00,a,in,-3,-1\n2026-11-21T22:00,a,in,3,-1\n"
    found = outlook(read_generic(tmp_path, HEAD + ROWS + row))
    assert (found.readings, found.sites, found.channels) == (4, 1, 1)
    assert (found.first, found.last[:13]) == (
        "2026-11-21 20:00:00+01:00",
        "2026-11-21 22",
    )
    (rejected,) = found.rejected
    assert "classes.total = -3" in rejected
    assert list(found.fields_dropped.values()) == [1]


def test_long_days_are_cut_into_messages_that_can_be_kept_whole(
    tmp_path: Path,
) -> None:
    first = datetime(2026, 11, 20, tzinfo=UTC)
    rows = "".join(
        f"{first + timedelta(seconds=10 * row):%Y-%m-%dT%H:%M:%SZ},a,in,3,\n"
        for row in range(8640)
    )
    file = read_generic(tmp_path, HEAD + rows)
    found = list(messages(file, per=timedelta(days=1)))
    assert max(len(message.payload) for message in found) <= MAX_MESSAGE_BYTES
    assert sum(message.payload.count(b"interval_s") for message in found) == 8640


@pytest.mark.parametrize("read", [muenster_bike.read, muenster_kfz.read, generic.read])
def test_file_of_something_else_is_refused(tmp_path: Path, read: object) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"\x89PNG\r\n\x1a\n")
    assert callable(read)
    with pytest.raises(BadFile, match="cannot be read"):
        read(path, TOWN)


def test_messages_hold_each_count_once_in_order(tmp_path: Path) -> None:
    file = read_generic(
        tmp_path,
        "time,site,channel,car\n"
        "2025-07-02T00:00:00Z,a,b,3\n"
        "2025-07-01T23:45:00Z,a,b,2\n"
        "2025-07-01T23:45:00Z,a,c,1\n",
    )
    found = list(messages(file, per=timedelta(days=1)))
    assert [(m.topic.split("/")[3], m.due.isoformat()) for m in found] == [
        ("a-b", "2025-07-02T00:00:00+00:00"),
        ("a-c", "2025-07-02T00:00:00+00:00"),
        ("a-b", "2025-07-02T00:15:00+00:00"),
    ]
    outputs = [msgspec.json.decode(m.payload)[0]["counts"][0] for m in found]
    assert [output["classes"]["car"] for output in outputs] == [2, 1, 3]


def test_cut_keeps_local_days_and_sites(tmp_path: Path) -> None:
    file = read_generic(
        tmp_path,
        "time,site,channel,car\n"
        "2025-06-30T21:59:00Z,a,b,1\n"
        "2025-06-30T22:00:00Z,a,b,2\n"
        "2025-07-01T21:59:00Z,z,b,3\n"
        "2025-07-01T22:00:00Z,a,b,4\n",
    )
    day = cut(file, since=date(2025, 7, 1), until=date(2025, 7, 2))
    assert day.counts["car"].to_list() == [2, 3]
    only = cut(day, sites=["a"])
    assert only.counts["car"].to_list() == [2]
    assert [site.key for site in only.town.sites] == ["a"]


def test_csv_of_the_documentation_is_read_as_it_stands(tmp_path: Path) -> None:
    page = (PROJECT / "docs/how-to/replay-real-data.md").read_text("utf-8")
    (example,) = re.findall(r"```text\n(time,site.*?)```", page, re.DOTALL)
    file = read_generic(tmp_path, example)
    check(file.town)
    assert file.counts.height == example.count("\n") - 1
    assert not any(file.left_out.values())
    (sensor,) = file.town.sensors
    assert sensor.class_scheme == "tls-2+1"
    volumes = file.counts.select(pl.sum_horizontal(COUNTS)).to_series().to_list()
    assert volumes == [121, 121, 130]


MIXED = "time,site,channel,quantity,total,unclassified,car,truck,bicycle\n"


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        # what is known of a row: total, classes, or both
        (["motor,121,,112,9,", "motor,130,,112,9,"], [(0, 112, 9), (9, 112, 9)]),
        (["motor,,,112,9,", "motor,121,,,,"], [(None, 112, 9), (121, None, None)]),
        (["motor,121,,112,,", "motor,,,,3,"], [(9, 112, None), (None, None, 3)]),
        (["motor,121,0,112,9,"], [(0, 112, 9)]),
        (["motor,,1,112,9,"], [(1, 112, 9)]),
    ],
)
def test_what_a_total_has_beyond_its_classes_is_unclassified(
    tmp_path: Path, rows: list[str], expected: list[tuple[int | None, ...]]
) -> None:
    lines = [f"2025-07-01T0{n}:00:00Z,a,b,{row}\n" for n, row in enumerate(rows)]
    file = read_generic(tmp_path, MIXED + "".join(lines))
    check(file.town)
    assert file.town.sensors[0].class_scheme == "tls-2+1"
    assert file.counts["total"].null_count() == file.counts.height
    assert (
        file.counts.select("unclassified", "car", "truck").rows()  # as they came
        == expected
    )


def test_total_of_bicycles_is_their_number(tmp_path: Path) -> None:
    file = read_generic(
        tmp_path,
        MIXED
        + "2025-07-01T00:00:00Z,a,b,bicycle,5,,,,5\n"
        + "2025-07-01T01:00:00Z,a,b,bicycle,6,,,,\n"
        + "2025-07-01T02:00:00Z,a,b,bicycle,,,,,7\n"
        + "2025-07-01T00:00:00Z,a,only-totals,motor,8,,,,\n",
    )
    check(file.town)
    assert file.counts["bicycle"].to_list() == [5, 6, 7, None]
    assert file.counts["total"].to_list() == [None, None, None, 8]


def test_rows_whose_total_contradicts_their_classes_are_left_out(
    tmp_path: Path,
) -> None:
    file = read_generic(
        tmp_path,
        MIXED
        + "2025-07-01T00:00:00Z,a,b,motor,120,,112,9,\n"
        + "2025-07-01T01:00:00Z,a,b,motor,122,0,112,9,\n"
        + "2025-07-01T02:00:00Z,a,b,motor,121,0,112,9,\n"
        + "2025-07-01T03:00:00Z,a,c,bicycle,6,,,,5\n",
    )
    assert file.counts["car"].to_list() == [112]
    reason = "their total is not the sum of their classes (line 2, 3, 5)"
    assert file.left_out[reason] == 3


NOW = datetime(2026, 11, 22, tzinfo=UTC)


def read_recording(path: Path) -> tuple[list[Message], dict[int, str]]:
    skipped: dict[int, str] = {}
    found = list(
        recording.read(
            path, now=NOW, skipped=skipped.__setitem__, is_undated=lambda _: False
        )
    )
    return found, skipped


def test_recording_is_read_as_the_broker_gave_it(tmp_path: Path) -> None:
    path = tmp_path / "recording"
    path.write_bytes(
        b'{"tst":"2026-11-21T21:00:00.5+0100","topic":"a/b","qos":1,"payload":"{}"}\n'
        b"\n"
        b'{"topic":"a/c","base64":"/w=="}\n'
        b'{"topic":"a/c","hex":"FF00"}\n'
        b'{"topic":"a/d","payload":{"a": 1}}\n'
        b'{"topic":"a/e","payload":null,"payloadlen":0}'
    )
    (text, *others), skipped = read_recording(path)
    assert (text.topic, text.payload, text.received_at) == ("a/b", b"{}", NOW)
    assert text.first_received_at == datetime(2026, 11, 21, 20, 0, 0, 500_000, UTC)
    assert [each.payload for each in others] == [b"\xff", b"\xff\0", b'{"a": 1}', b""]
    assert {each.first_received_at for each in others} == {None}
    assert not skipped


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-21T20:00:00.189999Z+0000",  # Mosquitto 2.0.11
        "2026-11-21T21:00:00.189999Z+0100",
        "2026-11-21T15:00:00.189999Z-05:00",
        "2026-11-21T21:00:00.189999+0100",
        "2026-11-21T21:00:00.189999+01:00",
        "2026-11-21T20:00:00.189999Z",
    ],
)
def test_times_of_each_mosquitto_are_read(tmp_path: Path, written: str) -> None:
    path = tmp_path / "recording"
    path.write_text(f'{{"tst":"{written}","topic":"a/b","payload":"1"}}\n')
    (message,), _ = read_recording(path)
    assert message.first_received_at == datetime(2026, 11, 21, 20, 0, 0, 189_999, UTC)


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"\xff\0",
        b"[" * 100_000,
        b'"' + b"x" * recording.MAX_LINE_BYTES + b'"',
        b'{"topic":"a"}',
        b'{"topic":"a","payload":"1","base64":"MQ=="}',
        b'{"topic":"a","base64":"*"}',
        b'{"topic":"a","hex":"0"}',
        b'{"topic":"a","payload":"\xff"}',
        # Mosquitto ends a payload at its first zero byte
        b'{"topic":"a","payload":"1","payloadlen":5}',
        b'{"topic":"a","payload":"1","tst":"2026-11-21T21:00:00"}',
        b'{"topic":"a","payload":"1","tst":"yesterday"}',
        b'{"topic":"a","payload":"1","tst":"0001-01-01T00:00:00+14:00"}',
    ],
)
def test_line_that_is_no_message_is_named_and_does_not_end_it(
    tmp_path: Path, line: bytes
) -> None:
    path = tmp_path / "recording"
    good = b'{"topic":"a","payload":"1"}\n'
    path.write_bytes(good + line + b"\n" + good)
    found, skipped = read_recording(path)
    assert [each.payload for each in found] == [b"1", b"1"]
    assert list(skipped) == [2]


def test_missing_site_and_missing_days_are_reported(tmp_path: Path) -> None:
    bike(tmp_path, ["2025-07-01 00:00,8,2,0,0", "2025-07-02 23:45,9,2,0,0"])
    file = muenster_bike.read(tmp_path, TOWN)
    with pytest.raises(UsageError, match=r"no site 99; there are 1: 77"):
        cut(file, sites=["77", "99"])
    with pytest.raises(UsageError, match=r"from 2025-07-01 to 2025-07-02"):
        cut(file, since=date(2025, 8, 1))


def test_names_beside_the_counts_of_a_folder_are_no_counts(tmp_path: Path) -> None:
    (tmp_path / "channels.csv").write_text("channel_id,name\n77,Am Tor\n")
    bike(tmp_path, ["2025-07-01 00:00,8,2,0,0"])
    assert muenster_bike.read(tmp_path, TOWN).counts["bicycle"].to_list() == [8]


def test_a_folder_is_no_generic_file(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="it is a folder"):
        generic.read(tmp_path, TOWN)


def autumn_night(step: int = 15) -> list[tuple[str, int]]:
    """The day of 25 hours by a wall clock: 10 before the clock is set back, then 20."""
    found = []
    start = datetime(2025, 10, 25, 22, tzinfo=UTC)
    for n in range(25 * 60 // step):
        at = start + n * timedelta(minutes=step)
        wall = at.astimezone(ZoneInfo("Europe/Berlin")).replace(tzinfo=None)
        found.append((wall.isoformat(), 10 if n < 3 * 60 // step else 20))
    return found


def counts_of(tmp_path: Path, rows: list[tuple[str, int]], *sites: str) -> CountFile:
    lines = [
        f"{time},{site},b,900,{car}\n" for time, car in rows for site in sites or "a"
    ]
    return read_generic(tmp_path, "time,site,channel,interval_s,car\n" + "".join(lines))


@pytest.mark.parametrize("step", [5, 15, 30, 60])
@pytest.mark.parametrize("backwards", [False, True])
def test_order_decides_both_passes_of_the_autumn_hour(
    tmp_path: Path, step: int, backwards: bool
) -> None:
    rows = autumn_night(step)
    file = counts_of(tmp_path, rows[::-1] if backwards else rows, "a", "c")
    counts = file.counts.filter(pl.col("sensor") == "a-b").sort("time")
    assert counts["time"].n_unique() == len(rows)
    assert counts["car"].to_list() == [car for _, car in rows]
    assert not file.remarks


def test_step_back_begins_a_second_pass_with_gaps(tmp_path: Path) -> None:
    rows = [("01:45", 1), ("02:00", 2), ("02:45", 3), ("02:15", 4), ("03:00", 5)]
    file = counts_of(tmp_path, [(f"2025-10-26T{time}", car) for time, car in rows])
    assert [time.hour for time in file.counts["time"]] == [23, 0, 0, 1, 2]
    assert not file.remarks


def test_an_autumn_hour_that_occurs_once_is_remarked(tmp_path: Path) -> None:
    rows = dict(autumn_night())
    file = counts_of(tmp_path, list(rows.items()))
    assert file.counts.height == 96
    assert file.remarks == {wall_clock.AMBIGUOUS["once"]: 4}


def test_pairs_without_order_are_both_kept_and_remarked(tmp_path: Path) -> None:
    rows = autumn_night()
    Random(3).shuffle(rows)
    file = counts_of(tmp_path, rows)
    assert file.counts["time"].n_unique() == 100
    assert file.counts["car"].sum() == 1880
    assert file.remarks == {wall_clock.AMBIGUOUS["unordered"]: 8}


def test_pairs_of_a_file_sorted_by_its_clock_are_remarked(
    tmp_path: Path,
) -> None:
    rows = sorted(autumn_night(), key=itemgetter(0))
    file = counts_of(tmp_path, rows)
    assert file.counts["time"].n_unique() == 100
    assert file.counts["car"].sum() == 1880
    assert file.remarks == {wall_clock.AMBIGUOUS["unordered"]: 8}


def test_a_file_that_holds_each_row_twice_has_no_second_pass(tmp_path: Path) -> None:
    rows = list(dict(autumn_night()).items())
    file = counts_of(tmp_path, [*rows, *rows])
    assert file.counts["time"].n_unique() == 96
    assert file.remarks == {wall_clock.AMBIGUOUS["unordered"]: 8}


@pytest.mark.parametrize(
    "text", ["1.3.2025 7:00", "01.03.2025 07:00", "1.3.2025 7:00:00"]
)
def test_german_times_may_have_numbers_of_one_digit(tmp_path: Path, text: str) -> None:
    file = counts_of(tmp_path, [(text, 5)])
    assert file.counts["time"].to_list() == [datetime(2025, 3, 1, 6, tzinfo=UTC)]


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("01.03.25", "2025-03-01"),
        ("1.3.25", "2025-03-01"),
        ("01.03.99", "1999-03-01"),
        ("2025/03/01", "2025-03-01"),
        ("2025/3/1", "2025-03-01"),
    ],
)
@pytest.mark.parametrize("clock", ["07:00", "7:00", "07:00:00", "24:00"])
def test_dates_that_offices_write_are_read(
    tmp_path: Path, text: str, day: str, clock: str
) -> None:
    file = counts_of(tmp_path, [(f"{text} {clock}", 5)])
    (found,) = file.counts["time"].dt.convert_time_zone("Europe/Berlin")
    hour = int(clock.split(":")[0])
    wall = datetime.fromisoformat(day) + timedelta(hours=hour)
    assert found.replace(tzinfo=None) == wall


@pytest.mark.parametrize(
    "text", ["01/02/2025", "1/2/25", "13/02/2025 07:00", "01/02/2025T07:00"]
)
def test_dates_with_an_ambiguous_month_are_refused(tmp_path: Path, text: str) -> None:
    sentence = (
        rf"line 2: '{text}' may be day and month, or month and day; write it as "
        r"2026-11-21 or 21\.11\.2026 \(column time\)"
    )
    with pytest.raises(BadFile, match=sentence):
        counts_of(tmp_path, [(text, 5), ("2025-02-01", 6)])


def test_a_file_of_dates_has_daily_values_and_a_remark(tmp_path: Path) -> None:
    def read(*times: str) -> CountFile:
        rows = "".join(f"{time},a,b,4\n" for time in times)
        return read_generic(tmp_path, f"time,site,channel,car\n{rows}")

    days = ["2025-03-29", "30.3.2025", "2025/03/31"]
    file = read(*days)
    assert file.counts["interval_s"].to_list() == [86_400] * 3
    assert file.remarks == {generic.DATES_ONLY: 3}
    assert cut(file, until=date(2025, 3, 30)).remarks == {generic.DATES_ONLY: 1}
    # midnight of quarter-hours, as spreadsheets write it
    for time in ("2025-03-31 00:15", "2025-03-31T00", "20250331T00"):
        assert read(*days[:2], time).counts["interval_s"].to_list() == [900] * 3
    file = read(*days, "2025-03-31 00:15")
    assert file.counts["interval_s"].unique().to_list() == [900]
    assert not file.remarks


def test_an_interval_that_is_given_is_that_of_dates_too(tmp_path: Path) -> None:
    path = tmp_path / "counts.csv"
    path.write_text("time,site,channel,Interval_s,car\n2025-03-01,a,b,3600,4\n")
    file = generic.read(path, TOWN)
    assert file.counts["interval_s"].to_list() == [3600]
    assert not file.remarks


def test_remarks_are_of_the_chosen_sites_and_days(tmp_path: Path) -> None:
    for station in (77, 88):
        head = f"Datetime,{station} (Tor {station}),{station}-status"
        rows = [f"{time.replace('T', ' ')[:16]},{n}," for time, n in _once()]
        blank = ["2025-10-27 00:00,,", "2025-10-28 00:00,,"]
        path = tmp_path / f"{station}.csv"
        path.write_text("\n".join([head, *rows, *blank]) + "\n")
    file = muenster_bike.read(tmp_path, TOWN)
    once = wall_clock.AMBIGUOUS["once"]
    assert (file.remarks, file.left_out["blank"]) == ({once: 8}, 4)
    one = cut(file, sites=["77"])
    assert (one.remarks, one.left_out["blank"]) == ({once: 4}, 2)
    early = cut(file, until=date(2025, 10, 28))
    assert (early.remarks, early.left_out["blank"]) == ({once: 8}, 2)
    assert not cut(file, sites=["88"], until=date(2025, 10, 26) + DAY).left_out


DAY = timedelta(days=1)


def _once() -> list[tuple[str, int]]:
    return list(dict(autumn_night()).items())


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize(
    ("rows", "why", "hours"),
    [
        (slice(0, 12), "ends", [22, 23, 0]),
        (slice(12, None), "begins", [1, 2, 3, 4, 5, 6, 7]),
        (slice(8, 12), "once", [0]),
    ],
)
def test_a_file_that_is_cut_in_the_autumn_hour_goes_on_in_the_right_pass(
    tmp_path: Path, rows: slice, why: Ambiguous, hours: list[int], backwards: bool
) -> None:
    night = autumn_night()[:40][rows]
    file = counts_of(tmp_path, night[::-1] if backwards else night)
    found = file.counts.sort("time")["time"]
    assert found.dt.hour().unique(maintain_order=True).to_list() == hours
    assert file.remarks == {wall_clock.AMBIGUOUS[why]: 4}


def test_messages_of_a_file_say_what_is_ambiguous(tmp_path: Path) -> None:
    file = counts_of(tmp_path, _once())
    sent = [
        interval
        for message in messages(file, per=DAY)
        for interval in msgspec.json.decode(message.payload)
    ]
    unsure = [each["time"] for each in sent if each.get("ambiguous") == "once"]
    assert unsure == [f"2025-10-26T00:{minute:02}:00Z" for minute in (0, 15, 30, 45)]
    # and are read as they say it, beside what is unusable too
    for bad in ([], [{"time": "never"}]):
        decoded = native.decode("counts", msgspec.json.encode([*sent, *bad]))
        assert len(decoded.unusable) == len(bad)
        assert [r.ambiguous for r in decoded.readings].count("once") == 4
