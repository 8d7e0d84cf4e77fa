import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from dashboards.remembered import Remembered
from tests.parts import PATIENCE_S


def counted(text: bytes, made: list[bytes]) -> Callable[[], bytes]:
    def make() -> bytes:
        made.append(text)
        return text

    return make


def test_a_text_is_made_once() -> None:
    remembered, made = Remembered(), list[bytes]()
    assert remembered.get("a", counted(b"1", made)) == b"1"
    assert remembered.get("a", counted(b"2", made)) == b"1"
    assert remembered.get("b", counted(b"3", made)) == b"3"
    assert made == [b"1", b"3"]


def test_a_text_is_made_once_for_all_who_ask_at_the_same_time() -> None:
    remembered, made = Remembered(), list[bytes]()
    all_ask = threading.Barrier(9)

    def make() -> bytes:
        # nobody waits here for the others: they wait for the text
        made.append(b"page")
        return b"page"

    def ask() -> bytes:
        all_ask.wait(PATIENCE_S)
        return remembered.get("a", make)

    with ThreadPoolExecutor(8) as people:
        asked = [people.submit(ask) for _ in range(8)]
        all_ask.wait(PATIENCE_S)
        assert [each.result(PATIENCE_S) for each in asked] == [b"page"] * 8
    assert made == [b"page"]


def test_others_wait_for_their_own_text_only() -> None:
    remembered, going_on = Remembered(), threading.Event()

    def slow() -> bytes:
        assert going_on.wait(PATIENCE_S)
        return b"slow"

    with ThreadPoolExecutor(1) as beside:
        waiting = beside.submit(remembered.get, "slow", slow)
        assert remembered.get("fast", lambda: b"fast") == b"fast"
        going_on.set()
        assert waiting.result(PATIENCE_S) == b"slow"


def test_where_making_fails_the_next_one_tries() -> None:
    remembered, made = Remembered(), list[bytes]()

    def fail() -> bytes:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        remembered.get("a", fail)
    assert remembered.get("a", counted(b"1", made)) == b"1"


def test_what_was_not_asked_for_longest_goes_first() -> None:
    remembered, made = Remembered(most_bytes=10), list[bytes]()
    for key in "abac":
        remembered.get(key, counted(key.encode() * 4, made))
    remembered.get("a", counted(b"aaaa", made))
    remembered.get("b", counted(b"bbbb", made))
    assert made == [b"aaaa", b"bbbb", b"cccc", b"bbbb"]


def test_a_text_that_is_larger_than_all_is_given_and_not_kept() -> None:
    remembered, made = Remembered(most_bytes=3), list[bytes]()
    for _ in range(2):
        assert remembered.get("a", counted(b"aaaa", made)) == b"aaaa"
    assert made == [b"aaaa"] * 2
