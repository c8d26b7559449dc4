"""Bad data is refused by file and line."""

from pathlib import Path

import pytest

from classifiers.dataset import DataError, Example, read

GOOD = '{"text": "a", "label": "yes"}\n'


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "not JSON"),
        ("[1]", "not a JSON object"),
        ('{"label": "yes"}', '"text" is missing'),
        ('{"text": 3, "label": "yes"}', '"text" is missing or not a string'),
        ('{"text": "a"}', '"label" is missing'),
        ('{"text": "a", "label": "perhaps"}', "unknown label 'perhaps'; known: yes, no"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, complaint: str) -> None:
    file = tmp_path / "data.jsonl"
    file.write_text(f"{GOOD}\n{line}\n")
    with pytest.raises(DataError) as caught:
        read([file], ("yes", "no"))
    assert f"{file}:3: {complaint}" in str(caught.value)


def test_files_are_read_in_order_and_a_source_defaults_to_the_name_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "one.jsonl").write_text('{"text": "b", "label": "no", "category": null, "source": "web"}\n')
    (tmp_path / "two.jsonl").write_text(GOOD)
    assert read([tmp_path / "one.jsonl", tmp_path / "two.jsonl"], ("yes", "no")) == [
        Example("b", "no", "", "web"),
        Example("a", "yes", "", "two"),
    ]


def test_a_missing_an_empty_and_an_undecodable_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe{}")
    for name, complaint in (("missing", "cannot be read"), ("empty", "no examples"), ("binary", "cannot be read")):
        with pytest.raises(DataError, match=complaint):
            read([tmp_path / name], ("yes",))
