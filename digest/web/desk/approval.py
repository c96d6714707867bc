"""One honest button: who gets what, and when; taking it back.

The button carries the content hash and the number of candidates that were seen. Who presses it twice, or a moment after
somebody else, changes nothing and is told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session
from starlette.datastructures import FormData

from digest import (
    approving,
    audience_panel,
    audiences,
    checking,
    editing,
    editions,
    envelopes,
    pauses,
    proofs,
    sending,
    staff,
    test_mails,
)
from digest.bootstrap import Services
from digest.errors import DigestError
from digest.models import Edition, EditionState, RenderingRow
from digest.preflight import Problem
from digest.proofs import Envelope
from digest.rendering.typography import spoken_moment
from digest.staff import audit
from digest.transport import TransportError, Uncertain
from digest.variants import EVERYTHING
from digest.web import forms
from digest.web import sending_words as words
from digest.web.desk.shell import desk_page
from digest.web.numbers import share
from digest.web.pages import services_of
from digest.web.sending import edition_of
from digest.web.sending_acts import LONGEST_REASON, NEEDS_REASON
from digest.web.staff_door import Approver, Editor, Visitor
from subscribers.texts import shortened

router = APIRouter()

DRAFT, APPROVED, SKIPPED = EditionState.DRAFT, EditionState.APPROVED, EditionState.SKIPPED
SHORT_HASH = 12
LONGEST_KEY = 40
"""Of a variant."""
NO_HASH = "none"
_COUNT = re.compile(r"[0-9]{1,9}")
_MINUTE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}")
"""As browsers send a day and a time: nothing else that Python would read as one."""

# What was done, by the word in the address after the redirect: no text of anybody's comes in that way.
SAID = {
    "approved": "Approved. Nothing has left yet, and until it does you can take it back.",
    "already": "You had approved it already, just now. It is approved once.",
    "taken-back": "Taken back: it is a draft again, and nobody got anything.",
    "tested": "The test was accepted. Whether it arrives, the inbox tells.",
    "skipped": "Skipped: this week has no edition, and its comparisons stand again next week.",
    "reopened": "Reopened: it is a draft again.",
    "unchanged": "Nothing was changed: that had been done already.",
}

INCOMPLETE = "This form did not say what was seen, so nothing was approved. Look again, then approve."
NO_TIME = "Say when it shall leave. Nothing was approved."
NOT_A_TIME = "Give a day and a time, such as 2026-11-20T09:00. Nothing was approved."
NO_SUCH_TIME = "The clocks go forward then, so there is no such time. Nothing was approved."
TIME_PASSED = "That time has passed: give one to come. Nothing was approved."
TOO_FAR = f"That is more than {approving.FARTHEST.days} days away; is the date right? Nothing was approved."
LATE = "The time it was planned for has passed, so nothing was approved. Say when it shall leave."
NOBODY_THERE = "One of them is not on the staff any more, so no test was handed over."

WAYS_OUT = {
    "outbox": "into the outbox folder, as files: it reaches nobody’s mailbox",
    "sendgrid": "through SendGrid, into mailboxes",
}


Act = Callable[[Session, Edition, str, datetime], None]
Refuse = Callable[[int, str], Response]


class BadForm(DigestError):
    """Something in this form is missing or wrong."""


@dataclass(frozen=True, slots=True)
class Given:
    """What somebody filled in before a form was refused, so that it is not lost. `form`: which one."""

    form: str = ""
    words: Mapping[str, str] = field(default_factory=dict)
    recipients: frozenset[str] = frozenset()

    def others_than(self, staff_id: int) -> frozenset[str]:
        """Who else was ticked."""
        return self.recipients - {str(staff_id)}

    def of(self, form: str, name: str) -> str:
        return self.words.get(name, "") if self.form == form else ""


NOTHING = Given()


# — the page —


@router.get("/desk/{week}/approval")
def show(request: Request, visitor: Editor, week: str, done: str = "") -> Response:
    """What will be approved, who gets it, when it leaves, and what stands in the way."""
    return approval_page(request, visitor, week, said=SAID.get(done))


def approval_page(
    request: Request,
    visitor: Visitor,
    week: str,
    *,
    said: str | None = None,
    problem: str | None = None,
    status: int = 200,
    given: Given = NOTHING,
) -> Response:
    services, now = services_of(request), _now()
    with services.database.reading() as session:
        edition = edition_of(session, week)
        names = staff.names(session)
        values: dict[str, Any] = {}
        if edition.state is DRAFT:
            values = _of_a_draft(session, edition, services, visitor, now)
        elif edition.state is APPROVED:
            values = _of_an_approved(session, edition, services, now)
        colleagues = [each for each in staff.on_staff(session) if each.id != visitor.staff_id]
        switch = pauses.kill_switch(session)
    return desk_page(
        request,
        visitor,
        edition,
        "approval.html",
        names=names,
        status=status,
        said=said,
        problem=problem,
        given=given,
        colleagues=colleagues,
        kill_switch=switch,
        undo_minutes=services.settings.digest_undo_minutes,
        two_person=services.settings.digest_two_person,
        rule=audiences.definition(services.settings.digest_timezone),
        sentence=words.STATES[edition.state],
        counted=words.counted,
        share=share,
        short=lambda text: text[:SHORT_HASH],
        **values,
    )


def _of_a_draft(
    session: Session, edition: Edition, services: Services, visitor: Visitor, now: datetime
) -> dict[str, Any]:
    envelope, zone = envelopes.current(services), services.settings.digest_timezone
    copy = editions.copy_of(session, edition, zone)
    try:
        proof = proofs.proof(session, edition, envelope, zone)
        content_hash, problems = proof.content_hash, checking.check(session, edition, proof, services, now=now)
    except DigestError as why:
        content_hash, problems = NO_HASH, [_not_to_be_rendered(why)]
    variants, _ = proofs.variants_needed(session, copy)
    earliest = now + timedelta(minutes=services.settings.digest_undo_minutes)
    send_at = max(edition.send_at, now)
    return {
        "subject": copy.subject,
        "headlines": [each.summary.headline for each in copy.entries],
        "content_hash": content_hash,
        "panel": audience_panel.panel(
            session,
            edition,
            [each.key for each in variants],
            audiences.rules_in_force(services),
            send_at=send_at,
            prepared_at=max(send_at, earliest),
        ),
        "blocking": [each for each in problems if each.blocks],
        "warnings": sum(each.level == "warn" for each in problems),
        "is_late": edition.send_at <= now,
        "earliest": earliest,
        "wrote": sorted(editing.authors(session, edition)),
        "is_author": approving.wrote_in_it(session, edition, visitor.by),
        "who_may": [each.email for each in approving.who_may(session, edition, services)],
        **_outside(envelope),
    }


def _not_to_be_rendered(why: DigestError) -> Problem:
    """In place of all that preflight would have found."""
    return Problem("block", "not-rendered", "the mail", str(why), "Mend this first; the checks run when it is mended.")


def _of_an_approved(session: Session, edition: Edition, services: Services, now: datetime) -> dict[str, Any]:
    frozen = sa.select(RenderingRow.variant).where(RenderingRow.edition_id == edition.id)
    return {
        "subject": edition.subject,
        "headlines": [editions.entry_copy(each).summary.headline for each in editions.entries_of(session, edition)],
        "content_hash": edition.approved_hash,
        "panel": audience_panel.panel(
            session,
            edition,
            session.scalars(frozen).all(),
            audiences.rules_in_force(services),
            send_at=edition.send_at,
            prepared_at=max(sending.leaves_at(edition, services), now),
        ),
        **_outside(Envelope.model_validate(edition.envelope)),
    }


def _outside(envelope: Envelope) -> dict[str, str]:
    """What is vouched for beside the words."""
    return {
        "sender": f"{envelope.from_name} <{envelope.from_email}>",
        "way_out": WAYS_OUT.get(envelope.transport, f"through {envelope.transport}"),
    }


# — approving —


@router.post("/desk/{week}/approve")
def approve(request: Request, visitor: Approver, week: str, form: forms.Form) -> Response:
    """Freeze what was seen, for whom it was seen, to leave when it was said."""
    services, now = services_of(request), _now()
    given = Given("approve", {name: forms.word(form, name) for name in ("when", "at", "moved")})

    def refuse(status: int, problem: str) -> Response:
        return approval_page(request, visitor, week, status=status, problem=problem, given=given)

    with services.database.reading() as session:
        edition = edition_of(session, week)
    if edition.state is not DRAFT:
        return _too_late_to_approve(visitor, edition, services, refuse)
    try:
        approving.approve(
            services,
            edition.week,
            by=visitor.by,
            send_at=_wanted_time(form, services.settings.digest_timezone, now),
            seen_hash=_seen_hash(form),
            seen_candidates=_seen_candidates(form),
            although_moved=forms.word(form, "moved") == "yes",
            now=now,
        )
    except editions.NotThatMove:
        with services.database.reading() as session:
            edition = edition_of(session, week)
        return _too_late_to_approve(visitor, edition, services, refuse)
    except BadForm as why:
        return refuse(422, str(why))
    except approving.Blocked as why:
        are = "problem blocks" if len(why.problems) == 1 else "problems block"
        return refuse(409, f"{len(why.problems)} {are} this edition, so it was not approved.")
    except approving.SendTimePassed:
        return refuse(409, LATE)
    except DigestError as why:
        return refuse(409, str(why))
    return _back(edition.week, "approved")


def _too_late_to_approve(visitor: Visitor, edition: Edition, services: Services, refuse: Refuse) -> Response:
    """Who pressed twice finds it done by the first press; who came second is told who was first."""
    if edition.state is not APPROVED or edition.approved_by is None or edition.approved_at is None:
        return refuse(409, f"Edition {edition.week} is {edition.state}; only a draft can be approved.")
    with services.database.reading() as session:
        first = staff.known_as(session, edition.approved_by)
        name = staff.names(session).get(first, first)
    if first == visitor.by:
        return _back(edition.week, "already")
    at = edition.approved_at.astimezone(services.settings.digest_timezone)
    return refuse(409, f"{name} has approved it, {spoken_moment(at)}. You were a moment later, and changed nothing.")


def _seen_hash(form: FormData) -> str:
    """Raises BadForm: without it there is nothing to compare with, and what was never seen is not approved."""
    seen = forms.word(form, "hash")
    if not seen:
        raise BadForm(INCOMPLETE)
    return seen


def _seen_candidates(form: FormData) -> int:
    seen = forms.word(form, "candidates")
    if not _COUNT.fullmatch(seen):
        raise BadForm(INCOMPLETE)
    return int(seen)


def _wanted_time(form: FormData, zone: tzinfo, now: datetime) -> datetime | None:
    """When it shall leave; None: as planned. Raises BadForm."""
    when = forms.word(form, "when")
    if when == "planned":
        return None
    if when == "now":
        return now
    if when != "at":
        raise BadForm(NO_TIME)
    moment = _instant(forms.word(form, "at"), zone)
    if moment <= now:
        raise BadForm(TIME_PASSED)
    if moment > now + approving.FARTHEST:
        raise BadForm(TOO_FAR)
    return moment


def _instant(text: str, zone: tzinfo) -> datetime:
    """What a clock in the newsletter's zone shows, as an instant. Raises BadForm."""
    if not _MINUTE.fullmatch(text):
        raise BadForm(NOT_A_TIME)
    try:
        wall = datetime.fromisoformat(text)
        instant = wall.replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadForm(NOT_A_TIME) from None
    if instant.astimezone(zone).replace(tzinfo=None) != wall:
        raise BadForm(NO_SUCH_TIME)
    return instant


# — back, and out —


@router.post("/desk/{week}/take-back")
def take_back(request: Request, visitor: Approver, week: str, form: forms.Form) -> Response:
    """Approved → draft, as long as it has not begun to leave."""

    def act(session: Session, edition: Edition, reason: str, now: datetime) -> None:
        if edition.state is not APPROVED:
            raise editions.NotThatMove
        editions.reopen(session, edition, why=reason or "taken back", by=visitor.by, now=now)

    return _move(request, visitor, week, form, act, name="take-back", done="taken-back", there=DRAFT)


@router.post("/desk/{week}/skip")
def skip(request: Request, visitor: Approver, week: str, form: forms.Form) -> Response:
    """This week has no edition."""

    def act(session: Session, edition: Edition, reason: str, now: datetime) -> None:
        if not reason:
            raise BadForm(NEEDS_REASON)
        editions.skip(session, edition, why=reason, by=visitor.by, now=now)

    return _move(request, visitor, week, form, act, name="skip", done="skipped", there=SKIPPED)


@router.post("/desk/{week}/reopen")
def reopen(request: Request, visitor: Approver, week: str, form: forms.Form) -> Response:
    """Skipped, or approved, → draft."""

    def act(session: Session, edition: Edition, reason: str, now: datetime) -> None:
        editions.reopen(session, edition, why=reason or "reopened", by=visitor.by, now=now)

    return _move(request, visitor, week, form, act, name="reopen", done="reopened", there=DRAFT)


def _move(
    request: Request,
    visitor: Visitor,
    week: str,
    form: FormData,
    act: Act,
    *,
    name: str,
    done: str,
    there: EditionState,
) -> Response:
    """One move of one edition with its lines in both logs, or nothing at all. `there`: where it is done already."""
    services, now = services_of(request), _now()
    reason = audit.without_addresses(shortened(forms.word(form, "reason"), LONGEST_REASON))

    def refuse(status: int, problem: str) -> Response:
        given = Given(name, {"reason": reason})
        return approval_page(request, visitor, week, status=status, problem=problem, given=given)

    try:
        with services.database.writing() as session:
            edition = edition_of(session, week)
            act(session, edition, reason, now)
            what = f"edition {done.replace('-', ' ')}"
            audit.note(session, by=visitor.by, what=what, about=edition.week, now=now, why=reason)
    except editions.NotThatMove:
        with services.database.reading() as session:
            edition = edition_of(session, week)
        return _back(edition.week, "unchanged") if edition.state is there else refuse(409, _too_late(edition, services))
    except BadForm as why:
        return refuse(422, str(why))
    except DigestError as why:
        return refuse(409, str(why))
    return _back(edition.week, done)


def _too_late(edition: Edition, services: Services) -> str:
    """Why a draft cannot be had of it any more, or not in this way."""
    if edition.prepared_at is not None:
        since = spoken_moment(edition.prepared_at.astimezone(services.settings.digest_timezone))
        return f"Too late: since {since} it is on its way. Nothing was changed; its sending page can hold what is left."
    return f"{words.STATES[edition.state]} Nothing was changed."


# — test mails —


@router.post("/desk/{week}/test")
def test(request: Request, visitor: Editor, week: str, form: forms.Form) -> Response:
    """A test to those of the staff who were ticked."""
    services, now = services_of(request), _now()
    chosen, variant = forms.words(form, "to"), shortened(forms.word(form, "variant"), LONGEST_KEY) or EVERYTHING
    given = Given("test", {"variant": variant}, chosen)

    def refuse(status: int, problem: str) -> Response:
        return approval_page(request, visitor, week, status=status, problem=problem, given=given)

    with services.database.reading() as session:
        edition = edition_of(session, week)
        there = {str(each.id): each.email for each in staff.on_staff(session)}
    if not chosen <= there.keys():
        return refuse(422, NOBODY_THERE)
    recipients = [email for number, email in there.items() if number in chosen]
    try:
        test_mails.send(services, edition.week, to=recipients, by=visitor.by, now=now, variant=variant)
    except test_mails.TooMany as why:
        return refuse(429, str(why))
    except TransportError as why:
        became = (
            "Nobody can know whether the test was accepted" if isinstance(why, Uncertain) else "It was not accepted"
        )
        return refuse(502, f"{became}: {audit.without_addresses(str(why))}")
    except DigestError as why:
        return refuse(422, str(why))
    return _back(edition.week, "tested")


# — together —


def _back(week: str, done: str) -> Response:
    return RedirectResponse(f"/desk/{week}/approval?done={done}", status_code=303)


def _now() -> datetime:
    return datetime.now(UTC)
