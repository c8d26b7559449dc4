"""One pipelined connection to Redis, for the request's way.

Commands of one loop turn leave in one write; replies come back in the order of the commands, so a waiter never leaves
the queue before its reply, cancelled or not. A reply that is overdue closes the connection: until a probe is answered
in time, every call fails at once with `RedisDown`.
"""

import asyncio
import hashlib
import logging
import ssl
from asyncio import Future
from collections import deque
from collections.abc import Callable
from typing import Any, TypeAlias, cast

import hiredis
from hiredis import ReplyError

from gateway.tasks import spawn
from gateway.wire.redis_address import RedisAddress

logger = logging.getLogger("guardflow.redis")

Arg: TypeAlias = str | bytes | int | float
OnReply: TypeAlias = Callable[[Any], None]
"""Gets the reply, or the RedisDown or RedisError there was instead."""

_Waiter: TypeAlias = "Future[Any] | OnReply"
_Sent: TypeAlias = "tuple[float, _Waiter, Script | None, bytes]"  # since when, who, and what to send anew

GRACE_S = 0.1
"""How long an overdue reply may still keep all others waiting. A server that answers something is slow, not gone; one
that a busy machine keeps from running needs some tens of milliseconds. Giving up too early costs exact limits."""
SETTLED_S = 5.0
"""A connection that lived this long was a good one: the next loss is answered by trying again at once."""
_MORE = object()
_pack = cast("Callable[[tuple[Arg, ...]], bytes]", hiredis.pack_command)  # its own stub allows one argument


class RedisDown(Exception):
    """Redis did not answer in time, or is known not to."""


class RedisError(Exception):
    """Redis answered with an error."""


class _Link(asyncio.Protocol):
    """One connection, from made to lost."""

    def __init__(self, loop: asyncio.AbstractEventLoop, timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self.lost: Future[str] = loop.create_future()
        self.loop = loop
        self._transport: asyncio.Transport | None = None
        self._reader = hiredis.Reader(notEnoughData=_MORE)
        self._out: list[bytes] = []
        self._waiting: deque[_Sent] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._suspect: _Sent | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but its class

    def send(self, command: bytes, waiter: _Waiter, script: "Script | None") -> None:
        now = self.loop.time()
        self._waiting.append((now, waiter, script, command))
        if self._timer is None:
            self._timer = self.loop.call_at(now + self.timeout_s, self._look_at_the_clock)
        if not self._out:
            self.loop.call_soon(self._flush)
        self._out.append(command)

    def hurry(self, timeout_s: float) -> None:
        """Another deadline for the replies to come; nothing may be waiting."""
        self.timeout_s = timeout_s
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _flush(self) -> None:
        commands, self._out = self._out, []
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join(commands))

    def data_received(self, data: bytes) -> None:
        reader, waiting = self._reader, self._waiting
        reader.feed(data)
        try:
            while (reply := reader.gets()) is not _MORE:
                _, waiter, script, command = waiting.popleft()
                if isinstance(reply, ReplyError):
                    self._refused(reply, waiter, script, command)
                elif isinstance(waiter, Future) and not waiter.done():
                    waiter.set_result(reply)
                else:
                    _deliver(waiter, reply)
        except (hiredis.ProtocolError, IndexError) as error:
            self.give_up(f"it does not speak Redis: {error!r}")

    def _refused(self, error: Exception, waiter: _Waiter, script: "Script | None", command: bytes) -> None:
        """A script that the server forgot is sent whole, once; any other error goes to the waiter."""
        if script is not None and str(error).startswith("NOSCRIPT"):
            self.send(script.whole(command), waiter, None)
        else:
            _deliver(waiter, RedisError(str(error)))

    def _look_at_the_clock(self) -> None:
        """One timer a connection: it watches the oldest unanswered command."""
        self._timer = None
        if not self._waiting:
            return
        oldest = self._waiting[0]
        due = oldest[0] + self.timeout_s
        if self.loop.time() < due:
            self._timer = self.loop.call_at(due, self._look_at_the_clock)
        elif self._suspect is not oldest:
            self._suspect = oldest
            self._timer = self.loop.call_later(GRACE_S, self._look_at_the_clock)
        else:
            self.give_up(f"no answer within {self.timeout_s * 1000:.0f} ms")

    def connection_lost(self, exc: Exception | None) -> None:
        self.give_up(str(exc) if exc else "it closed the connection")

    def give_up(self, why: str) -> None:
        """Close, and let everybody waiting know."""
        if self.lost.done():
            return
        self.lost.set_result(why)
        if self._timer is not None:
            self._timer.cancel()
        if self._transport is not None:
            self._transport.abort()
        waiting, self._waiting = self._waiting, deque()
        for _, waiter, _, _ in waiting:
            _deliver(waiter, RedisDown(why))


def _deliver(waiter: _Waiter, reply: Any) -> None:
    if not isinstance(waiter, Future):
        try:
            waiter(reply)
        except Exception:  # a callback's fault must not cost all others on this connection their replies
            logger.exception("a reply could not be taken")
    elif waiter.done():
        return
    elif isinstance(reply, Exception):
        waiter.set_exception(reply)
    else:
        waiter.set_result(reply)


class RedisPipe:
    """The connection as its users see it: there or not, found again by itself.

    `start` waits for the first attempt only, however it ends. `on_up` callbacks run after each connection made.
    """

    def __init__(
        self, url: str, *, timeout_s: float = 0.05, connect_timeout_s: float = 1.0, backoff_s: float = 1.0
    ) -> None:
        self.address = RedisAddress.parse(url)
        self.on_up: list[Callable[[], None]] = []
        self._timeout_s = timeout_s
        self._connect_timeout_s = connect_timeout_s
        self._backoff_s = backoff_s
        self._scripts: list[Script] = []
        self._link: _Link | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._tried = asyncio.Event()
        self._why = "not connected yet"

    @property
    def available(self) -> bool:
        link = self._link
        return link is not None and not link.lost.done()

    async def start(self) -> None:
        self._keeper = spawn(self._keep_connected(), name="redis-pipe")
        await self._tried.wait()

    async def close(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
            await asyncio.sleep(0)  # the transport lets go of its socket in the next turn
        self._why = "closed"

    def call(self, *args: Arg) -> "Future[Any]":
        """Send a command; await the reply. Raises RedisDown or RedisError."""
        return self.ask(_pack(args))

    def send(self, *args: Arg, on_reply: OnReply, script: "Script | None" = None) -> None:
        """Send a command; `on_reply` is called with the reply, or with the exception there was instead."""
        if not self.tell(_pack(args), on_reply, script):
            _deliver(on_reply, self._down())

    def ask(self, command: bytes, script: "Script | None" = None) -> "Future[Any]":
        """`call` of a command that is packed already, and of the `script` that it runs."""
        link = self._link
        if link is None or link.lost.done():
            reply: Future[Any] = asyncio.get_running_loop().create_future()
            reply.set_exception(self._down())
            return reply
        reply = link.loop.create_future()
        link.send(command, reply, script)
        return reply

    def tell(self, command: bytes, on_reply: OnReply, script: "Script | None" = None) -> bool:
        """`send` of a command that is packed already; False, and nothing is called, where there is no connection."""
        link = self._link
        if link is None or link.lost.done():
            return False
        link.send(command, on_reply, script)
        return True

    def script(self, body: str) -> "Script":
        """A Lua script, loaded at every connect and again when the server forgot it."""
        script = Script(self, body)
        self._scripts.append(script)
        if self.available:
            self.send("SCRIPT", "LOAD", body, on_reply=_ignore)
        return script

    def _down(self) -> RedisDown:
        return RedisDown(self._why if self._link is None else self._link.lost.result())

    async def _keep_connected(self) -> None:
        pause, away_since = 0.0, None
        loop = asyncio.get_running_loop()
        while True:
            try:
                link = await self._connect()
            except (OSError, TimeoutError, RedisDown, RedisError) as error:
                self._why = f"Redis at {self.address}: {str(error) or 'no answer'}"
                self._tried.set()
            else:
                if away_since is not None:
                    logger.info("redis is back after %.1f s", loop.time() - away_since)
                lived, away_since = await self._use(link), None
                pause = 0.0 if lived >= SETTLED_S else pause
            if away_since is None:
                away_since = loop.time()
                logger.warning("redis is away: %s", self._why)
            await asyncio.sleep(pause)
            pause = min(max(pause * 2, 0.05), self._backoff_s)

    async def _use(self, link: _Link) -> float:
        """Serve on `link` until it is lost; return for how long that was."""
        loop = asyncio.get_running_loop()
        since = loop.time()
        self._link = link
        self._tried.set()
        try:
            for callback in self.on_up:
                callback()
            self._why = f"Redis at {self.address}: {await asyncio.shield(link.lost)}"
        finally:
            self._link = None
            link.give_up("closed")
        return loop.time() - since

    async def _connect(self) -> _Link:
        """Connect and set up in `connect_timeout_s`; then one probe has to be answered as fast as any call."""
        loop = asyncio.get_running_loop()
        link = _Link(loop, self._connect_timeout_s)
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                await self._open(link)
                loads = [("SCRIPT", "LOAD", script.body) for script in self._scripts]
                for command in [*self.address.greeting(), *loads]:
                    await self._ask(link, *command)
            async with asyncio.timeout(self._timeout_s):
                await self._ask(link, "PING")
        except BaseException:
            link.give_up("not set up")
            raise
        link.hurry(self._timeout_s)
        return link

    async def _open(self, link: _Link) -> None:
        address, loop = self.address, asyncio.get_running_loop()
        if address.path is not None:
            await loop.create_unix_connection(lambda: link, address.path)
            return
        context = ssl.create_default_context(cafile=address.ca_file) if address.tls else None
        await loop.create_connection(lambda: link, address.host, address.port, ssl=context)

    @staticmethod
    def _ask(link: _Link, *args: Arg) -> "Future[Any]":
        reply: Future[Any] = link.loop.create_future()
        link.send(_pack(args), reply, None)
        return reply


class Script:
    """A Lua script on a pipe. Arguments are the number of keys, the keys, then the script's own.

    Who calls it often packs the command by hand: `head` for so many arguments, a `bulk` for each, then `RedisPipe.ask`
    or `tell` with the script."""

    def __init__(self, pipe: RedisPipe, body: str) -> None:
        self.body = body
        self._pipe = pipe
        self._sha = hashlib.sha1(body.encode(), usedforsecurity=False).hexdigest()
        self._by_name = (bulk("EVALSHA") + bulk(self._sha)).encode()

    def head(self, arguments: int) -> str:
        """How a command that runs the script begins."""
        return f"*{arguments + 2}\r\n{self._by_name.decode()}"

    def call(self, *args: Arg) -> "Future[Any]":
        return self._pipe.ask(_pack(("EVALSHA", self._sha, *args)), self)

    def send(self, *args: Arg, on_reply: OnReply) -> None:
        self._pipe.send("EVALSHA", self._sha, *args, on_reply=on_reply, script=self)

    def whole(self, command: bytes) -> bytes:
        """`command` as one that needs nothing loaded, and loads."""
        return command.replace(self._by_name, _pack(("EVAL", self.body)).partition(b"\r\n")[2], 1)


def bulk(text: str) -> str:
    """An ASCII argument as it is sent."""
    return f"${len(text)}\r\n{text}\r\n"


def _ignore(_: Any) -> None:
    """A reply that changes nothing either way."""
