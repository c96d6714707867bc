"""Bearer tokens: shown once, good for what they name, worth nothing once revoked."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from database import Database
from digest.models import ApiToken, AuditLine
from digest.staff import tokens
from digest.staff.tokens import USE_NOTED_EVERY

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


def made(database: Database, *scopes: str) -> tuple[ApiToken, str]:
    with database.writing() as session:
        return tokens.make(session, "the site", scopes or ("editions:read",), now=NOW)


def found(database: Database, text: str) -> ApiToken | None:
    with database.reading() as session:
        return tokens.find(session, text, now=NOW)


def test_a_token_is_found_by_its_text(database: Database) -> None:
    """256 random bits behind `vd_`; the table holds its hash and its scopes, once each and sorted."""
    token, text = made(database, "editions:read", "comparisons:write", "editions:read")

    assert re.fullmatch(r"vd_[A-Za-z0-9_-]{43}", text)
    assert text not in vars(token).values()
    again = found(database, text)
    assert again is not None
    assert (token.id, ["comparisons:write", "editions:read"]) == (again.id, again.scopes)


def test_a_revoked_token_is_as_good_as_unknown(database: Database) -> None:
    """At once, and for ever; revoking it twice is refused."""
    token, text = made(database)
    with database.writing() as session:
        tokens.revoke(session, token.id, now=NOW, by="staff 1")

    assert found(database, text) is None
    assert tokens.shown(database, text, now=NOW) is None
    for number in (token.id, 999):
        with pytest.raises(tokens.NoSuchToken), database.writing() as session:
            tokens.revoke(session, number, now=NOW)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.text(), st.from_regex(r"vd_[A-Za-z0-9_-]{43}", fullmatch=True)))
def test_any_other_text_is_no_token(sqlite: Database, text: str) -> None:
    """And no failure."""
    assert found(sqlite, text) is None


@pytest.mark.parametrize(
    ("name", "scopes"),
    [
        ("", ["editions:read"]),
        (" \n", ["editions:read"]),
        ("x" * 101, ["editions:read"]),
        ("a\u202eb", ["editions:read"]),
        ("the site", []),
        ("the site", ["editions:write"]),
        ("the site", ["editions:read", "*"]),
    ],
)
def test_a_token_needs_a_name_and_known_scopes(database: Database, name: str, scopes: list[str]) -> None:
    """Nothing is made otherwise."""
    with pytest.raises(tokens.BadToken), database.writing() as session:
        tokens.make(session, name, scopes, now=NOW)
    with database.reading() as session:
        assert [] == list(tokens.every(session))


def test_use_is_noted_once_a_minute(database: Database) -> None:
    """A busy program must not cost a write for each request."""
    _, text = made(database)

    def used_after(moment: datetime) -> datetime | None:
        assert tokens.shown(database, text, now=moment) is not None
        with database.reading() as session:
            return session.scalars(sa.select(ApiToken.last_used_at)).one()

    assert used_after(NOW) == NOW
    assert used_after(NOW + USE_NOTED_EVERY - timedelta(seconds=1)) == NOW
    assert used_after(NOW + USE_NOTED_EVERY) == NOW + USE_NOTED_EVERY


def test_making_and_revoking_are_noted(database: Database) -> None:
    """With the scopes, without the text."""
    token, _ = made(database)
    with database.writing() as session:
        tokens.revoke(session, token.id, now=NOW, by="staff 4")
        lines = session.scalars(sa.select(AuditLine).order_by(AuditLine.id)).all()

    assert [("command line", "token made", "token 1"), ("staff 4", "token revoked", "token 1")] == [
        (line.by, line.what, line.about) for line in lines
    ]
    assert {"scopes": ["editions:read"]} == lines[0].details


def test_all_tokens_are_listed(database: Database) -> None:
    """Revoked ones too, the newest first; the audit log calls them by their names."""
    made(database)
    made(database)
    with database.reading() as session:
        assert [2, 1] == [token.id for token in tokens.every(session)]
        assert tokens.names(session)["token 2"] == "the site (token 2)"
