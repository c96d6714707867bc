"""The two rules of the layout: imports point down, and libraries have homes. One case per file."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# The doors of the paper room; everything else in `digest/` is the story.
DOORS = ("digest/cli/", "digest/web/")

# Decisions: values in, values out. No models, no session, no clock.
PURE = {
    "digest/breaker.py",
    "digest/bars.py",
    "digest/drift.py",
    "digest/differences.py",
    "digest/facts.py",
    "digest/headers.py",
    "digest/json_pieces.py",
    "digest/manuscript.py",
    "digest/sendgrid_events.py",
    "digest/sendgrid_policy.py",
    "digest/safekeeping/last_words.py",
    "digest/letter_caps.py",
    "digest/people/words.py",
    "digest/people/typos.py",
    "digest/personal.py",
    "digest/personas.py",
    "digest/plots.py",
    "digest/providers.py",
    "digest/remarks.py",
    "digest/rendering/introduction.py",
    "digest/rendering/links.py",
    "digest/rendering/glance.py",
    "digest/rendering/simulations.py",
    "digest/score_bars.py",
    "digest/variants.py",
    "digest/waves.py",
    "digest/weeks.py",
    "digest/wording.py",
    "digest/sources/feeds.py",
    "digest/sources/reach.py",
    *(
        str(path.relative_to(ROOT))
        for package in ("pages", "preflight", "selection", "verdicts")
        for path in ROOT.glob(f"digest/{package}/*.py")
    ),
    "subscribers/addresses.py",
    "subscribers/dialects.py",
    "subscribers/links.py",
    "subscribers/policy.py",
    "subscribers/signs.py",
}

HOMES = {
    "fastapi": ("digest/web/",),
    "starlette": ("digest/web/",),
    "uvicorn": ("digest/cli/serve.py",),
    "prometheus_client": ("digest/web/metrics.py",),
    "typer": ("digest/cli/",),
    "rich": ("digest/cli/",),
    "apscheduler": ("scheduler.py",),
    "sendgrid": ("digest/sendgrid_",),
    "python_http_client": ("digest/sendgrid_",),
    "mjml": ("digest/rendering/",),
    "markdown_it": ("digest/rendering/",),
    "alembic": ("digest/migrations/",),
    "dotenv": ("digest/settings.py",),
}
JINJA = ("digest/rendering/", "digest/postman.py", "digest/web/")


def sources() -> list[str]:
    files = [
        ROOT / "database.py",
        ROOT / "scheduler.py",
        *ROOT.glob("digest/**/*.py"),
        *ROOT.glob("subscribers/**/*.py"),
    ]
    return sorted(str(path.relative_to(ROOT)) for path in files if "versions" not in path.parts)


def imports(name: str) -> Iterator[str]:
    """Every module a file imports, inside functions too."""
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def tree(name: str) -> ast.Module:
    return ast.parse((ROOT / name).read_text())


def room(name: str) -> str:
    if name.startswith(DOORS):
        return "door"
    return name.partition("/")[0].removesuffix(".py")


def is_ours(module: str, top: str) -> bool:
    return module == top or module.startswith(f"{top}.")


@pytest.mark.parametrize("name", sources())
def test_imports_point_down(name: str) -> None:
    """scheduler → doors → story → subscribers → database, and never the other way."""
    forbidden = {
        "database": ("digest", "subscribers", "scheduler"),
        "subscribers": ("digest", "scheduler"),
        "digest": ("scheduler", "digest.cli", "digest.web"),
        "scheduler": ("digest.cli", "digest.web"),
        "door": ("digest.cli", "scheduler") if name.startswith("digest/web/") else (),
    }[room(name)]
    # The two that hold the strings: serving starts the clock and the web application, `python -m digest` the command.
    if name == "digest/__main__.py":
        forbidden = ()
    if name.startswith("digest/cli/") and name != "digest/cli/serve.py":
        forbidden = ("scheduler", "digest.web")
    broken = {module for module in imports(name) for top in forbidden if is_ours(module, top)}

    assert set() == broken


@pytest.mark.parametrize("name", sources())
def test_libraries_stay_at_home(name: str) -> None:
    """Each outside library is used in its own corner, so that it can be replaced there."""
    used = set(imports(name))
    astray = {
        library
        for library, homes in {**HOMES, "jinja2": JINJA}.items()
        if any(is_ours(module, library) for module in used) and not name.startswith(homes)
    }

    assert set() == astray


@pytest.mark.parametrize("name", sources())
def test_the_environment_is_read_in_one_place(name: str) -> None:
    """Only settings.py knows that there is an environment."""
    reads = {
        node.attr
        for node in ast.walk(tree(name))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and (node.value.id, node.attr) in {("os", "environ"), ("os", "getenv")}
    }

    assert not reads or name == "digest/settings.py"


@pytest.mark.parametrize("name", [name for name in sources() if room(name) in ("digest", "subscribers", "database")])
def test_the_story_is_told_the_time(name: str) -> None:
    """`now` is a parameter: nobody below the doors looks at a clock."""
    clocks = {
        f"{node.value.id}.{node.attr}"
        for node in ast.walk(tree(name))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and (node.value.id, node.attr)
        in {("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today"), ("time", "time")}
    }

    assert set() == clocks


@pytest.mark.parametrize("name", sorted(PURE))
def test_decisions_touch_nothing(name: str) -> None:
    """No models, no session, no engine in a pure module."""
    touched = {
        module
        for module in imports(name)
        if is_ours(module, "sqlalchemy") or is_ours(module, "database") or module.endswith(".models")
    }

    assert set() == touched
