"""Ten thousand calls of every kind and fate, drawn from a seed; and a provider that plays the fates and keeps books.

A call carries its plan in `metadata`, which the gateway passes on unread, so every attempt is booked under its call.
"""

import random
import threading
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from tests.e2e.openai_scripts import fails, says
from tests.e2e.scripted_upstream import Answer, Entry, Received, Script, ScriptedUpstream

WORD = " tide"
"""One token wherever it stands, so that the gateway's own count of a cut answer can be checked to the token."""
MODELS = 20
EXTRA_PROMPT, EXTRA_COMPLETION = 7, 3
"""What the provider bills beyond the words: its word has to be taken, not our count."""
FAULTS = ("500", "429", "400", "cut", "garbage")
FATES = ("whole", "leaves", "hasty")


@dataclass(frozen=True, slots=True)
class Plan:
    """`faults`: what becomes of each attempt, `ok` after the last. `leave_after` as in `Connection.ask`."""

    number: int
    model: str
    prompt_words: int
    answer_words: int
    stream: bool
    wants_usage: bool
    faults: tuple[str, ...]
    leave_after: int | None

    @property
    def body(self) -> dict[str, Any]:
        plan = {"number": self.number, "words": self.answer_words, "prompt": self.prompt_words, "faults": self.faults}
        body: dict[str, Any] = {
            "model": self.model, "metadata": plan, "max_tokens": 500,
            "messages": [{"role": "user", "content": WORD * self.prompt_words}],
        }  # fmt: skip
        if self.stream:
            body["stream"] = True
        if self.wants_usage:
            body["stream_options"] = {"include_usage": True}
        return body

    @property
    def billed(self) -> tuple[int, int]:
        return self.prompt_words + EXTRA_PROMPT, self.answer_words + EXTRA_COMPLETION


def draw(count: int, seed: int) -> list[Plan]:
    rng = random.Random(seed)
    return [_draw_one(rng, number) for number in range(count)]


def _draw_one(rng: random.Random, number: int) -> Plan:
    stream = rng.random() < 0.5
    faults: list[str] = []
    while rng.random() < 0.12:
        faults.append(rng.choice(FAULTS))
    fate = rng.choices(FATES, (88, 9, 3))[0]
    leave_after = {"whole": None, "leaves": rng.randrange(2_500), "hasty": -1}[fate]
    return Plan(
        number=number,
        model=f"m{rng.randrange(MODELS)}",
        prompt_words=rng.randrange(1, 40),
        answer_words=rng.randrange(1, 25),
        stream=stream,
        wants_usage=stream and rng.random() < 0.5,
        faults=tuple(faults),
        leave_after=leave_after,
    )


def config(upstream: ScriptedUpstream, limits: dict[str, int]) -> dict[str, Any]:
    """Half of the models have another to fall back to."""
    models: dict[str, Any] = {"spare": {"targets": [{"provider": "up", "model": "spare"}]}}
    for number in range(MODELS):
        name = f"m{number}"
        models[name] = {"targets": [{"provider": "up", "model": name}]}
        if number % 2:
            models[name]["fallbacks"] = ["spare"]
    return {
        "providers": {"up": {"type": "openai", "base_url": upstream.url}},
        "models": models,
        "defaults": {"retries": 2},
        "limits": limits,
        "policies": {"mode": "off"},
    }


class Books:
    """The provider's side: what each call was sent and billed, attempt by attempt."""

    def __init__(self) -> None:
        self._attempts: dict[int, int] = defaultdict(int)
        self._lock = threading.Lock()

    def script(self, received: Received) -> Answer:
        plan = received.body["metadata"]
        with self._lock:
            attempt = self._attempts[plan["number"]]
            self._attempts[plan["number"]] += 1
        fault = plan["faults"][attempt] if attempt < len(plan["faults"]) else "ok"
        return _scripted(fault, plan, bool(received.body.get("stream")))(received)


@dataclass(slots=True)
class Booked:
    """What the provider sent for one call, over all attempts: tokens that may at most be asked for, and whether the
    last attempt was a good answer to its end."""

    attempts: int = 0
    sent_tokens: int = 0
    ended_well: bool = False


def booked(entries: list[Entry]) -> dict[int, Booked]:
    books: dict[int, Booked] = defaultdict(Booked)
    for entry in entries:
        plan = entry.received.body["metadata"]
        book = books[plan["number"]]
        book.attempts += 1
        good = entry.answer.status == 200
        book.ended_well = entry.whole and good and entry.answer.cut_after is None
        if good and entry.sent:
            words = plan["words"] if entry.whole else min(entry.sent, plan["words"])
            book.sent_tokens += plan["prompt"] + EXTRA_PROMPT + words + EXTRA_COMPLETION
    return books


def _scripted(fault: str, plan: dict[str, Any], stream: bool) -> Script:
    match fault:
        case "500":
            return fails(500)
        case "400":
            return fails(400, "scripted", code="scripted")
        case "429":
            return fails(429, retry_after_ms="20")
        case "garbage":
            return lambda _: Answer([b"<html>"])
    words = [WORD] * plan["words"]
    prompt_tokens, completion_tokens = plan["prompt"] + EXTRA_PROMPT, plan["words"] + EXTRA_COMPLETION
    how: dict[str, Any] = {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens}
    if fault == "cut":
        at = plan["number"] % (plan["words"] + 2) if stream else 0
        how |= {"cut_after": at, "wait": lambda sent: 0.05 if sent == at else 0.0}
    elif stream and plan["number"] % 3 == 0:
        how["wait"] = lambda sent: 0.002
    return says(*words, **how)
