"""The force field as an ASE calculator."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from .data import check_elements
from .evaluation import Predictor
from .graphs import to_graph
from .model import ForceField


class ForceFieldCalculator(Calculator):
    """Energies (eV) and forces (eV/Å) of a trained force field.

    The number of edges changes while atoms move. It is padded to a bucket that only grows, so a simulation compiles
    once or a few times.

    Args:
        model: the force field.
        dtype: dtype of the computation.
    """

    implemented_properties: ClassVar[list[str]] = ["energy", "forces"]  # pyright: ignore[reportIncompatibleVariableOverride]  (ase declares an instance variable)

    def __init__(self, model: ForceField, dtype: str = "float64") -> None:
        """See the class."""
        super().__init__()
        self.predictor = Predictor(model, dtype)
        self.reference_energies = np.array(model.scaling.reference_energies)

    def calculate(
        self, atoms: Atoms | None = None, properties: Sequence[str] = ("energy",), system_changes: Any = all_changes
    ) -> None:
        """Compute both properties; ASE calls this method."""
        super().calculate(atoms, properties, system_changes)
        current: Any = self.atoms
        config = self.predictor.model.config
        check_elements([current], config.elements, "the simulation")
        graph = to_graph(current, config.elements, config.cutoff)
        (prediction,) = self.predictor([graph])
        reference = float(np.sum(self.reference_energies[graph.nodes.species]))
        self.results = {"energy": prediction.energy + reference, "forces": prediction.forces}
