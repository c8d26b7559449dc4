"""What a proxy in Python costs that does nothing: an aiohttp application in front of a ClientSession.

The yardstick of the budgets. No key check, no parsing, no log: the body goes in, the reply comes out.
"""

import argparse
import asyncio

import aiohttp
import uvloop
from aiohttp import web

SESSION = web.AppKey("session", aiohttp.ClientSession)
UPSTREAM = web.AppKey("upstream", str)
_OUTGOING = {"content-type": "application/json", "authorization": "Bearer upstream"}
_DROPPED = {"connection", "transfer-encoding", "content-length", "keep-alive"}


async def forward(request: web.Request) -> web.StreamResponse:
    url = request.app[UPSTREAM] + request.path
    async with request.app[SESSION].post(url, data=await request.read(), headers=_OUTGOING) as reply:
        headers = {name: value for name, value in reply.headers.items() if name.lower() not in _DROPPED}
        if not reply.headers.get("content-type", "").startswith("text/event-stream"):
            return web.Response(status=reply.status, headers=headers, body=await reply.read())
        stream = web.StreamResponse(status=reply.status, headers=headers)
        await stream.prepare(request)
        async for piece in reply.content.iter_any():
            await stream.write(piece)
        await stream.write_eof()
        return stream


async def run(port: int, upstream: str) -> None:
    app = web.Application(client_max_size=16 << 20)
    app.router.add_post("/v1/chat/completions", forward)
    app[UPSTREAM] = upstream.rstrip("/")
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
    async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as session:
        app[SESSION] = session
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
        await asyncio.Event().wait()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--port", type=int, default=9002)
    arguments.add_argument("--upstream", default="http://127.0.0.1:9001", help="host of the provider, without /v1")
    options = arguments.parse_args()
    uvloop.run(run(options.port, options.upstream))


if __name__ == "__main__":
    main()
