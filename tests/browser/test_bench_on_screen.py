"""The template bench as somebody has it beside the editor."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from database import Database
from digest.rendering import TEMPLATES
from digest.template_bench import Bench
from digest.web.bench import create_bench
from tests import make, running
from tests.digest.drafts import drafted, seen

pytestmark = pytest.mark.browser


@dataclass
class Served:
    address: str
    templates: Path

    def change(self, name: str, old: str, new: str) -> None:
        path = self.templates / "edition" / name
        before = path.read_text()
        assert old in before
        path.write_text(before.replace(old, new, 1))


@pytest.fixture
def bench(sqlite: Database, tmp_path: Path) -> Iterator[Served]:
    services = make.services(sqlite, tmp_path)
    seen(services, make.SEEN, make.comparison(), make.comparison(), make.comparison())
    drafted(services)
    templates = Path(shutil.copytree(TEMPLATES, tmp_path / "templates"))
    app = create_bench(Bench(services, make.WEEK, templates=templates), host="127.0.0.1")
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield Served(f"http://127.0.0.1:{listening.getsockname()[1]}", templates)
        finally:
            server.should_exit = True
            thread.join(timeout=10)


def test_it_reloads_by_itself_breaks_and_recovers(bench: Served, chromium: Browser) -> None:
    """Nobody touches the page: a saved template is in both frames, a mistake is shown, mended it is gone."""
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    page.goto(bench.address)
    phone = page.frame_locator("iframe[title='The mail on a phone']")
    expect(phone.get_by_role("heading", name="The scoreboard")).to_be_visible()
    page.evaluate("scrollTo(0, 700)")

    bench.change("body.mjml", "The scoreboard", "The whole week")
    expect(phone.get_by_role("heading", name="The whole week")).to_be_visible()
    running.until(lambda: page.evaluate("scrollY") == 700)

    bench.change("entry.mjml", "summary.headline|prose", "summary.headlin|prose")
    expect(page.get_by_role("alert")).to_contain_text("edition/entry.mjml, line ")
    expect(page.locator(".line.wrong")).to_contain_text("summary.headlin|prose")
    assert page.title().startswith("✗ ")

    bench.change("entry.mjml", "summary.headlin|prose", "summary.headline|prose")
    expect(phone.get_by_role("heading", name="The whole week")).to_be_visible()
    page.close()


@pytest.mark.parametrize("broken", [False, True])
def test_nothing_serious_stands_in_anybodys_way(bench: Served, chromium: Browser, *, broken: bool) -> None:
    """By the accessibility checker, whole and broken, in light and dark, wide and narrow; no sideways scroll."""
    if broken:
        bench.change("foot.mjml", "<mj-column", "<mj-colum")
    for width, scheme in ((1280, "light"), (1280, "dark"), (375, "light"), (375, "dark")):
        page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
        page.goto(f"{bench.address}/?scheme={scheme}")
        expect(page.locator("#watching")).to_contain_text("Reloads by itself")
        found = Axe().run(page).response["violations"]
        grave = [violation for violation in found if violation["impact"] in {"serious", "critical"}]
        assert not [(width, scheme, violation["id"], violation["nodes"][0]["html"]) for violation in grave]
        assert page.evaluate("document.documentElement.scrollWidth") == width
        page.close()


def test_the_frames_are_as_high_as_the_mail(bench: Served, chromium: Browser) -> None:
    """One scroll bar moves everything."""
    page = chromium.new_page(viewport={"width": 1280, "height": 900})
    page.goto(bench.address)
    tall = "[...document.querySelectorAll('iframe')].every(frame => frame.height > 1000)"
    running.until(lambda: page.evaluate(tall))

    hidden = "frame => frame.contentDocument.documentElement.scrollHeight - frame.clientHeight"
    assert page.evaluate(f"[...document.querySelectorAll('iframe')].map({hidden})") == [0, 0]
    page.close()
