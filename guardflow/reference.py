"""The pages that are printed from code: docs/settings.md, docs/dialects.md and .env.example. `make docs` writes them, a
test compares."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from guardflow.dialect_matrix import dialects_page
from guardflow.settings import Settings, as_text

_ROOT = Path(__file__).parent.parent
_SECTIONS = {
    "environment": "The process",
    "database_url": "State",
    "jwt_secret_key": "People",
    "openai_api_key": "Providers",
    "log_level": "Logs",
}
_INTRODUCTION = """\
# Settings

Printed from `guardflow/settings.py` by `make docs`. Settings come from the environment, or from a file `.env` where
Guardflow is started; the environment wins. An empty value is an unset one. Names that start with `GUARDFLOW_` and are
not here are refused, and all faults are reported at once. `guardflow check-config` says what `serve` would refuse.

What changes while the gateway runs (providers, models, limits, policies) is not here but in `guardflow.yaml`.
"""
_EXAMPLE_INTRODUCTION = """\
# Copy this to .env and take the `#` from what you want to change: the values below are the defaults.
# `make docs` prints it from guardflow/settings.py.
"""


def settings_page() -> str:
    """docs/settings.md."""
    lines = [_INTRODUCTION]
    for name, field in _documented():
        if name in _SECTIONS:
            lines.append(f"\n## {_SECTIONS[name]}\n\n| name | default | |\n|---|---|---|\n")
        lines.append(f"| `{name.upper()}` | {_shown_default(field)} | {_meaning(field)} |\n")
    return "".join(lines)


def env_example() -> str:
    """.env.example."""
    lines = [_EXAMPLE_INTRODUCTION]
    for name, field in _documented():
        if name in _SECTIONS:
            lines.append(f"\n# --- {_SECTIONS[name]}\n")
        unset = _unset(field)
        lines.append(
            f"\n# {_meaning(field)}{f' Unset: {unset}.' if unset else ''}\n#{name.upper()}={as_text(field.default)}\n"
        )
    return "".join(lines).replace("`", "")


def pages() -> dict[Path, str]:
    docs = _ROOT / "docs"
    return {
        docs / "settings.md": settings_page(),
        docs / "dialects.md": dialects_page(),
        _ROOT / ".env.example": env_example(),
    }


def _documented() -> Iterator[tuple[str, FieldInfo]]:
    return ((name, field) for name, field in Settings.model_fields.items() if field.description)


def _meaning(field: FieldInfo) -> str:
    choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    one_of = f" One of {', '.join(f'`{choice}`' for choice in choices)}." if choices else ""
    return f"{field.description}{one_of}"


def _shown_default(field: FieldInfo) -> str:
    return _unset(field) or (f"`{text}`" if (text := as_text(field.default)) else "none")


def _unset(field: FieldInfo) -> str | None:
    extra = field.json_schema_extra
    return str(extra["unset"]) if isinstance(extra, dict) else None


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, "utf-8")
