"""The edge of the control plane: from an aiohttp request to a handler's call, and from any failure to JSON.

In this order: who is it, may they, what do they say, do it. Nobody without the permission learns what a valid body
would have been.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from uuid import uuid4

import orjson
from aiohttp import web
from pydantic import BaseModel, ValidationError

from admin import forms
from admin.deps import AdminDeps
from admin.errors import DatabaseUnavailable, NotFound, Unauthorized, Unprocessable, render
from admin.login import store as sessions
from admin.login.sessions import looks_like_session, read
from admin.rbac import Access, Permission, Role, may
from admin.routing import Call, Route, Staff
from admin.store import reading
from gateway.db import DatabaseDown
from gateway.errors import (
    Forbidden,
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    Refusal,
    RequestTimeout,
    RequestTooLarge,
    UnsupportedMediaType,
)

logger = logging.getLogger("guardflow.admin")

BODY_BYTES_MAX = 1024 * 1024
BODY_TIMEOUT_S = 30.0
Endpoint = Callable[[web.Request], Awaitable[web.StreamResponse]]
REQUEST_ID = web.RequestKey("request_id", str)


def endpoint(route: Route, deps: AdminDeps) -> Endpoint:
    """The aiohttp handler of `route`: complete by itself, whatever application it is mounted in."""

    async def answer(request: web.Request) -> web.StreamResponse:
        call = await _call(route, deps, request)
        given: dict[str, BaseModel] = {}
        if route.query is not None:
            given["query"] = _validated(route.query, dict(request.query), "query")
        if route.takes is not None:
            given["body"] = _parsed(route, request, await _body(request))
        result = await route.handler(call, **given)
        if result is None:
            return web.Response(status=route.status)
        return _json(result.model_dump_json(exclude_unset=True, by_alias=True).encode(), route.status)

    async def guarded(request: web.Request) -> web.StreamResponse:
        return await answered(request, answer)

    return guarded


async def answered(request: web.Request, answer: Endpoint) -> web.StreamResponse:
    """What `answer` says, or why not; always with a request id."""
    request_id = request.get(REQUEST_ID) or f"req_{uuid4().hex}"
    try:
        response = await answer(request)
    except Refusal as refusal:
        response = refused(refusal, request_id)
    except web.HTTPException as error:
        response = refused(_translated(error), request_id)
    except DatabaseDown as error:
        logger.warning("%s %s: the database does not answer: %s", request.method, request.path, error)
        down = DatabaseUnavailable("The database does not answer. Try again soon.", retry_after_s=2)
        response = refused(down, request_id)
    except Exception:  # the edge: whatever went wrong inside, the client gets an answer and the log the reason
        logger.exception("%s %s failed (%s)", request.method, request.path, request_id)
        response = refused(InternalError(f"Something went wrong here. Quote {request_id}."), request_id)
    response.headers["x-request-id"] = request_id
    return response


def refused(refusal: Refusal, request_id: str) -> web.Response:
    response = _json(orjson.dumps(render(refusal, request_id)), refusal.status)
    if refusal.retry_after_s is not None:
        response.headers["Retry-After"] = str(math.ceil(refusal.retry_after_s))
    if refusal.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if isinstance(refusal, MethodNotAllowed) and refusal.param:
        response.headers["Allow"] = refusal.param
    return response


async def _call(route: Route, deps: AdminDeps, request: web.Request) -> Call:
    bearer = _bearer(request)
    staff, caller_id = None, None
    if route.permission is Access.CALLER and not (bearer and looks_like_session(bearer)):
        headers = {name.lower(): value for name, value in request.headers.items()}
        caller_id = (await deps.authenticate(headers)).user_id
    elif route.permission is not Access.PUBLIC:
        staff = await _staff(deps, bearer)
        caller_id = staff.user_id
    if isinstance(route.permission, Permission) and not (staff and may(staff.role, route.permission)):
        raise Forbidden(f"This takes the permission {route.permission}.")
    path_id = int(request.match_info["id"]) if "id" in request.match_info else None
    return Call(deps, staff, caller_id, path_id, request.remote or "", bearer)


async def _staff(deps: AdminDeps, bearer: str | None) -> Staff:
    if bearer is None:
        raise Unauthorized("Not authenticated: sign in and send `Authorization: Bearer <access token>`.")
    if not looks_like_session(bearer):
        raise Unauthorized("This takes a session token, not an API token: sign in first.")
    claims = read(deps.jwt, bearer)
    async with reading(deps.pool) as conn:
        account = await sessions.find_live(conn, claims)
    if account is None:
        raise Unauthorized("The session has ended. Sign in again.")
    return Staff(account.user.id, account.user.email, Role(account.user.role), claims.session)


def _bearer(request: web.Request) -> str | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


async def _body(request: web.Request) -> bytes:
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType("Send the body as it is, without a Content-Encoding.")
    too_large = RequestTooLarge(f"The body is larger than {BODY_BYTES_MAX} bytes.")
    if (request.content_length or 0) > BODY_BYTES_MAX:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > BODY_BYTES_MAX:
                    raise too_large
    except TimeoutError as error:
        raise RequestTimeout("The request body did not arrive in time.") from error
    return bytes(body)


def _parsed(route: Route, request: web.Request, body: bytes) -> BaseModel:
    assert route.takes is not None
    if not body.strip() and route.empty_body:
        return _validated(route.takes, b"{}", "body")
    content_type = request.headers.get("Content-Type", "")
    if forms.is_json(content_type, body):
        return _validated(route.takes, body, "body")
    if route.forms:
        return _validated(route.takes, forms.fields(content_type, body), "body")
    raise UnsupportedMediaType("Send application/json.")


def _validated(model: type[BaseModel], given: bytes | dict[str, str], where: str) -> BaseModel:
    try:
        return model.model_validate_json(given) if isinstance(given, bytes) else model.model_validate(given)
    except ValidationError as error:
        # Not the input: it may be a password.
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        details = [{**fault, "loc": [where, *fault["loc"]]} for fault in faults]
        raise Unprocessable(f"The {where} is not valid.", details=details) from None


def _translated(error: web.HTTPException) -> Refusal:
    if isinstance(error, web.HTTPMethodNotAllowed):
        allowed = ", ".join(sorted(error.allowed_methods))
        return MethodNotAllowed(f"{error.method} is not allowed here, but {allowed}.", param=allowed)
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return RequestTooLarge(f"The body is larger than {BODY_BYTES_MAX} bytes.")
    if error.status == 404:
        return NotFound("No such page.")
    return InvalidRequest(error.reason)


def _json(body: bytes, status: int) -> web.Response:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return web.Response(body=body, status=status, content_type="application/json", headers=headers)
