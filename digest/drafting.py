"""The weekly cut-off: choose, write, and place it all in a draft, in one transaction. A second run changes nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from digest import editions, intake, library, verdicts, weeks
from digest.editions import log
from digest.errors import DigestError
from digest.facts import ToolFacts
from digest.library import Found
from digest.models import Comparison, Considered, Edition, EditionState, Entry, Featured
from digest.selection import NEVER_SEEN, Known, Rules, Selection, Standing, choose
from digest.settings import Settings
from digest.weeks import Week, Window

CLOCK = "the clock"
RESTORE = "digest restore"


class TooFewYet(DigestError):
    """Too few comparisons stand so far, so nothing was drafted."""


class TooLate(DigestError):
    """A later edition exists, so this week's can no longer be made."""


class TooEarly(DigestError):
    """That edition lies too far ahead to be drafted now."""


@dataclass(frozen=True)
class Drafted:
    """The edition of a week, and whether this call made it."""

    edition: Edition
    made: bool


def rules_of(settings: Settings) -> Rules:
    """The rules in force for new drafts; each edition keeps those it was drafted with."""
    return Rules(max_entries=settings.digest_max_entries, min_entries=settings.digest_min_entries)


def week_to_draft(session: Session, settings: Settings, *, now: datetime) -> Week:
    """The week a draft made now is for.

    The one just cut off while it has no edition and there was something to draft, else the one cut off next.
    """
    latest = weeks.latest_cutoff(now, settings.digest_cutoff, settings.digest_timezone)
    ended = weeks.cutoff(latest, settings.digest_cutoff, settings.digest_timezone)
    drafted = session.scalar(sa.select(sa.func.max(Edition.week)))
    if (drafted is None or drafted < str(latest)) and _anything_seen_by(session, ended):
        return latest
    return latest.next


def draft(session: Session, week: Week, settings: Settings, *, by: str, now: datetime) -> Drafted:
    """Make the draft of a week, or its skipped edition where too few comparisons stand at its cut-off.

    Never touches an existing edition. Raises TooFewYet before the cut-off, when there is still time for more to come,
    TooEarly for a week after the next to be cut off, and TooLate where a later edition exists.
    """
    intake.one_at_a_time(session)
    existing = session.scalars(sa.select(Edition).where(Edition.week == str(week))).one_or_none()
    if existing is not None:
        return Drafted(existing, made=False)
    newest: str | None = session.scalar(sa.select(sa.func.max(Edition.week)))
    if newest is not None and newest > str(week):
        raise TooLate(f"There is an edition of {newest} already, so {week} can no longer be drafted.")
    upcoming = weeks.upcoming(now, settings.digest_cutoff, settings.digest_timezone)
    if week > upcoming:
        raise TooEarly(f"Edition {week} lies too far ahead; the next one that can be drafted is {upcoming}.")
    window = _window(session, week, settings, now)
    rules = rules_of(settings)
    standing = standing_for(session, window, settings)
    selection = choose(standing, week=week, rules=rules)
    if not selection.enough and week == upcoming:
        raise TooFewYet(f"{selection.why} Nothing was drafted; edition {week} is cut off {_local(week, settings)}.")
    edition = _place(
        session, week, window=window, selection=selection, standing=standing, settings=settings, by=by, now=now
    )
    return Drafted(edition, made=True)


def skip_missed(session: Session, latest: Week, settings: Settings, *, now: datetime) -> list[Week]:
    """Weeks that passed while nobody was there: skipped, saying so; what stood then stands in the latest week."""
    intake.one_at_a_time(session)
    last = session.scalar(sa.select(sa.func.max(Edition.week)))
    missed = weeks.missed(Week.parse(last) if last else None, latest)
    for week in missed:
        window = _window(session, week, settings, now)
        empty = Window(window.start, window.start)
        why = f"the program was not running at its cut-off; its comparisons stand for {latest}"
        _insert_edition(
            session, week, empty, rules_of(settings), settings, state=EditionState.SKIPPED, why=why, by=CLOCK, now=now
        )
    return missed


def take_place(
    session: Session, week: Week, settings: Settings, *, begun_at: datetime, why: str, now: datetime
) -> None:
    """The edition of a week that went out before the database was restored, of which the ledger knows nothing else.

    Halted and empty, it keeps the week from being drafted and sent again.
    """
    window = _window(session, week, settings, now)
    edition = _insert_edition(
        session, week, window, rules_of(settings), settings, state=EditionState.HALTED, why=why, by=RESTORE, now=now
    )
    edition.journaled_begun_at = begun_at


def skip_unknown(session: Session, settings: Settings, *, why: str, now: datetime) -> list[Week]:
    """Weeks that were cut off after the newest edition known here: any may have gone out, so none is drafted again."""
    latest = weeks.latest_cutoff(now, settings.digest_cutoff, settings.digest_timezone)
    last = session.scalar(sa.select(sa.func.max(Edition.week)))
    unknown = weeks.missed(Week.parse(last) if last else latest.previous, latest.next)
    for week in unknown:
        window = _window(session, week, settings, now)
        _insert_edition(
            session,
            week,
            window,
            rules_of(settings),
            settings,
            state=EditionState.SKIPPED,
            why=why,
            by=RESTORE,
            now=now,
        )
    return unknown


def _anything_seen_by(session: Session, moment: datetime) -> bool:
    return session.scalar(sa.select(sa.exists().where(Comparison.first_seen_at <= moment))) or False


def _local(week: Week, settings: Settings) -> str:
    cut = weeks.cutoff(week, settings.digest_cutoff, settings.digest_timezone)
    return f"{cut.astimezone(settings.digest_timezone):%A %d %B %Y at %H:%M}"


def _window(session: Session, week: Week, settings: Settings, now: datetime) -> Window:
    return weeks.window(
        week,
        previous_end=session.scalar(sa.select(sa.func.max(Edition.window_end))),
        now=now,
        when=settings.digest_cutoff,
        zone=settings.digest_timezone,
    )


# — what stands —


def standing_for(
    session: Session, window: Window, settings: Settings, *, edition: Edition | None = None
) -> list[Standing]:
    """Every comparison first seen by the window's end, still news, and in no other edition that went or may yet go.

    An earlier draft holds its comparisons until it is sent, or skipped and so sets them free: otherwise a late
    approval would show readers the same comparison twice. What `edition` itself holds stands for it.
    """
    oldest = window.news_since(settings.digest_new_days)
    # By id, so that SQLite too starts from what is news: it would read the whole archive to have it in order.
    page = aliased(Comparison)
    is_news = sa.select(page.id).where(sa.or_(page.published_at.is_(None), page.published_at >= oldest))
    stands = sa.and_(Comparison.first_seen_at <= window.end, Comparison.id.in_(is_news), free_for(edition))
    return standings(session, library.comparisons(session, stands))


def free_for(edition: Edition | None) -> sa.ColumnElement[bool]:
    """Whether no other edition holds a comparison; with None, none at all."""
    taken = sa.exists().where(
        Entry.comparison_id == Comparison.id, Entry.edition_id == Edition.id, editions.holds_entries()
    )
    return sa.not_(taken if edition is None else taken.where(Edition.id != edition.id))


def standings(session: Session, found: Sequence[Found]) -> list[Standing]:
    """Comparisons with what readers know of their tools."""
    tools = {tool.identity: tool for each in found for tool in each.facts.tools}
    known = known_to_readers(session, {name for tool in tools.values() for name in _identities(tool)})
    return [
        Standing(
            key=each.id,
            facts=each.facts,
            published_at=each.facts.published_at,
            first_seen_at=each.first_seen_at,
            left=_known_of(each.facts.tools[0], known),
            right=_known_of(each.facts.tools[1], known),
        )
        for each in found
    ]


def _known_of(tool: ToolFacts, known: Mapping[str, Known]) -> Known:
    return next((known[identity] for identity in _identities(tool) if identity in known), NEVER_SEEN)


def _identities(tool: ToolFacts) -> tuple[str, ...]:
    """Its own, then by the words it had before its address was learned, where readers have not seen it since."""
    return (tool.identity, tool.identity_in_words) if tool.slug else (tool.identity,)


def known_to_readers(session: Session, identities: Collection[str]) -> dict[str, Known]:
    """What editions that went out have told of these tools; those never seen are not in it."""
    known: dict[str, Known] = {}
    for some in library.in_chunks(sorted(identities)):
        seen = (
            sa.select(Featured.identity, sa.func.count().label("times"), sa.func.max(Edition.week).label("last"))
            .join(Edition, Edition.id == Featured.edition_id)
            .where(editions.has_begun(), Featured.identity.in_(some))
            .group_by(Featured.identity)
            .subquery()
        )
        last = (
            sa.select(seen, Featured.verdict)
            .join(Edition, Edition.week == seen.c.last)
            .join(Featured, sa.and_(Featured.edition_id == Edition.id, Featured.identity == seen.c.identity))
        )
        for identity, times, week, verdict in session.execute(last):
            known[identity] = Known(times, Week.parse(week), verdict)
    return known


# — placing —


def _place(
    session: Session,
    week: Week,
    *,
    window: Window,
    selection: Selection,
    standing: Sequence[Standing],
    settings: Settings,
    by: str,
    now: datetime,
) -> Edition:
    state = EditionState.DRAFT if selection.enough else EditionState.SKIPPED
    why = None if selection.enough else _why_skipped(session, selection, window, week)
    edition = _insert_edition(session, week, window, selection.rules, settings, state=state, why=why, by=by, now=now)
    facts = {each.key: each.facts for each in standing}
    insert_considered(session, edition, selection)
    if selection.enough:
        chosen = [facts[each.key] for each in selection.chosen]
        written = verdicts.write_up(chosen, turn=week.number)
        edition.subject = edition.subject_by_rule = written.subject
        edition.breath = edition.breath_by_rule = written.breath
        edition.also_compared = [
            {"title": facts[each.key].headline, "url": facts[each.key].url, "comparison": each.key}
            for each in selection.near_misses
        ]
        session.add_all(
            Entry(
                edition_id=edition.id,
                position=position,
                comparison_id=each.key,
                facts=facts[each.key].model_dump(mode="json"),
                summary=summary.model_dump(mode="json"),
                headline_by_rule=summary.headline,
                sentence_by_rule=summary.sentence,
            )
            for position, (each, summary) in enumerate(zip(selection.chosen, written.summaries, strict=True), start=1)
        )
        editions.note_featured(session, edition, chosen)
    session.flush()
    return edition


def _why_skipped(session: Session, selection: Selection, window: Window, week: Week) -> str:
    """The selection's reason, and what came too late for this window, so that nobody wonders where it went."""
    late = session.scalar(sa.select(sa.func.count()).where(Comparison.first_seen_at > window.end)) or 0
    if not late:
        return selection.why
    were = "comparison was" if late == 1 else "comparisons were"
    ended = f"{window.end:%Y-%m-%d %H:%M} UTC"
    after = f"first seen after the window ended ({ended})"
    return f"{selection.why} {late:,} {were} {after} and can stand for {week.next}."


def _insert_edition(
    session: Session,
    week: Week,
    window: Window,
    rules: Rules,
    settings: Settings,
    *,
    state: EditionState,
    why: str | None,
    by: str,
    now: datetime,
) -> Edition:
    leaves = weeks.send_time(week, settings.digest_cutoff, settings.digest_send_at, settings.digest_timezone)
    edition = Edition(
        week=str(week),
        state=state,
        why=why,
        window_start=window.start,
        window_end=window.end,
        planned_at=leaves,
        send_at=leaves,
        rules=rules.model_dump(mode="json"),
        also_compared=[],
        created_at=now,
    )
    session.add(edition)
    session.flush()
    log(session, edition, by=by, what=f"made as {state}", why=why, now=now)
    return edition


def insert_considered(session: Session, edition: Edition, selection: Selection) -> None:
    """Everything weighed, with rank, score parts and reason."""
    rows = [
        {
            "edition_id": edition.id,
            "comparison_id": each.key,
            "rank": each.rank,
            "score": each.score,
            "parts": [asdict(part) for part in each.parts],
            "deductions": [asdict(deduction) for deduction in each.deductions],
            "chosen": each.position is not None,
            "reason": each.sentence,
        }
        for each in selection.considered
    ]
    if rows:
        session.execute(sa.insert(Considered), rows)


def is_wanted(session: Session, latest: Week, settings: Settings) -> bool:
    """Whether the clock should make this week's edition: nobody has, and the newsletter had begun by its cut-off."""
    drafted: str | None = session.scalar(sa.select(sa.func.max(Edition.week)))
    if drafted is not None:
        return drafted < str(latest)
    return _anything_seen_by(session, weeks.cutoff(latest, settings.digest_cutoff, settings.digest_timezone))
