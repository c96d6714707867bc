"""The keys that sign posts of events: the account's own, made from the seed, and one that is not the account's."""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.sendgrid_stub.luck import digest

SIGNATURE = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP = "X-Twilio-Email-Event-Webhook-Timestamp"


class Key:
    """ECDSA on P-256. `public` is what SENDGRID_WEBHOOK_PUBLIC_KEY takes: the base64 of its SPKI form."""

    def __init__(self, seed: int, whose: str = "the account's") -> None:
        secret = int.from_bytes(digest(seed, "key", whose, size=31), "big") or 1
        self._key = ec.derive_private_key(secret, ec.SECP256R1())
        spki = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.public = base64.b64encode(spki).decode()

    def headers(self, body: bytes, *, timestamp: str) -> dict[str, str]:
        """The headers that go with this raw body."""
        signature = self._key.sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))
        return {SIGNATURE: base64.b64encode(signature).decode(), TIMESTAMP: timestamp}
