"""One edition as its editors write it: every change makes the next manuscript of one. Pure.

What the program wrote stays beside what an editor made of it. Subject and the edition in one breath follow the
entries as long as nobody has written them by hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from digest import verdicts
from digest.errors import DigestError
from digest.facts import ComparisonFacts
from digest.selection import Rules
from digest.variants import AlsoCompared, EditionCopy, entry_copy
from digest.verdicts import Frozen, Summary
from digest.weeks import Week

#: Characters. Preflight says what reads well; these keep a slip of the hand out of the database.
LONGEST = {"subject": 300, "breath": 400, "introduction": 8000, "headline": 300, "sentence": 1000}

Parts = dict[str, Any]
"""What a manuscript is made of, as JSON, by name: "subject", "order", "headline 12". None: not there."""

_FOLLOWING = ("subject", "breath")
_WRITTEN = ("headline", "sentence")


class NotInIt(DigestError):
    """This comparison is not in the edition, so nothing was changed."""


class InItAlready(DigestError):
    """This comparison is in the edition already."""


class NotThatOrder(DigestError):
    """An order must name every entry once, so nothing was changed."""


class NoSuchPart(DigestError):
    """An edition has no such part to write."""


class NotToBeHad(DigestError):
    """This earlier version cannot be put together any more: a page in it has been merged with another since."""


class TooLong(DigestError):
    """This text is too long, so it was not saved."""


class Placed(Frozen):
    """One entry: the frozen page, its summary as it goes out, and what the program wrote where that may differ."""

    comparison: int
    facts: ComparisonFacts
    summary: Summary
    headline_by_rule: str
    sentence_by_rule: str
    pinned: bool = False


class Also(AlsoCompared):
    """A near miss in a line, with the comparison it is; None in editions older than that was kept."""

    comparison: int | None = None


class Manuscript(Frozen):
    """Everything of an edition that an editor can change. An empty introduction is none.

    `corrections` are the numbers of notes on earlier editions that this one prints.
    """

    week: str
    subject: str
    breath: str
    subject_by_rule: str
    breath_by_rule: str
    introduction: str = ""
    entries: tuple[Placed, ...] = ()
    also_compared: tuple[Also, ...] = ()
    corrections: tuple[int, ...] = ()
    rules: Rules = Rules()

    @property
    def order(self) -> tuple[int, ...]:
        """The comparisons in the order of the edition."""
        return tuple(entry.comparison for entry in self.entries)

    def entry(self, comparison: int) -> Placed:
        """Raises NotInIt."""
        for entry in self.entries:
            if entry.comparison == comparison:
                return entry
        raise NotInIt

    def place(self, comparison: int) -> str:
        """entry 3, Axolotl v0.16 vs Mistral 8x22B. Raises NotInIt."""
        return (
            f"entry {self.order.index(self.entry(comparison).comparison) + 1}, {self.entry(comparison).facts.headline}"
        )


def copy_of(manuscript: Manuscript, *, dated: date, corrections: Sequence[str]) -> EditionCopy:
    """All its words, for the mail it would make; `corrections` are those it prints, in words."""
    return EditionCopy(
        week=manuscript.week,
        dated=dated,
        subject=manuscript.subject,
        breath=manuscript.breath,
        introduction=manuscript.introduction or None,
        entries=tuple(
            entry_copy(position, entry.facts, entry.summary)
            for position, entry in enumerate(manuscript.entries, start=1)
        ),
        also_compared=tuple(AlsoCompared(title=line.title, url=line.url) for line in manuscript.also_compared),
        corrections=tuple(corrections),
    )


# — words —


def words_of(manuscript: Manuscript, part: str) -> str:
    """What stands in a part that can be written: "subject", "headline 12". Raises NoSuchPart or NotInIt."""
    name, comparison = _named(part)
    if comparison is None:
        return str(getattr(manuscript, name))
    return str(getattr(manuscript.entry(comparison).summary, name))


def words_by_rule(manuscript: Manuscript, part: str) -> str:
    """What the program wrote there; nothing for an introduction. Raises NoSuchPart or NotInIt."""
    name, comparison = _named(part)
    if name == "introduction":
        return ""
    return str(getattr(manuscript if comparison is None else manuscript.entry(comparison), f"{name}_by_rule"))


def written(manuscript: Manuscript, part: str, words: str) -> Manuscript:
    """With other words in one part. Raises NoSuchPart, NotInIt or TooLong."""
    name, comparison = _named(part)
    words = _plain(words) if name == "introduction" else " ".join(words.split())
    if len(words) > LONGEST[name]:
        raise TooLong(
            f"This {name} has {len(words):,} characters; at most {LONGEST[name]:,} are kept. It was not saved."
        )
    if comparison is None:
        return manuscript.model_copy(update={name: words})
    entry = manuscript.entry(comparison)
    changed = entry.model_copy(update={"summary": entry.summary.model_copy(update={name: words})})
    return _with_entries(manuscript, [changed if each is entry else each for each in manuscript.entries])


def spoken(manuscript: Manuscript, part: str) -> str:
    """What a part is called: headline of entry 3, Axolotl v0.16 vs Mistral 8x22B."""
    name, comparison = _named(part)
    return name if comparison is None else f"{name} of {manuscript.place(comparison)}"


def _named(part: str) -> tuple[str, int | None]:
    name, _, number = part.partition(" ")
    if name in _WRITTEN and number.isascii() and number.isdecimal() and len(number) < 19:  # noqa: PLR2004 - 64 bits
        return name, int(number)
    if name in LONGEST and name not in _WRITTEN and not number:
        return name, None
    raise NoSuchPart


def _plain(text: str) -> str:
    """Line ends as forms and scripts agree on them; nothing else of an editor's Markdown is touched."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip("\n")


# — entries —


def reordered(manuscript: Manuscript, order: Sequence[int]) -> Manuscript:
    """Raises NotThatOrder unless every entry is named once."""
    if sorted(order) != sorted(manuscript.order):
        raise NotThatOrder
    return composed(manuscript, [manuscript.entry(comparison) for comparison in order])


def dropped(manuscript: Manuscript, comparison: int) -> Manuscript:
    """Raises NotInIt."""
    gone = manuscript.entry(comparison)
    return composed(manuscript, [entry for entry in manuscript.entries if entry is not gone])


def brought_in(
    manuscript: Manuscript, comparison: int, facts: ComparisonFacts, position: int | None = None
) -> Manuscript:
    """With one comparison more, at `position` (from 1; None: at the end). Raises InItAlready."""
    if comparison in manuscript.order:
        raise InItAlready
    at = len(manuscript.entries) if position is None else max(0, position - 1)
    entries = [*manuscript.entries[:at], newly_placed(manuscript.entries, comparison, facts), *manuscript.entries[at:]]
    also = tuple(line for line in manuscript.also_compared if not _is(line, comparison, facts))
    return composed(manuscript.model_copy(update={"also_compared": also}), entries)


def pinned(manuscript: Manuscript, comparison: int, on: bool) -> Manuscript:  # noqa: FBT001 - the value is the point
    """Raises NotInIt."""
    entry = manuscript.entry(comparison)
    changed = entry.model_copy(update={"pinned": on})
    return _with_entries(manuscript, [changed if each is entry else each for each in manuscript.entries])


def refreshed(manuscript: Manuscript, comparison: int, facts: ComparisonFacts) -> Manuscript:
    """With what the page says now. Words an editor wrote stay; the others are written again. Raises NotInIt."""
    entry = manuscript.entry(comparison)
    others = [each for each in manuscript.entries if each is not entry]
    fresh = newly_placed(others, comparison, facts)
    own = {
        name: getattr(entry.summary, name)
        for name in _WRITTEN
        if getattr(entry.summary, name) != getattr(entry, f"{name}_by_rule")
    }
    changed = fresh.model_copy(update={"summary": fresh.summary.model_copy(update=own), "pinned": entry.pinned})
    return composed(manuscript, [changed if each is entry else each for each in manuscript.entries])


def selected_again(
    manuscript: Manuscript, chosen: Sequence[tuple[int, ComparisonFacts]], also: Sequence[Also], rules: Rules
) -> Manuscript:
    """With the entries that other rules choose, strongest first; pinned ones keep their places.

    Entries that stay keep their words and their pins.
    """
    fixed = {at: entry for at, entry in enumerate(manuscript.entries) if entry.pinned}
    held = {entry.comparison for entry in fixed.values()}
    known = {entry.comparison: entry for entry in manuscript.entries}
    entries: list[Placed] = []
    for comparison, facts in chosen:
        if comparison not in held:
            entries.append(known.get(comparison) or newly_placed([*fixed.values(), *entries], comparison, facts))
    for at, entry in sorted(fixed.items()):
        entries.insert(at, entry)
    changed = manuscript.model_copy(update={"also_compared": tuple(also), "rules": rules})
    return composed(changed, entries)


def newly_placed(others: Sequence[Placed], comparison: int, facts: ComparisonFacts) -> Placed:
    """One more entry beside others: neither their phrasing nor their quotations come again."""
    summary = verdicts.write_up([*(entry.facts for entry in others), facts]).summaries[-1]
    return Placed(
        comparison=comparison,
        facts=facts,
        summary=summary,
        headline_by_rule=summary.headline,
        sentence_by_rule=summary.sentence,
    )


def composed(manuscript: Manuscript, entries: Sequence[Placed]) -> Manuscript:
    """With these entries, in this order. Short names, subject and breath follow; no sentence of an entry changes."""
    found = verdicts.write_up([entry.facts for entry in entries], turn=Week.parse(manuscript.week).number)
    sided = [
        entry.model_copy(
            update={"summary": entry.summary.model_copy(update={"left": again.left, "right": again.right})}
        )
        for entry, again in zip(entries, found.summaries, strict=True)
    ]
    changes: dict[str, Any] = {}
    for name in _FOLLOWING:
        changes[f"{name}_by_rule"] = getattr(found, name)
        if getattr(manuscript, name) == getattr(manuscript, f"{name}_by_rule"):
            changes[name] = getattr(found, name)
    return _with_entries(manuscript.model_copy(update=changes), sided)


def with_correction(manuscript: Manuscript, correction: int, on: bool) -> Manuscript:  # noqa: FBT001 - as above
    """With or without a note on an earlier edition."""
    others = tuple(each for each in manuscript.corrections if each != correction)
    return manuscript.model_copy(update={"corrections": (*others, correction) if on else others})


def _with_entries(manuscript: Manuscript, entries: Sequence[Placed]) -> Manuscript:
    return manuscript.model_copy(update={"entries": tuple(entries)})


def _is(line: Also, comparison: int, facts: ComparisonFacts) -> bool:
    if line.comparison is not None:
        return line.comparison == comparison
    return (line.title, line.url) == (facts.headline, facts.url)


# — parts: what changed, and the way back —


_OF_AN_ENTRY = [name for name in Placed.model_fields if name != "comparison"]


def parts_of(manuscript: Manuscript) -> Parts:
    """All of it as plain values, each under a name that stays its own whatever else changes."""
    whole = manuscript.model_dump(mode="json", exclude={"week", "entries"})
    parts: Parts = {**whole, "order": list(manuscript.order)}
    for entry in manuscript.entries:
        dumped = entry.model_dump(mode="json", exclude={"comparison"})
        for name in _WRITTEN:
            dumped[name] = dumped["summary"].pop(name)
        parts |= {f"{name} {entry.comparison}": value for name, value in dumped.items()}
    return parts


def made_of(parts: Mapping[str, Any], week: str) -> Manuscript:
    """The manuscript of such parts; what belongs to no entry of the order is left aside. Raises NotToBeHad."""
    if any(f"facts {comparison}" not in parts for comparison in parts["order"]):
        raise NotToBeHad
    entries = []
    for comparison in parts["order"]:
        own = {name: parts[f"{name} {comparison}"] for name in (*_OF_AN_ENTRY, *_WRITTEN)}
        own["summary"] = own["summary"] | {name: own.pop(name) for name in _WRITTEN}
        entries.append(own | {"comparison": comparison})
    whole = {name: parts[name] for name in Manuscript.model_fields if name in parts}
    return Manuscript.model_validate(whole | {"week": week, "entries": entries})


def renumbered(parts: Mapping[str, Any], old: int, new: int) -> Parts:
    """The same parts, where one comparison turned out to be another that was known under `new`."""
    found: Parts = {}
    for name, value in parts.items():
        head, _, number = name.partition(" ")
        found[f"{head} {new}" if number == str(old) else name] = value
    if found.get("order") is not None:
        found["order"] = [new if each == old else each for each in found["order"]]
    if found.get("also_compared") is not None:
        found["also_compared"] = [
            {**line, "comparison": new} if line.get("comparison") == old else line for line in found["also_compared"]
        ]
    return found


def difference(before: Parts, after: Parts) -> tuple[Parts, Parts]:
    """The parts that are not the same, as they were and as they are."""
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return {name: before.get(name) for name in names}, {name: after.get(name) for name in names}


def put_back(current: Parts, before: Parts, after: Parts) -> tuple[Parts, list[str]]:
    """The parts with one edit taken back, and the parts where somebody has gone on since, which stand in its way.

    What only followed from the edit (names beside each other, a subject by rule) is put back where it still is so.
    """
    composing = "order" in after
    order = _order_back(current["order"], before.get("order", []), after.get("order", [])) if composing else None
    found, in_the_way = dict(current), []
    for name, was in before.items():
        if name == "order":
            continue
        if current.get(name) == after.get(name):
            found[name] = was
        elif not (composing and _follows(name, before, after)):
            in_the_way.append(name)
    if composing and order is None:
        in_the_way.append("order")
    elif order is not None:
        found["order"] = order
    return {name: value for name, value in found.items() if value is not None}, in_the_way


def _follows(name: str, before: Parts, after: Parts) -> bool:
    """Whether a part changed only because the entries did: everything but an entry that came or went."""
    return before.get(name) is not None and after.get(name) is not None


def _order_back(current: list[int], before: list[int], after: list[int]) -> list[int] | None:
    """The order without the entries that came, and with those that went in their places; None where it is not clear."""
    if current == after:
        return before
    gone, come = [each for each in before if each not in after], [each for each in after if each not in before]
    if not gone and not come:
        return None  # another order since: which of the two is meant?
    order = [each for each in current if each not in come]
    for each in gone:
        if each not in order:
            order.insert(min(before.index(each), len(order)), each)
    return order
