"""What a column says against somebody: a no is heard in any file, however it is put, and nothing makes a yes of it."""

from __future__ import annotations

import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from database import Database
from subscribers import dialects, transfer
from subscribers.signs import BOUNCED, COMPLAINED, NOT_CLEAR, SHUT_OUT, UNCONFIRMED, UNSUBSCRIBED
from subscribers.spreadsheets import plain_name
from tests.subscribers.cast import NOW

STATUSES = ("status", "subscription_status", "Subscriber Status", "Email-Marketing Status?")
NOES_OF_A_STATUS = {
    "Unsubscribed (user)": UNSUBSCRIBED,
    "Unsubscribed - 2024": UNSUBSCRIBED,
    "unsub": UNSUBSCRIBED,
    "Opted-out by mail": UNSUBSCRIBED,
    "hard bounce": BOUNCED,
    "Bounced (hard)": BOUNCED,
    "soft-bounced": BOUNCED,
    "spam complaint": COMPLAINED,
    "abuse report": COMPLAINED,
    "junk": COMPLAINED,
    "do not contact": UNSUBSCRIBED,
    "blocked_by_user": SHUT_OUT,
    "revoked": UNSUBSCRIBED,
    "left": UNSUBSCRIBED,
    "no": UNSUBSCRIBED,
    "false": UNSUBSCRIBED,
    "désabonné": UNSUBSCRIBED,
    "abgemeldet": UNSUBSCRIBED,
    "VIP": NOT_CLEAR,
    "unknown": NOT_CLEAR,
}
WISHES = (
    *("is_subscribed", "subscribed?", "opt_in", "opted_in", "Opt-In?", "email_opt_in", "emailOptIn", "consent"),
    *("marketing_consent", "GDPR consent given", "confirmed", "email confirmed", "enabled", "active", "is_active"),
)
NOES_OF_A_WISH = ("false", "FALSE", "no", "0", "n", "off", "unsubscribed", "revoked 2024-03-01", "perhaps")
AGAINST = (
    *("do_not_email", "Do Not Contact", "donotmail", "unsubscribed", "opted_out", "Opt-Out", "email opt out"),
    *(
        "Unsubscribe Time",
        "unsubscribed_at",
        "unsubscribe date",
        "opt out date",
        "Opted Out At",
        "consent withdrawn on",
    ),
)
NOES_OF_A_DAY = ("true", "yes", "1", "x", "2024-03-01", "01/03/2024", "2024-03-01T09:30:00Z", "1 March 2024")

SAID_NO = (
    st.tuples(st.sampled_from(STATUSES), st.sampled_from(sorted(NOES_OF_A_STATUS)))
    | st.tuples(st.sampled_from(WISHES), st.sampled_from(NOES_OF_A_WISH))
    | st.tuples(st.sampled_from(AGAINST), st.sampled_from(NOES_OF_A_DAY))
)
HEADERS = st.sampled_from(
    [
        {"email": "ada@example.com"},
        {"email": "ada@example.com", "name": "Ada", "state": "Bavaria"},
        {"Email Address": "ada@example.com", "LEID": "1", "EUID": "e1"},
        {"email": "ada@example.com", "uuid": "1", "attributes": "{}", "status": "enabled"},
        {"email": "ada@example.com", "subscribed_to_emails": "true"},
        {"email": "ada@example.com", "creation_date": "2024-03-01", "type": "regular"},
    ]
)


def left_there(**said: str) -> str | None:
    columns = ["email", *(plain_name(name) for name in said)]
    return dialects.reading(columns).left_there(["ada@example.com", *said.values()])


@pytest.mark.parametrize("column", STATUSES)
@pytest.mark.parametrize(("cell", "reason"), NOES_OF_A_STATUS.items())
def test_a_status_that_is_no_known_yes_is_a_no(column: str, cell: str, reason: str) -> None:
    """In any file and any spelling of the column; the reason is as clear as the word."""
    for spelled in (cell, cell.upper(), f" {cell} "):
        assert left_there(**{column: spelled}) == reason


@pytest.mark.parametrize("cell", ["", "subscribed", "Active", "ENABLED", "confirmed", "opted-in", "yes", "TRUE", "1"])
def test_a_status_that_is_a_yes_lets_them_come(cell: str) -> None:
    """And an empty cell says nothing."""
    assert left_there(subscription_status=cell) is None


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("Bavaria", None),
        ("NO", None),
        ("", None),
        ("Unsubscribed - 2024", UNSUBSCRIBED),
        ("Bounced (hard)", BOUNCED),
        ("spam complaint", COMPLAINED),
        ("blocked by user", SHUT_OUT),
        ("do-not-contact", UNSUBSCRIBED),
    ],
)
def test_a_state_may_be_part_of_a_country(cell: str, reason: str | None) -> None:
    """Only what begins like a no is one."""
    assert left_there(state=cell) == reason


@pytest.mark.parametrize("column", WISHES)
def test_a_wish_is_a_yes_or_a_no(column: str) -> None:
    """True-ish or the day it was said; where nothing stands, a column that may be empty says nothing."""
    for cell in ("true", "Yes", "1", "on"):
        assert left_there(**{column: cell}) is None
    for cell in NOES_OF_A_WISH:
        assert left_there(**{column: cell}) is not None
    if column != "subscribed?":  # of whom it must be said
        assert left_there(**{column: ""}) is left_there(**{column: "2024-03-01T09:30:00Z"}) is None


@pytest.mark.parametrize("column", AGAINST)
def test_a_no_is_a_yes_or_a_day(column: str) -> None:
    """Filled with anything but a no, it is one."""
    for cell in NOES_OF_A_DAY:
        assert left_there(**{column: cell}) == UNSUBSCRIBED
    for cell in ("", "false", "No", "0", "never", "0000-00-00", "NULL"):
        assert left_there(**{column: cell}) is None


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("unsubscribe link", "https://example.com/u/1"),
        ("opt_in_ip", "192.0.2.1"),
        ("optin_time", "2024-03-01 10:00:00"),
        ("confirmed_at", "1 March 2024"),
        ("consent text", "Yes, send me the newsletter"),
        ("subscribed lists", "weekly, monthly"),
        ("payment status", "failed"),
        ("options", "no"),
        ("active subscription", "false"),
        ("enabled features", "none"),
    ],
)
def test_what_only_looks_like_a_no_is_none(column: str, cell: str) -> None:
    """Where, when and how somebody said yes, links for everybody, and words about something else."""
    assert left_there(**{column: cell}) is None


@pytest.mark.parametrize("column", ["not confirmed", "unconfirmed"])
def test_who_is_unconfirmed_had_not_confirmed(column: str) -> None:
    """The reason says so."""
    assert left_there(**{column: "true"}) == left_there(confirmed="false") == UNCONFIRMED


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(HEADERS, SAID_NO, st.booleans())
def test_a_column_with_a_no_never_adds_that_line(
    sqlite: Database, others: dict[str, str], said: tuple[str, str], is_first: bool
) -> None:
    """Whatever else the file holds, whoever's it is, wherever the column stands."""
    cells = [*others.items()]
    cells.insert(0 if is_first else len(cells), said)
    text = "\n".join(",".join(f'"{cell}"' for cell in line) for line in zip(*cells, strict=True))
    report = transfer.bring_in(
        sqlite,
        io.BytesIO(text.encode()),
        basis="they said so",
        now=NOW,
        source="import of list.csv",
        owe=lambda *_: None,
        on_bad=lambda _: None,
        dry_run=True,
    )

    assert (report.lines, report.added, report.left_there.total()) == (1, 0, 1)
