"""Files of all formats: equal data, names of targets, weights, isolated atoms; and damage of every kind."""

import gzip
import itertools
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import ase.db
import ase.io
import h5py
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms

from force_field import data
from force_field.cli import main
from force_field.data import DataError, Keys
from force_field.graphs import to_graph

MakeFrames = Callable[..., list[Atoms]]
STRESS = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])


@pytest.fixture(scope="module")
def frames(frames_of: MakeFrames) -> list[Atoms]:
    """Three waters in a cell, one atom of which is fixed, with stress, a type and a weight."""
    found = frames_of(["H2O"] * 3)
    for number, atoms in enumerate(found):
        results = dict(atoms.calc.results)
        atoms.set_cell([9.0, 8.0, 7.0 + number])
        atoms.pbc = True
        atoms.set_constraint(FixAtoms([0]))
        atoms.calc = SinglePointCalculator(atoms, **results, stress=(number + 1) * STRESS)
        atoms.info = {"config_type": "wet" if number else "dry", "config_weight": 0.5 * number}
    return found


def write_h5(path: Path, frames: list[Atoms], prefix: str = "") -> None:
    with h5py.File(path, "w") as file:
        group = file.create_group("water/all")
        group["numbers"], group["pbc"] = frames[0].numbers, frames[0].pbc
        group["positions"] = [atoms.positions for atoms in frames]
        group["cell"] = [atoms.cell.array for atoms in frames]
        for name in ("energy", "forces", "stress"):
            group[prefix + name] = [atoms.calc.results[name] for atoms in frames]
        for name in ("config_type", "config_weight"):
            group[name] = [atoms.info[name] for atoms in frames]


def write_db(path: Path, frames: list[Atoms]) -> None:
    with ase.db.connect(str(path), type="db") as database:
        for atoms in frames:
            database.write(atoms, key_value_pairs=atoms.info)


def write_xyz(path: Path, frames: list[Atoms]) -> None:
    ase.io.write(path, frames, format="extxyz")


def write_gz(path: Path, frames: list[Atoms]) -> None:
    write_xyz(path.with_name("plain.xyz"), frames)
    path.write_bytes(gzip.compress(path.with_name("plain.xyz").read_bytes()))


FORMATS: dict[str, Callable[[Path, list[Atoms]], None]] = {
    "a.xyz": write_xyz,
    "a.xyz.gz": write_gz,
    "a.db": write_db,
    "a.h5": write_h5,
}


@pytest.mark.parametrize("name", FORMATS)
def test_all_formats_give_equal_data(name: str, frames: list[Atoms], tmp_path: Path) -> None:
    path = tmp_path / name
    FORMATS[name](path, frames)
    found = data.load_set([str(path)])
    assert found.origin == {"energy": ["energy"], "forces": ["forces"], "stress": ["stress"]}
    assert all(str(path) in where for where in found.names)
    assert len(found.frames) == len(frames)
    for number, (a, b) in enumerate(zip(found.frames, frames, strict=True)):
        np.testing.assert_array_equal(a.numbers, b.numbers)
        np.testing.assert_array_equal(a.pbc, b.pbc)
        np.testing.assert_allclose(a.positions, b.positions, atol=1e-7)
        np.testing.assert_allclose(a.cell.array, b.cell.array, atol=1e-7)
        for target in ("energy", "forces", "stress"):  # of the fixed atom, too
            np.testing.assert_allclose(a.calc.results[target], b.calc.results[target], atol=1e-7)
        assert np.abs(a.calc.results["forces"][0]).max() > 1e-3
        assert str(a.info["config_type"]) == b.info["config_type"]
        graph = to_graph(a, (1, 8), 3.0)
        np.testing.assert_allclose(graph.nodes.forces, b.calc.results["forces"], atol=1e-7)
        np.testing.assert_allclose(graph.globals.weights, 0.5 * number)
    text = data.summary(found.frames, found.origin, found.isolated)
    for part in ("3 configurations of 3 atoms", "H 67 %", "3 periodic, 3 with stress", "dry 1, wet 2", "weights of"):
        assert part in text


def with_other_names(frames: list[Atoms], prefix: str) -> list[Atoms]:
    """Targets under names with a prefix; beside them, zeros under the usual names."""
    renamed = []
    for atoms in frames:
        copy = atoms.copy()
        results = atoms.calc.results
        copy.arrays[f"{prefix}forces"] = results["forces"]
        copy.info |= {f"{prefix}energy": results["energy"], f"{prefix}stress": results["stress"]}
        copy.calc = SinglePointCalculator(copy, energy=0.0, forces=np.zeros((3, 3)))
        renamed.append(copy)
    return renamed


def test_names_of_targets_are_found_or_given(frames: list[Atoms], tmp_path: Path) -> None:
    for prefix, keys in (("REF_", Keys()), ("my_", Keys("my_energy", "my_forces", "my_stress"))):
        write_xyz(tmp_path / "a.xyz", with_other_names(frames, prefix))
        found = data.load_set([str(tmp_path / "a.xyz")], keys)
        assert found.origin == {t: [prefix + t] for t in ("energy", "forces", "stress")}
        for a, b in zip(found.frames, frames, strict=True):
            for target in ("energy", "forces", "stress"):
                np.testing.assert_allclose(a.calc.results[target], b.calc.results[target], atol=1e-7)
        assert f"energy from {prefix}energy" in data.summary(found.frames, found.origin, {})


def test_a_name_must_occur_in_each_frame(frames: list[Atoms], tmp_path: Path) -> None:
    write_xyz(tmp_path / "a.xyz", [*with_other_names(frames[:2], "REF_"), frames[2]])
    with pytest.raises(DataError, match=r"a\.xyz, frame 2 \(line 11\) has no REF_forces"):
        data.read(tmp_path / "a.xyz")
    with pytest.raises(DataError, match=r"frame 0 .* has no other: expected other, got only .*energy"):
        data.read(tmp_path / "a.xyz", keys=Keys(energy="other"))


def test_energies_of_isolated_atoms_are_those_of_the_file(frames: list[Atoms], tmp_path: Path) -> None:
    lone = Atoms("O", info={"config_type": "IsolatedAtom", "energy": -432.1})
    write_xyz(tmp_path / "a.xyz", [*frames, lone])
    found = data.load_set([str(tmp_path / "a.xyz")])
    assert (len(found.frames), found.isolated) == (3, {8: -432.1})
    energies = data.reference_energies(found.frames, (1, 8), found.isolated)
    mean = np.mean([atoms.get_potential_energy() for atoms in frames])
    np.testing.assert_allclose(energies, [(mean + 432.1) / 2, -432.1])  # least squares for hydrogen


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_cut_or_changed_anywhere_is_refused_or_read(name: str, frames: list[Atoms], tmp_path: Path) -> None:
    path = tmp_path / name
    FORMATS[name](path, frames)
    content, rng, refused = path.read_bytes(), np.random.default_rng(0), 0
    accepted = 0
    for number in range(30):
        end = int(rng.integers(1, len(content)))
        changed = bytearray(content if number % 2 else content[:end])
        if number % 2:
            changed[end] ^= int(rng.integers(1, 256))
        path.write_bytes(changed)
        try:
            data.read(path)
        except DataError as error:
            refused += str(path) in str(error) and "\n" not in str(error)
        else:
            accepted += 1
    assert refused + accepted == 30
    assert refused >= 10


TARGETS = {"energy": "-1.5", "forces": "0.1 0.2 0.3", "stress": "1 0 0 0 1 0 0 0 1"}
BAD = {
    "energy": "'1 2'|T|abc|'_JSON [1]'|'_JSON {}'|'_JSON [[1], [2, 3]]'|nan|inf|-Infinity|1e400|1e200|1,5|''|1.5eV|"
    "0x10|null|'_JSON null'|--1|1_0e999",
    "stress": "'1 2 3'|5|T|'a b c d e f g h i'|'nan 0 0 0 1 0 0 0 1'|'1 0 0 0 1 0 0 0 inf'|'_JSON [1, 2]'|"
    "'T T T T T T T T T'|'1 0 0 0 1 0 0 0 1e300'",
    "forces": "forces:R:2|forces:R:1|forces:R:4|forces:S:3|forces:L:3|forces:I:2|forces:X:3|forces:R|forces:R:0|"
    "forces:R:-3|forces:R:x|nan|inf|-inf|1e300|1e400|x|--|T",
}
CASES = [(target, bad.replace("'", '"')) for target, values in BAD.items() for bad in values.split("|")]


def frame(target: str = "", bad: str = "", prefix: str = "") -> str:
    """A frame of one atom whose target has a bad value."""
    values = dict(TARGETS) | ({target: bad} if target in ("energy", "stress") else {})
    column, numbers = f"{prefix}forces:R:3", TARGETS["forces"].split()
    if target == "forces" and ":" in bad:
        column = prefix + bad
        numbers = ["0.1"] * {"1": 1, "2": 2, "4": 4}.get(bad[-1], 3)
    elif target == "forces":
        numbers[1] = bad
    stress = values["stress"] if values["stress"].startswith('"') else f'"{values["stress"]}"'
    return (
        f'1\nProperties=species:S:1:pos:R:3:{column} Lattice="9 0 0 0 9 0 0 0 9" {prefix}energy={values["energy"]} '
        f"{prefix}stress={stress}\nH 0 0 0 {' '.join(numbers)}\n"
    )


@pytest.mark.parametrize("prefix", ["", "REF_"])
@pytest.mark.parametrize(("target", "bad"), CASES)
def test_every_bad_target_is_refused_with_its_frame(target: str, bad: str, prefix: str, tmp_path: Path) -> None:
    path = tmp_path / "a.xyz"
    path.write_text(frame(prefix=prefix) * 2)
    assert len(data.read(path)) == 2
    path.write_text(frame(prefix=prefix) + frame(target, bad, prefix))
    with pytest.raises(DataError, match=r"a\.xyz, frame 1") as caught:
        data.read(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 700 + len(str(path))


CHARACTERS = [*map(chr, range(32)), "\x7f", "\x85", "\xa0", "\u2003", "\u2028", "\u2029", "\u3000", "\ufeff", "\u200b"]


@pytest.mark.parametrize("character", [c for c in CHARACTERS if c != "\n"], ids=ascii)
def test_odd_characters_in_comments_change_nothing(character: str, tmp_path: Path) -> None:
    path = tmp_path / "a.xyz"
    for text in (
        frame().replace("energy=", f'note="a{character}b" energy='),
        frame().replace(" energy=", f" {character} energy=").replace("  ", " ") if character.isspace() else frame(),
        character * character.isspace() + frame() if character not in "\r" else frame(),
        "\ufeff" + frame() + "\ufeff" + frame(),
    ):
        path.write_bytes(text.encode())
        for atoms in data.read(path):
            assert atoms.get_potential_energy() == -1.5
            np.testing.assert_array_equal(atoms.get_forces(), [[0.1, 0.2, 0.3]])


def test_numbers_that_are_not_finite_in_other_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.xyz"
    for column, number in itertools.product(("momenta", "initial_charges", "magmoms", "x", "masses"), ("nan", "-inf")):
        text = frame().replace("pos:R:3", f"pos:R:3:{column}:R:1" if column != "momenta" else "pos:R:3:momenta:R:3")
        extra = " ".join([number] * (3 if column == "momenta" else 1))
        path.write_text(text.replace("H 0 0 0", f"H 0 0 0 {extra}"))
        if column == "masses":
            with pytest.raises(DataError, match="masses"):
                data.read(path)
        else:
            found = data.read(path)
            assert found[0].calc.results["energy"] == -1.5
            assert data.reference_energies(found, [1]) == pytest.approx([-1.5])
            assert data.force_scale(found) == pytest.approx(np.sqrt(0.14 / 3))


def test_a_database_of_another_program_is_refused_and_not_changed(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE other (x)")
    before = path.read_bytes()
    with pytest.raises(DataError, match=r"a\.db is a database, but not one of ASE"):
        data.read(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("weight", ["nan", "-1", "T", "high", '"1 2"', "1e300"])
def test_bad_weights_are_refused(weight: str, tmp_path: Path) -> None:
    path = tmp_path / "a.xyz"
    for name in ("config_weight", "config_forces_weight"):
        path.write_text(frame().replace(" energy=", f" {name}={weight} energy="))
        with pytest.raises(DataError, match=f"frame 0 .*{name}"):
            data.read(path)


def test_hdf5_of_a_wrong_layout_is_refused(frames: list[Atoms], tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    for name, value in {
        "numbers": [1.0, 1.0, 8.0],
        "positions": np.zeros((3, 2, 3)),
        "cell": np.zeros((2, 3, 3)),
        "pbc": [1.0],
        "energy": np.zeros(2),
        "forces": np.zeros((3, 3, 2)),
        "config_weight": ["a", "b", "c"],
    }.items():
        write_h5(path, frames)
        with h5py.File(path, "a") as file:
            del file["water/all"][name]
            file["water/all"][name] = value
        with pytest.raises(DataError, match=rf"a\.h5, group water/all.*{name}"):
            data.read(path)


def test_the_command_takes_names_of_targets(
    frames: list[Atoms], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_xyz(tmp_path / "a.xyz", frames)
    words = ["train", "--data", str(tmp_path / "a.xyz"), "--out", str(tmp_path / "run"), "--forces-key", "f"]
    assert main(words) == 2
    assert "frame 0 (line 1) has no f: expected f, got only" in capsys.readouterr().err
