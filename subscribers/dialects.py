"""Whose list a CSV file is, by the names of its columns, and what each of its records says. Pure.

Known are our own export and those of listmonk, Mailchimp, Ghost, Substack and Buttondown; any other file needs a
column with addresses and nothing else. Tags, labels and lists of elsewhere are nobody's wish for our topics: those come
from a column of that name alone.

Whoever said no there has said no. A record that its own source does not show as subscribed is left there, whatever the
operator's basis: that is what `Reading.left_there` is for, and `signs` what makes it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from subscribers import signs
from subscribers.signs import Sign

EMAIL_COLUMNS = ("email", "email address", "e mail", "e mail address")
"""Where the address stands; the first of these that is there. All names are as `spreadsheets.plain_name` has them."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """One program's export. Its columns are facts about that program."""

    name: str
    marks: tuple[frozenset[str], ...] = ()
    """It is this program's when all columns of one of these sets are there."""
    state: frozenset[str] = frozenset()
    """Columns that must say one of `yes`."""
    yes: frozenset[str] = frozenset()
    created: tuple[str, ...] = ("created at",)
    """When they signed up: the first of these that is filled."""
    caution: str | None = None
    """What the export does not say, for whoever is about to bring it in."""


OWN = Dialect(
    "our own export",
    marks=(frozenset({"state", "pending since", "suppressed because"}),),
    state=frozenset({"state"}),
    yes=frozenset({"active"}),
)
LISTMONK = Dialect(
    "listmonk",
    marks=(frozenset({"uuid", "attributes", "status"}),),
    state=frozenset({"status"}),
    yes=frozenset({"enabled"}),
    caution="listmonk's export does not say who has left one of its lists: export the confirmed of one list only.",
)
MAILCHIMP = Dialect(
    "Mailchimp",
    marks=(frozenset({"member rating"}), frozenset({"leid", "euid"}), frozenset({"optin time"})),
    state=frozenset({"email marketing status", "email subscriber status", "subscription status"}),
    yes=frozenset({"subscribed"}),
    created=("optin time", "confirm time", "created at"),
    caution="Mailchimp exports three files; bring in only the one of the subscribed.",
)
GHOST = Dialect(
    "Ghost",
    marks=(frozenset({"subscribed to emails"}), frozenset({"complimentary plan", "stripe customer id"})),
)
SUBSTACK = Dialect(
    "Substack",
    marks=(
        frozenset({"active subscription"}),
        frozenset({"email disabled"}),
        frozenset({"emails received (6mo)"}),
    ),
    created=("created at", "start date"),
)
BUTTONDOWN = Dialect(
    "Buttondown",
    marks=(
        frozenset({"creation date", "subscriber type"}),
        frozenset({"creation date", "type"}),
        frozenset({"creation date", "secondary id"}),
    ),
    state=frozenset({"subscriber type", "type"}),
    yes=frozenset({"regular", "premium", "trialed", "unpaid", "gifted", "churning", "churned", "paused", "past due"}),
    created=("creation date", "created at"),
)
PLAIN = Dialect("plain CSV")

KNOWN = (OWN, LISTMONK, GHOST, SUBSTACK, BUTTONDOWN, MAILCHIMP)

_NAMES = (("name",), ("full name",), ("first name", "last name"), ("fname", "lname"))
"""The columns of a name, in the order of its parts; the first of these of which any is there."""

# How Go prints a time, and listmonk with it: a numeric zone and then its name, which says nothing more.
_GO_TIME = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(\.\d{1,6})?\d* ([+-]\d{4})(?: \S+)?")


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read the records of one file: where everything stands in them."""

    dialect: Dialect
    email: int
    names: tuple[int, ...]
    topics: int | None
    created: tuple[tuple[str, int], ...]
    signs: tuple[tuple[int, Sign], ...] = field(repr=False)

    def left_there(self, cells: Sequence[str]) -> str | None:
        """Why nobody may be brought in by this record: what its own source says, to complete “this person …”."""
        for column, sign in self.signs:
            reason = sign(cells[column])
            if reason:
                return reason
        return None

    def name(self, cells: Sequence[str]) -> str:
        if len(self.names) == 1:
            return cells[self.names[0]]
        return " ".join(cells[column] for column in self.names)

    def created_at(self, cells: Sequence[str]) -> tuple[str, str]:
        """The column that says when they signed up, and what it says; both empty where none does."""
        for name, column in self.created:
            cell = cells[column].strip()
            if cell:
                return name, cell
        return "", ""


def reading(columns: Sequence[str]) -> Reading:
    """How to read a file with these columns, of which one is among `EMAIL_COLUMNS`."""
    there = frozenset(columns)
    dialect = next((known for known in KNOWN if any(marks <= there for marks in known.marks)), PLAIN)
    place = {name: columns.index(name) for name in there}
    return Reading(
        dialect,
        email=next(place[name] for name in EMAIL_COLUMNS if name in there),
        names=next(
            (tuple(place[name] for name in names if name in place) for names in _NAMES if not there.isdisjoint(names)),
            (),
        ),
        topics=place.get("topics"),
        created=tuple((name.replace(" ", "_"), place[name]) for name in dialect.created if name in place),
        signs=tuple(_signs(dialect, columns)),
    )


def moment(text: str) -> datetime | None:
    """The time a cell names, ISO 8601 or as Go prints it; without a zone it is UTC. None when it names none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        go = _GO_TIME.fullmatch(text)
        return moment("".join(filter(None, go.groups()))) if go else None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _signs(dialect: Dialect, columns: Sequence[str]) -> Iterable[tuple[int, Sign]]:
    """Every column that can speak against somebody, by its own way of speaking."""
    for place, name in enumerate(columns):
        sign = signs.one_of(dialect.yes) if name in dialect.state else signs.sign_of(name)
        if sign is not None:
            yield place, sign
