"""From a source to rows: every page with its outcome, bad ones costing only themselves; sources polled once an hour."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import orjson
import pytest
import sqlalchemy as sa

from database import Database
from digest import editions, gathering, intake, library
from digest.bootstrap import Services
from digest.facts import ComparisonFacts
from digest.gathering import Outcome
from digest.models import Comparison, EditionState, Source
from digest.sources.fetching import Fetcher
from tests import make
from tests.digest import page_samples
from tests.digest.small_web import Web, serving

GOOD = page_samples.spaced(page_samples.comparison())
SLUG = "otter-vs-pelican"
HOUR = timedelta(hours=1)


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as web:
        yield web


@pytest.fixture
def fetcher(web: Web) -> Iterator[Fetcher]:
    with Fetcher(frozenset({web.place})) as fetcher:
        yield fetcher


def gathered(
    database: Database, source: str | Path, fetcher: Fetcher, *, url: str | None = None, now: datetime = make.SEEN
) -> list[Outcome]:
    return list(gathering.gather(database, str(source), fetcher=fetcher, now=now, url=url))


def news(outcomes: list[Outcome]) -> list[str]:
    return [outcome.news for outcome in outcomes]


def slugs(database: Database) -> set[str | None]:
    with database.reading() as session:
        return {found.facts.slug for found in library.listed(session)}


def validators(database: Database) -> dict[str, tuple[str | None, str | None]]:
    """By what their address ends in."""
    with database.reading() as session:
        rows = session.scalars(sa.select(Source))
        return {row.url.rpartition("/")[2]: (row.etag, row.last_modified) for row in rows}


def pushed(*pages: ComparisonFacts) -> bytes:
    return orjson.dumps([page.model_dump(mode="json", exclude_none=True) for page in pages])


def feed(*addresses: str) -> str:
    items = "".join(f"<item><link>{a}</link><pubDate>Mon, 16 Nov 2026 09:00:00 GMT</pubDate></item>" for a in addresses)
    return f'<rss version="2.0"><channel><title>All</title>{items}</channel></rss>'


# — files —


def test_a_folder_with_good_and_bad_pages(database: Database, tmp_path: Path, fetcher: Fetcher) -> None:
    """Each file has its outcome; the bad ones say why, and the good ones beside them are taken in."""
    folder = tmp_path / "pages"
    folder.mkdir()
    (folder / "a.txt").write_text(GOOD)
    (folder / "b.txt").write_text("Shopping list\neggs\n")
    (folder / "c.json").write_bytes(pushed(make.comparison(slug="x-vs-y"), make.comparison(slug="v-vs-w")))
    (folder / "d.json").write_text('{"tools": [{"name": "Only one"}]}')
    outcomes = gathered(database, folder, fetcher)

    assert news(outcomes) == ["new", "bad", "new", "new", "bad"]
    assert "not a comparison page" in outcomes[1].why
    assert "two tools" in outcomes[4].why
    assert outcomes[4].name.endswith("d.json")
    assert slugs(database) == {None, "x-vs-y", "v-vs-w"}
    assert news(gathered(database, folder, fetcher)) == ["unchanged", "bad", "unchanged", "unchanged", "bad"]


def test_one_bad_comparison_in_a_file_costs_only_itself(database: Database, tmp_path: Path, fetcher: Fetcher) -> None:
    """Of three in an array the one that compares a tool with itself, and the one with a mistake, are named."""
    loom = make.tool("Loom 1.0", slug="loom")
    good = make.comparison(loom, make.tool("Shuttle 1.0", slug="shuttle"))
    (tmp_path / "all.json").write_bytes(
        orjson.dumps(
            [
                make.comparison(loom, loom, slug="loom-vs-loom").model_dump(mode="json", exclude_none=True),
                good.model_dump(mode="json", exclude_none=True),
                {"tools": [{"name": "A", "panel_ship_percent": 130}, {"name": "B"}]},
            ]
        )
    )
    outcomes = gathered(database, tmp_path / "all.json", fetcher)

    assert {outcome.why for outcome in outcomes if outcome.news == "bad"} == {
        "tools.0.panel_ship_percent must be between 0 and 100, got 130.",
        "loom-vs-loom compares Loom 1.0 with itself; a comparison needs two tools.",
    }
    assert slugs(database) == {"loom-vs-shuttle"}


def test_the_address_of_one_stored_page(database: Database, tmp_path: Path, fetcher: Fetcher) -> None:
    """Its slugs come from the address given."""
    (tmp_path / "page.txt").write_text(GOOD)
    outcomes = gathered(
        database, tmp_path / "page.txt", fetcher, url="https://site.example.com/compare/otter-vs-pelican"
    )

    assert (news(outcomes), slugs(database)) == (["new"], {SLUG})
    with database.reading() as session:
        (found,) = library.listed(session)
    assert [tool.slug for tool in found.facts.tools] == ["otter", "pelican"]


def test_one_address_is_not_given_to_many_pages(database: Database, tmp_path: Path, fetcher: Fetcher) -> None:
    """A folder of two with one address: refused, rather than two pages under one slug."""
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(GOOD)
    outcomes = gathered(database, tmp_path, fetcher, url="https://site.example.com/compare/otter-vs-pelican")

    assert news(outcomes) == ["bad"]
    assert "one page only" in outcomes[0].why
    assert slugs(database) == set()


def test_standard_input(database: Database, fetcher: Fetcher) -> None:
    """`-` reads what is piped in."""
    outcomes = gathering.gather(database, "-", fetcher=fetcher, now=make.SEEN, stdin=io.BytesIO(GOOD.encode()))
    assert news(list(outcomes)) == ["new"]


def test_what_a_page_does_not_say_is_told(database: Database, tmp_path: Path, fetcher: Fetcher) -> None:
    """A page cut off is taken in with the remark that it is; a take nobody signed is left out, and that is said."""
    (tmp_path / "a.txt").write_text(GOOD[: GOOD.index("Reviewer scorecard")])
    (tmp_path / "b.json").write_text('{"tools": [{"name": "A", "takes": [{"remark": "Nice."}]}, {"name": "B"}]}')
    cut, unsigned = gathered(database, tmp_path, fetcher)

    assert (cut.news, unsigned.news) == ("new", "new")
    assert "breaks off before the reviewer scorecard" in cut.why
    assert unsigned.why == "1 take on A without a reviewer left out"


def test_names_as_long_as_they_may_be(database: Database, tmp_path: Path, fetcher: Fetcher) -> None:
    """Three hundred characters each, without a title: taken in by either database."""
    names = [{"name": letter * 300, "tagline": letter * 300, "slug": letter * 190} for letter in "ab"]
    slug = f"{'a' * 190}-vs-{'b' * 190}"
    (tmp_path / "long.json").write_bytes(orjson.dumps({"slug": slug, "tools": names}))

    assert news(gathered(database, tmp_path / "long.json", fetcher)) == ["new"]


# — the web —


def test_a_page_on_the_web_is_asked_whether_it_changed(database: Database, web: Web, fetcher: Fetcher) -> None:
    """The second time with the ETag it came with, and then there is nothing to read."""
    url = web.conditional("/compare/otter-vs-pelican", GOOD, '"one"')
    assert news(gathered(database, url, fetcher)) == ["new"]
    assert news(gathered(database, url, fetcher)) == ["unchanged"]
    assert [asked.headers.get("If-None-Match") for asked in web.seen] == [None, '"one"']

    web.conditional("/compare/otter-vs-pelican", GOOD.replace("62%", "63%"), '"two"')
    assert news(gathered(database, url, fetcher)) == ["changed"]
    assert slugs(database) == {SLUG}


def test_a_feed_leads_to_its_pages(database: Database, web: Web, fetcher: Fetcher) -> None:
    """Each page is fetched and dated by the feed where it has no date of its own; then the feed is unchanged."""
    pages = [web.page(f"/compare/{slug}", GOOD) for slug in (SLUG, "otter-vs-pelican-3")]
    url = web.conditional("/feed.xml", feed(*pages), '"feed"')
    assert news(gathered(database, url, fetcher)) == ["new", "new"]
    assert slugs(database) == {SLUG, "otter-vs-pelican-3"}
    with database.reading() as session:
        assert {found.facts.published_at for found in library.listed(session)} == {
            datetime.fromisoformat("2026-11-16T09:00:00+00:00")
        }
    assert news(gathered(database, url, fetcher)) == ["unchanged"]


@pytest.mark.parametrize(
    "bad",
    ["Shopping list", '{"tools": [{"name": "A", "slug": "a"}, {"name": "B", "slug": "a"}]}'],
    ids=["no page", "a tool with itself"],
)
def test_a_bad_page_is_looked_at_again(database: Database, web: Web, fetcher: Fetcher, bad: str) -> None:
    """Neither its own ETag nor the feed's is kept, so that it is not hidden by "unchanged" when it is mended."""
    good = web.conditional("/compare/otter-vs-pelican", GOOD, '"good"')
    wrong = web.conditional("/compare/a-vs-b", bad, '"bad"')
    url = web.conditional("/feed.xml", feed(good, wrong), '"feed"')
    assert sorted(news(gathered(database, url, fetcher))) == ["bad", "new"]
    known = validators(database)

    assert known["feed.xml"] == (None, None)
    assert known[SLUG] == ('"good"', None)
    assert "a-vs-b" not in known

    web.conditional("/compare/a-vs-b", GOOD, '"mended"')
    assert sorted(news(gathered(database, url, fetcher))) == ["new", "unchanged"]
    assert validators(database)["feed.xml"] == ('"feed"', None)


def test_a_page_that_is_gone(database: Database, web: Web, fetcher: Fetcher) -> None:
    """404 on the page itself withdraws its comparison, once; back again, it is changed."""
    url = web.page("/compare/otter-vs-pelican", GOOD)
    gathered(database, url, fetcher)
    web.page("/compare/otter-vs-pelican", "gone", status=410)

    assert news(gathered(database, url, fetcher, now=make.SEEN + HOUR)) == ["withdrawn"]
    assert news(gathered(database, url, fetcher, now=make.SEEN + 2 * HOUR)) == ["unchanged"]
    with database.reading() as session:
        (found,) = session.scalars(sa.select(Comparison))
    assert (found.withdrawn_at, found.withdrawn_because) == (make.SEEN + HOUR, "its page is gone")

    web.page("/compare/otter-vs-pelican", GOOD)
    assert news(gathered(database, url, fetcher)) == ["changed"]


def test_a_dead_link_in_a_feed_is_a_remark(database: Database, web: Web, fetcher: Fetcher) -> None:
    """A page we never had and that is gone withdraws nothing, and does not make the feed bad."""
    good = web.page("/compare/otter-vs-pelican", GOOD)
    url = web.page("/feed.xml", feed(good, web.url("/compare/never-vs-seen")))
    outcomes = gathered(database, url, fetcher)

    assert sorted(news(outcomes)) == ["new", "remark"]
    assert slugs(database) == {SLUG}


# — polling —


def polling(services: Services, *sources: str, web: Web) -> Services:
    return make.with_settings(services, digest_sources=sources, digest_fetch_allow=(web.place,))


def polled(of: Services, now: datetime = make.SEEN) -> gathering.Polled:
    return gathering.poll(of.database, of.settings, now=now)


def test_a_source_is_polled_once_an_hour(services: Services, web: Web) -> None:
    """Due at first sight, not again within the hour, then asked again."""
    of = polling(services, web.page("/all.json", pushed(make.comparison())), web=web)

    assert [polled(of, make.SEEN + after).sources for after in (0 * HOUR, 0.9 * HOUR, HOUR)] == [1, 0, 1]
    assert len(web.seen) == 2


def test_two_pollers_read_each_source_once(services: Services, web: Web) -> None:
    """Four processes look at the same moment: three sources, three requests."""
    urls = [web.page(f"/{n}.json", pushed(make.comparison(slug=f"left-{n}-vs-right-{n}"))) for n in range(3)]
    of = polling(services, *urls, web=web)
    found: list[gathering.Polled] = []
    ready = threading.Barrier(4)

    def work() -> None:
        own = Database(services.database.url.render_as_string(hide_password=False))
        ready.wait(timeout=30)
        found.append(gathering.poll(own, of.settings, now=make.SEEN))
        own.dispose()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(found), sum(each.sources for each in found), sum(each.new for each in found)) == (4, 3, 3)
    assert sorted(web.paths()) == ["/0.json", "/1.json", "/2.json"]


def test_a_poll_says_what_it_found(services: Services, web: Web) -> None:
    """In numbers, in words, and what was bad is kept with its source until it is good again."""
    url = web.page("/all.json", b'[{"tools": []}, ' + pushed(make.comparison())[1:])
    of = polling(services, url, web=web)
    once = polled(of)

    assert str(once) == "1 sources read: 1 new, 0 changed, 0 withdrawn, 1 bad"
    with services.database.reading() as session:
        assert "tools must hold two tools, got 0" in (session.get_one(Source, url).last_problem or "")
    web.page("/all.json", pushed(make.comparison(slug="a-vs-b")))
    assert polled(of, make.SEEN + HOUR).bad == 0
    with services.database.reading() as session:
        assert session.get_one(Source, url).last_problem is None


def test_a_source_that_does_not_answer_leaves_the_others_alone(services: Services, web: Web) -> None:
    """Bad in the count, and the next source is read."""
    of = polling(services, web.url("/nothing.json"), web.page("/all.json", pushed(make.comparison())), web=web)

    assert (polled(of).sources, polled(of, make.SEEN + HOUR).bad) == (2, 1)
    assert len(slugs(services.database)) == 1


def test_pages_of_editions_at_home_are_watched(services: Services, web: Web) -> None:
    """A feed that does not change hides a page that is gone; the page of an approved edition is asked itself."""
    page = web.page("/compare/otter-vs-pelican", GOOD)
    of = polling(services, web.conditional("/feed.xml", feed(page), '"feed"'), web=web)
    polled(of)
    make.approved(of, entries=0)
    web.page("/compare/otter-vs-pelican", "gone", status=404)

    assert polled(of, make.SEEN + HOUR).withdrawn == 1
    with services.database.reading() as session:
        assert editions.find(session, make.WEEK).state is EditionState.DRAFT


def test_pages_of_held_editions_are_watched(services: Services, web: Web) -> None:
    """Held before anything went out, it may still go out."""
    page = web.page("/compare/otter-vs-pelican", GOOD)
    of = polling(services, web.conditional("/feed.xml", feed(page), '"feed"'), web=web)
    polled(of)
    make.approved(of, entries=0)
    with services.database.writing() as session:
        editions.hold(session, editions.find(session, make.WEEK), why="wait", by="otto", now=make.SEEN)
    web.page("/compare/otter-vs-pelican", "gone", status=404)

    assert polled(of, make.SEEN + HOUR).withdrawn == 1


def test_nothing_is_polled_without_sources(services: Services, web: Web) -> None:
    """No source set: nothing is asked, and nothing is due."""
    with services.database.writing() as session:
        intake.take_in(session, make.comparison(url=web.page("/compare/a-vs-b", GOOD)), now=make.SEEN)

    assert polled(polling(services, web=web)).sources == 0
    assert web.seen == []
