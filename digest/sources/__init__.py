"""Where pages come from: a file, a folder, an address (a page or a list of pages), or standard input.

A source is walked lazily and yields what it finds, good and bad alike: one bad document costs only itself. Nothing is
stored here. Whoever asks keeps the validators of Document and FeedRead by their `name`, keeps an entry without
validators for those that have none (so that a page is known to have been seen), and answers `known` from that.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO, Final

from digest.sources import feeds, files
from digest.sources.feeds import Feed, FeedBroken, Listed
from digest.sources.fetching import Fetched, Fetcher, FetchError
from digest.sources.reach import target, without_credentials
from digest.sources.wire import MEGABYTE, too_large

LARGEST_PAGE: Final = 5 * MEGABYTE
LARGEST_COLLECTION: Final = 20 * MEGABYTE
"""For JSON (many comparisons in one document) and for lists of pages."""
MOST_PAGES: Final = 1_000
"""Fetched from one list in one run; the rest waits for the next."""
MOST_SITEMAPS: Final = 50
MOST_LISTED: Final = 50_000
MOST_FAILURES_IN_A_ROW: Final = 5

_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://")
_BUSY = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
_NEVER_A_PAGE = re.compile(r"(image|audio|video|font)/|application/(pdf|zip)$")
_COLLECTIONS = frozenset({".json", ".jsonl", ".ndjson", ".xml", ".rss", ".atom", ".gz"})


@dataclass(frozen=True, slots=True)
class Validators:
    """What a server gave us to ask "has it changed?" with."""

    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """Something to read comparisons from, as bytes; at most 5 MB, JSON at most 20.

    `name` is the path or the address asked for. `url` is the page's own address, where it came from one: the one
    redirected to on the same host, else the one asked for. `published_at` is what the list that named it says.
    """

    name: str
    body: bytes
    url: str | None = None
    media_type: str | None = None
    charset: str | None = None
    published_at: datetime | None = None
    validators: Validators = Validators()


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something that could not be read; `why` is a clause that says what and, where it helps, how to mend it."""

    name: str
    why: str

    def __str__(self) -> str:
        return f"{self.name} was not read: {self.why}"


@dataclass(frozen=True, slots=True)
class Gone:
    """A comparison page whose own address answers 404 or 410: withdrawn. `url` as in Document."""

    name: str
    url: str


@dataclass(frozen=True, slots=True)
class Unchanged:
    """An address whose server says nothing changed since the validators given."""

    name: str


@dataclass(frozen=True, slots=True)
class FeedRead:
    """A list of pages has been worked off; comes after its pages.

    `pages` is how many comparison pages it lists, `ignored` how many other addresses; `owed` how many of its pages
    were not had this time. `validators` are empty while any is owed: a list that says "unchanged" next time must not
    hide it.
    """

    name: str
    kind: feeds.Kind
    pages: int
    ignored: int
    owed: int
    validators: Validators


Page = Document | Unreadable | Gone | Unchanged
Found = Page | FeedRead
Known = Callable[[str], Validators | None]


def nothing_known(_: str) -> None:
    """Every address is new."""


def read_source(
    source: str, *, fetcher: Fetcher, stdin: BinaryIO | None = None, known: Known = nothing_known
) -> Iterator[Found]:
    """Everything a source holds. Raises nothing for a bad source: that is found, as Unreadable.

    A list unchanged since last time is Unchanged, and its pages are not asked for: ask one by one for those that
    matter. Of a long list, pages never seen come first, then the newest. `known` is asked about every page of a list
    before the first is fetched, so it should answer from memory.
    """
    walk = _Walk(fetcher, known)
    written = _SCHEME.match(source)
    scheme = written["scheme"].lower() if written else None
    if source == "-":
        yield from walk.standard_input(stdin)
    elif scheme is None:
        yield from walk.path(Path(source))
    elif scheme in ("http", "https"):
        yield from walk.address(source)
    else:
        hint = "; give the path alone" if scheme == "file" else ""
        why = f"only files, folders, http and https addresses and - are read{hint}"
        yield Unreadable(without_credentials(source), why)


@dataclass(frozen=True, slots=True)
class _List:
    name: str
    validators: Validators
    feed: Feed


@dataclass(frozen=True, slots=True)
class _Walk:
    fetcher: Fetcher
    known: Known

    def standard_input(self, stdin: BinaryIO | None) -> Iterator[Found]:
        if stdin is None:
            yield Unreadable("-", "there is no standard input here")
            return
        try:
            body = stdin.read(LARGEST_COLLECTION + 1)
        except OSError as why:
            yield Unreadable("-", f"the system says: {why.strerror or why}")
            return
        yield from self._opened(Document("-", body))

    def path(self, path: Path) -> Iterator[Found]:
        try:
            folder = files.is_folder(path)
        except files.FileUnreadable as why:
            yield Unreadable(files.shown(path), why.why)
            return
        yield from self._folder(path) if folder else self._file(path)

    def _folder(self, folder: Path) -> Iterator[Found]:
        empty = True
        for page in files.pages_under(folder):
            empty = False
            if isinstance(page, files.FileUnreadable):
                yield Unreadable(files.shown(page.path), page.why)
            else:
                yield from self._file(page)
        if empty:
            yield Unreadable(files.shown(folder), f"it holds no pages ({', '.join(files.MEDIA_TYPES)})")

    def _file(self, path: Path) -> Iterator[Found]:
        limit = LARGEST_COLLECTION if path.suffix.lower() in _COLLECTIONS else LARGEST_PAGE
        try:
            body = files.read(path, limit)
        except files.FileUnreadable as why:
            yield Unreadable(files.shown(path), why.why)
            return
        yield from self._opened(Document(files.shown(path), body, media_type=files.media_type(path)))

    def address(self, url: str) -> Iterator[Found]:
        found, _ = self._fetch(url, self.known(url), LARGEST_COLLECTION)
        yield from self._opened(found) if isinstance(found, Document) else (found,)

    def _opened(self, document: Document) -> Iterator[Found]:
        """The document itself or, where it is a list, everything the list leads to."""
        seen = _as_list(document)
        if isinstance(seen, _List):
            yield from self._list(seen)
        else:
            yield seen

    def _list(self, top: _List) -> Iterator[Found]:
        lists: list[_List] = []
        for found in self._with_further_lists(top):
            if isinstance(found, _List):
                lists.append(found)
            else:
                yield found
        had: set[str] = set()
        for outcome in self._pages(top.name, [page for one in lists for page in one.feed.pages]):
            if not isinstance(outcome, Unreadable):
                had.add(outcome.name)
            yield outcome
        for one in lists:
            yield _worked_off(one, had)

    def _with_further_lists(self, top: _List) -> Iterator[_List | Found]:
        yield top
        waiting = deque(top.feed.sitemaps)
        asked = {top.name}
        pages = 0
        while waiting:
            url = waiting.popleft()
            if url in asked:
                continue
            if len(asked) > MOST_SITEMAPS or pages > MOST_LISTED:
                most = f"{MOST_SITEMAPS} sitemaps or {MOST_LISTED:,} pages"
                yield Unreadable(top.name, f"it leads to more than {most}; the sitemaps after that are not read")
                return
            asked.add(url)
            found, _ = self._fetch(url, self.known(url), LARGEST_COLLECTION)
            further = _as_list(found) if isinstance(found, Document) else found
            if isinstance(further, _List):
                waiting.extend(further.feed.sitemaps)
                pages += len(further.feed.pages)
            elif isinstance(further, Document):
                further = Unreadable(url, f"{top.name} calls it a sitemap, and it is none")
            yield further

    def _pages(self, name: str, listed: list[Listed]) -> Iterator[Page]:
        pages = {page.url: page for page in listed}
        seen = {url: self.known(url) for url in pages}
        due = sorted(pages.values(), key=lambda page: (seen[page.url] is not None, _age(page)))
        failures = 0
        for number, page in enumerate(due[:MOST_PAGES], start=1):
            found, busy = self._fetch(page.url, seen[page.url], LARGEST_PAGE, published_at=page.published_at)
            yield found
            failures = failures + 1 if isinstance(found, Unreadable) else 0
            if busy or failures == MOST_FAILURES_IN_A_ROW:
                why = "its server asks us to slow down" if busy else f"{failures} of its pages in a row failed"
                yield Unreadable(name, f"{why}; {len(due) - number} pages are left for the next run")
                return

    def _fetch(
        self, url: str, known: Validators | None, limit: int, *, published_at: datetime | None = None
    ) -> tuple[Page, bool]:
        """What an address gave, and whether its server asked not to be asked further."""
        asked = known or Validators()
        try:
            fetched = self.fetcher.get(url, etag=asked.etag, last_modified=asked.last_modified, max_bytes=limit)
        except FetchError as no:
            return Unreadable(no.url, no.why), no.status in _BUSY
        return _outcome(url, fetched, published_at), False


def _outcome(asked: str, fetched: Fetched, published_at: datetime | None) -> Page:
    if fetched.unchanged:
        return Unchanged(asked)
    at_home = target(fetched.url).host == target(asked).host
    comparison = feeds.is_comparison(asked)
    url = fetched.url if at_home and (feeds.is_comparison(fetched.url) or not comparison) else asked
    if fetched.gone:
        if comparison and at_home:
            return Gone(asked, url)
        return Unreadable(asked, f"{fetched.url} answered {fetched.status}: there is no such page")
    if fetched.media_type and _NEVER_A_PAGE.match(fetched.media_type):
        return Unreadable(asked, f"it is {fetched.media_type}, not a page")
    if _is_blank(fetched.body):
        return Unreadable(asked, "it is empty")
    return Document(
        name=asked,
        body=fetched.body,
        url=url,
        media_type=fetched.media_type,
        charset=fetched.charset,
        published_at=published_at,
        validators=Validators(fetched.etag, fetched.last_modified),
    )


def _as_list(document: Document) -> _List | Document | Unreadable:
    if _is_blank(document.body):
        return Unreadable(document.name, "it is empty")
    try:
        feed = feeds.read(document.body, document.media_type, document.url)
    except FeedBroken as why:
        return Unreadable(document.name, str(why))
    if feed is not None:
        return _List(document.name, document.validators, feed)
    if len(document.body) > (limit := _limit(document.body)):
        size = len(document.body) if len(document.body) <= LARGEST_COLLECTION else None
        return Unreadable(document.name, too_large(size, limit))
    return document


def _is_blank(body: bytes) -> bool:
    return not body or body.isspace()


def _limit(body: bytes) -> int:
    """Many comparisons in one JSON document may be larger than a page."""
    opening = body[:1_024].removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    return LARGEST_COLLECTION if opening in (b"{", b"[") else LARGEST_PAGE


def _age(page: Listed) -> float:
    """Grows with age; pages without a date come last, in the list's own order."""
    return -page.newest_at.timestamp() if page.newest_at else 0


def _worked_off(one: _List, had: set[str]) -> FeedRead:
    owed = sum(page.url not in had for page in one.feed.pages)
    # An index may stay the same while the sitemaps it names change.
    settled = owed == 0 and not one.feed.sitemaps
    return FeedRead(
        name=one.name,
        kind=one.feed.kind,
        pages=len(one.feed.pages),
        ignored=one.feed.ignored,
        owed=owed,
        validators=one.validators if settled else Validators(),
    )
