"""The way every stranger's form takes that holds an address: looked at, counted, stored. Nothing in it knows anybody.

What it answers depends on what was posted and on how often, never on whose address it is: the same statements are run
for every address, and what follows from them is found out afterwards (`digest.people.requests`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from fastapi import Request
from starlette.datastructures import FormData

from digest.models import RequestKind
from digest.people import limits, requests, typos
from digest.people.limits import Rule
from digest.web import clients, forms
from digest.web.pages import services_of
from digest.web.wordings import Wording
from subscribers import addresses
from subscribers.addresses import Address, BadAddress
from subscribers.links import FORM_FROM, FORM_WITHIN

TRAP = "website"
"""A field that people do not see. Programs that fill in whatever there is fill it in."""

ONCE_MORE = "Please press the button once more. The form had been open for long, or came from another page."
TOO_QUICK = "Please press the button once more. The form came back so quickly that a program might have sent it."
_MINUTE = 60


@dataclass(frozen=True, slots=True)
class Sheet:
    """The form as it is shown: with a fresh token, what was filled in, and what is to be said about it."""

    token: str
    email: str = ""
    problem: str | None = None
    """What is wrong with the address."""
    meant: str | None = None
    """The address that was most likely meant."""
    said: str | None = None
    """A sentence about the form as a whole."""
    retry_after: int | None = None
    """In seconds."""

    @property
    def status(self) -> int:
        """Of the page that shows it."""
        if self.retry_after is not None:
            return 429
        return 422 if self.problem else 200


def fresh(request: Request, now: datetime) -> Sheet:
    """An empty form."""
    return Sheet(services_of(request).links.form_token(now))


def take(
    request: Request, form: FormData, kind: RequestKind, wording: Wording, *, source: str, now: datetime
) -> Sheet | None:
    """Store what is asked for with the address in a form; gives the form to show again, None when all is done."""
    token = forms.word(form, "token")
    not_good = _not_good(request, token, now)
    blank = Sheet(token if not_good is None else services_of(request).links.form_token(now), forms.word(form, "email"))
    address = looked_at(form, blank)
    if isinstance(address, Sheet):
        return address
    if not_good:
        return Sheet(blank.token, blank.email, said=not_good)
    if forms.word(form, TRAP):
        return None
    exceeded = _store(request, kind, address, wording, source=source, now=now)
    return too_often(blank, exceeded, now) if exceeded else None


def looked_at(form: FormData, blank: Sheet) -> Address | Sheet:
    """The address in a form, or the form with what is wrong with it, or with what may have been meant."""
    try:
        address = addresses.parse(blank.email)
    except BadAddress as why:
        return Sheet(blank.token, blank.email, problem=_in_words(blank.email, why))
    meant = None if forms.word(form, "sure") else typos.meant(address)
    return Sheet(blank.token, address.typed, meant=meant) if meant else address


def rules_for(request: Request, what: str, address: Address) -> tuple[Rule, ...]:
    """Every limit on giving this address at this door."""
    return (
        *limits.by_network(what, clients.client_ip(request)),
        *limits.overall(what),
        *limits.by_domain(what, address.key),
        *limits.by_address(what, address.key),
    )


def too_often(blank: Sheet, rule: Rule, now: datetime) -> Sheet:
    """The form, kept, with the time from which on it may be sent again."""
    wait = rule.retry_after(now)
    minutes = -(-wait // _MINUTE)
    when = "in a minute" if minutes == 1 else f"in {minutes} minutes"
    return Sheet(
        blank.token, blank.email, said=f"This was asked too often just now. Please try again {when}.", retry_after=wait
    )


def _store(
    request: Request, kind: RequestKind, address: Address, wording: Wording, *, source: str, now: datetime
) -> Rule | None:
    """Count and store in one transaction; gives a limit that was exceeded and may be told."""
    rules = rules_for(request, str(kind), address)
    proof = clients.proof_of(request, wording)
    with services_of(request).database.writing() as session:
        exceeded = limits.take(session, rules, now=now)
        if exceeded is None:
            requests.ask(session, kind, address, now=now, source=source, proof=proof)
    return exceeded if exceeded is not None and exceeded.visible else None


def _not_good(request: Request, token: str, now: datetime) -> str | None:
    """What to say of a form; None for one of ours, open for as long as somebody needs to fill it in."""
    shown_at = services_of(request).links.form_shown_at(token)
    if shown_at is None or now - shown_at > FORM_WITHIN:
        return ONCE_MORE
    return TOO_QUICK if now - shown_at < FORM_FROM else None


def _in_words(typed: str, why: BadAddress) -> str:
    return f"{why} It looks like name@example.com." if typed.strip() else "Please give a mail address."
