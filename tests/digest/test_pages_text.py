"""Comparison pages as text: everything a page may show, leave out, spell oddly or contradict."""

from __future__ import annotations

import pytest

from digest import pages
from digest.facts import Community, ComparisonFacts, Split, TakeFacts, ToolFacts
from tests.digest.page_samples import (
    BOX,
    INTRO,
    NOBODY,
    OTTER,
    PELICAN,
    as_compact_says,
    compact,
    comparison,
    spaced,
)

LABELS = ["Ship", "Mixed", "Skip", "Paid", "Free", "Entry", "Community", "Decision", "Pricing", "Category", "Models"]


def read(text: str) -> pages.Page:
    reading = pages.read(text.encode())
    assert reading.bad == ()
    return reading.pages[0]


def with_left(**changes: object) -> ComparisonFacts:
    return comparison(left=OTTER.model_copy(update=changes))


def both_layouts(page: ComparisonFacts) -> None:
    assert read(spaced(page)) == pages.Page(page)
    assert read(compact(page)) == pages.Page(as_compact_says(page))


# Names


@pytest.mark.parametrize(
    "name",
    [
        "Heron vs Ibis",
        "Talk with Dogs",
        "Otter (Beta) [v2]: the & Co. + more",
        "Go",
        "X",
        "vs",
        "75%",
        "—",
        "Weekly AI Tool Verdicts",
        "Reviewer scorecard",
        "Panel ship",
        "数据 工具",
        "أداة",
        *LABELS,
    ],
)
def test_a_name_may_be_spelled_like_anything_else_on_the_page(name: str) -> None:
    """It is the title that tells the names; labels, badges and even `vs` are no obstacle."""
    both_layouts(with_left(name=name))
    both_layouts(comparison(right=PELICAN.model_copy(update={"name": name})))


@pytest.mark.parametrize("label", LABELS)
def test_name_category_tagline_and_entry_may_all_be_the_same_word(label: str) -> None:
    """Each is known by its place."""
    both_layouts(with_left(name=label, category=label, tagline=label, entry=label, best_for=label, pricing=label))


def test_both_tools_may_have_one_name() -> None:
    """A name is not a key."""
    both_layouts(with_left(name=PELICAN.name))


@pytest.mark.parametrize("names", [("A vs B", "C"), ("A", "B vs C"), ("A", "B - C"), ("A vs B", "B vs A")])
def test_the_title_is_divided_by_the_names_on_the_cards(names: tuple[str, str]) -> None:
    """Not by the first `vs` in it."""
    left, right = (tool.model_copy(update={"name": name}) for tool, name in zip((OTTER, PELICAN), names, strict=True))
    both_layouts(comparison(left, right))


def test_without_a_title_the_decision_table_tells_the_names() -> None:
    """A page whose heading was lost."""
    page = with_left(tagline=None, best_for=None)
    text = spaced(page).replace(page.headline, "Untitled")
    assert read(text).facts.tools == page.tools
    assert read(text).facts.title is None


def test_without_title_and_table_complete_cards_speak_for_themselves() -> None:
    """Category, name, tagline: three lines, three places."""
    page = comparison()
    assert read(compact(page).replace(page.headline, "Untitled")).facts.tools == as_compact_says(page).tools


def test_names_that_nothing_tells_are_not_guessed() -> None:
    """Two lines above a figure may be category and name, or name and tagline."""
    page = with_left(tagline=None)
    reading = pages.read(compact(page).replace(page.headline, "Untitled").encode())
    assert reading.pages == ()
    assert "could not be told" in reading.bad[0].why


def test_an_endless_name_is_refused() -> None:
    """In one short sentence."""
    reading = pages.read(spaced(comparison()).replace(OTTER.name, "Otter " * 2_000).encode())
    assert reading.pages == ()
    assert len(reading.bad[0].why) < 150


def test_a_title_too_long_to_be_one_is_left_out() -> None:
    """Two long names are still names."""
    long = ["Otter " * 40 + "A", "Pelican " * 30 + "B"]
    text = spaced(comparison()).replace(OTTER.name, long[0]).replace(PELICAN.name, long[1])
    facts = read(text).facts
    assert facts.title is None
    assert [tool.name for tool in facts.tools] == long


# What a card may lack


@pytest.mark.parametrize("field", ["tagline", "description", "category", "entry"])
def test_what_a_card_does_not_show_is_unknown(field: str) -> None:
    """The other lines keep their places."""
    page = with_left(**{field: None})
    both_layouts(page)
    both_layouts(comparison(right=PELICAN.model_copy(update={field: None})))


def test_taglines_spelled_like_badges_are_taglines_where_there_are_no_badges() -> None:
    """In the compact layout."""
    page = comparison(*(tool.model_copy(update={"tagline": "Ship"}) for tool in (OTTER, PELICAN)))
    assert read(compact(page)).facts == as_compact_says(page)


def test_a_heading_is_no_category() -> None:
    """Where nothing else stands above the name."""
    page = with_left(category=None)
    left, _ = read(compact(page).replace(f"{INTRO}\n", "")).facts.tools
    assert (left.name, left.category) == (OTTER.name, None)


def test_an_avatar_is_no_description() -> None:
    """Even one that is not the name's first letter."""
    page = with_left(description=None)
    assert read(spaced(page).replace("\n\nP\n\n", "\n\n🐦\n\n")) == pages.Page(page)


def test_avatar_and_badge_may_be_missing() -> None:
    """The verdict then stands in the decision table only."""
    page = comparison()
    bare = spaced(page, avatars=False)
    assert read(bare) == pages.Page(page)
    for tool in page.tools:
        bare = bare.replace(f"\n\n{(tool.verdict or '').title()}\n\n", "\n\n", 1)
    assert read(bare) == pages.Page(page)


def test_without_a_decision_table_the_badge_is_the_verdict() -> None:
    """Price and best-for are then unknown."""
    left, right = read(spaced(comparison(), table=False)).facts.tools
    assert (left.verdict, right.verdict) == ("mixed", "ship")
    assert (left.split, left.pricing, right.best_for) == (None, None, None)


def test_a_badge_alone_is_a_verdict() -> None:
    """A card that shows no percentage."""
    page = comparison()
    text = spaced(page, table=False).replace("50%\n\n", "").replace("75%\n\n", "")
    left, right = read(text).facts.tools
    assert (left.panel_ship_percent, left.verdict, left.tagline) == (None, "mixed", OTTER.tagline)
    assert (right.panel_ship_percent, right.verdict) == (None, "ship")


def test_a_page_whose_cards_are_lost_is_read_from_its_decision_table() -> None:
    """And says so."""
    text = spaced(comparison())
    page = read(text[text.index("Decision\n") :])
    left, right = page.facts.tools
    assert (left.name, left.verdict, left.split, left.pricing) == (OTTER.name, "mixed", OTTER.split, OTTER.pricing)
    assert right.takes == PELICAN.takes
    assert page.missing == ("The cards of the two tools could not be read.",)


def test_contradictions_are_kept_as_stated() -> None:
    """A badge that disagrees with its percentage, an entry label that disagrees with the price."""
    page = with_left(verdict="skip", panel_ship_percent=100, entry="Paid", pricing="Free for ever")
    assert read(spaced(page)) == pages.Page(page)


def test_the_badge_outweighs_the_table() -> None:
    """Of two verdicts the badge is the verdict."""
    text = spaced(comparison()).replace("Mixed · 2 ship / 2 skip", "Ship · 2 ship / 2 skip")
    assert read(text).facts.tools[0].verdict == "mixed"


# Community


@pytest.mark.parametrize(
    ("card", "row", "stated"),
    [
        ("", NOBODY, Community(votes=0)),
        ("—", "—", Community()),
        ("", "—", Community()),
        ("0%", "0%", Community(ship_percent=0)),
        ("62%", "62%", Community(ship_percent=62)),
        ("62%", "62% · 118 votes", Community(ship_percent=62, votes=118)),
        ("62% (1,204 votes)", "62%", Community(ship_percent=62, votes=1204)),
        ("", "62% ship · 1 vote", Community(ship_percent=62, votes=1)),
        ("62.5%", NOBODY, Community(ship_percent=62.5)),
    ],
)
def test_the_community_vote_as_pages_print_it(card: str, row: str, stated: Community) -> None:
    """Zero percent is a real zero; a dash, no line and the sentence say that nobody has voted."""
    text = spaced(comparison()).replace("62%\n\nCommunity", f"{card}\n\nCommunity").replace("62% · 118 votes", row)
    page = read(text)
    assert page.facts.tools[0].community == stated
    assert page.missing == ()


def test_a_page_that_never_mentions_the_community_has_no_votes() -> None:
    """Provided it was read whole."""
    text = compact(comparison()).replace("62%\nCommunity\n", "").replace("—\nCommunity\n", "")
    assert [tool.community for tool in read(text).facts.tools] == [Community(), Community()]
    assert [tool.entry for tool in read(text).facts.tools] == ["Free", "Paid"]


def test_a_vote_that_is_no_percentage_is_unknown_and_said() -> None:
    """More than all cannot have voted."""
    page = read(compact(comparison()).replace("62%", "162%"))
    assert page.facts.tools[0].community is None
    assert page.missing == (f"The figure “162%” of {OTTER.name} could not be read.",)


def test_a_panel_percentage_above_a_hundred_is_unknown_and_said() -> None:
    """The badge is still a verdict."""
    page = read(spaced(comparison()).replace("50%", "150%"))
    assert (page.facts.tools[0].panel_ship_percent, page.facts.tools[0].verdict) == (None, "mixed")
    assert page.facts.tools[0].tagline == OTTER.tagline
    assert page.missing == (f"The figure “150%” of {OTTER.name} could not be read.",)


# The decision table


def test_unknown_rows_are_passed_over() -> None:
    """A newer site may compare more."""
    text = spaced(comparison()).replace("Best for\n", "Released\nin May\nin June\nBest for\n")
    assert read(text) == pages.Page(comparison())


def test_a_row_with_one_value_is_not_guessed() -> None:
    """Whose value it is, nobody knows; the rows around it are read."""
    text = spaced(comparison()).replace("Pricing\nOpen Source\n", "Pricing\n")
    page = read(text)
    assert [tool.pricing for tool in page.facts.tools] == [None, None]
    assert [tool.best_for for tool in page.facts.tools] == [OTTER.best_for, PELICAN.best_for]
    assert page.missing == ("The row “Pricing” of the decision table could not be read.",)


def test_a_table_of_other_tools_is_not_read() -> None:
    """Its values would be given to the wrong tools."""
    text = spaced(comparison()).replace(f"Decision\n{OTTER.name}", "Decision\nHeron")
    page = read(text)
    assert page.facts.tools[0].pricing is None
    assert page.facts.tools[0].takes == OTTER.takes
    assert page.missing == ("The decision table does not name the two tools and was not read.",)


@pytest.mark.parametrize(
    ("stated", "split", "missing"),
    [
        ("Mixed · 2 ship / 2 skip", Split(ship=2, skip=2), 0),
        ("2 ship / 2 skip", Split(ship=2, skip=2), 0),
        ("Mixed", None, 0),
        ("—", None, 0),
        ("Two of four", None, 1),
    ],
)
def test_the_panel_verdict_as_the_table_prints_it(stated: str, split: Split | None, missing: int) -> None:
    """The split where it is told, and a sentence where the line makes no sense."""
    page = read(spaced(comparison()).replace("Mixed · 2 ship / 2 skip", stated))
    assert page.facts.tools[0].split == split
    assert len(page.missing) == missing


# The scorecard with reviewers


@pytest.mark.parametrize("reviewer", ["Architect", "The Night Watch", "Ship", "Nº 7", "أمين"])
def test_any_reviewer_may_sit_on_the_panel(reviewer: str) -> None:
    """The site speaks of more critics than anybody has seen."""
    takes = (OTTER.takes[0].model_copy(update={"reviewer": reviewer}), *OTTER.takes[1:])
    assert read(spaced(with_left(takes=takes))).facts.tools[0].takes[0].reviewer == reviewer


def test_a_tool_may_have_no_takes_at_all() -> None:
    """*No panel take*, all the way down."""
    page = with_left(takes=())
    assert read(spaced(page)) == pages.Page(page)


def test_a_remark_may_have_several_paragraphs() -> None:
    """They become one remark."""
    whole = OTTER.takes[0].remark or ""
    text = spaced(comparison()).replace(whole, whole.replace(", ", ",\n\n"))
    assert read(text) == pages.Page(comparison())


def test_quotation_marks_around_a_whole_remark_are_the_pages() -> None:
    """Those inside it are the reviewer's."""
    first, second = (take.remark or "" for take in OTTER.takes[:2])
    text = spaced(comparison()).replace(first, f"“{first}”").replace(second, "“Names” fail, and “so does the demo”")
    takes = read(text).facts.tools[0].takes
    assert takes[0].remark == first
    assert takes[1].remark == "“Names” fail, and “so does the demo”"


def test_a_take_without_a_remark_is_still_a_take() -> None:
    """Score and call."""
    text = spaced(comparison()).replace(f"{OTTER.takes[0].remark}\n\n", "")
    assert read(text).facts.tools[0].takes[0] == TakeFacts(reviewer="Builder", score=88, call="ship")


@pytest.mark.parametrize(
    ("line", "score", "call", "missing"),
    [
        ("88/100 · Ship", 88, "ship", 0),
        ("88 / 100 - skip", 88, "skip", 0),
        ("88.5/100 • ship", 88.5, "ship", 0),
        ("88/100", 88, None, 1),
        ("88/100 · abstain", 88, None, 1),
        ("188/100 · ship", None, "ship", 1),
    ],
)
def test_score_lines_as_pages_print_them(line: str, score: float | None, call: str | None, missing: int) -> None:
    """What a line does not say, or says impossibly, is unknown and told."""
    page = read(spaced(comparison()).replace("88/100 · ship", line))
    take = page.facts.tools[0].takes[0]
    assert (take.reviewer, take.score, take.call, take.remark) == ("Builder", score, call, OTTER.takes[0].remark)
    assert len(page.missing) == missing


def test_a_reviewer_with_one_take_only_is_not_given_to_either_tool() -> None:
    """The page must say *No panel take* for the other; where it does not, nobody knows which one it is."""
    text = spaced(comparison()).replace("No panel take\n", "", 1)
    page = read(text)
    assert "Founder" not in {take.reviewer for tool in page.facts.tools for take in tool.takes}
    assert {take.reviewer for take in page.facts.tools[1].takes} == {"Builder", "Skeptic", "Creator", "Futurist"}
    assert page.missing == ("The takes of Founder could not be told apart and were not kept.",)


def test_without_blank_lines_takes_are_told_apart_by_pairs() -> None:
    """As when a page was copied by somebody whose tools drop empty lines."""
    text = "\n".join(line for line in spaced(comparison()).split("\n") if line)
    assert read(text) == pages.Page(comparison())


def test_without_blank_lines_a_missing_take_stops_the_reading() -> None:
    """Rather than ending a remark with somebody's name."""
    lines = [line for line in spaced(comparison()).split("\n") if line]
    at = lines.index("70.5/100 · ship")
    page = read("\n".join(lines[:at] + lines[at + 2 :]))
    read_takes = [take for tool in page.facts.tools for take in tool.takes]
    assert {take.reviewer for take in read_takes} == {"Builder", "Skeptic"}
    assert all(take in (*OTTER.takes, *PELICAN.takes) for take in read_takes if take.remark)
    assert "The reviewer scorecard could not be read below Skeptic." in page.missing


def test_a_scorecard_of_another_kind_is_said_to_be_unreadable() -> None:
    """The rest of the page is kept."""
    text = compact(comparison())
    at = text.index("“")
    page = read(f"{text[:at]}Five stars\nFour stars\n{BOX[0]}\n")
    assert page.facts.tools[0].name == OTTER.name
    assert page.missing == ("The reviewer scorecard could not be read.",)


def test_an_endless_remark_is_not_kept() -> None:
    """Its score and call are."""
    page = with_left(takes=(OTTER.takes[0].model_copy(update={"remark": "So good. " * 3_000}),))
    found = read(spaced(page))
    assert found.facts.tools[0].takes == (TakeFacts(reviewer="Builder", score=88, call="ship"),)
    assert len(found.missing) == 1


def test_an_endless_tagline_is_not_kept() -> None:
    """The tool is."""
    found = read(spaced(with_left(tagline="word " * 100)))
    assert found.facts.tools[0].tagline is None
    assert found.facts.tools[0].name == OTTER.name
    assert found.missing == (f"The tagline of {OTTER.name} does not fit and was not kept.",)


# The scorecard without reviewers


@pytest.mark.parametrize("quotes", ["“”", '""'])
def test_unsigned_remarks_are_kept_in_page_order(quotes: str) -> None:
    """In curly quotation marks or straight ones."""
    assert read(compact(comparison(), quotes=quotes)) == pages.Page(as_compact_says(comparison()))


@pytest.mark.parametrize(
    ("printed", "remark"),
    [
        ("“First.\nSecond.”", "First. Second."),
        ("“He said “yes”\n“No” came later.”", "He said “yes” “No” came later."),
        ("“It ends with “this””", "It ends with “this”"),
        ("“““Deep”””", "““Deep””"),
        ("“A 14“ screen, they say.”", "A 14“ screen, they say."),
    ],
)
def test_quotation_marks_inside_an_unsigned_remark(printed: str, remark: str) -> None:
    """Paragraphs, quotations in a remark, a mark too many: the remarks around it stay whole."""
    first = as_compact_says(comparison()).loose_remarks[0]
    loose = read(compact(comparison()).replace(f"“{first}”", printed)).facts.loose_remarks
    assert loose == (remark, *as_compact_says(comparison()).loose_remarks[1:])


def test_a_line_between_unsigned_remarks_is_told() -> None:
    """It is no remark of anybody."""
    page = read(compact(comparison()).replace("Reviewer scorecard\n", "Reviewer scorecard\n“One.”\nSponsored\n"))
    assert page.facts.loose_remarks == ("One.", *as_compact_says(comparison()).loose_remarks)
    assert page.missing == ("A line of the reviewer scorecard could not be read: “Sponsored”.",)


# The end


@pytest.mark.parametrize("box", [BOX, BOX[:1], BOX[1:], ["Bookmarks", "Loading bookmarks...", "x"]])
def test_whatever_part_of_the_box_is_there_ends_the_page(box: list[str]) -> None:
    """The last remark is then whole."""
    assert read(spaced(comparison(), box=[*box, ""])) == pages.Page(comparison())


def test_a_page_without_its_end_is_taken_to_be_cut() -> None:
    """The last remark may go on; everything before it is kept."""
    page = read(spaced(comparison(), box=[""]))
    last = PELICAN.takes[3].model_copy(update={"remark": None})
    assert page.facts.tools == (OTTER, PELICAN.model_copy(update={"takes": (*PELICAN.takes[:3], last)}))
    assert page.missing == (
        "The page breaks off in the reviewer scorecard.",
        "The remark of Futurist on Pelican 3 is unfinished and was not kept.",
    )


def test_a_page_cut_in_its_table_keeps_the_rows_before() -> None:
    """And says where it breaks off."""
    text = spaced(comparison())
    page = read(text[: text.index("Teams that talk")])
    assert [tool.pricing for tool in page.facts.tools] == [OTTER.pricing, PELICAN.pricing]
    assert [tool.best_for for tool in page.facts.tools] == [None, None]
    assert [tool.description for tool in page.facts.tools] == [OTTER.description, PELICAN.description]
    assert page.missing == (
        "The page breaks off before the reviewer scorecard.",
        "The row “Best for” of the decision table could not be read.",
    )


def test_a_row_is_trusted_only_when_the_page_goes_on_below_it() -> None:
    """Three lines before the cut may be a row with a value missing, and the next row's label."""
    text = spaced(comparison()).replace("Pricing\nOpen Source\n", "Pricing\n")
    page = read(text[: text.index("People with a spare")])
    assert [tool.pricing for tool in page.facts.tools] == [None, None]


def test_a_page_cut_before_its_community_line_does_not_say_that_nobody_voted() -> None:
    """Unknown is not nothing."""
    text = spaced(comparison())
    second = text.index("75%")
    left, right = read(text[: text.index("Community", second)]).facts.tools
    assert left.community == Community(ship_percent=62)
    assert (right.community, right.entry, right.description) == (None, None, None)


def test_an_unsigned_remark_that_the_cut_leaves_open_is_not_kept() -> None:
    """Those before it are."""
    text = compact(comparison())
    loose = as_compact_says(comparison()).loose_remarks
    page = read(text[: text.index(loose[3]) + 9])
    assert page.facts.loose_remarks == loose[:3]
    assert "The page breaks off in the reviewer scorecard." in page.missing


def test_a_million_lines_are_refused_quickly() -> None:
    """Whatever they say."""
    for body in (b"75%\nPanel ship\n" * 200_000, b"75%\nPanel ship\n" * 5_000, b"\r\n" * 2_000_000 + b"x"):
        assert "lines, which no comparison page has" in pages.read(body).bad[0].why


def test_hostile_text_is_only_text() -> None:
    """Markup, templates and turned-around letters are values like any other, without what cannot be seen."""
    nasty = '<script>alert(1)</script> {{7*7}} "> javascript:x <mj-raw>'
    tool: ToolFacts = OTTER.model_copy(update={"name": nasty, "tagline": nasty, "description": nasty})
    assert read(spaced(comparison(tool))) == pages.Page(comparison(tool))
    turned = spaced(comparison()).replace(PELICAN.tagline or "", "abc\u202edef\x07")
    assert read(turned).facts.tools[1].tagline == "abc def"
