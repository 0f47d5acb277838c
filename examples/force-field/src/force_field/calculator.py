"""The force field as an ASE calculator."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.stress import full_3x3_to_voigt_6_stress

import irreps_ops as irr

from .data import check_elements
from .derivatives import Potential
from .evaluation import Prediction, Predictor
from .graphs import to_graph


class ForceFieldCalculator(Calculator):
    """Energies of the atoms (eV), forces (eV/Å) and stress (eV/Å^3, in the order of ASE) of a force field.

    The stress is the derivative of the energy by strain divided by the volume of the cell, whatever the periodic
    directions. As in the calculators of ASE, there is none where the cell has no volume, as in molecules and in slabs
    with a zero third vector. There, too, ``results["virial"]`` is the negative derivative, of shape (3, 3), in eV.

    The number of edges changes while atoms move. It is padded to a bucket that only grows, so a simulation compiles
    once or a few times.

    Args:
        model: the force field.
        dtype: dtype of the computation.
    """

    implemented_properties: ClassVar[list[str]] = ["energy", "energies", "forces", "stress"]  # pyright: ignore[reportIncompatibleVariableOverride]  (ase declares an instance variable)

    def __init__(self, model: Potential, dtype: str = "float64") -> None:
        """See the class."""
        super().__init__()
        self.predictor = Predictor(model, dtype)
        self.reference_energies = np.array(model.reference_energies)

    def calculate(
        self, atoms: Atoms | None = None, properties: Sequence[str] = ("energy",), system_changes: Any = all_changes
    ) -> None:
        """Compute all properties; ASE calls this method."""
        super().calculate(atoms, properties, system_changes)
        current: Any = self.atoms
        model = self.predictor.model
        check_elements([current], model.elements, "the simulation")
        graph = to_graph(current, model.elements, model.cutoff)
        (prediction,) = self.predictor([graph])
        self.results = {**self.results_of(current, graph, prediction), "virial": -prediction.strain_derivative}

    def results_of(self, atoms: Atoms, graph: irr.Graph, prediction: Prediction) -> dict[str, Any]:
        """Return the properties of a configuration, by the names of ASE, from the prediction for its graph."""
        energies = prediction.energies + self.reference_energies[graph.nodes.species]
        results: dict[str, Any] = {
            "energy": float(np.sum(energies)),
            "energies": energies,
            "forces": prediction.forces,
        }
        if atoms.cell.rank == 3:
            stress = prediction.strain_derivative / atoms.get_volume()
            results["stress"] = full_3x3_to_voigt_6_stress(stress)
        return results
