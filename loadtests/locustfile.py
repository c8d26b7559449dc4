"""Scenarios for a running gateway, by Locust: the shape of real traffic, where `ratio.py` measures cost.

GUARDFLOW_KEY=gf_… locust -f loadtests/locustfile.py --host http://127.0.0.1:8000 --headless -u 50 -r 10 -t 1m Mixed
"""

import os
import random
import time
from typing import Any

from locust import FastHttpUser, between, constant_throughput, task

from loadtests.prompts import sentence

KEY = os.environ.get("GUARDFLOW_KEY", "")
MODEL = os.environ.get("GUARDFLOW_MODEL", "mock")
_PATH = "/v1/chat/completions"


class _Caller(FastHttpUser):
    abstract = True
    wait_time = between(0.05, 0.5)

    def on_start(self) -> None:
        self.rng = random.Random()

    def ask(self, words: int = 40, key: str = KEY, **more: Any) -> dict[str, Any]:
        text = " ".join(sentence(self.rng) for _ in range(max(1, words // 8)))
        body = {"model": MODEL, "messages": [{"role": "user", "content": text}], "max_tokens": 128, **more}
        return {"json": body, "headers": {"authorization": f"Bearer {key}"}}


class Chat(_Caller):
    """Whole replies to short and long prompts."""

    @task(4)
    def short(self) -> None:
        self.client.post(_PATH, name="chat, short", **self.ask(20))

    @task(1)
    def long(self) -> None:
        self.client.post(_PATH, name="chat, long", **self.ask(4000))


class Stream(_Caller):
    """Streams read to their end. The time to the first event is reported as a request of its own."""

    @task(2)
    def stream(self) -> None:
        began = time.perf_counter()
        first: float | None = None
        with self.client.post(_PATH, name="stream", stream=True, catch_response=True, **self.ask(stream=True)) as reply:
            end = b""
            for piece in reply.iter_content(chunk_size=4096, decode_content=False) if reply.status_code == 200 else ():
                first = first if first is not None else time.perf_counter() - began
                end = (end + piece)[-64:]
            if reply.status_code == 200 and b"[DONE]" not in end:
                reply.failure("the stream ended without [DONE]")
        if first is not None:
            fire = self.environment.events.request.fire
            fire(request_type="POST", name="stream, first event", response_time=first * 1000, response_length=0,
                 exception=None, context={})  # fmt: skip


class BadKey(_Caller):
    """Calls that must be refused, cheaply: unknown keys, and keys that are none."""

    @task
    def refused(self) -> None:
        key = "gf_" + "".join(self.rng.choices("abcdefghijklmnopqrstuvwxyz", k=36))
        asked = self.ask(key=self.rng.choice([key, "", "sk-not-ours"]))
        with self.client.post(_PATH, name="bad key", catch_response=True, **asked) as reply:
            if reply.status_code == 401:
                reply.success()
            else:
                reply.failure(f"{reply.status_code} for a bad key")


class Mixed(Chat, Stream, BadKey):
    """All of it, in the weights of the others: of eight calls five are whole chats, two streams, one has a bad key."""

    wait_time = constant_throughput(5)
