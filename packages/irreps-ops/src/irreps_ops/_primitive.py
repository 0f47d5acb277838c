"""The one JAX primitive of the compute core: evaluate a polynomial. Every derivative of it is it again."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from ._arguments import prepared
from ._executors import Choice, Executor, Task, choose
from ._jax_compat import Zero, is_undefined, new_primitive, vary_alike, zero_tangent
from ._polynomial import EACH, SHARED, Operand, Polynomial, simplified


def evaluate(
    polynomial: Polynomial,
    inputs: Sequence[Any],
    indices: Mapping[str, Any] | None = None,
    *,
    rows: int | None = None,
    sizes: Mapping[str, int] | None = None,
    dtype: Any = None,
    out_dtype: Any = None,
    precision: jax.lax.Precision = jax.lax.Precision.HIGHEST,
    executor: Choice = None,
) -> list[jax.Array]:
    """Evaluate a polynomial: differentiable to any order in any mode, batchable, and pruned of what is not used.

    Outputs that no path leads to are zeros and cost nothing. An array that is given twice, as inputs that are
    described alike, is read once, and products of its components are computed once.

    Args:
        polynomial: what to compute.
        inputs: for each input an array of shape ([rows,] components, *channels), or None if it is known to be zero.
            All are of one floating dtype, or of narrower ones; see `dtype`.
        indices: for each index an integer array of shape (rows,). Rows out of range read zeros and write nothing;
            inside of :func:`checked` they are an error.
        rows: how many rows there are; needed only if no input and no index says it.
        sizes: for each index that an output is written by, how many rows that output has.
        dtype: of the arithmetic and of all sums. Default: that of the inputs, but float32 if all are narrower.
            So arrays may be stored as bfloat16 (half the bytes to move) and are computed with as float32.
        out_dtype: what outputs are stored as. Default: the type that the dtypes of the inputs promote to.
        precision: of matrix products; the default is all that the dtype has.
        executor: who computes it: a name, an object, several of them (the first that can), or a function of the
            :class:`Task`. Default: the cheapest of ours. :func:`use_executor` says it for a whole function.

    Returns:
        For each output an array of shape ([rows,] components, *channels).

    Raises:
        ValueError: the arrays do not fit the polynomial, or the executor that was asked for cannot do it.

    Example:
        >>> import jax.numpy as jnp
        >>> import numpy as np
        >>> from irreps_ops import Coefficients, Operand, Path, Polynomial, evaluate
        >>> dot = Path((0, 1), 0, ("u", "u", "u"), Coefficients.from_dense(np.eye(3)[:, :, None]))
        >>> polynomial = Polynomial((Operand(3, (8,)), Operand(3, (8,))), (Operand(1, (8,)),), (dot,))
        >>> evaluate(polynomial, [jnp.ones((10, 3, 8)), jnp.ones((10, 3, 8))])[0].shape
        (10, 1, 8)
        >>> evaluate(polynomial, [jnp.ones((10, 3, 8), jnp.bfloat16), jnp.ones((10, 3, 8), jnp.bfloat16)])[0].dtype
        dtype(bfloat16)
    """
    call = prepared(polynomial, inputs, indices, rows=rows, sizes=sizes, dtype=dtype, out_dtype=out_dtype)
    task = replace(call.task, precision=precision)
    choose(task, executor)  # what was asked for and cannot is refused here, where it was asked for
    results = _bind_reached(task, task.polynomial, call.inputs, call.indices, executor)
    types = task.output_types()
    return [jnp.zeros(t.shape, t.dtype) if y is None else y for y, t in zip(results, types, strict=True)]


def _bind(task: Task, inputs: Sequence[Any], indices: Mapping[str, Any], executor: Choice) -> list[Any]:
    arrays = [*inputs, *(indices[name] for name in task.polynomial.indices)]
    return polynomial_p.bind(*vary_alike(arrays), task=task, executor=executor)


def _derived(task: Task, polynomial: Polynomial) -> Task:
    """The task of a polynomial that came from that of `task`: the same rows, as many sizes as it still has indices."""
    sizes = tuple((name, size) for name, size in task.sizes if name in polynomial.indices)
    return replace(task, polynomial=polynomial, sizes=sizes)


def _bind_reached(
    task: Task, polynomial: Polynomial, inputs: Sequence[Any], indices: Mapping[str, Any], executor: Choice
) -> list[Any]:
    """Bind what is left of a polynomial: only inputs that paths use; outputs that no path reaches are None."""
    used = polynomial.reached()
    if not any(used):
        return [None] * len(used)
    small, keeps = polynomial.select(used)
    arrays = [x for x, yes in zip(inputs, keeps, strict=True) if yes]
    results = iter(_bind(_derived(task, small), arrays, indices, executor))
    return [next(results) if yes else None for yes in used]


def _split(task: Task, arrays: Sequence[Any]) -> tuple[list[Any], dict[str, Any]]:
    """Inputs, and indices by name."""
    n = len(task.polynomial.inputs)
    return list(arrays[:n]), dict(zip(task.polynomial.indices, arrays[n:], strict=True))


def _run(*arrays: jax.Array, task: Task, executor: Choice) -> list[jax.Array]:
    inputs, indices = _split(task, arrays)
    chosen = choose(task, executor)
    return _answer(task, chosen, chosen.run(task, inputs, indices))


def _answer(task: Task, executor: Executor, outputs: Sequence[jax.Array]) -> list[jax.Array]:
    """The outputs, if they are of the shapes and dtypes that the task says."""
    expected = [f"{t.dtype}{t.shape}" for t in task.output_types()]
    found = [f"{y.dtype}{y.shape}" for y in outputs]
    if found != expected:
        raise ValueError(
            f"the executor {executor.name!r} must answer with {', '.join(expected)}; "
            f"it answered with {', '.join(found) or 'nothing'}"
        )
    return list(outputs)


def _shapes(*_: Any, task: Task, executor: Choice) -> list[jax.ShapeDtypeStruct]:
    return task.output_types()


def _jvp(
    primals: Sequence[Any], tangents: Sequence[Any], *, task: Task, executor: Choice
) -> tuple[list[Any], list[Any]]:
    out = polynomial_p.bind(*primals, task=task, executor=executor)
    inputs, indices = _split(task, primals)
    active = [not isinstance(t, Zero) for t in tangents[: len(inputs)]]
    given = [*inputs, *(t for t, yes in zip(tangents, active, strict=False) if yes)]
    d_out = _bind_reached(task, task.polynomial.derivative(active), given, indices, executor)
    return out, [zero_tangent(y) if dy is None else dy for y, dy in zip(out, d_out, strict=True)]


def _transpose(cotangents: Sequence[Any], *arrays: Any, task: Task, executor: Choice) -> list[Any]:
    inputs, indices = _split(task, arrays)
    linear = [is_undefined(x) for x in inputs]
    given = [x for x, yes in zip(inputs, linear, strict=True) if not yes]
    turned = task.polynomial.transpose(linear)
    # Cotangents that are known to be zero take their paths with them.
    zero = {len(given) + o for o, ct in enumerate(cotangents) if isinstance(ct, Zero)}
    results = iter(_bind_reached(task, turned.without(zero), [*given, *cotangents], indices, executor))
    out = [next(results) if yes else None for yes in linear]
    filled = [Zero(x.aval) if yes and y is None else y for x, y, yes in zip(inputs, out, linear, strict=True)]
    return [*filled, *[None] * len(indices)]


def _prune(used: list[bool], parameters: dict[str, Any]) -> tuple[list[bool], dict[str, Any]]:
    task = parameters["task"]
    small, keeps = task.polynomial.select(used)
    needed = [*keeps, *(name in small.indices for name in task.polynomial.indices)]
    return needed, {**parameters, "task": _derived(task, small)}


def _batch(arrays: Sequence[Any], axes: Sequence[Any], *, task: Task, executor: Choice) -> tuple[list[Any], list[Any]]:
    polynomial = task.polynomial
    inputs, indices = _split(task, arrays)
    in_axes, index_axes = axes[: len(inputs)], dict(zip(indices, axes[len(inputs) :], strict=True))
    size = next(x.shape[a] for x, a in zip(arrays, axes, strict=True) if a is not None)
    batched = [a is not None for a in in_axes]
    if any(a is not None for a in index_axes.values()) or _is_more_rows(polynomial, batched):
        return _batch_of_rows(task, executor, inputs, in_axes, indices, index_axes, size)
    # The batch becomes the first channel axis.
    moved = [
        x if a is None else jnp.moveaxis(x, a, operand.channel_axis)
        for x, a, operand in zip(inputs, in_axes, polynomial.inputs, strict=True)
    ]
    wide, depends = polynomial.batch(size, batched)
    out = _bind(_derived(task, wide), moved, indices, executor)
    return out, [o.channel_axis if yes else None for o, yes in zip(polynomial.outputs, depends, strict=True)]


def _is_more_rows(polynomial: Polynomial, batched: Sequence[bool]) -> bool:
    """Whether a batch is nothing but more rows, so that no array has to be rearranged or repeated."""
    return all(o.rows == EACH for o in polynomial.outputs) and all(
        o.rows == (EACH if yes else SHARED) for o, yes in zip(polynomial.inputs, batched, strict=True)
    )


def _batch_of_rows(
    task: Task,
    executor: Choice,
    inputs: list[Any],
    in_axes: Sequence[Any],
    indices: dict[str, Any],
    index_axes: dict[str, Any],
    size: int,
) -> tuple[list[Any], list[Any]]:
    """The batch becomes more rows, and every row looks into its own part of what is batched."""
    old = task.polynomial
    batch = next(name for name in ("batch" + "_" * n for n in range(len(old.indices) + 1)) if name not in old.indices)

    def unrolled(operand: Operand) -> Operand:
        return replace(operand, rows=batch if operand.rows == SHARED else operand.rows)

    flat, operands = [], []
    for x, a, operand in zip(inputs, in_axes, old.inputs, strict=True):
        if operand.rows == SHARED and a is None:
            flat.append(x)
            operands.append(operand)
            continue
        x = jnp.broadcast_to(x, (size, *x.shape)) if a is None else jnp.moveaxis(x, a, 0)
        flat.append(x if operand.rows == SHARED else x.reshape((size * x.shape[1], *x.shape[2:])))
        operands.append(unrolled(operand))
    sizes = dict(task.sizes)
    long_indices: dict[str, Any] = {batch: jnp.repeat(jnp.arange(size), task.rows)}
    for name, index in indices.items():
        a, n = index_axes[name], sizes[name]
        index = jnp.broadcast_to(index, (size, task.rows)) if a is None else jnp.moveaxis(index, a, 0)
        # Wide enough for all parts of the batch; what is out of range must stay out of range.
        index = index.astype(jnp.promote_types(index.dtype, jnp.int32))
        part = n * jnp.arange(size, dtype=index.dtype)[:, None]
        # (What is not padding either goes one further, for `checked` to see.)
        outside = size * n + (index != n).astype(index.dtype)
        long_indices[name] = jnp.where((index >= 0) & (index < n), index + part, outside).reshape(-1)
    polynomial = simplified(operands, map(unrolled, old.outputs), old.paths)
    long_sizes = {batch: size, **{name: size * n for name, n in sizes.items()}}
    counts = tuple((name, long_sizes[name]) for name in polynomial.indices)
    long = replace(task, polynomial=polynomial, rows=size * task.rows, sizes=counts)
    out = _bind(long, flat, long_indices, executor)
    shaped = [
        y if o.rows == SHARED else y.reshape((size, y.shape[0] // size, *y.shape[1:]))
        for y, o in zip(out, old.outputs, strict=True)
    ]
    return shaped, [0] * len(shaped)


polynomial_p = new_primitive(
    "irreps_polynomial",
    run=_run,
    shapes=_shapes,
    jvp=_jvp,
    transpose=_transpose,
    batch=_batch,
    prune=_prune,
    static=("task", "executor"),
)
