"""Weights of the convolutions of networks written with e3nn, for :func:`irreps_ops.edge_convolution`."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from irreps_core import IntoIrreps, Irrep, Irreps
from irreps_ops import FunctionalTensorProduct

from ._state import StateDict, as_numpy, conventions, stored_signs


def convention(state: StateDict, prefix: str = "", *, default: str | None = None) -> str:
    """Return the sign convention of the Clebsch-Gordan coefficients with which a network was trained.

    e3nn 0.5 changed the sign of some coefficients; with those of degree 1 and 2, of three in fifteen. e3nn stores them
    in the state dict of every module with tensor products.

    Args:
        state: state dict of NumPy arrays.
        prefix: name of a module, to look at its part alone.
        default: the answer if the coefficients do not distinguish the conventions, so that it does not matter, or if
            there are none.

    Returns:
        ``"e3nn"`` (0.5 and later) or ``"e3nn-0.4"``; for the argument `convention` of other functions.

    Raises:
        ValueError: there are no coefficients that the conventions distinguish, and no default; or they are of
            neither.

    Example:
        >>> import irreps_core as ic
        >>> from irreps_compat import e3nn
        >>> coefficients = -ic.clebsch_gordan(1, 2, 2)
        >>> e3nn.convention({"conv.tp._compiled_main_left_right._w3j_1_2_2": coefficients})
        'e3nn-0.4'
    """
    signs = stored_signs(state, prefix, anywhere=True)
    found = conventions(signs)
    if len(found) > 1 and default is not None:
        return default
    if len(found) != 1:
        problem = "are those of neither" if not found else "do not distinguish them"
        raise ValueError(
            f"the convention is 'e3nn' or 'e3nn-0.4', but the Clebsch-Gordan coefficients of degrees {sorted(signs)} "
            f"that the state dict has under {prefix!r} {problem}"
        )
    return found[0]


def uvu_weights(
    weights: Any,
    irreps_in1: IntoIrreps,
    irreps_in2: IntoIrreps,
    irreps_out: IntoIrreps,
    instructions: Sequence[Sequence[Any]],
    *,
    convention: str = "e3nn",
    any_order: bool = False,
) -> np.ndarray:
    """Bring the weights of an ``e3nn.o3.TensorProduct`` of a convolution into the order of ``edge_convolution``.

    Networks such as NequIP and MACE multiply features by harmonics with the connection mode "uvu", with weights that a
    perceptron computes for each edge, and sum over the edges. :func:`irreps_ops.edge_convolution` does the same; it
    sorts the irreps of the result, where e3nn has the order of `instructions`. So the columns of the last matrix of the
    perceptron are permuted; those whose Clebsch-Gordan coefficients have the other sign are multiplied by -1::

        matrix = uvu_weights(state["conv.fc.layer2.weight"], irreps_in1, irreps_in2, irreps_out, instructions)
        edge_convolution(x, harmonics, (hidden, matrix), edges, filter_ir_out=irreps_out)

    Args:
        weights: of shape (..., n): for each instruction in turn a weight for each channel, such as a matrix of shape
            (hidden, n).
        irreps_in1: irreps of the features. This and the following are the arguments of the module.
        irreps_in2: irreps of the harmonics, all of multiplicity 1.
        irreps_out: irreps of the output, an item for each instruction.
        instructions: tuples (i_in1, i_in2, i_out, "uvu", True[, path_weight]), one for each path to an irrep of the
            output.
        convention: of the Clebsch-Gordan coefficients, ``"e3nn"`` (0.5 and later) or ``"e3nn-0.4"``, see
            :func:`convention`.
        any_order: whether equal irreps of the output may have another order than in the result of ``edge_convolution``.
            Then :func:`uvu_order` permutes the rows of the linear map that follows.

    Returns:
        Array of shape (..., num_irreps of the result of ``edge_convolution``). Without `any_order`, equal irreps of the
        result are in the order of their items in `irreps_out`, so that a linear map that follows keeps its weights.

    Raises:
        ValueError: other instructions, or weights of another shape; without `any_order` also instructions whose equal
            irreps of the output have another order.

    Example:
        >>> import numpy as np
        >>> from irreps_compat import e3nn
        >>> paths = [(0, 0, 0), (0, 1, 2), (1, 0, 3), (1, 1, 1)]
        >>> instructions = [(*path, "uvu", True) for path in paths]
        >>> e3nn.uvu_weights(np.arange(4.0), "0e + 1o", "0e + 1o", "0e + 0e + 1o + 1o", instructions).tolist()
        [0.0, 3.0, 1.0, 2.0]
    """
    product, ours, found = _paths(irreps_in1, irreps_in2, irreps_out, instructions, convention)
    given = as_numpy("weights", weights)
    if given.ndim == 0 or given.shape[-1] != product.num_weights:
        raise ValueError(f"{_what(product)} expects weights of shape (..., {product.num_weights}), got {given.shape}")
    places = [found[key].place for key in ours]
    if not any_order and places != sorted(places):
        raise ValueError(
            f"{_what(product)} expects equal irreps of the output in the order of the inputs, got "
            f"{instructions!r:.300}: pass any_order=True, and permute the next linear map with uvu_order"
        )
    scale = np.array([found[key].factor for key in ours], given.dtype)
    return given[..., [found[key].column for key in ours]] * scale


def uvu_order(
    irreps_in1: IntoIrreps, irreps_in2: IntoIrreps, irreps_out: IntoIrreps, instructions: Sequence[Sequence[Any]]
) -> dict[Irrep, np.ndarray]:
    """Return the order of equal irreps in the result of ``edge_convolution``, by their order in a product of e3nn.

    For the linear map that follows a convolution whose instructions :func:`uvu_weights` takes with `any_order` alone:
    the rows of its weights ``w`` from an irrep ``ir``, of shape (copies, ...), become ``w[order[ir]]``.

    Args:
        irreps_in1: as for :func:`uvu_weights`, like the following.
        irreps_in2: see there.
        irreps_out: see there.
        instructions: see there.

    Returns:
        For each irrep of the output a permutation of its copies, integers of shape (copies,).

    Raises:
        ValueError: other instructions.

    Example:
        >>> from irreps_compat import e3nn
        >>> instructions = [(0, 0, 1, "uvu", True), (1, 0, 0, "uvu", True)]
        >>> order = e3nn.uvu_order("2x0e + 1x0e", "0e", "1x0e + 2x0e", instructions)
        >>> {str(ir): copies.tolist() for ir, copies in order.items()}
        {'0e': [1, 2, 0]}
    """
    _, ours, found = _paths(irreps_in1, irreps_in2, irreps_out, instructions, "e3nn")
    order: dict[Irrep, np.ndarray] = {}
    for ir in dict.fromkeys(key[3] for key in ours):
        places = [found[key].place for key in ours if key[3] == ir]
        ranks = {place: k for k, place in enumerate(sorted(places))}
        order[ir] = np.array([ranks[place] for place in places])
    return order


class _Path(NamedTuple):
    """A copy of an irrep of the output.

    Attributes:
        column: of the weights of e3nn.
        factor: by which its weight is multiplied.
        place: (irrep, item and copy) in the output of e3nn.
    """

    column: int
    factor: float
    place: tuple[Irrep, int, int]


_Key = tuple[int, int, int, Irrep]  # item and copy of the features, item of the harmonics, irrep of the output


def _what(product: FunctionalTensorProduct) -> str:
    return f"uvu_weights({product.irreps_in1} x {product.irreps_in2} -> {product.irreps_out})"


def _paths(
    irreps_in1: IntoIrreps,
    irreps_in2: IntoIrreps,
    irreps_out: IntoIrreps,
    instructions: Sequence[Sequence[Any]],
    convention: str,
) -> tuple[FunctionalTensorProduct, list[_Key], dict[_Key, _Path]]:
    """Return the product of e3nn, the order of irreps in ``edge_convolution``, and where e3nn has them."""
    irreps1, irreps2, out = Irreps(irreps_in1), Irreps(irreps_in2), Irreps(irreps_out)
    product = FunctionalTensorProduct(
        irreps1, irreps2, out, [tuple(i) for i in instructions], gradient_normalization="path", convention=convention
    )
    what, couplings = _what(product), product.couplings
    if not all(c.connection_mode == "uvu" and c.has_weight for c in couplings):
        raise ValueError(f"{what} expects instructions of the mode 'uvu' with weights, got {list(instructions)!r:.300}")
    if any(mul != 1 for mul, _ in irreps2):
        raise ValueError(f"{what} expects harmonics of multiplicity 1, got {irreps2}")
    if sorted(c.i_out for c in couplings) != list(range(len(out))):
        raise ValueError(
            f"{what} expects an instruction for each of {out}, got those for {[c.i_out for c in couplings]}"
        )
    found: dict[_Key, _Path] = {}
    start = 0
    for c in couplings:
        ir = out[c.i_out].ir
        for u in range(irreps1[c.i_in1].mul):
            factor = c.path_weight / math.sqrt(ir.dim)
            found[c.i_in1, u, c.i_in2, ir] = _Path(start + u, factor, (ir, c.i_out, u))
        start += irreps1[c.i_in1].mul
    ours = _order(irreps1, irreps2, out)
    if sorted(ours, key=str) != sorted(found, key=str):
        raise ValueError(
            f"{what} expects an instruction for each path to an irrep of the output, got {instructions!r:.300}"
        )
    return product, ours, found


def _order(irreps1: Irreps, irreps2: Irreps, keep: Irreps) -> list[_Key]:
    """Return (item and channel of the features, item of the harmonics, irrep) of each irrep of ``edge_convolution``."""
    firsts, seconds = (sorted({ir for _, ir in of}) for of in (irreps1, irreps2))
    kept = {ir for _, ir in keep}
    found = [
        (i, u, j, ir)
        for first in firsts
        for second in seconds
        for ir in first * second
        if ir in kept
        for i, (mul, ir1) in enumerate(irreps1)
        if ir1 == first
        for u in range(mul)
        for j, (_, ir2) in enumerate(irreps2)
        if ir2 == second
    ]
    return sorted(found, key=lambda key: key[3])
