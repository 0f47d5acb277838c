from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from force_field import data
from force_field.graphs import to_graphs

MakeFrames = Callable[..., list[Atoms]]


def test_shipped_data_is_small_and_complete() -> None:
    folder = Path(str(files("force_field") / "data"))
    assert sum(path.stat().st_size for path in folder.iterdir()) < 1_000_000
    for name, formula in [("ethanol", "C2H6O"), ("aspirin", "C9H8O4")]:
        frames = data.load(name)
        assert len(frames) >= 300
        assert {atoms.get_chemical_formula() for atoms in frames} == {formula}
        # No external forces: what is left is the rounding of the file.
        assert max(np.abs(atoms.get_forces().sum(axis=0)).max() for atoms in frames) < 2e-3


def test_forces_of_the_file_oppose_stretched_bonds() -> None:
    """Where the bond is long, the force along it pulls; where it is short, it pushes."""
    frames = data.load("ethanol")
    rng = np.random.default_rng(0)
    chosen = [frames[i] for i in rng.choice(len(frames), 100, replace=False)]
    bonds = np.array([atoms.get_distance(0, 1) for atoms in chosen])
    pull = [np.dot(a.get_forces()[1] - a.get_forces()[0], a.get_distance(0, 1, vector=True)) for a in chosen]
    assert np.corrcoef(bonds, pull)[0, 1] < -0.8


def test_read_gives_back_what_was_written(frames_of: MakeFrames, tmp_path: Path) -> None:
    frames = frames_of(["H2O", "CH3CH2OH"])
    results = frames[0].calc.results
    frames[0].set_cell([5.0, 6.0, 7.0])
    frames[0].pbc = (True, False, True)
    frames[0].calc = SinglePointCalculator(frames[0], **results)
    ase.io.write(tmp_path / "a.xyz", frames, format="extxyz")
    found = data.read(tmp_path / "a.xyz")
    for a, b in zip(found, frames, strict=True):
        np.testing.assert_allclose(a.positions, b.positions, atol=1e-7)
        np.testing.assert_allclose(a.get_forces(), b.get_forces(), atol=1e-7)
        np.testing.assert_allclose(a.get_potential_energy(), b.get_potential_energy(), atol=1e-7)
        np.testing.assert_array_equal(a.pbc, b.pbc)


def test_valid_files_of_unusual_form_are_read(frames_of: MakeFrames, tmp_path: Path) -> None:
    """A byte-order mark, ends of lines of Windows, characters that end lines elsewhere, and fixed atoms."""
    (atoms,) = frames_of(["H2O"])
    path = tmp_path / "a.xyz"
    ase.io.write(path, atoms, format="extxyz")
    text = path.read_text()
    forces, scale = atoms.get_forces(), data.force_scale([atoms])
    head, comment, *rows = text.splitlines()
    fixed = "\n".join([head, comment.replace(":forces:R:3", ":forces:R:3:move_mask:L:1")])
    fixed += "\n" + "\n".join(f"{row} {flag}" for row, flag in zip(rows, "FTT", strict=True)) + "\n"
    for form in ("\ufeff" + text, text.replace("\n", "\r\n"), text.replace("pbc", "note=a\u2028b\x0b pbc"), fixed):
        path.write_bytes(form.encode())
        (found,) = data.read(path)
        np.testing.assert_allclose(found.get_forces(apply_constraint=False), forces, atol=1e-7)
        np.testing.assert_allclose(data.force_scale([found]), scale, rtol=1e-6)
        (graph,) = to_graphs([found], (1, 8), 3.0, "test")
        np.testing.assert_allclose(graph.nodes.forces, forces, atol=1e-7)


def test_structures_without_targets_may_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_text("1\n\nH 0 0 0\n")
    assert len(data.read(tmp_path / "a.xyz", targets=False)) == 1


def test_unknown_elements_are_named_with_their_frame() -> None:
    with pytest.raises(data.DataError, match=r"frame 1 has Cl.*knows H, O"):
        data.check_elements([Atoms("H2O"), Atoms("HCl")], [1, 8], "file")


@pytest.mark.parametrize(("train", "valid"), [(None, None), (5, None), (None, 7), (5, 7)])
def test_split_is_disjoint_and_repeatable(train: int | None, valid: int | None) -> None:
    a, b = data.split(20, train, valid, seed=3)
    assert len(a) == (train or len(a))
    assert len(b) == (valid or len(b))
    assert not set(a) & set(b)
    again = data.split(20, train, valid, seed=3)
    np.testing.assert_array_equal(a, again[0])
    np.testing.assert_array_equal(b, again[1])


def _with_energy(formula: str, energy: float) -> Atoms:
    atoms = Atoms(formula)
    atoms.calc = SinglePointCalculator(atoms, energy=energy)
    return atoms


def test_reference_energies_are_the_least_squares_fit() -> None:
    frames = [_with_energy(f, e) for f, e in [("H2O", -76.0), ("H2", -2.0), ("O2", -148.0), ("H2O2", -150.0)]]
    np.testing.assert_allclose(data.reference_energies(frames, [1, 8]), [-1.0, -74.0])
    # One molecule does not determine them, but their sum.
    (only,) = [_with_energy("C2H6O", -310.0)]
    found = data.reference_energies([only] * 3, [1, 6, 8])
    np.testing.assert_allclose(found @ [6, 2, 1], -310.0)


def test_make_data_writes_what_is_read(frames_of: MakeFrames, tmp_path: Path) -> None:
    from force_field.make_data import force_error, starting_geometry, to_text

    (atoms,) = frames_of(["H2O"])
    path = tmp_path / "a.extxyz"
    path.write_text(to_text(atoms, "water") * 2)
    np.testing.assert_allclose(data.read(path)[1].positions, atoms.positions, atol=1e-4)
    from ase.calculators.lj import LennardJones

    atoms.calc = LennardJones(sigma=0.8, epsilon=0.1)
    assert force_error(atoms) < 1e-4
    assert starting_geometry("aspirin").get_chemical_formula() == "C9H8O4"
    assert starting_geometry("ethanol").get_chemical_formula() == "C2H6O"
