"""Verlet lists: neighbours found with a larger cutoff, which stay valid while atoms move a little."""

import numpy as np
from ase import Atoms

from force_field.graphs import neighbors


class VerletList:
    """The pairs of atoms closer than a cutoff plus a skin.

    Until they are found again, no pair outside of the list can have come closer than the cutoff. If the cell changes,
    as at constant pressure, only displacements relative to the deformed cell count.

    Attributes:
        receivers: integers of shape (edges,), ascending.
        senders: integers of shape (edges,).
        images: integers of shape (edges, 3), the cells in which the senders are.
        builds: how often the pairs were found.

    Args:
        cutoff: in Å.
        skin: in Å.
    """

    receivers: np.ndarray
    senders: np.ndarray
    images: np.ndarray

    def __init__(self, cutoff: float, skin: float) -> None:
        """See the class."""
        if not (0 < cutoff < np.inf and 0 <= skin < np.inf):
            raise ValueError(f"expected a cutoff above zero and a skin not below zero, got {cutoff} and {skin}")
        self.cutoff, self.skin, self.builds = cutoff, skin, 0
        self._found_for: Atoms | None = None

    def update(self, atoms: Atoms) -> bool:
        """Find the pairs again if it is necessary; return whether it was.

        Raises:
            DataError: two atoms are almost at the same position.
        """
        if self._found_for is not None and self._holds(self._found_for, atoms):
            return False
        self.receivers, self.senders, self.images = neighbors(atoms, self.cutoff + self.skin)
        self._found_for = Atoms(cell=atoms.cell, pbc=atoms.pbc, positions=atoms.positions, numbers=atoms.numbers)
        self.builds += 1
        return True

    def _holds(self, before: Atoms, now: Atoms) -> bool:
        """Return whether pairs that were beyond cutoff and skin are still beyond the cutoff."""
        if len(before) != len(now) or (before.pbc != now.pbc).any():
            return False
        shrinkage, affine = 1.0, before.positions
        if (before.cell.array != now.cell.array).any():
            if before.cell.rank < 3:
                return False
            deformation = np.linalg.solve(before.cell.array, now.cell.array)  # r becomes r @ deformation
            shrinkage, affine = np.linalg.svd(deformation, compute_uv=False).min(), affine @ deformation
        farthest = np.linalg.norm(now.positions - affine, axis=1).max(initial=0)
        return bool(shrinkage * (self.cutoff + self.skin) - 2 * farthest >= self.cutoff)  # False for nan
