"""The force field as an ASE calculator."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from .data import check_elements
from .evaluation import Predictor
from .graphs import Bucket, ladder, pad_batch, to_graph
from .model import ForceField
from .parameters import Structure


class ForceFieldCalculator(Calculator):
    """Energies (eV) and forces (eV/Å) of a trained force field.

    The number of edges changes while atoms move; it is padded to a bucket that only grows, so that a simulation
    compiles once or a few times.

    Args:
        model: the force field.
        dtype: of the computation.
    """

    implemented_properties: ClassVar[list[str]] = ["energy", "forces"]  # pyright: ignore[reportIncompatibleVariableOverride]  (ase declares an instance variable)

    def __init__(self, model: ForceField, dtype: str = "float64") -> None:
        """See the class."""
        super().__init__()
        structure = Structure(model)
        self.params = structure.first
        self.predictor = Predictor(structure, dtype)
        self.config, self.scaling = model.config, model.scaling
        self.bucket = Bucket(1, 0, 0)

    def calculate(
        self, atoms: Atoms | None = None, properties: Sequence[str] = ("energy",), system_changes: Any = all_changes
    ) -> None:
        """Compute both properties; called by ASE."""
        super().calculate(atoms, properties, system_changes)
        current: Any = self.atoms
        elements = self.config.elements
        check_elements([current], elements, "the simulation")
        graph = to_graph(current, elements, self.config.cutoff)
        atom_count, edges = len(graph.species), len(graph.senders)
        if self.bucket.atoms != atom_count or edges > self.bucket.edges:
            self.bucket = Bucket(1, atom_count, ladder(edges))
        batch = pad_batch([graph], self.bucket, self.predictor.dtype)
        (prediction,) = self.predictor.on_batch(self.params, batch, [graph])
        reference = float(np.sum(np.array(self.scaling.reference_energies)[graph.species]))
        self.results = {"energy": prediction.energy + reference, "forces": prediction.forces}
