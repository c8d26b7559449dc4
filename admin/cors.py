"""Which pages of other origins may call the API from a browser. With no origins, none: no header is sent.

Cookies are never allowed: callers send their token themselves, so `*` gives a page nothing that it has not got.
"""

from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

_METHODS = "GET, POST, PATCH, PUT, DELETE, OPTIONS"
_HEADERS = "authorization, content-type, x-api-key, x-goog-api-key, anthropic-version, x-guardflow-debug"
_EXPOSED = "x-request-id, retry-after, x-guardflow-intent, x-guardflow-model"
_MAX_AGE_S = "600"


def install_cors(app: web.Application, origins: Sequence[str]) -> None:
    """Answer preflights, and mark what is answered: as it is prepared, so that streams are marked too."""
    if not origins:
        return

    def allowed(request: web.Request) -> str | None:
        origin = request.headers.get("Origin")
        return origin if origin and ("*" in origins or origin in origins) else None

    async def mark(request: web.Request, response: web.StreamResponse) -> None:
        if origin := allowed(request):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = _EXPOSED
        response.headers.add("Vary", "Origin")

    @web.middleware
    async def preflight(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        asked = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        return _preflight() if asked and allowed(request) else await handler(request)

    app.middlewares.append(preflight)
    app.on_response_prepare.append(mark)


def _preflight() -> web.Response:
    headers = {
        "Access-Control-Allow-Methods": _METHODS,
        "Access-Control-Allow-Headers": _HEADERS,
        "Access-Control-Max-Age": _MAX_AGE_S,
    }
    return web.Response(status=204, headers=headers)
