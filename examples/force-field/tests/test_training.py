import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from flax import nnx

from force_field import checkpoint
from force_field.evaluation import Predictor, errors
from force_field.graphs import Batches, to_graphs
from force_field.model import ForceField, ModelConfig
from force_field.potential import relative_to, scaling_of
from force_field.settings import TrainingConfig
from force_field.training import Trainer, learning_rate

MakeFrames = Callable[..., list[Atoms]]
SMALL = ModelConfig((1, 6, 8), channels=4, layers=1, lmax=1, radial_basis=4, radial_hidden=8)


def make_trainer(frames: list[Atoms], training: TrainingConfig) -> Trainer:
    graphs = to_graphs(frames, SMALL.elements, SMALL.cutoff, "test")
    scaling = scaling_of(frames, graphs, SMALL.elements)
    graphs = relative_to(graphs, scaling.reference_energies)
    model = ForceField(SMALL, scaling, rngs=nnx.Rngs(0), dtype=training.dtype)
    predictor = Predictor(model, training.dtype)

    def validate(params: dict) -> dict[str, float]:
        found = errors(graphs, predictor(graphs, params), SMALL.elements)
        return {"energy_mae": found.energy_mae, "forces_mae": found.forces_mae}

    return Trainer(model, training, Batches(graphs, training.batch_size, training.dtype), validate)


def test_training_lowers_the_error_and_compiles_once_per_bucket(frames_of: MakeFrames) -> None:
    molecules = ["H2O", "CH3CH2OH"] * 4
    trainer = make_trainer(frames_of(molecules), TrainingConfig(batch_size=2, epochs=40, minutes=0))
    reports = list(trainer.steps())
    assert len(reports) == 40 * 4
    history = trainer.progress.history
    assert len(history) == pytest.approx(20, abs=1)
    assert history[-1]["forces_mae"] < 0.5 * history[0]["forces_mae"]
    assert reports[-1].fraction == 1
    assert trainer.traces == len(set(trainer.data.buckets)) == len(set(molecules))


def test_training_in_float64(frames_of: MakeFrames) -> None:
    trainer = make_trainer(frames_of(["H2O"] * 2), TrainingConfig(batch_size=2, epochs=30, minutes=0, dtype="float64"))
    trainer.validate = lambda params: {}
    losses = [report.loss for report in trainer.steps()]
    assert losses[-1] < 0.5 * losses[0]
    arrays = checkpoint.to_tree((trainer.params, trainer.average, trainer.moments))
    assert {a.dtype for _, a in checkpoint.irr.bindings.tree_leaves(arrays) if a.dtype.kind == "f"} == {np.dtype(float)}


def without_network(trainer: Trainer, loss: float) -> Trainer:
    """Replace step and validation by functions that return this loss and compute nothing."""
    trainer._step = lambda params, moments, average, *rest: (params, moments, average, (loss, loss))
    trainer.validate = lambda params: {"energy_mae": loss, "forces_mae": loss}
    return trainer


def test_a_run_ends_after_its_time(frames_of: MakeFrames) -> None:
    trainer = make_trainer(frames_of(["H2O"] * 4), TrainingConfig(batch_size=2, minutes=1e-9))
    assert len(list(without_network(trainer, 1.0).steps())) == 1


def test_learning_rate_warms_up_and_ends_at_zero() -> None:
    config = TrainingConfig(learning_rate=0.02)
    rates = [learning_rate(config, f, 1000) for f in np.linspace(0, 1.2, 50)]
    assert rates[0] == pytest.approx(0.02)
    assert all(a >= b for a, b in itertools.pairwise(rates))
    assert rates[-1] == pytest.approx(0)
    assert learning_rate(config, 0.0, 0) == pytest.approx(1e-4)


def test_divergence_is_reported(frames_of: MakeFrames) -> None:
    trainer = make_trainer(frames_of(["H2O"] * 4), TrainingConfig(batch_size=2, epochs=1, minutes=0))
    with pytest.raises(FloatingPointError, match="learning-rate"):
        next(without_network(trainer, float("nan")).steps())


def test_a_failed_save_keeps_the_previous_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run" / checkpoint.NAME
    checkpoint.save(path, {"x": np.arange(3)}, {"y": {"0": np.ones(2)}}, {"a": 1})

    def fail(*args: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        checkpoint.save(path, {"x": np.arange(4)}, {}, {"a": 2})
    found = checkpoint.load(path.parent)
    assert found.header["a"] == 1
    np.testing.assert_array_equal(found.parameters["x"], np.arange(3))
    np.testing.assert_array_equal(found.state["y"]["0"], np.ones(2))


def test_pytrees_survive_a_checkpoint() -> None:
    tree = ({"w": np.arange(3.0)}, [np.int32(2), {"b c": np.ones((2, 1))}])
    found = checkpoint.from_tree(tree, checkpoint.to_tree(tree), Path("c"))
    assert isinstance(found, tuple)
    np.testing.assert_array_equal(found[0]["w"], np.arange(3.0))
    assert found[1][0] == 2
    assert found[1][1]["b c"].shape == (2, 1)


def test_arrays_of_another_model_are_refused(tmp_path: Path) -> None:
    template = {"w": np.zeros(3), "b": np.zeros(2)}
    with pytest.raises(checkpoint.CheckpointError, match=r"^c: .* another model: 'b' is missing"):
        checkpoint.from_tree(template, {"w": np.zeros(3)}, Path("c"))
    with pytest.raises(checkpoint.CheckpointError, match=r"'w' .*\(4,\).*\(3,\)"):
        checkpoint.from_tree(template, {"w": np.zeros(4), "b": np.zeros(2)}, Path("c"))
