"""`/metrics`: everything an alarm needs, from rows, for those who may read it."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from database import Database
from digest import editions, gauges, migrations, pauses, sending, watching
from digest.bootstrap import Services
from digest.models import Batch, BatchState, Edition, ProviderEvent
from digest.web import metrics
from digest.web.app import create_app
from tests import make
from tests.make_outcomes import handed_over, stamp

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "metrics.md"
TOKEN = "a token for the scraper"
HERE, ELSEWHERE = "127.0.0.1", "203.0.113.9"

Values = dict[tuple[str, tuple[str, ...]], float]


def asking(services: Services, peer: str = HERE) -> AbstractContextManager[TestClient]:
    return TestClient(create_app(services), client=(peer, 50_000), raise_server_exceptions=False)


def values(services: Services) -> Values:
    """Every sample, by its name and the values of its labels, in the order of the document."""
    with asking(services) as client:
        answer = client.get("/metrics")
    assert answer.status_code == 200, answer.text
    order = {f"digest_{family.name}": family.labels for family in metrics.FAMILIES}
    return {
        (sample.name, tuple(sample.labels[label] for label in order[family.name])): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def with_everything(services: Services) -> list[int]:
    """An edition half out with outcomes and an uncertain batch, an event; the ids of what was handed over."""
    make.approved(services, readers=50)
    sending.prepare(services, make.WEEK, by="test", now=make.SEND)
    ids = handed_over(services, batches=3)
    stamp(services, "delivered_at", deliveries=ids[:20])
    stamp(services, "complained_at", deliveries=ids[:1])
    stamp(services, "bounced_at", "hard_bounced_at", deliveries=ids[20:22])
    now = datetime.now(UTC)
    with services.database.writing() as session:
        session.execute(sa.update(Edition).values(begun_at=now))
        last = session.scalar(sa.select(sa.func.max(Batch.id)))
        session.execute(sa.update(Batch).where(Batch.id == last).values(state=BatchState.UNCERTAIN))
        session.add(
            ProviderEvent(
                event_key="1", content_key="1", post=1, kind="open", happened_at=now, received_at=now, raw="{}"
            )
        )
    return ids


def test_the_numbers_are_those_of_status(scripted: Services) -> None:
    """By week and bucket, with the sums and whether they come out."""
    with_everything(scripted)
    found = values(scripted)
    week = make.WEEK

    assert found["digest_edition_candidates", (week,)] == 50
    assert [found["digest_edition_deliveries", (week, b)] for b in ("waiting", "accepted", "uncertain")] == [10, 30, 10]
    assert [found["digest_edition_accepted", (week, b)] for b in ("bounced", "delivered", "unreported")] == [2, 20, 8]
    assert [found["digest_edition_told", (week, w)] for w in ("hard_bounced", "complained", "unexpected")] == [2, 1, 0]
    assert [found["digest_edition_batches", (week, s)] for s in ("pending", "accepted", "uncertain")] == [1, 3, 1]
    assert found["digest_edition_adds_up", (week,)] == 1
    assert found["digest_edition_state", (week, "sending")] == 1
    assert found["digest_batches_uncertain", ()] == 1
    assert found["digest_breaker_counted", (week, "hard_bounces")] == 2
    assert found["digest_breaker_counted_of", (week, "hard_bounces")] == 22
    assert found["digest_breaker_stops_at", (week, "complaints")] == 7
    assert found["digest_events_total", ()] == 1
    assert 0 <= found["digest_event_last_age_seconds", ()] < 60


def test_what_is_wrong_shows(scripted: Services) -> None:
    """A kill switch left on, an edition the breaker halted, numbers that do not add up."""
    ids = with_everything(scripted)
    quiet = values(scripted)
    stamp(scripted, "bounced_at", "hard_bounced_at", deliveries=ids)
    watching.look(scripted, datetime.now(UTC))
    stamp(scripted, "bounced_at", deliveries=[max(ids) + 1])
    with scripted.database.writing() as session:
        pauses.kill(session, because="wrong links", by="otto@example.com", now=datetime.now(UTC))
    loud = values(scripted)
    shown: list[tuple[str, tuple[str, ...]]] = [
        ("digest_editions_halted", ()),
        ("digest_breaker_halted", (make.WEEK,)),
        ("digest_paused", ("kill switch",)),
        ("digest_edition_adds_up", (make.WEEK,)),
    ]

    assert [(quiet[each], loud[each]) for each in shown] == [(0, 1), (0, 1), (0, 1), (1, 0)]


def test_any_process_gives_the_same_answer(scripted: Services, database_url: str, tmp_path: Path) -> None:
    """Two applications on one database differ in nothing but ages."""
    with_everything(scripted)
    another = make.services(Database(database_url), tmp_path)
    ours, theirs = values(scripted), values(another)
    another.close()

    assert {key: value for key, value in ours.items() if "_age_" not in key[0]} == {
        key: value for key, value in theirs.items() if "_age_" not in key[0]
    }


def test_every_metric_has_help_and_is_documented(sqlite: Database, tmp_path: Path) -> None:
    """docs/metrics.md has a line for each, with its labels, and no line for what there is not."""
    with asking(make.services(sqlite, tmp_path)) as client:
        text = client.get("/metrics").text
    helped = set(re.findall(r"^# HELP (\S+) \S", text, flags=re.MULTILINE))
    table = dict(re.findall(r"^\| `(\w+)` \|([\w, ]*)\|", DOCUMENT.read_text(), flags=re.MULTILINE))
    suffixed = {f"digest_{each.name}{'_total' if each.counter else ''}": each for each in metrics.FAMILIES}

    assert helped == set(suffixed) == set(table)
    assert {name: ", ".join(family.labels) for name, family in suffixed.items()} == {
        name: labels.strip() for name, labels in table.items()
    }


def test_alarms_in_the_document_name_metrics_there_are() -> None:
    """Three rules to begin with."""
    rules = re.findall(r"expr: (.*)", DOCUMENT.read_text())
    named = {name for rule in rules for name in re.findall(r"digest_\w+", rule)}

    assert len(rules) == 3
    assert named <= {f"digest_{family.name}" for family in metrics.FAMILIES}


def test_labels_stay_few(scripted: Services) -> None:
    """However many editions there were, only the newest are told."""
    with_everything(scripted)
    with scripted.database.writing() as session:
        first = editions.find(session, make.WEEK)
        kept = ("state", "window_start", "window_end", "planned_at", "send_at", "rules", "created_at", "prepared_at")
        for number in range(1, 8):
            values_of = {name: getattr(first, name) for name in kept}
            session.add(Edition(week=f"2026-W{number:02}", candidates=0, **values_of))
    weeks = {labels[0] for name, labels in values(scripted) if name == "digest_edition_candidates"}

    assert weeks == {make.WEEK, "2026-W07", "2026-W06"}
    assert len(weeks) == gauges.NEWEST


def test_old_tables_are_said_and_nothing_else(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that is behind is an answer, not a failure."""
    monkeypatch.setattr(migrations, "head", lambda: "9999")
    found = values(make.services(sqlite, tmp_path))

    assert found["digest_migrations_current", ()] == 0
    assert {name for name, _ in found} == {"digest_migrations_current", "digest_build_info"}


# — who may read them —

Answer = Callable[..., int]


@pytest.fixture
def answer(sqlite: Database, tmp_path: Path) -> Answer:
    """The status of a request from a peer with headers, with or without a token set."""

    def ask(peer: str, *, token: str | None = None, proxies: str = "", **headers: str | bytes) -> int:
        found = make.services(sqlite, tmp_path, DIGEST_TRUSTED_PROXIES=proxies)
        if token:
            found = make.with_settings(found, digest_metrics_token=SecretStr(token))
        with asking(found, peer) as client:
            named = [(name.replace("_", "-").encode(), _octets(value)) for name, value in headers.items()]
            said = client.get("/metrics", headers=named)
        assert (said.status_code == 200) == ("digest_subscribers" in said.text)
        assert said.headers.get("www-authenticate") == ("Bearer" if said.status_code == 401 else None)
        return int(said.status_code)

    return ask


def _octets(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode()


def test_this_machine_may_read_them(answer: Answer) -> None:
    """By either loopback address, with a token set or not; nobody from elsewhere."""
    assert [answer(HERE), answer("::1"), answer(HERE, token=TOKEN)] == [200, 200, 200]
    assert answer(ELSEWHERE) == 403


def test_whoever_shows_the_token_may_read_them(answer: Answer) -> None:
    """From anywhere; missing, wrong and in the wrong scheme are refused alike."""
    assert answer(ELSEWHERE, token=TOKEN, authorization=f"Bearer {TOKEN}") == 200
    assert answer(ELSEWHERE, token=TOKEN, authorization=f"bearer {TOKEN}") == 200
    for wrong in ("", "Bearer", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN, b"Bearer \xe4"):
        assert answer(ELSEWHERE, token=TOKEN, authorization=wrong) == 401, wrong


def test_what_a_proxy_brings_in_is_not_this_machine(answer: Answer) -> None:
    """A proxy here that nobody named lets no stranger in; through one that is named the client is whom it names."""
    assert answer(HERE, x_forwarded_for=ELSEWHERE) == 403
    assert answer(HERE, x_forwarded_for=HERE) == 403
    assert answer(HERE, forwarded=f"for={ELSEWHERE}") == 403
    assert answer(HERE, proxies="127.0.0.0/8", x_forwarded_for=ELSEWHERE) == 403
    assert answer(HERE, proxies="127.0.0.0/8", x_forwarded_for=ELSEWHERE, token=TOKEN) == 401
    assert answer(HERE, proxies="10.0.0.0/8", x_forwarded_for=ELSEWHERE) == 403
    assert answer("10.0.0.1", proxies="10.0.0.0/8", x_forwarded_for=HERE) == 200
