"""Codes of a second factor, by time (RFC 6238): SHA-1, six digits, 30 seconds.

That is what all apps of phones and password managers can.
"""

import base64
import hashlib
import hmac
import secrets
from datetime import datetime
from typing import Final
from urllib.parse import quote

STEP_S: Final = 30
DIGITS: Final = 6
#: length of secrets that the database keeps
MIN_BYTES: Final = 16
MAX_BYTES: Final = 64
#: steps before and after the current one whose codes are taken: clocks differ
TOLERANCE: Final = 1


def new_secret() -> bytes:
    """Return a secret that codes are made from."""
    return secrets.token_bytes(20)


def write(secret: bytes) -> str:
    """Write a secret as people type it: in Base32."""
    return base64.b32encode(secret).decode().rstrip("=")


def read(text: str) -> bytes | None:
    """Read a secret that `write` wrote; None if it is none."""
    word = "".join(text.split()).upper()
    try:
        secret = base64.b32decode(word + "=" * (-len(word) % 8))
    except ValueError:
        return None
    return secret if MIN_BYTES <= len(secret) <= MAX_BYTES else None


def code(secret: bytes, step: int) -> str:
    """Return the code of a step, which is the number of 30 seconds since 1970."""
    digest = hmac.digest(secret, step.to_bytes(8, "big"), hashlib.sha1)
    offset = digest[-1] & 15
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def step_of(secret: bytes, given: str, *, now: datetime) -> int | None:
    """Return the step that a code is of, near the current one; None if of none."""
    given = "".join(given.split())
    current = int(now.timestamp()) // STEP_S
    steps = range(current - TOLERANCE, current + TOLERANCE + 1)
    right = [
        step
        for step in steps
        if hmac.compare_digest(code(secret, step).encode(), given.encode())
    ]
    return right[-1] if right else None


def address(secret: bytes, email: str, *, issuer: str = "Verkehrspuls") -> str:
    """Return the address of a secret that apps read, from a picture or a link."""
    word = write(secret)
    return f"otpauth://totp/{quote(issuer)}:{quote(email)}?secret={word}&issuer={quote(issuer)}"
