"""The stand-in for SendGrid: it must be at least as strict as the real one, and remember truly."""

from __future__ import annotations

import copy
import http.client
import random
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest import sendgrid_payload
from tests.make_outgoing import outgoing
from tests.sendgrid_stub import KEY, Stub, faults, glance, running_stub, stub_process
from tests.sendgrid_stub.account import Account
from tests.sendgrid_stub.judge import Judged, judge, judge_each
from tests.sendgrid_stub.memory import Memory

NOW = 1_800_000_000.0


def message(count: int = 3, **changes: Any) -> dict[str, Any]:
    """A request without fault, and what to change in it."""
    document: dict[str, Any] = orjson.loads(sendgrid_payload.body_of(outgoing(count=count)))
    return document | changes


def personalized(**changes: Any) -> dict[str, Any]:
    """The second of three personalizations changed."""
    document = message()
    document["personalizations"][1] |= changes
    return document


def without(name: str) -> dict[str, Any]:
    document = message()
    del document[name]
    return document


def fields(document: Any) -> list[str | None]:
    body = orjson.dumps(document)
    return [error["field"] for error in judge(body, now=NOW, knows_batch=lambda batch: batch == "known").errors]


# Judging


def test_a_sound_request_has_no_errors() -> None:
    """What our own writer writes is taken."""
    assert fields(message(1_000)) == []


@pytest.mark.parametrize(
    ("document", "field"),
    [
        (message(personalizations=[]), "personalizations"),
        (message(personalizations="all"), "personalizations"),
        (
            message(personalizations=[{"to": [{"email": f"r{n}@example.com"}]} for n in range(1_001)]),
            "personalizations",
        ),
        (
            message(
                personalizations=[{"to": [{"email": f"r{n}-{m}@example.com"} for m in range(3)]} for n in range(400)]
            ),
            "personalizations",
        ),
        (personalized(to=[]), "personalizations.1.to"),
        (personalized(to=[{"email": "nobody"}]), "personalizations.1.to.0.email"),
        (personalized(to=[{"email": "übung@example.com"}]), "personalizations.1.to.0.email"),
        (personalized(to=[{"name": "Ada"}]), "personalizations.1.to.0.email"),
        (personalized(to=[{"email": "Reader1@example.com"}]), "personalizations.1.to"),
        (personalized(cc=[{"email": "reader1@example.com"}]), "personalizations.1.cc"),
        (personalized(bcc=[{"email": "reader2@example.com"}]), "personalizations.1.bcc"),
        (personalized(to=[{"email": "ada@example.com", "name": 5}]), "personalizations.1.to.0.name"),
        (personalized(subject=""), "personalizations.1.subject"),
        (personalized(**{"from": {"email": "nobody"}}), "personalizations.1.from.email"),
        (personalized(substitutions={"-a-": 5}), "personalizations.1.substitutions.-a-"),
        (personalized(substitutions={"-a-": "x" * 9_998}), "personalizations.1.substitutions"),
        (personalized(substitutions={"-a-": "ü" * 5_000}), "personalizations.1.substitutions"),
        (personalized(substitutions={f"-a{n}-": "" for n in range(151)}), "personalizations.1.substitutions"),
        (personalized(substitutions=[]), "personalizations.1.substitutions"),
        (personalized(custom_args={}), "personalizations.1.custom_args"),
        (personalized(custom_args={"vd_delivery": 5}), "personalizations.1.custom_args.vd_delivery"),
        (personalized(custom_args={"a": "x" * 10_000}), "personalizations.1.custom_args"),
        (personalized(headers={"Subject": "x"}), "personalizations.1.headers.Subject"),
        (personalized(headers={"X-Ü": "x"}), "personalizations.1.headers"),
        (personalized(headers={"X-Y": None}), "personalizations.1.headers.X-Y"),
        (personalized(send_at=NOW), "personalizations.1.send_at"),
        (personalized(nickname="Ada"), "personalizations.1.nickname"),
        (message() | {"from": {"email": "nobody"}}, "from.email"),
        (message(reply_to={"email": "nobody"}), "reply_to.email"),
        (message(reply_to_list=[{"email": "a@example.com"}]), "reply_to"),
        (without("reply_to") | {"reply_to_list": [{"email": "nobody"}]}, "reply_to_list"),
        (message(subject=""), "subject"),
        (message(content=[]), "content"),
        (message(content=[{"type": "text/plain", "value": ""}]), "content.0.value"),
        (message(content=list(reversed(message()["content"]))), "content"),
        (message(categories=["a"] * 2), "categories"),
        (message(categories=[str(n) for n in range(11)]), "categories"),
        (message(categories=["ü"]), "categories.0"),
        (message(categories=["x" * 256]), "categories.0"),
        (message(content=[{"value": "x"}]), "content.0.type"),
        (message(custom_args={}), "custom_args"),
        (message(1, custom_args={"a": "x" * 9_990}), "personalizations.0.custom_args"),
        (message(headers={"BCC": "eve@example.com"}), "headers.BCC"),
        (message(send_at=int(NOW) + 72 * 3600 + 1), "send_at"),
        (message(send_at=True), "send_at"),
        (message(batch_id="unknown"), "batch_id"),
        (message(tracking_settings={"click_tracking": {"enable": "no"}}), "tracking_settings.click_tracking.enable"),
        (message(colour="red"), "colour"),
        ([], None),
    ],
)
def test_each_limit_is_kept(document: Any, field: str | None) -> None:
    """One fault, one error, with the field's path as SendGrid writes it."""
    assert fields(document) == [field]


@pytest.mark.parametrize(
    "document",
    [
        message(send_at=int(NOW) + 72 * 3600, batch_id="known"),
        message(send_at=5),
        message(content=[{"type": "text/html", "value": "x"}]),
        personalized(substitutions={"-a-": "x" * 9_997}),
        personalized(substitutions={f"-a{n}-": "" for n in range(150)}),
        personalized(cc=[{"email": "somebody@example.com"}], subject="Mine"),
    ],
)
def test_the_limits_are_no_narrower(document: Any) -> None:
    """Exactly at the limit is still taken."""
    assert fields(document) == []


def test_what_is_not_json_is_refused() -> None:
    """A body nobody can read has one error, of no field."""
    assert [error["field"] for error in judge(b"{", now=NOW, knows_batch=lambda _: False).errors] == [None]


odd = st.recursive(
    st.one_of(st.none(), st.integers(0, 3), st.text(alphabet="a@.ü", max_size=4), st.just("reader1@example.com")),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(st.sampled_from(["email", "To", "-a-", "ü", ""]), inner, max_size=2),
    ),
)


names = st.sampled_from([*message(), "cc", "send_at", "batch_id", "mail_settings", "custom_args", "headers"])


@given(st.one_of(odd, st.dictionaries(names, odd, max_size=3).map(lambda changes: message() | changes)))
def test_any_document_can_be_judged(document: Any) -> None:
    """However odd a request is, it is judged rather than stumbled over, and taken only if it can be remembered."""
    body = orjson.dumps(document)
    judged = judge(body, now=NOW, knows_batch=Account(seed=0, margin=0).schedule.knows)
    if not judged.errors:
        Memory(whole_bodies=1).take(judged, body, "id")


@given(st.lists(st.one_of(st.integers(), st.text(max_size=5)).map(str), min_size=3, max_size=3))
def test_any_delivery_id_can_be_remembered(ids: list[str]) -> None:
    """A number that could be ours is one; everything else is a stranger's."""
    document = message()
    for one, number in zip(document["personalizations"], ids, strict=True):
        one["custom_args"]["vd_delivery"] = number
    memory = Memory(whole_bodies=1)
    memory.take(judge(orjson.dumps(document), now=NOW, knows_batch=lambda _: False), b"", "id")

    assert len(memory.taken[0].deliveries) == 3


@given(
    st.integers(0, 2),
    st.sampled_from(["to", "cc", "headers", "custom_args", "substitutions", "send_at", "else"]),
    odd,
    st.booleans(),
)
def test_the_quick_look_never_overlooks(index: int, name: str, value: Any, whole: bool) -> None:
    """Whatever the quick look finds fine has no fault when each recipient is looked at."""
    many = message()["personalizations"]
    if whole:
        many[index] = value
    else:
        many[index][name] = value
    quick = glance.addresses(copy.deepcopy(many))
    thorough = Judged({})
    judge_each(thorough, many, NOW)

    assert quick is None or (quick, []) == (thorough.emails, thorough.errors)


def test_the_quick_look_is_the_usual_one() -> None:
    """An ordinary edition does not need to be looked at twice."""
    assert glance.addresses(message(1_000)["personalizations"]) == [f"reader{n}@example.com" for n in range(1, 1_001)]


# On the wire


@pytest.fixture(scope="module")
def _stub() -> Iterator[Stub]:
    with running_stub() as stub:
        yield stub


@pytest.fixture
def stub(_stub: Stub) -> Stub:
    _stub.reset()
    return _stub


def call(stub: Stub, method: str, path: str, document: Any = None, *, key: str = KEY) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(urlsplit(stub.url).netloc, timeout=5)
    body = None if document is None else orjson.dumps(document)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        told = response.read()
        kind = response.headers.get("Content-Type", "")
        return response.status, orjson.loads(told) if "json" in kind else told.decode()
    finally:
        connection.close()


def send(stub: Stub, document: Any) -> int:
    return call(stub, "POST", "/v3/mail/send", document)[0]


def test_a_mail_arrives_with_its_values_spliced_in_raw(stub: Stub) -> None:
    """Subject, reply-to and content are filled, nothing is escaped; headers are left alone."""
    document = message(1, subject="For -n-", content=[{"type": "text/html", "value": "<p>-n-</p>"}])
    document["personalizations"][0] |= {"substitutions": {"-n-": '<b>&"'}, "headers": {"X-N": "-n-"}}
    assert send(stub, document) == 202
    mail = stub.mail("READER1@example.com")

    assert mail is not None
    assert (mail["subject"], mail["html"]) == ('For <b>&"', '<p><b>&"</p>')
    assert mail["headers"] == {"X-N": "-n-"}
    assert mail["text"] is None


def test_the_newest_mail_is_shown(stub: Stub) -> None:
    """Of two mails to one address, the later."""
    send(stub, message(1, subject="first"))
    send(stub, message(1, subject="second"))
    mail = stub.mail("reader1@example.com")

    assert mail is not None
    assert mail["subject"] == "second"


def test_only_the_latest_bodies_are_kept_whole() -> None:
    """Mails of older requests are no longer shown, but their recipients are still known."""
    with running_stub(whole_bodies=1) as stub:
        assert send(stub, message(1)) == 202
        assert send(stub, orjson.loads(sendgrid_payload.body_of(outgoing(first=5)))) == 202

        assert stub.mail("reader1@example.com") is None
        assert stub.mail("reader5@example.com") is not None
        assert len(stub.taken(address="reader1@example.com")) == 1


def test_a_delivery_taken_twice_is_told(stub: Stub) -> None:
    """The question every rehearsal ends with: was anybody handed over twice?"""
    for _ in range(2):
        send(stub, message(2))
    send(stub, orjson.loads(sendgrid_payload.body_of(outgoing(first=2, count=2, attempt=2))))

    assert stub.twice() == {1: 2, 2: 3}
    assert stub.distinct() == 3
    assert [taken["attempt"] for taken in stub.taken(delivery=2)] == ["1", "1", "2"]
    assert stub.state()["recipients"] == 6


def test_mail_without_our_marks_is_no_delivery(stub: Stub) -> None:
    """Letters and strangers' mail are counted, and taken for no delivery."""
    document = message(2)
    document["personalizations"][0]["custom_args"] = {"vd_letter": "1"}
    del document["personalizations"][1]["custom_args"]
    send(stub, document)

    assert stub.state()["recipients"] == 2
    assert stub.distinct() == 0


def test_a_refused_request_is_not_remembered(stub: Stub) -> None:
    """400, 401, 413 and 415 take nothing."""
    assert send(stub, message(1, subject="")) == 400
    assert call(stub, "POST", "/v3/mail/send", message(1), key="nothing of the kind")[0] == 401
    status, page = call(stub, "POST", "/v3/mail/send", message(1, subject="x" * 30_000_000))

    assert (status, page[:6]) == (413, "<html>")
    assert stub.state()["recipients"] == 0


def test_the_only_key_may_be_given() -> None:
    """With a key of its own the stand-in takes no other."""
    with running_stub(key="SG.mine") as stub:
        assert call(stub, "GET", "/v3/scopes")[0] == 401
        assert call(stub, "GET", "/v3/scopes", key="SG.mine")[0] == 200


def test_a_batch_id_can_be_cancelled_once(stub: Stub) -> None:
    """Batch ids and scheduled sends, as the fence for uncertainty will need them."""
    status, made = call(stub, "POST", "/v3/mail/batch")
    cancel = {"batch_id": made["batch_id"], "status": "cancel"}
    path = f"/v3/user/scheduled_sends/{made['batch_id']}"

    assert status == 201
    assert call(stub, "GET", f"/v3/mail/batch/{made['batch_id']}") == (200, made)
    assert call(stub, "GET", path) == (200, [])
    assert call(stub, "POST", "/v3/user/scheduled_sends", cancel | {"batch_id": "unknown"})[0] == 400
    assert call(stub, "POST", "/v3/user/scheduled_sends", cancel | {"batch_id": []})[0] == 400
    assert call(stub, "POST", "/v3/user/scheduled_sends", cancel | {"status": "send"})[0] == 400
    assert call(stub, "POST", "/v3/user/scheduled_sends", cancel) == (201, cancel)
    assert call(stub, "POST", "/v3/user/scheduled_sends", cancel)[0] == 400
    assert call(stub, "GET", path) == (200, [cancel])
    assert call(stub, "PATCH", path, {"status": "pause"})[0] == 204
    assert call(stub, "GET", "/v3/user/scheduled_sends") == (200, [cancel | {"status": "pause"}])
    assert call(stub, "DELETE", path)[0] == 204
    assert call(stub, "DELETE", path)[0] == 404


def test_no_more_than_a_hundred_batches_can_be_cancelled(stub: Stub) -> None:
    """The hundred and first is refused."""
    ids = [call(stub, "POST", "/v3/mail/batch")[1]["batch_id"] for _ in range(101)]
    answers = [call(stub, "POST", "/v3/user/scheduled_sends", {"batch_id": one, "status": "cancel"})[0] for one in ids]

    assert answers == [201] * 100 + [400]


def test_the_account_answers_as_told(stub: Stub) -> None:
    """Suppression lists are empty and everything else is unknown, until a test says otherwise."""
    assert call(stub, "GET", "/v3/suppression/bounces?limit=500") == (200, [])
    assert call(stub, "GET", "/v3/nothing")[0] == 404
    stub.answer("GET /v3/suppression/bounces", 200, [{"email": "ada@example.com"}])

    assert call(stub, "GET", "/v3/suppression/bounces") == (200, [{"email": "ada@example.com"}])


# Misbehaving


def test_the_script_comes_before_chance(stub: Stub) -> None:
    """Scripted faults are used up in order; then chance decides."""
    stub.faults("503", "ok", chances={"429:5": 1.0}, seed=1)

    assert [send(stub, message(1)) for _ in range(4)] == [503, 202, 429, 429]


def test_the_same_seed_gives_the_same_run(stub: Stub) -> None:
    """A run that found a fault can be run again."""

    def run(seed: int) -> list[int]:
        stub.faults(chances={"503": 0.3, "429:1": 0.3}, seed=seed)
        return [send(stub, message(1)) for _ in range(30)]

    first = run(1)

    assert first == run(1)
    assert first != run(2)
    assert set(Counter(first)) == {202, 503, 429}


def test_a_slow_answer_takes_its_time(stub: Stub) -> None:
    """Slow is not late: it ends as it should."""
    stub.faults("slow:0.2")
    begun = time.monotonic()

    assert send(stub, message(1)) == 202
    assert time.monotonic() - begun > 0.2


@pytest.mark.parametrize("text", ["", "nonsense", "99", "accept-", "accept-accept-ok", "1234"])
def test_a_fault_there_is_not_is_said(stub: Stub, text: str) -> None:
    """A typing error in a script does not pass for good behaviour."""
    with pytest.raises(ValueError, match="no fault"):
        stub.faults(text)


def test_chances_are_as_told() -> None:
    """Drawn a thousand times, each fault comes about as often as its chance."""
    drawn = faults.Faults(seed=3)
    drawn.chances({"503": 0.2, "cut": 0.1}, seed=None)
    counts = Counter(drawn.draw().name for _ in range(1_000))

    assert (150 < counts["503"] < 250, 60 < counts["cut"] < 140) == (True, True)
    assert counts["ok"] == 1_000 - counts["503"] - counts["cut"]


# By itself


def test_it_runs_in_a_process_of_its_own() -> None:
    """Started as by hand, it says where it listens and goes away when told."""
    with stub_process(seed=4) as stub:
        assert send(stub, message(2)) == 202
        assert stub.state()["recipients"] == 2
        where = urlsplit(stub.url)

    with pytest.raises(ConnectionRefusedError):
        http.client.HTTPConnection(where.netloc, timeout=1).request("GET", "/")


def test_a_million_recipients_fit() -> None:
    """What is remembered of a recipient takes tens of bytes: an address and a number."""
    document = message(1_000)
    rng = random.Random(5)
    for one in document["personalizations"]:
        one["custom_args"]["vd_delivery"] = str(rng.randrange(10**9))
    judged = judge(orjson.dumps(document), now=NOW, knows_batch=lambda _: False)

    memory = Memory(whole_bodies=1)
    memory.take(judged, b"", "id")
    (taken,) = memory.taken

    assert len(taken.addresses) + taken.deliveries.itemsize * len(taken.deliveries) < 40 * 1_000
