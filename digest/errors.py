"""Everything the program can refuse to do. The docstring is the message; doors print it and choose the exit code."""

from __future__ import annotations


class DigestError(Exception):
    """Something could not be done."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").strip())
