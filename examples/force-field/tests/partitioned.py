"""The program of test_partition.py, with eight virtual devices, which must be set up before JAX starts.

Without arguments, print the errors of small systems as JSON. With a number of atoms, compare one crystal of at least
this size with the whole, and print times: `partitioned.py 100000`.
"""

import json
import os
import sys
import time

os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=8"
if len(sys.argv) > 1:  # virtual devices share the cores of the machine, so they wait for each other for long
    os.environ["XLA_FLAGS"] += " --xla_cpu_collective_call_terminate_timeout_seconds=3600"

import jax
import numpy as np
from ase import Atoms
from ase.build import bulk
from flax import nnx

from force_field.calculator import ForceFieldCalculator
from force_field.model import ForceField, ModelConfig, Scaling

SMALL = {"channels": 2, "lmax": 1, "cutoff": 3.0, "radial_basis": 4, "radial_hidden": 4}


def alloy(repeat: tuple[int, int, int], periodic: tuple[bool, bool, bool] = (True, True, True)) -> Atoms:
    """Copper in which every other atom is silicon, at random places near those of the crystal."""
    atoms, rng = bulk("Cu", "fcc", a=3.6, cubic=True).repeat(repeat), np.random.default_rng(0)
    atoms.numbers[::2] = 14
    atoms.positions += 0.1 * rng.normal(size=atoms.positions.shape) + [100.0, 0.0, 0.0]  # outside of the cell
    atoms.pbc = periodic
    return atoms


def with_empty_part() -> Atoms:
    """A periodic cell of which two thirds are empty."""
    atoms = alloy((3, 2, 2))
    atoms.set_cell(atoms.cell.array * [[3.0], [1.0], [1.0]])
    return atoms


def force_field(network: str, layers: int) -> ForceField:
    config = ModelConfig((14, 29), network=network, layers=layers, **SMALL)
    return ForceField(config, Scaling((0.0, 0.0), 1.0, 12.0), rngs=nnx.Rngs(0), dtype="float64")


SYSTEMS = {
    "periodic": alloy((5, 2, 2)),
    "slab": alloy((4, 2, 2), (True, True, False)),
    "empty part": with_empty_part(),
}


def errors(atoms: Atoms, whole: ForceFieldCalculator, divided: ForceFieldCalculator) -> dict[str, list[float]]:
    """Return the largest difference of each property from the whole, and its largest value there."""
    found = {}
    for calculator in (divided, whole):
        atoms.calc = calculator
        atoms.get_potential_energy()
    for name in ("energies", "forces", "virial"):
        expected = np.asarray(whole.results[name])
        found[name] = [np.abs(divided.results[name] - expected).max(), np.abs(expected).max()]
    return found


def small() -> dict[str, dict[str, list[float]]]:
    """Return the errors of small systems, in two parts on each of eight devices."""
    model = force_field("nequip", 2)
    whole, divided = ForceFieldCalculator(model), ForceFieldCalculator(model, devices=8, atoms_per_part=5)
    found = {name: errors(atoms, whole, divided) for name, atoms in SYSTEMS.items()}
    # Atoms that move are divided again only when their neighbours are found again, and the program stays.
    atoms, system = SYSTEMS["periodic"], divided.evaluator.system
    found["again"] = errors(atoms, whole, divided)
    division, traces = system.division, system.traces
    atoms.positions += 0.02 * np.random.default_rng(1).normal(size=atoms.positions.shape)
    atoms.cell *= 1.001
    found["moved"] = errors(atoms, whole, divided)
    if system.division is not division or system.traces != traces:
        raise RuntimeError("the atoms were divided again, or the program was compiled again")
    return found


def large(count: int) -> None:
    """Compare the whole with eight blocks, for a crystal of at least this number of atoms."""
    side = int(np.ceil((count / 4) ** (1 / 3)))
    atoms, model = alloy((side, side, side)), force_field("nequip", 2)
    divided = ForceFieldCalculator(model, devices=8)
    for text in ("with the search of neighbours and compilation", "again"):
        start = time.perf_counter()
        divided.calculate(atoms)
        print(f"{len(atoms)} atoms on 8 devices, {text}: {time.perf_counter() - start:.1f} s", flush=True)
    start = time.perf_counter()
    divided.evaluator.neighbors._found_for = None
    divided.calculate(atoms)
    print(f"  with another search of neighbours and division: {time.perf_counter() - start:.1f} s", flush=True)
    sizes = divided.evaluator.system._sizes
    print(f"  atoms of a block: {sizes.atoms}, with its halo: {sizes.nodes}; copies: {sizes.copies}", flush=True)
    whole = ForceFieldCalculator(model)
    whole.calculate(atoms)
    start = time.perf_counter()
    whole.calculate(atoms)
    print(f"  as a whole, again: {time.perf_counter() - start:.1f} s", flush=True)
    for name, (error, value) in errors(atoms, whole, divided).items():
        print(f"  {name}: largest difference {error:.1e}, largest value {value:.1e}")


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    if len(sys.argv) > 1:
        large(int(sys.argv[1]))
    else:
        print(json.dumps(small()))
