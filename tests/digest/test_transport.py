"""The outbox: whole batches of whole mails, each once; and the one mail a recipient gets."""

from __future__ import annotations

import email
import email.policy
import os
import re
import signal
import subprocess
import sys
import textwrap
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.transport import Misconfigured, Outbox, Outgoing, message_for
from tests.make_outgoing import GREETING, LINK, outgoing, paper, recipient

AT = datetime(2026, 11, 20, 9, 0, 30, tzinfo=UTC)
ROOT = Path(__file__).parents[2]
LONG_LINK = f"https://verdicts.example.com/unsubscribe/{'k1' * 60}"


def read(path: Path) -> EmailMessage:
    mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


def parsed(mail: EmailMessage) -> EmailMessage:
    """As whoever receives its bytes reads it."""
    found = email.message_from_bytes(bytes(mail), policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    assert not found.defects
    return found


def content(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part is not None
    assert not part.defects
    return str(part.get_content()).replace("\r\n", "\n")


def post(box: Outbox, out: Outgoing) -> None:
    box.post(box.build(out))


def files(box: Outbox) -> list[Path]:
    return sorted(box.folder.rglob("*.eml"))


def posted(tmp_path: Path, out: Outgoing) -> EmailMessage:
    box = Outbox(tmp_path)
    post(box, out)
    return read(files(box)[0])


# — one mail —


def test_one_of_each_header(tmp_path: Path) -> None:
    """A mail program that finds two of one kind believes neither."""
    mail = posted(tmp_path, outgoing(of=paper(headers={"List-ID": "<v.example.com>", "Precedence": "bulk"})))

    assert Counter(name.lower() for name in mail.keys()).most_common(1)[0][1] == 1  # noqa: SIM118 - all of them
    assert {"From", "To", "Reply-To", "Subject", "Message-ID", "MIME-Version", "List-ID", "Precedence"} <= set(mail)
    assert not mail.defects
    assert [str(each) for each in mail["To"].addresses] == ["reader1@example.com"]
    assert mail["From"].addresses[0].display_name == "Weekly AI Tool Verdicts"


def test_the_domain_of_another_script_is_written_in_ascii() -> None:
    """As mail servers speak it: an encoded word inside an address reaches nobody."""
    reader = recipient(email="ada@bücher.example")

    assert b"\r\nTo: ada@xn--bcher-kva.example\r\n" in bytes(message_for(outgoing(reader), reader))


def test_the_date_is_the_hand_over() -> None:
    """RFC 5322: the time somebody said it is ready to go."""
    out = outgoing()
    dated = Outgoing(out.edition, out.batch, out.attempt, out.paper, out.recipients, at=AT)

    assert parsed(message_for(dated, out.recipients[0]))["Date"].datetime == AT


@pytest.mark.parametrize("length", [20, 120, 300])
def test_list_unsubscribe_is_one_line_as_it_is(length: int) -> None:
    """However long the link: not folded, not encoded, or no reader's one-click button works."""
    url = f"https://verdicts.example.com/{'u' * length}"
    wanted = f"<{url}>, <mailto:unsubscribe@example.com?subject={'u' * length}>"
    reader = recipient(headers={"List-Unsubscribe": wanted, "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"})
    raw = bytes(message_for(outgoing(reader), reader))

    assert f"List-Unsubscribe: {wanted}\r\n".encode() in raw
    assert b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in raw


def test_no_line_is_too_long() -> None:
    """998 octets at most, CRLF after each, ASCII throughout (RFC 5322)."""
    long = paper(text=f"{GREETING} {'ä' * 4000}\n{LINK}\n", html=f"<p>{'ö' * 4000}{GREETING}</p>{LINK}")
    reader = recipient()
    raw = bytes(message_for(outgoing(reader, of=long), reader))

    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert raw.isascii()


PRINTED = st.text(st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n"), min_size=1, max_size=400)


@given(text=PRINTED, html=PRINTED)
def test_both_parts_are_the_rendering_with_its_fields_filled(text: str, html: str) -> None:
    """Whatever is printed: quoted-printable and back changes not a character, and text comes before HTML."""
    reader = recipient()
    of = paper(text=f"{GREETING} {text}\n{LINK}\n", html=f"<p>{GREETING} {html}</p>{LINK}")
    mail = parsed(message_for(outgoing(reader, of=of), reader))
    link = reader.substitutions[LINK]

    assert content(mail, "plain") == f"Hello Reader 1, you {text}\n{link}\n"
    assert content(mail, "html") == f"<p>Hello Reader 1, you {html}</p>{link}"
    assert mail.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]


def test_plain_text_only_is_one_part(tmp_path: Path) -> None:
    """Who wishes no HTML gets none, and no multipart around the text either."""
    text = f"{GREETING} – “drôle”, 90 % = 9/10\n{LINK}\n"
    mail = posted(tmp_path, outgoing(of=paper(text=text, html=None)))

    assert mail.get_content_type() == "text/plain"
    assert mail["Content-Transfer-Encoding"] == "quoted-printable"
    assert str(mail.get_content()).replace("\r\n", "\n").startswith("Hello Reader 1, you – “drôle”, 90 % = 9/10\n")


def test_the_subject_survives(tmp_path: Path) -> None:
    """Personal fields filled, other scripts and long ones whole."""
    subject = f"{GREETING}: Žáček trumps 計算機 – {'long ' * 40}end"
    mail = posted(tmp_path, outgoing(of=paper(subject=subject)))

    assert mail["Subject"] == subject.replace(GREETING, "Hello Reader 1, you")


def test_the_same_delivery_is_the_same_bytes() -> None:
    """Nothing random: two attempts at one delivery cannot be told apart; two deliveries can."""
    first, again = outgoing(attempt=1, count=2), outgoing(attempt=2, count=2)
    raw = [bytes(message_for(out, out.recipients[0])) for out in (first, again)]
    other = message_for(first, first.recipients[1])

    assert raw[0] == raw[1]
    assert message_for(first, first.recipients[0])["Message-ID"] != other["Message-ID"]


# — a batch —


def test_a_file_for_each_delivery(tmp_path: Path) -> None:
    """Named by delivery and reader, in a folder for the batch, in a folder for the edition."""
    box = Outbox(tmp_path / "outbox")
    post(box, outgoing(count=3, first=8))

    assert [str(path.relative_to(box.folder)) for path in files(box)] == [
        "2026-W47/batch-00007/0000008-reader8-at-example.com.eml",
        "2026-W47/batch-00007/0000009-reader9-at-example.com.eml",
        "2026-W47/batch-00007/0000010-reader10-at-example.com.eml",
    ]


@pytest.mark.parametrize(
    "address",
    [
        "../../etc/passwd@example.com",
        "/etc/cron.d/x@example.com",
        ".hidden@example.com",
        "o'neil+tag@example.com",
        '"a b"@example.com',
        f"{'long' * 16}@{'name.' * 40}com",
        "nul\x00@example.com",
        "ünï@example.com",
        "-rf@example.com",
        "*?<>|:@example.com",
    ],
)
def test_odd_addresses_stay_in_their_folder(tmp_path: Path, address: str) -> None:
    """A file name of plain characters, of bearable length, in the batch's own folder."""
    box = Outbox(tmp_path / "outbox")
    box.post(box.build(outgoing(recipient(email="fine@example.com"), batch=1)))
    from digest.transport import _file_name

    name = _file_name(recipient(email=address))
    assert re.fullmatch(r"0000001-[A-Za-z0-9._+-]{1,80}\.eml", name)
    assert (box.folder / "x" / name).resolve().parent == (box.folder / "x").resolve()


def test_two_odd_addresses_never_share_a_file(tmp_path: Path) -> None:
    """Addresses that read alike without their odd characters are two deliveries, so two files."""
    box = Outbox(tmp_path)
    post(box, outgoing(recipient(1, email="a!b@example.com"), recipient(2, email="a?b@example.com")))

    assert len(files(box)) == 2


def test_a_second_post_changes_nothing(tmp_path: Path) -> None:
    """Posted again, by another attempt and with another reader in it: what was accepted stays as it was."""
    box = Outbox(tmp_path)
    post(box, outgoing(count=2))
    before = {path: path.read_bytes() for path in files(box)}
    post(box, outgoing(count=3, attempt=2))

    assert {path: path.read_bytes() for path in files(box)} == before
    assert [path.name for path in (tmp_path / "2026-W47").iterdir()] == ["batch-00007"]


def test_evidence_is_what_is_there(tmp_path: Path) -> None:
    """Before: not taken. After: taken, whichever attempt asks, and nothing is left beside it."""
    box = Outbox(tmp_path)
    assert box.evidence(edition="2026-W47", batch=7, attempt=1) is False
    post(box, outgoing())

    (tmp_path / "2026-W47" / ".batch-00007.1").mkdir()
    assert box.evidence(edition="2026-W47", batch=7, attempt=9) is True
    assert [path.name for path in (tmp_path / "2026-W47").iterdir()] == ["batch-00007"]
    assert box.evidence(edition="2026-W47", batch=8, attempt=1) is False
    assert box.evidence(edition="2026-W48", batch=7, attempt=1) is False


KILLED_BEFORE = """
    import os, signal, sys
    from pathlib import Path
    from digest import transport
    from tests.make_outgoing import outgoing

    def kill(*_):
        os.kill(os.getpid(), signal.SIGKILL)

    transport.{step} = kill
    box = transport.Outbox(Path(sys.argv[1]))
    box.post(box.build(outgoing(count=3)))
"""


@pytest.mark.parametrize("step", ["_write_durably", "_sync_folder", "_rename_unless_there"])
def test_a_batch_is_there_whole_or_not_at_all(tmp_path: Path, step: str) -> None:
    """Killed while writing or before the rename: only a dot-folder is left, which is no evidence."""
    script = textwrap.dedent(KILLED_BEFORE).format(step=step)
    died = subprocess.run([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, timeout=60, check=False)
    box = Outbox(tmp_path)

    assert died.returncode == -signal.SIGKILL
    assert [path.name for path in (tmp_path / "2026-W47").iterdir()] == [".batch-00007.1"]
    assert box.evidence(edition="2026-W47", batch=7, attempt=1) is False
    post(box, outgoing(count=3, attempt=2))
    assert len(list((tmp_path / "2026-W47" / "batch-00007").iterdir())) == 3


def test_the_same_attempt_again_starts_afresh(tmp_path: Path) -> None:
    """What a dead process left under the same name is not mixed with what is written now."""
    left = tmp_path / "2026-W47" / ".batch-00007.1"
    left.mkdir(parents=True)
    (left / "0000009-stranger.eml").write_text("half a ma")
    box = Outbox(tmp_path)
    post(box, outgoing())

    assert [path.name for path in files(box)] == ["0000001-reader1-at-example.com.eml"]


@pytest.mark.parametrize("what", ["a file", "a folder below a file"])
def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path, what: str) -> None:
    """Nothing was taken, in a sentence that names the folder and the reason."""
    (tmp_path / "taken").write_text("")
    box = Outbox(tmp_path / "taken" if what == "a file" else tmp_path / "taken" / "outbox")

    with pytest.raises(Misconfigured, match=r"^The outbox \S+ cannot be written: [A-Z][a-z ]+\."):
        post(box, outgoing())
    assert box.evidence(edition="2026-W47", batch=7, attempt=1) is False


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_forbidden_folder_is_said(tmp_path: Path) -> None:
    """No permission is one more way of not being able to write."""
    tmp_path.chmod(0o500)

    with pytest.raises(Misconfigured, match="Permission denied"):
        post(Outbox(tmp_path / "outbox"), outgoing())
    tmp_path.chmod(0o700)


def test_an_outbox_of_another_database_is_not_taken_for_ours(tmp_path: Path) -> None:
    """A new database counts from one again: what lies there from an older one is said, not called accepted."""
    box = Outbox(tmp_path)
    post(box, outgoing())
    readers = [
        each._replace(headers={**each.headers, "List-Unsubscribe": f"<https://news.example.com/unsubscribe/{n}>"})
        for n, each in enumerate(outgoing().recipients)
    ]

    with pytest.raises(Misconfigured, match="holds mails of another database"):
        post(box, replace(outgoing(), recipients=readers))
