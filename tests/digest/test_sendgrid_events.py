"""From raw bytes to events: what is not signed is not read, and what can be read is never lost."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from digest import json_pieces, sendgrid_events
from digest.sendgrid_events import BadSignature, Event, NoEvents, parse, without_person
from tests.signing import Signer, body_of

SIGNER = Signer()
BODY = body_of([{"event": "delivered", "email": "ada@example.com", "timestamp": 1795000000}])
STAMP = "1795000001"


def read(body: bytes, signature: str, timestamp: str = STAMP, key: str = SIGNER.public_key) -> list[Event]:
    return sendgrid_events.read(body, signature=signature, timestamp=timestamp, public_key=key)


def one(**said: Any) -> Event:
    return parse(orjson.dumps([said]))[0]


# — the signature —


def test_what_is_signed_is_read() -> None:
    """The line end at the end of the body included."""
    assert ["delivered"] == [event.kind for event in read(BODY, SIGNER.signature(BODY, STAMP))]


@pytest.mark.parametrize("timestamp", ["1", "1795000001", "2026-11-20T09:00:00Z"])
def test_nothing_is_too_old(timestamp: str) -> None:
    """A retry may be a day old; what is told twice is found by its content."""
    assert read(BODY, SIGNER.signature(BODY, timestamp), timestamp)


def forgeries() -> list[tuple[str, bytes, str, str, str]]:
    good = SIGNER.signature(BODY, STAMP)
    other = Signer()
    return [
        ("another body", BODY.replace(b"delivered", b"bounce"), good, STAMP, SIGNER.public_key),
        ("without its line end", BODY.rstrip(), good, STAMP, SIGNER.public_key),
        ("another time", BODY, good, "1795000002", SIGNER.public_key),
        ("another key", BODY, other.signature(BODY, STAMP), STAMP, SIGNER.public_key),
        ("none", BODY, "", STAMP, SIGNER.public_key),
        ("no base64", BODY, "§§§", STAMP, SIGNER.public_key),
        ("no DER", BODY, base64.b64encode(b"x" * 70).decode(), STAMP, SIGNER.public_key),
        ("a time that is no ASCII", BODY, good, "١٧٩٥", SIGNER.public_key),
        ("of zeros", BODY, base64.b64encode(bytes.fromhex("3006020100020100")).decode(), STAMP, SIGNER.public_key),
    ]


@pytest.mark.parametrize("forged", forgeries(), ids=lambda forged: forged[0])
def test_what_is_forged_is_refused(forged: tuple[str, bytes, str, str, str]) -> None:
    """By whatever was changed, and never with another error."""
    _, body, signature, timestamp, key = forged
    with pytest.raises(BadSignature, match="does not fit"):
        read(body, signature, timestamp, key)


@given(st.binary(max_size=80), st.text(max_size=20))
def test_no_signature_causes_another_error(signature: bytes, timestamp: str) -> None:
    """Whatever stands in the headers."""
    with pytest.raises(BadSignature):
        read(BODY, base64.b64encode(signature).decode(), timestamp)
    with pytest.raises(BadSignature):
        read(BODY, timestamp, timestamp)


def test_a_signature_over_anything_is_checked_before_it_is_read() -> None:
    """No JSON at all, well signed: refused for what it is."""
    for body in (b"", b"{}", b'"text"', b"[1", b"\xff\xfe", b'{"event": "open"}\r\n'):
        with pytest.raises(NoEvents, match="no JSON array"):
            read(body, SIGNER.signature(body, STAMP))
        with pytest.raises(BadSignature):
            read(body, SIGNER.signature(body + b" ", STAMP))


def test_other_hashes_are_not_taken() -> None:
    """SHA-256 and nothing else."""
    key = ec.generate_private_key(ec.SECP256R1())
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    spki = base64.b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
    signature = base64.b64encode(key.sign(STAMP.encode() + BODY, ec.ECDSA(hashes.SHA384()))).decode()
    with pytest.raises(BadSignature):
        read(BODY, signature, key=spki)


# — reading —


def test_an_event_in_our_words() -> None:
    """Strings for numbers and numbers for strings are taken as they are meant."""
    found = one(
        event="bounce",
        email="ada@example.com",
        timestamp="1795000000",
        sg_event_id="e-1",
        sg_message_id="m-1.recvd-2",
        vd_delivery="17",
        vd_week="2026-W47",
        vd_batch=3,
        vd_attempt="2",
        type="bounce",
        bounce_classification="Mailbox Unavailable",
        reason="550 no such user",
        attempt=5,
        tls=1,
        category=["digest", "other"],
    )

    assert datetime.fromtimestamp(1795000000, UTC) == found.happened_at
    assert ("bounce", "e-1", "m-1.recvd-2", "ada@example.com") == (
        found.kind,
        found.event_id,
        found.message_id,
        found.address,
    )
    assert (17, "2026-W47", 3, 2, None) == (found.delivery, found.week, found.batch, found.attempt, found.letter)
    assert ("bounce", "Mailbox Unavailable", "550 no such user", "5") == (
        found.type,
        found.classification,
        found.reason,
        found.detail,
    )
    assert found.is_ours


@pytest.mark.parametrize(
    ("said", "ours"),
    [
        ({"vd_delivery": "1", "vd_week": "2026-W47"}, True),
        ({"vd_letter": "1"}, True),
        ({"vd_delivery": "1"}, False),
        ({"vd_week": "2026-W47"}, False),
        ({"vd_test": "1", "vd_attempt": "1"}, False),
        ({"vd_delivery": "0", "vd_week": "2026-W47"}, False),
        ({"vd_delivery": "-1", "vd_week": "2026-W47"}, False),
        ({"vd_delivery": "9" * 30, "vd_week": "2026-W47"}, False),
        ({"vd_delivery": 2**63, "vd_week": "2026-W47"}, False),
        ({"vd_delivery": "١", "vd_week": "2026-W47"}, False),
        ({"vd_delivery": "1", "vd_week": "W47"}, False),
        ({"vd_delivery": ["1"], "vd_week": {"a": 1}}, False),
        ({"vd_delivery": True, "vd_week": "2026-W47"}, False),
        ({}, False),
    ],
)
def test_whose_mail_it_is_about(said: dict[str, Any], ours: bool) -> None:
    """Ours is what carries our arguments, as we write them."""
    assert ours is one(event="open", **{name: value for name, value in said.items() if value != 2**63}).is_ours


@pytest.mark.parametrize("timestamp", [None, "soon", -1, 0, 10**15, 1e300, "9" * 40, True, [1], {}, "", 4_102_444_800])
def test_a_time_that_is_none_is_not_known(timestamp: Any) -> None:
    """Before 2000, after 2099 or no number."""
    assert one(event="open", timestamp=timestamp).happened_at is None


def test_one_bad_element_never_costs_the_others() -> None:
    """Whatever stands beside it; it is kept, and what can be read of it is read."""
    deep = "[" * 5_000 + "]" * 5_000
    elements = [
        '{"event": "delivered", "sg_event_id": "first"}',
        "7",
        "null",
        '"a string, with [brackets], and \\"quotes\\""',
        deep,
        '{"event": "bounce", "reason": "half a \\ud83d character"}',
        '{"event": "bounce", "timestamp": 1e999}',
        f'{{"event": "deferred", "odd": {"9" * 5_000}}}',
        '{"event": "click", "url": "a\\u0000b"}',
        f'{{"event": "open", "nested": {deep}}}',
        "{broken",
        '{"event": "delivered", "sg_event_id": "last"}',
    ]
    found = parse(("[" + ",".join(elements) + "]\r\n").encode())

    assert [
        "delivered",
        *["unreadable"] * 4,
        "bounce",
        "bounce",
        "deferred",
        "click",
        "unreadable",
    ] == [event.kind for event in found[:-1]]
    # What is left open takes what follows with it; all before it is there.
    assert "last" in found[-1].raw
    assert "half a \ufffd character" == found[5].reason
    assert "a\ufffdb" == found[8].detail


def test_octets_that_are_no_text_cost_one_element() -> None:
    """The others are read; no database is given a NUL."""
    found = parse(b'[{"event": "open", "useragent": "\xff"}, {"event": "click"}, {"event": "o\x00"}]')

    assert ["open", "click"] == [event.kind for event in found[:2]]
    assert "\x00" not in found[2].raw + found[2].kind


def test_what_cannot_be_read_keeps_no_address() -> None:
    """Nobody could find it to have it erased."""
    found = parse(b'[{"email": "ada@example.com", broken}, "ben@example.com", {"event": "open"}]')

    assert 3 == len(found)
    assert "example.com" not in found[0].raw + found[1].raw


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=5), inside, max_size=3),
    max_leaves=8,
)
NAMES = ["event", "email", "timestamp", "sg_event_id", "sg_message_id", "vd_delivery", "vd_week", "vd_batch", "url"]
odd_events = st.dictionaries(st.sampled_from([*NAMES, "type", "reason", "attempt", "vd_attempt"]), json_values)


@given(st.lists(odd_events | json_values, max_size=6))
def test_anything_in_an_array_is_as_many_events(elements: list[Any]) -> None:
    """Written by another program, with half characters, endless numbers and NaN: none is lost, and what is kept can
    be read again with the same result."""
    found = parse(json.dumps(elements).encode())

    assert len(elements) == len(found)
    for event in found:
        assert event.raw.encode()
        assert "\x00" not in event.raw + event.kind + (event.address or "") + (event.detail or "")
        assert 0 < len(event.kind) <= 40
        again = sendgrid_events.parse_one(event.raw)
        assert (again.kind, again.happened_at, again.delivery) == (event.kind, event.happened_at, event.delivery)


@given(st.lists(json_values, max_size=5), st.sampled_from(["", " ", "\r\n"]))
def test_an_array_comes_apart_where_it_should(elements: list[Any], space: str) -> None:
    """Each piece is the element it was."""
    text = f"{space}[{f'{space},{space}'.join(map(json.dumps, elements))}]{space}"
    pieces = json_pieces.of_array(text)

    assert pieces is not None
    assert list(map(json.dumps, elements)) == pieces


# — what is left of who was erased —


def test_what_names_nobody_still_says_the_same_of_the_delivery() -> None:
    """No address, in whatever field; our arguments, the kind, the time and the class of a bounce."""
    said = {
        "event": "bounce",
        "type": "bounce",
        "bounce_classification": "Mailbox Unavailable",
        "email": "ada@example.com",
        "timestamp": 1795000000,
        "reason": "550 ada@example.com unknown",
        "ip": "203.0.113.7",
        "useragent": "Adabrowser",
        "url": "https://example.com/ada",
        "smtp-id": "<1@geopod>",
        "sg_event_id": "e-1",
        "sg_message_id": "<m-1@ada.example.com>",
        "vd_delivery": "17",
        "vd_week": "2026-W47",
        "vd_batch": "3",
        "vd_attempt": "2",
    }
    left = without_person(orjson.dumps(said).decode())

    assert "ada" not in left.casefold()
    before, after = one(**said), sendgrid_events.parse_one(left)
    assert (before.kind, before.type, before.classification, before.happened_at, before.delivery, before.week) == (
        after.kind,
        after.type,
        after.classification,
        after.happened_at,
        after.delivery,
        after.week,
    )
    assert left == without_person(left)
    assert "{}" == without_person("no JSON of ada@example.com")
