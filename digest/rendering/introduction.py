"""The editor's introduction: a small part of Markdown, and everything else as the words it is written in. Pure.

There are paragraphs, emphasis, links, lists and hard line breaks. Raw HTML, images, headings, code and tables are
no part of it: they stand in the mail as somebody typed them, inert.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_block import list_block as read_list
from markdown_it.token import Token
from markupsafe import Markup, escape

from digest import text_layout
from digest.rendering.links import safe_link
from digest.rendering.look import LIGHT
from digest.rendering.typography import prose, typeset

#: A list in a list in a list; what is deeper would be no list on a phone.
DEEPEST_LIST = 3

_LEVELS_A_LIST = 2  # the list and its item
_HARD_BREAK = "  "  # two blanks or more at the end of a line


@dataclass(frozen=True, slots=True)
class Words:
    """Some words as they are set: plain, emphatic, strong, or both."""

    text: str
    emphatic: bool = False
    strong: bool = False


@dataclass(frozen=True, slots=True)
class LineBreak:
    """A line ends here, because somebody wanted it to."""


@dataclass(frozen=True, slots=True)
class Link:
    """Words that lead to an address a mail may link to."""

    url: str
    words: tuple[Words | LineBreak, ...]


Inline = Words | LineBreak | Link


@dataclass(frozen=True, slots=True)
class Paragraph:
    inline: tuple[Inline, ...]

    @property
    def text(self) -> str:
        """Its words; a line end where one is wanted."""
        return "".join(_texts(self.inline))


@dataclass(slots=True)
class Listing:
    """`first` is the number of the first item; None for bullets."""

    first: int | None
    items: list[list[Block]] = field(default_factory=list)


Block = Paragraph | Listing


def html(markdown: str | None) -> Markup:
    """Paragraphs and lists for the mail, as MJML's renderer takes them."""
    blocks = _read(_kept(markdown)).blocks
    return Markup("\n").join(_block_html(block, 12 if at else 18) for at, block in enumerate(blocks))


def text(markdown: str | None) -> str:
    """The same for the text part: wrapped, each address on a line of its own after the words that lead there."""
    return "\n\n".join("\n".join(_block_text(block, "")) for block in _read(_kept(markdown)).blocks)


def plain(markdown: str | None) -> str:
    """The words alone; paragraphs and items of lists are parted by blank lines."""
    return "\n\n".join(paragraph.text for paragraph in _paragraphs(_read(_kept(markdown)).blocks) if paragraph.text)


def links_of(markdown: str | None) -> list[str]:
    """Every address that somebody wanted to link, in order, also those that are not linked because no mail may."""
    return list(_read(_kept(markdown)).addresses)


def kept(markdown: str | None) -> str | None:
    """The same without controls and bidi overrides; its lines, indents and hard breaks stay."""
    return None if markdown is None else _kept(markdown)


def _kept(markdown: str | None) -> str:
    lines = (markdown or "").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(map(_kept_line, lines))


def _kept_line(line: str) -> str:
    words = typeset(line)
    if not words:
        return ""
    indent = line[: len(line) - len(line.lstrip(" \t"))]
    return f"{indent}{words}{_HARD_BREAK if line.endswith(_HARD_BREAK) else ''}"


# --- reading --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Reading:
    blocks: tuple[Block, ...]
    addresses: tuple[str, ...]


@lru_cache(maxsize=64)
def _read(markdown: str) -> _Reading:
    """An edition is rendered once for each variant, its introduction read once."""
    addresses: list[str] = []
    blocks = _blocks(_parser().parse(markdown), addresses)
    return _Reading(tuple(blocks), tuple(addresses))


class _Reader(MarkdownIt):
    """Takes every address, so that what cannot be linked can be named; `safe_link` decides."""

    def validateLink(self, url: str) -> bool:  # noqa: N802, ARG002 - the library's name
        return True

    def normalizeLink(self, url: str) -> str:  # noqa: N802
        return url


@lru_cache(maxsize=1)
def _parser() -> _Reader:
    """Images are read only so that what they are made of stays together as words."""
    parser = _Reader("zero")
    parser.enable(["list", "newline", "escape", "emphasis", "link", "image"])
    parser.block.ruler.at("list", _list_unless_too_deep, {"alt": ["paragraph"]})
    return parser


def _list_unless_too_deep(state: StateBlock, start: int, end: int, silent: bool) -> bool:  # noqa: FBT001
    """The parser would drop what is nested too deeply for it; so it stays the words it is."""
    return state.level < _LEVELS_A_LIST * DEEPEST_LIST and read_list(state, start, end, silent)


def _blocks(tokens: Iterable[Token], addresses: list[str]) -> list[Block]:
    """Lists hold items, and items hold paragraphs and lists."""
    whole: list[Block] = []
    here = [whole]
    listings: list[Listing] = []
    for token in tokens:
        if token.type in {"bullet_list_open", "ordered_list_open"}:
            listing = Listing(int(token.attrGet("start") or 1) if token.tag == "ol" else None)
            here[-1].append(listing)
            listings.append(listing)
        elif token.type in {"bullet_list_close", "ordered_list_close"}:
            listings.pop()
        elif token.type == "list_item_open":
            here.append([])
            listings[-1].items.append(here[-1])
        elif token.type == "list_item_close":
            here.pop()
        elif token.type == "inline":
            here[-1].append(Paragraph(tuple(_inline(token.children or [], addresses))))
    return whole


@dataclass(slots=True)
class _Hand:
    """How deep emphasis is nested: more of the same is the same."""

    emphatic: int = 0
    strong: int = 0

    def set(self, text: str) -> Words:
        return Words(text, self.emphatic > 0, self.strong > 0)


def _inline(tokens: list[Token], addresses: list[str]) -> Iterator[Inline]:
    hand, link, inside = _Hand(), "", None
    for token in tokens:
        if token.type == "text" and not token.content:
            continue  # the parser leaves them where emphasis begins
        if token.type == "link_open":
            link, inside = str(token.attrGet("href") or ""), list[Words | LineBreak]()
            addresses.append(link)
        elif token.type == "link_close":
            yield from _linked(link, inside or [], hand)
            inside = None
        elif token.type in _EMPHASIS:
            kind, step = _EMPHASIS[token.type]
            setattr(hand, kind, getattr(hand, kind) + step)
        else:
            made = _made_of(token, hand, addresses)
            if inside is None:
                yield made
            else:
                inside.append(made)


_EMPHASIS: dict[str, tuple[Literal["emphatic", "strong"], int]] = {
    "em_open": ("emphatic", 1),
    "em_close": ("emphatic", -1),
    "strong_open": ("strong", 1),
    "strong_close": ("strong", -1),
}


def _made_of(token: Token, hand: _Hand, addresses: list[str]) -> Words | LineBreak:
    if token.type == "hardbreak":
        return LineBreak()
    if token.type == "image":
        address = str(token.attrGet("src") or "")
        addresses.append(address)
        return hand.set(typeset(f"![{token.content}]({address})"))
    return hand.set(" " if token.type == "softbreak" else token.content)


def _linked(address: str, words: list[Words | LineBreak], hand: _Hand) -> Iterator[Inline]:
    """A link if it may be one and has words to press; else what was typed."""
    url = safe_link(address)
    if url and "".join(_texts(words)).strip():
        yield Link(url, tuple(words))
    else:
        yield from (hand.set("["), *words, hand.set(f"]({typeset(address)})"))


def _texts(inline: Iterable[Inline]) -> Iterator[str]:
    for piece in inline:
        if isinstance(piece, Link):
            yield from _texts(piece.words)
        else:
            yield piece.text if isinstance(piece, Words) else "\n"


def _paragraphs(blocks: Iterable[Block]) -> Iterator[Paragraph]:
    for block in blocks:
        if isinstance(block, Paragraph):
            yield block
        else:
            for item in block.items:
                yield from _paragraphs(item)


# --- HTML -----------------------------------------------------------------------------------------------------------


def _block_html(block: Block, above: int) -> Markup:
    if isinstance(block, Paragraph):
        return Markup('<p style="margin:{}px 0 0">{}</p>').format(above, _inline_html(block.inline))
    items = Markup("").join(
        Markup('<li style="margin:0 0 4px">{}</li>').format(_item_html(item)) for item in block.items
    )
    kind = "ul" if block.first is None else "ol"
    start = f' start="{block.first}"' if block.first not in {None, 1} else ""
    return Markup(f'<{kind}{start} style="margin:{above}px 0 0;padding:0 0 0 24px">{{}}</{kind}>').format(items)  # noqa: S704


def _item_html(blocks: list[Block]) -> Markup:
    """The first paragraph stands beside its bullet."""
    if blocks and isinstance(blocks[0], Paragraph):
        return _inline_html(blocks[0].inline) + Markup("").join(_block_html(block, 4) for block in blocks[1:])
    return Markup("").join(_block_html(block, 4) for block in blocks)


def _inline_html(inline: Iterable[Inline]) -> Markup:
    return Markup("").join(map(_piece_html, inline))


def _piece_html(piece: Inline) -> Markup:
    if isinstance(piece, LineBreak):
        return Markup("<br />")
    if isinstance(piece, Link):
        # The padding makes it tall enough for a thumb and, within a line, moves no other line.
        return Markup('<a href="{}" style="color:{};padding:14px 0">{}</a>').format(
            piece.url, LIGHT.link, _inline_html(piece.words)
        )
    words = _with_edges(piece.text)
    if piece.emphatic:
        words = Markup("<em>{}</em>").format(words)
    return Markup("<strong>{}</strong>").format(words) if piece.strong else words


def _with_edges(words: str) -> Markup:
    """Set as prose, with the blanks that part them from their neighbours."""
    if not words.strip(" "):
        return escape(words[:1])
    return Markup("{}{}{}").format(" " * words.startswith(" "), prose(words), " " * words.endswith(" "))


# --- text -----------------------------------------------------------------------------------------------------------


def _block_text(block: Block, indent: str) -> Iterator[str]:
    if isinstance(block, Paragraph):
        yield from _paragraph_text(block, indent, indent)
        return
    for at, item in enumerate(block.items):
        lead = "- " if block.first is None else f"{block.first + at}. "
        yield from _item_text(item, indent, f"{indent}{lead}")


def _item_text(blocks: list[Block], indent: str, lead: str) -> Iterator[str]:
    below = indent + " " * (len(lead) - len(indent))
    if not blocks or isinstance(blocks[0], Listing):
        yield lead.rstrip()
    for at, block in enumerate(blocks):
        if isinstance(block, Paragraph):
            yield from _paragraph_text(block, below if at else lead, below)
        else:
            yield from _block_text(block, below)


def _paragraph_text(paragraph: Paragraph, lead: str, below: str) -> Iterator[str]:
    links = [piece for piece in paragraph.inline if isinstance(piece, Link)]
    if len(paragraph.inline) == len(links) == 1:
        yield from _lines(f"{paragraph.text}:", lead, below)
        yield links[0].url
        return
    yield from _lines(paragraph.text, lead, below)
    for link in links:
        yield from _lines(f"{''.join(_texts(link.words)).strip()}:", below, below)
        yield link.url


def _lines(words: str, lead: str, below: str) -> Iterator[str]:
    for at, line in enumerate(words.split("\n")):
        yield text_layout.wrap(text_layout.isolate_runs(line), first=below if at else lead, rest=below)
