"""An edition that went out and a draft that editors have been at, in a week of many comparisons."""

from __future__ import annotations

import random
from datetime import timedelta

import sqlalchemy as sa

from digest import drafting, editing, editions
from digest.bootstrap import Services
from digest.facts import Community, ComparisonFacts, Split, TakeFacts, ToolFacts
from digest.models import Edition, EditionState, Role
from digest.staff import add_staff
from digest.weeks import Week
from tests import make

REVIEWERS = ("Builder", "Skeptic", "Futurist", "Creator", "Founder")
CATEGORIES = ("Developer Tools", "Gaming", "Health", "Writing", "Design")
SENT = "2026-W46"
NAMES = (
    "Plumb 2.0", "Axolotl v0.16", "Hobnail Turnspit 5 overnight agent queue for the desktop", "Quill", "Loom Studio",
    "نموذج عربي مفتوح", "Tessaline 4", "Orlop Draw Plus", "水墨画シミュレータ", "Sedge 7B Coder", "Lychgate 2.1",
    "Cutpurse NPC Engine", "Dunnock.js 0.9", "Andiron Mini", "Trencher 1.0 12B", "Brackish 3.0",
)  # fmt: skip
ENDLESS = "Extraordinarily" + "long" * 60


def a_tool(name: str, chance: random.Random) -> ToolFacts:
    ship = chance.randint(0, len(REVIEWERS))
    takes = tuple(
        TakeFacts(
            reviewer=reviewer,
            score=chance.randint(20, 95),
            call="ship" if place < ship else "skip",
            remark=f"The {reviewer} spent a week with {name[:20]} and has one thing to say. It is worth a look.",
        )
        for place, reviewer in enumerate(REVIEWERS)
    )
    slug = f"tool-{abs(hash(name)) % 10**8}" if not name.isascii() else name.lower().replace(" ", "-")
    return ToolFacts(
        slug=slug[:200],
        name=name,
        tagline=f"What {name[:60]} does",
        category=chance.choice(CATEGORIES),
        pricing=f"${chance.randint(0, 90)} a month",
        entry="Paid",
        best_for="people with one thing to do",
        panel_ship_percent=100 * ship / len(REVIEWERS),
        split=Split(ship=ship, skip=len(REVIEWERS) - ship),
        community=Community(ship_percent=chance.randint(0, 100), votes=chance.randint(0, 400)),
        takes=takes,
    )


def pairs(names: tuple[str, ...], count: int, seed: int) -> list[ComparisonFacts]:
    chance = random.Random(seed)
    tools = [a_tool(name, random.Random(name)) for name in names]
    every = [(one, other) for at, one in enumerate(tools) for other in tools[at + 1 :]]
    return [make.comparison(left, right) for left, right in chance.sample(every, count)]


def fill(services: Services, *, count: int = 60) -> None:
    """The draft has an entry out, one in, one pinned, one rewritten; its page has a new price since."""
    with services.database.writing() as session:
        edda = add_staff(session, "edda@example.com", Role.EDITOR, now=make.SEEN)
        make.taken_in(session, *pairs(NAMES[:6], 10, 1), now=make.SEEN - timedelta(weeks=1))
        earlier = drafting.draft(
            session, Week.parse(SENT), services.settings, by="the clock", now=make.CUTOFF - timedelta(weeks=1)
        ).edition
        session.execute(
            sa.update(Edition)
            .where(Edition.id == earlier.id)
            .values(state=EditionState.SENT, begun_at=make.SEND - timedelta(weeks=1), finished_at=make.SEND)
        )
        changed = [
            each.model_copy(
                update={
                    "tools": tuple(
                        tool.model_copy(update={"pricing": f"{tool.pricing}, or $9 for a seat"}) for tool in each.tools
                    )
                }
            )
            for each in pairs((*NAMES, ENDLESS), count, 2)
        ]
        make.taken_in(session, *changed)
        drafting.draft(session, Week.parse(make.WEEK), services.settings, by="the clock", now=make.CUTOFF)
        by = f"staff {edda.id}"
    _edit(services, by)


def _edit(services: Services, by: str) -> None:
    database, now = services.database, make.CUTOFF + timedelta(minutes=30)
    with database.reading() as session:
        edition = editions.find(session, make.WEEK)
        found = editing.read(session, edition)
        out = [row.comparison_id for row, _ in editions.considered_by_name(session, edition) if not row.chosen]
    editing.write(
        database, make.WEEK, "subject", was=found.subject, words=f"{found.subject}, and what it costs", by=by, now=now
    )
    first = found.entries[0]
    editing.write(
        database,
        make.WEEK,
        f"headline {first.comparison}",
        was=first.summary.headline,
        words="A headline that an editor wrote",
        by=by,
        now=now,
    )
    editing.write(
        database,
        make.WEEK,
        "introduction",
        was="",
        words="Good morning.\n\nThis week the panel could *not* agree: שלום, מה שלומך היום?",
        by=by,
        now=now,
    )
    editing.drop(database, make.WEEK, found.order[2], by=by, now=now + timedelta(minutes=1))
    editing.bring_in(database, make.WEEK, out[3], position=2, by=by, now=now + timedelta(minutes=2))
    editing.pin(database, make.WEEK, out[3], on=True, by=by, now=now + timedelta(minutes=3))
    order = editing_order(services)
    editing.reorder(
        database, make.WEEK, was=order, order=[order[-1], *order[:-1]], by=by, now=now + timedelta(minutes=4)
    )


def editing_order(services: Services) -> tuple[int, ...]:
    with services.database.reading() as session:
        return editing.read(session, editions.find(session, make.WEEK)).order
