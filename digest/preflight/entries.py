"""Checks of what was chosen: the entries, their pages as they are now, and the tools readers know already."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from urllib.parse import urlsplit

from digest.facts import Verdict, clean, verdict_of
from digest.preflight.sheet import Problem, Sheet, listed, place, together, unmoved
from digest.rendering import safe_link
from digest.rendering.introduction import links_of
from digest.text_layout import shorten
from digest.variants import EntryCopy
from digest.verdicts import Side
from digest.verdicts.questions import about_price

_LONGEST_ADDRESS_SHOWN = 60
_HARMLESS = frozenset({"", "http", "https", "mailto", "tel"})
_CORRECT_PAGE = "Look at the page; if it is wrong, have it corrected there."
_TAKE_OUT = "Take the entry out on the desk."
_SAID: dict[Verdict | None, str] = {"ship": "ship", "mixed": "mixed", "skip": "skip", None: "no verdict"}


def nothing_in_it(sheet: Sheet) -> Iterator[Problem]:
    if not sheet.copy.entries:
        mend = f"Bring one in on the desk, or skip the week: digest edition skip {sheet.copy.week} --why …"
        yield Problem("block", "no-entries", "edition", "There is no entry in it.", mend)


def withdrawn(sheet: Sheet) -> Iterator[Problem]:
    for entry in sheet.copy.entries:
        if entry.position in sheet.withdrawn:
            because = sheet.withdrawn[entry.position].rstrip(".") or "no reason was given"
            yield Problem("block", "withdrawn", place(entry), f"The comparison was withdrawn: {because}.", _TAKE_OUT)


def elsewhere(sheet: Sheet) -> Iterator[Problem]:
    for entry in sheet.copy.entries:
        if entry.position in sheet.elsewhere:
            what = f"The comparison stands in {sheet.elsewhere[entry.position]} too; readers would get it twice."
            yield Problem("block", "elsewhere", place(entry), what, _TAKE_OUT)


def without_words(sheet: Sheet) -> Iterator[Problem]:
    for entry in sheet.copy.entries:
        written = {"headline": entry.summary.headline, "verdict sentence": entry.summary.sentence}
        judged = (unmoved(sheet, entry.position), *written.values())
        for name, words in written.items():
            if not clean(words):
                where, what = f"entry {entry.position}", f"It has no {name}."
                yield Problem("block", "no-words", where, what, "Write one.", judged=(name, *judged))


def page_changed(sheet: Sheet) -> Iterator[Problem]:
    for entry in sheet.copy.entries:
        if entry.position in sheet.changed and entry.position not in sheet.withdrawn:
            yield Problem(
                "warn",
                "page-changed",
                place(entry),
                "The page says something else now than when this was drafted.",
                "Refresh the entry on the desk.",
            )


def printed_twice(sheet: Sheet) -> Iterator[Problem]:
    pairs: defaultdict[frozenset[str], list[EntryCopy]] = defaultdict(list)
    for entry in sheet.copy.entries:
        pairs[frozenset(side.identity for side in _sides(entry))].append(entry)
    for entries in pairs.values():
        if len(entries) > 1:
            yield Problem(
                "block",
                "printed-twice",
                together([entry.position for entry in entries], entries[0].summary.headline),
                "The same two tools are compared more than once.",
                "Take one of them out on the desk.",
                judged=tuple(sorted(unmoved(sheet, entry.position) for entry in entries)),
            )


def links(sheet: Sheet) -> Iterator[Problem]:
    """A comparison needs an address that a mail may link to."""
    for entry in sheet.copy.entries:
        yield from _link(place(entry), entry.url)
    for other in sheet.copy.also_compared:
        yield from _link(f"also compared, {shorten(other.title, _LONGEST_ADDRESS_SHOWN)}", other.url)


def _link(where: str, url: str | None) -> Iterator[Problem]:
    if url is None:
        yield Problem(
            "warn",
            "no-link",
            where,
            "There is no link, for the page has no address.",
            "Ask an operator to take the page in with its address: digest ingest PAGE --url ADDRESS.",
        )
    elif safe_link(url) is None:
        shown = shorten(url, _LONGEST_ADDRESS_SHOWN)
        if _scheme(url) in {"http", "https"}:
            what = f"Its address cannot stand in a mail, so it has no link: {shown}"
            yield Problem("warn", "no-link", where, what, "Give the page a plain web address of at most 900 octets.")
        else:
            what = f"Its address is not a web address: {shown}"
            yield Problem("block", "unsafe-link", where, what, "It must begin with https://.")


def introduction_links(sheet: Sheet) -> Iterator[Problem]:
    """What an editor wrote as a link and the mail prints as mere words, for it leads nowhere that a mail may lead."""
    for url in dict.fromkeys(links_of(sheet.copy.introduction)):
        if safe_link(url) is None:
            shown = shorten(url, _LONGEST_ADDRESS_SHOWN)
            if _scheme(url) in _HARMLESS:
                what = f"This address cannot be linked, so it stands there as mere words: {shown}"
                mend = "Write the whole web address, beginning with https://."
                yield Problem("warn", "no-link", "introduction", what, mend)
            else:
                what = f"A link leads to no web address: {shown}"
                yield Problem("block", "unsafe-link", "introduction", what, "It must begin with https://.")


def _scheme(url: str) -> str:
    try:
        return urlsplit(url).scheme.lower()
    except ValueError:
        return ""


def open_questions(sheet: Sheet) -> Iterator[Problem]:
    """Where a page contradicts itself. A tool brings its question into each of its entries; it is put once."""
    asked: defaultdict[str, list[EntryCopy]] = defaultdict(list)
    for entry in sheet.copy.entries:
        for question in entry.summary.questions:
            asked[question].append(entry)
    labels = set(_labels_against_prices(sheet))
    for question, entries in asked.items():
        positions = [entry.position for entry in entries]
        where = (
            together(positions, entries[0].summary.headline) if len(entries) == 1 else f"entries {listed(positions)}"
        )
        if question in labels:
            yield Problem("warn", "label-against-price", where, question, _CORRECT_PAGE)
        else:
            yield Problem("warn", "question", where, question, _CORRECT_PAGE)


def _labels_against_prices(sheet: Sheet) -> Iterator[str]:
    """The questions that ask why a tool's label says another price than its pricing text."""
    for facts in sheet.facts.values():
        for tool in facts.tools:
            yield from about_price(tool)


def namesakes(sheet: Sheet) -> Iterator[Problem]:
    """Two tools of one name in different entries; within one entry it is a question of its own."""
    bearers: defaultdict[str, dict[str, Side]] = defaultdict(dict)
    positions: defaultdict[str, dict[int, None]] = defaultdict(dict)
    for entry in sheet.copy.entries:
        for side in _sides(entry):
            bearers[side.name.casefold()].setdefault(side.identity, side)
            positions[side.name.casefold()][entry.position] = None
    for name, sides in bearers.items():
        if len(sides) > 1 and len(positions[name]) > 1:
            kinds = [side.category or "category unknown" for side in sides.values()]
            yield Problem(
                "warn",
                "namesakes",
                together(list(positions[name]), next(iter(sides.values())).name),
                f"Different tools have this name ({listed(kinds)}).",
                "See that each sentence makes clear which is meant.",
            )


def known_tools(sheet: Sheet) -> Iterator[Problem]:
    """What readers were told of a tool when it was last in an edition."""
    for identity, (entry, side) in _first_entries(sheet).items():
        earlier = sheet.earlier.get(identity)
        if earlier is None:
            continue
        before, now = earlier.verdict, _verdict(sheet, entry, side)
        if None not in (before, now) and before != now:
            yield Problem(
                "warn",
                "verdict-changed",
                place(entry, side.name),
                f"Readers were told {_SAID[before]} in {earlier.week}; the page now says {_SAID[now]}.",
                "Tell them in the introduction that it changed.",
            )
        else:
            what = f"Last shown in {earlier.week}: {_SAID[before]} then, {_SAID[now]} now."
            yield Problem("info", "shown-before", place(entry, side.name), what, "")


def without_panel(sheet: Sheet) -> Iterator[Problem]:
    for entry, side in _first_entries(sheet).values():
        if (side.verdict, side.percent, side.split) == (None, None, None):
            what = "The page gives no panel verdict; the mail says so."
            yield Problem("info", "no-panel", place(entry, side.name), what, "")


def _verdict(sheet: Sheet, entry: EntryCopy, side: Side) -> Verdict | None:
    """As it was read for the earlier edition: from the frozen page, by badge or percentage."""
    facts = sheet.facts.get(entry.position)
    tool = next((tool for tool in facts.tools if tool.identity == side.identity), None) if facts else None
    return verdict_of(tool) if tool else side.verdict


def _first_entries(sheet: Sheet) -> dict[str, tuple[EntryCopy, Side]]:
    """Each tool of the edition, by identity, at its first entry."""
    first: dict[str, tuple[EntryCopy, Side]] = {}
    for entry in sheet.copy.entries:
        for side in _sides(entry):
            first.setdefault(side.identity, (entry, side))
    return first


def _sides(entry: EntryCopy) -> tuple[Side, Side]:
    return entry.summary.left, entry.summary.right
