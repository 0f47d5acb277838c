"""Statistics of data sets: reference energies, the scale of forces, weights, and a summary in words."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from force_field.settings import is_number


def _results(atoms: Atoms) -> dict[str, Any]:
    """Return the targets as they are in the file: the methods of ASE apply constraints."""
    return atoms.calc.results if atoms.calc is not None else {}


def reference_energies(
    frames: Sequence[Atoms], elements: Sequence[int], isolated: Mapping[int, float] | None = None
) -> np.ndarray:
    """Return the energy of each element (eV), fitted to the total energies by least squares.

    If the compositions do not determine them, as for a single molecule, this is the solution of least norm.

    Args:
        frames: the configurations, with energies.
        elements: atomic numbers.
        isolated: known energies of isolated atoms, by atomic number; those of the other elements are fitted to the
            rest of the total energies.
    """
    counts = np.array([[np.sum(atoms.numbers == z) for z in elements] for atoms in frames], dtype=float)
    energies = np.array([_results(atoms)["energy"] for atoms in frames])
    found = np.array([(isolated or {}).get(z, np.nan) for z in elements])
    fitted = np.isnan(found)
    rest = energies - counts[:, ~fitted] @ found[~fitted]
    if fitted.any():
        found[fitted] = np.linalg.lstsq(counts[:, fitted], rest, rcond=1e-9)[0]
    return found


def force_scale(frames: Sequence[Atoms]) -> float:
    """Return the root mean square of the force components (eV/Å), or 1 if all forces are zero."""
    forces = np.concatenate([np.ravel(_results(atoms)["forces"]) for atoms in frames])
    return float(np.sqrt(np.mean(forces**2))) or 1.0


def loss_weights(atoms: Atoms) -> np.ndarray:
    """Return the weights of energy, forces and stress of a configuration in the loss, which its `info` may have.

    They are the product of ``config_weight`` and ``config_energy_weight``, ``config_forces_weight`` or
    ``config_stress_weight``, each 1 by default.
    """
    weights = [_weight(atoms, f"config_{name}_weight") for name in ("energy", "forces", "stress")]
    return _weight(atoms, "config_weight") * np.array(weights)


def _weight(atoms: Atoms, name: str) -> float:
    weight = atoms.info.get(name, 1.0)
    return float(weight) if is_number(weight) else 1.0


def summary(frames: Sequence[Atoms], origin: Mapping[str, Sequence[str]], isolated: Mapping[int, float]) -> str:
    """Describe a data set in a few lines.

    Args:
        frames: its configurations, with targets.
        origin: for energy, forces and stress, the names that they have in the files.
        isolated: energies of isolated atoms, by atomic number.
    """
    sizes = np.array([len(atoms) for atoms in frames])
    numbers, counts = np.unique(np.concatenate([atoms.numbers for atoms in frames]), return_counts=True)
    shares = [f"{chemical_symbols[z]} {100 * n / sizes.sum():.0f} %" for z, n in zip(numbers, counts, strict=True)]
    atoms = f"{sizes.min()}" if sizes.min() == sizes.max() else f"{sizes.min()} to {sizes.max()}"
    atoms += " atom" if sizes.max() == 1 else " atoms"
    forces = np.concatenate([np.ravel(_results(atoms)["forces"]) for atoms in frames])
    periodic = sum(bool(atoms.pbc.any()) for atoms in frames)
    stressed = sum("stress" in _results(atoms) for atoms in frames)
    names = "; ".join(f"{name} from {' and '.join(used)}" for name, used in origin.items() if used)
    lines = [
        f"{len(frames)} configurations of {atoms}, {sizes.sum()} atoms in all: {', '.join(shares)}; "
        f"{periodic} periodic, {stressed} with stress.",
        f"In the files: {names}. Force components: {np.sqrt(np.mean(forces**2)):.3g} eV/Å (root mean square), "
        f"{np.abs(forces).max():.3g} eV/Å (largest).",
    ]
    kinds = [str(atoms.info["config_type"]) for atoms in frames if "config_type" in atoms.info]
    if kinds:
        found = ", ".join(f"{kind:.40} {kinds.count(kind)}" for kind in sorted({*kinds})[:20])
        lines.append(f"Types of configurations: {found}.")
    weighted = sum(bool(np.any(loss_weights(atoms) != 1)) for atoms in frames)
    if weighted:
        lines.append(f"{weighted} configurations have weights of their own.")
    if isolated:
        lines.append(f"Energies of isolated atoms: {', '.join(chemical_symbols[z] for z in sorted(isolated))}.")
    return "\n".join(lines)
