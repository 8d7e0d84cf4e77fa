"""Whatever can be shown has its words, in both languages, and is documented."""

import ast
import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from types import ModuleType
from typing import Any, Final, get_args

import pytest

import analytics
import api.errors
from analytics import detectors as anomalies
from analytics.cases import judging, severity, states
from analytics.detectors.record import Detector, Reason
from analytics.environment import indices, limits
from analytics.flow import aadt, figure
from analytics.health import verdicts
from analytics.imputation import methods
from api import problems
from dashboards import describe
from dashboards.pages.site import environment, key_figures
from dashboards.states import STATES
from ingest import files
from ingest import formats as payload_formats
from ingest.commands import import_
from ingest.reasons import REASONS
from ingest.units import UNITS
from tests.catalogue import catalogue
from tests.parts import PROJECT
from verkehrspuls import calendar, quantities, text
from verkehrspuls.classes import CLASS_NAMES, CLASSES, SCHEMES
from verkehrspuls.errors import VerkehrspulsError
from verkehrspuls.quantities import COUNTED, ENVIRONMENT, QUANTITIES

REFERENCE: Final = "docs/reference/"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of thing that is shown, and where its words and its entry have to be.

    `words` are, by what they are for and where they stand, English texts by key.
    """

    name: str
    keys: Iterable[str]
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    page: str = ""
    #: tables that may hold no other keys
    closed: bool = True

    def missing(self) -> Iterator[str]:
        """Name each piece that is missing, or that belongs to nothing."""
        keys = list(self.keys)
        entries = documented(self.page) if self.page else set(keys)
        for place, texts in self.words.items():
            for key in keys:
                if not texts.get(key):
                    yield f"{self.name} {key}: no {place}"
                elif texts[key] not in catalogue("de"):
                    yield f"{self.name} {key}: no German for {place}: {texts[key]}"
            for key in texts.keys() - set(keys) if self.closed else ():
                yield f"{self.name} {key}: there is none, but {place}"
        for key in keys:
            if key not in entries:
                yield f"{self.name} {key}: no entry in {self.page}"


def documented(page: str) -> set[str]:
    """What stands in a page as code."""
    return set(re.findall(r"`#?([^`\n]+)`", (PROJECT / page).read_text("utf-8")))


def of_cases(detectors: Mapping[str, Detector]) -> list[Kind]:
    """Detectors, and the reasons that their cases give."""
    reasons = {one.code: one for each in detectors.values() for one in each.reasons}
    page = f"{REFERENCE}detectors.md"
    return [
        Kind(
            "detector",
            detectors,
            {
                "evidence": {key: one.evidence for key, one in detectors.items()},
                "name": {key: one.name for key, one in detectors.items()},
            },
            page,
        ),
        Kind(
            "reason",
            reasons,
            {
                "sentence": {key: one.sentence for key, one in reasons.items()},
                "word": {key: one.word for key, one in reasons.items()},
            },
            page,
        ),
    ]


def kinds() -> list[Kind]:
    page = f"{REFERENCE}detectors.md"
    return [
        *of_cases(anomalies.detectors()),
        Kind("state of a case", states.STATES, {"word": states.STATES}, page),
        Kind("effect", states.EFFECTS, {"sentence": states.EFFECTS}, page),
        Kind("event of a case", states.KINDS, {"word": states.KINDS}),
        Kind("as what somebody acted", states.ACTED_AS, {"word": states.ACTED_AS}),
        Kind(
            "severity",
            severity.LEVELS,
            {"word (SEVERITIES in dashboards/describe.py)": describe.SEVERITIES},
            page,
        ),
        Kind(
            "verdict",
            (verdicts.GOOD, *verdicts.ordered_tests()),
            {
                "sentence": verdicts.texts(),
                "word": verdicts.words(),
            },
            f"{REFERENCE}health.md",
        ),
        Kind(
            "reason of a reject",
            REASONS.keys() | codes("ingest", "Unusable"),
            {"sentence (ingest/reasons.py)": REASONS},
            f"{REFERENCE}reasons.md",
        ),
        Kind(
            "reason of no figure",
            figure.REASONS.keys() | codes("analytics", "Reason"),
            {"sentence (analytics/flow/figure.py)": figure.REASONS},
            f"{REFERENCE}reasons.md",
        ),
        Kind(
            "quantity",
            QUANTITIES,
            {"name": {key: one.name for key, one in QUANTITIES.items()}},
            f"{REFERENCE}topics-and-payloads.md",
        ),
        Kind(
            "counted quantity",
            COUNTED,
            {"noun": {key: one.noun for key, one in COUNTED.items()}},
        ),
        Kind(
            "class",
            CLASSES,
            {"name (verkehrspuls/classes.py)": CLASS_NAMES},
            f"{REFERENCE}topics-and-payloads.md",
        ),
        Kind("class scheme", SCHEMES, page=f"{REFERENCE}topics-and-payloads.md"),
        Kind(
            "payload format",
            payload_formats.foreign_formats(),
            page=f"{REFERENCE}formats.md",
        ),
        Kind("file type", files.file_types(), page="docs/how-to/replay-real-data.md"),
        Kind(
            "state of a site",
            STATES,
            {"word": {key: one.word for key, one in STATES.items()}},
        ),
        Kind(
            "index",
            indices.INDICES,
            {"name": {key: one.name for key, one in indices.INDICES.items()}},
            f"{REFERENCE}environment.md",
        ),
        Kind(
            "standard",
            limits.STANDARDS,
            {"name": {key: one.name for key, one in limits.STANDARDS.items()}},
            f"{REFERENCE}environment.md",
        ),
        Kind(
            "kind of a limit",
            get_args(quantities.Kind),
            {"word": environment._KINDS},
            f"{REFERENCE}environment.md",
        ),
        Kind(
            "average of a limit",
            get_args(quantities.Average),
            {"word": environment._AVERAGES},
            f"{REFERENCE}environment.md",
        ),
        Kind(
            "key figure",
            key_figures._NAMES,
            {"name": key_figures._NAMES},
            f"{REFERENCE}flow.md",
        ),
        Kind(
            "estimator",
            (one.name for one in aadt.ESTIMATORS),
            page=f"{REFERENCE}flow.md",
        ),
        Kind(
            "method of imputation",
            methods.METHODS,
            page=f"{REFERENCE}imputation.md",
        ),
        Kind("method", passport_methods(), page=f"{REFERENCE}figures.md"),
        Kind("day type", get_args(calendar.DayType), page=f"{REFERENCE}calendar.md"),
        Kind(
            "problem",
            problems.MEANINGS.keys() | problem_codes(),
            page=f"{REFERENCE}api.md",
        ),
    ]


def calls(package: str) -> Iterator[ast.Call]:
    """All calls in the code of a package."""
    for path in sorted((PROJECT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                yield node


def codes(package: str, name: str) -> set[str]:
    """What a package gives as first argument to what is called so."""
    return {
        str(call.args[0].value)
        for call in calls(package)
        if ast.unparse(call.func) == name
        and call.args
        and isinstance(call.args[0], ast.Constant)
    }


def problem_codes() -> set[str]:
    """What the API answers with: by itself, and for each of its errors."""
    errors = [one for one in vars(api.errors).values() if inspect.isclass(one)]
    found = {one.code for one in errors if issubclass(one, VerkehrspulsError)}
    found -= {VerkehrspulsError.code, "usage", "unavailable"}
    return found | {
        str(word.value.value)
        for call in calls("api")
        for word in call.keywords
        if ast.unparse(call.func) == "respond"
        and word.arg == "code"
        and isinstance(word.value, ast.Constant)
    }


def passport_methods() -> set[str]:
    """The methods that passports name."""
    found = set()
    for entry in walk_packages(analytics.__path__, "analytics."):
        if ".bench" not in entry.name and ".proof" not in entry.name:
            found.add(getattr(import_module(entry.name), "METHOD", None))
    return {one for one in found if one is not None}


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.name)
def test_what_is_shown_has_its_words(kind: Kind) -> None:
    assert list(kind.missing()) == []


def test_every_kind_has_members() -> None:
    assert [kind.name for kind in kinds() if not list(kind.keys)] == []


@pytest.mark.parametrize("code", anomalies.detectors())
def test_every_detector_judges(code: str) -> None:
    assert any(code in judging.codes_of(stage) for stage in get_args(judging.Stage))


@pytest.mark.parametrize("code", anomalies.detectors())
def test_detector_declares_its_reasons(code: str) -> None:
    module = module_of(code)
    tree = ast.parse(inspect.getsource(module))
    given = {
        str(node.args[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "pl.lit"
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
    }
    declared = [reason.code for reason in anomalies.detectors()[code].reasons]
    assert sorted(declared) == sorted(given)


def test_no_two_detectors_give_the_same_reason() -> None:
    given = [
        one.code for each in anomalies.detectors().values() for one in each.reasons
    ]
    assert sorted(given) == sorted(set(given))


def test_what_explains_a_reason_is_a_detector() -> None:
    others = {code for one in anomalies.reasons().values() for code in one.explained_by}
    assert others <= anomalies.detectors().keys()


def test_every_file_that_detects_is_a_detector() -> None:
    folder = Path(anomalies.__path__[0])
    named = {module_of(code).__name__ for code in anomalies.detectors()}
    detecting = {
        f"{anomalies.__name__}.{path.stem}"
        for path in folder.glob("[a-z]*.py")
        if re.search(r"^def (detect|gaps)", path.read_text("utf-8"), re.M)
    }
    assert detecting == named


def module_of(code: str) -> ModuleType:
    """The file of a detector."""
    return import_module(f"{anomalies.__name__}.{code.replace('-', '_')}")


def test_detector_without_words_is_named_with_all_that_it_lacks() -> None:
    gale = Reason(code="gale", word="", sentence="it blows")
    storm = Detector(
        code="storm", name="", evidence="", reasons=(gale,), judges="", score=""
    )
    more = {**anomalies.detectors(), "storm": storm}
    assert [piece for kind in of_cases(more) for piece in kind.missing()] == [
        "detector storm: no evidence",
        "detector storm: no name",
        "detector storm: no entry in docs/reference/detectors.md",
        "reason gale: no German for sentence: it blows",
        "reason gale: no word",
        "reason gale: no entry in docs/reference/detectors.md",
    ]


def test_word_without_german_and_word_of_nothing_are_named() -> None:
    kind = Kind("hue", ["red"], {"word": {"red": "crimson", "blue": "drift"}})
    assert list(kind.missing()) == [
        "hue red: no German for word: crimson",
        "hue blue: there is none, but word",
    ]


def test_names_of_file_types_are_those_of_the_command() -> None:
    command = get_args(get_args(import_.Format)[0])
    assert set(command) == files.file_types().keys()


@pytest.mark.parametrize("module", payload_formats.modules())
def test_payload_format_has_examples_and_tests(module: Any) -> None:
    assert module.EXAMPLES
    stem = module.__name__.rpartition(".")[2]
    assert (
        PROJECT / "tests" / "unit" / "ingest" / "formats" / f"test_{stem}.py"
    ).exists()


def test_state_of_a_site_has_its_sign() -> None:
    style = (PROJECT / "dashboards/static/style.css").read_text("utf-8")
    signs = (PROJECT / "dashboards/templates/macros.html").read_text("utf-8")
    assert [key for key in STATES if f"--state-{key}:" not in style] == []
    assert [key for key in STATES if f'"{key}"' not in signs] == []


def test_classes_of_indices_have_their_words() -> None:
    words = {word for index in indices.INDICES.values() for word in index.classes}
    assert words - catalogue("de").keys() == set()


def test_pages_of_prose_are_in_each_language() -> None:
    pages = PROJECT / "dashboards" / "pages"
    prose = {path.with_suffix("").with_suffix("") for path in pages.rglob("*.??.html")}
    assert prose
    for name in prose:
        for language in text.LANGUAGES:
            assert name.with_name(f"{name.name}.{language}.html").exists()


def test_units_of_quantities_can_be_converted_into() -> None:
    units = {quantity.unit for quantity in ENVIRONMENT.values()}
    assert units - UNITS.keys() == set()


def test_environment_quantities_can_be_told_apart_by_name() -> None:
    names = [quantity.name for quantity in ENVIRONMENT.values()]
    assert len(names) == len(set(names))
