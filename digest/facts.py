"""What a comparison page says, as plain values: the machine shape of the interface.

Everything downstream (intake, selection, verdict summaries, rendering) is decided from these values and never
from the page itself. `None` means *the page does not say*; it never means zero and never overwrites a known value.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime
from fractions import Fraction
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

Verdict = Literal["ship", "mixed", "skip"]
Call = Literal["ship", "skip"]

LONGEST_NAME = 300
LONGEST_TEXT = 20_000
LONGEST_SLUG = 400
LONGEST_ADDRESS = 2_000
MOST_TAKES = 50
MOST_LOOSE_REMARKS = 100
FIRST_YEAR, LAST_YEAR = 1990, 2199

SLUG = r"^[A-Za-z0-9][A-Za-z0-9._~-]*$"
WEB_ADDRESS = r'^[Hh][Tt][Tt][Pp][Ss]?://[^\s/?#\\"<>][^\s\\"<>]*$'

# Controls, and the bidirectional overrides that can turn a sentence around in the reader's mail program.
# Joiners stay: emoji and Persian are spelled with them.
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]")
_BLANKS = re.compile(r"\s+")
_LONE_SURROGATES = re.compile(r"[\ud800-\udfff]")


def clean(text: str) -> str:
    """One line of visible text: NFC, no controls, no bidi overrides, runs of white space folded to one space."""
    text = _LONE_SURROGATES.sub("", text)
    return _BLANKS.sub(" ", _UNSEEN.sub(" ", unicodedata.normalize("NFC", text))).strip()


def _nothing_is_none(value: object) -> object:
    """An empty string says nothing, so it is unknown rather than known to be empty."""
    if isinstance(value, str):
        return clean(value) or None
    return value


def _web_address(value: str) -> str:
    if not is_web_address(value):
        raise ValueError("must be an http or https address")
    return value


def is_web_address(value: str) -> bool:
    """Whether this is an http or https address that can be taken apart and put into a mail."""
    try:
        return re.match(WEB_ADDRESS, value) is not None and bool(urlsplit(value).hostname)
    except ValueError:
        return False


def _within_reason(value: datetime) -> datetime:
    if not _is_within_reason(value):
        raise ValueError(f"must be a time between the years {FIRST_YEAR} and {LAST_YEAR}")
    return value


def _is_within_reason(value: datetime) -> bool:
    """A time near the ends of the calendar cannot be turned into another zone."""
    return FIRST_YEAR <= value.year <= LAST_YEAR


Line = Annotated[str, AfterValidator(clean), Field(min_length=1, max_length=LONGEST_NAME)]
Label = Annotated[Annotated[str, Field(max_length=LONGEST_NAME)] | None, BeforeValidator(_nothing_is_none)]
Prose = Annotated[Annotated[str, Field(max_length=LONGEST_TEXT)] | None, BeforeValidator(_nothing_is_none)]
Remark = Annotated[str, AfterValidator(clean), Field(min_length=1, max_length=LONGEST_TEXT)]
Slug = Annotated[Annotated[str, Field(max_length=LONGEST_SLUG, pattern=SLUG)] | None, BeforeValidator(_nothing_is_none)]
WebAddress = Annotated[
    Annotated[str, Field(max_length=LONGEST_ADDRESS), AfterValidator(_web_address)] | None,
    BeforeValidator(_nothing_is_none),
]
Instant = Annotated[AwareDatetime, AfterValidator(_within_reason)]
OutOfHundred = Annotated[int | float, Field(ge=0, le=100, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=1_000_000_000)]


class Facts(BaseModel):
    """Frozen; unknown fields of a newer site are ignored rather than refused."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Community(Facts):
    """The readers' vote. `ship_percent` None: nobody has voted yet. 0 is a real zero."""

    ship_percent: OutOfHundred | None = None
    votes: Count | None = None


class Split(Facts):
    """How many of the panel would ship and how many would skip."""

    ship: Count
    skip: Count


class TakeFacts(Facts):
    """One reviewer's score, call and remark on one tool. A compact page gives only the remark."""

    reviewer: Label = None
    score: OutOfHundred | None = None
    call: Call | None = None
    remark: Prose = None


class ToolFacts(Facts):
    """One tool as one page shows it. `verdict` is the badge where the page shows one."""

    slug: Slug = None
    name: Line
    tagline: Label = None
    category: Label = None
    description: Prose = None
    entry: Label = None
    pricing: Label = None
    best_for: Label = None
    panel_ship_percent: OutOfHundred | None = None
    verdict: Verdict | None = None
    split: Split | None = None
    community: Community | None = None
    takes: Annotated[tuple[TakeFacts, ...], Field(max_length=MOST_TAKES)] = ()

    @property
    def identity(self) -> str:
        """The slug; where only text without an address was at hand, name and tagline. Names repeat."""
        return self.slug or self.identity_in_words

    @property
    def identity_in_words(self) -> str:
        return f"{self.name}\n{self.tagline or ''}"


class ComparisonFacts(Facts):
    """One published page: two tools side by side, in the page's order.

    `loose_remarks` are remarks the page shows without saying whose they are (compact layout), in page order.
    """

    slug: Slug = None
    url: WebAddress = None
    title: Label = None
    published_at: Instant | None = None
    withdrawn: bool = False
    tools: tuple[ToolFacts, ToolFacts]
    loose_remarks: Annotated[tuple[Remark, ...], Field(max_length=MOST_LOOSE_REMARKS)] = ()

    @property
    def headline(self) -> str:
        return f"{self.tools[0].name} vs {self.tools[1].name}"


def verdict_of(tool: ToolFacts) -> Verdict | None:
    """The panel's verdict: the badge where shown, else by the percentage; None where the page gives neither."""
    if tool.verdict is not None:
        return tool.verdict
    return verdict_by_percent(tool.panel_ship_percent)


def verdict_by_percent(percent: float | None) -> Verdict | None:
    """At least 75 ship, at least 50 mixed, less skip: the site's own thresholds."""
    if percent is None:
        return None
    return "ship" if percent >= 75 else "mixed" if percent >= 50 else "skip"  # noqa: PLR2004 - the site's


def exact(number: float) -> Fraction:
    """The number as it was written: 71.25 is 285/4, and 0.1 is 1/10."""
    return Fraction(number) if isinstance(number, int) else Fraction(str(number))


def instant(text: str) -> datetime | None:
    """An ISO 8601 or RFC 3339 time with an offset, in a year that makes sense, else None."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return moment if moment.tzinfo and _is_within_reason(moment) else None
