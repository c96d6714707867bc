"""Keyed hashes: how an address is remembered where it must not be written down.

An erased person stays refused, and the journal tells who left, without either holding an address. The first key
hashes, all keys recognise. Who opens a database says with which keys (`equip`); a session without them refuses to
work rather than to forget in silence whom it must refuse.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from sqlalchemy.orm import Session

from database import Database

_INFO = "keyed hashes"


class KeyedHashes:
    """Makes hashes of addresses and link ids that nobody without the keys can try out. `keys` newest first."""

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise ValueError("keyed hashes need at least one key")
        self._keyed = [_keyed(key) for key in keys]

    def of(self, text: str) -> str:
        """Under the newest key: 64 hexadecimal characters."""
        return _hashed(self._keyed[0], text)

    def all_of(self, text: str) -> tuple[str, ...]:
        """Under every key, the newest first: what was remembered before a key changed is still recognised."""
        return tuple(_hashed(keyed, text) for keyed in self._keyed)


def equip(database: Database, keys: Sequence[str]) -> None:
    """Let every session of this database recognise whom it must refuse."""
    database.info[_INFO] = KeyedHashes(keys)


def hashes(session: Session) -> KeyedHashes:
    """The hashes of this session's database. Raises LookupError where it was opened without `equip`."""
    if _INFO not in session.info:
        raise LookupError("this database was opened without its keys; call secrecy.equip first")
    found: KeyedHashes = session.info[_INFO]
    return found


def _keyed(key: str) -> hashlib.blake2b:
    person = b"remembered"
    derived = hashlib.blake2b(key.encode(), digest_size=64, person=person).digest()
    return hashlib.blake2b(key=derived, digest_size=32, person=person)


def _hashed(keyed: hashlib.blake2b, text: str) -> str:
    seal = keyed.copy()
    seal.update(text.encode())
    return seal.hexdigest()
