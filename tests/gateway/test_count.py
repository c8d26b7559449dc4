"""Our own count, for when an upstream sends none."""

import subprocess
import sys

import orjson
import pytest

from gateway.count import MAX_CHARS, count, count_reply, reply_texts


def event(said: object) -> bytes:
    return b"data: " + orjson.dumps(said) + b"\n\n"


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("hello world", 2), ("The quick brown fox", 4), ("<|endoftext|>", 7), ("漢字", 2), ("a\ud800b", 3)],
)
def test_tokens_are_those_of_o200k(text: str, tokens: int) -> None:
    assert count(text) == tokens


def test_a_long_text_is_counted_to_a_bound_and_scaled() -> None:
    part = "the quick brown fox "
    long = part * (MAX_CHARS // len(part)) * 3
    exact = count(part * 1000) * len(long) / (1000 * len(part))
    assert count(long) == pytest.approx(exact, rel=0.01)


def test_every_dialect_says_its_texts_in_the_same_few_fields() -> None:
    chat = [
        {"choices": [{"delta": {"role": "assistant", "content": "Hi", "reasoning_content": "hm"}}]},
        {"choices": [{"delta": {"tool_calls": [{"function": {"name": "f", "arguments": '{"a":1}'}}]}}]},
        {"choices": [{"text": "old"}], "model": "m"},
    ]
    messages = [
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Ho"}},
        {"type": "content_block_delta", "delta": {"type": "input_json_delta", "partial_json": '{"b"'}},
        {"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "so"}},
    ]
    responses = [
        {"type": "response.output_text.delta", "delta": "Ha"},
        {"type": "response.output_text.done", "text": "Ha"},
    ]
    relayed = b": ping\n\n" + b"".join(map(event, [*chat, *messages, *responses])) + b'data: [DONE]\n\ndata: {"cho'
    assert list(reply_texts(relayed)) == ["Hi", "hm", '{"a":1}', "old", "Ho", '{"b"', "so", "Ha"]


def test_a_whole_reply_is_counted_too() -> None:
    body = {"choices": [{"message": {"content": "hello world"}}], "instructions": "none of the model's"}
    assert count_reply(orjson.dumps(body)) == count("hello world")
    assert count_reply(b" " + orjson.dumps([body, body])) == count("hello worldhello world")  # Gemini's other stream
    assert count_reply(b"") == count_reply(b"{broken") == 0


def test_a_reply_nested_to_the_limit_is_counted() -> None:
    deep = b'{"content":' * 1000 + b'"hello world"' + b"}" * 1000
    assert count_reply(deep) == 2


def test_the_tables_of_the_python_package_are_never_made() -> None:
    code = "import sys; from gateway.count import count; assert count('a b') == 2; print('bpe_openai' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"
