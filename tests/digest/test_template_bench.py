"""The template bench: the mail as the templates make it now, or where they are wrong."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from digest import editing, editions, envelopes
from digest.bootstrap import Services
from digest.previewing import NoSuchVariant, NotASubscriber
from digest.proofs import proof
from digest.rendering import TEMPLATES
from digest.template_bench import Bench, Broken, NoTemplates, Shown
from tests import make
from tests.digest.drafts import drafted, seen

NOW = datetime(2026, 11, 19, 20, tzinfo=UTC)


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TEMPLATES, tmp_path / "templates"))


@pytest.fixture
def drawn(services: Services) -> Services:
    seen(services, make.SEEN, make.comparison(), make.comparison(), make.comparison())
    drafted(services)
    return services


def shown(bench: Bench) -> Shown:
    found = bench.look(now=NOW)
    assert isinstance(found, Shown), found
    return found


def broken(bench: Bench) -> Broken:
    found = bench.look(now=NOW)
    assert isinstance(found, Broken)
    return found


def change(templates: Path, name: str, old: str, new: str) -> None:
    path = templates / name
    before = path.read_text()
    assert old in before
    path.write_text(before.replace(old, new, 1))


def wrong_lines(found: Broken) -> list[tuple[str, str, bool]]:
    return [
        (excerpt.name, line.text.strip(), excerpt.filled_in)
        for excerpt in found.excerpts
        for line in excerpt.lines
        if line.wrong
    ]


def test_it_shows_the_bytes_that_would_be_approved(drawn: Services) -> None:
    bench = Bench(drawn, "latest")
    with drawn.database.reading() as session:
        edition = editions.find(session, make.WEEK)
        would = proof(session, edition, envelopes.current(drawn), drawn.settings.digest_timezone).everything

    found = shown(bench)

    assert bench.week == make.WEEK
    assert (found.rendering.sha256, found.same_as_approved) == (would.sha256, None)
    assert "Hello Sample Reader, you get this because" in found.text
    assert found.html is not None
    assert "-vd2026" not in found.html + found.text


def test_saving_a_template_is_seen(drawn: Services, templates: Path) -> None:
    bench = Bench(drawn, make.WEEK, templates=templates)
    before = bench.state()
    assert bench.look(now=NOW) is bench.look(now=NOW)

    change(templates, "edition/body.mjml", "The scoreboard", "The whole week")

    assert bench.state() != before
    assert "The whole week" in str(shown(bench).html)
    assert shown(bench).state == bench.state()
    assert "The whole week" not in str(shown(Bench(drawn, make.WEEK)).html), "the program's own are as they were"


def test_an_edit_of_the_edition_is_seen(drawn: Services) -> None:
    bench = Bench(drawn, make.WEEK)
    before = bench.state()

    words = "Good *morning*."
    editing.write(drawn.database, make.WEEK, "introduction", was="", words=words, by="edda@example.com", now=NOW)

    assert bench.state() != before
    assert "<em>morning</em>" in str(shown(bench).html)


def test_a_mistake_in_a_template_is_shown_with_its_line_and_mended(drawn: Services, templates: Path) -> None:
    """The name of the template, the line in it, and what stands around it; then the mail again."""
    bench = Bench(drawn, make.WEEK, templates=templates)

    change(templates, "edition/entry.mjml", "summary.headline|prose", "summary.headlin|prose")
    found = broken(bench)

    assert found.where.startswith("edition/entry.mjml, line ")
    assert "headlin" in found.problem
    ((name, line, filled_in),) = wrong_lines(found)
    assert (name, filled_in) == ("edition/entry.mjml", False)
    assert "summary.headlin|prose" in line
    assert 5 <= len(found.excerpts[0].lines) <= 9

    change(templates, "edition/entry.mjml", "summary.headlin|prose", "summary.headline|prose")
    assert shown(bench).html


@pytest.mark.parametrize(
    ("template", "change_of", "where", "problem"),
    [
        ("edition/body.mjml", ("{% endblock %}", "{% endblok %}"), "edition/body.mjml, line 8", "endblok"),
        ("edition/body.txt", ("{{ copy.breath", "{{ copy."), "edition/body.txt, line 2", "expected name"),
        ("edition/subject.txt", ("copy.subject", "1 / 0"), "edition/subject.txt, line 1", "division by zero"),
        ("edition/body.mjml", ("edition/foot.mjml", "edition/feet.mjml"), "edition/body.mjml, line ", "feet.mjml"),
        ("edition/foot.mjml", ("{% if tags %}", "{% include 'edition/foot.mjml' %}{% if tags %}"), "", "recursion"),
    ],
)
def test_whatever_jinja_refuses_is_said_in_its_place(
    drawn: Services, templates: Path, template: str, change_of: tuple[str, str], *, where: str, problem: str
) -> None:
    bench = Bench(drawn, make.WEEK, templates=templates)

    change(templates, template, *change_of)

    found = broken(bench)
    assert found.where.startswith(where)
    assert problem in found.problem


@pytest.mark.parametrize(
    ("template", "change_of", "problem", "origin"),
    [
        ("foot.mjml", ("<mj-column", "<mj-colum"), "where </mj-colum> is due", '<mj-colum width="100%">'),
        ("body.mjml", ('<p class="q"', '<p clas="q"'), "has no attribute clas", '<p clas="q" style="margin:0">'),
        ("body.mjml", ("<mj-table css", "<marquee></marquee><mj-table css"), "not an element we use", "<marquee>"),
        ("foot.mjml", ("<p class", "<p & class"), "not well-formed", "<p & class"),
    ],
)
def test_whatever_mjml_refuses_is_shown_filled_in_and_where_it_came_from(
    drawn: Services, templates: Path, template: str, change_of: tuple[str, str], *, problem: str, origin: str
) -> None:
    """The line is one of the source that the templates made; the words it stumbled over lead back to a template."""
    bench = Bench(drawn, make.WEEK, templates=templates)

    change(templates, f"edition/{template}", *change_of)

    found = broken(bench)
    assert found.where.startswith("edition/body.mjml, line ")
    assert found.where.endswith("of the filled-in source")
    assert problem in found.problem
    (name, line, filled_in), (_, _, filled_in_too) = wrong_lines(found)
    assert (name, filled_in, filled_in_too) == (f"edition/{template}", False, True)
    assert origin in line


def test_a_template_that_is_gone_comes_back(drawn: Services, templates: Path) -> None:
    bench = Bench(drawn, make.WEEK, templates=templates)

    (templates / "edition" / "body.mjml").rename(templates / "away")
    assert broken(bench).where == "edition/body.mjml"

    (templates / "away").rename(templates / "edition" / "body.mjml")
    assert shown(bench).html


def test_as_a_subscriber_gets_it(drawn: Services) -> None:
    with drawn.database.writing() as session:
        make.subscriber(session, "ada@example.com", name="Ada Quist", plain_text=True)

    found = shown(Bench(drawn, make.WEEK, email="Ada@example.com"))

    assert (found.rendering.variant, found.html) == ("all-text", None)
    assert "Hello Ada Quist, you get this" in found.text


def test_what_was_approved_is_compared_with_what_the_templates_make_now(services: Services, templates: Path) -> None:
    make.approved(services)
    bench = Bench(services, make.WEEK, templates=templates)
    assert shown(bench).same_as_approved is True

    change(templates, "edition/body.mjml", "The scoreboard", "The whole week")

    assert shown(bench).same_as_approved is False


def test_what_is_not_there_is_said_at_once(drawn: Services, tmp_path: Path) -> None:
    with pytest.raises(NoSuchVariant, match='no variant "t-1"; it has all, all-text'):
        Bench(drawn, make.WEEK, "t-1")
    with pytest.raises(NotASubscriber):
        Bench(drawn, make.WEEK, email="nobody@example.com")
    with pytest.raises(NoTemplates):
        Bench(drawn, make.WEEK, templates=tmp_path)
    with pytest.raises(editions.NoSuchEdition):
        Bench(drawn, "2026-W01")
