"""Every network: its symmetries, its derivatives and its cutoff, before any training."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms
from ase.data import covalent_radii
from flax import nnx

from force_field.evaluation import Predictor, equivariance_error
from force_field.graphs import Bucket, pad, to_graph
from force_field.model import ForceField, ModelConfig, Scaling
from force_field.networks.neighbourhood import Radial, repulsion

ELEMENTS = (1, 6, 8)
AGNESI: dict[str, Any] = {"transform": "agnesi", "trained_frequencies": True}
SHAPE: dict[str, Any] = {"channels": 2, "layers": 2, "cutoff": 3.0, "radial_basis": 4, "radial_hidden": 8}
CONFIGS = {
    "nequip": ModelConfig(ELEMENTS, parity="full", lmax=1, envelope="xplor", **SHAPE),
    "mace": ModelConfig(
        ELEMENTS, network="mace", lmax=1, correlation=2, transform="agnesi", trained_frequencies=True, **SHAPE
    ),
    "allegro": ModelConfig(ELEMENTS, network="allegro", lmax=1, zbl=True, **SHAPE),
}


@pytest.fixture(scope="module", params=CONFIGS)
def predictor(request: pytest.FixtureRequest) -> Predictor:
    """The force field in float64, with one bucket for all tests of a network."""
    model = ForceField(CONFIGS[request.param], Scaling((0.0,) * 3, 1.0, 8.0), rngs=nnx.Rngs(0), dtype="float64")
    predictor = Predictor(model, "float64")
    predictor.bucket = Bucket(5, 45, 300)
    return predictor


def energies(predictor: Predictor, frames: list[Atoms]) -> np.ndarray:
    return np.array([p.energy for p in predictor([to_graph(a, ELEMENTS, predictor.model.cutoff) for a in frames])])


def test_energy_forces_and_stress_are_equivariant(predictor: Predictor, frames_of: Callable[..., list[Atoms]]) -> None:
    assert equivariance_error(predictor, frames_of(["CH3CH2OH"]), trials=4) < 1e-12


def test_forces_are_the_negative_gradient(predictor: Predictor, frames_of: Callable[..., list[Atoms]]) -> None:
    (atoms,) = frames_of(["CH3CH2OH"])
    direction, step = np.random.default_rng(1).normal(size=atoms.positions.shape), 1e-4
    moved = [atoms.copy() for _ in range(4)]
    for copy, factor in zip(moved, (-2, -1, 1, 2), strict=True):
        copy.positions += factor * step * direction
    e = energies(predictor, moved)
    (found,) = predictor([to_graph(atoms, ELEMENTS, predictor.model.cutoff)])
    slope = (e[0] - 8 * e[1] + 8 * e[2] - e[3]) / (12 * step)
    np.testing.assert_allclose(-np.sum(found.forces * direction), slope, rtol=1e-6)
    assert np.abs(found.forces).max() > 1e-3


def test_the_energy_is_smooth_at_the_cutoff(predictor: Predictor) -> None:
    cutoff = predictor.model.cutoff
    frames = [Atoms("OH", positions=[[0, 0, 0], [d, 0, 0]]) for d in (cutoff - 1e-3, cutoff + 1e-3, 1.0)]
    near, far, bonded = energies(predictor, frames)
    np.testing.assert_allclose(near, far, atol=1e-6)
    assert abs(bonded - far) > 1e-4


def test_energies_reach_as_far_as_the_model_says(predictor: Predictor) -> None:
    """In a chain, in which only nearest neighbours are within the cutoff."""
    chain, hops = Atoms("H4", positions=[[2.0 * k, 0, 0] for k in range(4)]), getattr(predictor.model, "hops", 0)
    frames = [chain, *(chain.copy() for _ in range(3))]
    for k in (1, 2, 3):
        frames[k].positions[k, 1] += 0.4
    found = predictor([to_graph(atoms, ELEMENTS, predictor.model.cutoff) for atoms in frames])
    changes = [abs(p.energies[0] - found[0].energies[0]) for p in found[1:]]
    assert [change > 1e-12 for change in changes] == [k <= hops for k in (1, 2, 3)], changes


def test_the_network_distinguishes_elements(predictor: Predictor) -> None:
    found = energies(predictor, [Atoms(name, positions=[[0, 0, 0], [1.1, 0, 0]]) for name in ("CO", "OC", "CC", "OO")])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-12)
    assert len({round(e, 6) for e in found.tolist()}) == 3


@pytest.mark.parametrize("transform", ["none", "agnesi"])
@pytest.mark.parametrize("trained", [False, True])
def test_radial_functions_are_of_the_order_of_one(transform: str, trained: bool) -> None:
    """From the length of a bond to the cutoff; the transformed distance is by its formula."""
    cutoff, count, distances = 5.0, 8, np.linspace(0.9, 4.0, 32)
    config = ModelConfig((6,), cutoff=cutoff, transform=transform, trained_frequencies=trained)
    n, vectors = np.arange(1, count + 1), distances[:, None] * [[1.0, 0, 0]]
    edges = np.zeros(len(distances), np.int32)
    batch: Any = SimpleNamespace(
        nodes=SimpleNamespace(species=edges[:1]), senders=edges, receivers=edges, edge_index=lambda: None
    )
    found = Radial(config, dtype="float64")(batch, jnp.asarray(vectors))
    if transform == "none":
        expected = np.sqrt(2) * np.sin(n * np.pi / cutoff * distances[:, None]) / distances[:, None]
    else:
        r = distances[:, None] / covalent_radii[6]
        x = 1 / (1 + 1.0805 * r**0.9183 / (1 + r ** (0.9183 - 4.5791)))
        expected = np.sqrt(2) * np.sin(n * np.pi * x)
    np.testing.assert_allclose(found.radial, expected * np.asarray(found.envelope)[:, None], atol=1e-12)
    assert 0.3 < np.sqrt(np.mean(np.square(found.radial))) < 1.5


def test_repulsion_is_that_of_screened_nuclei() -> None:
    config = ModelConfig(ELEMENTS)
    for distance in (0.3, 0.9, 2.0):
        graph = to_graph(Atoms("CO", positions=[[0, 0, 0], [distance, 0, 0]]), ELEMENTS, 4.0)
        batch = pad([graph], Bucket(2, 4, 4), np.float64)
        vectors = np.array([[1, 0, 0], [-1, 0, 0], [8, 0, 0], [8, 0, 0]]) * np.array([distance] * 2 + [1] * 2)[:, None]
        found = jax.jit(lambda batch, v: repulsion(config, batch, v))(batch, vectors)
        a = 0.8854 * 0.529177 / (6**0.23 + 8**0.23)
        screened = [(0.18175, 3.1998), (0.50986, 0.94229), (0.28022, 0.4029), (0.02817, 0.20162)]
        energy = 14.399645 * 48 / distance * sum(c * np.exp(-d * distance / a) for c, d in screened)
        u = min(distance / (covalent_radii[6] + covalent_radii[8]), 1.0)
        energy *= 1 - 28 * u**6 + 48 * u**7 - 21 * u**8
        np.testing.assert_allclose(found, [energy / 2, energy / 2, 0, 0], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"network": "schnet"}, "network to be nequip or mace or allegro"),
        ({"parity": "odd"}, "parity to be natural or full"),
        ({"zbl": 1}, "zbl to be true or false"),
        ({"correlation": 9}, "correlation from 1 to 4"),
    ],
)
def test_unknown_options_are_refused(change: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        ModelConfig(ELEMENTS, **change)
