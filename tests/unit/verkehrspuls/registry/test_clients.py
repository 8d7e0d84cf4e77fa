"""Configuration of clients, read as they would read it."""

import base64
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr

from verkehrspuls.errors import UsageError
from verkehrspuls.registry import clients
from verkehrspuls.registry.credentials import Issued
from verkehrspuls.settings import Broker

AUTHORITY = "-----BEGIN CERTIFICATE-----\nMIIB$x/+=\nAAAA\n-----END CERTIFICATE-----\n"
ISSUED = Issued(1, "landau/radar-1/2", "p4ssw0rd")
COUNTS = "vp/v1/landau/radar-1/counts"
STATUS = "vp/v1/landau/radar-1/status"


@pytest.fixture(params=["mqtts", "mqtt"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Broker:
    scheme = str(request.param)
    authority = tmp_path / "ca"
    authority.write_text(AUTHORITY)
    return Broker(
        url=SecretStr(f"{scheme}://ingest:x@broker:8884"),
        address="mqtt.example.org:8883",
        ca_file=authority if scheme == "mqtts" else None,
    )


def has_tls(broker: Broker) -> bool:
    return broker.ca_file is not None


@pytest.mark.parametrize("name", clients.every())
def test_each_is_filled_with_the_values_of_the_credential(
    name: str, broker: Broker
) -> None:
    text = clients.filled(name, ISSUED, broker)
    for value in (ISSUED.user, ISSUED.password, "mqtt.example.org", "8883"):
        assert value in text
    assert "%tls" not in text
    assert "%plain" not in text
    assert "x@broker" not in text
    pem = any(
        word in text
        for word in ("MIIB$x", base64.b64encode(AUTHORITY.encode()).decode())
    )
    assert pem == has_tls(broker)


def test_unknown_client_is_refused() -> None:
    with pytest.raises(UsageError, match="esphome"):
        clients.require("esp-home")


class Loader(yaml.SafeLoader):
    """Reads code of ESPHome as text."""


Loader.add_constructor("!lambda", lambda _, node: node.value)


def test_esphome(broker: Broker) -> None:
    read = yaml.load(clients.filled("esphome", ISSUED, broker), Loader)
    mqtt = read["mqtt"]
    assert (mqtt["broker"], mqtt["port"]) == ("mqtt.example.org", 8883)
    assert (mqtt["username"], mqtt["password"]) == ISSUED[1:]
    assert mqtt.get("certificate_authority", "") == AUTHORITY * has_tls(broker)
    assert mqtt["will_message"]["topic"] == STATUS
    assert json.loads(mqtt["will_message"]["payload"]) == {"state": "offline"}
    (publish,) = read["interval"][0]["then"]
    assert publish["mqtt.publish"]["topic"] == COUNTS
    assert publish["mqtt.publish"]["qos"] == 1


def test_node_red(broker: Broker) -> None:
    nodes = {
        node["id"]: node
        for node in json.loads(clients.filled("node-red", ISSUED, broker))
    }
    wired: list[Any] = [
        to for node in nodes.values() for out in node.get("wires", ()) for to in out
    ]
    assert wired == ["vp-function", "vp-out"]
    assert nodes["vp-out"]["topic"] == COUNTS
    made = nodes[nodes["vp-out"]["broker"]]
    assert made["credentials"] == dict(
        zip(("user", "password"), ISSUED[1:], strict=True)
    )
    assert made["usetls"] == has_tls(broker)
    if has_tls(broker):
        assert nodes[made["tls"]]["credentials"]["cadata"] == AUTHORITY


def test_chirpstack(broker: Broker) -> None:
    issued = ISSUED._replace(user="chirpstack")
    text = clients.filled("chirpstack", issued, broker)
    mqtt = tomllib.loads(text)["integration"]["mqtt"]
    scheme = "ssl" if has_tls(broker) else "tcp"
    assert mqtt["server"] == f"{scheme}://mqtt.example.org:8883/"
    assert mqtt["username"] == "chirpstack"
    assert mqtt["event_topic"].startswith("application/")
    assert ("ca_cert" in mqtt) == has_tls(broker)


def test_the_things_stack(broker: Broker) -> None:
    issued = ISSUED._replace(user="things")
    made = json.loads(clients.filled("the-things-stack", issued, broker))["pubsub"]
    assert made["base_topic"] == "things"
    assert made["mqtt"]["username"] == "things"
    authority = base64.b64decode(made["mqtt"].get("tls_ca", "")).decode()
    assert authority == AUTHORITY * has_tls(broker)


def test_arduino(broker: Broker) -> None:
    text = clients.filled("arduino", ISSUED, broker)
    strings = re.findall(r'"((?:[^"\\]|\\.)*)"', text)
    scheme = "mqtts" if has_tls(broker) else "mqtt"
    assert f"{scheme}://mqtt.example.org:8883" in strings
    assert strings.count(COUNTS) == 1
    assert strings.count(STATUS) == 2
    assert text.count("{") == text.count("}")
