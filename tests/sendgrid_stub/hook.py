"""Posts signed events to our webhook as the account does: many posts at once, each again until it is answered 2xx."""

from __future__ import annotations

import heapq
import itertools
import random
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

from tests.sendgrid_stub.clock import Clock
from tests.sendgrid_stub.events import Fields
from tests.sendgrid_stub.mischief import Mischief, body_of, forged, signer

AT_ONCE = 4
"""Posts in flight."""
PATIENCE = 10.0
GIVES_UP_AFTER = 24 * 3600
LONGEST_WAIT = 600.0


@dataclass(slots=True)
class Post:
    """One POST, the same bytes each time it is tried. `true` False: forged, and tried once."""

    body: bytes
    headers: Mapping[str, str]
    first: float
    tries: int = 0
    true: bool = True


class Hook:
    """A thread that looks every `every` seconds which events are due, while it knows where to."""

    def __init__(self, clock: Clock, *, seed: int) -> None:
        self.key = signer(seed)
        self.mischief = Mischief(seed=seed)
        self._clock = clock
        self._other = signer(seed, "somebody else's")
        self._random = random.Random(seed)
        self._url: str | None = None
        self._most = 500
        self._every = 0.1
        self._changed = threading.Condition()
        self._numbers = itertools.count()
        self._due: list[tuple[float, int, Fields | Post]] = []
        self._flying = 0
        self._counts = Counter[str]()
        self._answers = Counter[str]()
        self._forged = Counter[str]()
        self._rounds = 0
        self._closed = False
        self._thread: threading.Thread | None = None

    def to(self, url: str | None, *, most: int = 500, every: float = 0.1) -> None:
        """Where to post, at most how many events at a time, and how often to look."""
        with self._changed:
            self._url, self._most, self._every = url, most, every
            if self._thread is None and url is not None:
                self._thread = threading.Thread(target=self._run, daemon=True, name="events")
                self._thread.start()
            self._changed.notify_all()

    @property
    def wanted(self) -> bool:
        return self._url is not None

    @property
    def made(self) -> int:
        """How many events there have been."""
        return self._counts["made"]

    def put(self, events: Iterable[Fields], *, due: float) -> None:
        """To be posted then, with whatever mischief comes along."""
        with self._changed:
            for event in events:
                self._counts["made"] += 1
                for one, delay in self.mischief.with_company(event):
                    self._push(due + delay, one)
            self._changed.notify_all()

    def look(self) -> None:
        """The clock was moved."""
        with self._changed:
            self._changed.notify_all()

    def state(self) -> dict[str, Any]:
        """`waiting` are events and posts that are due and not yet acknowledged, `later` those due later."""
        with self._changed:
            now = self._clock.now()
            due = sum(1 for at, _, what in self._due if at <= now or isinstance(what, Post))
            return {
                "url": self._url,
                "public_key": self.key.public_key,
                "waiting": due + self._flying,
                "later": len(self._due) - due,
                "events": self._counts["made"],
                "posts": self._counts["posts"],
                "lost": self._counts["lost"],
                "answers": dict(self._answers),
                "forged": dict(self._forged),
            }

    def close(self, *, wait: bool) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if wait and self._thread is not None:
            self._thread.join()

    def _push(self, due: float, what: Fields | Post) -> None:
        heapq.heappush(self._due, (due, next(self._numbers), what))

    def _run(self) -> None:
        with ThreadPoolExecutor(AT_ONCE) as posters:
            while (posts := self._next()) is not None:
                for post in posts:
                    posters.submit(self._try, post)

    def _next(self) -> list[Post] | None:
        """The posts that are due, once there are any; None at the end."""
        with self._changed:
            while not self._closed:
                if self._url is not None and self._flying < AT_ONCE and (posts := self._cut(self._clock.now())):
                    self._flying += len(posts)
                    return posts
                self._changed.wait(self._every)
        return None

    def _cut(self, now: float) -> list[Post]:
        events: list[Fields] = []
        posts: list[Post] = []
        while self._due and self._due[0][0] <= now and len(events) < self._most * AT_ONCE:
            what = heapq.heappop(self._due)[2]
            if isinstance(what, Post):
                posts.append(what)
            else:
                events.append(what)
        self._rounds += 1
        if events and self.mischief.strikes("shuffled", self._rounds):
            self._random.shuffle(events)
        for start in range(0, len(events), self._most):
            posts += self._written(events[start : start + self._most], now)
        return posts

    def _written(self, events: list[Fields], now: float) -> list[Post]:
        body, timestamp = body_of(events), str(int(now))
        self._counts["posts"] += 1
        number = self._counts["posts"]
        posts = [Post(body, self.key.headers(body, timestamp=timestamp), now)]
        if self.mischief.strikes("replayed", number):
            posts.append(Post(body, posts[0].headers, now))
        if self.mischief.strikes("forged", number):
            lies, headers = forged(events, number, key=self.key, other=self._other, timestamp=timestamp)
            posts.append(Post(lies, headers, now, true=False))
        return posts

    def _try(self, post: Post) -> None:
        answer = self._answer(post)
        with self._changed:
            self._flying -= 1
            (self._answers if post.true else self._forged)[answer] += 1
            if post.true and not answer.startswith("2"):
                self._put_off(post)
            self._changed.notify_all()

    def _put_off(self, post: Post) -> None:
        now = self._clock.now()
        if now - post.first > GIVES_UP_AFTER:
            self._counts["lost"] += 1
            return
        self._push(now + min(self._every * 2 ** min(post.tries, 20), LONGEST_WAIT), post)
        post.tries += 1

    def _answer(self, post: Post) -> str:
        """The status as text, or what kept it from coming."""
        where = urlsplit(self._url or "")
        connection = HTTPConnection(where.netloc, timeout=PATIENCE)
        headers = {"Content-Type": "application/json;charset=utf-8", "User-Agent": "SendGrid Event API"}
        try:
            connection.request("POST", where.path or "/", post.body, headers | dict(post.headers))
            response = connection.getresponse()
            response.read()
        except (OSError, HTTPException) as broken:
            return type(broken).__name__
        else:
            return str(response.status)
        finally:
            connection.close()
