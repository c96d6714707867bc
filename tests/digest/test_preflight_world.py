"""What preflight finds in what editors wrote, in who sends it, and in what the clock found out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from digest import preflight
from digest.preflight import Asked, Overridden, Problem, Senders, Sheet, WayOut
from digest.variants import AlsoCompared
from digest.verdicts import Quotation
from tests import make
from tests.digest import verdict_facts as pages
from tests.digest.sheets import CORBELKIT, ORLOP, comparison, reworded, sheet, week, with_summary
from tests.digest.test_preflight import Case, codes, found

URL = "https://compare.example.net/compare/brackish-3-vs-corbelkit-1-2"
FIRST = "entry 1, Brackish 3.0 vs Corbelkit 1.2"
KEY = WayOut("SendGrid key", True, "The API key may send.", needed=True)
SENDERS = Senders(
    from_name="Weekly AI Tool Verdicts",
    reply_to="editors@some-publisher.net",
    list_id="weekly-verdicts.some-publisher.net",
    site_url="https://verdicts.some-publisher.net",
)


def wrote(where: str, words: str) -> Callable[[], Sheet]:
    return lambda: sheet(own_words={where: words})


def sent(**changes: Any) -> Callable[[], Sheet]:
    more = {"through_provider": changes.pop("through_provider", True)}
    if "from_email" in changes:
        more["from_email"] = changes.pop("from_email")
    return lambda: sheet(senders=replace(SENDERS, **changes), **more)


def asked(url: str, answer: Asked) -> Callable[[], Sheet]:
    return lambda: sheet(links={url: answer})


def found_out(*found: WayOut) -> Callable[[], Sheet]:
    return lambda: sheet(way_out=found)


def twice(sentence: str, other: str) -> Callable[[], Sheet]:
    def made() -> Sheet:
        of = with_summary(1, sentence=sentence)
        copy = of.copy
        second = copy.entries[1].model_copy(
            update={"summary": copy.entries[1].summary.model_copy(update={"sentence": other})}
        )
        return sheet(copy=copy.model_copy(update={"entries": (copy.entries[0], second, *copy.entries[2:])}))

    return made


MISLABELLED = pages.tool("Fetlock", 3, 1, slug="fetlock", entry="Paid", pricing="Open Source")
LABELLED = pages.tool("Fetlock", 3, 1, slug="fetlock", entry="Free", pricing="Free")
LONG = "{} does one thing well, and the panel could not agree on which thing that is."
CASES = {
    # words
    **{
        f"“{left}”": Case(
            "block", "placeholder", "introduction", wrote("introduction", left), wrote("introduction", near)
        )
        for left, near in (
            ("Lorem ipsum dolor", "A lore of ipsos"),
            ("TODO: say why", "todo lists compared"),
            ("It costs TK dollars", "the TKO of the week"),
            ("XXX to be written", "the xxl plan"),
            ("Price: TBD", "the tbd file format"),
            ("Good morning, […]", "as [the panel](https://a.example.net/) says"),
            ("[...] and so on", "and so on ..."),
            ("Hello [insert name here]", "Hello [all]"),
            ("insert a link here", "they insert a link there"),
            ("____ won", "snake_case won"),
            ("<name> won", "2 < 3 and 3 > 2"),
            ("Which??? one", "Which? One."),
            ("xx% of it", "10 % of it"),
        )
    },
    "a placeholder in a sentence": Case(
        "block",
        "placeholder",
        "entry 2, sentence",
        wrote("entry 2, sentence", "TODO"),
        lambda: with_summary(2, sentence="A TBD tool"),
    ),
    "two entries in the same words": Case(
        "warn",
        "same-words",
        "entries 1 and 2, Brackish 3.0 vs Corbelkit 1.2",
        twice(LONG.format("Brackish 3.0"), LONG.format("Orlop Draw")),
        twice(LONG.format("Brackish 3.0"), "Orlop Draw does one thing well, and nobody else does."),
    ),
    "one quotation twice": Case(
        "warn",
        "same-words",
        "entries 1 and 2, Brackish 3.0 vs Corbelkit 1.2",
        lambda: quoting_twice(),  # noqa: PLW0108 - defined below
    ),
    "a superlative that nobody states": Case(
        "warn",
        "subject-superlative",
        "subject",
        lambda: reworded(subject="Corbelkit is the cheapest of the week"),
        lambda: reworded(subject="Corbelkit builds on the first try", introduction="It builds on the first try."),
    ),
    "the only one": Case(
        "warn",
        "subject-superlative",
        "subject",
        lambda: reworded(subject="The only tool that ships 4–0"),
        lambda: reworded(subject="Two tools ship this week"),
    ),
    "a label that says another price": Case(
        "warn",
        "label-against-price",
        "entry 1, Fetlock vs Corbelkit 1.2",
        lambda: sheet([comparison(MISLABELLED, CORBELKIT)]),
        lambda: sheet([comparison(LABELLED, CORBELKIT)]),
    ),
    # links
    "a page that is gone": Case(
        "warn",
        "link-dead",
        FIRST,
        asked(URL, Asked(is_dead=True, why="the page is gone (404)")),
        asked(URL, Asked(is_dead=False, why="nothing answers")),
    ),
    "a near miss that is gone": Case(
        "warn",
        "link-dead",
        "also compared, Fetlock vs Umber",
        lambda: replace(
            reworded(also_compared=(AlsoCompared(title="Fetlock vs Umber", url="https://a.example.net/"),)),
            links={"https://a.example.net/": Asked(is_dead=True, why="the page is gone (410)")},
        ),
    ),
    "a link of the introduction that is gone": Case(
        "warn", "link-dead", "introduction", asked("https://b.example.net/", Asked(is_dead=True, why="x"))
    ),
    "a link of the introduction that runs a script": Case(
        "block",
        "unsafe-link",
        "introduction",
        lambda: reworded(introduction="See [this](javascript:alert(1))."),
        lambda: reworded(introduction="See [this](https://a.example.net/) or (javascript:alert)."),
    ),
    "a link of the introduction that leads nowhere": Case(
        "warn",
        "no-link",
        "introduction",
        lambda: reworded(introduction="Write to [us](mailto:editors@example.com)."),
        lambda: reworded(introduction="Write to editors@example.com."),
    ),
    "a page that nobody has asked": Case(
        "info", "links-unchecked", "links", asked(URL, Asked(None)), asked(URL, Asked(is_dead=False))
    ),
    # who sends it
    "a sender at a mailbox provider": Case(
        "warn",
        "from-address",
        "sender",
        lambda: sheet(from_email="our.newsletter@gmail.com"),
        lambda: sheet(from_email="our.newsletter@notgmail.com"),
    ),
    "a name with an address in it": Case(
        "warn", "from-name", "sender", sent(from_name="verdicts@other.net"), sent(from_name="Verdicts @ Other")
    ),
    "a name with a site in it": Case(
        "warn", "from-name", "sender", sent(from_name="www.verdicts.net"), sent(from_name="Verdicts.net")
    ),
    "replies that go elsewhere": Case(
        "warn",
        "reply-to",
        "sender",
        sent(reply_to="editors@elsewhere.org"),
        sent(reply_to="editors@mail.some-publisher.net"),
    ),
    "replies that nobody reads": Case(
        "warn",
        "reply-to",
        "sender",
        sent(reply_to="no-reply@some-publisher.net"),
        sent(reply_to="norepa@some-publisher.net"),
    ),
    "a site that is not safe": Case(
        "block", "site-address", "settings", sent(site_url="http://verdicts.some-publisher.net"), sent()
    ),
    "a site that only we can see": Case(
        "block",
        "site-address",
        "settings",
        sent(site_url="https://10.0.0.7"),
        sent(site_url="http://127.0.0.1:8000", rehearses=True),
    ),
    "a site at home, but nothing leaves the house": Case(
        "block",
        "site-address",
        "settings",
        sent(site_url="http://localhost:8000"),
        sent(site_url="http://localhost:8000", through_provider=False),
    ),
    "a List-ID of nobody’s": Case(
        "warn", "list-id", "settings", sent(list_id="weekly-verdicts.localhost"), sent(list_id="verdicts.myexample.com")
    ),
    "a mailbox that nobody reads": Case(
        "warn",
        "unsubscribe-mailbox",
        "settings",
        sent(unsubscribe_email="noreply@some-publisher.net"),
        sent(unsubscribe_email="leave@some-publisher.net"),
    ),
    # the way out
    "a key that may not send": Case(
        "block", "way-out", "way out, SendGrid key", found_out(replace(KEY, ok=False)), found_out(KEY)
    ),
    "events that do not come": Case(
        "warn", "way-out", "way out, events", found_out(WayOut("events", False, "None.", needed=False)), found_out(KEY)
    ),
    "a key that nobody could look at": Case(
        "info", "way-out-unknown", "way out, SendGrid key", found_out(replace(KEY, ok=None)), found_out(KEY)
    ),
    "nobody has looked for a day": Case("info", "way-out-unknown", "way out", found_out()),
}


def quoting_twice() -> Sheet:
    of = sheet()
    said = of.copy.entries[0].summary.quotation
    assert isinstance(said, Quotation)
    second = of.copy.entries[1]
    second = second.model_copy(update={"summary": second.summary.model_copy(update={"quotation": said})})
    entries = (of.copy.entries[0], second, *of.copy.entries[2:])
    return sheet(copy=of.copy.model_copy(update={"entries": entries}))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_flaw_is_found_where_it_is(case: Case) -> None:
    """With its level and its code."""
    assert case[:3] in found(case.flawed())


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_what_comes_near_a_flaw_is_no_flaw(case: Case) -> None:
    """False alarms would teach editors to look away."""
    assert case.code not in codes(case.near())


def test_links_that_nobody_asked_are_one_line_with_their_count() -> None:
    """A draft that was just made has asked nobody: no list of sixteen."""
    links = {each.url: Asked(None) for each in week() if each.url}

    (problem,) = preflight.check(sheet(links=links))
    assert problem.what == "3 of 3 linked pages were not asked lately."


# — what a problem is called, and who answers for it —


def problem(**changes: Any) -> Problem:
    (found,) = preflight.check(sheet(withdrawn={2: "the figures were wrong"}, **changes))
    return found


def test_a_problem_keeps_its_key_as_long_as_it_reads_the_same() -> None:
    """Other words, another place or another kind is another problem."""
    known = problem()

    assert known.key == problem().key == replace(known, mend="Otherwise.", level="warn").key
    others = [replace(known, what="Other words."), replace(known, where="entry 3"), replace(known, code="no-words")]
    assert len({known.key, *(each.key for each in others)}) == 4


def test_what_somebody_answers_for_blocks_no_more_and_says_who() -> None:
    known = replace(problem(), overridden=Overridden("edda@example.com", "It is right.", make.CUTOFF))

    assert not known.blocks
    assert str(known) == (
        "[overridden] entry 2, Orlop Draw vs Tessaline 4: The comparison was withdrawn: the figures were wrong. "
        "Overridden by edda@example.com: It is right."
    )
    assert known.described()["overridden"] == {"by": "edda@example.com", "why": "It is right.", "at": make.CUTOFF}
    assert problem().described()["overridden"] is None
    assert ORLOP.name == "Orlop Draw"
