"""Wiring: the secret beside a SQLite database."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from digest.bootstrap import SecretUnreadable, bootstrap
from digest.settings import Settings


def wired(folder: Path) -> str:
    """The id of the key that a program in this folder signs with."""
    services = bootstrap(Settings.from_env({"DATABASE_URL": f"sqlite:///{folder / 'digest.db'}"}))
    services.close()
    return services.links.key_ids[0]


def test_a_secret_is_made_once(tmp_path: Path) -> None:
    """The first start makes it, readable by its owner only; the second reads the same."""
    first = wired(tmp_path)

    assert first == wired(tmp_path)
    assert 0o600 == stat.S_IMODE((tmp_path / ".digest-secret").stat().st_mode)


@pytest.mark.parametrize("content", ["", "garbage"])
def test_a_damaged_secret_signs_nothing(tmp_path: Path, content: str) -> None:
    """A truncated file would silently void every link ever mailed."""
    (tmp_path / ".digest-secret").write_text(content)
    with pytest.raises(SecretUnreadable, match="is damaged"):
        wired(tmp_path)
