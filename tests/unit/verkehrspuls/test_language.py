import re
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from functools import cache

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg

from tests.catalogue import catalogue
from tests.parts import PROJECT
from tests.unit.dashboards.frames import BERLIN
from verkehrspuls.language import Language
from verkehrspuls.quantities import COUNTED

DE, EN = Language("de"), Language("en")
KEYWORDS = {
    "_": None,
    "phrase": None,
    "mark": None,
    "plural": (1, 2),
    "translate_plural": (1, 2),
}
PLACEHOLDER = re.compile(r"%\(\w+\)s|\{\}")


@cache
def source_texts() -> frozenset[str | tuple[str, ...]]:
    """Every text that code and templates show, collected as `babel.cfg` says."""
    with (PROJECT / "babel.cfg").open(encoding="utf-8") as config:
        methods, options = parse_mapping_cfg(config)
    found = extract_from_dir(PROJECT, methods, options, keywords=KEYWORDS)
    return frozenset(message for _, _, message, _, _ in found)


def test_texts_are_found() -> None:
    assert "Skip to the content" in source_texts()
    assert "Water level" in source_texts()
    assert len(source_texts()) > 150


def test_every_text_has_a_german_one() -> None:
    german = catalogue("de")
    keys = {m if isinstance(m, str) else m[0] for m in source_texts()}
    assert sorted(keys - german.keys()) == []


def test_no_german_text_is_left_over() -> None:
    keys = {m if isinstance(m, str) else m[0] for m in source_texts()}
    assert sorted(catalogue("de").keys() - keys) == []


def test_no_text_is_translated_twice() -> None:
    written = (PROJECT / "verkehrspuls/locale/de.po").read_text("utf-8")
    texts = Counter(
        re.findall(r"^(?:msgctxt .+\n)?msgid (?:.+\n)+?(?=msg)", written, re.M)
    )
    assert [text for text, times in texts.items() if times > 1] == []


def test_german_texts_fill_in_the_same_values() -> None:
    forms = {one[0]: one for one in source_texts() if isinstance(one, tuple)}
    for source, german in catalogue("de").items():
        texts = (german,) if isinstance(german, str) else german
        for form, text in zip(forms.get(source, (source,)), texts, strict=True):
            wanted = Counter(PLACEHOLDER.findall(form))
            found = Counter(PLACEHOLDER.findall(text))
            # those without a name are filled in by their place
            assert found["{}"] == wanted["{}"], source
            assert found.keys() == wanted.keys(), source


def test_plurals_have_two_german_forms() -> None:
    for message in source_texts():
        if isinstance(message, tuple):
            assert len(catalogue("de")[message[0]]) == 2


@pytest.mark.parametrize(
    ("value", "digits", "german", "english"),
    [
        (2_723_934, 0, "2.723.934", "2,723,934"),
        (1234.5, 1, "1.234,5", "1,234.5"),
        (-3.25, 2, "−3,25", "−3.25"),
        (None, 0, "–", "–"),
    ],
)
def test_numbers(value: float | None, digits: int, german: str, english: str) -> None:
    assert DE.number(value, digits) == german
    assert EN.number(value, digits) == english


def test_nearly_whole_is_not_whole() -> None:
    assert DE.percent(0.9999) == "99\u202f%"
    assert DE.percent(1.0) == "100\u202f%"
    assert EN.percent(0.9999, 1) == "99.9\u202f%"


def test_trace_is_not_nothing() -> None:
    assert DE.percent(0.0) == DE.percent(1e-12) == "0\u202f%"
    assert DE.percent(0.003) == "<1\u202f%"
    assert DE.percent(0.0004, 1) == "<0,1\u202f%"
    assert DE.percent(0.0051) == "1\u202f%"


def test_dates() -> None:
    assert DE.plain_day(date(2026, 3, 1)) == "01.03.2026"
    assert EN.plain_day(date(2026, 3, 1)) == "1 Mar 2026"
    assert DE.day(date(2026, 3, 1)) == "So, 01.03.2026"


def test_repeated_hour_carries_a_letter() -> None:
    first = datetime(2026, 10, 25, 0, tzinfo=UTC)
    assert DE.hour(first, BERLIN).endswith("2–3 Uhr A")
    assert DE.hour(first + timedelta(hours=1), BERLIN).endswith("2–3 Uhr B")
    assert DE.moment(first + timedelta(hours=2), BERLIN).endswith("03:00")


def test_units() -> None:
    assert DE.unit("motor") == "Kfz/h"
    assert EN.unit("motor", "15 min") == "veh/15 min"
    assert DE.unit("bicycle", "day") == "Rad/Tag"
    assert DE.unit("no2_ugm3") == "µg/m³"
    # "Fuß/h" would be a length
    assert DE.unit("pedestrian") == "Personen/h"
    assert [DE.counted(key) for key in COUNTED] == ["Kfz", "Fahrräder", "Personen"]


def test_spans() -> None:
    assert [DE.span(seconds) for seconds in (90, 300, 3600)] == ["90 s", "5 min", "1 h"]


@pytest.mark.parametrize(
    ("ago", "german", "english"),
    [
        (timedelta(seconds=1), "um 01:29 Uhr", "at 01:29"),
        (timedelta(minutes=89), "um 00:01 Uhr", "at 00:01"),
        (timedelta(hours=2), "am Di, 03.03.2026, 23:30", "on Tue, 3 Mar 2026, 23:30"),
        (timedelta(seconds=-5), "um 01:30 Uhr", "at 01:30"),
    ],
)
def test_when_something_was_stays_right_while_a_page_is_open(
    ago: timedelta, german: str, english: str
) -> None:
    now = datetime(2026, 3, 4, 0, 30, tzinfo=UTC)
    texts = [language.at(now - ago, "Europe/Berlin", now=now) for language in (DE, EN)]
    assert texts == [german, english]


def test_what_is_installed_is_told_in_local_days_both_included() -> None:
    berlin = "Europe/Berlin"
    since = datetime(2023, 12, 31, 23, tzinfo=UTC)
    until = datetime(2024, 6, 30, 22, tzinfo=UTC)
    assert DE.installed(since, None, berlin) == "seit 01.01.2024"
    assert DE.installed(since, until, berlin) == "01.01.2024 – 30.06.2024"
    assert DE.installed(None, until, berlin) == "bis 30.06.2024"
    assert EN.installed(since, None, berlin) == "since 1 Jan 2024"


def test_what_was_installed_ever_since_has_no_first_day() -> None:
    ever = datetime(1970, 1, 1, tzinfo=UTC)
    assert DE.installed(ever, None, "Europe/Berlin") == ""
    assert DE.installed(None, None, "Europe/Berlin") == ""


def test_a_day_in_words_cannot_be_misread() -> None:
    assert DE.day_in_words(date(2026, 3, 1)) == "Sonntag, 1. März 2026"
    assert EN.day_in_words(date(2026, 3, 1)) == "Sunday, 1 March 2026"
