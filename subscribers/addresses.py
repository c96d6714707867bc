"""Mail addresses: what we accept, and the one normal form in which two of them are the same person.

An address is kept as typed. It is compared by its key: the domain as lower-case A-label, the local part case-folded.
Only the comparison folds case: `Ada.L@example.com` is written to exactly so.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

from subscribers.errors import PeopleError

LONGEST = 254
"""RFC 5321 4.5.3.1.3, less the angle brackets."""

# What nearly every address looks like. email-validator is asked about all others, and a property test makes sure that
# it agrees on these: asking it costs 35 µs, and a list of a million is read line by line.
_USUAL = re.compile(
    r"(?P<local>[A-Za-z0-9_+'-]+(?:\.[A-Za-z0-9_+'-]+)*)@(?P<domain>(?:[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*\.)+(?P<top>[A-Za-z]{2,}))"
)
_USUAL_LENGTH = 63
_SPECIAL_TOPS = frozenset(SPECIAL_USE_DOMAIN_NAMES)


class BadAddress(PeopleError):
    """This is not a mail address."""


@dataclass(frozen=True, slots=True)
class Address:
    """One accepted address. `typed` is what people see, `key` what is compared and unique."""

    typed: str
    key: str

    @property
    def on_the_wire(self) -> str:
        """What a mail server or provider is given: always ASCII."""
        return on_the_wire(self.typed, self.key)


def parse(text: str) -> Address:
    """The address in a piece of text, without the white space around it.

    No name is looked up: whether mail arrives there, a confirmation letter finds out. A non-ASCII local part is refused
    (SMTPUTF8): it has no ASCII form, and one such recipient can cost a provider's whole batch.
    Raises BadAddress, with the reason as a sentence.
    """
    # Normalising may make text up to 18 times as long, but not shorter than a third: what is refused here is too long.
    if len(text) > 10 * LONGEST:
        raise BadAddress(f"The address is longer than {LONGEST} characters.")
    typed = unicodedata.normalize("NFC", text.strip())
    if not typed:
        raise BadAddress("The address is empty.")
    return Address(typed, _usual_key(typed) or _key(typed))


def on_the_wire(email: str, key: str) -> str:
    """A stored address as mail servers are given it: typed local part, domain in its ASCII form.

    Takes the two columns `Subscriber.email` and `Subscriber.email_key`.
    """
    if email.isascii():
        return email
    return f"{email.rpartition('@')[0]}@{key.rpartition('@')[2]}"


def _usual_key(typed: str) -> str | None:
    """The key of an address that needs no second look; None when it does."""
    usual = _USUAL.fullmatch(typed)
    if usual is None or max(len(usual["local"]), len(usual["domain"])) > _USUAL_LENGTH:
        return None
    if usual["top"].lower() in _SPECIAL_TOPS:
        return None
    return typed.lower()


def _key(typed: str) -> str:
    try:
        found = validate_email(typed, check_deliverability=False, allow_smtputf8=False, strict=True)
    except EmailNotValidError as why:
        raise BadAddress(str(why)) from None
    return f"{found.local_part.casefold()}@{(found.ascii_domain or found.domain).lower()}"
