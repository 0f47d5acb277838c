"""The executor `edge_rows` of edge convolutions: sums over padded rows of edges, by matrix products and fused loops.

A convolution over padded rows of edges, and each of its derivatives of any order, is a sum of products of up to four
kinds of operands, in which e are the slots of a row and u channels:

    weights [e u],  features [i, e u],  harmonics [j, e],  messages [k, u],  with coefficients C[i, j, k],

each of them an input or the output. Harmonics and coefficients are contracted to a small matrix M[e, i, k] per edge:

* messages:  M [k, (e i)] @ (weights features) [(e i), u], a matrix product for each row;
* harmonics: (weights features) [(e i), u] @ messages [u, k], then the coefficients;
* weights, features: sum_k M messages, times the rest, summed over i: written out, so that XLA makes one loop of it.
"""

import functools
import operator
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from irreps_ops.compute._contraction import Contraction
from irreps_ops.compute._cost_model import EDGE_ROWS_MULTIPLY_ADDS_PER_NS
from irreps_ops.compute._polynomial import Polynomial
from irreps_ops.compute._terms import Path

from ._gather_scatter import gather_inputs, scatter_outputs

_OUT = -1


class _Roles(NamedTuple):
    """The operands of a path by their kind: positions of inputs, or -1 for the output."""

    weights: tuple[int, ...]
    features: int
    harmonics: int
    messages: int
    coefficients: np.ndarray


def _roles(polynomial: Polynomial, path: Path) -> _Roles | None:
    """Find the roles of the operands; None if the path is not such a product."""
    positions = (*path.inputs, _OUT)
    operands = polynomial.operands(path)
    double = [s for s, subscripts in enumerate(path.subscripts) if len(subscripts) == 2]
    single = {subscripts: s for s, subscripts in enumerate(path.subscripts) if len(subscripts) == 1}
    if not double or len(double) + 2 != len(positions) or len({path.subscripts[s] for s in double}) != 1:
        return None
    slot, channel = path.subscripts[double[0]]
    if set(single) != {slot, channel} or any(not o.batch_axes or o.index or o.components_last for o in operands):
        return None
    features = max(double, key=lambda s: operands[s].components)
    weights = [s for s in double if s != features]
    if any(operands[s].components != 1 for s in weights):
        return None
    dense = path.coefficients.dense([o.components for o in operands])
    order = [features, single[slot], single[channel]]
    coefficients = dense.transpose(*weights, *order).reshape([dense.shape[s] for s in order])
    found = [positions[s] for s in order]
    return _Roles(tuple(positions[s] for s in weights), found[0], found[1], found[2], coefficients)


class EdgeRowsExecutor:
    """Computes edge convolutions over padded rows of edges by XLA operations, and nothing else."""

    irreps_api = 1
    name = "edge_rows"

    def why_not(self, contraction: Contraction) -> str | None:
        """Return the reason if this is not a sum over padded rows of edges."""
        paths = contraction.polynomial.paths
        operands = (*contraction.polynomial.inputs, *contraction.polynomial.outputs)
        if any(o.dtype for o in operands):
            return "it does not support operands with a storage dtype of their own"
        if any(o.components_last for o in operands):
            return "it needs components before channels (components_last=False)"
        if all(_roles(contraction.polynomial, path) for path in paths):
            return None
        return (
            "it only computes products of one [e], one [u] and one or more [e u] operands (e: slots of a row, "
            "u: channels), one of them the output"
        )

    def cost(self, contraction: Contraction) -> float:
        """Estimate the run time from the multiply-adds of matrix products and fused loops."""
        return contraction.multiply_adds() / EDGE_ROWS_MULTIPLY_ADDS_PER_NS

    def run(
        self, contraction: Contraction, inputs: Sequence[jax.Array], indices: Mapping[str, jax.Array]
    ) -> list[jax.Array]:
        """See :class:`Executor`."""
        found = (_roles(contraction.polynomial, path) for path in contraction.polynomial.paths)
        roles = [each for each in found if each is not None]
        return scatter_outputs(
            contraction, _Run(contraction, gather_inputs(contraction, inputs, indices), roles).outputs(), indices
        )


class _Run:
    """One evaluation. Arrays of edges have the shape (rows, slots, components, ...), as features are gathered."""

    def __init__(self, contraction: Contraction, inputs: Sequence[jax.Array], roles: list[_Roles]) -> None:
        self.contraction, self.roles = contraction, roles
        edge_like = {i for found in roles for i in (*found.weights, found.features, found.harmonics)}
        self.inputs = [jnp.swapaxes(x, 1, 2) if i in edge_like else x for i, x in enumerate(inputs)]
        self.matrices = self._matrices()

    def _matrices(self) -> dict[int, jax.Array]:
        """Return M of each path that reads harmonics, shape (rows, slots, i, k), by one matrix product for all."""
        found: dict[int, jax.Array] = {}
        for y in {r.harmonics for r in self.roles} - {_OUT}:
            paths = [n for n, r in enumerate(self.roles) if r.harmonics == y]
            # Where messages are read or summed, the order of components that suits.
            blocks = [np.moveaxis(self.roles[n].coefficients, 1, 0) for n in paths]
            blocks = [
                np.swapaxes(block, 1, 2) if self.roles[n].messages == _OUT else block
                for n, block in zip(paths, blocks, strict=True)
            ]
            table = np.concatenate([b.reshape(len(b), -1) for b in blocks], 1)
            joined = self._dot(self.inputs[y], jnp.asarray(table, self.contraction.dtype), (2, 0))
            start = 0
            for n, block in zip(paths, blocks, strict=True):
                stop = start + block[0].size
                found[n] = joined[..., start:stop].reshape(*joined.shape[:2], *block.shape[1:])
                start = stop
        return found

    def _dot(self, a: jax.Array, b: jax.Array, axes: tuple[int, int], batch: int = 0) -> jax.Array:
        rows = tuple(range(batch))
        dimensions = (((axes[0],), (axes[1],)), (rows, rows))
        return jax.lax.dot_general(a, b, dimensions, precision=self.contraction.precision)

    def outputs(self) -> list[jax.Array | None]:
        """Return the outputs in the layout of their operands; None where no path adds to one."""
        paths = self.contraction.polynomial.paths
        of_each = [
            [n for n, path in enumerate(paths) if path.output == o]
            for o in range(len(self.contraction.polynomial.outputs))
        ]
        return [self._output(which) if which else None for which in of_each]

    def _output(self, which: Sequence[int]) -> jax.Array:
        """Sum some paths that have the same output."""
        roles = self.roles[which[0]]
        if roles.messages == _OUT:
            return _sum([self._messages(n) for n in which])
        if roles.harmonics == _OUT:
            y = self._harmonics(which)
        elif roles.features == _OUT:
            y = self._features(which)
        else:
            y = _sum([self._weights(n) for n in which])
        return jnp.swapaxes(y, 1, 2)

    def _weighted(self, n: int) -> jax.Array:
        """Multiply features and weights, shape (rows, slots, i, u)."""
        y = self.inputs[self.roles[n].features]
        for w in self.roles[n].weights:
            y = y * self.inputs[w]
        return y

    def _messages(self, n: int) -> jax.Array:
        """Return messages of shape (rows, k, u)."""
        m, y = jnp.swapaxes(self.matrices[n], 1, 2), self._weighted(n)
        rows, k = m.shape[:2]
        return self._dot(m.reshape(rows, k, -1), y.reshape(rows, -1, y.shape[-1]), (2, 1), 1)

    def _harmonics(self, which: Sequence[int]) -> jax.Array:
        """Return harmonics of shape (rows, slots, j): the transpose of M, then the coefficients of all paths."""
        found, table = [], []
        for n in which:
            roles, y = self.roles[n], self._weighted(n)
            m = self._dot(y.reshape(y.shape[0], -1, y.shape[-1]), self.inputs[roles.messages], (2, 2), 1)
            found.append(m.reshape(*y.shape[:2], -1))
            table.append(np.swapaxes(roles.coefficients, 1, 2).reshape(found[-1].shape[-1], -1))
        return self._dot(jnp.concatenate(found, -1), jnp.asarray(np.concatenate(table), self.contraction.dtype), (2, 0))

    def _returned(self, n: int, i: int) -> jax.Array:
        """Return sum_k M[e, i, k] messages[k, u], shape (rows, slots, u), written out as a sum of products."""
        m, y = self.matrices[n][:, :, i], self.inputs[self.roles[n].messages]
        return _sum([m[:, :, k, None] * y[:, None, k] for k in range(m.shape[-1])])

    def _features(self, which: Sequence[int]) -> jax.Array:
        """Return features of shape (rows, slots, i, u)."""
        components = self.matrices[which[0]].shape[2]
        # Component by component: as one array with an axis i, XLA makes it four times slower.
        return jnp.stack([_sum([self._feature(n, i) for n in which]) for i in range(components)], 2)

    def _feature(self, n: int, i: int) -> jax.Array:
        y = self._returned(n, i)
        for w in self.roles[n].weights:
            y = y * self.inputs[w][:, :, 0]
        return y

    def _weights(self, n: int) -> jax.Array:
        """Return weights of shape (rows, slots, 1, u)."""
        x = self.inputs[self.roles[n].features]
        y = _sum([self._returned(n, i) * x[:, :, i] for i in range(x.shape[2])])[:, :, None]
        for w in self.roles[n].weights:
            if w != _OUT:
                y = y * self.inputs[w]
        return y


def _sum(parts: Sequence[jax.Array]) -> jax.Array:
    return functools.reduce(operator.add, parts)
