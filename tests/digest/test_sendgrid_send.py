"""Handing batches to a SendGrid that behaves and misbehaves, over real connections."""

from __future__ import annotations

import contextlib
import datetime as dt
import http.client
import ipaddress
import logging
import socket
import ssl
import struct
import threading
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from digest import sendgrid_line
from digest.sendgrid_send import SendGrid, accepted
from digest.transport import (
    Accepted,
    Misconfigured,
    Outgoing,
    Refused,
    Transport,
    TransportError,
    Unavailable,
    Uncertain,
)
from tests.make_outgoing import outgoing, paper
from tests.sendgrid_stub import KEY, Stub, running_stub

LARGE = 20_000_000
"""More bytes than two kernels will hold for a reader that does not read."""


@contextlib.contextmanager
def sendgrid_at(url: str, *, read: float = 5.0, send: float = 5.0, connect: float = 2.0) -> Iterator[SendGrid]:
    transport = SendGrid(KEY, host=url, connect=connect, send=send, read=read, connections=8)
    try:
        yield transport
    finally:
        transport.close()


@pytest.fixture
def sendgrid(stub: Stub) -> Iterator[SendGrid]:
    with sendgrid_at(stub.url) as transport:
        yield transport


def post(transport: Transport, batch: Outgoing | None = None) -> Accepted:
    return transport.post(transport.build(batch or outgoing()))


def failure(transport: Transport, batch: Outgoing | None = None) -> TransportError:
    with pytest.raises(TransportError) as caught:
        post(transport, batch)
    return caught.value


def large() -> Outgoing:
    return outgoing(of=paper(html="x" * LARGE))


# A yes


def test_a_batch_that_is_taken_has_a_message_id(stub: Stub, sendgrid: SendGrid) -> None:
    """Accepted carries the id that events will begin with."""
    answer = post(sendgrid, outgoing(count=3, batch=7, attempt=2))

    (taken,) = stub.taken()
    assert taken["message_id"] == answer.message_id
    assert (taken["batch"], taken["attempt"], taken["recipients"]) == ("7", "2", 3)


def test_a_reader_gets_the_frozen_paper_with_their_own_fields(stub: Stub, sendgrid: SendGrid) -> None:
    """The bytes that arrive are the paper's, apart from the fields, with the recipient's own headers."""
    post(sendgrid, outgoing(count=3))
    mail = stub.mail("reader2@example.com")
    url = "https://verdicts.example.com/unsubscribe/k1.token-2"

    assert mail is not None
    assert mail["to"] == ["reader2@example.com"]
    assert mail["text"] == f"Hello Reader 2, you get this every week.\n{url}\n"
    assert mail["html"] == f'<p>Hello Reader 2, you get this every week.</p><a href="{url}">Unsubscribe</a>'
    assert mail["headers"]["List-Unsubscribe"] == f"<{url}>"
    assert mail["headers"]["List-ID"] == '"Verdicts" <verdicts.example.com>'


def test_the_request_is_what_the_api_documents(stub: Stub, sendgrid: SendGrid) -> None:
    """On the wire: plain JSON, the bearer key, the official client's name."""
    post(sendgrid)
    (request,) = stub.requests()

    assert (request["method"], request["path"]) == ("POST", "/v3/mail/send")
    assert request["headers"]["content-type"] == "application/json"
    assert request["headers"]["authorization"] == f"Bearer {KEY}"
    assert request["headers"]["user-agent"].startswith("sendgrid/")


def test_the_sandbox_takes_nothing(stub: Stub, sendgrid: SendGrid) -> None:
    """A sandbox batch is judged, accepted without an id, and reaches nobody."""
    assert post(sendgrid, outgoing(sandbox=True)) == Accepted(None)
    assert stub.state()["recipients"] == 0


def test_the_ledger_can_prove_what_was_posted(sendgrid: SendGrid) -> None:
    """The request's digest is the sha256 of its body, the same for the same batch."""
    one, same, other = (sendgrid.build(outgoing(attempt=attempt)) for attempt in (1, 1, 2))

    assert one.digest == same.digest != other.digest
    assert len(one.digest) == 64


def test_the_account_gives_no_evidence(sendgrid: SendGrid) -> None:
    """SendGrid has no way to ask what became of an attempt."""
    assert sendgrid.evidence(edition="2026-W47", batch=1, attempt=1) is None
    assert sendgrid.kind == "sendgrid"


# A no, row by row


def test_a_rate_limit_pauses_everybody_until_it_ends(stub: Stub, sendgrid: SendGrid) -> None:
    """429: nothing was taken, and all workers wait until the time the answer names."""
    stub.faults("429:30")
    before = dt.datetime.now(dt.UTC)
    problem = failure(sendgrid)

    assert isinstance(problem, Unavailable)
    assert problem.everybody
    assert problem.until is not None
    assert dt.timedelta(seconds=28) < problem.until - before < dt.timedelta(seconds=32)
    assert str(problem) == "SendGrid limits our rate (429): “too many requests”."


def test_a_refusal_names_the_recipient(stub: Stub, sendgrid: SendGrid) -> None:
    """400 with `personalizations.3.…`: the fourth recipient is the one to set aside."""
    stub.faults(
        "400:personalizations.3.to.0.email", "400:personalizations.3", "400:from.email", "400:personalizations.99.to"
    )
    problems = [failure(sendgrid, outgoing(count=5)) for _ in range(4)]

    assert all(isinstance(problem, Refused) for problem in problems)
    assert [problem.recipient for problem in problems if isinstance(problem, Refused)] == [3, 3, None, None]


def test_a_refusal_for_size_asks_for_halving(stub: Stub, sendgrid: SendGrid) -> None:
    """413 comes as HTML, and means a smaller batch."""
    stub.faults("413")
    problem = failure(sendgrid)

    assert isinstance(problem, Refused)
    assert problem.too_large


@pytest.mark.parametrize("status", [401, 403, 404, 405, 406, 415, 451])
def test_what_only_a_person_can_mend_says_so(stub: Stub, sendgrid: SendGrid, status: int) -> None:
    """These answers mean the account or a setting: nothing was taken and nothing will be."""
    stub.faults(str(status))
    problem = failure(sendgrid)

    assert isinstance(problem, Misconfigured)
    assert f"({status})" in str(problem)
    assert "so the script says" in str(problem)


def test_a_wrong_key_is_a_matter_of_configuration(stub: Stub) -> None:
    """401 for a key SendGrid does not know."""
    transport = SendGrid("SG.another", host=stub.url)

    assert isinstance(failure(transport), Misconfigured)
    transport.close()


UNCLEAR = ["500", "502", "503", "504", "200", "204", "409", "422", "redirect", "garbage", "cut", "half"]


@pytest.mark.parametrize("fault", ["no-id", *UNCLEAR, *(f"accept-{fault}" for fault in UNCLEAR)])
def test_what_cannot_be_known_is_called_uncertain(stub: Stub, sendgrid: SendGrid, fault: str) -> None:
    """Whether or not the stand-in took the batch, we cannot tell from such an answer, and say so."""
    stub.faults(fault)
    problem = failure(sendgrid)

    assert isinstance(problem, Uncertain)
    assert stub.state()["recipients"] == (1 if fault == "no-id" or fault.startswith("accept-") else 0)


def test_a_redirect_is_not_followed(stub: Stub, sendgrid: SendGrid) -> None:
    """Another host would get the key and the addresses, and its 202 would mean nothing."""
    stub.faults("redirect")
    failure(sendgrid)

    assert stub.state()["followed_redirects"] == 0
    assert stub.state()["mail_requests"] == 1


def test_nothing_is_posted_twice(stub: Stub, sendgrid: SendGrid) -> None:
    """One call to post is one request, whatever the answer."""
    for fault in ("503", "429:1", "cut", "garbage", "accept-cut"):
        stub.reset()
        stub.faults(fault)
        failure(sendgrid)

        assert stub.state()["mail_requests"] == 1


# The line


@pytest.mark.parametrize("fault", ["hang", "accept-hang"])
def test_no_answer_in_time_is_uncertain(stub: Stub, fault: str) -> None:
    """The request had left when the read time-out struck."""
    stub.faults(fault)
    with sendgrid_at(stub.url, read=0.3) as sendgrid:
        problem = failure(sendgrid)

    assert isinstance(problem, Uncertain)
    assert str(problem) == "SendGrid may have taken the batch: it had left, then it ran out of time."


def test_an_answer_that_drips_ends_in_time(stub: Stub) -> None:
    """The read time-out is for the whole answer, not for each byte of it."""
    stub.faults("drip:0.1")
    with sendgrid_at(stub.url, read=0.5) as sendgrid:
        begun = time.monotonic()
        problem = failure(sendgrid)

    assert isinstance(problem, Uncertain)
    assert time.monotonic() - begun < 2


def test_a_line_cut_while_the_batch_is_leaving_took_nothing(stub: Stub, sendgrid: SendGrid) -> None:
    """Nobody can have taken a body of which nobody has the end."""
    stub.faults("midway")
    problem = failure(sendgrid, large())

    assert isinstance(problem, Unavailable)
    assert str(problem) == "SendGrid took nothing: the connection was lost."


@pytest.mark.parametrize(("status", "kind"), [(503, Unavailable), (401, Misconfigured), (429, Unavailable)])
def test_an_answer_that_comes_too_early_is_heard(
    stub: Stub, sendgrid: SendGrid, status: int, kind: type[TransportError]
) -> None:
    """A server may answer and hang up before the body has left; then even a 503 took nothing."""
    stub.faults(f"early:{status}")
    problem = failure(sendgrid, large())

    assert isinstance(problem, kind)
    assert str(status) in str(problem)


def test_a_server_that_does_not_read_took_nothing() -> None:
    """The batch must have left within connect and send time-out, or it does not count as left."""
    with socket.create_server(("127.0.0.1", 0)) as deaf, sendgrid_at(_url(deaf), connect=0.2, send=0.2) as sendgrid:
        begun = time.monotonic()
        problem = failure(sendgrid, large())

    assert isinstance(problem, Unavailable)
    assert str(problem) == "SendGrid took nothing: it ran out of time."
    assert time.monotonic() - begun < 2


def test_a_refused_connection_took_nothing() -> None:
    """Nobody listens there."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = _url(server)
    with sendgrid_at(url) as sendgrid:
        problem = failure(sendgrid)

    assert isinstance(problem, Unavailable)
    assert str(problem) == "SendGrid took nothing: no connection could be made (Connection refused)."


def test_a_name_nobody_knows_took_nothing() -> None:
    """RFC 2606 keeps .invalid for names that do not exist."""
    with sendgrid_at("https://nobody.invalid") as sendgrid:
        problem = failure(sendgrid)

    assert isinstance(problem, Unavailable)
    assert str(problem) == "SendGrid took nothing: its name could not be resolved."


def test_a_connection_that_is_never_made_took_nothing() -> None:
    """A server whose queue is full lets us wait; we do so for the connect time-out."""
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        sendgrid = stack.enter_context(sendgrid_at(_url(full), connect=0.3))
        problem = failure(sendgrid)

    assert isinstance(problem, Unavailable)
    assert str(problem) == "SendGrid took nothing: no connection was made in time."


def test_a_stranger_with_a_certificate_of_their_own_took_nothing(tmp_path: Path) -> None:
    """A certificate we do not trust ends the call before anything is said."""
    with running_stub(tls=_certificate(tmp_path)) as stub, sendgrid_at(stub.url) as sendgrid:
        problem = failure(sendgrid)
        requests = stub.requests()

    assert isinstance(problem, Unavailable)
    assert str(problem) == "SendGrid took nothing: TLS failed (self-signed certificate)."
    assert requests == []


def test_a_server_that_speaks_no_tls_took_nothing(stub: Stub) -> None:
    """https to a port that speaks http."""
    with sendgrid_at(stub.url.replace("http:", "https:")) as sendgrid:
        problem = failure(sendgrid)

    assert isinstance(problem, Unavailable)
    assert "TLS failed" in str(problem)


# Kept connections


def test_one_connection_serves_many_batches(stub: Stub, sendgrid: SendGrid) -> None:
    """Posts one after another share a connection, refusals in between included."""
    stub.faults("ok", "429:1", "400:from.email", "503", "413")
    for _ in range(5):
        with contextlib.suppress(TransportError):
            post(sendgrid)
    post(sendgrid)

    assert stub.state()["mail_requests"] == 6
    assert stub.state()["connections"] == 1


def test_one_handshake_serves_many_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over TLS too, with a certificate the system trusts."""
    tls = _certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
    with running_stub(tls=tls) as stub, sendgrid_at(stub.url) as sendgrid:
        for _ in range(5):
            post(sendgrid)
        state = stub.state()

    assert (state["recipients"], state["connections"]) == (5, 1)


def test_a_connection_the_server_closed_is_not_used(stub: Stub, sendgrid: SendGrid) -> None:
    """A kept connection that has been closed meanwhile is noticed before anything is sent on it."""
    stub.faults("close")
    post(sendgrid)
    time.sleep(0.2)
    post(sendgrid)
    stub.hang_up()
    time.sleep(0.2)
    post(sendgrid)

    assert stub.state()["recipients"] == 3
    assert stub.state()["connections"] == 3


def test_a_connection_that_idled_is_not_trusted(
    stub: Stub, sendgrid: SendGrid, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a while the server may be about to close it, and we could not tell what it still took."""
    monkeypatch.setattr(sendgrid_line, "LONGEST_IDLE", 0.5)
    post(sendgrid)
    post(sendgrid)
    assert stub.state()["connections"] == 1
    time.sleep(0.6)
    post(sendgrid)

    assert stub.state()["connections"] == 2


def test_many_threads_post_at_once(stub: Stub, sendgrid: SendGrid) -> None:
    """Eight threads, twenty batches each: every delivery arrives exactly once, under its own address."""

    def work(thread: int) -> list[Accepted]:
        return [post(sendgrid, outgoing(count=2, first=thread * 1_000 + 2 * n, batch=n)) for n in range(20)]

    with ThreadPoolExecutor(8) as pool:
        answers = [answer for answers in pool.map(work, range(1, 9)) for answer in answers]

    assert len({answer.message_id for answer in answers}) == 160
    assert (stub.state()["recipients"], stub.distinct(), stub.twice()) == (320, 320, {})
    assert stub.state()["connections"] <= 8
    assert stub.taken(delivery=3_004) == stub.taken(address="reader3004@example.com") != []


# What never leaks


FAULTS = ["ok", "401", "400:personalizations.0.to", "503", "garbage", "cut", "redirect", "429:1"]


def test_no_log_line_holds_the_key_or_an_address(
    stub: Stub, sendgrid: SendGrid, caplog: pytest.LogCaptureFixture
) -> None:
    """With every logger at DEBUG, the client's own included."""
    stub.faults(*FAULTS)
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, logger="python_http_client"):
        for _ in FAULTS:
            with contextlib.suppress(TransportError):
                post(sendgrid)
        sendgrid.ask("scopes")

    assert "mail/send" in caplog.text
    assert "bytes>" in caplog.text
    assert KEY not in caplog.text
    assert "reader1@" not in caplog.text
    assert "token-1" not in caplog.text


def test_no_traceback_holds_the_key_or_an_address(stub: Stub, sendgrid: SendGrid) -> None:
    """Even with the local variables of every frame shown, as some log formats do."""
    stub.faults(*FAULTS[1:])
    problems = [failure(sendgrid) for _ in FAULTS[1:]]
    with sendgrid_at("http://127.0.0.1:1") as nowhere:
        problems.append(failure(nowhere))
    shown = "".join(map(_with_locals, problems))

    assert "_make_request" in shown
    assert KEY not in shown + repr(problems) + repr(sendgrid) + repr(vars(sendgrid))
    assert "reader1@" not in "".join(map(str, problems))


def test_addresses_and_keys_are_not_quoted() -> None:
    """What the provider said is passed on without the address and the key it may repeat."""
    body = orjson.dumps(
        {
            "errors": [
                {"message": "We found [ada@example.com] twice.\nKey SG.abc.def is bad", "field": None, "help": None}
            ]
        }
    )
    with pytest.raises(Refused) as caught:
        accepted(400, {}, body, sandbox=False, recipients=2)

    assert str(caught.value) == "SendGrid refuses the batch (400): “We found … twice. Key … is bad”."


@pytest.mark.parametrize("key", ["", "SG.with a blank", "SG.with\nanother line", "SG.ü"])
def test_a_key_that_cannot_be_one_is_refused_at_once(key: str) -> None:
    """Otherwise the HTTP library would quote it in its complaint."""
    with pytest.raises(Misconfigured) as caught:
        SendGrid(key)

    assert key == "" or key not in str(caught.value)


# For any answer


@given(
    st.integers(100, 599),
    st.dictionaries(st.sampled_from(["X-Message-Id", "X-RateLimit-Reset"]), st.text(max_size=30)),
    st.one_of(
        st.binary(max_size=60),
        st.recursive(
            st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.text(max_size=20)),
            lambda inner: st.one_of(
                st.lists(inner, max_size=3),
                st.dictionaries(st.sampled_from(["errors", "message", "field"]), inner, max_size=3),
            ),
        ).map(orjson.dumps),
    ),
    st.booleans(),
    st.booleans(),
)
def test_any_answer_has_a_meaning(
    status: int, headers: dict[str, str], body: bytes, sandbox: bool, left_whole: bool
) -> None:
    """Whatever comes back is sorted; and only a yes is taken for one."""
    try:
        answer = accepted(status, headers, body, sandbox=sandbox, recipients=3, left_whole=left_whole)
    except TransportError as problem:
        outcome: Accepted | TransportError = problem
    else:
        outcome = answer

    match outcome:
        case Accepted(message_id=None):
            assert (status, sandbox) == (200, True)
        case Accepted():
            assert status == 202
        case Uncertain():
            assert left_whole
        case _:
            assert str(outcome)


# Reading the account


def test_questions_are_answered_or_fail_in_words(stub: Stub, sendgrid: SendGrid) -> None:
    """A GET gives plain values, and the same two failures as a post that took nothing."""
    stub.answer("GET /v3/scopes", 401, {"errors": [{"message": "no", "field": None, "help": None}]})
    stub.answer("GET /v3/user/credits", 500, "oh")

    assert sendgrid.ask("suppression/bounces", limit=500, offset=0) == []
    assert stub.requests()[-1]["path"] == "/v3/suppression/bounces?limit=500&offset=0"
    assert "content-type" not in stub.requests()[-1]["headers"]
    with pytest.raises(Misconfigured):
        sendgrid.ask("scopes")
    with pytest.raises(Unavailable):
        sendgrid.ask("user/credits")


def test_a_message_id_no_ledger_could_keep_is_none(stub: Stub) -> None:
    """A 202 with an id of many lines' length proves nothing."""
    with pytest.raises(Uncertain):
        accepted(202, {"X-Message-Id": "x" * 201}, b"", sandbox=False, recipients=1)


@pytest.mark.parametrize("end", ["close", "reset", "stall"])
def test_an_answer_cut_short_leaves_the_status_standing(end: str) -> None:
    """A 202 with an id is a yes although the line is lost right after it."""
    answer = b"HTTP/1.1 202 Accepted\r\nX-Message-Id: abc\r\nContent-Length: 10\r\n\r\nhalf"
    with _one_answer(answer, end=end) as url, sendgrid_at(url, read=1.0) as sendgrid:
        assert post(sendgrid) == Accepted("abc")


def test_an_endless_answer_is_not_read_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes on for ever is cut off; the status stands."""
    monkeypatch.setattr(sendgrid_line, "LARGEST_ANSWER", 1_000)
    answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 2_000
    with _one_answer(answer, end="stall") as url, sendgrid_at(url, read=3.0) as sendgrid:
        begun = time.monotonic()
        problem = failure(sendgrid)

        assert isinstance(problem, Refused)
        assert time.monotonic() - begun < 2


def test_a_slow_upload_has_time() -> None:
    """The connect time-out is not for the body: a batch may take longer to leave than a connection to be made."""
    answer = b"HTTP/1.1 202 Accepted\r\nX-Message-Id: abc\r\nContent-Length: 0\r\n\r\n"
    with _one_answer(answer, deaf_for=0.5) as url, sendgrid_at(url, connect=0.1, send=5.0) as sendgrid:
        assert post(sendgrid, large()) == Accepted("abc")


# Helpers


def _url(server: socket.socket) -> str:
    return f"http://127.0.0.1:{server.getsockname()[1]}"


def _with_locals(problem: BaseException | None) -> str:
    """The problem and all it was raised in the course of, suppressed or not, with every frame's variables."""
    if problem is None:
        return ""
    shown = traceback.TracebackException.from_exception(problem, capture_locals=True)
    return "".join(shown.format()) + _with_locals(problem.__context__)


@contextlib.contextmanager
def _one_answer(answer: bytes, *, end: str = "close", deaf_for: float = 0) -> Iterator[str]:
    """A server that reads one request, after a while, answers with exactly these bytes and ends the line so."""
    over = threading.Event()

    def serve() -> None:
        line, _ = server.accept()
        with line, line.makefile("rb") as lines:
            over.wait(deaf_for)
            lines.readline()
            lines.read(int(http.client.parse_headers(lines)["Content-Length"]))
            line.sendall(answer)
            if end == "stall":
                over.wait(10)
            elif end == "reset":
                # Let the answer be read first: a reset may overtake it.
                over.wait(0.1)
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield _url(server)
        finally:
            over.set()
            thread.join()


def _certificate(folder: Path) -> ssl.SSLContext:
    """A self-signed certificate for 127.0.0.1, kept in the folder."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "stand-in")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "certificate.pem").write_bytes(pem)
    (folder / "both.pem").write_bytes(pem + secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "both.pem")
    return context
