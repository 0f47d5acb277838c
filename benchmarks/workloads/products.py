"""Tensor products without a graph: the full one, and the fully connected one with weights for each pair of channels."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from side_by_side import OURS, Candidate, Comparison, optional

import irreps_core as ic
import irreps_ops as irr

from . import cuequivariance
from .derivatives import pullback

FULL_SIZES = {
    "tiny": {"rows": 5, "channels": 2},
    "cpu": {"rows": 2_000, "channels": 32},
    "gpu": {"rows": 50_000, "channels": 32},
}
LARGE_SIZES = {
    "tiny": {"rows": 3, "channels": 2},
    "cpu": {"rows": 64, "channels": 128},
    "gpu": {"rows": 64, "channels": 128},
}
Forward = Callable[..., jax.Array]


def _normal(rng: np.random.Generator, *shape: int) -> jax.Array:
    return jnp.asarray(rng.normal(size=shape), jnp.float32)


# Full tensor product.


def full(size: str) -> Iterator[Comparison]:
    """channels x (0e+1o+2e) times 0e+1o+2e, all irreps of the result."""
    sizes = FULL_SIZES[size]
    irreps1, irreps2 = f"{sizes['channels']}x0e+{sizes['channels']}x1o+{sizes['channels']}x2e", "0e+1o+2e"
    forwards: dict[str, Forward] = {
        OURS: lambda x, y: irr.tensor_product(ic.IrrepsArray(irreps1, x), ic.IrrepsArray(irreps2, y)).array
    }
    if e3nn := optional("e3nn_jax"):
        forwards["e3nn-jax"] = lambda x, y: (
            e3nn.tensor_product(e3nn.IrrepsArray(irreps1, x), e3nn.IrrepsArray(irreps2, y)).array
        )
    rng = np.random.default_rng(0)
    rows = sizes["rows"]
    x, y = _normal(rng, rows, ic.Irreps(irreps1).dim), _normal(rng, rows, ic.Irreps(irreps2).dim)
    cotangent = _normal(rng, rows, irr.tensor_product(irreps1, irreps2).dim)
    yield Comparison("full", "forward", {n: Candidate(f, (x, y)) for n, f in forwards.items()}, sizes=sizes)
    candidates = {n: Candidate(pullback(f), (cotangent, x, y)) for n, f in forwards.items()}
    yield Comparison("full", "gradient", candidates, sizes=sizes)


# Fully connected tensor product: a weight for each channel of one, of the other and of the result.


def ours(irreps1: ic.Irreps, irreps2: ic.Irreps, irreps_out: ic.Irreps) -> Forward:
    def forward(weights: list[jax.Array], x: jax.Array, y: jax.Array) -> jax.Array:
        product = irr.FunctionalFullyConnectedTensorProduct(irreps1, irreps2, irreps_out)
        return product(weights, ic.IrrepsArray(irreps1, x), ic.IrrepsArray(irreps2, y)).array

    return forward


def e3nn_jax(irreps1: ic.Irreps, irreps2: ic.Irreps, irreps_out: ic.Irreps) -> Forward:
    e3nn = optional("e3nn_jax")
    names = str(irreps1), str(irreps2), str(irreps_out)

    def forward(weights: list[jax.Array], x: jax.Array, y: jax.Array) -> jax.Array:
        product = optional("e3nn_jax.legacy").FunctionalFullyConnectedTensorProduct(*names)
        # As its modules do.
        rows = e3nn.utils.vmap(product.left_right, in_axes=(None, 0, 0))
        return rows(weights, e3nn.IrrepsArray(names[0], x), e3nn.IrrepsArray(names[1], y)).array

    return forward


def e3nn_jax_two_steps(irreps1: ic.Irreps, irreps2: ic.Irreps, irreps_out: ic.Irreps) -> Forward:
    """The full product, then a linear map: what e3nn-jax advises today."""
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
    """Which items of two inputs give which of the result, first input first; and their weights."""

    def __init__(self, irreps1: ic.Irreps, irreps2: ic.Irreps, irreps_out: ic.Irreps) -> None:
        self.outputs, self.shapes = [], []
        for mul1, ir1 in irreps1:
            for mul2, ir2 in irreps2:
                for i, (mul, ir) in enumerate(irreps_out):
                    if ir in ir1 * ir2:
                        self.outputs.append(i)
                        self.shapes.append((mul1, mul2, mul))

    def weights(self, rng: np.random.Generator) -> list[jax.Array]:
        return [_normal(rng, *shape) for shape in self.shapes]

    def joined(self, weights: list[jax.Array]) -> list[jax.Array]:
        """Weights of the linear map that follows the full product: for each output those of all paths to it."""
        flat = [w.reshape(-1, w.shape[-1]) for w in weights]
        places = sorted(set(self.outputs))
        return [jnp.concatenate([w for w, o in zip(flat, self.outputs, strict=True) if o == i]) for i in places]

    def split(self, joined: list[jax.Array]) -> list[jax.Array]:
        """The inverse of `joined`."""
        starts, parts = dict.fromkeys(self.outputs, 0), dict(zip(sorted(set(self.outputs)), joined, strict=True))
        weights = []
        for i, (u, v, w) in zip(self.outputs, self.shapes, strict=True):
            weights.append(parts[i][starts[i] : starts[i] + u * v].reshape(u, v, w))
            starts[i] += u * v
        return weights


def fully_connected(size: str) -> Iterator[Comparison]:
    """channels x (0e+1o+2e) times 0e+1o+2e to channels x (0e+1o+2e)."""
    sizes = FULL_SIZES[size]
    irreps = ic.Irreps(f"{sizes['channels']}x0e+{sizes['channels']}x1o+{sizes['channels']}x2e")
    irreps2 = ic.Irreps("0e+1o+2e")
    paths, rng, rows = Paths(irreps, irreps2, irreps), np.random.default_rng(0), sizes["rows"]
    weights, y = paths.weights(rng), _normal(rng, rows, irreps2.dim)
    x, cotangent = _normal(rng, rows, irreps.dim), _normal(rng, rows, irreps.dim)
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
    """e3nn-jax's own benchmark: both inputs and the result channels x (0e+1e+2e), few rows, many weights."""
    sizes = LARGE_SIZES[size]
    irreps = ic.Irreps(f"{sizes['channels']}x0e+{sizes['channels']}x1e+{sizes['channels']}x2e")
    paths, rng, rows = Paths(irreps, irreps, irreps), np.random.default_rng(0), sizes["rows"]
    weights = paths.weights(rng)
    x, y = _normal(rng, rows, irreps.dim), _normal(rng, rows, irreps.dim)

    def task(forward: Forward) -> Callable[..., Any]:
        return jax.value_and_grad(lambda w, x, y: jnp.sum(jnp.tanh(forward(w, x, y))))

    candidates = {OURS: Candidate(task(ours(irreps, irreps, irreps)), (weights, x, y))}
    if optional("e3nn_jax"):
        candidates["e3nn-jax"] = Candidate(task(e3nn_jax(irreps, irreps, irreps)), (weights, x, y))
        candidates["e3nn-jax, product then linear"] = Candidate(
            task(e3nn_jax_two_steps(irreps, irreps, irreps)),
            (paths.joined(weights), x, y),
            lambda found: (found[0], paths.split(found[1])),
        )
    yield Comparison("large", "value and gradient", candidates, sizes=sizes)
