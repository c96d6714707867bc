"""The editors' desk, as slow as it gets: milliseconds on the server, best and median, and where they go.

    python -m tests.benchmarks.desk                          # both databases
    python -m tests.benchmarks.desk --database sqlite --part preview

The archive is that of `selecting`: 500 comparisons in the week, an edition drafted from them, and readers with wishes.
Measured are whole requests of somebody signed in, from the first byte in to the last one out, without a network; the
very first one of the process by itself, because it loads templates and fills caches. The parts of one rendering are
measured one after another, on the same edition. "Any other page" is what signing in and a page of the staff cost.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from fastapi.testclient import TestClient
from mjml import mjml2html

from digest import drafting, editing, editions, envelopes, rendering, reselecting
from digest.bootstrap import Services
from digest.models import Role
from digest.personal import tags
from digest.rendering.html_finish import finish
from digest.rendering.mjml_source import normalise
from digest.selection import Rules
from digest.web.app import create_app
from digest.weeks import Week
from tests import make
from tests.benchmarks import selecting, send
from tests.benchmarks.importing import DATABASES, fresh_database
from tests.benchmarks.tables import print_table
from tests.web.staff_client import sign_in

ARCHIVE = 1_000
READERS = 2_000
TRIES = 20
EDDA = "staff 1"


@dataclass(frozen=True, slots=True)
class Took:
    """What was done, with seconds each time: as they passed, and of the processor."""

    what: str
    passed: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.desk", description=__doc__.split("\n")[0])
    parser.add_argument("--database", choices=DATABASES, action="append")
    parser.add_argument("--part", choices=PARTS, action="append")
    options = parser.parse_args()
    for kind in options.database or DATABASES:
        _measure(kind, options.part or list(PARTS))


def _measure(kind: str, parts: list[str]) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="verdict-bench-") as folder,
        fresh_database(kind, Path(folder) / "desk") as url,
        closing(send.services(url)) as services,
        TestClient(create_app(services)) as client,
    ):
        _fill(services)
        sign_in(client, services, Role.EDITOR)
        for part in parts:
            _print(f"{kind}, {part}, {TRIES} times", PARTS[part](services, client))


def _fill(services: Services) -> None:
    selecting.fill(services.database, ARCHIVE)
    with services.database.writing() as session:
        drafting.draft(session, Week.parse(make.WEEK), services.settings, by="a benchmark", now=make.CUTOFF)
        make.audience(session, READERS)
        for topic in selecting.CATEGORIES:
            make.subscriber(session, f"{topic}@example.com".replace(" ", "."), topics=topic)


# — the desk —


def _desk(services: Services, client: TestClient) -> list[Took]:
    """Opening it, and what its script asks for while somebody writes."""
    page = f"/desk/{make.WEEK}"
    first = _time(Took("one edition, the first of all"), lambda: _get(client, page))
    return [
        first,
        _times("one edition", lambda: _get(client, page)),
        _times("… with all 500 and every edit", lambda: _get(client, f"{page}?shown=outside+history")),
        _times("the list of editions", lambda: _get(client, "/desk")),
        _times("a save", lambda: _save(services, client)),
        _times("its checks, as after a save", lambda: _get(client, f"{page}/checks?fragment=list")),
        _times("approval, with the audience", lambda: _get(client, f"{page}/approval")),
        _times("any other page", lambda: _get(client, "/staff")),
    ]


def _save(services: Services, client: TestClient) -> None:
    with services.database.reading() as session:
        edition = editions.find(session, make.WEEK)
        was, revision = edition.introduction or "", edition.revision
    written = {"act": "write", "part": "introduction", "was": was, "words": f"Good morning, {revision}."}
    _post(client, f"/desk/{make.WEEK}/edits", written)


def _post(client: TestClient, path: str, form: dict[str, str]) -> None:
    answer = client.post(path, data=form, headers={"Accept": "application/json"})
    if answer.status_code != 200:
        raise RuntimeError(f"{path}: {answer.status_code} {answer.text}")


# — selection and differences —

FEWER = Rules(max_entries=5)


def _selection(services: Services, client: TestClient) -> list[Took]:
    """What was weighed, other rules tried, and the two transactions in which everything is weighed again."""
    page = f"/desk/{make.WEEK}"
    there, back = Took("selected again, as it was seen"), Took("undo of that")
    for _ in range(TRIES):
        _time(there, lambda: _select_again(services))
        _time(back, lambda: editing.undo(services.database, make.WEEK, by=EDDA, now=make.CUTOFF))
    return [
        _times("what was weighed", lambda: _get(client, f"{page}/selection")),
        _times("found by name", lambda: _get(client, f"{page}/selection?q=tool+11")),
        _times("other rules, tried", lambda: _get(client, f"{page}/selection?max_entries=5&distance=50")),
        _times("differences", lambda: _get(client, f"{page}/differences?against=drafted")),
        _times("the mail as it was drafted", lambda: _get(client, f"{page}/differences/mail?against=drafted")),
        there,
        back,
    ]


def _select_again(services: Services) -> None:
    with services.database.reading() as session:
        edition = editions.find(session, make.WEEK)
        seen = reselecting.propose(session, edition, editing.read(session, edition), FEWER, services.settings).mark
    again = reselecting.by_rules(FEWER, services.settings, seen=seen)
    editing.select_again(services.database, make.WEEK, again, seen_revision=edition.revision, by=EDDA, now=make.CUTOFF)


# — the preview —


def _preview(services: Services, client: TestClient) -> list[Took]:
    """One variant again, as after every edit; then what of it is whose."""
    mail, page = f"/desk/{make.WEEK}/mail", f"/desk/{make.WEEK}/preview"
    with services.database.reading() as session:
        copy = editions.copy_of(session, editions.find(session, make.WEEK), services.settings.digest_timezone)
    topics = rendering.variant_of(copy.entries, [copy.entries[0].categories[0]])
    return [
        _times("mail, everything", lambda: _get(client, mail)),
        _times("mail, dark by force", lambda: _get(client, f"{mail}?as=forced-dark")),
        _times("mail, one topic", lambda: _get(client, f"{mail}?variant={topics.key}")),
        _times("mail, text part", lambda: _get(client, f"{mail}?variant=all-text")),
        _times("page around it", lambda: _get(client, page)),
        _times("any other page", lambda: _get(client, "/staff")),
        *_of_one_rendering(services),
    ]


def _get(client: TestClient, path: str) -> None:
    answer = client.get(path)
    if answer.status_code != 200:
        raise RuntimeError(f"{path}: {answer.status_code}")


def _of_one_rendering(services: Services) -> list[Took]:
    """Each step with what the step before it gave."""
    imprint = envelopes.current(services).imprint
    with services.database.reading() as session:
        copy = editions.copy_of(session, editions.find(session, make.WEEK), services.settings.digest_timezone)
    context = rendering._edition_context(rendering.clean_copy(copy), imprint.cleaned(), None, tags(copy.week))
    filled = _filled_in(context)
    source = normalise(filled, template="edition/body.mjml")
    html = mjml2html(source.text, disable_comments=False, fonts={})
    return [
        _times("· reading the edition", lambda: _read(services)),
        _times("· cleaning its words", lambda: rendering.clean_copy(copy)),
        _times(
            "· jinja",
            lambda: rendering._fill_in(rendering._marked(), "edition/body.mjml", context, rendering.TEMPLATES),
        ),
        _times("· normalise", lambda: normalise(filled, template="edition/body.mjml")),
        _times("· mjml", lambda: mjml2html(source.text, disable_comments=False, fonts={})),
        _times("· finish", lambda: finish(html)),
    ]


def _filled_in(context: dict[str, Any]) -> str:
    return rendering._fill_in(rendering._marked(), "edition/body.mjml", context, rendering.TEMPLATES)


def _read(services: Services) -> None:
    with services.database.reading() as session:
        editions.copy_of(session, editions.find(session, make.WEEK), services.settings.digest_timezone)


# — all of them —

PARTS: dict[str, Callable[[Services, TestClient], list[Took]]] = {
    "desk": _desk,
    "preview": _preview,
    "selection": _selection,
}


def _times(what: str, act: Callable[[], object]) -> Took:
    act()  # templates are compiled once
    took = Took(what)
    for _ in range(TRIES):
        _time(took, act)
    return took


def _time(took: Took, act: Callable[[], object]) -> Took:
    start, used = time.perf_counter(), time.process_time()
    act()
    took.passed.append(time.perf_counter() - start)
    took.processor.append(time.process_time() - used)
    return took


def _print(title: str, found: list[Took]) -> None:
    """Beside other work only what the processor took can be compared."""
    rows = [
        (each.what, *(f"{ms(times) * 1000:.1f}" for times in (each.passed, each.processor) for ms in (min, median)))
        for each in found
    ]
    print_table(title, ("", "best ms", "median ms", "processor, best", "median"), rows)


if __name__ == "__main__":
    main()
