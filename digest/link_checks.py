"""Whether the pages that editions at home link to answer: asked by the clock, kept, and read by preflight.

Only pages of others are asked, each at most once a day; one that gave no page is asked again after ten minutes, for
one failure may be the network's. Our own site is never fetched.
"""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import sqlalchemy as sa
import structlog
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from database import Database, claim
from digest import editions
from digest.facts import ComparisonFacts
from digest.models import Edition, EditionState, LinkCheck
from digest.posting import Clock
from digest.preflight import Asked
from digest.rendering import safe_link
from digest.rendering.introduction import links_of
from digest.sources.fetching import Fetcher, FetchError

log = structlog.get_logger()

ASK_EVERY = timedelta(days=1)
ASK_AGAIN = timedelta(minutes=10)
STALE = timedelta(days=2)
"""An answer older than this says nothing any more: the clock asks each day, if it runs."""
DEAD_AFTER = 2
"""Failures in a row; a page that says itself that it is gone counts for as many at once."""
MOST_AT_ONCE = 25

_LONGEST_URL = 2_000
_AT_HOME = (EditionState.DRAFT, EditionState.APPROVED)


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one question. `for_good`: asking again would not change it."""

    alive: bool
    why: str | None = None
    for_good: bool = False


def ask_due(
    database: Database, fetcher: Fetcher, *, own_host: str, clock: Clock, stopped: Callable[[], bool]
) -> Counter[str]:
    """Ask what is due, at most MOST_AT_ONCE; says how many answered and how many gave no page."""
    tally = Counter[str]()
    for url, seen in due(database, own_host=own_host, now=clock()):
        if stopped():
            break
        answer = _ask(fetcher, url)
        if not answer.alive:
            log.info("a linked page is not there", url=url, why=answer.why)
        with database.writing() as session:
            _keep(session, url, seen, answer, now=clock())
        tally["answered" if answer.alive else "gave no page"] += 1
    return tally


def due(database: Database, *, own_host: str, now: datetime) -> Sequence[tuple[str, LinkCheck | None]]:
    """Addresses to ask now with what is known of them: those nobody has asked first, then by when they were asked."""
    with database.reading() as session:
        wanted = linked_at_home(session, own_host=own_host)
        known = checks_of(session, wanted)
        session.expunge_all()
    waiting = [(url, known.get(url)) for url in wanted if _is_due(known.get(url), now)]
    waiting.sort(key=lambda each: each[1].checked_at.timestamp() if each[1] else 0.0)
    return waiting[:MOST_AT_ONCE]


def _is_due(known: LinkCheck | None, now: datetime) -> bool:
    return known is None or known.checked_at <= now - (ASK_EVERY if known.alive else ASK_AGAIN)


def linked_at_home(session: Session, *, own_host: str) -> list[str]:
    """Every address of others that a draft or approved edition links to, the newest edition first."""
    at_home = sa.select(Edition).where(Edition.state.in_(_AT_HOME), Edition.begun_at.is_(None))
    found: dict[str, None] = {}
    for edition in session.scalars(at_home.order_by(Edition.week.desc())):
        found |= dict.fromkeys(linked_in(session, edition, own_host=own_host))
    return list(found)


def linked_in(session: Session, edition: Edition, *, own_host: str) -> list[str]:
    """Every address of others that an edition links to, in the order of the mail."""
    entries = (ComparisonFacts.model_validate(entry.facts).url for entry in editions.entries_of(session, edition))
    others = (line.get("url") for line in edition.also_compared)
    return list(dict.fromkeys(_askable((*links_of(edition.introduction), *entries, *others), own_host)))


def _askable(urls: Iterable[str | None], own_host: str) -> Iterator[str]:
    """What is no safe link is not in the mail; our own pages are ours to know."""
    for url in urls:
        if url and len(url) <= _LONGEST_URL and safe_link(url) is not None and _host(url) != own_host.lower():
            yield url


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").lower()
    except ValueError:
        return ""


def checks_of(session: Session, urls: Sequence[str]) -> dict[str, LinkCheck]:
    """What is known of these addresses."""
    if not urls:
        return {}
    return {each.url: each for each in session.scalars(sa.select(LinkCheck).where(LinkCheck.url.in_(urls)))}


def answers(session: Session, urls: Sequence[str], *, now: datetime) -> Mapping[str, Asked]:
    """What preflight is to know of each of these addresses."""
    known = checks_of(session, urls)
    return {url: _asked(known.get(url), now) for url in urls}


def _asked(known: LinkCheck | None, now: datetime) -> Asked:
    if known is None or known.checked_at <= now - STALE:
        return Asked(None)
    if known.alive:
        return Asked(is_dead=False)
    return Asked(known.failures >= DEAD_AFTER, known.why or "it gave no page")


def _ask(fetcher: Fetcher, url: str) -> Answer:
    try:
        found = fetcher.get(url)
    except FetchError as no:
        return Answer(alive=False, why=no.why, for_good=_is_no_name(no))
    if found.gone:
        return Answer(alive=False, why=f"the page is gone ({found.status})", for_good=True)
    return Answer(alive=True)


def _is_no_name(no: BaseException | None) -> bool:
    """Whether the name is not in use, which is another thing than that nobody could be asked about it."""
    while no is not None:
        if isinstance(no, socket.gaierror):
            return no.errno == socket.EAI_NONAME
        no = no.__cause__
    return False


def _keep(session: Session, url: str, seen: LinkCheck | None, answer: Answer, *, now: datetime) -> None:
    """Only over what was known when it was asked: what another clock found meanwhile is as good, and counts once."""
    before = seen.failures if seen else 0
    failures = 0 if answer.alive else before + (DEAD_AFTER if answer.for_good else 1)
    values = {"checked_at": now, "alive": answer.alive, "why": answer.why, "failures": failures}
    if seen is not None:
        claim(session, LinkCheck, LinkCheck.url == url, LinkCheck.checked_at == seen.checked_at, values=values)
        return
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    session.execute(dialect.insert(LinkCheck).values(url=url, **values).on_conflict_do_nothing())
