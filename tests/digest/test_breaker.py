"""When complaints and hard bounces stop an edition: the lines are exact, and a healthy list does not cross them."""

from __future__ import annotations

import random
from decimal import Decimal, getcontext
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.breaker import (
    COMPLAINTS,
    FALSE_ALARMS,
    FALSE_STOPS,
    HARD_BOUNCES,
    MEASURES,
    Counted,
    Measure,
    Says,
    judge,
    judge_apart,
)
from digest.providers import provider_of

getcontext().prec = 60

measures = pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure.name)
anything = st.sampled_from(MEASURES)
deliveries = st.integers(0, 3_000_000)


def odds(measure: Measure, wrong: int, of: int) -> Decimal:
    """The same odds to sixty digits."""
    healthy, sick = Decimal(measure.healthy) / 1000, Decimal(measure.sick) / 1000
    return wrong * (sick / healthy).ln() + (of - wrong) * ((1 - sick) / (1 - healthy)).ln()


@pytest.mark.parametrize(
    ("measure", "of", "stops", "alarms"),
    [
        (COMPLAINTS, 200, 7, 4),
        (COMPLAINTS, 1_000, 9, 5),
        (COMPLAINTS, 10_000, 25, 21),
        (COMPLAINTS, 100_000, 189, 185),
        (COMPLAINTS, 1_000_000, 1_828, 1_824),
        (HARD_BOUNCES, 200, 14, 10),
        (HARD_BOUNCES, 1_000, 41, 36),
        (HARD_BOUNCES, 10_000, 336, 332),
        (HARD_BOUNCES, 100_000, 3_290, 3_285),
        (HARD_BOUNCES, 1_000_000, 32_825, 32_821),
    ],
)
def test_the_lines_are_those_of_the_decision_note(measure: Measure, of: int, stops: int, alarms: int) -> None:
    """The table that docs/decisions/007 prints."""
    assert (stops, alarms) == (measure.stops_at(of), measure.alarms_at(of))


@given(anything, deliveries)
def test_the_line_is_the_first_count_whose_odds_are_enough(measure: Measure, of: int) -> None:
    """To sixty digits: one less is not enough, for the stop and for the alarm."""
    for line, chance in ((measure.stops_at(of), "0.001"), (measure.alarms_at(of), "0.05")):
        enough = (1 / Decimal(chance)).ln()
        assert odds(measure, line - 1, of) < enough <= odds(measure, line, of)


@given(anything, deliveries, st.integers(0, 10_000))
def test_more_deliveries_never_lower_a_line(measure: Measure, of: int, more: int) -> None:
    """So a line known for fewer deliveries is a floor for more of them."""
    assert measure.stops_at(of) <= measure.stops_at(of + more)
    assert measure.alarms_at(of) <= measure.alarms_at(of + more)


@given(anything, deliveries, st.integers(0, 100_000))
def test_one_more_gone_wrong_never_soothes(measure: Measure, of: int, wrong: int) -> None:
    """What stops goes on stopping, what alarms never falls back to nothing."""
    order = [Says.NOTHING, Says.ALARM, Says.STOP]
    now, then = (judge(measure, Counted(each, of)).says for each in (wrong, wrong + 1))

    assert order.index(now) <= order.index(then)


@given(anything, deliveries)
def test_nothing_wrong_is_nothing_to_say(measure: Measure, of: int) -> None:
    """However many are reported; and the stop line always lies above the alarm line."""
    assert judge(measure, Counted(0, of)).says is Says.NOTHING
    assert 0 < measure.alarms_at(of) < measure.stops_at(of)


def ever_crosses(measure: Measure, rate: float, of: int, chance: random.Random) -> tuple[bool, bool]:
    """Whether a list of this rate alarms and stops at any moment; odds rise only with what goes wrong."""
    alarmed = False
    at = 0.0
    for wrong in count(1):
        at += chance.expovariate(rate)
        if at > of:
            return alarmed, False
        alarmed |= wrong >= measure.alarms_at(int(at))
        if wrong >= measure.stops_at(int(at)):
            return alarmed, True
    raise AssertionError


@measures
def test_a_healthy_list_is_hardly_ever_stopped(measure: Measure) -> None:
    """Looked at after every delivery: stopped less than once in a thousand editions, alarmed in one of twenty."""
    chance, editions = random.Random(7), 4_000
    of = 60_000 // measure.healthy
    crossed = [ever_crosses(measure, measure.healthy / 1000, of, chance) for _ in range(editions)]

    assert sum(stopped for _, stopped in crossed) / editions < FALSE_STOPS
    assert sum(alarmed for alarmed, _ in crossed) / editions < FALSE_ALARMS


@measures
def test_a_sick_list_is_stopped_early(measure: Measure) -> None:
    """At the sick rate, nearly always within four times the deliveries at which it is to be expected."""
    chance, editions = random.Random(11), 500
    expected = next(of for of in count() if measure.could_tell(of))
    crossed = [ever_crosses(measure, measure.sick / 1000, 4 * expected, chance) for _ in range(editions)]

    assert sum(stopped for _, stopped in crossed) / editions > 0.99


@measures
def test_the_smallest_counts_that_speak(measure: Measure) -> None:
    """However few deliveries there are, no two or three angry readers stop an edition."""
    assert {"complaints": (7, 3), "hard bounces": (8, 4)}[measure.name] == (measure.stops_at(0), measure.alarms_at(0))


@pytest.mark.parametrize(
    ("counted", "says", "why"),
    [
        (
            Counted(31, 10_240),
            Says.STOP,
            "31 complaints in 10,240 that arrived (0.30 %): a healthy list would not reach 25",
        ),
        (
            Counted(22, 10_240),
            Says.ALARM,
            "22 complaints in 10,240 that arrived (0.21 %): a healthy list seldom reaches 22, and 25 would stop it",
        ),
        (Counted(1, 10_240), Says.NOTHING, "1 complaint in 10,240 that arrived (0.01 %): 22 would be an alarm"),
        (Counted(0, 0), Says.NOTHING, "0 complaints in 0 that arrived: 3 would be an alarm"),
    ],
)
def test_a_verdict_says_why(counted: Counted, says: Says, why: str) -> None:
    """With the count, its denominator and the line."""
    verdict = judge(COMPLAINTS, counted)

    assert (says, why) == (verdict.says, verdict.why)


# — one provider's storm; the numbers are those of the cases in breaker.py —

STORM = Counted(60, 4_000)


def test_case_3_a_storm_at_one_provider_only_alarms() -> None:
    """Microsoft is angry, thousands elsewhere are content: said, and not stopped."""
    verdict = judge_apart(COMPLAINTS, {"hotmail.com": STORM, "a.example.com": Counted(3, 8_000)})

    assert (verdict.says, verdict.provider) == (Says.ALARM, "Microsoft")
    assert verdict.why == (
        "63 complaints in 12,000 that arrived (0.53 %): a healthy list would not reach 29. But it is only Microsoft, "
        "with 60 complaints in 4,000 that arrived (1.50 %); "
        "3 complaints in 8,000 that arrived (0.04 %) elsewhere are healthy"
    )


def test_case_4_a_rest_too_few_to_show_anything_stops() -> None:
    """Nobody else has complained yet, but they are so few that nobody would have."""
    verdict = judge_apart(COMPLAINTS, {"hotmail.com": STORM, "a.example.com": Counted(0, 5_000)})

    assert verdict.says is Says.STOP
    assert "5,000 that arrived elsewhere are too few to show that it is only there" in verdict.why


def test_case_4_a_list_at_one_provider_is_judged_by_size_of_its_rest() -> None:
    """90 % at one provider: with 100,000 readers the rest can speak for itself, with 10,000 it cannot."""
    large = {"gmx.de": Counted(400, 90_000), "a.example.com": Counted(5, 10_000)}
    small = {"gmx.de": Counted(40, 9_000), "a.example.com": Counted(0, 1_000)}

    assert judge_apart(COMPLAINTS, large).says is Says.ALARM
    assert judge_apart(COMPLAINTS, small).says is Says.STOP
    assert judge_apart(COMPLAINTS, {"gmx.de": Counted(400, 90_000)}).says is Says.STOP


def test_case_5_a_rest_that_is_itself_alarming_stops() -> None:
    """It does not cross the stop line without Microsoft, but healthy is something else."""
    rest = Counted(COMPLAINTS.alarms_at(8_000), 8_000)

    assert judge_apart(COMPLAINTS, {"hotmail.com": STORM, "a.example.com": rest}).says is Says.STOP
    assert judge_apart(COMPLAINTS, {"hotmail.com": STORM, "a.example.com": rest - Counted(1, 0)}).says is Says.ALARM


def test_case_6_two_providers_that_storm_stop() -> None:
    """Each alone would be an opinion; both are a finding."""
    verdict = judge_apart(
        COMPLAINTS, {"hotmail.com": STORM, "yahoo.fr": Counted(40, 4_000), "a.example.com": Counted(3, 8_000)}
    )

    assert verdict.says is Says.STOP
    assert "but not only there" in verdict.why


def test_case_7_a_provider_is_one_under_all_its_names() -> None:
    """Twenty complaints at each of three domains of Microsoft are sixty at one provider."""
    third = Counted(20, 1_300)
    names = {"hotmail.co.uk": third, "msn.com": third, "outlook.de": third}

    assert judge_apart(COMPLAINTS, {**names, "a.example.com": Counted(3, 8_000)}).provider == "Microsoft"


def test_case_8_a_storm_at_many_small_domains_stops() -> None:
    """Whoever hosts them all cannot be told from their addresses."""
    small = {f"firm{number}.example.com": Counted(6, 400) for number in range(10)}

    assert judge_apart(COMPLAINTS, {**small, "a.example.com": Counted(3, 8_000)}).says is Says.STOP


def test_case_9_silence_of_a_provider_that_never_tells_shows_nothing() -> None:
    """Gmail reports no complaints: its 8,000 are no witnesses. Of hard bounces they are."""
    bounced = Counted(600, 4_000)

    assert judge_apart(COMPLAINTS, {"hotmail.com": STORM, "gmail.com": Counted(0, 8_000)}).says is Says.STOP
    assert judge_apart(HARD_BOUNCES, {"hotmail.com": bounced, "gmail.com": Counted(0, 8_000)}).says is Says.ALARM


def test_case_10_the_erased_are_in_the_rest() -> None:
    """They are witnesses like others, and never the provider that storms."""
    assert judge_apart(COMPLAINTS, {"hotmail.com": STORM, "": Counted(3, 8_000)}).says is Says.ALARM
    assert judge_apart(COMPLAINTS, {"": STORM, "a.example.com": Counted(3, 8_000)}).says is Says.STOP
    assert judge_apart(COMPLAINTS, {"": STORM}).says is Says.STOP


@given(
    anything,
    st.dictionaries(
        st.sampled_from(["gmail.com", "hotmail.com", "yahoo.com", "gmx.de", "a.example.com", ""]),
        st.tuples(st.integers(0, 500), st.integers(0, 20_000)).map(lambda pair: Counted(min(pair), max(pair))),
    ),
)
def test_looking_apart_only_ever_softens_a_stop(measure: Measure, by_domain: dict[str, Counted]) -> None:
    """Nothing and an alarm stay what they are; a stop becomes an alarm only with the name of one provider."""
    whole = judge(measure, sum(by_domain.values(), start=Counted(0, 0)))
    apart = judge_apart(measure, by_domain)

    if whole.says is not Says.STOP:
        assert apart == whole
    else:
        assert (apart.says is Says.ALARM) == (apart.provider is not None)


@pytest.mark.parametrize(
    ("domain", "provider"),
    [
        ("gmail.com", "Gmail"),
        ("GoogleMail.com", "Gmail"),
        ("outlook.com", "Microsoft"),
        ("hotmail.co.uk", "Microsoft"),
        ("live.nl", "Microsoft"),
        ("yahoo.com.br", "Yahoo and AOL"),
        ("aol.com", "Yahoo and AOL"),
        ("example.com", "example.com"),
        ("outlook.example.com", "outlook.example.com"),
        ("notgmail.com", "notgmail.com"),
    ],
)
def test_whose_mailbox_a_domain_is(domain: str, provider: str) -> None:
    """The known names of one provider are one; any other domain stands for itself."""
    assert provider == provider_of(domain)
