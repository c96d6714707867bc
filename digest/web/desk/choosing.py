"""Why each comparison is in or out, and what other rules would change.

Trying other rules is a GET and changes nothing; what it showed is then applied by a POST that carries the revision and
the mark of what was seen, so that nothing else is ever done than was looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from markupsafe import Markup
from starlette.datastructures import FormData

from digest import differences, editing, reselecting, score_bars, staff
from digest.editing import Overtaken
from digest.errors import DigestError
from digest.manuscript import Manuscript
from digest.models import Edit
from digest.reselecting import Proposal, Weighed
from digest.score_bars import Field
from digest.selection import Considered, Rules
from digest.web import forms
from digest.web.desk import rules_form
from digest.web.desk.shell import OPEN_STATES, desk_page
from digest.web.pages import services_of
from digest.web.sending import edition_of
from digest.web.sending_words import counted
from digest.web.staff_door import Editor, Visitor

router = APIRouter()

PAGE = 25
LONGEST_SEARCH = 100
LONGEST_NUMBER = 9

# What was done, by the word in the address after the redirect.
SAID = {
    "selected": "Selected again by these rules. Undo, on the edition's page, takes it back.",
    "voided": "Selected again by these rules, and the approval is void. Undo brings the entries back, not that.",
    "unchanged": "Nothing was changed: these rules choose what is there already.",
}


@dataclass(frozen=True, slots=True)
class Item:
    """One comparison with everything that says why it is where it is."""

    weighed: Weighed
    bar: Markup
    fields: Sequence[Field]
    score: int
    rank: int
    cost: int
    reason: str
    deductions: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Move:
    """One line of what other rules would change."""

    change: differences.EntryChange
    considered: Considered | None
    pinned: bool
    taken_out: Edit | None


@router.get("/desk/{week}/selection")
def show(request: Request, visitor: Editor, week: str) -> Response:
    """What was weighed; with rules in the address, what those would change."""
    asked = request.query_params
    given = {name: asked[name] for name in rules_form.NAMES if name in asked}
    if given:
        return change_page(request, visitor, week, given)
    return _weighed_page(request, visitor, week, asked)


@router.post("/desk/{week}/selection")
def select_again(request: Request, visitor: Editor, week: str, form: forms.Form) -> Response:
    """The entries that these rules choose, if that is what was seen."""
    services = services_of(request)
    given = {name: forms.word(form, name) for name in rules_form.NAMES if name in form}
    with services.database.reading() as session:
        edition = edition_of(session, week)
        in_force = editing.read(session, edition).rules
    try:
        rules = rules_form.read(in_force, given)
        again = reselecting.by_rules(rules, services.settings, seen=forms.word(form, "seen"))
        saved = editing.select_again(
            services.database, edition.week, again, seen_revision=_revision(form), by=visitor.by, now=datetime.now(UTC)
        )
    except rules_form.Nonsense as why:
        return change_page(request, visitor, week, given, problem=f"{why} Nothing was changed.", status=422)
    except Overtaken as why:
        return change_page(request, visitor, week, given, overtaken=why, status=409)
    except DigestError as why:
        return change_page(request, visitor, week, given, problem=str(why), status=409)
    done = "unchanged" if not saved.changed else "voided" if saved.voided else "selected"
    return RedirectResponse(f"/desk/{edition.week}/selection?done={done}", status_code=303)


def _revision(form: FormData) -> int:
    """The revision that was seen; one that no edition has where the field says nothing sensible."""
    return _number(forms.word(form, "revision"), otherwise=-1)


def _number(text: str, *, otherwise: int) -> int:
    is_number = text.isascii() and text.isdecimal() and len(text) <= LONGEST_NUMBER
    return int(text) if is_number else otherwise


# — what was weighed —


def _weighed_page(request: Request, visitor: Visitor, week: str, asked: Mapping[str, str]) -> Response:
    search = " ".join(asked.get("q", "").split())[:LONGEST_SEARCH]
    with services_of(request).database.reading() as session:
        edition = edition_of(session, week)
        found = editing.read(session, edition)
        everything = reselecting.weighed(session, edition, found, editing.edits_of(session, edition))
        names = staff.names(session)
    inside = sorted((each for each in everything if each.at), key=lambda each: each.at or 0)
    taken_out = [each for each in everything if each.by_rule and not each.at]
    near = [each for each in everything if each.near_miss and each not in taken_out]
    prominent = {each.comparison for each in (*inside, *taken_out, *near)}
    rest = [each for each in everything if each.comparison not in prominent]
    listed = [each for each in everything if search.casefold() in each.name.casefold()] if search else rest
    pages = max(1, -(-len(listed) // PAGE))
    at_page = min(max(1, _number(asked.get("page", ""), otherwise=1)), pages)

    def items(some: Sequence[Weighed]) -> list[Item]:
        return [_item(each, found.rules) for each in some]

    return desk_page(
        request,
        visitor,
        edition,
        "selection.html",
        names=names,
        said=SAID.get(asked.get("done", "")),
        manuscript=found,
        total=len(everything),
        by_rule=sum(each.by_rule for each in everything),
        brought_in=sum(not each.by_rule for each in inside),
        pinned=sum(entry.pinned for entry in found.entries),
        inside=items(inside),
        taken_out=items(taken_out),
        near=items(near),
        listed=items(listed[(at_page - 1) * PAGE : at_page * PAGE]),
        found=len(listed),
        search=search,
        page=at_page,
        pages=pages,
        parts_open=asked.get("parts") == "all",
        legend=score_bars.score_bar(_legend(found.rules), "score-bar legend-bar"),
        boxes=rules_form.boxes(found.rules, {}),
        at_fault="",
        counted=counted,
    )


def _item(each: Weighed, rules: Rules) -> Item:
    row = each.row
    weights = rules.weights.model_dump()
    parts = row.parts if row else []
    fields = [
        Field(rules_form.label_of(part["name"]), part["points"], weights.get(part["name"], 0), part["words"])
        for part in parts
    ]
    deductions = row.deductions if row else []
    return Item(
        weighed=each,
        bar=score_bars.score_bar(fields),
        fields=fields,
        score=row.score if row else 0,
        rank=row.rank if row else 0,
        cost=sum(each["points"] for each in deductions),
        reason=_sentence(row.reason) if row else "It did not stand when the rules were last applied.",
        deductions=deductions,
    )


def _legend(rules: Rules) -> list[Field]:
    weights = rules.weights.model_dump()
    return [Field(rules_form.label_of(name), most, most, "") for name, most in weights.items()]


def _sentence(reason: str) -> str:
    """Passed over: Axolotl v0.16 is already in two entries."""
    return f"{reason[:1].upper()}{reason[1:]}."


# — what other rules would change —


def change_page(
    request: Request,
    visitor: Visitor,
    week: str,
    given: Mapping[str, str],
    *,
    problem: str | None = None,
    overtaken: Overtaken | None = None,
    status: int = 200,
) -> Response:
    """The rules that were typed and what they would make of the edition as it is now; nothing is done."""
    services = services_of(request)
    proposal, at_fault = None, ""
    with services.database.reading() as session:
        edition = edition_of(session, week)
        found = editing.read(session, edition)
        names = staff.names(session)
        moved = reselecting.last_to_move(editing.edits_of(session, edition))
        try:
            rules = rules_form.read(found.rules, given)
        except rules_form.Nonsense as why:
            problem, at_fault, status = problem or f"{why}", why.at_fault, max(status, 422)
        else:
            if edition.state in OPEN_STATES:
                proposal = reselecting.propose(session, edition, found, rules, services.settings)
    if edition.state not in OPEN_STATES:
        problem = problem or f"Edition {edition.week} is {edition.state}, so it cannot be selected again."
        status = max(status, 409)
    if overtaken is not None:
        problem = _said_of(overtaken, names)
    return desk_page(
        request,
        visitor,
        edition,
        "selection_change.html",
        names=names,
        status=status,
        problem=problem,
        manuscript=found,
        boxes=rules_form.boxes(found.rules, given),
        at_fault=at_fault,
        proposal=proposal,
        counted=counted,
        **(_told(proposal, moved) if proposal else {}),
    )


def _told(proposal: Proposal, moved: Mapping[int, Edit]) -> dict[str, Any]:
    """What comes of the rules. What comes in and was moved before had been taken out."""
    before, after = proposal.before, proposal.after
    told = differences.between(before, after)
    considered = {one.key: one for one in proposal.selection.considered}
    pinned = {entry.comparison for entry in before.entries if entry.pinned}
    return {
        "moves": [
            Move(
                change,
                considered.get(change.comparison),
                change.comparison in pinned,
                moved.get(change.comparison) if change.kind == "came" else None,
            )
            for change in told.entries
        ],
        "told": told,
        "following": [each for each in told.words if each.title in ("Subject", "In one breath")],
        "kept": _kept_by_hand(before, after),
        "rules": rules_form.changed(before.rules, after.rules),
        "fields": rules_form.values_of(after.rules),
        "is_nothing": after == before,
    }


def _kept_by_hand(before: Manuscript, after: Manuscript) -> list[str]:
    """What would be written otherwise, had an editor not written it."""
    return [
        words
        for words, name in (("The subject", "subject"), ("The edition in one breath", "breath"))
        if getattr(after, name) != getattr(after, f"{name}_by_rule")
        and getattr(before, f"{name}_by_rule") != getattr(after, f"{name}_by_rule")
    ]


def _said_of(overtaken: Overtaken, names: Mapping[str, str]) -> str:
    by = names.get(overtaken.by or "", overtaken.by or "somebody")
    return (
        f"This edition has been changed by {by} since you looked, so nothing was selected. "
        "Below is what your rules would change now."
    )
