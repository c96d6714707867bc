"""A stand-in for SendGrid for the tests of what speaks to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sendgrid_stub import KEY, Stub, running_stub


@pytest.fixture(scope="module")
def _stub() -> Iterator[Stub]:
    with running_stub(key=KEY) as stub:
        yield stub


@pytest.fixture
def stub(_stub: Stub) -> Stub:
    """Forgets between two tests what it was told and what it took."""
    _stub.reset()
    return _stub
