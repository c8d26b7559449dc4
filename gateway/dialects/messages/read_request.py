"""A client's `POST /v1/messages`, read into the form between dialects. Every field is carried, named in `IGNORED`, or
refused by name."""

from collections.abc import Iterator, Mapping

from gateway.dialects.fields import Fields, asked
from gateway.dialects.messages.blocks import HINTS, read_messages, read_system
from gateway.dialects.neutral import ChatRequest, Output, Thinking, Tool, ToolChoice, ToolMode
from gateway.errors import InvalidRequest, ThreadUnsupported
from gateway.exchange import Json

IGNORED: Mapping[str, str] = {
    "cache_control": HINTS["cache_control"],
    **{f"messages[].content[].{name}": why for name, why in HINTS.items()},
    "context_management": "trims old turns to save room; the whole conversation is sent instead",
    "diagnostics": "asks about Anthropic's cache",
    "fallbacks": "which model answers in another's place is the gateway's routing",
    "fallback_credit_token": "which model answers in another's place is the gateway's routing",
    "inference_geo": "where Anthropic computes; where a call goes is the gateway's routing",
    "service_tier": "Anthropic's own price list",
    "speed": "Anthropic's own price list",
    "tools[].cache_control": HINTS["cache_control"],
    "tools[].allowed_callers": "`direct` is the only caller there is; others are refused",
    "tools[].defer_loading": "all tools are sent at once",
    "tools[].eager_input_streaming": "how finely arguments are cut is up to the provider",
    "tools[].input_examples": "a hint beside the schema",
}
REFUSED: Mapping[str, str] = {
    "billing_policy": "who pays is settled here",
    "compaction": "only Anthropic can read what it has compacted",
    "container": "code can't run at another provider",
    "mcp_servers": "servers that Anthropic would call can't be called by another provider",
    "thread": "the conversation is not kept there; send all of it",
    "user_profile_id": "it names what Anthropic keeps",
    "workspace_id": "it names what Anthropic keeps",
}
"""By field: why a call that has it is refused. A field that is in none of these lists is refused as well."""

_KNOWN = frozenset((
    "model", "messages", "system", "max_tokens", "stream", "temperature", "top_p", "top_k", "stop_sequences", "tools",
    "tool_choice", "thinking", "output_config", "output_format", "metadata",
    *(name for name in IGNORED if "[" not in name),
))  # fmt: skip
_TOOL = frozenset((
    "type", "name", "description", "input_schema", "strict",
    *(name.removeprefix("tools[].") for name in IGNORED if name.startswith("tools[].")),
))  # fmt: skip
_MODES = {"auto": ToolMode.AUTO, "any": ToolMode.REQUIRED, "tool": ToolMode.NAMED, "none": ToolMode.NONE}
_EFFORTS = ("low", "medium", "high", "xhigh", "max")
_SUMMARIES = {"summarized": "auto", "omitted": "none"}


def read_request(given: Json) -> ChatRequest:
    body = asked(given)
    _refuse_what_stays_at_anthropic(body)
    body.only(_KNOWN)
    choice = body.child("tool_choice")
    return ChatRequest(
        model=body.need_text("model"),
        messages=(*read_system(body), *read_messages(body)),
        stream=bool(body.flag("stream")),
        max_tokens=body.need_integer("max_tokens", 1),
        temperature=body.number("temperature", 0, 1),
        top_p=body.number("top_p", 0, 1),
        top_k=body.integer("top_k", 0),
        stop=tuple(body.texts("stop_sequences")),
        tools=tuple(_tools(body)),
        tool_choice=_tool_choice(choice),
        parallel_tools=_parallel(choice),
        output=_output(body),
        thinking=_thinking(body),
        user=_user(body),
    )


def _refuse_what_stays_at_anthropic(body: Fields) -> None:
    for name, why in REFUSED.items():
        if body.has(name):
            kind = ThreadUnsupported if name == "thread" else InvalidRequest
            raise kind(f"'{name}' can't be carried over to this model's provider: {why}.", param=name)


def _tools(body: Fields) -> Iterator[Tool]:
    for tool in body.children("tools"):
        tool.one_of("type", ("custom",))  # the others run at Anthropic
        tool.only(_TOOL)
        if tool.has("allowed_callers") and tool.texts("allowed_callers") != ["direct"]:
            tool.refuse("allowed_callers", "may hold nothing but 'direct'.")
        if not tool.has("input_schema"):
            tool.refuse("input_schema", "is required.")
        yield Tool(
            tool.need_text("name"), tool.text("description"), tool.mapping("input_schema"), strict=tool.flag("strict")
        )


def _tool_choice(choice: Fields | None) -> ToolChoice | None:
    if choice is None:
        return None
    choice.only(("type", "name", "disable_parallel_tool_use"))
    mode = _MODES[choice.need_one_of("type", _MODES)]
    return ToolChoice(mode, choice.need_text("name") if mode is ToolMode.NAMED else None)


def _parallel(choice: Fields | None) -> bool | None:
    disabled = None if choice is None else choice.flag("disable_parallel_tool_use")
    return None if disabled is None else not disabled


def _output(body: Fields) -> Output | None:
    """`output_format` is the older name of `output_config.format`."""
    config = body.child("output_config")
    if config is not None:
        config.only(("effort", "format"))
    form = config.child("format") if config is not None and config.has("format") else body.child("output_format")
    if form is None:
        return None
    form.only(("type", "schema"))
    form.need_one_of("type", ("json_schema",))
    if not form.has("schema"):
        form.refuse("schema", "is required.")
    return Output(form.mapping("schema"), strict=True)


def _thinking(body: Fields) -> Thinking | None:
    config = body.child("output_config")
    effort = None if config is None else config.one_of("effort", _EFFORTS)
    if effort == "max":
        effort = "xhigh"  # as far as other dialects go
    thinking = body.child("thinking")
    if thinking is None:
        return None if effort is None else Thinking(effort)
    thinking.only(("type", "budget_tokens", "display"))
    display = thinking.one_of("display", _SUMMARIES)
    summary = _SUMMARIES[display] if display is not None else "auto"
    match thinking.need_one_of("type", ("enabled", "disabled", "adaptive")):
        case "disabled":
            return Thinking("none")
        case "enabled":
            return Thinking(effort, thinking.need_integer("budget_tokens", 1), summary)
    return Thinking(effort, summary=summary)


def _user(body: Fields) -> str | None:
    metadata = body.child("metadata")
    if metadata is None:
        return None
    metadata.only(("user_id",))
    return metadata.text("user_id")
