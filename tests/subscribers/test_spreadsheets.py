"""CSV as people really have it."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from subscribers import spreadsheets
from subscribers.spreadsheets import BadLine, Row, UnreadableFile, guarded, read_list, unguarded, written_list


def read(text: str | bytes) -> list[Row | BadLine]:
    raw = text if isinstance(text, bytes) else text.encode()
    with spreadsheets.opened(io.BytesIO(raw), required=["email", "email address"]) as table:
        return list(table)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("start", ["", "\ufeff", "\n\n"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_common_dialects_are_read(delimiter: str, start: str, end: str) -> None:
    """Comma, semicolon or tab; with and without BOM; any line end; any case in the header."""
    lines = [delimiter.join(["First_Name", " E-mail ", "EMAIL"]), delimiter.join(["Ada", "x", "ada@example.com"]), ""]
    text = start + end.join(lines)

    with spreadsheets.opened(io.BytesIO(text.encode()), required=["email"]) as table:
        assert table.columns == ["first name", "e mail", "email"]
        assert [found.cells for found in table if isinstance(found, Row)] == [["Ada", "x", "ada@example.com"]]


def test_any_of_the_required_columns_will_do() -> None:
    """With whichever delimiter it appears; the first of them is the one that must not be there twice."""
    assert read("Name;Email Address\nAda;ada@example.com\n") == [Row(2, ["Ada", "ada@example.com"])]
    assert read("email,email_address,Email Address\nada@example.com,x,y\n") == [Row(2, ["ada@example.com", "x", "y"])]
    with pytest.raises(UnreadableFile, match="more than one column called email address"):
        read("email_address,Email Address\nx,y\n")


def test_a_quoted_cell_may_hold_anything() -> None:
    """Delimiters, doubled quotes and line breaks inside quotes belong to the cell, and lines are still counted."""
    found = read('email,name\nada@example.com,"Ada ""the"" Countess,\nLovelace"\nben@example.com,Ben\n')

    assert found == [
        Row(2, ["ada@example.com", 'Ada "the" Countess,\nLovelace']),
        Row(4, ["ben@example.com", "Ben"]),
    ]


def test_blank_lines_and_short_lines_are_no_mistakes() -> None:
    """Empty records are passed over; missing cells at the end are empty; empty extra cells are nothing."""
    assert read("email,name,topics\n\nada@example.com\n,,\nben@example.com,Ben,,,\n") == [
        Row(3, ["ada@example.com", "", ""]),
        Row(5, ["ben@example.com", "Ben", ""]),
    ]


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("email,name\nada@example.com,Lovelace, Ada\n", 2, "It has 3 cells where the header has 2."),
        (b"email,name\nada@example.com,Andr\xe9\n", 2, "It is not UTF-8 text; save the file as CSV UTF-8."),
        ('email,name\nada@example.com,"Ada"x\n', 2, "The quotation marks do not add up."),
        (
            'email,name\nada@example.com,"Ada\nben@example.com,Ben\n',
            2,
            "A quotation mark is opened and never closed; everything up to line 3 went unread.",
        ),
        (
            f'email,name\nada@example.com,"{"x" * 140_000}\n',
            2,
            "A cell is too long, or its quotation mark is never closed.",
        ),
    ],
)
def test_a_bad_line_is_named(text: str | bytes, line: int, reason: str) -> None:
    """What could not be read is reported by its first line, with a sentence."""
    assert read(text) == [BadLine(line, reason)]


def test_reading_goes_on_behind_a_bad_line() -> None:
    """One bad line costs only itself."""
    found = read(
        b'email,name\na@example.com,\xff\nb@example.com,"B"x\nc@example.com,C\nd@example.com,1,2\ne@example.com\n'
    )

    assert [type(one) for one in found] == [BadLine, BadLine, Row, BadLine, Row]
    assert [one.line for one in found] == [2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "The file is empty."),
        (b"\n \n", "The file is empty."),
        (b"name;address\nAda;x\n", "The file has no column called email; its first line is: name, address"),
        (
            b"Ada Quist,a1@example.com\n",
            "The file has no column called email; its first line holds an address, no names.",
        ),
        (b"ada@example.com\nben@example.com\n", "has no column called email"),
        (b"Email,EMAIL\n", "more than one column called email"),
        ("email\nada@example.com\n".encode("utf-16"), "UTF-16"),
        (b"\x00" * 100, "has no column called email"),
        (b"x" * 3_000_000, "longer than 1,000,000 characters"),
        (b"email\n" + b"x" * 3_000_000, "Line 2 is longer than 1,000,000 characters"),
        (b'"email', "has no column called email"),
    ],
)
def test_a_file_that_is_no_list_is_refused_in_one_sentence(text: bytes, reason: str) -> None:
    """Nothing is read from it, however large or strange it is."""
    with pytest.raises(UnreadableFile) as refused:
        read(text)
    assert reason in str(refused.value)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 400


@given(st.binary(max_size=300))
@example(b"email\n" + b"\x00\xff\r\r\n\"\r'")
@example(b'email\r"\r\n"')
def test_no_bytes_break_the_reader(raw: bytes) -> None:
    """Any bytes are rows, bad lines, or a file refused; line numbers only ever rise."""
    for start in (b"", b"email\n", b"name,email\n"):
        try:
            found = read(start + raw)
        except UnreadableFile:
            continue
        numbers = [one.line for one in found]
        assert numbers == sorted(set(numbers))
        assert not numbers or numbers[0] > 1 or not start


@given(st.text(max_size=40) | st.from_regex(r"'*[=+\-@\t\r\n＝＋－＠].*"))
def test_a_guarded_cell_is_no_formula_and_comes_back_as_it_was(cell: str) -> None:
    """Nothing that starts a formula starts the cell, and reading undoes exactly what writing did."""
    assert not guarded(cell).startswith(tuple("=+-@\t\r\n＝＋－＠"))
    assert unguarded(guarded(cell)) == cell


def test_an_ordinary_cell_is_written_as_it_is() -> None:
    """The apostrophe is only for cells that need it."""
    assert [guarded(cell) for cell in ("Ada", "", "O'Brien", "'quoted'", "a=b")] == [
        "Ada",
        "",
        "O'Brien",
        "'quoted'",
        "a=b",
    ]
    assert guarded("=cmd|' /C calc'!A0") == "'=cmd|' /C calc'!A0"


@given(st.lists(st.text("abc, &\u00e9", min_size=1).map(str.strip).filter(bool), max_size=4))
def test_a_list_of_parts_fits_one_cell(parts: list[str]) -> None:
    """What is written as one cell is read back as the same parts, commas inside them included."""
    assert read_list(written_list(parts)) == tuple(parts)


def test_parts_may_stand_between_commas_semicolons_or_lines() -> None:
    """As other programs export them."""
    assert read_list("Code, Design") == ("Code", "Design")
    assert read_list("Code; Sales, Marketing;") == ("Code", "Sales, Marketing")
    assert read_list("Code\r\nDesign\n") == ("Code", "Design")
    assert read_list(" , ,") == read_list(";\n") == ()


@given(
    st.lists(
        st.tuples(st.text("abc,;\"'\n\t =é", max_size=8), st.text("xyz", min_size=1, max_size=5)),
        min_size=1,
        max_size=5,
    )
)
def test_what_the_library_writes_is_read_back(rows: list[tuple[str, str]]) -> None:
    """Any cells written as CSV, with each delimiter, come back cell by cell, with the line they began on."""
    for delimiter in spreadsheets.DELIMITERS:
        out = io.StringIO()
        writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
        writer.writerow(["name", "email"])
        writer.writerows([(guarded(name), email) for name, email in rows])

        found = read(out.getvalue())

        cells = [one.cells for one in found if isinstance(one, Row)]
        assert [(unguarded(name), email) for name, email in cells] == rows
        starts = [2 + sum(1 + name.count("\n") for name, _ in rows[:number]) for number in range(len(rows))]
        assert [one.line for one in found] == starts
