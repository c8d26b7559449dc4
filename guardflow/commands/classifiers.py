"""`guardflow classify`, `train` and `evaluate`: the classifiers by hand, in batch, and from one's own data."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from classifiers.judge import LinearClassifier

_SUBJECT = click.Choice(["intent", "misuse"])
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_DATA = click.option("--data", type=_FILE, multiple=True, required=True, help="JSON lines with text and label.")
_MORE = click.argument("more", type=_FILE, nargs=-1, metavar="[FILE]...")
_MODELS = click.option(
    "--models",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="What `train` wrote.  [default: the models of this release]",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.command()
@click.argument("text")
@_MODELS
@_JSON
def classify(text: str, models: Path | None, as_json: bool) -> None:
    """Judge TEXT under the default policy; with `-`, JSON lines with a text each, into as many JSON lines."""
    judged = _judge(_classifier(models))
    if text == "-":
        for line in _with_progress(sys.stdin.buffer):
            click.echo(json.dumps(judged(line)))
        return
    found = judged(text)
    if as_json:
        click.echo(json.dumps(found))
        return
    click.echo(f"intent   {found['intent']['label']} ({found['intent']['confidence']:.2f})")
    click.echo(f"misuse   {found['misuse']['score']:.2f} ({found['misuse']['label']})")
    click.echo(f"action   {found['action']}")


@click.command()
@click.argument("subject", type=_SUBJECT)
@_DATA
@_MORE
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="The folder to write to.")
@_JSON
def train(subject: str, data: tuple[Path, ...], more: tuple[Path, ...], out: Path, as_json: bool) -> None:
    """Fit a model to labelled texts and write it, with its numbers on sources that it was not shown."""
    from classifiers.train import train_intent, train_misuse

    fit = {"intent": train_intent, "misuse": train_misuse}[subject]
    _show(fit([*data, *more], out, lambda step: click.echo(step, err=True)), as_json)


@click.command()
@click.argument("subject", type=_SUBJECT)
@_DATA
@_MORE
@_MODELS
@click.option("--predictions", type=click.Path(path_type=Path, dir_okay=False), help="Write each, as JSON lines.")
@_JSON
def evaluate(
    subject: str,
    data: tuple[Path, ...],
    more: tuple[Path, ...],
    models: Path | None,
    predictions: Path | None,
    as_json: bool,
) -> None:
    """Say how good a model is on labelled texts."""
    from classifiers.evaluate import evaluate_intent, evaluate_misuse

    test = {"intent": evaluate_intent, "misuse": evaluate_misuse}[subject]
    _show(test([*data, *more], predictions, _classifier(models)), as_json)


def _classifier(models: Path | None) -> "LinearClassifier":
    from classifiers.artifacts import load, load_default

    return load(models) if models else load_default()


def _judge(classifier: "LinearClassifier") -> Callable[[str], dict[str, Any]]:
    from classifiers.base import Author, Turn
    from gateway.config import PoliciesConfig
    from gateway.policy import make_policy

    policy = make_policy(PoliciesConfig(), {"flag": classifier.misuse.flag, "block": classifier.misuse.block})

    def judge(text: str) -> dict[str, Any]:
        judgement = classifier.judge([Turn(Author.USER, text)])
        intent, misuse = judgement.intent, judgement.misuse
        return {
            "intent": {"label": intent.label, "confidence": intent.confidence},
            "misuse": {"score": misuse.score, "label": misuse.label, "categories": dict(misuse.categories)},
            "action": policy.decide(judgement).action,
        }

    return judge


def _with_progress(lines: Iterable[bytes]) -> Iterator[str]:
    """The text of each JSON line; a bar moves on the terminal where there is one and the input's length is known."""
    size = os.fstat(sys.stdin.fileno()).st_size if sys.stderr.isatty() and not sys.stdout.isatty() else 0
    with click.progressbar(length=size, file=sys.stderr, hidden=size == 0) as bar:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield _text(line, number)
            bar.update(len(line))


def _text(line: bytes, number: int) -> str:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise click.ClickException(f"line {number} is not JSON: {error}") from error
    if not isinstance(row, dict) or not isinstance(row.get("text"), str):
        raise click.ClickException(f'line {number} is not an object with a "text"')
    return str(row["text"])


def _show(numbers: dict[str, object], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(numbers))
        return
    for name, value in numbers.items():
        click.echo(f"{name:<28}{f'{value:.4f}' if isinstance(value, float) else value}")
