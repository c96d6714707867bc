"""Scheduled sends: what was taken waits for its `send_at`, and a cancelled or paused batch id discards it then.

Where the documents say little, this is the hardest reading: a request with a past `send_at` goes out at once even
under a cancelled batch id, and a status lifted within 72 hours after `send_at` lets the mail go out after all.
"""

from __future__ import annotations

import math

from tests.sendgrid_stub.limits import FURTHEST_SEND_AT, MOST_CANCELLED
from tests.sendgrid_stub.memory import DISCARDED, OUT, WAITING, Taken

STATUSES = ("cancel", "pause")


class WrongMove(ValueError):
    """What was asked of a scheduled send cannot be done. `field` is where SendGrid would put it."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class Schedule:
    """Batch ids, which of them are stopped, and the requests that wait. Not locked; told the time.

    `margin` is how many seconds before `send_at` a batch can be stopped at the latest.
    """

    def __init__(self, *, margin: float) -> None:
        self._margin = margin
        self._batches: set[str] = set()
        self._stopped: dict[str, str] = {}
        self._kept: list[Taken] = []
        self._next = math.inf
        # The earliest time that anything under a batch id was or will be sent: when it is too late to stop it.
        self._earliest: dict[str, float] = {}

    def give_out(self, batch_id: str) -> None:
        self._batches.add(batch_id)

    def knows(self, batch_id: object) -> bool:
        return isinstance(batch_id, str) and batch_id in self._batches

    def take(self, taken: Taken, now: float) -> bool:
        """True when it goes out at once; otherwise it is kept, to go out or to be discarded."""
        at = now if taken.send_at is None else max(taken.send_at, now)
        if taken.batch_id is not None:
            self._earliest[taken.batch_id] = min(at, self._earliest.get(taken.batch_id, at))
        if at <= now:
            taken.fate = OUT
            return True
        taken.fate = DISCARDED if taken.batch_id in self._stopped else WAITING
        self._kept.append(taken)
        self._next = min(self._next, at)
        return False

    def pass_time(self, now: float) -> list[Taken]:
        """The kept requests that go out by now."""
        if now < self._next:
            return []
        due = [one for one in self._kept if _send_at(one) <= now]
        leaving = [one for one in due if one.fate == WAITING]
        for one in leaving:
            one.fate = OUT
        self._kept = [one for one in self._kept if one.fate != OUT]
        self._next = min((_send_at(one) for one in self._kept if one.fate == WAITING), default=math.inf)
        return leaving

    def stop(self, batch_id: object, status: object, now: float) -> None:
        """Cancel or pause. Raises WrongMove."""
        if not isinstance(batch_id, str) or not self.knows(batch_id):
            raise WrongMove("invalid batch id", "batch_id")
        if status not in STATUSES:
            raise WrongMove("status must be cancel or pause", "status")
        if batch_id in self._stopped:
            raise WrongMove("a status was already set for this batch id")
        if len(self._stopped) >= MOST_CANCELLED:
            raise WrongMove("too many cancelled or paused batches")
        if now > self._earliest.get(batch_id, math.inf) - self._margin:
            raise WrongMove("the batch goes out too soon to be stopped", "batch_id")
        self._stopped[batch_id] = str(status)
        self._judge_again(batch_id)

    def change(self, batch_id: str, status: object) -> None:
        """From cancelled to paused, or back. Raises WrongMove, or KeyError for a batch that is not stopped."""
        if status not in STATUSES:
            raise WrongMove("status must be cancel or pause", "status")
        if batch_id not in self._stopped:
            raise KeyError(batch_id)
        self._stopped[batch_id] = str(status)

    def release(self, batch_id: str, now: float) -> None:
        """As if it had never been stopped: it goes out, at once where its time has passed. Raises KeyError."""
        del self._stopped[batch_id]
        self._kept = [one for one in self._kept if now < _send_at(one) + FURTHEST_SEND_AT]
        self._judge_again(batch_id)

    def shown(self) -> list[dict[str, str]]:
        return [{"batch_id": batch_id, "status": status} for batch_id, status in self._stopped.items()]

    def _judge_again(self, batch_id: str) -> None:
        for one in self._kept:
            if one.batch_id == batch_id:
                one.fate = DISCARDED if batch_id in self._stopped else WAITING
        self._next = min((_send_at(one) for one in self._kept if one.fate == WAITING), default=math.inf)


def _send_at(taken: Taken) -> float:
    return taken.send_at or 0
