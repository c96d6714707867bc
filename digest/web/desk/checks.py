"""What would embarrass us, where, and how to mend it; and who answers for what is to go out all the same."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from digest import checking, editions, overrides, staff
from digest.checking import Checked
from digest.errors import DigestError
from digest.models import Edition, EditionState, Override
from digest.preflight import CATALOGUE, Check, Level, Problem
from digest.web import forms
from digest.web.desk.shell import desk_page
from digest.web.pages import environment, services_of
from digest.web.sending import edition_of
from digest.web.sending_words import counted
from digest.web.staff_door import Editor, Visitor

router = APIRouter()

SAID = {
    "overridden": "Kept with your name. It no longer stands in the way of the approval.",
    "lifted": "It blocks again.",
    "unchanged": "Nothing was changed: that had been done already.",
}
_ENTRY = re.compile(r"\bentr(?:y|ies) (\d+)")
_PARTS = {"subject": "#subject", "opening": "#opening", "introduction": "#introduction"}
_HEADINGS: Mapping[Level, str] = {"block": "Blocks the approval", "warn": "Look at this", "info": "Good to know"}


@dataclass(frozen=True, slots=True)
class Found:
    """One problem on the page; `way` leads to its place on the desk."""

    problem: Problem
    way: str | None


@dataclass(frozen=True, slots=True)
class Group:
    name: str
    level: str
    found: Sequence[Found]


@dataclass(frozen=True, slots=True)
class Looked:
    """One check, and how often it found something."""

    check: Check
    found: int
    worst: str


@dataclass(frozen=True, slots=True)
class Shown:
    """All that the page says of one edition. `broken`: it could not be rendered, and so not be checked."""

    edition: Edition
    groups: Sequence[Group] = ()
    looked: Mapping[str, Sequence[Looked]] = field(default_factory=dict)
    outlived: Sequence[Override] = ()
    """What was overridden and is not found any more, or not in these words."""
    blocking: int = 0
    overridden: int = 0
    warnings: int = 0
    broken: str = ""

    @property
    def may_override(self) -> bool:
        return self.edition.state is EditionState.DRAFT


@router.get("/desk/{week}/checks")
def show(request: Request, visitor: Editor, week: str, done: str = "", fragment: str = "") -> Response:
    """Every problem of an edition; with `fragment=list` only these, for the page where it is written."""
    if fragment == "list":
        shown, names = _looked_at(request, week)
        zone = services_of(request).settings.digest_timezone
        html = (
            environment()
            .get_template("desk/checks_list.html")
            .render(
                edition=shown.edition,
                shown=shown,
                counted=counted,
                named=lambda by: names.get(by, by),
                zone=zone,
                compact=True,
            )
        )
        return HTMLResponse(html)
    return checks_page(request, visitor, week, said=SAID.get(done))


def checks_page(
    request: Request,
    visitor: Visitor,
    week: str,
    *,
    said: str | None = None,
    problem: str | None = None,
    status: int = 200,
    at_fault: str = "",
    given: str = "",
) -> Response:
    """`at_fault`: the key of the form that was refused, with the reason that was `given`."""
    shown, names = _looked_at(request, week)
    if shown.edition.begun_at is not None:
        return RedirectResponse(f"/desk/{shown.edition.week}", status_code=303)
    return desk_page(
        request,
        visitor,
        shown.edition,
        "checks.html",
        names=names,
        status=status,
        said=said,
        problem=problem,
        at_fault=at_fault,
        given=given,
        compact=False,
        shown=shown,
        counted=counted,
    )


@router.post("/desk/{week}/overrides")
def override(request: Request, visitor: Editor, week: str, form: forms.Form) -> Response:
    """Answer for one blocking problem, or let it block again."""
    key, reason, act = forms.word(form, "key"), forms.word(form, "reason"), forms.word(form, "act")

    def refuse(status: int, problem: str) -> Response:
        return checks_page(
            request, visitor, week, status=status, problem=problem, at_fault=key, given=reason[:_LONGEST_KEPT]
        )

    if act not in ("override", "lift"):
        return refuse(422, "This form says neither to override nor to lift. Nothing was changed.")
    services, now = services_of(request), _now()
    try:
        with services.database.reading() as session:
            known = edition_of(session, week).week
        problems = checking.look(services, known, now=now).problems if act == "override" else []
        with services.database.writing() as session:
            edition = edition_of(session, known)
            if act == "lift":
                done = "lifted" if overrides.lift(session, edition, key, by=visitor.by, now=now) else "unchanged"
            elif any(each.key == key and each.overridden for each in problems):
                done = "unchanged"
            else:
                overrides.put(session, edition, problems, key, why=reason, by=visitor.by, now=now)
                done = "overridden"
    except overrides.NoReason as why:
        return refuse(422, str(why))
    except DigestError as why:
        return refuse(409, str(why))
    return RedirectResponse(f"/desk/{known}/checks?done={done}", status_code=303)


_LONGEST_KEPT = 2000


def _looked_at(request: Request, week: str) -> tuple[Shown, dict[str, str]]:
    services = services_of(request)
    with services.database.reading() as session:
        edition = edition_of(session, week)
        names = staff.names(session)
        comparisons = {entry.position: entry.comparison_id for entry in editions.entries_of(session, edition)}
        known = overrides.of(session, edition)
    if edition.begun_at is not None:
        return Shown(edition), names
    try:
        checked = checking.look(services, edition.week, now=_now())
    except DigestError as why:
        return Shown(edition, broken=str(why)), names
    return _shown(checked, comparisons, known), names


def _shown(checked: Checked, comparisons: Mapping[int, int], known: Sequence[Override]) -> Shown:
    problems = checked.problems
    found = [Found(problem, _way(checked.edition.week, problem.where, comparisons)) for problem in problems]
    standing = [each for each in found if each.problem.overridden is None]
    groups = [
        Group(name, level, [each for each in standing if each.problem.level == level])
        for level, name in _HEADINGS.items()
    ]
    groups.insert(1, Group("Overridden", "overridden", [each for each in found if each.problem.overridden]))
    keys = {problem.key for problem in problems}
    return Shown(
        edition=checked.edition,
        groups=[group for group in groups if group.found],
        looked={name: [_looked(check, problems) for check in checks] for name, checks in CATALOGUE.items()},
        outlived=[each for each in known if each.problem_key not in keys],
        blocking=sum(problem.blocks for problem in problems),
        overridden=sum(problem.overridden is not None for problem in problems),
        warnings=sum(problem.level == "warn" for problem in problems),
    )


def _looked(check: Check, problems: Sequence[Problem]) -> Looked:
    of_it = [problem for problem in problems if problem.code == check.code]
    # An overridden one is no worse than what still stands.
    marks = [problem.mark for problem in of_it if problem.overridden is None] or [problem.mark for problem in of_it]
    return Looked(check, len(of_it), marks[0] if marks else "")


def _way(week: str, where: str, comparisons: Mapping[int, int]) -> str | None:
    """The place on the desk where it can be mended; None for what no editor writes."""
    entry = _ENTRY.search(where)
    if entry and int(entry[1]) in comparisons:
        return f"/desk/{week}#entry-{comparisons[int(entry[1])]}"
    part = _PARTS.get(where)
    return f"/desk/{week}{part}" if part else None


def _now() -> datetime:
    return datetime.now(UTC)
