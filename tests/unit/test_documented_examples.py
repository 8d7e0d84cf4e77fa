"""The examples of the documentation, and what it names in a line, are in the code."""

import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from ingest.formats import modules, native
from ingest.trial import judge
from simulators.town import Behaviour
from tests.documented import PAGES, Block, Documented, blocks, commands
from tests.parts import PROJECT
from verkehrspuls import settings
from verkehrspuls.cli import command as cli
from verkehrspuls.locales import Locale
from verkehrspuls.model import Town
from verkehrspuls.registry import device_profiles
from verkehrspuls.registry.faults import check
from verkehrspuls.settings import Ingest

#: What an example of a registration leaves out is as in this file, or as in the
#: page's own first example.
TOWNS: Final = {
    "docs/how-to/register-sensors.md": None,
    "docs/reference/sections.md": "simulators/towns/kaiserslautern.toml",
}
TOML: Final = blocks("toml")
JSON: Final = blocks("json")
INLINE: Final = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")


def whole(block: Block) -> dict[str, Any]:
    """Return an example of a registration with what it leaves out."""
    file = TOWNS[block.page]
    base = tomllib.loads(
        (PROJECT / file).read_text("utf-8")
        if file
        else blocks("toml", block.page)[0].text
    )
    found = tomllib.loads(block.text)
    if "key" in found:
        return found
    like = {sensor["key"]: sensor for sensor in base["sensors"]}
    for sensor in found.get("sensors", ()):
        known = like.get(sensor["key"], base["sensors"][0])
        sensor |= {key: known[key] for key in known if key not in sensor}
    return base | found


@pytest.mark.parametrize("block", TOML, ids=map(str, TOML))
def test_toml_is_taken(block: Block, tmp_path: Path) -> None:
    if block.page.endswith("add-a-language.md"):
        assert msgspec.toml.decode(block.text, type=Locale).name
        return
    if block.page.endswith("add-a-town.md"):
        kind = Town if block.text.startswith("key") else Behaviour
        assert msgspec.toml.decode(block.text, type=kind)
        return
    if block.page.endswith("add-a-device-profile.md"):
        assert list(judge(device_profiles.parse(block.text), Ingest())) == []
        return
    if block.page in TOWNS:
        check(msgspec.convert(whole(block), Town))
        return
    if block.text.startswith('"GET '):
        assert set(msgspec.toml.decode(block.text, type=dict[str, str]).values())
        return
    file = tmp_path / "verkehrspuls.toml"
    file.write_text(block.text, "utf-8")
    settings.load({"VERKEHRSPULS_CONFIG": str(file)})


@pytest.mark.parametrize("block", JSON, ids=map(str, JSON))
def test_json_is_a_payload(block: Block) -> None:
    payload = block.text.strip().encode()
    if block.page.endswith("formats.md"):
        assert payload in {text.strip() for text in foreign_examples()}
        return
    if block.page.endswith("device-profiles.md"):
        assert payload.decode() in examples_of_profiles()
        return
    (kind,) = {"counts", "values", "state"} & msgspec.json.decode(payload).keys()
    kind = {"values": "environment", "state": "status"}.get(kind, kind)
    decoded = native.decode(kind, payload)
    assert decoded.readings or decoded.status
    assert not decoded.unusable


def foreign_examples() -> Iterator[bytes]:
    """Payloads of the formats' own examples, which their page decodes."""
    for module in modules():
        for _, payload in module.EXAMPLES:
            yield payload


def examples_of_profiles() -> Iterator[str]:
    """Examples of device profiles, whose outcome their page tells."""
    for profile in device_profiles.shipped().values():
        for example in profile.examples:
            yield example.payload.strip() or json.dumps(
                example.object, ensure_ascii=False
            )


def spans() -> list[Documented]:
    """What is named in the text of pages, outside of blocks."""
    found = []
    for path in PAGES:
        text = re.sub(r"^```.*?^```", "", path.read_text("utf-8"), flags=re.M | re.S)
        page = str(path.relative_to(PROJECT))
        found += [Documented(page, 0, span[1]) for span in INLINE.finditer(text)]
    return found


def called() -> list[Documented]:
    """Commands of ours: typed on a line of their own, or named in the text."""
    ours = re.compile(r"^(\S+=\S* )*(\.venv/bin/)?verkehrspuls ")
    return [
        Documented(one.page, one.line, ours.sub("", one.text))
        for one in (*commands(), *spans())
        if ours.match(one.text)
    ]


def test_named_commands_and_their_options_exist() -> None:
    assert len(called()) > 50
    assert [str(one) for one in called() if not exists(one.text)] == []


@pytest.mark.parametrize("text", ["reject mend", "reject list --sensr x", "nothing"])
def test_what_is_no_command_is_noticed(text: str) -> None:
    assert not exists(text)


def exists(text: str) -> bool:
    """Tell whether the words are a command, and all options are options of it."""
    words = shlex.split(text.replace("…", " "))
    if words[0].startswith("-"):
        return words[0] in ("--help", "--version")
    if words[0] not in cli.nouns():
        return False
    command = cli.load(words[0])
    inner = getattr(command, "commands", {})
    if len(words) > 1 and inner and not words[1].startswith("-"):
        if words[1] not in inner:
            return False
        command = inner[words[1]]
    known = {"--help"}
    for parameter in command.params:
        known.update(parameter.opts, parameter.secondary_opts)
    options = (word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word))
    return known.issuperset(options)


def test_named_targets_of_make_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (PROJECT / "Makefile").read_text(), re.M))
    texts = [*commands(), *spans()]
    named = {
        m[1]
        for one in texts
        if (m := re.match(r"(?:\S+=\S+ )*make ([a-z]+)", one.text))
    }
    assert "up" in named
    assert named <= targets


#: The folders of the repository; what deploy/prepare makes is in none.
FILE: Final = re.compile(
    r"(?:sudo )?((?!deploy/secrets)(?:deploy|docs|tests|verkehrspuls|ingest|analytics"
    r"|api|dashboards|simulators|\.ci)/[\w./-]+)"
)


def test_named_files_exist() -> None:
    # files that contributors make: see tests/acceptance/test_contributing.py
    texts = (one for one in spans() if "docs/contributing" not in one.page)
    named = {m[1]: one for one in texts if (m := FILE.match(one.text))}
    assert len(named) > 30
    missing = [str(named[name]) for name in named if not (PROJECT / name).exists()]
    assert missing == []


def test_named_settings_exist() -> None:
    known = {
        f"{settings.PREFIX}{section}__{key}".upper()
        for section, field in settings.Settings.model_fields.items()
        for key in type(field.default).model_fields
    }
    # how a name is made, and one that contributors make
    known |= {"VERKEHRSPULS_SECTION__KEY", "VERKEHRSPULS_API__NOTICE"}
    pattern = re.compile(r"VERKEHRSPULS_[A-Z_]+__[A-Z0-9_]+")
    named = {
        name: path
        for path in PAGES
        for name in pattern.findall(path.read_text("utf-8"))
    }
    assert len(named) > 50
    unknown = [
        f"{path.name}: {name}"
        for name, path in named.items()
        if not {name, name.removesuffix("_FILE")} & known
    ]
    assert unknown == []
