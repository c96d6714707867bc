"""Everything that is checked, by name: an editor sees what “nothing found” means. Pure.

A check is final where no reason of an editor's may stand against it: what it finds would break a promise to readers
or the law. All else that blocks can be overridden by somebody who gives a reason and their name. That goes for size,
too: a mail that Gmail clips is whole behind “View entire message”, and its one-click unsubscribe is a header.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that is looked at, under the code of what it finds."""

    code: str
    name: str
    final: bool = False


def _final(code: str, name: str) -> Check:
    return Check(code, name, final=True)


CATALOGUE: dict[str, tuple[Check, ...]] = {
    "What was chosen": (
        _final("no-entries", "there is an entry"),
        _final("withdrawn", "no comparison in it was withdrawn"),
        _final("elsewhere", "no comparison in it stands in another edition"),
        Check("page-changed", "each page still says what it said when the entry was made"),
        Check("printed-twice", "no two tools are compared twice"),
        Check("namesakes", "no two tools of one name can be mistaken for each other"),
        Check("label-against-price", "the entry label of a tool agrees with its pricing text"),
        Check("question", "no page contradicts itself"),
        Check("verdict-changed", "no tool has another verdict than readers were told before"),
        Check("shown-before", "tools of earlier editions, with the verdict they had there"),
        Check("no-panel", "each tool has a panel verdict"),
    ),
    "Words": (
        Check("no-words", "each entry has a headline and a verdict sentence"),
        Check("subject-length", "the subject arrives whole"),
        Check("subject-tone", "the subject promises no more than a page can say"),
        Check("subject-figures", "every number of the subject stands in the mail"),
        Check("subject-superlative", "every superlative of the subject stands in the mail"),
        Check("breath-length", "the opening is there, and one breath long"),
        Check("placeholder", "no placeholder was left in what editors wrote"),
        Check("own-quotation", "whatever editors quote stands on a page of the edition"),
        Check("own-figure", "every number that editors wrote stands on a page of the edition"),
        Check("foreign-merge-tag", "no field of another mailer is in what editors wrote"),
        Check("same-words", "no two entries say the same in the same words"),
        _final("quotation-not-theirs", "each quoted reviewer has said something on that page"),
        _final("quotation-not-verbatim", "every quotation stands on its page, word for word"),
        Check("quotation-cut", "quotations are whole sentences"),
        _final("quotation-score", "each quotation stands with its reviewer’s score and call"),
    ),
    "Links": (
        Check("no-link", "each comparison has an address"),
        _final("unsafe-link", "every link leads to a web address"),
        _final("own-page", "no address leads to a page of our site that is not for everybody"),
        Check("link-credentials", "no address has a name or a password in it"),
        Check("link-missing", "every page is linked"),
        Check("link-dead", "every page that is linked answers"),
        Check("links-unchecked", "every link was asked within a day"),
        Check("link-words", "every link says where it leads"),
        Check("link-underline", "every link is underlined"),
    ),
    "The mail is whole": (
        _final("text-missing", "there is a text part"),
        Check("words-missing", "everything written is in HTML and text"),
        Check("entry-order", "entries stand in their order"),
        _final("personal-field-missing", "unsubscribe and preference links are there, and why the reader gets it"),
        _final("foreign-tag", "no tag is left that readers would see"),
        Check("template-syntax", "no template syntax is left"),
        Check("mjml-left", "every MJML element was understood"),
        Check("no-value", "nothing says None, null or undefined"),
        Check("escaped-twice", "no text was escaped twice"),
        Check("html-size", "Gmail does not clip it, personal fields at their longest"),
        Check("not-ascii", "the HTML is pure ASCII"),
        Check("long-line", "no line is longer than mail servers take"),
        _final("request", "opening it asks no server for anything"),
    ),
    "Everybody can read it": (
        Check("no-lang", "it says its language"),
        Check("no-title", "it has a title"),
        Check("no-alt", "every image has a text"),
        Check("main-heading", "it has one main heading"),
        Check("heading-order", "headings leave out no level"),
        Check("empty-heading", "every heading has words"),
        Check("layout-table", "tables for layout say that they are"),
        Check("contrast", "text stands out from its background, in light"),
        Check("contrast-dark", "text stands out from its background, in dark"),
        Check("colour-unknown", "every colour can be judged"),
        Check("small-text", "no text is smaller than 14 px"),
    ),
    "Mail clients": (
        Check("outlook", "no style that Outlook drops"),
        Check("gmail-style", "no style sheet that Gmail drops whole"),
        Check("gmail-rule", "no rule or attribute that Gmail drops"),
        Check("style-size", "style sheets are small enough for Gmail"),
    ),
    "Who sends it, and to whom": (
        _final("no-postal-address", "there is a postal address"),
        _final("address-not-shown", "the postal address stands in every part"),
        Check("from-address", "the sender’s address is one that can be proved"),
        Check("from-name", "the sender’s name is a name"),
        Check("reply-to", "replies go where they are read"),
        _final("site-address", "the links of the mail lead to a public https address"),
        Check("list-id", "the List-ID is a name of ours"),
        Check("unsubscribe-mailbox", "the mailbox for unsubscribing is read"),
        Check("way-out", "the provider takes our mail: key, scopes, sender’s domain"),
        Check("way-out-unknown", "key, scopes and sender’s domain were looked at within a day"),
        Check("nobody", "somebody gets it"),
    ),
}

CHECKS: dict[str, Check] = {check.code: check for checks in CATALOGUE.values() for check in checks}


def named() -> Iterator[tuple[str, tuple[Check, ...]]]:
    """Every group with its checks, as they are read."""
    yield from CATALOGUE.items()
