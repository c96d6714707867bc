"""Whose list a CSV file is, by the names of its columns, and what each of its records says. Pure.

Known are our own export and those of listmonk, Mailchimp, Ghost, Substack and Buttondown; any other file needs a
column with addresses and nothing else. Tags, labels and lists of elsewhere are nobody's wish for our topics: those come
from a column of that name alone.

Whoever said no there has said no. A record that its own source does not show as subscribed is left there, whatever the
operator's basis: that is what `Reading.left_there` is for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache

EMAIL_COLUMNS = ("email", "email address", "e mail", "e mail address")
"""Where the address stands; the first of these that is there. All names are as `spreadsheets.plain_name` has them."""

UNSUBSCRIBED = "had unsubscribed there"
BOUNCED = "had bounced there"
COMPLAINED = "had complained there"
SHUT_OUT = "had been suppressed, blocked or removed there"
UNCONFIRMED = "had not confirmed there"
NOT_CLEAR = "is not clearly shown as subscribed there"

Sign = Callable[[str], str | None]
"""What one cell says against bringing somebody in, to complete “this person …”; None when it says nothing."""


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

# Cells that mean nothing although something stands there.
_NO = frozenset({"false", "no", "n", "f", "0", "off"})
_NOTHING = _NO | {"", "null", "none", "nil", "nan", "n/a", "0000 00 00", "0000 00 00 00:00:00"}
_YES = frozenset({"true", "yes", "y", "t", "1", "on"})

# What any program's columns can say, whether the rest of the file was recognised or not.
_FILLED = {
    "unsub time": UNSUBSCRIBED,
    "unsubscribed at": UNSUBSCRIBED,
    "unsubscribed": UNSUBSCRIBED,
    "unsubscribe date": UNSUBSCRIBED,
    "unsubscription date": UNSUBSCRIBED,
    "unsubscribed date": UNSUBSCRIBED,
    "date unsubscribed": UNSUBSCRIBED,
    "opted out": UNSUBSCRIBED,
    "email disabled": UNSUBSCRIBED,
    "clean time": BOUNCED,
    "cleaned": BOUNCED,
    "bounced": BOUNCED,
    "bounced at": BOUNCED,
    "undeliverability date": BOUNCED,
    "complained": COMPLAINED,
    "complained at": COMPLAINED,
    "blocklisted": SHUT_OUT,
    "blacklisted": SHUT_OUT,
    "email blacklisted": SHUT_OUT,
    "suppressed because": SHUT_OUT,
    "deleted at": SHUT_OUT,
}
_MUST_BE_TRUE = frozenset({"subscribed to emails", "subscribed", "accepts email marketing"})
_STATES = frozenset(
    {
        "state",
        "status",
        "type",
        "subscriber type",
        "subscriber status",
        "subscription status",
        "email marketing status",
        "email subscriber status",
    }
)
_WORDS = {
    UNSUBSCRIBED: ("unsubscribed", "unsubscribe", "opted out", "optout", "opt out", "cancelled", "canceled"),
    BOUNCED: ("bounced", "cleaned", "undeliverable", "invalid", "hard bounced"),
    COMPLAINED: ("complained", "complaint", "spam", "abuse"),
    SHUT_OUT: (
        *("suppressed", "blocklisted", "blacklisted", "blocked", "banned", "removed", "deleted", "archived", "spammy"),
        *("disabled", "inactive"),
    ),
    UNCONFIRMED: (
        *("pending", "unconfirmed", "unactivated", "unverified", "not confirmed", "waiting"),
        *("non subscribed", "nonsubscribed", "not subscribed", "transactional"),
    ),
}
_SAID = {word: reason for reason, words in _WORDS.items() for word in words}

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
        if name in _FILLED:
            yield place, _filled(_FILLED[name])
        if name in dialect.state:
            yield place, _one_of(dialect.yes)
        elif name in _MUST_BE_TRUE:
            yield place, _one_of(_YES)
        elif name in _STATES:
            yield place, _said


def _filled(reason: str) -> Sign:
    return lambda cell: reason if cell and _plain(cell) not in _NOTHING else None


def _one_of(words: frozenset[str]) -> Sign:
    def sign(cell: str) -> str | None:
        word = _plain(cell)
        if word in words:
            return None
        return UNSUBSCRIBED if word in _NO else _SAID.get(word, NOT_CLEAR)

    return sign


def _said(cell: str) -> str | None:
    """A word against somebody. Any other word may mean anything: a state is also a part of a country."""
    return _SAID.get(_plain(cell))


@lru_cache(maxsize=1_024)
def _plain(cell: str) -> str:
    return re.sub(r"[\s_-]+", " ", cell).strip().casefold()
