"""Exported programs and energy functions for jax-md, against the calculator."""

import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import ase.neighborlist
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from flax import nnx

from force_field.calculator import ForceFieldCalculator
from force_field.export import loader
from force_field.export.jax_md import energy_function
from force_field.export.program import export
from force_field.model import ForceField, ModelConfig, Scaling
from force_field.networks import NETWORKS

CONFIG = ModelConfig((8, 6, 1), channels=3, layers=2, lmax=1, radial_basis=3, radial_hidden=4, cutoff=3.0)


EVERY_OPTION: dict[str, Any] = {
    "channels": 2, "layers": 1, "lmax": 1, "radial_basis": 3, "radial_hidden": 4, "cutoff": 3.0, "lmax_hidden": 1,
    "envelope": "xplor", "transform": "agnesi", "trained_frequencies": True, "zbl": True,
}  # fmt: skip


@pytest.fixture(scope="module")
def model() -> ForceField:
    return ForceField(CONFIG, Scaling((-1.0, -2.0, -3.0), 1.0, 4.0), rngs=nnx.Rngs(0), dtype="float64")


def crystal() -> Atoms:
    atoms = bulk("C", "diamond", a=3.6).repeat((2, 1, 1))
    atoms.rattle(0.05, seed=0)
    return atoms


SLAB = Atoms("OHC", positions=[[0, 0, 0], [0.9, 0.3, 2.8], [-4.1, 1.5, 0.2]], cell=[3, 3.2, 0], pbc=[1, 1, 0])

# Runs where nothing of ours can be imported: the folder of the loader is the only path, next to that of JAX.
PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
import numpy as np, loader
forbidden = [name for name in sys.modules if name.split(".")[0] in ("irreps_core", "irreps_ops", "flax", "force_field")]
assert not forbidden, forbidden
model, data = loader.load(sys.argv[2]), np.load(sys.argv[3])
pairs = loader.neighbors(data["positions"], data["cell"], data["pbc"], model.cutoff)
energies, forces, strain = model(data["numbers"], data["positions"], data["cell"], *pairs)
np.savez(sys.argv[4], energies=energies, forces=forces, strain=strain)
"""


def test_a_program_runs_with_jax_alone_at_any_size(model: ForceField, tmp_path: Path) -> None:
    path = tmp_path / "a.program"
    export(model, path)
    program = loader.load(path)
    for atoms in (crystal(), SLAB):
        atoms.calc = ForceFieldCalculator(model)
        pairs = loader.neighbors(atoms.positions, atoms.cell.array, atoms.pbc, 3.0)
        padded = [np.concatenate([array, np.zeros((5, *array.shape[1:]), int)]) for array in pairs]
        energies, forces, strain = program(atoms.numbers, atoms.positions, atoms.cell.array, *padded)
        np.testing.assert_allclose(energies, atoms.get_potential_energies(), rtol=1e-10)
        np.testing.assert_allclose(forces, atoms.get_forces(), atol=1e-10)
        np.testing.assert_allclose(strain, -atoms.calc.results["virial"], atol=1e-10)
    folder, given, found = tmp_path / "alone", tmp_path / "in.npz", tmp_path / "out.npz"
    folder.mkdir()
    (folder / "loader.py").write_text(Path(loader.__file__).read_text())
    np.savez(given, numbers=atoms.numbers, positions=atoms.positions, cell=atoms.cell.array, pbc=atoms.pbc)
    words = [sys.executable, "-I", "-c", PROGRAM, *map(str, (folder, path, given, found))]
    subprocess.run(words, check=True, timeout=300)
    np.testing.assert_allclose(np.load(found)["forces"], atoms.get_forces(), atol=1e-10)
    with pytest.raises(ValueError, match=r"among \[8, 6, 1\], got \[.*7.*\]"):
        program([7], np.zeros((1, 3)), np.zeros((3, 3)), [], [], np.zeros((0, 3)))
    (tmp_path / "b.program").write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ValueError, match="is damaged"):
        loader.load(tmp_path / "b.program")


@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS)
def test_a_program_of_every_option_computes_what_the_model_does(network: str, tmp_path: Path) -> None:
    """In float32, both differ from float64 by the same rounding, of inputs and sums, and less from each other."""
    options = {**EVERY_OPTION, "parity": "full" if network == "nequip" else "natural"}
    config = ModelConfig((8, 6, 1), network, **options)
    model = ForceField(config, Scaling((-1.0, -2.0, -3.0), 1.0, 12.0), rngs=nnx.Rngs(0), dtype="float64")
    atoms, results = crystal(), {}
    for dtype in ("float64", "float32"):
        export(model, tmp_path / "a.program", dtype, platforms=("cpu",))
        program = loader.load(tmp_path / "a.program")
        pairs = loader.neighbors(atoms.positions, atoms.cell.array, atoms.pbc, program.cutoff)
        energies, forces, strain = program(atoms.numbers, atoms.positions, atoms.cell.array, *pairs)
        results["program", dtype] = {"energies": energies, "forces": forces, "virial": -strain}
        calculator = ForceFieldCalculator(model, dtype)
        calculator.calculate(atoms)
        results["model", dtype] = calculator.results
    for name in ("energies", "forces", "virial"):
        scale = np.abs(results["model", "float64"][name]).max()
        for a, b, tolerance in (
            (("program", "float64"), ("model", "float64"), 1e-12),
            (("program", "float32"), ("model", "float32"), 1e-6),
            (("program", "float32"), ("model", "float64"), 1e-5),
        ):
            np.testing.assert_allclose(results[a][name], results[b][name], atol=tolerance * scale, rtol=0)


@pytest.mark.parametrize("atoms", [crystal(), SLAB, molecule("H2O")], ids=["crystal", "slab", "molecule"])
def test_the_search_of_the_loader_finds_all_pairs(atoms: Atoms) -> None:
    found = loader.neighbors(atoms.positions, atoms.cell.array, atoms.pbc, 3.3)
    expected = ase.neighborlist.neighbor_list("ijS", atoms, 3.3)
    pairs = ({*zip(i.tolist(), j.tolist(), map(tuple, s.tolist()), strict=True)} for i, j, s in (found, expected))
    assert next(pairs) == next(pairs)
    assert len(found[0]) == len(expected[0])


def test_jax_md_sees_the_energy_and_its_gradient(model: ForceField) -> None:
    """With the interface of jax-md: a displacement function, and a sparse list of neighbours with padding."""
    atoms = molecule("CH3OH", cell=[7.0, 7.0, 7.0], pbc=True)
    atoms.calc = ForceFieldCalculator(model)

    def displacement(a: jax.Array, b: jax.Array, box: float = 7.0) -> jax.Array:
        return jnp.mod(a - b + box / 2, box) - box / 2

    receivers, senders = ase.neighborlist.neighbor_list("ij", atoms, 3.4)
    pairs = np.concatenate([np.stack([receivers, senders]), np.full((2, 4), len(atoms))], axis=1)
    neighbor = types.SimpleNamespace(idx=jnp.asarray(pairs), format=types.SimpleNamespace(name="Sparse"))
    energy = energy_function(model, atoms.numbers, displacement)
    value, gradient = jax.jit(jax.value_and_grad(lambda r: energy(r, neighbor=neighbor, box=7.0)))(
        jnp.asarray(atoms.positions)
    )
    np.testing.assert_allclose(value, atoms.get_potential_energy(), rtol=1e-12)
    np.testing.assert_allclose(-gradient, atoms.get_forces(), atol=1e-12)
    with pytest.raises(ValueError, match=r"expected atomic numbers among \[1, 6, 8\], got \[7\]"):
        energy_function(model, [7, 1], displacement)
    dense = types.SimpleNamespace(idx=jnp.zeros((6, 4), int))
    with pytest.raises(ValueError, match=r"format Sparse, with idx of shape \(2, pairs\), got \(6, 4\)"):
        energy(jnp.asarray(atoms.positions), dense)
    neighbor.format.name = "OrderedSparse"
    with pytest.raises(ValueError, match="got OrderedSparse"):
        energy(jnp.asarray(atoms.positions), neighbor)
