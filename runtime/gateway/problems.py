"""Errors over HTTP, all in one shape: `{ok,error_code,error_message,user_message,details}`."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from tickwire.runtime.gateway.services import Unanswered

_log = structlog.get_logger("tickwire.http")


class Problem(Exception):
    """A request that is answered by an error."""

    def __init__(self, status: int, code: str, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details


def problem_body(code: str, message: str, details: Mapping[str, Any] | None = None) -> bytes:
    body = {
        "ok": False,
        "error_code": code,
        "error_message": message,
        "user_message": message,
        "details": dict(details or {}),
    }
    return orjson.dumps(body)


def problem_response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    body = problem_body(problem.code, problem.message, problem.details)
    return Response(body, problem.status, dict(headers or {}), media_type="application/json")


def handle_problems(app: FastAPI) -> None:
    """Every error of the application in that shape."""

    @app.exception_handler(Problem)
    async def _problem(_request: Request, error: Problem) -> Response:
        return problem_response(error)

    @app.exception_handler(Unanswered)
    async def _unanswered(_request: Request, error: Unanswered) -> Response:
        return problem_response(Problem(503, "unavailable", str(error)), {"Retry-After": "1"})

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
        message = f"{request.method} {request.url.path}: {error.detail}"
        return problem_response(Problem(error.status_code, code, message), error.headers)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_request: Request, error: RequestValidationError) -> Response:
        wrong = [{"where": ".".join(map(str, each["loc"])), "what": each["msg"]} for each in error.errors()]
        message = "; ".join(f"{each['where']}: {each['what']}" for each in wrong)
        return problem_response(Problem(422, "invalid_request", message, {"errors": wrong}))

    @app.exception_handler(500)
    async def _internal(request: Request, error: Exception) -> Response:
        _log.error("request_failed", path=request.url.path, error=repr(error))
        problem = Problem(500, "internal_error", "the relay failed at this request; its log says why")
        # Starlette raises the error again behind the answer, at which uvicorn ends the connection.
        return problem_response(problem, {"Connection": "close"})
