"""The test's own door, `/_stub/<path>`: what is done to the stand-in, and what it tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from tests.sendgrid_stub.account import NOT_FOUND, Reply
from tests.sendgrid_stub.faults import Faults

if TYPE_CHECKING:
    from tests.sendgrid_stub.world import World


Asked = Mapping[str, Any]
Query = Mapping[str, str]


def change(world: World, path: str, asked: Asked) -> Reply:
    """Anything asked by POST. The world is locked."""
    do = _CHANGES.get(path)
    if do is None:
        return NOT_FOUND
    try:
        do(world, asked)
    except KeyError as missing:
        return Reply(400, {"error": f"there is no {missing}"})
    except (ValueError, TypeError) as wrong:
        return Reply(400, {"error": str(wrong)})
    return Reply(200, {})


def _script(faults: Faults, asked: Asked) -> None:
    faults.script(asked.get("next", ()))
    if "chances" in asked:
        faults.chances(asked["chances"], seed=asked.get("seed"))


def _clock(world: World, asked: Asked) -> None:
    world.clock.forward(asked["forward"])
    world.pass_time()


def _webhook(world: World, asked: Asked) -> None:
    world.hook.to(asked["url"], **{name: asked[name] for name in ("most", "every") if name in asked})


def _fortunes(world: World, asked: Asked) -> None:
    for address, happenings in asked.get("addresses", {}).items():
        world.fortunes.script(address, happenings)
    if "chances" in asked:
        world.fortunes.chances(asked["chances"], seed=asked.get("seed"))


def _suppress(world: World, asked: Asked) -> None:
    more = {name: value for name, value in asked.items() if name not in ("list", "email", "at")}
    at = int(asked.get("at", world.clock.now()))
    world.account.suppressions.add(asked["list"], asked["email"], at=at, **more)


_CHANGES: dict[str, Callable[[World, Asked], None]] = {
    "faults": lambda world, asked: _script(world.faults, asked),
    "account-faults": lambda world, asked: _script(world.account_faults, asked),
    "answers": lambda world, asked: world.account.can(asked["to"], asked["status"], asked["with"]),
    "as-usual": lambda world, asked: world.account.as_usual(asked["to"]),
    "clock": _clock,
    "webhook": _webhook,
    "fortunes": _fortunes,
    "happen": lambda world, asked: world.happen(asked["address"], asked["events"]),
    "events": lambda world, asked: world.hook.put(asked["events"], due=world.clock.now()),
    "mischief": lambda world, asked: world.hook.mischief.set(asked["chances"], seed=asked.get("seed")),
    "suppressions": _suppress,
    "reset": lambda world, _: world.forget(),
}


def show(world: World, path: str, query: Query) -> Reply:
    """Anything asked by GET. The world is locked."""
    tell = _SHOWN.get(path)
    return NOT_FOUND if tell is None else Reply(200, tell(world, query))


def _taken(world: World, query: Query) -> list[dict[str, Any]]:
    if "delivery" in query:
        return world.memory.of_delivery(int(query["delivery"]))
    if "address" in query:
        return world.memory.of_address(query["address"])
    return [one.summary() for one in world.memory.taken]


_SHOWN: dict[str, Callable[[World, Query], Any]] = {
    "state": lambda world, _: world.state(),
    "taken": _taken,
    "twice": lambda world, query: world.memory.twice(ever="ever" in query),
    "deliveries": lambda world, query: world.memory.deliveries(ever="ever" in query),
    "mail": lambda world, query: {"mail": world.memory.mail(query.get("address", ""))},
    "requests": lambda world, _: list(world.requests),
    "clock": lambda world, _: {"now": world.clock.now()},
    "events": lambda world, _: world.hook.state(),
}
