"""The clock asks the account what the doctor asks, hands nothing over, and preflight reads what it found."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime, timedelta

import sqlalchemy as sa
from pydantic import SecretStr

from digest import checking, examining, jobs
from digest.bootstrap import Services
from digest.models import Examined
from digest.preflight import Problem
from digest.sendgrid_send import SendGrid
from tests import make
from tests.sendgrid_stub import KEY, Stub

NOW = make.CUTOFF + timedelta(minutes=30)
HOUR = timedelta(hours=1)


def through(services: Services, stub: Stub, key: str = KEY) -> Services:
    """The program with an account at the stub."""
    sender = "verdicts@verdicts.example.com"
    settings = services.settings.model_copy(
        update={
            "sendgrid_api_key": SecretStr(key),
            "sendgrid_host": stub.url,
            "digest_from_email": sender,
            "digest_reply_to": sender,
        }
    )
    return replace(services, settings=settings, transport=SendGrid(key, host=stub.url, read=5.0))


def look(services: Services, *, at: datetime = NOW) -> str:
    return jobs.examine(services, jobs.Shift(clock=lambda: at, stop=threading.Event()))


def kept(services: Services) -> dict[str, bool | None]:
    with services.database.reading() as session:
        return {each.name: each.ok for each in session.scalars(sa.select(Examined).order_by(Examined.name))}


def said(services: Services, *, at: datetime = NOW) -> list[Problem]:
    problems = checking.look(services, make.WEEK, now=at).problems
    return [problem for problem in problems if problem.code.startswith("way-out")]


def test_the_outbox_has_no_account_to_ask(services: Services) -> None:
    make.draft(services)

    assert (look(services), kept(services), said(services)) == ("", {}, [])


def test_a_sound_account_is_kept_and_nothing_is_handed_over(services: Services, stub: Stub) -> None:
    """Not even the sandbox mail of the doctor."""
    found = through(services, stub)
    make.draft(found)
    assert [problem.level for problem in said(found)] == ["info"]

    assert "in order" in look(found)

    assert kept(found)["SendGrid key"] is True
    assert "SendGrid sandbox send" not in kept(found)
    assert stub.state()["mail_requests"] == 0


def test_it_is_asked_once_an_hour_however_many_clocks_look(services: Services, stub: Stub) -> None:
    found = through(services, stub)

    assert look(found) != ""
    assert look(found, at=NOW + timedelta(minutes=5)) == ""
    assert look(found, at=NOW + HOUR) != ""


def test_a_key_that_is_not_known_blocks_until_somebody_answers_for_it(services: Services, stub: Stub) -> None:
    found = through(services, stub, key="SG.another")
    make.draft(found)
    look(found)

    key = next(problem for problem in said(found) if problem.where == "way out, SendGrid key")
    assert (key.level, key.final, key.blocks) == ("block", False, True)
    webhook = next(problem for problem in said(found) if problem.where == "way out, SendGrid event webhook")
    assert webhook.level == "warn"


def test_what_was_found_a_day_ago_says_nothing_any_more(services: Services, stub: Stub) -> None:
    found = through(services, stub)
    make.draft(found)
    look(found)

    (problem,) = said(found, at=NOW + timedelta(hours=25))
    assert (problem.level, problem.what) == (
        "info",
        "Nobody has looked at the key, its scopes and the sender’s domain within a day.",
    )


def test_a_provider_that_does_not_answer_does_not_make_a_bad_key_an_unknown_one(services: Services, stub: Stub) -> None:
    """For a day; then nobody knows."""
    look(through(services, stub, key="SG.another"))
    silent = replace(through(services, stub), transport=SendGrid(KEY, host="http://127.0.0.1:9", read=0.5, connect=0.5))

    look(silent, at=NOW + HOUR)
    assert kept(services)["SendGrid key"] is False
    look(silent, at=NOW + timedelta(hours=26))
    assert kept(services)["SendGrid key"] is None


def test_lines_that_are_asked_no_more_go(services: Services, stub: Stub) -> None:
    found = through(services, stub)
    with services.database.writing() as session:
        session.add(Examined(name="SendGrid fences", ok=False, words="old", at=NOW - 2 * HOUR))
    look(found)

    assert "SendGrid fences" not in kept(services)
    assert examining.STALE == timedelta(days=1)
