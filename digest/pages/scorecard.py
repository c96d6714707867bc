"""The reviewer scorecard of a page: takes by reviewer, or remarks that nobody signs. Pure.

A take's remark may have several paragraphs, so where it ends is known only by what follows it. On a page that breaks
off, a remark that nothing follows is unfinished and is not kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from digest.facts import LONGEST_TEXT, MOST_LOOSE_REMARKS, TakeFacts
from digest.pages.lines import Line, score

_NO_TAKE = "no panel take"
_LONGEST_REVIEWER = 80
_SHORT_LINE = 40


@dataclass(frozen=True)
class Scorecard:
    """The takes on each tool; `loose` are remarks in page order without reviewer and tool."""

    left: tuple[TakeFacts, ...] = ()
    right: tuple[TakeFacts, ...] = ()
    loose: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def read_scorecard(lines: Sequence[Line], names: tuple[str, str], *, whole: bool) -> Scorecard:
    """`lines` are those below the heading *Reviewer scorecard*; `whole`: the page goes on after them."""
    if not lines:
        return Scorecard()
    if lines[0].text[0] in '“"':
        return _loose(lines, whole=whole)
    return _signed(lines, names, whole=whole)


# Takes with a reviewer


def _signed(lines: Sequence[Line], names: tuple[str, str], *, whole: bool) -> Scorecard:
    starts, readable_to = _reviewers(lines)
    if not starts:
        return Scorecard(missing=("The reviewer scorecard could not be read.",))
    whole = whole and readable_to == len(lines)
    sides: tuple[list[TakeFacts], list[TakeFacts]] = ([], [])
    missing: list[str] = []
    for start, end in zip(starts, [*starts[1:], readable_to], strict=True):
        finished = whole or end < readable_to
        _row(lines[start:end], names, sides, missing, finished=finished)
    if readable_to < len(lines):
        missing.append(f"The reviewer scorecard could not be read below {lines[starts[-1]].text}.")
    return Scorecard(tuple(sides[0]), tuple(sides[1]), missing=tuple(missing))


def _row(
    lines: Sequence[Line],
    names: tuple[str, str],
    sides: tuple[list[TakeFacts], list[TakeFacts]],
    missing: list[str],
    *,
    finished: bool,
) -> None:
    """One reviewer's line, then the take on the left tool, then the take on the right one."""
    reviewer = lines[0].text
    marks = [i for i, line in enumerate(lines) if _is_mark(line)]
    if len(marks) > len(names) or (finished and len(marks) < len(names)):
        missing.append(f"The takes of {reviewer} could not be told apart and were not kept.")
        return
    if len(marks) < len(names):
        missing.append(f"The take of {reviewer} on {names[1]} could not be read.")
    for side, (mark, end) in enumerate(zip(marks, [*marks[1:], len(lines)], strict=True)):
        given = score(lines[mark].text)
        if given is None:
            continue
        ended = finished or end < len(lines)
        whose = f"of {reviewer} on {names[side]}"
        if not ended:
            missing.append(f"The remark {whose} is unfinished and was not kept.")
        if given.score is None or given.call is None:
            missing.append(f"The line “{lines[mark].text}” {whose} could not be read in full.")
        remark = _unquoted(" ".join(line.text for line in lines[mark + 1 : end])) if ended else ""
        if len(remark) > LONGEST_TEXT:
            missing.append(f"The remark {whose} is longer than {LONGEST_TEXT} characters and was not kept.")
            remark = ""
        take = TakeFacts(reviewer=reviewer, score=given.score, call=given.call, remark=remark or None)
        sides[side].append(take)


def _is_mark(line: Line) -> bool:
    return line.says(_NO_TAKE) or score(line.text) is not None


def _reviewers(lines: Sequence[Line]) -> tuple[list[int], int]:
    """Where each reviewer's line stands, and how far the scorecard could be told apart.

    Where blank lines divide the page, a reviewer's line stands directly above a score. Where they do not, every
    reviewer has two scores (or *No panel take*), and the line above each odd one is the next reviewer's.
    """
    if len(lines) < 2 or not _is_mark(lines[1]) or _is_mark(lines[0]):  # noqa: PLR2004 - a reviewer and a score
        return [], 0
    if lines[0].apart and not lines[1].apart:
        return [i for i in range(len(lines) - 1) if _is_reviewer_above(lines, i)], len(lines)
    return _reviewers_by_pairs(lines)


def _is_reviewer_above(lines: Sequence[Line], i: int) -> bool:
    below = lines[i + 1]
    return not _is_mark(lines[i]) and _is_mark(below) and not below.apart and len(lines[i].text) <= _LONGEST_REVIEWER


def _reviewers_by_pairs(lines: Sequence[Line]) -> tuple[list[int], int]:
    marks = [i for i, line in enumerate(lines) if _is_mark(line)]
    starts: list[int] = []
    for left in range(0, len(marks), 2):
        start = marks[left] - 1
        stands_free = marks[left - 1] < start if left else start == 0
        if not stands_free or len(lines[start].text) > _LONGEST_REVIEWER:
            return starts, marks[left]
        right = marks[left + 1] if left + 1 < len(marks) else None
        if right is not None and _hides_a_reviewer(lines, marks[left], right):
            return starts, start
        starts.append(start)
    return starts, len(lines)


def _hides_a_reviewer(lines: Sequence[Line], left: int, right: int) -> bool:
    """Between the two takes of one reviewer stands the left remark only, and no remark ends like a name."""
    between = lines[left + 1 : right]
    if not between:
        return False
    last = between[-1].text
    name_like = len(last) <= _SHORT_LINE and last[-1] not in ".!?…”\"')"
    return name_like and (len(between) > 1 or lines[left].says(_NO_TAKE))


# Remarks that nobody signs


def _loose(lines: Sequence[Line], *, whole: bool) -> Scorecard:
    remarks: list[str] = []
    missing: list[str] = []
    at = 0
    while at < len(lines):
        end = _end_of_quotation(lines, at, whole=whole) if lines[at].text[0] in '“"' else None
        if end is None and not whole:
            missing.append("The last remark of the reviewer scorecard is unfinished and was not kept.")
            break
        if end is None:
            missing.append(f"A line of the reviewer scorecard could not be read: “{lines[at].text[:60]}”.")
            at = next((i for i in range(at + 1, len(lines)) if lines[i].text[0] in '“"'), len(lines))
            continue
        remark = _unquoted(" ".join(line.text for line in lines[at:end]))
        if remark and len(remark) <= LONGEST_TEXT and len(remarks) < MOST_LOOSE_REMARKS:
            remarks.append(remark)
        else:
            missing.append(f"A remark of the reviewer scorecard does not fit and was not kept: “{remark[:60]}”.")
        at = end
    return Scorecard(loose=tuple(remarks), missing=tuple(missing))


def _end_of_quotation(lines: Sequence[Line], start: int, *, whole: bool) -> int | None:
    """The line after the one that closes the quotation marks opened at `start`; None where they stay open."""
    curly = lines[start].text[0] == "“"
    depth = 0
    for i in range(start, len(lines)):
        text = lines[i].text
        depth += _opened(text)
        if text[-1] != ("”" if curly else '"') or (i == start and len(text) == 1):
            continue
        following = lines[i + 1].text if i + 1 < len(lines) else None
        if curly and depth <= 0:
            return i + 1
        if following is None:
            return i + 1 if whole else None
        # A remark may hold an odd quotation mark; a whole remark below it shows that it is over.
        if _stands_alone(following) if curly else following[0] == '"':
            return i + 1
    return None


def _opened(text: str) -> int:
    return text.count("“") - text.count("”")


def _stands_alone(text: str) -> bool:
    return text[0] == "“" and text[-1] == "”" and _opened(text) == 0


def _unquoted(text: str) -> str:
    """The remark without the quotation marks set around the whole of it; those inside are the reviewer's own."""
    if len(text) < 2:  # noqa: PLR2004 - a pair of marks
        return text
    if text[0] == text[-1] == '"' and text.count('"') % 2 == 0:
        return text[1:-1].strip()
    if text[0] == "“" and text[-1] == "”" and _closes_last(text):
        return text[1:-1].strip()
    return text


def _closes_last(text: str) -> bool:
    """Whether the first mark is closed by the last character, not earlier: “A” and “B” are two quotations."""
    depth = 0
    for i, sign in enumerate(text):
        depth += (sign == "“") - (sign == "”")
        if depth == 0 and i < len(text) - 1:
            return False
    return True
