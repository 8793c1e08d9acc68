"""Around the HTTP application: who may ask, `X-Request-ID`, the headers of every answer, and no secret in any."""

import re
import uuid
from collections.abc import Callable, Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tickwire.runtime.gateway.admission import Policy
from tickwire.runtime.gateway.problems import Problem, problem_response
from tickwire.runtime.gateway.redaction import Redaction
from tickwire.runtime.gateway.tokens import BadToken, bearer

REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}", re.ASCII)
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
METHODS = "GET, HEAD, OPTIONS"
SOCKET_IO = "/socket.io"
"""Served behind this edge, with one difference: its clients show their token when they connect."""
WITHOUT_TOKEN = frozenset({"/", "/favicon.ico", "/healthz", "/readyz"})
"""They tell nothing of the market: the page, and whether the process lives and is ready (to strangers, no details)."""


class Edge:
    """An ASGI application around another."""

    def __init__(self, app: ASGIApp, policy: Policy, refused: Callable[[], None], redaction: Redaction) -> None:
        self._app = app
        self._policy = policy
        self._refused = refused
        self._redaction = redaction

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._on_websocket(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        given = headers.get("x-request-id", "")
        request_id = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        refusal = self._refusal(scope, headers)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                allowed = None if refusal is not None and refusal.status == 403 else origin
                answer = MutableHeaders(scope=message)
                for name, value in _headers(request_id, allowed):
                    answer.setdefault(name, value)
            elif message.get("body"):
                message["body"] = self._redaction(message["body"])
            await send(message)

        if refusal is not None:
            self._refused()
            asks = {"WWW-Authenticate": "Bearer"} if refusal.status == 401 else None
            await problem_response(refusal, asks)(scope, receive, send_with_headers)
        elif scope["method"] == "OPTIONS" and origin is not None:
            methods = f"{METHODS}, POST" if scope["path"].startswith(f"{SOCKET_IO}/") else METHODS
            await _Preflight(methods)(scope, receive, send_with_headers)
        else:
            await self._app(scope, receive, send_with_headers)

    async def _on_websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Of Socket.IO: /ws is not an application's."""
        headers = Headers(scope=scope)

        async def send_redacted(message: Message) -> None:
            if message.get("text"):
                message["text"] = self._redaction.text(message["text"])
            await send(message)

        if self._policy.refusal(headers.get("host"), headers.get("origin")) is None:
            await self._app(scope, receive, send_redacted)
            return
        self._refused()
        await receive()
        await send({"type": "websocket.close", "code": 1008})

    def _refusal(self, scope: Scope, headers: Headers) -> Problem | None:
        why = self._policy.refusal(headers.get("host"), headers.get("origin"))
        if why is not None:
            return Problem(403, "forbidden", why)
        path = scope["path"]
        scope.setdefault("state", {})["stranger"] = False
        if scope["method"] == "OPTIONS" or path.startswith(("/static/", f"{SOCKET_IO}/")):
            return None  # browsers ask the first two without a token
        try:
            self._policy.until(bearer(headers.get("authorization")))
        except BadToken as error:
            scope["state"]["stranger"] = True
            return None if path in WITHOUT_TOKEN else Problem(401, "unauthorized", str(error))
        return None


def _headers(request_id: str, origin: str | None) -> Iterable[tuple[str, str]]:
    yield "X-Request-ID", request_id
    yield "X-Content-Type-Options", "nosniff"
    yield "Referrer-Policy", "no-referrer"
    yield "Content-Security-Policy", CONTENT_SECURITY_POLICY
    yield "Cache-Control", "no-store"
    yield "Vary", "Origin"
    if origin is not None:
        yield "Access-Control-Allow-Origin", origin
        yield "Access-Control-Expose-Headers", "X-Request-ID"


class _Preflight:
    """The answer to a page's question whether it may ask."""

    def __init__(self, methods: str) -> None:
        self._methods = methods

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [
            (b"access-control-allow-methods", self._methods.encode()),
            (b"access-control-allow-headers", b"Authorization, Content-Type, X-Request-ID"),
            (b"access-control-max-age", b"600"),
        ]
        await send({"type": "http.response.start", "status": 204, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
