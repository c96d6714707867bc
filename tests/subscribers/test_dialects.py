"""Exports of other programs, as they are: whom they show as subscribed, and whom they do not."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta, timezone

import pytest

from subscribers import dialects
from subscribers.dialects import Reading, moment
from subscribers.signs import BOUNCED, COMPLAINED, NOT_CLEAR, SHUT_OUT, UNCONFIRMED, UNSUBSCRIBED
from subscribers.spreadsheets import plain_name

LISTMONK = "uuid,email,name,attributes,status,created_at,updated_at"
MAILCHIMP = (
    '"Email Address","First Name","Last Name",MEMBER_RATING,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,CONFIRM_IP,LATITUDE,'
    "LONGITUDE,GMTOFF,DSTOFF,TIMEZONE,CC,REGION,LAST_CHANGED,LEID,EUID,NOTES,TAGS"
)
MAILCHIMP_LEFT = f"{MAILCHIMP},UNSUB_TIME,UNSUB_CAMPAIGN_TITLE,UNSUB_CAMPAIGN_ID,UNSUB_REASON,UNSUB_REASON_OTHER"
MAILCHIMP_CLEANED = f"{MAILCHIMP},CLEAN_TIME,CLEAN_CAMPAIGN_TITLE,CLEAN_CAMPAIGN_ID"
GHOST = (
    "id,email,name,note,subscribed_to_emails,complimentary_plan,stripe_customer_id,created_at,deleted_at,labels,tiers"
)
SUBSTACK = "email,active_subscription,expiry,plan,email_disabled,created_at,first_payment_at"
SUBSTACK_DETAILS = "Email,Name,Stripe plan,Cancel date,Start date,Type,Activity,Emails received (6mo),Country"
BUTTONDOWN = "email,notes,metadata,tags,referrer_url,creation_date,secondary_id,subscriber_type,source"
BUTTONDOWN_NEW = "id,email_address,type,creation_date,tags,unsubscription_date,undeliverability_date"
OWN = (
    "email,name,topics,created_at,state,confirmed_at,basis,pending_since,suppressed_because,plain_text,rhythm,"
    "paused_until,changed_at"
)


def reading_of(header: str) -> tuple[Reading, list[str]]:
    columns = [plain_name(cell) for cell in next(csv.reader(io.StringIO(header)))]
    return dialects.reading(columns), columns


def record(header: str, **said: str) -> tuple[Reading, list[str]]:
    """One record that says this and nothing else."""
    reading, columns = reading_of(header)
    assert {plain_name(name) for name in said} <= set(columns)
    return reading, [
        next((cell for name, cell in said.items() if plain_name(name) == column), "") for column in columns
    ]


def left_there(header: str, **said: str) -> str | None:
    reading, cells = record(header, **said)
    return reading.left_there(cells)


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (LISTMONK, "listmonk"),
        (MAILCHIMP, "Mailchimp"),
        (MAILCHIMP_LEFT, "Mailchimp"),
        (MAILCHIMP_CLEANED, "Mailchimp"),
        (GHOST, "Ghost"),
        (SUBSTACK, "Substack"),
        (SUBSTACK_DETAILS, "Substack"),
        (BUTTONDOWN, "Buttondown"),
        (BUTTONDOWN_NEW, "Buttondown"),
        (OWN, "our own export"),
        ("email", "plain CSV"),
        ("Name,E-Mail Address,State", "plain CSV"),
        ("email,name,topics,created_at", "plain CSV"),
    ],
)
def test_a_program_is_known_by_its_columns(header: str, name: str) -> None:
    """In any order and any case, however the words are joined."""
    turned = ",".join(reversed(header.split(",")))
    for written in (header, turned, header.upper(), header.replace("_", " "), header.replace(" ", "_")):
        assert reading_of(written)[0].dialect.name == name


@pytest.mark.parametrize(
    ("header", "said", "email", "name", "created"),
    [
        (
            LISTMONK,
            {"email": "a@example.com", "name": "Ada L", "created_at": "2024-03-01 09:30:00.123456 +0530 IST"},
            "a@example.com",
            "Ada L",
            datetime(2024, 3, 1, 9, 30, 0, 123456, tzinfo=timezone(timedelta(hours=5, minutes=30))),
        ),
        (
            MAILCHIMP,
            {
                "Email Address": "a@example.com",
                "First Name": "Ada",
                "Last Name": "L",
                "OPTIN_TIME": "2015-03-16 14:40:47",
            },
            "a@example.com",
            "Ada L",
            datetime(2015, 3, 16, 14, 40, 47, tzinfo=UTC),
        ),
        (
            MAILCHIMP,
            {"Email Address": "a@example.com", "CONFIRM_TIME": "2015-03-16 14:40:47"},
            "a@example.com",
            " ",
            datetime(2015, 3, 16, 14, 40, 47, tzinfo=UTC),
        ),
        (
            GHOST,
            {"email": "a@example.com", "name": "Ada", "created_at": "2024-03-01T09:30:00.000Z"},
            "a@example.com",
            "Ada",
            datetime(2024, 3, 1, 9, 30, tzinfo=UTC),
        ),
        (
            SUBSTACK,
            {"email": "a@example.com", "created_at": "2024-01-15T10:00:00.000Z"},
            "a@example.com",
            "",
            datetime(2024, 1, 15, 10, tzinfo=UTC),
        ),
        (
            SUBSTACK_DETAILS,
            {"Email": "a@example.com", "Name": "Ada", "Start date": "2024-01-15T10:00:00.000Z"},
            "a@example.com",
            "Ada",
            datetime(2024, 1, 15, 10, tzinfo=UTC),
        ),
        (
            BUTTONDOWN,
            {"email": "a@example.com", "creation_date": "2023-05-06T07:08:09.123456Z"},
            "a@example.com",
            "",
            datetime(2023, 5, 6, 7, 8, 9, 123456, tzinfo=UTC),
        ),
    ],
)
def test_the_person_is_found_in_the_record(
    header: str, said: dict[str, str], email: str, name: str, created: datetime
) -> None:
    """Address, name and time of sign-up, wherever the program puts them."""
    reading, cells = record(header, **said)

    assert (cells[reading.email], reading.name(cells)) == (email, name)
    assert moment(reading.created_at(cells)[1]) == created


def test_foreign_tags_are_no_topics() -> None:
    """Only a column called topics tells what somebody wants from us."""
    for header in (LISTMONK, MAILCHIMP, GHOST, SUBSTACK, BUTTONDOWN, "email,tags,labels,lists"):
        assert reading_of(header)[0].topics is None
    assert reading_of("email,Topics")[0].topics == 1


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (LISTMONK, {"status": "enabled"}),
        (MAILCHIMP, {}),
        (MAILCHIMP_LEFT, {"UNSUB_REASON": "N/A"}),
        (GHOST, {"subscribed_to_emails": "true", "complimentary_plan": "false"}),
        (GHOST, {"subscribed_to_emails": "TRUE"}),
        (SUBSTACK, {"active_subscription": "false", "email_disabled": "false"}),
        (SUBSTACK_DETAILS, {"Type": "Free"}),
        (BUTTONDOWN, {"subscriber_type": "regular"}),
        (BUTTONDOWN, {"subscriber_type": "past_due"}),
        (BUTTONDOWN_NEW, {"type": "premium"}),
        (OWN, {"state": "active"}),
        ("email,state", {"state": "Bavaria"}),
        ("email,status", {"status": ""}),
        ("email,member_type", {"member_type": "VIP"}),
        ("email,unsubscribed", {"unsubscribed": "No"}),
        ("email,bounced_at", {"bounced_at": "null"}),
    ],
)
def test_who_is_subscribed_there_may_come(header: str, said: dict[str, str]) -> None:
    """Paid or not, with or without a country: what is no word against somebody is none."""
    assert left_there(header, **said) is None


@pytest.mark.parametrize(
    ("header", "said", "reason"),
    [
        (LISTMONK, {"status": "blocklisted"}, SHUT_OUT),
        (LISTMONK, {"status": "disabled"}, SHUT_OUT),
        (LISTMONK, {"status": ""}, NOT_CLEAR),
        (LISTMONK, {"status": "something new"}, NOT_CLEAR),
        (MAILCHIMP_LEFT, {"UNSUB_TIME": "2020-02-03 04:05:06"}, UNSUBSCRIBED),
        (MAILCHIMP_CLEANED, {"CLEAN_TIME": "2020-02-03 04:05:06"}, BOUNCED),
        (f"{MAILCHIMP},Email Marketing Status", {"Email Marketing Status": "Non-Subscribed"}, UNCONFIRMED),
        (f"{MAILCHIMP},Email Marketing Status", {"Email Marketing Status": "Cleaned"}, BOUNCED),
        (f"{MAILCHIMP},Status", {"Status": "Archived"}, SHUT_OUT),
        (GHOST, {"subscribed_to_emails": "false"}, UNSUBSCRIBED),
        (GHOST, {"subscribed_to_emails": ""}, NOT_CLEAR),
        (GHOST, {"subscribed_to_emails": "true", "deleted_at": "2024-03-01T09:30:00.000Z"}, SHUT_OUT),
        (SUBSTACK, {"active_subscription": "true", "email_disabled": "true"}, UNSUBSCRIBED),
        (BUTTONDOWN, {"subscriber_type": "unsubscribed"}, UNSUBSCRIBED),
        (BUTTONDOWN, {"subscriber_type": "unactivated"}, UNCONFIRMED),
        (BUTTONDOWN, {"subscriber_type": "spammy"}, SHUT_OUT),
        (BUTTONDOWN, {"subscriber_type": "removed"}, SHUT_OUT),
        (BUTTONDOWN_NEW, {"type": "regular", "undeliverability_date": "2024-03-01"}, BOUNCED),
        (BUTTONDOWN_NEW, {"type": "complained"}, COMPLAINED),
        (OWN, {"state": "unsubscribed"}, UNSUBSCRIBED),
        (OWN, {"state": "suppressed"}, SHUT_OUT),
        (OWN, {"state": "pending"}, UNCONFIRMED),
        (OWN, {"state": "active", "suppressed_because": "550"}, SHUT_OUT),
        (OWN, {"state": ""}, NOT_CLEAR),
        ("email,state", {"state": "unsubscribed"}, UNSUBSCRIBED),
        ("email,Status", {"Status": " Opted-Out "}, UNSUBSCRIBED),
        ("email,subscribed", {"subscribed": "0"}, UNSUBSCRIBED),
        ("email,Unsubscribed At", {"Unsubscribed At": "yesterday"}, UNSUBSCRIBED),
    ],
)
def test_who_is_not_subscribed_there_stays_there(header: str, said: dict[str, str], reason: str) -> None:
    """Gone, bounced, blocked, never confirmed, or in a state we do not know: none of it is a yes."""
    assert left_there(header, **said) == reason


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-03-01", datetime(2024, 3, 1, tzinfo=UTC)),
        ("2024-03-01T09:30:00Z", datetime(2024, 3, 1, 9, 30, tzinfo=UTC)),
        ("2024-03-01 09:30:00.123456789 +0000 UTC", datetime(2024, 3, 1, 9, 30, 0, 123456, tzinfo=UTC)),
        ("2024-03-01 09:30:00.1 +0000 +0000", datetime(2024, 3, 1, 9, 30, 0, 100000, tzinfo=UTC)),
        ("2024-03-01 09:30:00 -0330 NST", datetime(2024, 3, 1, 13, 0, tzinfo=UTC)),
        ("03/04/2024", None),
        ("yesterday", None),
        ("2024-13-01 09:30:00 +0000 UTC", None),
        ("2024-03-01 09:30:00 +9999 XXX", None),
    ],
)
def test_times_are_read_as_each_program_writes_them(text: str, expected: datetime | None) -> None:
    """ISO 8601, and Go's way; a date that could be two days is none."""
    assert moment(text) == expected
