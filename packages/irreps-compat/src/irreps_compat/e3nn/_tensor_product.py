"""Conversion of ``e3nn.o3.TensorProduct`` and the other tensor products of ``e3nn.o3``."""

import math
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import jax.numpy as jnp
import numpy as np

from irreps_core import IntoIrreps, Irreps
from irreps_ops import (
    FullyConnectedTensorProduct,
    FunctionalFullyConnectedTensorProduct,
    FunctionalTensorProduct,
    TensorProduct,
)

from ._instructions import (
    Instructions,
    IrrepNormalization,
    elementwise,
    full,
    fully_connected,
    square,
    square_fully_connected,
)
from ._state import Converted, StateDict, find_convention, read, refuse

PathNormalization: TypeAlias = Literal["element", "path", "none"]
Variances: TypeAlias = Sequence[float] | None


def tensor_product(
    state: StateDict,
    prefix: str,
    irreps_in1: IntoIrreps,
    irreps_in2: IntoIrreps,
    irreps_out: IntoIrreps,
    instructions: Sequence[Sequence[Any]],
    in1_var: Variances = None,
    in2_var: Variances = None,
    out_var: Variances = None,
    irrep_normalization: IrrepNormalization = "component",
    path_normalization: PathNormalization = "element",
    *,
    internal_weights: bool | None = None,
    shared_weights: bool = True,
    convention: str | None = None,
) -> Converted:
    """Convert an ``e3nn.o3.TensorProduct`` to a :class:`irreps_ops.TensorProduct`.

    The array ``weight`` of e3nn concatenates the weights of all instructions, each of its `path_shape`; the layer has a
    parameter for each instruction. For a module with external weights, call the layer with the weights in the order of
    e3nn: ``apply(layer, {}, weights, x, y)``.

    Args:
        state: state dict of NumPy arrays.
        prefix: name of the module in the state dict.
        irreps_in1: irreps of the first input. This and the following are the arguments of the module.
        irreps_in2: irreps of the second input.
        irreps_out: irreps of the output.
        instructions: tuples (i_in1, i_in2, i_out, mode, has_weight[, path_weight]).
        in1_var: variance of each item of the first input.
        in2_var: variance of each item of the second input.
        out_var: desired variance of each item of the output.
        irrep_normalization: ``"component"``, ``"norm"`` or ``"none"``.
        path_normalization: ``"element"``, ``"path"`` or ``"none"``.
        internal_weights: whether the module owns its weights (default: `shared_weights`).
        shared_weights: whether the weights are the same for the whole batch.
        convention: sign convention of the Clebsch-Gordan coefficients, ``"e3nn"`` (0.5 and later) or ``"e3nn-0.4"``
            (default: determined from the state dict).

    Raises:
        ValueError: an array is missing, unexpected or of another shape; the message states the expected and the actual
            shape. Instructions that :class:`irreps_ops.FunctionalTensorProduct` refuses. A convention that is unknown
            or not that of the state dict; or the state dict does not determine it.

    Example:
        >>> import numpy as np
        >>> import irreps_ops as irr
        >>> from irreps_compat import e3nn
        >>> layer, params = e3nn.tensor_product(
        ...     {"tp.weight": np.array([1.0, 2.0])}, "tp", "2x1o", "1o", "2x0e", [(0, 0, 0, "uvu", True)]
        ... )
        >>> params
        {'w[0,0,0] 2x1o,1x1o,2x0e': Array([[1.],
               [2.]], dtype=float...)}
    """
    made = Instructions(Irreps(irreps_in1), Irreps(irreps_in2), Irreps(irreps_out), [tuple(i) for i in instructions])
    return _converted(
        state,
        prefix,
        "TensorProduct",
        made,
        (in1_var, in2_var, out_var),
        irrep_normalization,
        path_normalization,
        shared_weights if internal_weights is None else internal_weights,
        convention,
    )


def fully_connected_tensor_product(
    state: StateDict,
    prefix: str,
    irreps_in1: IntoIrreps,
    irreps_in2: IntoIrreps,
    irreps_out: IntoIrreps,
    irrep_normalization: IrrepNormalization = "component",
    path_normalization: PathNormalization = "element",
    *,
    in1_var: Variances = None,
    in2_var: Variances = None,
    out_var: Variances = None,
    convention: str | None = None,
) -> Converted:
    """Convert an ``e3nn.o3.FullyConnectedTensorProduct`` to a :class:`irreps_ops.FullyConnectedTensorProduct`.

    The layer merges equal neighbouring irreps. Signs of the coefficients, variances and, where merging or the path
    normalization "none" changes it, the normalization are absorbed into the weights: the outputs are equal, the scale
    of the weights may differ. (:func:`tensor_product` with all "uvw" instructions preserves the scale.) A module with
    external weights (``internal_weights=False``) has nothing to load:
    :class:`irreps_ops.FunctionalFullyConnectedTensorProduct` takes its weights in the order of e3nn.

    Args:
        state: state dict of NumPy arrays.
        prefix: name of the module in the state dict.
        irreps_in1: irreps of the first input. This and the following are the arguments of the module.
        irreps_in2: irreps of the second input.
        irreps_out: irreps of the output.
        irrep_normalization: ``"component"``, ``"norm"`` or ``"none"``.
        path_normalization: ``"element"``, ``"path"`` or ``"none"``.
        in1_var: variance of each item of the first input.
        in2_var: variance of each item of the second input.
        out_var: desired variance of each item of the output.
        convention: see :func:`tensor_product`.

    Raises:
        ValueError: see :func:`tensor_product`.

    Example:
        >>> import numpy as np
        >>> from irreps_compat import e3nn
        >>> state = {"weight": np.arange(4.0)}
        >>> layer, params = e3nn.fully_connected_tensor_product(state, "", "2x0e", "0e + 1o", "0e + 1o")
        >>> sorted(params)
        ['w[0,0,0] 2x0e,1x0e,1x0e', 'w[0,1,1] 2x0e,1x1o,1x1o']
    """
    irreps = Irreps(irreps_in1), Irreps(irreps_in2), Irreps(irreps_out)
    made = fully_connected(*irreps)
    what = made.described("FullyConnectedTensorProduct")
    found = find_convention(state, prefix, made.degrees(), convention, what)
    variances = in1_var, in2_var, out_var
    theirs = FunctionalTensorProduct(
        *irreps,
        _without_path_normalization(made, variances) if path_normalization == "none" else made.instructions,
        *variances,
        irrep_normalization,
        _kind(path_normalization),
        convention=found,
    )
    layer = FullyConnectedTensorProduct(
        irreps[2],
        irreps_in1=irreps[0],
        irreps_in2=irreps[1],
        irrep_normalization=irrep_normalization,
        path_normalization=_kind(path_normalization),
    )
    weights = _weights(state, prefix, theirs, what)
    return Converted(layer, _merged_weights(theirs, weights, irrep_normalization, path_normalization))


def elementwise_tensor_product(
    state: StateDict,
    prefix: str,
    irreps_in1: IntoIrreps,
    irreps_in2: IntoIrreps,
    filter_ir_out: Sequence[Any] | None = None,
    irrep_normalization: IrrepNormalization = "component",
    *,
    convention: str | None = None,
) -> Converted:
    """Convert an ``e3nn.o3.ElementwiseTensorProduct`` to a :class:`irreps_ops.TensorProduct`; it has no weights.

    :func:`irreps_ops.elementwise_tensor_product` is equivalent, with the signs of e3nn 0.5 and later.

    Args:
        state: state dict of NumPy arrays, which determines the convention.
        prefix: name of the module in the state dict.
        irreps_in1: irreps of the first input. This and the following are the arguments of the module.
        irreps_in2: irreps of the second input.
        filter_ir_out: irreps to keep (default: all).
        irrep_normalization: ``"component"``, ``"norm"`` or ``"none"``.
        convention: see :func:`tensor_product`.

    Raises:
        ValueError: see :func:`tensor_product`; or the inputs have different numbers of irreps.

    Example:
        >>> from irreps_compat import e3nn
        >>> e3nn.elementwise_tensor_product({}, "", "2x1o", "2x0e + 0x1o").layer.irreps_out
        2x1o
    """
    made = elementwise(Irreps(irreps_in1), Irreps(irreps_in2), filter_ir_out)
    return _without_weights(state, prefix, "ElementwiseTensorProduct", made, irrep_normalization, convention)


def full_tensor_product(
    state: StateDict,
    prefix: str,
    irreps_in1: IntoIrreps,
    irreps_in2: IntoIrreps,
    filter_ir_out: Sequence[Any] | None = None,
    irrep_normalization: IrrepNormalization = "component",
    *,
    convention: str | None = None,
) -> Converted:
    """Convert an ``e3nn.o3.FullTensorProduct`` to a :class:`irreps_ops.TensorProduct`; it has no weights.

    :func:`irreps_ops.tensor_product` computes the same with the signs of e3nn 0.5 and later, but in another order: e3nn
    sorts 0o, 0e, 1o, 1e, 2o, ..., e3nn-jax and irreps_core sort 0e, 0o, 1o, 1e, 2e, ...

    Args:
        state: state dict of NumPy arrays, which determines the convention.
        prefix: name of the module in the state dict.
        irreps_in1: irreps of the first input. This and the following are the arguments of the module.
        irreps_in2: irreps of the second input.
        filter_ir_out: irreps to keep (default: all).
        irrep_normalization: ``"component"``, ``"norm"`` or ``"none"``.
        convention: see :func:`tensor_product`.

    Raises:
        ValueError: see :func:`tensor_product`.

    Example:
        >>> from irreps_compat import e3nn
        >>> e3nn.full_tensor_product({}, "", "2x1o", "1o", convention="e3nn").layer.irreps_out
        2x0e+2x1e+2x2e
    """
    made = full(Irreps(irreps_in1), Irreps(irreps_in2), filter_ir_out)
    return _without_weights(state, prefix, "FullTensorProduct", made, irrep_normalization, convention)


def tensor_square(
    state: StateDict,
    prefix: str,
    irreps_in: IntoIrreps,
    irreps_out: IntoIrreps = None,
    filter_ir_out: Sequence[Any] | None = None,
    irrep_normalization: IrrepNormalization = "component",
    *,
    internal_weights: bool | None = None,
    shared_weights: bool = True,
    convention: str | None = None,
) -> Converted:
    """Convert an ``e3nn.o3.TensorSquare`` to a :class:`irreps_ops.TensorProduct`, to be called with ``(x, x)``.

    Args:
        state: state dict of NumPy arrays.
        prefix: name of the module in the state dict.
        irreps_in: irreps of the input. This and the following are the arguments of the module.
        irreps_out: irreps of the output of a module with weights; None for a module without weights.
        filter_ir_out: irreps to keep (default: all), for a module without weights.
        irrep_normalization: ``"component"``, ``"norm"`` or ``"none"``.
        internal_weights: see :func:`tensor_product`.
        shared_weights: see :func:`tensor_product`.
        convention: see :func:`tensor_product`.

    Raises:
        ValueError: see :func:`tensor_product`.

    Example:
        >>> import numpy as np
        >>> from irreps_compat import e3nn
        >>> layer, params = e3nn.tensor_square({"weight": np.ones(6)}, "", "2x1o", "2x0e")
        >>> sorted(params)
        ['w[0,0,0] 2x1o,2x1o,2x0e u<vw', 'w[0,0,0] 2x1o,2x1o,2x0e uuw']
    """
    if irreps_out is None:
        made = square(Irreps(irreps_in), filter_ir_out, irrep_normalization)
    elif filter_ir_out is None:
        made = square_fully_connected(Irreps(irreps_in), Irreps(irreps_out), irrep_normalization)
    else:
        raise ValueError(f"TensorSquare: give irreps_out={irreps_out} or filter_ir_out={filter_ir_out}, not both")
    internal = shared_weights if internal_weights is None else internal_weights
    return _converted(state, prefix, "TensorSquare", made, (None, None, None), "none", "element", internal, convention)


def _without_weights(
    state: StateDict,
    prefix: str,
    name: str,
    made: Instructions,
    irrep_normalization: IrrepNormalization,
    convention: str | None,
) -> Converted:
    return _converted(state, prefix, name, made, (None, None, None), irrep_normalization, "element", False, convention)


def _converted(
    state: StateDict,
    prefix: str,
    name: str,
    made: Instructions,
    variances: tuple[Variances, Variances, Variances],
    irrep_normalization: IrrepNormalization,
    path_normalization: PathNormalization,
    internal_weights: bool,
    convention: str | None,
) -> Converted:
    """Return the layer of these instructions and, if the module owns weights, its parameters."""
    what = made.described(name)
    layer = TensorProduct(
        made.irreps_in1,
        made.irreps_in2,
        made.irreps_out,
        _without_path_normalization(made, variances) if path_normalization == "none" else made.instructions,
        in1_var=variances[0],
        in2_var=variances[1],
        out_var=variances[2],
        irrep_normalization=irrep_normalization,
        path_normalization=_kind(path_normalization),
        convention=find_convention(state, prefix, made.degrees(), convention, what),
    )
    product = layer.product()
    if not internal_weights:
        refuse(state, prefix, "weight", what)
        return Converted(layer, {})
    weights = _weights(state, prefix, product, what)
    return Converted(layer, dict(zip(layer.parameter_names(), map(jnp.asarray, weights), strict=True)))


def _kind(path_normalization: PathNormalization) -> Literal["element", "path"]:
    if path_normalization not in ("element", "path", "none"):
        raise ValueError(f"path_normalization must be 'element', 'path' or 'none', got {path_normalization!r}")
    return "element" if path_normalization == "none" else path_normalization


def _without_path_normalization(
    made: Instructions, variances: tuple[Variances, Variances, Variances]
) -> list[tuple[Any, ...]]:
    """Return instructions whose factors cancel the path normalization "element"."""
    plain = [ins[:5] for ins in made.instructions]
    irreps = made.irreps_in1, made.irreps_in2, made.irreps_out
    by_element = FunctionalTensorProduct(*irreps, plain, *variances[:2], irrep_normalization="none")
    given = [ins[5] if len(ins) > 5 else 1.0 for ins in made.instructions]
    return [
        (*ins, factor / found.path_weight**2)
        for ins, factor, found in zip(plain, given, by_element.couplings, strict=True)
    ]


def _weights(state: StateDict, prefix: str, product: FunctionalTensorProduct, what: str) -> list[np.ndarray]:
    """Return the weights of each instruction that has weights."""
    shapes = [ins.path_shape for ins in product.weighted]
    if product.num_weights == 0:
        refuse(state, prefix, "weight", what)
        return [np.zeros(shape, np.float32) for shape in shapes]
    flat = read(state, prefix, "weight", (product.num_weights,), what)
    parts = np.split(flat, np.cumsum([math.prod(shape) for shape in shapes])[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def _merged_weights(
    theirs: FunctionalTensorProduct,
    weights: Sequence[np.ndarray],
    irrep_normalization: IrrepNormalization,
    path_normalization: PathNormalization,
) -> dict[str, jnp.ndarray]:
    """Return the parameters of the fully connected product in which equal neighbouring irreps are merged."""
    irreps = theirs.irreps_in1, theirs.irreps_in2, theirs.irreps_out
    merged = [_merged(of) for of in irreps]
    simplified1, simplified2, simplified_out = (of.simplify() for of in irreps)
    ours = FunctionalFullyConnectedTensorProduct(
        simplified1,
        simplified2,
        simplified_out,
        irrep_normalization=irrep_normalization,
        path_normalization=_kind(path_normalization),
    )
    places = {(i.i_in1, i.i_in2, i.i_out): i for i in ours.couplings}
    params = {ours.parameter_name(i): np.zeros(i.path_shape, w.dtype) for i in ours.couplings for w in weights[:1]}
    for ins, w in zip(theirs.couplings, weights, strict=True):
        if w.size:
            spots = [where[i] for where, i in zip(merged, (ins.i_in1, ins.i_in2, ins.i_out), strict=True)]
            to = places[spots[0][0], spots[1][0], spots[2][0]]
            block = tuple(place for _, place in spots)
            params[ours.parameter_name(to)][block] = w * np.asarray(ins.path_weight / to.path_weight, w.dtype)
    return {name: jnp.asarray(w) for name, w in params.items()}


def _merged(irreps: Irreps) -> list[tuple[int, slice]]:
    """Return for each item its place in the simplified irreps, and its slice of the multiplicities there."""
    found: list[tuple[int, slice]] = []
    place, stop, last = -1, 0, None
    for mul, ir in irreps:
        if mul and ir != last:
            place, stop, last = place + 1, 0, ir
        found.append((place, slice(stop, stop + mul)))
        stop += mul
    return found
