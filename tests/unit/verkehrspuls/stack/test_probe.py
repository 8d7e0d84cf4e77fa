"""How long the doctor waits for the messages of its probe."""

from collections.abc import Callable
from typing import Any

import pytest

from verkehrspuls.stack import probe


class Deaf:
    """In place of a listener: after its first message it receives none."""

    url, ca_file, token, dropped = "", None, b"", None

    def __init__(self) -> None:
        self.returned = {b"first"}
        self.waited_s: list[float] = []

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass

    def wait(
        self, condition: Callable[[], bool], silence_s: float = probe.SILENCE_S
    ) -> bool:
        self.waited_s.append(silence_s)
        return condition()


class Publisher:
    """In place of a publisher."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __enter__(self) -> "Publisher":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def publish(self, topic: str, payload: bytes) -> None:
        pass

    def flush(self) -> None:
        pass


def test_missing_messages_are_waited_for_until_a_broker_sends_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("verkehrspuls.mqtt.Publisher", Publisher)
    listener: Any = Deaf()
    assert probe._probe(listener, 3) == probe.Probe(sent=3, returned=0, dropped=None)
    # NATS sends again after 30 s
    assert listener.waited_s[-1] > 30
