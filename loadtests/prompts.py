"""Requests whose texts all differ: one text repeated flatters caches and the branch predictor alike."""

import json
import random

_SUBJECTS = (
    "the quarterly report",
    "our garden in spring",
    "a recipe for lentil soup",
    "the history of lighthouses",
    "this Python function",
    "the train timetable",
    "my daughter's essay on rivers",
    "a contract clause about delivery",
    "the results of the survey",
    "an old clock",
    "the weather in Lisbon",
    "a poem about snow",
    "the budget for next year",
    "a bicycle repair",
    "the talk about sea birds",
)
_WISHES = (
    "Please summarise {}.",
    "Explain {} to a child.",
    "Write two friendly paragraphs about {}.",
    "Translate what I wrote about {} into French.",
    "What should I know about {}?",
    "List the open questions on {}.",
    "Compare {} with {}.",
    "Give me a title for {}.",
    "I am reading about {} and about {} at the moment.",
    "Yesterday we spoke about {}; today it is {} that matters.",
    "Which words would you change in {}?",
    "Number {} on my list is {}.",
)


def sentence(rng: random.Random) -> str:
    wish = rng.choice(_WISHES)
    if wish.startswith("Number"):
        return wish.format(rng.randrange(10_000), rng.choice(_SUBJECTS))
    return wish.format(rng.choice(_SUBJECTS), rng.choice(_SUBJECTS))


def bodies(size: int, count: int, *, marker: str = "", stream: bool = False, seed: int = 7) -> list[bytes]:
    """`count` chat requests of about `size` bytes each."""
    rng = random.Random(f"{size}/{seed}")
    return [_body(size, rng, marker, stream=stream) for _ in range(count)]


def _body(size: int, rng: random.Random, marker: str, *, stream: bool) -> bytes:
    text = f"{marker} {sentence(rng)}".strip()
    request = {
        "model": "mock",
        "messages": [{"role": "system", "content": "Answer briefly."}, {"role": "user", "content": text}],
        "temperature": 0.7,
        "max_tokens": 256,
    }
    if stream:
        request |= {"stream": True, "stream_options": {"include_usage": True}}
    room = size - len(json.dumps(request))
    while room > 0:
        more = " " + sentence(rng)
        text, room = text + more, room - len(more)
    request["messages"] = [{"role": "system", "content": "Answer briefly."}, {"role": "user", "content": text}]
    return json.dumps(request, separators=(",", ":")).encode()  # as SDKs send it
