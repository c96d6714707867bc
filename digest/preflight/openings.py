"""Checks of what a reader sees first: the subject, and the edition in one breath."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from fractions import Fraction
from math import floor

from digest.facts import clean
from digest.preflight.sheet import Problem, Sheet, listed
from digest.preflight.view import View
from digest.verdicts import Side
from digest.verdicts.figures import percent_behind
from digest.verdicts.openings import LONGEST_BREATH, LONGEST_SUBJECT, SHORTEST_SUBJECT

_LOUD = re.compile(
    r"\b(?:amazing|awesome|best|worst|biggest|coolest|craziest|greatest|hottest|epic|incredible|insane|jaw[- ]dropping|"
    r"killer|mind[- ]blowing|shocking|stunning|ultimate|unbelievable|unmissable|revolutionary|"
    r"game[- ]chang(?:er|ers|ing)|must[- ](?:have|read|see|try)|"
    r"crush(?:es|ed)|destroy(?:s|ed)|obliterate[sd]|"
    r"secrets?|you won['’]t believe|you need to|what happened next|here['’]s why|this is why|never before)\b"
    r"|!|\?{2,}",
    re.IGNORECASE,
)
_SUPERLATIVE = re.compile(
    r"\b(?:first|only|best|worst|never|always|every|nobody|no one|none|most|least|"
    r"(?:fast|slow|cheap|larg|bigg|small|strong|weak|high|low|new|old|bright|smart|easi|hard|saf|clos|clear|"
    r"sharp|deep|simpl|rich|clean|great|hott|cool|crazi)est)\b",
    re.IGNORECASE,
)
_TALLY = re.compile(r"(?<![\w.,])(\d+)\s?[–—-]\s?(\d+)(?!\w)")
_FIGURE = re.compile(r"(?P<sign>[$€£¥₪]\s?)?(?<!\w)(?P<bare>[^\W\d_]*+\d(?:[\w.,]*\w)?)(?P<percent>\s?%)?")
_MARKS = re.compile(r"[\u200e\u200f\u2066-\u2069]")
_BLANK = re.compile(r"\s")
_HALF = Fraction(1, 2)


def subject_length(sheet: Sheet) -> Iterator[Problem]:
    for subject in _subjects(sheet):
        if not SHORTEST_SUBJECT <= len(subject) <= LONGEST_SUBJECT:
            many = "1 character" if len(subject) == 1 else f"{len(subject)} characters"
            yield Problem(
                "block",
                "subject-length",
                "subject",
                f"It has {many}; {SHORTEST_SUBJECT} to {LONGEST_SUBJECT} arrive whole.",
                "Lengthen it." if len(subject) < SHORTEST_SUBJECT else "Shorten it.",
                judged=(subject,),
            )


def subject_tone(sheet: Sheet) -> Iterator[Problem]:
    """Words that sell. Those in a tool's own name are the tool's."""
    for subject in _subjects(sheet):
        found = dict.fromkeys(word.casefold() for word in _LOUD.findall(_without_names(subject, sheet)))
        if found:
            yield Problem(
                "warn",
                "subject-tone",
                "subject",
                f"{listed([f'“{word}”' for word in found])} {'promises' if len(found) == 1 else 'promise'} more than "
                "a page can say.",
                "Say what the panel decided.",
            )


def breath_length(sheet: Sheet) -> Iterator[Problem]:
    breath = clean(sheet.copy.breath)
    if not breath:
        yield Problem(
            "block", "breath-length", "opening", "There is none; inboxes show it beside the subject.", "Write one."
        )
    elif len(breath) > LONGEST_BREATH:
        yield Problem(
            "block",
            "breath-length",
            "opening",
            f"It has {len(breath)} characters; at most {LONGEST_BREATH} are one breath.",
            "Shorten it.",
            judged=(breath,),
        )


def subject_figures(view: View) -> Iterator[Problem]:
    """Every number of the subject stands in the mail, if need be as the same figure in other words."""
    wanted = dict.fromkeys(forms[0] for forms in figures(view.rendering.subject))
    if not wanted:
        return
    said = {figure for side in _sides(view.sheet) for figure in on_scoreboard(side)}
    for part in view.parts:
        absent = wanted.keys() - said
        absent -= {form for forms in figures(part.visible) for form in forms}
        if absent:
            yield Problem(
                "block",
                "subject-figures",
                "subject",
                f"{listed(sorted(absent))} {'stands' if len(absent) == 1 else 'stand'} nowhere in the mail.",
                "Correct the figure, or take it out of the subject.",
                judged=(view.rendering.subject, *sorted(absent)),
            )
            return


def subject_superlatives(view: View) -> Iterator[Problem]:
    """Who is first, best or the only one is a fact that the mail has to state."""
    claims = dict.fromkeys(
        found.casefold() for found in _SUPERLATIVE.findall(_without_names(view.rendering.subject, view.sheet))
    )
    for part in view.parts:
        absent = [claim for claim in claims if not re.search(rf"\b{claim}\b", part.visible, re.IGNORECASE)]
        if absent:
            yield Problem(
                "warn",
                "subject-superlative",
                "subject",
                f"{listed([f'“{claim}”' for claim in absent])} {'stands' if len(absent) == 1 else 'stand'} nowhere in "
                "the mail.",
                "Say in the mail what makes it so, or take it out of the subject.",
            )
            return


def _subjects(sheet: Sheet) -> Iterable[str]:
    """As they would arrive; normally one."""
    return dict.fromkeys(each.subject for each in sheet.renderings) or (clean(sheet.copy.subject),)


def _sides(sheet: Sheet) -> Iterator[Side]:
    for entry in sheet.copy.entries:
        yield from (entry.summary.left, entry.summary.right)


def _without_names(subject: str, sheet: Sheet) -> str:
    names = {name for side in _sides(sheet) for name in (side.name, side.short_name)}
    for name in sorted(names, key=len, reverse=True):
        subject = re.sub(re.escape(name), " ", subject, flags=re.IGNORECASE)
    return subject


def figures(text: str) -> Iterator[tuple[str, ...]]:
    """Each figure in the forms it answers to, the most exact first: $20 also to 20, 75% also to 75."""
    text = _MARKS.sub("", text)
    for tally in _TALLY.finditer(text):
        yield (f"{tally[1]}–{tally[2]}",)
    for found in _FIGURE.finditer(_TALLY.sub(" ", text)):
        bare = found["bare"].casefold()
        if bare.replace(",", "").isdigit():
            bare = bare.replace(",", "")
        whole = _BLANK.sub("", f"{found['sign'] or ''}{bare}{found['percent'] or ''}")
        yield (whole, bare) if whole != bare else (bare,)


def on_scoreboard(side: Side) -> Iterator[str]:
    """What the scoreboard says of a tool in other figures: “3 ship · 1 skip” is 3–1 and 75%."""
    if side.percent:
        yield _BLANK.sub("", side.percent)
    share = percent_behind(side.split) if side.split else None
    if side.split and share is not None:
        ship, skip = re.findall(r"\d+", side.split)[:2]
        yield f"{ship}–{skip}"
        yield f"{floor(share + _HALF)}%"
