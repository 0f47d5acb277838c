"""Equivariant linear map, compared with the matrix products that it consists of.

cuequivariance and e3x get their data with components before channels, in which order each irrep already is a matrix.
"""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from side_by_side import OURS, Candidate, Comparison, optional

import irreps_ops as irr

from .cuequivariance import irreps_of, to_channel_first, to_component_first
from .derivatives import pullback

SIZES = {
    "tiny": {"batch": 5, "channels": 2},
    "cpu": {"batch": 10_000, "channels": 128},
    "gpu": {"batch": 160_000, "channels": 128},
}
DEGREES = (0, 1, 2)


def ours(irreps: str) -> Callable[..., jax.Array]:
    """Return the linear map as a function of weights and data."""
    return lambda weights, x: irr.FunctionalLinear(irreps, irreps)(weights, irr.IrrepsArray(irreps, x)).array


def e3nn_jax(irreps: str) -> Callable[..., jax.Array]:
    """Return the same function for e3nn-jax, called as its modules call it."""
    e3nn = optional("e3nn_jax")

    def forward(weights: list[jax.Array], x: jax.Array) -> jax.Array:
        mapped = e3nn.utils.vmap(e3nn.FunctionalLinear(irreps, irreps), in_axes=(None, 0))
        return mapped(weights, e3nn.IrrepsArray(irreps, x)).array

    return forward


def cuequivariance(irreps: str) -> Callable[..., jax.Array]:
    """Return the same function for cuequivariance, of one array of weights, with components before channels."""
    cue, cuex = optional("cuequivariance"), optional("cuequivariance_jax")
    kinds = irreps_of(irr.Irreps(irreps))
    polynomial = cue.descriptors.linear(kinds, kinds)

    def forward(weights: jax.Array, x: jax.Array) -> jax.Array:
        inputs = [weights[None], cuex.RepArray(kinds, x, cue.ir_mul)]
        return cuex.equivariant_polynomial(polynomial, inputs, method="naive").array

    return forward


def e3x(channels: int) -> Callable[..., jax.Array]:
    """Return the same function for e3x, of its parameters and of data of shape (batch, 1, components, channels)."""
    return optional("e3x").nn.Dense(channels, use_bias=False).apply


def plain(channels: int) -> Callable[..., jax.Array]:
    """Return the linear map as one einsum for each irrep, on slices of the array."""

    def forward(weights: list[jax.Array], x: jax.Array) -> jax.Array:
        results, start = [], 0
        for l, w in zip(DEGREES, weights, strict=True):
            size = channels * (2 * l + 1)
            chunk = x[:, start : start + size].reshape(-1, channels, 2 * l + 1)
            results.append(jnp.einsum("uw,nui->nwi", w / channels**0.5, chunk).reshape(-1, size))
            start += size
        return jnp.concatenate(results, axis=1)

    return forward


def products(weights: list[jax.Array], xs: list[jax.Array]) -> list[jax.Array]:
    """Compute the matrix products alone, of data that already are matrices: a lower bound of the time."""
    return [x @ w for w, x in zip(weights, xs, strict=True)]


def _matrices(array: jax.Array, channels: int) -> list[jax.Array]:
    """Return a matrix of shape (batch x components, channels) for each irrep."""
    ends = np.cumsum([channels * (2 * l + 1) for l in DEGREES])
    parts = jnp.split(array, ends[:-1], axis=1)
    swapped = [jnp.swapaxes(part.reshape(len(array), channels, -1), 1, 2) for part in parts]
    return [chunk.reshape(-1, channels) for chunk in swapped]


def _array(matrices: list[jax.Array], channels: int) -> jax.Array:
    """Invert :func:`_matrices`."""
    parts = [m.reshape(-1, 2 * l + 1, channels) for l, m in zip(DEGREES, matrices, strict=True)]
    return jnp.concatenate([jnp.swapaxes(p, 1, 2).reshape(len(p), -1) for p in parts], axis=1)


def _others(irreps: irr.Irreps, channels: int, cotangent: Any, weights: Any, x: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield names, candidates of the forward pass, and of the gradient, of libraries with components first."""
    y, dy = to_component_first(irreps, x), to_component_first(irreps, cotangent)
    if optional("cuequivariance_jax"):
        function, flat = cuequivariance(str(irreps)), jnp.concatenate([w.reshape(-1) for w in weights])

        def gradient(found: Any) -> Any:
            return list(found[0].reshape(-1, channels, channels)), to_channel_first(irreps, found[1])

        yield (
            "cuequivariance",
            Candidate(function, (flat, y), lambda z: to_channel_first(irreps, z)),
            Candidate(pullback(function), (dy, flat, y), gradient),
        )
    if optional("e3x"):
        function, names = e3x(channels), [f"{l}{'+-'[l % 2]}" for l in DEGREES]
        params = {"params": {n: {"kernel": w / channels**0.5} for n, w in zip(names, weights, strict=True)}}

        def plain_order(z: jax.Array) -> jax.Array:
            return to_channel_first(irreps, z.reshape(len(z), -1))

        def of_params(found: Any) -> Any:
            kernels = [found[0]["params"][n]["kernel"] / channels**0.5 for n in names]
            return kernels, plain_order(found[1])

        z, dz = (array.reshape(len(array), 1, -1, channels) for array in (y, dy))
        yield (
            "e3x",
            Candidate(function, (params, z), plain_order),
            Candidate(pullback(function), (dz, params, z), of_params),
        )


def comparisons(size: str) -> Iterator[Comparison]:
    """Yield forward pass and gradient."""
    sizes = SIZES[size]
    batch, channels = sizes["batch"], sizes["channels"]
    irreps = "+".join(f"{channels}x{l}{'eo'[l % 2]}" for l in DEGREES)
    rng = np.random.default_rng(0)
    x, cotangent = (jnp.asarray(rng.normal(size=(batch, 9 * channels)), jnp.float32) for _ in range(2))
    weights = [jnp.asarray(rng.normal(size=(channels, channels)), jnp.float32) for _ in DEGREES]
    scaled = [w / channels**0.5 for w in weights]
    matrices = _matrices(x, channels), _matrices(cotangent, channels)
    forwards = {OURS: ours(irreps), "plain einsum": plain(channels)}
    if optional("e3nn_jax"):
        forwards["e3nn-jax"] = e3nn_jax(irreps)
    candidates = {name: Candidate(f, (weights, x)) for name, f in forwards.items()}
    others = list(_others(irr.Irreps(irreps), channels, cotangent, weights, x))
    candidates |= {name: forward for name, forward, _ in others}
    candidates["matrix products alone"] = Candidate(products, (scaled, matrices[0]), lambda ys: _array(ys, channels))
    yield Comparison("linear", "forward", candidates, sizes=sizes)

    def common(gradient: Any) -> Any:
        return [w / channels**0.5 for w in gradient[0]], _array(gradient[1], channels)

    candidates = {name: Candidate(pullback(f), (cotangent, weights, x)) for name, f in forwards.items()}
    candidates |= {name: gradient for name, _, gradient in others}
    candidates["matrix products alone"] = Candidate(pullback(products), (matrices[1], scaled, matrices[0]), common)
    yield Comparison("linear", "gradient", candidates, sizes=sizes)
