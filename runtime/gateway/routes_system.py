"""Routes about the relay itself."""

import asyncio
from dataclasses import asdict
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from tickwire.messages.addressing import ReplyTo
from tickwire.messages.clients import StateAnswered
from tickwire.messages.history import HistoryCounted, HistoryCountsRequested
from tickwire.runtime.gateway.health import health_status, readiness, system
from tickwire.runtime.gateway.services import Services, Unanswered, ask, expect


def json_response(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")


def system_routes(services: Services) -> APIRouter:
    routes = APIRouter(tags=["system"])

    @routes.get("/healthz")
    async def healthz() -> Response:
        """The process and its event loop are alive."""
        return json_response({"status": "ok"})

    @routes.get("/readyz", responses={503: {"description": "Not ready; the same body says what is not."}})
    async def readyz(request: Request) -> Response:
        """Ready: every feed is live or ended, Redis and the store are up. Names each, but to strangers."""
        try:
            answer = readiness(await services.state())
        except Unanswered as error:
            answer = {"ready": False, "feeds": {}, "redis": {}, "store": {}, "detail": str(error)}
        told = {"ready": answer["ready"]} if request.state.stranger else answer
        return json_response(told, 200 if answer["ready"] else 503)

    @routes.get("/health", responses={503: {"description": "No feed is heard."}})
    async def health() -> Response:
        """QuFLX's health check: healthy, degraded or unhealthy."""
        state = await services.state()
        status, ready = health_status(state), readiness(state)
        body = {
            "status": status,
            "feeds": {name: feed["state"] for name, feed in ready["feeds"].items()},
            "redis": ready["redis"]["state"],
            "store": ready["store"]["state"],
            "timestamp": services.clock.now_us() / 1e6,
        }
        return json_response(body, 503 if status == "unhealthy" else 200)

    @routes.get("/metrics")
    async def metrics() -> Response:
        """Prometheus' text format."""
        body = await asyncio.to_thread(services.metrics)
        return Response(body, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    @routes.get("/api/v1/status")
    async def status() -> Response:
        """The whole relay at a glance, a superset of QuFLX's answer."""
        state, history = await asyncio.gather(services.state(), _history(services))
        return json_response(_status(services, state, history))

    @routes.get("/api/v1/actors")
    async def actors() -> Response:
        """Each actor's state, incarnation, restarts, last error, mailbox."""
        return json_response({"actors": [_actor(services, state) for state in services.actors()]})

    @routes.get("/api/v1/audit")
    async def audit(since: int = 0, asset: str | None = None) -> Response:
        """The ledger: what became of every tick received from a second UTC on, and the holes on record."""
        found = await asyncio.to_thread(services.audit, since, asset)
        return json_response(found.as_dict())

    @routes.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return RedirectResponse("/openapi.json", 307)

    return routes


def _actor(_services: Services, state: Any) -> dict[str, Any]:
    return {name: getattr(value, "value", value) for name, value in asdict(state).items()}


def _backlog(state: StateAnswered) -> dict[str, Any]:
    """`pending` is about how many rows are accepted and not stored."""
    told = state.backlog
    if told is None:
        return {"pending": None, "catching_up": False, "rate": None, "eta_s": None}
    return {"pending": told.rows, "catching_up": told.catching_up, "rate": told.rate, "eta_s": told.eta_s}


def _counts(reply_to: ReplyTo) -> HistoryCountsRequested:
    return HistoryCountsRequested(reply_to=reply_to)


async def _history(services: Services) -> dict[str, Any] | None:
    """How questions about the past were answered; None while the candle cache restarts."""
    try:
        answer = await ask(services.cache, "candle cache", _counts, timeout_s=1.0)
        return asdict(expect(answer, HistoryCounted))
    except Unanswered:
        return None


def _status(services: Services, state: StateAnswered, history: dict[str, Any] | None) -> dict[str, Any]:
    ready = readiness(state)
    return {
        "ok": ready["ready"],
        "system": system(state),
        "feeds": ready["feeds"],
        "redis": ready["redis"],
        "store": {
            **ready["store"],
            "last_batch_rows": state.stored.rows if state.stored is not None else None,
            **_backlog(state),
            "quarantined": state.quarantined,
        },
        "history": history,
        "version": services.version,
        "timestamp": services.clock.now_us() / 1e6,
    }
