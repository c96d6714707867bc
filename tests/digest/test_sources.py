"""Where pages come from: files, folders, addresses, lists of addresses, standard input."""

from __future__ import annotations

import errno
import io
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digest.sources import Document, Found, Gone, Unchanged, Unreadable, Validators, read_source
from digest.sources.fetching import Fetcher
from digest.sources.wire import Patience
from tests.digest.small_web import Web, serving

PAGE = "Loom vs Spindle\n"
MACHINE = '{"tools": [{"name": "Loom"}, {"name": "Spindle"}]}'


@pytest.fixture
def web() -> Iterator[Web]:
    with serving() as web:
        yield web


@pytest.fixture
def fetcher(web: Web) -> Iterator[Fetcher]:
    with Fetcher(frozenset({web.place}), patience=Patience(connect=2, read=2, total=5)) as fetcher:
        yield fetcher


@pytest.fixture
def offline() -> Iterator[Fetcher]:
    """A fetcher that knows no names."""

    def nobody(_host: str, _port: int) -> list[str]:
        raise OSError

    with Fetcher(resolve=nobody) as fetcher:
        yield fetcher


def one(found: Iterator[Found]) -> Found:
    """The only thing found."""
    (only,) = found
    return only


def why(found: Iterator[Found]) -> str:
    """The reason of the only thing found."""
    only = one(found)
    assert isinstance(only, Unreadable)
    return only.why


def names(found: Iterator[Found]) -> list[str]:
    return [each.name for each in found]


# — files —


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("a.txt", "text/plain"),
        ("a.HTML", "text/html"),
        ("a.htm", "text/html"),
        ("a.json", "application/json"),
        ("a.jsonl", "application/jsonl"),
        ("a.ndjson", "application/jsonl"),
        ("a.page", None),
        (".a", None),
        ("-", None),
    ],
)
def test_a_file_named_by_itself_is_read_whatever_its_suffix(
    tmp_path: Path, offline: Fetcher, name: str, media_type: str | None
) -> None:
    """The suffix tells the media type where it is a known one."""
    path = tmp_path / name
    path.write_text(PAGE)

    assert one(read_source(str(path), fetcher=offline)) == Document(str(path), PAGE.encode(), media_type=media_type)


@pytest.mark.parametrize(
    "named", ["nothing-here.txt", "nothing/here", "www.example.com/compare/a-vs-b", "a\0b", "x" * 5_000]
)
def test_a_missing_file_is_one_sentence_with_a_hint(
    tmp_path: Path, offline: Fetcher, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    """Whoever forgot the scheme of an address learns it here."""
    monkeypatch.chdir(tmp_path)
    found = one(read_source(named, fetcher=offline))

    assert isinstance(found, Unreadable)
    if len(named) < 5_000:
        assert str(found) == (
            f"{named} was not read: there is no such file or folder (a web address starts with https://)"
        )


@pytest.mark.parametrize(
    ("suffix", "size", "sentence"),
    [
        (".txt", 50_000_000, "it is 50 MB; at most 5 MB are read"),
        (".html", 5_000_001, "it is 5.1 MB; at most 5 MB are read"),
        (".page", 5_000_001, "it is 5.1 MB; at most 5 MB are read"),
        (".jsonl", 50_000_000, "it is 50 MB; at most 20 MB are read"),
        (".json", 2_000_000_000_000, "it is 2,000,000 MB; at most 20 MB are read"),
    ],
)
def test_a_file_too_large_is_not_read(tmp_path: Path, offline: Fetcher, suffix: str, size: int, sentence: str) -> None:
    """Told from its size alone: the last of these would not fit into any memory."""
    path = tmp_path / f"large{suffix}"
    with path.open("wb") as file:
        file.truncate(size)

    assert why(read_source(str(path), fetcher=offline)) == sentence


def test_many_comparisons_in_one_file_are_one_document(tmp_path: Path, offline: Fetcher) -> None:
    """JSON Lines may be as large as 20 MB; a text that only calls itself JSON may not."""
    many, text = tmp_path / "many.jsonl", tmp_path / "text.json"
    many.write_text(f"{MACHINE}\n" * 200_000)
    text.write_text("Loom vs Spindle " * 400_000)
    found = one(read_source(str(many), fetcher=offline))

    assert isinstance(found, Document)
    assert len(found.body) > 10_000_000
    assert why(read_source(str(text), fetcher=offline)) == "it is 6.4 MB; at most 5 MB are read"


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path, offline: Fetcher) -> None:
    """A named pipe without a writer, a socket, a device without end."""
    pipe, door = tmp_path / "pipe.txt", tmp_path / "door.txt"
    os.mkfifo(pipe)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(door))
        reasons = [why(read_source(str(path), fetcher=offline)) for path in (pipe, door, "/dev/zero")]

    assert reasons == [
        "it is not a regular file",
        f"the system says: {os.strerror(errno.ENXIO)}",
        "it is not a regular file",
    ]


def test_a_file_that_may_not_be_read_is_one_sentence(
    tmp_path: Path, offline: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system's refusal in words, for a file and for a folder."""
    path = tmp_path / "secret.txt"
    path.write_text(PAGE)
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "page.txt").write_text(PAGE)
    if os.geteuid() == 0:  # permissions do not hold for root, so the system's answer is given for it
        _forbid(monkeypatch, {str(path), str(inner)})
    else:
        path.chmod(0)
        inner.chmod(0)
    try:
        found = list(read_source(str(tmp_path), fetcher=offline))
    finally:
        path.chmod(0o600)
        inner.chmod(0o700)

    assert found == [
        Unreadable(str(path), "this account has no permission to read it"),
        Unreadable(str(inner), "this account has no permission to read it"),
    ]


def _forbid(monkeypatch: pytest.MonkeyPatch, paths: set[str]) -> None:
    really_open, really_scan = os.open, os.scandir

    def opening(path: str, flags: int, *rest: int) -> int:
        if str(path) in paths:
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return really_open(path, flags, *rest)

    def scanning(path: str) -> object:
        if str(path) in paths:
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return really_scan(path)

    monkeypatch.setattr("os.open", opening)
    monkeypatch.setattr("os.scandir", scanning)


@pytest.mark.parametrize("body", [b"", b" \n\t\n"])
def test_an_empty_file_says_so(tmp_path: Path, offline: Fetcher, body: bytes) -> None:
    """Nothing, or nothing but blanks."""
    path = tmp_path / "empty.txt"
    path.write_bytes(body)

    assert why(read_source(str(path), fetcher=offline)) == "it is empty"


def test_a_name_that_is_not_utf_8_can_be_shown(tmp_path: Path, offline: Fetcher) -> None:
    """It is read by its bytes and printed with a replacement sign."""
    path = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt")
    Path(path).write_text(PAGE)

    assert names(read_source(path, fetcher=offline)) == [f"{tmp_path}/caf\ufffd.txt"]


# — folders —


def test_a_folder_is_searched_to_the_bottom_in_order(tmp_path: Path, offline: Fetcher) -> None:
    """Pages by name, then folders by name; what is hidden or no page is left alone."""
    for name in ["b.txt", "a.html", "z/c.json", "m/n/d.jsonl", "m/a.htm", "README.md", "x.png", ".h.txt", ".git/e.txt"]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(PAGE)
    (tmp_path / "empty").mkdir()

    found = names(read_source(str(tmp_path), fetcher=offline))

    assert found == [f"{tmp_path}/{name}" for name in ["a.html", "b.txt", "m/a.htm", "m/n/d.jsonl", "z/c.json"]]


def test_circles_of_links_catch_nobody(tmp_path: Path, offline: Fetcher) -> None:
    """Linked folders are not entered, linked files are read, a link to itself is a sentence."""
    (tmp_path / "a.txt").write_text(PAGE)
    (tmp_path / "again").symlink_to(tmp_path)
    (tmp_path / "b.txt").symlink_to(tmp_path / "a.txt")
    (tmp_path / "c.txt").symlink_to(tmp_path / "c.txt")
    (tmp_path / "d.txt").symlink_to(tmp_path / "nowhere")

    *documents, circle, dangling = read_source(str(tmp_path), fetcher=offline)

    assert names(iter(documents)) == [f"{tmp_path}/a.txt", f"{tmp_path}/b.txt"]
    assert isinstance(circle, Unreadable)
    assert circle.why == "it is a link that leads back to itself"
    assert isinstance(dangling, Unreadable)
    assert dangling.why.startswith("there is no such file")


def test_one_bad_file_costs_only_itself(tmp_path: Path, offline: Fetcher) -> None:
    """The good ones around it are kept."""
    (tmp_path / "a.txt").write_text(PAGE)
    (tmp_path / "b.txt").write_bytes(bytes(5_000_001))
    os.mkfifo(tmp_path / "c.txt")
    (tmp_path / "d.txt").write_text(PAGE)

    kinds = [type(found) for found in read_source(str(tmp_path), fetcher=offline)]

    assert kinds == [Document, Unreadable, Unreadable, Document]


def test_a_folder_without_pages_is_one_sentence(tmp_path: Path, offline: Fetcher) -> None:
    """It says what it was searched for."""
    (tmp_path / "notes.md").write_text(PAGE)

    assert why(read_source(str(tmp_path), fetcher=offline)) == (
        "it holds no pages (.txt, .html, .htm, .json, .jsonl, .ndjson)"
    )


# — standard input —


def test_standard_input_is_one_document(offline: Fetcher) -> None:
    """`-` is read to its end."""
    found = read_source("-", fetcher=offline, stdin=io.BytesIO(PAGE.encode()))

    assert one(found) == Document("-", PAGE.encode())


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (None, "there is no standard input here"),
        (b"", "it is empty"),
        (b"x" * 5_000_001, "it is 5.1 MB; at most 5 MB are read"),
        (b"[" + b" " * 20_000_000, "it is larger than 20 MB, the most that is read"),
    ],
)
def test_standard_input_that_cannot_be_taken_is_one_sentence(
    offline: Fetcher, given: bytes | None, sentence: str
) -> None:
    """None at all (a job has none), nothing in it, or too much."""
    stdin = None if given is None else io.BytesIO(given)

    assert why(read_source("-", fetcher=offline, stdin=stdin)) == sentence


def test_standard_input_without_end_is_not_read_to_its_end(offline: Fetcher) -> None:
    """It is asked for as much as could be taken and one byte."""

    class Endless(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            assert size is not None
            assert 0 < size <= 20_000_001
            return b"x" * size

    assert "larger than 5 MB" in why(read_source("-", fetcher=offline, stdin=Endless()))


def test_a_broken_pipe_is_one_sentence(offline: Fetcher) -> None:
    """What the system says of it."""

    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:  # noqa: ARG002 - the shape of every reader
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    assert why(read_source("-", fetcher=offline, stdin=Broken())) == "the system says: Input/output error"


# — addresses —


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (
            "file:///srv/pages",
            "only files, folders, http and https addresses and - are read; give the path alone",
        ),
        ("ftp://example.com/a.txt", "only files, folders, http and https addresses and - are read"),
        ("s3://bucket/pages", "only files, folders, http and https addresses and - are read"),
    ],
)
def test_another_scheme_is_one_sentence(offline: Fetcher, source: str, sentence: str) -> None:
    """What is read is said; a file address gets the mend."""
    assert why(read_source(source, fetcher=offline)) == sentence


def test_a_password_in_a_source_is_not_repeated(offline: Fetcher) -> None:
    """Neither as a name nor in a reason."""
    for source in ["https://ann:secret@example.com/", "ftp://ann:secret@example.com/"]:
        assert "secret" not in repr(one(read_source(source, fetcher=offline)))


def test_a_page_by_address_knows_its_address(web: Web, fetcher: Fetcher) -> None:
    """With media type, charset and the validators to keep under its name."""
    url = web.page("/compare/loom-vs-spindle", PAGE, media_type="text/html; charset=utf-8", ETag='"v1"')

    assert one(read_source(url, fetcher=fetcher)) == Document(
        name=url,
        body=PAGE.encode(),
        url=url,
        media_type="text/html",
        charset="utf-8",
        validators=Validators(etag='"v1"'),
    )


def test_known_validators_save_a_page_from_travelling(web: Web, fetcher: Fetcher) -> None:
    """What the server gave last time is sent back, and nothing changed is a finding of its own."""
    url = web.conditional("/compare/loom-vs-spindle", PAGE, etag='"v1"')
    store = {url: Validators(etag='"v1"')}

    assert one(read_source(url, fetcher=fetcher, known=store.get)) == Unchanged(url)


@pytest.mark.parametrize("status", [404, 410])
def test_a_page_that_is_gone_is_gone(web: Web, fetcher: Fetcher, status: int) -> None:
    """The site withdrew it: not an error."""
    url = web.page("/compare/loom-vs-spindle", status=status)

    assert one(read_source(url, fetcher=fetcher)) == Gone(url, url)


def test_only_a_comparison_page_can_be_gone(web: Web, fetcher: Fetcher) -> None:
    """A mistyped feed address is a mistake to mend, not a withdrawal."""
    url = web.url("/feeed.xml")

    assert why(read_source(url, fetcher=fetcher)) == f"{url} answered 404: there is no such page"


def test_a_page_is_not_gone_because_another_host_says_so(web: Web, fetcher: Fetcher) -> None:
    """A sign-in page of somebody else that answers 404 must not withdraw a comparison."""
    with serving() as elsewhere, Fetcher(frozenset({web.place, f"localhost:{elsewhere.port}"})) as wider:
        url = web.redirect("/compare/loom-vs-spindle", f"http://localhost:{elsewhere.port}/sign-in")

        assert "there is no such page" in why(read_source(url, fetcher=wider))


def test_a_redirect_on_the_same_host_is_the_new_address(web: Web, fetcher: Fetcher) -> None:
    """A renamed page has its new address, as long as that is a comparison's; another host's is not believed."""
    web.page("/compare/new-vs-name", PAGE)
    web.page("/welcome", PAGE)
    renamed = web.redirect("/compare/old-vs-name", "/compare/new-vs-name")
    dropped = web.redirect("/compare/dropped", "/welcome")
    moved = web.redirect("/compare/moved", f"http://localhost:{web.port}/compare/new-vs-name")
    with Fetcher(frozenset({web.place, f"localhost:{web.port}"})) as wider:
        found = [one(read_source(url, fetcher=wider)) for url in (renamed, dropped, moved)]

    assert [(each.name, each.url) for each in found if isinstance(each, Document)] == [
        (renamed, web.url("/compare/new-vs-name")),
        (dropped, dropped),
        (moved, moved),
    ]


@pytest.mark.parametrize("media_type", ["image/png", "application/pdf", "video/mp4", "font/woff2", "application/zip"])
def test_what_cannot_be_a_page_is_not_taken_for_one(web: Web, fetcher: Fetcher, media_type: str) -> None:
    """Images, films, archives."""
    url = web.page("/compare/a-vs-b", b"\x89PNG", media_type=media_type)

    assert why(read_source(url, fetcher=fetcher)) == f"it is {media_type}, not a page"


@pytest.mark.parametrize("media_type", ["text/plain", "application/octet-stream", "application/json", "x"])
def test_an_odd_media_type_does_not_stop_a_page(web: Web, fetcher: Fetcher, media_type: str) -> None:
    """Servers mislabel; the reader looks for itself."""
    assert isinstance(one(read_source(web.page("/a", PAGE, media_type=media_type), fetcher=fetcher)), Document)


def test_an_empty_answer_is_not_a_page(web: Web, fetcher: Fetcher) -> None:
    """200 and nothing in it."""
    assert why(read_source(web.page("/compare/a-vs-b", " \n"), fetcher=fetcher)) == "it is empty"


def test_a_page_may_have_5_mb_and_comparisons_in_json_20(web: Web, fetcher: Fetcher) -> None:
    """The same limits as for files."""
    page = web.page("/compare/a-vs-b", b"x" * 5_000_001)
    machine = web.page("/all.json", MACHINE.encode() + b" " * 10_000_000, media_type="application/json")
    larger = web.page("/more.json", MACHINE.encode() + b" " * 20_000_000, media_type="application/json")

    assert why(read_source(page, fetcher=fetcher)) == "it is 5.1 MB; at most 5 MB are read"
    assert isinstance(one(read_source(machine, fetcher=fetcher)), Document)
    assert why(read_source(larger, fetcher=fetcher)) == "it is 20.1 MB; at most 20 MB are read"


def test_a_refused_address_is_one_sentence_with_the_mend(offline: Fetcher) -> None:
    """The sentence of the fetcher, without the address twice."""
    assert why(read_source("http://10.0.0.1/", fetcher=offline)) == (
        "10.0.0.1 is not a public address; add 10.0.0.1:80 to DIGEST_FETCH_ALLOW if you trust it"
    )


# — all of it —


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=40).map(lambda text: text.replace("/", "|")) | st.text(max_size=40).map("http://{}".format))
def test_any_source_is_found_or_unreadable(
    offline: Fetcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    """No text given as a source raises anything."""
    here = tmp_path / "nothing" / "here"
    here.mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(here)

    assert {type(found) for found in read_source(source, fetcher=offline)} == {Unreadable}
