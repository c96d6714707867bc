"""`digest edition preview --serve` as a process: shows, reloads, says what is wrong, ends."""

from __future__ import annotations

import re
import shutil
import signal
from pathlib import Path

import httpx

from digest.rendering import TEMPLATES
from tests import make, running
from tests.conftest import Program
from tests.digest.drafts import drafted, seen


def test_templates_are_changed_broken_and_mended_while_it_serves(program: Program) -> None:
    """New bytes, the place of a mistake, the mail again; then Ctrl-C, without a word of complaint."""
    services = running.to_the_outbox(program)
    seen(services, make.SEEN, make.comparison(), make.comparison(), make.comparison())
    drafted(services)
    services.close()
    templates = Path(shutil.copytree(TEMPLATES, program.folder / "templates"))
    entry = templates / "edition" / "entry.mjml"
    whole = entry.read_text()
    command = ("-m", "digest", "edition", "preview", make.WEEK, "--serve", "--port", "0", "--templates", "templates")
    with running.started(program, *command) as process:
        said = program.folder / "said.txt"
        running.until(lambda: "Ctrl-C ends it" in said.read_text())
        (address,) = re.findall(r"http://127\.0\.0\.1:\d+", said.read_text())
        states = [state(address)]
        assert "Best for:" in httpx.get(f"{address}/mail").text

        entry.write_text(whole.replace("Best for:", "Right for:"))
        states.append(state(address))
        assert "Right for:" in httpx.get(f"{address}/mail").text

        entry.write_text(whole.replace("<mj-text>", "<mj-txt>", 1))
        states.append(state(address))
        page = httpx.get(address)
        assert page.status_code == 500
        assert "where &lt;/mj-txt&gt; is due" in page.text
        assert re.search(
            r'edition/entry\.mjml</figcaption>.*class="line wrong">[^\n]*&lt;mj-txt&gt;', page.text, re.DOTALL
        )

        entry.write_text(whole)
        states.append(state(address))
        assert "Best for:" in httpx.get(f"{address}/mail").text
        assert len(set(states)) == 4

        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=running.PATIENCE) == 0
        assert "Traceback" not in said.read_text()


def state(address: str) -> str:
    return str(httpx.get(f"{address}/state").json()["state"])


def test_what_cannot_be_served_is_one_sentence(program: Program) -> None:
    for arguments, code, words in (
        (("latest",), 2, "Say either --out DIR"),
        (("latest", "--serve", "--out", "x"), 2, "Say either --out DIR"),
        (("latest", "--out", "x", "--port", "0"), 2, "--host, --port and --templates go with --serve."),
        (("latest", "--serve"), 1, "There is no edition yet"),
        (("latest", "--serve", "--port", "65536"), 2, "65535"),
        (("latest", "--serve", "--templates", "nowhere"), 1, "holds no mail templates"),
    ):
        ended = program("edition", "preview", *arguments)
        assert (ended.returncode, words in ended.stderr) == (code, True), ended.stderr
