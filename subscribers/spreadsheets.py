"""CSV as people really have it: read line by line from any program, written so that no spreadsheet runs a cell.

Reading takes UTF-8 with or without BOM, comma, semicolon or tab, quoted line breaks, and names the line of everything
it cannot use. RFC 4180 says how quotes work; a quote that is never closed must not swallow people in silence.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from subscribers.errors import PeopleError
from subscribers.texts import shortened

DELIMITERS = (",", ";", "\t")
LONGEST_LINE = 1_000_000
"""Characters. A file without line breaks is refused before it fills the memory."""

_UTF16 = ("\udcff\udcfe", "\udcfe\udcff")  # its byte order marks, which are no UTF-8

# A spreadsheet takes a cell for a formula when it starts like this: some skip a tab or a line break, and some read the
# wide forms of East Asian keyboards as the plain ones.
_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")

_BETWEEN_WORDS = re.compile(r"[\s_-]+")


class UnreadableFile(PeopleError):
    """The file is not CSV in UTF-8."""


class Row(NamedTuple):
    """One record: the number of its first line, and a cell for each column, as it stands there (see `unguarded`)."""

    line: int
    cells: list[str]


@dataclass(frozen=True, slots=True)
class BadLine:
    """A record that could not be used, and why, as a sentence."""

    line: int
    reason: str


@contextmanager
def opened(stream: BinaryIO, *, required: Sequence[str]) -> Iterator[Table]:
    """A CSV file with a header, read as it streams by; the stream stays the caller's to close.

    `required`: names that `plain_name` leaves as they are. Raises UnreadableFile when there is no header, or none with
    one of these columns.
    """
    # Bytes that are no UTF-8 become lone surrogates, so that their line can be named instead of the whole file refused.
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
    try:
        yield Table(text, required=required)
    finally:
        text.detach()


class Table:
    """The records of a CSV file: a Row or a BadLine for each; blank lines are passed over.

    `columns` are the plain names of the cells of each Row.
    """

    def __init__(self, text: io.TextIOBase, *, required: Sequence[str]) -> None:
        lines = _lines(text)
        before, header = next(((before, line) for before, line in enumerate(lines) if line.strip()), (0, None))
        if header is None:
            raise UnreadableFile("The file is empty.")
        if header.startswith(_UTF16):
            raise UnreadableFile("The file is UTF-16; save it as CSV UTF-8.")
        delimiter, self.columns = _header(header, required)
        self._first = before + 2
        self._reader = csv.reader(lines, delimiter=delimiter, strict=True)

    def __iter__(self) -> Iterator[Row | BadLine]:
        reader, first, width = self._reader, self._first, len(self.columns)
        while True:
            start = first + reader.line_num
            try:
                for cells in reader:
                    text = "".join(cells)
                    if len(cells) == width and text.isascii() and not text.isspace() and text:
                        yield Row(start, cells)  # as nearly all are
                    elif text.strip():
                        yield self._row(start, cells)
                    start = first + reader.line_num
            except csv.Error as why:
                yield BadLine(start, _in_words(why, start, first + reader.line_num - 1))
            else:
                return

    def _row(self, line: int, cells: list[str]) -> Row | BadLine:
        missing = len(self.columns) - len(cells)
        if missing < 0:
            if any(cell.strip() for cell in cells[missing:]):
                return BadLine(line, f"It has {len(cells)} cells where the header has {len(self.columns)}.")
            del cells[missing:]
        elif missing:
            cells += [""] * missing
        if _is_not_utf8("".join(cells)):
            return BadLine(line, "It is not UTF-8 text; save the file as CSV UTF-8.")
        return Row(line, cells)


def plain_name(column: str) -> str:
    """The name of a column as we know it: `Email_Address` and `E-mail  address` are both two plain words."""
    return _BETWEEN_WORDS.sub(" ", column).strip().lower()


def guarded(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def unguarded(cell: str) -> str:
    """What was there before `guarded`: an exported address is imported as itself."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def read_list(cell: str) -> tuple[str, ...]:
    """The parts of a cell: between semicolons or line breaks where it has any, else between commas."""
    separators = r"[;\r\n]" if re.search(r"[;\r\n]", cell) else ","
    return tuple(part.strip() for part in re.split(separators, cell) if part.strip())


def written_list(parts: Sequence[str]) -> str:
    """A cell that `read_list` reads back. A comma inside a part needs a semicolon somewhere behind it."""
    cell = "; ".join(parts)
    return f"{cell};" if "," in cell and ";" not in cell else cell


def _lines(text: io.TextIOBase) -> Iterator[str]:
    """Physical lines, none longer than fits."""
    number = 0
    while line := text.readline(LONGEST_LINE):
        number += 1
        if len(line) == LONGEST_LINE and not line.endswith("\n"):
            raise UnreadableFile(f"Line {number} is longer than {LONGEST_LINE:,} characters; this is not CSV.")
        yield line


def _header(line: str, required: Sequence[str]) -> tuple[str, list[str]]:
    """The delimiter and the column names: with whichever delimiter a required column appears."""
    readings = {delimiter: _split(line, delimiter) for delimiter in DELIMITERS}
    for delimiter, cells in readings.items():
        columns = [plain_name(cell) for cell in cells]
        found = next((name for name in required if name in columns), None)
        if found is not None and columns.count(found) > 1:
            raise UnreadableFile(f"The file has more than one column called {found}.")
        if found is not None:
            return delimiter, columns
    if "@" in line:
        raise UnreadableFile(f"The file has no column called {required[0]}; its first line holds an address, no names.")
    columns = max(readings.values(), key=len)
    named = shortened(", ".join(columns), 200)
    raise UnreadableFile(f"The file has no column called {required[0]}; its first line is: {named}")


def _split(line: str, delimiter: str) -> list[str]:
    try:
        cells = next(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error:
        return []
    return [cell.strip() for cell in cells]


def _is_not_utf8(text: str) -> bool:
    return not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text)


def _in_words(problem: csv.Error, start: int, end: int) -> str:
    rest = f"; everything up to line {end:,} went unread" if end > start else ""
    if "unexpected end of data" in str(problem):
        return f"A quotation mark is opened and never closed{rest}."
    if "field larger" in str(problem):
        return f"A cell is too long, or its quotation mark is never closed{rest}."
    return f"The quotation marks do not add up{rest}."
