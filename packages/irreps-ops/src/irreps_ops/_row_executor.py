"""The executor of edge convolutions: sums over the edges of a row, as matrix products and fused loops.

A convolution in rows of edges, and each of its derivatives of any order, is a sum of products of up to four kinds of
operands, in which e are the slots of a row and u channels:

    weights [e u],  features [i, e u],  harmonics [j, e],  messages [k, u],  with coefficients C[i, j, k],

each of them an input or the output. Harmonics and coefficients first make a small matrix M[e, i, k] of each edge. Then

* messages:  M [k, (e i)] @ (weights features) [(e i), u], a matrix product for each row;
* harmonics: (weights features) [(e i), u] @ messages [u, k], then the coefficients;
* weights, features: sum_k M messages, times the rest, summed over i: written out, so that XLA makes one loop of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ._rows import read_rows, write_rows
from ._xla_executor import XlaExecutor

if TYPE_CHECKING:
    from ._executors import Task
    from ._polynomial import Path, Polynomial

_OUT = -1


class _Roles(NamedTuple):
    """The operands of a path by their kind: places of inputs, or -1 for the output."""

    weights: tuple[int, ...]
    features: int
    harmonics: int
    messages: int
    coefficients: np.ndarray


def _roles(polynomial: "Polynomial", path: "Path") -> _Roles | None:
    """Which operand is which; None if the path is no such product."""
    places = (*path.inputs, _OUT)
    operands = polynomial.operands(path)
    double = [s for s, modes in enumerate(path.modes) if len(modes) == 2]
    single = {modes: s for s, modes in enumerate(path.modes) if len(modes) == 1}
    if not double or len(double) + 2 != len(places) or len({path.modes[s] for s in double}) != 1:
        return None
    slot, channel = path.modes[double[0]]
    if set(single) != {slot, channel} or any(not o.row_axes or o.indexed for o in operands):
        return None
    features = max(double, key=lambda s: operands[s].components)
    weights = [s for s in double if s != features]
    if any(operands[s].components != 1 for s in weights):
        return None
    dense = path.coefficients.dense([o.components for o in operands])
    order = [features, single[slot], single[channel]]
    coefficients = dense.transpose(*weights, *order).reshape([dense.shape[s] for s in order])
    return _Roles(tuple(places[s] for s in weights), *(places[s] for s in order), coefficients)


@dataclass(frozen=True)
class RowExecutor:
    """Edge convolutions in rows of edges; whatever else comes is left to the general executor."""

    name: str = "rows"
    irreps_api: int = 1

    def why_not(self, task: "Task") -> str | None:
        """It can do everything."""
        return None

    def cost(self, task: "Task") -> float:
        """A nanosecond for about four multiply-adds."""
        return XlaExecutor().cost(task) / 2

    def run(self, task: "Task", inputs: Sequence[jax.Array], indices: Mapping[str, jax.Array]) -> list[jax.Array]:
        """See :class:`Executor`."""
        roles = [_roles(task.polynomial, path) for path in task.polynomial.paths]
        known = [found for found in roles if found is not None]
        if len(known) < len(roles):
            return XlaExecutor().run(task, inputs, indices)
        outputs = _Rows(task, read_rows(task, inputs, indices), known).outputs()
        return write_rows(task, outputs, indices)


class _Rows:
    """One run. Inside, arrays of edges have the shape (rows, slots, components, ...): as features are gathered."""

    def __init__(self, task: "Task", inputs: Sequence[jax.Array], roles: list[_Roles]) -> None:
        self.task, self.roles = task, roles
        edge_like = {i for found in roles for i in (*found.weights, found.features, found.harmonics)}
        self.inputs = [jnp.swapaxes(x, 1, 2) if i in edge_like else x for i, x in enumerate(inputs)]
        self.matrices = self._matrices()

    def _matrices(self) -> dict[int, jax.Array]:
        """M of each path that reads harmonics, of shape (rows, slots, i, k): one matrix product for all of them."""
        found: dict[int, jax.Array] = {}
        for y in {r.harmonics for r in self.roles} - {_OUT}:
            paths = [n for n, r in enumerate(self.roles) if r.harmonics == y]
            # Where messages are read or summed, the order of components that suits.
            blocks = [np.moveaxis(self.roles[n].coefficients, 1, 0) for n in paths]
            blocks = [np.swapaxes(b, 1, 2) if self.roles[n].messages == _OUT else b for n, b in zip(paths, blocks)]
            table = np.concatenate([b.reshape(len(b), -1) for b in blocks], 1)
            joined = self._dot(self.inputs[y], jnp.asarray(table, self.task.dtype), (2, 0))
            start = 0
            for n, block in zip(paths, blocks, strict=True):
                stop = start + block[0].size
                found[n] = joined[..., start:stop].reshape(*joined.shape[:2], *block.shape[1:])
                start = stop
        return found

    def _dot(self, a: jax.Array, b: jax.Array, axes: tuple[int, int], batch: int = 0) -> jax.Array:
        rows = tuple(range(batch))
        dimensions = (((axes[0],), (axes[1],)), (rows, rows))
        return jax.lax.dot_general(a, b, dimensions, precision=self.task.precision)

    def outputs(self) -> list[jax.Array | None]:
        """The outputs, in the layout of operands; None where nothing is added."""
        paths = self.task.polynomial.paths
        out: list[jax.Array | None] = []
        for o in range(len(self.task.polynomial.outputs)):
            which = [n for n, path in enumerate(paths) if path.output == o]
            if not which:
                out.append(None)
            elif self.roles[which[0]].messages == _OUT:
                out.append(sum((self._messages(n) for n in which[1:]), self._messages(which[0])))
            elif self.roles[which[0]].harmonics == _OUT:
                out.append(jnp.swapaxes(self._harmonics(which), 1, 2))
            else:
                y = self._features(which) if self.roles[which[0]].features == _OUT else sum((self._weights(n) for n in which[1:]), self._weights(which[0]))
                out.append(jnp.swapaxes(y, 1, 2))
        return out

    def _weighted(self, n: int) -> jax.Array:
        """Features times weights, (rows, slots, i, u)."""
        y = self.inputs[self.roles[n].features]
        for w in self.roles[n].weights:
            y = y * self.inputs[w]
        return y

    def _messages(self, n: int) -> jax.Array:
        """(rows, k, u)"""
        m, y = jnp.swapaxes(self.matrices[n], 1, 2), self._weighted(n)
        rows, k = m.shape[:2]
        return self._dot(m.reshape(rows, k, -1), y.reshape(rows, -1, y.shape[-1]), (2, 1), 1)

    def _harmonics(self, which: Sequence[int]) -> jax.Array:
        """(rows, slots, j): the transpose of M first, then the coefficients of all paths in one matrix product."""
        found, table = [], []
        for n in which:
            roles, y = self.roles[n], self._weighted(n)
            m = self._dot(y.reshape(y.shape[0], -1, y.shape[-1]), self.inputs[roles.messages], (2, 2), 1)
            found.append(m.reshape(*y.shape[:2], -1))
            table.append(np.swapaxes(roles.coefficients, 1, 2).reshape(found[-1].shape[-1], -1))
        return self._dot(
            jnp.concatenate(found, -1), jnp.asarray(np.concatenate(table), self.task.dtype), (2, 0)
        )

    def _returned(self, n: int, i: slice | int) -> jax.Array:
        """sum_k M[e, i, k] messages[k, u], (rows, slots, [i,] u), as a sum of products."""
        m, ct = self.matrices[n][:, :, i], self.inputs[self.roles[n].messages]
        parts = [m[..., k, None] * _like(ct[:, k], m.ndim) for k in range(m.shape[-1])]
        return sum(parts[1:], parts[0])

    def _features(self, which: Sequence[int]) -> jax.Array:
        """(rows, slots, i, u)"""
        columns = []
        for i in range(self.matrices[which[0]].shape[2]):
            parts = []
            for n in which:
                y = self._returned(n, i)
                for w in self.roles[n].weights:
                    y = y * self.inputs[w][:, :, 0]
                parts.append(y)
            columns.append(sum(parts[1:], parts[0]))
        return jnp.stack(columns, 2)

    def _weights(self, n: int) -> jax.Array:
        """(rows, slots, 1, u)"""
        x = self.inputs[self.roles[n].features]
        parts = [self._returned(n, i) * x[:, :, i] for i in range(x.shape[2])]
        y = sum(parts[1:], parts[0])[:, :, None]
        for w in self.roles[n].weights:
            if w != _OUT:
                y = y * self.inputs[w]
        return y


def _like(ct: jax.Array, ndim: int) -> jax.Array:
    """(rows, u) with axes of length 1 between."""
    return ct.reshape(ct.shape[0], *(1,) * (ndim - 2), ct.shape[1])
