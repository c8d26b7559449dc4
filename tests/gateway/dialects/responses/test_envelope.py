"""What surrounds an answer says again what was asked for."""

import pytest

from gateway.dialects.neutral import (
    ChatRequest,
    Output,
    StopReason,
    Thinking,
    Tool,
    ToolChoice,
    ToolMode,
)
from gateway.dialects.responses.envelope import ending, envelope, is_cut
from gateway.exchange import Usage


def test_a_response_that_has_just_begun_has_neither_output_nor_usage() -> None:
    made = envelope("id", "m", 7, ChatRequest("asked", []))
    assert (made["id"], made["model"], made["created_at"], made["status"]) == ("id", "m", 7, "in_progress")
    assert (made["output"], made["usage"], made["error"], made["store"]) == ([], None, None, False)
    assert (made["tool_choice"], made["tools"], made["text"]) == ("auto", [], {"format": {"type": "text"}})


def test_what_was_asked_for_is_said_again() -> None:
    request = ChatRequest(
        "asked",
        [],
        tools=[Tool("f", "d", {"type": "object"})],
        tool_choice=ToolChoice(ToolMode.NAMED, "f"),
        parallel_tools=False,
        output=Output(),
        thinking=Thinking("low"),
    )
    made = envelope("id", "m", 7, request)
    assert made["tools"] == [
        {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}, "strict": False}
    ]
    assert made["tool_choice"] == {"type": "function", "name": "f"}
    assert made["parallel_tool_calls"] is False
    assert made["text"] == {"format": {"type": "json_object"}}
    assert made["reasoning"]["effort"] == "low"


def test_counts_that_nobody_knows_are_0_for_clients_insist_on_numbers() -> None:
    made = ending(StopReason.END, [], None, declined=False)
    assert made["usage"]["total_tokens"] == 0
    made = ending(StopReason.END, [], Usage(3, 4, 1, 2), declined=False)
    assert made["usage"]["total_tokens"] == 7
    assert made["usage"]["input_tokens_details"]["cached_tokens"] == 1
    assert made["usage"]["output_tokens_details"]["reasoning_tokens"] == 2


@pytest.mark.parametrize(
    ("stop", "declined", "cut"),
    [
        (StopReason.END, False, False),
        (StopReason.LENGTH, True, True),
        (StopReason.REFUSAL, True, False),
        (StopReason.REFUSAL, False, True),
    ],
)
def test_who_says_no_in_words_has_said_all(stop: StopReason, declined: bool, cut: bool) -> None:
    assert is_cut(stop, declined=declined) is cut
