"""Couplings: which items of two inputs contribute to which item of the output, and in which connection mode."""

import itertools
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from irreps_core import Irreps


class ConnectionMode(NamedTuple):
    """The letters of the channel axes in a connection mode, as in an Einstein sum.

    Letters that the output lacks are summed over. The pairs u < v are one letter, p.

    Attributes:
        weights: letters of the weights.
        in1: letters of the first input.
        in2: letters of the second input.
        out: letters of the output.
    """

    weights: str
    in1: str
    in2: str
    out: str


MODES = {
    "uvw": ConnectionMode("uvw", "u", "v", "w"),
    "uvu": ConnectionMode("uv", "u", "v", "u"),
    "uvv": ConnectionMode("uv", "u", "v", "v"),
    "uuw": ConnectionMode("uw", "u", "u", "w"),
    "uuu": ConnectionMode("u", "u", "u", "u"),
    "uvuv": ConnectionMode("uv", "u", "v", "uv"),
    "uvu<v": ConnectionMode("p", "p", "p", "p"),
    "u<vw": ConnectionMode("pw", "p", "p", "w"),
}


def pairs(mul: int) -> np.ndarray:
    """Return all u < v below `mul` in lexicographic order, of shape (pairs, 2).

    Example:
        >>> pairs(3).tolist()
        [[0, 1], [0, 2], [1, 2]]
    """
    return np.array(list(itertools.combinations(range(mul), 2)), np.int32).reshape(-1, 2)


def extents(mul1: int, mul2: int, mul_out: int) -> dict[str, int]:
    """Return the number of channels that each letter of :data:`MODES` runs over."""
    return {"u": mul1, "v": mul2, "w": mul_out, "p": mul1 * (mul1 - 1) // 2}


@dataclass(frozen=True)
class Coupling:
    """An item of the first input and one of the second that contribute to an item of the output.

    Attributes:
        i_in1: place of the item of the first input.
        i_in2: place of the item of the second input.
        i_out: place of the item of the output.
        connection_mode: how the multiplicities u of the first, v of the second and w of the output are connected:
            "uvw", "uvu", "uvv", "uuw", "uuu", "uvuv", or "uvu<v" and "u<vw" for the pairs :math:`u < v`.
        has_weight: whether the coupling has weights.
        path_weight: factor of the Clebsch-Gordan coefficients, which have norm 1, in the forward pass. Its sign is that
            of the convention.
        weight_std: standard deviation of the initial weights.
        path_shape: shape of the weights: a length for each letter of the mode.

    Example:
        >>> import irreps_ops as irr
        >>> product = irr.FunctionalFullyConnectedTensorProduct("2x0e", "1o", "3x1o")
        >>> [coupling] = product.couplings
        >>> coupling.connection_mode, coupling.path_shape
        ('uvw', (2, 1, 3))
    """

    i_in1: int
    i_in2: int
    i_out: int
    connection_mode: str
    has_weight: bool = False
    path_weight: float = 1.0
    weight_std: float = 1.0
    path_shape: tuple[int, ...] = ()

    def letters(self, irreps1: Irreps, irreps2: Irreps, irreps_out: Irreps) -> tuple[dict[str, int], ...]:
        """Return for the weights, both inputs and the output the letters of the channels, with their numbers."""
        found = extents(irreps1[self.i_in1].mul, irreps2[self.i_in2].mul, irreps_out[self.i_out].mul)
        return tuple({letter: found[letter] for letter in letters} for letters in MODES[self.connection_mode])

    def is_empty(self, irreps1: Irreps, irreps2: Irreps, irreps_out: Irreps) -> bool:
        """Tell whether the coupling contributes nothing because there are no channels."""
        return any(0 in letters.values() for letters in self.letters(irreps1, irreps2, irreps_out))
