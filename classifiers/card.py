"""The model card beside the artifacts: what they are for, how they were made, what they are bad at."""

import json
from pathlib import Path

_INTRODUCTION = """# Model card: intent and misuse

Linear models over hashed words, word pairs and five-letter windows; weights of eight bits. Text in, scores out.

- **Use**: inline, on every call of a gateway: routing, analytics, deviation from a declared task (intent); a first
  signal for flags, throttles and behaviour scores (misuse). Not fit to be the only reason to act against a person.
- **Data**: permissively licensed public prompts and prompts written for this project (CC0), English first, with some
  fifteen other languages. Labels of intent: fourteen tasks; `other` is an answer below the confidence `floor`.
  Labels of misuse: benign, harmful, jailbreak, injection; harmful ones by category, half of them by keyword.
- **Numbers**: `held_out_*` come from folds that leave whole sources out; calibration and thresholds too. `flag` and
  `block` are the scores that 1 % and 0.1 % of the benign held-out texts reach, hard ones included. Traffic differs:
  set thresholds from what you see. Scores are calibrated to the share of misuse in the data, which is far above that
  of traffic.
- **Limits**: words weigh one by one, so paraphrase, fiction frames, irony and rare languages are missed, and alarming
  words in harmless questions cost points. Injection is the weakest kind. Encoded text (base64, ciphers) is not decoded.
  Of a long text the first 3,072 and the last 1,024 characters are read.
- **Form**: arrays in .npz, settings in .json, verified by SHA-256; loading executes nothing. The same data gives the
  same bytes on the same builds of NumPy and scikit-learn.
"""


def write(path: Path) -> None:
    """MODEL_CARD.md for the manifests found in `path`."""
    parts = [_INTRODUCTION]
    for file in filter(Path.exists, (path / "intent.json", path / "misuse.json")):
        manifest = json.loads(file.read_text(encoding="utf-8"))
        rows = {**manifest["settings"], **manifest["metrics"]}
        lines = [f"| {name} | {value:.6g} |" for name, value in rows.items()]
        head = f"## {manifest['name']} {manifest['revision']}\n\nFeatures `{manifest['features']}`.\n"
        parts.append("\n".join([head, "| | |", "|---|---|", *lines, ""]))
    (path / "MODEL_CARD.md").write_text("\n".join(parts), encoding="utf-8")
