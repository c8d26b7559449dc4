"""Only whole, fitting, unchanged models are loaded, and nothing in them runs."""

import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import classifiers
from classifiers.artifacts import ArtifactError, load, load_model

SHIPPED = Path(classifiers.__file__).parent / "models"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED, tmp_path / "models"))


def change(file: Path, **fields: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | fields))


def test_the_shipped_models_load_and_publish_thresholds_in_order() -> None:
    misuse = load(SHIPPED).misuse
    assert 0 < misuse.flag < misuse.block < 1


def test_the_shipped_models_are_small() -> None:
    assert sum(file.stat().st_size for file in SHIPPED.iterdir()) < 8_000_000


def test_a_file_that_is_not_the_one_its_manifest_names_is_refused(copy: Path) -> None:
    content = bytearray((copy / "misuse.npz").read_bytes())
    content[1000] ^= 1
    (copy / "misuse.npz").write_bytes(content)
    with pytest.raises(ArtifactError, match="sha256"):
        load(copy)


def test_a_pickle_is_never_opened(copy: Path) -> None:
    ran = copy / "ran"

    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (ran,)

    import hashlib

    for content in (pickle.dumps(Evil()), _pickled_array(copy, Evil())):
        (copy / "misuse.npz").write_bytes(content)
        change(copy / "misuse.json", sha256=hashlib.sha256(content).hexdigest())
        with pytest.raises(ArtifactError, match="not a model"):
            load(copy)
    assert not ran.exists()


def _pickled_array(folder: Path, value: object) -> bytes:
    file = folder / "evil.npz"
    np.savez(file, table=np.array([value], dtype=object), scale=np.ones(1), bias=np.ones(1))
    return file.read_bytes()


def test_a_model_for_other_features_is_refused(copy: Path) -> None:
    change(copy / "intent.json", features="letters/0")
    with pytest.raises(ArtifactError, match="made for features 'letters/0'"):
        load(copy)


def test_a_model_of_another_shape_is_refused(copy: Path) -> None:
    change(copy / "intent.json", columns=["one"])
    with pytest.raises(ArtifactError, match="shape"):
        load_model(copy, "intent")


def test_settings_that_do_not_fit_are_refused(copy: Path) -> None:
    change(copy / "misuse.json", settings={"slope": 1.0})
    with pytest.raises(ArtifactError, match="settings"):
        load(copy)


@pytest.mark.parametrize("name", ["intent.json", "intent.npz", "misuse.json", "misuse.npz"])
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(ArtifactError, match=name):
        load(copy)


def test_a_broken_manifest_is_named(copy: Path) -> None:
    (copy / "intent.json").write_text('{"name": "intent"}')
    with pytest.raises(ArtifactError, match=r"intent\.json: not a manifest"):
        load(copy)


@pytest.mark.slow
def test_serving_imports_neither_scikit_learn_nor_scipy() -> None:
    script = (
        "import sys; from classifiers.artifacts import load_default; from classifiers.base import Author, Turn;"
        "load_default().judge([Turn(Author.USER, 'hi')]); print({'sklearn', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
