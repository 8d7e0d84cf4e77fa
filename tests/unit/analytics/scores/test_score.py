"""The anomaly score of traffic: what it finds and what it leaves alone."""

import gzip
import json
import sys
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from analytics.scores import score, table, traffic
from benchmarks.proof import faults, simple
from tests.property.test_traffic_score import HOURS, START, town
from verkehrspuls.cli import command
from verkehrspuls.errors import BadFile


def judged(rows: pl.DataFrame, key: str, *hours: int) -> pl.DataFrame:
    """Rows of a series, by their number from the end."""
    own = traffic.scores(rows).filter(pl.col("key") == key).sort("time")
    return own[[len(own) - hour for hour in hours]]


def changed(rows: pl.DataFrame, key: str, hour: int, value: float) -> pl.DataFrame:
    moment = START + timedelta(hours=HOURS - hour)
    here = (pl.col("key") == key) & (pl.col("time") == moment)
    return rows.with_columns(value=pl.when(here).then(value).otherwise("value"))


def test_a_spike_is_an_alarm_at_once_and_over_at_once() -> None:
    rows = changed(town(1), "s4", 10, 5000.0)
    before, here, after = judged(rows, "s4", 11, 10, 9)["score"]
    assert before < 0.5 <= here
    assert after < 0.5


def test_a_stuck_counter_is_detected_from_few_repetitions() -> None:
    found = judged(town(1), "s1", 50, 41, 38)
    assert found["kind"][0] == "stuck"
    assert (found["odds"][:2] > 0).all()
    assert found["odds"][2] < 0


def test_a_dead_counter_is_a_drop_out() -> None:
    found = judged(town(1), "s2", 25, 21, 5)
    assert (found["odds"][:2] > 0).all()
    assert found["odds"][2] < 0


def test_a_halved_level_stays_conspicuous_for_days() -> None:
    found = traffic.scores(town(1)).filter(pl.col("key") == "s0").sort("time")
    assert (found["odds"].to_numpy()[-150:] > 0).mean() > 0.9
    # the baseline has not learned it
    counts = town(1).filter(pl.col("key") == "s0").sort("time")["value"].to_numpy()
    assert found["usual"].to_numpy()[-24:].sum() > 1.5 * counts[-24:].sum()


def test_what_all_series_do_is_no_fault() -> None:
    rows = town(1, series=12).with_columns(
        value=pl.when(pl.col("time") >= START + timedelta(hours=HOURS - 300))
        .then((pl.col("value") * 0.7).round())
        .otherwise("value")
    )
    late = traffic.scores(rows).filter(
        pl.col("key") == "s5", pl.col("time") >= START + timedelta(hours=HOURS - 300)
    )
    assert (late["odds"].to_numpy() < 0).mean() > 0.98


def test_a_known_holiday_is_judged_as_a_sunday() -> None:
    day = date(2026, 4, 3)
    rows = town(1).filter(pl.col("key") == "s4")
    quiet = rows.with_columns(
        value=pl.when(pl.col("time").dt.date() == day)
        .then((pl.col("value") * 0.6).round())
        .otherwise("value")
    )

    def worst(holiday: traffic.Holiday | None) -> float:
        found = traffic.scores(quiet, holiday=holiday)
        peak = found.filter(pl.col("time").dt.date() == day)["odds"].max()
        assert isinstance(peak, float)
        return peak

    assert worst(lambda one: one == day) < worst(None)


def test_negative_counts_are_unknown_not_zero() -> None:
    rows = changed(town(1), "s4", 10, -8.0)
    found = judged(rows, "s4", 10)
    assert found["odds"][0] < 0


def test_young_series_are_not_judged() -> None:
    rows = town(1).filter(pl.col("time") < START + timedelta(days=1))
    assert traffic.scores(rows)["usual"].null_count() == len(rows)


def test_fractions_are_judged_as_anything_from_then_on() -> None:
    rows = town(1).filter(pl.col("key") == "s4")
    whole = score.scores(rows)
    broken = rows.with_row_index("n").with_columns(
        value=pl.when(pl.col("n") == 600).then(0.5).otherwise("value")
    )
    found = score.scores(broken.drop("n"))
    assert found["score"][:600].equals(whole["score"][:600])
    assert not found["score"][600:].equals(whole["score"][600:])


def test_rows_of_one_anomaly_share_a_case() -> None:
    found = score.scores(town(1)).filter(pl.col("key") == "s2").sort("time")
    cases = found["case"][-30:-20].drop_nulls().unique()
    assert len(cases) == 1
    assert found["case"][-10:].null_count() == 10


def test_faults_are_found_better_than_by_simple_scores() -> None:
    rows = town(5, series=10, hours=12 * 168, sound=True).sort("key", "time")
    counts = rows["value"].fill_null(np.nan).to_numpy().reshape(10, -1)
    labelled = faults.inject(counts, ["a"] * 10, seed=1, first=5 * 168)
    panel = faults.Panel("made", START, counts, ["a"] * 10)
    made = panel.rows(labelled.counts)

    def measured(values: faults.Floats) -> dict[str, float]:
        return faults.measure(values.reshape(10, -1), labelled, first=5 * 168)

    ours = measured(score.scores(made)["score"].to_numpy())
    theirs = measured(simple.poisson(made))
    assert ours["average_precision"] > max(theirs["average_precision"], 0.8)
    assert ours["event_recall"] > 0.7


def test_injected_faults_are_labelled_and_repeatable() -> None:
    counts = np.full((3, 2000), 100.0) + np.arange(2000.0) % 24
    one, two = (faults.inject(counts, list("abc"), seed=7, first=100) for _ in "ab")
    assert one.faults == two.faults
    assert (one.counts == two.counts).all()
    assert {fault.kind for fault in one.faults} == set(faults.KINDS)
    touched = one.counts != counts
    assert not touched[~one.labels].any()
    assert not touched[:, :100].any()


def test_average_precision_is_that_of_its_definition() -> None:
    labels = np.array([True, False, True, False])
    found = faults.average_precision(np.array([4.0, 3.0, 2.0, 1.0]), labels)
    assert found == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert faults.average_precision(np.zeros(4), labels) == pytest.approx(0.5)


GERMAN = "Zeit;Anzahl;Stelle\n01.03.2026 00:00;1.234,5;a\n01.03.2026 01:00;;a\n"


def test_german_files_are_read(tmp_path: Path) -> None:
    path = tmp_path / "g.csv"
    path.write_text(GERMAN, encoding="utf-8-sig")
    rows = table.read(path, key="Stelle")
    assert rows["value"].to_list() == [1234.5, None]
    assert rows["time"][1] == datetime(2026, 3, 1, 1)  # noqa: DTZ001 - wall time
    assert rows["key"].to_list() == ["a", "a"]


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01T00:00:00Z",
        "2026-03-01 00:00 UTC",
        "2026-03-01 01:00:00+01:00",
        "2026-03-01 01:00:00.000+0100",
        "2026-03-01 01:00:00+01",
        "2026-02-28T24:00Z",
        "2026-02-28T24:00:00.0+00:00",
    ],
)
def test_offsets_are_understood(tmp_path: Path, text: str) -> None:
    path = tmp_path / "o.csv"
    path.write_text(f"timestamp,value\n{text},1\n")
    moment = table.read(path)["time"][0]
    assert moment.isoformat() == "2026-03-01T00:00:00+00:00"


@pytest.mark.parametrize(
    "file",
    [
        GERMAN.replace("a\n", "ä\n").encode("cp1252"),
        GERMAN.encode("utf-16"),
        GERMAN.replace("\n", "\r\n").encode(),
        GERMAN.replace("\n", "\r").encode(),
        GERMAN.replace(";", "\t").encode(),
        GERMAN.replace(".2026", ".26").encode(),
        GERMAN.replace("01.03.2026 00:00", "28.02.2026 24:00").encode(),
        GERMAN.replace("01.03.", "2026/03/01").replace("012026", "01").encode(),
        gzip.compress(GERMAN.encode()),
        f"{GERMAN}\n\n".encode(),
    ],
    ids=[
        "windows",
        "utf-16",
        "crlf",
        "cr",
        "tab",
        "year",
        "midnight",
        "slash",
        "gzip",
        "blank",
    ],
)
def test_a_file_has_the_same_scores_however_it_is_written(
    tmp_path: Path, file: bytes
) -> None:
    path = tmp_path / "f.csv"
    path.write_bytes(file)
    rows = table.read(path, key="Stelle")
    assert rows["value"].to_list() == [1234.5, None]
    assert [f"{time:%d.%m.%Y %H}" for time in rows["time"]] == [
        "01.03.2026 00",
        "01.03.2026 01",
    ]


def test_times_may_be_written_in_several_ways_in_one_file(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    times = ("2026-03-01", "2026-03-01 00:15", "2026-03-01T00:30:00.5")
    path.write_text("time,value\n" + "".join(f"{time},1\n" for time in times))
    found = table.read(path)["time"]
    assert [time.minute for time in found] == [0, 15, 30]


def test_what_is_not_finite_is_missing_and_a_key_may_be_empty(tmp_path: Path) -> None:
    path = tmp_path / "i.csv"
    values = ("1", "inf", "-1e999", "NaN")
    path.write_text(
        "time,value,key\n" + "".join(f"2026-03-01,{value},\n" for value in values)
    )
    rows = table.read(path)
    assert rows["value"].to_list() == [1, None, None, None]
    assert score.scores(rows)["score"].to_list() == [0, None, None, None]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("time,value\n2026-03-01 00:00,1\nnever,2\n", "line 3: 'never' is no time"),
        ("time,value\n2026-03-01 00:00,many\n", "line 2: 'many' is no number"),
        ("when,value\n2026-03-01 00:00,1\n", "--time. There are: when, value"),
        ("time,value\n", "no row"),
        ("", "empty"),
        (
            "time,value\n2026-03-01 00:00,1,2\n",
            "line 2: it has 3 cells, more than the 2",
        ),
        ("time,value\n2026-03-01 24:30,1\n", "line 2: '2026-03-01 24:30'"),
        ("time,value\n2026-03-01 00:00Z,1\n2026-03-01 01:00,1\n", "line 3: "),
    ],
)
def test_bad_files_are_refused_with_the_line(
    tmp_path: Path, text: str, sentence: str
) -> None:
    path = tmp_path / "b.csv"
    path.write_text(text)
    with pytest.raises(BadFile, match=sentence.replace("?", r"\?")):
        table.read(path)


def test_the_command_scores_each_row_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "t.csv", tmp_path / "o.csv"
    rows = town(1)
    rows.rename({"key": "station"}).write_csv(path)

    def call(*arguments: str) -> str:
        monkeypatch.setattr(
            sys, "argv", ["verkehrspuls", "analytics", "score", str(path), *arguments]
        )
        with pytest.raises(SystemExit) as caught:
            command.main()
        assert caught.value.code == 0
        return capsys.readouterr().out

    call("-o", str(out))
    written = pl.read_csv(out)
    assert written.columns == ["time", "value", "station", "score", "case"]
    assert len(written) == len(rows)
    assert len(json.loads(call("--json"))) == len(rows)
