"""Pages that editions link to are asked by the clock: each once a day, none of ours, and what they said is kept."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler

import pytest
import sqlalchemy as sa

from digest import checking, drafting, editions, jobs, link_checks, tidying
from digest.bootstrap import Services
from digest.models import Edition, EditionState, LinkCheck
from digest.sources.fetching import Fetcher
from digest.weeks import Week
from tests import make
from tests.digest.small_web import Web, serving

NOW = make.CUTOFF + timedelta(minutes=30)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def services(services: Services) -> Services:
    """Our own site is another one than the web that is asked."""
    return make.with_settings(services, digest_site_url="https://own.example.com")


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as found:
        yield found


def linking(services: Services, *urls: str, also: Sequence[str] = ()) -> Services:
    """A draft whose entries have these addresses."""
    with services.database.writing() as session:
        make.taken_in(session, *(make.comparison(url=url, slug=f"page-{at}") for at, url in enumerate(urls)))
        edition = drafting.draft(session, Week.parse(make.WEEK), services.settings, by="t", now=make.CUTOFF).edition
        edition.also_compared = [{"title": "Other", "url": url} for url in also]
    return services


def ask(
    services: Services, web: Web, *, after: timedelta = timedelta(), own_host: str = "own.example.com", **more: object
) -> dict[str, int]:
    with Fetcher(frozenset({web.place}), **more) as fetcher:  # type: ignore[arg-type]
        tally = link_checks.ask_due(
            services.database, fetcher, own_host=own_host, clock=lambda: NOW + after, stopped=lambda: False
        )
    return dict(tally)


def kept(services: Services) -> dict[str, tuple[bool, str | None, int]]:
    with services.database.reading() as session:
        return {each.url: (each.alive, each.why, each.failures) for each in session.scalars(sa.select(LinkCheck))}


def warned(services: Services, *, after: timedelta = timedelta()) -> dict[str, str]:
    """What preflight says of links, by code."""
    problems = checking.look(services, make.WEEK, now=NOW + after).problems
    return {problem.code: problem.what for problem in problems if problem.code.startswith("link")}


def move(services: Services, **values: object) -> None:
    with services.database.writing() as session:
        session.execute(sa.update(Edition).values(**values))


def test_a_page_that_answers_is_alive_for_a_day(services: Services, web: Web) -> None:
    url = web.page("/a", "<p>here</p>")
    linking(services, url)
    assert warned(services)["links-unchecked"].startswith("1 of 1 linked pages was not asked")

    assert ask(services, web) == {"answered": 1}
    assert ask(services, web, after=23 * HOUR) == {}
    assert ask(services, web, after=DAY) == {"answered": 1}

    assert (kept(services)[url], web.paths()) == ((True, None, 0), ["/a", "/a"])
    assert warned(services, after=DAY) == {}


def test_a_page_that_is_gone_is_dead_at_once(services: Services, web: Web) -> None:
    url = web.page("/a", status=410)
    linking(services, url)

    assert ask(services, web) == {"gave no page": 1}
    assert kept(services)[url] == (False, "the page is gone (410)", 2)
    assert warned(services)["link-dead"].endswith("/a gives no page: the page is gone (410).")


def test_one_failure_may_be_the_networks_a_second_in_a_row_is_none(services: Services, web: Web) -> None:
    """Asked again after ten minutes; one good answer forgets them all."""
    url = web.page("/a", status=503)
    linking(services, url)

    assert ask(services, web) == {"gave no page": 1}
    assert warned(services) == {}
    assert ask(services, web, after=9 * MINUTE) == {}
    assert ask(services, web, after=10 * MINUTE) == {"gave no page": 1}
    assert "503" in warned(services)["link-dead"]

    web.page("/a", "back")
    assert ask(services, web, after=20 * MINUTE) == {"answered": 1}
    assert (kept(services)[url], warned(services)) == ((True, None, 0), {})


def test_a_name_that_is_not_in_use_is_dead_at_once_and_one_nobody_could_look_up_is_not(
    services: Services, web: Web
) -> None:
    def resolve(host: str, _port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME if host.startswith("gone") else socket.EAI_AGAIN, "no")

    linking(services, "https://gone.example.net/a", "https://busy.example.net/b")

    assert ask(services, web, resolve=resolve) == {"gave no page": 2}
    assert {url: failures for url, (_, _, failures) in kept(services).items()} == {
        "https://gone.example.net/a": 2,
        "https://busy.example.net/b": 1,
    }


def test_near_misses_are_asked_too_and_our_own_site_never(services: Services, web: Web) -> None:
    also = web.page("/also")
    linking(
        services, "https://own.example.com/compare/x", also=[also, "javascript:alert(1)", "https://OWN.example.com/"]
    )

    assert ask(services, web) == {"answered": 1}
    assert set(kept(services)) == {also}


def test_links_of_the_introduction_are_asked_too(services: Services, web: Web) -> None:
    linking(services, "https://own.example.com/compare/x")
    url = web.page("/a", status=404)
    move(services, introduction=f"See [the page]({url}), not [this](javascript:alert(1)).")

    assert ask(services, web) == {"gave no page": 1}
    problems = checking.look(services, make.WEEK, now=NOW).problems
    assert [problem.where for problem in problems if problem.code == "link-dead"] == ["introduction"]


def test_each_address_is_asked_once_whoever_links_to_it(services: Services, web: Web) -> None:
    url = web.page("/a")
    linking(services, url, also=[url])

    assert ask(services, web) == {"answered": 1}


@pytest.mark.parametrize("state", [EditionState.SENT, EditionState.SKIPPED, EditionState.HALTED])
def test_only_drafts_and_approved_editions_are_at_home(services: Services, web: Web, state: EditionState) -> None:
    linking(services, web.page("/a"))
    move(services, state=state)

    assert ask(services, web) == {}


def test_approved_ones_are_asked_until_they_begin(services: Services, web: Web) -> None:
    linking(services, web.page("/a"))
    move(services, state=EditionState.APPROVED, begun_at=NOW)
    assert ask(services, web) == {}
    move(services, begun_at=None)
    assert ask(services, web) == {"answered": 1}


def test_a_run_is_bounded_and_goes_on_with_the_rest(
    services: Services, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that nobody has asked come first."""
    monkeypatch.setattr(link_checks, "MOST_AT_ONCE", 2)
    linking(services, web.page("/gone", status=404), also=[web.page(f"/{n}") for n in range(3)])

    ask(services, web)
    ask(services, web, after=15 * MINUTE)

    assert web.paths() == ["/gone", "/0", "/1", "/2"]


def test_it_stops_between_two_when_asked_to(services: Services, web: Web) -> None:
    linking(services, web.page("/a"), also=[web.page("/b")])
    stop = threading.Event()

    def last_one(handler: BaseHTTPRequestHandler) -> None:
        stop.set()
        handler.send_error(404)

    web.on("/a", last_one)

    with Fetcher(frozenset({web.place})) as fetcher:
        link_checks.ask_due(
            services.database, fetcher, own_host="own.example.com", clock=lambda: NOW, stopped=stop.is_set
        )

    assert web.paths() == ["/a"]


def test_two_clocks_that_ask_at_once_count_one_failure(services: Services, web: Web) -> None:
    """What was found by the other meanwhile stands."""
    url = web.page("/a", status=500)
    linking(services, url)
    ask(services, web)
    seen = link_checks.due(services.database, own_host="own.example.com", now=NOW + HOUR)
    ask(services, web, after=HOUR)

    with services.database.writing() as session:
        link_checks._keep(session, url, seen[0][1], link_checks.Answer(alive=False, why="x"), now=NOW + HOUR)

    assert kept(services)[url][2] == 2


def test_an_old_answer_says_nothing_any_more(services: Services, web: Web) -> None:
    """Where the clock has not run for two days a page counts as not asked, dead or alive."""
    linking(services, web.page("/a", status=404))
    ask(services, web)

    assert set(warned(services, after=2 * DAY)) == {"links-unchecked"}


def test_the_job_says_what_became_of_them_and_is_quiet_otherwise(services: Services, web: Web) -> None:
    """With the settings' own exceptions for places that are not public."""
    allowing = make.with_settings(services, digest_fetch_allow=(web.place,))
    linking(allowing, web.page("/a"), web.page("/b", status=404))
    shift = jobs.Shift(clock=lambda: NOW, stop=threading.Event())

    assert jobs.ask_links(allowing, shift) == "1 answered, 1 gave no page"
    assert jobs.ask_links(allowing, shift) == ""


def test_a_place_the_open_web_cannot_see_is_never_asked(services: Services, web: Web) -> None:
    """Readers could not open it either."""
    url = web.page("/a")
    linking(services, url)
    shift = jobs.Shift(clock=lambda: NOW, stop=threading.Event())

    assert jobs.ask_links(services, shift) == "1 gave no page"
    assert web.connections == 0


def test_what_was_not_asked_for_a_month_is_forgotten(services: Services, web: Web) -> None:
    linking(services, web.page("/a"))
    ask(services, web)

    def tidy(now: datetime) -> int:
        return tidying.tidy(services, now=now, stopped=lambda: False)["link checks"]

    assert (tidy(NOW + 29 * DAY), tidy(NOW + 31 * DAY), kept(services)) == (0, 1, {})


def test_the_edition_itself_is_not_touched(services: Services, web: Web) -> None:
    linking(services, web.page("/a"))
    with services.database.reading() as session:
        before = editions.find(session, make.WEEK).revision
    ask(services, web)
    with services.database.reading() as session:
        assert editions.find(session, make.WEEK).revision == before
