"""Large systems divided among devices: the sum of the parts is the whole."""

import json
import operator
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from ase.build import bulk

from force_field.graphs import neighbors
from force_field.simulation.division import divide, from_blocks, in_blocks, layout, needed, split
from force_field.simulation.partition import PartitionedSystem
from force_field.simulation.system import Pairs

PROGRAM = Path(__file__).with_name("partitioned.py")


@pytest.mark.slow
def test_eight_devices_compute_what_one_does() -> None:
    """A periodic cell, a slab, a cell with an empty part, and atoms that move; `partitioned.py` has the systems."""
    done = subprocess.run([sys.executable, str(PROGRAM)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert set(found) == {"periodic", "slab", "empty part", "again", "moved"}
    for system, errors in found.items():
        for name, (error, value) in errors.items():
            assert value > 1e-4
            assert error < 1e-12 * value, (system, name, error, value)


@pytest.mark.parametrize(("count", "devices", "atoms_per_part"), [(24, 3, None), (24, 5, 2), (3, 8, 1), (1, 2, None)])
def test_parts_have_all_that_their_energies_depend_on(count: int, devices: int, atoms_per_part: int | None) -> None:
    """With the exchange written as a loop over devices; the pairs are those within two hops, by brute force."""
    atoms = bulk("Cu", "fcc", a=3.6, cubic=True).repeat((6, 1, 1))[:count]
    atoms.rattle(0.1, seed=0)
    pairs, hops = Pairs(*neighbors(atoms, 2.9)), 2
    division = divide(atoms.positions, pairs, hops, devices, atoms_per_part)
    sizes = needed(division)
    made = layout(division, atoms.numbers, pairs, sizes, np.float64)
    own = in_blocks(atoms.positions, division, sizes.atoms)
    np.testing.assert_array_equal(from_blocks(own, division), atoms.positions)
    all_pairs = list(zip(*(np.asarray(array).tolist() for array in pairs), strict=True))
    where = {tuple(position): k for k, position in enumerate(atoms.positions.tolist())}
    computed: list[int] = []
    for device in range(devices):
        copies = [own[(device - k) % devices][send[(device - k) % devices]] for k, send in made.sends.items()]
        local = np.concatenate([own[device], *copies])
        for part in range(made.parts.own.shape[1]):
            of_part = jax.tree.map(operator.itemgetter((device, part)), made.parts)
            if not of_part.inside.any():
                continue
            nodes = [where[tuple(position)] for position in local[of_part.nodes[of_part.inside]].tolist()]
            chosen = {node for node, is_own in zip(nodes, of_part.own, strict=False) if is_own}
            computed += chosen
            assert len(chosen) <= (atoms_per_part or count)
            reached, expected = set(chosen), set()
            for _ in range(hops):
                expected = {(r, s, tuple(image)) for r, s, image in all_pairs if r in reached}
                reached |= {s for _, s, _ in expected}
            assert set(nodes) == reached
            np.testing.assert_array_equal(of_part.species[of_part.inside], atoms.numbers[nodes])
            edges = zip(*(array.tolist() for array in of_part.pairs), strict=True)
            found = {(nodes[r], nodes[s], tuple(image)) for r, s, image in edges if r != s or any(image)}
            assert found == expected
    assert sorted(computed) == list(range(len(atoms)))


def test_parts_are_disjoint_and_compact() -> None:
    positions = np.random.default_rng(0).uniform(size=(1000, 3)) * [10.0, 1.0, 1.0]
    parts = split(positions, 7)
    assert sorted(np.concatenate(parts).tolist()) == list(range(1000))
    assert {len(part) for part in parts} == {142, 143}
    assert max(np.ptp(positions[part], axis=0).max() for part in parts) < 2.0


def test_impossible_divisions_are_refused() -> None:
    model: Any = types.SimpleNamespace(hops=1)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"hops": 0}, "hops of one or more"),
        ({"atoms_per_part": 0}, "at least one atom in a part"),
        ({"devices": 99}, "expected at most"),
    ]
    for words, expected in cases:
        with pytest.raises(ValueError, match=expected):
            PartitionedSystem(model, **words)
