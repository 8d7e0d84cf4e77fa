"""The production file set fits its schemas, and the code that it runs."""

import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.parts import PROJECT
from verkehrspuls import settings
from verkehrspuls.access import oidc

COMPOSE = PROJECT / "docker-compose.yml"
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text("utf-8"))[
    "services"
]
#: as whom services log in that are not the owner
LOGINS = {
    "api": "web_",
    "ingest": "ingest_",
    "analytics": "analytics_",
    "credentials": "ingest_",
}
LOGIN_FILES = {f"database_{login}url" for login in ("", *LOGINS.values())}
OURS = {name: it for name, it in SERVICES.items() if "build" in it}
#: of settings that the operator gives in the file .env
GIVEN = {
    "VERKEHRSPULS_PAGES__ADDRESS": "https://verkehr.example.org",
    "VERKEHRSPULS_OIDC__ISSUER": "https://sso.example.org/realms/stadt",
    "VERKEHRSPULS_OIDC__CLIENT_ID": "verkehrspuls",
    "VERKEHRSPULS_OIDC__ROLES": "planung=landau/planner,betrieb=operator",
}


def tool(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    found = Path(sys.executable).with_name(name)
    return subprocess.run([found, *arguments], capture_output=True, text=True)


def test_compose_file_fits_the_compose_specification() -> None:
    checked = tool(
        "check-jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE
    )
    assert checked.returncode == 0, checked.stdout


def test_dockerfile_passes_hadolint() -> None:
    checked = tool("hadolint", PROJECT / "Dockerfile")
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("name", OURS)
def test_service_runs_a_command_that_exists(name: str) -> None:
    asked = tool("verkehrspuls", *OURS[name]["command"], "--help")
    assert asked.returncode == 0, asked.stderr


@pytest.mark.parametrize("name", OURS)
def test_service_sets_settings_that_exist(name: str, tmp_path: Path) -> None:
    # one without a value is set only if the operator gives it
    environment = {
        variable: value or GIVEN[variable]
        for variable, value in OURS[name]["environment"].items()
        if value or variable in GIVEN
    }
    secrets = OURS[name]["secrets"]
    given = dict(environment)
    for variable, value in environment.items():
        if value.startswith("/run/secrets/"):
            assert Path(value).name in secrets
        if variable.endswith(("URL_FILE", "SECRET_FILE")):
            (tmp_path / variable).write_text(f"{value}\n")
            given[variable] = str(tmp_path / variable)
    loaded = settings.load(given)
    logins = {name for name in secrets if re.fullmatch(r"database_(\w+_)?url", name)}
    own = f"database_{LOGINS[name]}url" if name in LOGINS else "database_url"
    assert loaded.database.url.get_secret_value() == f"/run/secrets/{own}"
    # who works by hand looks at the logins of all
    assert logins == (LOGIN_FILES if name == "operator" else {own})
    receives = "broker_url" in secrets
    assert bool(loaded.broker.url.get_secret_value()) == receives
    publishes = "broker_publish_url" in secrets
    assert bool(loaded.broker.publish_url.get_secret_value()) == publishes
    administrates = "broker_admin_url" in secrets
    assert administrates == (name in ("credentials", "operator"))
    assert bool(loaded.broker.admin_url.get_secret_value()) == administrates
    assert bool(loaded.broker.ca_file) == (receives or publishes or administrates)


@pytest.mark.parametrize("name", ["migrate", "api", "operator"])
def test_single_sign_on_is_set_alike_and_off_by_default(
    name: str, tmp_path: Path
) -> None:
    """`db migrate` without its settings would let the database forget the provider."""
    passed = {
        variable: value
        for variable, value in OURS[name]["environment"].items()
        if variable.startswith("VERKEHRSPULS_OIDC__")
    }
    secret = "VERKEHRSPULS_OIDC__CLIENT_SECRET_FILE"
    keys = settings.Oidc.model_fields.keys() - {"client_secret"}
    names = {f"VERKEHRSPULS_OIDC__{key.upper()}" for key in keys}
    assert passed == dict.fromkeys(names) | {secret: "/run/secrets/oidc_client_secret"}
    assert "oidc_client_secret" in OURS[name]["secrets"]
    # as `deploy/prepare` makes it
    (tmp_path / "secret").write_text("")
    usual = settings.load({secret: str(tmp_path / "secret")})
    assert oidc.provider_of(usual) is None
    given = settings.load({**GIVEN, secret: __file__})
    assert oidc.provider_of(given) is not None


def test_the_image_has_what_single_sign_on_needs() -> None:
    locked = (PROJECT / "requirements.lock").read_text("utf-8")
    for package in oidc.PACKAGES:
        assert re.search(rf"^{package}==", locked, re.M)


@pytest.mark.parametrize("name", SERVICES)
def test_service_is_confined(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["read_only"]
    assert "build" in service or int(service["user"].split(":")[0]) > 0


def test_no_image_floats() -> None:
    images = [service["image"] for service in SERVICES.values()]
    images += re.findall(r"^FROM (\S+)", (PROJECT / "Dockerfile").read_text(), re.M)
    assert [image for image in images if not re.search(r":\d+\.\d+\.\d+", image)] == []


def test_the_image_of_the_program_has_its_version() -> None:
    from importlib.metadata import version

    tags = {service["image"] for service in OURS.values()}
    assert tags == {f"verkehrspuls:{version('verkehrspuls')}"}


def test_timescaledb_is_none_that_drops_rows() -> None:
    found = re.search(r":(\d+)\.(\d+)\.(\d+)-pg(\d+)$", SERVICES["database"]["image"])
    assert found is not None
    *release, server = map(int, found.groups())
    assert release >= [2, 18, 1]
    assert server >= 15


def test_every_service_that_stays_is_watched_and_restarted() -> None:
    for name, service in SERVICES.items():
        once = name in ("roles", "migrate", "operator")
        assert service["restart"] == ("no" if once else "unless-stopped")
        assert service.get("healthcheck", {}).get("disable", False) == once
    assert "HEALTHCHECK" in (PROJECT / "Dockerfile").read_text()


def test_nothing_but_the_broker_is_reached_from_outside() -> None:
    published = {
        name: service["ports"]
        for name, service in SERVICES.items()
        if "ports" in service
    }
    assert published == {"broker": ["8883:8883"], "api": ["127.0.0.1:8000:8000"]}


def test_sensors_reach_only_the_listener_that_binds_their_client_identifiers() -> None:
    text = (PROJECT / "deploy" / "mosquitto" / "mosquitto.conf").read_text("utf-8")
    listeners = {
        listener.split()[0]: "\nuse_username_as_clientid true\n" in listener
        for listener in re.split("^listener ", text, flags=re.M)[1:]
    }
    published = [port.rpartition(":")[2] for port in SERVICES["broker"]["ports"]]
    assert published == [port for port, bound in listeners.items() if bound]
    # with it Mosquitto up to 2.0.22 drops what comes for a session after a restart
    assert not re.search("^per_listener_settings", text, re.M)
    prepare = (PROJECT / "deploy" / "prepare").read_text("utf-8")
    (inner,) = re.findall(r"mqtts://%s:%s@broker:(\d+)", prepare)
    assert listeners[inner] is False


def test_what_is_published_of_the_broker_speaks_tls_1_2_or_newer() -> None:
    text = (PROJECT / "deploy" / "mosquitto" / "mosquitto.conf").read_text("utf-8")
    for listener in re.split("^listener ", text, flags=re.M)[1:]:
        # the one without is reached from inside its container only
        local = listener.split("\n")[0].endswith(" 127.0.0.1")
        assert ("\ntls_version tlsv1.2\n" in listener) != local


def test_all_secrets_are_files_that_are_never_committed() -> None:
    declared = yaml.safe_load(COMPOSE.read_text("utf-8"))["secrets"]
    files = {name: Path(secret["file"]) for name, secret in declared.items()}
    assert {str(path.parent) for path in files.values()} == {"deploy/secrets"}
    used = [name for it in SERVICES.values() for name in it.get("secrets", [])]
    assert set(used) == files.keys()
    ignored = subprocess.run(
        ["git", "check-ignore", "--quiet", "deploy/secrets/any"], cwd=PROJECT
    )
    assert ignored.returncode == 0
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if re.search("PASSWORD|URL|CLIENT_SECRET", name):
                assert name.endswith("_FILE")
                assert value.startswith("/run/secrets/")


def test_scripts_can_be_run() -> None:
    for script in (
        *("prepare", "logins", "backup", "restore", "in-database"),
        "database/roles.sh",
    ):
        assert (PROJECT / "deploy" / script).stat().st_mode & stat.S_IXUSR


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (("backup",), "usage: deploy/backup DIRECTORY"),
        (("backup", "--help"), "usage: deploy/backup DIRECTORY"),
        (("restore",), "usage: deploy/restore [--replace] DIRECTORY"),
        (("restore", "--replace"), "usage: deploy/restore [--replace] DIRECTORY"),
        (("restore", "--help"), "usage: deploy/restore [--replace] DIRECTORY"),
        (("logins",), "has no password"),
    ],
)
def test_script_that_is_called_wrongly_says_how_to(
    tmp_path: Path, call: tuple[str, ...], text: str
) -> None:
    shutil.copytree(
        PROJECT / "deploy", tmp_path / "deploy", ignore=lambda *_: ["secrets"]
    )
    script, *arguments = call
    made = subprocess.run(
        [tmp_path / "deploy" / script, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert made.returncode != 0
    assert made.stderr.startswith(text) or made.stderr.rstrip().endswith(text)
    assert list(tmp_path.iterdir()) == [tmp_path / "deploy"]
