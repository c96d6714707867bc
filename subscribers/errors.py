"""What the people's room can refuse to do. The docstring is the message, as everywhere; doors print it."""

from __future__ import annotations


class PeopleError(Exception):
    """Something about a subscriber could not be done."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").strip())
