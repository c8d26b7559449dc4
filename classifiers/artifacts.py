"""Models on disk: one .npz of plain arrays and one JSON manifest each. Loading executes nothing.

A file that is not the one its manifest names, or that was made for other features, is refused.
"""

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from classifiers.features import BITS, REVISION
from classifiers.intent import IntentModel
from classifiers.judge import LinearClassifier
from classifiers.linear import LinearModel
from classifiers.misuse import MisuseModel

_MODELS = Path(__file__).parent / "models"


class ArtifactError(Exception):
    """A model cannot be loaded; the message says which file and why."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What is known of a model beside its arrays."""

    name: str
    revision: str
    sha256: str
    features: str
    columns: tuple[str, ...]
    settings: dict[str, float]
    metrics: dict[str, Any]


@cache
def load_default() -> LinearClassifier:
    """The models that ship with the package."""
    return load(_MODELS)


def load(path: Path) -> LinearClassifier:
    """The models in the directory `path`, as `save` left them."""
    intent, intent_manifest = load_model(path, "intent")
    misuse, misuse_manifest = load_model(path, "misuse")
    try:
        return LinearClassifier(
            IntentModel(intent, **intent_manifest.settings), MisuseModel(misuse, **misuse_manifest.settings)
        )
    except TypeError as error:
        raise ArtifactError(f"{path}: the settings of a manifest do not fit: {error}") from error


def save(path: Path, name: str, model: LinearModel, settings: dict[str, float], metrics: dict[str, Any]) -> Manifest:
    """Writes `name`.npz and `name`.json; the same arrays always give the same bytes."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, table=model.table, scale=model.scale, bias=np.array(model.bias, dtype=np.float32))
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()
    manifest = Manifest(name, digest[:12], digest, REVISION, model.columns, settings, metrics)
    path.mkdir(parents=True, exist_ok=True)
    (path / f"{name}.npz").write_bytes(buffer.getvalue())
    fields = {field: getattr(manifest, field) for field in Manifest.__slots__}
    (path / f"{name}.json").write_text(json.dumps(fields, indent=2) + "\n", encoding="utf-8")
    return manifest


def load_model(path: Path, name: str) -> tuple[LinearModel, Manifest]:
    """One model and its manifest, verified."""
    manifest = _manifest(path / f"{name}.json")
    file = path / f"{name}.npz"
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ArtifactError(f"{file}: cannot be read: {error}") from error
    if hashlib.sha256(content).hexdigest() != manifest.sha256:
        raise ArtifactError(f"{file}: not the file its manifest names (sha256 differs)")
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            model = LinearModel(manifest.columns, arrays["table"], arrays["scale"], tuple(arrays["bias"].tolist()))
    except (KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ArtifactError(f"{file}: not a model: {error}") from error
    if model.table.shape != (1 << BITS, len(manifest.columns) + 1) or model.table.dtype != np.int8:
        raise ArtifactError(f"{file}: its table has the wrong shape")
    return model, manifest


def _manifest(file: Path) -> Manifest:
    try:
        fields = json.loads(file.read_text(encoding="utf-8"))
        manifest = Manifest(**{**fields, "columns": tuple(fields["columns"])})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{file}: not a manifest: {error}") from error
    if manifest.features != REVISION:
        raise ArtifactError(f"{file}: made for features {manifest.features!r}, this build has {REVISION!r}")
    return manifest
