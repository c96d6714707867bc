"""The numbers of an edition and where it stands, as a terminal shows them: each with what it is counted of."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from digest.cli import console
from digest.models import Edition, EditionState
from digest.standings import Standing
from digest.stats import Numbers


def report(numbers: Numbers, edition: Edition, standing: Standing, *, as_json: bool) -> None:
    """Both, on stdout."""
    if as_json:
        console.print_json({**numbers.model_dump(), **standing.model_dump()})
        return
    for line in (*_numbers(numbers, edition), *_standing(standing)):
        console.say(line)
    for gap in numbers.gaps():
        console.say(f"DOES NOT ADD UP: {gap}")


def judge(numbers: Numbers, edition: Edition) -> None:
    """The exit code tells whether everything went out."""
    if not numbers.adds_up or edition.state in (EditionState.HALTED, EditionState.STOPPED):
        console.stop(console.IN_PART if numbers.accepted else console.COULD_NOT)
    if numbers.waiting or numbers.in_flight or numbers.refused or numbers.uncertain:
        console.stop(console.IN_PART)


def _numbers(numbers: Numbers, edition: Edition) -> Iterator[str]:
    yield f"{numbers.week} is {numbers.state}{': ' + edition.why if edition.why else ''}"
    yield f"candidates {numbers.candidates:,} = left out {numbers.left_out:,} + deliveries {numbers.deliveries:,}"
    for reason, count in numbers.left_out_by.items():
        yield f"  left out, {reason}: {_of(count, numbers.candidates, 'candidates')}"
    yield (
        f"deliveries {numbers.deliveries:,} = waiting {numbers.waiting:,} + in flight {numbers.in_flight:,} "
        f"+ accepted {numbers.accepted:,} + withheld {numbers.withheld:,} + refused {numbers.refused:,} "
        f"+ uncertain {numbers.uncertain:,}"
    )
    for reason, count in numbers.withheld_by.items():
        yield f"  withheld, {reason}: {_of(count, numbers.deliveries, 'deliveries')}"
    yield (
        f"accepted {numbers.accepted:,} = dropped {numbers.dropped:,} + bounced {numbers.bounced:,} "
        f"+ delivered {numbers.delivered:,} + unreported {numbers.unreported:,}"
    )
    yield f"  delivered {_of(numbers.delivered, numbers.accepted, 'accepted')}"
    yield f"  hard bounced {_of(numbers.hard_bounced, numbers.accepted - numbers.unreported, 'reported')}"
    yield f"  complained {_of(numbers.complained, numbers.delivered, 'delivered')}"
    yield f"  unsubscribed {_of(numbers.unsubscribed, numbers.delivered, 'delivered')}"
    if numbers.batches:
        yield f"batches: {', '.join(f'{count:,} {state}' for state, count in numbers.batches.items())}"


def _of(count: int, of: int, what: str) -> str:
    """3 of 9,981 delivered (0.03 %)."""
    share = f" ({100 * count / of:.2f} %)" if of else ""
    return f"{count:,} of {of:,} {what}{share}"


def _standing(standing: Standing) -> Iterator[str]:
    if standing.wave is not None:
        over = standing.wave.state == "over" and standing.wave.until is not None
        until = f" since {_at(standing.wave.until)}" if over and standing.wave.until else _until(standing.wave.until)
        yield f"first wave of {standing.wave.size:,}: {standing.wave.state}{until}"
    if standing.waits is not None:
        lifted = _until(standing.waits.until) or " until somebody lifts this"
        yield f"nothing goes now{lifted}: {standing.waits.why}"
    for pause in standing.paused:
        by = f" by {pause.by}" if pause.by else ""
        yield f"paused, {pause.kind}, since {_at(pause.since)}{by}{_until(pause.until)}: {pause.why}"
    breaker = standing.breaker
    if breaker.since is not None:
        yield f"breaker: resumed {_at(breaker.since)}; only what was handed over since then counts"
    for each in (breaker.complaints, breaker.hard_bounces):
        if each.of:
            yield f"breaker: {each.why}, {each.stops_at:,} a stop" if each.says == "nothing" else f"breaker: {each.why}"


def _until(moment: datetime | None) -> str:
    return f" until {_at(moment)}" if moment is not None else ""


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
