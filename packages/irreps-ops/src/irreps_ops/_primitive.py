"""The one JAX primitive of the compute core: evaluate a polynomial. Every derivative of it is it again."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from ._executors import Choice, Task, choose
from ._jax_compat import Zero, is_undefined, new_primitive, zero_tangent
from ._polynomial import EACH, SHARED, Operand, Polynomial, simplified

_BATCH = "batch"


def evaluate(
    polynomial: Polynomial,
    inputs: Sequence[Any],
    indices: Mapping[str, Any] | None = None,
    *,
    rows: int | None = None,
    sizes: Mapping[str, int] | None = None,
    precision: jax.lax.Precision = jax.lax.Precision.HIGHEST,
    executor: Choice = None,
) -> list[jax.Array]:
    """Evaluate a polynomial: differentiable to any order in any mode, batchable, and pruned of what is not used.

    Args:
        polynomial: what to compute.
        inputs: for each input an array of shape ([rows,] components, *channels), all of one floating dtype.
        indices: for each index an integer array of shape (rows,). Rows out of range read zeros and write nothing.
        rows: how many rows there are; needed only if no input and no index says it.
        sizes: for each index that an output is written by, how many rows that output has.
        precision: of matrix products; the default is all that the dtype has.
        executor: who computes it (default: the cheapest that can), see :func:`choose`.

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
    """
    indices = {name: jnp.asarray(index) for name, index in (indices or {}).items()}
    arrays = [jnp.asarray(x) for x in inputs]
    rows = _check(polynomial, arrays, indices, rows)
    known = dict(sizes or {})
    for x, operand in zip(arrays, polynomial.inputs, strict=True):
        if operand.indexed and known.setdefault(operand.rows, x.shape[0]) != x.shape[0]:
            raise ValueError(f"operands of the index {operand.rows!r} have {known[operand.rows]} and {x.shape[0]} rows")
    for name in polynomial.indices:
        if name not in known:
            raise ValueError(f"sizes must say how many rows the outputs of the index {name!r} have")
    counts = tuple((name, int(known[name])) for name in polynomial.indices)
    task = Task(polynomial, rows, counts, _dtype(arrays), precision)
    choose(task, executor)  # what was asked for and cannot is refused here, where it was asked for
    return _bind(task, arrays, indices, executor)


def _dtype(arrays: Sequence[Any]) -> Any:
    dtypes = {jnp.dtype(x.dtype) for x in arrays}
    if len(dtypes) != 1 or not jnp.issubdtype(next(iter(dtypes)), jnp.floating):
        raise ValueError(f"the inputs of a polynomial must be of one floating dtype, got {sorted(map(str, dtypes))}")
    return dtypes.pop()


def _check(polynomial: Polynomial, arrays: list[jax.Array], indices: dict[str, jax.Array], rows: int | None) -> int:
    if len(arrays) != len(polynomial.inputs):
        raise ValueError(f"expected {len(polynomial.inputs)} inputs, got {len(arrays)}")
    found: dict[int, str] = {} if rows is None else {rows: "rows"}
    for n, (x, operand) in enumerate(zip(arrays, polynomial.inputs, strict=True)):
        expected = operand.shape
        if x.ndim != len(expected) + operand.row_axes or x.shape[operand.row_axes :] != expected:
            prefix = "(rows, " if operand.row_axes else "("
            raise ValueError(
                f"input {n} ({operand.name or 'unnamed'}) must have shape {prefix}{', '.join(map(str, expected))}), "
                f"got {x.shape}"
            )
        if operand.rows == EACH:
            found.setdefault(x.shape[0], f"input {n}")
    for name in polynomial.indices:
        if name not in indices:
            raise ValueError(f"the index {name!r} is missing, got {sorted(indices)}")
        if indices[name].ndim != 1 or not jnp.issubdtype(indices[name].dtype, jnp.integer):
            raise ValueError(
                f"the index {name!r} must be integers of shape (rows,), got {indices[name].dtype}{indices[name].shape}"
            )
        found.setdefault(indices[name].shape[0], f"index {name!r}")
    if len(found) != 1:
        raise ValueError(f"the number of rows is not one number: {found or 'nothing says it, give rows='}")
    return next(iter(found))


def _bind(task: Task, inputs: Sequence[Any], indices: Mapping[str, Any], executor: Choice) -> list[Any]:
    arrays = [*inputs, *(indices[name] for name in task.polynomial.indices)]
    return polynomial_p.bind(*arrays, task=task, executor=executor)


def _derived(task: Task, polynomial: Polynomial) -> Task:
    """The task of a polynomial that came from that of `task`: the same rows, as many sizes as it still has indices."""
    sizes = tuple((name, size) for name, size in task.sizes if name in polynomial.indices)
    return replace(task, polynomial=polynomial, sizes=sizes)


def _bind_reached(
    task: Task, polynomial: Polynomial, inputs: Sequence[Any], indices: Mapping[str, Any], executor: Choice
) -> list[Any]:
    """Bind what is left of a polynomial: only inputs that paths use; outputs that no path reaches are None."""
    reached = {path.output for path in polynomial.paths}
    used = [o in reached for o in range(len(polynomial.outputs))]
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
    return choose(task, executor).run(task, inputs, indices)


def _shapes(*_: Any, task: Task, executor: Choice) -> list[jax.ShapeDtypeStruct]:
    return [jax.ShapeDtypeStruct(task.shape(operand), task.dtype) for operand in task.polynomial.outputs]


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
    paths = [path for path in turned.paths if not zero & set(path.inputs)]
    turned = simplified(turned.inputs, turned.outputs, paths)
    results = iter(_bind_reached(task, turned, [*given, *cotangents], indices, executor))
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
    if any(a is not None for a in index_axes.values()):
        return _batch_of_rows(task, executor, inputs, in_axes, indices, index_axes, size)
    # The batch becomes the first channel axis.
    moved = [
        x if a is None else jnp.moveaxis(x, a, operand.channel_axis)
        for x, a, operand in zip(inputs, in_axes, polynomial.inputs, strict=True)
    ]
    wide, depends = polynomial.batch(size, [a is not None for a in in_axes])
    out = _bind(_derived(task, wide), moved, indices, executor)
    return out, [o.channel_axis if yes else None for o, yes in zip(polynomial.outputs, depends, strict=True)]


def _batch_of_rows(
    task: Task,
    executor: Choice,
    inputs: list[Any],
    in_axes: Sequence[Any],
    indices: dict[str, Any],
    index_axes: dict[str, Any],
    size: int,
) -> tuple[list[Any], list[Any]]:
    """Batched indices: the batch becomes more rows, and every row looks into its own part of the batch."""

    def unrolled(operand: Operand) -> Operand:
        return replace(operand, rows=_BATCH if operand.rows == SHARED else operand.rows)

    flat = []
    for x, a, operand in zip(inputs, in_axes, task.polynomial.inputs, strict=True):
        x = jnp.broadcast_to(x, (size, *x.shape)) if a is None else jnp.moveaxis(x, a, 0)
        flat.append(x if operand.rows == SHARED else x.reshape((size * x.shape[1], *x.shape[2:])))
    sizes = dict(task.sizes)
    long_indices: dict[str, Any] = {_BATCH: jnp.repeat(jnp.arange(size), task.rows)}
    for name, index in indices.items():
        a, n = index_axes[name], sizes[name]
        index = jnp.broadcast_to(index, (size, task.rows)) if a is None else jnp.moveaxis(index, a, 0)
        part = n * jnp.arange(size, dtype=index.dtype)[:, None]
        # What is out of range must stay out of range.
        long_indices[name] = jnp.where((index >= 0) & (index < n), index + part, size * n).reshape(-1)
    polynomial = simplified(
        map(unrolled, task.polynomial.inputs), map(unrolled, task.polynomial.outputs), task.polynomial.paths
    )
    long_sizes = {_BATCH: size, **{name: size * n for name, n in sizes.items()}}
    counts = tuple((name, long_sizes[name]) for name in polynomial.indices)
    long = replace(task, polynomial=polynomial, rows=size * task.rows, sizes=counts)
    out = _bind(long, flat, long_indices, executor)
    shaped = [
        y if o.rows == SHARED else y.reshape((size, y.shape[0] // size, *y.shape[1:]))
        for y, o in zip(out, task.polynomial.outputs, strict=True)
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
