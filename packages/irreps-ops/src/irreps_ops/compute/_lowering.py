"""The interface between operations and the primitive: lowerings, and their evaluation.

A lowering describes an operation on arrays of data. It knows the polynomials that compute the operation, how data and
weights become their operands, and how their outputs become data. Every operation reaches :func:`evaluate` through
:func:`evaluate_lowering`; operations on data with any leading axes use :func:`evaluate_on_batch`, where

* the leading axes become the batch,
* each array is found to be batched or broadcast,
* a large batch is processed in tiles.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeAlias

import jax
import jax.numpy as jnp

from ._contraction import Contraction
from ._dispatch import Choice, takes_whole_batches
from ._polynomial import Polynomial
from ._primitive import evaluate
from ._terms import Access, Operand
from ._tiled_map import in_tiles
from ._views import Part, View


class Evaluate(Protocol):
    """Evaluates a polynomial, see :func:`evaluate`."""

    def __call__(
        self, polynomial: Polynomial, inputs: Sequence[jax.Array | Part], joined: Sequence[View] | None = None
    ) -> list[jax.Array]:
        """Return the outputs, or the arrays that they are parts of."""
        ...


class Lowering(Protocol):
    """An operation on arrays, in terms of polynomials. A frozen value, cached by the description of the operation."""

    @property
    def polynomial(self) -> Polynomial:
        """The polynomial that is evaluated first. The operation may evaluate others on its outputs."""
        ...

    @property
    def width(self) -> int:
        """How many numbers the result has for each element of the batch."""
        ...

    @property
    def intermediate(self) -> int:
        """How many numbers the intermediate results have for each element of the batch."""
        ...

    def __call__(self, evaluate: Evaluate, *arrays: jax.Array) -> jax.Array:
        """Compute the result.

        Args:
            evaluate: evaluates a polynomial on its inputs.
            arrays: data and weights, of shape ([batch,] ...).

        Returns:
            Data of shape (batch, width).
        """
        ...


Lower: TypeAlias = Callable[[tuple[Access, ...]], Lowering]


def as_operand(x: jax.Array, operand: Operand) -> jax.Array:
    """Give an array of shape ([batch,] ...) the axes of an operand."""
    return x.reshape((*x.shape[: operand.batch_axes], *operand.shape))


def evaluate_lowering(
    lowering: Lowering,
    arrays: Sequence[jax.Array],
    indices: Mapping[str, jax.Array] | None = None,
    *,
    batch: int | None = None,
    precision: jax.lax.Precision = jax.lax.Precision.HIGHEST,
    executor: Choice = None,
) -> jax.Array:
    """Evaluate an operation on arrays that already have at most one batch axis.

    Args:
        lowering: the operation.
        arrays: data and weights, of shape ([batch,] ...).
        indices: see :func:`evaluate`, as the rest.
        batch: size of the batch.
        precision: of matrix products.
        executor: the executor.

    Returns:
        Data of shape (batch, lowering.width).
    """

    def run(
        polynomial: Polynomial, inputs: Sequence[jax.Array | Part], joined: Sequence[View] | None = None
    ) -> list[jax.Array]:
        return evaluate(polynomial, inputs, indices, batch=batch, precision=precision, executor=executor, joined=joined)

    return lowering(run, *arrays)


def evaluate_on_batch(
    lower: Lower,
    data: Sequence[jax.Array],
    weights: Sequence[jax.Array] = (),
    weight_axes: Sequence[int] = (),
    *,
    in_one: Lower | None = None,
    executor: Choice = None,
) -> jax.Array:
    """Evaluate an operation on data and weights with any leading axes, which broadcast and become the batch.

    An array without leading axes is broadcast to the batch as it is. Weights that parts of the batch share, of shape
    (3, 1, ...) for a batch of (3, 4), say, are repeated if they are smaller than the data. Otherwise the missing axis
    becomes a channel axis of the data.

    Args:
        lower: returns the lowering for the accesses of data and weights.
        data: arrays of shape (..., numbers), one at least.
        weights: arrays of shape (..., *axes of the weights for one element).
        weight_axes: for each array of weights the number of axes that the weights for one element have.
        in_one: the same in a single polynomial, for executors that take whole batches and need no intermediate results.
            Default: `lower`.
        executor: see :func:`evaluate`.

    Returns:
        Data of shape (..., width), of the dtype that all arrays promote to.
    """
    dtype = jnp.result_type(*data, *weights)
    arrays = [jnp.asarray(x, dtype) for x in (*data, *weights)]
    own_axes = [x.ndim - n for x, n in zip(arrays, [*[1] * len(data), *weight_axes], strict=True)]
    return _on_batch(lower, in_one or lower, arrays, own_axes, len(data), executor)


def _on_batch(
    lower: Lower,
    in_one: Lower,
    arrays: Sequence[jax.Array],
    own_axes: Sequence[int],
    num_data: int,
    executor: Choice,
) -> jax.Array:
    """Evaluate an operation on arrays, the data first, of which the first `own_axes` axes are leading axes."""
    own = [x.shape[:n] for x, n in zip(arrays, own_axes, strict=True)]
    leading = jnp.broadcast_shapes(*own)
    batch = math.prod(leading)
    elements = [math.prod(x.shape[n:]) for x, n in zip(arrays, own_axes, strict=True)]
    partly_shared = any(math.prod(shape) not in (0, 1) and shape != leading for shape in own[num_data:])
    if partly_shared and sum(elements[num_data:]) > sum(elements[:num_data]):
        # Map over the last leading axis the arrays that have it; in the others it is missing or has length 1.
        mapped = [shape[-1:] == leading[-1:] for shape in own]
        axes = [n - 1 if yes else None for n, yes in zip(own_axes, mapped, strict=True)]
        rest = [x if yes or n == 0 else x.squeeze(n - 1) for x, n, yes in zip(arrays, own_axes, mapped, strict=True)]

        def without_axis(*arrays: jax.Array) -> jax.Array:
            return _on_batch(lower, in_one, arrays, [max(n - 1, 0) for n in own_axes], num_data, executor)

        return jax.vmap(without_axis, axes, len(leading) - 1)(*rest)
    # A single element of data is a batch of one.
    batched = [n < num_data and batch == 1 for n in range(len(arrays))]
    found = [_as_batch(x, shape, leading, yes) for x, shape, yes in zip(arrays, own, batched, strict=True)]
    flat, accesses = (tuple(column) for column in zip(*found, strict=True))
    whole = in_one(accesses)
    contraction = Contraction(whole.polynomial, batch, (), flat[0].dtype)
    if not contraction.is_symbolic and takes_whole_batches(contraction, executor):
        return evaluate_lowering(whole, flat, batch=batch, executor=executor).reshape(*leading, whole.width)
    lowering = lower(accesses)

    def compute(*tile: jax.Array) -> jax.Array:
        size = next(x.shape[0] for x, access in zip(tile, accesses, strict=True) if access is Access.BATCHED)
        return evaluate_lowering(lowering, tile, batch=size, executor=executor)

    result = in_tiles(compute, flat, accesses, batch, lowering.width, lowering.intermediate)
    return result.reshape(*leading, lowering.width)


def _as_batch(x: jax.Array, own: tuple[int, ...], leading: tuple[int, ...], batched: bool) -> tuple[jax.Array, Access]:
    """Replace the leading axes of an array by the batch axis; by none if all of the batch share it.

    Args:
        x: the array.
        own: its leading axes.
        leading: the leading axes of the batch.
        batched: whether the array has a batch axis in any case.
    """
    element = x.shape[len(own) :]
    shared = math.prod(own) == 1 and (own == () or math.prod(leading) != 1)
    if shared and not batched:
        return x.reshape(element), Access.BROADCAST
    x = x.reshape((1,) * (len(leading) - len(own)) + x.shape)
    return jnp.broadcast_to(x, (*leading, *element)).reshape(math.prod(leading), *element), Access.BATCHED
