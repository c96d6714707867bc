"""The public pages as a reader has them on screen, served as they are served."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from digest import sending
from subscribers import addresses, consent
from subscribers.models import AddressChange, Subscriber
from subscribers.wishes import Rhythm
from tests import make
from tests.browser.sites import Site, served

pytestmark = pytest.mark.browser

LONG = "Extraordinarily" + "long" * 60
_numbers = itertools.count(1)

TOPICS = ("Agents", "Design", "Research & Science", LONG, "توليد الصور")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, _migrated_sqlite: Path) -> Iterator[Site]:
    """With one edition in its archive."""
    with served(tmp_path_factory.mktemp("site"), _migrated_sqlite) as found:
        services = found.services
        with services.database.writing() as session:
            make.subscriber(session)
            tools = [make.tool(f"T{number}", category=name) for number, name in enumerate(TOPICS)]
            make.taken_in(session, *map(make.comparison, tools))
        make.approved(services)
        sending.send_now(
            services,
            make.WEEK,
            by="test",
            clock=lambda: datetime.now(UTC),
            now=make.SEND,
            skip_undo=True,
            stop=threading.Event(),
        )
        yield found


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    found = chromium.new_page(viewport={"width": 375, "height": 800})
    found.set_default_timeout(10_000)
    yield found
    found.close()


def archive(site: Site, page: Page) -> None:
    page.goto(f"{site.address}/archive")


def message(site: Site, page: Page) -> None:
    page.goto(f"{site.address}/archive/2020-W01")


def unsubscribe(site: Site, page: Page) -> None:
    page.goto(site.path(site.services.links.unsubscribe_url(site.reader().link_id)))


def unsubscribed(site: Site, page: Page) -> None:
    unsubscribe(site, page)
    page.get_by_role("button").click()


def confirm(site: Site, page: Page) -> None:
    now = datetime.now(UTC)
    with site.services.database.writing() as session:
        asked = consent.sign_up(
            session, addresses.parse(f"newcomer{next(_numbers)}@example.com"), now=now, source="test"
        ).subscriber
    page.goto(site.path(site.services.links.confirm_url(asked.link_id, asked.pending_since or now, now)))


def confirmed(site: Site, page: Page) -> None:
    confirm(site, page)
    page.get_by_role("button").click()


def not_confirmed(site: Site, page: Page) -> None:
    page.goto(f"{site.address}/confirm/{'a' * 84}")
    page.get_by_role("button").click()


def preferences(site: Site, page: Page) -> None:
    page.goto(site.preferences())


def preferences_saved(site: Site, page: Page) -> None:
    page.goto(site.preferences(topics=f"Design\n{LONG}\nSealing wax"))
    page.get_by_label("Monthly").check()
    page.get_by_label("Editions come again").select_option(index=26)
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Saved.").wait_for()


def preferences_refused(site: Site, page: Page) -> None:
    preferences(site, page)
    page.get_by_label("Only some topics").check()
    page.get_by_role("button", name="Save").click()
    page.get_by_role("alert").wait_for()


def no_edition(site: Site, page: Page) -> None:
    gone = site.reader()
    with site.services.database.writing() as session:
        consent.unsubscribe(session, session.merge(gone), now=datetime.now(UTC), source="test")
    page.goto(site.path(site.services.links.preferences_url(gone.link_id)))


def no_preferences(site: Site, page: Page) -> None:
    page.goto(f"{site.address}/preferences/abc")


def home(site: Site, page: Page) -> None:
    page.goto(f"{site.address}/")


def embed(site: Site, page: Page) -> None:
    page.goto(f"{site.address}/embed")


def sign_up(site: Site, page: Page, email: str, *, door: str = "/subscribe", ripe: bool = True) -> None:
    """The form sent with an address; not ripe: at once."""
    page.goto(f"{site.address}{door}")
    token = site.services.links.form_token(datetime.now(UTC) - timedelta(seconds=5 if ripe else 0))
    page.locator(f"form[action='{door}'] input[name=token]").evaluate("(field, token) => field.value = token", token)
    page.locator("form").evaluate_all("forms => forms.forEach(form => form.noValidate = true)")
    page.locator("#address").fill(email)
    page.locator(f"form[action='{door}'] button").click()


def sign_up_refused(site: Site, page: Page) -> None:
    sign_up(site, page, "ada@")
    page.get_by_role("alert").wait_for()


def sign_up_slip(site: Site, page: Page) -> None:
    sign_up(site, page, f"{'ada' * 15}@gmial.com")
    page.get_by_text("Did you mean").wait_for()


def sign_up_once_more(site: Site, page: Page) -> None:
    sign_up(site, page, "ada@example.com", ripe=False)
    page.get_by_text("once more").wait_for()


def look_in_your_mail(site: Site, page: Page) -> None:
    sign_up(site, page, "ada@example.com")
    page.get_by_role("heading", name="Look in your mail").wait_for()


def ask_my_data(site: Site, page: Page) -> None:
    sign_up(site, page, "ada@", door="/my-data")
    page.get_by_role("alert").wait_for()


def asked_my_data(site: Site, page: Page) -> None:
    sign_up(site, page, "ada@example.com", door="/my-data")
    page.get_by_role("heading", name="Look in your mail").wait_for()


def my_data(site: Site, page: Page) -> None:
    reader = site.reader(name=LONG, topics=f"Design\n{LONG}", basis=LONG)
    page.goto(site.path(site.services.links.my_data_url(reader.link_id, datetime.now(UTC))))


def my_data_refused(site: Site, page: Page) -> None:
    my_data(site, page)
    page.get_by_label("New address").fill("ada@gmial.com")
    page.get_by_role("button", name="Send a letter there").click()
    page.get_by_text("Did you mean").wait_for()


def my_data_moving(site: Site, page: Page) -> None:
    my_data(site, page)
    page.get_by_label("New address").fill("ada@example.org")
    page.get_by_role("button", name="Send a letter there").click()
    page.get_by_role("heading", name="Look in the new mailbox").wait_for()


def my_data_no_longer(site: Site, page: Page) -> None:
    page.goto(f"{site.address}/my-data/{'a' * 70}")


def erase(site: Site, page: Page) -> None:
    my_data(site, page)
    page.get_by_role("link", name="Erase everything").click()


def erased(site: Site, page: Page) -> None:
    erase(site, page)
    page.get_by_role("button").click()
    page.get_by_role("heading", name="Everything is erased").wait_for()


def change_address(site: Site, page: Page) -> None:
    page.goto(f"{site.address}/change-address/{'a' * 70}")


def address_not_changed(site: Site, page: Page) -> None:
    change_address(site, page)
    page.get_by_role("button").click()


def address_changed(site: Site, page: Page) -> None:
    reader, now = site.reader(), datetime.now(UTC)
    new = addresses.parse(f"moved{next(_numbers)}@example.org")
    with site.services.database.writing() as session:
        consent.ask_to_change_address(session, session.merge(reader), new, now=now, source="test")
        change = session.get_one(AddressChange, reader.id)
    page.goto(site.path(site.services.links.change_address_url(change.link_id, now)))
    page.get_by_role("button").click()
    page.get_by_role("heading", name="The address is changed").wait_for()


Opened = Callable[[Site, Page], None]
every_page = pytest.mark.parametrize(
    "opened",
    [
        home,
        embed,
        sign_up_refused,
        sign_up_slip,
        sign_up_once_more,
        look_in_your_mail,
        ask_my_data,
        asked_my_data,
        my_data,
        my_data_refused,
        my_data_moving,
        my_data_no_longer,
        erase,
        erased,
        change_address,
        address_not_changed,
        address_changed,
        archive,
        message,
        unsubscribe,
        unsubscribed,
        confirm,
        confirmed,
        not_confirmed,
        preferences,
        preferences_saved,
        preferences_refused,
        no_edition,
        no_preferences,
    ],
)


@every_page
def test_a_page_is_for_everybody(site: Site, page: Page, opened: Opened) -> None:
    """Axe finds nothing serious or critical in light or dark; nobody scrolls sideways; nothing is small to read or hit;
    nothing comes from elsewhere."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    opened(site, page)

    for scheme in ("light", "dark"):
        # Without motion: half-way between two colours nothing has the contrast of either.
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found = Axe().run(page).response["violations"]
        grave = [violation for violation in found if violation["impact"] in {"serious", "critical"}]
        assert not [(scheme, violation["id"], violation["nodes"][0]["html"]) for violation in grave]
    for width in (600, 375, 320):
        page.set_viewport_size({"width": width, "height": 800})
        assert width == page.evaluate("document.documentElement.scrollWidth")
    assert 44 <= min(page.evaluate(TARGETS))
    assert 16 <= min(page.evaluate(SIZES))
    assert not [url for url in asked if not url.startswith((site.address, "data:"))]


# A box with its label is one target; each line of a link is one.
TARGETS = """[...document.querySelectorAll('a, button, select, label.pick')]
    .filter(it => it.checkVisibility()).flatMap(it => [...it.getClientRects()].map(box => box.height))"""
SIZES = """[...document.querySelectorAll('body *')].filter(it => it.checkVisibility() && it.innerText)
    .map(it => parseFloat(getComputedStyle(it).fontSize))"""


def test_wishes_change_by_keyboard_alone(site: Site, page: Page) -> None:
    """Tab, arrows, space and enter choose, save and undo; one always sees where one is."""
    reader = site.reader()
    page.goto(site.path(site.services.links.preferences_url(reader.link_id)))

    press(page, "Tab")
    assert "Skip to the content" == focused(page)
    press(page, *["Tab"] * 4)
    assert "Every topic" == focused(page)
    press(page, "ArrowDown", "Tab", "Tab", "Space", "Tab")
    assert "Developer Tools" == focused(page)
    press(page, *["Tab"] * 4, "ArrowDown", "Tab", "ArrowDown", "Tab", "Space", "Tab")
    assert "Save" == focused(page)
    press(page, "Tab")
    assert "Unsubscribe instead" == focused(page)
    press(page, "Shift+Tab")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    saved = wishes(site, reader)

    assert ("Design", Rhythm.MONTHLY, True) == (saved.topics, saved.rhythm, saved.plain_text)
    assert saved.paused_until is not None
    assert "Saved" == page.title().split(" ·")[0]
    press(page, *["Tab"] * 5)
    assert "Undo: as it was before" == focused(page)
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert reader.wishes == wishes(site, reader).wishes


def press(page: Page, *keys: str) -> None:
    """After each key the focus is there to be seen, on something that is shown."""
    for key in keys:
        page.keyboard.press(key)
        width, style, shown = page.evaluate(
            "(at => [parseFloat(getComputedStyle(at).outlineWidth), getComputedStyle(at).outlineStyle,"
            " at.checkVisibility()])(document.activeElement)"
        )
        assert (True, "solid", True) == (width >= 2, style, shown), key


def focused(page: Page) -> str:
    """The words of what has the focus, or of its label."""
    words: str = page.evaluate("(at => (at.labels?.[0] ?? at).innerText.trim())(document.activeElement)")
    return words


def wishes(site: Site, reader: Subscriber) -> Subscriber:
    with site.services.database.reading() as session:
        return session.get_one(Subscriber, reader.id)


def test_no_page_needs_a_script(site: Site, chromium: Browser) -> None:
    """With scripts turned off the same form saves."""
    page = chromium.new_page(java_script_enabled=False)
    preferences_saved(site, page)

    assert page.get_by_role("button", name="Undo").is_visible()
    page.close()


def test_topics_appear_when_only_some_are_wanted(site: Site, page: Page) -> None:
    """Ticking a box that would not count cannot happen."""
    preferences(site, page)
    box = page.get_by_label("Design")

    assert not box.is_visible()
    page.get_by_label("Only some topics").check()
    assert box.is_visible()
    page.get_by_label("Every topic").check()
    assert not box.is_visible()


def test_what_went_wrong_is_tied_to_its_part_of_the_form(site: Site, page: Page) -> None:
    """The sentence is announced and describes the part; what was filled in stays."""
    preferences(site, page)
    page.get_by_label("Only some topics").check()
    page.get_by_label("Plain text only").check()
    page.get_by_role("button", name="Save").click()

    assert "Tick at least one topic" in page.get_by_role("alert").inner_text()
    assert "Topics" in page.locator("fieldset[aria-describedby=problem] legend").inner_text()
    assert page.get_by_label("Only some topics").is_checked()
    assert page.get_by_label("Plain text only").is_checked()
