"""Simulated devices, each with its own credential and connection at the broker."""

import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, Self
from urllib.parse import quote, urlsplit, urlunsplit

from verkehrspuls.errors import BrokerUnavailable
from verkehrspuls.mqtt import Publisher
from verkehrspuls.registry import credentials
from verkehrspuls.registry.brokers import administrated
from verkehrspuls.settings import Broker, Settings
from verkehrspuls.stack.account import private_file
from verkehrspuls.storage.database import Connection

log = logging.getLogger(__name__)

#: Wait for room in the memory of a device that is not connected.
_ROOM_S: Final = 0.0


def equip(connection: Connection, sensors: Sequence[str], settings: Settings) -> None:
    """Issue credentials for the sensors that have none, and keep them in the file."""
    file = settings.simulator.logins
    if file is None:
        return
    kept = _read(file)
    valid = {
        each.user_name
        for each in credentials.every(connection)
        if each.state in ("valid", "ending")
    }
    lacking = [
        sensor for sensor in sensors if kept.get(sensor, {}).get("user") not in valid
    ]
    with administrated(
        settings.broker.admin_url.get_secret_value(), ca_file=settings.broker.ca_file
    ) as broker:
        asked = credentials.ask(connection, lacking) if lacking else None
        connection.commit()
        credentials.bring(connection, broker)
        for each in credentials.collect(connection, asked) if asked else ():
            sensor = "/".join(each.user.split("/")[:2])
            kept[sensor] = {"user": each.user, "password": each.password}
    if lacking:
        # before the database forgets them
        private_file(file, json.dumps(kept, indent=1).encode())
    connection.commit()


def _read(file: Path) -> dict[str, dict[str, str]]:
    try:
        found: dict[str, dict[str, str]] = json.loads(file.read_bytes())
    except FileNotFoundError:
        return {}
    return found


class Devices:
    """A publisher for each sensor; one that is refused is left out."""

    def __init__(self, file: Path, settings: Broker) -> None:
        url = settings.publish_url.get_secret_value() or settings.url.get_secret_value()
        self._stack = ExitStack()
        self._made = {
            sensor: Publisher(
                _with(url, login), f"device-{sensor}", ca_file=settings.ca_file
            )
            for sensor, login in _read(file).items()
        }
        self._devices: dict[str, Publisher] = {}

    def __enter__(self) -> Self:
        for sensor, made in self._made.items():
            try:
                self._devices[sensor] = self._stack.enter_context(made)
            except BrokerUnavailable as error:
                log.warning(
                    "device_refused", extra={"sensor": sensor, "reason": str(error)}
                )
        if not self._devices:
            raise BrokerUnavailable(reason="it accepts none of the devices")
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Send a message of the sensor whose topic it is."""
        device = self._devices.get("/".join(topic.split("/")[2:4]))
        if device is None:
            return
        try:
            device.publish(topic, payload, retain=retain, timeout_s=_ROOM_S)
        except BrokerUnavailable:
            log.warning("device_full", extra={"topic": topic})

    def flush(self, timeout_s: float = 60) -> None:
        """Wait for the acknowledgements of those that are connected."""
        for device in self._devices.values():
            if device.connected:
                device.flush(timeout_s)


def _with(url: str, login: Mapping[str, str]) -> str:
    parts = urlsplit(url)
    where = parts.netloc.rpartition("@")[2]
    user = quote(login["user"], safe="")
    return urlunsplit(parts._replace(netloc=f"{user}:{login['password']}@{where}"))
