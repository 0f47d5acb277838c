"""MACE: a small random model, converted once by `small_mace/make.py`, gives the results that mace-torch gave."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from ase import Atoms

from force_field.calculator import ForceFieldCalculator
from force_field.pretrained import PretrainedError, load, recognize

FOLDER = Path(__file__).parent / "small_mace"
CONTENT = gzip.decompress((FOLDER / "model.safetensors.gz").read_bytes())
RESULTS = json.loads((FOLDER / "results.json").read_text())


def test_mace_gives_the_results_of_mace_torch(tmp_path: Path) -> None:
    path = tmp_path / "mace.safetensors"
    path.write_bytes(CONTENT)
    assert recognize(path) == "mace"
    atoms = Atoms(**{name: RESULTS[name] for name in ("numbers", "positions", "cell", "pbc")})
    atoms.calc = ForceFieldCalculator(load(path))
    np.testing.assert_allclose(atoms.get_potential_energies(), RESULTS["node_energy"], rtol=1e-9)
    forces = np.array(RESULTS["forces"])
    assert np.abs(forces).max() > 0.1
    np.testing.assert_allclose(atoms.get_forces(), forces, atol=1e-9)
    np.testing.assert_allclose(atoms.calc.results["virial"], RESULTS["virials"][0], atol=1e-9)


def with_config(**changes: Any) -> bytes:
    """The file with another configuration."""
    header = json.loads(CONTENT[8 : 8 + int.from_bytes(CONTENT[:8], "little")])
    config = {**json.loads(header["__metadata__"]["config"]), **changes}
    return safetensors.numpy.save(
        safetensors.numpy.load(CONTENT), metadata={"format": "mace", "config": json.dumps(config)}
    )


def without(name: str) -> bytes:
    """The file without an array."""
    header = json.loads(CONTENT[8 : 8 + int.from_bytes(CONTENT[:8], "little")])
    arrays = safetensors.numpy.load(CONTENT)
    del arrays[name]
    return safetensors.numpy.save(arrays, metadata=header["__metadata__"])


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (lambda: with_config(distance_transform="AgnesiTransform"), "expected distance_transform = 'NoneType'"),
        (lambda: with_config(interactions=["RealAgnosticDensityInteractionBlock"] * 2), "RealAgnosticDensity"),
        (lambda: with_config(heads=["a", "b"]), "expected one head"),
        (lambda: with_config(hidden_irreps=["3x0e+4x1o", "3x0e"]), "features of 3 channels"),
        (lambda: with_config(readouts=["LinearReadoutBlock"] * 2), "expected linear readouts and one"),
        (lambda: without("interactions.1.skip_tp.weight"), "'interactions.1.skip_tp.weight' is missing"),
        (lambda: CONTENT[:-100], "it is damaged"),
    ],
    ids=["transform", "block", "heads", "channels", "readouts", "missing", "truncated"],
)
def test_other_networks_and_damaged_files_are_refused(
    content: Callable[[], bytes], expected: str, tmp_path: Path
) -> None:
    path = tmp_path / "mace.safetensors"
    path.write_bytes(content())
    with pytest.raises(PretrainedError, match=expected):
        load(path)
