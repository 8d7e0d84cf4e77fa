"""Values of the audit log in words."""

from typing import Any

import pytest

from dashboards.pages.audit.words import action_in_words, value_in_words
from verkehrspuls.language import Language


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("road", None, "–"),
        ("road", "", "leer"),
        ("simulated", False, "nein"),
        ("lane", 2, "2"),
        ("password_hash", "…", "nicht gezeigt"),
        ("role", "planner", "Planung"),
        ("state", "RP", "RP"),
        ("permissions", ["readings", "x"], "Messwerte senden, x"),
        ("mapping", {"a": "ü"}, '{"a": "ü"}'),
        ("first", "2026-03-01", "So, 01.03.2026"),
        ("note", "2026-99-01", "2026-99-01"),
        ("since", "-infinity", "ohne Grenze"),
        ("given_at", "2026-03-01T12:00:00+00:00", "So, 01.03.2026, 13:00"),
        ("period", '["2026-01-01 00:00:00+00",)', "seit 01.01.2026"),
        ("period", "[-infinity,)", "ohne Grenze"),
        ("period", "weekly", "weekly"),
        ("document", "x" * 4001, "x" * 4000 + "…"),
    ],
)
def test_values_are_written_in_words(field: str, value: Any, words: str) -> None:
    assert value_in_words(field, value, Language("de"), "Europe/Berlin") == words


def test_an_action_without_words_is_shown_as_it_is() -> None:
    assert action_in_words("case.decide", Language("de")) == "Fall entschieden"
    assert action_in_words("moon.land", Language("en")) == "moon land"
