"""The JAX primitive of the compute core: evaluate a polynomial. Each of its derivatives is this primitive again."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from irreps_ops._inputs._sizes import is_known

from ._arguments import prepared
from ._contraction import Contraction
from ._dispatch import Choice, Executor, choose
from ._jax_compat import Zero, is_undefined, new_primitive, vary_alike, zero_tangent
from ._polynomial import Polynomial
from ._terms import Access, Index, Operand


def evaluate(
    polynomial: Polynomial,
    inputs: Sequence[Any],
    indices: Mapping[str, Any] | None = None,
    *,
    batch: int | None = None,
    sizes: Mapping[str, int] | None = None,
    dtype: Any = None,
    out_dtype: Any = None,
    precision: jax.lax.Precision = jax.lax.Precision.HIGHEST,
    executor: Choice = None,
) -> list[jax.Array]:
    """Evaluate a polynomial: differentiable to any order in any mode, with vmap and dead-code elimination.

    Outputs that no path reaches are zeros and cost nothing. An array that is passed twice, for equal operands, is read
    once, and products of its components are computed once.

    Args:
        polynomial: the polynomial.
        inputs: for each input an array of shape ([batch,] components, *channels), or None if it is known to be zero.
            All have one floating dtype, or narrower ones; see `dtype`.
        indices: for each index an integer array of shape (batch,). Entries out of range read zeros and write nothing;
            inside :func:`checked` they are an error.
        batch: size of the batch; needed only if no input is batched and there is no index.
        sizes: for each index that an output is written through, the number of rows of that output.
        dtype: of the arithmetic and of all sums. Default: that of the inputs, or float32 if all are narrower. So arrays
            may be stored as bfloat16, half the bytes to move, while the arithmetic is in float32.
        out_dtype: storage dtype of the outputs. Default: the dtype that those of the inputs promote to.
        precision: of matrix products; the default is the full precision of the dtype.
        executor: the executor: a name, an object, several of them (the first capable one is taken), or a function of
            the :class:`Contraction`. Default: the cheapest of ours. :func:`use_executor` sets it for a whole function.

    Returns:
        For each output an array of shape ([batch,] components, *channels).

    Raises:
        ValueError: the arrays do not fit the polynomial, or the requested executor cannot compute it.

    Example:
        >>> import jax.numpy as jnp
        >>> import numpy as np
        >>> from irreps_ops.compute import Coefficients, Operand, Path, Polynomial, evaluate
        >>> dot = Path((0, 1), 0, ("u", "u", "u"), Coefficients.from_dense(np.eye(3)[:, :, None]))
        >>> polynomial = Polynomial((Operand(3, (8,)), Operand(3, (8,))), (Operand(1, (8,)),), (dot,))
        >>> evaluate(polynomial, [jnp.ones((10, 3, 8)), jnp.ones((10, 3, 8))])[0].shape
        (10, 1, 8)
        >>> evaluate(polynomial, [jnp.ones((10, 3, 8), jnp.bfloat16), jnp.ones((10, 3, 8), jnp.bfloat16)])[0].dtype
        dtype(bfloat16)
    """
    call = prepared(polynomial, inputs, indices, batch=batch, sizes=sizes, dtype=dtype, out_dtype=out_dtype)
    contraction = replace(call.contraction, precision=precision)
    if executor is not None:
        choose(contraction, executor)  # refuse here, where it was requested, and not at lowering
    results = _bind_reached(contraction, contraction.polynomial, call.inputs, call.indices, executor)
    types = contraction.output_types()
    return [jnp.zeros(t.shape, t.dtype) if y is None else y for y, t in zip(results, types, strict=True)]


def _bind(contraction: Contraction, inputs: Sequence[Any], indices: Mapping[str, Any], executor: Choice) -> list[Any]:
    arrays = [*inputs, *(indices[name] for name in contraction.polynomial.indices)]
    return polynomial_p.bind(*vary_alike(arrays), contraction=contraction, executor=executor)


def _derived(contraction: Contraction, polynomial: Polynomial) -> Contraction:
    """Return the contraction of a polynomial that was derived from that of `contraction`."""
    sizes = tuple((name, size) for name, size in contraction.sizes if name in polynomial.indices)
    return replace(contraction, polynomial=polynomial, sizes=sizes)


def _bind_reached(
    contraction: Contraction,
    polynomial: Polynomial,
    inputs: Sequence[Any],
    indices: Mapping[str, Any],
    executor: Choice,
) -> list[Any]:
    """Bind a polynomial with only the inputs that paths read. Outputs that no path reaches are None."""
    used = polynomial.reached()
    if not any(used):
        return [None] * len(used)
    small, keeps = polynomial.select(used)
    arrays = [x for x, yes in zip(inputs, keeps, strict=True) if yes]
    results = iter(_bind(_derived(contraction, small), arrays, indices, executor))
    return [next(results) if yes else None for yes in used]


def _split(contraction: Contraction, arrays: Sequence[Any]) -> tuple[list[Any], dict[str, Any]]:
    """Split the operands into inputs, and indices by name."""
    n = len(contraction.polynomial.inputs)
    return list(arrays[:n]), dict(zip(contraction.polynomial.indices, arrays[n:], strict=True))


def _run(
    *arrays: jax.Array, contraction: Contraction, executor: Choice, platform: str | None, exported: bool
) -> list[jax.Array]:
    contraction = replace(contraction, platform=platform, exported=exported)
    inputs, indices = _split(contraction, arrays)
    chosen = choose(contraction, executor)
    return _verified(contraction, chosen, chosen.run(contraction, inputs, indices))


def _verified(contraction: Contraction, executor: Executor, outputs: Sequence[jax.Array]) -> list[jax.Array]:
    """Return the outputs of an executor if they have the shapes and dtypes of the contraction."""
    expected = [f"{t.dtype}{t.shape}" for t in contraction.output_types()]
    found = [f"{y.dtype}{y.shape}" for y in outputs]
    if found != expected:
        raise ValueError(
            f"the executor {executor.name!r} must return {', '.join(expected)}; "
            f"it returned {', '.join(found) or 'nothing'}"
        )
    return list(outputs)


def _shapes(*_: Any, contraction: Contraction, executor: Choice) -> list[jax.ShapeDtypeStruct]:
    return contraction.output_types()


def _jvp(
    primals: Sequence[Any], tangents: Sequence[Any], *, contraction: Contraction, executor: Choice
) -> tuple[list[Any], list[Any]]:
    out = polynomial_p.bind(*primals, contraction=contraction, executor=executor)
    inputs, indices = _split(contraction, primals)
    active = [not isinstance(t, Zero) for t in tangents[: len(inputs)]]
    given = [*inputs, *(t for t, yes in zip(tangents, active, strict=False) if yes)]
    d_out = _bind_reached(contraction, contraction.polynomial.derivative(active), given, indices, executor)
    return out, [zero_tangent(y) if dy is None else dy for y, dy in zip(out, d_out, strict=True)]


def _transpose(cotangents: Sequence[Any], *arrays: Any, contraction: Contraction, executor: Choice) -> list[Any]:
    inputs, indices = _split(contraction, arrays)
    linear = [is_undefined(x) for x in inputs]
    given = [x for x, yes in zip(inputs, linear, strict=True) if not yes]
    turned = contraction.polynomial.transpose(linear)
    # Paths that read a cotangent known to be zero are dropped.
    zero = {len(given) + o for o, ct in enumerate(cotangents) if isinstance(ct, Zero)}
    results = iter(_bind_reached(contraction, turned.without(zero), [*given, *cotangents], indices, executor))
    out = [next(results) if yes else None for yes in linear]
    filled = [Zero(x.aval) if yes and y is None else y for x, y, yes in zip(inputs, out, linear, strict=True)]
    return [*filled, *[None] * len(indices)]


def _prune(used: list[bool], parameters: dict[str, Any]) -> tuple[list[bool], dict[str, Any]]:
    contraction = parameters["contraction"]
    small, keeps = contraction.polynomial.select(used)
    needed = [*keeps, *(name in small.indices for name in contraction.polynomial.indices)]
    return needed, {**parameters, "contraction": _derived(contraction, small)}


def _vmap(
    arrays: Sequence[Any], axes: Sequence[Any], *, contraction: Contraction, executor: Choice
) -> tuple[list[Any], list[Any]]:
    polynomial = contraction.polynomial
    inputs, indices = _split(contraction, arrays)
    in_axes, index_axes = axes[: len(inputs)], dict(zip(indices, axes[len(inputs) :], strict=True))
    size = next(x.shape[a] for x, a in zip(arrays, axes, strict=True) if a is not None)
    mapped = [a is not None for a in in_axes]
    if any(a is not None for a in index_axes.values()) or _extends_batch(polynomial, mapped) or not is_known(size):
        return _vmap_as_batch(contraction, executor, inputs, in_axes, indices, index_axes, size)
    # The new axis becomes the first channel axis.
    moved = [
        x if a is None else jnp.moveaxis(x, a, operand.channel_axis)
        for x, a, operand in zip(inputs, in_axes, polynomial.inputs, strict=True)
    ]
    wide, depends = polynomial.vmap(size, mapped)
    out = _bind(_derived(contraction, wide), moved, indices, executor)
    return out, [o.channel_axis if yes else None for o, yes in zip(polynomial.outputs, depends, strict=True)]


def _extends_batch(polynomial: Polynomial, mapped: Sequence[bool]) -> bool:
    """Tell whether the new axis only makes the batch larger, so that no array is transposed or repeated."""
    return all(o.access is Access.BATCHED for o in polynomial.outputs) and all(
        o.access is (Access.BATCHED if yes else Access.BROADCAST)
        for o, yes in zip(polynomial.inputs, mapped, strict=True)
    )


def _vmap_as_batch(
    contraction: Contraction,
    executor: Choice,
    inputs: list[Any],
    in_axes: Sequence[Any],
    indices: dict[str, Any],
    index_axes: dict[str, Any],
    size: int,
) -> tuple[list[Any], list[Any]]:
    """Join the new axis and the batch; each element of the batch has indices into its own part of mapped arrays."""
    old = contraction.polynomial
    part = next(name for name in ("part" + "_" * n for n in range(len(old.indices) + 1)) if name not in old.indices)

    def unrolled(operand: Operand) -> Operand:
        return replace(operand, access=Index(part)) if operand.access is Access.BROADCAST else operand

    flat, operands = [], []
    for x, a, operand in zip(inputs, in_axes, old.inputs, strict=True):
        broadcast = operand.access is Access.BROADCAST
        if broadcast and a is None:
            flat.append(x)
            operands.append(operand)
            continue
        x = jnp.broadcast_to(x, (size, *x.shape)) if a is None else jnp.moveaxis(x, a, 0)
        flat.append(x if broadcast else x.reshape((size * x.shape[1], *x.shape[2:])))
        operands.append(unrolled(operand))
    sizes = dict(contraction.sizes)
    long_indices: dict[str, Any] = {
        part: jnp.broadcast_to(jnp.arange(size)[:, None], (size, contraction.batch)).reshape(-1)
    }
    for name, index in indices.items():
        a, n = index_axes[name], sizes[name]
        index = jnp.broadcast_to(index, (size, contraction.batch)) if a is None else jnp.moveaxis(index, a, 0)
        # Wide enough for all parts; entries out of range must stay out of range.
        with jax.numpy_dtype_promotion("standard"):  # explicit, whatever the user allows
            index = index.astype(jnp.promote_types(index.dtype, jnp.int32))
        offset = n * jnp.arange(size, dtype=index.dtype)[:, None]
        # Padding has the entry n. Other entries out of range go one further, for `checked` to tell them apart.
        outside = size * n + (index != n).astype(index.dtype)
        long_indices[name] = jnp.where((index >= 0) & (index < n), index + offset, outside).reshape(-1)
    polynomial = Polynomial(tuple(operands), tuple(map(unrolled, old.outputs)), old.paths)
    long_sizes = {part: size, **{name: size * n for name, n in sizes.items()}}
    counts = tuple((name, long_sizes[name]) for name in polynomial.indices)
    long = replace(contraction, polynomial=polynomial, batch=size * contraction.batch, sizes=counts)
    out = _bind(long, flat, long_indices, executor)
    shaped = [
        y if o.access is Access.BROADCAST else y.reshape((size, y.shape[0] // size, *y.shape[1:]))
        for y, o in zip(out, old.outputs, strict=True)
    ]
    return shaped, [0] * len(shaped)


polynomial_p = new_primitive(
    "irreps_polynomial",
    run=_run,
    shapes=_shapes,
    jvp=_jvp,
    transpose=_transpose,
    vmap=_vmap,
    prune=_prune,
    static=("contraction", "executor"),
)
