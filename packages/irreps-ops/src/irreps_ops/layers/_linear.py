"""The layer `Linear`: an equivariant linear map with learned weights."""

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY
from typing import Any, overload

import jax
import jax.numpy as jnp

from irreps_core import IntoIrreps, Irreps, IrrepsArray, converted, frozen
from irreps_ops._inputs._normalization import Normalization, normalization_exponent
from irreps_ops._inputs._operands import floating
from irreps_ops._inputs._precision import rounded_to, widened
from irreps_ops.products._linear import FunctionalLinear, LinearWeights
from irreps_ops.scope._initializers import Normal
from irreps_ops.scope._scope import Initializer, Scope, check_irreps, describe_layer, example_inputs

from ._chosen_rows import chosen_rows
from ._fields import optional


def _biases(value: bool | Sequence[bool]) -> bool | tuple[bool, ...]:
    return value if isinstance(value, bool) else tuple(map(bool, value))


def _pairs(instructions: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    return tuple((int(i), int(o)) for i, o in instructions)


@frozen
class Linear:
    """Equivariant linear layer.

    It is called with data of shape (..., [channel_in,] irreps_in.dim) in one of three ways:

    * ``(x)``: the weights are parameters;
    * ``(weights, x)`` with scalars `weights` of shape (..., d): each element of the batch has its own map, whose
      weights are a learned linear function of its d scalars;
    * ``(indices, x)`` with integers `indices` of shape (...), and `num_indexed_weights`: each element of the batch uses
      the map of its index (for example of its chemical species).

    By Schur's lemma a linear map connects only equal irreps. Irreps of the output that do not occur in the input are
    dropped, unless `force_irreps_out`.

    Args:
        irreps_out: irreps of the output.
        channel_out: number of output channels; the layer then also mixes the last axis before the irreps.
        irreps_in: expected irreps of the input (default: any).
        biases: whether scalar outputs (0e) have a bias; or a bool for each item of `irreps_out`, which needs
            ``simplify_irreps_internally=False``.
        path_normalization: see :class:`FunctionalLinear`.
        gradient_normalization: see :class:`FunctionalLinear`.
        parameter_initializer: returns the initializer of each parameter (default: normal, with the standard deviation
            that keeps the variance).
        instructions: pairs (input item, output item) to connect; needs `irreps_in`.
        num_indexed_weights: number of maps to choose from by index; negative ones count from the end. The output for
            any other index is NaN, and :func:`checked` raises an error.
        weights_per_channel: whether each channel, on the last axis before the irreps, has a map of its own.
        force_irreps_out: whether to return exactly `irreps_out`, with zeros where no path leads.
        simplify_irreps_internally: whether to sort and merge the irreps before mixing them and, unless `irreps_in` is
            given, to leave out chunks of the input that are known to be zero.

    Raises:
        ValueError: arguments that exclude one another, input of other irreps than `irreps_in` or without a
            channel axis, or weights that are neither indices nor scalars.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import irreps_ops as irr
        >>> x = irr.IrrepsArray("1o + 2x0e", jnp.ones(5))
        >>> layer = irr.Linear("0e + 1o + 2e")
        >>> irr.apply(layer, irr.init(layer, jax.random.key(0), x), x).irreps
        1x0e+1x1o
    """

    irreps_out: IntoIrreps = converted(Irreps)
    channel_out: int | None = None
    _: KW_ONLY
    irreps_in: IntoIrreps = converted(optional(Irreps), default=None)
    biases: bool | Sequence[bool] = converted(_biases, default=False)
    path_normalization: Normalization | None = None
    gradient_normalization: Normalization | None = None
    parameter_initializer: Callable[[], Initializer] | None = None
    instructions: Sequence[tuple[int, int]] | None = converted(optional(_pairs), default=None)
    num_indexed_weights: int | None = None
    weights_per_channel: bool = False
    force_irreps_out: bool = False
    simplify_irreps_internally: bool = True

    def validate(self) -> None:
        """Refuse arguments that exclude one another."""
        for name in ("channel_out", "num_indexed_weights"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"Linear: {name} must be positive, got {value}")
        if self.weights_per_channel and self.channel_out is not None:
            raise ValueError(
                f"Linear: channel_out={self.channel_out} mixes the channels, "
                "weights_per_channel=True keeps them apart: choose one"
            )
        if self.instructions is not None:
            self._check_instructions()
        if not isinstance(self.biases, bool):
            self._check_biases()
        # Raises an error for wrong instructions and normalizations.
        self._map(Irreps(self.irreps_in) if self.irreps_in is not None else Irreps(self.irreps_out))

    def _check_instructions(self) -> None:
        if self.simplify_irreps_internally or self.channel_out is not None or self.irreps_in is None:
            raise ValueError(
                f"Linear: instructions={self.instructions} refer to the items in the given order: they need irreps_in "
                f"and simplify_irreps_internally=False, and exclude channel_out; got irreps_in={self.irreps_in}, "
                f"simplify_irreps_internally={self.simplify_irreps_internally}, channel_out={self.channel_out}"
            )
        self._check_that_none_is_dropped("instructions")

    def _check_biases(self) -> None:
        if self.simplify_irreps_internally:
            raise ValueError(
                f"Linear: biases={self.biases} refer to the items of irreps_out={self.irreps_out} in the given order: "
                "they need simplify_irreps_internally=False"
            )
        self._check_that_none_is_dropped("biases")

    def _check_that_none_is_dropped(self, name: str) -> None:
        if self.force_irreps_out:
            return
        dropped = Irreps(self.irreps_out).filter(drop=self.irreps_in) if self.irreps_in is not None else "any"
        if dropped:
            raise ValueError(
                f"Linear: {name}={getattr(self, name)} refer to the items of irreps_out={self.irreps_out}, but "
                f"{dropped} of them would be dropped: leave them out, or set force_irreps_out=True"
            )

    def example(self, *irreps_in: Any, dtype: Any = jnp.float32) -> tuple[Any, ...]:
        """Return abstract inputs, which determine the shapes of the parameters.

        Args:
            irreps_in: irreps of the data, or data (with channels, for example); preceded by those of the external
                weights, if there are any.
            dtype: dtype of the data.
        """
        inputs = example_inputs(*irreps_in, dtype=dtype)
        if self.num_indexed_weights is not None:
            return (jax.ShapeDtypeStruct((), jnp.int32), *inputs)
        return inputs

    @overload
    def __call__(self, scope: Scope, x: Any, /) -> IrrepsArray: ...
    @overload
    def __call__(self, scope: Scope, weights_or_indices: Any, x: Any, /) -> IrrepsArray: ...
    def __call__(self, scope: Scope, *inputs: Any) -> IrrepsArray:
        """Apply the layer: ``(x)``, ``(weights, x)`` or ``(indices, x)``, see the class."""
        weights, x = self._operands(scope, inputs)
        x = self._checked_input(scope, x)
        if self.simplify_irreps_internally:
            # Where irreps_in is given, the parameters depend on it alone, not on which chunks are zero.
            x = (x.remove_zero_chunks() if self.irreps_in is None else x).regroup()
        if self.channel_out is not None:
            x = x.axis_to_mul()
        if weights is not None:
            x = self._with_batch_of(weights, x)
        f = self._map(x.irreps)
        out = f([self._weights(scope, f, path, weights, x) for path in f.weights], x)
        if self.channel_out is not None:
            out = out.mul_to_axis(self.channel_out)
        return out.rechunk(self.irreps_out) if self.force_irreps_out else out

    def _operands(self, scope: Scope, inputs: tuple[Any, ...]) -> tuple[Any, IrrepsArray]:
        """Return the external weights or indices (None if there are none), and the data in a floating dtype."""
        if len(inputs) not in (1, 2):
            raise ValueError(
                f"{describe_layer(scope, self)} takes (x), (weights, x) or (indices, x), got {len(inputs)} inputs"
            )
        if len(inputs) == 1:
            if self.num_indexed_weights is not None:
                raise ValueError(
                    f"{describe_layer(scope, self)} with num_indexed_weights={self.num_indexed_weights} takes "
                    "(indices, x), got only x"
                )
            (x,) = floating(inputs[0])
            return None, x
        weights = inputs[0]
        if isinstance(weights, IrrepsArray):
            if weights.irreps.dim > 0 and not weights.irreps.is_scalar():
                raise ValueError(
                    f"the external weights of {describe_layer(scope, self)} must be scalars (0e), got {weights.irreps}"
                )
            weights = weights.array
        weights = jnp.asarray(weights)
        expected = jnp.inexact if self.num_indexed_weights is None else jnp.integer
        if not jnp.issubdtype(weights.dtype, expected):
            raise ValueError(
                f"{describe_layer(scope, self)} takes integer indices if num_indexed_weights is given, and floating "
                f"weights if not: got {weights.dtype} with num_indexed_weights={self.num_indexed_weights}"
            )
        if self.num_indexed_weights is not None:
            (x,) = floating(inputs[1])
            return weights, x
        weights_array, x = floating(weights, inputs[1])
        return weights_array.array, x

    def _checked_input(self, scope: Scope, x: IrrepsArray) -> IrrepsArray:
        if (self.channel_out is not None or self.weights_per_channel) and x.ndim < 2:
            raise ValueError(
                f"{describe_layer(scope, self)} with channel_out or weights_per_channel expects data of shape "
                "(..., channel, irreps.dim), "
                f"got shape {tuple(x.shape)}"
            )
        if self.irreps_in is None:
            return x
        expected, found = Irreps(self.irreps_in), x.irreps
        # Another order is accepted, except where instructions refer to items by their position.
        other_order = found.simplify() != expected.simplify() and found.regroup() == expected.regroup()
        if other_order and self.instructions is None:
            return x
        return check_irreps(describe_layer(scope, self), "irreps_in", expected, x)

    def _map(self, irreps_in: Irreps) -> FunctionalLinear:
        """Return the map of data of these irreps, in which channels count as multiplicities."""
        irreps_out = Irreps(self.irreps_out)
        if self.simplify_irreps_internally:
            irreps_out = irreps_out.simplify()
        if not self.force_irreps_out:
            irreps_out = irreps_out.filter(keep=irreps_in)
        if self.channel_out is not None:
            irreps_out = self.channel_out * irreps_out
        return FunctionalLinear(
            irreps_in,
            irreps_out,
            self.instructions,
            self.biases,
            self.path_normalization,
            self.gradient_normalization,
        )

    def _with_batch_of(self, weights: jax.Array, x: IrrepsArray) -> IrrepsArray:
        """Broadcast the data to the batch axes of the weights or indices."""
        batch = weights.shape if self.num_indexed_weights is not None else weights.shape[:-1]
        own = x.shape[-2:] if self.weights_per_channel else x.shape[-1:]
        batch = jnp.broadcast_shapes(x.shape[: x.ndim - len(own)], batch)
        return x.broadcast_to((*batch, *own))

    def _initializer(self, std: float) -> Initializer:
        if self.parameter_initializer is not None:
            return self.parameter_initializer()
        return Normal(std) if std > 0 else jax.nn.initializers.zeros

    def _parameter(self, scope: Scope, name: str, shape: tuple[int, ...], dtype: Any, std: float) -> jax.Array:
        return scope.parameter(name, shape, dtype, self._initializer(std))

    def _chosen(self, maps: jax.Array, indices: jax.Array) -> jax.Array:
        """Return the map of each index."""
        from_end = (indices < 0) & (indices >= -len(maps))
        from_start = jnp.where(from_end, indices + len(maps), indices)
        return chosen_rows("indices of Linear", maps, from_start)

    def _weights(
        self, scope: Scope, f: FunctionalLinear, path: LinearWeights, weights: jax.Array | None, x: IrrepsArray
    ) -> jax.Array:
        """Return the weights of a path, of shape ([batch, channel,] *path_shape)."""
        name, std = f.parameter_name(path), path.weight_std
        shape = (*x.shape[-2:-1], *path.path_shape) if self.weights_per_channel else path.path_shape
        if weights is None:
            return self._parameter(scope, name, shape, x.dtype, std)
        if self.num_indexed_weights is not None:
            w = self._parameter(scope, name, (self.num_indexed_weights, *shape), x.dtype, std)
            # In float32, because the transpose is a sum.
            return rounded_to(w.dtype, self._chosen(widened(w), weights))
        # A linear combination of d maps, scaled as in the last layer of a perceptron.
        d = weights.shape[-1]
        scale = max(d, 1) ** -0.5
        exponent = normalization_exponent(self.gradient_normalization, "path", "gradient_normalization")
        w = self._parameter(scope, name, (d, *shape), x.dtype, scale ** (1 - exponent) * std)
        return jnp.tensordot(weights, scale**exponent * w, axes=1, precision=jax.lax.Precision.HIGHEST)
