"""Candidates of cuequivariance-jax, which has its own layout and its own order and scale of weights.

Its method "naive" runs everywhere. Where its closed-source GPU kernels are installed, "uniform_1d" is used for
polynomials whose segments have one axis of equal length.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from side_by_side import Candidate, optional

import irreps_ops as irr

from .derivatives import pullback, value_and_pullback


def installed() -> bool:
    """Return whether cuequivariance-jax is installed."""
    return optional("cuequivariance_jax") is not None


def method() -> str:
    """Return the method for polynomials that are uniform in their channels."""
    return "uniform_1d" if jax.default_backend() == "gpu" and optional("cuequivariance_ops_jax") else "naive"


def irreps_of(irreps: irr.Irreps) -> Any:
    """Return its irreps."""
    return optional("cuequivariance").Irreps("O3", str(irreps))


def to_component_first(irreps: irr.Irreps, array: jax.Array) -> jax.Array:
    """Reorder each chunk from (channel, component) to (component, channel)."""
    return _swapped(irreps, array, lambda mul, dim: (mul, dim))


def to_channel_first(irreps: irr.Irreps, array: jax.Array) -> jax.Array:
    """Reorder each chunk from (component, channel) to (channel, component)."""
    return _swapped(irreps, array, lambda mul, dim: (dim, mul))


def _swapped(irreps: irr.Irreps, array: jax.Array, shape: Callable[[int, int], tuple[int, int]]) -> jax.Array:
    batch = array.shape[:-1]
    parts = [
        jnp.swapaxes(array[..., place].reshape(*batch, *shape(mul, ir.dim)), -1, -2).reshape(*batch, -1)
        for (mul, ir), place in zip(irreps, irreps.slices(), strict=True)
    ]
    return jnp.concatenate(parts, axis=-1)


class FullyConnected:
    """Its fully connected tensor product, with weights that make it equal to ours.

    Both have the same weights in the same order, up to a factor for each path. The factors are found by evaluating both
    on one sample.
    """

    def __init__(
        self,
        irreps1: irr.Irreps,
        irreps2: irr.Irreps,
        irreps_out: irr.Irreps,
        function: Callable[..., jax.Array],
        weights: list[jax.Array],
    ) -> None:
        descriptors = optional("cuequivariance").descriptors
        self.irreps1, self.irreps2, self.irreps_out = irreps1, irreps2, irreps_out
        self.polynomial = descriptors.fully_connected_tensor_product(*map(irreps_of, (irreps1, irreps2, irreps_out)))
        rng = np.random.default_rng(1)
        x, y = (jnp.asarray(rng.normal(size=(1, i.dim)), jnp.float32) for i in (irreps1, irreps2))
        shapes = [w.shape for w in weights]
        self.sizes = [w.size for w in weights]

        def both(path: jax.Array) -> tuple[jax.Array, jax.Array]:
            alone = [w * (path == i) for i, w in enumerate(weights)]
            flat = jnp.concatenate([w.reshape(-1) for w in alone])
            theirs = self.evaluate(flat, *self._layout(x, y))
            return function(alone, x, y), to_channel_first(irreps_out, theirs)

        expected, found = jax.lax.map(both, jnp.arange(len(shapes)))
        self.scales = [jnp.sum(a * b) / jnp.sum(b * b) for a, b in zip(expected, found, strict=True)]
        self.shapes = shapes

    def evaluate(self, weights: jax.Array, x: jax.Array, y: jax.Array) -> jax.Array:
        cue, cuex = optional("cuequivariance"), optional("cuequivariance_jax")
        factors = [
            cuex.RepArray(irreps_of(irreps), array, cue.ir_mul)
            for irreps, array in ((self.irreps1, x), (self.irreps2, y))
        ]
        return cuex.equivariant_polynomial(self.polynomial, [weights[None], *factors], method="naive").array

    def forward(self, weights: list[jax.Array], x: jax.Array, y: jax.Array) -> Candidate:
        args = self._weights(weights), *self._layout(x, y)
        return Candidate(self.evaluate, args, lambda z: to_channel_first(self.irreps_out, z))

    def gradient(self, cotangent: jax.Array, weights: list[jax.Array], x: jax.Array, y: jax.Array) -> Candidate:
        def common(gradient: Any) -> Any:
            parts = jnp.split(gradient[0], np.cumsum(self.sizes)[:-1])
            ws = [s * p.reshape(shape) for s, p, shape in zip(self.scales, parts, self.shapes, strict=True)]
            return ws, to_channel_first(self.irreps1, gradient[1]), to_channel_first(self.irreps2, gradient[2])

        args = to_component_first(self.irreps_out, cotangent), self._weights(weights), *self._layout(x, y)
        return Candidate(pullback(self.evaluate), args, common)

    def _layout(self, x: jax.Array, y: jax.Array) -> tuple[jax.Array, jax.Array]:
        return to_component_first(self.irreps1, x), to_component_first(self.irreps2, y)

    def _weights(self, weights: list[jax.Array]) -> jax.Array:
        return jnp.concatenate([(s * w).reshape(-1) for s, w in zip(self.scales, weights, strict=True)])


class SymmetricContraction:
    """Its symmetric contraction, with weights that make it equal to ours.

    Both are linear in their weights and span the same space, so its weights are a matrix times ours. The matrix is
    fitted on a few samples of one channel.
    """

    def __init__(
        self,
        irreps: str,
        irreps_out: str,
        orders: tuple[int, ...],
        function: Callable[..., jax.Array],
        shapes: dict[str, tuple[int, ...]],
    ) -> None:
        self.channels = next(iter(shapes.values()))[-1]
        self.irreps, self.irreps_out = self.channels * irr.Irreps(irreps), self.channels * irr.Irreps(irreps_out)
        self.orders = orders
        self.names = list(shapes)
        self.counts = [shapes[name][0] for name in self.names]
        polynomial = self._polynomial(irr.Irreps(irreps), irr.Irreps(irreps_out))
        x = jnp.asarray(
            np.random.default_rng(1).normal(size=(16 * sum(self.counts), irr.Irreps(irreps).dim)), jnp.float32
        )

        def our_value(weights: jax.Array) -> jax.Array:
            return function(self._split(weights[:, None]), x[:, None, :])

        def their_value(weights: jax.Array) -> jax.Array:
            return self._evaluate(polynomial, irr.Irreps(irreps), weights, x)

        a = np.asarray(jax.lax.map(our_value, jnp.eye(sum(self.counts))), np.float64)
        b = np.asarray(jax.lax.map(their_value, jnp.eye(polynomial.inputs[0].dim)), np.float64)
        solution = np.linalg.lstsq(b.reshape(len(b), -1).T, a.reshape(len(a), -1).T, rcond=None)[0]
        self.matrix = jnp.asarray(solution, jnp.float32)
        self.polynomial = self._polynomial(self.irreps, self.irreps_out)

    def _polynomial(self, irreps: irr.Irreps, irreps_out: irr.Irreps) -> Any:
        descriptors = optional("cuequivariance").descriptors
        return descriptors.symmetric_contraction(irreps_of(irreps), irreps_of(irreps_out), self.orders)

    def _evaluate(self, polynomial: Any, irreps: irr.Irreps, weights: jax.Array, x: jax.Array) -> jax.Array:
        cue, cuex = optional("cuequivariance"), optional("cuequivariance_jax")
        x = cuex.RepArray(irreps_of(irreps), x, cue.ir_mul)
        return cuex.equivariant_polynomial(polynomial, [weights[None], x], method=method()).array

    def _split(self, weights: jax.Array) -> dict[str, jax.Array]:
        """Return our weights, of shape (number, channels) for each name, from one array."""
        parts = jnp.split(weights, np.cumsum(self.counts)[:-1])
        return dict(zip(self.names, parts, strict=True))

    def evaluate(self, weights: jax.Array, x: jax.Array) -> jax.Array:
        return self._evaluate(self.polynomial, self.irreps, weights, x)

    def forward(self, weights: dict[str, jax.Array], x: jax.Array) -> Candidate:
        return Candidate(self.evaluate, self._args(weights, x), self._common)

    def value_and_gradient(self, cotangent: jax.Array, weights: dict[str, jax.Array], x: jax.Array) -> Candidate:
        def common(result: Any) -> Any:
            value, (of_weights, of_x) = result
            ws = self.matrix.T @ of_weights.reshape(-1, self.channels)
            return self._common(value), (self._split(ws), self._common(of_x))

        args = jnp.swapaxes(cotangent, 1, 2).reshape(len(x), -1), *self._args(weights, x)
        return Candidate(value_and_pullback(self.evaluate), args, common)

    def _args(self, weights: dict[str, jax.Array], x: jax.Array) -> tuple[jax.Array, jax.Array]:
        ws = self.matrix @ jnp.concatenate([weights[name] for name in self.names])
        return ws.reshape(-1), jnp.swapaxes(x, 1, 2).reshape(len(x), -1)

    def _common(self, array: jax.Array) -> jax.Array:
        """Return an array in our layout, of shape (nodes, channels, components)."""
        return jnp.swapaxes(array.reshape(len(array), -1, self.channels), 1, 2)


class Convolution:
    """Its convolution over edges, which fuses gather, product and sum.

    Its paths are ours in the same order, up to a factor for each path. The factors are found by evaluating both on one
    edge.
    """

    def __init__(self, irreps: str, harmonics: str, irreps_out: str) -> None:
        cue = optional("cuequivariance")
        self.irreps, self.harmonics = irr.Irreps(irreps), irr.Irreps(harmonics)
        product = cue.descriptors.channelwise_tensor_product(
            irreps_of(self.irreps), irreps_of(self.harmonics), irreps_of(irr.Irreps(irreps_out))
        )
        # One chunk for each path.
        self.irreps_out = irr.Irreps([(mul, str(ir)) for mul, ir in product.outputs[0].irreps])
        self.product = product if method() == "naive" else product.flatten_coefficient_modes().squeeze_modes()
        self.scales = self._scales(irreps_out)

    def _scales(self, irreps_out: str) -> jax.Array:
        """Return the factor of each irrep of the output."""
        rng = np.random.default_rng(1)
        x, vector = (jnp.asarray(rng.normal(size=(1, n)), jnp.float32) for n in (self.irreps.dim, 3))
        harmonics = irr.spherical_harmonics(self.harmonics, vector, normalize=True)
        expected = irr.tensor_product(irr.IrrepsArray(self.irreps, x), harmonics, filter_ir_out=irreps_out).array
        one = jnp.zeros(1, jnp.int32)
        weights = jnp.ones((1, self.irreps_out.num_irreps), jnp.float32)
        theirs = self.evaluate(to_component_first(self.irreps, x), self._harmonics(vector), weights, one, one)
        found = to_channel_first(self.irreps_out, theirs)
        scales = [
            jnp.full(mul, jnp.sum(expected[:, place] * found[:, place]) / jnp.sum(found[:, place] ** 2))
            for (mul, _), place in zip(self.irreps_out, self.irreps_out.slices(), strict=True)
        ]
        return jnp.concatenate(scales)

    def _harmonics(self, vectors: jax.Array) -> jax.Array:
        cue, cuex = optional("cuequivariance"), optional("cuequivariance_jax")
        vectors = cuex.RepArray(cue.Irreps("O3", "1o"), vectors, cue.ir_mul)
        return cuex.spherical_harmonics([ir.l for _, ir in self.harmonics], vectors).array

    def evaluate(
        self, x: jax.Array, harmonics: jax.Array, weights: jax.Array, senders: jax.Array, receivers: jax.Array
    ) -> jax.Array:
        cue, cuex = optional("cuequivariance"), optional("cuequivariance_jax")
        x = cuex.RepArray(irreps_of(self.irreps), x, cue.ir_mul)
        y = cuex.RepArray(irreps_of(self.harmonics), harmonics, cue.ir_mul)
        shape = jax.ShapeDtypeStruct((x.shape[0], self.irreps_out.dim), x.dtype)
        indices = [None, senders, None, receivers]
        return cuex.equivariant_polynomial(self.product, [weights, x, y], shape, indices, method=method()).array

    def forward(self, radial: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
        """Return the convolution as a function of features, positions, weights and graph."""

        def forward(x: jax.Array, positions: jax.Array, weights: list[jax.Array], graph: Any) -> jax.Array:
            senders, receivers = graph
            vectors = positions[senders] - positions[receivers]
            return self.evaluate(x, self._harmonics(vectors), radial(weights, vectors), senders, receivers)

        return forward

    def args(self, coefficients: jax.Array, x: jax.Array, positions: jax.Array, weights: list[jax.Array]) -> Any:
        """Return our arguments in its layout; the last layer of the radial network includes the factors of paths."""
        scaled = [*weights[:-1], weights[-1] * self.scales]
        coefficients, x = to_component_first(self.irreps_out, coefficients), to_component_first(self.irreps, x)
        return coefficients, x, positions, scaled

    def common(self, measure: str) -> Callable[[Any], Any]:
        """Return the function that converts the result of a measure to our layout."""

        def train(gradient: Any) -> Any:
            of_x, of_weights = gradient
            return to_channel_first(self.irreps, of_x), [*of_weights[:-1], of_weights[-1] * self.scales]

        forward = partial(to_channel_first, self.irreps_out)
        return {"forward": forward, "forces": lambda result: result, "train": train}[measure]
