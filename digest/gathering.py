"""From a source to rows: read what it holds, take in every comparison, and say of each what became of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import BinaryIO, Literal

import sqlalchemy as sa
import structlog
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from database import Database, claim
from digest import intake, pages
from digest.errors import DigestError
from digest.facts import ComparisonFacts
from digest.models import Comparison, Edition, EditionState, Entry, Source
from digest.settings import Settings
from digest.sources import Document, FeedRead, Found, Gone, Unchanged, Unreadable, Validators, read_source
from digest.sources.fetching import AGENT, Fetcher

log = structlog.get_logger()

POLL_EVERY = timedelta(hours=1)


News = Literal["new", "changed", "unchanged", "withdrawn", "bad", "remark"]


@dataclass(frozen=True)
class Outcome:
    """What became of one thing found in a source; `why` explains a bad one, or what a page did not say.

    `where` is its place in a document that holds several: "line 3", "item 2".
    """

    name: str
    news: News
    why: str = ""
    where: str = ""


def gather(
    database: Database,
    source: str,
    *,
    fetcher: Fetcher,
    now: datetime,
    url: str | None = None,
    stdin: BinaryIO | None = None,
) -> Iterator[Outcome]:
    """Take in everything a source holds, one small transaction per document; a bad one costs only itself.

    `url` is the address of a single stored page: its slugs come from it.
    """
    known = _validators(database)
    all_good = True
    held = read_source(source, fetcher=fetcher, stdin=stdin, known=known.get)
    if url is not None:
        several = list(held)
        if len(several) > 1:
            why = f"it holds {len(several)} things, and an address was given that can be that of one page only"
            yield Outcome(source, "bad", why)
            return
        held = iter(several)
    for found in held:
        if isinstance(found, FeedRead) and not all_good:
            # A list that answers "unchanged" next time would hide the page that could not be read this time.
            found = replace(found, validators=Validators())  # noqa: PLW2901
        for outcome in _handle(database, found, url=url, now=now):
            all_good = all_good and outcome.news != "bad"
            yield outcome


def _handle(database: Database, found: Found, *, url: str | None, now: datetime) -> Iterator[Outcome]:
    match found:
        case Document():
            yield from take_in_document(database, found, url=url or found.url, now=now)
        case Gone():
            with database.writing() as session:
                comparison = intake.page_gone(session, found.url, now=now)
                # Remembered as seen: otherwise a dead link in a list would come first in every round.
                _remember(session, found.name, Validators(), now)
            yield Outcome(found.name, _what_became_of(comparison, now), "its page is gone")
        case Unchanged():
            yield Outcome(found.name, "unchanged")
        case Unreadable():
            yield Outcome(found.name, "bad", found.why)
        case FeedRead():
            with database.writing() as session:
                _remember(session, found.name, found.validators, now)
            if found.owed:
                yield Outcome(found.name, "remark", f"{found.owed} of its {found.pages} pages were not had this time")
            if not found.pages:
                yield Outcome(found.name, "remark", f"a {found.kind} feed that lists no comparison pages")


def _what_became_of(gone: Comparison | None, now: datetime) -> News:
    """A page stays gone; that its comparison was withdrawn is news once."""
    if gone is None:
        return "remark"
    return "withdrawn" if gone.withdrawn_at == now else "unchanged"


def take_in_document(
    database: Database, document: Document, *, now: datetime, url: str | None = None
) -> Iterator[Outcome]:
    """Take in everything one body holds: what is bad first, then the rest in its order, a transaction for each."""
    reading = pages.read(_in_utf8(document), url=url, media_type=document.media_type)
    all_good = not reading.bad
    for bad in reading.bad:
        yield Outcome(f"{document.name}, {bad.where}" if bad.where else document.name, "bad", bad.why, bad.where)
    for page in reading.pages:
        facts = page.facts
        if facts.published_at is None and document.published_at is not None:
            facts = facts.model_copy(update={"published_at": document.published_at})
        try:
            taken = _take_in(database, facts, now)
        except DigestError as why:
            all_good = False
            yield Outcome(document.name, "bad", str(why), page.where)
            continue
        yield Outcome(taken.name, taken.news, "; ".join([*page.missing, *_unsigned(facts)]), page.where)
    if document.url is not None and all_good:
        with database.writing() as session:
            _remember(session, document.name, document.validators, now)


def _unsigned(facts: ComparisonFacts) -> Iterator[str]:
    """What a page says in nobody's name is not kept, and not quoted."""
    for tool in facts.tools:
        unsigned = sum(take.reviewer is None for take in tool.takes)
        if unsigned:
            takes = "1 take" if unsigned == 1 else f"{unsigned} takes"
            yield f"{takes} on {tool.name} without a reviewer left out"


def _in_utf8(document: Document) -> bytes:
    """The body as UTF-8, where only the server's header told what else it was."""
    if document.charset is None or document.charset.lower() in ("utf-8", "utf8"):
        return document.body
    try:
        return document.body.decode(document.charset).encode()
    except (LookupError, UnicodeError):
        return document.body


def _take_in(database: Database, facts: ComparisonFacts, now: datetime) -> intake.Taken:
    with database.writing() as session:
        return intake.take_in(session, facts, now=now)


def _validators(database: Database) -> dict[str, Validators]:
    with database.reading() as session:
        rows = session.execute(
            sa.select(Source.url, Source.etag, Source.last_modified).where(Source.last_read_at.is_not(None))
        )
        return {url: Validators(etag, last_modified) for url, etag, last_modified in rows}


def _remember(session: Session, url: str, validators: Validators, now: datetime) -> None:
    """What a server gave us to ask with next time. Files and standard input are read whole every time."""
    if not url.startswith(("http://", "https://")):
        return
    _upsert(
        session,
        url,
        etag=validators.etag,
        last_modified=validators.last_modified,
        last_read_at=now,
        last_problem=None,
    )


def _upsert(session: Session, url: str, **values: object) -> None:
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    row = dialect.insert(Source).values(url=url, **values)
    session.execute(
        row.on_conflict_do_update(index_elements=[Source.url], set_=values) if values else row.on_conflict_do_nothing()
    )


# — polling —


@dataclass(frozen=True)
class Polled:
    """One round over the sources that were due."""

    sources: int
    new: int
    changed: int
    withdrawn: int
    bad: int

    def __str__(self) -> str:
        return (
            f"{self.sources} sources read: {self.new} new, {self.changed} changed, "
            f"{self.withdrawn} withdrawn, {self.bad} bad"
        )


def fetcher_of(settings: Settings) -> Fetcher:
    """The way out into the web, under a name a site's operator can look up."""
    return Fetcher(frozenset(settings.digest_fetch_allow), agent=f"{AGENT} (+{settings.digest_site_url})")


def poll(
    database: Database, settings: Settings, *, now: datetime, stopped: Callable[[], bool] = lambda: False
) -> Polled:
    """Read every source that is due, and the pages of editions still at home: only a page itself says it is gone.

    `stopped` is asked after each page: a list of a thousand is no reason to keep a process from ending.
    """
    tally = {"new": 0, "changed": 0, "withdrawn": 0, "bad": 0}
    sources = 0
    with fetcher_of(settings) as fetcher:
        for source in _to_poll(database, settings):
            if stopped():
                break
            if not _claim_poll(database, source, now):
                continue
            sources += 1
            problems: list[str] = []
            for outcome in gather(database, source, fetcher=fetcher, now=now):
                if outcome.news in tally:
                    tally[outcome.news] += 1
                if outcome.news == "bad":
                    problems.append(f"{outcome.name}: {outcome.why}")
                    log.warning("source is bad", source=source, name=outcome.name, why=outcome.why)
                if stopped():
                    break
            # Left in the middle it is due at once: whoever runs next goes on with it.
            due_again = {"due_at": now} if stopped() else {}
            with database.writing() as session:
                _upsert(session, source, last_problem="\n".join(problems[:20]) or None, **due_again)
    return Polled(sources=sources, **tally)


def _to_poll(database: Database, settings: Settings) -> list[str]:
    at_home = (EditionState.DRAFT, EditionState.APPROVED, EditionState.HALTED)
    watched = (
        sa.select(Comparison.url)
        .join(Entry, Entry.comparison_id == Comparison.id)
        .join(Edition, Edition.id == Entry.edition_id)
        .where(Edition.state.in_(at_home), Edition.begun_at.is_(None), Comparison.url.is_not(None))
        .distinct()
    )
    if not settings.digest_sources:
        return []
    with database.reading() as session:
        return [*settings.digest_sources, *(url for url in session.scalars(watched) if url)]


def _claim_poll(database: Database, source: str, now: datetime) -> bool:
    """True for exactly one of the processes that look at the same time."""
    with database.writing() as session:
        if session.get(Source, source) is None:
            _upsert(session, source)
        due = sa.or_(Source.due_at.is_(None), Source.due_at <= now)
        return claim(session, Source, Source.url == source, due, values={"due_at": now + POLL_EVERY})
