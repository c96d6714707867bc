"""The last touches to rendered HTML: fewer Outlook blocks, pure ASCII, no line too long for a mail server. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain, repeat

# RFC 5322, 2.1.1: at most 998 octets between two line ends.
LONGEST_LINE = 998
#: What Gmail shows before it clips is about 102 KB; a kilobyte is 1,024 octets here.
HTML_WARNS, HTML_BLOCKS = 90 * 1024, 100 * 1024
STYLE_BLOCKS = 16 * 1024

_COMFORTABLE = 700
_LONG_WORD = 600

_CONDITIONAL = re.compile(r"<!--\[if (?P<condition>[^\]]+)\]>(?P<inner>.*?)<!\[endif\]-->", re.DOTALL)
_STYLE = re.compile(r"<style[^>]*>(.*?)</style>", re.DOTALL)
_STYLE_RULE_END = re.compile(r"\}\s*")
_PIECE = re.compile(
    r"""(?P<whole><!--\[if[^\]]*\]>(?:<!-->)?|(?:<!--)?<!\[endif\]-->|<!--.*?-->|<(?P<verbatim>style|title)\b.*?</(?P=verbatim)>)"""
    r"""|(?P<tag><[^<>"]*(?:"[^"]*"[^<>"]*)*>)|(?P<blank>\s+)|(?P<word>[^<\s]+|<)""",
    re.DOTALL,
)
_NAME_OR_ATTRIBUTE = re.compile(r"""[^\s"]+(?:"[^"]*")?[^\s"]*""")
_CHARACTER = re.compile(r"&#?\w+;|.", re.DOTALL)


def finish(html: str) -> str:
    """Rendered HTML as it will be frozen."""
    return break_lines(merge_outlook(html).encode("ascii", "xmlcharrefreplace").decode("ascii"))


def merge_outlook(html: str) -> str:
    """Neighbouring Outlook blocks with the same condition become one: the same to Outlook, fewer bytes to all."""
    pieces: list[str] = []
    condition: str | None = None
    end = 0
    for block in _CONDITIONAL.finditer(html):
        between = html[end : block.start()]
        if condition == block["condition"] and not between.strip():
            pieces.append(block["inner"])
        else:
            if condition is not None:
                pieces.append("<![endif]-->")
            condition = block["condition"]
            pieces += [between, f"<!--[if {condition}]>", block["inner"]]
        end = block.end()
    if condition is not None:
        pieces.append("<![endif]-->")
    pieces.append(html[end:])
    return "".join(pieces)


def break_lines(html: str) -> str:
    """Starts a new line only where that means nothing: at a blank, between attributes, inside a closing tag."""
    html = _STYLE.sub(lambda style: _STYLE_RULE_END.sub("}\n", style[0]), html)
    lines: list[str] = []
    line = ""
    for glue, piece in _pieces(html):
        if glue is not None and len(line) + len(glue) + len(piece) > _COMFORTABLE:
            opened, closed = _TURN.get(glue, ("", ""))
            lines.append(line + opened)
            line = closed + piece
        else:
            line += _STAY[glue] + piece
        if "\n" in piece:
            *whole, line = line.split("\n")
            lines += whole
    return "\n".join([*lines, line])


# How two pieces hang together: not at all to be parted (None), by a blank, by nothing inside a tag, or within a word.
_BLANK, _IN_TAG, _IN_WORD = " ", "tag", "word"
_STAY: dict[str | None, str] = {None: "", _BLANK: " ", _IN_TAG: "", _IN_WORD: ""}
# A comment does not part a word, as a line end would; joined scripts keep their shapes across it.
_TURN = {_IN_WORD: ("<!--", "-->")}


def _pieces(html: str) -> Iterator[tuple[str | None, str]]:
    blank: str | None = None
    for found in _PIECE.finditer(html):
        if found["blank"]:
            blank = _BLANK
            continue
        for glue, piece in _parts(found):
            yield blank or glue, piece
            blank = None
    if blank:
        yield blank, ""


def _parts(found: re.Match[str]) -> Iterator[tuple[str | None, str]]:
    if found["tag"]:
        return iter(_tag(found[0]))
    if found["word"]:
        return _word(found[0])
    if found["verbatim"] == "title":
        # A comment would be shown, but a line end is a blank.
        return zip(chain([None], repeat(_BLANK)), found[0].split(" "), strict=False)
    return iter([(None, found[0])])


# A mail is made of a few dozen tags over and over.
@lru_cache(maxsize=4096)
def _tag(tag: str) -> tuple[tuple[str | None, str], ...]:
    first, *others = _NAME_OR_ATTRIBUTE.findall(tag)
    if not others:
        return (None, first[:-1]), (_IN_TAG, ">")
    # A label of many words is parted at its blanks; an address has none.
    parts = (part for other in others for part in ([other] if len(other) <= _LONG_WORD else other.split(" ")))
    return (None, first), *((_BLANK, part) for part in parts)


def _word(word: str) -> Iterator[tuple[str | None, str]]:
    """A word, in parts where it is many hundred octets long, such as a long name in entities."""
    if len(word) <= _LONG_WORD:
        yield _IN_WORD, word
        return
    part = ""
    for character in _CHARACTER.findall(word):
        if len(part) + len(character) > _LONG_WORD:
            yield _IN_WORD, part
            part = ""
        part += character
    yield _IN_WORD, part


def style_bytes(html: str) -> int:
    """Octets of all style sheets together: above 16 KB Gmail drops them."""
    return sum(len(style.encode()) for style in _STYLE.findall(html))


def longest_line(text: str) -> int:
    return max(len(line.encode()) for line in text.split("\n"))
