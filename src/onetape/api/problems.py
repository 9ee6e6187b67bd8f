"""Errors as people and programs see them: application/problem+json with the field named, never a stack trace."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

import msgspec
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from onetape.domain.errors import BadInput, Conflict, Halt, NotFound, OnetapeError, Refused, Transient
from onetape.observe import log

STATUS: Final[dict[type[OnetapeError], HTTPStatus]] = {
    NotFound: HTTPStatus.NOT_FOUND,
    Conflict: HTTPStatus.CONFLICT,
    BadInput: HTTPStatus.UNPROCESSABLE_ENTITY,
    Refused: HTTPStatus.CONFLICT,
    Halt: HTTPStatus.CONFLICT,
    Transient: HTTPStatus.SERVICE_UNAVAILABLE,
}


def problem(status: int, detail: str, **more: Any) -> Response:
    """`{"type": "about:blank", "title": "Not Found", "status": 404, "detail": "...", "field": "..."}`"""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": int(status), "detail": detail} | more
    return Response(msgspec.json.encode(body), status, media_type="application/problem+json")


def from_error(error: OnetapeError) -> Response:
    status = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), HTTPStatus.INTERNAL_SERVER_ERROR)
    if isinstance(error, BadInput):
        return problem(status, str(error), field=error.field, value=str(error.value)[:200])
    return problem(status, str(error))


def install(app: FastAPI) -> None:
    async def on_error(_: Request, error: Exception) -> Response:
        assert isinstance(error, OnetapeError)
        return from_error(error)

    async def on_http(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        response = problem(error.status_code, str(error.detail))
        response.headers.update(error.headers or {})
        return response

    async def on_parameters(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
        given = first.get("input")
        return from_error(BadInput(field, given, str(first["msg"]).lower()))

    async def on_bug(request: Request, error: Exception) -> Response:
        log.error("request_failed", path=request.url.path, method=request.method, exc_info=error)
        return problem(500, "This is a fault in onetape; `onetape logs --service web` holds the details.")

    app.add_exception_handler(OnetapeError, on_error)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(RequestValidationError, on_parameters)
    app.add_exception_handler(Exception, on_bug)
