"""Texts come from catalogues as gettext has them: plural rules and contexts."""

from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

from tests.catalogue import catalogue as written
from verkehrspuls import text

POLISH = r"""
msgid ""
msgstr ""
"Language: pl\n"
"Plural-Forms: nplurals=3; plural=(n==1 ? 0 : "
"n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2);\n"
"Content-Type: text/plain; charset=utf-8\n"

msgid "%(count)s day"
msgid_plural "%(count)s days"
msgstr[0] "%(count)s dzień"
msgstr[1] "%(count)s dni"
msgstr[2] "%(count)s dni wszystkich"

msgid "open"
msgstr "otwarte"

msgctxt "verb"
msgid "open"
msgstr "otwórz"
"""


@pytest.fixture
def _polish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "locale").mkdir()
    (tmp_path / "locale" / "pl.po").write_text(POLISH, "utf-8")
    monkeypatch.setattr(resources, "files", lambda _: tmp_path)
    text.catalogue.cache_clear()
    text.translate.cache_clear()
    yield
    text.catalogue.cache_clear()
    text.translate.cache_clear()


def test_every_written_text_is_what_is_shown() -> None:
    for source, german in written("de").items():
        if isinstance(german, str):
            assert text.translate(source, "de") == german
        else:
            assert text.translate_plural(source, "", 1, "de") == german[0]
            assert text.translate_plural(source, "", 2, "de") == german[1]
        assert text.translate(source, "en") == source


@pytest.mark.usefixtures("_polish")
@pytest.mark.parametrize(
    ("count", "form"),
    [
        (1, "dzień"),
        (2, "dni"),
        (5, "dni wszystkich"),
        (22, "dni"),
        (0, "dni wszystkich"),
    ],
)
def test_plural_forms_follow_the_rule_of_the_language(count: int, form: str) -> None:
    found = text.translate_plural("%(count)s day", "%(count)s days", count, "pl")
    assert found == f"%(count)s {form}"


@pytest.mark.usefixtures("_polish")
def test_one_word_may_have_two_meanings() -> None:
    assert text.translate("open", "pl") == "otwarte"
    assert text.catalogue("pl").pgettext("verb", "open") == "otwórz"


@pytest.mark.parametrize("language", text.LANGUAGES)
def test_no_text_stays_no_text(language: str) -> None:
    assert text.translate("", language) == ""


def test_what_is_not_in_a_catalogue_stays_as_it_is() -> None:
    for language in (*text.LANGUAGES, "xx"):
        assert text.translate("nobody wrote this", language) == "nobody wrote this"
        assert not text.is_translated("nobody wrote this", language)
    assert text.translate_plural("a thing", "things", 1, "en") == "a thing"
    assert text.translate_plural("a thing", "things", 0, "en") == "things"
    assert text.is_translated("day", "de")
