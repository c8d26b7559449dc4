"""The documentation pages: Swagger UI and ReDoc out of the package, working offline, and the document they show.

The Content-Security-Policy lets them load from here alone, so that nothing of ours asks the internet for anything.
"""

from functools import partial
from pathlib import Path

import orjson
from aiohttp import web
from openapi_ui_bundles import redoc, swagger_ui

from gateway.exchange import Json

DOCUMENT_PATHS = ("/openapi.json", "/api/v1/openapi.json")
SWAGGER_PATHS = ("/docs", "/api/v1/docs")
REDOC_PATH = "/redoc"
_ASSETS = {
    "swagger-ui.css": (swagger_ui.static_path, "text/css"),
    "swagger-ui-bundle.js": (swagger_ui.static_path, "text/javascript"),
    "redoc.standalone.js": (redoc.static_path, "text/javascript"),
}
_START = """\
window.onload = () => SwaggerUIBundle({
  url: "/openapi.json", dom_id: "#ui", deepLinking: true, persistAuthorization: true, validatorUrl: null,
});
"""
_SWAGGER = """\
<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Guardflow API</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/assets/swagger-ui.css"></head>
<body><div id="ui"></div>
<script src="/docs/assets/swagger-ui-bundle.js"></script><script src="/docs/assets/start.js"></script></body></html>
"""
_REDOC = """\
<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Guardflow API</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,"></head>
<body><redoc spec-url="/openapi.json"></redoc><script src="/docs/assets/redoc.standalone.js"></script></body></html>
"""
_POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; worker-src 'self' blob:; "
    "frame-ancestors 'none'; base-uri 'none'"
)


def add_pages(app: web.Application, document: Json) -> None:
    body = orjson.dumps(document)
    for path in DOCUMENT_PATHS:
        app.router.add_get(path, partial(_serve, body, "application/json"))
    for path in SWAGGER_PATHS:
        app.router.add_get(path, partial(_serve, _SWAGGER.encode(), "text/html"))
    app.router.add_get(REDOC_PATH, partial(_serve, _REDOC.encode(), "text/html"))
    app.router.add_get("/docs/assets/start.js", partial(_serve, _START.encode(), "text/javascript"))
    for name, (folder, content_type) in _ASSETS.items():
        app.router.add_get(f"/docs/assets/{name}", partial(_file, Path(folder) / name, content_type))


async def _serve(body: bytes, content_type: str, _: web.Request) -> web.Response:
    charset = None if content_type == "application/json" else "utf-8"
    return web.Response(body=body, content_type=content_type, charset=charset, headers=_headers("no-cache"))


async def _file(path: Path, content_type: str, _: web.Request) -> web.FileResponse:
    return web.FileResponse(path, headers={**_headers("public, max-age=86400"), "Content-Type": content_type})


def _headers(caching: str) -> dict[str, str]:
    return {
        "Cache-Control": caching,
        "Content-Security-Policy": _POLICY,
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
    }
