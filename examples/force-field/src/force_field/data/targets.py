"""Energies, forces and stresses of configurations, whatever their names in the file."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.stress import full_3x3_to_voigt_6_stress

from force_field.errors import DataError

from .checks import check_numbers

_PREFIXES = ("REF_", "ref_", "DFT_", "dft_", "")
_BASES = {
    "energy": ("energy",),
    "forces": ("forces", "force"),
    "stress": ("stress",),
    "virial": ("virial", "virials"),
}
CANDIDATES = {name: tuple(p + base for p in _PREFIXES for base in bases) for name, bases in _BASES.items()}
_LARGEST = 1e12  # their squares are finite in float32
_HINTS = {"energy": "energy=... in eV", "forces": "a column forces:R:3 in eV/Å"}


@dataclass(frozen=True)
class Keys:
    """The names of the targets in the files; None: REF_energy and so on if there is one, else energy and so on.

    Attributes:
        energy: in eV.
        forces: in eV/Å.
        stress: in eV/Å^3, positive if the cell would shrink; six numbers in the order of ASE, or nine.
    """

    energy: str | None = None
    forces: str | None = None
    stress: str | None = None


def forces_names(keys: Keys) -> tuple[str, ...]:
    """Return the names that forces may have."""
    return (*CANDIDATES["forces"], *([keys.forces] if keys.forces else []))


def _content(atoms: Atoms) -> dict[str, Any]:
    return {**atoms.arrays, **atoms.info, **(atoms.calc.results if atoms.calc is not None else {})}


def choose_names(frames: Sequence[Atoms], keys: Keys) -> dict[str, str]:
    """Return the name of each target in a file: the given one, or the first candidate that any frame has."""
    present = {name for atoms in frames for name in _content(atoms)}
    given = {"energy": keys.energy, "forces": keys.forces, "stress": keys.stress}
    chosen = {}
    for target, candidates in CANDIDATES.items():
        if target == "virial" and "stress" in chosen:  # a stress is taken as it is
            continue
        found = given.get(target) or next((name for name in candidates if name in present), None)
        if found is not None:
            chosen[target] = found
    return chosen


def set_targets(atoms: Atoms, names: Mapping[str, str], where: str) -> None:
    """Give a configuration a calculator with its energy, forces and, if it is known, stress.

    Args:
        atoms: the configuration as read.
        names: of :func:`choose_names`.
        where: file and frame, for messages.

    Raises:
        DataError: energy or forces are missing, or a target has another shape or type, or is not finite.
    """
    content, results = _content(atoms), {}
    for target, shape in (("forces", (len(atoms), 3)), ("energy", ())):
        name = names.get(target, target)
        if name in content:
            results[target] = _numbers(name, content[name], shape, where)
        elif target == "forces" and is_isolated_atom(atoms):
            results[target] = np.zeros((1, 3))
        else:
            hint = _HINTS[target] if name == target else name
            raise DataError(f"{where} has no {name}: expected {hint}, got only {', '.join(_texts(content)):.200}")
    stress = _stress(atoms, content, names, where)
    if stress is not None:
        results["stress"] = stress
    atoms.calc = SinglePointCalculator(atoms, **results)


def _numbers(name: str, values: Any, shape: tuple[int, ...], where: str) -> Any:
    check_numbers(name, values, shape, where)
    numbers = np.asarray(values, float)
    if np.abs(numbers).max() > _LARGEST:
        raise DataError(f"{where}: expected {name} within {_LARGEST:.0e}, got {np.abs(numbers).max():.1e}")
    return numbers[()]


def _texts(content: Iterable[Any]) -> list[str]:
    return sorted(map(str, content))


def _stress(atoms: Atoms, content: Mapping[str, Any], names: Mapping[str, str], where: str) -> np.ndarray | None:
    """Return the stress in the order of ASE; a virial is minus the stress times the volume."""
    target = next((t for t in ("stress", "virial") if names.get(t) in content), None)
    if target is None:
        return None
    name = names[target]
    values = content[name]
    shape = getattr(values, "shape", ())
    numbers = _numbers(name, values, shape if shape in ((6,), (9,), (3, 3)) else (3, 3), where)
    if atoms.cell.rank < 3:
        raise DataError(f"{where} has a {name} but no volume: expected three cell vectors in Lattice")
    voigt = numbers if shape == (6,) else full_3x3_to_voigt_6_stress(numbers.reshape(3, 3))
    return voigt if target == "stress" else -voigt / atoms.get_volume()


def is_isolated_atom(atoms: Atoms) -> bool:
    """Return whether a configuration is a lone atom that the file calls one: config_type=IsolatedAtom."""
    kind = str(atoms.info.get("config_type", "")).lower().replace("_", "").replace("-", "")
    return len(atoms) == 1 and kind in ("isolatedatom", "isolatedatoms")
