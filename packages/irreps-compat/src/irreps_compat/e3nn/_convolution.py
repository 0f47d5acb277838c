"""Weights of the convolutions of networks written with e3nn, for :func:`irreps_ops.edge_convolution`."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from irreps_core import IntoIrreps, Irrep, Irreps
from irreps_ops import FunctionalTensorProduct

from ._state import StateDict, as_numpy, conventions, stored_signs


def convention(state: StateDict, prefix: str = "") -> str:
    """Return the sign convention of the Clebsch-Gordan coefficients with which a network was trained.

    e3nn 0.5 changed the sign of some coefficients; with those of degree 1 and 2, of three in fifteen. e3nn stores them
    in the state dict of every module with tensor products.

    Args:
        state: state dict of NumPy arrays.
        prefix: name of a module, to look at its part alone.

    Returns:
        ``"e3nn"`` (0.5 and later) or ``"e3nn-0.4"``; for the argument `convention` of other functions.

    Raises:
        ValueError: there are no coefficients that the conventions distinguish, or they are of neither.

    Example:
        >>> import irreps_core as ic
        >>> from irreps_compat import e3nn
        >>> coefficients = -ic.clebsch_gordan(1, 2, 2)
        >>> e3nn.convention({"conv.tp._compiled_main_left_right._w3j_1_2_2": coefficients})
        'e3nn-0.4'
    """
    signs = stored_signs(state, prefix, anywhere=True)
    found = conventions(signs)
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

    Returns:
        Array of shape (..., num_irreps of the result of ``edge_convolution``). Equal irreps of the result are in the
        order of their items in `irreps_out`, so that a linear map that follows keeps its weights.

    Raises:
        ValueError: other instructions, among them those whose equal irreps of the output have another order; or weights
            of another shape.

    Example:
        >>> import numpy as np
        >>> from irreps_compat import e3nn
        >>> paths = [(0, 0, 0), (0, 1, 2), (1, 0, 3), (1, 1, 1)]
        >>> instructions = [(*path, "uvu", True) for path in paths]
        >>> e3nn.uvu_weights(np.arange(4.0), "0e + 1o", "0e + 1o", "0e + 0e + 1o + 1o", instructions).tolist()
        [0.0, 3.0, 1.0, 2.0]
    """
    irreps1, irreps2, out = Irreps(irreps_in1), Irreps(irreps_in2), Irreps(irreps_out)
    product = FunctionalTensorProduct(
        irreps1, irreps2, out, [tuple(i) for i in instructions], gradient_normalization="path", convention=convention
    )
    what = f"uvu_weights({irreps1} x {irreps2} -> {out})"
    couplings = product.couplings
    if not all(c.connection_mode == "uvu" and c.has_weight for c in couplings):
        raise ValueError(f"{what} expects instructions of the mode 'uvu' with weights, got {list(instructions)!r:.300}")
    if any(mul != 1 for mul, _ in irreps2):
        raise ValueError(f"{what} expects harmonics of multiplicity 1, got {irreps2}")
    if sorted(c.i_out for c in couplings) != list(range(len(out))):
        raise ValueError(
            f"{what} expects an instruction for each of {out}, got those for {[c.i_out for c in couplings]}"
        )
    given = as_numpy("weights", weights)
    if given.ndim == 0 or given.shape[-1] != product.num_weights:
        raise ValueError(f"{what} expects weights of shape (..., {product.num_weights}), got {given.shape}")
    columns, factors, places = {}, {}, {}
    start = 0
    for c in couplings:
        ir = out[c.i_out].ir
        for u in range(irreps1[c.i_in1].mul):
            key = (c.i_in1, u, c.i_in2, ir)
            columns[key], factors[key] = start + u, c.path_weight / math.sqrt(ir.dim)
            places[key] = (ir, c.i_out, u)
        start += irreps1[c.i_in1].mul
    ours = _order(irreps1, irreps2, out)
    if sorted(ours, key=str) != sorted(columns, key=str):
        raise ValueError(
            f"{what} expects an instruction for each path to an irrep of the output, got {instructions!r:.300}"
        )
    if [places[key] for key in ours] != sorted(places.values()):
        raise ValueError(
            f"{what} expects equal irreps of the output in the order of the inputs, got {instructions!r:.300}"
        )
    scale = np.array([factors[key] for key in ours], given.dtype)
    return given[..., [columns[key] for key in ours]] * scale


def _order(irreps1: Irreps, irreps2: Irreps, keep: Irreps) -> list[tuple[int, int, int, Irrep]]:
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
