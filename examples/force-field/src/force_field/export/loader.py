"""Run a force field that `force-field export` wrote. Copy this file where it is used.

It needs JAX, the package flatbuffers, with which JAX reads programs, and nothing else::

    model = load("model.program")
    pairs = neighbors(positions, cell, pbc, model.cutoff)  # or those of another program
    energies, forces, stress_times_volume = model(numbers, positions, cell, *pairs)
"""

import json
import zipfile
from os import PathLike
from typing import Any

import jax
import jax.export
import numpy as np
from numpy.typing import ArrayLike


class Program:
    """A force field.

    Attributes:
        cutoff: in Å; pairs beyond it count nothing, so lists of neighbours may have a larger one.
        elements: atomic numbers that it knows.
    """

    def __init__(self, about: dict[str, Any], program: bytes) -> None:
        """See :func:`load`."""
        self.cutoff, self.elements, self.dtype = about["cutoff"], about["elements"], about["dtype"]
        if self.dtype == "float64":
            jax.config.update("jax_enable_x64", True)
        self._reference = np.array(about["reference_energies"])
        self._run = jax.jit(jax.export.deserialize(bytearray(program)).call)

    def __call__(
        self,
        numbers: ArrayLike,
        positions: ArrayLike,
        cell: ArrayLike,
        receivers: ArrayLike,
        senders: ArrayLike,
        images: ArrayLike,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the energies of the atoms (eV), the forces (eV/Å), and dE/dstrain (eV), the stress times the volume.

        Args:
            numbers: atomic numbers, of shape (n,).
            positions: of shape (n, 3), in Å.
            cell: of shape (3, 3), its vectors as rows, in Å; zeros for molecules.
            receivers: of shape (e,), the first atom of each pair; each pair is listed in both directions. Pairs of an
                atom with itself in the same cell count nothing, so lists can be padded with zeros.
            senders: of shape (e,), the second atom.
            images: integers of shape (e, 3): the cell in which the second atom is.
        """
        species = np.searchsorted(np.sort(self.elements), numbers).clip(max=len(self.elements) - 1)
        species = np.argsort(self.elements)[species].astype(np.int32)
        if not np.array_equal(np.array(self.elements)[species], numbers):
            raise ValueError(f"expected atomic numbers among {self.elements}, got {sorted({*np.asarray(numbers)})}")
        floats = [np.asarray(array, self.dtype) for array in (positions, cell, images)]
        ends = [np.asarray(array, np.int32) for array in (receivers, senders)]
        found = self._run(species, *floats[:2], *ends, floats[2])
        energies, forces, strain = (np.asarray(array, float) for array in found)
        return energies + self._reference[species], forces, strain[0]


def load(path: str | PathLike[str]) -> Program:
    """Return the :class:`Program` of a file.

    Raises:
        ValueError: the file is damaged, or is not one of `force-field export`.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            about, program = json.loads(archive.read("about.json")), archive.read("program.bin")
    except (zipfile.BadZipFile, KeyError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is not a program of `force-field export`, or is damaged: {error}") from None
    if (about.get("format"), about.get("version")) != ("force-field program", 1):
        raise ValueError(f"{path} is not a program of `force-field export` of version 1")
    return Program(about, program)


def neighbors(
    positions: ArrayLike, cell: ArrayLike, pbc: ArrayLike, cutoff: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return receivers, senders and images of all pairs within the cutoff; simple, and slow for many atoms."""
    places, vectors = np.asarray(positions, float).reshape(-1, 3), np.asarray(cell, float)
    inverse = np.linalg.pinv(vectors)
    spread = np.ptp(places @ inverse, axis=0) if len(places) else np.zeros(3)
    reach = np.where(pbc, np.ceil(cutoff * np.linalg.norm(inverse, axis=0) + spread), 0).astype(int)
    cells = np.stack(np.meshgrid(*[np.arange(-n, n + 1) for n in reach], indexing="ij"), axis=-1).reshape(-1, 3)
    found = []
    for image in cells:
        distances = np.linalg.norm(places + image @ vectors - places[:, None], axis=-1)
        first, second = np.nonzero((distances < cutoff) & ((distances > 0) | image.any()))
        found.append((first, second, np.broadcast_to(image, (len(first), 3))))
    receivers, senders, images = (np.concatenate(part) for part in zip(*found, strict=True))
    order = np.argsort(receivers, kind="stable")
    return receivers[order], senders[order], images[order]
