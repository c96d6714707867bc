"""From words to bytes: Jinja fills the templates, MJML makes HTML of them, and the text part is written beside it.

The same words give the same bytes. Nothing here knows a subscriber: personal fields stay tags (`digest.personal`).
"""

from __future__ import annotations

import hashlib
import re
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from jinja2 import (
    Environment,
    FileSystemLoader,
    StrictUndefined,
    TemplateError,
    TemplateNotFound,
    TemplateSyntaxError,
)
from markupsafe import Markup
from mjml import mjml2html

import digest
from digest import text_layout
from digest.errors import DigestError
from digest.facts import clean
from digest.personal import fill, longest, refuse_tags, tags
from digest.rendering import introduction
from digest.rendering.html_finish import finish
from digest.rendering.links import safe_link
from digest.rendering.look import DARK, LIGHT, SANS, SERIF
from digest.rendering.mjml_source import BadSource, normalise
from digest.rendering.typography import (
    bar_width,
    cleaned,
    isolated,
    prose,
    spoken_day,
    spoken_moment,
    typeset,
)
from digest.variants import (
    AlsoCompared,
    Arrangement,
    EditionCopy,
    EntryCopy,
    Variant,
    arrange,
    variant_key,
    variant_of,
)
from digest.verdicts import ScoreboardLine, scoreboard

__all__ = [
    "AlsoCompared",
    "BadSource",
    "DatedNote",
    "EditionCopy",
    "EntryCopy",
    "Imprint",
    "Mail",
    "Rendering",
    "TemplateFailed",
    "Variant",
    "render",
    "render_mail",
    "render_web",
    "safe_link",
    "variant_key",
    "variant_of",
]

TEMPLATES = Path(digest.__file__).parent.parent / "templates" / "email"
LONGEST_TITLE = 110  # columns


class TemplateFailed(DigestError):
    """A mail's template could not be filled in. `template` is its place in the folder; `line` None: not known."""

    def __init__(self, template: str, line: int | None, problem: str) -> None:
        super().__init__(f"{template}, line {line}: {problem}" if line else f"{template}: {problem}")
        self.template = template
        self.line = line
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Imprint:
    """Who publishes. `site_url` has no slash at its end; `postal_address` may have several lines."""

    newsletter_name: str
    site_url: str
    postal_address: str | None = None

    def cleaned(self) -> Imprint:
        """Settings come from a file that somebody typed."""
        lines = [typeset(line) for line in (self.postal_address or "").splitlines()]
        address = "\n".join(line for line in lines if line) or None
        return Imprint(typeset(self.newsletter_name), self.site_url.rstrip("/"), address)


@dataclass(frozen=True, slots=True)
class DatedNote:
    """A correction as the page of the archive shows it."""

    day: date
    words: str


@dataclass(frozen=True, slots=True)
class Mail:
    """One letter or notice, complete."""

    subject: str
    html: str
    text: str


@dataclass(frozen=True)
class Rendering:
    """The exact bytes of one variant before personal fields. `html` None: plain text only."""

    week: str
    variant: str
    subject: str
    html: str | None
    text: str

    @cached_property
    def html_bytes(self) -> int:
        """Octets of the HTML with every personal field at its longest; 0 for plain text only."""
        return len(fill(self.html, longest(self.week)).encode()) if self.html else 0

    @cached_property
    def sha256(self) -> str:
        """Of subject, HTML and text; the parts cannot run into each other."""
        parts = (part.encode() for part in (self.subject, self.html or "", self.text))
        return hashlib.sha256(b"".join(b"%d:%b" % (len(part), part) for part in parts)).hexdigest()


def render(copy: EditionCopy, imprint: Imprint, variant: Variant, *, templates: Path = TEMPLATES) -> Rendering:
    """One variant with personal tags. Raises TagInCopy, TemplateFailed or BadSource."""
    copy, imprint = clean_copy(copy), imprint.cleaned()
    refuse_tags(f"{copy.model_dump_json()}{imprint}")
    # Emphasis and escapes can hide a tag from the eye that the rendering would have.
    refuse_tags(f"{introduction.html(copy.introduction)}\n{introduction.text(copy.introduction)}")
    context = _edition_context(copy, imprint, variant.topics, tags(copy.week))
    html = None if variant.text_only else _html("edition/body.mjml", context, templates)
    text = _text("edition/body.txt", context, templates)
    return Rendering(copy.week, variant.key, _subject("edition", context, templates), html, text)


def render_web(
    copy: EditionCopy,
    imprint: Imprint,
    *,
    previous: str | None = None,
    following: str | None = None,
    notes: Sequence[DatedNote] = (),
) -> str:
    """The edition's page in the archive: the same mail without personal parts. Neighbours are weeks.

    `notes` correct what was printed; they stand above it, in their order.
    """
    context = _edition_context(clean_copy(copy), imprint.cleaned(), None, None)
    return _html("edition/body.mjml", context | {"previous": previous, "following": following, "notes": notes})


def render_mail(kind: str, imprint: Imprint, context: Mapping[str, object]) -> Mail:
    """A letter or notice from `templates/email/<kind>/`. Raises TemplateFailed or BadSource."""
    values = {"imprint": imprint.cleaned(), **cleaned(dict(context))}
    subject = _subject(kind, values)
    values["title"] = _title(subject)
    return Mail(subject, _html(f"{kind}/body.mjml", values), _text(f"{kind}/body.txt", values))


def _edition_context(
    copy: EditionCopy, imprint: Imprint, topics: frozenset[str] | None, fields: object
) -> dict[str, Any]:
    entries = sorted(copy.entries, key=lambda entry: entry.position)
    positions = [entry.position for entry in entries]
    board = scoreboard([entry.summary for entry in entries])
    shown: Arrangement = arrange(entries, topics)
    return {
        "copy": copy,
        "imprint": imprint,
        "tags": fields,
        "board": [(line, _numbers(line, positions)) for line in board],
        "shown": shown,
        "title": _title(f"{copy.subject} · {imprint.newsletter_name}"),
        "previous": None,
        "following": None,
        "notes": (),
    }


def clean_copy(copy: EditionCopy) -> EditionCopy:
    """The same words without controls and bidi overrides, whatever they came through, an editor's form included."""
    words = cleaned(copy.model_dump(exclude={"introduction"}))
    return EditionCopy.model_validate({**words, "introduction": introduction.kept(copy.introduction)})


def _numbers(line: ScoreboardLine, positions: list[int]) -> str:
    """The entries a tool is in, as they are numbered in the mail."""
    numbers = [str(positions[index - 1]) for index in line.entries]
    return f"entry {numbers[0]}" if len(numbers) == 1 else f"entries {', '.join(numbers)}"


# --- the three kinds of template ------------------------------------------------------------------------------------


def _subject(kind: str, context: Mapping[str, object], templates: Path = TEMPLATES) -> str:
    """One line, whatever the words contain."""
    return clean(_fill_in(_plain(templates), f"{kind}/subject.txt", context, templates))


def _title(text: str) -> str:
    """What a window shows above the mail; it stands in an attribute too, which cannot be parted inside a word."""
    return text_layout.shorten(text, LONGEST_TITLE)


def _text(template: str, context: Mapping[str, object], templates: Path = TEMPLATES) -> str:
    """Plain text, at most one blank line in a row, one line end at its end."""
    written = _fill_in(_plain(templates), template, context, templates)
    written = "\n".join(line.rstrip() for line in written.splitlines())
    return re.sub(r"\n{3,}", "\n\n", written).strip() + "\n"


def _html(template: str, context: Mapping[str, object], templates: Path = TEMPLATES) -> str:
    return to_html(_fill_in(_marked(templates), template, context, templates), template=template)


def to_html(mjml: str, *, template: str) -> str:
    """Finished HTML. Raises BadSource with the template, the line of the filled-in source and what stands there."""
    try:
        source = normalise(mjml, template=template)
        try:
            html: str = mjml2html(source.text, disable_comments=False, fonts={})
        except ValueError as error:
            position = re.search(r"position (\d+):", str(error))
            offset = int(position[1]) if position else 0
            raise BadSource(template, source.line_at(offset), source.excerpt_at(offset), str(error)) from error
    except BadSource as bad:
        bad.source = mjml
        raise
    return finish(html)


def _fill_in(environment: Environment, template: str, context: Mapping[str, object], templates: Path) -> str:
    try:
        return environment.get_template(template).render(context)
    except (TemplateError, LookupError, ValueError, TypeError, AttributeError, ArithmeticError, RuntimeError) as error:
        raise TemplateFailed(*_place(error, template, templates), str(error)) from error
    except OSError as error:
        raise TemplateFailed(template, None, f"it cannot be read: {error.strerror}") from error


def _place(error: Exception, template: str, templates: Path) -> tuple[str, int | None]:
    """Template and line where it went wrong; Jinja puts its templates into the traceback."""
    frames = [
        (Path(frame.filename).relative_to(templates).as_posix(), frame.lineno)
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(templates)
    ]
    if isinstance(error, TemplateSyntaxError):
        return error.name or template, error.lineno
    if frames:
        return frames[-1]
    return str(error.name or template) if isinstance(error, TemplateNotFound) else template, None


# --- environments ---------------------------------------------------------------------------------------------------


@lru_cache(maxsize=2)
def _marked(templates: Path = TEMPLATES) -> Environment:
    """For MJML: everything is escaped, and no control or bidi override gets through."""
    environment = _environment(templates, autoescape=True)
    environment.finalize = _typeset_value
    environment.filters |= {
        "isolated": isolated,
        "prose": prose,
        "introduced": introduction.html,
        "bar": bar_width,
        "reads_right_to_left": text_layout.reads_right_to_left,
    }
    return environment


@lru_cache(maxsize=2)
def _plain(templates: Path = TEMPLATES) -> Environment:
    """For subjects and text parts: no markup, so nothing to escape."""
    environment = _environment(templates, autoescape=False)
    environment.filters |= {
        "isolated": text_layout.isolate,
        "prose": text_layout.isolate_runs,
        "introduced": introduction.text,
        "wrapped": lambda text, first="", rest=None: text_layout.wrap(text, first=first, rest=rest),
        "shorten": text_layout.shorten,
        "aligned": lambda rows, right=(), gap=3: text_layout.aligned(rows, right=frozenset(right), gap=gap),
    }
    return environment


def _environment(templates: Path, *, autoescape: bool) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(templates),
        autoescape=autoescape,  # noqa: S701 - a subject escaped for HTML would show its entities
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "day": spoken_day,
        "moment": spoken_moment,
        "safe_link": safe_link,
    }
    environment.globals |= {"light": LIGHT, "dark": DARK, "serif": SERIF, "sans": SANS}
    return environment


def _typeset_value(value: object) -> object:
    return typeset(value) if isinstance(value, str) and not isinstance(value, Markup) else value
