"""What operators' tools ask for: alive, ready, metrics. And the answer to a path that nothing stands behind."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from gateway.errors import MethodNotAllowed, NoSuchRoute, Refusal, render
from gateway.exchange import Dialect
from gateway.headers import SERVER
from gateway.health import Health
from gateway.ids import new_id
from gateway.metrics import MetricsFiles

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def add_health(app: web.Application, health: Health) -> None:
    async def alive(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def ready(_: web.Request) -> web.Response:
        status, text = health.ready()
        return web.Response(status=status, text=text)

    app.router.add_get("/health", alive)
    app.router.add_get("/ready", ready)


def add_metrics(app: web.Application, metrics: MetricsFiles, update: Callable[[], None]) -> None:
    async def exposition(_: web.Request) -> web.Response:
        update()
        return web.Response(body=metrics.exposition(), headers={"content-type": CONTENT_TYPE_LATEST})

    app.router.add_get("/metrics", exposition)


async def sign(_: web.Request, response: web.StreamResponse) -> None:
    """An `on_response_prepare` signal: nobody needs to know what we are made of."""
    response.headers["server"] = SERVER


async def end_connection(_: web.Request, response: web.StreamResponse) -> None:
    """An `on_response_prepare` signal: the next request may be for the data plane, which answers on connections of its
    own. An upgrade keeps its connection."""
    if response.status != HTTPStatus.SWITCHING_PROTOCOLS:
        response.force_close()
        response.headers["connection"] = "close"


@web.middleware
async def json_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """aiohttp's own refusals in the API's shape. What the sections answer is theirs already."""
    headers = {"content-type": "application/json"}
    try:
        return await handler(request)
    except web.HTTPNotFound:
        refusal: Refusal = NoSuchRoute(f"There is nothing at {request.method} {request.path}.")
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        refusal = MethodNotAllowed(f"{request.method} is not possible at {request.path}; {allowed} is.")
        headers["allow"] = allowed
    request_id = f"req_{new_id()}"
    body = render(refusal, Dialect.OPENAI, request_id)
    return web.Response(status=refusal.status, body=body, headers={**headers, "x-request-id": request_id})
