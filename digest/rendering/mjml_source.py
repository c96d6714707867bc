"""Makes MJML source safe for the renderer, and refuses what the renderer would get wrong without a word. Pure.

The renderer writes attribute values with the escapes of another language, cannot read a padding of "0", drops the
blank between two words in tags on two lines, and lets unknown elements and attributes vanish. So: normalise what
can be mended, refuse the rest with its line.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from digest.errors import DigestError


class BadSource(DigestError):
    """The mail's MJML source is wrong. `line` counts from 1 in the source after all template tags are filled."""

    source: str = ""
    """All of that source, where it is known."""

    def __init__(self, template: str, line: int, excerpt: str, problem: str, *, opened: str = "") -> None:
        super().__init__(f"{template}, line {line}: {problem} — near “{excerpt.strip()[:120]}”")
        self.template = template
        self.line = line
        self.excerpt = excerpt
        self.opened = opened
        """The element that is open there, where that is the matter."""
        self.problem = problem


@dataclass(frozen=True)
class Source:
    """Normalised MJML: printable ASCII and line feeds. `starts` are (offset, line of the original) in rising order."""

    text: str
    starts: tuple[tuple[int, int], ...]

    def line_at(self, offset: int) -> int:
        """The line of the original that an offset into `text` came from."""
        found = bisect_right(self.starts, (offset, 1 << 60))
        return self.starts[max(0, found - 1)][1]

    def excerpt_at(self, offset: int) -> str:
        return self.text[max(0, offset - 40) : offset + 60].replace("\n", " ")


_ATTRIBUTE = r"""\s+[A-Za-z][\w:-]*="[^"<]*\""""
_TOKEN = re.compile(
    rf"(?P<comment><!--.*?-->)"
    rf"|<(?P<closing>/?)(?P<name>[A-Za-z][A-Za-z0-9-]*)(?P<attributes>(?:{_ATTRIBUTE})*)\s*(?P<selfclosing>/?)>"
    rf"|(?P<text>[^<]+)",
    re.DOTALL,
)
_NAME_AND_VALUE = re.compile(r"""([A-Za-z][\w:-]*)="([^"]*)\"""")

_TEXT_STYLES = {"align", "color", "font-family", "font-size", "line-height", "padding", "css-class"}
_BOX = {"background-color", "border", "border-top", "border-bottom", "border-radius", "padding", "css-class"}
_ALLOWED: dict[str, set[str]] = {
    "mjml": {"lang", "dir"},
    "mj-head": set(),
    "mj-title": set(),
    "mj-attributes": set(),
    "mj-breakpoint": {"width"},
    "mj-all": {"font-family", "padding"},
    "mj-style": set(),
    "mj-raw": set(),
    "mj-body": {"background-color", "width", "css-class"},
    "mj-section": _BOX | {"text-align"},
    "mj-column": _BOX | {"width", "vertical-align"},
    "mj-text": _TEXT_STYLES,
    "mj-table": _TEXT_STYLES | {"width", "cellpadding", "cellspacing"},
    "mj-button": _TEXT_STYLES | {"href", "background-color", "border-radius", "inner-padding", "font-weight", "border"},
    "mj-divider": {"border-color", "border-style", "border-width", "padding", "css-class"},
}
# No <img>, <link>, <script>, <iframe>, <form>: an edition asks nobody for anything.
_HTML = {
    *("a", "abbr", "b", "bdi", "blockquote", "br", "caption", "cite", "col", "colgroup", "div", "em", "h1", "h2", "h3"),
    *("h4", "hr", "i", "li", "link", "meta", "ol", "p", "small", "span", "strong", "table", "tbody", "td", "tfoot"),
    *("th", "thead", "tr", "u", "ul"),
}
_HTML_ATTRIBUTES = {
    *("align", "aria-hidden", "aria-label", "bgcolor", "border", "cellpadding", "cellspacing", "class", "colspan"),
    *("content", "dir", "headers", "height", "href", "id", "lang", "name", "rel", "role", "scope", "start", "style"),
    *("title", "valign", "width"),
}
_VOID = {"br", "hr", "meta", "link", "col"}
_INLINE = {"a", "abbr", "b", "bdi", "br", "cite", "em", "i", "small", "span", "strong", "u"}
_CONTENT = {"mj-text", "mj-table", "mj-raw", "mj-button", "mj-title", "mj-style"}
_SAFE_HREF = re.compile(r"https?://|mailto:|#|-vd[0-9]{4}w[0-9]{2}[a-z]+-$")
_SHORT_COLOUR = re.compile(r"#[0-9a-fA-F]{3}(?![0-9a-fA-F])")
_BARE_ZERO = re.compile(r"(?<![\w.])0(?![\w.%])")
_BLANKS = re.compile(r"\s+")
_CSS_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_DEEPEST = 60


@dataclass(slots=True)
class _Token:
    kind: str
    line: int
    raw: str
    name: str = ""
    element: _Element | None = None


@dataclass(frozen=True, slots=True)
class _Element:
    """An opening tag, wherever it stands: what is wrong with it, and how it is written."""

    kind: str
    name: str
    problem: str | None
    written: str


def normalise(source: str, *, template: str) -> Source:
    """The same mail, written so that the renderer reads it right. Raises BadSource for what cannot be mended."""
    source = source.replace("\r\n", "\n").replace("\r", "\n")
    tokens = list(_tokens(source, template))
    _refuse_wrong_nesting(tokens, template)
    _refuse_wrong_elements(tokens, template)
    return _written(tokens)


def _tokens(source: str, template: str) -> Iterator[_Token]:
    position, line = 0, 1
    while position < len(source):
        found = _TOKEN.match(source, position)
        if not found:
            raise BadSource(template, line, source[position : position + 120], "not well-formed")
        yield _token(found, line)
        line += found[0].count("\n")
        position = found.end()


def _token(found: re.Match[str], line: int) -> _Token:
    raw = found[0]
    if found["comment"]:
        return _Token("comment", line, raw)
    if found["text"]:
        return _Token("text", line, raw)
    name = found["name"].lower()
    if found["closing"]:
        return _Token("close", line, raw, name)
    element = _element(name, found["attributes"], is_closed=bool(found["selfclosing"]))
    return _Token(element.kind, line, raw, name, element)


# An edition is made of a few dozen tags over and over: what is remembered halves the work.
@lru_cache(maxsize=4096)
def _element(name: str, attributes: str, *, is_closed: bool) -> _Element:
    kind = "void" if is_closed or name in _VOID else "open"
    found = _NAME_AND_VALUE.findall(attributes)
    values = "".join(f' {attribute}="{_value(name, attribute, value)}"' for attribute, value in found)
    return _Element(kind, name, _problem(name, found), f"<{name}{values}{' /' if kind == 'void' else ''}>")


def _refuse_wrong_nesting(tokens: list[_Token], template: str) -> None:
    stack: list[_Token] = []
    for token in tokens:
        if token.kind == "open":
            stack.append(token)
            if len(stack) > _DEEPEST:
                raise BadSource(template, token.line, token.raw, f"more than {_DEEPEST} elements deep")
        elif token.kind == "close":
            if not stack or stack[-1].name != token.name:
                open_ = stack[-1] if stack else None
                due = f"where </{open_.name}> is due, opened in line {open_.line}" if open_ else "closes nothing"
                opened = open_.raw if open_ else ""
                raise BadSource(template, token.line, token.raw, f"{token.raw} {due}", opened=opened)
            stack.pop()
    if stack:
        raise BadSource(template, stack[-1].line, stack[-1].raw, f"<{stack[-1].name}> is never closed")


def _refuse_wrong_elements(tokens: list[_Token], template: str) -> None:
    """Unknown elements and attributes are not errors to the renderer: they vanish, and what they held with them."""
    for token in tokens:
        if token.element is not None and token.element.problem:
            raise BadSource(template, token.line, token.raw, token.element.problem)


def _problem(element: str, attributes: list[tuple[str, str]]) -> str | None:
    names = [name for name, _ in attributes]
    if len(names) != len(set(names)):
        return "an attribute is given twice"
    allowed = _ALLOWED.get(element, _HTML_ATTRIBUTES if element in _HTML else None)
    if allowed is None:
        # Inside mj-attributes an mj-class is the only other name, and we do without.
        return f"<{element}> is not an element we use"
    for name, value in attributes:
        if name not in allowed:
            return f"<{element}> has no attribute {name}"
        if name == "href" and not _SAFE_HREF.match(value):
            return "an address must be http, https or mailto"
        if _SHORT_COLOUR.search(value) and name in {"style", "bgcolor", "color", "background-color", "border"}:
            return "colours are written with six digits"
        if name == "style" and "url(" in value.lower():
            return "nothing is fetched from a mail"
    return None


def _written(tokens: list[_Token]) -> Source:
    pieces: list[str] = []
    starts: list[tuple[int, int]] = []
    offset = 0
    inside: list[str] = []
    for before, token, after in zip([None, *tokens], tokens, [*tokens[1:], None], strict=False):
        piece = _piece(token, inside, before, after)
        if token.kind == "open":
            inside.append(token.name)
        elif token.kind == "close":
            inside.pop()
        if piece:
            pieces.append(piece)
            starts.append((offset, token.line))
            offset += len(piece)
    return Source("".join(pieces), tuple(starts) or ((0, 1),))


def _piece(token: _Token, inside: list[str], before: _Token | None, after: _Token | None) -> str:
    if token.kind == "comment":
        return token.raw
    if token.kind == "text":
        return _ascii(_text(token.raw, inside, before, after))
    return token.element.written if token.element is not None else f"</{token.name}>"


def _text(text: str, inside: list[str], before: _Token | None, after: _Token | None) -> str:
    if inside and inside[-1] == "mj-style":
        return _BLANKS.sub(" ", _CSS_COMMENT.sub("", text)).strip()
    if not any(name in _CONTENT for name in inside):
        return text.strip()
    text = _BLANKS.sub(" ", text)
    if not _is_inline(before):
        text = text.lstrip(" ")
    if not _is_inline(after):
        text = text.rstrip(" ")
    return text


def _is_inline(neighbour: _Token | None) -> bool:
    """Whether blanks beside it separate words. Beside blocks and table cells they mean nothing."""
    return neighbour is not None and neighbour.kind != "comment" and neighbour.name in _INLINE


def _value(element: str, name: str, value: str) -> str:
    value = _BLANKS.sub(" ", value).strip()
    if element.startswith("mj-") and "padding" in name:
        value = _BARE_ZERO.sub("0px", value)
    # The backslash too: the renderer would double it.
    return _ascii(value).replace("\\", "&#92;")


def _ascii(text: str) -> str:
    return text.encode("ascii", "xmlcharrefreplace").decode("ascii")
