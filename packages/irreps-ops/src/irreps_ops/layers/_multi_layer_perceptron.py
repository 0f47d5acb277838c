"""The layer `MultiLayerPerceptron`: a plain neural network on scalars."""

import math
from collections.abc import Sequence
from dataclasses import KW_ONLY
from numbers import Integral
from typing import Any, overload

import jax
import jax.numpy as jnp

from irreps_core import IrrepsArray, converted, frozen
from irreps_ops._inputs._normalization import Normalization, normalization_exponent
from irreps_ops._inputs._precision import rounded_to, widened
from irreps_ops.pointwise._activation import Activation, normalize_function
from irreps_ops.scope._initializers import Normal
from irreps_ops.scope._scope import Scope, describe_layer, example_inputs


@frozen
class MultiLayerPerceptron:
    r"""A plain neural network on scalars, which is equivariant because scalars are invariant.

    Each layer maps x to :math:`\text{act}(x W / \sqrt n)`, where n is the number of its inputs.
    :func:`normalize_function` scales act so that it keeps variance 1, unless the function is marked as normalized.

    Args:
        list_neurons: number of neurons of each layer, without the input.
        act: activation function, or None.
        gradient_normalization: where to apply :math:`1 / \sqrt n`: ``"path"``, in the forward pass; ``"element"``, in
            the initial weights; or a number between 1 (path) and 0 (element).
        output_activation: whether the last layer has the activation, or the activation of the last layer.
        with_bias: whether the layers have biases.

    Raises:
        ValueError: input that is not scalar (0e), or no layers.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import irreps_ops as irr
        >>> mlp = irr.MultiLayerPerceptron([64, 1], jax.nn.silu, output_activation=False)
        >>> params = irr.init(mlp, jax.random.key(0), jnp.ones((10, 8)))
        >>> jax.tree.map(jnp.shape, params)
        {'linear_0': {'w': (8, 64)}, 'linear_1': {'w': (64, 1)}}
        >>> irr.apply(mlp, params, jnp.ones((10, 8))).shape
        (10, 1)
    """

    list_neurons: Sequence[int] = converted(tuple)
    act: Activation | None
    _: KW_ONLY
    gradient_normalization: Normalization | None = None
    output_activation: Activation | bool = True
    with_bias: bool = False

    def validate(self) -> None:
        """Refuse arguments that do not describe a network."""
        if not self.list_neurons or any(not isinstance(n, Integral) or n <= 0 for n in self.list_neurons):
            raise ValueError(f"list_neurons must be one or more positive integers, got {self.list_neurons}")
        if not (self.act is None or callable(self.act)):
            raise ValueError(f"act must be a function or None, got {self.act!r}")
        if not (isinstance(self.output_activation, bool) or callable(self.output_activation)):
            raise ValueError(f"output_activation must be a bool or a function, got {self.output_activation!r}")
        normalization_exponent(self.gradient_normalization, "path", "gradient_normalization")

    def example(self, *irreps_in: Any, dtype: Any = jnp.float32) -> tuple[Any, ...]:
        """Return abstract inputs: for scalar irreps or, for an int, that many plain features."""
        return example_inputs(*irreps_in, dtype=dtype)

    @overload
    def __call__(self, scope: Scope, x: IrrepsArray) -> IrrepsArray: ...
    @overload
    def __call__(self, scope: Scope, x: jax.Array) -> jax.Array: ...
    def __call__(self, scope: Scope, x: jax.Array | IrrepsArray) -> jax.Array | IrrepsArray:
        """Apply the network to an array or scalars of shape (..., n), and return the same kind."""
        if not isinstance(x, IrrepsArray):
            return self._on_array(scope, jnp.asarray(x))
        if x.irreps.dim > 0 and not x.irreps.is_scalar():
            raise ValueError(f"{describe_layer(scope, self)} works on scalars (0e) only, got {x.irreps}")
        array = self._on_array(scope, jnp.asarray(x.array))
        return IrrepsArray([(array.shape[-1], "0e")], array)

    def _on_array(self, scope: Scope, x: jax.Array) -> jax.Array:
        exponent = normalization_exponent(self.gradient_normalization, "path", "gradient_normalization")
        last = len(self.list_neurons) - 1
        if x.ndim == 0:
            raise ValueError(f"{describe_layer(scope, self)} expects data of shape (..., features), got shape ()")
        if not jnp.issubdtype(x.dtype, jnp.floating):
            x = x.astype(jnp.zeros(()).dtype)
        for i, n in enumerate(self.list_neurons):
            scale = 1 / math.sqrt(max(x.shape[-1], 1))
            layer = scope.child(f"linear_{i}")
            normal = Normal(scale ** (1 - exponent))
            w = layer.parameter("w", (x.shape[-1], n), x.dtype, normal)
            x = jnp.matmul(x, w, precision=jax.lax.Precision.HIGHEST)
            if self.with_bias:
                b = layer.parameter("b", (n,), x.dtype, jax.nn.initializers.zeros)
                # In float32 at least, because the derivative by a bias is a sum over the batch.
                x = rounded_to(x.dtype, widened(x) + widened(b).reshape((1,) * (x.ndim - 1) + (n,)))
            x = scale**exponent * x
            act = self._activation(i == last)
            x = x if act is None else act(x)
        return x

    def _activation(self, is_last: bool) -> Activation | None:
        act = self.act
        if is_last and self.output_activation is not True:
            act = None if self.output_activation is False else self.output_activation
        return None if act is None else normalize_function(act)
