"""Training that begins with a trained model, whole or by low-rank changes."""

import gzip
from pathlib import Path
from typing import Any

import ase.io
import jax
import numpy as np
import pytest
from ase import Atoms
from flax import nnx

import irreps_ops as irr
from force_field import checkpoint, train
from force_field.calculator import ForceFieldCalculator
from force_field.cli import main
from force_field.model import ForceField
from force_field.potential import as_json, load_any, load_model, model_config
from force_field.pretrained import load
from force_field.pretrained.config import PublicConfig, maker, public_config
from force_field.pretrained.nequix import Nequix
from force_field.pretrained.sevennet import SevenNet, SevenNetConfig
from force_field.training import Trainer
from force_field.training.low_rank import LowRank, is_linear
from irreps_flax.nnx import binding
from irreps_ops.bindings import tree_leaves

SMALL = ["--channels", "4", "--layers", "1", "--lmax", "1", "--valid", "4", "--minutes", "0", "--dtype", "float64"]
MACE = Path(__file__).parent / "small_mace" / "model.safetensors.gz"


def untrained(words: list[str]) -> int:
    """Run a training of no steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "steps", lambda self: iter(()))
        patch.setattr(train.Run, "finish", lambda *_: None)
        return main(["train", *words])


@pytest.fixture(scope="module")
def trained(data_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    assert untrained(["--data", str(data_file), "--out", str(folder), "--epochs", "1", *SMALL]) == 0
    return folder


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("public") / "mace.safetensors"
    path.write_bytes(gzip.decompress(MACE.read_bytes()))
    return path


def leaves(path: Path) -> dict[str, np.ndarray]:
    return {name: np.asarray(leaf) for name, leaf in tree_leaves(checkpoint.load(path).parameters)}


def test_low_rank_changes_begin_with_none_and_are_of_low_rank() -> None:
    rng = np.random.default_rng(0)
    shapes = {"a/w": (6, 5), "b/w[0,0] 4x0e,3x0e": (2, 4, 3), "w3_0e": (2, 4, 3), "offsets": (5,), "c/w": (1, 5)}
    base = irr.bindings.tree_of_leaves({name: rng.normal(size=shape) for name, shape in shapes.items()})
    low_rank = LowRank(base, rank=2, scale=3.0, seed=0)
    factors = {name: np.asarray(leaf) for name, leaf in tree_leaves(low_rank.initial)}
    assert {name: leaf.shape for name, leaf in factors.items()} == {
        "a/w/a": (6, 2), "a/w/b": (2, 5), "b/w[0,0] 4x0e,3x0e/a": (2, 4, 2), "b/w[0,0] 4x0e,3x0e/b": (2, 2, 3),
        "c/w/a": (1, 1), "c/w/b": (1, 5),
    }  # fmt: skip
    at_start = tree_leaves(low_rank.merge(low_rank.initial, base))
    for (name, leaf), (_, same) in zip(at_start, tree_leaves(base), strict=True):
        np.testing.assert_array_equal(leaf, same, err_msg=name)
    moved = irr.bindings.tree_of_leaves({name: leaf + 0.1 for name, leaf in factors.items()})
    merged = dict(tree_leaves(low_rank.merge(moved, base)))
    change = merged["b/w[0,0] 4x0e,3x0e"] - dict(tree_leaves(base))["b/w[0,0] 4x0e,3x0e"]
    a, b = (factors[f"b/w[0,0] 4x0e,3x0e/{name}"] + 0.1 for name in "ab")
    np.testing.assert_allclose(change, 3.0 / 2 * a @ b, rtol=1e-12)
    np.testing.assert_array_equal(merged["w3_0e"], dict(tree_leaves(base))["w3_0e"])
    with pytest.raises(ValueError, match="linear layers, got none"):
        LowRank({"offsets": np.ones(3)}, 1, 1.0, 0)


def test_low_rank_training_changes_linear_layers_alone(trained: Path, data_file: Path, tmp_path: Path) -> None:
    words = ["--data", str(data_file), "--from", str(trained), "--out", str(tmp_path), "--lora-rank", "1"]
    limits = ["--valid", "4", "--minutes", "0", "--dtype", "float64"]
    assert untrained([*words, *limits, "--epochs", "1"]) == 0
    before = leaves(trained)
    for name, leaf in leaves(tmp_path).items():
        np.testing.assert_array_equal(leaf, before[name], err_msg=name)
    assert main(["train", "--resume", "--out", str(tmp_path), "--epochs", "2"]) == 0
    changed = set()
    for name, leaf in leaves(tmp_path).items():
        if not np.array_equal(leaf, before[name]):
            changed.add(name)
            assert np.max(np.linalg.matrix_rank(leaf - before[name], tol=1e-10)) == 1
    assert changed == {name for name, leaf in before.items() if is_linear(name, leaf)}
    state = checkpoint.load(tmp_path).state
    assert {name.rsplit("/", 1)[-1] for name, _ in tree_leaves(state["params"])} == {"a", "b"}
    model, _ = load_model(tmp_path, "float64")  # merged: a model like any other
    assert isinstance(model, ForceField)
    assert checkpoint.load(tmp_path).header["data"]["from"] == str(trained)


def test_a_public_model_is_trained_further(
    public: Path, data_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--data", str(data_file), "--out", str(tmp_path), "--valid", "4", "--dtype", "float64", "--lora-rank", "2"]
    assert untrained([*words, "--from", str(public)]) == 0
    assert "mace, 3 elements" in " ".join(capsys.readouterr().out.split())
    atoms = Atoms("OH2", positions=[[0, 0, 0], [0.9, 0.2, 0], [-0.3, 0.9, 0.1]])
    found = [ForceFieldCalculator(model) for model in (load(public), load_any(tmp_path, "float64")[0])]
    energies = [calculator.get_potential_energy(atoms) for calculator in found]
    assert energies[0] == energies[1]
    assert untrained(["--resume", "--out", str(tmp_path)]) == 0
    assert untrained(["--resume", "--out", str(tmp_path), "--lora-rank", "3"]) == 2
    assert "differ in lora_rank" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--lora-rank", "2"], "name it with --from"),
        (["--from", "{trained}", "--channels", "8"], "network of a trained model cannot be changed"),
        (["--from", "{trained}", "--size", "M"], "network of a trained model cannot be changed"),
        (["--from", "nowhere"], "nowhere does not exist"),
        (["--from", "{data}"], "is not a checkpoint"),
    ],
)
def test_options_that_contradict_are_refused(
    words: list[str], expected: str, trained: Path, data_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [word.format(trained=trained, data=data_file) for word in words]
    assert untrained(["--data", str(data_file), "--out", str(tmp_path), *words]) == 2
    assert expected in capsys.readouterr().err


def test_data_with_other_elements_are_refused(
    frames_of: Any, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "chlorine.extxyz"
    ase.io.write(path, frames_of(["CH3Cl"] * 6), format="extxyz")
    assert untrained(["--data", str(path), "--out", str(tmp_path), "--from", str(trained)]) == 2
    assert "has Cl, which the model was not trained on" in capsys.readouterr().err
    assert untrained(["--out", str(tmp_path), "--from", str(trained)]) == 2
    assert "give --data" in capsys.readouterr().err


NEQUIX: dict[str, Any] = {
    "atomic_numbers": [1, 8], "cutoff": 4.0, "hidden_irreps": "2x0e + 2x1o", "lmax": 1, "n_layers": 2,
    "radial_basis_size": 3, "radial_mlp_size": 4, "radial_mlp_layers": 1, "radial_polynomial_p": 6.0,
    "avg_n_neighbors": 5.0, "scale": 0.5, "shift": 0.25, "index_weights": True, "layer_norm": True,
}  # fmt: skip


def test_configurations_of_public_models_survive_json() -> None:
    config = SevenNetConfig(
        elements=(8, 1), reference_energies=(-1.0, -2.0), scales=(1.0, 2.0), cutoff=4.0, cutoff_on=None, polynomial=6,
        features=(irr.Irreps("2x0e"), irr.Irreps("2x0e+1x1e"), irr.Irreps("2x0e")), lmax=1, normalize=True,
        neighbors=(3.0, 4.0), radial=(3, 4),
    )  # fmt: skip
    make = {
        "sevennet": lambda: SevenNet(config, rngs=nnx.Rngs(0), dtype="float32"),
        "nequix": lambda: Nequix(NEQUIX, np.array([-1.0, -2.0]), rngs=nnx.Rngs(0), dtype="float32"),
    }
    for family, function in make.items():
        model = nnx.eval_shape(function)
        found = model_config({"model": as_json(public_config(model))})
        assert isinstance(found, PublicConfig)
        assert found.family == family
        same = nnx.eval_shape(lambda config=found: maker(config)(nnx.Rngs(0), "float32"))
        shapes = [jax.tree.map(lambda leaf: leaf.shape, binding.to_trees(one)[0]) for one in (model, same)]
        assert shapes[0] == shapes[1]
        np.testing.assert_allclose(same.reference_energies, model.reference_energies)
        assert (same.elements, same.cutoff) == (model.elements, model.cutoff)
    with pytest.raises(ValueError, match="expected the family"):
        maker(PublicConfig((1,), "other", 4.0, {}))
