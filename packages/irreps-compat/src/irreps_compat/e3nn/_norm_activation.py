"""Conversion of ``e3nn.nn.NormActivation``."""

from dataclasses import KW_ONLY
from typing import Any

import jax
import jax.numpy as jnp

from irreps_core import IntoIrreps, Irreps, IrrepsArray, as_irreps_array, frozen
from irreps_ops import Activation
from irreps_ops.bindings import Scope, example_inputs

from ._state import Converted, StateDict, read, refuse


@frozen
class NormActivation:
    r"""The norm activation of e3nn as a layer, see :func:`norm_activation`.

    .. math:: y = x \, \text{act}(n + b) / n, \qquad n = \max(|x|, ε)

    Attributes:
        irreps_in: irreps of the data.
        act: the function.
        epsilon: lower bound of the norm.
        bias: whether each irrep has a bias b, in the parameter ``biases``.
    """

    irreps_in: Irreps
    act: Activation
    _: KW_ONLY
    epsilon: float = 1e-8
    bias: bool = False

    def example(self, *irreps_in: Any, dtype: Any = jnp.float32) -> tuple[Any, ...]:
        """Return an abstract input without a batch."""
        return example_inputs(*irreps_in, dtype=dtype)

    def __call__(self, scope: Scope, x: Any) -> IrrepsArray:
        """Return data of the shape of `x`, (..., irreps_in.dim)."""
        x = as_irreps_array(x).rechunk(self.irreps_in)
        array = jnp.asarray(x.array) * 1.0  # integers become floats
        chunks = IrrepsArray(x.irreps, array).chunks
        square = jnp.concatenate([array[..., :0], *(jnp.sum(chunk**2, axis=-1) for chunk in chunks)], axis=-1)
        small = square < self.epsilon**2
        norm = jnp.where(small, self.epsilon, jnp.sqrt(jnp.where(small, 1, square)))
        argument = norm
        if self.bias:
            b = scope.parameter("biases", (self.irreps_in.num_irreps,), array.dtype, jax.nn.initializers.zeros)
            argument = norm + b.reshape((1,) * (norm.ndim - 1) + b.shape)
        factors = jnp.repeat(self.act(argument) / norm, _dims(x.irreps), axis=-1, total_repeat_length=x.irreps.dim)
        return IrrepsArray(x.irreps, array * factors, zero_flags=x.zero_flags)


def _dims(irreps: Irreps) -> Any:
    return jnp.array([ir.dim for mul, ir in irreps for _ in range(mul)], int)


def norm_activation(
    state: StateDict,
    prefix: str,
    irreps_in: IntoIrreps,
    scalar_nonlinearity: Activation,
    *,
    epsilon: float | None = None,
    bias: bool = False,
) -> Converted:
    r"""Convert an ``e3nn.nn.NormActivation`` to a layer, with its biases.

    The layer computes :math:`x \, \text{act}(n + b) / n`, where n is the norm of x but at least `epsilon`. The function
    is not scaled. The argument `normalize` of e3nn is True, because the module cannot be made with False. Without
    biases and `epsilon`, ``irreps_ops.norm_activation(x, [lambda n: act(n) / n, ...], normalization="norm")`` is
    equivalent.

    Args:
        state: state dict of NumPy arrays.
        prefix: name of the module in the state dict.
        irreps_in: irreps of the data.
        scalar_nonlinearity: the JAX function that corresponds to the module's activation.
        epsilon: lower bound of the norm (default: 1e-8).
        bias: whether each irrep has a bias.

    Raises:
        ValueError: an array is missing, unexpected or of another shape; the message states the expected and the actual
            shape. Or epsilon is not positive.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import irreps_ops as irr
        >>> from irreps_compat import e3nn
        >>> layer, params = e3nn.norm_activation({}, "", "1o", jnp.tanh)
        >>> irr.apply(layer, params, irr.IrrepsArray("1o", jnp.array([0.0, 2.0, 0.0])))
        1x1o [0.    0.964 0.   ]
    """
    irreps_in = Irreps(irreps_in)
    what = f"NormActivation({irreps_in})"
    epsilon = 1e-8 if epsilon is None else float(epsilon)
    if not epsilon > 0:
        raise ValueError(f"{what}: epsilon must be positive, got {epsilon}")
    layer = NormActivation(irreps_in, scalar_nonlinearity, epsilon=epsilon, bias=bias)
    if not bias:
        refuse(state, prefix, "biases", what)
        return Converted(layer, {})
    return Converted(layer, {"biases": jnp.asarray(read(state, prefix, "biases", (irreps_in.num_irreps,), what))})
