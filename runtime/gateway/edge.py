"""Around the HTTP application: who may ask, `X-Request-ID`, and the headers that every answer carries."""

import re
import uuid
from collections.abc import Callable, Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tickwire.runtime.gateway.admission import Policy
from tickwire.runtime.gateway.problems import Problem, problem_response

REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}", re.ASCII)
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
METHODS = "GET, HEAD, OPTIONS"


class Edge:
    """An ASGI application around another."""

    def __init__(self, app: ASGIApp, policy: Policy, refused: Callable[[], None]) -> None:
        self._app = app
        self._policy = policy
        self._refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        given = headers.get("x-request-id", "")
        request_id = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        refusal = self._policy.refusal(headers.get("host"), origin)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = _headers(request_id, origin if refusal is None else None)
                answer = MutableHeaders(scope=message)
                for name, value in added:
                    answer.setdefault(name, value)
            await send(message)

        if refusal is not None:
            self._refused()
            await problem_response(Problem(403, "forbidden", refusal))(scope, receive, send_with_headers)
        elif scope["method"] == "OPTIONS" and origin is not None:
            await _Preflight()(scope, receive, send_with_headers)
        else:
            await self._app(scope, receive, send_with_headers)


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

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [
            (b"access-control-allow-methods", METHODS.encode()),
            (b"access-control-allow-headers", b"X-Request-ID"),
            (b"access-control-max-age", b"600"),
        ]
        await send({"type": "http.response.start", "status": 204, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
