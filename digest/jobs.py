"""What the clock wakes up for. Each job looks at rows, does what is due, and says in words what it did, or nothing."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from database import claim
from digest import (
    approving,
    drafting,
    editions,
    examining,
    fences,
    finishing,
    gathering,
    link_checks,
    postman,
    sending,
    settling,
    staff,
    suppression_sync,
    test_mails,
    tidying,
    unreachable,
    watching,
    weeks,
)
from digest.approving import AUTOMATIC
from digest.bootstrap import Services
from digest.errors import DigestError
from digest.models import Edit, Edition, EditionLog, EditionState
from digest.people import importing, reminding, requests
from digest.posting import Clock
from digest.transport import Outbox
from digest.weeks import Week

REMIND_BEFORE = timedelta(hours=3)
# A draft made late has just been said, and the clock may be about to approve it.
REMIND_AFTER = timedelta(minutes=30)
MOST_LETTERS = 500
APPROVAL = f"{EditionState.DRAFT} → {EditionState.APPROVED}"
VOIDED = f"{EditionState.APPROVED} → {EditionState.DRAFT}"
VOID_TOLD = "staff told that the approval is void"
"""How the edition's log calls them."""


@dataclass(frozen=True)
class Shift:
    """One process's time and its wish to stop."""

    clock: Clock
    stop: threading.Event


def gather(services: Services, shift: Shift) -> str:
    """Read the sources that are due."""
    polled = gathering.poll(services.database, services.settings, now=shift.clock(), stopped=shift.stop.is_set)
    return str(polled) if polled.sources else ""


# — what preflight is to know of the world —


def ask_links(services: Services, shift: Shift) -> str:
    """Ask the pages that drafts and approved editions link to, each once a day."""
    own_host = urlsplit(services.settings.digest_site_url).hostname or ""
    with gathering.fetcher_of(services.settings) as fetcher:
        tally = link_checks.ask_due(
            services.database, fetcher, own_host=own_host, clock=shift.clock, stopped=shift.stop.is_set
        )
    return _said(tally, ("answered", "gave no page"))


def examine(services: Services, shift: Shift) -> str:
    """Ask the provider's account what the doctor asks, but for the sandbox mail."""
    found = examining.look(services, now=shift.clock())
    tally = Counter({True: "in order", False: "wrong", None: "not to be found out"}[finding.ok] for finding in found)
    return _said(tally, ("in order", "wrong", "not to be found out"))


# — the draft —


def draft(services: Services, shift: Shift) -> str:
    """Draft the latest week whose cut-off has passed; where the settings say so, approve it without a person."""
    now, settings = shift.clock(), services.settings
    latest = weeks.latest_cutoff(now, settings.digest_cutoff, settings.digest_timezone)
    said = _make(services, latest, now)
    if settings.digest_approval == "auto":
        said += _approve(services, latest, now)
    return ", ".join(said)


def _make(services: Services, week: Week, now: datetime) -> list[str]:
    """The edition of a week that has none yet; weeks nobody was there for are skipped."""
    settings = services.settings
    if not _is_wanted(services, week):
        return []
    try:
        with services.database.writing() as session:
            missed = drafting.skip_missed(session, week, settings, now=now)
            made = drafting.draft(session, week, settings, by=drafting.CLOCK, now=now)
            if not made.made:
                return []
            _tell(session, made.edition, settings.digest_site_url, now)
            return [*(f"{each} skipped" for each in missed), f"{week} made as {made.edition.state}"]
    except IntegrityError:
        if _is_wanted(services, week):
            raise
        return []  # another clock made it at the same moment


def _is_wanted(services: Services, week: Week) -> bool:
    with services.database.reading() as session:
        return drafting.is_wanted(session, week, services.settings)


def _tell(session: Session, edition: Edition, site_url: str, now: datetime) -> None:
    kind = "drafted" if edition.state is EditionState.DRAFT else "skipped"
    context = {
        "week": edition.week,
        "subject_line": edition.subject,
        "why": edition.why or "",
        "send_at": f"{edition.send_at:%A %d %B %Y, %H:%M} UTC",
        "site_url": site_url,
    }
    postman.tell_staff(session, kind=kind, context=context, now=now)


def _approve(services: Services, week: Week, now: datetime) -> list[str]:
    """Approve a draft nobody has touched. One that cannot be approved so is left to a person, and staff are told.

    Looked for at every look, not only after drafting: a clock that dies between the two must not cost the week.
    """
    with services.database.reading() as session:
        if _untouched(session, week) is None:
            return []
    try:
        approving.approve(
            services, str(week), by=AUTOMATIC, send_at=None, seen_hash=None, although_moved=False, now=now
        )
    except (approving.Blocked, approving.SendTimePassed, approving.AudienceMoved) as why:
        left = _leave_to_a_person(services, week, str(why), now)
        return [f"{week} not approved automatically"] if left else []
    except (approving.ContentChanged, editions.NotThatMove):
        return []  # another clock or a person was quicker
    return [f"{week} approved automatically"]


def _leave_to_a_person(services: Services, week: Week, why: str, now: datetime) -> bool:
    """True for exactly one of the clocks that look at the same time."""
    with services.database.writing() as session:
        edition = _untouched(session, week, lock=True)
        if edition is None:
            return False
        editions.log(session, edition, by=AUTOMATIC, what="left to a person", why=why, now=now)
        postman.tell_staff(session, kind="not-approved", context={"week": edition.week, "why": why}, now=now)
        return True


def _untouched(session: Session, week: Week, *, lock: bool = False) -> Edition | None:
    """The draft of a week whose log says only that it was made: what people reopen or change is theirs to approve.

    A test mail changes nothing.
    """
    found = sa.select(Edition).where(Edition.week == str(week), Edition.state == EditionState.DRAFT)
    edition = session.scalars(found.with_for_update() if lock else found).one_or_none()
    if edition is None:
        return None
    changes = (EditionLog.edition_id == edition.id, EditionLog.what != test_mails.WHAT)
    lines = session.scalar(sa.select(sa.func.count()).where(*changes))
    return edition if lines == 1 else None


def remind(services: Services, shift: Shift) -> str:
    """What nobody has approved: one notice where an approval became void, one shortly before the draft should leave,
    and one when it should have left."""
    now = shift.clock()
    with services.database.writing() as session:
        voided = [edition for edition in _newly_void(session) if _tell_void(session, edition, services, now)]
        waiting = session.scalars(
            sa.select(Edition).where(
                Edition.state == EditionState.DRAFT,
                _is_to_be_reminded_of(now),
                Edition.send_at <= now + REMIND_BEFORE,
                Edition.created_at <= now - REMIND_AFTER,
            )
        ).all()
        reminded = [edition for edition in waiting if _remind(session, edition, services.settings.digest_site_url, now)]
    return ", ".join(
        [
            *(f"told that the approval of {edition.week} is void" for edition in voided),
            *(f"reminded of {edition.week}" for edition in reminded),
        ]
    )


def _is_to_be_reminded_of(now: datetime) -> sa.ColumnElement[bool]:
    """Who was told that it will leave must be told that it did not."""
    missed = sa.and_(Edition.send_at <= now, Edition.reminded_at < Edition.send_at)
    return sa.or_(Edition.reminded_at.is_(None), missed)


def _remind(session: Session, edition: Edition, site_url: str, now: datetime) -> bool:
    still = (Edition.id == edition.id, Edition.state == EditionState.DRAFT, _is_to_be_reminded_of(now))
    ours = claim(session, Edition, *still, values={"reminded_at": now})
    if ours:
        context = {
            "week": edition.week,
            "subject_line": edition.subject,
            "send_at": f"{edition.send_at:%A %d %B %Y, %H:%M} UTC",
            "passed": edition.send_at <= now,
            "site_url": site_url,
        }
        postman.tell_staff(session, kind="reminder", context=context, now=now)
    return ours


def _newly_void(session: Session) -> Sequence[Edition]:
    """Drafts whose approval became void after staff were last told so."""
    told = sa.func.coalesce(_latest(VOID_TOLD), 0)
    return session.scalars(sa.select(Edition).where(Edition.state == EditionState.DRAFT, _latest(VOIDED) > told)).all()


def _latest(what: str) -> sa.ScalarSelect[int]:
    """The number of the last such line in an edition's log."""
    lines = sa.select(sa.func.max(EditionLog.id)).where(EditionLog.edition_id == Edition.id, EditionLog.what == what)
    return lines.correlate(Edition).scalar_subquery()


def _tell_void(session: Session, edition: Edition, services: Services, now: datetime) -> bool:
    """Once for each approval, however much is typed afterwards. Who took back their own approval knows it."""
    session.refresh(edition, with_for_update=True)  # another clock may be telling it, or somebody approving it
    last = {line.what: line for line in editions.log_of(session, edition)}
    void, told = last[VOIDED], last.get(VOID_TOLD)
    if edition.state is not EditionState.DRAFT or (told is not None and told.id > void.id):
        return False
    if _is_taken_back(session, last.get(APPROVAL), void):
        return False
    editions.log(session, edition, by=drafting.CLOCK, what=VOID_TOLD, now=now)
    context = {
        "week": edition.week,
        "who": staff.names(session).get(staff.known_as(session, void.by), void.by),
        "why": void.why or "",
        "send_at": f"{edition.send_at:%A %d %B %Y, %H:%M} UTC",
        "passed": edition.send_at <= now,
        "site_url": services.settings.digest_site_url,
    }
    postman.tell_staff(session, kind="voided", context=context, now=now)
    if edition.send_at <= now + REMIND_BEFORE:
        edition.reminded_at = now  # this notice says all that the reminder would
    return True


def _is_taken_back(session: Session, approval: EditionLog | None, void: EditionLog) -> bool:
    """By who had approved it, and by no change of theirs."""
    if approval is None or staff.known_as(session, void.by) != staff.known_as(session, approval.by):
        return False
    change = sa.exists().where(Edit.edition_id == void.edition_id, Edit.began_at <= void.at, Edit.at >= void.at)
    return not session.scalar(sa.select(change))


# — the way out —


def send(services: Services, shift: Shift) -> str:
    """Prepare what is due and hand over what is being sent."""
    return sending.send_due(services, clock=shift.clock, stop=shift.stop)


def watch(services: Services, shift: Shift) -> str:
    """Stop an edition whose readers complain or whose mail bounces, or tell staff."""
    return ", ".join(watching.look(services, shift.clock()))


def letters(services: Services, shift: Shift) -> str:
    """Post what the postman holds, one by one, the oldest and the newest in turn, until somebody asks to stop."""
    tally = Counter[str]()
    for turn in range(MOST_LETTERS):
        if shift.stop.is_set():
            break
        # The time is read for each: a provider that hangs makes a round longer than a letter may be claimed for.
        became = postman.post_next(services, now=shift.clock(), newest=turn % 2 == 1)
        if became is None:
            break
        tally[became] += 1
    return _said(tally, ("posted", "put off", "given up"))


def _said(tally: Counter[str], words: Sequence[str]) -> str:
    """How often what became of something, in the order of these words."""
    return ", ".join(f"{tally[word]} {word}" for word in words if tally[word])


# — the public doors —


def settle_requests(services: Services, shift: Shift) -> str:
    """Do what follows from what was asked at the public doors, until nothing is due or somebody asks to stop."""
    tally = Counter[str]()
    while not shift.stop.is_set():
        became = requests.settle_next(services, now=shift.clock())
        if became is None:
            break
        tally[became] += 1
    return _said(tally, ("settled", "refused", "put off", "dropped"))


def remind_unconfirmed(services: Services, shift: Shift) -> str:
    """One reminder for each who asked for the newsletter two days ago and has not confirmed."""
    reminded = reminding.remind_unconfirmed(services, now=shift.clock(), stopped=shift.stop.is_set)
    return f"reminded {reminded} people to confirm" if reminded else ""


def bring_in_lists(services: Services, shift: Shift) -> str:
    """Check the lists that staff have uploaded, and bring in those they have decided on."""
    did: list[str] = []
    while not shift.stop.is_set():
        became = importing.work_next(services.database, clock=shift.clock, stopped=shift.stop.is_set)
        if became is None:
            break
        did.append(became)
    return ", ".join(did)


# — whom the provider does not reach —


def suppressions(services: Services, shift: Shift) -> str:
    """Once a day: read the provider's suppression lists, and suppress who has not been reached three times in a row.

    A list that cannot be read never costs the others; it is said, and tried again at the next look.
    """
    now, stopped = shift.clock(), shift.stop.is_set
    with services.database.reading() as session:
        unreached, lists = unreachable.is_due(session, now=now), suppression_sync.due(session, now=now)
    count = unreachable.suppress(services.database, now=now, stopped=stopped) if unreached else 0
    said = [f"{count} suppressed after three editions that did not arrive"] if count else []
    if lists:
        said += _read_lists(services, lists, now=now, stopped=stopped)
    return ", ".join(said)


def _read_lists(services: Services, lists: Sequence[str], *, now: datetime, stopped: Callable[[], bool]) -> list[str]:
    """Where mails go to a folder there are none. Raises the first failure, after all were tried."""
    if isinstance(services.transport, Outbox):
        return []
    from digest.sendgrid_send import SendGrid  # noqa: PLC0415 - the outbox never loads the client

    if not isinstance(services.transport, SendGrid):
        return []
    read, failures = [], []
    for name in lists:
        try:
            found = suppression_sync.sync(services.database, services.transport.ask, name, now=now, stopped=stopped)
        except DigestError as why:
            failures.append(suppression_sync.Unread(name, why))
            continue
        read += [str(found)] if found else []
    if failures:
        raise failures[0]
    return read


# — the unfinished —


def rescue(services: Services, shift: Shift) -> str:
    """Free the batches of workers that are gone, call back what can be, and finish what is complete."""
    now = shift.clock()
    tally = Counter(rescued=settling.rescue(services, now=now), called_back=fences.call_back(services, now=now))
    finishing.finish(services, now=now)
    words = {"rescued": "batches rescued", "called_back": "batches called back"}
    return ", ".join(f"{tally[key]} {said}" for key, said in words.items() if tally[key])


# — tidying —


def tidy(services: Services, shift: Shift) -> str:
    """Forget what is over: old runs and letters, counters, requests nobody confirmed, what a dead process left."""
    gone = tidying.tidy(services, now=shift.clock(), stopped=shift.stop.is_set)
    counts = [f"{count} {what}" for what, count in gone.items() if count]
    return f"forgot {', '.join(counts)}" if counts else ""
