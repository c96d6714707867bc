"""The report of an edition that went out, and the notes that correct it, in every place where they show."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from digest.bootstrap import Services
from digest.models import AuditLine, Correction, Delivery, Edition, Role
from digest.staff import audit, tokens
from tests import make
from tests.make_events import sent
from tests.make_outcomes import stamp
from tests.web.staff_client import sign_in
from tests.web.test_feeds import sent as really_sent

WORDS = "We gave the price as $9 a month. It is <b>$9</b> a week."
PAGE = f"/desk/{make.WEEK}"
NOTES = f"{PAGE}/corrections"
ATOM = "{http://www.w3.org/2005/Atom}"


def edda(client: TestClient, services: Services) -> None:
    sign_in(client, services, Role.EDITOR)


def correct(client: TestClient, words: str = WORDS) -> int:
    return int(client.post(NOTES, data={"words": words}).status_code)


def kept(services: Services) -> list[str]:
    with services.database.reading() as session:
        return list(session.scalars(sa.select(Correction.words).order_by(Correction.id)))


def test_the_page_of_an_edition_that_went_out_is_its_report(client: TestClient, services: Services) -> None:
    """Counts with what each is a share of; nobody's address; no word of sent for accepted."""
    ids = [reader.delivery for reader in sent(services, readers=40)]
    stamp(services, "delivered_at", deliveries=ids[:30], at=make.SEND + timedelta(minutes=5))
    stamp(services, "bounced_at", "hard_bounced_at", deliveries=ids[30:32], at=make.SEND + timedelta(minutes=6))
    stamp(services, "unsubscribed_at", deliveries=ids[:3], at=make.SEND + timedelta(days=1))
    edda(client, services)

    page = client.get(PAGE)

    assert page.status_code == 200
    plain = page.text.replace("\u00a0", " ")
    for words in (
        "40 <small>100.0 % of 40 deliveries</small>",
        "30 <small>75.0 % of accepted</small>",
        "2 <small>5.0 % of accepted; 2 hard</small>",
        "3 <small>10.00 % of delivered</small>",
        "The first edition that went out",
        "of 8 none has told yet",
        "Our mails have no pixel",
        f'href="/archive/{make.WEEK}"',
        f'href="/sending/{make.WEEK}"',
    ):
        assert words in plain
    assert plain.count('role="img"') == 6
    assert "reader1@example.com" not in page.text
    assert "do not add up" not in page.text


def test_what_came_after_the_plots_is_said(client: TestClient, services: Services) -> None:
    """More than the hours show, and some of those whose total stands there."""
    ids = [reader.delivery for reader in sent(services, readers=10)]
    stamp(services, "delivered_at", deliveries=ids[:6], at=make.SEND)
    stamp(services, "delivered_at", deliveries=ids[6:8], at=make.SEND + timedelta(days=3))
    stamp(services, "unsubscribed_at", deliveries=ids[:2], at=make.SEND)
    stamp(services, "unsubscribed_at", deliveries=ids[2:3], at=make.SEND + timedelta(days=40))
    edda(client, services)

    page = client.get(PAGE).text

    assert "; 2 more came later than is shown." in page
    assert "3 and 0 of 8 delivered; 1 of them came later than is shown." in page


def test_a_gap_is_shown(client: TestClient, services: Services) -> None:
    (first, *_) = sent(services, readers=3)
    with services.database.writing() as session:
        session.execute(sa.delete(Delivery).where(Delivery.id == first.delivery))
    edda(client, services)

    assert "The numbers do not add up." in client.get(PAGE).text


def test_opens_are_told_with_what_they_are_worth(client: TestClient, services: Services) -> None:
    (first, *_) = sent(services, readers=3)
    stamp(services, "opened_at", deliveries=[first.delivery], at=make.SEND)
    edda(client, services)

    page = client.get(PAGE).text

    assert "1 opened and 0 clicked, of 3 accepted" in page
    assert "say little about readers" in page


def test_it_stands_beside_the_edition_before(client: TestClient, services: Services) -> None:
    ids = [reader.delivery for reader in sent(services, readers=10, week="2026-W46")]
    stamp(services, "delivered_at", deliveries=ids, at=make.SEND)
    ids = [reader.delivery for reader in sent(services, readers=0)]
    stamp(services, "delivered_at", deliveries=ids[:5], at=make.SEND)
    edda(client, services)

    page = client.get(PAGE).text

    assert "Beside 2026-W46, the edition before" in page
    assert "−50.00 points" in page


def test_a_draft_is_no_report(client: TestClient, services: Services) -> None:
    make.draft(services)
    edda(client, services)

    page = client.get(PAGE)

    assert page.status_code == 200
    assert "Publish the correction" not in page.text


# — corrections —


def test_a_note_is_published_and_audited(client: TestClient, services: Services) -> None:
    sent(services)
    edda(client, services)

    answer = client.post(NOTES, data={"words": WORDS})

    assert (answer.status_code, answer.headers["Location"]) == (303, f"{PAGE}?done=corrected")
    page = client.get(answer.headers["Location"]).text
    assert "Published: the note is on the archive page" in page
    assert "It is &lt;b&gt;$9&lt;/b&gt; a week." in page
    assert "not printed in an edition yet" in page
    with services.database.reading() as session:
        last = session.scalars(sa.select(AuditLine).order_by(AuditLine.id.desc())).first()
        assert last is not None
        assert (last.what, last.about) == ("edition corrected", make.WEEK)
        assert audit.verify(session) is None


def test_a_double_click_publishes_one(client: TestClient, services: Services) -> None:
    sent(services)
    edda(client, services)

    client.post(NOTES, data={"words": WORDS})
    again = client.post(NOTES, data={"words": WORDS})

    assert again.headers["Location"] == f"{PAGE}?done=unchanged"
    assert len(kept(services)) == 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("", "Say what was wrong, and what is right."),
        ("x" * 1001, "has 1,001 characters; at most 1,000 are taken"),
        ("a -vd2026w47whyhtml- b", "looks like a personal field; reword it"),
    ],
)
def test_what_is_no_note_is_refused_and_kept_in_the_form(
    client: TestClient, services: Services, words: str, sentence: str
) -> None:
    sent(services)
    edda(client, services)

    answer = client.post(NOTES, data={"words": words})

    assert answer.status_code == 422
    assert sentence in answer.text
    assert f">\n{words}</textarea>" in answer.text
    assert kept(services) == []


def test_nonsense_is_answered_with_a_sentence(client: TestClient, services: Services) -> None:
    make.draft(services)
    edda(client, services)

    for week, status in ((make.WEEK, 409), ("2026-W46", 404), ("nonsense", 404), ("2026-W99", 404), ("x" * 500, 404)):
        assert client.post(f"/desk/{week}/corrections", data={"words": WORDS}).status_code == status
    assert client.post(NOTES, files={"words": b"x"}).status_code in {400, 409}
    assert client.get(NOTES).status_code == 405
    assert kept(services) == []


def test_only_editors_may(client: TestClient, services: Services) -> None:
    sent(services)
    assert client.post(NOTES, data={"words": WORDS}).status_code in {303, 403}
    sign_in(client, services, Role.OPERATOR)
    assert (client.get(PAGE).status_code, correct(client)) == (403, 403)
    edda(client, services)
    client.headers["Origin"] = "https://elsewhere.example"
    assert correct(client) == 403
    assert kept(services) == []


def test_a_note_shows_wherever_the_edition_does(client: TestClient, scripted: Services) -> None:
    """On top of its page in the archive, in both feeds with a new time and a new ETag, and in the API."""
    really_sent(scripted)
    with scripted.database.writing() as session:
        session.execute(sa.update(Edition).values(begun_at=datetime.now(UTC) - timedelta(hours=1)))
    before = client.get("/archive/feed.xml")
    edda(client, scripted)
    assert correct(client) == 303
    client.cookies.clear()
    now = datetime.now(UTC)

    archive = client.get(f"/archive/{make.WEEK}").text
    assert archive.index("Correction") < archive.index("It is &lt;b&gt;$9&lt;/b&gt; a week.") < archive.index("<h1")
    after = client.get("/archive/feed.xml")
    assert before.headers["ETag"] != after.headers["ETag"]
    assert client.get("/archive/feed.xml", headers={"If-None-Match": before.headers["ETag"]}).status_code == 200
    feed = ET.fromstring(after.content)  # noqa: S314 - our own
    (entry,) = feed.findall(f"{ATOM}entry")
    for updated in (feed.findtext(f"{ATOM}updated"), entry.findtext(f"{ATOM}updated")):
        assert abs(datetime.fromisoformat(updated or "") - now) < timedelta(minutes=1)
    assert (entry.findtext(f"{ATOM}published") or "") < (entry.findtext(f"{ATOM}updated") or "")
    assert (entry.findtext(f"{ATOM}content") or "").startswith("<p><strong>Correction, ")
    (item,) = client.get("/archive/feed.json").json()["items"]
    assert "It is &lt;b&gt;$9&lt;/b&gt; a week." in item["content_html"]
    assert item["date_modified"] > item["date_published"]


def test_the_api_tells_of_it(client: TestClient, services: Services) -> None:
    sent(services)
    edda(client, services)
    correct(client)
    with services.database.writing() as session:
        _, token = tokens.make(session, "a test", ["editions:read"], now=datetime.now(UTC))

    found = client.get(f"/api/v1/editions/{make.WEEK}", headers={"Authorization": f"Bearer {token}"}).json()

    (note,) = found["corrections"]
    assert (note["words"], note["printed_in"]) == (WORDS, None)
