"""Whether complaints or hard bounces must stop an edition, decided from counts alone (docs/decisions/007).

Two explanations are weighed against each other, a healthy list and a sick one: Wald's sequential test. Every delivery
that is reported multiplies the odds, up when it went wrong and a little down when it did not. Where the odds for the
sick list pass 1,000, the edition stops. With a healthy list they ever do so, at whatever moment of however many looks,
with a chance of at most one in a thousand (Ville's inequality): that is why one may look every few seconds.

Where what went wrong is one mailbox provider's opinion of us, stopping would punish all others for it:

1.  Nothing reported yet, or nothing wrong: nothing to say, whatever the odds.
2.  Few deliveries: 7 complaints, or 8 hard bounces, are the least that stops, and 3 or 4 that alarm.
3.  The line is passed and, without the worst provider, the rest is shown to be healthy: an alarm only.
4.  The rest is too few to show anything (with a sick list it would not have passed the line by now either): it stops.
    So does a list that is nearly all at one provider; 90 % at one is no obstacle where the other 10 % are enough.
5.  The rest does not pass the line but is worse than a healthy list (its own alarm line): it stops.
6.  Two providers storm at once: without the worst, the other still shows in the rest. It stops, which is what to do
    when more than one provider finds fault with us.
7.  One provider has many domains (googlemail.com, hotmail.co.uk, msn.com): they are one, see `providers`.
8.  A provider hosts other people's domains, which no address tells: each stands for itself, a storm looks like many
    small ones, and it stops. Wrong in the careful direction.
9.  Some providers never tell who complained: in the rest their silence shows nothing, so they are not counted there.
10. Whoever was erased has no domain any more: counted in the rest, never as the worst.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import ceil, log

from digest.providers import TELL_NO_COMPLAINTS, provider_of

NAME = "the breaker"

FALSE_STOPS = 1 / 1000
FALSE_ALARMS = 1 / 20


class Says(StrEnum):
    """What follows from the counts."""

    NOTHING = "nothing"
    ALARM = "alarm"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Counted:
    """How many went wrong of how many that could have."""

    wrong: int
    of: int

    def __add__(self, other: Counted) -> Counted:
        return Counted(self.wrong + other.wrong, self.of + other.of)

    def __sub__(self, other: Counted) -> Counted:
        return Counted(self.wrong - other.wrong, self.of - other.of)


NONE = Counted(0, 0)


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing that goes wrong: what it is called, of which deliveries it is counted, and two rates in a thousand."""

    name: str
    of: str
    healthy: int
    sick: int
    untold_at: frozenset[str] = frozenset()
    """Providers that never report it."""

    @property
    def for_each_wrong(self) -> float:
        """What one that went wrong adds to the logarithm of the odds."""
        return log(self.sick / self.healthy)

    @property
    def for_each_right(self) -> float:
        """What one that did not adds to it: less than nothing."""
        return log((1000 - self.sick) / (1000 - self.healthy))

    def odds(self, counted: Counted) -> float:
        """The logarithm of how much better the sick list explains these counts than the healthy one."""
        return counted.wrong * self.for_each_wrong + (counted.of - counted.wrong) * self.for_each_right

    def stops_at(self, of: int) -> int:
        """The fewest of so many deliveries that stop an edition."""
        return self._fewest(of, FALSE_STOPS)

    def alarms_at(self, of: int) -> int:
        """The fewest of so many deliveries that staff should know of."""
        return self._fewest(of, FALSE_ALARMS)

    def _fewest(self, of: int, chance: float) -> int:
        needed = log(1 / chance) - of * self.for_each_right
        return ceil(needed / (self.for_each_wrong - self.for_each_right))

    def could_tell(self, of: int) -> bool:
        """Whether a sick list would have passed the line by now."""
        return of * self.sick // 1000 >= self.stops_at(of)


COMPLAINTS = Measure("complaints", "that arrived", healthy=1, sick=3, untold_at=TELL_NO_COMPLAINTS)
HARD_BOUNCES = Measure("hard bounces", "reported", healthy=20, sick=50)
MEASURES = (COMPLAINTS, HARD_BOUNCES)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one measure says, and the sentence for it."""

    measure: Measure
    counted: Counted
    says: Says
    why: str
    provider: str | None = None
    """The only one at which it storms, where that is why it does not stop."""


def judge(measure: Measure, counted: Counted) -> Verdict:
    """The verdict on all deliveries together. A stop still asks for `judge_apart`."""
    words, alarms, stops = _in_words(measure, counted), measure.alarms_at(counted.of), measure.stops_at(counted.of)
    if counted.wrong >= stops:
        return Verdict(measure, counted, Says.STOP, f"{words}: a healthy list would not reach {stops:,}")
    if counted.wrong >= alarms:
        seldom = f"{words}: a healthy list seldom reaches {alarms:,}, and {stops:,} would stop it"
        return Verdict(measure, counted, Says.ALARM, seldom)
    return Verdict(measure, counted, Says.NOTHING, f"{words}: {alarms:,} would be an alarm")


def judge_apart(measure: Measure, by_domain: Mapping[str, Counted]) -> Verdict:
    """The verdict on all deliveries together, softened to an alarm where only one provider storms.

    The domain "" is of people who were erased.
    """
    everywhere = sum(by_domain.values(), start=NONE)
    verdict = judge(measure, everywhere)
    by_provider = _by_provider(by_domain)
    if verdict.says is not Says.STOP or not by_provider:
        return verdict
    worst = max(by_provider, key=lambda provider: (measure.odds(by_provider[provider]), provider))
    silent = sorted(each for each in measure.untold_at if each in by_provider and each != worst)
    rest = everywhere - by_provider[worst] - sum((by_provider[each] for each in silent), start=NONE)
    return _softened(verdict, worst, by_provider[worst], rest, silent)


def _by_provider(by_domain: Mapping[str, Counted]) -> dict[str, Counted]:
    found: dict[str, Counted] = {}
    for domain, counted in by_domain.items():
        if domain:
            provider = provider_of(domain)
            found[provider] = found.get(provider, NONE) + counted
    return found


def _softened(verdict: Verdict, worst: str, there: Counted, rest: Counted, silent: Sequence[str]) -> Verdict:
    measure, counted, why = verdict.measure, verdict.counted, verdict.why
    at_worst = f"{there.wrong:,} of them at {worst}"
    where = f"elsewhere, without {' and '.join(silent)}," if silent else "elsewhere"
    elsewhere = f"{_in_words(measure, rest)} {where}"
    if not rest.of:
        return verdict
    if not measure.could_tell(rest.of):
        few = f"{why}. {at_worst}; {rest.of:,} {measure.of} {where} are too few to show that it is only there"
        return Verdict(measure, counted, Says.STOP, few)
    if rest.wrong >= measure.alarms_at(rest.of):
        more = f"{why}. {at_worst}, but not only there: {elsewhere.rstrip(',')}"
        return Verdict(measure, counted, Says.STOP, more)
    only = f"{why}. But it is only {worst}, with {_in_words(measure, there)}; {elsewhere} are healthy"
    return Verdict(measure, counted, Says.ALARM, only, provider=worst)


def _in_words(measure: Measure, counted: Counted) -> str:
    """31 complaints in 10,240 that arrived (0.30 %)."""
    name = measure.name.removesuffix("s") if counted.wrong == 1 else measure.name
    share = f" ({100 * counted.wrong / counted.of:.2f} %)" if counted.of else ""
    return f"{counted.wrong:,} {name} in {counted.of:,} {measure.of}{share}"
