"""A passkey without a browser: makes and signs what a real authenticator would."""

import hashlib
import json
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any, Final

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

PRESENT: Final = 1
VERIFIED: Final = 4
_MADE: Final = 64


def encoded(raw: bytes) -> str:
    """Return base64url, as browsers write it."""
    return urlsafe_b64encode(raw).decode().rstrip("=")


def decoded(text: str) -> bytes:
    """Return what base64url stands for."""
    return urlsafe_b64decode(f"{text}===")


@dataclass
class Authenticator:
    """One passkey, and the browser that it is in."""

    origin: str = "https://verkehr.example.org"
    party: str = "verkehr.example.org"
    flags: int = PRESENT | VERIFIED
    #: of signatures; None: it does not count
    count: int | None = 0
    handle: bytes = b""
    cross_origin: bool = False
    credential: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def make(self, options: str, **other: Any) -> str:
        """Answer what makes a passkey."""
        asked = json.loads(options)
        self.handle = decoded(asked["user"]["id"])
        numbers = self.key.public_key().public_numbers()
        key = {
            **{1: 2, 3: -7, -1: 1},
            -2: numbers.x.to_bytes(32, "big"),
            -3: numbers.y.to_bytes(32, "big"),
        }
        made = b"".join(
            (
                bytes(16),
                len(self.credential).to_bytes(2, "big"),
                self.credential,
                cbor2.dumps(key),
            )
        )
        attested = {"fmt": "none", "attStmt": {}, "authData": self._data(made)}
        return self._answer(
            clientDataJSON=encoded(self._client("webauthn.create", asked, other)),
            attestationObject=encoded(cbor2.dumps(attested)),
        )

    def sign(self, options: str, **other: Any) -> str:
        """Answer what shows a passkey; `other` stands in place of what is signed."""
        if self.count is not None:
            self.count += 1
        client = self._client("webauthn.get", json.loads(options), other)
        data = self._data()
        signed = self.key.sign(
            data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256())
        )
        return self._answer(
            clientDataJSON=encoded(client),
            authenticatorData=encoded(data),
            signature=encoded(signed),
            userHandle=encoded(self.handle),
        )

    def _client(self, kind: str, asked: dict[str, Any], other: dict[str, Any]) -> bytes:
        return json.dumps(
            {
                "type": kind,
                "challenge": asked["challenge"],
                "origin": self.origin,
                "crossOrigin": self.cross_origin,
                **other,
            }
        ).encode()

    def _data(self, made: bytes = b"") -> bytes:
        flags = self.flags | (_MADE if made else 0)
        return b"".join(
            (
                hashlib.sha256(self.party.encode()).digest(),
                bytes([flags]),
                (self.count or 0).to_bytes(4, "big"),
                made,
            )
        )

    def _answer(self, **response: str) -> str:
        return json.dumps(
            {
                "id": encoded(self.credential),
                "rawId": encoded(self.credential),
                "type": "public-key",
                "response": response,
            }
        )
