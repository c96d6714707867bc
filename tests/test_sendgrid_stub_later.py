"""What the stand-in does after its answer: scheduled sends, signed events, suppression lists."""

from __future__ import annotations

import base64
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from tests.sendgrid_stub import Stub, running_stub
from tests.sendgrid_stub.mischief import signer
from tests.signing import SIGNATURE, TIMESTAMP
from tests.test_sendgrid_stub import call, message, send

MARGIN = 600
AN_HOUR = 3_600
THREE_DAYS = 72 * AN_HOUR


@pytest.fixture(scope="module")
def _stub() -> Iterator[Stub]:
    with running_stub(margin=MARGIN) as stub:
        yield stub


@pytest.fixture
def stub(_stub: Stub) -> Stub:
    _stub.reset()
    return _stub


# Scheduled sends


def batch_id(stub: Stub) -> str:
    made: str = call(stub, "POST", "/v3/mail/batch")[1]["batch_id"]
    return made


def scheduled(stub: Stub, batch: str, *, ahead: float = AN_HOUR) -> int:
    return send(stub, message(2, batch_id=batch, send_at=int(stub.now() + ahead)))


def cancel(stub: Stub, batch: str, status: str = "cancel") -> int:
    return call(stub, "POST", "/v3/user/scheduled_sends", {"batch_id": batch, "status": status})[0]


def fates(stub: Stub) -> list[str]:
    return [taken["fate"] for taken in stub.taken()]


def test_a_scheduled_request_goes_out_at_its_time(stub: Stub) -> None:
    """It is accepted at once and waits until then."""
    assert scheduled(stub, batch_id(stub)) == 202
    assert (fates(stub), stub.distinct()) == (["waiting"], 2)
    stub.forward(AN_HOUR + 1)

    assert fates(stub) == ["gone out"]
    assert stub.state()["fates"] == {"waiting": 0, "discarded": 0, "gone out": 2}


@pytest.mark.parametrize("status", ["cancel", "pause"])
def test_a_stopped_request_is_discarded(stub: Stub, status: str) -> None:
    """It does not count as handed over, though it was accepted once."""
    batch = batch_id(stub)
    scheduled(stub, batch)
    assert cancel(stub, batch, status) == 201
    stub.forward(2 * AN_HOUR)

    assert fates(stub) == ["discarded"]
    assert (stub.distinct(), stub.distinct(ever=True)) == (0, 2)
    assert (stub.deliveries(), stub.deliveries(ever=True)) == (set(), {1, 2})


def test_handed_over_again_after_a_cancel_nobody_has_it_twice(stub: Stub) -> None:
    """What the fence is for: the first was discarded, the second counts."""
    first, second = batch_id(stub), batch_id(stub)
    scheduled(stub, first)
    cancel(stub, first)
    scheduled(stub, second)

    assert (stub.twice(), stub.twice(ever=True)) == ({}, {1: 2, 2: 2})
    assert stub.distinct() == 2


def test_what_comes_under_a_cancelled_batch_id_is_accepted_and_discarded(stub: Stub) -> None:
    """A request that was long on its way changes nothing."""
    batch = batch_id(stub)
    assert cancel(stub, batch) == 201
    assert scheduled(stub, batch) == 202
    stub.forward(2 * AN_HOUR)

    assert fates(stub) == ["discarded"]


def test_a_past_time_goes_out_at_once_even_when_cancelled(stub: Stub) -> None:
    """The hardest reading: a fence does not hold what comes after its time."""
    batch = batch_id(stub)
    cancel(stub, batch)

    assert scheduled(stub, batch, ahead=-1) == 202
    assert fates(stub) == ["gone out"]


@pytest.mark.parametrize(
    ("moved", "answer"), [(AN_HOUR - MARGIN - 5, 201), (AN_HOUR - MARGIN + 5, 400), (AN_HOUR, 400)]
)
def test_a_batch_is_cancelled_in_time_or_not_at_all(stub: Stub, moved: float, answer: int) -> None:
    """From ten minutes before its time on it is too late."""
    batch = batch_id(stub)
    scheduled(stub, batch)
    stub.forward(moved)

    assert cancel(stub, batch) == answer


def test_lifting_a_cancel_too_early_lets_it_go_out(stub: Stub) -> None:
    """Before three days after its time an un-cancelled request goes out after all."""
    batch = batch_id(stub)
    scheduled(stub, batch)
    cancel(stub, batch)
    stub.forward(2 * AN_HOUR)

    assert call(stub, "DELETE", f"/v3/user/scheduled_sends/{batch}")[0] == 204
    assert fates(stub) == ["gone out"]


def test_after_three_days_it_is_discarded_for_ever(stub: Stub) -> None:
    """Then the cancel may be lifted, and makes room for others."""
    batch = batch_id(stub)
    scheduled(stub, batch)
    cancel(stub, batch)
    stub.forward(AN_HOUR + THREE_DAYS + 1)

    assert call(stub, "DELETE", f"/v3/user/scheduled_sends/{batch}")[0] == 204
    assert fates(stub) == ["discarded"]


def test_the_answer_to_a_cancel_can_be_lost(stub: Stub) -> None:
    """It was cancelled, or it was not, and nobody is told which; how mail is taken is another matter."""
    first, second, third = batch_id(stub), batch_id(stub), batch_id(stub)
    stub.account_faults("accept-503", "503", "accept-cut")

    assert (cancel(stub, first), cancel(stub, second), scheduled(stub, third)) == (503, 503, 202)
    with pytest.raises(OSError, match=r"reset|closed"):
        cancel(stub, third)
    shown = call(stub, "GET", "/v3/user/scheduled_sends")[1]
    assert [one["batch_id"] for one in shown] == [first, third]


def test_time_never_goes_back(stub: Stub) -> None:
    """A typing error in a test is said."""
    with pytest.raises(ValueError, match="forward"):
        stub.forward(-1)


# Events


class Webhook:
    """Somebody who takes posts: what came, and whether its signature was good."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.key = ""
        self.answers: list[int] = []
        self.posts: list[tuple[bool, bytes]] = []

    @property
    def events(self) -> list[dict[str, Any]]:
        return [event for good, body in self.posts if good for event in orjson.loads(body)]

    def take(self, headers: Any, body: bytes) -> int:
        good = self._is_good(headers, body)
        self.posts.append((good, body))
        return (self.answers.pop(0) if self.answers else 200) if good else 403

    def _is_good(self, headers: Any, body: bytes) -> bool:
        key = load_der_public_key(base64.b64decode(self.key))
        assert isinstance(key, ec.EllipticCurvePublicKey)
        signed = headers.get(TIMESTAMP, "").encode() + body
        try:
            key.verify(base64.b64decode(headers.get(SIGNATURE, "")), signed, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return True


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    class Taker(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(found.take(self.headers, body))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Taker)
    found = Webhook(f"http://127.0.0.1:{server.server_address[1]}/webhooks/sendgrid")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield found
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def heard(stub: Stub, webhook: Webhook) -> Webhook:
    webhook.key = stub.events()["public_key"]
    stub.webhook(webhook.url, every=0.01)
    return webhook


def kinds(heard: Webhook) -> list[str]:
    return [event["event"] for event in heard.events]


def test_everybody_is_delivered_unless_told_otherwise(stub: Stub, heard: Webhook) -> None:
    """Two events for each, signed, with our arguments at their top and the message id in front."""
    send(stub, message(3))
    stub.acknowledged()

    assert Counter(kinds(heard)) == {"processed": 3, "delivered": 3}
    first = heard.events[0]
    assert first["sg_message_id"].startswith(stub.taken()[0]["message_id"] + ".")
    assert (first["email"], first["vd_delivery"], first["vd_attempt"]) == ("reader1@example.com", "1", "1")
    assert len({event["sg_event_id"] for event in heard.events}) == 6
    assert {type(event["category"]) for event in heard.events} <= {str, list}
    assert heard.posts[0][1].endswith(b"]\r\n")


def test_a_fortune_is_as_scripted(stub: Stub, heard: Webhook) -> None:
    """Every kind there is, with the fields of the real ones."""
    stub.fortune("READER1@example.com", "deferred", "bounce:Reputation", "blocked", "dropped:Invalid", "late-bounce")
    stub.fortune(
        "reader2@example.com", "open", "machine-open", "click:https://x.example/", "spamreport", "unknown:sighed"
    )
    stub.fortune("reader3@example.com", "unsubscribe", "group_unsubscribe", "group_resubscribe")
    send(stub, message(3))
    stub.acknowledged()
    told = {(event["event"], event.get("type"), event.get("sg_machine_open")): event for event in heard.events}

    assert told["bounce", "bounce", None]["status"] == "5.1.1"
    assert told["bounce", "blocked", None]["bounce_classification"] == "Technical"
    assert told["dropped", None, None]["reason"] == "Invalid"
    assert told["deferred", None, None]["attempt"] == "5"
    assert told["open", None, True]["useragent"]
    assert told["click", None, None]["url"] == "https://x.example/"
    assert [event["bounce_classification"] for event in heard.events if event["event"] == "bounce"] == [
        "Reputation",
        "Technical",
        "Invalid Address",
    ]
    assert [event["event"] for event in heard.events if "sg_message_id" not in event] == ["bounce"]
    assert {"sighed", "unsubscribe", "group_unsubscribe", "group_resubscribe", "spamreport"} <= set(kinds(heard))


def test_a_mail_that_waits_has_no_events_yet(stub: Stub, heard: Webhook) -> None:
    """They come when it goes out; a discarded one never has any."""
    kept, cancelled = batch_id(stub), batch_id(stub)
    scheduled(stub, kept)
    scheduled(stub, cancelled)
    cancel(stub, cancelled)
    stub.acknowledged()
    assert heard.posts == []
    stub.forward(2 * AN_HOUR)
    stub.acknowledged()

    assert Counter(kinds(heard)) == {"processed": 2, "delivered": 2}


def test_more_can_become_of_a_mail_later(stub: Stub, heard: Webhook) -> None:
    """A complaint days after; the same twice is two events."""
    send(stub, message(1))
    stub.forward(THREE_DAYS)
    stub.happen("reader1@example.com", "spamreport")
    stub.happen("reader1@example.com", "spamreport")
    stub.acknowledged()
    complaints = [event for event in heard.events if event["event"] == "spamreport"]

    assert len({event["sg_event_id"] for event in complaints}) == 2
    assert complaints[0]["timestamp"] >= heard.events[0]["timestamp"] + THREE_DAYS
    with pytest.raises(ValueError, match="no mail has gone out"):
        stub.happen("nobody@example.com", "open")


def test_fortunes_by_chance_repeat_with_their_seed(stub: Stub, heard: Webhook) -> None:
    """Whoever bounced in one run bounces in the next, whichever request comes first."""

    def run(*, seed: int) -> set[tuple[str, str]]:
        heard.posts.clear()
        stub.reset()
        stub.webhook(heard.url, every=0.01)
        stub.fortunes({"bounce": 0.2, "blocked": 0.1, "deferred": 0.1, "open": 0.5, "spamreport": 0.05}, seed=seed)
        send(stub, message(300))
        stub.acknowledged()
        return {(event["email"], event["event"]) for event in heard.events}

    first = run(seed=1)
    counts = Counter(kind for _, kind in first)
    assert first == run(seed=1)
    assert first != run(seed=2)
    assert (50 < counts["bounce"] < 130, counts["bounce"] + counts["delivered"]) == (True, 300)


def test_posts_hold_no_more_than_told_and_are_tried_until_taken(stub: Stub, heard: Webhook) -> None:
    """The same bytes again after a refusal; nothing is left when all is acknowledged."""
    stub.webhook(heard.url, most=4, every=0.01)
    heard.answers = [500, 503]
    send(stub, message(5))
    told = stub.acknowledged()
    bodies = Counter(body for _, body in heard.posts)

    assert max(len(orjson.loads(body)) for body in bodies) == 4
    assert sorted(bodies.values()) == [1, 2, 2] or sorted(bodies.values()) == [1, 1, 3]
    assert told["answers"] == {"500": 1, "503": 1, "200": 3}


def test_everything_goes_wrong_at_once(stub: Stub, heard: Webhook) -> None:
    """Twice, again under another id, late, in any order, strangers, unknown kinds, whole posts replayed and forged."""
    names = ("twice", "again", "late:30", "unknown", "strangers", "shuffled", "replayed", "forged")
    stub.mischief(dict.fromkeys(names, 1.0))
    stub.webhook(heard.url, most=20, every=0.01)
    send(stub, message(20))
    stub.acknowledged()
    assert heard.posts == []
    stub.forward(32)
    told = stub.acknowledged()

    ids = Counter(event["sg_event_id"] for event in heard.events)
    ours = Counter(
        (event["vd_delivery"], event["event"], event["timestamp"]) for event in heard.events if "vd_delivery" in event
    )
    assert min(ids.values()) == 2  # each post was replayed
    assert max(ids.values()) == 4  # and each event came twice
    assert {ours[key] for key in ours if key[1] == "delivered"} == {6}
    assert {"pondered"} < set(kinds(heard))
    assert any(event["email"].endswith("@elsewhere.example") for event in heard.events)
    assert [event["vd_delivery"] for event in heard.events if event["event"] == "processed"] != sorted(
        event["vd_delivery"] for event in heard.events if event["event"] == "processed"
    )
    forgeries = [body for good, body in heard.posts if not good]
    assert len(forgeries) == told["forged"]["403"] == told["posts"]
    assert {event["event"] for body in forgeries for event in orjson.loads(body)} == {"spamreport"}


def test_a_test_can_post_events_of_its_own(stub: Stub, heard: Webhook) -> None:
    """Signed like any other: what happens to an account has no address."""
    change = {"event": "account_status_change", "type": "compliance_suspend", "sg_event_id": "x", "timestamp": 1}
    stub.post_events(change)
    stub.acknowledged()

    assert heard.events == [change]


@pytest.mark.parametrize(
    "asked",
    [
        lambda stub: stub.fortune("a@example.com", "sighed"),
        lambda stub: stub.fortunes({"bounce": 2}),
        lambda stub: stub.mischief({"nonsense": 1}),
        lambda stub: stub.account_faults("hang"),
        lambda stub: stub.mischief({"twice:5": 1}),
        lambda stub: stub.suppress("nobody", "a@example.com"),
    ],
)
def test_what_cannot_be_asked_is_said(stub: Stub, asked: Any) -> None:
    """A typing error does not pass for good behaviour."""
    with pytest.raises(ValueError, match=r"there is no|chance"):
        asked(stub)


def test_the_key_comes_from_the_seed() -> None:
    """A rehearsal that is started again needs no new setting."""
    assert signer(3).public_key == signer(3).public_key
    assert signer(3).public_key != signer(4).public_key


# Suppression lists


def listed(stub: Stub, name: str, query: str = "") -> Any:
    return call(stub, "GET", f"/v3/suppression/{name}{query}")[1]


def test_what_becomes_of_mails_fills_the_lists(stub: Stub) -> None:
    """Also where nobody hears of it: that is what the nightly look is for."""
    ends = ("bounce", "blocked", "spamreport", "unsubscribe", "dropped:Invalid")
    for number, end in enumerate(ends, start=1):
        stub.fortune(f"reader{number}@example.com", end)
    send(stub, message(5))
    found = {
        name: [entry["email"] for entry in listed(stub, name)]
        for name in ("bounces", "blocks", "spam_reports", "unsubscribes", "invalid_emails")
    }

    assert found == {name: [f"reader{n}@example.com"] for n, name in enumerate(found, start=1)}
    assert listed(stub, "bounces")[0]["status"] == "5.1.1"


def test_mail_to_a_suppressed_address_is_dropped(stub: Stub, heard: Webhook) -> None:
    """For the reason the list gives."""
    stub.suppress("unsubscribes", "Reader1@example.com")
    send(stub, message(1))
    stub.acknowledged()

    assert [(event["event"], event["reason"]) for event in heard.events] == [("dropped", "Unsubscribed Address")]


def test_lists_are_read_page_by_page(stub: Stub) -> None:
    """The newest first, within the times asked for, never more than 500 at once."""
    for second in range(5):
        stub.suppress("bounces", f"r{second}@example.com", at=1_000 + second, reason="550")

    assert [one["created"] for one in listed(stub, "bounces", "?limit=2&offset=1")] == [1003, 1002]
    assert [one["created"] for one in listed(stub, "bounces", "?start_time=1001&end_time=1002")] == [1002, 1001]
    assert listed(stub, "bounces", "?offset=9") == []
    assert call(stub, "GET", "/v3/suppression/bounces?limit=501")[0] == 400
    assert call(stub, "GET", "/v3/suppression/bounces?limit=many")[0] == 400
    assert call(stub, "GET", "/v3/suppression/nonsense")[0] == 404
