"""A whole response of Gemini's, read and written."""

import contextlib
from typing import Any

import pytest
from hypothesis import given

from gateway.dialects.base import BrokenReply
from gateway.dialects.fields import answered
from gateway.dialects.gemini.contents import read_contents
from gateway.dialects.gemini.reply import read_reply, read_usage, write_reply
from gateway.dialects.neutral import (
    ChatReply,
    ChatRequest,
    Choice,
    Decline,
    Media,
    MediaKind,
    Part,
    Reasoning,
    StopReason,
    Text,
    TokenLogprob,
    ToolUse,
)
from gateway.exchange import Usage
from tests.gateway.dialects.hostile import ANY_JSON
from tests.gateway.dialects.mutations import mutations

ASKED = ChatRequest("asked", ())
REPLY: dict[str, Any] = {
    "responseId": "r1", "modelVersion": "gemini-2.5-flash",
    "candidates": [{
        "index": 0, "finishReason": "STOP", "avgLogprobs": -0.1,
        "content": {"role": "model", "parts": [
            {"text": "Hm", "thought": True},
            {"text": "Look:", "thoughtSignature": "c2ln"},
            {"inlineData": {"mimeType": "image/png", "data": "AA=="}},
            {"functionCall": {"id": "fc1", "name": "weather", "args": {"city": "Oslo"}}, "thoughtSignature": "c2ln"},
            {"executableCode": {"language": "PYTHON", "code": "1"}},
        ]},
        "logprobsResult": {
            "chosenCandidates": [{"token": "Look", "logProbability": -0.1}, {"token": ":", "logProbability": -0.2}],
            "topCandidates": [{"candidates": [{"token": "Look", "logProbability": -0.1}]}],
        },
    }],
    "usageMetadata": {"promptTokenCount": 10, "toolUsePromptTokenCount": 2, "candidatesTokenCount": 5,
                      "thoughtsTokenCount": 3, "cachedContentTokenCount": 4, "totalTokenCount": 20},
}  # fmt: skip
PARTS = (
    Reasoning("Hm"), Reasoning("", "gemini:c2ln"), Text("Look:"), Media(MediaKind.IMAGE, "image/png", "AA=="),
    ToolUse("fc1", "weather", '{"city":"Oslo"}', "gemini:c2ln"),
)  # fmt: skip


def finished(reason: str | None) -> StopReason:
    candidate = {"content": {"parts": [{"text": "a"}]}, "finishReason": reason}
    return read_reply({"candidates": [candidate]}).choices[0].stop


def written(*parts: Part, stop: StopReason = StopReason.END) -> Any:
    return write_reply(ChatReply("r", "m", (Choice(parts, stop),), None), ASKED)["candidates"][0]


def test_a_response_is_read() -> None:
    logprobs = (TokenLogprob("Look", -0.1, (("Look", -0.1),)), TokenLogprob(":", -0.2))
    assert read_reply(REPLY) == ChatReply(
        "r1", "gemini-2.5-flash", [Choice(PARTS, StopReason.TOOL_USE, logprobs=logprobs)], Usage(12, 8, 4, 3)
    )


def test_what_is_read_is_written_the_same() -> None:
    reply = read_reply(REPLY)
    said = write_reply(reply, ASKED)
    (candidate,) = said["candidates"]
    assert candidate["content"]["parts"] == REPLY["candidates"][0]["content"]["parts"][:-1]
    assert said["usageMetadata"] == {
        "promptTokenCount": 12, "candidatesTokenCount": 5, "thoughtsTokenCount": 3, "cachedContentTokenCount": 4,
        "totalTokenCount": 20,
    }  # fmt: skip
    assert read_reply(said) == reply


def test_a_call_without_an_id_gets_one_that_is_its_own_and_stays() -> None:
    call = {"functionCall": {"name": "f", "args": {}}}
    reply = {"responseId": "r1", "candidates": [{"content": {"parts": [call, call]}, "finishReason": "STOP"}]}
    first, second = read_reply(reply).choices[0].parts
    assert isinstance(first, ToolUse)
    assert isinstance(second, ToolUse)
    again = read_reply(reply).choices[0].parts[0]
    elsewhere = read_reply({**reply, "responseId": "r2"}).choices[0].parts[0]
    assert first == again
    assert len({first, second, elsewhere}) == 3
    assert len(first.id) <= 40


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("STOP", StopReason.END), ("MAX_TOKENS", StopReason.LENGTH), ("SAFETY", StopReason.CONTENT_FILTER),
        ("RECITATION", StopReason.CONTENT_FILTER), ("PROHIBITED_CONTENT", StopReason.CONTENT_FILTER),
        ("OTHER", StopReason.END), ("SOMETHING_NEW", StopReason.END), (None, StopReason.END),
    ],
)  # fmt: skip
def test_every_reason_to_finish_is_known(said: str | None, reason: StopReason) -> None:
    assert finished(said) is reason


@pytest.mark.parametrize("said", ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "MALFORMED_RESPONSE"])
def test_a_model_that_failed_has_not_answered(said: str) -> None:
    with pytest.raises(BrokenReply):
        finished(said)


def test_a_blocked_prompt_is_an_answer_that_was_filtered() -> None:
    blocked = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 4}}
    assert read_reply(blocked) == ChatReply("", "", [Choice((), StopReason.CONTENT_FILTER)], Usage(4, 0))


@pytest.mark.parametrize("reply", [{}, {"candidates": []}, {"candidates": [1]}, {"promptFeedback": {}}])
def test_no_candidate_at_all_is_a_broken_reply(reply: Any) -> None:
    with pytest.raises(BrokenReply):
        read_reply(reply)


def test_candidates_are_put_in_order() -> None:
    candidates = [{"index": 1, "content": {"parts": [{"text": "b"}]}}, {"content": {"parts": [{"text": "a"}]}}]
    assert [choice.parts for choice in read_reply({"candidates": candidates}).choices] == [(Text("a"),), (Text("b"),)]


@pytest.mark.parametrize("said", [None, [], {}, {"promptTokenCount": -1}, {"promptTokenCount": "9"}])
def test_implausible_usage_is_none(said: Any) -> None:
    assert read_usage(answered({"usageMetadata": said})) is None


@pytest.mark.parametrize(
    ("stop", "said"),
    [
        (StopReason.END, "STOP"), (StopReason.STOP_SEQUENCE, "STOP"), (StopReason.TOOL_USE, "STOP"),
        (StopReason.LENGTH, "MAX_TOKENS"), (StopReason.CONTENT_FILTER, "SAFETY"), (StopReason.REFUSAL, "SAFETY"),
    ],
)  # fmt: skip
def test_every_reason_is_written_as_google_names_it(stop: StopReason, said: str) -> None:
    assert written(Text("a"), stop=stop)["finishReason"] == said


def test_broken_arguments_have_a_name_of_their_own() -> None:
    assert written(ToolUse("c", "f", '{"a":'), stop=StopReason.TOOL_USE)["finishReason"] == "MALFORMED_FUNCTION_CALL"


def test_anothers_thoughts_come_back_whole_when_the_client_returns_them() -> None:
    said: list[Part] = [
        Reasoning("Hm", "anthropic:s"), Reasoning("more", "anthropic:t"), Text("Hi"), Decline("No."),
        ToolUse("c", "f", "{}"), Reasoning("", "anthropic:u"),
    ]  # fmt: skip
    content = written(*said)["content"]
    (message,) = read_contents(answered({"contents": [content]}))
    assert [*message.parts] == [*said[:3], Text("No."), *said[4:]]


def test_whatever_is_wrong_wherever_it_stands_is_read_or_broken() -> None:
    for _, reply in mutations(REPLY):
        with contextlib.suppress(BrokenReply):
            write_reply(read_reply(reply), ASKED)


@given(ANY_JSON)
def test_any_json_is_read_or_broken(reply: Any) -> None:
    with contextlib.suppress(BrokenReply):
        read_reply(reply)
