"""Checks of what the clock found out: pages that are linked, and the provider that is to take our mail."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from digest.preflight.sheet import Problem, Sheet, listed, place
from digest.text_layout import shorten

_LONGEST_ADDRESS_SHOWN = 60
_LOOK_AGAIN = "The clock asks them by itself while it runs."
_DOCTOR = "See `digest doctor`."


def dead_links(sheet: Sheet) -> Iterator[Problem]:
    """A page that is gone, or that did not answer twice in a row."""
    for url, places in _places(sheet).items():
        asked = sheet.links.get(url)
        if asked and asked.is_dead:
            what = f"{shorten(url, _LONGEST_ADDRESS_SHOWN)} gives no page: {asked.why}."
            mend = "Open it; if it is gone, take the entry or the link out, or have the page put back."
            yield Problem("warn", "link-dead", listed(places), what, mend)


def unchecked_links(sheet: Sheet) -> Iterator[Problem]:
    """One line for all of them: a draft that was just made has asked nobody yet."""
    waiting = sum(asked.is_dead is None for asked in sheet.links.values())
    if waiting:
        what = f"{waiting} of {len(sheet.links)} linked pages {'was' if waiting == 1 else 'were'} not asked lately."
        yield Problem("info", "links-unchecked", "links", what, _LOOK_AGAIN)


def _places(sheet: Sheet) -> dict[str, list[str]]:
    """Where each address is linked; what stands in no entry is in the introduction."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for entry in sheet.copy.entries:
        if entry.url:
            found[entry.url].append(place(entry))
    for other in sheet.copy.also_compared:
        if other.url:
            found[other.url].append(f"also compared, {shorten(other.title, _LONGEST_ADDRESS_SHOWN)}")
    for url in sheet.links:
        if url not in found:
            found[url].append("introduction")
    return found


def way_out(sheet: Sheet) -> Iterator[Problem]:
    """What the account says against our mail. Without a key that may send, the edition would only be halted."""
    for found in sheet.way_out or ():
        if found.ok is False:
            where = f"way out, {found.name}"
            yield Problem("block" if found.needed else "warn", "way-out", where, found.words, _DOCTOR)
        elif found.ok is None:
            what = f"It could not be found out: {found.words}"
            yield Problem("info", "way-out-unknown", f"way out, {found.name}", what, _DOCTOR)
    if sheet.way_out is not None and not sheet.way_out:
        what = "Nobody has looked at the key, its scopes and the sender’s domain within a day."
        yield Problem("info", "way-out-unknown", "way out", what, "Let the clock run, or see `digest doctor`.")
