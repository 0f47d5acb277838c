"""The layer `BatchNorm`: it centres scalars and scales all irreps by statistics over a batch."""

from dataclasses import KW_ONLY
from math import prod
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp

from irreps_core import IntoIrreps, Irreps, IrrepsArray, converted, from_chunks, frozen
from irreps_ops._inputs._operands import floating
from irreps_ops._inputs._precision import inverse_root, rounded_to, size_for_squares, wide_dtype, widened
from irreps_ops.scope._scope import Scope, check_irreps, describe_layer, example_inputs

from ._fields import optional


@frozen
class BatchNorm:
    r"""Equivariant batch normalization.

    For each irrep c of the data :math:`x_{zac}`, where z is the batch axis and a stands for all other axes,

    .. math:: y_{zac} = \text{weight}_c \, \frac{x_{zac} - \text{mean}_c}
              {\sqrt{(1 - \text{eps}) \, \text{var}_c + \text{eps}}} + \text{bias}_c

    For a scalar (0e), :math:`\text{mean}_c` is the average over z and a; other irreps have neither a mean nor a bias.
    :math:`\text{var}_c` is the average over z of the mean (or the maximum) over a of the squared length of the centred
    data. In training both are statistics of the batch, and derivatives pass through them; the layer keeps running
    averages as state:

    .. math:: \text{running} \leftarrow (1 - \text{momentum}) \, \text{running} + \text{momentum} \cdot \text{batch}

    In evaluation it uses the running averages.

    The parameters are `weight` (initially ones) and `bias` (zeros); the state is `running_mean` (zeros) and
    `running_var` (ones). Statistics of float16 and bfloat16 are computed and stored in float32. Squares do not
    overflow: a variance beyond the range of the dtype is stored as its largest number.

    Args:
        irreps: expected irreps of the data (default: any).
        eps: keeps the square root away from zero; between 0 and 1.
        momentum: weight of the batch in the running averages; between 0 and 1.
        affine: whether the layer has weights and biases.
        reduce: reduction over the other axes, ``"mean"`` or ``"max"``.
        instance: whether each element of the batch has statistics of its own, over its other axes. There is no state
            then.
        normalization: definition of the squared length: ``"component"`` (default), the mean over the components, or
            ``"norm"``, their sum.

    Raises:
        ValueError: unknown options, data of other irreps or without a batch axis, or a mask of another shape.

    Source: Ioffe, Szegedy: Batch Normalization (2015), arXiv:1502.03167. For irreps: Weiler et al., 3D Steerable CNNs
    (2018), arXiv:1807.02547. Names and formula are those of e3nn-jax.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> import irreps_ops as irr
        >>> x = irr.IrrepsArray("0e + 1o", jnp.array([[1.0, 3.0, 0.0, 0.0], [3.0, 0.0, 0.0, -3.0]]))
        >>> layer, key = irr.BatchNorm(), jax.random.key(0)
        >>> params, state = irr.init(layer, key, x), irr.init_state(layer, key, x)
        >>> y, state = irr.apply(layer, params, x, state=state)
        >>> print(jnp.round(y.array, 2) + 0.0)
        [[-1.    1.73  0.    0.  ]
         [ 1.    0.    0.   -1.73]]
        >>> {name: [round(float(a), 2) for a in value] for name, value in state.items()}
        {'running_mean': [0.2], 'running_var': [1.0, 1.2]}
    """

    _: KW_ONLY
    irreps: IntoIrreps = converted(optional(Irreps), default=None)
    eps: float = 1e-4
    momentum: float = 0.1
    affine: bool = True
    reduce: Literal["mean", "max"] = "mean"
    instance: bool = False
    normalization: Literal["component", "norm"] | None = None

    def validate(self) -> None:
        """Refuse unknown options."""
        for name, value, known in (
            ("reduce", self.reduce, ("mean", "max")),
            ("normalization", self.normalization, ("component", "norm", None)),
        ):
            if value not in known:
                raise ValueError(f"BatchNorm: {name} must be one of {known}, got {value!r}")
        for name, value in (("eps", self.eps), ("momentum", self.momentum)):
            if not 0 <= value <= 1:
                raise ValueError(f"BatchNorm: {name} must be between 0 and 1, got {value!r}")

    def example(self, *irreps_in: Any, dtype: Any = jnp.float32) -> tuple[Any, ...]:
        """Return abstract inputs, which determine the shapes of the parameters."""
        (x,) = example_inputs(*irreps_in, dtype=dtype)
        return (x,) if len(x.shape) > 1 else (IrrepsArray(x.irreps, jax.ShapeDtypeStruct((1, *x.shape), x.dtype)),)

    def __call__(self, scope: Scope, x: Any, is_training: bool = True, mask: Any = None) -> IrrepsArray:
        """Normalize data of shape (batch, ..., irreps.dim).

        Args:
            scope: supplies parameters and state.
            x: the data.
            is_training: whether to use the statistics of the batch, and to update the running averages.
            mask: booleans of shape (batch,), False for padding, which the statistics leave out.

        Returns:
            Data of the same irreps and shape; zero for padding.
        """
        (x,) = floating(x)
        x = x if self.irreps is None else check_irreps(describe_layer(scope, self), "irreps", self.irreps, x)
        mask = self._checked_mask(x, mask)
        scalars = sum(mul for mul, ir in x.irreps if ir.is_scalar())
        total, dtype = x.irreps.num_irreps, x.dtype
        of_state = wide_dtype(dtype)
        zeros, ones = jax.nn.initializers.zeros, jax.nn.initializers.ones
        stored = None
        if not self.instance:
            mean = scope.state("running_mean", (scalars,), of_state, zeros)
            stored = mean, scope.state("running_var", (total,), of_state, ones)
        weight = scope.parameter("weight", (total,), dtype, ones) if self.affine else jnp.ones((total,), dtype)
        bias = scope.parameter("bias", (scalars,), dtype, zeros) if self.affine else jnp.zeros((scalars,), dtype)
        array = widened(x.array)
        if mask is not None:
            # Replaced, not multiplied: padding may hold NaN, and the derivatives of a product with NaN are NaN.
            mask = mask.reshape(-1, *(1,) * (x.ndim - 1))
            array = jnp.where(mask, array, 0)
        wide = IrrepsArray(x.irreps, array, zero_flags=x.zero_flags)
        if stored is None or is_training:
            moments = self._statistics(wide, mask)
        else:
            moments = _Moments(*stored, jnp.ones_like(stored[1]))
        if stored is not None and is_training:
            # An empty batch leaves the running averages unchanged.
            some = x.shape[0] > 0 if mask is None else jnp.any(mask)
            most = float(jnp.finfo(of_state).max)
            var = jnp.minimum(moments.var * moments.size * moments.size, most)  # finite, also beyond the dtype
            for name, old, new in zip(("running_mean", "running_var"), stored, (moments.mean, var), strict=True):
                rolled = (1 - self.momentum) * old + self.momentum * jax.lax.stop_gradient(new)
                scope.set_state(name, jnp.where(some, rolled, old).astype(old.dtype))
        scale = inverse_root((1 - self.eps) * moments.var, self.eps, moments.size)
        y = _normalized(wide, moments, scale * _like(widened(weight), scale), widened(bias))
        array = rounded_to(dtype, y.array if mask is None else jnp.where(mask, y.array, 0))
        return IrrepsArray(y.irreps, array, zero_flags=y.zero_flags)

    def _checked_mask(self, x: IrrepsArray, mask: Any) -> jax.Array | None:
        if x.ndim < 2:
            raise ValueError(f"BatchNorm expects data of shape (batch, ..., irreps.dim), got shape {tuple(x.shape)}")
        if mask is None:
            return None
        mask = jnp.asarray(mask)
        if mask.shape != x.shape[:1]:
            raise ValueError(f"BatchNorm expects a mask of shape {x.shape[:1]}, (batch,), got {mask.shape}")
        return mask != 0

    def _statistics(self, x: IrrepsArray, mask: jax.Array | None) -> "_Moments":
        """Return the moments of irreps: shape (irreps,), per instance (batch, irreps)."""
        batch, dtype = x.shape[0], x.dtype
        means, variances, sizes = [], [], []
        for (mul, ir), chunk in zip(x.irreps, x.chunks, strict=True):
            chunk = jnp.zeros((*x.shape[:-1], mul, ir.dim), dtype) if chunk is None else chunk
            chunk = chunk.reshape(batch, prod(x.shape[1:-1]), mul, ir.dim)
            size = size_for_squares(chunk, (1, 3) if self.instance else (0, 1, 3), self.eps)
            chunk, size = chunk / size, size.reshape((batch, mul) if self.instance else (mul,))
            if ir.is_scalar():
                mean = self._over_batch(_mean(chunk[..., 0], 1), mask)
                means.append(mean * size)
                chunk = chunk - mean.reshape(batch if self.instance else 1, 1, mul, 1)
                chunk = chunk if mask is None else jnp.where(mask.reshape(-1, 1, 1, 1), chunk, 0)
            square = jnp.sum(chunk**2, axis=3)
            square = square if self.normalization == "norm" else square / ir.dim
            square = _mean(square, 1) if self.reduce == "mean" else jnp.max(square, axis=1, initial=0)
            variances.append(self._over_batch(square, mask))
            sizes.append(size)
        shape = (batch, 0) if self.instance else (0,)
        return _Moments(*(_joined(parts, shape, dtype) for parts in (means, variances, sizes)))

    def _over_batch(self, values: jax.Array, mask: jax.Array | None) -> jax.Array:
        if self.instance:
            return values
        if mask is None:
            return _mean(values, 0)
        # Rows of padding are zero.
        return jnp.sum(values, axis=0) / jnp.maximum(jnp.sum(mask), 1).astype(values.dtype)


class _Moments(NamedTuple):
    """The mean of each scalar; for each irrep the squared length of data divided by a size, and that size."""

    mean: jax.Array
    var: jax.Array
    size: jax.Array


def _mean(x: jax.Array, axis: int) -> jax.Array:
    """Return the mean along an axis, zero if the axis is empty."""
    return jnp.sum(x, axis=axis) / max(x.shape[axis], 1)


def _joined(parts: list[jax.Array], shape: tuple[int, ...], dtype: Any) -> jax.Array:
    return jnp.concatenate(parts, axis=-1) if parts else jnp.zeros(shape, dtype)


def _like(x: jax.Array, other: jax.Array) -> jax.Array:
    return x.reshape((1,) * (other.ndim - x.ndim) + x.shape)


def _normalized(x: IrrepsArray, moments: _Moments, scale: jax.Array, bias: jax.Array) -> IrrepsArray:
    """Return (x - mean) / size scale + bias, mean and bias for scalars alone."""
    chunks, irrep, scalar = [], 0, 0
    axes = (1,) * (x.ndim - 2)
    for (mul, ir), chunk in zip(x.irreps, x.chunks, strict=True):
        shape = (x.shape[0] if scale.ndim > 1 else 1, *axes, mul, 1)
        factor = scale[..., irrep : irrep + mul].reshape(shape)
        size = moments.size[..., irrep : irrep + mul].reshape(shape)
        irrep += mul
        if ir.is_scalar():
            chunk = jnp.zeros((*x.shape[:-1], mul, 1), x.dtype) if chunk is None else chunk
            chunk = chunk / size - moments.mean[..., scalar : scalar + mul].reshape(shape) / size
            chunk = chunk * factor + bias[scalar : scalar + mul].reshape((1, *axes, mul, 1))
            scalar += mul
        elif chunk is not None:
            chunk = chunk / size * factor
        chunks.append(chunk)
    return from_chunks(x.irreps, chunks, x.shape[:-1], x.dtype)
