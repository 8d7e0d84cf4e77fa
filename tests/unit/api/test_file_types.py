import io
import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from analytics.reports.extracts import Column, Extract, Selection, SeriesPassport
from analytics.reports.periods import Period
from api import file_types
from tests.registered import channel, site

SITE = site(
    "pariser-strasse",
    name="Pariser Straße",
    municipality="kaiserslautern",
    municipality_name="Kaiserslautern",
    channels=(
        channel(
            "ost-1",
            name="Richtung Ost, Fahrstreifen 1",
            direction="ost",
            direction_name="Richtung Mainzer Tor",
        ),
    ),
)
#: what stands above the table
FACTS = (
    "\ufeffKommune;Kaiserslautern\r\n"
    "Messstelle;Pariser Straße\r\n"
    "Messgröße;Kraftfahrzeuge\r\n"
    "Zeitraum;25.10.2026 01:00 – 25.10.2026 03:00\r\n"
    "Zeitzone;Europe/Berlin\r\n"
    "Davon beobachtet;50,0 %\r\n"
    "Quelle;Kaiserslautern, Verkehrspuls\r\n"
    "Lizenz;keine Angabe\r\n"
    "\r\n"
)
#: the hour before the clock is put back, and the two after it
AUTUMN = datetime(2026, 10, 24, 23, tzinfo=UTC)


def period(start: datetime, end: datetime) -> Period:
    return Period(start, end, ZoneInfo("Europe/Berlin"))


def extract(frame: pl.DataFrame, *, expected: int = 3) -> Extract:
    return Extract(
        Selection(
            SITE, "motor", None, period(AUTUMN, AUTUMN + timedelta(hours=3)), "PT1H"
        ),
        frame,
        [Column(name, None, "") for name in frame.columns],
        SeriesPassport(
            observed=0.5,
            normalised=0.0,
            imputed=0.0,
            excluded=0.0,
            method="volumes-3",
            intervals_expected=expected,
            intervals_present=3,
        ),
        [],
    )


FRAME = pl.DataFrame(
    {
        "time": [AUTUMN + timedelta(hours=n) for n in range(3)],
        "direction": ["ost", "", None],
        "volume": [1, None, -3],
        "speed_kmh": [47.5, None, 1234.25],
    },
    schema_overrides={"time": pl.Datetime("us", "UTC")},
)


def test_csv_is_rfc_4180_in_utc() -> None:
    assert file_types.to_csv(extract(FRAME)).decode() == (
        "time,direction,volume,speed_kmh\r\n"
        "2026-10-24T23:00:00Z,ost,1,47.5\r\n"
        '2026-10-25T00:00:00Z,"",,\r\n'
        "2026-10-25T01:00:00Z,,-3,1234.25\r\n"
    )


def test_trap_19_german_csv_has_local_times_and_tells_the_doubled_hour_apart() -> None:
    assert file_types.to_german_csv(extract(FRAME)).decode("utf-8") == (
        FACTS + "Beginn (Ortszeit);Beginn (UTC);Richtung;Gezählt;"
        "Mittlere Geschwindigkeit\r\n"
        "25.10.2026 01:00;2026-10-24T23:00:00Z;Richtung Mainzer Tor;1;47,5\r\n"
        '25.10.2026 02:00;2026-10-25T00:00:00Z;"";;\r\n'
        "25.10.2026 02:00;2026-10-25T01:00:00Z;;-3;1234,25\r\n"
    )


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        (
            "csv-de",
            "Von der Uhr zweimal gezeigt, Durchgang nicht bekannt;25.10.",
        ),
        ("csv-en", "Hour that the clock showed twice; unknown which"),
        ("json", '"ambiguous_hours":["2026-10-25T00:00:00Z"]'),
    ],
)
def test_exports_name_the_hour_of_which_the_pass_is_not_known(
    form: str, sentence: str
) -> None:
    known = extract(FRAME)
    hour = AUTUMN + timedelta(hours=1)
    unsure = replace(known, passport=replace(known.passport, ambiguous_hours=(hour,)))
    assert sentence not in file_types.FILE_TYPES[form].write(known).decode()
    text = file_types.FILE_TYPES[form].write(unsure).decode()
    assert sentence in text
    assert "2026-10-25T00:00:00Z" in text.partition("Z;")[0]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
@pytest.mark.parametrize("form", ["csv", "csv-de", "csv-en"])
def test_trap_19_text_that_excel_would_run_is_defused(start: str, form: str) -> None:
    frame = pl.DataFrame({"method": [f"{start}1+1", "daily-1"]})
    text = file_types.FILE_TYPES[form].write(extract(frame)).decode()
    assert f"'{start}1+1" in text
    assert "\r\ndaily-1\r\n" in text or "\ndaily-1" in text


def test_negative_numbers_stay_numbers() -> None:
    text = file_types.to_csv(extract(pl.DataFrame({"mean": [-4.5]}))).decode()
    assert text == "mean\r\n-4.5\r\n"


def test_trap_19_german_csv_writes_days_as_germans_do() -> None:
    frame = pl.DataFrame({"day": [date(2026, 3, 1)], "volume": [7]})
    text = file_types.to_german_csv(extract(frame)).decode("utf-8-sig")
    assert text.endswith("\r\n\r\nTag;Gezählt\r\n01.03.2026;7\r\n")


def test_excel_has_yes_and_no_in_the_readers_words() -> None:
    frame = pl.DataFrame({"direction": ["all"], "valid": [True], "mean": [1234.5]})
    extracted = extract(frame)
    german = file_types.to_german_csv(extracted).decode("utf-8-sig")
    assert german.endswith(
        "Richtung;Zählt für Mittel;Mittel\r\nalle Richtungen;ja;1234,5\r\n"
    )
    english = file_types.to_english_csv(extracted).decode("utf-8-sig")
    assert english.startswith("Municipality,Kaiserslautern\r\nSite,Pariser Straße\r\n")
    assert "Period,2026-10-25 01:00 – 2026-10-25 03:00\r\n" in english
    assert english.endswith(
        "Direction,Used in means,Mean\r\nall directions,yes,1234.5\r\n"
    )


def test_name_of_a_site_that_excel_would_run_is_defused() -> None:
    extracted = replace(
        extract(FRAME),
        selection=replace(extract(FRAME).selection, site=site(name="=1+1")),
    )
    assert "Messstelle;'=1+1\r\n" in file_types.to_german_csv(extracted).decode()


def test_parquet_holds_the_frame_and_its_passport() -> None:
    body = file_types.to_parquet(extract(FRAME))
    assert pl.read_parquet(io.BytesIO(body)).equals(FRAME)
    document = json.loads(pl.read_parquet_metadata(io.BytesIO(body))["verkehrspuls"])
    assert document["passport"]["observed"] == 0.5
    assert document["from"] == "2026-10-24T23:00:00Z"


def test_json_has_null_for_unknown_and_nan() -> None:
    frame = pl.DataFrame({"volume": [None, 1], "speed_kmh": [float("nan"), 1.5]})
    document = json.loads(file_types.to_json(extract(frame)))
    assert document["rows"] == [
        {"volume": None, "speed_kmh": None},
        {"volume": 1, "speed_kmh": 1.5},
    ]


@pytest.mark.parametrize(
    ("start", "end", "name"),
    [
        (
            datetime(2026, 2, 28, 23, tzinfo=UTC),
            datetime(2026, 3, 29, 22, tzinfo=UTC),
            "pariser-strasse_2026-03-01_2026-03-30_PT1H.csv",
        ),
        (
            datetime(2026, 3, 1, tzinfo=UTC),
            datetime(2026, 3, 1, 6, 30, tzinfo=UTC),
            "pariser-strasse_2026-03-01T0000Z_2026-03-01T0630Z_PT1H.csv",
        ),
    ],
)
def test_file_name_says_site_period_and_bin(
    start: datetime, end: datetime, name: str
) -> None:
    selection = Selection(SITE, "motor", None, period(start, end), "PT1H")
    assert file_types.file_name(selection, "csv") == name


def test_shares_of_nothing_are_null() -> None:
    document = json.loads(file_types.to_json(extract(FRAME, expected=0)))["passport"]
    assert document["observed"] is None
    assert document["excluded"] is None
