"""The built wheel is a whole program: templates, migrations, samples and console scripts are in it."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def clean_venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with nothing of this folder in it but the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    _run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", str(folder), str(ROOT)]
    )
    [wheel] = folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    _run([str(python), "-m", "pip", "install", "-q", "--no-deps", "--no-index", str(wheel)])
    # The dependencies come from where the tests run, so that this works without a network. An editable install of
    # the project itself stays out: path files are only followed in a folder of site's own.
    [site_packages] = (folder / "venv").glob("lib/python*/site-packages")
    (site_packages / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return folder / "venv"


def _run(command: list[str], cwd: Path | None = None) -> str:
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH" and not k.startswith(("DIGEST_", "SENDGRID_"))}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_installed_program_plays_the_demo(clean_venv: Path, tmp_path: Path) -> None:
    """Far from the source, the console script delivers a whole edition."""
    # A folder of the user's own with our names in it must not be picked up.
    (tmp_path / "templates").mkdir()
    said = _run([str(clean_venv / "bin" / "digest"), "demo", "--dir", str(tmp_path / "demo")], cwd=tmp_path)

    assert "accepted 10 of 10 deliveries; the numbers add up" in said
    assert 10 == len(list((tmp_path / "demo" / "outbox").glob("2026-W47/*/*.eml")))


def test_the_installed_clock_lists_its_jobs(clean_venv: Path, tmp_path: Path) -> None:
    """The clock has a console script of its own."""
    said = _run([str(clean_venv / "bin" / "digest-clock"), "--list"], cwd=tmp_path)

    assert "gather" in said
    assert "send" in said


def test_nothing_is_imported_from_the_source_folder(clean_venv: Path, tmp_path: Path) -> None:
    """The wheel stands alone."""
    said = _run(
        [str(clean_venv / "bin" / "python"), "-c", "import digest, database; print(digest.__file__)"], cwd=tmp_path
    )

    assert str(clean_venv) in said
