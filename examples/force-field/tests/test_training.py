import itertools
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import optax
import pytest
from ase import Atoms
from flax import nnx

from force_field import checkpoint
from force_field.evaluation import Predictor, errors
from force_field.graphs import Batches, to_graphs
from force_field.model import ForceField, ModelConfig
from force_field.potential import relative_to, scaling_of
from force_field.settings import TrainingConfig
from force_field.training import DivergedError, Trainer, learning_rate, loss_weights, make_optimizer
from force_field.training.loss import _inverse_frequencies

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
    compiled = []
    trainer.on_compile = compiled.append
    reports = list(trainer.steps())
    assert [*filter(None, compiled)] == compiled[::2]
    assert sorted(compiled[::2]) == sorted(trainer.data.buckets)
    assert len(reports) == 40 * 4
    history = trainer.progress.history
    assert len(history) == pytest.approx(20, abs=1)
    assert history[-1]["forces_mae"] < 0.5 * history[0]["forces_mae"]
    assert reports[-1].fraction == 1
    assert trainer.traces == len(set(trainer.data.buckets)) == len(set(molecules))


def test_training_in_float64(frames_of: MakeFrames) -> None:
    trainer = make_trainer(
        frames_of(["H2O"] * 2), TrainingConfig(batch_size=2, epochs=30, minutes=0, warmup=5, dtype="float64")
    )
    trainer.validate = lambda params: {}
    losses = [report.loss for report in trainer.steps()]
    assert losses[-1] < 0.5 * losses[0]
    arrays = checkpoint.to_tree((trainer.params, trainer.average, trainer.moments))
    assert {a.dtype for _, a in checkpoint.irr.bindings.tree_leaves(arrays) if a.dtype.kind == "f"} == {np.dtype(float)}


def without_network(trainer: Trainer, loss: float) -> Trainer:
    """Replace step and validation by functions that return this loss and compute nothing."""
    trainer._step = lambda params, base, moments, average, *rest: (params, moments, average, (loss, loss, loss))
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


@pytest.mark.parametrize(
    ("schedule", "shape"),
    [
        ("cosine", lambda x: np.cos(np.pi * x / 2) ** 2),
        ("linear", lambda x: 1 - x),
        ("exponential", lambda x: 10 ** (-2 * x)),
        ("constant", lambda x: 1.0),
    ],
)
def test_each_stage_has_the_whole_schedule(schedule: str, shape: Callable[[float], float]) -> None:
    config = TrainingConfig(
        learning_rate=0.1, schedule=schedule, second_stage=0.75, second_learning_rate=0.02, second_energy_weight=7.0
    )
    for x in (0.0, 0.3, 0.9):
        assert learning_rate(config, 0.75 * x, 1000) == pytest.approx(0.1 * shape(x))
        assert learning_rate(config, 0.75 + 0.25 * x, 1000) == pytest.approx(0.02 * shape(x))
    assert loss_weights(config, 0.7499) == (1.0, 1.0, 1.0)
    assert loss_weights(config, 0.75) == (7.0, 1.0, 1.0)


@pytest.mark.parametrize("name", ["amsgrad", "adam", "adamw", "muon"])
def test_the_first_update_of_each_optimizer(name: str) -> None:
    rng = np.random.default_rng(0)
    params = {"w": rng.normal(size=(6, 4)).astype(np.float32), "b": rng.normal(size=3).astype(np.float32)}
    gradient = {"w": rng.normal(size=(6, 4)).astype(np.float32), "b": rng.normal(size=3).astype(np.float32)}
    decay = 0.1 if name in ("adamw", "muon") else 0.0
    optimizer = make_optimizer(TrainingConfig(optimizer=name, weight_decay=decay))
    update, _ = optimizer.update(gradient, optimizer.init(params), params)
    step = -update["b"] - decay * params["b"]
    if name == "muon":  # Adam with Nesterov's momentum
        step /= (0.9 * 0.1 / (1 - 0.9**2)) + 1
    np.testing.assert_allclose(step, np.sign(gradient["b"]), rtol=1e-3)
    step = -update["w"] - decay * params["w"]
    if name == "muon":  # the nearest matrix with orthogonal columns, roughly
        u, _, v = np.linalg.svd(gradient["w"], full_matrices=False)
        along = np.sum((u @ v) * step) / (np.linalg.norm(u @ v) * np.linalg.norm(step))
        assert along > 0.95
    else:
        np.testing.assert_allclose(step, np.sign(gradient["w"]), rtol=1e-3)


def test_muon_sees_a_matrix_in_each_linear_map_of_a_species_and_in_nothing_else_of_three_axes() -> None:
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(2, 6, 4)).astype(np.float32)
    optimizer = make_optimizer(TrainingConfig(optimizer="muon", clip=0.0))
    gradient = {"linear_self": {"w": maps}, "product": {"w": maps}, "first": {"w": maps[0]}, "last": {"w": maps[1]}}
    params = jax.tree.map(np.ones_like, gradient)
    update, _ = optimizer.update(gradient, optimizer.init(params), params)
    alone = np.stack([update["first"]["w"], update["last"]["w"]])
    np.testing.assert_allclose(update["linear_self"]["w"], alone, rtol=1e-2, atol=1e-3)
    signs = -update["product"]["w"] / (0.9 * 0.1 / (1 - 0.9**2) + 1)
    np.testing.assert_allclose(signs, np.sign(maps), rtol=1e-3)


def test_gradients_are_clipped() -> None:
    params = {"w": np.ones(4, np.float32)}
    optimizer = make_optimizer(TrainingConfig(clip=2.0, optimizer="adam"))
    _, state = optimizer.update({"w": np.full(4, 8.0, np.float32)}, optimizer.init(params), params)
    np.testing.assert_allclose(optax.tree.get(state, "mu")["w"], 0.1 * 1.0, rtol=1e-6)  # 8 / |(8, 8, 8, 8)| * 2


def test_a_run_without_improvement_ends_and_returns_its_best_parameters(frames_of: MakeFrames) -> None:
    config = TrainingConfig(batch_size=2, epochs=50, minutes=0, validations=100, patience=3)
    trainer = without_network(make_trainer(frames_of(["H2O"] * 2), config), 1.0)
    errors = iter([5.0, 4.0, 2.0, 3.0, 2.5, 2.0001, 0.0])
    averages = []

    def validate(params: dict) -> dict[str, float]:
        averages.append(params)
        return {"energy_mae": 1.0, "forces_mae": next(errors)}

    trainer.validate = validate
    trainer._step = lambda params, base, moments, average, *_: (params, moments, {**average}, (1.0, 1.0, 1.0))
    assert len(list(trainer.steps())) == 6
    assert trainer.has_stalled()
    assert trainer.result() is averages[2]


def test_atoms_weigh_as_their_elements_are_rare() -> None:
    species, mask = np.array([0, 0, 0, 1, 0]), np.array([True, True, True, True, False])
    batch = SimpleNamespace(node_mask=mask, nodes=SimpleNamespace(species=species))
    weights = _inverse_frequencies(batch, 3, lambda x: x)
    costs = np.array([1.0, 2.0, 6.0, 7.0])
    assert float(np.mean(weights[:4] * costs)) == pytest.approx((3.0 + 7.0) / 2)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_divergence_names_step_and_configurations_and_keeps_the_state(frames_of: MakeFrames, number: float) -> None:
    trainer = make_trainer(frames_of(["H2O"] * 3), TrainingConfig(batch_size=2, epochs=1, minutes=0))
    trainer.data.names = [f"a.xyz, frame {i}" for i in range(3)]
    without_network(trainer, 1.0)
    steps = trainer.steps()
    next(steps)
    before = trainer.params
    trainer._step = lambda *_: ("bad", "bad", "bad", (1.0, 1.0, number))
    with pytest.raises(DivergedError, match=r"gradient became (nan|inf) at step 2, in the batch of a.xyz, frame [012]"):
        next(steps)
    assert trainer.params is before


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


def state_of(path: Path) -> tuple[dict[str, bytes], dict]:
    """Return the arrays of a checkpoint and its progress without times."""
    saved = checkpoint.load(path)
    arrays = checkpoint.irr.bindings.tree_leaves({"parameters": saved.parameters, "state": saved.state})
    progress = saved.header["progress"]
    progress["history"] = [{k: v for k, v in line.items() if k != "seconds"} for line in progress["history"]]
    return {str(name): array.tobytes() for name, array in arrays}, {k: v for k, v in progress.items() if k != "seconds"}


def test_every_checkpoint_of_a_run_leads_to_the_same_end(frames_of: MakeFrames, tmp_path: Path) -> None:
    config = TrainingConfig(batch_size=2, epochs=3, minutes=0, validations=5, patience=5)
    trainer = make_trainer(frames_of(["H2O"] * 4), config)

    def save(name: str) -> None:
        trainer.save(tmp_path / name, {})

    save("0")
    for _ in trainer.steps():
        save(f"{trainer.progress.steps}")
    save("end")
    assert trainer.progress.steps == 6
    whole = state_of(tmp_path / "end")
    for step in range(7):
        trainer.restore(checkpoint.load(tmp_path / f"{step}"), tmp_path)
        assert trainer.progress.steps == step
        for _ in trainer.steps():
            pass
        save("resumed")
        assert state_of(tmp_path / "resumed") == whole


def test_a_checkpoint_at_the_end_of_an_epoch_is_at_the_start_of_the_next(frames_of: MakeFrames, tmp_path: Path) -> None:
    trainer = without_network(
        make_trainer(frames_of(["H2O"] * 4), TrainingConfig(batch_size=2, epochs=3, minutes=0)), 1
    )
    trainer.progress.batch = 2  # as earlier versions could save it
    trainer.save(tmp_path / "old", {})
    trainer.restore(checkpoint.load(tmp_path / "old"), tmp_path)
    assert (trainer.progress.epoch, trainer.progress.batch) == (1, 0)
    assert len(list(trainer.steps())) == 4
