"""For people who write templates: one edition rendered from the templates as they are now, or what is wrong with them.

Reads only. The frozen bytes of an approved edition stay what they are; here is what the templates would make of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Lock

from sqlalchemy.orm import Session

from digest import editions, envelopes, personal, previewing
from digest.bootstrap import Services
from digest.errors import DigestError
from digest.models import Edition, EditionState, RenderingRow
from digest.personas import SAMPLE
from digest.presses import paper_of, press
from digest.proofs import frozen_rendering
from digest.rendering import TEMPLATES, BadSource, Rendering, TemplateFailed, render
from digest.text_layout import shorten
from digest.variants import EditionCopy, Variant
from subscribers.models import Subscriber

_AROUND = 4  # lines above and below the one that is wrong
_LONGEST_LINE = 300  # columns
_MOST_ORIGINS = 3
_SHORTEST_ORIGIN = 4  # characters: <mj-


class NoTemplates(DigestError):
    """This folder has no edition/body.mjml, so it holds no mail templates."""


@dataclass(frozen=True, slots=True)
class Line:
    number: int
    text: str
    wrong: bool


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Some lines around the one that is wrong. `filled_in`: of the MJML source after all template tags are filled."""

    name: str
    lines: tuple[Line, ...]
    filled_in: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """The mail as the templates make it now, filled in for one reader. `state` changes when any of it may."""

    state: str
    edition_state: EditionState
    rendering: Rendering
    subject: str
    html: str | None
    text: str
    same_as_approved: bool | None
    """None: there is no approval, or it did not freeze this variant."""


@dataclass(frozen=True, slots=True)
class Broken:
    """Why there is no mail: in which template, what is wrong, and the lines around it."""

    state: str
    where: str
    problem: str
    excerpts: tuple[Excerpt, ...] = ()


@dataclass(frozen=True, slots=True)
class _Copy:
    """What is rendered, and for whom."""

    edition: Edition
    words: EditionCopy
    person: Subscriber | None
    state: str


@dataclass
class Bench:
    """One edition on the bench, in a variant, or as a subscriber gets it. Raises what `look` would, but for templates.

    Nothing is watched: whoever looks asks for `state` from time to time.
    """

    services: Services
    week: str
    variant: str = "all"
    email: str | None = None
    templates: Path = TEMPLATES
    _latest: Shown | Broken | None = field(default=None, init=False)
    _lock: Lock = field(default_factory=Lock, init=False)

    def __post_init__(self) -> None:
        self.templates = self.templates.resolve()
        if not (self.templates / "edition" / "body.mjml").is_file():
            raise NoTemplates(f"{self.templates} has no edition/body.mjml, so it holds no mail templates.")
        with self.services.database.reading() as session:
            copy = self._read(session)
            self.week = copy.edition.week
            self._variant(session, copy)

    def state(self) -> str:
        """Changes whenever the mail may have: a template was saved, an edition edited, a subscriber changed."""
        with self.services.database.reading() as session:
            return self._read(session).state

    def look(self, *, now: datetime) -> Shown | Broken:
        """Rendered anew only where something changed."""
        with self._lock, self.services.database.reading() as session:
            copy = self._read(session)
            if self._latest is None or self._latest.state != copy.state:
                self._latest = self._made(session, copy, now)
            return self._latest

    def _read(self, session: Session) -> _Copy:
        edition = editions.find(session, self.week)
        words = editions.copy_of(session, edition, self.services.settings.digest_timezone)
        person = previewing.find(session, self.email) if self.email else None
        parts = [*_saved(self.templates), words.model_dump_json(), edition.state, str(edition.approved_hash)]
        if person is not None:
            parts += map(str, (person.email, person.name, person.topics, person.plain_text, person.confirmed_at))
        return _Copy(edition, words, person, hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16])

    def _made(self, session: Session, copy: _Copy, now: datetime) -> Shown | Broken:
        try:
            rendering = self._rendered(session, copy)
        except TemplateFailed as failed:
            excerpts = _of_template(self.templates, failed.template, failed.line)
            return Broken(copy.state, _place(failed.template, failed.line), failed.problem, excerpts)
        except BadSource as bad:
            source = _excerpt(bad.template, bad.source.splitlines(), bad.line, filled_in=True)
            origins = _origins(self.templates, bad.excerpt) or _origins(self.templates, bad.opened)
            excerpts = (*origins, *source)
            where = f"{_place(bad.template, bad.line)} of the filled-in source"
            return Broken(copy.state, where, bad.problem, excerpts)
        except DigestError as refused:
            return Broken(copy.state, self.week, str(refused))
        fields = self._fields(rendering, copy.person, now)
        return Shown(
            state=copy.state,
            edition_state=copy.edition.state,
            rendering=rendering,
            subject=personal.fill(rendering.subject, fields),
            html=None if rendering.html is None else personal.fill(rendering.html, fields),
            text=personal.fill(rendering.text, fields),
            same_as_approved=_same_as_approved(session, copy.edition, rendering),
        )

    def _rendered(self, session: Session, copy: _Copy) -> Rendering:
        envelope = envelopes.current(self.services)
        return render(copy.words, envelope.imprint, self._variant(session, copy), templates=self.templates)

    def _variant(self, session: Session, copy: _Copy) -> Variant:
        key = self.variant
        if copy.person is not None:
            key = previewing.variant_for(session, copy.edition, self.services, copy.person)
        return previewing.find_variant(session, copy.words, key)

    def _fields(self, rendering: Rendering, person: Subscriber | None, now: datetime) -> Mapping[str, str]:
        paper = paper_of(rendering, self.week, envelopes.current(self.services))
        reader = previewing.reader_of(person) if person else previewing.made_up(SAMPLE, now=now)
        (recipient,) = press(paper, self.week, self.services).recipients([reader])
        return recipient.substitutions


def _same_as_approved(session: Session, edition: Edition, rendering: Rendering) -> bool | None:
    if edition.approved_hash is None or edition.state is EditionState.DRAFT:
        return None
    row = session.get(RenderingRow, (edition.id, rendering.variant))
    return None if row is None else frozen_rendering(edition, row).sha256 == rendering.sha256


# --- templates as files ---------------------------------------------------------------------------------------------


def _saved(templates: Path) -> Iterator[str]:
    """What changes when any template is saved, comes or goes."""
    for path in sorted(templates.rglob("*")):
        try:
            status = path.stat()
        except OSError:
            continue  # editors write a new file and put it in place: the next look finds it
        yield f"{path.relative_to(templates)} {status.st_mtime_ns} {status.st_size}"


def _place(template: str, line: int | None) -> str:
    return f"{template}, line {line}" if line else template


def _of_template(templates: Path, name: str, line: int | None) -> tuple[Excerpt, ...]:
    return _excerpt(name, _lines(templates / name), line) if line else ()


def _excerpt(name: str, lines: Sequence[str], wrong: int, *, filled_in: bool = False) -> tuple[Excerpt, ...]:
    first = max(1, wrong - _AROUND)
    shown = tuple(
        Line(number, shorten(text, _LONGEST_LINE), wrong=number == wrong)
        for number, text in enumerate(lines[first - 1 : wrong + _AROUND], start=first)
    )
    return (Excerpt(name, shown, filled_in),) if shown else ()


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _origins(templates: Path, found: str) -> tuple[Excerpt, ...]:
    """Where in the templates the words stand that the filled-in source stumbled over: the longest beginning of them
    that stands in any, unless it stands in too many."""
    first = (found.strip().splitlines() or [""])[0]
    if not first.startswith("<"):
        return ()
    files = {path.relative_to(templates).as_posix(): _lines(path) for path in sorted(templates.rglob("*.mjml"))}
    for length in range(len(first), _SHORTEST_ORIGIN - 1, -1):
        places = [
            (name, number)
            for name, lines in files.items()
            for number, line in enumerate(lines, start=1)
            if first[:length] in line
        ]
        if places:
            few = places if len(places) <= _MOST_ORIGINS else []
            return tuple(each for name, number in few for each in _excerpt(name, files[name], number))
    return ()
