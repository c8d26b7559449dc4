"""The files that ship the gateway name what exists."""

import re
from typing import Any

import yaml

from guardflow.settings import load
from tests.house.tree import PACKAGES, ROOT

SETTINGS = set(load({}).environ())


def compose() -> dict[str, Any]:
    services: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
    return services


def test_compose_has_the_gateway_and_the_servers_that_can_be_started_alone() -> None:
    services = compose()
    assert {"gateway", "postgres", "redis"} <= set(services)
    for name in ("postgres", "redis"):
        assert "depends_on" not in services[name]
        assert "healthcheck" in services[name]
        assert all(port.startswith("127.0.0.1:") for port in services[name]["ports"]), "open to the network"


def test_the_gateway_of_compose_has_state_of_its_own_and_time_to_stop() -> None:
    services = compose()
    for name in ("gateway", "migrate"):
        assert set(services[name]["environment"]) <= SETTINGS
        assert "DATABASE_URL" in services[name]["environment"]
    assert int(services["gateway"]["stop_grace_period"].removesuffix("s")) >= load({}).grace_s + 10


def test_the_image_runs_without_root_and_sets_only_what_is_a_setting() -> None:
    text = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    last_stage = text[text.rindex("\nFROM ") :]
    assert re.search(r"^USER (?!root)\w+$", last_stage, re.MULTILINE)
    assert "HEALTHCHECK" in last_stage
    assert "--require-hashes" in text
    environment = " ".join(re.findall(r"^ENV (.*)$", last_stage, re.MULTILINE))
    names = set(re.findall(r"\b([A-Z_]+)=", environment))
    assert {name for name in names if not name.startswith("PYTHON") and name != "PATH"} <= SETTINGS


def test_the_image_holds_every_package() -> None:
    text = (ROOT / "Dockerfile").read_text("utf-8")
    allowed = (ROOT / ".dockerignore").read_text("utf-8")
    for package in (*(name for name in PACKAGES if (ROOT / name).is_dir()), "migrations"):
        assert f"COPY {package} {package}\n" in text
        assert f"\n!{package}\n" in allowed


def test_every_target_that_a_page_names_is_in_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md"), ROOT / ".ci" / "run"]:
        for words in re.findall(r"(?:^|`|    |exec )make ((?:[a-z-]+ ?)+)", page.read_text("utf-8"), re.MULTILINE):
            assert set(words.split()) <= targets, f"{page.name}: make {words}"
