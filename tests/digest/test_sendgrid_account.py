"""What the doctor learns about a SendGrid account."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from digest.sendgrid_account import Finding, account_report
from digest.sendgrid_send import SendGrid
from tests.make_outgoing import SENDER
from tests.sendgrid_stub import KEY, Stub

WEBHOOK = "https://verdicts.example.com/webhooks/sendgrid"


def report(stub: Stub, *, key: str = KEY, webhook: str | None = None) -> dict[str, Finding]:
    sendgrid = SendGrid(key, host=stub.url, read=5.0)
    try:
        return {finding.name: finding for finding in account_report(sendgrid, sender=SENDER, webhook=webhook)}
    finally:
        sendgrid.close()


def test_a_sound_account_is_fine_and_gets_no_mail(stub: Stub) -> None:
    """Every line is ok, and the one mail handed over was for the sandbox."""
    found = report(stub)

    assert [(name, finding.ok) for name, finding in found.items()] == [
        ("key", True),
        ("sender", True),
        ("subscription tracking", True),
        ("sandbox send", True),
    ]
    assert (stub.state()["mail_requests"], stub.state()["recipients"]) == (1, 0)


def test_a_wrong_key_fails_every_line(stub: Stub) -> None:
    """With a key SendGrid does not know nothing can be read and nothing sent."""
    found = report(stub, key="SG.another")

    assert {finding.ok for finding in found.values()} == {False}
    assert "API key" in found["key"].words


def test_a_key_that_may_not_send_is_named(stub: Stub) -> None:
    """The scope mail.send is the one that is needed."""
    stub.answer("GET /v3/scopes", 200, {"scopes": ["stats.read"]})

    assert report(stub)["key"] == ("key", False, "The API key may not send: give it the scope mail.send.")


def test_what_a_narrow_key_may_not_read_is_unknown(stub: Stub) -> None:
    """A key that may only send is a good key: what it may not read is neither right nor wrong."""
    stub.answer("GET /v3/whitelabel/domains", 403, {"errors": []})
    stub.answer("GET /v3/tracking_settings/subscription", 500, {"errors": []})
    found = report(stub)

    assert found["sender"].ok is None
    assert found["subscription tracking"].ok is None
    assert found["sandbox send"].ok is True


def test_a_sandbox_send_that_is_forbidden_is_wrong(stub: Stub) -> None:
    """403 for the send itself is no matter of reading."""
    stub.faults("403")

    assert report(stub)["sandbox send"].ok is False


def domain(name: str, *, valid: bool = True) -> dict[str, Any]:
    return {"id": 1, "domain": name, "valid": valid}


@pytest.mark.parametrize(
    ("domains", "verified", "ok", "word"),
    [
        ([domain("Example.com")], False, True, "authenticated"),
        ([domain("other.example"), domain("com", valid=False)], True, True, "single sender"),
        ([domain("example.com", valid=False)], False, False, "not authenticated"),
        ([domain("ample.com"), domain("com")], False, False, "not authenticated"),
        ([], False, False, "not authenticated"),
        ({"strange": "shape"}, False, False, "not authenticated"),
    ],
)
def test_the_sender_is_judged_by_its_domain(stub: Stub, domains: Any, verified: bool, ok: bool, word: str) -> None:
    """An authenticated domain is best, a verified single sender will do for a while, else mail will be refused."""
    stub.answer("GET /v3/whitelabel/domains", 200, domains)
    stub.answer("GET /v3/verified_senders/steps_completed", 200, {"results": {"sender_verified": verified}})
    found = report(stub)["sender"]

    assert found.ok is ok
    assert word in found.words


@pytest.mark.parametrize(
    ("hooks", "ok", "word"),
    [
        ([{"url": WEBHOOK, "enabled": True, "public_key": "MFkw"}], True, "Signed events"),
        ([{"url": WEBHOOK, "enabled": True, "public_key": ""}], False, "not signed"),
        ([{"url": WEBHOOK, "enabled": False, "public_key": "MFkw"}], False, "No event webhook"),
        ([{"url": "https://other.example.com/", "enabled": True, "public_key": "MFkw"}], False, "No event webhook"),
        (None, False, "No event webhook"),
    ],
)
def test_the_webhook_must_be_ours_on_and_signed(stub: Stub, hooks: Any, ok: bool, word: str) -> None:
    """Events that go elsewhere, or unsigned, do not reach the ledger."""
    stub.answer("GET /v3/user/webhooks/event/settings/all", 200, {"max_allowed": 2, "webhooks": hooks})
    found = report(stub, webhook=WEBHOOK)["event webhook"]

    assert found.ok is ok
    assert word in found.words


def test_the_webhook_must_sign_with_the_key_we_know(stub: Stub) -> None:
    """Else every event would be refused."""
    hooks = [{"url": WEBHOOK, "enabled": True, "public_key": "MFkw"}]
    stub.answer("GET /v3/user/webhooks/event/settings/all", 200, {"max_allowed": 2, "webhooks": hooks})
    with contextlib.closing(SendGrid(KEY, host=stub.url, read=5.0)) as sendgrid:
        same, other = (
            {one.name: one for one in account_report(sendgrid, sender=SENDER, webhook=WEBHOOK, public_key=key)}
            for key in ("MFkw", "MFkx")
        )

    assert (True, False) == (same["event webhook"].ok, other["event webhook"].ok)
    assert "SENDGRID_WEBHOOK_PUBLIC_KEY" in other["event webhook"].words


def test_a_key_that_may_not_read_the_suppression_lists_is_named(stub: Stub) -> None:
    """The nightly reading of them needs a scope of its own."""
    assert report(stub, webhook=WEBHOOK)["suppression lists"].ok
    stub.answer("GET /v3/suppression/bounces", 403, {"errors": [{"message": "access forbidden"}]})
    found = report(stub, webhook=WEBHOOK)["suppression lists"]

    assert found.ok is False
    assert "suppression.read" in found.words


def test_an_unreachable_provider_is_said(stub: Stub) -> None:
    """No line raises when nobody answers: each says that it could not be found out."""
    sendgrid = SendGrid(KEY, host="http://127.0.0.1:1")

    found = account_report(sendgrid, sender=SENDER)

    assert {finding.ok for finding in found} == {None}
