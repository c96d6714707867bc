"""Editions for tests, made by hand: keyword functions with sensible defaults."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from digest.facts import Call, Verdict
from digest.personal import Person
from digest.rendering import AlsoCompared, EditionCopy, EntryCopy, Imprint, Mail, Variant, render_mail
from digest.verdicts import CriticsRow, Quotation, Score, Side, Summary

ALL = Variant("all")
TEXT_ONLY = Variant("all-text", text_only=True)

IMPRINT = Imprint(
    newsletter_name="Weekly AI Tool Verdicts",
    site_url="https://verdicts.example.com",
    postal_address="Verdict House, 1 Sample Street\n10115 Berlin, Germany",
)

ADA = Person(
    name="Ada",
    why="you confirmed your address on 3 March 2026",
    unsubscribe_url="https://verdicts.example.com/unsubscribe/k1.c2FtcGxlLXRva2VuLW9mLWFkYQ",
    preferences_url="https://verdicts.example.com/preferences/k1.c2FtcGxlLXRva2VuLW9mLWFkYQ",
)
NOBODY = Person(name=None, why=ADA.why, unsubscribe_url=ADA.unsubscribe_url, preferences_url=ADA.preferences_url)

PANEL = ("Builder", "Skeptic", "Futurist", "Creator")
REMARK = (
    "The demo is quick and the second hour is not: every change past a dozen files has to be explained twice, "
    "and the third time it quietly undoes the first."
)


def side(
    name: str = "Brackish 3.0",
    *,
    identity: str | None = None,
    short_name: str | None = None,
    category: str | None = "Developer Tools",
    verdict: Verdict | None = "ship",
    percent: str | None = "75\u00a0%",
    split: str | None = "3 ship · 1 skip",
    average: str | None = "71.3",
    price: str | None = "Open Source",
    best_for: str | None = "a coding agent that stays on its own branch",
    community: str = "no community votes yet",
) -> Side:
    return Side(
        identity=identity or name.casefold().replace(" ", "-"),
        name=name,
        short_name=short_name or name,
        category=category,
        verdict=verdict,
        percent=percent,
        split=split,
        average=average,
        price=price,
        best_for=best_for,
        community=community,
        price_brief=price and price[:40],
    )


def score(out_of_100: str | None = "80", call: Call | None = "ship") -> Score:
    return Score(out_of_100=out_of_100, call=call)


def critics(left: Sequence[str | None], right: Sequence[str | None]) -> tuple[CriticsRow, ...]:
    """Rows of the panel from scores in its order; 60 and more ships, None is no take."""

    def given(value: str | None) -> Score | None:
        return None if value is None else score(value, "ship" if float(value) >= 60 else "skip")

    return tuple(
        CriticsRow(reviewer=reviewer, left=given(a), right=given(b))
        for reviewer, a, b in zip((*PANEL, "Founder", "Operator", "Teacher"), left, right, strict=False)
    )


def quotation(
    tool: str = "Brackish 3.0", reviewer: str = "Creator", score: str | None = "45", words: str = REMARK
) -> Quotation:
    return Quotation(kind="dissent", tool=tool, reviewer=reviewer, score=score, call="skip", words=words)


def summary(
    left: Side | None = None,
    right: Side | None = None,
    *,
    headline: str | None = None,
    sentence: str | None = None,
    rows: tuple[CriticsRow, ...] | None = None,
    said: Quotation | None = None,
) -> Summary:
    left = left or side()
    right = right or side(
        "Corbelkit 1.2", percent="100\u00a0%", split="4 ship · 0 skip", average="81.8", price="Free / pay per token"
    )
    return Summary(
        headline=headline or f"{left.name} vs {right.name}",
        sentence=sentence or f"{right.name} takes it with a clean sweep, 4–0; {left.name} ships 3–1.",
        left=left,
        right=right,
        critics=critics(("80", "80", "80", "45"), ("88", "82", "85", None)) if rows is None else rows,
        quotation=said or quotation(left.name),
    )


def entry(
    position: int = 1, of: Summary | None = None, *, categories: Sequence[str] = ("Developer Tools",)
) -> EntryCopy:
    of = of or summary()
    url = f"https://compare.example.com/compare/{of.left.identity}-vs-{of.right.identity}".replace("\n", "-")
    return EntryCopy(position=position, url=url, summary=of, categories=tuple(categories))


def edition(
    *entries: EntryCopy,
    subject: str = "Corbelkit sweeps the panel 4–0; Brackish splits it",
    breath: str = "Corbelkit 1.2 sweeps the panel 4–0 while Brackish 3.0 ships 3–1 over the Creator’s objection.",
    introduction: str | None = None,
    also_compared: Sequence[AlsoCompared] = (),
    corrections: Sequence[str] = (),
) -> EditionCopy:
    return EditionCopy(
        week="2026-W47",
        dated=date(2026, 11, 20),
        subject=subject,
        breath=breath,
        introduction=introduction,
        entries=entries or (entry(),),
        also_compared=tuple(also_compared),
        corrections=tuple(corrections),
    )


def week() -> EditionCopy:
    """An ordinary week: a sweep, a split panel, tools in two entries, one without a verdict, lines, a correction."""
    corbelkit = side("Corbelkit 1.2", percent="100\u00a0%", split="4 ship · 0 skip", average="81.8", price="Free")
    brackish = side(community="62\u00a0% of 210 community votes would ship")
    tessaline = side(
        "Tessaline 4",
        category="Image Generation",
        verdict="mixed",
        percent="50\u00a0%",
        split="2 ship · 2 skip",
        average="61.5",
        price="$30 per month for 1,500 images",
        best_for="catalogues, packaging and anything with a template",
    )
    orlop = side(
        "Orlop Draw Plus with Layers",
        verdict="skip",
        percent="25\u00a0%",
        split="1 ship · 3 skip",
        average="44.0",
        price="$29 a month, free for students",
        best_for="generated drawings you can take apart",
        community="0\u00a0% of 3 community votes would ship",
    )
    unknown = side("Lychgate 2.1", verdict=None, percent=None, split=None, average=None, price=None, best_for=None)
    layers = quotation(orlop.name, "Skeptic", "22", "Layers named “Layer 14 copy” are not layers; they are evidence.")
    grid = Quotation(
        kind="telling",
        tool=tessaline.name,
        reviewer="Skeptic",
        score="38",
        call="skip",
        words="It keeps to the grid because it has seen nothing else.",
    )
    return edition(
        entry(
            1,
            summary(brackish, corbelkit, rows=critics(("80", "80", "80", "45", None), ("88", "82", "85", None, "72"))),
        ),
        entry(
            2,
            summary(
                tessaline,
                orlop,
                sentence="Tessaline 4 divides the panel 2–2; only the Builder would ship Orlop Draw Plus with Layers.",
                rows=critics(("72", "38", "81", "55"), ("61", "22", "48", "45")),
                said=grid,
            ),
            categories=("Image Generation", "Design & Creative"),
        ),
        entry(
            3,
            summary(
                brackish,
                orlop,
                sentence="Brackish 3.0 makes the cut, 3–1; Orlop Draw Plus with Layers is a skip at 1–3.",
                rows=critics(("80", "80", "80", "45"), ("61", "22", "48", "45")),
                said=layers,
            ),
        ),
        entry(
            4,
            summary(
                tessaline,
                unknown,
                sentence="Tessaline 4 is mixed, 2–2; the page gives no panel verdict on Lychgate 2.1.",
                rows=critics(("72", "38", "81", "55"), (None, None, None, None)),
                said=grid,
            ),
            categories=(),
        ),
        introduction="Two of these tools say “open” and mean different things by it.\n\nThe price lines say which.",
        also_compared=[
            AlsoCompared(
                title="Fetlock vs Umber Clip", url="https://compare.example.com/compare/fetlock-vs-umber-clip"
            ),
            AlsoCompared(title="Sedge 7B Coder vs Dunnock.js 0.9", url=None),
        ],
        corrections=["Week 46 said that Turnspit 5 costs $9 a month. It costs $9 a week."],
    )


def far_edition() -> EditionCopy:
    """Names that read from right to left, wide ones, marks and joined emoji: all whole, none disturbing the others."""
    arabic = side("مساعد البرمجة ٢", price="مجاني", best_for="فرق صغيرة")
    hebrew = side("עוזר 3", short_name="עוזר", price="₪30 לחודש", best_for="צוותים קטנים")
    wide = side("墨流し 2", price="¥1,800 per month", best_for="people who miss endpapers 📚")
    marks = side("नमस्ते 👩\u200d💻 Größe", price="€5", best_for="e\u0301crire ❤\ufe0f")
    said = quotation(arabic.name, "Skeptic", "45", "هذه أداة جيدة. لكنها بطيئة.")
    return edition(
        entry(1, summary(arabic, hebrew, sentence=f"{hebrew.name} takes it with a clean sweep, 4–0.", said=said)),
        entry(
            2, summary(wide, marks, sentence=f"{wide.name} sweeps; {marks.name} ships 3–1.", said=quotation(wide.name))
        ),
        breath=f"{arabic.name} and {hebrew.name} tie; {wide.name} leads, 4–0.",
    )


def rich_edition(entries: int = 8, *, panel: int = 5) -> EditionCopy:
    """As much as a week can bring: every entry with two new tools, a panel of `panel`, long slugs, long words."""
    names = (
        "Andiron Mini",
        "Dunnock JS 0.9",
        "Tessaline 4",
        "Orlop Draw Plus",
        "Lychgate 2.1",
        "Turnspit 5",
        "Sedge 7B",
    )
    made = []
    for number in range(1, entries + 1):
        left = side(
            f"{names[number % 7]} Professional {number}",
            identity=f"some-maker-of-things-releases-a-tool-with-a-long-headline-about-it-{number}-2026",
            price="Free (Apache 2.0 open weights) / self-hosted or by API (pay per token)",
            best_for="teams who keep their own notes and would like them read back in order",
            community="64\u00a0% of 1,204 community votes would ship",
        )
        right = side(
            f"{names[(number + 3) % 7]} for Teams {number}",
            identity=f"yet-another-maker-answers-with-a-tool-of-its-own-for-the-same-work-{number}-2026",
            verdict="mixed",
            percent="57\u00a0%",
            split="4 ship · 3 skip",
            price="$20 a month; a free plan of 50 requests a day",
            best_for="people who answer the same question in three channels",
            community="41\u00a0% of 87 community votes would ship",
        )
        rows = critics(
            ("80", "75.5", "92", "45", "88", "61", "70")[:panel], ("55", "82", "85", "38", None, "64", "40")[:panel]
        )
        said = quotation(left.name, words=f"{REMARK} {REMARK}")
        made.append(entry(number, summary(left, right, rows=rows, said=said)))
    near = [
        AlsoCompared(title=f"Fetlock {n} vs Umber Clip {n}", url=f"https://compare.example.com/{n}") for n in range(6)
    ]
    return edition(*made, introduction="A long week.\n\nRead the second one first.", also_compared=near)


_SITE = "https://verdicts.example.com"
_LEAVE = {"unsubscribe_url": f"{_SITE}/unsubscribe/k1.abc", "preferences_url": f"{_SITE}/preferences/k1.abc"}

LETTERS: dict[str, dict[str, str]] = {
    "confirm": {"confirm_url": f"{_SITE}/confirm/k1.abc"},
    "confirm-again": {"confirm_url": f"{_SITE}/confirm/k1.abc"},
    "welcome": _LEAVE,
    "links": _LEAVE,
    "my-data": {"my_data_url": f"{_SITE}/my-data/k1.abc"},
    "change-address": {"change_address_url": f"{_SITE}/change-address/k1.abc"},
    "address-changed": {},
    "sign-in": {"sign_in_url": f"{_SITE}/sign-in/k1.abc"},
}
"""Every kind of letter, with the links it carries."""


def letter(kind: str) -> Mail:
    """One letter, asked for on the sign-up page."""
    asked = {"asked_at": "2026-11-20T09:14:00+00:00", "asked_through": "sign-up page"}
    return render_mail(kind, IMPRINT, asked | LETTERS[kind])
