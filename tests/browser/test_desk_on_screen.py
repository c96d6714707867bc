"""The desk as editors have it on screen: saving while one types, sorting by pointer and keys, two people at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import pytest
import sqlalchemy as sa
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import APIResponse, Browser, Dialog, Locator, Page, Route, expect

from digest import approving, editing, editions, intake, library
from digest.manuscript import Manuscript
from digest.models import Comparison, Correction, Edition, EditionState, Role
from digest.selection import Rules
from digest.staff import add_staff
from tests import make
from tests.browser.sites import Site, served

pytestmark = pytest.mark.browser

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
EDDA, OTTO = "edda@example.com", "otto@example.com"
LONG = "Extraordinarily" + "long" * 40
MAIL = "<!doctype html><html lang=en><title>A mail</title><style>body{height:4000px}</style><body><p>The mail</p>"


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def site(tmp_path: Path, _migrated_sqlite: Path) -> Iterator[Site]:
    """A draft of three entries with two comparisons passed over, and a correction offered to it."""
    with served(tmp_path, _migrated_sqlite, DIGEST_MAX_ENTRIES="3") as found:
        make.draft(found.services, entries=5)
        with found.services.database.writing() as session:
            session.add(earlier())
            session.flush()
            number = session.scalars(sa.select(Edition.id).where(Edition.week == "2026-W40")).one()
            session.add(Correction(edition_id=number, at=now(), by="staff 1", words="Plumb costs 9 dollars, not 90."))
        yield found


def earlier() -> Edition:
    return Edition(
        week="2026-W40",
        state=EditionState.SENT,
        begun_at=now(),
        window_start=now(),
        window_end=now(),
        planned_at=now(),
        send_at=now(),
        rules=Rules().model_dump(mode="json"),
        created_at=now(),
    )


@contextmanager
def opened(
    site: Site, chromium: Browser, who: str = EDDA, *, scripts: bool = True, width: int = 1280, touch: bool = False
) -> Iterator[Page]:
    """A browser in which somebody is signed in."""
    context = chromium.new_context(
        viewport={"width": width, "height": 800}, java_script_enabled=scripts, has_touch=touch, reduced_motion="reduce"
    )
    site.sign_in(context, who)
    page = context.new_page()
    page.set_default_timeout(15_000)
    yield page
    context.close()


@pytest.fixture
def page(site: Site, chromium: Browser) -> Iterator[Page]:
    with opened(site, chromium) as found:
        found.goto(desk(site))
        yield found


def desk(site: Site) -> str:
    return f"{site.address}/desk/{make.WEEK}"


def read(site: Site) -> Manuscript:
    with site.services.database.reading() as session:
        return editing.read(session, editions.find(session, make.WEEK))


def saved(page: Page) -> None:
    """Everything that was done here has been answered."""
    expect(page.locator("#saved-state")).to_have_text(re.compile(r"^(Saved .*|All is saved)$"))


def headline(page: Page, comparison: int) -> Locator:
    return page.locator(f"#headline-{comparison}")


def eventually(fact: Callable[[], bool], page: Page) -> bool:
    """Whether it becomes so within a few seconds."""
    for _ in range(100):
        if fact():
            return True
        page.wait_for_timeout(50)
    return False


def shown_order(page: Page) -> tuple[int, ...]:
    found = page.locator("#cards > .entry").evaluate_all("all => all.map(each => Number(each.dataset.comparison))")
    return tuple(found)


# — for everybody —


@pytest.mark.parametrize("width", [1280, 600, 375])
def test_the_desk_is_for_everybody(site: Site, chromium: Browser, width: int) -> None:
    """Axe finds nothing serious in light or dark; nothing scrolls sideways or is too small to hit or to read."""
    first, second, _ = read(site).order
    database = site.services.database
    editing.write(database, make.WEEK, f"headline {first}", was=words(site, first), words=LONG, by="staff 1", now=now())
    editing.pin(database, make.WEEK, second, on=True, by="staff 1", now=now())
    with opened(site, chromium, width=width) as page:
        said: list[str] = []
        page.on("pageerror", lambda problem: said.append(str(problem)))
        for address in (f"{site.address}/desk", desk(site)):
            page.goto(address)
            for scheme in SCHEMES:
                page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
                found = Axe().run(page, options={"iframes": False}).response["violations"]
                grave = [each for each in found if each["impact"] in {"serious", "critical"}]
                assert [] == [(scheme, each["id"], each["nodes"][0]["html"]) for each in grave]
            assert width == page.evaluate("document.documentElement.scrollWidth")
            assert [] == page.evaluate(TARGETS)
        assert page.evaluate(UNDO_IS_IN_ITS_COLUMN)
        assert [] == said


UNDO_IS_IN_ITS_COLUMN = """(() => {
    const undo = document.getElementById('undo-button'), column = undo.closest('.writing-side');
    return undo.checkVisibility() && undo.getBoundingClientRect().right <= column.getBoundingClientRect().right + 1;
})()"""


TARGETS = """[...document.querySelectorAll('main a, main button, main label.pick, main textarea')]
    .filter(it => it.checkVisibility()).flatMap(it => [...it.getClientRects()].map(box => [box.height, it.innerText]))
    .filter(([height, _]) => height < 24)"""


def words(site: Site, comparison: int) -> str:
    return read(site).entry(comparison).summary.headline


# — words —


def test_what_one_types_is_saved_by_itself(site: Site, page: Page) -> None:
    """The words are kept, who wrote them is named, and the original stands beneath with the way back to it."""
    first = read(site).order[0]
    was = words(site, first)
    headline(page, first).fill("A headline of  our own")
    saved(page)

    assert words(site, first) == "A headline of our own"
    expect(page.locator(f".original[data-of='headline {first}']")).to_contain_text(was)
    expect(page.locator("#history li").first).to_contain_text(EDDA)
    page.locator(f"#headline-{first}-restore").click()
    expect(headline(page, first)).to_have_value(was)
    saved(page)
    assert words(site, first) == was
    expect(page.locator(f".original[data-of='headline {first}']")).to_be_hidden()


def test_the_last_change_is_undone_and_done_again(site: Site, page: Page) -> None:
    was = read(site).subject
    page.locator("#subject").fill("One subject for a week of tools")
    saved(page)
    page.get_by_role("button", name="Undo: subject", exact=True).first.click()
    expect(page.locator("#subject")).to_have_value(was)
    saved(page)

    page.locator("#history").get_by_role("button", name="Redo").click()
    expect(page.locator("#subject")).to_have_value("One subject for a week of tools")
    saved(page)
    assert read(site).subject == "One subject for a week of tools"


def test_the_subject_is_counted_and_cut_as_one_types(page: Page) -> None:
    page.locator("#subject").fill("Thirty-three characters and more 🦎")

    expect(page.locator("#subject-count")).to_contain_text("34 of")
    expect(page.locator("[data-cut='33'] .shown")).to_have_text("Thirty-three characters and more…")
    expect(page.locator("[data-cut='46']")).to_contain_text("shows all of it")


def test_nothing_typed_is_lost_without_a_network(site: Site, page: Page) -> None:
    """The text stays, the page says that it is not saved, and it is saved when there is an answer again."""
    page.context.set_offline(True)
    page.locator("#introduction").fill("Good *morning*.")
    expect(page.locator("#saved-state")).to_contain_text("Not saved: there is no answer")
    page.locator("#introduction").press_sequentially(" It rains.")
    assert read(site).introduction == ""

    page.context.set_offline(False)
    saved(page)
    assert read(site).introduction == "Good *morning*. It rains."


@pytest.mark.parametrize("status", [503, 500, 404])
def test_an_act_that_fails_holds_nothing_up(site: Site, page: Page, status: int) -> None:
    """It is tried a few times at most and said by its name; the words typed behind it arrive."""
    page.locator("#subject").fill("A subject that cannot be taken back")
    saved(page)
    tries: list[str] = []

    def fail(route: Route) -> None:
        tries.append(route.request.url)
        route.fulfill(status=status, body="")

    page.route("**/undo", fail)
    page.locator("#undo-button").click()
    page.locator("#introduction").fill("Words behind it.")
    saved(page)

    assert read(site).introduction == "Words behind it."
    expect(page.locator("#news .bad")).to_contain_text(re.compile("“Undo: subject” was (not done|refused)"))
    assert len(tries) == (4 if status == 503 else 1)
    page.unroute("**/undo")
    page.locator("#undo-button").click()
    expect(page.locator("#introduction")).to_have_value("")


@pytest.mark.parametrize("status", [503, 500])
def test_a_text_that_fails_is_said_at_its_place(site: Site, page: Page, status: int) -> None:
    """Other texts are saved; this one stays, and arrives with the next key."""

    def fail(route: Route) -> None:
        if "Doomed" in (route.request.post_data or ""):
            route.fulfill(status=status, body="")
        else:
            route.continue_()

    page.route("**/edits", fail)
    page.locator("#subject").fill("Doomed for a while")
    page.locator("#introduction").fill("Not held up.")
    expect(page.locator("[data-part=subject] .saving")).to_contain_text("not saved")
    assert eventually(lambda: read(site).introduction == "Not held up.", page)
    expect(page.locator("#saved-state")).to_contain_text("not saved", ignore_case=True)
    expect(page.locator("#subject")).to_have_value("Doomed for a while")

    page.locator("#subject").fill("A subject that goes through")
    saved(page)
    assert read(site).subject == "A subject that goes through"


def test_an_answer_that_was_lost_is_no_clash(site: Site, page: Page) -> None:
    """The program took the words and nobody heard of it: the next ones are one's own going on, not another's."""
    lost: list[APIResponse] = []

    def lose(route: Route) -> None:
        if not lost:
            lost.append(route.fetch())
            route.abort()
            page.locator("#subject").fill("What came after the answer was lost")
        else:
            route.continue_()

    page.route("**/edits", lose)
    page.locator("#subject").fill("What the program took")
    saved(page)

    assert lost
    assert read(site).subject == "What came after the answer was lost"
    expect(page.locator(".clash")).to_have_count(0)


def test_leaving_at_once_keeps_what_was_typed(site: Site, page: Page) -> None:
    """Before the pause after the last key is over, too."""
    page.locator("#subject").press("End")
    page.locator("#subject").press_sequentially(" again")
    page.goto(f"{site.address}/desk")

    assert eventually(lambda: read(site).subject.endswith(" again"), page)


def test_what_is_too_long_is_said_and_stays(site: Site, page: Page) -> None:
    page.locator("#breath").evaluate("it => it.removeAttribute('maxlength')")
    page.locator("#breath").fill("long " * 100)

    expect(page.locator("[data-part=breath] .saving")).to_contain_text("not saved: This breath has")
    expect(page.locator("#saved-state")).to_have_text("One text is not saved")
    assert "long" not in read(site).breath
    page.locator("#breath").fill("Short enough.")
    saved(page)
    assert read(site).breath == "Short enough."


# — entries —


def centre(it: Locator) -> tuple[float, float]:
    box = it.bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_an_entry_is_dragged_by_its_handle(site: Site, page: Page) -> None:
    """By the mouse, below the last one."""
    one, two, three = read(site).order
    handle = page.locator(f"#handle-{one}")
    handle.scroll_into_view_if_needed()
    x, y = centre(handle)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y + 10)
    _, below = centre(page.locator(f"#entry-{three}"))
    page.mouse.move(x, below + 20, steps=8)
    page.mouse.up()
    saved(page)

    assert (two, three, one) == read(site).order == shown_order(page)
    assert ["1", "2", "3"] == page.locator("#cards .position").all_inner_texts()


def test_an_entry_is_dragged_by_a_finger(site: Site, chromium: Browser) -> None:
    one, two, three = read(site).order
    with opened(site, chromium, width=375, touch=True) as page:
        page.goto(desk(site))
        handle = page.locator(f"#handle-{three}")
        handle.scroll_into_view_if_needed()
        x, y = centre(handle)
        fingers = page.context.new_cdp_session(page)

        def touch(kind: str, *points: tuple[float, float]) -> None:
            at = [{"x": left, "y": top} for left, top in points]
            fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

        touch("touchStart", (x, y))
        touch("touchMove", (x, y - 10))
        _, above = centre(page.locator(f"#entry-{one}"))
        for step in range(1, 9):
            touch("touchMove", (x, y + (above - 30 - y) * step / 8))
        touch("touchEnd")
        saved(page)

    assert (three, one, two) == read(site).order


def test_a_drag_is_put_back_by_escape(site: Site, page: Page) -> None:
    before = read(site).order
    handle = page.locator(f"#handle-{before[0]}")
    handle.scroll_into_view_if_needed()
    x, y = centre(handle)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y + 200, steps=5)
    page.keyboard.press("Escape")
    page.mouse.up()

    assert before == shown_order(page) == read(site).order
    assert 0 == page.locator(".is-sorting, .is-held").count()


def test_an_entry_is_moved_by_keys_and_each_move_is_said(site: Site, page: Page) -> None:
    """Space takes hold, arrows move, space lets go; escape puts it back; one stays on the handle all the while."""
    one, two, three = read(site).order
    spoken = page.locator("#spoken")
    handle = page.locator(f"#handle-{one}")
    handle.focus()
    page.keyboard.press("Space")
    expect(spoken).to_contain_text("Held")
    page.keyboard.press("ArrowDown")
    expect(spoken).to_contain_text("is entry 2 of 3")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    expect(spoken).to_contain_text("is entry 3 of 3. Let go.")
    saved(page)
    assert (two, three, one) == read(site).order
    expect(handle).to_be_focused()

    page.keyboard.press("Enter")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Escape")
    assert (two, three, one) == shown_order(page)
    page.keyboard.press("Alt+ArrowUp")
    saved(page)
    expect(page.locator("#history li").first).to_contain_text("Order of the entries")
    assert eventually(lambda: read(site).order == (two, one, three), page)
    expect(handle).to_be_focused()


def test_buttons_move_too_and_keep_the_focus(site: Site, page: Page) -> None:
    one, two, three = read(site).order
    page.locator(f"#down-{one}").click()
    page.locator(f"#down-{one}").click()

    assert eventually(lambda: read(site).order == (two, three, one), page)
    saved(page)
    expect(page.locator(f"#up-{one}")).to_be_focused()


def test_entries_go_out_come_in_and_are_pinned(site: Site, page: Page) -> None:
    one, two, _ = read(site).order
    page.locator(f"#pin-{two}").click()
    expect(page.locator(f"#entry-{two}")).to_contain_text("pinned")
    page.locator(f"#drop-{one}").click()
    expect(page.locator(f"#entry-{one}")).to_have_count(0)
    expect(page.locator(f"#entry-{two} h3")).to_be_focused()
    expect(page.locator("#outside li").first).to_contain_text("taken out")
    page.locator(f"#bring-in-{one}").click()
    expect(page.locator(f"#entry-{one} h3")).to_be_focused()
    saved(page)

    assert [two, one] == [read(site).order[0], read(site).order[-1]]
    assert read(site).entry(two).pinned
    headline(page, one).fill("It came back with words of its own")
    saved(page)
    assert words(site, one) == "It came back with words of its own"


def test_a_changed_page_is_taken_over(site: Site, page: Page) -> None:
    first = read(site).order[0]
    with site.services.database.writing() as session:
        known = library.comparisons(session, Comparison.id == first)[0].facts
        tools = tuple(each.model_copy(update={"pricing": "$99 a month"}) for each in known.tools)
        intake.take_in(session, known.model_copy(update={"tools": tools}), now=make.CUTOFF)
    page.reload()
    page.get_by_role("button", name="Refresh it").click()
    expect(page.locator(".page-changed")).to_have_count(0)

    assert {tool.pricing for tool in read(site).entry(first).facts.tools} == {"$99 a month"}


def test_a_correction_is_taken_up_by_its_box(site: Site, page: Page) -> None:
    page.get_by_label("Plumb costs 9 dollars, not 90.").check()
    saved(page)
    expect(page.locator("#history li").first).to_contain_text("Prints correction")

    assert len(read(site).corrections) == 1


def test_everything_passed_over_is_shown_on_demand(site: Site, chromium: Browser) -> None:
    make.draft(site.services, entries=30, week="2026-W48", now=make.CUTOFF + timedelta(days=7))
    with opened(site, chromium) as page:
        page.goto(f"{site.address}/desk/2026-W48")
        assert 8 == page.locator("#outside li").count()
        page.locator("#show-outside").click()
        expect(page.locator("#outside li")).to_have_count(29)


# — the mail beside it —


def test_the_preview_follows_and_keeps_its_place(site: Site, chromium: Browser) -> None:
    """After each save the mail is there anew, at the same place, and the one who types stays where they type."""
    with opened(site, chromium) as page:
        came: list[str] = []

        def mail(route: Route) -> None:
            came.append(route.request.url)
            route.fulfill(body=f"{MAIL}<p>{len(came)}", content_type="text/html")

        page.route("**/mail?*", mail)
        page.goto(desk(site))
        expect(page.frame_locator(".sheet iframe").get_by_text("The mail")).to_be_visible()
        page.evaluate("document.querySelector('.sheet iframe').contentWindow.scrollTo(0, 700)")
        page.locator("#subject").press("End")
        page.locator("#subject").press_sequentially(" now")
        saved(page)
        expect(page.frame_locator(".sheet iframe:not(.is-coming)").get_by_text("2", exact=True)).to_be_attached()

        assert 700 == page.evaluate("document.querySelector('.sheet iframe').contentWindow.scrollY")
        expect(page.locator("#subject")).to_be_focused()
        page.get_by_text("Phone", exact=True).click()
        assert 375 == page.locator(".sheet iframe").evaluate("it => it.offsetWidth")


def test_the_checks_stand_on_the_page_and_follow(site: Site, chromium: Browser) -> None:
    with opened(site, chromium) as page:
        blocking = ["2", "0"]

        def checks(route: Route) -> None:
            many = blocking.pop(0) if len(blocking) > 1 else blocking[0]
            more = ' data-overridden="2"' if many == "0" else ""
            body = f'<section id="checks" data-blocking="{many}" data-warnings="1"{more}><h2>Checks</h2></section>'
            route.fulfill(body=body, content_type="text/html")

        page.route("**/checks?fragment=list", checks)
        page.goto(desk(site))
        expect(page.locator("#checks-said")).to_have_text("2 checks block")
        page.locator("#subject").fill("A subject that blocks nothing")
        expect(page.locator("#checks-said")).to_have_text("Nothing blocks, 1 warning, 2 overridden")


# — two people —


def test_who_is_in_an_entry_taken_out_is_told_there(site: Site, page: Page) -> None:
    one = read(site).order[0]
    headline(page, one).focus()
    editing.drop(site.services.database, make.WEEK, one, by="staff 9", now=now())
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#news .warn")).to_be_focused()
    expect(page.locator("#news .warn")).to_contain_text("was taken out")


def test_two_people_in_two_places_lose_nothing(site: Site, chromium: Browser) -> None:
    """Both texts are kept, and each sees the other's and whose it is, without having loaded the page again."""
    one, two, _ = read(site).order
    with opened(site, chromium) as edda, opened(site, chromium, OTTO) as otto:
        edda.goto(desk(site))
        otto.goto(desk(site))
        headline(edda, one).fill("Edda's headline")
        headline(otto, two).fill("Otto's headline")
        saved(edda)
        saved(otto)

        assert (words(site, one), words(site, two)) == ("Edda's headline", "Otto's headline")
        edda.locator("#introduction").fill("And good morning.")
        expect(headline(edda, two)).to_have_value("Otto's headline", timeout=20_000)
        expect(edda.locator("#news")).to_contain_text(re.compile(f"{OTTO} changed the headline of entry 2"))
        expect(edda.get_by_role("link", name="Load the page again")).to_have_count(0)
        expect(edda.locator("#introduction")).to_be_focused()
        expect(headline(otto, one)).to_have_value("Edda's headline", timeout=20_000)


@pytest.mark.parametrize("choice", ["Keep mine", "Take theirs"])
def test_two_people_in_one_place_are_told(site: Site, chromium: Browser, choice: str) -> None:
    """The second to save keeps the text, is told whose words came between, and chooses."""
    with opened(site, chromium) as edda, opened(site, chromium, OTTO) as otto:
        edda.goto(desk(site))
        otto.goto(desk(site))
        otto.locator("#subject").fill("Otto was quicker with a subject")
        saved(otto)
        edda.locator("#subject").fill("Edda has another subject in mind")
        clash = edda.locator(".clash")
        expect(clash).to_contain_text(re.compile(f"{OTTO} changed this at .* to .Otto was quicker with a subject"))
        expect(edda.locator("#subject")).to_have_value("Edda has another subject in mind")
        expect(edda.locator("#saved-state")).to_have_text("One text is not saved")
        assert read(site).subject == "Otto was quicker with a subject"

        clash.get_by_role("button", name=choice).click()
        saved(edda)
        mine, theirs = "Edda has another subject in mind", "Otto was quicker with a subject"
        expect(edda.locator("#subject")).to_have_value(mine if choice == "Keep mine" else theirs)
        assert read(site).subject == (mine if choice == "Keep mine" else theirs)


def test_two_orders_at_once_are_told(site: Site, chromium: Browser) -> None:
    one, two, three = read(site).order
    with opened(site, chromium) as edda, opened(site, chromium, OTTO) as otto:
        edda.goto(desk(site))
        otto.goto(desk(site))
        otto.locator(f"#down-{one}").click()
        assert eventually(lambda: read(site).order == (two, one, three), otto)
        edda.locator(f"#up-{three}").click()
        expect(edda.locator("#news")).to_contain_text("Your order was not saved")
        expect(edda.locator("#cards > .entry").first).to_have_id(f"entry-{two}")

        assert (two, one, three) == shown_order(edda) == read(site).order


def test_what_one_writes_in_an_entry_taken_out_is_shown_once_more(site: Site, chromium: Browser) -> None:
    """In sight, with the focus on it, both texts; leaving the page asks first while they stand there."""
    one = read(site).order[0]
    with opened(site, chromium) as edda:
        edda.goto(desk(site))
        headline(edda, one).scroll_into_view_if_needed()
        editing.drop(site.services.database, make.WEEK, one, by="staff 9", now=now())
        edda.locator(f"#sentence-{one}").fill("A summary for an entry that is gone")
        headline(edda, one).fill("Words for an entry that is gone")
        kept = edda.locator("#news .rescued")
        expect(kept).to_have_count(2)
        assert {"A summary for an entry that is gone", "Words for an entry that is gone"} == {
            each.input_value() for each in kept.all()
        }
        notice = edda.locator("#news .bad").filter(has_text="writing its headline")
        expect(notice).to_be_focused()
        expect(notice).to_be_in_viewport()
        expect(edda.locator("#saved-state")).to_have_text("Words not saved: see below")

        asked: list[str] = []

        def stay(dialog: Dialog) -> None:
            asked.append(dialog.type)
            dialog.dismiss()

        edda.on("dialog", stay)
        edda.evaluate("location.assign('/desk')")
        assert eventually(lambda: asked == ["beforeunload"], edda)
        assert "/desk/2026" in edda.url
        edda.get_by_role("button", name="Discard it").first.click()
        edda.get_by_role("button", name="Discard it").click()
        saved(edda)
        edda.goto(f"{site.address}/desk")


def test_what_matters_is_said_where_one_is(site: Site, chromium: Browser) -> None:
    """Far down the page the notice is in sight, and the bar is no longer as it was."""
    one, _, three = read(site).order
    with opened(site, chromium) as edda:
        edda.goto(desk(site))
        calm = edda.locator("#save-bar").evaluate("it => getComputedStyle(it).backgroundColor")
        order = [three, *read(site).order[:2]]
        editing.reorder(site.services.database, make.WEEK, was=read(site).order, order=order, by="staff 9", now=now())
        edda.locator(f"#down-{one}").click()
        expect(edda.locator("#news .bad")).to_contain_text("Your order was not saved")
        edda.locator("#history").scroll_into_view_if_needed()
        expect(edda.locator("#news .bad")).to_be_in_viewport()
        assert calm != edda.locator("#save-bar").evaluate("it => getComputedStyle(it).backgroundColor")


def test_an_approval_meanwhile_locks_the_page_and_keeps_the_text(site: Site, page: Page) -> None:
    """Going on would void what somebody has just approved, so nothing is saved or done from here."""
    page.route("**/edits", lambda route: route.abort())
    page.locator("#introduction").fill("A thought that came too late")
    approving.approve(site.services, make.WEEK, by=OTTO, send_at=None, seen_hash=None, now=make.APPROVED)
    expect(page.locator("#saved-state")).to_have_text("Not saved: there is no answer", timeout=10_000)
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

    expect(page.locator("#news")).to_contain_text("The edition is approved now")
    expect(page.locator("#saved-state")).to_have_text("One text is not saved")
    expect(page.locator("#introduction")).to_have_value("A thought that came too late")
    assert page.locator("#subject").evaluate("it => it.readOnly")
    assert 0 == page.locator(".writing-side form button:enabled, .handle:enabled, [data-move]:enabled").count()
    assert read(site).introduction == ""
    with site.services.database.reading() as session:
        assert editions.find(session, make.WEEK).state is EditionState.APPROVED


def test_an_approved_edition_is_locked_and_says_so(site: Site, page: Page) -> None:
    approving.approve(site.services, make.WEEK, by=OTTO, send_at=None, seen_hash=None, now=make.APPROVED)
    page.reload()

    expect(page.locator("#save-bar")).to_contain_text(f"Approved by {OTTO}")
    expect(page.get_by_role("link", name="Take the approval back")).to_be_visible()
    assert 0 == page.locator("#workbench textarea").count()


# — without a script —


def test_it_all_works_without_a_script(site: Site, chromium: Browser) -> None:
    one, two, three = read(site).order
    with opened(site, chromium, scripts=False) as page:
        page.goto(desk(site))
        headline(page, one).fill("A headline by its button")
        page.locator(f"[data-part='headline {one}']").get_by_role("button", name="Save").click()
        expect(page.get_by_role("status").filter(has_text="Saved.")).to_be_visible()
        page.get_by_role("button", name="Move down").first.click()
        assert (two, one, three) == shown_order(page)
        page.locator(f"#drop-{three}").click()
        page.locator(f"#bring-in-{three}").click()
        page.locator(f"#pin-{one}").click()
        page.get_by_label("Plumb costs 9 dollars, not 90.").check()
        page.locator("#notes").get_by_role("button", name="Save").click()
        assert read(site).corrections
        assert read(site).entry(one).pinned
        page.locator(f"#headline-{one}-restore").click()
        assert words(site, one) == read(site).entry(one).headline_by_rule
        page.locator("#undo-button").click()

    assert words(site, one) == "A headline by its button"


def test_a_clash_without_a_script_shows_both_texts(site: Site, chromium: Browser) -> None:
    with opened(site, chromium, scripts=False) as page:
        page.goto(desk(site))
        was = read(site).subject
        with site.services.database.writing() as session:
            otto = add_staff(session, OTTO, Role.EDITOR, now=now())
        editing.write(
            site.services.database,
            make.WEEK,
            "subject",
            was=was,
            words="Otto was quicker",
            by=f"staff {otto.id}",
            now=now(),
        )
        page.locator("#subject").fill("Edda has another subject in mind")
        page.locator("[data-part=subject]").get_by_role("button", name="Save").click()
        expect(page.get_by_role("alert")).to_contain_text(f"{OTTO} changed this at")
        expect(page.locator(".clash")).to_contain_text("Otto was quicker")
        expect(page.locator("#subject")).to_have_value("Edda has another subject in mind")
        page.get_by_role("button", name="Keep mine").click()

    assert read(site).subject == "Edda has another subject in mind"
