"""Checks of what editors wrote with their own hands: whom they quote, what they count, and where they send readers."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import unquote, urlsplit

from digest.facts import ComparisonFacts, ToolFacts, clean
from digest.preflight.openings import figures, on_scoreboard
from digest.preflight.sheet import Problem, Sheet, listed
from digest.preflight.words import judged
from digest.rendering.introduction import links_of, plain
from digest.text_layout import shorten
from digest.variants import EntryCopy
from digest.verdicts import figures as written

_LONGEST_EXCERPT = 80
_FEWEST_WORDS = 3
_LEAST_LETTERS = 2

_QUOTED = re.compile(r"[“„]([^“”„]+)[”“]|\"([^\"]+)\"|«([^«»]+)»|(?<!\w)‘((?:[^‘’]|’(?=\w))+)’(?!\w)")
_LEFT_OUT = re.compile(r"…|\.{3,}|\[[^\]]*\]")
_EDGES = " .,;:!?–—-"
_APOSTROPHES = str.maketrans("‘’“”„", '\'\'"""')

# What counts or dates without being a figure of a page. Months stand by their first letters.
_MONTH = r"(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]*\.?"
_NO_FIGURE = re.compile(
    r"(?:https?://|www\.)\S+"
    r"|\b\d{4}-(?:\d\d-\d\d|w\d\d)\b"
    rf"|\b\d{{1,2}}(?:st|nd|rd|th)?(?:\s*[–-]\s*\d{{1,2}})?\s+(?:of\s+)?{_MONTH}(?!\w)"
    rf"|(?<!\w){_MONTH}\s+\d{{1,2}}(?:st|nd|rd|th)?\b(?!\s?%)"
    r"|\b(?:19|20|21)\d\d(?:s|[–-]\d\d(?:\d\d)?)?\b(?!\s?%)"
    r"|\b\d{1,2}[:.]\d\d(?=\s?(?:[ap]\.?m\b|utc|gmt|o[’']clock))|\b\d{1,2}:\d\d\b|\b\d{1,2}\s?[ap]\.?m\b"
    r"|\b\d+(?:st|nd|rd|th)\b"
    r"|(?:\b(?:entr(?:y|ies)|numbers?|nos?\.?|weeks?|issues?|editions?|parts?|steps?|points?)\s+|#)\d+"
    r"(?:\s*(?:,|and|to|[–-])\s*\d+)*"
    r"|^[ \t]*\d+[.)]\s",
    re.IGNORECASE | re.MULTILINE,
)
# GPT-5, v2.1, and “beside Windows 11”: a name that has a number in it. Not the first word of a sentence.
_NAMED = re.compile(r"\b[A-Za-z]+-\d[\w.]*|\b[A-Za-z]+\d[\w.]*|(?<=[\w,;:] )[A-Z]\w*\s\d+(?:\.\d+)*\b(?!\s?[%–-])")

_FOREIGN_TAGS = re.compile(
    r"\{\{[^{}\n]{0,200}\}\}|\{%[^{}\n]{0,200}%\}|\{#[^{}\n]{0,200}#\}"
    r"|\*\|[^|*\n]{1,60}\|\*"
    r"|%recipient[\w.]{0,40}%"
    r"|<%[^<>\n]{0,80}%>"
    r"|%%[A-Za-z]\w{0,40}%%|##[A-Za-z]\w{0,40}##"
    r"|\$?\{\$[A-Za-z][\w.>-]{0,60}\}"
    r"|\[(?:unsubscribe|weblink|webversion|preferences|manage[ _-]preferences|view[ _-]in[ _-]browser"
    r"|first[ _-]?name|last[ _-]?name|fname|lname|subscriber|recipient)(?:[ _.:-]?\w{1,30})?\](?!\()",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"https?://[^\s<>()\[\]\"“”]+", re.IGNORECASE)
_FOR_EVERYBODY = re.compile(r"/(?:archive(?:/.*)?|embed)?")


def quotations(sheet: Sheet) -> Iterator[Problem]:
    """Who is quoted must have said it; what the pages of this edition say can be looked up."""
    said = _squeezed(
        "\n".join([*_said_on_pages(sheet), *sheet.by_rule, *(each.title for each in sheet.copy.also_compared)])
    )
    for where, words in sheet.own_words.items():
        for quoted in _quoted(_as_printed(where, words)):
            if not all(piece in said for piece in _pieces(quoted)):
                what = f"“{shorten(quoted, _LONGEST_EXCERPT)}” stands on no page of this edition."
                mend = "Quote what a page says, word for word, or say it without quotation marks."
                yield Problem("block", "own-quotation", where, what, mend, judged=judged(sheet, where, quoted))


def _quoted(words: str) -> Iterator[str]:
    for found in _QUOTED.finditer(words):
        quoted = next(filter(None, found.groups()), "").strip()
        if len(re.findall(r"\w+(?:['’]\w+)*", quoted)) >= _FEWEST_WORDS:
            yield quoted


def _pieces(quoted: str) -> Iterator[str]:
    """What stands between the words that somebody left out, or put in brackets."""
    for piece in _LEFT_OUT.split(quoted):
        squeezed = _squeezed(piece.strip(_EDGES))
        if len(squeezed) >= _LEAST_LETTERS:
            yield squeezed


def _squeezed(words: str) -> str:
    return "".join(clean(words).translate(_APOSTROPHES).casefold().split())


def numbers(sheet: Sheet) -> Iterator[Problem]:
    """A number that neither a page nor the program knows. Those of the subject must stand in the mail anyway."""
    told = {where: words for where, words in sheet.own_words.items() if where != "subject"}
    if not told:
        return
    known = _known_numbers(sheet)
    small = {str(number) for number in range(2 * len(sheet.copy.entries) + 1)}
    for where, words in told.items():
        claims = _NAMED.sub(" ", _NO_FIGURE.sub(" ", _as_printed(where, words)))
        unknown = dict.fromkeys(forms[0] for forms in figures(claims) if forms[0] not in known | small)
        if unknown:
            one = len(unknown) == 1
            what = f"{listed(list(unknown))} {'stands' if one else 'stand'} on no page of this edition."
            yield Problem("warn", "own-figure", where, what, "Look it up, and correct it or take it out.")


def _known_numbers(sheet: Sheet) -> set[str]:
    printed = [text for entry in sheet.copy.entries for text in _printed(entry)]
    texts = [*_said_on_pages(sheet), *printed, *sheet.by_rule, *(each.title for each in sheet.copy.also_compared)]
    known = {form for text in texts for forms in figures(text) for form in forms}
    for facts in sheet.facts.values():
        for tool in facts.tools:
            known.update(_counted(tool))
    for entry in sheet.copy.entries:
        for side in (entry.summary.left, entry.summary.right):
            known.update(on_scoreboard(side))
    return known


def _printed(entry: EntryCopy) -> Iterator[str]:
    """What the program prints of an entry around the words that an editor may write."""
    yield from _texts(entry.summary.model_dump(exclude={"headline", "sentence"}))


def _counted(tool: ToolFacts) -> Iterator[str]:
    """The numbers that a page gives as such, in the ways they can be written."""
    scores = [take.score for take in tool.takes]
    votes = tool.community.ship_percent if tool.community else None
    for number in (tool.panel_ship_percent, votes, *scores):
        if number is not None:
            yield from (form for exact in (number, round(number)) for form in _forms(exact))
    if tool.split:
        ship, skip = tool.split.ship, tool.split.skip
        yield from (str(ship), str(skip), str(ship + skip), f"{ship}–{skip}", f"{skip}–{ship}")
    if tool.community and tool.community.votes is not None:
        yield str(tool.community.votes)


def _forms(number: float) -> tuple[str, str]:
    return written.plain(number), f"{written.plain(number)}%"


def merge_tags(sheet: Sheet) -> Iterator[Problem]:
    """Other mailers would fill them in; ours sends them as they stand. A page may speak of them, in its own words."""
    for where, words in sheet.own_words.items():
        for found in dict.fromkeys(_FOREIGN_TAGS.findall(words)):
            what = (
                f"“{shorten(found, _LONGEST_EXCERPT)}” is a field of another mailer; readers would see it as it stands."
            )
            mend = "Take it out: the mail greets readers and lets them unsubscribe by itself."
            yield Problem("block", "foreign-merge-tag", where, what, mend, judged=judged(sheet, where, found))


def addresses(sheet: Sheet) -> Iterator[Problem]:
    """An editor who copies a link out of their own mail would hand its key to every reader."""
    for where, words in sheet.own_words.items():
        for url in dict.fromkeys(_addresses(sheet, where, words)):
            secret = _secret_page(sheet, url)
            if secret:
                what = f"{secret} is a page of our own site that is not for everybody; who has the link may act as you."
                mend = "Take the address out, or link a page of the archive."
                yield Problem("block", "own-page", where, what, mend)
            elif _credentials(url):
                what = f"The address of {_host(url)} has a name or a password in it."
                mend = "Take out everything between https:// and the @."
                yield Problem("block", "link-credentials", where, what, mend, judged=judged(sheet, where, url))


def _addresses(sheet: Sheet, where: str, words: str) -> Iterator[str]:
    """Those that are linked, and those that programs for mail make links of by themselves."""
    if where == "introduction":
        yield from links_of(words)
    for found in _ADDRESS.findall(words):
        yield found.rstrip(".,;:!?’'")
    if sheet.own_host:
        bare = re.compile(rf"(?<![\w@/.-]){re.escape(sheet.own_host)}(?::\d+)?/[^\s<>()\[\]\"“”]*", re.IGNORECASE)
        for found in bare.findall(words):
            yield f"https://{found.rstrip('.,;:!?’')}"


def _secret_page(sheet: Sheet, url: str) -> str:
    """Our page behind an address, without what makes it somebody's own; "" where everybody may go."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return ""
    is_ours = not (parts.scheme or parts.netloc) or (bool(sheet.own_host) and _host(url) == sheet.own_host.lower())
    if not is_ours or not parts.path.startswith(("/", "%2f", "%2F")) or not sheet.own_host:
        return ""
    path = posixpath.normpath("/" + unquote(parts.path).replace("\\", "/").lstrip("/"))
    home = urlsplit(sheet.senders.site_url).path.rstrip("/") if sheet.senders else ""
    path = path.removeprefix(home) or "/" if home and f"{path}/".startswith(f"{home}/") else path
    if _FOR_EVERYBODY.fullmatch(path):
        return ""
    first, more = path.split("/")[1], path.count("/") > 1
    return f"/{shorten(first, _LONGEST_EXCERPT)}{'/…' if more else ''}"


def _host(url: str) -> str:
    try:
        return (urlsplit(url.strip()).hostname or "").lower().rstrip(".")
    except ValueError:
        return ""


def _credentials(url: str) -> bool:
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return False
    return parts.scheme.lower() in ("http", "https") and "@" in parts.netloc


def _as_printed(where: str, words: str) -> str:
    return plain(words) if where == "introduction" else clean(words)


def _said_on_pages(sheet: Sheet) -> Iterator[str]:
    for facts in sheet.facts.values():
        yield from _page(facts)


@lru_cache(maxsize=256)
def _page(facts: ComparisonFacts) -> tuple[str, ...]:
    return tuple(_texts(facts.model_dump()))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, Sequence):
        for inner in value:
            yield from _texts(inner)
