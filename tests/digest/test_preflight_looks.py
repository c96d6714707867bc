"""What preflight finds in how a mail looks: colours in light and dark, sizes, links, and what mail clients drop."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from digest import preflight
from digest.preflight import Sheet
from digest.preflight.colours import BLACK, WHITE, Colour, colour, contrast
from digest.preflight.painting import PIECE, Painted, painted, pieces
from digest.preflight.style_sheets import declarations, rules
from tests.digest.sheets import in_body, sheet, spoiled, swapped
from tests.digest.test_preflight import Case, codes, found


def body(more: str) -> Callable[[], Sheet]:
    return lambda: spoiled(html=in_body(more))


def head(more: str) -> Callable[[], Sheet]:
    return lambda: spoiled(html=swapped("</head>", f"{more}</head>"))


def styled(css: str) -> Callable[[], Sheet]:
    return head(f"<style>{css}</style>")


CELL = '<table role="presentation" bgcolor="#fff"><tr><td class="x">Plain</td></tr></table>'
BUTTON = (
    '<p>Or:</p><a class="bt" href="https://a.example.net/" style="text-decoration:none;background:#123">Go there</a>'
)
DARK = "@media (prefers-color-scheme:dark){{{}}}"
CASES = {
    "grey on white": Case(
        "block",
        "contrast",
        "HTML",
        body('<p style="color:#777777;background-color:#ffffff">Nearly</p>'),
        body('<p style="color:#767676;background-color:#ffffff">Enough</p>'),
    ),
    "grey on white by bgcolor and a rule": Case(
        "block",
        "contrast",
        "HTML",
        body("<style>td.x{color:#999}</style>" + CELL),
        body("<style>th.x{color:#999}</style>" + CELL),
    ),
    "large text needs less": Case(
        "block",
        "contrast",
        "HTML",
        body('<p style="color:#959595;background:#fff;font-size:24px">Large, and too faint</p>'),
        body('<p style="color:#949494;background:#fff;font-size:24px">Large</p>'),
    ),
    "bold text is large from 18.66 px": Case(
        "block",
        "contrast",
        "HTML",
        body('<p style="color:#949494;background:#fff;font-size:19px">Not bold</p>'),
        body('<b style="color:#949494;background:#fff;font-size:19px">Bold</b>'),
    ),
    "a colour nearly not there": Case(
        "block",
        "contrast",
        "HTML",
        body('<p style="color:rgba(0,0,0,.4);background:#fff">Half there</p>'),
        body('<p style="color:rgba(0,0,0,.8);background:#fff">There</p>'),
    ),
    "faint in the dark alone": Case(
        "block",
        "contrast-dark",
        "HTML",
        styled(DARK.format(".q{color:#55504a!important}")),
        styled(".q{color:#55504a}"),
    ),
    "a rule for the dark that forgets a card": Case(
        "block",
        "contrast-dark",
        "HTML",
        body('<p style="background-color:#ffffff">A white card that nobody darkened</p>'),
        lambda: spoiled(html=in_body('<p class="cd" style="background-color:#ffffff">A card</p>')),
    ),
    "a colour that cannot be told": Case(
        "warn",
        "colour-unknown",
        "HTML",
        body('<p style="color:oklch(70% 0.1 200)">Which?</p>'),
        body('<p style="color:inherit;background:none">As around it</p>'),
    ),
    "small print": Case(
        "warn",
        "small-text",
        "HTML",
        body('<p style="font-size:13px">Small</p>'),
        body('<p style="font-size:14px">Not small</p>'),
    ),
    "small print by a rule": Case(
        "warn", "small-text", "HTML", styled(".q{font-size:.8em}"), styled(".q{font-size:1em}")
    ),
    "a link without a line": Case(
        "warn",
        "link-underline",
        "HTML",
        body('<p>See <a href="https://a.example.net/" style="text-decoration:none;color:#123">the page</a></p>'),
        body('<p>See <a href="https://a.example.net/" style="color:#123">the page</a></p>'),
    ),
    "a button has a paper of its own": Case(
        "warn",
        "link-underline",
        "HTML",
        styled("a{text-decoration:none}"),
        body(BUTTON),
    ),
    "a table that does not say it is for layout": Case(
        "warn",
        "layout-table",
        "HTML",
        body("<table><tr><td>Beside</td><td>each other</td></tr></table>"),
        body("<table><tr><th>Tool</th></tr><tr><td>Brackish</td></tr></table>"),
    ),
    # Outlook
    **{
        f"Outlook drops {style}": Case(
            "warn", "outlook", "HTML", body(f'<div style="{style}">x</div>'), body(f'<div style="{near}">x</div>')
        )
        for style, near in (
            ("display:flex", "display:block"),
            ("display:inline-grid", "display:none"),
            ("position:absolute;top:0", "text-align:left"),
            ("float:left", "float:none"),
            ("opacity:.5", "opacity:1"),
            ("width:calc(100% - 8px)", "width:100%"),
            ("color:var(--ink)", "color:#123456"),
            ("background:linear-gradient(#000,#111)", "background:#000000;color:#ffffff"),
            ("background-color:rgba(0,0,0,.1)", "background-color:#eeeeee;color:#000000"),
            ("background-color:#00000010", "background-color:#eee;color:#000"),
            ("margin:0 -8px", "margin:0 8px"),
            ("justify-content:center", "text-align:center"),
        )
    },
    "a margin on a span": Case(
        "warn",
        "outlook",
        "HTML",
        body('<span style="margin-left:8px">x</span>'),
        body('<p style="margin-left:8px">x</p>'),
    ),
    "a picture that only max-width holds": Case(
        "warn",
        "outlook",
        "HTML",
        body('<img alt="" src="cid:logo" style="max-width:100%">'),
        body('<img alt="" src="cid:logo" width="300" style="max-width:100%">'),
    ),
    "a rule that Outlook drops": Case(
        "warn", "outlook", "HTML", styled(".q{display:flex}"), styled("@media (max-width:479px){.q{display:flex}}")
    ),
    # Gmail
    "an @-rule in an @-rule": Case(
        "block",
        "gmail-style",
        "HTML",
        styled("@media screen{@font-face{font-family:x}}"),
        styled("@media screen{p{color:#000}} @media print{p{color:#000}}"),
    ),
    "a style sheet with a bracket": Case(
        "block", "gmail-style", "HTML", styled("p{color:#000} <!-- old -->"), styled("p>b{color:#000}")
    ),
    "a colour with blanks": Case(
        "block", "gmail-style", "HTML", styled("p.z{color:rgb(0 0 0)}"), styled("p.z{color:rgb(0, 0, 0)}")
    ),
    "a style sheet in the body": Case(
        "block", "gmail-style", "HTML", body("<style>p{color:#000}</style>"), head("<style>p{color:#000}</style>")
    ),
    "a rule for an attribute": Case(
        "warn", "gmail-rule", "HTML", styled('a[href^="https"]{color:#000}'), styled("[data-ogsc] a{color:#000}")
    ),
    "a style attribute that Gmail drops": Case(
        "warn",
        "gmail-rule",
        "HTML",
        body('<p style="color:rgb(0 0 0 / 1)">x</p>'),
        body('<p style="color:rgb(0,0,0);background:#fff">x</p>'),
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


def test_a_faint_colour_is_said_once_with_both_colours_and_how_faint_it_is() -> None:
    faint = '<p style="color:#777777;background-color:#ffffff">One</p>' * 3

    (problem,) = [each for each in preflight.check(spoiled(html=in_body(faint))) if each.code == "contrast"]

    assert problem.what == (
        "“One” stands out by 4.4 to 1 in light (#777777 on #ffffff); it takes 4.5 to be read by everybody."
    )


# — how it is worked out —


def looks(html: str) -> list[Painted]:
    return list(painted(LexborHTMLParser(html)))


def one(css: str, element: str) -> Painted:
    (found,) = looks(f"<html><head><style>{css}</style></head><body>{element}</body></html>")
    return found


@pytest.mark.parametrize(
    ("css", "element", "ink"),
    [
        ("", '<p style="color:#111111">x</p>', "#111111"),
        ("p{color:#222222}", "<p>x</p>", "#222222"),
        ("p{color:#222222}", '<p style="color:#111111">x</p>', "#111111"),
        ("p{color:#222222!important}", '<p style="color:#111111">x</p>', "#222222"),
        ("p{color:#222222!important}", '<p style="color:#111111!important">x</p>', "#111111"),
        (".a{color:#333333} p{color:#222222}", '<p class="a">x</p>', "#333333"),
        ("p{color:#222222} p{color:#444444}", "<p>x</p>", "#444444"),
        ("#i{color:#555555} p.a.b{color:#222222}", '<p id="i" class="a b">x</p>', "#555555"),
        ("div{color:#666666}", "<div><b><i>x</i></b></div>", "#666666"),
        ("div{color:#666666}", '<div><font color="#777777">x</font></div>', "#777777"),
        ("@media print{p{color:#888888}}", "<p>x</p>", "#000000"),
        ("@media (max-width:479px){p{color:#888888}}", "<p>x</p>", "#000000"),
        ("@media only screen and (min-width:480px){p{color:#888888}}", "<p>x</p>", "#888888"),
        ("p{color:#999999;color:#aaaaaa}", "<p>x</p>", "#aaaaaa"),
        ("/* p{color:red} */ p{color:#bbbbbb}", "<p>x</p>", "#bbbbbb"),
        ("p::-moz-selection{color:#cccccc} b,p{color:#dddddd}", "<p>x</p>", "#dddddd"),
        ("", '<a href="https://a.example.net/">x</a>', "#0000ee"),
    ],
)
def test_the_cascade_decides_as_mail_clients_do(css: str, element: str, ink: str) -> None:
    """Origin, importance, specificity, order; then what is inherited."""
    assert str(one(css, element).light.colour) == ink


def test_the_dark_is_what_the_mails_own_rules_make_of_it() -> None:
    found = one("@media (prefers-color-scheme:dark){p{color:#eeeeee!important}}", '<p style="color:#111111">x</p>')

    assert (str(found.light.colour), str(found.dark.colour)) == ("#111111", "#eeeeee")


def test_what_is_hidden_is_not_judged() -> None:
    assert looks('<body><p style="display:none;color:#fff">x</p><p style="visibility:hidden">y</p></body>') == []


@pytest.mark.parametrize(
    ("size", "pixels"),
    [("20px", 20), ("12pt", 16), ("2em", 64), ("1rem", 16), ("50%", 16), ("small", 13), ("nonsense", 32), ("0", 0)],
)
def test_sizes_are_told_in_pixels(size: str, pixels: float) -> None:
    (found,) = looks(f'<body><div style="font-size:32px"><p style="font-size:{size}">x</p></div></body>')

    assert found.light.size == pytest.approx(pixels)


def test_a_mail_in_pieces_looks_like_the_mail_whole() -> None:
    """Pieces are painted within the tags around them, so that what they inherit is there."""
    html = sheet().renderings[0].html or ""
    tree = LexborHTMLParser(html)
    assert tree.body is not None
    assert len(list(pieces(tree.body, "<html>"))) > 5

    whole = looks(html.replace("</body>", "<!-- -->" * PIECE + "</body>"))
    assert [each.words for each in looks(html)] == [each.words for each in whole]
    assert {str(each.light.background) for each in looks(html)} >= {"#ffffff", "#f5f1e8"}


@pytest.mark.parametrize(
    ("written", "known"),
    [
        ("#fff", WHITE),
        ("#000000", BLACK),
        ("BLACK", BLACK),
        ("rgb(255, 255, 255)", WHITE),
        ("rgb(100%,100%,100%)", WHITE),
        ("#ffffff80", Colour(255, 255, 255, 128 / 255)),
        ("rgba(255,255,255,.5)", Colour(255, 255, 255, 0.5)),
        ("transparent", Colour(0, 0, 0, 0)),
        ("#ggg", None),
        ("rgb(1.2.3,1,1)", None),
        ("", None),
    ],
)
def test_colours_are_read_in_every_usual_spelling(written: str, known: Colour | None) -> None:
    assert colour(written) == known


def test_contrast_is_that_of_the_guidelines() -> None:
    """Their own examples: black on white, and the two greys either side of 4.5."""
    assert contrast(BLACK, WHITE) == pytest.approx(21)
    assert contrast(WHITE, Colour(0x77, 0x77, 0x77)) == pytest.approx(4.478, abs=0.001)
    assert contrast(Colour(0x76, 0x76, 0x76), WHITE) == pytest.approx(4.542, abs=0.001)


def test_rules_and_declarations_are_told_apart() -> None:
    found = rules("a,b:not(.x,.y){color:red;background:url('a;b')}@media print{p{margin:0}}@import 'x';i{x:y}")

    assert [(rule.selector, rule.media) for rule in found] == [
        ("a", ""),
        ("b:not(.x,.y)", ""),
        ("p", "print"),
        ("i", ""),
    ]
    assert declarations("color:red;background:url('a;b')")["background"] == ("url('a;b')", False)


@given(st.text(alphabet="{}@;:,.#[]()<>/*!a1 \"'-", max_size=80), st.text(alphabet="abc;:#()%1.! -", max_size=40))
def test_no_style_sheet_is_too_odd(css: str, style: str) -> None:
    """Whatever somebody writes into a template is looked at without a failure."""
    looks(f'<html><head><style>{css}</style></head><body style="{style}"><p>x</p></body></html>')


@given(st.text(max_size=30))
def test_no_colour_is_too_odd(written: str) -> None:
    assert colour(written) is None or colour(written) == colour(written.strip().lower())
