"""Which configuration is read, and how strictly."""

from pathlib import Path

import pytest

from guardflow.configuration import read_configuration
from guardflow.failure import Failure
from guardflow.settings import load
from tests.guardflow.test_safety import SAFE

WITH_KEY = "providers: {own: {type: openai, api_key: sk-literal}}\n"


def test_the_file_may_name_settings_and_anything_else_in_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "g.yaml"
    file.write_text("providers: {a: {type: openai, api_key: '${GROQ_KEY}', base_url: '${OPENAI_BASE_URL}'}}\n")
    environ = {"GUARDFLOW_CONFIG": str(file), "GROQ_KEY": "k", "OPENAI_BASE_URL": "http://other/v1/"}
    config = read_configuration(load(environ), environ)
    assert (config.providers["a"].api_key, config.providers["a"].base_url) == ("k", "http://other/v1")


def test_a_key_in_the_file_itself_is_for_development_only(tmp_path: Path) -> None:
    file = tmp_path / "g.yaml"
    file.write_text(WITH_KEY)
    given = {"GUARDFLOW_CONFIG": str(file)}
    assert read_configuration(load(given), {}).providers["own"].api_key == "sk-literal"
    with pytest.raises(Failure, match=r"providers.own.api_key") as refused:
        read_configuration(load({**SAFE, **given}), {})
    assert "sk-literal" not in str(refused.value)


def test_every_fault_is_told_under_the_name_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "g.yaml"
    file.write_text("providers: {a: {type: nonsense}}\nlimits: {rpm: -1}\n")
    with pytest.raises(Failure) as refused:
        read_configuration(load({"GUARDFLOW_CONFIG": str(file)}), {})
    first, *faults = str(refused.value).splitlines()
    assert first == f"{file} can't be used:"
    assert [fault.split(":")[0] for fault in faults] == ["  - providers.a.type", "  - limits.rpm"]


def test_a_target_for_an_intent_that_is_none_is_refused(tmp_path: Path) -> None:
    file, given = tmp_path / "g.yaml", {"GUARDFLOW_CONFIG": str(tmp_path / "g.yaml")}
    text = """
providers: {a: {type: echo}}
models: {m: {targets: [{provider: a, model: x}, {provider: a, model: y, when: {intents: [coding, %s]}}]}}
"""
    file.write_text(text % "other")
    assert read_configuration(load(given), {}).models["m"].targets[1].when is not None
    file.write_text(text % "codign")
    with pytest.raises(Failure, match=r"models\.m: no intent 'codign'"):
        read_configuration(load(given), {})


def test_a_key_file_that_is_named_has_to_be_one(tmp_path: Path) -> None:
    file = tmp_path / "g.yaml"
    file.write_text(f"providers: {{v: {{type: vertex, region: global, key_file: {tmp_path}/none.json}}}}\n")
    with pytest.raises(Failure, match=r"  - providers\.v\.key_file: .*none\.json"):
        read_configuration(load({"GUARDFLOW_CONFIG": str(file)}), {})
