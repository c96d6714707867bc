"""Comparison pages as HTML, reduced to the lines a reader sees and the few facts only markup has. Pure.

One pass of one regular expression that can neither fail nor go back: time grows with the length of the page and with
nothing else. (Building the tree takes minutes for a few megabytes of open tags, which anybody may post.) Nothing is
executed or fetched, and markup that is not text never becomes text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import unquote, urljoin, urlsplit

import orjson

from digest.facts import clean, instant
from digest.pages.lines import END_OF_PAGE, Line, Unreadable, percent, score

MOST_TAGS = 50_000  # a page has a few thousand

_TOKEN = re.compile(
    r"""
      <!--.*?(?:-->|\Z)
    | <(?:[!?]|/(?![a-zA-Z]))[^>]*>?
    | <(?P<close>/?)(?P<tag>[a-zA-Z][^\s/>]*)
       (?P<attributes>(?:[^>=]++|=\s*"[^"]*(?:"|\Z)|=\s*'[^']*(?:'|\Z)|=)*+)(?P<end>>?)
    | (?P<text>(?:[^<]++|<(?![a-zA-Z/!?]))++)
    """,
    re.VERBOSE | re.DOTALL,
)
_ATTRIBUTE = re.compile(r"""([^\s=/"'>]++)\s*+(?:=\s*+("[^"]*+"?|'[^']*+'?|[^\s"']++))?+""")
_LONGEST_ATTRIBUTES = 10_000

# What is inside is not markup, or not for this reader.
_OPAQUE = frozenset({"script", "style", "textarea", "title", "noscript", "template", "iframe", "xmp"})
_HIDDEN = frozenset({"nav", "svg", "math", "select", "object", "dialog"})
_INLINE = frozenset(
    re.findall(
        r"\w+",
        "a abbr acronym b bdi bdo big cite code data del dfn em font i img ins kbd label mark q s samp small span "
        "strike strong sub sup time tt u var wbr",
    )
)
_FLEXIBLE = frozenset({"span", "a"})  # written on lines of their own, they are items and not words of a sentence
_QUOTING = frozenset({"blockquote", "figure", "article", "li", "td"})  # a footer in one of them is not the page's
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_NO_TAKE = "no panel take"
_SCORECARD = "reviewer scorecard"
_DEEPEST_JSON = 8
_JOINED_LABEL = re.compile(r"(\S.{0,30}?)\s?(Panel ship|Community|Entry)", re.IGNORECASE)
_SHORT_PIECE = 12
_TOOL_PATH = re.compile(r"(?:/[^/]+)*?/tool/([^/]+)/?")


@dataclass(frozen=True)
class Markup:
    """A page's visible lines, and what its markup adds.

    `addresses` are those it gives as its own, in order of weight; `tool_links` slug and words of each link to a tool.
    """

    lines: tuple[Line, ...]
    whole: bool
    titles: tuple[str, ...]
    addresses: tuple[str, ...]
    tool_links: tuple[tuple[str, str], ...]
    published_at: datetime | None


def read_markup(source: str, base: str | None) -> Markup:
    """Reduce HTML; relative addresses are resolved against `base`. Raises Unreadable beyond MOST_TAGS tags."""
    reader = _Reader(base)
    for token in _tokens(source):
        if token.opaque:
            reader.opaque(token)
        elif token.tag:
            reader.tag(token)
        else:
            reader.words(token.text)
    return reader.markup()


@dataclass(frozen=True, slots=True)
class _Token:
    """A piece of text, a tag, or (opaque) an element whose content is no markup."""

    text: str = ""
    tag: str = ""
    closing: bool = False
    attributes: str = ""
    opaque: bool = False


def _tokens(source: str) -> Iterator[_Token]:
    at, tags = 0, 0
    while found := _TOKEN.match(source, at):
        at = found.end()
        if found["text"]:
            yield _Token(html.unescape(found["text"]))
        elif found["end"]:  # a tag that the end of the page cuts off says nothing
            tag, closing = found["tag"].lower(), bool(found["close"])
            text = ""
            if opaque := tag in _OPAQUE and not closing:
                end = re.compile(rf"</{tag}(?=[\s/>])[^>]*>?", re.IGNORECASE).search(source, at)
                text, at = (source[at : end.start()], end.end()) if end else ("", len(source))
            yield _Token(text, tag, closing, found["attributes"], opaque)
            tags += 1
            if tags > MOST_TAGS:
                raise Unreadable(f"This has more than {MOST_TAGS:,} tags, which no comparison page has.")


def _attributes(written: str) -> dict[str, str]:
    if len(written) > _LONGEST_ATTRIBUTES:
        return {}
    return {
        name.lower(): html.unescape(value.strip(value[0]) if value[:1] in {'"', "'"} else value).strip()
        for name, value in reversed(_ATTRIBUTE.findall(written))  # of two alike, the first counts
    }


class _Text(NamedTuple):
    """A line, and its level if it is a heading's. Without words: the page's own content may be over here."""

    words: str
    level: int = 0


_OVER = _Text("")


class _Reader:
    """Takes the tokens in page order and keeps what a reader of the page would know."""

    def __init__(self, base: str | None) -> None:
        self.base = base
        self.lines: list[_Text] = []
        self.pieces: list[str] = []
        self.whole = False
        self.hidden: list[str] = []
        self.quoting = 0
        self.heading = 0
        self.gap: str | None = None  # since an inline element ended: nothing, a blank or a line break
        self.cell: int | None = None
        self.link: tuple[str, list[str]] | None = None
        self.links: list[tuple[str, str, str]] = []  # host, slug, words
        self.meta: dict[str, str] = {}
        self.linked_data: list[str] = []
        self.times: list[str] = []

    def words(self, text: str) -> None:
        if self.hidden:
            return
        self.pieces.append(text)
        if self.link:
            self.link[1].append(text)
        if self.gap is not None:
            self.gap = None if text.strip() else "\n" if "\n" in self.gap + text else " "

    def opaque(self, token: _Token) -> None:
        if token.tag == "title" and not self.hidden:
            self.meta.setdefault("title", clean(html.unescape(token.text)))
        elif token.tag == "script" and _attributes(token.attributes).get("type") == "application/ld+json":
            self.linked_data.append(token.text)

    def tag(self, token: _Token) -> None:
        if self._is_hidden(token):
            return
        if token.tag in _INLINE:
            self._inline(token)
        else:
            self._break()
            self._block(token)

    def _is_hidden(self, token: _Token) -> bool:
        if self.hidden:
            if token.tag == self.hidden[0]:
                if token.closing:
                    self.hidden.pop()
                else:
                    self.hidden.append(token.tag)
            return True
        if token.tag in _HIDDEN and not token.closing and not token.attributes.endswith("/"):
            if token.tag != "svg":
                self._break()
            self.hidden.append(token.tag)
        return token.tag in _HIDDEN

    def _inline(self, token: _Token) -> None:
        if token.tag == "a":
            self._end_link()
        if token.closing:
            self.gap = ""
            return
        if self.gap == "" or (self.gap == "\n" and token.tag in _FLEXIBLE):
            self._break()
        self.gap = None
        if token.tag == "a":
            self._begin_link(_attributes(token.attributes).get("href", ""))
        elif token.tag == "time" and (stamp := _attributes(token.attributes).get("datetime")):
            self.times.append(stamp)

    def _block(self, token: _Token) -> None:
        tag, closing = token.tag, token.closing
        if tag in {"html", "body"} and closing:
            self.whole = True
        elif tag in {"meta", "link"} and not closing:
            self._head(tag, _attributes(token.attributes))
        elif tag in _HEADINGS:
            self.heading = 0 if closing else _HEADINGS[tag]
        elif (tag == "main" and closing) or (tag in {"footer", "form"} and not closing and not self.quoting):
            self.lines.append(_OVER)
        if tag in _QUOTING:
            self.quoting = max(0, self.quoting + (-1 if closing else 1))
        if tag == "td":
            self._cell(closing=closing)

    def _cell(self, *, closing: bool) -> None:
        """An empty cell says nothing, but the cells after it must keep their places."""
        if closing and self.cell == len(self.lines):
            self.lines.append(_Text("—"))
        self.cell = None if closing else len(self.lines)

    def _head(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "link" and "canonical" in attributes.get("rel", "").lower().split():
            self.meta.setdefault("canonical", attributes.get("href", ""))
        elif name := (attributes.get("property") or attributes.get("name") or attributes.get("itemprop")):
            self.meta.setdefault(name.lower(), attributes.get("content", ""))

    def _begin_link(self, href: str) -> None:
        try:
            parts = urlsplit(urljoin(self.base or "", href))
        except ValueError:
            return
        if found := _TOOL_PATH.fullmatch(parts.path):
            self.link = (f"{parts.netloc}\n{unquote(found[1])}", [])

    def _end_link(self) -> None:
        if self.link:
            host, _, slug = self.link[0].partition("\n")
            self.links.append((host, slug, clean("".join(self.link[1]))))
        self.link = None

    def _break(self) -> None:
        self.gap = None
        if self.pieces and (text := clean("".join(self.pieces))):
            self.lines.append(_Text(text, self.heading))
        self.pieces = []

    def markup(self) -> Markup:
        if self.whole:  # else the words after the last tag may be half of them
            self._break()
        addresses = self._addresses()
        hosts = {"", *(urlsplit(address).netloc for address in [self.base or "", *addresses])}
        return Markup(
            lines=tuple(Line(text, apart=False) for text in _own(_mended(self.lines))),
            whole=self.whole,
            titles=tuple(filter(None, (clean(self.meta.get(key, "")) for key in ("og:title", "title")))),
            addresses=addresses,
            tool_links=tuple((slug, words) for host, slug, words in self.links if host in hosts),
            published_at=self._published_at(),
        )

    def _addresses(self) -> tuple[str, ...]:
        stated = (self.meta.get(key) for key in ("canonical", "og:url"))
        return tuple(address for href in stated if href and (address := _absolute(self.base, href)))

    def _published_at(self) -> datetime | None:
        stated = [self.meta.get("article:published_time"), *map(_date_published, self.linked_data)]
        stated.append(self.meta.get("datepublished"))
        if len(set(self.times)) == 1:
            stated.append(self.times[0])
        return next((moment for text in stated if text and (moment := instant(text))), None)


def _own(lines: list[_Text]) -> list[str]:
    """The lines up to where markup shows the scorecard is over: a heading as high as its own, a footer, a form."""
    start = next((i for i, line in enumerate(lines) if line.words.casefold() == _SCORECARD), None)
    if start is not None:
        for i in range(start + 2, len(lines)):
            is_heading = 0 < lines[i].level <= lines[start].level
            names_a_reviewer = i + 1 < len(lines) and _is_mark(lines[i + 1].words)
            if lines[i] == _OVER or (is_heading and not names_a_reviewer):
                return [*(line.words for line in lines[:i] if line.words), END_OF_PAGE]
    return [line.words for line in lines if line.words]


def _is_mark(text: str) -> bool:
    return score(text) is not None or text.casefold() == _NO_TAKE


def _absolute(base: str | None, href: str) -> str | None:
    try:
        address = urljoin(base or "", href)
        return address if urlsplit(address).netloc else None
    except ValueError:
        return None


def _date_published(linked_data: str) -> str | None:
    try:
        level: list[Any] = [orjson.loads(linked_data)]
    except orjson.JSONDecodeError:
        return None
    for _ in range(_DEEPEST_JSON):
        for value in level:
            if isinstance(value, dict) and isinstance(value.get("datePublished"), str):
                return str(value["datePublished"])
        level = [inner for value in level for inner in _inside(value)]
    return None


def _inside(value: object) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []


def _mended(lines: list[_Text]) -> list[_Text]:
    """Scores, percentages and labels in one line each, however the markup divides them."""
    if not any(line.words.casefold() == "panel ship" for line in lines):
        lines = [part for line in lines for part in _label_apart(line)]
    mended: list[_Text] = []
    at = 0
    while at < len(lines):
        size = next((size for size in (4, 3, 2) if _is_one_figure(lines[at : at + size])), 1)
        mended.append(_Text(" ".join(line.words for line in lines[at : at + size]), lines[at].level))
        at += size
    return mended


def _label_apart(line: _Text) -> list[_Text]:
    found = _JOINED_LABEL.fullmatch(line.words)
    return [_Text(found[1]), _Text(found[2])] if found else [line]


def _is_one_figure(lines: list[_Text]) -> bool:
    if len(lines) == 1 or any(not 0 < len(line.words) <= _SHORT_PIECE for line in lines):
        return False
    joined = " ".join(line.words for line in lines)
    return percent(joined) is not None or (score(joined) is not None and score(lines[-1].words) is None)
