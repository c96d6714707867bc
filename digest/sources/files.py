"""Pages stored as files: which files of a folder are pages, and their bytes without surprises."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from digest.errors import DigestError
from digest.sources.wire import too_large

MEDIA_TYPES: Final = {
    ".txt": "text/plain",
    ".html": "text/html",
    ".htm": "text/html",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".ndjson": "application/jsonl",
}
"""By suffix: what a folder is searched for. A file named by itself may have any other suffix, or none."""


class FileUnreadable(DigestError):
    """A file or folder cannot be read. `why` is the reason as a clause."""

    def __init__(self, path: Path, why: str) -> None:
        self.path = path
        self.why = why
        super().__init__(f"{shown(path)} was not read: {why}")


def shown(path: Path) -> str:
    """The path as it may be printed: names that are not UTF-8 get a replacement sign."""
    return os.fsencode(path).decode("utf-8", "replace")


def media_type(path: Path) -> str | None:
    return MEDIA_TYPES.get(path.suffix.lower())


def is_folder(path: Path) -> bool:
    """Raises FileUnreadable where there is nothing, or nothing we may see."""
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except (OSError, ValueError) as why:
        raise FileUnreadable(path, _reason(why)) from why


def pages_under(folder: Path) -> Iterator[Path | FileUnreadable]:
    """Every page file below a folder, in the order of names, and every folder that could not be searched.

    Hidden files and folders are left alone. Linked files are read; linked folders are not entered, so no circle of
    links can catch us.
    """
    closed: list[OSError] = []
    for where, folders, names in os.walk(folder, onerror=closed.append):
        yield from _problems(closed)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        pages = (Path(where, name) for name in sorted(names) if not name.startswith("."))
        yield from (page for page in pages if media_type(page))
    yield from _problems(closed)


def read(path: Path, limit: int) -> bytes:
    """The bytes of a regular file of at most `limit` bytes. Raises FileUnreadable; a larger file is not read at all."""
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise FileUnreadable(path, "it is not a regular file")
            if status.st_size > limit:
                raise FileUnreadable(path, too_large(status.st_size, limit))
            body = file.read(limit + 1)
    except (OSError, ValueError) as why:
        raise FileUnreadable(path, _reason(why)) from why
    if len(body) > limit:
        raise FileUnreadable(path, too_large(None, limit))
    return body


def _without_waiting(path: str, flags: int) -> int:
    """Opening a named pipe otherwise waits for a writer that may never come."""
    return os.open(path, flags | os.O_NONBLOCK)


def _problems(closed: list[OSError]) -> Iterator[FileUnreadable]:
    while closed:
        why = closed.pop(0)
        yield FileUnreadable(Path(why.filename), _reason(why))


def _reason(why: OSError | ValueError) -> str:
    """In words. A ValueError is a name no file can have."""
    number = why.errno if isinstance(why, OSError) else None
    if number in (errno.ENOENT, errno.ENOTDIR) or isinstance(why, ValueError):
        return "there is no such file or folder (a web address starts with https://)"
    if number in (errno.EACCES, errno.EPERM):
        return "this account has no permission to read it"
    if number == errno.ELOOP:
        return "it is a link that leads back to itself"
    return f"the system says: {os.strerror(number) if number else why}"
