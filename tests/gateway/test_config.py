"""`guardflow.yaml`: what is meant is understood, and what is wrong is told, all of it at once."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.config import OWN_TYPES, Config, ConfigError, load_config, parse_config

SAMPLE = """
providers:
  openai:    {type: openai,    base_url: https://api.openai.com/v1, api_key: ${OPENAI_API_KEY}}
  claude:    {type: anthropic, api_key: ${ANTHROPIC_API_KEY}}
  gemini:    {type: gemini,    api_key: ${GOOGLE_API_KEY}}
  local:     {type: openai,    base_url: http://127.0.0.1:8080/v1}     # vLLM, llama.cpp, LM Studio, …
  ollama:    {type: ollama,    base_url: http://127.0.0.1:11434}
models:
  fast:                                   # the name clients ask for
    targets: [{provider: openai, model: gpt-4o-mini, weight: 3}, {provider: local, model: gemma, weight: 1}]
    fallbacks: [claude-haiku]
    price: {input: 0.15, output: 0.60}    # USD per million tokens
  claude-haiku: {targets: [{provider: claude, model: claude-haiku-4-5}]}
defaults: {timeout_s: 600, first_byte_timeout_s: 60, idle_timeout_s: 60, retries: 2, max_body_bytes: 10485760}
limits:   {rpm: 600, tpm: 200000, daily_tokens: 1000000, monthly_tokens: 20000000, concurrent: 64}
policies: {mode: enforce}                 # off | shadow | enforce
"""
KEYS = {"OPENAI_API_KEY": "sk-o", "ANTHROPIC_API_KEY": "sk-a", "GOOGLE_API_KEY": "AIza"}


def parse(tree: dict[str, Any], **options: Any) -> Config:
    return parse_config(yaml.safe_dump(tree), KEYS, **options)


def faults(tree: dict[str, Any] | str, **options: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_config(tree if isinstance(tree, str) else yaml.safe_dump(tree), KEYS, **options)
    return str(caught.value)


def target(**changes: Any) -> dict[str, Any]:
    return {"provider": "a", "model": "m", **changes}


def test_the_sample_of_the_documentation_loads() -> None:
    config = parse_config(SAMPLE, KEYS, literal_keys=False)
    assert {name: provider.url for name, provider in config.providers.items()} == {
        "openai": "https://api.openai.com/v1", "claude": "https://api.anthropic.com",
        "gemini": "https://generativelanguage.googleapis.com", "local": "http://127.0.0.1:8080/v1",
        "ollama": "http://127.0.0.1:11434",
    }  # fmt: skip
    assert config.providers["claude"].api_key == "sk-a"
    assert "sk-a" not in repr(config)
    fast = config.models["fast"]
    assert [(t.provider, t.weight) for t in fast.targets] == [("openai", 3), ("local", 1)]
    assert fast.price is not None
    assert str(fast.price[0].output) == "0.6"
    assert config.limits.limits().daily_tokens == 1_000_000
    assert config.policies.mode == "enforce"


def test_json_is_a_configuration_too() -> None:
    assert parse_config('{"defaults": {"retries": 5}}', {}).defaults.retries == 5


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}"])
def test_an_empty_file_is_all_defaults(text: str) -> None:
    config = parse_config(text, {})
    assert list(config.providers) == ["echo"]
    assert config.defaults.retries == 2


def test_all_faults_are_told_at_once() -> None:
    told = faults(
        {
            "providers": {
                "a": {"type": "nope", "api_key": "${MISSING}"},
                "b": {"type": "openai", "base_url": "ftp://x"},
            },
            "models": {"m": {"targets": []}},
            "defaults": {"retries": -1, "timeout": 5},
            "policies": {"mode": "on"},
            "surprise": 1,
        }
    )
    for fault in (
        "providers.a.type", "MISSING is not set", "providers.b.base_url", "models.m.targets", "defaults.retries",
        "defaults.timeout", "policies.mode", "surprise",
    ):  # fmt: skip
        assert fault in told
    assert len(told.splitlines()) == 8


def test_all_that_does_not_fit_together_is_told_at_once() -> None:
    target = {"provider": "a", "model": "m"}
    told = faults(
        {
            "providers": {"a": {"type": "openai"}, "bad name": {"type": "echo"}},
            "models": {
                "m": {"targets": [{**target, "provider": "zz"}], "fallbacks": ["none", "m"]},
                "n": {"targets": [{**target, "weight": 0}]},
            },
        }
    )
    for fault in (
        "'bad name'",
        "no provider 'zz'",
        "fallback 'none'",
        "falls back to itself",
        "no target has a weight",
    ):
        assert fault in told


@pytest.mark.parametrize(
    "where", ["", "providers.a", "models.m", "models.m.price", "defaults", "limits", "policies.misuse"]
)
def test_a_key_nobody_knows_is_refused_wherever_it_stands(where: str) -> None:
    tree: dict[str, Any] = {
        "providers": {"a": {"type": "openai"}}, "defaults": {}, "limits": {}, "policies": {"misuse": {}},
        "models": {"m": {"targets": [{"provider": "a", "model": "m"}], "price": {"input": 1, "output": 1}}},
    }  # fmt: skip
    parse(tree)
    node = tree
    for step in filter(None, where.split(".")):
        node = node[step]
    node["tpyo"] = 1
    assert "tpyo" in faults(tree)


def test_a_key_in_the_file_is_refused_where_it_must_not_stand() -> None:
    tree = {
        "providers": {"a": {"type": "openai", "api_key": "sk-literal"}, "b": {"type": "openai", "api_key": "x${K}"}}
    }
    told = faults(tree, literal_keys=False)
    assert "providers.a.api_key" in told
    assert "providers.b.api_key" in told
    assert "sk-literal" not in told
    assert (
        parse({"providers": {"a": {"type": "openai", "api_key": "sk-literal"}}}).providers["a"].api_key == "sk-literal"
    )
    parse({"providers": {"a": {"type": "openai", "api_key": "${OPENAI_API_KEY}"}}}, literal_keys=False)


def test_variables_are_filled_in_everywhere_and_missing_ones_named_by_place() -> None:
    tree = {"providers": {"a": {"type": "openai", "base_url": "https://${HOST}/v1", "api_key": "${KEY}"}}}
    for text in ("{a: {type: openai, api_key: ${KEY}}}", "{a: {type: openai, api_key: '${KEY}'}}",
                 '{"a":{"type":"openai","api_key":"${KEY}"}}'):  # fmt: skip
        assert parse_config(f"providers: {text}", {"KEY": "k"}).providers["a"].api_key == "k"
    made = parse_config(yaml.safe_dump(tree), {"HOST": "example.org", "KEY": "k: [v] # not YAML"})
    assert made.providers["a"].url == "https://example.org/v1"
    assert made.providers["a"].api_key == "k: [v] # not YAML"
    told = faults(tree)
    assert "providers.a.base_url: the environment variable HOST is not set" in told
    assert "providers.a.api_key: the environment variable KEY is not set" in told


@pytest.mark.parametrize("text", ["a: [", "- a\n- b", "just text", "5", "a: &x [*y]", "\t- x: y", "[" * 600])
def test_what_is_no_mapping_is_refused(text: str) -> None:
    assert faults(text)


def test_a_fault_of_the_yaml_quotes_what_stands_there() -> None:
    assert "${OPENAI_API_KEY}" in faults("providers: {a: {api_key: ${OPENAI_API_KEY}}")


@pytest.mark.parametrize(
    "url",
    ["x", "ftp://x", "http://", "https://user:pass@x/v1", "http://x?y=1", "http://x#y", "http://x y", "http://x\n"],
)
def test_a_base_url_is_an_address_and_nothing_else(url: str) -> None:
    assert "providers.a.base_url" in faults({"providers": {"a": {"type": "openai", "base_url": url}}})


@pytest.mark.parametrize(
    ("kind", "given", "url"),
    [
        ("openai", "http://x/v1/", "http://x/v1"), ("ollama", "http://x:1", "http://x:1"),
        ("ollama", "http://x/v1", "http://x"), ("gemini", "http://x", "http://x"),
        ("anthropic", "http://x/", "http://x"), ("groq", "http://x/v1", "http://x/v1"),
        ("groq", "", "https://api.groq.com/openai/v1"), ("anthropic", "", "https://api.anthropic.com"),
        ("bedrock", "", "https://bedrock-runtime.eu-west-1.amazonaws.com"), ("bedrock", "http://x/", "http://x"),
        ("vertex", "", "https://eu-west-1-aiplatform.googleapis.com"), ("vertex", "http://x", "http://x"),
        ("azure", "https://r.openai.azure.com/", "https://r.openai.azure.com"),
    ],
)  # fmt: skip
def test_each_kind_of_provider_has_its_path(kind: str, given: str, url: str) -> None:
    keys = {"region": "eu-west-1", "access_key": "a", "secret_key": "s", "key_file": "/k.json"}
    assert parse({"providers": {"a": {"type": kind, "base_url": given, **keys}}}).providers["a"].url == url


def test_vertex_has_a_place_that_is_everywhere() -> None:
    everywhere = parse({"providers": {"v": {"type": "vertex", "region": "global", "key_file": "/k.json"}}})
    assert everywhere.providers["v"].url == "https://aiplatform.googleapis.com"


@pytest.mark.parametrize(
    ("kind", "missing"),
    [("azure", ["base_url"]), ("bedrock", ["region", "access_key", "secret_key"]), ("vertex", ["key_file", "region"])],
)
def test_what_a_provider_needs_is_told_by_name(kind: str, missing: list[str]) -> None:
    told = faults({"providers": {"a": {"type": kind}}})
    assert f"a provider of type {kind} needs {', '.join(missing)}" in told


def test_no_secret_of_a_provider_may_stand_in_a_file_that_gets_committed() -> None:
    secrets = ("api_key", "access_key", "secret_key", "session_token")
    text = json.dumps({"providers": {"a": {"type": "bedrock", "region": "x", **dict.fromkeys(secrets, "literal")}}})
    with pytest.raises(ConfigError) as refused:
        parse_config(text, {}, literal_keys=False)
    told = str(refused.value)
    assert all(f"providers.a.{name}: must come from the environment" in told for name in secrets)
    assert "literal" not in repr(parse_config(text, {}).providers["a"])


@pytest.mark.parametrize(
    ("section", "values"),
    [
        ("defaults", {"timeout_s": 0}), ("defaults", {"timeout_s": float("inf")}), ("defaults", {"retries": 11}),
        ("defaults", {"max_body_bytes": 10}), ("limits", {"rpm": -1}), ("limits", {"tpm": "many"}),
        ("policies", {"misuse": {"block": 1.1}}), ("policies", {"misuse": {"block": float("nan")}}),
    ],
)  # fmt: skip
def test_values_out_of_range_are_refused(section: str, values: dict[str, Any]) -> None:
    assert section in faults({section: values})


def test_without_a_file_the_environment_says_which_providers_there_are() -> None:
    assert list(load_config(None, {}).providers) == ["echo"]
    found = load_config(None, {**KEYS, "OPENAI_BASE_URL": "http://mock/v1", "OLLAMA_BASE_URL": "http://o"}).providers
    assert {name: provider.type for name, provider in found.items()} == {
        "openai": "openai", "anthropic": "anthropic", "gemini": "gemini", "ollama": "ollama",
    }  # fmt: skip
    assert found["openai"].url == "http://mock/v1"
    assert parse({"defaults": {"retries": 0}}).providers.keys() == {"openai", "anthropic", "gemini"}


def test_a_file_is_read_and_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "guardflow.yaml"
    path.write_text(SAMPLE, "utf-8")
    assert "fast" in load_config(path, KEYS).models
    path.write_bytes(b"\xff\xfe")
    for unreadable in (path, tmp_path, tmp_path / "none.yaml"):
        with pytest.raises(ConfigError, match=str(unreadable)):
            load_config(unreadable, KEYS)


def test_a_model_has_terms() -> None:
    config = parse(
        {
            "providers": {"a": {"type": "openai"}},
            "models": {
                "m": {
                    "targets": [target(priority=3), target(when={"intents": ["coding"]})],
                    "strategy": "priority",
                    "sticky": "conversation",
                    "canary": {"target": target(), "percent": 5},
                    "fallbacks": ["n", {"model": "n", "on": ["context_length"]}],
                },
                "n": {"targets": [target()]},
            },
        }
    )
    model = config.models["m"]
    assert [fallback.on for fallback in model.fallbacks] == [("error", "timeout", "rate_limit"), ("context_length",)]
    assert (model.strategy, model.sticky, model.targets[0].priority) == ("priority", "conversation", 3)
    assert model.canary is not None
    assert model.canary.by == "user"


@pytest.mark.parametrize(
    ("model", "fault"),
    [
        ({"targets": [target(when={"intents": ["x"]})]}, "every target has a `when`"),
        ({"targets": [target(), target(when={})]}, "neither intents nor tasks"),
        ({"canary": {"target": target(provider="zz"), "percent": 5}}, "no provider 'zz'"),
        ({"canary": {"target": target(), "percent": 101}}, "percent"),
        ({"strategy": "latency", "sticky": "conversation"}, "latency that each call goes elsewhere"),
        ({"strategy": "random"}, "strategy"),
        ({"fallbacks": [{"model": "m2", "on": []}]}, "fallbacks.0.on"),
        ({"fallbacks": [{"model": "m2", "on": ["sunday"]}]}, "fallbacks.0.on.0"),
        ({"fallbacks": "m2"}, "fallbacks"),
    ],
)
def test_terms_that_make_no_sense_are_refused(model: dict[str, Any], fault: str) -> None:
    models = {"m": {"targets": [target()], **model}, "m2": {"targets": [target()]}}
    assert fault in faults({"providers": {"a": {"type": "openai"}}, "models": models})


def test_a_provider_may_have_several_keys_that_come_from_the_environment() -> None:
    keys = {"a": {"type": "openai", "api_keys": ["${OPENAI_API_KEY}", "${ANTHROPIC_API_KEY}"], "max_concurrent": 8}}
    made = parse({"providers": keys}, literal_keys=False).providers["a"]
    assert (made.keys, made.max_concurrent) == (("sk-o", "sk-a"), 8)
    assert "sk-o" not in repr(made)
    keys["a"]["api_keys"] = ["${OPENAI_API_KEY}", "sk-literal"]
    told = faults({"providers": keys}, literal_keys=False)
    assert "providers.a.api_keys" in told
    assert "sk-literal" not in told


@pytest.mark.parametrize(
    ("provider", "fault"),
    [
        ({"type": "openai", "api_key": "a", "api_keys": ["b"]}, "two ways"),
        ({"type": "echo", "api_keys": ["b"]}, "no api_keys"),
        ({"type": "openai", "max_concurrent": 0}, "max_concurrent"),
    ],
)
def test_keys_that_make_no_sense_are_refused(provider: dict[str, Any], fault: str) -> None:
    assert fault in faults({"providers": {"p": provider}})


def test_the_sample_of_the_page_on_routing_loads() -> None:
    text = (Path(__file__).parents[2] / "docs" / "routing.md").read_text("utf-8")
    sample = text.partition("```yaml\n")[2].partition("```")[0]
    keys = dict.fromkeys(("OPENAI_KEY_1", "OPENAI_KEY_2", "AZURE_KEY", "ANTHROPIC_API_KEY"), "k")
    config = parse_config(sample, keys, literal_keys=False)
    assert config.models["fast"].fallbacks[1].on == ("context_length",)  # `on` is a word for true to YAML
    assert config.models["fast"].strategy == "latency"


@pytest.mark.parametrize("said", ["off", '"off"', "false"])
def test_off_needs_no_quotes(said: str) -> None:
    config = parse_config(f"policies: {{mode: {said}, misuse: {{mode: {said}}}}}", {})
    assert (config.policies.mode, config.policies.misuse.mode) == ("off", "off")


def test_the_providers_on_the_page_are_a_configuration() -> None:
    page = Path(__file__).parents[2] / "docs" / "clients-and-providers.md"
    example = page.read_text("utf-8").partition("```yaml\n")[2].partition("```")[0]
    names = re.findall(r"\$\{(\w+)\}", example)
    providers = parse_config(example, dict.fromkeys(names, "k"), literal_keys=False).providers
    assert {*OWN_TYPES, "groq"} == {provider.type for provider in providers.values()}
