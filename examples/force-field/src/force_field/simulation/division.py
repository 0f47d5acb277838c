"""Division of a system among devices: blocks of atoms, their halos, and the copies that the devices exchange.

The energy of an atom depends on the atoms that it reaches by some hops from neighbour to neighbour: one for each layer
of messages. So whoever computes the energies of some atoms needs these atoms and a halo, all atoms within these hops.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np
from numpy.typing import DTypeLike

from .system import Pairs


@dataclass(frozen=True)
class Part:
    """Atoms whose energies are computed together.

    Attributes:
        nodes: the atoms, halo included, ascending.
        own: booleans of their shape, False in the halo.
        edges: indices of the edges on which the energies of the own atoms depend.
    """

    nodes: np.ndarray
    own: np.ndarray
    edges: np.ndarray


@dataclass(frozen=True)
class Division:
    """A system divided among devices.

    Attributes:
        blocks: the atoms that each device owns.
        parts: the parts of each block; all blocks have the same number.
        copies: for each device, by distance in the ring of devices: the atoms that it receives from the device which is
            so many places before it.
    """

    blocks: list[np.ndarray]
    parts: list[list[Part]]
    copies: list[dict[int, np.ndarray]]


class Sizes(NamedTuple):
    """Static sizes, padded: those of the largest block and part, and of the copies by distance in the ring."""

    atoms: int
    nodes: int
    edges: int
    copies: dict[int, int]


class Parts(NamedTuple):
    """The parts of each device; arrays of shape (devices, parts, ...), padded.

    Attributes:
        species: indices into the elements of the model.
        nodes: places of the atoms among the own atoms of the device and its copies.
        inside: booleans, False for padding.
        own: booleans, False for padding and in the halo.
        pairs: the pairs, of indices into the nodes.
    """

    species: Any
    nodes: Any
    inside: Any
    own: Any
    pairs: Pairs


class Layout(NamedTuple):
    """What a device knows of its block, for all devices.

    Attributes:
        parts: its parts.
        sends: by distance in the ring, the own atoms that it sends so many places further, of shape (devices, copies).
    """

    parts: Parts
    sends: dict[int, Any]


def divide(
    places: np.ndarray, pairs: Pairs, hops: int, devices: int = 1, atoms_per_part: int | None = None
) -> Division:
    """Divide a system among devices, each of which owns a compact block of atoms.

    Args:
        places: where the atoms are, of shape (atoms, 3).
        pairs: the neighbours, sorted by receiver.
        hops: number of hops from neighbour to neighbour by which the energy of an atom reaches.
        devices: number of devices.
        atoms_per_part: largest number of own atoms in a part (default: a block is one part).
    """
    senders, receivers = np.asarray(pairs.senders), np.asarray(pairs.receivers)
    starts = np.searchsorted(receivers, np.arange(len(places) + 1))
    blocks = [np.sort(block) for block in split(places, devices)]
    owner = np.zeros(len(places), int)
    for device, block in enumerate(blocks):
        owner[block] = device
    count = max(1, -(-max(map(len, blocks)) // (atoms_per_part or len(places) or 1)))
    parts, copies = [], []
    for device, block in enumerate(blocks):
        parts.append([_part(block[core], senders, starts, hops) for core in split(places[block], count)])
        halo = np.unique(np.concatenate([part.nodes for part in parts[-1]]))
        distance = (device - owner[halo]) % devices
        copies.append({k: halo[distance == k] for k in np.unique(distance[distance > 0]).tolist()})
    return Division(blocks, parts, copies)


def _part(core: np.ndarray, senders: np.ndarray, starts: np.ndarray, hops: int) -> Part:
    """Return the part of some atoms; `starts` are the first edges of each receiver."""
    inside = np.zeros(len(starts) - 1, bool)
    inside[core] = True
    nodes = edges = np.sort(core)
    for _ in range(hops):
        edges = _edges_of(nodes, starts)
        inside[senders[edges]] = True
        nodes = np.flatnonzero(inside)
    return Part(nodes, np.isin(nodes, core, assume_unique=True), edges)


def _edges_of(nodes: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return the indices of the edges that end at some nodes, where the edges are sorted by their ends."""
    counts = starts[nodes + 1] - starts[nodes]
    first = np.repeat(starts[nodes] - np.cumsum(counts) + counts, counts)
    return first + np.arange(counts.sum())


def split(positions: np.ndarray, count: int) -> list[np.ndarray]:
    """Divide points into compact parts of equal size by cutting the longest side of their box again and again.

    Args:
        positions: shape (points, 3).
        count: number of parts.

    Returns:
        The indices of the points of each part; the sizes differ by one at most.

    Example:
        >>> import numpy as np
        >>> [part.tolist() for part in split(np.array([[0.0, 0, 0], [9, 0, 0], [1, 0, 0], [8, 0, 0]]), 2)]
        [[0, 2], [3, 1]]
    """
    ends = np.arange(count + 1) * len(positions) // count  # of the parts, in the order in which they are found
    waiting, parts = [(np.arange(len(positions)), 0, count)], []
    while waiting:
        points, first, last = waiting.pop()
        if last - first == 1:
            parts.append(points)
            continue
        if len(points):
            axis = int(np.argmax(np.ptp(positions[points], axis=0)))
            points = points[np.argsort(positions[points, axis], kind="stable")]
        middle = (first + last) // 2
        cut = ends[middle] - ends[first]
        waiting += [(points[cut:], middle, last), (points[:cut], first, middle)]
    return parts


def needed(division: Division) -> Sizes:
    """Return the sizes of a division, without padding."""
    parts = [part for block in division.parts for part in block]
    distances = sorted({k for copies in division.copies for k in copies})
    return Sizes(
        atoms=max(map(len, division.blocks)),
        nodes=max(len(part.nodes) for part in parts),
        edges=max(len(part.edges) for part in parts),
        copies={k: max(len(copies.get(k, ())) for copies in division.copies) for k in distances},
    )


def layout(division: Division, species: np.ndarray, pairs: Pairs, sizes: Sizes, dtype: DTypeLike) -> Layout:
    """Return the arrays of a division, padded to sizes that hold it."""
    count, place, rank = len(division.blocks), np.zeros(len(species), np.int32), np.zeros(len(species), np.int32)
    for block in division.blocks:
        rank[block] = np.arange(len(block))
    sends = {k: np.zeros((count, size), np.int32) for k, size in sizes.copies.items()}
    of_devices = []
    for device, (block, parts, copies) in enumerate(zip(division.blocks, division.parts, division.copies, strict=True)):
        place[block], start = rank[block], sizes.atoms
        for k, size in sorted(sizes.copies.items()):
            received = copies.get(k, np.zeros(0, int))
            sends[k][(device - k) % count, : len(received)] = rank[received]
            place[received] = start + np.arange(len(received))
            start += size
        made = [_arrays(part, place, species, pairs, sizes, dtype) for part in parts]
        of_devices.append(jax.tree.map(lambda *arrays: np.stack(arrays), *made))
    return Layout(jax.tree.map(lambda *arrays: np.stack(arrays), *of_devices), sends)


def _arrays(part: Part, place: np.ndarray, species: np.ndarray, pairs: Pairs, sizes: Sizes, dtype: DTypeLike) -> Parts:
    def padded(array: np.ndarray) -> np.ndarray:
        return np.pad(array, (0, sizes.nodes - len(part.nodes)))

    receivers, senders = (
        np.searchsorted(part.nodes, np.asarray(end)[part.edges]) for end in (pairs.receivers, pairs.senders)
    )
    return Parts(
        species=padded(species[part.nodes]),
        nodes=padded(place[part.nodes]),
        inside=padded(np.ones(len(part.nodes), bool)),
        own=padded(part.own),
        pairs=Pairs(receivers, senders, np.asarray(pairs.images)[part.edges]).padded(sizes.edges, dtype),
    )


def in_blocks(array: np.ndarray, division: Division, size: int) -> np.ndarray:
    """Return what belongs to the atoms of each block, of shape (devices, size, ...), padded with zeros."""
    found = np.zeros((len(division.blocks), size, *array.shape[1:]), array.dtype)
    for of_device, block in zip(found, division.blocks, strict=True):
        of_device[: len(block)] = array[block]
    return found


def from_blocks(array: np.ndarray, division: Division) -> np.ndarray:
    """Return the inverse of :func:`in_blocks`."""
    found = np.zeros((sum(map(len, division.blocks)), *array.shape[2:]))
    for of_device, block in zip(array, division.blocks, strict=True):
        found[block] = of_device[: len(block)]
    return found
