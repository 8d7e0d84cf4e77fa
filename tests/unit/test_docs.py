"""The documentation says what the code does, and nothing that only we could read."""

import re
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

import pytest

from tests.documented import PAGES
from tests.parts import PROJECT
from verkehrspuls.classes import COUNTS, SCHEMES
from verkehrspuls.quantities import ENVIRONMENT, QUANTITIES
from verkehrspuls.storage.migrate import migrations

DOCS = PROJECT / "docs"
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT,
        check=True,
        capture_output=True,
        text=True,
    )
    paths = [PROJECT / name for name in listed.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]


def text_of(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:  # a picture
        return ""


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as the usual renderers make them."""
    headings = HEADING.findall(page.read_text("utf-8"))
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in headings
    }


def test_requirements_name_tests_that_exist() -> None:
    page = (DOCS / "explanation" / "security.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d[\d., ]*) \| (.*) \|$", page, re.MULTILINE)
    cells = [(numbers.split(", "), text.split(" | ")) for numbers, text in rows]
    met: dict[str, str] = {}
    for numbers, told in cells:
        if len(told) != 4:  # of what is not met, and what does not apply
            continue
        assert not met.keys() & {*numbers}
        met |= dict.fromkeys(numbers, told[1])
        named = re.findall(r"`([\w/]+\.py)::(\w+)`", told[3])
        assert named or "`make check`" in told[3], numbers
        for file, name in named:
            text = (PROJECT / "tests" / file).read_text("utf-8")
            assert f"def {name}(" in text, f"{file}::{name}"
    assert len(met) > 150
    assert {*met.values()} == {"yes", "partly"}
    missing = page.partition("## What is not met")[2].partition("\n## ")[0]
    listed = re.findall(r"^\| (\d[\d., ]*) \|", missing, re.MULTILINE)
    partly = {number for number, how in met.items() if how == "partly"}
    assert partly == {number for row in listed for number in row.split(", ")}


def test_generated_pages_are_as_the_code_says() -> None:
    checked = subprocess.run(
        [sys.executable, DOCS / "generate.py", "--check"],
        capture_output=True,
        text=True,
    )
    assert checked.returncode == 0, f"run python docs/generate.py\n{checked.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text("utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), target
        assert found.is_relative_to(PROJECT), target
        if anchor:
            assert anchor in anchors(found), target


def test_every_page_can_be_found_from_the_index() -> None:
    seen: set[Path] = set()
    waiting = [PROJECT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md" or not page.exists():
            continue
        seen.add(page)
        for target in LINK.findall(page.read_text("utf-8")):
            waiting.append((page.parent / target.partition("#")[0]).resolve())
    assert set(PAGES) - seen == set()


def test_every_table_is_described() -> None:
    page = (DOCS / "reference" / "data-model.md").read_text("utf-8")
    statements = "".join(m.statements.decode() for m in migrations())
    tables = re.findall(r"^create table vp\.(\w+)", statements, re.MULTILINE)
    assert [name for name in tables if f"`{name}`" not in page] == []


@pytest.mark.parametrize(
    "words", [COUNTS, SCHEMES, QUANTITIES], ids=["counts", "schemes", "quantities"]
)
def test_every_word_of_a_payload_is_described(words: Collection[str]) -> None:
    page = (DOCS / "reference" / "topics-and-payloads.md").read_text("utf-8")
    assert [word for word in words if f"`{word}`" not in page] == []


def test_ranges_of_quantities_are_as_the_code_says() -> None:
    page = (DOCS / "reference" / "topics-and-payloads.md").read_text("utf-8")
    for key, quantity in ENVIRONMENT.items():
        row = (
            f"| `{key}` | {quantity.unit} | {quantity.minimum:g} "
            f"| {quantity.maximum:g} | {quantity.mean} |"
        )
        assert row in page


def test_every_word_of_the_glossary_has_its_german() -> None:
    rows = re.findall(
        r"^\| (.+?) \| (.+?) \| (.+?) \|$",
        (DOCS / "glossary.md").read_text("utf-8"),
        re.M,
    )
    words = [row[0] for row in rows]
    assert len(words) == len(set(words)) > 30


def test_every_metric_is_documented() -> None:
    pages = "".join(page.read_text("utf-8") for page in DOCS.rglob("*.md"))
    source = (PROJECT / "verkehrspuls" / "metrics.py").read_text("utf-8")
    metrics = re.findall(r'"(verkehrspuls_\w+)"', source)
    assert metrics
    assert [name for name in metrics if name not in pages] == []


def test_no_file_names_a_registry_or_a_machine() -> None:
    # taken apart, so that this file does not name them either
    hosts = (".".join(parts) for parts in HOSTS)
    places = ("/" + "work/", "/" + "root/", "/tmp/" + "scratch")
    pattern = re.compile("|".join(map(re.escape, (*hosts, *places))))
    found = [
        f"{path.relative_to(PROJECT)}: {match[0]}"
        for path in tracked()
        if (match := pattern.search(text_of(path)))
    ]
    assert found == []


HOSTS = (
    ("pypi", "org"),
    ("files", "pythonhosted", "org"),
    ("deb", "debian", "org"),
    ("registry", "npmjs", "org"),
    ("registry-1", "docker", "io"),
    ("ghcr", "io"),
)


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_lock_names_no_address_and_hashes_everything(name: str) -> None:
    text = (PROJECT / name).read_text("utf-8")
    assert "://" not in text
    assert "--index-url" not in text
    pins = re.findall(
        r"^[\w.-]+==[^\n]*(?:\n    --hash=sha256:[0-9a-f]{64}.*)*", text, re.M
    )
    assert len(pins) > 40
    assert [pin for pin in pins if "--hash" not in pin] == []


def test_changelog_has_what_is_to_come_on_top() -> None:
    headings = re.findall(r"^## (.+)$", (PROJECT / "CHANGELOG.md").read_text(), re.M)
    assert headings[0] == "[Unreleased]"


def test_licence_is_whole() -> None:
    text = (PROJECT / "LICENSE").read_text("utf-8")
    assert text.lstrip().startswith("EUROPEAN UNION PUBLIC LICENCE v. 1.2")
    articles = re.findall(r"^(\d+)\. ", text, re.MULTILINE)
    assert articles == [str(number) for number in range(1, 16)]
    assert "Appendix" in text
