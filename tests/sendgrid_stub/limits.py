"""The documented limits of Mail Send, as numbers and patterns."""

from __future__ import annotations

import re

LARGEST_BODY = 30_000_000
MOST_RECIPIENTS = 1_000
MOST_TAGS = 150
LARGEST_VALUES = 10_000
"""Bytes of all substitutions, or all custom arguments, of one recipient."""
MOST_CATEGORIES = 10
LONGEST_CATEGORY = 255
FURTHEST_SEND_AT = 72 * 3600
MOST_CANCELLED = 100
"""Batch ids that may be cancelled or paused at one time."""

RESERVED_HEADERS = frozenset(
    {"x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type", "content-transfer-encoding"}
    | {"to", "from", "subject", "reply-to", "cc", "bcc"}
)
ADDRESS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
