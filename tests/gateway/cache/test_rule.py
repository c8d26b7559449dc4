"""`cache:` in the file."""

import pytest
from pydantic import ValidationError

from gateway.cache.rule import AllCacheConfig, CacheConfig
from gateway.catalog import Catalog
from gateway.config import parse_config

FILE = """
providers: {a: {type: openai}}
cache: {mode: exact, ttl_s: 60, scope: organisation}
models:
  plain: {targets: [{provider: a, model: m}]}
  own: {targets: [{provider: a, model: m}], cache: {ttl_s: 5, charge: full}}
  none: {targets: [{provider: a, model: m}], cache: {mode: off}}
"""


def rule_of(text: str, name: str) -> CacheConfig | None:
    route = Catalog(parse_config(text, {})).find(name)
    assert route is not None
    return route.cache


def test_without_a_word_nothing_is_cached() -> None:
    assert rule_of("providers: {a: {type: openai}}", "a/m") is None
    assert rule_of("providers: {a: {type: openai}}\nmodels: {m: {targets: [{provider: a, model: m}]}}", "m") is None


def test_the_rule_for_all_holds_where_a_model_has_none() -> None:
    rule = rule_of(FILE, "plain")
    assert rule is not None
    assert (rule.ttl_s, rule.scope, rule.charge) == (60, "organisation", "none")
    assert rule_of("providers: {a: {type: openai}}\ncache: {mode: exact}", "a/m") is not None


def test_a_model_says_only_what_differs() -> None:
    rule = rule_of(FILE, "own")
    assert rule is not None
    assert (rule.mode, rule.ttl_s, rule.scope, rule.charge) == ("exact", 5, "organisation", "full")


def test_a_model_may_do_without() -> None:
    assert rule_of(FILE, "none") is None


def test_a_model_may_be_the_only_one() -> None:
    text = "providers: {a: {type: openai}}\nmodels: {m: {targets: [{provider: a, model: m}], cache: {mode: exact}}}"
    assert rule_of(text, "m") == AllCacheConfig(mode="exact")


@pytest.mark.parametrize(
    "wrong",
    [
        {"mode": "semantic"}, {"ttl_s": 0}, {"ttl_s": 10**9}, {"max_entry_bytes": 1}, {"max_entry_bytes": 10**9},
        {"scope": "everybody"}, {"charge": "half"}, {"wait_s": -1}, {"ttl": 5}, {"mode": True},
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        CacheConfig.model_validate(wrong)
