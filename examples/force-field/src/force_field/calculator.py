"""The force field as an ASE calculator."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

from .derivatives import Potential
from .evaluation import Prediction
from .simulation.evaluator import Evaluator


class ForceFieldCalculator(Calculator):
    """Energies of the atoms (eV), forces (eV/Å) and stress (eV/Å^3, in the order of ASE) of a force field.

    The stress is the derivative of the energy by strain divided by the volume of the cell, whatever the periodic
    directions. As in the calculators of ASE, there is none where the cell has no volume, as in molecules and in slabs
    with a zero third vector. There, too, ``results["virial"]`` is the negative derivative, of shape (3, 3), in eV.

    Neighbours are found with a larger cutoff and reused until an atom has moved by half of the skin, see
    :class:`force_field.simulation.evaluator.Evaluator`. The energies do not depend on the skin.

    Args:
        model: the force field: one of :func:`force_field.potential.load_any`, or any other :class:`Potential`.
        dtype: dtype of the computation.
        skin: what is added to the cutoff, in Å.
        devices: number of devices among which the atoms are divided; 0: all.
        atoms_per_part: largest number of atoms that a device computes at once (default: no limit).

    Raises:
        UsageError: there are fewer devices.
        ValueError: a model that is to be divided does not say its `hops`, see
            :class:`force_field.simulation.partition.PartitionedSystem`.
    """

    implemented_properties: ClassVar[list[str]] = ["energy", "free_energy", "energies", "forces", "stress"]  # pyright: ignore[reportIncompatibleVariableOverride]  (ase declares an instance variable)

    def __init__(
        self,
        model: Potential,
        dtype: str = "float64",
        skin: float = 0.5,
        devices: int = 1,
        atoms_per_part: int | None = None,
    ) -> None:
        """See the class."""
        super().__init__()
        self.evaluator = Evaluator(model, dtype, skin, devices, atoms_per_part)
        self.reference_energies = np.zeros(119)
        self.reference_energies[list(model.elements)] = model.reference_energies

    def calculate(
        self, atoms: Atoms | None = None, properties: Sequence[str] = ("energy",), system_changes: Any = all_changes
    ) -> None:
        """Compute all properties; ASE calls this method."""
        super().calculate(atoms, properties, system_changes)
        current: Any = self.atoms
        prediction = self.evaluator(current)
        self.results = {**self.results_of(current, prediction), "virial": -prediction.strain_derivative}

    def results_of(self, atoms: Atoms, prediction: Prediction) -> dict[str, Any]:
        """Return the properties of a configuration, by the names of ASE, from its prediction."""
        energies = prediction.energies + self.reference_energies[atoms.numbers]
        energy = float(np.sum(energies))
        results: dict[str, Any] = {
            "energy": energy,
            "free_energy": energy,  # the name by which integrators and cell filters of ASE ask for it
            "energies": energies,
            "forces": prediction.forces,
        }
        if atoms.cell.rank == 3:
            stress = prediction.strain_derivative / atoms.get_volume()
            results["stress"] = full_3x3_to_voigt_6_stress(stress)
        return results
