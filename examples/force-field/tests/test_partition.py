"""Large systems in parts: the sum of the parts is the whole. For a larger system: `test_partition.py ATOMS`."""

import sys
import time

import jax
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from flax import nnx

from force_field.evaluation import Predictor
from force_field.graphs import to_graph
from force_field.model import ForceField, ModelConfig, Scaling
from force_field.partition import PartitionedPredictor, split

SMALL = {"channels": 2, "lmax": 1, "cutoff": 3.0, "radial_basis": 4, "radial_hidden": 4}


def alloy(repeat: tuple[int, int, int], periodic: tuple[bool, bool, bool] = (True, True, False)) -> Atoms:
    """Copper in which every other atom is silicon, at random places near those of the crystal."""
    atoms, rng = bulk("Cu", "fcc", a=3.6, cubic=True).repeat(repeat), np.random.default_rng(0)
    atoms.numbers[::2] = 14
    atoms.positions += 0.1 * rng.normal(size=atoms.positions.shape) + [100.0, 0.0, 0.0]  # outside of the cell
    atoms.pbc = periodic
    return atoms


def force_field(network: str, layers: int) -> ForceField:
    config = ModelConfig((14, 29), network=network, layers=layers, **SMALL)
    return ForceField(config, Scaling((0.0, 0.0), 1.0, 12.0), rngs=nnx.Rngs(0), dtype="float64")


@pytest.mark.parametrize(("network", "layers"), [("nequip", 2), ("allegro", 2)])
def test_the_sum_of_the_parts_is_the_whole(network: str, layers: int) -> None:
    atoms, model = alloy((8, 2, 2)), force_field(network, layers)
    (whole,) = Predictor(model, "float64")([to_graph(atoms, model.elements, model.cutoff)])
    found = PartitionedPredictor(model, atoms_per_part=40)(atoms)
    assert np.abs(whole.forces).max() > 1e-4
    for name in ("energies", "forces", "strain_derivative"):
        scale = np.abs(getattr(whole, name)).max()
        np.testing.assert_allclose(getattr(found, name), getattr(whole, name), atol=1e-12 * scale, err_msg=name)


def test_too_few_hops_would_be_noticed() -> None:
    atoms, model = alloy((8, 1, 1)), force_field("nequip", 2)
    predictor = PartitionedPredictor(model, atoms_per_part=10)
    graph = to_graph(atoms, model.elements, model.cutoff)
    for nodes, own, part in predictor._parts(graph, split(atoms.positions, 10)):
        near = set(nodes[own].tolist())
        for _ in range(2):
            near |= {int(s) for s, r in zip(graph.senders, graph.receivers, strict=True) if int(r) in near}
        assert nodes.tolist() == sorted(near)
        assert part.receivers.max() < len(nodes)
    with pytest.raises(ValueError, match="hops of one or more"):
        PartitionedPredictor(model, hops=0)


def test_parts_are_disjoint_and_compact() -> None:
    positions = np.random.default_rng(0).uniform(size=(1000, 3)) * [10.0, 1.0, 1.0]
    parts = split(positions, 150)
    assert sorted(np.concatenate(parts).tolist()) == list(range(1000))
    assert max(map(len, parts)) <= 150
    assert max(np.ptp(positions[part], axis=0).max() for part in parts) < 2.0


def main(count: int) -> None:
    """Compare the whole with parts for a crystal of at least this number of atoms."""
    jax.config.update("jax_enable_x64", True)
    side = int(np.ceil((count / 4) ** (1 / 3)))
    atoms, model = alloy((side, side, side), (True, True, True)), force_field("nequip", 2)
    start = time.perf_counter()
    found = PartitionedPredictor(model, atoms_per_part=5000)(atoms)
    middle = time.perf_counter()
    (whole,) = Predictor(model, "float64")([to_graph(atoms, model.elements, model.cutoff)])
    print(f"{len(atoms)} atoms: {middle - start:.0f} s in parts, {time.perf_counter() - middle:.0f} s as a whole")
    for name in ("energies", "forces", "strain_derivative"):
        a, b = getattr(found, name), getattr(whole, name)
        print(f"  {name}: largest difference {np.abs(a - b).max():.1e}, largest value {np.abs(b).max():.1e}")


if __name__ == "__main__":
    main(int(sys.argv[1]))
