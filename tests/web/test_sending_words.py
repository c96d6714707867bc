"""What the sending pages say: plain sentences with the right numbers in them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from digest.models import Edition, EditionState
from digest.progress import Progress, Wave
from digest.web import sending_words as words

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def edition(state: EditionState = EditionState.SENDING, **given: object) -> Edition:
    return Edition(**{"week": "2026-W47", "state": state, "send_at": NOW, **given})


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (timedelta(seconds=-3), "0 seconds"),
        (timedelta(seconds=1), "1 second"),
        (timedelta(seconds=119), "119 seconds"),
        (timedelta(minutes=12, seconds=20), "12 minutes"),
        (timedelta(minutes=119), "119 minutes"),
        (timedelta(hours=47), "47 hours"),
        (timedelta(days=9, hours=11), "9 days"),
        (timedelta(days=2400), "2,400 days"),
    ],
)
def test_a_span_is_said_in_one_unit(length: timedelta, said: str) -> None:
    """The largest that still says something."""
    assert said == words.span(length)


def test_a_time_has_its_day_only_when_it_is_another() -> None:
    """In the newsletter's zone, where the day may turn earlier."""
    assert "10:30:00 CET" == words.at(NOW, BERLIN, NOW)
    assert "21 November 2026, 00:30:00 CET" == words.at(NOW + timedelta(hours=14), BERLIN, NOW)


def test_the_pace_is_of_the_last_minute() -> None:
    """A thousand a minute and ten thousand left: ten minutes. Nothing of late, or nothing left: nothing to say."""
    left = Progress(waiting=9_500, in_flight=500, accepted=50_000)

    assert "1,000 accepted in the last minute; at that pace the rest takes 10 minutes." == words.pace(left, 1_000)
    assert words.pace(left, 0) is None
    assert words.pace(Progress(accepted=10), 10) is None


def test_waves_are_told_before_between_and_after() -> None:
    """One wave is none."""
    waves = {1: Wave(20_000, 0), 2: Wave(980_000, 980_000)}

    assert words.wave({1: waves[1]}, edition(), 15, BERLIN, NOW) is None
    before = words.wave(waves, edition(wave_until=None), 15, BERLIN, NOW)
    between = words.wave(waves, edition(wave_until=NOW + timedelta(minutes=14)), 15, BERLIN, NOW)
    after = words.wave(waves, edition(wave_until=NOW - timedelta(minutes=1)), 15, BERLIN, NOW)
    assert before is not None
    assert before.startswith("A first wave of 20,000 deliveries goes ahead. The other 980,000 follow 15 minutes after")
    assert between is not None
    assert "The other 980,000 wait until 10:44:00 CET, 14 minutes from now" in between
    assert "The first wave of 20,000 deliveries is out; the other 980,000 could follow from 10:29:00 CET on." == after


def test_what_is_read_out_changes_by_quarters() -> None:
    """Nobody wants to hear every batch; doubt is always said."""
    said = {words.spoken(edition(), Progress(waiting=1000 - n, accepted=n)) for n in range(1001)}

    assert 5 == len(said)
    assert "2026-W47 is sending. All of 1,000 deliveries accepted." in said
    assert "2026-W47 is sending. Less than 25 per cent of 1,000 deliveries accepted." in said
    assert words.spoken(edition(), Progress(accepted=9, uncertain=1)).endswith(" 1 uncertain.")
    assert "2026-W47 is draft." == words.spoken(edition(EditionState.DRAFT), Progress())


def test_resuming_says_what_it_does() -> None:
    """By what it was halted from, and by what is left."""
    approved, sending = (
        edition(EditionState.HALTED, halted_from=state, send_at=NOW)
        for state in (EditionState.APPROVED, EditionState.SENDING)
    )
    assert "leaves at once" in words.resuming(approved, 0, 0, BERLIN, NOW)
    assert "leaves 10:30:00 CET" in words.resuming(approved, 0, 0, BERLIN, NOW - timedelta(minutes=1))
    assert "The 12 deliveries still waiting are handed over." == words.resuming(sending, 12, 0, BERLIN, NOW)
    assert "Nothing is left to hand over, so that it is sent." == words.resuming(sending, 0, 0, BERLIN, NOW)
    assert words.resuming(sending, 0, 2, BERLIN, NOW).startswith("2 batches stay uncertain: until all are settled")


def test_a_fine_share_has_two_decimals() -> None:
    """Three complaints in a thousand are a disaster, and must not read as none."""
    assert ["0.03\u00a0%", "100.00\u00a0%", "–"] == [words.fine_share(*of) for of in ((3, 10_000), (2, 2), (0, 0))]


def test_variants_have_words() -> None:
    """Their keys are not for people."""
    keys = ("all", "all-text", "t-3f2a9c01", "t-3f2a9c01-text")

    assert ["everything", "everything, text only", "some topics, t-3f2a9c01", "some topics, t-3f2a9c01, text only"] == [
        words.variant(key) for key in keys
    ]


def test_a_reason_stands_as_a_sentence() -> None:
    """Without an address, with its commands as code, and whatever else it holds as words."""
    assert "Tell (an address) &lt;b&gt; with <code>digest batches</code>" == words.sentence_of(
        "tell ada@example.com <b> with `digest batches`"
    )
    assert "Nobody noted why" == words.sentence_of(None)
