"""What preflight finds in the words of editors: quotations and numbers of no page, fields and addresses of no use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from digest import preflight
from digest.preflight import Senders, Sheet
from tests.digest.sheets import sheet
from tests.digest.test_preflight import Case, codes, found

SITE = "https://verdicts.example.com"
TOKEN = "c2VjcmV0-of-one-reader"


def wrote(words: str, where: str = "introduction") -> Callable[[], Sheet]:
    return lambda: sheet(own_words={where: words})


def case(code: str, flawed: str, near: str, where: str = "introduction", level: preflight.Level = "block") -> Case:
    return Case(level, code, where, wrote(flawed, where), wrote(near, where))


CASES = {
    **{
        f"the quotation {flawed}": case("own-quotation", flawed, near)
        for flawed, near in (
            ("He said “it eats your files”.", "He said “it stays on its branch”."),
            ('He said "it eats your files".', 'He said "it has not lost a single commit of mine".'),
            ("They say ‘it doesn’t work at all’.", "They say ‘It builds on the first try, and then again.’"),
            ("“I love *every* bit”", "“Nothing in it is *made* for people who draw.”"),
            ("“It stays on its branch … and eats files”", "“It stays … can be read by a tired person”"),
            ("“I closed [the app] within a minute”", "“I closed the window after [an] hour”"),
            ("“the best tool ever”", "a “good enough” tool, and the ‘nineties’ are the readers’ own"),
        )
    },
    "a quotation in a sentence": case(
        "own-quotation", "“It eats files”", "“It stays on its branch”", "entry 3, sentence"
    ),
    **{
        f"the number {flawed}": case("own-figure", flawed, near, level="warn")
        for flawed, near in (
            ("It costs $21 a month.", "It costs $20 a month."),
            ("83% would ship it.", "75% would ship it, and 25 for the other."),
            ("It wins 5–1.", "It wins 3–1."),
            ("It scored 99 with the Skeptic.", "It scored 88 with the Skeptic."),
            ("It makes 1,700 images.", "It makes 1,500 images."),
            (
                "41 people asked.",
                "On 3 December 2026, at 9:30, we saw 3 comparisons; entry 12 is the 21st since May 30th.",
            ),
            (
                "It runs 47 times.",
                "GPT-47, H100 and, as on Windows 95, see number 47, week 47 and issue #47 of 2026-W47.",
            ),
            ("In 47 ways.", "Since the 1990s, in 2024–25, [read it](https://a.example.net/47-ways) by 11 pm."),
        )
    },
    **{
        f"the field {flawed}": case("foreign-merge-tag", flawed, near)
        for flawed, near in (
            ("Hello {{ first_name }}", "Hello {you}"),
            ("{% if vip %}Hello", "10 {per cent}"),
            ("Hello *|FNAME|*", "a *very* | good one *"),
            ("Hello %recipient.name%", "100% recipient. 5%"),
            ("Hello <%= name %>", "<3 and 5% >"),
            ("Leave: [unsubscribe]", f"Read [unsubscribe]({SITE}/archive)"),
            ("Hello %%FirstName%%", "100%% sure"),
            ("Hello ##name##", "## A heading ##"),
            ("Hello {$name}", "It costs {$5}"),
        )
    },
    "a field in the subject": case("foreign-merge-tag", "Hi *|FNAME|*", "Hi all", "subject"),
    **{
        f"the address {flawed}": case("own-page", flawed, near)
        for flawed, near in (
            (f"[Leave]({SITE}/unsubscribe/{TOKEN})", f"[Us]({SITE}/)"),
            (f"[Yours]({SITE}/preferences/{TOKEN})", f"[Us]({SITE})"),
            (f"[Yes]({SITE}/confirm/{TOKEN}?a=1)", f"[Last week]({SITE}/archive/2026-W46#entry-1)"),
            (f"[Data]({SITE}/my-data/{TOKEN})", f"[Feed]({SITE}/archive/feed.xml)"),
            (f"[In]({SITE}/sign-in)", f"[Everything]({SITE}/archive?page=2)"),
            (f"[Desk]({SITE}/desk/2026-W47)", f"[Embed]({SITE}/embed)"),
            (f"[X](http://VERDICTS.example.com.:80/archive/../unsubscribe/{TOKEN})", f"[X]({SITE}/archive/)"),
            (f"[X]({SITE}//%75nsubscribe/{TOKEN})", "[X](https://other.example.com/unsubscribe/you)"),
            (f"[X](/unsubscribe/{TOKEN})", "[X](unsubscribe)"),
            (f"See {SITE}/unsubscribe/{TOKEN}.", f"See {SITE}/archive."),
            (
                f"verdicts.example.com/unsubscribe/{TOKEN}",
                "my.verdicts.example.com/unsubscribe and verdicts.example.com",
            ),
        )
    },
    "an address in the opening": case("own-page", f"{SITE}/preferences/{TOKEN}", SITE, "opening"),
    **{
        f"a password in {flawed}": case("link-credentials", flawed, near)
        for flawed, near in (
            ("[X](https://edda:secret@a.example.net/)", "[X](https://a.example.net/@edda)"),
            ("See http://edda@a.example.net/x", "See https://a.example.net/x?to=edda@a.example.net"),
        )
    },
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_flaw_is_found_where_it_is(case: Case) -> None:
    assert case[:3] in found(case.flawed())


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_what_comes_near_a_flaw_is_no_flaw(case: Case) -> None:
    assert case.code not in codes(case.near())


def test_no_secret_is_told_on() -> None:
    """The problem stands on pages, in logs and in what the command line says."""
    words = f"[X]({SITE}/unsubscribe/{TOKEN}) [Y](https://edda:secret@a.example.net/)"
    said = " ".join(str(problem) for problem in preflight.check(wrote(words)()))

    assert "/unsubscribe/… is a page of our own site" in said
    assert TOKEN not in said
    assert "secret" not in said


def test_our_site_below_a_path_has_its_archive_there() -> None:
    senders = Senders("Verdicts", "a@example.net", "list.example.net", f"{SITE}/weekly")
    secret = replace(wrote(f"[X]({SITE}/weekly/unsubscribe/{TOKEN})")(), senders=senders)
    archive = replace(wrote(f"[X]({SITE}/weekly/archive) [Y]({SITE}/weekly)")(), senders=senders)

    assert ("own-page" in codes(secret), "own-page" in codes(archive)) == (True, False)


def test_what_the_program_wrote_may_be_kept_and_quoted() -> None:
    of = replace(wrote("41 of them say “nothing like that here”.")(), by_rule=("41 times: nothing like that here",))

    assert codes(of) & {"own-figure", "own-quotation"} == set()


@pytest.mark.parametrize("code", ["own-quotation", "foreign-merge-tag"])
def test_an_answer_for_it_holds_in_exactly_these_words(code: str) -> None:
    def key(words: str) -> str:
        return next(problem.key for problem in preflight.check(wrote(words)()) if problem.code == code)

    same = "“It eats your files” {{ name }}"
    assert key(same) == key(same)
    assert key(same) != key(f"{same} and more")
    assert not next(problem for problem in preflight.check(wrote(same)()) if problem.code == code).final
