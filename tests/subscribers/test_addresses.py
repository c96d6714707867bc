"""Mail addresses and their one normal form."""

from __future__ import annotations

import re
import unicodedata

import pytest
from email_validator import validate_email
from hypothesis import example, given, reject
from hypothesis import strategies as st

from subscribers import addresses
from subscribers.addresses import Address, BadAddress, on_the_wire, parse

labels = st.from_regex(r"[A-Za-z0-9]{1,8}(-[A-Za-z0-9]{1,8}){0,2}", fullmatch=True) | st.sampled_from(
    ["BÜCHER", "faß", "Bu\u0308cher", "ＥＸ", "xn--bcher-kva", "日本", "παράδειγμα", "a" * 63]
)
tops = st.sampled_from(["com", "ORG", "example", "рф", "xn--p1ai", "museum", "co"])
domains = st.builds(lambda names, top: ".".join([*names, top]), st.lists(labels, min_size=1, max_size=3), tops)
locals_ = st.from_regex(r"[A-Za-z0-9_+'!#$%&*/=?^`{|}~-]{1,20}(\.[A-Za-z0-9+]{1,10}){0,2}", fullmatch=True)
good = st.builds(lambda local, domain: f"{local}@{domain}", locals_, domains)
hostile = st.text(max_size=400) | st.sampled_from(
    [
        "ada@example.com\r\nBcc: all@example.org",
        "ada@example.com\nben@example.com",
        "ada\r\n@example.com",
        "\udcff@example.com",
        "ada@\ud800.com",
        "ada@example.com\x00",
        "x" * 10_000 + "@example.com",
        "ada@" + "x." * 5_000 + "com",
        "@" * 10_000,
        " " * 10_000,
        "ﷺ" * 2_000 + "@example.com",
    ]
)


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        ("Ada.Lovelace@Example.COM", "ada.lovelace@example.com"),
        ("ada+verdicts@example.com", "ada+verdicts@example.com"),
        ("o'brien@example.com", "o'brien@example.com"),
        ("a@b.photography", "a@b.photography"),
        ("ada@BÜCHER.example", "ada@xn--bcher-kva.example"),
        ("ada@Bu\u0308cher.example", "ada@xn--bcher-kva.example"),
        ("ada@XN--BCHER-KVA.example", "ada@xn--bcher-kva.example"),
        ("ada@mail.sub-domain.example.co.uk", "ada@mail.sub-domain.example.co.uk"),
        ("  ada@example.com\n", "ada@example.com"),
        ("1@2.co", "1@2.co"),
    ],
)
def test_odd_but_valid_addresses_are_accepted(typed: str, key: str) -> None:
    """Plus tags, apostrophes, new top-level names and international domains have one normal form each."""
    assert parse(typed).key == key


def test_an_address_is_kept_as_typed() -> None:
    """Case survives, and only the white space around the address is lost."""
    assert parse(" Ada.L@Example.com ") == Address("Ada.L@Example.com", "ada.l@example.com")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "The address is empty."),
        ("  \t ", "The address is empty."),
        ("ada", "An email address must have an @-sign."),
        ("ada@example", "The part after the @-sign is not valid. It should have a period."),
        ("ada@server.test", "special-use or reserved"),
        ("ada@printer.LOCAL", "special-use or reserved"),
        ("Ada <ada@example.com>", "display name and angle brackets"),
        ("ada@[127.0.0.1]", "bracketed IP address"),
        ("ádá@example.com", "Internationalized characters before the @-sign are not supported"),
        ("a" * 65 + "@example.com", "too long"),
        ("ada@" + "b" * 64 + ".com", "so many characters"),
        ("ada..l@example.com", "two periods"),
        ("ada@example.com\r\nBcc: ben@example.com", "invalid characters"),
        ("x" * 10_000 + "@example.com", "longer than 254 characters"),
        ("x" * 300 + "@example.com", "too long"),
    ],
)
def test_what_is_no_address_is_refused_with_a_sentence(text: str, reason: str) -> None:
    """The reason is one readable line that ends with a full stop."""
    with pytest.raises(BadAddress, match=re.escape(reason)) as refused:
        parse(text)
    assert "\n" not in str(refused.value)
    assert str(refused.value).endswith((".", ")"))
    assert len(str(refused.value)) < 1_000


@given(good)
@example("Ada@Bu\u0308cher.example")
@example("ada@ＥＸample.com")
@example("ada@faß.example")
def test_the_normal_form_is_its_own_normal_form(text: str) -> None:
    """Parsing a key, a typed form or a wire form again changes nothing, and all three are the same person."""
    address = parse_or_skip(text)

    assert parse(address.key) == Address(address.key, address.key)
    assert parse(address.typed) == address
    assert parse(address.on_the_wire).key == address.key


@given(good)
@example("Ada@BÜCHER.example")
def test_what_goes_on_the_wire_is_ascii(text: str) -> None:
    """Neither the key nor the wire form holds anything but ASCII, and neither can be more than one line."""
    address = parse_or_skip(text)

    assert address.key.isascii()
    assert address.on_the_wire.isascii()
    assert address.on_the_wire.isprintable()
    assert on_the_wire(address.typed, address.key) == address.on_the_wire


@given(good, st.sampled_from([str.upper, str.title, str.swapcase]))
def test_case_and_composition_make_no_second_person(text: str, change: object) -> None:
    """The same address in other case, or decomposed, has the same key."""
    assert callable(change)
    address = parse_or_skip(text)
    if text.isascii():
        assert parse(change(text)).key == address.key
    assert parse(unicodedata.normalize("NFD", text)).key == address.key


@given(st.from_regex(addresses._USUAL, fullmatch=True))
@example("a@b.LOCAL")
@example("a" * 63 + "@" + "b" * 59 + ".com")
@example("ada@xn--bcher-kva.example")
def test_the_short_way_agrees_with_the_library(text: str) -> None:
    """Whatever is accepted without asking email-validator, it accepts too, with the same normal form."""
    key = addresses._usual_key(text)
    if key is not None:
        found = validate_email(text, check_deliverability=False, allow_smtputf8=False, strict=True)
        assert f"{found.local_part.casefold()}@{found.ascii_domain.lower()}" == key


@given(hostile)
def test_no_text_breaks_the_parser(text: str) -> None:
    """Any text is either an address of one printable line or refused with BadAddress."""
    try:
        address = parse(text)
    except BadAddress:
        return
    assert address.typed.isprintable()
    assert len(address.on_the_wire) <= addresses.LONGEST
    assert len(address.typed) <= 320
    assert len(address.key) <= 320


def parse_or_skip(text: str) -> Address:
    """The address; an example that the rules refuse proves nothing here."""
    try:
        return parse(text)
    except BadAddress:
        reject()
        raise
