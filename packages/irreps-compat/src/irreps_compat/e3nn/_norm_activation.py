"""``e3nn.nn.NormActivation``, which may have biases."""

from dataclasses import KW_ONLY, dataclass
from typing import Any

import jax
import jax.numpy as jnp

from irreps_core import IntoIrreps, Irreps, IrrepsArray
from irreps_ops._inputs._operands import floating, split_items
from irreps_ops.pointwise._activation import Activation
from irreps_ops.scope._scope import Scope, example_inputs

from ._state import Converted, StateDict, read, refuse


@dataclass(frozen=True)
class NormActivation:
    """The norm activation of e3nn, made by :func:`norm_activation`: x -> x / n act(n + b), n the norm of x.

    Attributes:
        irreps_in: irreps of the data.
        act: the function.
        epsilon: the least norm; smaller ones count as that.
        bias: whether each irrep has a bias b, in the parameter ``biases``.
    """

    irreps_in: Irreps
    act: Activation
    _: KW_ONLY
    epsilon: float = 1e-8
    bias: bool = False

    def example(self, *irreps_in: Any, dtype: Any = jnp.float32) -> tuple[Any, ...]:
        """Abstract input of one row."""
        return example_inputs(*irreps_in, dtype=dtype)

    def __call__(self, scope: Scope, x: Any) -> IrrepsArray:
        """Data of shape (..., irreps_in.dim), from data of that shape."""
        (x,) = floating(x)
        x = x.rechunk(self.irreps_in)
        chunks = [
            piece.reshape((*piece.shape[:-1], mul, ir.dim))
            for (mul, ir), piece in zip(x.irreps, split_items(x.array, x.irreps), strict=True)
        ]
        square = jnp.concatenate([x.array[..., :0], *(jnp.sum(chunk**2, axis=-1) for chunk in chunks)], axis=-1)
        small = square < self.epsilon**2
        norm = jnp.where(small, self.epsilon, jnp.sqrt(jnp.where(small, 1, square)))
        argument = norm
        if self.bias:
            b = scope.parameter("biases", (self.irreps_in.num_irreps,), x.dtype, jax.nn.initializers.zeros)
            argument = norm + b.reshape((1,) * (norm.ndim - 1) + b.shape)
        factors = jnp.repeat(self.act(argument) / norm, _dims(x.irreps), axis=-1, total_repeat_length=x.irreps.dim)
        return IrrepsArray(x.irreps, x.array * factors, zero_flags=x.zero_flags)


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
    """An ``e3nn.nn.NormActivation`` as a layer, with its biases.

    x -> x / n act(n + b), n the norm of x but at least `epsilon`. The function is not scaled. (e3nn's `normalize` is
    true: with False the module cannot be made.) Without biases and `epsilon`,
    ``irreps_ops.norm_activation(x, [lambda n: act(n) / n, ...], normalization="norm")`` is the same.

    Args:
        state: state dict of NumPy arrays.
        prefix: name of the module in the state dict.
        irreps_in: irreps of the data.
        scalar_nonlinearity: JAX's function for the PyTorch function of the module.
        epsilon: the least norm (default: 1e-8).
        bias: whether each irrep has a bias.

    Raises:
        ValueError: an array is missing, has another shape or should not be there; names the expected and the found. Or
            epsilon is not positive.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import irreps_core as ic
        >>> import irreps_ops as irr
        >>> from irreps_compat import e3nn
        >>> layer, params = e3nn.norm_activation({}, "", "1o", jnp.tanh)
        >>> irr.apply(layer, params, ic.IrrepsArray("1o", jnp.array([0.0, 2.0, 0.0])))
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
