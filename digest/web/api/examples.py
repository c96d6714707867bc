"""Samples of what goes over the wire, shown in the description."""

from __future__ import annotations

from typing import Any

_PLAIN_TOOL = {"slug": "birch", "name": "Birch", "category": "Developer Tools", "panel_ship_percent": 50}

COMPARISON: dict[str, Any] = {
    "slug": "alder-vs-birch",
    "url": "https://site.example.com/compare/alder-vs-birch",
    "title": "Alder vs Birch",
    "published_at": "2026-11-18T09:00:00Z",
    "tools": [
        {
            "slug": "alder",
            "name": "Alder",
            "tagline": "Finds the test that a change breaks",
            "category": "Developer Tools",
            "pricing": "$12 a month",
            "best_for": "teams with slow test runs",
            "panel_ship_percent": 75,
            "verdict": "ship",
            "community": {"ship_percent": 80, "votes": 15},
            "takes": [{"reviewer": "Builder", "score": 80, "call": "ship", "remark": "It found two at once."}],
        },
        {**_PLAIN_TOOL, "verdict": "mixed"},
    ],
}

WITHDRAWN = [
    {
        "slug": "alder-vs-birch",
        "withdrawn": True,
        "tools": [{"slug": "alder", "name": "Alder"}, {"slug": "birch", "name": "Birch"}],
    }
]

JSON_LINES = '{"tools": [{"name": "Alder"}, {"name": "Birch"}]}\n{"tools": [{"name": "Cedar"}, {"name": "Dogwood"}]}\n'

TAKEN_IN = {
    "new": 1,
    "changed": 0,
    "unchanged": 0,
    "withdrawn": 0,
    "bad": 1,
    "found": [
        {"where": "item 1", "name": "alder-vs-birch", "news": "new", "why": ""},
        {"where": "item 2", "name": None, "news": "bad", "why": "tools.1.name is missing."},
    ],
}

ASKED = {"status": "asked", "detail": "If this address can be subscribed, a letter asks its owner to confirm."}

_TIMES = {
    "window_start": "2026-11-12T18:00:00Z",
    "window_end": "2026-11-19T18:00:00Z",
    "created": "2026-11-19T18:00:01Z",
    "send": "2026-11-20T09:00:00Z",
    "approved": "2026-11-19T19:12:40Z",
    "prepared": "2026-11-20T09:00:02Z",
    "begun": "2026-11-20T09:00:03Z",
    "finished": "2026-11-20T09:00:09Z",
}

EDITIONS = {
    "editions": [
        {
            "week": "2026-W47",
            "state": "sent",
            "subject": "Alder ships, Birch is mixed",
            "times": _TIMES,
            "entries": 1,
            "address": "/api/v1/editions/2026-W47",
            "archive": "https://digest.example.com/archive/2026-W47",
        }
    ],
    "next": "/api/v1/editions?limit=1&before=2026-W47",
}


def _side(name: str, verdict: str, percent: str) -> dict[str, Any]:
    return {
        "identity": name.lower(),
        "name": name,
        "short_name": name,
        "category": "Developer Tools",
        "verdict": verdict,
        "percent": percent,
        "split": None,
        "average": None,
        "price": None,
        "best_for": None,
        "community": "no community votes yet",
        "price_brief": None,
    }


EDITION = {
    "week": "2026-W47",
    "state": "sent",
    "subject": "Alder ships, Birch is mixed",
    "breath": "Alder: the panel would ship it; Birch: it is divided.",
    "introduction": None,
    "times": _TIMES,
    "entries": [
        {
            "position": 1,
            "facts": COMPARISON,
            "summary": {
                "headline": "Alder vs Birch",
                "sentence": "The panel would ship Alder, and is divided on Birch.",
                "left": _side("Alder", "ship", "75"),
                "right": _side("Birch", "mixed", "50"),
                "critics": [{"reviewer": "Builder", "left": {"out_of_100": "80", "call": "ship"}, "right": None}],
                "quotation": None,
                "questions": [],
            },
        }
    ],
    "also_compared": [],
    "corrections": [
        {
            "at": "2026-11-24T10:12:00Z",
            "words": "We gave the price of Alder as $9 a month. It is $9 a week.",
            "printed_in": "2026-W48",
        }
    ],
    "archive": "https://digest.example.com/archive/2026-W47",
    "numbers": {
        "week": "2026-W47",
        "state": "sent",
        "candidates": 1_000,
        "left_out": 20,
        "left_out_by": {"paused": 20},
        "deliveries": 980,
        "waiting": 0,
        "in_flight": 0,
        "accepted": 978,
        "withheld": 2,
        "withheld_by": {"unsubscribed": 2},
        "refused": 0,
        "uncertain": 0,
        "dropped": 0,
        "bounced": 3,
        "hard_bounced": 2,
        "delivered": 970,
        "unreported": 5,
        "complained": 0,
        "unsubscribed": 4,
        "unexpected": 0,
        "batches": {"accepted": 2},
        "adds_up": True,
    },
}

ANSWERS: dict[str, dict[str, Any]] = {
    "takeInComparisons": {"200": TAKEN_IN},
    "startOptIn": {"202": ASKED},
    "listEditions": {"200": EDITIONS},
    "readEdition": {"200": EDITION},
}
"""What is answered when it is done, by operation and status."""
