"""A response as a client asks for it, read into the form between dialects.

Each field is carried, or dropped by name for the reason in IGNORED, or refused with 400: no field is lost in silence.
"""

from collections.abc import Mapping

from gateway.dialects.chat.read_request import (
    SUMMARIES,
    read_effort,
    read_function,
    read_metadata,
    read_mode,
    read_schema,
)
from gateway.dialects.fields import Fields, asked
from gateway.dialects.neutral import ChatRequest, Message, Output, Role, Text, Thinking, Tool, ToolChoice, ToolMode
from gateway.dialects.responses.read_items import ITEM_IGNORED, read_input
from gateway.exchange import Json

IGNORED: Mapping[str, str] = {
    "include": "encrypted thoughts always come, log probabilities on request; the rest is of OpenAI's own tools",
    "max_tool_calls": "counts calls of OpenAI's own tools",
    "moderation": "a second opinion of OpenAI's; the gateway has its own",
    "prompt_cache_key": "a hint for OpenAI's cache",
    "prompt_cache_options": "a hint for OpenAI's cache",
    "prompt_cache_retention": "a hint for OpenAI's cache",
    "reasoning.context": "which of its earlier thoughts OpenAI shows the model again",
    "reasoning.mode": "OpenAI's own ways of thinking",
    "safety_identifier": "the gateway knows who calls; `user` is carried",
    "service_tier": "a price list of OpenAI's",
    "store": "the answer is stored nowhere but in the gateway's log",
    "stream_options": "no padding is added",
    "text.verbosity": "a hint on the length of the answer that other providers don't take",
    "truncation": "an input that is too long is refused, never cut",
    "tools[].allowed_callers": "of OpenAI's own tools",
    "tools[].async": "of OpenAI's own tools",
    "tools[].defer_loading": "of OpenAI's own tools; the tool is there from the start",
    "tools[].output_schema": "a hint on what the tool returns",
    **ITEM_IGNORED,
}
"""By field: why it is dropped when a call is carried to another dialect."""

REFUSED: Mapping[str, str] = {
    "background": "an answer that is fetched later would have to be stored",
    "context_management": "compacting is OpenAI's own",
    "conversation": "what was said before is stored at OpenAI; send it as input",
    "previous_response_id": "what was said before is stored at OpenAI; send it as input",
    "prompt": "the template is stored at OpenAI; send it as input",
}
"""By field: why a call that has it is refused. A field that is in none of these lists is refused as well."""

_CARRIED = frozenset(
    ("model", "input", "instructions", "stream", "max_output_tokens", "temperature", "top_p", "top_logprobs", "tools",
     "tool_choice", "parallel_tool_calls", "text", "reasoning", "user", "metadata")
)  # fmt: skip
_LOGPROBS = "message.output_text.logprobs"
_TOOL_FIELDS = ("type", "name", "description", "parameters", "strict")
_TOOL_IGNORED = tuple(name.removeprefix("tools[].") for name in IGNORED if name.startswith("tools[]."))


def read_request(body: Json) -> ChatRequest:
    fields = asked(body)
    for name, why in REFUSED.items():
        if fields.has(name) and fields.value(name) is not False:
            fields.refuse(name, f"can't be carried over to this model's provider: {why}.")
    fields.only({*_CARRIED, *IGNORED, *REFUSED})
    instructions = fields.text("instructions")
    said_first = [Message(Role.SYSTEM, [Text(instructions)])] if instructions else []
    top_logprobs = fields.integer("top_logprobs", 0, 20)
    return ChatRequest(
        model=fields.need_text("model"),
        messages=said_first + read_input(fields),
        stream=bool(fields.flag("stream")),
        max_tokens=fields.integer("max_output_tokens", 1),
        temperature=fields.number("temperature", 0, 2),
        top_p=fields.number("top_p", 0, 1),
        logprobs=_LOGPROBS in fields.texts("include") or bool(top_logprobs),
        top_logprobs=top_logprobs,
        tools=[_tool(tool) for tool in fields.children("tools")],
        tool_choice=_tool_choice(fields),
        parallel_tools=fields.flag("parallel_tool_calls"),
        output=_output(fields),
        thinking=_thinking(fields),
        user=fields.text("user"),
        metadata=read_metadata(fields),
    )


def _tool(tool: Fields) -> Tool:
    if tool.need_text("type") != "function":
        tool.refuse("type", "must be function: OpenAI's own tools can't be carried over to this model's provider.")
    tool.only((*_TOOL_FIELDS, *_TOOL_IGNORED))
    return read_function(tool)


def _tool_choice(fields: Fields) -> ToolChoice | None:
    if not isinstance(fields.value("tool_choice"), dict):
        return read_mode(fields, "tool_choice")
    named = fields.need_child("tool_choice")
    named.need_one_of("type", ("function",))
    return ToolChoice(ToolMode.NAMED, named.need_text("name"))


def _output(fields: Fields) -> Output | None:
    text = fields.child("text")
    if text is None:
        return None
    text.only(("format", "verbosity"))
    wanted = text.child("format")
    if wanted is None:
        return None
    kind = wanted.need_one_of("type", ("text", "json_object", "json_schema"))
    if kind == "json_schema":
        return read_schema(wanted)
    return Output() if kind == "json_object" else None


def _thinking(fields: Fields) -> Thinking | None:
    wanted = fields.child("reasoning")
    if wanted is None:
        return None
    wanted.only(("effort", "summary", "generate_summary", "context", "mode"))
    effort = read_effort(wanted, "effort")
    summary = wanted.one_of("summary", SUMMARIES) or wanted.one_of("generate_summary", SUMMARIES)
    return Thinking(effort, summary=summary) if effort or summary else None
