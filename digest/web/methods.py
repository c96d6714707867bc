"""HEAD and OPTIONS, the same for every address: they tell what GET would and what may be asked, and do nothing.

Whatever else is refused names all methods of the address in `Allow`; the framework names those of one route.
"""

from __future__ import annotations

from http import HTTPStatus

from starlette.datastructures import MutableHeaders
from starlette.routing import Match, Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ORDER = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class AnyMethod:
    """Around an application: HEAD is GET without the body (RFC 9110 9.3.2), OPTIONS says which methods there are."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["method"] == "HEAD":
            await self._app({**scope, "method": "GET"}, receive, _without_body(_with_allow(scope, send)))
        elif scope["method"] == "OPTIONS":
            await self._options(scope, receive, send)
        else:
            # A copy: whoever routes it further in writes into it.
            await self._app({**scope}, receive, _with_allow(scope, send))

    async def _options(self, scope: Scope, receive: Receive, send: Send) -> None:
        taken = _taken(scope)
        if not taken or "OPTIONS" in taken:
            await self._app({**scope}, receive, _with_allow(scope, send))
            return
        allow = _named(taken | {"OPTIONS"})
        await send({"type": "http.response.start", "status": 204, "headers": [(b"allow", allow.encode())]})
        await send({"type": "http.response.body"})


def _taken(scope: Scope) -> set[str]:
    """The methods that some route takes at this address; none within another application, which has its own."""
    routes = [route for route in scope["app"].routes if not isinstance(route, Mount)]
    return {
        method
        for method in _ORDER
        if any(route.matches({**scope, "method": method})[0] is Match.FULL for route in routes)
    }


def _named(taken: set[str]) -> str:
    """As `Allow` has them: where GET is taken, HEAD is."""
    if "GET" in taken:
        taken = taken | {"HEAD"}
    return ", ".join(method for method in _ORDER if method in taken)


def _with_allow(scope: Scope, send: Send) -> Send:
    async def completed(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == HTTPStatus.METHOD_NOT_ALLOWED:
            headers, taken = MutableHeaders(scope=message), _taken(scope)
            taken = taken | {"OPTIONS"} if taken else set(headers.get("allow", "").split(", "))
            headers["Allow"] = _named(taken)
        await send(message)

    return completed


def _without_body(send: Send) -> Send:
    async def headers_only(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return headers_only
