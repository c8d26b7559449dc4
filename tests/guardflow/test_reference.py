"""The printed pages are the ones that the code prints."""

from dotenv import dotenv_values

from guardflow.reference import env_example, pages
from guardflow.settings import load


def test_the_printed_pages_are_up_to_date() -> None:
    for path, text in pages().items():
        assert path.read_text("utf-8") == text, f"{path.name} is old: run `make docs`"


def test_the_example_with_every_line_taken_in_is_the_default() -> None:
    from io import StringIO

    taken = env_example().replace("\n#", "\n").replace("\n ", "\n# ").replace("\n--- ", "\n# ")
    values = dotenv_values(stream=StringIO(taken), interpolate=False)
    known = {name: value or "" for name, value in values.items() if name == name.upper() and " " not in name}
    assert len(known) > 25
    assert load(known) == load({})
