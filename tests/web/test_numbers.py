"""The operators' page of numbers, and the suppression list."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient
from selectolax.lexbor import LexborHTMLParser

from digest.bootstrap import Services
from digest.people import numbers as people_numbers
from digest.people.suppressions import Mark
from digest.web import suppressions as door
from digest.web.numbers import share
from subscribers import addresses, consent
from subscribers.consent import Newcomer
from subscribers.models import Subscriber
from subscribers.policy import Act
from tests import make
from tests.web.staff_client import sign_in


@pytest.fixture
def otto(client: TestClient, services: Services) -> TestClient:
    """Signed in as an operator."""
    sign_in(client, services)
    return client


def suppressed(services: Services, name: str, act: Act, because: str = "550 no such user") -> int:
    """Somebody who is never written to; gives their number."""
    now = datetime.now(UTC)
    with services.database.writing() as session:
        newcomer = Newcomer(addresses.parse(f"{name}@example.com"))
        person = consent.add(session, newcomer, basis=make.BASIS, now=now, source="test").subscriber
        consent.suppress(session, person, act, because=because, now=now, source="SendGrid event 7")
        return person.id


def rows(page: str, table: str) -> list[list[str]]:
    """The body of a table, as words."""
    found = LexborHTMLParser(page).css(f"table.{table} tbody tr")
    return [[re.sub(r"\s+", " ", cell.text()).strip() for cell in row.css("th, td")] for row in found]


# — numbers —


def test_the_table_says_what_the_plots_show(otto: TestClient, services: Services) -> None:
    """Every figure of the running week stands in the first row, each share with its denominator."""
    now = datetime.now(UTC)
    with services.database.writing() as session:
        make.audience(session, 10)
        for name in "ab":
            consent.add(
                session, Newcomer(addresses.parse(f"{name}@example.com")), basis="asked", now=now, source="test"
            )
    suppressed(services, "c", Act.BOUNCE)
    with services.database.reading() as session:
        found = people_numbers.numbers(session, zone=services.settings.digest_timezone, now=now)
    page = otto.get("/people/numbers").text
    first, last = found.weeks[-1], rows(page, "weeks")[0]

    assert people_numbers.MOST_WEEKS == len(rows(page, "weeks"))
    assert f"{first.week} so far" == last[0]
    assert [f"{first.came[act]:,}" for act in people_numbers.CAME] == last[2:5]
    assert [f"{first.left[act]:,}" for act in people_numbers.LEFT] == last[5:9]
    assert f"{first.active_after:,}" == last[11]
    assert "of 13 known" in page


def test_plots_need_neither_script_nor_style_of_their_own(otto: TestClient) -> None:
    """Four plots in two sizes, inside a policy that allows nothing inline; all ids differ."""
    answer = otto.get("/people/numbers")
    ids = re.findall(r'\bid="([^"]+)"', answer.text)

    assert 8 == answer.text.count('role="img"')
    assert len(ids) == len(set(ids))
    assert not re.search(r"<script|<style|style=", answer.text)
    assert "style-src 'self';" in answer.headers["content-security-policy"]


def test_an_empty_list_has_a_page(otto: TestClient) -> None:
    """Nobody yet: no share of nothing, no division by zero."""
    answer = otto.get("/people/numbers")

    assert 200 == answer.status_code
    assert "– of 0 known" in answer.text


def test_a_share_says_no_more_than_it_knows() -> None:
    """One decimal; a few are not none, and nothing has no shares."""
    shares = [share(1, 2), share(1, 5_000), share(0, 7), share(0, 0)]

    assert ["50.0 %", "< 0.1 %", "0.0 %", "–"] == [each.replace("\u00a0", " ") for each in shares]


# — suppressed —


def test_each_has_a_reason_evidence_and_time(otto: TestClient, services: Services) -> None:
    """A bounce may be lifted on the person's page, a complaint never."""
    bounced = suppressed(services, "bo", Act.BOUNCE, "550 5.1.1 no such user")
    suppressed(services, "co", Act.COMPLAIN, "reported as spam")
    page = otto.get("/people/suppressed").text
    complained, lifted = rows(page, "suppressed")

    assert "co@example.com" == complained[0].replace(" ", "")
    assert ("complaint", "reported as spam through SendGrid event 7") == (complained[1], complained[2])
    assert complained[4].startswith("No: this person is suppressed after a complaint")
    assert ("hard bounce", "Yes, on their page") == (lifted[1], lifted[4])
    assert f'href="/people/{bounced}#acts"' in page


def test_the_weightiest_reason_counts(otto: TestClient, services: Services) -> None:
    """Who bounced and then complained is found under complaints, once."""
    number = suppressed(services, "bo", Act.BOUNCE)
    with services.database.writing() as session:
        person = session.get_one(Subscriber, number)
        consent.suppress(session, person, Act.COMPLAIN, because="spam", now=datetime.now(UTC), source="test")

    assert [1, 0, 0, 1] == [
        len(rows(otto.get(f"/people/suppressed{query}").text, "suppressed"))
        for query in ("", "?because=bounced", "?because=staff", "?because=complained")
    ]


def test_pages_follow_each_other(otto: TestClient, services: Services) -> None:
    """The latest first, everybody once, no address and nothing to count up in a link."""
    for number in range(door.PAGE + 3):
        suppressed(services, f"r{number}", Act.BOUNCE)
    place, seen = "/people/suppressed?because=bounced", []
    while place:
        page = otto.get(place).text
        seen += [row[0].replace(" ", "") for row in rows(page, "suppressed")]
        more = re.search(r'href="(/people/suppressed\?[^"]*after=[^"]*)"', page)
        place = more.group(1).replace("&amp;", "&") if more else ""
        assert "%40" not in place

    assert [f"r{number}@example.com" for number in reversed(range(door.PAGE + 3))] == seen


def test_the_erased_are_counted_and_not_shown(otto: TestClient, services: Services) -> None:
    """Only how many hashes are remembered, and why."""
    number = suppressed(services, "eve", Act.BOUNCE)
    with services.database.writing() as session:
        consent.erase(session, session.get_one(Subscriber, number), now=datetime.now(UTC))
    page = otto.get("/people/suppressed").text
    figures = [each.text() for each in LexborHTMLParser(page).css(".figures dd")]

    assert "eve@" not in page
    assert ["1", "0", "0"] == figures
    assert "0 people are never written to." in page


@pytest.mark.parametrize(
    "query", ["?because=x", "?after=x", "?after=1-", f"?after={'9' * 18}-1", "?after=-1-2", "?after=%00"]
)
def test_nonsense_in_the_address_is_no_error(otto: TestClient, query: str) -> None:
    """It shows the list from its beginning, or its end."""
    assert 200 == otto.get(f"/people/suppressed{query}").status_code


def test_a_mark_comes_back_as_it_went() -> None:
    """To the microsecond: nobody is shown twice or passed over."""
    mark = Mark(datetime(2026, 11, 20, 9, 0, 0, 123457, tzinfo=UTC) + timedelta(microseconds=1), 17)

    assert mark == Mark.parse(str(mark))
