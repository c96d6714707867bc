"""HEAD and OPTIONS, the same for every address: they tell what GET would and what may be asked, and do nothing."""

from __future__ import annotations

from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ORDER = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class AnyMethod:
    """Around an application: HEAD is GET without the body (RFC 9110 9.3.2), OPTIONS says which methods there are."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in ("HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
        elif scope["method"] == "HEAD":
            await self._app({**scope, "method": "GET"}, receive, _without_body(send))
        else:
            await self._options(scope, receive, send)

    async def _options(self, scope: Scope, receive: Receive, send: Send) -> None:
        taken = _taken(scope)
        if not taken or "OPTIONS" in taken:
            await self._app(scope, receive, send)
            return
        if "GET" in taken:
            taken.add("HEAD")
        allow = ", ".join(method for method in _ORDER if method in taken | {"OPTIONS"})
        await send({"type": "http.response.start", "status": 204, "headers": [(b"allow", allow.encode())]})
        await send({"type": "http.response.body"})


def _taken(scope: Scope) -> set[str]:
    """The methods that some route takes at this address."""
    routes = scope["app"].routes
    return {
        method
        for method in _ORDER
        if any(route.matches({**scope, "method": method})[0] is Match.FULL for route in routes)
    }


def _without_body(send: Send) -> Send:
    async def headers_only(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return headers_only
