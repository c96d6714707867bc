"""Which entries a variant shows in full, and where a tool is told."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from digest.variants import EntryCopy, arrange, in_topics, variant_key, variant_of
from tests import make_mail as make

A, B, C = make.side("Andiron"), make.side("Brackish"), make.side("Corbelkit")
TOPICS = ("Developer Tools", "Gaming", "Health")


def three() -> tuple[EntryCopy, ...]:
    return (
        make.entry(1, make.summary(A, B), categories=("Developer Tools",)),
        make.entry(2, make.summary(B, C), categories=("Gaming", "Health")),
        make.entry(3, make.summary(A, C), categories=()),
    )


def test_wishes_that_show_the_same_entries_share_a_variant() -> None:
    """The key names what is shown, not what was wished for."""
    entries = three()

    gaming = variant_key(entries, frozenset({"Gaming"}))

    assert (
        gaming == variant_key(entries, frozenset({"Health"})) == variant_key(entries, frozenset({"Gaming", "Health"}))
    )
    assert gaming != variant_key(entries, frozenset({"Developer Tools"}))
    assert gaming.startswith("t-")
    assert len("t-") + 8 == len(gaming)


def test_a_wish_that_shows_everything_is_the_variant_of_everybody() -> None:
    """Nobody is frozen a copy of their own of what all get."""
    entries = three()

    assert variant_key(entries, None) == "all"
    assert variant_key(entries, frozenset({"Gaming", "Developer Tools"})) == "all"
    assert variant_of(entries, {"Gaming", "Developer Tools"}).topics is None
    assert variant_key(entries, None, text_only=True) == "all-text"
    assert variant_key(entries, frozenset({"Gaming"}), text_only=True).endswith("-text")


def test_an_entry_without_a_category_is_in_every_topic() -> None:
    """Nobody could have asked to be spared it."""
    assert in_topics(three()[2], frozenset({"Gaming"}))
    assert in_topics(three()[2], frozenset())


@given(
    st.lists(st.sets(st.sampled_from(TOPICS)), min_size=1, max_size=8),
    st.none() | st.frozensets(st.sampled_from(TOPICS)),
)
def test_every_entry_stands_in_full_or_in_a_line(categories: list[set[str]], topics: frozenset[str] | None) -> None:
    """Whatever is wished for, no entry is lost and none comes twice, and the order stays."""
    entries = [make.entry(n, categories=sorted(names)) for n, names in enumerate(categories, 1)]

    shown = arrange(entries, topics)

    in_full = [item.entry.position for item in shown.in_full]
    in_a_line = [entry.position for entry in shown.in_a_line]
    assert sorted(in_full + in_a_line) == list(range(1, len(entries) + 1))
    assert in_full == sorted(in_full)
    assert in_a_line == sorted(in_a_line)


def test_a_tool_is_told_once_and_referred_to_afterwards() -> None:
    """The second entry of a tool names the first."""
    shown = arrange(three(), None).in_full

    assert [(item.left.at, item.right.at) for item in shown] == [(None, None), (1, None), (1, 2)]


def test_a_tool_is_told_where_the_variant_first_shows_it() -> None:
    """An entry that is only a line tells nothing, so the next one must."""
    shown = arrange(three(), frozenset({"Health"})).in_full

    assert [(item.entry.position, item.left.at, item.right.at) for item in shown] == [(2, None, None), (3, None, 2)]


def test_critics_are_only_those_with_something_new() -> None:
    """A reviewer without a take on the new tool has had their say at the other one's entry."""
    rows = make.critics(("80", None, "70"), ("60", "61", None))
    first, second = make.entry(1, make.summary(A, B, rows=rows)), make.entry(2, make.summary(A, C, rows=rows))

    shown = arrange([first, second], None).in_full

    assert [row.reviewer for row in shown[0].critics] == ["Builder", "Skeptic", "Futurist"]
    assert [row.reviewer for row in shown[1].critics] == ["Builder", "Skeptic"]


def test_a_tool_without_takes_needs_no_column_among_the_critics() -> None:
    """Four times "no take" says less than nothing."""
    rows = make.critics(("80", "75"), (None, None))

    shown = arrange([make.entry(1, make.summary(A, B, rows=rows))], None).in_full[0]

    assert shown.left.among_critics
    assert not shown.right.among_critics


def test_a_remark_is_printed_once() -> None:
    """The same words of the same critic do not come twice in one mail, but stay where the first is not shown."""
    said = make.quotation("Brackish")
    entries = (
        make.entry(1, make.summary(A, B, said=said), categories=("Gaming",)),
        make.entry(2, make.summary(B, C, said=said), categories=("Health",)),
    )

    assert [item.quotation for item in arrange(entries, None).in_full] == [said, None]
    assert [item.quotation for item in arrange(entries, frozenset({"Health"})).in_full] == [said]
