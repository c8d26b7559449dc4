"""The pages that are printed from the settings. That the files are these pages is a house rule."""

from io import StringIO

from dotenv import dotenv_values

from guardflow.reference import env_example, settings_page
from guardflow.settings import load


def test_the_page_shows_every_setting_once_with_its_default() -> None:
    page = settings_page()
    for name in load({}).environ():
        assert page.count(f"\n| `{name}` |") == 1, name
    assert "| `DATA_DIR` | `.guardflow` |" in page
    assert "One of `none`, `redacted`, `full`." in page


def test_the_example_with_every_line_taken_in_is_the_default() -> None:
    taken = env_example().replace("\n#", "\n").replace("\n ", "\n# ").replace("\n--- ", "\n# ")
    values = dotenv_values(stream=StringIO(taken), interpolate=False)
    known = {name: value or "" for name, value in values.items() if name == name.upper() and " " not in name}
    assert len(known) > 25
    assert load(known) == load({})
