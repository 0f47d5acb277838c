"""The symmetric contraction of MACE: a polynomial of degree 3 in the features of a node, with weights per channel."""

from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
from side_by_side import OURS, Candidate, Comparison, optional

import irreps_ops as irr

from . import cuequivariance
from .derivatives import value_and_pullback

SIZES = {
    "tiny": {"nodes": 2, "channels": 2, "irreps": "0e+1o", "irreps_out": "0e+1o"},
    "cpu": {"nodes": 200, "channels": 128, "irreps": "0e+1o+2e+3o", "irreps_out": "0e+1o"},
    # MACE MP-M.
    "gpu": {"nodes": 3_000, "channels": 128, "irreps": "0e+1o+2e+3o", "irreps_out": "0e+1o"},
}
ORDERS = (1, 2, 3)
Weights = dict[str, jax.Array]


def ours(irreps: str, irreps_out: str) -> Callable[[Weights, jax.Array], jax.Array]:
    """Return the contraction as a function of weights and features."""

    def forward(weights: Weights, x: jax.Array) -> jax.Array:
        return irr.FunctionalSymmetricContraction(irreps, ORDERS, irreps_out)(weights, irr.IrrepsArray(irreps, x)).array

    return forward


def e3nn_jax(irreps: str, irreps_out: str) -> Callable[[Weights, jax.Array], jax.Array]:
    """Return the same function for e3nn-jax."""
    e3nn, hk = optional("e3nn_jax"), optional("haiku")

    def module(weights: Weights, x: jax.Array) -> jax.Array:
        contraction = optional("e3nn_jax.haiku").SymmetricTensorProduct(
            ORDERS, e3nn.Irreps(irreps_out), get_parameter=lambda name, shape, dtype: weights[name]
        )
        return contraction(e3nn.IrrepsArray(irreps, x)).array

    transformed = hk.without_apply_rng(hk.transform(module))
    return lambda weights, x: transformed.apply({}, weights, x)


def comparisons(size: str) -> Iterator[Comparison]:
    """Yield forward pass, and value and gradient."""
    sizes = SIZES[size]
    nodes, channels, irreps, irreps_out = (sizes[name] for name in ("nodes", "channels", "irreps", "irreps_out"))
    rng = np.random.default_rng(0)

    def normal(*shape: int) -> jax.Array:
        return jnp.asarray(rng.normal(size=shape), jnp.float32)

    paths = irr.FunctionalSymmetricContraction(irreps, ORDERS, irreps_out).weights
    shapes = {path.name: (path.multiplicity, channels) for path in paths}
    weights = {name: normal(*shape) for name, shape in shapes.items()}
    x = normal(nodes, channels, irr.Irreps(irreps).dim)
    cotangent = normal(nodes, channels, irr.Irreps(irreps_out).dim)
    our_function = ours(irreps, irreps_out)
    functions = {OURS: our_function}
    if optional("e3nn_jax") and optional("haiku"):
        functions["e3nn-jax"] = e3nn_jax(irreps, irreps_out)
    forward = {name: Candidate(f, (weights, x)) for name, f in functions.items()}
    both = {name: Candidate(value_and_pullback(f), (cotangent, weights, x)) for name, f in functions.items()}
    if cuequivariance.installed():
        theirs = cuequivariance.SymmetricContraction(irreps, irreps_out, ORDERS, our_function, shapes)
        forward["cuequivariance"] = theirs.forward(weights, x)
        both["cuequivariance"] = theirs.value_and_gradient(cotangent, weights, x)
    yield Comparison("sym", "forward", forward, sizes=sizes)
    yield Comparison("sym", "value and gradient", both, sizes=sizes)
