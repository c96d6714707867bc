"""Signs posts of events as the provider signs them: ECDSA on P-256 over the timestamp and the raw body."""

from __future__ import annotations

import base64
from typing import Any

import orjson
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SIGNATURE = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP = "X-Twilio-Email-Event-Webhook-Timestamp"


class Signer:
    """A pair of keys. `public_key` is what SENDGRID_WEBHOOK_PUBLIC_KEY takes: the base64 of its SPKI form."""

    def __init__(self, secret: int | None = None) -> None:
        """`secret` makes the same pair again."""
        curve = ec.SECP256R1()
        self._key = ec.generate_private_key(curve) if secret is None else ec.derive_private_key(secret, curve)
        spki = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.public_key = base64.b64encode(spki).decode()

    def signature(self, body: bytes, timestamp: str) -> str:
        """The base64 of a signature in DER."""
        return base64.b64encode(self._key.sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))).decode()

    def headers(self, body: bytes, *, timestamp: str = "1795000000") -> dict[str, str]:
        """The headers that go with this body."""
        return {
            SIGNATURE: self.signature(body, timestamp),
            TIMESTAMP: timestamp,
            "Content-Type": "application/json; charset=utf-8",
        }


def body_of(events: Any) -> bytes:
    """Events as the provider writes them, down to the line end that the signature covers too."""
    return orjson.dumps(events) + b"\r\n"
