"""Lists of people in and out."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import count

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from database import Database
from subscribers import consent, roster, transfer
from subscribers.consent import NoBasis
from subscribers.letters import LetterOwed
from subscribers.models import ConsentEvent, RefusedAddress, Subscriber
from subscribers.policy import Act, State
from subscribers.spreadsheets import BadLine, UnreadableFile
from subscribers.transfer import Report
from tests.subscribers.cast import ADA, BEN, CLEO, DOV, NOW, confirmed, everyone, good_link, newcomer, suppressed

_numbers = count()


class Import:
    """One import, with what it told its door."""

    def __init__(
        self, database: Database, text: str | bytes, *, basis: str | None = None, dry_run: bool = False
    ) -> None:
        self.bad: list[BadLine] = []
        self.left_there: list[BadLine] = []
        self.letters: list[LetterOwed] = []
        self.chunks: list[int] = []
        self.report: Report = transfer.bring_in(
            database,
            io.BytesIO(text if isinstance(text, bytes) else text.encode()),
            basis=basis,
            now=NOW,
            source="import of list.csv",
            owe=self._owe,
            on_bad=self.bad.append,
            on_left_there=self.left_there.append,
            on_chunk=self.chunks.append,
            dry_run=dry_run,
        )

    def _owe(self, session: Session, letters: Sequence[LetterOwed]) -> None:
        assert session.in_transaction()
        self.letters += letters

    def adds_up(self) -> bool:
        said = self.report
        left_alone = said.unchanged.total() + said.left_there.total()
        parts = said.added + said.confirmed + left_alone + said.duplicates + said.bad
        is_whole = said.lines == parts == sum(self.chunks)
        return is_whole and said.bad == len(self.bad) and said.left_there.total() == len(self.left_there)


def everybody(database: Database) -> dict[str, Subscriber]:
    with database.reading() as session:
        return {person.email: person for person in roster.everybody(session)}


def test_without_a_basis_people_are_pending_and_owed_a_letter(database: Database) -> None:
    """Nobody is mailed an edition before they have pressed a button themselves."""
    done = Import(database, "email,name\nAda@example.com,Ada\nben@example.com,\n")

    people = everybody(database)
    assert {person.state for person in people.values()} == {State.PENDING}
    assert [(letter.kind, letter.email) for letter in done.letters] == [
        ("confirm", "Ada@example.com"),
        ("confirm", BEN),
    ]
    assert (done.report.added, done.report.letters, done.report.lines) == (2, 2, 2)
    assert people["Ada@example.com"].name == "Ada"
    assert people[BEN].name is None


def test_with_a_basis_people_are_active_and_owed_nothing(database: Database) -> None:
    """The basis is kept with each of them, in the row and in the proof."""
    done = Import(database, "email;topics;created_at\nada@example.com;Code, Design;2024-03-01\n", basis="fair 2024")

    ada = everybody(database)[ADA]
    assert (ada.state, ada.basis, ada.topics, ada.confirmed_at) == (State.ACTIVE, "fair 2024", "Code\nDesign", NOW)
    assert ada.created_at == datetime(2024, 3, 1, tzinfo=UTC)
    assert done.letters == []
    with database.reading() as session:
        event = roster.dossier(session, ada).events[0]
    assert (event.kind, event.wording, event.source) == ("added with a basis", "fair 2024", "import of list.csv")


@pytest.mark.parametrize("basis", [None, "they said so"])
def test_nobody_is_revived_or_renamed(database: Database, basis: str | None) -> None:
    """Active, pending by their own sign-up, unsubscribed and suppressed people stay exactly as they are."""
    with database.writing() as session:
        everyone(session)
    before = {email: (p.state, p.name, p.topics, p.changed_at) for email, p in everybody(database).items()}
    done = Import(database, "email,name,topics\n" + "".join(f"{e},X,Y\n" for e in (ADA, BEN, CLEO, DOV)), basis=basis)

    assert {email: (p.state, p.name, p.topics, p.changed_at) for email, p in everybody(database).items()} == before
    assert done.letters == []
    assert done.report.unchanged == {
        "is subscribed already": 1,
        "is waiting for their own confirmation": 1,
        "has unsubscribed; only their own sign-up and confirmation brings them back": 1,
        "is suppressed after a hard bounce, which staff may lift": 1,
    }
    assert done.adds_up()


def test_a_later_basis_makes_the_imported_active(database: Database) -> None:
    """Pending from an import becomes active with a basis; name and topics stay those of the first import."""
    Import(database, "email,name\nada@example.com,Ada\n")
    done = Import(database, "email,name\nADA@example.com,Somebody\nnew@example.com,New\n", basis="paper form")

    assert (done.report.confirmed, done.report.added) == (1, 1)
    ada = everybody(database)[ADA]
    assert (ada.state, ada.name, ada.basis) == (State.ACTIVE, "Ada", "paper form")


def test_a_second_import_does_nothing(database: Database) -> None:
    """Interrupted or not, a list can be imported again: no second letter, no second event."""
    text = "email\n" + "".join(f"p{number}@example.com\n" for number in range(50))
    Import(database, text)
    again = Import(database, text)

    assert (again.report.added, again.letters) == (0, [])
    assert again.report.unchanged == {"is waiting for their own confirmation": 50}
    with database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(ConsentEvent)) == 50


def test_every_bad_line_is_reported_and_costs_only_itself(sqlite: Database) -> None:
    """By number and reason; the people on the other lines come in."""
    lines = [
        "email,name,topics,created_at",
        "ada@example.com,Ada,,",
        "nobody,,,",
        ",No Address,,",
        f"long@example.com,{'x' * 201},,",
        "when@example.com,,,yesterday",
        "future@example.com,,,2030-01-01T00:00:00Z",
        "ancient@example.com,,,0001-01-01T00:00:00+14:00",
        "ben@example.com,Ben,Code,2026-11-20T10:00:00+02:00",
        f"topic@example.com,,{'x' * 301},",
        f"topics@example.com,,{';'.join(map(str, range(101)))},",
        "ADA@EXAMPLE.COM,,,",
    ]
    done = Import(sqlite, "\n".join(lines), basis="fair")

    assert [(bad.line, bad.reason) for bad in done.bad] == [
        (3, "An email address must have an @-sign."),
        (4, "The address is empty."),
        (5, "The name is longer than 200 characters."),
        (6, "created_at is no time such as 2026-03-01T09:00:00Z: yesterday"),
        (7, "created_at lies in the future."),
        (8, "created_at lies before 1970."),
        (10, "There are more than 100 topics, or one is longer than 300 characters."),
        (11, "There are more than 100 topics, or one is longer than 300 characters."),
    ]
    assert (done.report.added, done.report.duplicates, done.report.bad) == (2, 1, 8)
    assert set(everybody(sqlite)) == {ADA, BEN}
    assert done.adds_up()


def test_hostile_cells_are_stored_harmless(database: Database) -> None:
    """Controls, line breaks and bidi overrides in a name become spaces; NUL does not break the database."""
    Import(database, 'email,name,topics\nada@example.com,"A\x00d\na\u202e","C\x07ode"\n', basis="fair")

    ada = everybody(database)[ADA]
    assert (ada.name, ada.topics) == ("A d a", "C ode")


def test_a_dry_run_says_what_would_happen_and_writes_nothing(database: Database) -> None:
    """Its report is the report of the import that follows."""
    with database.writing() as session:
        everyone(session)
    text = "email\nada@example.com\nnew@example.com\nNEW@example.com\nbad\n"
    for basis in (None, "fair"):
        rehearsal = Import(database, text, basis=basis, dry_run=True)
        assert len(everybody(database)) == 4
        assert rehearsal.letters == []
        assert rehearsal.report.letters == (basis is None)
    assert Import(database, text, basis="fair").report == rehearsal.report


def test_a_list_longer_than_a_chunk_comes_in_whole(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunk by chunk; duplicates are found across chunks too."""
    monkeypatch.setattr(transfer, "CHUNK", 100)
    text = "email\n" + "".join(f"p{number % 450}@example.com\n" for number in range(500))
    done = Import(database, text, basis="fair")

    assert done.chunks == [100] * 5
    assert (done.report.added, done.report.duplicates) == (450, 50)
    assert len(everybody(database)) == 450
    assert done.adds_up()


def test_an_import_cut_off_goes_on_when_run_again(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Finished chunks stay with their letters; the chunk that failed left nothing behind."""
    monkeypatch.setattr(transfer, "CHUNK", 10)
    text = "email\n" + "".join(f"p{number}@example.com\n" for number in range(30))
    owed: list[LetterOwed] = []

    def fail_in_the_second_chunk(_session: Session, letters: Sequence[LetterOwed]) -> None:
        if owed:
            raise ConnectionError
        owed.extend(letters)

    with pytest.raises(ConnectionError):
        transfer.bring_in(
            sqlite,
            io.BytesIO(text.encode()),
            basis=None,
            now=NOW,
            source="import",
            owe=fail_in_the_second_chunk,
            on_bad=lambda _: None,
        )
    assert len(everybody(sqlite)) == len(owed) == 10

    again = Import(sqlite, text)
    assert (again.report.added, len(again.letters)) == (20, 20)
    assert len(everybody(sqlite)) == 30


def test_what_is_no_list_or_no_basis_is_refused_before_anything_is_written(sqlite: Database) -> None:
    """One sentence, and nobody comes in."""
    with pytest.raises(UnreadableFile, match="no column called email"):
        Import(sqlite, "name\nAda\n")
    with pytest.raises(NoBasis):
        Import(sqlite, "email\nada@example.com\n", basis=" ")
    assert everybody(sqlite) == {}


addresses_ = st.sampled_from(
    [
        "ada@example.com",
        "ADA@example.com",
        "ben@example.org",
        "x",
        "",
        "=x@example.com",
        "'=x@example.com",
        "é@example.com",
    ]
) | st.from_regex(r"[a-z]{1,3}@example\.com", fullmatch=True)
rows = st.lists(st.tuples(addresses_, st.text(max_size=12)), max_size=12)


ERASED = "erin@example.com"
states_ = st.sampled_from(["active", "pending", "unsubscribed", "suppressed", "enabled", "subscribed", "true", "", "?"])
headers = st.permutations(["name", "state", "status", "subscribed_to_emails", "unsub_time", "topics"])


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    header=headers.flatmap(lambda names: st.integers(0, 6).map(lambda many: ["EMAIL", *names[:many]])),
    lines=st.lists(
        st.tuples(st.sampled_from([ADA, BEN, CLEO, DOV, ERASED, "NEW@example.com"]), st.lists(states_, max_size=6)),
        max_size=8,
    ),
    basis=st.sampled_from([None, "fair"]),
)
def test_whatever_a_file_holds_no_is_no(
    sqlite: Database, header: list[str], lines: list[tuple[str, list[str]]], basis: str | None
) -> None:
    """Nobody unsubscribed, suppressed, waiting for their own confirmation or erased becomes active or gets a letter."""
    with sqlite.writing() as session:
        _forget_everybody_in(session)
        everyone(session)
        consent.erase(session, confirmed(session, ERASED), now=NOW)
    out = io.StringIO()
    csv.writer(out).writerows([header, *([who, *says] for who, says in lines)])
    done = Import(sqlite, out.getvalue(), basis=basis)

    found = {email: person.state for email, person in everybody(sqlite).items()}
    assert {email: found.get(email) for email in (ADA, BEN, CLEO, DOV, ERASED)} == {
        ADA: State.ACTIVE,
        BEN: State.PENDING,
        CLEO: State.UNSUBSCRIBED,
        DOV: State.SUPPRESSED,
        ERASED: None,
    }
    assert {letter.email for letter in done.letters} <= {"NEW@example.com"}
    assert done.adds_up()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=rows, basis=st.sampled_from([None, "fair"]))
def test_every_line_is_accounted_for(sqlite: Database, rows: list[tuple[str, str]], basis: str | None) -> None:
    """Whatever stands in the file, each line is added, confirmed, unchanged, double or bad."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["email", "name"])
    writer.writerows(rows)
    done = Import(sqlite, out.getvalue().encode("utf-8", "surrogatepass"), basis=basis)

    assert done.adds_up()
    assert len(done.letters) == (done.report.added if basis is None else 0) == done.report.letters


hostile_names = st.text(max_size=20) | st.from_regex(r"'*[=+\-@][A-Za-z0-9!|' ]{0,10}", fullmatch=True)
hostile_emails = st.from_regex(r"[=+'-]{0,2}[a-z]{1,4}@example\.com", fullmatch=True)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    people=st.lists(
        st.tuples(hostile_emails, hostile_names, st.lists(st.text("ab,=- ", min_size=1, max_size=6), max_size=3)),
        max_size=4,
        unique_by=lambda person: person[0],
    )
)
def test_an_export_is_safe_to_open_and_comes_back_as_it_was(
    sqlite: Database, people: list[tuple[str, str, list[str]]]
) -> None:
    """No cell starts a formula, and importing the file elsewhere gives the same addresses, names and topics."""
    number = next(_numbers)
    with sqlite.writing() as session:
        marked = [newcomer(f"{email[:-4]}.{number}.com", name, tuple(topics)) for email, name, topics in people]
        consent.add_all(session, marked, basis="fair", now=NOW, source="x")
    before = _wanted(sqlite, number)

    exported = io.StringIO()
    with sqlite.reading() as session:
        transfer.write_csv(roster.everybody(session, containing=f".{number}.com"), exported)
    for row in csv.reader(io.StringIO(exported.getvalue())):
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row)
    _forget_everybody(sqlite)
    Import(sqlite, exported.getvalue(), basis="fair")

    assert _wanted(sqlite, number) == before
    assert set(before) == {person.address.typed for person in marked}


def _wanted(database: Database, number: int) -> dict[str, tuple[str | None, str, datetime]]:
    with database.reading() as session:
        people = roster.everybody(session, containing=f".{number}.com")
        return {person.email: (person.name, person.topics, person.created_at) for person in people}


def _forget_everybody(database: Database) -> None:
    with database.writing() as session:
        _forget_everybody_in(session)


def _forget_everybody_in(session: Session) -> None:
    for table in (ConsentEvent, Subscriber, RefusedAddress):
        session.execute(sa.delete(table))


def test_our_own_export_changes_nobody(database: Database) -> None:
    """Everybody in it is as before, with or without a basis, and elsewhere only the active come in."""
    with database.writing() as session:
        everyone(session)
    before = {email: transfer.record(person) for email, person in everybody(database).items()}
    exported = io.StringIO()
    with database.reading() as session:
        transfer.write_csv(roster.everybody(session), exported)
    for basis in (None, "fair"):
        done = Import(database, exported.getvalue(), basis=basis)
        assert {email: transfer.record(person) for email, person in everybody(database).items()} == before
        assert (done.letters, done.report.dialect) == ([], "our own export")
        assert done.report.unchanged == {"is subscribed already": 1}
        assert done.report.left_there.total() == 3
        assert done.adds_up()

    _forget_everybody(database)
    Import(database, exported.getvalue(), basis="moved here")
    assert {email: person.state for email, person in everybody(database).items()} == {ADA: State.ACTIVE}


def test_who_said_no_elsewhere_is_left_there(database: Database) -> None:
    """Whatever the basis: reported by line and reason, and no later line of the same file brings them in."""
    lines = [
        "id,email,name,note,subscribed_to_emails,complimentary_plan,stripe_customer_id,created_at,deleted_at,labels",
        "1,ada@example.com,Ada,,true,false,,2024-03-01T09:30:00.000Z,,vip",
        "2,ben@example.com,Ben,,false,false,,2024-03-01T09:30:00.000Z,,vip",
        "3,cleo@example.org,Cleo,,true,false,,2024-03-01T09:30:00.000Z,2024-04-01T09:30:00.000Z,",
        "4,BEN@example.com,Ben,,true,false,,2024-03-01T09:30:00.000Z,,",
        "5,nobody,,,false,,,,,",
    ]
    done = Import(database, "\n".join(lines), basis="signed up on the old site")

    ada = everybody(database).pop(ADA)
    assert (ada.name, ada.topics, ada.created_at) == ("Ada", "", datetime(2024, 3, 1, 9, 30, tzinfo=UTC))
    assert set(everybody(database)) == {ADA}
    assert (done.report.dialect, done.report.added, done.report.duplicates, done.report.bad) == ("Ghost", 1, 1, 1)
    assert done.left_there == [
        BadLine(3, "This person had unsubscribed there."),
        BadLine(4, "This person had been suppressed, blocked or removed there."),
    ]
    assert done.adds_up()


def test_the_erased_are_refused_by_name(database: Database) -> None:
    """They are counted with their own reason, in the dry run as in the import, and leave no trace."""
    with database.writing() as session:
        consent.erase(session, confirmed(session, ADA), now=NOW)
        consent.erase(session, suppressed(session, DOV, Act.COMPLAIN), now=NOW)
    text = "email\n" + "".join(f"{email}\n" for email in (ADA, BEN, DOV))
    expected = {
        "was erased; only their own sign-up and confirmation brings them back": 1,
        "is refused for ever, after a complaint or by staff": 1,
    }
    for dry_run in (True, False):
        done = Import(database, text, basis="fair", dry_run=dry_run)
        assert (done.report.unchanged, done.report.added) == (expected, 1)
    assert set(everybody(database)) == {BEN}
    with database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(ConsentEvent)) == 1


def test_two_imports_at_once_bring_everybody_in_once(database: Database) -> None:
    """In whatever order their lists are, neither waits for the other for ever."""
    people = [f"p{number}@example.com" for number in range(3_000)]
    texts = ["email\n" + "\n".join(order) for order in (people, people[::-1])]
    with ThreadPoolExecutor() as threads:
        first, second = threads.map(lambda text: Import(database, text).report, texts)

    assert first.added + second.added == len(people) == len(everybody(database))
    assert first.letters + second.letters == len(people)


def test_an_export_holds_all_that_is_held(database: Database) -> None:
    """One line per person with state, times and basis; times carry their zone."""
    with database.writing() as session:
        everyone(session)
        consent.add(session, newcomer("erin@example.com", "Erin", ("B", "A")), basis="fair", now=NOW, source="x")
    out = io.StringIO()
    with database.reading() as session:
        assert transfer.write_csv(roster.everybody(session), out) == 5
    rows = {row["email"]: row for row in csv.DictReader(io.StringIO(out.getvalue()))}

    assert set(rows) == {ADA, BEN, CLEO, DOV, "erin@example.com"}
    assert rows["erin@example.com"] == {
        "email": "erin@example.com",
        "name": "Erin",
        "topics": "A; B",
        "created_at": "2026-11-20T09:00:00+00:00",
        "state": "active",
        "confirmed_at": "2026-11-20T09:00:00+00:00",
        "basis": "fair",
        "pending_since": "",
        "suppressed_because": "",
        "plain_text": "false",
        "rhythm": "weekly",
        "paused_until": "",
        "changed_at": "2026-11-20T09:00:00+00:00",
    }
    assert rows[DOV]["suppressed_because"] == "550 no such user"


def test_a_record_is_plain_values(sqlite: Database) -> None:
    """Lists, words, booleans and aware times, as JSON can say them."""
    with sqlite.writing() as session:
        record = transfer.record(confirmed(session, ADA))

    assert (record["topics"], record["state"], record["rhythm"], record["plain_text"]) == (
        [],
        "active",
        "weekly",
        False,
    )
    assert record["confirmed_at"].tzinfo is not None


def test_a_letter_of_an_import_can_be_confirmed(sqlite: Database) -> None:
    """The imported person's own button makes them active, like anybody's."""
    Import(sqlite, "email\nada@example.com\n")
    with sqlite.writing() as session:
        ada = roster.find(session, ADA)
        assert ada is not None
        assert consent.confirm(session, ada, good_link(ada), now=NOW, source="confirm page").changed
