"""How tests read and fill in our forms."""

from __future__ import annotations

import re

_TOKEN = re.compile(r'(?<=name="token" value=")[0-9a-f]+')


def token_in(page: str) -> str:
    """The form token on a page."""
    found = _TOKEN.search(page)
    assert found, "this page has no form with a token"
    return found[0]


def without_token(page: str) -> str:
    """The page but for what says when its form was shown."""
    return _TOKEN.sub("", page)
