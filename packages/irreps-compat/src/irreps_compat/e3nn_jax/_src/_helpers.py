"""Functions of e3nn-jax's private modules that the library has under other names, or does not need."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import irreps_ops as irr
from irreps_compat.e3nn_jax._config import DEFAULTS, default
from irreps_compat.e3nn_jax._functional import FunctionalLinear, LinearInstruction
from irreps_compat.e3nn_jax._irreps import Irreps
from irreps_core import IrrepsArray, align, legendre
from irreps_ops import key_value_activation

__all__ = [
    "DEFAULTS",
    "LinearInstruction",
    "align",
    "change_basis_real_to_complex",
    "distinct_but_small",
    "einsum",
    "expand_matrix",
    "get_pytree_dtype",
    "irfft",
    "is_zero_in_zero",
    "jit_code",
    "key_value_activation",
    "legendre",
    "legendre_spherical_harmonics",
    "linear_indexed",
    "linear_mixed",
    "linear_mixed_per_channel",
    "linear_vanilla",
    "naive_broadcast_decorator",
    "normalspace",
    "parity_function",
    "parse_gradient_normalization",
    "quadrature_weights",
    "quadrature_weights_soft",
    "rfft",
    "rollout_sh",
    "s2_grid",
    "sh_alpha",
    "sh_beta",
    "solve_polynomial",
    "spherical_harmonics_s2grid",
    "sum_tensors",
    "u",
    "validate_inputs_for_instructions",
]

# Functions of one variable


def normalspace(n: int) -> jax.Array:
    """Return the n quantiles i/(n+1), i = 1, ..., n, of the normal distribution."""
    return jax.scipy.special.ndtri(jnp.arange(1, n + 1) / (n + 1))


def parity_function(phi: Callable[[Any], Any]) -> int:
    """Return 1 for an even function, -1 for an odd one and 0 for others, judged by the values on [-10, 10]."""
    with jax.ensure_compile_time_eval():
        x = jnp.linspace(0.0, 10.0, 256)
        right, left = phi(x), phi(-x)
        if jnp.max(jnp.abs(right - left)) < 1e-5:
            return 1
        return -1 if jnp.max(jnp.abs(right + left)) < 1e-5 else 0


def is_zero_in_zero(phi: Callable[[Any], Any]) -> bool:
    """Return whether phi(0) is close to 0."""
    with jax.ensure_compile_time_eval():
        return bool(jnp.allclose(phi(jnp.zeros(())), 0))


def u(p: int, x: jax.Array) -> jax.Array:
    """Return the cutoff 1 - (p+1)(p+2)/2 x^p + p(p+2) x^(p+1) - p(p+1)/2 x^(p+2), also beyond x = 1."""
    return 1 - x**p * ((p + 1) * (p + 2) / 2 - p * (p + 2) * x + p * (p + 1) / 2 * x**2)


def solve_polynomial(constraints: Any) -> Callable[[jax.Array], jax.Array]:
    """Return the polynomial of the lowest degree with given derivatives.

    Args:
        constraints: triples (x, n, y): the n-th derivative at x is y.
    """
    given = sorted(constraints)
    unit = np.eye(len(given))
    rows = [[np.polyval(np.polyder(e[::-1], n), x) for e in unit] for x, n, _ in given]
    coefficients = np.linalg.solve(np.array(rows), [y for _, _, y in given])[::-1]
    return jax.jit(lambda x: jnp.polyval(jnp.asarray(coefficients, x.dtype), x))


# Spherical harmonics and grids


def change_basis_real_to_complex(l: int) -> np.ndarray:
    """Return the unitary matrix from real components to the complex basis |l, m> of :func:`su2_generators`."""
    q = np.zeros((2 * l + 1, 2 * l + 1), complex)
    q[l, l] = 1
    for m in range(1, l + 1):
        sign = (-1) ** m
        q[l - m, [l + m, l - m]] = np.array([1, -1j]) / np.sqrt(2)
        q[l + m, [l + m, l - m]] = sign * np.array([1, 1j]) / np.sqrt(2)
    return (-1j) ** l * q


def sh_alpha(l: int, alpha: jax.Array) -> jax.Array:
    """Return sqrt(2) sin(m alpha) for m = l, ..., 1, then 1, then sqrt(2) cos(m alpha): shape (..., 2l+1)."""
    waves = jnp.multiply.outer(alpha, jnp.arange(1, l + 1))
    one = jnp.ones_like(alpha[..., None])
    return jnp.concatenate([2**0.5 * jnp.sin(waves[..., ::-1]), one, 2**0.5 * jnp.cos(waves)], axis=-1)


def sh_beta(lmax: int, cos_betas: jax.Array) -> jax.Array:
    """Return the normalized Legendre functions, of shape (..., lmax+1, lmax+1), indexed [l, m]."""
    return jnp.moveaxis(legendre(lmax, cos_betas, 1.0, True), (0, 1), (-2, -1))


def legendre_spherical_harmonics(lmax: int, x: jax.Array, normalize: bool, normalization: str) -> jax.Array:
    """Return the harmonics of degrees 0 to `lmax`, of shape (..., (lmax+1)^2)."""
    return irr.sh(list(range(lmax + 1)), x, normalize, normalization)  # type: ignore[arg-type]


def s2_grid(res_beta: int, res_alpha: int, quadrature: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return heights, angles and weights of sum 1: copies of those of :func:`irreps_ops.s2_grid`."""
    y, alpha, weights = irr.s2_grid(res_beta, res_alpha, quadrature)
    return y.copy(), alpha.copy(), weights.copy()


def quadrature_weights(res_beta: int, *, quadrature: str) -> tuple[np.ndarray, np.ndarray]:
    """Return heights, and weights of sum 1."""
    y, _, weights = s2_grid(res_beta, 1, quadrature)
    return y, weights


def quadrature_weights_soft(b: int) -> np.ndarray:
    """Return the weights of the quadrature "soft", of sum 2."""
    return 2 * s2_grid(b, 1, "soft")[2]


def spherical_harmonics_s2grid(
    lmax: int, res_beta: int, res_alpha: int, *, quadrature: str, dtype: Any = jnp.float32
) -> tuple[jax.Array, ...]:
    """Return heights, angles, harmonics by height, harmonics by angle, and weights, of a grid."""
    y, alpha, weights = (jnp.asarray(x, dtype) for x in s2_grid(res_beta, res_alpha, quadrature))
    return y, alpha, sh_beta(lmax, y), sh_alpha(lmax, alpha), weights


def rfft(x: jax.Array, l: int) -> jax.Array:
    """Return the sums of `x` over its last axis with the waves of :func:`sh_alpha`: shape (..., 2l+1)."""
    waves = jnp.fft.rfft(x)[..., : l + 1]
    parts = [-(2**0.5) * waves.imag[..., :0:-1], waves.real[..., :1], 2**0.5 * waves.real[..., 1:]]
    return jnp.concatenate(parts, axis=-1)


def irfft(x: jax.Array, res: int) -> jax.Array:
    """Return the inverse of :func:`rfft`, of shape (..., res); `res` must be odd.

    Raises:
        ValueError: `res` is even.
    """
    if res % 2 == 0:
        raise ValueError(f"_irfft expects an odd resolution, got {res}")
    l = x.shape[-1] // 2
    waves = (x[..., l + 1 :] - 1j * x[..., :l][..., ::-1]) / 2**0.5
    return jnp.fft.irfft(jnp.concatenate([x[..., l : l + 1], waves], axis=-1), res)


def expand_matrix(ls: Sequence[int]) -> np.ndarray:
    """Return the tensor [l, lmax+m, i], with 1 where i is the place of component (l, m) of the harmonics of `ls`."""
    lmax = max(ls)
    places = [(l, lmax + m) for l in ls for m in range(-l, l + 1)]
    m = np.zeros((lmax + 1, 2 * lmax + 1, len(places)))
    for i, (l, k) in enumerate(places):
        m[l, k, i] = 1
    return m


def rollout_sh(input: jax.Array, lmax: int) -> jax.Array:
    """Return the entries [l, |m|] of the last two axes for every component (l, m), on one axis."""
    places = np.array([(l, abs(m)) for l in range(lmax + 1) for m in range(-l, l + 1)])
    return input[..., places[:, 0], places[:, 1]]


# Arrays


def distinct_but_small(x: jax.Array) -> jax.Array:
    """Return for each integer its place among the distinct ones, in ascending order."""
    return jnp.unique(x, return_inverse=True, size=x.size)[1].reshape(x.shape)


def get_pytree_dtype(*args: Any, default_dtype: Any = jnp.float32, real_part: bool = False) -> Any:
    """Return the dtype of the sum of all numbers in a pytree; with `real_part`, of their real parts."""
    leaves = jax.tree.leaves(args)
    if not leaves:
        return jnp.dtype(default_dtype)
    return jax.eval_shape(lambda xs: sum(jnp.sum(jnp.real(x) if real_part else x) for x in xs), leaves).dtype


def einsum(eq: str, *xs: jax.Array) -> jax.Array:
    """Return :func:`jax.numpy.einsum` with the optimal order of contraction."""
    return jnp.einsum(eq, *xs, optimize="optimal")


def sum_tensors(xs: Sequence[Any], shape: Any, empty_return_none: bool = False, dtype: Any = None) -> Any:
    """Return the sum of arrays reshaped to `shape`, without those that are None."""
    terms = [x.reshape(shape) for x in xs if x is not None]
    if terms:
        return sum(terms[1:], terms[0])
    return None if empty_return_none else jnp.zeros(shape, dtype)


def jit_code(f: Callable[..., Any], *args: Any, **kwargs: Any) -> str:
    """Return the entry computation of the compiled function as text."""
    code = jax.jit(f).lower(*args, **kwargs).compile().as_text() or ""
    return code.partition("ENTRY")[2].partition("\n}")[0]


def naive_broadcast_decorator(func: Callable[..., Any]) -> Callable[..., Any]:
    """Map a function of IrrepsArrays without leading axes over all leading axes, which broadcast."""

    @wraps(func)
    def wrapper(*args: IrrepsArray) -> Any:
        leading = jnp.broadcast_shapes(*(x.shape[:-1] for x in args))
        mapped = func
        for _ in leading:
            mapped = jax.vmap(mapped)
        return mapped(*(x.broadcast_to((*leading, -1)) for x in args))

    return wrapper


# Linear maps

GetParameter = Callable[[str, tuple[int, ...], float, Any], jax.Array]


def _parameters(
    linear: FunctionalLinear, get_parameter: GetParameter, axes: tuple[int, ...], factor: float, dtype: Any
) -> list[jax.Array]:
    irreps_in, out = linear.irreps_in, linear.irreps_out
    found = []
    for ins in linear.instructions:
        name = f"w[{ins.i_in},{ins.i_out}] {irreps_in[ins.i_in]},{out[ins.i_out]}"
        if ins.i_in == -1:
            name = f"b[{ins.i_out}] {out[ins.i_out]}"
        found.append(get_parameter(name, (*axes, *ins.path_shape), factor * ins.weight_std, dtype))
    return found


def linear_vanilla(input: IrrepsArray, linear: FunctionalLinear, get_parameter: GetParameter) -> IrrepsArray:
    """Apply a linear map whose weights are parameters."""
    return linear(_parameters(linear, get_parameter, (), 1, input.dtype), input)


def linear_indexed(
    input: IrrepsArray,
    lin: FunctionalLinear,
    get_parameter: GetParameter,
    indices: jax.Array,
    num_indexed_weights: int,
) -> IrrepsArray:
    """Apply the linear map that an index chooses; an index that is too large chooses the last one."""
    shape = jnp.broadcast_shapes(input.shape[:-1], indices.shape)
    weights = _parameters(lin, get_parameter, (num_indexed_weights,), 1, input.dtype)
    indices = jnp.broadcast_to(indices, shape)
    return lin([w[indices] for w in weights], input.broadcast_to((*shape, -1)))


def linear_mixed(
    input: IrrepsArray,
    lin: FunctionalLinear,
    get_parameter: GetParameter,
    weights: jax.Array,
    gradient_normalization: float,
) -> IrrepsArray:
    """Apply a linear combination of d maps, with the given d weights."""
    shape = jnp.broadcast_shapes(input.shape[:-1], weights.shape[:-1])
    return _mixed(input.broadcast_to((*shape, -1)), lin, get_parameter, weights, gradient_normalization, shape, ())


def linear_mixed_per_channel(
    input: IrrepsArray,
    lin: FunctionalLinear,
    get_parameter: GetParameter,
    weights: jax.Array,
    gradient_normalization: float,
) -> IrrepsArray:
    """Apply a linear combination of d maps to each channel, which has maps of its own."""
    shape = jnp.broadcast_shapes(input.shape[:-2], weights.shape[:-1])
    input = input.broadcast_to((*shape, *input.shape[-2:]))
    return _mixed(input, lin, get_parameter, weights, gradient_normalization, shape, input.shape[-2:-1])


def _mixed(
    x: IrrepsArray,
    lin: FunctionalLinear,
    get_parameter: GetParameter,
    weights: jax.Array,
    exponent: float,
    shape: tuple[int, ...],
    channels: tuple[int, ...],
) -> IrrepsArray:
    d = weights.shape[-1]
    scale = d**-0.5
    weights = jnp.broadcast_to(weights, (*shape, d)).astype(x.dtype)
    maps = _parameters(lin, get_parameter, (d, *channels), scale ** (1 - exponent), x.dtype)
    return lin([scale**exponent * jnp.tensordot(weights, w, axes=1) for w in maps], x)


def validate_inputs_for_instructions(
    input: IrrepsArray,
    instructions: Any,
    simplify_irreps_internally: bool,
    channel_out: int | None,
    irreps_in: Any,
) -> None:
    """Check the input of a linear map against its arguments.

    Raises:
        ValueError: the irreps differ, or arguments exclude one another.
    """
    if instructions is None:
        if irreps_in is not None and input.irreps.regroup() != Irreps(irreps_in).regroup():
            raise ValueError(f"Linear expects irreps_in={irreps_in}, got {input.irreps}")
        return
    if simplify_irreps_internally or channel_out is not None or irreps_in is None:
        raise ValueError(
            "Linear: instructions need irreps_in and simplify_irreps_internally=False, and exclude channel_out"
        )
    if input.irreps != Irreps(irreps_in):
        raise ValueError(f"Linear with instructions expects exactly irreps_in={irreps_in}, got {input.irreps}")


def parse_gradient_normalization(gradient_normalization: Any) -> float:
    """Return the exponent that a gradient normalization denotes; None is the default of `config`."""
    value = default("gradient_normalization", gradient_normalization)
    return {"element": 0.0, "path": 1.0}[value] if isinstance(value, str) else value
