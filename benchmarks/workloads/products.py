"""Tensor products without a graph: the full one, and the fully connected one with weights for all channels."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from side_by_side import OURS, Candidate, Comparison, optional

import irreps_ops as irr

from . import cuequivariance
from .derivatives import pullback

FULL_SIZES = {
    "tiny": {"batch": 5, "channels": 2},
    "cpu": {"batch": 2_000, "channels": 32},
    "gpu": {"batch": 50_000, "channels": 32},
}
LARGE_SIZES = {
    "tiny": {"batch": 3, "channels": 2},
    "cpu": {"batch": 64, "channels": 128},
    "gpu": {"batch": 64, "channels": 128},
}
Forward = Callable[..., jax.Array]


def _normal(rng: np.random.Generator, *shape: int) -> jax.Array:
    return jnp.asarray(rng.normal(size=shape), jnp.float32)


# Full tensor product.


def full(size: str) -> Iterator[Comparison]:
    """Yield the product of channels x (0e+1o+2e) with 0e+1o+2e, with all irreps of the output."""
    sizes = FULL_SIZES[size]
    irreps1, irreps2 = f"{sizes['channels']}x0e+{sizes['channels']}x1o+{sizes['channels']}x2e", "0e+1o+2e"
    forwards: dict[str, Forward] = {
        OURS: lambda x, y: irr.tensor_product(irr.IrrepsArray(irreps1, x), irr.IrrepsArray(irreps2, y)).array
    }
    if e3nn := optional("e3nn_jax"):
        forwards["e3nn-jax"] = lambda x, y: (
            e3nn.tensor_product(e3nn.IrrepsArray(irreps1, x), e3nn.IrrepsArray(irreps2, y)).array
        )
    rng = np.random.default_rng(0)
    batch = sizes["batch"]
    x, y = _normal(rng, batch, irr.Irreps(irreps1).dim), _normal(rng, batch, irr.Irreps(irreps2).dim)
    cotangent = _normal(rng, batch, irr.tensor_product(irreps1, irreps2).dim)
    yield Comparison("full", "forward", {n: Candidate(f, (x, y)) for n, f in forwards.items()}, sizes=sizes)
    candidates = {n: Candidate(pullback(f), (cotangent, x, y)) for n, f in forwards.items()}
    yield Comparison("full", "gradient", candidates, sizes=sizes)


# Fully connected tensor product: a weight for each combination of channels of the inputs and the output.


def ours(irreps1: irr.Irreps, irreps2: irr.Irreps, irreps_out: irr.Irreps) -> Forward:
    """Return the fully connected product as a function of weights and both inputs."""

    def forward(weights: list[jax.Array], x: jax.Array, y: jax.Array) -> jax.Array:
        product = irr.FunctionalFullyConnectedTensorProduct(irreps1, irreps2, irreps_out)
        return product(weights, irr.IrrepsArray(irreps1, x), irr.IrrepsArray(irreps2, y)).array

    return forward


def e3nn_jax(irreps1: irr.Irreps, irreps2: irr.Irreps, irreps_out: irr.Irreps) -> Forward:
    """Return the same function for e3nn-jax, called as its modules call it."""
    e3nn = optional("e3nn_jax")
    names = str(irreps1), str(irreps2), str(irreps_out)

    def forward(weights: list[jax.Array], x: jax.Array, y: jax.Array) -> jax.Array:
        product = optional("e3nn_jax.legacy").FunctionalFullyConnectedTensorProduct(*names)
        mapped = e3nn.utils.vmap(product.left_right, in_axes=(None, 0, 0))
        return mapped(weights, e3nn.IrrepsArray(names[0], x), e3nn.IrrepsArray(names[1], y)).array

    return forward


def e3nn_jax_two_steps(irreps1: irr.Irreps, irreps2: irr.Irreps, irreps_out: irr.Irreps) -> Forward:
    """Return the full product followed by a linear map, which e3nn-jax recommends today."""
    e3nn = optional("e3nn_jax")
    names = str(irreps1), str(irreps2), str(irreps_out)
    wanted = e3nn.Irreps(names[2])

    def forward(weights: list[jax.Array], x: jax.Array, y: jax.Array) -> jax.Array:
        x, y = e3nn.IrrepsArray(names[0], x), e3nn.IrrepsArray(names[1], y)
        product = e3nn.tensor_product(x, y, filter_ir_out=wanted)
        linear = e3nn.FunctionalLinear(product.irreps, wanted)
        return e3nn.utils.vmap(linear, in_axes=(None, 0))(weights, product).array

    return forward


class Paths:
    """The paths from chunks of both inputs to chunks of the output, ordered by the first input, and their weights."""

    def __init__(self, irreps1: irr.Irreps, irreps2: irr.Irreps, irreps_out: irr.Irreps) -> None:
        self.outputs, self.shapes = [], []
        for mul1, ir1 in irreps1:
            for mul2, ir2 in irreps2:
                for i, (mul, ir) in enumerate(irreps_out):
                    if ir in ir1 * ir2:
                        self.outputs.append(i)
                        self.shapes.append((mul1, mul2, mul))

    def weights(self, rng: np.random.Generator) -> list[jax.Array]:
        """Return random weights for each path."""
        return [_normal(rng, *shape) for shape in self.shapes]

    def joined(self, weights: list[jax.Array]) -> list[jax.Array]:
        """Return the weights of the linear map after the full product: for each output those of all its paths."""
        flat = [w.reshape(-1, w.shape[-1]) for w in weights]
        places = sorted(set(self.outputs))
        return [jnp.concatenate([w for w, o in zip(flat, self.outputs, strict=True) if o == i]) for i in places]

    def split(self, joined: list[jax.Array]) -> list[jax.Array]:
        """Invert `joined`."""
        starts, parts = dict.fromkeys(self.outputs, 0), dict(zip(sorted(set(self.outputs)), joined, strict=True))
        weights = []
        for i, (u, v, w) in zip(self.outputs, self.shapes, strict=True):
            weights.append(parts[i][starts[i] : starts[i] + u * v].reshape(u, v, w))
            starts[i] += u * v
        return weights


def fully_connected(size: str) -> Iterator[Comparison]:
    """Yield the fully connected product of channels x (0e+1o+2e) with 0e+1o+2e to channels x (0e+1o+2e)."""
    sizes = FULL_SIZES[size]
    irreps = irr.Irreps(f"{sizes['channels']}x0e+{sizes['channels']}x1o+{sizes['channels']}x2e")
    irreps2 = irr.Irreps("0e+1o+2e")
    paths, rng, batch = Paths(irreps, irreps2, irreps), np.random.default_rng(0), sizes["batch"]
    weights, y = paths.weights(rng), _normal(rng, batch, irreps2.dim)
    x, cotangent = _normal(rng, batch, irreps.dim), _normal(rng, batch, irreps.dim)
    our_function = ours(irreps, irreps2, irreps)
    functions = {OURS: (our_function, weights, lambda w: w)}
    if optional("e3nn_jax"):
        functions["e3nn-jax"] = (e3nn_jax(irreps, irreps2, irreps), weights, lambda w: w)
        two_steps = e3nn_jax_two_steps(irreps, irreps2, irreps)
        functions["e3nn-jax, product then linear"] = (two_steps, paths.joined(weights), paths.split)
    forward = {name: Candidate(f, (w, x, y)) for name, (f, w, _) in functions.items()}
    gradient = {
        name: Candidate(pullback(f), (cotangent, w, x, y), lambda g, back=back: (back(g[0]), *g[1:]))
        for name, (f, w, back) in functions.items()
    }
    if cuequivariance.installed():
        theirs = cuequivariance.FullyConnected(irreps, irreps2, irreps, our_function, weights)
        forward["cuequivariance"] = theirs.forward(weights, x, y)
        gradient["cuequivariance"] = theirs.gradient(cotangent, weights, x, y)
    yield Comparison("connected", "forward", forward, sizes=sizes)
    yield Comparison("connected", "gradient", gradient, sizes=sizes)


def large(size: str) -> Iterator[Comparison]:
    """Yield e3nn-jax's own benchmark: inputs and output of channels x (0e+1e+2e), a small batch, many weights."""
    sizes = LARGE_SIZES[size]
    irreps = irr.Irreps(f"{sizes['channels']}x0e+{sizes['channels']}x1e+{sizes['channels']}x2e")
    paths, rng, batch = Paths(irreps, irreps, irreps), np.random.default_rng(0), sizes["batch"]
    weights = paths.weights(rng)
    x, y = _normal(rng, batch, irreps.dim), _normal(rng, batch, irreps.dim)

    def measure(forward: Forward) -> Callable[..., Any]:
        return jax.value_and_grad(lambda w, x, y: jnp.sum(jnp.tanh(forward(w, x, y))))

    candidates = {OURS: Candidate(measure(ours(irreps, irreps, irreps)), (weights, x, y))}
    if optional("e3nn_jax"):
        candidates["e3nn-jax"] = Candidate(measure(e3nn_jax(irreps, irreps, irreps)), (weights, x, y))
        candidates["e3nn-jax, product then linear"] = Candidate(
            measure(e3nn_jax_two_steps(irreps, irreps, irreps)),
            (paths.joined(weights), x, y),
            lambda found: (found[0], paths.split(found[1])),
        )
    yield Comparison("large", "value and gradient", candidates, sizes=sizes)
