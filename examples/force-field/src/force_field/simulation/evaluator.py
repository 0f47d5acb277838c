"""Energies, forces and stress of atoms that move: a compiled program, and neighbours that are reused."""

import numpy as np
from ase import Atoms

from force_field.data import check_elements
from force_field.derivatives import Potential
from force_field.evaluation import Prediction

from .partition import PartitionedSystem
from .system import Pairs, System, WholeSystem
from .verlet_list import VerletList


class Evaluator:
    """A compiled force field for atoms that move.

    In each step the positions and the cell go to the device. The neighbours go there only when they are found again;
    the program leaves out those beyond the cutoff.

    Args:
        model: the force field.
        dtype: dtype of the computation.
        skin: in Å, see :class:`VerletList`.
        devices: number of devices among which the atoms are divided, see
            :class:`force_field.simulation.partition.PartitionedSystem`; 0: all.
        atoms_per_part: largest number of atoms that a device computes at once (default: no limit).
    """

    def __init__(
        self,
        model: Potential,
        dtype: str = "float64",
        skin: float = 0.5,
        devices: int = 1,
        atoms_per_part: int | None = None,
    ) -> None:
        """See the class."""
        self.neighbors = VerletList(model.cutoff, skin)
        self.elements = model.elements
        self.system: System = (
            WholeSystem(model, dtype)
            if devices == 1 and atoms_per_part is None
            else PartitionedSystem(model, dtype, devices, atoms_per_part)
        )
        self._numbers = np.zeros(0, int)

    @property
    def traces(self) -> int:
        """The number of compilations."""
        return self.system.traces

    def __call__(self, atoms: Atoms) -> Prediction:
        """Return the prediction for a configuration.

        Raises:
            DataError: the model does not know an element, or two atoms are almost at the same position.
            FloatingPointError: a force is not finite.
        """
        others = not np.array_equal(atoms.numbers, self._numbers)
        if others:
            check_elements([atoms], self.elements, "the simulation")
        if self.neighbors.update(atoms) or others:
            self._numbers, found = atoms.numbers.copy(), self.neighbors
            index = np.zeros(119, np.int32)
            index[list(self.elements)] = np.arange(len(self.elements))
            pairs = Pairs(found.receivers, found.senders, found.images)
            self.system.take_over(index[atoms.numbers], atoms.get_positions(wrap=True), pairs)
        prediction = self.system(atoms.positions, atoms.cell.array)
        if not (np.isfinite(prediction.forces).all() and np.isfinite(prediction.energies).all()):
            raise FloatingPointError(f"the model has no finite energy and forces for {atoms.get_chemical_formula()}")
        return prediction
