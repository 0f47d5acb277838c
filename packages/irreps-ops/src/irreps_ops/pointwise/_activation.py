"""Activation functions of scalars and of norms that respect parity.

Any function may act on an even scalar (0e). An odd scalar (0o) changes sign under a mirror: an odd function of it is an
odd scalar, an even function of it an even scalar, and any other function would break the symmetry. A function of single
components of higher degree would break it, too. It may act on their norm (:func:`norm_activation`), or on a scalar that
multiplies them (:func:`irreps_ops.gate`).
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, overload

import jax
import jax.core
import jax.numpy as jnp

from irreps_core import Irreps, IrrepsArray, as_irreps_array, cached, norm
from irreps_ops._inputs import _checks as check
from irreps_ops._inputs._operands import floating, split_items
from irreps_ops._inputs._precision import computed_in_float32, rounded_to, size_for_squares, widened
from irreps_ops.compute._tiled_map import map_in_tiles

from ._cutoffs import sus

Activation: TypeAlias = Callable[[jax.Array], jax.Array]
"""An elementwise function of an array, such as ``jax.nn.silu``."""

# Size of the sample that normalizes a function. It is that of e3nn-jax, so that networks and parameters carry over.
_SAMPLE = 1_000_001


@computed_in_float32
def soft_odd(x: jax.Array) -> jax.Array:
    r"""Return :math:`x (1 - \exp(-x^2))`, a smooth odd function for odd scalars.

    It is about :math:`x^3` near 0 and about x far from 0.

    Args:
        x: numbers of any shape.

    Returns:
        Array of the shape of `x`.

    Example:
        >>> import irreps_ops as irr
        >>> import jax.numpy as jnp
        >>> irr.soft_odd(jnp.array([-1.0, 0.0, 1.0]))
        Array([-0.6321,  0.    ,  0.6321], dtype=float...)
    """
    return -jnp.expm1(-(x**2)) * x


def normalize_function(phi: Activation) -> Activation:
    r"""Divide a function by the root of its mean square under the normal distribution.

    .. math:: \psi(x) = \phi(x) / c, \qquad c^2 = \frac{1}{n} \sum_{i=1}^n \phi(x_i)^2
              \approx \int \phi(x)^2 \frac{e^{-x^2/2}}{\sqrt{2\pi}} dx

    So inputs of variance 1 give outputs of mean square 1. The :math:`x_i` are the :math:`i / (n + 1)` quantiles of the
    normal distribution for :math:`n = 1\,000\,001`, in JAX's default float. This is the definition of e3nn-jax, so that
    its networks carry over. A function with :math:`|c - 1| < 10^{-5}` is returned unchanged; so is a function with the
    attribute ``is_normalized = True``, which the returned functions have.

    Args:
        phi: an elementwise function of an array.

    Returns:
        The normalized function.

    Raises:
        ValueError: c is 0, not finite, or not known during tracing.

    Example:
        >>> import irreps_ops as irr
        >>> import jax
        >>> tanh = irr.normalize_function(jax.nn.tanh)
        >>> float(jax.nn.tanh(1.0) / tanh(1.0))
        0.62793
    """
    if getattr(phi, "is_normalized", False):
        return phi
    dtype = jnp.zeros(()).dtype
    try:
        constant = _known_root_mean_square(phi, dtype)
    except TypeError:  # phi is not hashable
        constant = _root_mean_square(phi, dtype)
    if math.isclose(constant, 1.0, rel_tol=0, abs_tol=1e-5):
        return phi

    def normalized(x: jax.Array) -> jax.Array:
        return phi(x) / constant

    vars(normalized)["is_normalized"] = True
    return normalized


def _root_mean_square(phi: Activation, dtype: Any) -> float:
    with jax.ensure_compile_time_eval():
        x = math.sqrt(2) * jax.scipy.special.erfinv(jnp.linspace(-1.0, 1.0, _SAMPLE + 2, dtype=dtype)[1:-1])
        mean = jnp.mean(phi(x) ** 2)
    if isinstance(mean, jax.core.Tracer):
        raise ValueError(
            f"normalize_function: the values of {phi!r} are not known during tracing, because it uses a traced array: "
            "pass normalize_act=False"
        )
    constant = math.sqrt(float(mean))
    if not 0 < constant < math.inf:
        raise ValueError(f"normalize_function: the root mean square of {phi!r} is {constant}: pass normalize_act=False")
    return constant


_known_root_mean_square = cached(maxsize=256)(_root_mean_square)


def function_parity(phi: Activation) -> int:
    """Return 1 for an even function, -1 for an odd one and 0 for others, judged by the values on [-10, 10].

    Example:
        >>> import jax.numpy as jnp
        >>> function_parity(jnp.cos), function_parity(jnp.sin), function_parity(jnp.exp)
        (1, -1, 0)
    """
    with jax.ensure_compile_time_eval():
        x = jnp.linspace(0.0, 10.0, 256)
        right, left = phi(x), phi(-x)
        even, odd = float(jnp.max(jnp.abs(right - left))), float(jnp.max(jnp.abs(right + left)))
    return 1 if even < 1e-5 else -1 if odd < 1e-5 else 0


@overload
def scalar_activation(
    input: str | Irreps,
    acts: Sequence[Activation | None] | None = None,
    *,
    even_act: Activation = jax.nn.gelu,
    odd_act: Activation = soft_odd,
    normalize_act: bool = True,
) -> Irreps: ...
@overload
def scalar_activation(
    input: IrrepsArray | jax.Array,
    acts: Sequence[Activation | None] | None = None,
    *,
    even_act: Activation = jax.nn.gelu,
    odd_act: Activation = soft_odd,
    normalize_act: bool = True,
) -> IrrepsArray: ...
def scalar_activation(
    input: Any,
    acts: Sequence[Activation | None] | None = None,
    *,
    even_act: Activation = jax.nn.gelu,
    odd_act: Activation = soft_odd,
    normalize_act: bool = True,
) -> Any:
    """Apply a function to each scalar. An even function of an odd scalar is an even scalar.

    Args:
        input: data of shape (..., irreps.dim), a plain array of scalars, or irreps without data.
        acts: for each item of the irreps a function, or None for the identity. By default `even_act` for 0e, `odd_act`
            for 0o, and None for the others.
        even_act: function of the even scalars.
        odd_act: odd or even function of the odd scalars.
        normalize_act: whether to normalize each function by :func:`normalize_function`.

    Returns:
        Data of the same shape; for irreps without data, the irreps of the result.

    Raises:
        ValueError: a function for an item that is not a scalar; for an odd scalar a function that is neither odd nor
            even; or another number of functions than of items.

    Example:
        >>> import irreps_ops as irr
        >>> import jax.numpy as jnp
        >>> x = irr.IrrepsArray("0e + 0o + 1o", jnp.array([1.0, 0.0, 1.0, 1.0, 2.0]))
        >>> irr.scalar_activation(x, [jnp.exp, jnp.cos, None])
        1x0e+1x0e+1x1o [1.001 1.327 1.    1.    2.   ]
        >>> irr.scalar_activation("8x0e + 8x0o")
        8x0e+8x0o
    """
    if isinstance(input, (str, Irreps)):
        irreps = Irreps(input)
        return _activated_irreps(irreps, _choose(irreps, acts, even_act, odd_act))
    (x,) = floating(input)
    acts = _choose(x.irreps, acts, even_act, odd_act)
    irreps_out = _activated_irreps(x.irreps, acts)
    final = {act: normalize_function(act) if normalize_act else act for act in set(acts) if act is not None}
    pieces = []
    for act, start, stop in _runs(x.irreps, acts):
        piece = x.array if stop - start == x.irreps.dim else x.array[..., start:stop]
        pieces.append(piece if act is None else final[act](piece))
    array = pieces[0] if len(pieces) == 1 else jnp.concatenate([x.array[..., :0], *pieces], axis=-1)
    zero_flags = [
        zero and (act is None or _vanishes_at_zero(act)) for zero, act in zip(x.zero_flags, acts, strict=True)
    ]
    return IrrepsArray(irreps_out, array.astype(x.dtype), zero_flags=zero_flags)


def _choose(
    irreps: Irreps, acts: Sequence[Activation | None] | None, even_act: Activation, odd_act: Activation
) -> list[Activation | None]:
    if acts is None:
        return [(even_act if ir.p == 1 else odd_act) if ir.l == 0 else None for _, ir in irreps]
    if len(acts) != len(irreps):
        raise ValueError(
            f"scalar_activation of {irreps} expects {len(irreps)} functions, one for each item, got {len(acts)}"
        )
    return list(acts)


def _activated_irreps(irreps: Irreps, acts: Sequence[Activation | None]) -> Irreps:
    out = []
    for (mul, ir), act in zip(irreps, acts, strict=True):
        parity = ir.p
        if act is not None:
            if ir.l != 0:
                raise ValueError(
                    f"scalar_activation: {act!r} cannot act on the components of {mul}x{ir} in {irreps}: only scalars "
                    "(0e, 0o) can be activated; pass None for this item, or use gate or norm_activation"
                )
            parity = function_parity(act) if ir.p == -1 else 1
            if parity == 0:
                raise ValueError(
                    f"scalar_activation: {act!r} is neither even nor odd, so it cannot act on {mul}x{ir} in {irreps}, "
                    "which changes sign under a mirror: use an odd function (soft_odd, tanh) or an even one (abs)"
                )
        out.append((mul, (ir.l, parity)))
    return Irreps(out)


def _runs(irreps: Irreps, acts: Sequence[Activation | None]) -> list[tuple[Activation | None, int, int]]:
    """Return ranges of the last axis on which one function acts, as (function, start, stop)."""
    runs: list[tuple[Activation | None, int, int]] = []
    for act, place in zip(acts, irreps.slices(), strict=True):
        if runs and runs[-1][0] is act:
            runs[-1] = (act, runs[-1][1], place.stop)
        else:
            runs.append((act, place.start, place.stop))
    return runs


def _vanishes_at_zero(phi: Activation) -> bool:
    with jax.ensure_compile_time_eval():
        return bool(phi(jnp.zeros(())) == 0)


def norm_activation(
    input: IrrepsArray, acts: Sequence[Activation | None], *, normalization: str = "component"
) -> IrrepsArray:
    r"""Multiply each irrep by a function of its norm, :math:`x \, \text{act}(|x|)`.

    Args:
        input: data of shape (..., irreps.dim).
        acts: for each item of the irreps a function, or None to leave the item unchanged.
        normalization: ``"component"``: the functions take :math:`|x| / \sqrt{2l + 1}`, the root mean square of the
            components; ``"norm"``: they take :math:`|x|`.

    Returns:
        Data of the same irreps. Zero stays zero, with derivative :math:`\text{act}(0)`.

    Norms are right over the whole range of the dtype, and so are results and derivatives where the function, its
    derivative as JAX computes it, and the data times the cotangent are in this range. In float32 the derivative of
    :math:`1 / (1 + n)` underflows from :math:`n = 10^{19}` on; that of :math:`\tanh(n)`, as good as zero there, does no
    harm.

    Raises:
        ValueError: unknown normalization, or another number of functions than of items.

    Example:
        >>> import irreps_ops as irr
        >>> import jax.numpy as jnp
        >>> x = irr.IrrepsArray("0e + 1o", jnp.array([1.0, 1.0, 1.0, 2.0]))
        >>> irr.norm_activation(x, [None, jnp.tanh])
        1x0e+1x1o [1.    0.888 0.888 1.777]
    """
    if normalization not in ("component", "norm"):
        raise ValueError(f"normalization must be 'component' or 'norm', got {normalization!r}")
    (x,) = floating(input)
    if len(acts) != len(x.irreps):
        raise ValueError(
            f"norm_activation of {x.irreps} expects {len(x.irreps)} functions, one for each item, got {len(acts)}"
        )
    functions = [None if act is None else functools.partial(_activated, act, normalization) for act in acts]
    return map_in_tiles(lambda tile: _on_items(tile, functions), x)


def _activated(act: Activation, normalization: str, chunk: jax.Array) -> jax.Array:
    dim = chunk.shape[-1]
    # The root mean square is in range where the norm is not. Powers of 2 are exact.
    part = 2.0 ** -math.ceil(math.log2(dim) / 2)
    if normalization == "component":
        return chunk * act(_norms(chunk * part) * (1 / part / math.sqrt(dim)))
    return chunk * act(_norms(chunk))


def _norms(chunk: jax.Array) -> jax.Array:
    """Return the norm of each vector along the last axis, which is kept."""
    return norm(IrrepsArray([(1, ((chunk.shape[-1] - 1) // 2, 1))], chunk)).array


def _on_items(x: IrrepsArray, functions: Sequence[Callable[[jax.Array], jax.Array] | None]) -> IrrepsArray:
    """Apply a function, or none, to each item as an array of shape (..., mul, dim), computed in float32 at least."""
    pieces = [x.array[..., :0]]
    for (mul, ir), piece, function in zip(x.irreps, split_items(x.array, x.irreps), functions, strict=True):
        if function is not None and mul > 0:
            chunk = widened(piece).reshape(*piece.shape[:-1], mul, ir.dim)
            piece = rounded_to(x.dtype, function(chunk).reshape(piece.shape))
        pieces.append(piece)
    return IrrepsArray(x.irreps, jnp.concatenate(pieces, axis=-1), zero_flags=x.zero_flags)


def soft_normalization(input: IrrepsArray, max_component: float) -> IrrepsArray:
    r"""Shrink large irreps smoothly, so that they stay below a limit.

    .. math:: y = \frac{x}{1 + t \, \text{sus}(t)}

    Here sus is the unit step :func:`sus`, and t is the root mean square of the components of the irrep divided by the
    limit. The same ratio for the result is t within :math:`10^{-6}` for :math:`t = 0.1`, 0.73 for :math:`t = 1`, and
    approaches 1 for large t.

    Args:
        input: data of shape (..., irreps.dim).
        max_component: limit of the root mean square of the components of each irrep, in the unit of the data.

    Returns:
        Data of the same irreps.

    Raises:
        ValueError: `max_component` is not positive.

    Example:
        >>> import irreps_ops as irr
        >>> import jax.numpy as jnp
        >>> irr.soft_normalization(irr.IrrepsArray("0e + 1o", jnp.array([0.1, 30.0, 40.0, 0.0])), max_component=1.0)
        1x0e+1x1o [0.1   1.039 1.385 0.   ]
    """
    max_component = check.positive("soft_normalization", "max_component", max_component)

    (x,) = floating(input)
    shrink = functools.partial(_shrunk, max_component)
    return map_in_tiles(lambda tile: _on_items(tile, [shrink] * len(tile.irreps)), x)


def _shrunk(limit: float, chunk: jax.Array) -> jax.Array:
    info = jnp.finfo(chunk.dtype)
    # Divided by its size, data and its derivatives stay in range; if t < 2**-10, sus(t) is 0 and the data unchanged.
    # The reciprocal of the size, by which XLA multiplies, is a normal number.
    largest = jnp.max(jnp.abs(jax.lax.stop_gradient(chunk)), axis=-1, keepdims=True)
    shrinks = largest > limit / 2**10
    size = jnp.where(shrinks, jnp.minimum(largest, 1 / float(info.tiny)), 1).astype(chunk.dtype)
    unit = jnp.where(shrinks, jnp.full_like(largest, limit), 1)
    scaled = chunk / size
    root_mean_square = _norms(scaled) / math.sqrt(chunk.shape[-1])
    # From 1 / eps² on, sus(t) is 1.
    t = root_mean_square * jnp.minimum(size / limit, max(1 / limit, float(info.eps) ** -2))
    return unit * scaled / (unit / size + root_mean_square * (unit / limit) * sus(t))


@overload
def key_value_activation(phi: Activation, key: IrrepsArray, value: IrrepsArray) -> IrrepsArray: ...
@overload
def key_value_activation(phi: Activation, key: jax.Array, value: jax.Array) -> jax.Array: ...
def key_value_activation(phi: Activation, key: Any, value: Any) -> Any:
    r"""Return a direction times an activated number, the component of one array along another.

    .. math:: y = \sqrt{d} \, \psi(\hat k \cdot v) \, \hat k, \qquad \hat k = k / \sqrt{1/16 + |k|^2}

    Here d is the number of components, and :math:`\psi` is the normalized :math:`\phi` (:func:`normalize_function`).
    The product of k and v, which have the same irreps, is invariant, so any function may act on it.

    Args:
        phi: the function.
        key: k, of shape (..., d).
        value: v, of the same shape and irreps.

    Returns:
        Data of the shape and irreps of `key`.

    Raises:
        ValueError: the irreps or the lengths differ.

    Example:
        >>> import irreps_ops as irr
        >>> import jax.numpy as jnp
        >>> k, v = irr.IrrepsArray("1o", jnp.array([3.0, 0.0, 4.0])), irr.IrrepsArray("1o", jnp.array([-1.0, 5.0, 0.0]))
        >>> irr.key_value_activation(jnp.abs, k, v)
        1x1o [0.622 0.    0.829]
    """
    if isinstance(key, IrrepsArray) and isinstance(value, IrrepsArray):
        key, value = floating(key, value)
        if key.irreps != value.irreps:
            raise ValueError(f"key_value_activation expects equal irreps, got {key.irreps} and {value.irreps}")
        return IrrepsArray(key.irreps, key_value_activation(phi, key.array, value.array), zero_flags=key.zero_flags)
    key, value = check.float_array("key_value_activation", key), check.float_array("key_value_activation", value)
    if key.shape != value.shape or key.ndim == 0:
        raise ValueError(f"key_value_activation expects two arrays of one shape, got {key.shape} and {value.shape}")
    wide = widened(key)
    size = size_for_squares(wide, (-1,), 1.0)
    scaled = wide / size
    direction = scaled / norm(as_irreps_array(jnp.concatenate([scaled, 1 / 4 / size], -1)), per_irrep=False).array
    along = jnp.sum(direction * widened(value), axis=-1, keepdims=True)
    return rounded_to(key.dtype, math.sqrt(key.shape[-1]) * normalize_function(phi)(along) * direction)
