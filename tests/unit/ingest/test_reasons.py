"""Why something was not used is told in each language, and stored so that it can be."""

import ast
from collections.abc import Iterator

import msgspec
import pytest

from ingest.reasons import MAX_DETAIL_LENGTH, REASONS, Detail, Unusable, explain
from tests.catalogue import catalogue
from tests.parts import PROJECT
from verkehrspuls.text import LANGUAGES

NESTED = Unusable("unreadable", "[{}]: {}", 3, Detail.of("{} is no name", "'ä'")).detail


def test_detail_is_translated() -> None:
    assert NESTED.in_language("en") == "[3]: 'ä' is no name"
    assert NESTED.in_language("de") == "[3]: 'ä' ist kein Name"
    assert explain("unreadable", NESTED, "de").startswith("Die Nachricht hat nicht")
    assert explain("unreadable", NESTED, "de").endswith("([3]: 'ä' ist kein Name)")


def test_stored_detail_has_the_same_text() -> None:
    values = msgspec.json.decode(NESTED.stored() or "")
    assert all(
        Detail(NESTED.text, values).in_language(language)
        == NESTED.in_language(language)
        for language in LANGUAGES
    )


@pytest.mark.parametrize(
    "text", ["{} at {0} {x.__class__}", "'a', possible are 0 to 1"]
)
def test_what_came_and_what_was_kept_of_old_is_shown_as_it_is(text: str) -> None:
    assert Detail.of(text).stored() is None
    assert Detail(text).in_language("de") == text


def test_what_came_changes_no_text() -> None:
    assert Detail.of("{} at {}", "{1}", "{}").in_language("en") == "{1} at {}"


def test_detail_can_be_stored_whatever_it_quotes() -> None:
    detail = Detail.of("{} bytes", "\0\ud800" + MAX_DETAIL_LENGTH * "ä")
    assert "\\u0000" not in (detail.stored() or "")
    assert len(detail.in_language("de")) < MAX_DETAIL_LENGTH + 20


def test_meaning_stands_alone_where_there_is_no_detail() -> None:
    assert explain("too-deep", Detail(), "en") == REASONS["too-deep"]
    assert explain("of-old", Detail(), "de") == "of-old"


def details() -> Iterator[tuple[str, ast.expr]]:
    """The texts of details, as they are written in the code of ingest."""
    for file in sorted((PROJECT / "ingest").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            place = f"{file.name}:{node.lineno}"
            if isinstance(node.func, ast.Name) and node.func.id == "Unusable":
                yield place, node.args[1]
            if ast.unparse(node.func) == "Detail.of":
                yield place, node.args[0]


def words(text: ast.expr) -> str:
    """What is written in a text without being marked for translation."""
    if isinstance(text, ast.Constant):
        return str(text.value)
    if isinstance(text, ast.JoinedStr):  # a field and its value: `field = …`
        parts = [v.value for v in text.values if isinstance(v, ast.Constant)]
        sentence = "".join(map(str, parts))
        return "" if sentence.strip().endswith("=") else sentence
    return ""


def test_no_words_of_a_detail_stay_untranslated() -> None:
    found = list(details())
    assert len(found) > 40
    for place, text in found:
        assert not any(map(str.isalpha, words(text))), place
        if isinstance(text, ast.Call) and ast.unparse(text.func) == "_":
            (source,) = text.args
            assert isinstance(source, ast.Constant)
            assert source.value in catalogue("de"), place
