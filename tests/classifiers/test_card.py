"""The card shows the numbers of the models beside it, and of nothing else."""

from pathlib import Path

from classifiers import card


def test_a_card_has_the_numbers_of_each_model(folder: Path) -> None:
    text = (folder / "models" / "MODEL_CARD.md").read_text()
    for line in ("## intent ", "## misuse ", "| flag | 0.", "| held_out_accuracy | "):
        assert line in text


def test_other_files_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text("[]")
    card.write(tmp_path)
    assert "## " not in (tmp_path / "MODEL_CARD.md").read_text()
