"""The pipe over a real server: order, deadlines, loss and return."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import redis

from gateway.wire.redis import RedisDown, RedisError, RedisPipe
from tests.gateway.own_valkey import OwnValkey, own_valkey

PATIENT_S = 2.0
"""For tests that are not about deadlines: the machine may be busy."""


@pytest.fixture
def valkey() -> Iterator[OwnValkey]:
    with own_valkey() as server:
        yield server


@asynccontextmanager
async def piped(url: str, timeout_s: float = PATIENT_S) -> AsyncIterator[RedisPipe]:
    pipe = RedisPipe(url, timeout_s=timeout_s, backoff_s=0.05)
    await pipe.start()
    try:
        yield pipe
    finally:
        await pipe.close()


async def until_up(pipe: RedisPipe) -> None:
    async with asyncio.timeout(10):
        while not pipe.available:
            await asyncio.sleep(0.005)


async def test_a_command_has_its_reply(redis_url: str) -> None:
    async with piped(redis_url) as pipe:
        assert await pipe.call("SET", "name", "värde") == b"OK"
        assert await pipe.call("GET", b"name") == "värde".encode()
        assert await pipe.call("INCRBY", "count", 41) == 41
        assert await pipe.call("GET", "nothing") is None


async def test_commands_of_one_turn_are_one_write(redis_url: str) -> None:
    async with piped(redis_url) as pipe:
        before = await reads_of(pipe)
        await asyncio.gather(*(pipe.call("INCR", "count") for _ in range(500)))
        assert await reads_of(pipe) - before <= 5


async def reads_of(pipe: RedisPipe) -> int:
    info = (await pipe.call("INFO", "stats")).decode()
    return int(info.split("total_reads_processed:")[1].split()[0])


async def test_an_error_reply_is_raised_and_harms_nobody_else(redis_url: str) -> None:
    async with piped(redis_url) as pipe:
        wrong, right = pipe.call("INCR", "a", "b"), pipe.call("PING")
        with pytest.raises(RedisError, match="wrong number of arguments"):
            await wrong
        assert await right == b"PONG"


async def test_callbacks_get_the_reply_or_the_error(redis_url: str) -> None:
    async with piped(redis_url) as pipe:
        got: list[object] = []
        pipe.send("INCR", "count", on_reply=got.append)
        pipe.send("NONSENSE", on_reply=got.append)
        await pipe.call("PING")
        assert got[0] == 1
        assert isinstance(got[1], RedisError)


async def test_a_failing_callback_costs_nobody_a_reply(redis_url: str, caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: object) -> None:
        raise ValueError("a callback's own fault")

    async with piped(redis_url) as pipe:
        pipe.send("PING", on_reply=fail)
        assert await pipe.call("ECHO", "still here") == b"still here"
    assert "could not be taken" in caplog.text


async def test_callers_that_leave_at_random_never_shift_a_reply(redis_url: str) -> None:
    dice = random.Random(7)

    async def ask_in_turn(pipe: RedisPipe, name: int) -> int:
        answered = 0
        for turn in range(60):
            said = f"{name}-{turn}"
            call = asyncio.ensure_future(pipe.call("ECHO", said))
            if dice.random() < 0.4:
                asyncio.get_running_loop().call_later(dice.random() * 0.002, call.cancel)
            try:
                assert await call == said.encode()
                answered += 1
            except asyncio.CancelledError:
                continue
        return answered

    async with piped(redis_url) as pipe:
        answered = await asyncio.gather(*(ask_in_turn(pipe, name) for name in range(50)))
    assert 1000 < sum(answered) < 3000


async def test_a_script_runs_and_is_loaded_again_when_forgotten(redis_url: str) -> None:
    async with piped(redis_url) as pipe:
        script = pipe.script("return redis.call('INCRBY', KEYS[1], ARGV[1])")
        assert await script.call("1", "count", "2") == 2
        await pipe.call("SCRIPT", "FLUSH")
        assert await asyncio.gather(*(script.call("1", "count", "2") for _ in range(3))) == [4, 6, 8]
        info = (await pipe.call("INFO", "commandstats")).decode()
        assert await script.call("1", "count", "1") == 9
        after = (await pipe.call("INFO", "commandstats")).decode()
        assert evals_in(after) == evals_in(info)


def evals_in(info: str) -> int:
    return int(info.split("cmdstat_eval:calls=")[1].split(",")[0])


async def test_a_silent_server_is_given_up_in_time_and_then_at_once(valkey: OwnValkey) -> None:
    async with piped(valkey.url, timeout_s=0.05) as pipe:
        await until_up(pipe)
        valkey.freeze()
        started = time.perf_counter()
        outcomes = await asyncio.gather(*(pipe.call("PING") for _ in range(20)), return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {RedisDown}
        assert 0.045 < time.perf_counter() - started < 0.25  # 0.06 on a machine of its own
        started = time.perf_counter()
        for _ in range(100):
            with pytest.raises(RedisDown):
                await pipe.call("PING")
        assert time.perf_counter() - started < 0.045
        valkey.thaw()
        await until_up(pipe)


async def test_a_deadline_is_counted_from_the_command_not_from_the_connection(redis_url: str) -> None:
    async with piped(redis_url, timeout_s=0.3) as pipe:
        for _ in range(4):
            await until_up(pipe)
            await pipe.call("PING")
            await asyncio.sleep(0.1)
        with pytest.raises(RedisDown, match="300 ms"):
            await pipe.call("BLPOP", "nothing", "5")


async def test_a_busy_loop_does_not_take_its_own_delay_for_the_servers(redis_url: str) -> None:
    async with piped(redis_url, timeout_s=0.05) as pipe:
        await until_up(pipe)
        reply = pipe.call("PING")
        await asyncio.sleep(0)  # the command leaves
        time.sleep(0.2)
        assert await reply == b"PONG"


async def test_a_server_that_died_and_came_back_is_found(valkey: OwnValkey) -> None:
    async with piped(valkey.url) as pipe:
        script = pipe.script("return 7")
        ups: list[bool] = []
        pipe.on_up.append(lambda: ups.append(True))
        waiting = [pipe.call("BLPOP", "nothing", "60") for _ in range(3)]
        await asyncio.sleep(0)
        valkey.kill()
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {RedisDown}
        with pytest.raises(RedisDown):
            await script.call("0")
        valkey.start()
        await until_up(pipe)
        assert await script.call("0") == 7
        assert ups == [True]


async def test_without_a_server_calls_fail_and_say_where_it_should_be() -> None:
    async with piped("unix:///nonexistent/redis.sock") as pipe:
        with pytest.raises(RedisDown, match=r"/nonexistent/redis\.sock"):
            await pipe.call("PING")
        got: list[object] = []
        pipe.send("PING", on_reply=got.append)
        assert isinstance(got[0], RedisDown)


async def test_being_away_is_said_once(valkey: OwnValkey, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "guardflow.redis")
    async with piped(valkey.url) as pipe:
        valkey.kill()
        await asyncio.sleep(0.3)
        valkey.start()
        await until_up(pipe)
    said = [record.message.split(":")[0].split(" after")[0] for record in caplog.records]
    assert said == ["redis is away", "redis is back"]


async def test_a_server_that_wants_a_password_gets_it(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as admin:
        admin.acl_setuser("guard", enabled=True, passwords=["+s3cret/"], keys=["*"], commands=["+@all"])
        try:
            async with piped(redis_url.replace("unix://", "unix://guard:s3cret%2F@")) as pipe:
                assert await pipe.call("ACL", "WHOAMI") == b"guard"
            async with piped(redis_url.replace("unix://", "unix://guard:wrong@")) as pipe:
                with pytest.raises(RedisDown, match="WRONGPASS"):
                    await pipe.call("PING")
        finally:
            admin.acl_deluser("guard")


async def test_the_database_of_the_url_is_the_one_used(redis_url: str) -> None:
    async with piped(f"{redis_url}?db=5") as pipe:
        await pipe.call("SET", "here", "1")
    with redis.Redis.from_url(redis_url, db=5) as admin:
        assert admin.get("here") == b"1"


async def test_what_does_not_speak_redis_is_down() -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read()
        writer.close()

    async with await asyncio.start_server(babble, "127.0.0.1") as server:
        port = server.sockets[0].getsockname()[1]
        async with piped(f"redis://127.0.0.1:{port}") as pipe:
            with pytest.raises(RedisDown, match="does not speak Redis"):
                await pipe.call("PING")


async def test_closing_leaves_nobody_waiting(redis_url: str) -> None:
    pipe = RedisPipe(redis_url, timeout_s=PATIENT_S)
    await pipe.start()
    waiting = pipe.call("BLPOP", "nothing", "60")
    await pipe.close()
    with pytest.raises(RedisDown, match="closed"):
        await waiting
    with pytest.raises(RedisDown, match="closed"):
        await pipe.call("PING")
