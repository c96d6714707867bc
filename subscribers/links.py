"""Signed links: they name a person by a random id, and only we can have made them.

A token is `key id · payload · seal`, all URL-safe. The seal is keyed BLAKE2b with a key of its own for each purpose,
so a token made for one purpose is worth nothing for another. Links to unsubscribe and to preferences never expire and
survive key rotation: the first key signs, all keys verify. A mail may be forwarded, so no token carries an address.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

CONFIRM_WITHIN = timedelta(hours=48)
MY_DATA_WITHIN = timedelta(hours=24)
SIGN_IN_WITHIN = timedelta(minutes=15)
FORM_FROM, FORM_WITHIN = timedelta(seconds=2), timedelta(hours=2)
"""Nobody types an address faster, and no page is left open longer: programs are, and pages are."""

LINK_ID_LENGTH = 22
KEY_ID_LENGTH = 6
SEAL_LENGTH = 32  # hexadecimal: 128 bits. Twice as fast to make as base64, for ten characters more.

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SINCE_LENGTH, _EXPIRY_LENGTH = 14, 10


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What a confirm link says: whose request it answers, which one, and until when.

    Whether it is still good is for `consent.confirm` to decide: the person's row must still wait for this very request.
    """

    link_id: str
    pending_since: datetime
    expires_at: datetime


def new_link_id() -> str:
    """128 random bits in 22 URL-safe characters."""
    return secrets.token_urlsafe(16)


class Links:
    """Makes and reads every link that goes into a mail. Safe to share between threads.

    `keys` are secrets of any length, newest first; at least one.
    """

    def __init__(self, site_url: str, keys: Sequence[str]) -> None:
        if not keys:
            raise ValueError("links need at least one key")
        self.key_ids: tuple[str, ...] = tuple(map(_key_id, keys))
        """Which keys exist, newest first; the first six characters of a token say which one sealed it."""
        site = site_url.rstrip("/")
        self._unsubscribe = _Purpose("unsubscribe", site, keys, LINK_ID_LENGTH)
        self._preferences = _Purpose("preferences", site, keys, LINK_ID_LENGTH)
        self._confirm = _Purpose("confirm", site, keys, LINK_ID_LENGTH + _SINCE_LENGTH + _EXPIRY_LENGTH)
        self._undo = _Purpose("undo", site, keys, None)
        expiring = LINK_ID_LENGTH + _EXPIRY_LENGTH
        self._my_data = _Purpose("my-data", site, keys, expiring)
        self._change_address = _Purpose("change-address", site, keys, expiring)
        self._sign_in = _Purpose("sign-in", site, keys, expiring)
        self._form = _Purpose("form", site, keys, _SINCE_LENGTH)
        self.unsubscribe_url = self._unsubscribe.url
        self.preferences_url = self._preferences.url
        # Many at a time: these two are made for every recipient of every edition.
        self.unsubscribe_urls = self._unsubscribe.urls
        self.preferences_urls = self._preferences.urls

    def confirm_url(self, link_id: str, pending_since: datetime, now: datetime) -> str:
        """Good for 48 hours from `now`, and only while the person waits for the request made at `pending_since`."""
        since = (pending_since - _EPOCH) // _MICROSECOND
        expires = int((now + CONFIRM_WITHIN).timestamp())
        return self._confirm.url(f"{link_id}{since:0{_SINCE_LENGTH}x}{expires:0{_EXPIRY_LENGTH}x}")

    def my_data_url(self, link_id: str, now: datetime) -> str:
        """Good for a day: whoever holds it may see, take along and erase everything."""
        return self._my_data.url(link_id + _until(now + MY_DATA_WITHIN))

    def change_address_url(self, link_id: str, now: datetime) -> str:
        """Good for 48 hours. `link_id` is the change's own, not the person's."""
        return self._change_address.url(link_id + _until(now + CONFIRM_WITHIN))

    def sign_in_url(self, link_id: str, expires_at: datetime) -> str:
        """The way in for staff. `link_id` is the sign-in link's own."""
        return self._sign_in.url(link_id + _until(expires_at))

    def form_token(self, now: datetime) -> str:
        """Says that a form was shown by us, and when."""
        return self._form.token(f"{(now - _EPOCH) // _MICROSECOND:0{_SINCE_LENGTH}x}")

    def read_my_data(self, token: str, now: datetime) -> str | None:
        """The person's link id; None for anything we did not make for this purpose, or too long ago."""
        return _unexpired(self._my_data.read(token), now)

    def read_change_address(self, token: str, now: datetime) -> str | None:
        """The change's link id; None for anything we did not make for this purpose, or too long ago."""
        return _unexpired(self._change_address.read(token), now)

    def read_sign_in(self, token: str, now: datetime) -> str | None:
        """The sign-in link's id; None for anything we did not make for this purpose, or too long ago."""
        return _unexpired(self._sign_in.read(token), now)

    def form_shown_at(self, token: str) -> datetime | None:
        """When the form with this token was shown; None for a token that is not ours."""
        shown = self._form.read(token)
        return None if shown is None else _EPOCH + int(shown, 16) * _MICROSECOND

    def undo_token(self, link_id: str, wishes: str) -> str:
        """What somebody wanted before, sealed for the form that gives it back: it can bring in nothing else."""
        return self._undo.token(link_id + base64.urlsafe_b64encode(wishes.encode()).decode())

    def read_unsubscribe(self, token: str) -> str | None:
        """The person's link id; None for anything we did not make for this purpose."""
        return self._unsubscribe.read(token)

    def read_preferences(self, token: str) -> str | None:
        """The person's link id; None for anything we did not make for this purpose."""
        return self._preferences.read(token)

    def read_confirm(self, token: str) -> Confirmation | None:
        """What the link says, expired or not; None for anything we did not make for this purpose."""
        payload = self._confirm.read(token)
        if payload is None:
            return None
        since, expires = payload[LINK_ID_LENGTH:-_EXPIRY_LENGTH], payload[-_EXPIRY_LENGTH:]
        return Confirmation(
            link_id=payload[:LINK_ID_LENGTH],
            pending_since=_EPOCH + int(since, 16) * _MICROSECOND,
            expires_at=datetime.fromtimestamp(int(expires, 16), UTC),
        )

    def read_undo(self, token: str, link_id: str) -> str | None:
        """What was sealed for this person; None for anything else."""
        payload = self._undo.read(token)
        if payload is None or payload[:LINK_ID_LENGTH] != link_id:
            return None
        return base64.urlsafe_b64decode(payload[LINK_ID_LENGTH:]).decode()


def _until(moment: datetime) -> str:
    return f"{int(moment.timestamp()):0{_EXPIRY_LENGTH}x}"


def _unexpired(payload: str | None, now: datetime) -> str | None:
    """The id in front of an expiry that has not come."""
    if payload is None or int(payload[LINK_ID_LENGTH:], 16) <= now.timestamp():
        return None
    return payload[:LINK_ID_LENGTH]


class _Purpose:
    """One kind of link: its place on the site and its seals, one for each key. `payload_length` None: any."""

    def __init__(self, name: str, site: str, keys: Sequence[str], payload_length: int | None) -> None:
        self._length = None if payload_length is None else KEY_ID_LENGTH + payload_length + SEAL_LENGTH
        # Keyed once and copied for each token: keying costs more than sealing. Older keys are put in first, so that
        # the newest wins should two ids ever be alike.
        self._seals = {_key_id(key): _keyed(key, name) for key in reversed(keys)}
        self._newest = self._seals[_key_id(keys[0])]
        self._start = f"{site}/{name}/{_key_id(keys[0])}"

    def url(self, payload: str) -> str:
        return self.urls((payload,))[0]

    def urls(self, payloads: Iterable[str]) -> list[str]:
        """One for each. A thousand cost half a millisecond."""
        start, fresh, made = self._start, self._newest.copy, []
        for payload in payloads:
            seal = fresh()
            seal.update(payload.encode())
            made.append(f"{start}{payload}{seal.hexdigest()}")
        return made

    def token(self, payload: str) -> str:
        return self.url(payload).rpartition("/")[2]

    def read(self, token: str) -> str | None:
        if (self._length is not None and len(token) != self._length) or not token.isascii():
            return None
        keyed = self._seals.get(token[:KEY_ID_LENGTH])
        if keyed is None:
            return None
        payload = token[KEY_ID_LENGTH:-SEAL_LENGTH]
        seal = keyed.copy()
        seal.update(payload.encode())
        return payload if hmac.compare_digest(seal.hexdigest(), token[-SEAL_LENGTH:]) else None


def _key_id(key: str) -> str:
    return hashlib.blake2b(key.encode(), digest_size=KEY_ID_LENGTH // 2, person=b"key id").hexdigest()


def _keyed(key: str, purpose: str) -> hashlib.blake2b:
    person = purpose.encode()
    derived = hashlib.blake2b(key.encode(), digest_size=64, person=person).digest()
    return hashlib.blake2b(key=derived, digest_size=SEAL_LENGTH // 2, person=person)
