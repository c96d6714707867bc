"""What inboxes show of a mail before it is opened, and where its links lead."""

from __future__ import annotations

from digest.rendering import render
from digest.rendering.glance import INBOXES, Cut, Link, cut, links, opening, rows
from tests import make_mail as make


def test_a_cut_loses_nothing_but_the_sight_of_it() -> None:
    assert cut("Corbelkit sweeps the panel", 12) == Cut("Corbelkit s…", "weeps the panel")
    assert cut("Corbelkit", 9) == Cut("Corbelkit", "")


def test_every_inbox_cuts_where_it_says() -> None:
    for row in rows(sender="s" * 200, subject="t" * 200, html=None, text="u" * 400):
        shown = [len(each.shown) for each in (row.sender, row.subject, row.preheader)]
        assert shown == [row.inbox.sender, row.inbox.subject, row.inbox.preheader]


def test_the_opening_is_what_the_mail_begins_with() -> None:
    """In HTML the edition in one breath: no title, no style; in plain text the same words."""
    copy = make.edition()
    rendering = render(copy, make.IMPRINT, make.ALL)

    assert opening(rendering.html, rendering.text).startswith(copy.breath)
    assert opening(None, rendering.text).startswith(copy.breath)
    assert max(inbox.preheader for inbox in INBOXES) < 200


def test_links_are_listed_once_each_in_their_order() -> None:
    html = '<a href="https://a.example/">One</a> <a href="https://b.example/"><b>Two</b> words</a>' * 2

    assert links(html, "") == [Link("One", "https://a.example/"), Link("Two words", "https://b.example/")]
    assert links(None, "Read\nhttps://a.example/1\n") == [Link("https://a.example/1", "https://a.example/1")]
