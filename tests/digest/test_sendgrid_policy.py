"""What one event means, as a table."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from digest.sendgrid_events import parse
from digest.sendgrid_policy import REACHING_CONSENT, Meaning, Trouble, meaning_of
from subscribers.policy import Act


def means(**said: Any) -> Meaning:
    return meaning_of(parse(orjson.dumps([said]))[0])


HARD = ("bounced_at", "hard_bounced_at")


@pytest.mark.parametrize(
    ("kind", "stamps"),
    [
        ("processed", ()),
        ("deferred", ("deferred_at",)),
        ("delivered", ("delivered_at",)),
        ("dropped", ("dropped_at",)),
        ("bounce", ("bounced_at",)),
        ("open", ("opened_at",)),
        ("click", ("clicked_at",)),
        ("spamreport", ("complained_at",)),
        ("unsubscribe", ("unsubscribed_at",)),
        ("group_unsubscribe", ("unsubscribed_at",)),
        ("group_resubscribe", ()),
        ("account_status_change", ()),
        ("something new", ()),
    ],
)
def test_each_kind_has_its_columns(kind: str, stamps: tuple[str, ...]) -> None:
    """What is unknown stamps nothing."""
    assert stamps == means(event=kind).stamps


@pytest.mark.parametrize("classification", [None, "", "Unclassified", "Invalid Address", "mailbox unavailable"])
def test_a_mailbox_that_is_gone_suppresses(classification: str | None) -> None:
    """So does a hard bounce that nobody classified: the provider puts it on its list too."""
    found = means(event="bounce", type="bounce", bounce_classification=classification, reason="550 no such user")

    assert (HARD, Act.BOUNCE, None) == (found.stamps, found.act, found.trouble)
    assert "hard bounce: 550 no such user" == found.because


@pytest.mark.parametrize(
    "classification", ["Reputation", "Content", "Technical Failure", "Frequency or Volume Too High", "Something new"]
)
def test_what_is_our_fault_suppresses_nobody(classification: str) -> None:
    """It stamps the delivery and raises an alarm."""
    found = means(event="bounce", type="bounce", bounce_classification=classification)

    assert (HARD, None, Trouble.ALARM) == (found.stamps, found.act, found.trouble)
    assert classification in found.because


@pytest.mark.parametrize("type_", ["blocked", None, "something new"])
def test_a_soft_bounce_only_counts(type_: str | None) -> None:
    """However it is classified."""
    found = means(event="bounce", type=type_, bounce_classification="Invalid Address")

    assert Meaning(("bounced_at",)) == found


@pytest.mark.parametrize(
    ("reason", "act", "trouble"),
    [
        ("Bounced Address", Act.BOUNCE, None),
        ("Invalid", Act.BOUNCE, None),
        ("Unsubscribed Address", Act.UNSUBSCRIBE, None),
        ("Spam Reporting Address", Act.COMPLAIN, None),
        ("Recipient List over Package Quota", None, Trouble.HALT),
        ("Invalid SMTPAPI header", None, Trouble.HALT),
        ("Spam Content (if Spam Checker app is enabled)", None, Trouble.HALT),
        ("Something new", None, Trouble.ALARM),
        (None, None, Trouble.ALARM),
    ],
)
def test_why_it_was_dropped_decides(reason: str | None, act: Act | None, trouble: Trouble | None) -> None:
    """A list of theirs that we did not know of, or something of ours that would drop the others too."""
    found = means(event="dropped", reason=reason)

    assert (("dropped_at",), act, trouble) == (found.stamps, found.act, found.trouble)


@pytest.mark.parametrize(
    "kind", ["processed", "deferred", "delivered", "open", "click", "account_status_change", "new"]
)
def test_only_kinds_that_are_named_so_reach_consent(kind: str) -> None:
    """By them a post is cut into pieces, none of which may take long."""
    said = {"type": "bounce", "reason": "Bounced Address", "bounce_classification": "Invalid Address"}

    assert means(event=kind, **said).act is None
    assert kind not in REACHING_CONSENT
    for reaching in REACHING_CONSENT:
        assert means(event=reaching, **said).act is not None


def test_a_mail_opened_by_a_machine_was_read_by_nobody() -> None:
    """Some programs open every mail."""
    assert ("opened_at",) == means(event="open", sg_machine_open=False).stamps
    assert () == means(event="open", sg_machine_open=True).stamps


def test_a_change_of_the_account_halts_everything() -> None:
    """And says what it was."""
    found = means(event="account_status_change", type="compliance_suspend")

    assert (None, Trouble.HALT_ALL) == (found.act, found.trouble)
    assert "compliance_suspend" in found.because
