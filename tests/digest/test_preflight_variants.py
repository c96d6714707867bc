"""What preflight finds in the rendered variants, when a template, the renderer or an editor's words went wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest import personal, preflight
from digest.preflight import Level, Sheet
from digest.rendering.html_finish import HTML_BLOCKS, HTML_WARNS
from digest.variants import AlsoCompared, EditionCopy
from tests import make_mail as make
from tests.digest import sheets
from tests.digest import verdict_facts as pages
from tests.digest.sheets import CORBELKIT, comparison, in_body, reworded, sheet, spoiled, swapped, week, without

TAG = personal.tags("2026-W47")
FIRST = "entry 1, Brackish 3.0 vs Corbelkit 1.2"
SECOND = "entry 2, Orlop Draw vs Tessaline 4"
THIRD = "entry 3, Brackish 3.0 vs Orlop Draw"
URL = "https://compare.example.net/compare/brackish-3-vs-corbelkit-1-2"
SENTENCE = "Corbelkit 1.2 takes it with a clean sweep, 4–0; Brackish 3.0 ships 3–1."


def found(of: Sheet) -> set[tuple[Level, str, str]]:
    return {(problem.level, problem.code, problem.where) for problem in preflight.check(of)}


def codes(of: Sheet) -> set[str]:
    return {problem.code for problem in preflight.check(of)}


class Case(NamedTuple):
    """`flawed` has the problem; `near` comes as close to it as a good edition may."""

    level: Level
    code: str
    where: str
    flawed: Callable[[], Sheet]
    near: Callable[[], Sheet] = sheet


def html(spoil: sheets.Spoil) -> Callable[[], Sheet]:
    return lambda: spoiled(html=spoil)


def text(spoil: sheets.Spoil) -> Callable[[], Sheet]:
    return lambda: spoiled(text=spoil)


def body(more: str) -> Callable[[], Sheet]:
    return html(in_body(more))


def named(name: str) -> Callable[[], Sheet]:
    """The good edition with one tool of that name."""
    return lambda: sheet([comparison(pages.tool(name, 3, 1, slug="named"), CORBELKIT)])


def mixed_up(written: str) -> str:
    """The second and third entry of the text part change places."""
    rule = "=" * 78
    head, intro, first, second, third, *rest = written.split(rule)
    return rule.join([head, intro, first, third, second, *rest])


def sized(octets: int) -> Callable[[], Sheet]:
    """The variant with everything, of that size when every personal field is at its longest."""

    def made() -> Sheet:
        of = sheet()
        missing = octets - of.renderings[0].html_bytes
        lines = "<!-- -->\n" * ((missing - 18) // 9)
        filled = in_body(f"{lines}<!--{'x' * (missing - len(lines) - 7)}-->")
        return spoiled(html=filled, only="all", of=of)

    return made


STYLE = "<style>{}</style></head>"

CASES = {
    # the subject against the body
    "a tally that nobody voted": Case(
        "block",
        "subject-figures",
        "subject",
        lambda: reworded(subject="Corbelkit sweeps the panel 5–0"),
        lambda: reworded(subject="Corbelkit sweeps the panel 4-0"),
    ),
    "a percentage that nobody reached": Case(
        "block",
        "subject-figures",
        "subject",
        lambda: reworded(subject="Brackish wins 80% of the panel"),
        lambda: reworded(subject="Brackish wins 75 % of the panel"),
    ),
    "a price that nobody asks": Case(
        "block",
        "subject-figures",
        "subject",
        lambda: reworded(subject="Tessaline 4 costs €30 a month"),
        lambda: reworded(subject="Tessaline 4 costs $30 a month: 1500 images"),
    ),
    "a version that nobody released": Case(
        "block",
        "subject-figures",
        "subject",
        lambda: reworded(subject="Brackish 3.1 is here, and ships"),
        lambda: reworded(subject="Week 47: Brackish 3.0 ships."),
    ),
    # the words that were approved
    "no text part": Case("block", "text-missing", "text", lambda: spoiled(text=lambda _: "\n")),
    "a headline gone from the HTML": Case(
        "block", "words-missing", f"HTML, {THIRD}", html(without(">Brackish 3.0 vs Orlop Draw<"))
    ),
    "a headline gone from a line": Case(
        "block",
        "words-missing",
        f"variant t-46584c88: HTML, {FIRST}",
        lambda: spoiled(html=without("Brackish 3.0 vs Corbelkit 1.2"), only="t-46584c88"),
    ),
    "a verdict sentence gone from the HTML": Case(
        "block",
        "words-missing",
        f"variants all and t-ef96f1f6: HTML, {FIRST}",
        html(without("Corbelkit 1.2 takes it with a clean")),
        html(swapped("takes it with", "takes\n<bdi>it</bdi> <!---->with")),
    ),
    "a verdict sentence gone from the text": Case(
        "block",
        "words-missing",
        f"variants all, all-text, t-ef96f1f6 and 1 more: text, {FIRST}",
        text(without("takes it with a clean")),
        text(swapped("takes it with a clean", "takes it\n  with \u2068a\u2069 clean")),
    ),
    "a quotation gone": Case(
        "block", "words-missing", f"variants all and t-46584c88: HTML, {SECOND}", html(without("It keeps to the grid"))
    ),
    "the breath gone": Case("block", "words-missing", "text, opening", text(without("Three comparisons"))),
    "the introduction gone": Case(
        "block",
        "words-missing",
        "HTML, introduction",
        lambda: spoiled(html=without("Read it twice"), of=reworded(introduction="A short week.\n\nRead it twice.")),
        lambda: reworded(introduction="A short week.\n\nRead it twice."),
    ),
    "a near miss gone": Case(
        "block",
        "words-missing",
        "HTML, also compared",
        lambda: spoiled(
            html=without("Fetlock vs Umber"),
            of=reworded(also_compared=(AlsoCompared(title="Fetlock vs Umber", url=None),)),
        ),
    ),
    "a correction gone": Case(
        "block",
        "words-missing",
        "text, corrections",
        lambda: spoiled(text=without("nine dollars"), of=reworded(corrections=("It costs nine dollars.",))),
        lambda: reworded(corrections=("It costs nine dollars.",)),
    ),
    "a link gone from the HTML": Case("block", "link-missing", f"HTML, {FIRST}", html(without(f'href="{URL}"'))),
    "a link gone from the text": Case(
        "block",
        "link-missing",
        f"text, {FIRST}",
        text(swapped(URL, f"{URL}-and-more")),
        text(swapped(URL, f"<> {URL}")),
    ),
    "entries in another order": Case(
        "block", "entry-order", f"variants all and all-text: text, {THIRD}", text(mixed_up)
    ),
    # personal fields
    "no unsubscribe link in the HTML": Case(
        "block", "personal-field-missing", "HTML", html(without(f'href="{TAG.unsubscribe_url}"'))
    ),
    "no unsubscribe link in the text": Case(
        "block", "personal-field-missing", "text", text(without(TAG.unsubscribe_url))
    ),
    "no reason why the reader gets this": Case("block", "personal-field-missing", "HTML", html(without(TAG.why_html))),
    "a field of another edition": Case(
        "block", "foreign-tag", "text", text(lambda written: f"{written}-vd2026w46whytext-")
    ),
    "a field meant for the other part": Case("block", "foreign-tag", "HTML", body(TAG.greeting_text)),
    "a field in the subject": Case(
        "block", "foreign-tag", "subject", lambda: spoiled(subject=lambda line: f"{line} {TAG.greeting_text}")
    ),
    # what templates leave behind
    "a value that was not filled in": Case(
        "block", "template-syntax", "HTML", body("{{ copy.subject }}"), named("Brace {{ 7*7 }}")
    ),
    "a statement that was not carried out": Case(
        "block", "template-syntax", "text", text(lambda written: f"{written}{{% endif %}}"), named("Brace {% raw %}")
    ),
    "another provider’s field": Case("block", "template-syntax", "text", text(lambda written: f"{written}*|FNAME|*")),
    "an element that MJML does not know": Case(
        "block", "mjml-left", "HTML", body("<mj-txt>gone</mj-txt>"), named("<mj-text>")
    ),
    "a value that is not there": Case(
        "warn", "no-value", "text", text(swapped("$20 a month", "None")), named("None 2")
    ),
    "a value that is no word": Case(
        "warn", "no-value", "HTML", body("<p>undefined</p>"), named("The undefined behaviour finder")
    ),
    "None as the first word of a sentence": Case(
        "warn", "no-value", "HTML", body("<p>None</p>"), body("<p>None of these.</p>")
    ),
    "an ampersand escaped twice": Case("warn", "escaped-twice", "HTML", body("<p>R&amp;amp;D</p>"), named("R&amp;D")),
    "a postal address that is not shown": Case(
        "block", "address-not-shown", "HTML", html(without("1 Sample Street")), lambda: sheet(postal_address=None)
    ),
    # bytes
    "more than Gmail shows": Case("block", "html-size", "variant all: HTML", sized(HTML_BLOCKS + 1), sized(HTML_WARNS)),
    "nearly more than Gmail shows": Case(
        "warn", "html-size", "variant all: HTML", sized(HTML_WARNS + 1), sized(HTML_WARNS)
    ),
    "a style sheet that Gmail drops": Case(
        "block",
        "style-size",
        "HTML",
        html(swapped("</head>", STYLE.format("p{margin:0}\n" * 1500))),
        html(swapped("</head>", STYLE.format("p{margin:0}\n" * 800))),
    ),
    "a line of 999 octets": Case(
        "block", "long-line", "HTML", body("\n" + "x" * 999 + "\n"), body("\n" + "x" * 998 + "\n")
    ),
    "a line of 999 octets in the text": Case(
        "block", "long-line", "text", text(lambda written: f"{written}{'é' * 500}\n")
    ),
    "a character that is not ASCII": Case("block", "not-ascii", "HTML", body("<p>é</p>"), body("<p>&#233;</p>")),
    # requests
    "a pixel": Case(
        "block", "request", "HTML", body('<img alt="" src="https://t.example.net/1.gif">'), named("src=x background=y")
    ),
    "a picture from our own house": Case(
        "block", "request", "HTML", body('<img alt="" src="https://verdicts.example.com/logo.png">')
    ),
    "a picture in the mail itself": Case(
        "block",
        "request",
        "HTML",
        body("<td background='https://t.example.net/1.gif'></td>"),
        body('<img alt="" src="data:image/gif;base64,R0lGODlh">'),
    ),
    "a picture for Outlook only": Case(
        "block", "request", "HTML", body('<!--[if mso]><v:fill src="//t.example.net/1.gif" /><![endif]-->')
    ),
    "a picture in a style": Case(
        "block",
        "request",
        "HTML",
        body('<p style="background:url(//t.example.net)">'),
        named("url(x) @import <img src=x>"),
    ),
    "a web font": Case(
        "block", "request", "HTML", html(swapped("</head>", STYLE.format("@import 'https://f.example.net/f.css';")))
    ),
    "a style sheet from elsewhere": Case(
        "block",
        "request",
        "HTML",
        html(swapped("</head>", '<link rel="stylesheet" href="https://f.example.net/f.css"></head>')),
        html(swapped("</head>", '<link rel="canonical" href="https://verdicts.example.com/"></head>')),
    ),
    "a script": Case("block", "request", "HTML", body("<script>1</script>"), named("<script>1</script>")),
    # for everybody
    "a link that runs a script": Case(
        "block",
        "unsafe-link",
        "HTML",
        body('<a href="javascript:alert(1)">Alert</a>'),
        body('<a href="mailto:editor@example.com">Write to us</a>'),
    ),
    "a link to nowhere": Case("block", "unsafe-link", "HTML", body('<a href="/archive">All editions</a>')),
    "no language": Case("block", "no-lang", "HTML", html(without('lang="en"'))),
    "no title": Case("block", "no-title", "HTML", html(swapped("<title>", "<title></title><p>"))),
    "no main heading": Case("block", "main-heading", "HTML", html(lambda written: written.replace("h1", "h2"))),
    "two main headings": Case("block", "main-heading", "HTML", body("<h1>Again</h1>"), body("<h2>Again</h2>")),
    "a heading a level too deep": Case(
        "warn", "heading-order", "HTML", body("<h2>A</h2><h4>B</h4>"), body("<h3>B</h3>")
    ),
    "a heading before the main one": Case("warn", "heading-order", "HTML", html(swapped("<h1", "<h2>Before</h2><h1"))),
    "a heading without words": Case("warn", "empty-heading", "HTML", body("<h2> </h2>")),
    "an image without alt text": Case(
        "block", "no-alt", "HTML", body('<img src="cid:logo">'), body('<img src="cid:logo" alt="">')
    ),
    "a link that says nothing": Case(
        "warn",
        "link-words",
        "HTML",
        body('<a href="https://a.example.net/">Read  more…</a>'),
        body('<a href="https://a.example.net/">Read more of Brackish 3.0</a>'),
    ),
    "a link without words": Case(
        "warn",
        "link-words",
        "HTML",
        body('<a href="https://a.example.net/"></a>'),
        body('<a href="https://a.example.net/" aria-label="The Brackish page"></a>'),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_flaw_is_found_where_it_is(case: Case) -> None:
    """With its level and its code."""
    assert case[:3] in found(case.flawed())


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_what_comes_near_a_flaw_is_no_flaw(case: Case) -> None:
    """False alarms would teach editors to look away."""
    assert case.code not in codes(case.near())


def test_a_figure_may_stand_in_the_mail_in_other_words() -> None:
    """A reader whose topics leave an entry out still finds its tally on the scoreboard: 4 ship · 0 skip."""
    of = reworded(subject="Corbelkit 4–0, Brackish 75%, Orlop 25%")

    assert "t-46584c88" in {each.variant for each in of.renderings}
    assert "subject-figures" not in codes(of)


def test_a_problem_of_every_variant_is_said_once() -> None:
    """And one of a few names them."""
    everywhere = spoiled(html=in_body("<h1>Again</h1>"))
    in_one = spoiled(html=in_body("<h1>Again</h1>"), only="t-ef96f1f6")

    assert [problem.where for problem in preflight.check(everywhere)] == ["HTML"]
    assert [problem.where for problem in preflight.check(in_one)] == ["variant t-ef96f1f6: HTML"]


def test_an_entry_that_vanished_from_html_is_named_with_its_part() -> None:
    """One problem for all that is lost of an entry in one part."""
    of = spoiled(html=lambda written: written.replace(SENTENCE[:20], "").replace("I closed the window", ""), only="all")

    (problem,) = preflight.check(of)
    assert problem.where == f"variant all: HTML, {FIRST}"
    assert problem.what == "The verdict sentence and the quotation are not there."


def test_text_alone_is_an_edition_too() -> None:
    """A variant without HTML is not missing any."""
    of = sheet()

    assert preflight.check(replace(of, renderings=[each for each in of.renderings if not each.html])) == []


EDITIONS = {"plain": make.edition(), "week": make.week(), "far": make.far_edition(), "rich": make.rich_edition()}
NOT_OF_THE_MAIL = {"quotation-not-theirs", "no-link", "no-panel", "same-words"}


@pytest.mark.parametrize("copy", EDITIONS.values(), ids=EDITIONS.keys())
def test_whatever_is_rendered_whole_is_found_whole(copy: EditionCopy) -> None:
    """Right-to-left names, wide ones, joined emoji and long lists included; only the invented pages are missing."""
    assert codes(sheet([], copy=copy)) <= NOT_OF_THE_MAIL


NASTY = st.sampled_from(
    [
        "{{7*7}}",
        "<mj-text>",
        "&amp;",
        "None",
        "url(x)",
        "<img src=x>",
        "“”",
        "\u202e",
        "\u2067א\u2069",
        "a" * 120,
        "4–0",
    ]
)
WORDS = st.lists(st.text(max_size=30) | NASTY, min_size=1, max_size=4).map(lambda words: " ".join([*words, "end"]))


@settings(max_examples=60, deadline=None)
@given(headline=WORDS, sentence=WORDS, quoted=WORDS, introduction=WORDS, title=WORDS, name=WORDS)
def test_no_words_of_others_raise_an_alarm(
    *, headline: str, sentence: str, quoted: str, introduction: str, title: str, name: str
) -> None:
    """Whatever a page or an editor says, what the renderer made of it is found again, and is no template's fault."""
    said = make.quotation(words=quoted)
    left = make.side(name)
    summary = make.summary(left, headline=headline, sentence=sentence, said=said)
    copy = make.edition(
        make.entry(1, summary).model_copy(update={"url": "https://compare.example.com/a"}),
        make.entry(2),
        introduction=introduction,
        also_compared=[AlsoCompared(title=title, url=None)],
    )

    problems = [problem for problem in preflight.check(sheet([], copy=copy)) if problem.code not in NOT_OF_THE_MAIL]

    assert not [str(problem) for problem in problems if problem.level != "info"]


def test_a_variant_of_unknown_topics_shows_every_entry_somehow() -> None:
    """Nobody can say what it shows in full, but headline and link are due in any case."""
    of = sheet()
    unknown = replace(of, renderings=[replace(of.renderings[0], variant="t-00000000")])

    assert preflight.check(unknown) == []
    assert codes(spoiled(html=without(URL), text=without("Brackish 3.0 vs Corbelkit 1.2"), of=unknown)) == {
        "words-missing",
        "link-missing",
        "unsafe-link",
    }


def test_a_week_of_the_program_itself_passes_in_every_variant() -> None:
    """Topics and formats multiply; none of them adds a problem."""
    of = sheet(week())

    assert len(of.renderings) == 6
    assert preflight.check(of) == []
