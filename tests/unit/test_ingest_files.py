"""Reading files of counts: small files in the formats of the real ones."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec
import polars as pl
import pytest

from ingest.files import (
    CountFile,
    cut,
    generic,
    messages,
    muenster_bike,
    muenster_kfz,
    recording,
)
from verkehrspuls.errors import BadFile, UsageError
from verkehrspuls.model import Town
from verkehrspuls.storage.registry import check

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
        ("time,site,channel,car\n1.7.2025,a,b,3\n", "1.7.2025"),
        ("time,site,channel,car\n2025-07-01,a,b,x\n", "x"),
        ("time,site,channel,car\n2025-07-01,A B,b,3\n", "no key"),
        ("time,site,channel,car,bicycle\n2025-07-01,a,b,3,4\n", "class scheme"),
        ("", "cannot be read"),
        ("time,site,channel,car\n,a,b,3\n", "no time"),
        ("time,site,channel,car\n0001-01-01T00:00:00,a,b,3\n", "0001-01-01"),
        ("time,site,channel,car\n9999-12-31T23:59:59-14:00,a,b,3\n", "9999-12-31"),
        *(
            (f"time,site,channel,interval_s,car\n2025-07-01,a,b,{seconds},3\n", why)
            for seconds, why in (("0", ">= 1"), ("86401", "<= 86400"), ("", "null"))
        ),
        *(
            (f"time,site,channel,direction,car\n2025-07-01,a,b,{key},3\n", "regex")
            for key in ("to town", "all")
        ),
        (
            "time,site,channel,car\n2025-07-01,a-b,c,3\n2025-07-01,a,b-c,3\n",
            "a-b-c may be",
        ),
    ],
)
def test_bad_generic_file_says_what_is_wrong(
    tmp_path: Path, text: str, complaint: str
) -> None:
    with pytest.raises(BadFile, match=complaint):
        read_generic(tmp_path, text)


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


def test_recording_is_read_as_the_broker_gave_it(tmp_path: Path) -> None:
    path = tmp_path / "recording"
    path.write_bytes(
        b'{"tst":"2026-11-21T21:00:00.5+0100","topic":"a/b","qos":1,"payload":"{}"}\n'
        b"\n"
        b'{"topic":"a/c","base64":"/w=="}\n'
    )
    now = datetime(2026, 11, 22, tzinfo=UTC)
    text, binary = recording.read(path, now=now)
    assert (text.topic, text.payload, text.received_at) == ("a/b", b"{}", now)
    assert text.first_received_at == datetime(2026, 11, 21, 20, 0, 0, 500_000, UTC)
    assert (binary.payload, binary.first_received_at) == (b"\xff", None)


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b'{"topic":"a"}',
        b'{"topic":"a","payload":"1","base64":"MQ=="}',
        b'{"topic":"a","base64":"*"}',
        b'{"topic":"a","payload":"1","tst":"2026-11-21T21:00:00"}',
        b'{"topic":"a","payload":"1","tst":"yesterday"}',
        b'{"topic":"a","payload":"1","tst":"0001-01-01T00:00:00+14:00"}',
    ],
)
def test_line_that_is_no_message_is_named(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "recording"
    path.write_bytes(b'{"topic":"a","payload":"1"}\n' + line)
    with pytest.raises(BadFile, match="line 2"):
        list(recording.read(path, now=datetime(2026, 11, 22, tzinfo=UTC)))


def test_what_a_file_does_not_have_is_told(tmp_path: Path) -> None:
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
