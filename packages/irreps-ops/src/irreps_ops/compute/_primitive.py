"""The JAX primitive of the compute core: evaluate a polynomial. Each of its derivatives is this primitive again."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from irreps_ops._inputs._sizes import is_known

from ._arguments import prepared
from ._contraction import Contraction
from ._dispatch import Choice, Executor, ViewsExecutor, choose
from ._jax_compat import Zero, is_undefined, new_primitive, vary_alike, zero_tangent
from ._polynomial import Polynomial
from ._terms import Access, Index, Operand
from ._views import View, Views


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
    joined: Sequence[View] | None = None,
) -> list[jax.Array]:
    """Evaluate a polynomial: differentiable to any order in any mode, with vmap and dead-code elimination.

    Outputs that no path reaches are zeros and cost nothing. An array that is passed twice, for equal operands, is read
    once, and products of its components are computed once.

    Args:
        polynomial: the polynomial.
        inputs: for each input an array of shape ([batch,] components, *channels), or None if it is known to be zero.
            All have one floating dtype, or narrower ones; see `dtype`. An input may be a :class:`Part` of a larger
            array.
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
        joined: for each output the part of an array that it is, see :class:`View`. These arrays are returned.

    Returns:
        For each output an array of shape ([batch,] components, *channels); the arrays of `joined` if it is given.

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
    call = prepared(
        polynomial, inputs, indices, batch=batch, sizes=sizes, dtype=dtype, out_dtype=out_dtype, joined=joined
    )
    contraction = replace(call.contraction, precision=precision)
    if executor is not None:
        choose(contraction, executor)  # refuse here, where it was requested, and not at lowering
    bound = _Bound(contraction, call.views, executor)
    results = _bind_reached(bound, contraction.polynomial, call.views, call.arrays, call.indices)
    types = call.views.output_types(contraction)
    return [jnp.zeros(t.shape, t.dtype) if y is None else y for y, t in zip(results, types, strict=True)]


class _Bound(NamedTuple):
    """The parameters of the primitive. Its operands are the arrays of the views, and then the indices."""

    contraction: Contraction
    views: Views
    executor: Choice

    def split(self, arrays: Sequence[Any]) -> tuple[list[Any], dict[str, Any]]:
        """Split the operands of the primitive into arrays, and indices by name."""
        n = self.views.num_inputs
        return list(arrays[:n]), dict(zip(self.contraction.polynomial.indices, arrays[n:], strict=True))


def _bind(bound: _Bound, arrays: Sequence[Any], indices: Mapping[str, Any]) -> list[Any]:
    operands = [*arrays, *(indices[name] for name in bound.contraction.polynomial.indices)]
    return polynomial_p.bind(*vary_alike(operands), **bound._asdict())


def _derived(contraction: Contraction, polynomial: Polynomial) -> Contraction:
    """Return the contraction of a polynomial that was derived from that of `contraction`."""
    sizes = tuple((name, size) for name, size in contraction.sizes if name in polynomial.indices)
    return replace(contraction, polynomial=polynomial, sizes=sizes)


def _bind_reached(
    bound: _Bound, polynomial: Polynomial, views: Views, arrays: Sequence[Any], indices: Mapping[str, Any]
) -> list[Any]:
    """Bind a polynomial with only the inputs that paths read. Output arrays that no path reaches are None."""
    used = polynomial.reached()
    if not any(used):
        return [None] * views.num_outputs
    small, keeps = polynomial.select(used)
    own, kept, written = views.select(keeps, used)
    given = [x for x, yes in zip(arrays, kept, strict=True) if yes]
    results = iter(_bind(_Bound(_derived(bound.contraction, small), own, bound.executor), given, indices))
    return [next(results) if yes else None for yes in written]


def _run(*arrays: jax.Array, platform: str | None, exported: bool, **parameters: Any) -> list[jax.Array]:
    bound = _Bound(**parameters)
    contraction, views = replace(bound.contraction, platform=platform, exported=exported), bound.views
    given, indices = bound.split(arrays)
    chosen = choose(contraction, bound.executor)
    if isinstance(chosen, ViewsExecutor):
        return _verified(
            chosen, views.output_types(contraction), chosen.run_on_views(contraction, views, given, indices)
        )
    inputs = views.read(contraction.polynomial, given)
    outputs = _verified(chosen, contraction.output_types(), chosen.run(contraction, inputs, indices))
    return views.write(contraction, outputs)


def _verified(
    executor: Executor, types: Sequence[jax.ShapeDtypeStruct], outputs: Sequence[jax.Array]
) -> list[jax.Array]:
    """Return the outputs of an executor if they have these shapes and dtypes."""
    expected = [f"{t.dtype}{t.shape}" for t in types]
    found = [f"{y.dtype}{y.shape}" for y in outputs]
    if found != expected:
        raise ValueError(
            f"the executor {executor.name!r} must return {', '.join(expected)}; "
            f"it returned {', '.join(found) or 'nothing'}"
        )
    return list(outputs)


def _shapes(*_: Any, contraction: Contraction, views: Views, executor: Choice) -> list[jax.ShapeDtypeStruct]:
    return views.output_types(contraction)


def _jvp(primals: Sequence[Any], tangents: Sequence[Any], **parameters: Any) -> tuple[list[Any], list[Any]]:
    bound = _Bound(**parameters)
    out = polynomial_p.bind(*primals, **parameters)
    arrays, indices = bound.split(primals)
    active = [not isinstance(t, Zero) for t in tangents[: len(arrays)]]
    given = [*arrays, *(t for t, yes in zip(tangents, active, strict=False) if yes)]
    derivative = bound.contraction.polynomial.derivative(bound.views.of_operands(active))
    d_out = _bind_reached(bound, derivative, bound.views.derivative(active), given, indices)
    return out, [zero_tangent(y) if dy is None else dy for y, dy in zip(out, d_out, strict=True)]


def _transpose(cotangents: Sequence[Any], *operands: Any, **parameters: Any) -> list[Any]:
    bound = _Bound(**parameters)
    polynomial, views = bound.contraction.polynomial, bound.views
    arrays, indices = bound.split(operands)
    linear = [is_undefined(x) for x in arrays]
    turns = views.of_operands(linear)
    given = [x for x, yes in zip(arrays, linear, strict=True) if not yes]
    # Paths that read a cotangent known to be zero are dropped.
    zero = views.of_outputs([isinstance(ct, Zero) for ct in cotangents])
    first = turns.count(False)
    turned = polynomial.transpose(turns).without(first + o for o, yes in enumerate(zero) if yes)
    results = iter(_bind_reached(bound, turned, views.transpose(linear), [*given, *cotangents], indices))
    out = [next(results) if yes else None for yes in linear]
    filled = [Zero(x.aval) if yes and y is None else y for x, y, yes in zip(arrays, out, linear, strict=True)]
    return [*filled, *[None] * len(indices)]


def _prune(used: list[bool], parameters: dict[str, Any]) -> tuple[list[bool], dict[str, Any]]:
    bound = _Bound(**parameters)
    outputs = bound.views.of_outputs(used)
    small, keeps = bound.contraction.polynomial.select(outputs)
    views, kept, _ = bound.views.select(keeps, outputs)
    needed = [*kept, *(name in small.indices for name in bound.contraction.polynomial.indices)]
    return needed, _Bound(_derived(bound.contraction, small), views, bound.executor)._asdict()


def _vmap(operands: Sequence[Any], axes: Sequence[Any], **parameters: Any) -> tuple[list[Any], list[Any]]:
    bound = _Bound(**parameters)
    polynomial = bound.contraction.polynomial
    arrays, indices = bound.split(operands)
    array_axes, index_axes = axes[: len(arrays)], dict(zip(indices, axes[len(arrays) :], strict=True))
    size = next(x.shape[a] for x, a in zip(operands, axes, strict=True) if a is not None)
    mapped = bound.views.of_operands([a is not None for a in array_axes])
    if any(a is not None for a in index_axes.values()) or _extends_batch(polynomial, mapped) or not is_known(size):
        return _vmap_as_batch(bound, arrays, array_axes, indices, index_axes, size)
    # The new axis becomes the first channel axis, so each operand becomes an array of its own.
    moved = [x if a is None else jnp.moveaxis(x, a, 0) for x, a in zip(arrays, array_axes, strict=True)]
    inputs = [
        jnp.moveaxis(x, 0, operand.channel_axis) if yes else x
        for x, yes, operand in zip(
            bound.views.read(polynomial, moved, [0 if a is None else 1 for a in array_axes]),
            mapped,
            polynomial.inputs,
            strict=True,
        )
    ]
    wide, depends = polynomial.vmap(size, mapped)
    out = _bind(_Bound(_derived(bound.contraction, wide), Views.of_whole_arrays(wide), bound.executor), inputs, indices)
    out_axes = [o.channel_axis if yes else None for o, yes in zip(polynomial.outputs, depends, strict=True)]
    if bound.views.outputs == Views.of_whole_arrays(polynomial).outputs:
        return out, out_axes
    if not any(depends):
        return bound.views.write(bound.contraction, out), [None] * bound.views.num_outputs
    outputs = [
        jnp.broadcast_to(y, (size, *y.shape)) if a is None else jnp.moveaxis(y, a, 0)
        for y, a in zip(out, out_axes, strict=True)
    ]
    joined = bound.views.write(bound.contraction, outputs, (size,))
    return joined, [0] * len(joined)


def _extends_batch(polynomial: Polynomial, mapped: Sequence[bool]) -> bool:
    """Tell whether the new axis only makes the batch larger, so that no array is transposed or repeated."""
    return all(o.access is Access.BATCHED for o in polynomial.outputs) and all(
        o.access is (Access.BATCHED if yes else Access.BROADCAST)
        for o, yes in zip(polynomial.inputs, mapped, strict=True)
    )


def _vmap_as_batch(
    bound: _Bound,
    arrays: Sequence[Any],
    axes: Sequence[Any],
    indices: Mapping[str, Any],
    index_axes: Mapping[str, Any],
    size: int,
) -> tuple[list[Any], list[Any]]:
    """Join the new axis and the batch; each element of the batch has indices into its own part of mapped arrays."""
    contraction, views = bound.contraction, bound.views
    old = contraction.polynomial
    part = next(name for name in ("part" + "_" * n for n in range(len(old.indices) + 1)) if name not in old.indices)

    def unrolled(operand: Operand) -> Operand:
        return replace(operand, access=Index(part)) if operand.access is Access.BROADCAST else operand

    access = {view.array: operand.access for view, operand in zip(views.inputs, old.inputs, strict=True)}
    stays = [a is None and access[n] is Access.BROADCAST for n, a in enumerate(axes)]
    flat = []
    for n, (x, a) in enumerate(zip(arrays, axes, strict=True)):
        if not stays[n]:
            x = jnp.broadcast_to(x, (size, *x.shape)) if a is None else jnp.moveaxis(x, a, 0)
            x = x if access[n] is Access.BROADCAST else x.reshape((size * x.shape[1], *x.shape[2:]))
        flat.append(x)
    operands = [o if yes else unrolled(o) for o, yes in zip(old.inputs, views.of_operands(stays), strict=True)]
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
    out = _bind(bound._replace(contraction=long), flat, long_indices)
    single = {view.array for view, o in zip(views.outputs, old.outputs, strict=True) if o.access is Access.BROADCAST}
    shaped = [y if n in single else y.reshape((size, y.shape[0] // size, *y.shape[1:])) for n, y in enumerate(out)]
    return shaped, [0] * len(shaped)


polynomial_p = new_primitive(
    "irreps_polynomial",
    run=_run,
    shapes=_shapes,
    jvp=_jvp,
    transpose=_transpose,
    vmap=_vmap,
    prune=_prune,
    static=("contraction", "views", "executor"),
)
