"""A chat completion as a client asks for it, read into the form between dialects.

Each field is carried, or dropped by name for the reason in IGNORED, or refused with 400: no field is lost in silence.
"""

from collections.abc import Mapping, Sequence

from gateway.dialects.chat.read_messages import MESSAGE_IGNORED, read_messages
from gateway.dialects.fields import Fields, asked
from gateway.dialects.neutral import ChatRequest, Output, Thinking, Tool, ToolChoice, ToolMode
from gateway.exchange import Json

IGNORED: Mapping[str, str] = {
    "moderation": "a second opinion of OpenAI's; the gateway has its own",
    "prediction": "makes an answer faster, never different",
    "prompt_cache_key": "a hint for OpenAI's cache",
    "prompt_cache_options": "a hint for OpenAI's cache",
    "prompt_cache_retention": "a hint for OpenAI's cache",
    "safety_identifier": "the gateway knows who calls; `user` is carried",
    "service_tier": "a price list of OpenAI's",
    "store": "the answer is stored nowhere but in the gateway's log",
    "stream_options": "`include_usage` is the gateway's to obey; no padding is added",
    "verbosity": "a hint on the length of the answer that other providers don't take",
    **MESSAGE_IGNORED,
    "tools[].cache_control": "a hint for a provider's cache",
}
"""By field: why it is dropped when a call is carried to another dialect."""

REFUSED: Mapping[str, str] = {
    "audio": "spoken answers are OpenAI's own",
    "logit_bias": "token ids mean something else to every model",
    "web_search_options": "a search by the provider can't be had elsewhere",
}
"""By field: why a call that has it is refused. A field that is in none of these lists is refused as well."""

_CARRIED = frozenset(
    ("model", "messages", "stream", "max_completion_tokens", "max_tokens", "temperature", "top_p", "top_k", "seed",
     "frequency_penalty", "presence_penalty", "stop", "n", "logprobs", "top_logprobs", "tools", "tool_choice",
     "functions", "function_call", "parallel_tool_calls", "response_format", "reasoning_effort", "reasoning", "user",
     "metadata", "modalities")
)  # fmt: skip
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
SUMMARIES = ("auto", "concise", "detailed", "none")
_CHOICES_MAX = 128
_MODES = {"auto": ToolMode.AUTO, "none": ToolMode.NONE, "required": ToolMode.REQUIRED}


def read_request(body: Json) -> ChatRequest:
    fields = asked(body)
    _refuse_the_rest(fields)
    return ChatRequest(
        model=fields.need_text("model"),
        messages=read_messages(fields),
        stream=bool(fields.flag("stream")),
        max_tokens=fields.integer("max_completion_tokens", 1) or fields.integer("max_tokens", 1),
        temperature=fields.number("temperature", 0, 2),
        top_p=fields.number("top_p", 0, 1),
        top_k=fields.integer("top_k"),
        frequency_penalty=fields.number("frequency_penalty", -2, 2),
        presence_penalty=fields.number("presence_penalty", -2, 2),
        seed=fields.integer("seed"),
        stop=_stop(fields),
        choices=fields.integer("n", 1, _CHOICES_MAX) or 1,
        logprobs=bool(fields.flag("logprobs")),
        top_logprobs=fields.integer("top_logprobs", 0, 20),
        tools=_tools(fields),
        tool_choice=_tool_choice(fields),
        parallel_tools=fields.flag("parallel_tool_calls"),
        output=_output(fields),
        thinking=_thinking(fields),
        user=fields.text("user"),
        metadata=read_metadata(fields),
    )


def _refuse_the_rest(fields: Fields) -> None:
    for name, why in REFUSED.items():
        if fields.has(name) and (fields.value(name) or name != "logit_bias"):  # no bias at all is often sent
            fields.refuse(name, f"can't be carried over to this model's provider: {why}.")
    fields.only({*_CARRIED, *IGNORED, *REFUSED})
    if any(kind != "text" for kind in fields.texts("modalities")):
        fields.refuse("modalities", "can only be text with this model's provider.")


def _stop(fields: Fields) -> Sequence[str]:
    stop = fields.value("stop")
    return (stop,) if isinstance(stop, str) else tuple(fields.texts("stop"))


def read_metadata(fields: Fields) -> Mapping[str, str]:
    metadata = fields.child("metadata")
    return {name: metadata.need_text(name) for name in metadata.node} if metadata is not None else {}


def _tools(fields: Fields) -> list[Tool]:
    tools = []
    for tool in fields.children("tools"):
        if tool.need_text("type") != "function":
            tool.refuse("type", "must be function: other tools are the provider's own.")
        tool.only(("type", "function", "cache_control"))
        tools.append(read_function(tool.need_child("function")))
    return tools + [read_function(function) for function in fields.children("functions")]  # how tools began


def read_function(function: Fields) -> Tool:
    return Tool(
        name=function.need_text("name"),
        description=function.text("description"),
        schema=function.mapping("parameters"),
        strict=function.flag("strict"),
    )


def _tool_choice(fields: Fields) -> ToolChoice | None:
    name = "tool_choice" if fields.has("tool_choice") else "function_call"
    choice = fields.value(name)
    if choice is None or isinstance(choice, str):
        return read_mode(fields, name)
    named = fields.need_child(name)
    if name == "function_call":
        return ToolChoice(ToolMode.NAMED, named.need_text("name"))
    named.need_one_of("type", ("function",))
    return ToolChoice(ToolMode.NAMED, named.need_child("function").need_text("name"))


def read_mode(fields: Fields, name: str) -> ToolChoice | None:
    mode = fields.one_of(name, _MODES)
    return ToolChoice(_MODES[mode]) if mode is not None else None


def _output(fields: Fields) -> Output | None:
    wanted = fields.child("response_format")
    if wanted is None:
        return None
    kind = wanted.need_one_of("type", ("text", "json_object", "json_schema"))
    if kind == "json_schema":
        return read_schema(wanted.need_child("json_schema"))
    return Output() if kind == "json_object" else None


def read_schema(schema: Fields) -> Output:
    return Output(
        schema=schema.mapping("schema"),
        name=schema.need_text("name"),
        description=schema.text("description"),
        strict=schema.flag("strict"),
    )


def _thinking(fields: Fields) -> Thinking | None:
    """`reasoning` is OpenRouter's way to say it."""
    effort = read_effort(fields, "reasoning_effort")
    wanted = fields.child("reasoning")
    if wanted is None:
        return Thinking(effort) if effort is not None else None
    wanted.only(("effort", "max_tokens", "exclude", "enabled", "summary"))
    summary = "none" if wanted.flag("exclude") else wanted.one_of("summary", SUMMARIES)
    effort = read_effort(wanted, "effort") or effort
    if effort is None and wanted.flag("enabled") is not None:
        effort = "medium" if wanted.flag("enabled") else "none"
    return Thinking(effort, wanted.integer("max_tokens", 0), summary)


def read_effort(fields: Fields, name: str) -> str | None:
    effort = fields.one_of(name, EFFORTS)
    return "xhigh" if effort == "max" else effort
