"""`guardflow classify`, `train` and `evaluate`: what goes in, what comes out."""

import json
from pathlib import Path

import pytest

from tests.guardflow.process import run

pytestmark = pytest.mark.slow  # each command is a process


def test_a_text_is_judged_into_the_documented_object(tmp_path: Path) -> None:
    judged = run(tmp_path, "classify", "--json", "Write a Python function that reverses a list")
    assert judged.returncode == 0, judged.stderr
    found = json.loads(judged.stdout)
    assert set(found) == {"intent", "misuse", "action"}
    assert set(found["intent"]) == {"label", "confidence"}
    assert set(found["misuse"]) == {"score", "label", "categories"}
    assert found["action"] == "allow"
    assert b"intent   coding" in run(tmp_path, "classify", "Write a Python function that reverses a list").stdout


def test_a_batch_gives_a_line_for_each_in_order(tmp_path: Path) -> None:
    texts = ["Translate 'good morning' into French", "", "What is 12 * 7?", "\u0000 \ud83d\ude00"]
    lines = "".join(json.dumps({"text": text, "label": "ignored"}) + "\n" for text in texts)
    judged = run(tmp_path, "classify", "-", stdin=lines.encode() + b"\n")
    assert judged.returncode == 0, judged.stderr
    alone = [json.loads(run(tmp_path, "classify", "--json", "--", text).stdout) for text in texts[:1]]
    found = [json.loads(line) for line in judged.stdout.splitlines()]
    assert len(found) == len(texts)
    assert found[:1] == alone


@pytest.mark.parametrize("line", [b"not json\n", b'["a"]\n', b'{"label": "x"}\n', b"\xff\xfe\n"])
def test_a_line_that_can_not_be_read_is_named(tmp_path: Path, line: bytes) -> None:
    failed = run(tmp_path, "classify", "-", stdin=b'{"text": "fine"}\n' + line)
    assert failed.returncode == 1
    assert failed.stdout.count(b"\n") == 1
    assert b"line 2" in failed.stderr
    assert b"Traceback" not in failed.stderr


def test_a_model_is_trained_from_files_and_evaluated_with_its_predictions(tmp_path: Path) -> None:
    rows = [("Write code that sorts numbers in %s", "coding"), ("Translate this sentence into %s", "translation")]
    for part in ("a", "b", "c"):
        lines = [
            {"text": text % f"{part}{n}", "label": label, "source": part} for n in range(15) for text, label in rows
        ]
        (tmp_path / f"{part}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    files = ["--data", "a.jsonl", "b.jsonl", "c.jsonl"]
    trained = run(tmp_path, "train", "intent", *files, "--out", "models", "--json")
    assert trained.returncode == 0, trained.stderr
    assert json.loads(trained.stdout)["examples"] == 90
    assert {"intent.npz", "intent.json"} <= {path.name for path in (tmp_path / "models").iterdir()}
    evaluated = run(tmp_path, "evaluate", "intent", "--data", "a.jsonl", "--json", "--predictions", "p.jsonl")
    assert evaluated.returncode == 0, evaluated.stderr
    assert json.loads(evaluated.stdout)["examples"] == 30
    predictions = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines()]
    assert [row["label"] for row in predictions] == ["coding", "translation"] * 15
    assert set(predictions[0]) == {"label", "predicted", "score"}


def test_data_that_can_not_be_used_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text('{"text": "x", "label": "tea"}\n')
    failed = run(tmp_path, "evaluate", "intent", "--data", "bad.jsonl")
    assert failed.returncode == 1
    assert failed.stderr.count(b"\n") == 1
    assert b"bad.jsonl:1" in failed.stderr
