"""The statements by which `consent` writes subscribers and their consent events. Called from there and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from subscribers.errors import PeopleError
from subscribers.models import ConsentEvent, Subscriber
from subscribers.policy import State
from subscribers.texts import shortened
from subscribers.wishes import Rhythm

if TYPE_CHECKING:
    import psycopg

# The bare tables: through the mapped classes a bulk insert takes half as long again.
_SUBSCRIBERS = cast("sa.Table", Subscriber.__table__)
_EVENTS = cast("sa.Table", ConsentEvent.__table__)

# What the mapped class would fill in.
_DEFAULTS = {"plain_text": False, "rhythm": Rhythm.WEEKLY}

_BROUGHT_IN = """
    CREATE TEMPORARY TABLE IF NOT EXISTS brought_in (
        link_id text, email text, email_key text, name text, search text, topics text, created_at timestamptz
    ) ON COMMIT DELETE ROWS
"""

LONGEST_SOURCE, LONGEST_AGENT, LONGEST_IP = 200, 400, 45


class Gone(PeopleError):
    """This person was erased a moment ago."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What was shown beside the button or given as a reason, and who pressed it."""

    wording: str | None = None
    wording_version: str | None = None
    ip: str | None = None
    user_agent: str | None = None


def lock(session: Session, subscriber: Subscriber) -> None:
    """Read the row again, for us alone until the commit: a decision on a stale row could revive somebody."""
    locked = (
        sa.select(Subscriber)
        .where(Subscriber.id == subscriber.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if session.scalars(locked).one_or_none() is None:
        raise Gone


def insert(session: Session, people: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Insert those whose address is not there yet; gives their ids by address key."""
    if not people:
        return {}
    dialect = sqlite if _is_sqlite(session) else postgresql
    statement = dialect.insert(_SUBSCRIBERS).on_conflict_do_nothing(index_elements=["email_key"])
    inserted = session.execute(statement.returning(_SUBSCRIBERS.c.email_key, _SUBSCRIBERS.c.id), people)
    return dict(inserted.all())


_by_address = attrgetter("email_key")


class NewRow(NamedTuple):
    """What differs between two people added by one bulk statement."""

    link_id: str
    email: str
    email_key: str
    name: str | None
    search: str
    topics: str
    created_at: datetime


def insert_all(session: Session, people: Sequence[NewRow], alike: Mapping[str, Any]) -> dict[str, int]:
    """Like `insert` for thousands at once, past the layers that look at every value; `alike`: the other columns.

    By address, so that two imports at once cannot wait for each other.
    """
    if not people:
        return {}
    ordered = sorted(people, key=_by_address)
    into = _insert_into_sqlite if _is_sqlite(session) else _copy_into_postgres
    return into(session, ordered, {**_DEFAULTS, **alike})


def take_back(session: Session, ids: Sequence[int]) -> None:
    """Remove rows that this very transaction has inserted, and recorded nothing of."""
    session.execute(sa.delete(_SUBSCRIBERS).where(among(session, _SUBSCRIBERS.c.id, ids)))


def give_basis(session: Session, ids: Sequence[int], *, basis: str, now: datetime) -> set[int]:
    """Make the pending among these active; gives those who still were pending."""
    if not ids:
        return set()
    changed = (
        sa.update(Subscriber)
        .where(among(session, Subscriber.id, ids), Subscriber.state == State.PENDING)
        .values(state=State.ACTIVE, confirmed_at=now, basis=basis, pending_since=None, changed_at=now)
        .returning(Subscriber.id)
        .execution_options(synchronize_session=False)
    )
    return set(session.scalars(changed))


def record(
    session: Session, subscribers: Sequence[int], kind: str, *, happened_at: datetime, source: str, proof: Proof
) -> None:
    """One consent event for each, in one statement: what they share crosses over once."""
    if not subscribers:
        return
    values = {
        _EVENTS.c.kind: str(kind),
        _EVENTS.c.happened_at: happened_at,
        _EVENTS.c.source: shortened(source, LONGEST_SOURCE),
        _EVENTS.c.wording: proof.wording,
        _EVENTS.c.wording_version: proof.wording_version,
        _EVENTS.c.ip: None if proof.ip is None else proof.ip[:LONGEST_IP],
        _EVENTS.c.user_agent: None if proof.user_agent is None else shortened(proof.user_agent, LONGEST_AGENT),
    }
    shared = [sa.literal(value, column.type) for column, value in values.items()]
    people = sa.select(listed(session, sorted(subscribers), _SUBSCRIBERS.c.id.type), *shared)
    session.execute(sa.insert(_EVENTS).from_select([_EVENTS.c.subscriber_id, *values], people))


def among(session: Session, column: sa.ColumnElement[Any] | Any, values: Sequence[Any]) -> sa.ColumnElement[bool]:
    """`column IN (…)` for thousands of values, as one parameter."""
    found: sa.ColumnElement[bool] = column.in_(sa.select(listed(session, values, column.type)))
    return found


def listed(session: Session, values: Sequence[Any], kind: sa.types.TypeEngine[Any]) -> sa.ColumnElement[Any]:
    """The values as a column of as many rows, from one parameter."""
    if _is_sqlite(session):
        return sa.func.json_each(json.dumps(values)).table_valued("value").c.value
    return sa.func.unnest(sa.literal(values, postgresql.ARRAY(kind))).column_valued("listed")


def _insert_into_sqlite(session: Session, people: Sequence[NewRow], alike: Mapping[str, Any]) -> dict[str, int]:
    """One row in, one row out: the driver lets go of the interpreter at every row it gives or takes.

    Another thread reads the next people of a list meanwhile.
    """
    created_as = _as_stored(session, "created_at")
    values = json.dumps([(*person[:-1], created_as(person[-1])) for person in people])
    columns = ", ".join([*NewRow._fields, *alike])
    cells = [f"json_extract(value, '$[{place}]')" for place in range(len(NewRow._fields))]
    with closing(session.connection().connection.cursor()) as cursor:
        # Nobody else writes in this transaction, and no id is ever used again: what is above this one is ours.
        cursor.execute("SELECT coalesce(max(id), 0) FROM subscribers")
        (last,) = cursor.fetchone() or (0,)
        cursor.execute(
            f"INSERT INTO subscribers ({columns}) SELECT {', '.join([*cells, *'?' * len(alike)])} FROM json_each(?)"  # noqa: S608 - names of ours
            " WHERE true ON CONFLICT (email_key) DO NOTHING",
            (*(_as_stored(session, column)(value) for column, value in alike.items()), values),
        )
        cursor.execute("SELECT json_group_object(email_key, id) FROM subscribers WHERE id > ?", (last,))
        made: dict[str, int] = json.loads((cursor.fetchone() or ("{}",))[0])
        return made


def _copy_into_postgres(session: Session, people: Sequence[NewRow], alike: Mapping[str, Any]) -> dict[str, int]:
    varying, shared = ", ".join(NewRow._fields), list(alike)
    with closing(cast("psycopg.Cursor[tuple[str, int]]", session.connection().connection.cursor())) as cursor:
        cursor.execute(_BROUGHT_IN)
        with cursor.copy(f"COPY brought_in ({varying}) FROM STDIN") as copy:
            for person in people:
                copy.write_row(person)
        cursor.execute(
            f"INSERT INTO subscribers ({', '.join([varying, *shared])})"  # noqa: S608 - names of ours
            f" SELECT {', '.join([varying, *('%s' for _ in shared)])} FROM brought_in ORDER BY email_key"
            " ON CONFLICT (email_key) DO NOTHING RETURNING email_key, id",
            [_as_stored(session, column)(alike[column]) for column in shared],
        )
        return dict(cursor.fetchall())


def _as_stored(session: Session, column: str) -> Callable[[Any], Any]:
    """Makes a value what the driver takes for this column."""
    dialect = session.get_bind().dialect
    return _SUBSCRIBERS.c[column].type.dialect_impl(dialect).bind_processor(dialect) or _as_it_is


def _as_it_is(value: Any) -> Any:
    return value


def _is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"
