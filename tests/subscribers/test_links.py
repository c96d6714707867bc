"""Links that only we can make."""

from __future__ import annotations

import base64
import re
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subscribers.links import CONFIRM_WITHIN, LINK_ID_LENGTH, Confirmation, Links, new_link_id

SITE = "https://news.example.com"
NEW, OLD, STRANGE = "n" * 32, "o" * 32, "s" * 32
MICROSECOND = timedelta(microseconds=1)
NOW = datetime(2026, 11, 20, 9, 0, 0, 123456, UTC)

links = Links(SITE, [NEW, OLD])


def _url_safe(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


link_ids = st.binary(min_size=16, max_size=16).map(_url_safe)
moments = st.integers(0, 2**52).map(lambda microseconds: datetime(2020, 1, 1, tzinfo=UTC) + microseconds * MICROSECOND)


def token_in(url: str) -> str:
    return url.rpartition("/")[2]


def every_token(link_id: str) -> dict[str, str]:
    return {
        "unsubscribe": token_in(links.unsubscribe_url(link_id)),
        "preferences": token_in(links.preferences_url(link_id)),
        "confirm": token_in(links.confirm_url(link_id, NOW, NOW)),
    }


def every_reading(token: str, by: Links = links) -> dict[str, object]:
    return {
        "unsubscribe": by.read_unsubscribe(token),
        "preferences": by.read_preferences(token),
        "confirm": by.read_confirm(token),
    }


def test_a_link_id_is_random_and_fits_its_column() -> None:
    """Each new link id is 22 URL-safe characters and unlike the others."""
    made = {new_link_id() for _ in range(200)}

    assert len(made) == 200
    assert {LINK_ID_LENGTH} == {len(link_id) for link_id in made}


@given(link_ids)
def test_what_was_made_can_be_read(link_id: str) -> None:
    """Unsubscribe and preferences links give back the link id they were made for."""
    assert link_id == links.read_unsubscribe(token_in(links.unsubscribe_url(link_id)))
    assert link_id == links.read_preferences(token_in(links.preferences_url(link_id)))


@given(link_ids, moments, moments)
def test_a_confirm_link_says_which_request_it_answers(link_id: str, pending_since: datetime, now: datetime) -> None:
    """It carries the request to the microsecond, and expires 48 hours after it was made, to the second."""
    said = links.read_confirm(token_in(links.confirm_url(link_id, pending_since, now)))

    assert Confirmation(link_id, pending_since, (now + CONFIRM_WITHIN).replace(microsecond=0)) == said


@given(link_ids)
def test_a_link_is_good_for_its_own_purpose_only(link_id: str) -> None:
    """A token read for another purpose than its own says nothing."""
    for purpose, token in every_token(link_id).items():
        readings = every_reading(token)
        assert readings.pop(purpose) is not None
        assert {None} == set(readings.values())


@given(link_ids, st.sampled_from(["unsubscribe", "preferences", "confirm"]), st.data())
def test_a_changed_token_says_nothing(link_id: str, purpose: str, data: st.DataObject) -> None:
    """Changing any one character of a token makes it worthless."""
    token = every_token(link_id)[purpose]
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.sampled_from("0123456789abcdefXYZ-_").filter(lambda c: c != token[at]))

    assert {None} == set(every_reading(token[:at] + other + token[at + 1 :]).values())


@given(st.text(max_size=200) | st.sampled_from(["x" * 10_000, "\udcff" * 60, "é" * 60]))
def test_text_that_is_no_token_says_nothing(text: str) -> None:
    """No text, however long or strange, raises or passes."""
    assert {None} == set(every_reading(text).values())


def test_the_seal_of_one_person_is_worth_nothing_for_another() -> None:
    """A seal cut from one token does not fit another link id."""
    one, other = token_in(links.unsubscribe_url("a" * 22)), token_in(links.unsubscribe_url("b" * 22))

    assert links.read_unsubscribe(one[:-32] + other[-32:]) is None


def test_links_survive_key_rotation() -> None:
    """A link sealed with the old key is good while that key is still listed, wherever it stands in the list."""
    before = Links(SITE, [OLD])

    assert links.read_unsubscribe(token_in(before.unsubscribe_url("a" * 22))) == "a" * 22
    assert links.read_unsubscribe(token_in(Links(SITE, [STRANGE]).unsubscribe_url("a" * 22))) is None


def test_the_first_key_seals_and_its_id_is_in_the_token() -> None:
    """Whoever holds a token and the list of key ids knows which key it needs."""
    token = token_in(links.unsubscribe_url("a" * 22))

    assert token.startswith(links.key_ids[0])
    assert (*Links(SITE, [NEW]).key_ids, *Links(SITE, [OLD]).key_ids) == links.key_ids
    assert Links(SITE, [NEW]).read_unsubscribe(token) is not None


def test_links_stand_under_the_site_and_need_no_escaping() -> None:
    """Every link is site, purpose and one URL-safe path segment, with or without a slash at the site's end."""
    for site in (SITE, f"{SITE}/"):
        urls = Links(site, [NEW])
        for purpose, url in {
            "unsubscribe": urls.unsubscribe_url("a-_" + "b" * 19),
            "preferences": urls.preferences_url("a-_" + "b" * 19),
            "confirm": urls.confirm_url("a-_" + "b" * 19, NOW, NOW),
        }.items():
            parts = urlsplit(url)
            assert parts.netloc == "news.example.com"
            assert re.fullmatch(rf"/{purpose}/[A-Za-z0-9_-]+", parts.path)
            assert len(url) <= 130


def test_a_time_in_another_zone_is_the_same_request() -> None:
    """The request is an instant, whatever zone it is written in."""
    there = NOW.astimezone(ZoneInfo("Asia/Tokyo"))

    assert links.confirm_url("a" * 22, NOW, NOW) == links.confirm_url("a" * 22, there, there)


def test_links_need_a_key() -> None:
    """Without a key nothing could be trusted, so there are no links."""
    with pytest.raises(ValueError, match="at least one key"):
        Links(SITE, [])


def test_links_for_a_full_batch_are_made_at_once() -> None:
    """Two links for each of 1,000 people take a few milliseconds at most: the hand-over waits for them."""
    people = [new_link_id() for _ in range(1_000)]
    best = min(_seconds_for(people) for _ in range(10))

    assert best < 0.010


def _seconds_for(people: list[str]) -> float:
    start = time.perf_counter()
    for link_id in people:
        links.unsubscribe_url(link_id)
        links.preferences_url(link_id)
    return time.perf_counter() - start
