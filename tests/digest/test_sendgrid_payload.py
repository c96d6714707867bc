"""What SendGrid is asked to send."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest import sendgrid_payload
from digest.transport import Outgoing, Recipient, Refused, Sender
from tests.make_outgoing import GREETING, LINK, SENDER, outgoing, paper, recipient
from tests.sendgrid_stub.judge import judge


def written(batch: Outgoing) -> dict[str, Any]:
    document: dict[str, Any] = orjson.loads(sendgrid_payload.body_of(batch))
    return document


def refusal(batch: Outgoing) -> Refused:
    with pytest.raises(Refused) as caught:
        sendgrid_payload.body_of(batch)
    return caught.value


def test_a_batch_is_written_so() -> None:
    """One personalization a recipient with its own headers and values; both parts; all tracking off."""
    batch = outgoing(recipient(41, email="Ada@example.com"), recipient(42, email="bob@example.org"), batch=7, attempt=2)

    def personalization(delivery: int, email: str) -> dict[str, Any]:
        url = f"https://verdicts.example.com/unsubscribe/k1.token-{delivery}"
        return {
            "to": [{"email": email}],
            "custom_args": {"vd_delivery": str(delivery), "vd_week": "2026-W47", "vd_batch": "7", "vd_attempt": "2"},
            "headers": {
                "List-ID": '"Verdicts" <verdicts.example.com>',
                "List-Unsubscribe": f"<{url}>",
                "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            },
            "substitutions": {GREETING: f"Hello Reader {delivery}, you", LINK: url},
        }

    assert {
        "personalizations": [personalization(41, "Ada@example.com"), personalization(42, "bob@example.org")],
        "from": {"email": "verdicts@example.com", "name": "Weekly AI Tool Verdicts"},
        "reply_to": {"email": "editor@example.com"},
        "subject": "Corbelkit sweeps the panel",
        "content": [
            {"type": "text/plain", "value": paper().text},
            {"type": "text/html", "value": paper().html},
        ],
        "categories": ["digest"],
        "tracking_settings": {
            "click_tracking": {"enable": False, "enable_text": False},
            "open_tracking": {"enable": False},
            "subscription_tracking": {"enable": False},
            "ganalytics": {"enable": False},
        },
    } == written(batch)


def test_a_plain_text_edition_has_one_part() -> None:
    """Without HTML the text part stands alone."""
    document = written(outgoing(of=paper(html=None)))

    assert [part["type"] for part in document["content"]] == ["text/plain"]


def test_the_sandbox_is_asked_for_only_when_wanted() -> None:
    """Only a sandbox batch asks for the sandbox."""
    assert written(outgoing(sandbox=True))["mail_settings"] == {"sandbox_mode": {"enable": True}}
    assert "mail_settings" not in written(outgoing())


def test_a_letter_is_never_mistaken_for_a_delivery() -> None:
    """What is no edition marks its recipients by its own name, so that its events stamp no delivery."""
    document = written(outgoing(recipient(3, substitutions={}), of=paper(text="Hello", html=None), category="letter"))

    assert document["personalizations"][0]["custom_args"] == {"vd_letter": "3", "vd_attempt": "1"}
    assert document["categories"] == ["letter"]


def test_nothing_personal_goes_along() -> None:
    """Besides the address and what the mail says, SendGrid sees only opaque numbers and the week."""
    one = written(outgoing(recipient(5)))["personalizations"][0]

    assert {"to", "custom_args", "headers", "substitutions"} == one.keys()
    assert {"email"} == one["to"][0].keys()
    assert one["custom_args"].pop("vd_week") == "2026-W47"
    assert all(value.isdecimal() for value in one["custom_args"].values())


def test_nothing_bypasses_an_opt_out() -> None:
    """No request speaks of suppression groups or of bypassing lists."""
    body = sendgrid_payload.body_of(outgoing(count=3, sandbox=True))

    assert b"asm" not in body
    assert b"bypass" not in body


def test_a_domain_in_another_script_goes_out_in_ascii() -> None:
    """An internationalised domain is written as its A-label, in To and in From alike."""
    of = paper(sender=Sender(email="neues@bücher.example.com", name="Büchertisch", reply_to="rede@bücher.example.com"))
    document = written(outgoing(recipient(1, email="Ada@bücher.example.com"), of=of))

    assert document["personalizations"][0]["to"][0]["email"] == "Ada@xn--bcher-kva.example.com"
    assert document["from"] == {"email": "neues@xn--bcher-kva.example.com", "name": "Büchertisch"}
    assert document["reply_to"] == {"email": "rede@xn--bcher-kva.example.com"}


@pytest.mark.parametrize(
    "spoilt",
    [
        recipient(2, email="reader1@EXAMPLE.com"),
        recipient(2, email="übung@example.com"),
        recipient(2, email="two words@example.com"),
        recipient(2, email="ada@example.com\r\nBcc: eve@example.com"),
        recipient(2, email=""),
        recipient(2, email="ada@localhost"),
        recipient(2, email="ada@example..com"),
        recipient(2, email=f"{'a' * 65}@example.com"),
        recipient(2, substitutions={GREETING: "You"}),
        recipient(2, substitutions={GREETING: "You\nBcc: eve@example.com", LINK: "x"}),
        recipient(2, substitutions={GREETING: "You\r", LINK: "x"}),
        recipient(2, substitutions={GREETING: f"my name is {LINK}", LINK: "x"}),
        recipient(2, substitutions={GREETING: 5, LINK: "x"}),  # type: ignore[dict-item]
        recipient(2, substitutions={GREETING: "\ud800", LINK: "x"}),
        recipient(2, substitutions={GREETING: "x" * 9_990, LINK: "x"}),
        recipient(2, substitutions={GREETING: "ü" * 4_990, LINK: "x"}),
        recipient(2, substitutions={GREETING: "You", LINK: "x", **{f"-vd2026w47x{n}-": "" for n in range(149)}}),
        recipient(2, headers={"Subject": "Mine"}),
        recipient(2, headers={"X-SG-EID": "1"}),
        recipient(2, headers={"Reply-to": "eve@example.com"}),
        recipient(2, headers={"X Y": "1"}),
        recipient(2, headers={"X-Y:": "1"}),
        recipient(2, headers={"": "1"}),
        recipient(2, headers={"X-Ü": "1"}),
        recipient(2, headers={"X-Y": "one\r\nBcc: eve@example.com"}),
        recipient(2, headers={"X-Y": "ü"}),
        recipient(2, headers={"X-Y": ""}),
        recipient(2, headers={"list-id": "another"}),
        recipient(2, headers={"X-Y": "1", "x-y": "2"}),
    ],
)
def test_a_recipient_that_would_cost_the_batch_is_named(spoilt: Recipient) -> None:
    """What SendGrid would refuse the whole request for is refused before the call, by the recipient's index."""
    refused = refusal(outgoing(recipient(1), spoilt, recipient(3)))

    assert refused.recipient == 1
    assert not refused.too_large
    assert "@" not in str(refused)


@pytest.mark.parametrize(
    "batch",
    [
        outgoing(count=1_001),
        Outgoing(edition="2026-W47", batch=1, attempt=1, paper=paper(text="No tag.", html=None), recipients=[]),
        outgoing(of=paper(subject="")),
        outgoing(of=paper(subject="two\nlines")),
        outgoing(of=paper(subject="two\rlines")),
        outgoing(of=paper(text="")),
        outgoing(of=paper(html="")),
        outgoing(of=paper(text="a lone \ud800 surrogate")),
        outgoing(of=paper(headers={"From": "eve@example.com"})),
        outgoing(of=paper(headers={"List-ID": "one\ntwo"})),
        outgoing(of=paper(headers={"List-ID": "one", "LIST-ID": "two"})),
        outgoing(of=paper(sender=Sender(email="nobody", name="", reply_to="editor@example.com"))),
        outgoing(of=paper(sender=Sender(email="a@example.com", name="", reply_to="übung@example.com"))),
        outgoing(of=paper(sender=Sender(email="a@example.com", name="one\ntwo", reply_to="b@example.com"))),
        outgoing(of=paper(text="-vd2026w47nickname- nobody has one of those")),
        outgoing(of=paper(subject="a tag of last week: -vd2026w46greeting-")),
        outgoing(category=""),
        outgoing(category="ü"),
        outgoing(category="x" * 256),
    ],
)
def test_a_paper_that_would_be_refused_is_refused_before_the_call(batch: Outgoing) -> None:
    """What is wrong with the batch as a whole names no recipient."""
    assert refusal(batch).recipient is None


def test_a_tag_of_any_shape_needs_a_value_for_everybody() -> None:
    """What stands in the paper and has a value for one recipient must have one for all."""
    named = recipient(1, substitutions={"%name%": "Ada"})
    nameless = recipient(2, substitutions={})

    assert refusal(outgoing(named, nameless, of=paper(text="Dear %name%", html=None))).recipient == 1
    assert written(outgoing(named, nameless, of=paper(text="Dear reader", html=None)))


def test_a_body_of_30_mb_asks_for_halving() -> None:
    """Too large is refused as too large, so that the batch is halved."""
    assert refusal(outgoing(of=paper(html="x" * 30_000_000))).too_large
    assert sendgrid_payload.body_of(outgoing(of=paper(html="x" * 29_900_000)))


def test_a_thousand_recipients_keep_their_order() -> None:
    """Recipient, number, values and headers stay together, in the order given."""
    personalizations = written(outgoing(count=1_000))["personalizations"]

    assert len(personalizations) == 1_000
    for number, one in enumerate(personalizations, start=1):
        assert f"reader{number}@example.com" == one["to"][0]["email"]
        assert str(number) == one["custom_args"]["vd_delivery"]
        assert one["substitutions"][LINK].endswith(f"token-{number}")
        assert one["headers"]["List-Unsubscribe"].endswith(f"token-{number}>")


anything = st.one_of(st.text(max_size=12), st.text(alphabet="a.-@:\u00fc\n ", max_size=5))
odd_people = st.lists(
    st.builds(
        recipient,
        delivery=st.integers(0, 10**12),
        email=st.one_of(
            st.none(),
            anything,
            st.builds("{}@example.com".format, anything),
            st.builds("ada@{}.example.com".format, anything),
        ),
        substitutions=st.one_of(
            st.none(),
            st.dictionaries(st.one_of(st.sampled_from([GREETING, LINK]), anything), anything, max_size=4),
        ),
        headers=st.one_of(st.none(), st.dictionaries(anything, anything, max_size=3)),
    ),
    min_size=1,
    max_size=4,
)
odd_papers = st.builds(
    paper,
    subject=anything,
    text=anything,
    html=st.one_of(st.none(), anything),
    headers=st.one_of(st.none(), st.dictionaries(anything, anything, max_size=3)),
)


@given(odd_people, odd_papers)
def test_whatever_leaves_is_taken(people: list[Recipient], of: Any) -> None:
    """For any batch: either it is refused here, or SendGrid's own limits find no fault in it."""
    try:
        body = sendgrid_payload.body_of(outgoing(*people, of=of))
    except Refused:
        return

    assert judge(body, now=time.time(), knows_batch=lambda _: False).errors == []


@given(st.dictionaries(st.sampled_from([GREETING, LINK]), st.text(max_size=40), min_size=2, max_size=2))
def test_every_value_arrives_as_it_was(values: dict[str, str]) -> None:
    """No value is escaped, shortened or normalised on the way into the request."""
    try:
        body = sendgrid_payload.body_of(outgoing(recipient(1, substitutions=values)))
    except Refused:
        assert any("\r" in value or "\n" in value for value in values.values())
        return

    assert values == orjson.loads(body)["personalizations"][0]["substitutions"]


def test_a_sender_without_a_name_has_none() -> None:
    """An empty name is left out."""
    of = paper(sender=Sender(email=SENDER.email, name="", reply_to=SENDER.reply_to))

    assert {"email": SENDER.email} == written(outgoing(of=of))["from"]
