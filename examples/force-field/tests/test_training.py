import itertools
from collections.abc import Callable

import numpy as np
import pytest
from ase import Atoms
from flax import nnx

from force_field import checkpoint
from force_field.evaluation import Predictor, errors
from force_field.graphs import Batches
from force_field.model import ForceField, ModelConfig
from force_field.parameters import Structure
from force_field.potential import relative_graphs, scaling_of
from force_field.training import Trainer, TrainingConfig, learning_rate

MakeFrames = Callable[..., list[Atoms]]


def _trainer(frames_of: MakeFrames, config: ModelConfig, training: TrainingConfig, molecules: list[str]) -> Trainer:
    frames = frames_of(molecules)
    from force_field.graphs import to_graphs

    sizes = scaling_of(frames, to_graphs(frames, config.elements, config.cutoff, "test"), config.elements)
    graphs = relative_graphs(frames, config, sizes, "test")
    model = ForceField(config, sizes, rngs=nnx.Rngs(0), dtype=training.dtype)
    predictor = Predictor(Structure(model), training.dtype)

    def validate(params: dict) -> dict[str, float]:
        found = errors(graphs, predictor(params, Batches(graphs, 4, training.dtype)), config.elements)
        return {"energy_mae": found.energy_mae, "forces_mae": found.forces_mae}

    return Trainer(model, training, Batches(graphs, training.batch_size, training.dtype), validate)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_training_lowers_the_error_and_compiles_once_per_bucket(
    frames_of: MakeFrames, small: ModelConfig, dtype: str
) -> None:
    training = TrainingConfig(batch_size=2, epochs=40, minutes=0, dtype=dtype)
    molecules = ["H2O"] * 8 if dtype == "float64" else ["H2O", "CH3CH2OH"] * 4
    trainer = _trainer(frames_of, small, training, molecules)
    reports = list(trainer.steps())
    assert len(reports) == 40 * 4
    history = trainer.progress.history
    assert len(history) == pytest.approx(20, abs=1)
    assert history[-1]["forces_mae"] < 0.5 * history[0]["forces_mae"]
    assert reports[-1].fraction == 1
    # One compilation per bucket.
    assert trainer.traces == len(set(trainer.data.buckets.values())) == len(set(molecules))
    assert {p.dtype for p in trainer.params.values()} == {np.dtype(dtype)}


def test_resumed_is_uninterrupted(frames_of: MakeFrames, small: ModelConfig, tmp_path) -> None:
    training = TrainingConfig(batch_size=3, epochs=5, minutes=0)
    whole = _trainer(frames_of, small, training, ["H2O"] * 8)
    list(whole.steps())
    first = _trainer(frames_of, small, training, ["H2O"] * 8)
    # What is compiled already need not be compiled again.
    first._step, first.validate = whole._step, whole.validate
    for count, _ in enumerate(first.steps(), 1):
        if count == 7:  # in the middle of an epoch
            break
    path = tmp_path / "checkpoint.npz"
    first.save(path, {})
    second = _trainer(frames_of, small, training, ["H2O"] * 8)
    second._step, second.validate = whole._step, whole.validate
    second.restore(checkpoint.load(path), path)
    list(second.steps())
    assert second.progress.steps == whole.progress.steps
    for a, b in ((whole.params, second.params), (whole.average, second.average)):
        for name in a:
            np.testing.assert_array_equal(a[name], b[name])
    names = ("step", "loss", "forces_mae")
    assert [[h[n] for n in names] for h in whole.progress.history] == [
        [h[n] for n in names] for h in second.progress.history
    ]


def _without_network(trainer: Trainer, loss: float) -> Trainer:
    """The same loop, but every step has this loss and nothing is computed."""
    trainer._step = lambda params, moments, average, *rest: (params, moments, average, (loss, loss))
    trainer.validate = lambda params: {"energy_mae": loss, "forces_mae": loss}
    return trainer


def test_time_ends_a_run(frames_of: MakeFrames, small: ModelConfig) -> None:
    trainer = _trainer(frames_of, small, TrainingConfig(batch_size=2, minutes=1e-9), ["H2O"] * 4)
    assert len(list(_without_network(trainer, 1.0).steps())) == 1


def test_learning_rate_warms_up_and_ends_at_zero() -> None:
    config = TrainingConfig(learning_rate=0.02)
    rates = [learning_rate(config, f, 1000) for f in np.linspace(0, 1.2, 50)]
    assert rates[0] == pytest.approx(0.02)
    assert all(a >= b for a, b in itertools.pairwise(rates))
    assert rates[-1] == pytest.approx(0)
    assert learning_rate(config, 0.0, 0) == pytest.approx(1e-4)


def test_divergence_is_reported(frames_of: MakeFrames, small: ModelConfig) -> None:
    trainer = _trainer(frames_of, small, TrainingConfig(batch_size=2, epochs=1, minutes=0), ["H2O"] * 4)
    with pytest.raises(FloatingPointError, match="learning-rate"):
        next(_without_network(trainer, float("nan")).steps())


def test_checkpoints_are_whole_or_not_there(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "checkpoint.npz"
    checkpoint.save(path, {"a": 1}, {"x": np.arange(3)})

    def fail(*args: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        checkpoint.save(path, {"a": 2}, {"x": np.arange(4)})
    found = checkpoint.load(path)
    assert found.header["a"] == 1
    np.testing.assert_array_equal(found.arrays["x"], np.arange(3))
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint.npz"]


def test_arrays_of_another_model_are_refused(tmp_path) -> None:
    path = tmp_path / "c.npz"
    template = {"w": np.zeros(3), "b": np.zeros(2)}
    with pytest.raises(checkpoint.CheckpointError, match=r"lacks p:\['b'\].*another model"):
        checkpoint.unflatten("p", template, checkpoint.flatten("p", {"w": np.zeros(3)}), path)
    with pytest.raises(checkpoint.CheckpointError, match=r"shape \(4,\), the model has \(3,\)"):
        checkpoint.unflatten("p", template, checkpoint.flatten("p", {"w": np.zeros(4), "b": np.zeros(2)}), path)
