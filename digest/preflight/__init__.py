"""What would embarrass us, found before anybody approves. Pure: looks at a sheet, returns problems.

A problem says what, where and how to mend it. The same problem in several variants is said once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from digest.preflight import clients, entries, legible, markup, openings, outside, own, parts, quoted, sender, words
from digest.preflight.catalogue import CATALOGUE, CHECKS, Check
from digest.preflight.sheet import (
    Asked,
    Earlier,
    Level,
    Overridden,
    Problem,
    Senders,
    Sheet,
    WayOut,
    listed,
    numbered,
    place,
)
from digest.preflight.view import View, views

__all__ = [
    "CATALOGUE",
    "CHECKS",
    "Asked",
    "Check",
    "Earlier",
    "Level",
    "Overridden",
    "Problem",
    "Senders",
    "Sheet",
    "WayOut",
    "check",
]

OF_THE_EDITION: tuple[Callable[[Sheet], Iterator[Problem]], ...] = (
    entries.nothing_in_it,
    openings.subject_length,
    openings.subject_tone,
    openings.breath_length,
    entries.withdrawn,
    entries.elsewhere,
    entries.without_words,
    entries.page_changed,
    entries.printed_twice,
    entries.links,
    entries.introduction_links,
    entries.open_questions,
    entries.namesakes,
    entries.known_tools,
    entries.without_panel,
    quoted.quotations,
    words.placeholders,
    own.quotations,
    own.numbers,
    own.merge_tags,
    own.addresses,
    words.same_words,
    outside.dead_links,
    outside.unchecked_links,
    markup.html_size,
    sender.postal_address,
    sender.from_address,
    sender.from_name,
    sender.reply_to,
    sender.site_address,
    sender.list_id,
    sender.unsubscribe_mailbox,
    outside.way_out,
    sender.audience,
)
OF_EACH_VARIANT: tuple[Callable[[View], Iterator[Problem]], ...] = (
    openings.subject_figures,
    openings.subject_superlatives,
    parts.text_part,
    parts.contents,
    parts.entry_links,
    parts.entry_order,
    parts.personal_fields,
    parts.leftovers,
    parts.postal_address,
    markup.style_size,
    markup.wire_format,
    markup.requests,
    markup.unsafe_links,
    markup.document,
    markup.headings,
    markup.link_words,
    legible.contrast,
    legible.contrast_in_dark,
    legible.unknown_colours,
    legible.small_text,
    legible.underlined_links,
    legible.layout_tables,
    clients.outlook,
    clients.gmail_style,
    clients.gmail_rules,
)

_WORST_FIRST: tuple[Level, ...] = ("block", "warn", "info")
_ENTRY = re.compile(r"\bentr(?:y|ies) (\d+)")
_BEFORE_ENTRIES = ("edition", "subject", "opening", "introduction")
_AFTER_ENTRIES = 1 << 30
_MOST_NAMED = 3
_ALSO_COMPARED = "also compared, "


def check(sheet: Sheet) -> list[Problem]:
    """Every problem, the worst first, then in the order of the mail."""
    found = [problem for look in OF_THE_EDITION for problem in look(sheet)]
    found += _once(
        sheet, ((view, problem) for view in views(sheet) for look in OF_EACH_VARIANT for problem in look(view))
    )
    return sorted(_grouped(sheet, found), key=_order)


def _grouped(sheet: Sheet, found: Iterable[Problem]) -> Iterator[Problem]:
    """What is to be mended alike in several entries is one line. What blocks stays alone: each is answered for."""
    entries = {place(entry): entry.position for entry in sheet.copy.entries}
    alike: dict[Problem, list[str]] = {}
    for problem in found:
        if problem.level != "block" and (problem.where in entries or problem.where.startswith(_ALSO_COMPARED)):
            where = _ALSO_COMPARED if problem.where not in entries else ""
            alike.setdefault(replace(problem, where=where, judged=()), []).append(problem.where)
        else:
            yield problem
    for problem, places in alike.items():
        if len(places) == 1:
            yield replace(problem, where=places[0])
        elif problem.where:
            titles = [each.removeprefix(_ALSO_COMPARED) for each in places]
            yield replace(problem, where=f"{_ALSO_COMPARED}{_shortly(titles)}")
        else:
            yield replace(problem, where=numbered([entries[each] for each in places]))


def _once(sheet: Sheet, found: Iterable[tuple[View, Problem]]) -> Iterator[Problem]:
    """Each problem once, with the variants it was found in unless it is in every one that could have it."""
    variants: dict[Problem, list[str]] = {}
    for view, problem in found:
        variants.setdefault(problem, []).append(view.rendering.variant)
    for problem, keys in variants.items():
        could = [each for each in sheet.renderings if each.html or not problem.where.startswith("HTML")]
        if len(set(keys)) == len(could):
            yield problem
        else:
            yield replace(problem, where=f"{_named(list(dict.fromkeys(keys)))}: {problem.where}")


def _named(keys: list[str]) -> str:
    return f"{'variant' if len(keys) == 1 else 'variants'} {_shortly(keys)}"


def _shortly(names: list[str]) -> str:
    if len(names) > _MOST_NAMED:
        return f"{', '.join(names[:_MOST_NAMED])} and {len(names) - _MOST_NAMED} more"
    return listed(names)


def _order(problem: Problem) -> tuple[int, int]:
    return _WORST_FIRST.index(problem.level), _at(problem.where)


def _at(where: str) -> int:
    """The number of the entry; what comes before them all, or after."""
    entry = _ENTRY.search(where)
    if entry:
        return int(entry[1])
    return 0 if where.endswith(_BEFORE_ENTRIES) else _AFTER_ENTRIES
