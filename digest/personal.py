"""The declared personal fields of an edition: the only bytes in which two copies of one variant differ. Pure.

The provider splices values in raw, so a value has one tag for each place it can stand in (HTML, plain text, URL),
and no value can contain a tag. Tags are derived from the week: the same draft renders to the same bytes.
"""

from __future__ import annotations

import html
import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from digest.errors import DigestError
from digest.facts import clean
from digest.text_layout import isolate, reads_right_to_left

LONGEST_NAME = 60
LONGEST_WHY = 200
LONGEST_LINK = 300

#: The sentence is "{greeting} get this because {why}." so that it reads well with and without a name.
GREETING_WITH_NAME = "Hello {name}, you"
GREETING = "You"

_BEFORE_NAME, _, _AFTER_NAME = GREETING_WITH_NAME.partition("{name}")
_SCHEMES = ("https://", "http://")
_LINK_CHARACTERS = (string.ascii_letters + string.digits + ":/.[]_~=%-").encode()
_ANY_TAG = re.compile(r"-vd[0-9]{4}w[0-9]{2}[a-z]+-")


class NotALink(DigestError):
    """A personal link may hold only characters that mean the same in HTML, in plain text and in an address."""


class LeftOverTag(DigestError):
    """A personal field was left unfilled."""


class TagInCopy(DigestError):
    """The edition's own text contains what looks like a personal field; reword it."""


@dataclass(frozen=True, slots=True)
class Person:
    """What an edition says about the one who gets it. `why` completes "You get this because …", without a full stop."""

    name: str | None
    why: str
    unsubscribe_url: str
    preferences_url: str


@dataclass(frozen=True, slots=True)
class Tags:
    """The tag of each personal field, as it stands in a rendering before it is filled."""

    greeting_html: str
    greeting_text: str
    why_html: str
    why_text: str
    unsubscribe_url: str
    preferences_url: str


@lru_cache(maxsize=64)
def tags(week: str) -> Tags:
    """Letters and digits between hyphens, such as `-vd2026w47whytext-`: no tag is part of another."""
    prefix = "vd" + re.sub(r"[^0-9a-z]", "", week.lower())
    names = (name.replace("_", "") for name in Tags.__slots__)
    return Tags(*(f"-{prefix}{name}-" for name in names))


def substitutions(week: str, person: Person) -> dict[str, str]:
    """Each tag with its value for one person. Raises NotALink."""
    (found,) = substitutions_of(week, [person.name], [person.why], [person.unsubscribe_url], [person.preferences_url])
    return found


def substitutions_of(
    week: str,
    names: Sequence[str | None],
    whys: Sequence[str],
    unsubscribe_urls: Sequence[str],
    preferences_urls: Sequence[str],
) -> list[dict[str, str]]:
    """The same for many people at once, in their order: a million of them should take seconds."""
    tag = tags(week)
    in_html, in_text, why_html, why_text = tag.greeting_html, tag.greeting_text, tag.why_html, tag.why_text
    unsubscribe, preferences = tag.unsubscribe_url, tag.preferences_url
    _check_links(unsubscribe_urls)
    _check_links(preferences_urls)
    return [
        {
            in_html: greeting[0],
            in_text: greeting[1],
            why_html: why[0],
            why_text: why[1],
            unsubscribe: leave,
            preferences: change,
        }
        for greeting, why, leave, change in zip(
            map(_greeting, names), map(_why, whys), unsubscribe_urls, preferences_urls, strict=True
        )
    ]


def fill(text: str, fields: Mapping[str, str]) -> str:
    """The rendering as this person gets it: what the outbox and the preview do, and the provider does for us."""
    for tag, value in fields.items():
        text = text.replace(tag, value)
    left_over = _ANY_TAG.search(text)
    if left_over:
        raise LeftOverTag(f"The personal field {left_over[0]} was left unfilled.")
    return text


def refuse_tags(words: str) -> None:
    """Raises TagInCopy: text of ours that looks like a tag would be filled in with somebody's data."""
    found = _ANY_TAG.search(words)
    if found:
        raise TagInCopy(f"The edition's own text contains “{found[0]}”, which looks like a personal field; reword it.")


def wording() -> str:
    """What an approval vouches for besides the rendered bytes: the sentences personal fields are made of."""
    return f"{GREETING_WITH_NAME}|{GREETING}|{LONGEST_NAME}|{LONGEST_WHY}"


def longest(week: str) -> dict[str, str]:
    """Every field at its greatest length in octets, for the size check. A character is at most `&#1114109;`."""
    tag = tags(week)
    name = "&#1114109;" * LONGEST_NAME
    why = "&#1114109;" * LONGEST_WHY
    link = "https://example.com/".ljust(LONGEST_LINK, "x")
    return {
        tag.greeting_html: GREETING_WITH_NAME.format(name=f"<bdi>{name}</bdi>"),
        tag.greeting_text: GREETING_WITH_NAME.format(name="x" * LONGEST_NAME),
        tag.why_html: why,
        tag.why_text: "x" * LONGEST_WHY,
        tag.unsubscribe_url: link,
        tag.preferences_url: link,
    }


def _greeting(name: str | None) -> tuple[str, str]:
    """HTML and plain text."""
    # Most names have nothing in them that would have to be cleaned, escaped or cut.
    if name and name.isascii() and name.replace(" ", "").isalnum() and len(name) <= LONGEST_NAME and _is_spaced(name):
        greeting = _BEFORE_NAME + name + _AFTER_NAME
        return greeting, greeting
    return _greeting_with_care(name)


def _is_spaced(name: str) -> bool:
    return "  " not in name and name[0] != " " != name[-1]


# People share names, and whole days of people share a reason, so the escapes below are remembered.
@lru_cache(maxsize=8192)
def _greeting_with_care(name: str | None) -> tuple[str, str]:
    """A name that cannot be shown in one line is cut, never left out."""
    name = _spoken(name or "", LONGEST_NAME)
    if not name:
        return GREETING, GREETING
    marked = _ascii(name)
    if reads_right_to_left(name):
        marked = f"<bdi>{marked}</bdi>"
    return GREETING_WITH_NAME.format(name=marked), GREETING_WITH_NAME.format(name=isolate(name))


@lru_cache(maxsize=8192)
def _why(why: str) -> tuple[str, str]:
    why = _spoken(why, LONGEST_WHY)
    return _ascii(why), isolate(why)


def _check_links(urls: Sequence[str]) -> None:
    """Raises NotALink. All together: a look at each would cost as much as making it."""
    characters = "".join(urls).encode("utf-8", "replace")
    if (
        characters.translate(None, _LINK_CHARACTERS)
        or not all(url.startswith(_SCHEMES) for url in urls)
        or max(map(len, urls), default=0) > LONGEST_LINK
    ):
        raise NotALink


def _spoken(text: str, longest: int) -> str:
    """One clean line in which no tag can hide."""
    text = clean(text).replace("-vd", "- vd")
    return text if len(text) <= longest else f"{text[: longest - 1].rstrip()}…"


def _ascii(text: str) -> str:
    return html.escape(text).encode("ascii", "xmlcharrefreplace").decode("ascii")
