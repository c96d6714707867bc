"""The whole life of one subscriber in a real browser, from the front door to erasure, with scripts and without."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Page, expect

from digest.bootstrap import Services
from digest.models import Letter
from subscribers import addresses, consent, roster
from subscribers.models import RefusedAddress, State, Subscriber
from subscribers.wishes import Rhythm
from tests import make
from tests.browser.sites import Site, served
from tests.web.scanning import dump, paths_in

pytestmark = pytest.mark.browser

OLD, NEW = "ada@example.com", "ada@example.org"
AS_LONG_AS_TYPING_TAKES = 2_100  # milliseconds: a form is not taken sooner


@pytest.fixture
def site(tmp_path: Path, _migrated_sqlite: Path) -> Iterator[Site]:
    with served(tmp_path, _migrated_sqlite) as found:
        with found.services.database.writing() as session:
            make.taken_in(session, make.comparison(make.tool("Plumb", category="Design"), make.tool("Gauge")))
        yield found


@pytest.fixture(params=[True, False], ids=["scripts", "no-scripts"])
def page(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 375, "height": 800}, java_script_enabled=request.param)
    found = context.new_page()
    found.set_default_timeout(10_000)
    yield found
    context.close()


def person(services: Services, email: str) -> Subscriber | None:
    with services.database.reading() as session:
        return roster.find(session, email)


def state_of(site: Site, email: str) -> State | None:
    found = person(site.services, email)
    return found.state if found else None


def send(page: Page, email: str, button: str) -> None:
    """Type an address and press the button, as fast as people do."""
    page.locator("#address").fill(email)
    page.wait_for_timeout(AS_LONG_AS_TYPING_TAKES)
    page.get_by_role("button", name=button, exact=True).click()


def newest(site: Site, email: str, subject: str) -> EmailMessage:
    site.let_time_pass()
    mails = site.mailbox(email)
    assert mails, f"no mail for {email}"
    assert subject in str(mails[-1]["Subject"])
    return mails[-1]


def opened(page: Page, mail: EmailMessage, folder: Path) -> None:
    """The mail on screen, its HTML part."""
    part = mail.get_body(("html",))
    assert part is not None
    (folder / "mail.html").write_text(part.get_content(), encoding="utf-8")
    page.goto(f"file://{folder / 'mail.html'}")


def heading(page: Page, words: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(words)


def test_a_whole_life(site: Site, page: Page, tmp_path: Path) -> None:
    """Signs up, confirms, chooses and undoes, takes the data along, moves, leaves, comes back, and is forgotten."""
    page.goto(site.address)
    send(page, OLD, "Sign up")
    heading(page, "Look in your mail")
    confirms(site, page, tmp_path, OLD)
    ada = person(site.services, OLD)
    assert ada is not None

    chooses_and_undoes(site, page, tmp_path)
    opens_the_data(site, page, tmp_path, OLD)
    takes_it_along(page)
    moves(site, page, tmp_path)
    moved = person(site.services, NEW)
    assert moved is not None
    assert (ada.id, State.ACTIVE) == (moved.id, moved.state)

    page.goto(site.services.links.unsubscribe_url(moved.link_id))
    page.get_by_role("button", name="Unsubscribe").click()
    heading(page, "You are unsubscribed")
    assert State.UNSUBSCRIBED is state_of(site, NEW)
    two_hours_pass(site)
    send(page, NEW, "Sign up again")
    assert State.UNSUBSCRIBED is state_of(site, NEW)
    confirms(site, page, tmp_path, NEW)

    opens_the_data(site, page, tmp_path, NEW)
    page.get_by_role("link", name="Erase everything").click()
    heading(page, "Erase everything?")
    page.get_by_role("button", name="Erase everything").click()
    heading(page, "Everything is erased")
    assert person(site.services, NEW) is None
    with site.services.database.reading() as session:
        assert 1 == len(session.scalars(sa.select(RefusedAddress)).all())


def two_hours_pass(site: Site) -> None:
    """For the letters: no address is asked to confirm twice in an hour, and moving here asked this one."""
    with site.services.database.writing() as session:
        for letter in session.scalars(sa.select(Letter)):
            letter.queued_at -= timedelta(hours=2)
            letter.accepted_at = letter.accepted_at and letter.accepted_at - timedelta(hours=2)


def confirms(site: Site, page: Page, folder: Path, email: str) -> None:
    opened(page, newest(site, email, "confirm"), folder)
    page.get_by_role("link", name="confirm my address").click()
    heading(page, "Confirm your address")
    assert State.PENDING is state_of(site, email)
    page.get_by_role("button", name="Confirm my address").click()
    heading(page, "You are in")
    assert State.ACTIVE is state_of(site, email)


def chooses_and_undoes(site: Site, page: Page, folder: Path) -> None:
    """By the link in the letter that says welcome."""
    opened(page, newest(site, OLD, ""), folder)
    page.locator("a[href*='/preferences/']").first.click()
    page.get_by_label("Monthly").check()
    page.get_by_label("Only some topics").check()
    page.get_by_label("Design").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("listitem").filter(has_text="Rhythm: monthly")).to_be_visible()
    chosen = person(site.services, OLD)
    assert chosen is not None
    assert ("Design", Rhythm.MONTHLY) == (chosen.topics, chosen.rhythm)
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("listitem").filter(has_text="Rhythm: weekly")).to_be_visible()


def opens_the_data(site: Site, page: Page, folder: Path, email: str) -> None:
    page.get_by_role("link", name="My data").click()
    send(page, email, "Mail me a link")
    heading(page, "Look in your mail")
    opened(page, newest(site, email, ""), folder)
    page.locator("a[href*='/my-data/']").first.click()
    heading(page, "What we hold about you")


def takes_it_along(page: Page) -> None:
    with page.expect_download() as download:
        page.get_by_role("button", name="Download my data").click()
    taken = json.loads(Path(download.value.path()).read_text())
    assert (OLD, "weekly") == (taken["email"], taken["rhythm"])
    assert ["signed up", "confirmed", "wishes changed", "wishes changed"] == [
        event["what"] for event in taken["events"]
    ]


def moves(site: Site, page: Page, folder: Path) -> None:
    """To another address, by a letter there; the old one is told."""
    page.get_by_label("New address").fill(NEW)
    page.get_by_role("button", name="Send a letter there").click()
    heading(page, "Look in the new mailbox")
    opened(page, newest(site, NEW, ""), folder)
    page.locator("a[href*='/change-address/']").first.click()
    assert person(site.services, NEW) is None
    page.get_by_role("button").click()
    heading(page, "The address is changed")
    before = len(site.mailbox(OLD))
    site.let_time_pass()
    assert before + 1 == len(site.mailbox(OLD))


def test_signing_up_by_keyboard_alone(site: Site, page: Page) -> None:
    """Tab to the field, a slip announced, the answer chosen and pressed; one always sees where one is."""
    page.goto(site.address)
    for _ in range(5):
        page.keyboard.press("Tab")
    page.keyboard.type("ada@gmial.com", delay=170)
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Did you mean ada@gmail.com?")
    for _ in range(5):
        page.keyboard.press("Tab")
    assert "Use ada@gmail.com" == page.evaluate("document.activeElement.innerText")
    assert "solid" == page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    page.keyboard.press("Enter")
    heading(page, "Look in your mail")
    site.let_time_pass()

    assert person(site.services, "ada@gmail.com") is not None


def test_what_is_wrong_is_tied_to_the_field(site: Site, page: Page) -> None:
    """Announced, described, marked, and filled in as it was."""
    page.goto(f"{site.address}/subscribe")
    page.locator("#address").fill("ada@localhost")
    page.get_by_role("button", name="Sign up").click()
    field = page.get_by_label("Your mail address")

    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_value("ada@localhost")
    expect(field).to_have_accessible_description(re.compile("It looks like name@example.com"))
    expect(page.get_by_role("alert")).to_contain_text("not valid")


def test_a_form_on_another_page_leads_here(site: Site, page: Page, tmp_path: Path) -> None:
    """The copied snippet, on a page without scripts or styles: one more press, and the letter is asked for."""
    page.goto(f"{site.address}/embed")
    snippet = page.get_by_label("HTML to copy").input_value()
    (tmp_path / "elsewhere.html").write_text(f"<!doctype html><title>Elsewhere</title>{snippet}", encoding="utf-8")
    page.goto(f"file://{tmp_path / 'elsewhere.html'}")
    page.get_by_label("Your mail address").fill("ada@example.com")
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_label("Your mail address")).to_have_value("ada@example.com")
    page.wait_for_timeout(AS_LONG_AS_TYPING_TAKES)
    page.get_by_role("button", name="Sign up").click()
    heading(page, "Look in your mail")
    site.let_time_pass()

    assert person(site.services, "ada@example.com") is not None


def test_a_scanner_with_a_browser_changes_nothing(site: Site, page: Page) -> None:
    """It opens every link of every letter and stays a while: no page submits itself."""
    services, now = site.services, datetime.now(UTC)
    reader = site.reader()
    with services.database.writing() as session:
        asked = consent.sign_up(session, addresses.parse("ben@example.com"), now=now, source="test").subscriber
    links = services.links
    texts = [links.unsubscribe_url(reader.link_id), links.preferences_url(reader.link_id)]
    texts += [links.my_data_url(reader.link_id, now), f"{links.my_data_url(reader.link_id, now)}/erase"]
    texts += [links.confirm_url(asked.link_id, asked.pending_since or now, now)]
    texts += [links.change_address_url("x" * 22, now)]
    before = dump(services)
    for path in paths_in("\n".join(texts), site.address):
        page.goto(f"{site.address}{path}")
        page.wait_for_timeout(300)
        page.mouse.move(180, 300)
        page.keyboard.press("Tab")

    assert before == dump(services)
