"""The desk: what is shown to whom, every change in both its forms; nothing is lost, doubled or done by looking."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from httpx import Response

from digest import approving, editing, editions, intake, library
from digest.bootstrap import Services
from digest.manuscript import Manuscript
from digest.models import Batch, BatchState, Comparison, Correction, Edition, EditionState, Role
from digest.selection import Rules
from digest.staff import add_staff
from digest.web.desk import words
from tests import make
from tests.web.scanning import dump
from tests.web.staff_client import sign_in

PAGE = f"/desk/{make.WEEK}"
EDITS, UNDO = f"{PAGE}/edits", f"{PAGE}/undo"
JSON = {"Accept": "application/json"}
HOSTILE = """<script>alert(1)</script> "><img src=x> {{7*7777}} \u202e\x00 it's"""
LOOKING = ("/desk", "/desk?before=2026-W48", PAGE, f"{PAGE}?shown=outside+history", f"{PAGE}?fragment=revision&since=0")


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def drafted(services: Services) -> Services:
    """A draft of three entries with two comparisons passed over; Otto is on the staff."""
    found = make.with_settings(services, digest_max_entries=3)
    make.draft(found, entries=5)
    with found.database.writing() as session:
        make.audience(session, 3)
        add_staff(session, "otto@example.com", Role.ADMIN, now=now())
    return found


@pytest.fixture
def edda(client: TestClient, drafted: Services) -> TestClient:
    sign_in(client, drafted, Role.EDITOR)
    return client


def read(services: Services) -> Manuscript:
    with services.database.reading() as session:
        return editing.read(session, editions.find(session, make.WEEK))


def state(services: Services) -> EditionState:
    with services.database.reading() as session:
        return editions.find(session, make.WEEK).state


def otto(services: Services) -> str:
    """How the log names him."""
    with services.database.writing() as session:
        return f"staff {add_staff(session, 'otto@example.com', Role.ADMIN, now=now()).id}"


def passed_over(services: Services) -> int:
    with services.database.reading() as session:
        edition = editions.find(session, make.WEEK)
        return next(row.comparison_id for row, _ in editions.considered_by_name(session, edition) if not row.chosen)


def text(answer: Response) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", answer.text).split())


def spelled(order: tuple[int, ...]) -> str:
    return " ".join(map(str, order))


def an_edition(services: Services, week: str, state: EditionState, **given: object) -> int:
    with services.database.writing() as session:
        found = Edition(
            week=week,
            state=state,
            window_start=now(),
            window_end=now(),
            planned_at=make.SEND,
            send_at=make.SEND,
            rules=Rules().model_dump(mode="json"),
            created_at=now(),
            **given,
        )
        session.add(found)
        session.flush()
        return found.id


# — who may —


def test_nobody_signed_out_sees_or_changes_anything(client: TestClient, drafted: Services) -> None:
    before = dump(drafted)

    assert {303} == {client.get(path).status_code for path in LOOKING}
    assert {403} == {client.post(path, data={"act": "drop", "comparison": "1"}).status_code for path in (EDITS, UNDO)}
    assert before == dump(drafted)


def test_operators_are_refused_and_not_offered_it(client: TestClient, drafted: Services) -> None:
    sign_in(client, drafted, Role.OPERATOR)
    client.get("/staff")
    before = dump(drafted)

    assert {403} == {client.get(path).status_code for path in LOOKING}
    assert {403} == {client.post(path, data={"act": "drop", "comparison": "1"}).status_code for path in (EDITS, UNDO)}
    assert 'href="/desk"' not in client.get("/staff").text
    assert before == dump(drafted)


def test_another_site_changes_nothing(edda: TestClient, drafted: Services) -> None:
    edda.get(PAGE)
    before = dump(drafted)
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = edda.post(EDITS, data={"act": "drop", "comparison": str(read(drafted).order[0])}, headers=headers)
        assert answer.status_code == 403

    assert before == dump(drafted)


def test_looking_changes_nothing(edda: TestClient, drafted: Services) -> None:
    edda.get(PAGE)
    before = dump(drafted)

    assert {200} == {edda.get(path).status_code for path in LOOKING}
    assert before == dump(drafted)


# — the shelf —


def test_the_shelf_says_what_each_edition_waits_for(edda: TestClient, drafted: Services) -> None:
    sent = an_edition(drafted, "2026-W46", EditionState.SENT, begun_at=now(), subject="Plumb sweeps the panel")
    an_edition(drafted, "2026-W45", EditionState.SKIPPED, why="a holiday")
    with drafted.database.writing() as session:
        batch = Batch(edition_id=sent, variant="all", first_delivery=1, last_delivery=1204, attempt=1)
        batch.state, batch.accepted_at = BatchState.ACCEPTED, now()
        session.add(batch)
    editing.write(
        drafted.database, make.WEEK, "subject", was=read(drafted).subject, words="Mine", by=otto(drafted), now=now()
    )

    said = text(edda.get("/desk"))

    assert said.index("2026-W47") < said.index("2026-W46") < said.index("2026-W45")
    assert "3 entries · 1 edit, the last by otto@example.com ," in said
    assert "Waits for approval" in said
    assert "Sent: 1,204 of 1,204 accepted. Read its report" in said
    assert "Skipped: this week has no edition. A holiday" in said


def test_an_empty_shelf_says_how_the_first_edition_comes(client: TestClient, services: Services) -> None:
    sign_in(client, services, Role.EDITOR)

    assert "drafted by itself at the weekly cut-off, Thursday 18:00" in text(client.get("/desk"))


def test_the_shelf_has_pages(client: TestClient, services: Services) -> None:
    sign_in(client, services, Role.EDITOR)
    for week in range(1, 23):
        an_edition(services, f"2026-W{week:02}", EditionState.SKIPPED)

    first = client.get("/desk")
    assert ("2026-W03" in first.text, "2026-W02" in first.text) == (True, False)
    assert 'href="/desk?before=2026-W03"' in first.text
    second = client.get("/desk?before=2026-W03")
    assert ("2026-W02" in second.text, "2026-W03," in second.text) == (True, False)
    assert client.get("/desk?before=nonsense").status_code == 200


# — one edition —


def test_the_page_has_all_one_needs_to_judge(edda: TestClient, drafted: Services) -> None:
    """Each entry with its reason; what was passed over with its own, near misses first; the preview beside it."""
    found, said = read(drafted), text(edda.get(PAGE))

    for entry in found.entries:
        assert entry.facts.headline in said
    assert len(re.findall(r"Rank \d+ · \d+ points", said)) == 5
    assert "Passed over 2" in said
    assert f'src="{PAGE}/mail?variant=all&amp;view=html"' in edda.get(PAGE).text
    assert "frame-src 'self'" in edda.get(PAGE).headers["content-security-policy"]


@pytest.mark.parametrize("week", ["2026-W99", "nonsense", "2026-W46", "%00", "9" * 300])
def test_a_week_without_an_edition_is_not_found(edda: TestClient, week: str) -> None:
    assert edda.get(f"/desk/{week}").status_code == 404
    assert edda.post(f"/desk/{week}/edits", data={"act": "drop", "comparison": "1"}).status_code == 404
    assert edda.post(f"/desk/{week}/undo", headers=JSON).status_code == 404


def test_the_latest_is_the_newest(edda: TestClient) -> None:
    answer = edda.get("/desk/latest")

    assert (answer.status_code, "<h1>2026-W47</h1>" in answer.text) == (200, True)


# — every act, in both forms —


def acts(services: Services) -> dict[str, dict[str, str]]:
    """One form of each act that changes something."""
    found = read(services)
    one, two, three = found.order
    return {
        "write": {"part": f"headline {one}", "was": found.entries[0].summary.headline, "words": "Words of our own"},
        "reorder": {"was_order": spelled(found.order), "order": spelled((three, one, two))},
        "drop": {"comparison": str(two)},
        "bring-in": {"comparison": str(passed_over(services)), "position": "1"},
        "pin": {"comparison": str(one), "on": "yes"},
    }


@pytest.mark.parametrize("act", ["write", "reorder", "drop", "bring-in", "pin"])
def test_an_act_is_done_and_leads_back_to_the_page(edda: TestClient, drafted: Services, act: str) -> None:
    before = read(drafted)
    answer = edda.post(EDITS, data={"act": act, **acts(drafted)[act]})

    assert answer.status_code == 303
    assert answer.headers["location"].startswith(f"{PAGE}?done=saved")
    assert before != read(drafted)
    assert "Saved." in text(edda.get(answer.headers["location"]))


@pytest.mark.parametrize("act", ["write", "reorder", "drop", "bring-in", "pin"])
def test_an_act_is_told_to_a_script(edda: TestClient, drafted: Services, act: str) -> None:
    answer = edda.post(EDITS, data={"act": act, **acts(drafted)[act]}, headers=JSON)

    said = answer.json()
    assert (said["saved"], said["changed"], said["revision"], said["voided"]) == (True, True, 1, False)
    assert said["undo"] == {"what": said["what"], "revision": 1}
    assert said["words"] == ("Words of our own" if act == "write" else None)


@pytest.mark.parametrize("act", ["write", "reorder", "drop", "bring-in", "pin"])
def test_an_act_sent_twice_is_done_once(edda: TestClient, drafted: Services, act: str) -> None:
    form = {"act": act, **acts(drafted)[act]}
    edda.post(EDITS, data=form)
    after = read(drafted)

    assert edda.post(EDITS, data=form, headers=JSON).json()["changed"] is False
    assert edda.post(EDITS, data=form).headers["location"].startswith(f"{PAGE}?done=unchanged")
    assert after == read(drafted)


@pytest.mark.parametrize("act", ["write", "reorder", "drop", "bring-in", "pin"])
def test_an_act_is_undone_from_the_history(edda: TestClient, drafted: Services, act: str) -> None:
    before = read(drafted)
    edda.post(EDITS, data={"act": act, **acts(drafted)[act]})
    answer = edda.post(UNDO, data={"revision": "1"})

    assert answer.headers["location"] == f"{PAGE}?done=undone"
    assert before == read(drafted)
    assert edda.post(UNDO, data={"revision": "1"}, headers=JSON).status_code == 409
    assert edda.post(UNDO, headers=JSON).status_code == 409
    assert before == read(drafted)


def test_a_text_is_restored(edda: TestClient, drafted: Services) -> None:
    """Only for who saw what stands there."""
    first, part = read(drafted).order[0], f"headline {read(drafted).order[0]}"
    edda.post(EDITS, data={"act": "write", **acts(drafted)["write"]})

    stale = edda.post(EDITS, data={"act": "restore", "part": part, "was": "Something else"}, headers=JSON)
    assert (stale.status_code, stale.json()["current"]) == (409, "Words of our own")
    answer = edda.post(EDITS, data={"act": "restore", "part": part, "was": "Words of our own"})
    assert answer.headers["location"] == f"{PAGE}?done=saved#entry-{first}"
    entry = read(drafted).entry(first)
    assert entry.summary.headline == entry.headline_by_rule


def test_a_changed_page_is_offered_and_taken_over(edda: TestClient, drafted: Services) -> None:
    first = read(drafted).order[0]
    assert "Its page has changed" not in edda.get(PAGE).text
    with drafted.database.writing() as session:
        known = library.comparisons(session, Comparison.id == first)[0].facts
        tools = tuple(each.model_copy(update={"pricing": "$99 a month"}) for each in known.tools)
        intake.take_in(session, known.model_copy(update={"tools": tools}), now=make.CUTOFF)
    assert 1 == edda.get(PAGE).text.count("Its page has changed")

    edda.post(EDITS, data={"act": "refresh", "comparison": str(first)})

    assert {tool.pricing for tool in read(drafted).entry(first).facts.tools} == {"$99 a month"}
    assert "Its page has changed" not in edda.get(PAGE).text


def test_a_correction_is_offered_and_taken_up(edda: TestClient, drafted: Services) -> None:
    number = an_edition(drafted, "2026-W40", EditionState.SENT, begun_at=now())
    with drafted.database.writing() as session:
        session.add(Correction(edition_id=number, at=now(), by="staff 1", words="Plumb costs 9 dollars, not 90."))
        session.flush()
        note = session.scalars(sa.select(Correction.id)).one()
    assert "Plumb costs 9 dollars, not 90." in edda.get(PAGE).text

    edda.post(EDITS, data={"act": "correction", "correction": str(note), "on": "yes"})
    assert read(drafted).corrections == (note,)
    edda.post(EDITS, data={"act": "correction", "correction": str(note)})
    assert read(drafted).corrections == ()
    assert edda.post(EDITS, data={"act": "correction", "correction": "77"}, headers=JSON).status_code == 409


# — two at once —


def test_anothers_words_are_not_overwritten_and_both_are_shown(edda: TestClient, drafted: Services) -> None:
    was = read(drafted).subject
    editing.write(
        drafted.database, make.WEEK, "subject", was=was, words="Otto & his subject", by=otto(drafted), now=now()
    )
    form = {"act": "write", "part": "subject", "was": was, "words": "Edda's subject"}

    told = edda.post(EDITS, data=form, headers=JSON)
    assert (told.status_code, told.json()["current"]) == (409, "Otto & his subject")
    assert re.fullmatch(r"otto@example.com changed this at \d\d:\d\d. Yours is not saved.", told.json()["detail"])
    page = edda.post(EDITS, data=form)
    assert page.status_code == 409
    assert re.search(r"otto@example.com changed this at \d\d:\d\d to “ Otto &amp; his subject ”", text(page))
    assert "Edda&#39;s subject</textarea>" in page.text
    assert "Otto &amp; his subject</textarea>" in page.text
    assert read(drafted).subject == "Otto & his subject"
    assert edda.post(EDITS, data={**form, "was": "Otto & his subject"}).status_code == 303


def test_an_order_that_moved_meanwhile_is_refused(edda: TestClient, drafted: Services) -> None:
    one, two, three = read(drafted).order
    editing.reorder(
        drafted.database, make.WEEK, was=(one, two, three), order=(two, one, three), by=otto(drafted), now=now()
    )
    form = {"act": "reorder", "was_order": spelled((one, two, three)), "order": spelled((three, one, two))}

    assert edda.post(EDITS, data=form, headers=JSON).json()["current"] == [two, one, three]
    assert "otto@example.com changed this at" in text(edda.post(EDITS, data=form))
    assert read(drafted).order == (two, one, three)


def test_words_for_an_entry_that_is_gone_come_back(edda: TestClient, drafted: Services) -> None:
    form = {"act": "write", **acts(drafted)["write"]}
    editing.drop(drafted.database, make.WEEK, read(drafted).order[0], by=otto(drafted), now=now())

    answer = edda.post(EDITS, data=form)

    assert answer.status_code == 409
    assert "This comparison is not in the edition" in text(answer)
    assert "Words of our own" in text(answer)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("headline of entry 2, Axolotl vs Mistral", "Otto changed the headline of entry 2, Axolotl vs Mistral"),
        ("order of the entries", "Otto changed the order of the entries"),
        ("subject as the program wrote it", "Otto put back the subject as the program wrote it"),
        ("taken out: Axolotl vs Mistral", "Otto took out Axolotl vs Mistral"),
        ("no longer pinned: entry 1", "Otto unpinned entry 1"),
        ("selected again by other rules", "Otto selected again by other rules"),
        ("taken back: subject", "Otto took back a change: subject"),
    ],
)
def test_what_others_did_is_a_sentence(what: str, said: str) -> None:
    assert said == words.changed("Otto", what)


def test_others_changes_are_told_cheaply(edda: TestClient, drafted: Services) -> None:
    """Not one's own: those one knows."""
    edda.post(EDITS, data={"act": "pin", "comparison": str(read(drafted).order[0]), "on": "yes"})
    editing.write(drafted.database, make.WEEK, "introduction", was="", words="Hello.", by=otto(drafted), now=now())

    said = edda.get(f"{PAGE}?fragment=revision&since=0").json()
    assert (said["revision"], said["state"], len(said["said"])) == (2, "draft", 1)
    assert re.fullmatch(r"otto@example.com changed the introduction, \d\d:\d\d\.", said["said"][0])
    assert edda.get(f"{PAGE}?fragment=revision&since=2").json()["said"] == []
    for since in ("", "-1", "x", "9" * 40):
        assert edda.get(f"{PAGE}?fragment=revision&since={since}").json()["said"] == []


def test_undo_leaves_alone_what_others_went_on_from(edda: TestClient, drafted: Services) -> None:
    edda.post(EDITS, data={"act": "write", "part": "subject", "was": read(drafted).subject, "words": "Edda's subject"})
    editing.write(
        drafted.database, make.WEEK, "subject", was="Edda's subject", words="Otto's", by=otto(drafted), now=now()
    )

    answer = edda.post(UNDO, data={"revision": "1"})

    assert (answer.status_code, read(drafted).subject) == (409, "Otto's")
    assert "others have gone on from it since" in text(answer)


# — in other states —


def test_an_approved_edition_is_locked_and_leads_to_its_approval(edda: TestClient, drafted: Services) -> None:
    approving.approve(drafted, make.WEEK, by=otto(drafted), send_at=None, seen_hash=None, now=make.APPROVED)

    page = edda.get(PAGE)

    assert re.search(r"Approved by otto@example.com on .*A change voids the approval", text(page))
    assert f'href="{PAGE}/approval">Take the approval back' in page.text
    assert "<textarea" not in page.text
    assert EDITS not in page.text


def test_a_change_from_a_page_loaded_before_voids_the_approval_and_says_so(edda: TestClient, drafted: Services) -> None:
    form = {"act": "write", **acts(drafted)["write"]}
    approving.approve(drafted, make.WEEK, by=otto(drafted), send_at=None, seen_hash=None, now=make.APPROVED)

    assert edda.post(EDITS, data=form).headers["location"].startswith(f"{PAGE}?done=voided")
    assert state(drafted) is EditionState.DRAFT


def test_a_skipped_edition_says_why_and_can_only_be_read(edda: TestClient, drafted: Services) -> None:
    form = {"act": "write", **acts(drafted)["write"]}
    with drafted.database.writing() as session:
        editions.skip(session, editions.find(session, make.WEEK), why="a holiday", by="staff 1", now=now())

    page = edda.get(PAGE)
    assert "Skipped: this week has no edition. A holiday" in text(page)
    assert f'href="{PAGE}/approval">Open it again' in page.text
    refused = edda.post(EDITS, data=form)
    assert refused.status_code == 409
    assert "is skipped, so nothing was changed" in text(refused)
    assert "Words of our own" in text(refused)


def test_what_has_begun_is_not_edited_and_the_words_are_not_lost(edda: TestClient, drafted: Services) -> None:
    form = {"act": "write", **acts(drafted)["write"]}
    approving.approve(drafted, make.WEEK, by=otto(drafted), send_at=None, seen_hash=None, now=make.APPROVED)
    with drafted.database.writing() as session:
        edition = editions.find(session, make.WEEK)
        editions.advance(session, edition, EditionState.SENDING, by="the clock", now=now(), begun_at=now())
    before = dump(drafted)

    answer = edda.post(EDITS, data=form)

    assert answer.status_code == 409
    assert "is sending, so nothing was changed" in text(answer)
    assert "Words of our own" in text(answer)
    assert edda.post(EDITS, data=form, headers=JSON).status_code == 409
    assert before == dump(drafted)


# — nonsense —

NONSENSE: list[dict[str, str]] = [
    {},
    {"act": "explode"},
    {"act": "write"},
    {"act": "write", "part": "headline", "words": "x"},
    {"act": "write", "part": "colour", "words": "x"},
    {"act": "write", "part": "headline 99999999999999999999", "words": "x"},
    {"act": "restore", "part": "order"},
    {"act": "reorder"},
    {"act": "reorder", "was_order": "1 2", "order": "2 -1"},
    {"act": "reorder", "was_order": "", "order": "x y"},
    {"act": "drop"},
    {"act": "drop", "comparison": "-1"},
    {"act": "drop", "comparison": "9" * 30},
    {"act": "bring-in", "comparison": "0"},
    {"act": "pin", "comparison": "١"},
    {"act": "refresh", "comparison": "1e3"},
    {"act": "correction", "correction": ""},
]


@pytest.mark.parametrize("form", NONSENSE)
@pytest.mark.parametrize("headers", [{}, JSON])
def test_nonsense_gets_a_sentence_and_changes_nothing(
    edda: TestClient, drafted: Services, form: dict[str, str], headers: dict[str, str]
) -> None:
    edda.get(PAGE)
    before = dump(drafted)

    answer = edda.post(EDITS, data=form, headers=headers)

    assert answer.status_code in {409, 422}
    assert before == dump(drafted)


@pytest.mark.parametrize("comparison", ["4711", "9223372036854775807"])
@pytest.mark.parametrize("act", ["pin", "refresh", "bring-in"])
def test_what_is_not_there_cannot_be_acted_on(edda: TestClient, drafted: Services, act: str, comparison: str) -> None:
    edda.get(PAGE)
    before = dump(drafted)

    assert edda.post(EDITS, data={"act": act, "comparison": comparison}, headers=JSON).status_code == 409
    assert before == dump(drafted)


@pytest.mark.parametrize("revision", ["0", "77", "x", "9" * 40])
def test_a_revision_that_is_none_undoes_nothing(edda: TestClient, revision: str) -> None:
    assert edda.post(UNDO, data={"revision": revision}, headers=JSON).status_code in {409, 422}
    assert edda.post(UNDO, data={"revision": revision}).status_code in {409, 422}


def test_hostile_words_are_kept_as_words(edda: TestClient, drafted: Services) -> None:
    """Whoever may write may write this; on the page it is text, and no database chokes on it."""
    for part in ("subject", "breath", "introduction", f"headline {read(drafted).order[0]}"):
        with drafted.database.reading() as session:
            found = editing.read(session, editions.find(session, make.WEEK))
        was = {"subject": found.subject, "breath": found.breath, "introduction": ""}.get(
            part, found.entries[0].summary.headline
        )
        form = {"act": "write", "part": part, "was": was, "words": HOSTILE}
        assert edda.post(EDITS, data=form).status_code == 303
    page = edda.get(PAGE)

    assert "<script>alert" not in page.text
    assert "54439" not in page.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text


def test_too_long_a_text_is_refused_with_its_length(edda: TestClient, drafted: Services) -> None:
    form = {"act": "write", "part": "subject", "was": read(drafted).subject, "words": "x" * 301}
    answer = edda.post(EDITS, data=form, headers=JSON)

    assert (answer.status_code, "301 characters" in answer.json()["detail"]) == (422, True)
    assert edda.post(EDITS, data={**form, "words": "x" * 70_000}).status_code == 413


def test_the_longest_introduction_in_any_script_fits(edda: TestClient, drafted: Services) -> None:
    """As the page sends it, in parts: form-encoded it would be too much for the door."""
    words = "字" * 8000
    form = {"act": "write", "part": "introduction", "was": "", "words": words}
    answer = edda.post(EDITS, files={name: (None, value) for name, value in form.items()})

    assert (answer.status_code, read(drafted).introduction) == (303, words)


def test_a_day_later_times_come_with_their_day(edda: TestClient, drafted: Services) -> None:
    then = now() - timedelta(days=2)
    editing.write(drafted.database, make.WEEK, "introduction", was="", words="Hello.", by=otto(drafted), now=then)
    form = {"act": "write", "part": "introduction", "was": "", "words": "Good morning."}

    said = edda.post(EDITS, data=form, headers=JSON).json()["detail"]

    assert re.match(rf"otto@example.com changed this on \w+day {then.day} \w+ {then.year}, \d\d:\d\d\.", said)
