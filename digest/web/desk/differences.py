"""What is not as it was: against the last edition, an earlier one, or this one as it stood."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, Response

from digest import differences, earlier, editing, staff
from digest.earlier import Choices, NoSuchVersion, Version
from digest.manuscript import NotToBeHad
from digest.rendering import TemplateFailed
from digest.rendering.typography import spoken_moment
from digest.web.desk import rules_form
from digest.web.desk.shell import desk_page
from digest.web.pages import services_of
from digest.web.sending import edition_of
from digest.web.staff_door import Editor, as_a_mail, with_frames

router = APIRouter()

Against = Annotated[str, Query(max_length=40)]


@router.get("/desk/{week}/differences", dependencies=[Depends(with_frames)])
def show(request: Request, visitor: Editor, week: str, against: Against = "") -> Response:
    """Entries, figures, words and the two mails; where there is no such version, what there is."""
    services = services_of(request)
    before, told, problem = None, None, None
    with services.database.reading() as session:
        edition = edition_of(session, week)
        found = editing.read(session, edition)
        names = staff.names(session)
        choices = earlier.choices(session, edition)
        try:
            before = earlier.version(session, edition, against)
        except (NoSuchVersion, NotToBeHad) as why:
            problem = str(why)
    zone = services.settings.digest_timezone

    def named(by: str) -> str:
        return names.get(by, by)

    if before is not None:
        told = differences.between(before.manuscript, found)
    return desk_page(
        request,
        visitor,
        edition,
        "differences.html",
        names=names,
        status=404 if problem else 200,
        problem=problem,
        manuscript=found,
        before=before,
        before_words=_spoken(before, named, zone) if before else "",
        told=told,
        rules=rules_form.changed(before.manuscript.rules, found.rules) if before else [],
        options=_options(choices, named, zone),
        against=before.key if before else "",
    )


@router.get("/desk/{week}/differences/mail", dependencies=[Depends(as_a_mail)])
def show_mail(request: Request, visitor: Editor, week: str, against: Against = "") -> Response:  # noqa: ARG001
    """The mail of the other side, for a frame."""
    services = services_of(request)
    with services.database.reading() as session:
        edition = edition_of(session, week)
        try:
            version = earlier.version(session, edition, against)
            return HTMLResponse(earlier.mail(session, version, services, now=datetime.now(UTC)))
        except (NoSuchVersion, NotToBeHad) as why:
            return Response(str(why), status_code=404, media_type="text/plain")
        except TemplateFailed as why:
            return Response(str(why), status_code=409, media_type="text/plain")


def _spoken(version: Version, named: Callable[[str], str], zone: tzinfo) -> str:
    """Edition 2026-W46 · this edition as it was drafted, 19 November 2026, 18:00 UTC."""
    if version.revision is None:
        return f"edition {version.edition.week}"
    kind = {"drafted": "as it was drafted", "test": "at the last test mail", "approval": "at the last approval"}
    words = kind.get(version.key, f"at revision {version.revision}")
    at = f", {spoken_moment(version.at.astimezone(zone))}" if version.at else ""
    return f"this edition {words}{at}{f', by {named(version.by)}' if version.by else ''}"


def _options(choices: Choices, named: Callable[[str], str], zone: tzinfo) -> Mapping[str, list[tuple[str, str]]]:
    """What can be chosen, by group: the value of each and its words."""

    def when(moment: datetime) -> str:
        return spoken_moment(moment.astimezone(zone))

    itself = [("drafted", "as it was drafted")]
    if choices.test:
        itself.append(("test", f"at the last test mail, {when(choices.test.at)}"))
    if choices.approval:
        itself.append(("approval", f"at the last approval, {when(choices.approval.at)}"))
    return {
        "Another edition": [
            (each.week, f"{each.week}{', the last that went out' if each is choices.last else ''}")
            for each in choices.editions
        ],
        "This edition": itself,
        "After an edit": [
            (f"r{edit.revision}", f"{when(edit.at)}: {edit.what}, by {named(edit.by)}") for edit in choices.edits
        ],
    }
